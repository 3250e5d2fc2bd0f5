"""Find the samplers that drew the picture of a file: from the node that saved it back along its pixels and latents.

A file does not say which node saved it. Its name may, a node that saves comes before one that shows, and where two
remain, both are returned: what they agree in is sure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.workflow.sampler_nodes import is_sampler
from course_lib.workflow.values import REROUTE, Broken, Prompt, is_link, list_links, pass_on

SAVES = re.compile(r"save|saver|存", re.IGNORECASE)
SHOWS = re.compile(r"preview|compar|show|display|viewer|inspect|预览|对比", re.IGNORECASE)
# Inputs that bring the picture, or what becomes it; others (masks, ControlNets' pictures, sizes) do not.
PICTURE = re.compile(r"^(.*image(s|\d*|_\w)?|.*latents?\d*|latent_image|optional_latent|pixels|samples?\d*|samples_\w+|"
                     r"frames|img|any|any_\d+|input\d*|on_true|on_false|value|data|source|)$", re.IGNORECASE)
NO_PICTURE = re.compile(r"mask|control|style|reference|clip_vision|noise|depth|pose", re.IGNORECASE)
NO_FILE = re.compile(r"sample|latent|mask", re.IGNORECASE)  # inputs that no picture's file is written from
MOST_FIRST = 64  # samplers that may have begun a picture
MOST_STEPS = 2_000_000  # nodes that are passed on the ways back from all ends
TEMPORARY = "ComfyUI_temp_"  # how the names of a PreviewImage's files begin


@dataclass(frozen=True)
class Passes:
    """The samplers of a picture by node id: those that began it, those that drew on, and whether others could be."""

    first: tuple[str, ...]
    later: tuple[str, ...] = ()
    others: tuple[str, ...] = ()  # samplers of branches that end in another picture
    undrawn: tuple[str, ...] = ()  # ends whose picture no sampler that is known here has drawn


def find_passes(prompt: Prompt, file_name: str) -> Passes:
    """Return the passes of the picture that a file of this name ("" where unknown) holds; KeyError where none is."""
    every, saved = [number for number in prompt if is_sampler(prompt[number])], list_ends(prompt)
    if (len(every) + len(saved)) * len(prompt) > MOST_STEPS:
        raise KeyError("too many")
    ends = {number: walk_back(prompt, number) for number in saved}
    drawn = [number for number in ends if ends[number][0]]
    chosen = choose_ends(prompt, [*ends], drawn, file_name)
    walks = [ends[number] for number in chosen] or walk_unended(prompt, every, [ends[number] for number in drawn])
    first = tuple(dict.fromkeys(number for walk in walks for number in walk[0]))
    later = tuple(dict.fromkeys(number for walk in walks for number in walk[1]))
    if not 1 <= len(first) <= MOST_FIRST:
        raise KeyError("KSampler")
    others = tuple(number for number in every if number not in (*first, *later))
    return Passes(first, later, others, tuple(number for number in ends if number not in drawn and chosen))


def walk_unended(prompt: Prompt, samplers: Sequence[str], ended: Sequence[tuple[list[str], list[str]]]
                 ) -> list[tuple[list[str], list[str]]]:
    """Return the ways back from samplers that lead to no end and that no other goes on with."""
    walks = {number: walk_back(prompt, number) for number in samplers}
    begun = {first for number, (firsts, _) in walks.items() for first in firsts if first != number}
    drawn_on = {later for number, (_, laters) in walks.items() for later in laters if later != number}
    shown = {number for firsts, laters in ended for number in (*firsts, *laters)}
    return [walk for number, walk in walks.items() if number not in begun | drawn_on | shown]


def list_ends(prompt: Prompt) -> list[str]:
    """Return the nodes that may have written the file: those that save, and those that nothing is linked to."""
    used = {str(link[0]) for node in prompt.values() for link in list_links(node["inputs"]).values()}
    return [number for number, node in prompt.items() if not is_sampler(node)
            and (number not in used or SAVES.search(node["class_type"]))
            and any(PICTURE.match(name) and not NO_FILE.search(name) for name in list_links(node["inputs"]))]


def choose_ends(prompt: Prompt, ends: Sequence[str], drawn: Sequence[str], file_name: str) -> list[str]:
    """Return the ends that the file can come from, of those whose picture was `drawn` by a sampler."""
    showing = [number for number in drawn if shows(prompt[number])]
    saving = [number for number in drawn if number not in showing]
    if file_name.startswith(TEMPORARY) and showing:
        return showing
    named = [number for number in saving if is_named(prompt[number]["inputs"], file_name)]
    # Where something was saved that no known sampler drew, what is only shown is not what the file holds.
    return named or saving or (showing if all(shows(prompt[number]) for number in ends) else [])


def shows(node: Mapping[str, Any]) -> bool:
    """Say whether a node shows pictures and saves none."""
    return SHOWS.search(node["class_type"]) is not None and SAVES.search(node["class_type"]) is None


def is_named(inputs: Mapping[str, object], file_name: str) -> bool:
    """Say whether a node writes files of this name: "PREFIX_00001_.png"; a prefix may have folders in front."""
    prefix = inputs.get("filename_prefix")
    prefix = re.split(r"[\\/]", prefix)[-1] if isinstance(prefix, str) else ""
    return bool(prefix) and re.match(r"_\d{3,}", file_name[len(prefix):]) is not None and file_name.startswith(prefix)


def walk_back(prompt: Prompt, start: str) -> tuple[list[str], list[str]]:
    """Return the samplers behind a node, or itself: those that nothing was drawn before, and those that drew on."""
    order, sources = list_behind(prompt, start)
    begins: dict[str, frozenset[str]] = {}
    later: dict[str, None] = {}
    for number in order:  # what is behind a node comes before it
        behind = frozenset().union(*(begins.get(source, frozenset()) for source in sources[number]))
        if is_sampler(prompt[number]):
            if behind:
                later[number] = None
            behind = behind or frozenset([number])
        begins[number] = behind
    return [number for number in order if number in begins[start]], [*later]


def list_behind(prompt: Prompt, start: str) -> tuple[list[str], dict[str, list[str]]]:
    """Return the nodes that a picture came through, the earliest first, and what each takes; Broken for a circle."""
    sources: dict[str, list[str]] = {}
    order: list[str] = []
    open_nodes: dict[str, list[str]] = {}
    todo = [start]
    while todo:
        number = todo[-1]
        if number not in sources:
            sources[number] = list_pictures(prompt, number)
            open_nodes[number] = [*sources[number]]
        if open_nodes.get(number):
            further = open_nodes[number].pop()
            if further in open_nodes:
                raise Broken("circle")
            if further not in sources:
                todo.append(further)
            continue
        open_nodes.pop(number, None)
        order.append(todo.pop())
    return order, sources


def list_pictures(prompt: Prompt, number: str) -> list[str]:
    """Return the nodes that a node's picture comes from."""
    kind, inputs = prompt[number]["class_type"], prompt[number]["inputs"]
    links = list_links(inputs)
    chosen = pass_on(kind, inputs)
    if chosen is not None:
        links = {chosen: inputs[chosen]} if is_link(inputs[chosen]) else {}
    elif not REROUTE.search(kind):
        links = {name: link for name, link in links.items() if PICTURE.match(name) and not NO_PICTURE.search(name)}
    return [str(link[0]) for link in links.values() if str(link[0]) in prompt]
