"""Read one sampler node of a workflow into settings and texts, whichever of ComfyUI's or the camp's samplers it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

from course_lib.messages import text
from course_lib.sampling.found import PROMPTS, FoundSettings
from course_lib.sampling.settings import SamplerSettings
from course_lib.workflow.prompt_texts import tell_prompt
from course_lib.workflow.reading import is_link
from course_lib.workflow.values import Broken, Prompt, Told, find_node, name_node, tell_text, tell_value, trace

# What a node needs to be taken for a sampler like ComfyUI's KSampler: Efficient, Impact and others keep these names.
LIKE_KSAMPLER = {"steps", "cfg", "sampler_name", "scheduler"}
SEEDS = ("seed", "noise_seed")
FIELDS = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")
OLD_PREFIX = "sample_"  # of sampler names before summer 2023; ComfyUI's page drops it
# KolorsSampler draws with diffusers' own schedulers, which ComfyUI splits into a sampler and a row of noise levels.
KOLORS = {"EulerDiscreteScheduler": "euler", "EulerAncestralDiscreteScheduler": "euler_ancestral",
          "DPMSolverMultistepScheduler": "dpmpp_2m", "DPMSolverMultistepScheduler_SDE_karras": "dpmpp_2m_sde",
          "UniPCMultistepScheduler": "uni_pc_bh2", "DEISMultistepScheduler": "deis"}


@dataclass
class Answers:
    """What was told so far of one sampler: values by field, reasons for what is unknown, notes."""

    prompt: Prompt
    number: str
    values: dict[str, object] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put(self, name: str, told: Told) -> None:
        """Keep what was told of a field."""
        self.notes += told.notes
        if told.unknown:
            self.unknown[name] = told.unknown
        else:
            self.values[name] = told.value

    def ask(self, name: str, inputs: Mapping[str, object], key: str) -> None:
        """Ask for a field's value at an input; unknown where the node has none."""
        if key not in inputs:
            self.unknown[name] = text("found_not_written", name=key)
            return
        value = inputs[key]
        if is_link(value) and str(value[0]) == self.number:
            raise Broken("circle")
        told = tell_value(self.prompt, value)
        if is_link(value) and not told.unknown and not is_kind(name, told.value):
            told = Told(unknown=text("found_computed", node=name_node(self.prompt, str(value[0]))))
        self.put(name, told)


def is_kind(name: str, value: object) -> bool:
    """Say whether a value has the kind of a field; one that a node holds in another form is changed on its way."""
    if name in ("sampler_name", "scheduler"):
        return isinstance(value, str)
    return isinstance(value, Integral if name in ("seed", "steps") else Real) and not isinstance(value, bool)


def is_sampler(node: Mapping[str, Any]) -> bool:
    """Say whether a node of the server's form draws."""
    return node["class_type"] in READERS or looks_like_ksampler(node["inputs"])


def looks_like_ksampler(inputs: Mapping[str, object]) -> bool:
    """Say whether a node has the inputs of ComfyUI's KSampler, whatever its class."""
    return inputs.keys() >= LIKE_KSAMPLER and any(name in inputs for name in SEEDS)


def read_sampler(prompt: Prompt, number: str) -> FoundSettings:
    """Return what a sampler node was set to; Broken or TypeError where its inputs are no settings."""
    answers = Answers(prompt, number)
    inputs = prompt[number]["inputs"]
    READERS.get(prompt[number]["class_type"], read_ksampler)(answers, inputs)
    values: dict[str, Any] = {name: answers.values.get(name) for name in (*FIELDS, *PROMPTS)}
    for name in ("sampler_name", "scheduler"):
        if name not in answers.unknown and not isinstance(values[name], str):
            raise TypeError(name)
    if isinstance(values["sampler_name"], str):
        values["sampler_name"] = values["sampler_name"].removeprefix(OLD_PREFIX)
    # Half a surrogate pair, which JSON can hold, could be neither tokenized nor printed.
    prompt_words, negative_words = (words if words is None else words.encode("utf-8", "replace").decode()
                                    for words in map(values.pop, PROMPTS))
    return FoundSettings(SamplerSettings(**values), prompt_words, negative_words, answers.unknown, answers.notes)


def read_ksampler(answers: Answers, inputs: Mapping[str, object]) -> None:
    """Read KSampler, and nodes of other packs with the same inputs; TypeError where they are not all there."""
    if not looks_like_ksampler({"steps": None, "cfg": None, **inputs}):
        raise TypeError("a KSampler without its settings")
    for name in FIELDS:
        answers.ask(name, inputs, "noise_seed" if name == "seed" and "seed" not in inputs else name)
    ask_prompts(answers, inputs)


def ask_prompts(answers: Answers, inputs: Mapping[str, object]) -> None:
    """Ask for both prompts at the inputs "positive" and "negative"."""
    for name, side in zip(PROMPTS, ("positive", "negative")):
        answers.put(name, tell_prompt(answers.prompt, inputs.get(side), side))


