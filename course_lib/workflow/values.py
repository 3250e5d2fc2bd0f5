"""Follow one input of a workflow back to the value that it had: through reroutes, constants, switches and joined texts.

What the server did cannot be repeated here, so only nodes whose rule is known are followed; of all others it is said
that the value cannot be told, never guessed. `prompt` is a workflow in the server's form.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from course_lib.messages import text
from course_lib.workflow.api_form import Choice
from course_lib.workflow.reading import is_link, unwrap

Prompt = Mapping[str, Mapping[str, Any]]  # node id -> {"class_type": ..., "inputs": {name: value or [id, output]}}
MOST_JOINED = 100_000  # letters of a joined text; links that double it could make it endless
MOST_DEEP = 50  # text nodes one behind the other
MOST_SHOWN = 60  # letters of a class or text that is named in a reason
# Nodes that hand on what comes in at one input: by class, or by the beginning of their class.
HANDS_ON = {"ShowText|pysssss": "text", "PreviewAny": "source", "easy showAnything": "anything",
            "Display Any (rgthree)": "source", "PreviewTextNode": "text"}
REROUTE = re.compile(r"reroute", re.IGNORECASE)
# Nodes that join texts: the names of the parts, the input that stands between them.
JOINS = {"StringConcatenate": (("string_a", "string_b"), "delimiter"),
         "JoinStrings": (("string1", "string2"), "delimiter"),
         "CR Text Concatenate": (("text1", "text2"), "separator"),
         "easy promptConcat": (("prompt1", "prompt2"), "separator"),
         "Text Concatenate": (("text_a", "text_b", "text_c", "text_d"), "delimiter")}
WAS_JOIN = "Text Concatenate"
# Switches: the input that chooses, and how the chosen input is named.
SWITCHES = {"ImpactSwitch": ("select", "input{}"), "ComfySwitchNode": ("switch", "on_{}"),
            "CR Text Input Switch": ("Input", "text{}"), "CR Latent Input Switch": ("Input", "latent{}"),
            "CR Image Input Switch": ("Input", "image{}"), "CR Conditioning Input Switch": ("Input", "conditioning{}")}
FIRST_OF = re.compile(r"any_\d+$")  # rgthree's "Any Switch" takes the first of these that is there
# A node with one value of its own and no link gives that value, if its class says so and hints at nothing else.
CONSTANT = re.compile(r"text|string|prompt|str\b|primitive|constant|literal|multiline|value|number|int\b|integer|float|"
                      r"bool|seed|steps|cfg|sampler|scheduler|selector|positive|negative|input|文本|提示词|数",
                      re.IGNORECASE)
COMPUTES = re.compile(r"random|wildcard|load|file|read|translat|dynamic|llm|gpt|chat|ollama|caption|interrogat|tagger|"
                      r"florence|styl|csv|json|replace|regex|split|extract|upper|lower|case|trim|strip|escape|math|"
                      r"calc|eval|expr|switch|index|counter|increment|list|batch|pick|choose|choice|cycle|date|time|"
                      r"(?<!multi)line|format|templat|process|pars|convert|enhanc|expan|generat|shuffle|encod|url|"
                      r"path| to |to(int|float|str|text|number|bool)|round|floor|ceil|negate|\b(abs|sum|min|max)\b|"
                      r"随机|翻译", re.IGNORECASE)
VALUE_NAMES = re.compile(r"(value|text|string|str|prompt|positive|negative|int|float|number|(noise_)?seed|bool|boolean|"
                         r"steps|cfg|denoise|sampler_name|sampler|scheduler|multiline_text|input|0)$", re.IGNORECASE)


@dataclass(frozen=True)
class Told:
    """What an input had: a value, or in `unknown` why it cannot be told; `notes` on what was taken for granted."""

    value: Any = None
    unknown: str = ""
    notes: tuple[str, ...] = ()


class Broken(Exception):
    """A link that leads to no node, or round in a circle: the workflow is damaged."""


def name_node(prompt: Prompt, number: str) -> str:
    """Return what to call a node: its id and class."""
    return f"#{number} {prompt[number]['class_type'][:MOST_SHOWN]}"


def find_node(prompt: Prompt, link: list) -> tuple[str, Mapping[str, object]]:
    """Return the id and inputs of the node that a link comes from; Broken where there is none."""
    number = str(link[0])
    if number not in prompt:
        raise Broken(number)
    return number, prompt[number]["inputs"]


def list_links(inputs: Mapping[str, object]) -> dict[str, list]:
    """Return the inputs of a node that are linked."""
    return {name: value for name, value in inputs.items() if is_link(value)}


def trace(prompt: Prompt, value: object) -> object:
    """Follow a link through reroutes and switches whose choice stands in the file; return a value or the last link.

    Broken where it leads nowhere or in a circle.
    """
    seen: set[tuple[str, int]] = set()
    while is_link(value):
        place = str(value[0]), int(value[1])
        if place in seen:
            raise Broken("circle")
        seen.add(place)
        number, inputs = find_node(prompt, value)
        further = pass_on(prompt[number]["class_type"], inputs)
        if further is None:
            return value
        value = inputs[further]
    return value


def pass_on(kind: str, inputs: Mapping[str, object]) -> str | None:
    """Return the input that a reroute, a display or a switch hands on; None for any other node."""
    links = list_links(inputs)
    if REROUTE.search(kind) and len(links) == 1:
        return next(iter(links))
    if HANDS_ON.get(kind) in links:
        return HANDS_ON[kind]
    if kind in SWITCHES:
        chooser, name = SWITCHES[kind]
        chosen = name.format(str(inputs.get(chooser)).lower())
        return chosen if chosen in inputs else None
    if kind == "Any Switch (rgthree)":
        return next((name for name in sorted(links) if FIRST_OF.match(name)), None)
    return None


def tell_value(prompt: Prompt, value: object) -> Told:
    """Return what a setting was, also where another node holds it; Broken where its link leads nowhere."""
    value = trace(prompt, value)
    if not is_link(value):
        return Told(unwrap(value))
    number, inputs = find_node(prompt, value)
    constant = find_constant(prompt[number]["class_type"], inputs)
    if constant is None or value[1] != 0:  # at another output something else comes out
        return Told(unknown=text("found_computed", node=name_node(prompt, number)))
    return Told(inputs[constant], notes=list_typed(prompt, number))


def find_constant(kind: str, inputs: Mapping[str, object]) -> str | None:
    """Return the input whose value a node gives as it is; None where the node does more, or nothing is known of it."""
    if len(inputs) != 1 or list_links(inputs) or not CONSTANT.search(kind) or COMPUTES.search(kind):
        return None
    name = next(iter(inputs))
    return name if VALUE_NAMES.match(name) else None


def tell_text(prompt: Prompt, value: object, way: tuple[str, ...] = (), memo: dict[str, Told] | None = None) -> Told:
    """Return what a text was: typed in, held by a text node, or joined from such; no text is joined in part.

    `way` are the nodes that led here, `memo` what was told of others.
    """
    memo = {} if memo is None else memo
    try:
        value = trace(prompt, value)
        if not is_link(value):
            return tell_typed(value)
        number, inputs = find_node(prompt, value)
    except Broken:
        return Told(unknown=text("found_broken"))
    if number in way or len(way) > MOST_DEEP:
        return Told(unknown=text("found_broken"))
    kind = prompt[number]["class_type"]
    if value[1] != 0:
        return Told(unknown=text("found_computed", node=name_node(prompt, number)))
    if number not in memo:
        constant = find_constant(kind, inputs)
        if kind in JOINS:
            memo[number] = join(prompt, number, (*way, number), memo)
        elif constant is not None and isinstance(inputs[constant], str):
            told = tell_typed(inputs[constant])
            memo[number] = Told(told.value, told.unknown, list_typed(prompt, number))
        else:
            memo[number] = Told(unknown=text("found_computed", node=name_node(prompt, number)))
    return memo[number]


def tell_typed(value: object) -> Told:
    """Return a text that stands in the file itself; a choice {a|b} was made by the page, and is not in its file."""
    if isinstance(value, Choice):
        return Told(unknown=text("found_choice", words=value[:MOST_SHOWN]))
    return Told(value) if isinstance(value, str) else Told(unknown=text("found_no_text"))


def list_typed(prompt: Prompt, number: str) -> tuple[str, ...]:
    """Return the note that a value was taken from a node which only seems to hold it; none for ComfyUI's own."""
    known = prompt[number]["class_type"].startswith("Primitive")
    return () if known else (text("found_typed", node=name_node(prompt, number)),)


def join(prompt: Prompt, number: str, way: tuple[str, ...], memo: dict[str, Told]) -> Told:
    """Join the parts of a text as the node does; unknown where one of them is."""
    kind, inputs = prompt[number]["class_type"], prompt[number]["inputs"]
    names, between = JOINS[kind]
    given = [inputs[name] for name in names if name in inputs]
    told = [tell_text(prompt, value, way, memo) for value in (*given, inputs.get(between, ""))]
    missing = next((one for one in told if one.unknown), None)
    if missing:
        return missing
    *parts, separator = [one.value for one in told]
    if kind == WAS_JOIN:  # which also drops empty parts and reads a typed \n
        parts = [part.strip() if inputs.get("clean_whitespace") == "true" else part for part in parts]
        parts, separator = [part for part in parts if part], "\n" if separator == "\\n" else separator
    joined = separator.join(parts)
    if len(joined) > MOST_JOINED:
        return Told(unknown=text("found_broken"))
    return Told(joined, notes=tuple(note for one in told for note in one.notes))
