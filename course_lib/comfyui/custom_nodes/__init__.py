"""The folder that is linked into ComfyUI's custom_nodes/: ComfyUI loads this file by its path, under a name of its own.

The link's real place tells where the course is, and the classes are taken from there, so that they exist once.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))

from course_lib.comfyui.custom_nodes.inside_comfyui import settle_in  # noqa: E402
from course_lib.workflow.nodes.kolors import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS  # noqa: E402

settle_in(NODE_CLASS_MAPPINGS)

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
