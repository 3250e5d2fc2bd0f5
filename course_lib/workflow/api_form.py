"""From nodes and links to the two forms: the server's (API JSON) and the page's (UI JSON).

The server's form has no notes, reroutes, muted or bypassed nodes, no wires by name and no subgraphs; ComfyUI's page
resolves them before it sends a workflow, and so does this.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from course_lib.messages import LessonError, error, text
from course_lib.workflow.node_types import NOT_SENT, NodeType
from course_lib.workflow.parts import (
    BYPASSED,
    GETTER,
    NOTES,
    PAGE_ONLY,
    PRIMITIVE,
    REROUTES,
    SETTER,
    SUBGRAPH_INPUT,
    SUBGRAPH_OUTPUT,
    VIRTUAL,
    Graph,
    Link,
    Node,
)
from course_lib.workflow.reading import drop_forced, name_values

MOST_PLACES = 20_000  # nodes after subgraphs are unfolded; each use of one counts
MOST_LETTERS = 16 * 2**20  # of the ids of all of them
OLD_SAMPLER = "sample_"  # how names of samplers began before summer 2023
NUMBERED = re.compile(r" \(\d+\)$")
COMMENT = re.compile(r"/\*|//")  # how a comment in a prompt begins
BRACE = re.compile(r"(?<!\\)[{}]")
Types = Mapping[str, NodeType]


@dataclass
class Place:
    """One node of the unfolded workflow: its id, "7" or "host:7" inside a subgraph, and the place of that host."""

    id: str
    graph: Graph
    node: Node
    host: "Place | None" = None


class Choice(str):
    """A prompt with {a|b} as it stands on the page, which chooses one at random when it sends it."""


def write_api(root: Graph, types: Types, strict: bool = True, sent: bool = False) -> dict[str, dict]:
    """Return the server's form; LessonError naming nodes whose values have no names, and circles of reroutes.

    Not strict is for looking into it: values without names stay under their place, "0", "1", ..., no defaults are
    filled in, and no choice is made in a prompt (`Choice`). `sent`: the page has sent it already, so all is chosen.
    """
    places = dict(unfold(root, root, None, ()))
    active = {number: found for number, found in places.items() if is_sent(found, root, types)}
    groups = [found.node for found in places.values() if is_unnamed_group(found.node, root)]
    unnamed = [found.node for found in active.values() if not (found.node.type in types or has_names(found.node))]
    if groups or unnamed and strict:
        unnamed = groups + unnamed
        raise error("graph_unnamed", nodes=text("list_comma").join(
            f"{node.type} ({node.id})" for node in unnamed[:10]), count=len(unnamed))
    written = {}
    for number, found in active.items():
        inputs = write_values(found, types, strict, sent)
        for name, socket in found.node.sockets.items():
            try:
                source = find_source(found, name, socket.kind, places, root)
            except LessonError:  # a circle
                if strict:
                    raise
                inputs.pop(socket.name, None)
                continue
            if isinstance(source, Value):
                inputs[socket.name] = wrap(source.value)
            elif source is not None and source[0] in active:
                inputs[socket.name] = list(source)
            elif source is not None:  # a muted node is as good as none
                inputs.pop(socket.name, None)
        known = types.get(found.node.type)
        title = found.node.title or (known.display_name if known else found.node.type)
        written[number] = {"inputs": inputs, "class_type": found.node.type, "_meta": {"title": title}}
    return written


@dataclass
class Value:
    """What an input gets without a link: a primitive's value, or that of a widget on a subgraph's node."""

    value: object


def unfold(graph: Graph, root: Graph, host: Place | None, kinds: tuple[str, ...]) -> Iterator[tuple[str, Place]]:
    """Yield each node by its id, those inside subgraphs after the node that stands for them."""
    total = letters = 0
    for node in graph.nodes.values():
        found = Place(f"{host.id}:{node.id}" if host else node.id, graph, node, host)
        yield found.id, found
        if node.type in root.subgraphs:
            if node.type in kinds or len(kinds) > 20:
                raise error("graph_subgraph_circle", id=found.id[:40], name=root.subgraphs[node.type].name)
            for pair in unfold(root.subgraphs[node.type], root, found, (*kinds, node.type)):
                total, letters = total + 1, letters + len(pair[0])
                if total > MOST_PLACES or letters > MOST_LETTERS:
                    raise error("graph_too_many", count=total, most=MOST_PLACES)
                yield pair


def is_sent(found: Place, root: Graph, types: Types) -> bool:
    """Say whether a node goes to the server: active, in active hosts, and no part of the page alone."""
    node = found.node
    if node.type in VIRTUAL or node.type in root.subgraphs or node.id in (SUBGRAPH_INPUT, SUBGRAPH_OUTPUT):
        return False
    if node.type not in types and any(names.match(node.type) for names in (SETTER, GETTER, PAGE_ONLY)):
        return False
    place: Place | None = found
    while place is not None:
        if not place.node.is_active:
            return False
        place = place.host
    return True


def has_names(node: Node) -> bool:
    """Say whether a node's values are known by name; those beyond the names, which some pages write, do not count."""
    return not node.widgets or not all(name.isdecimal() for name in node.widgets)


