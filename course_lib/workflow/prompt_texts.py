"""Follow a sampler's positive or negative input back to the text that was encoded.

Between text and sampler stand nodes that add a picture or a mask to an encoded text, put several together, or take it
away. Where more than one text arrives, no single prompt made the picture: that is said, with the texts.
"""

import re
from collections.abc import Sequence

from course_lib.messages import text
from course_lib.workflow.reading import is_link
from course_lib.workflow.values import (
    MOST_SHOWN,
    Broken,
    Prompt,
    Told,
    find_node,
    list_links,
    name_node,
    tell_text,
    trace,
)

MOST_NODES = 200  # between a sampler and its texts
ZERO = "ConditioningZeroOut"
# Encoders with the inputs that hold their texts; several of one encoder are mostly the same text.
ENCODERS = {
    "CLIPTextEncode": ("text",), "CLIPTextEncodeSDXL": ("text_g", "text_l"), "CLIPTextEncodeSDXLRefiner": ("text",),
    "CLIPTextEncodeFlux": ("t5xxl", "clip_l"), "CLIPTextEncodeSD3": ("t5xxl", "clip_l", "clip_g"),
    "CLIPTextEncodeHunyuanDiT": ("mt5xl", "bert"), "CLIPTextEncodeHiDream": ("llama", "t5xxl", "clip_l", "clip_g"),
    "CLIPTextEncodePixArtAlpha": ("text",), "TextEncodeQwenImageEdit": ("prompt",),
    "TextEncodeQwenImageEditPlus": ("prompt",), "BNK_CLIPTextEncodeAdvanced": ("text",), "MZ_ChatGLM3_V2": ("text",),
    "MZ_ChatGLM3": ("text",), "MZ_ChatGLM3_Advance_V2": ("text",)}
# Nodes that leave the text as it is and add something else; the input that the text comes by.
KEEPS = dict.fromkeys((
    "ControlNetApply", "ConditioningSetArea", "ConditioningSetAreaPercentage", "ConditioningSetAreaStrength",
    "ConditioningSetMask", "ConditioningSetTimestepRange", "FluxGuidance", "unCLIPConditioning", "StyleModelApply",
    "ReferenceLatent", "ConditioningSetProperties", "CLIPTextEncodeControlnet"), "conditioning") | {
        "GLIGENTextBoxApply": "conditioning_to"}
# Nodes with both sides as inputs and outputs, positive at output 0 and negative at 1.
PAIRS = ("ControlNetApplyAdvanced", "ControlNetApplySD3", "InpaintModelConditioning",
         "ControlNetInpaintingAliMamaApply", "InstructPixToPixConditioning")
# Nodes that put two texts together.
MIXES = {"ConditioningCombine": ("conditioning_1", "conditioning_2"),
         "ConditioningConcat": ("conditioning_to", "conditioning_from"),
         "ConditioningAverage": ("conditioning_to", "conditioning_from")}
TEXT_NAMES = re.compile(r"(text|prompt|string)$|text_[gl]$|clip_[lg]$|t5xxl$", re.IGNORECASE)
CONDITIONING = re.compile(r"cond", re.IGNORECASE)
ENCODES = re.compile(r"encod|prompt|conditioning", re.IGNORECASE)
TAKES_AWAY = re.compile(r"zero|null|empty|clear|blank|none", re.IGNORECASE)  # in the class of a node that is not known
SLOTS = {"positive": (0, 1), "negative": (1, 2)}  # where a node with both sides gives them, a model before them or not