def read_advanced(answers: Answers, inputs: Mapping[str, object]) -> None:
    """Read KSamplerAdvanced, which draws a part of its steps: all of them from noise are a denoise of 1."""
    read_ksampler(answers, {**inputs, "denoise": 1.0})
    parts = [tell_value(answers.prompt, inputs.get(name, usual)).value for name, usual in (
        ("start_at_step", 0), ("end_at_step", 10_000), ("add_noise", "enable"))]
    steps = answers.values.get("steps")
    if parts[0] != 0 or parts[2] != "enable" or not isinstance(parts[1], int) or not isinstance(steps, int):
        answers.values.pop("denoise", None)
        answers.unknown["denoise"] = text("found_part", start=parts[0], end=parts[1], noise=parts[2])
    elif parts[1] < steps:
        answers.notes.append(text("found_ends", end=parts[1], steps=steps))


def read_kolors(answers: Answers, inputs: Mapping[str, object]) -> None:
    """Read the camp's KolorsSampler, whose two prompts stand in one KolorsTextEncode."""
    for name in ("seed", "steps", "cfg"):
        answers.ask(name, inputs, name)
    answers.ask("sampler_name", inputs, "scheduler")
    kind = answers.values.get("sampler_name")
    if isinstance(kind, str):
        answers.unknown["scheduler"] = text("found_kolors", kind=kind[:80])
        if kind in KOLORS:
            answers.values["sampler_name"] = KOLORS[kind]
        else:
            answers.unknown["sampler_name"] = answers.unknown["scheduler"]
            del answers.values["sampler_name"]
    elif "sampler_name" in answers.unknown:
        answers.unknown["scheduler"] = answers.unknown["sampler_name"]
    if is_link(inputs.get("latent")):
        answers.ask("denoise", inputs, "denoise_strength")
    else:
        answers.values["denoise"] = 1.0  # without a latent the node does not use it
    ask_kolors_prompts(answers, inputs.get("kolors_embeds"))


def ask_kolors_prompts(answers: Answers, link: object) -> None:
    """Ask for both prompts at the node that encoded them."""
    number, inputs = find_part(answers, link)
    for name in PROMPTS:
        if answers.prompt[number]["class_type"] == "KolorsTextEncode":
            answers.put(name, tell_text(answers.prompt, inputs.get(name)))
        else:
            answers.unknown[name] = text("found_computed", node=name_node(answers.prompt, number))


def read_custom(answers: Answers, inputs: Mapping[str, object]) -> None:
    """Read SamplerCustom and SamplerCustomAdvanced, whose settings stand in nodes of their own."""
    if "noise" in inputs:
        ask_part(answers, inputs["noise"], "RandomNoise", {"seed": "noise_seed"})
    else:
        answers.ask("seed", inputs, "noise_seed")
    ask_part(answers, inputs.get("sampler"), "KSamplerSelect", {"sampler_name": "sampler_name"})
    ask_part(answers, inputs.get("sigmas"), "BasicScheduler", {"scheduler": "scheduler", "steps": "steps",
                                                               "denoise": "denoise"})
    if "guider" not in inputs:
        answers.ask("cfg", inputs, "cfg")
        ask_prompts(answers, inputs)
    else:
        ask_guider(answers, inputs["guider"])


def ask_guider(answers: Answers, link: object) -> None:
    """Ask for cfg and prompts at a guider; BasicGuider has no negative side, which is a cfg of 1."""
    number, inputs = find_part(answers, link)
    kind = answers.prompt[number]["class_type"]
    if kind == "CFGGuider":
        answers.ask("cfg", inputs, "cfg")
        ask_prompts(answers, inputs)
    elif kind == "BasicGuider":
        answers.values |= {"cfg": 1.0, "negative_prompt": ""}
        answers.put("prompt", tell_prompt(answers.prompt, inputs.get("conditioning"), "positive"))
    else:
        reason = text("found_computed", node=name_node(answers.prompt, number))
        answers.unknown |= dict.fromkeys(("cfg", *PROMPTS), reason)


def ask_part(answers: Answers, link: object, kind: str, names: Mapping[str, str]) -> None:
    """Ask for fields at the inputs of a node of a class; unknown where another class stands there."""
    number, inputs = find_part(answers, link)
    for name, key in names.items():
        if answers.prompt[number]["class_type"] == kind:
            answers.ask(name, inputs, key)
        else:
            answers.unknown[name] = text("found_computed", node=name_node(answers.prompt, number))


def find_part(answers: Answers, link: object) -> tuple[str, Mapping[str, object]]:
    """Return id and inputs of the node behind a link; Broken where there is none."""
    link = trace(answers.prompt, link)
    if not is_link(link):
        raise Broken(answers.number)
    return find_node(answers.prompt, link)


READERS: dict[str, Callable[[Answers, Mapping[str, object]], None]] = {
    "KSampler": read_ksampler, "KSamplerAdvanced": read_advanced, "KolorsSampler": read_kolors,
    "SamplerCustom": read_custom, "SamplerCustomAdvanced": read_custom}