def is_unnamed_group(node: Node, root: Graph) -> bool:
    """Say whether a node is a group node whose values belong to nobody knows which node inside."""
    return node.type in root.subgraphs and root.subgraphs[node.type].is_group and not has_names(node)


def write_values(found: Place, types: Types, strict: bool, sent: bool) -> dict[str, object]:
    """Return a node's values by name as the server gets them, defaults where the file has none."""
    node = found.node
    known = types.get(node.type)
    values = name_again(node, known) if known and not has_names(node) else node.widgets
    if known and strict:
        values = {**{name: value for name, value in known.walk_widgets() if value is not None}, **values}
    written = {}
    for name, value in values.items():
        if NUMBERED.sub("", name) in NOT_SENT or name.isdecimal() and strict:
            continue
        shown = hold(found, name)
        value = shown.value if shown else value
        if known and name in known.inputs and known.inputs[name].dynamic and isinstance(value, str) and not sent:
            value = choose(value) if strict or not has_choice(value) else Choice(value)
        if name == "sampler_name" and isinstance(value, str):
            value = value.removeprefix(OLD_SAMPLER)
        written[name] = wrap(value)
    return written


def hold(found: Place, name: str) -> "Value | None":
    """Return what a node's widget holds: on the host that shows it, else on the node itself; None where nothing does.

    An empty place among a host's values leaves the inner one's.
    """
    host = found.host
    shown = host.node.shown.get((found.node.id, name)) if host else None
    outer = hold(host, shown) if host and shown is not None else None
    if outer is not None:
        return outer
    return Value(found.node.widgets[name]) if found.node.widgets.get(name) is not None else None


def name_again(node: Node, known: NodeType) -> dict[str, object]:
    """Return values that were read by their place by the names of a definition that came later."""
    values = [*node.widgets.values()]
    return name_values(values, drop_forced([*known.list_widgets()], known, values))


def wrap(value: object) -> object:
    """Return a list in the wrapping that tells it from a link."""
    return {"__value__": value} if isinstance(value, list) else value


def has_choice(words: str) -> bool:
    """Say whether a prompt holds {a|b}."""
    counts: list[int] = []

    def count(options: list[str]) -> str:
        counts.append(len(options))
        return options[0]

    choose(words, count)
    return any(count > 1 for count in counts)


def choose(words: str, pick: Callable[[list[str]], str] = random.choice) -> str:
    """Choose one of each {a|b} in a prompt at random, the inner ones first, and drop /* */ and // comments."""
    words = drop_comments(words)
    parts: list[str] = []
    opened: list[int] = []  # where in parts the braces stand that are open
    place = 0
    for brace in BRACE.finditer(words):
        parts.append(words[place:brace.start()])
        place = brace.end()
        if brace[0] == "}" and opened:
            inside = "".join(parts[opened[-1] + 1:])
            del parts[opened.pop():]
            parts.append(pick(inside.split("|")))
        else:
            opened += [len(parts)] if brace[0] == "{" else []
            parts.append(brace[0])
    return "".join([*parts, words[place:]]).replace("\\{", "{").replace("\\}", "}")


def drop_comments(words: str) -> str:
    """Return a prompt without its comments; one that is not closed is none."""
    kept, place, start = [], 0, COMMENT.search(words)
    last = words.rfind("*/")
    while start:
        end = words.find("\n", start.end()) if start[0] == "//" else words.find("*/", start.end()) + 2
        if start[0] == "/*" and last < start.end():
            start = COMMENT.search(words, start.start() + 1)
            continue
        end = len(words) if end < 0 else end
        kept.append(words[place:start.start()])
        place, start = end, COMMENT.search(words, end)
    return "".join([*kept, words[place:]])


