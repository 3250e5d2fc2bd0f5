"""The nodes of ComfyUI and the Kolors nodes of the camp, as a running ComfyUI has told of them.

`known_nodes.json` beside this file is the answer of ComfyUI 0.29.0 with the course's nodes in it to /object_info, as
tests/by_hand/record_nodes.py keeps it. A ComfyUI that runs tells all of its own; this table serves where none does.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from course_lib.sampling.samplers import SAMPLERS
from course_lib.workflow.node_types import InputType, NodeType, read_types

RECORDED = Path(__file__).with_name("known_nodes.json")


@cache
def list_known() -> dict[str, NodeType]:
    """Return the NodeTypes of the recorded nodes by class name."""
    types = read_types(json.loads(RECORDED.read_text(encoding="utf-8")))
    return {name: replace(found, inputs=renew_menus(found.inputs)) for name, found in types.items()}


def renew_menus(inputs: Mapping[str, InputType]) -> dict[str, InputType]:
    """Return a node's inputs with today's menu of samplers, which has one name more than that of the recording."""
    return {name: replace(value, options=tuple(SAMPLERS)) if set(value.options or ()) > {"euler", "uni_pc"} else value
            for name, value in inputs.items()}
