"""`read_settings` tells how a picture was made, from what ComfyUI, A1111 or the course wrote into its file.

ComfyUI writes two workflows: `prompt`, what was run, and `workflow`, what stood on the page; A1111 writes the text
`parameters`. What the file does not tell is None in the answer, with a reason, and never guessed.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from course_lib.messages import LessonError, error, text
from course_lib.pictures.text_chunks import PictureTexts, read_texts
from course_lib.sampling.a1111 import read_parameters
from course_lib.sampling.found import PROMPTS, FoundSettings
from course_lib.sampling.settings import CONTROLS, SamplerSettings, check_settings
from course_lib.workflow.api_form import write_api
from course_lib.workflow.graph import Workflow, read
from course_lib.workflow.node_types import CONTROL
from course_lib.workflow.parts import Graph, Node
from course_lib.workflow.passes import Passes, find_passes
from course_lib.workflow.sampler_nodes import read_sampler
from course_lib.workflow.values import Broken, name_node

MOST_STEPS = 10_000  # ComfyUI's bound; what a model can do is checked when it draws
OLD_CONTROLS = {True: "randomize", False: "fixed"}  # of pages before summer 2023
JUNK = (LessonError, Broken, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)


def read_settings(source: str | Path | bytes) -> FoundSettings:
    """Return settings, prompt and negative prompt of a PNG, JPEG or WEBP file; None in it is what cannot be told.

    Of a picture drawn in two passes the first is returned, and `notes` tell of the second. LessonError for a file that
    is no picture or holds no settings of a sampler.
    """
    name = "bytes" if isinstance(source, bytes) else str(source)
    file_name = "" if isinstance(source, bytes) else Path(source).name
    picture = read_texts(source, name)
    readers: dict[str, Callable[[str], FoundSettings]] = {
        "prompt": lambda words: read_workflow(words, file_name),
        "workflow": lambda words: read_workflow(words, file_name), "parameters": read_parameters}
    found = None
    for key in filter(picture.texts.get, readers):
        try:
            other = readers[key](picture.texts[key])
        except JUNK:
            continue  # another text may be whole
        if found is None:
            found = other
        elif key == "workflow":  # only the page knows what becomes of the seed
            control = other.settings.control_after_generate
            found = FoundSettings(replace(found.settings, control_after_generate=control), *found[1:],
                                  found.unknown, found.notes)
        else:
            found = found.filled(other)
    if found is None:
        raise refuse(picture, name)
    check(found)
    return FoundSettings(*found, found.unknown, [*found.notes, *tell_damage(picture)])


def refuse(picture: PictureTexts, name: str) -> LessonError:
    """Build the error of a picture without settings that can be used."""
    if picture.damaged:
        return error("png_damaged", name=name, keys=text("list_comma").join(picture.damaged)[:200])
    return error("png_no_settings", name=name, found=text("list_comma").join(picture.names)[:200] or text("none"))


def tell_damage(picture: PictureTexts) -> list[str]:
    """Say which texts were not used, or stand in the file twice."""
    return [text(key, keys=text("list_comma").join(names)[:200]) for key, names in (
        ("found_damaged", picture.damaged), ("found_doubled", picture.doubled)) if names]


def check(found: FoundSettings) -> None:
    """Answer settings outside their bounds with a LessonError; what is unknown has none."""
    usual = SamplerSettings()
    check_settings(replace(found.settings, **{name: getattr(usual, name) for name in found.unknown
                                              if name not in PROMPTS}), MOST_STEPS)


def read_workflow(words: str, file_name: str = "") -> FoundSettings:
    """Return the settings in a workflow of either form, given as JSON; an exception of JUNK where it holds none."""
    workflow = read(words.encode("utf-8", "replace"))
    prompt = write_api(workflow, workflow.types, strict=False, sent=workflow.form == "api")
    passes = find_passes(prompt, file_name)
    found = [read_sampler(prompt, number) for number in passes.first]
    agreed = found[0] if len(found) == 1 else agree(found, passes)
    control = find_control(workflow, passes.first[0])
    notes = [*agreed.notes, *tell_passes(prompt, passes)]
    return FoundSettings(replace(agreed.settings, control_after_generate=control), *agreed[1:], agreed.unknown, notes)


def agree(found: list[FoundSettings], passes: Passes) -> FoundSettings:
    """Return what several samplers have in common; the rest is unknown, for the file may be any one's."""
    names = [field.name for field in fields(SamplerSettings)] + [*PROMPTS]
    unknown = {name: reason for one in found for name, reason in one.unknown.items()}
    for name in names:
        values = [one.tell(name) for one in found]
        if name not in unknown and any(value != values[0] for value in values):
            unknown[name] = text("found_several", nodes=", ".join(f"#{number}" for number in passes.first[:10]))
    untold: dict[str, Any] = dict.fromkeys(set(unknown) - set(PROMPTS))
    prompt, negative_prompt = (None if name in unknown else found[0].tell(name) for name in PROMPTS)
    return FoundSettings(replace(found[0].settings, **untold), prompt, negative_prompt, unknown,
                         [note for one in found for note in one.notes])


def tell_passes(prompt: dict[str, dict], passes: Passes) -> list[str]:
    """Say which samplers drew on after the first, and that there are others in the workflow."""
    notes = []
    for number in passes.later[:5]:
        inputs = prompt[number]["inputs"]
        values = ", ".join(f"{name}: {inputs[name]}" for name in ("seed", "noise_seed", "steps", "cfg", "denoise",
                                                                  "denoise_strength") if name in inputs)
        notes.append(text("found_second_pass", node=name_node(prompt, number), values=values[:200]))
    if passes.others:
        notes.append(text("found_others", count=len(passes.others), nodes=text("list_comma").join(
            name_node(prompt, number) for number in passes.others[:5])))
    if passes.undrawn:
        notes.append(text("found_undrawn", nodes=text("list_comma").join(
            name_node(prompt, number) for number in passes.undrawn[:5])))
    return notes


def find_control(workflow: Workflow, number: str) -> str:
    """Return what the page does to a sampler's seed after a picture; "fixed" where no page tells."""
    graph: Graph | None = workflow
    node: Node | None = None
    for part in number.split(":"):
        node = graph.nodes.get(part) if graph else None
        graph = workflow.subgraphs.get(node.type) if node else None
    value = node.widgets.get(CONTROL) if node else None
    value = OLD_CONTROLS.get(value, value) if isinstance(value, bool) else value
    return value if value in CONTROLS else "fixed"