def find_source(start: Place, name: str, kind: str, places: Mapping[str, Place], root: Graph
                ) -> tuple[str, int] | Value | None:
    """Follow an input back to the node that makes its data: (id, output), a Value, or None where nothing comes.

    Goes through reroutes, bypassed nodes, and both ends of subgraphs; LessonError for a circle of those.
    """
    found, seen, rerouted, nearer = start, set(), False, None
    link = found.node.inputs.get(name)
    while link is not None:
        if (found.id, link.id, link.output) in seen:
            raise error("graph_reroute_circle", id=start.id, type=start.node.type, input=name)
        seen.add((found.id, link.id, link.output))
        if link.source == SUBGRAPH_INPUT and found.host:
            given = found.graph.nodes[SUBGRAPH_INPUT].outputs[link.output].name
            found = found.host
            link = found.node.inputs.get(given)
            nearer = hold(found, given) or nearer  # the outermost host's value counts
            if link is None:
                return nearer
            continue
        found = places[f"{found.host.id}:{link.source}" if found.host else link.source]
        node, slot = found.node, link.output
        if node.mode == BYPASSED:
            link = pass_through(node, slot, kind)
        elif node.type in root.subgraphs:
            found, link = enter(found, slot, places, root)
        elif node.type in REROUTES:
            link, rerouted = next(iter(node.inputs.values()), None), True
        elif GETTER.match(node.type) or SETTER.match(node.type):
            found, link = follow_name(found, places)
        elif node.type == PRIMITIVE:  # ComfyUI's page loses a primitive's value at a reroute
            return hold(found, "value") if not rerouted else None
        else:
            return None if node.type in NOTES else (found.id, slot)
    return None


def follow_name(found: Place, places: Mapping[str, Place]) -> tuple[Place, Link | None]:
    """Return the setter whose name a getter asks for, here or around here, or the setter itself, with its input's link.

    Where none has that name, or several have, nothing comes.
    """
    if SETTER.match(found.node.type):
        return found, next(iter(found.node.inputs.values()), None)
    name = next(iter(found.node.widgets.values()), None)
    level: Place | None = found
    while level is not None:
        setters = [node for node in level.graph.nodes.values()
                   if SETTER.match(node.type) and next(iter(node.widgets.values()), None) == name]
        if setters:
            found = places[f"{level.host.id}:{setters[0].id}" if level.host else setters[0].id]
            return found, next(iter(setters[0].inputs.values()), None) if len(setters) == 1 else None
        level = level.host
    return found, None


def pass_through(node: Node, slot: int, kind: str) -> Link | None:
    """Return the link that a bypassed node hands on: of the input beside the output, else the first of its kind."""
    sockets = [*node.sockets.values()]
    links = [*node.inputs.values()]
    out = node.outputs[slot].kind
    if kind == "*":
        return links[slot if slot < len(links) else 0] if links else None
    if slot < len(sockets) and fits(sockets[slot].kind, out) and fits(sockets[slot].kind, kind):
        return links[slot]
    exact = [link for socket, link in zip(sockets, links) if socket.kind == kind]
    loose = [link for socket, link in zip(sockets, links) if fits(socket.kind, out) and fits(socket.kind, kind)]
    return next(iter([*exact, *loose]), None)


def fits(first: str, second: str) -> bool:
    """Say whether two sockets can be linked; kinds may be lists such as "INT,FLOAT"."""
    return "*" in (first, second) or bool(set(first.lower().split(",")) & set(second.lower().split(",")))


def enter(host: Place, slot: int, places: Mapping[str, Place], root: Graph) -> tuple[Place, Link | None]:
    """Return the inner end that an output of a subgraph's node shows, and the link that leads to it."""
    inside = root.subgraphs[host.node.type].nodes.get(SUBGRAPH_OUTPUT)
    if inside is None:
        return host, None
    names, wanted = [*inside.inputs], host.node.outputs[slot].name
    name = wanted if wanted in names else names[slot] if slot < len(names) else None
    return places[f"{host.id}:{SUBGRAPH_OUTPUT}"], inside.inputs[name] if name is not None else None
