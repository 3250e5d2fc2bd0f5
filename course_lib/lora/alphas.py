"""The alpha of each layer of a LoRA file: beside its matrices, in the file's header, or given by the learner."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from pathlib import Path

from course_lib.lora.files import BROKEN, LoraFile, read_matrices
from course_lib.lora.headers import read_header_alpha
from course_lib.lora.names import PREFIX
from course_lib.messages import error, text

PLAIN = re.compile(r"(?:\w|\\?\.|-)*")  # a layer's name, and no regular expression
# What peft does with the patterns of a table (peft.utils.other.get_pattern_key): the first that fits counts. A pattern
# from a file can take longer than the universe is old, so it runs in a process that is ended after some seconds.
MATCH = """
import json, re, sys
asked = json.load(sys.stdin)
patterns = [re.compile("(.*\\\\.)?(" + key + ")$") for key in asked["patterns"]]
print(json.dumps([next((n for n, one in enumerate(patterns) if one.match(name)), None) for name in asked["names"]]))
"""
MATCH_SECONDS = 10


def read_lora(path: str | Path, *, alpha: float | None = None) -> LoraFile:
    """Read a LoRA file in any format, or the one in a folder; `alpha` goes before what is stored. LessonError."""
    return give_alphas(read_matrices(path), alpha)


def give_alphas(file: LoraFile, given: float | None) -> LoraFile:
    """Give each layer the alpha that was given, or is stored in the file; None where there is neither. LessonError.

    An alpha beside the matrices goes before the header's, as in ComfyUI and diffusers; a header against it is noted.
    """
    if given is not None:
        check_alpha(given)
        return replace(file, layers={name: replace(matrices, alpha=float(given))
                                     for name, matrices in file.layers.items()})
    beside = [matrices.alpha for matrices in file.layers.values() if matrices.alpha is not None]
    try:
        stored = read_alphas(file)
    except BROKEN as cause:
        if len(beside) < len(file.layers):
            raise error("lora_header_broken", file=file.path.name, cause=str(cause)[:200]) from cause
        stored = {}
    notes, written = file.notes, stored.get("alpha")
    if written is not None and beside and not any(math.isclose(written, value, rel_tol=1e-3) for value in beside):
        notes += (text("lora_alpha_contradicts", header=f"{written:g}", tensor=f"{beside[0]:g}"),)
    layers = {}
    for name, matrices in file.layers.items():
        alpha = matrices.alpha if matrices.alpha is not None else stored.get(name, written)
        if alpha is not None and not (math.isfinite(alpha) and alpha > 0):
            raise error("lora_alpha_wrong", value=alpha)
        layers[name] = replace(matrices, alpha=alpha)
    return replace(file, layers=layers, notes=notes)


def check_alpha(value: float) -> None:
    """Answer an alpha that is no number above 0 with a LessonError."""
    if isinstance(value, bool) or not isinstance(value, Real) or not (math.isfinite(value) and value > 0):
        raise error("lora_alpha_wrong", value=repr(value))


def read_alphas(file: LoraFile) -> dict[str, float]:
    """Read the alphas of a header: "alpha" for all layers, and that of single layers by their names in the file.

    Keys: the course's own `alpha`, kohya's `ss_network_alpha`, diffusers' table `lora_adapter_metadata`; peft writes
    that table into a file of its own, adapter_config.json beside adapter_model.safetensors.
    """
    header, found, beside = file.header, {}, file.path.with_name("adapter_config.json")
    written = header.get("lora_adapter_metadata", "{}")
    if file.path.stem == "adapter_model" and beside.is_file():
        written = beside.read_text(encoding="utf-8")
    table = {key.removeprefix("unet."): value for key, value in json.loads(written).items()}
    patterns = dict(table.get("alpha_pattern") or {})
    places = match_patterns(list(patterns), [PREFIX.sub("", name, count=1) for name in file.layers])
    for (name, matrices), place in zip(file.layers.items(), places):
        alpha = table.get("lora_alpha") if place is None else list(patterns.values())[place]
        if alpha is not None:  # rank-stabilised LoRA (https://arxiv.org/abs/2312.03732) divides by the rank's root
            found[name] = float(alpha) * (math.sqrt(matrices.rank) if table.get("use_rslora") else 1)
    told = read_header_alpha(header)
    return found if told is None else {**found, "alpha": told}


def match_patterns(patterns: Sequence[str], names: Sequence[str]) -> list[int | None]:
    """Say which pattern counts for each layer's name: a name's end, or a regular expression; ValueError if unclear."""
    if all(map(PLAIN.fullmatch, patterns)):
        ends = [f".{pattern}".replace("\\", "") for pattern in patterns]
        return [next((place for place, end in enumerate(ends) if f".{name}".endswith(end)), None) for name in names]
    asked = json.dumps({"patterns": patterns, "names": names})
    try:
        done = subprocess.run([sys.executable, "-I", "-c", MATCH], input=asked, capture_output=True, text=True,
                              encoding="utf-8", timeout=MATCH_SECONDS, check=True)
    except (subprocess.SubprocessError, OSError) as cause:
        raise ValueError(f"alpha_pattern {patterns[:3]}") from cause
    return json.loads(done.stdout)