def tell_prompt(prompt: Prompt, link: object, side: str) -> Told:
    """Return the text behind a sampler's input "positive" or "negative"; unknown with the reason where none is sure."""
    found: dict[str, None] = {}
    notes: list[str] = []
    todo, seen = [link], set()
    more: Sequence[object]
    while todo:
        try:
            value = trace(prompt, todo.pop())
            if not is_link(value):
                told, more = tell_text(prompt, value), ()
            else:
                number, _ = find_node(prompt, value)
                if (number, int(value[1])) in seen:
                    continue
                seen.add((number, int(value[1])))
                told, more = read_node(prompt, number, int(value[1]), side)
        except Broken:
            told, more = Told(unknown=text("found_broken")), ()
        if told.unknown or len(seen) > MOST_NODES:
            return Told(unknown=told.unknown or text("found_broken"), notes=tuple(notes))
        notes += told.notes
        if told.value is not None:
            found[told.value] = None
        todo += reversed(more)
    texts = [words for words in found if words.strip()] or [*found][:1]
    if not texts:
        return Told(unknown=text("found_broken"))
    return choose(texts, notes)


def choose(texts: list[str], notes: list[str]) -> Told:
    """Return the one text; unknown where there are several different ones."""
    if len(texts) > 1:
        quoted = text("list_comma").join(text("node_quoted", words=words[:MOST_SHOWN]) for words in texts)
        return Told(unknown=text("found_texts", count=len(texts), texts=quoted), notes=tuple(notes))
    return Told(texts[0], notes=tuple(notes))


def read_node(prompt: Prompt, number: str, slot: int, side: str) -> tuple[Told, list[object]]:
    """Return what a node on the way adds as text (a value of None: nothing), and the inputs to follow further."""
    kind, inputs = prompt[number]["class_type"], prompt[number]["inputs"]
    if kind == ZERO:
        return Told("", notes=(text("found_zeroed", node=name_node(prompt, number)),)), []
    if kind in ENCODERS:
        return read_encoder(prompt, number, [inputs[name] for name in ENCODERS[kind] if name in inputs]), []
    if kind in KEEPS and KEEPS[kind] in inputs:
        return Told(), [inputs[KEEPS[kind]]]
    if kind in MIXES:
        return Told(), [inputs[name] for name in MIXES[kind] if name in inputs]
    if kind in PAIRS and slot < 2:
        wanted = ("positive", "negative")[slot]
        return (Told(), [inputs[wanted]]) if wanted in inputs else (Told(unknown=text("found_broken")), [])
    return read_unknown(prompt, number, slot, side)


def read_encoder(prompt: Prompt, number: str, values: list[object]) -> Told:
    """Return the text of an encoder; unknown where its inputs hold different ones."""
    told = [tell_text(prompt, value) for value in values]
    missing = next((one for one in told if one.unknown), None)
    if missing or not told:
        return missing or Told(unknown=text("found_computed", node=name_node(prompt, number)))
    notes = [note for one in told for note in one.notes]
    texts = [words for words in dict.fromkeys(one.value for one in told) if words.strip()] or [told[0].value]
    return choose(texts, notes)


def read_unknown(prompt: Prompt, number: str, slot: int, side: str) -> tuple[Told, list[object]]:
    """Read a node of a class that is not known here: by what its inputs are called, if that leaves one way only."""
    inputs = prompt[number]["inputs"]
    kind, note = prompt[number]["class_type"], text("found_passed", node=name_node(prompt, number))
    if TAKES_AWAY.search(kind):
        return Told(unknown=text("found_computed", node=name_node(prompt, number))), []
    conditionings = [name for name in list_links(inputs) if CONDITIONING.search(name)]
    given = {name: value for name, value in inputs.items() if is_link(value) or isinstance(value, str)}
    texts = [name for name in given if TEXT_NAMES.search(name) or name == "0" and "1" not in inputs]
    if side in given and slot in SLOTS[side]:
        return Told(notes=(note,)), [inputs[side]]
    if "positive" not in inputs and "negative" not in inputs:
        if len(conditionings) == 1:
            return Told(notes=(note,)), [inputs[conditionings[0]]]
        if not conditionings and len(texts) == 1 and ENCODES.search(kind):
            told = read_encoder(prompt, number, [inputs[texts[0]]])
            return Told(told.value, told.unknown, (*told.notes, note)), []
    return Told(unknown=text("found_computed", node=name_node(prompt, number))), []
