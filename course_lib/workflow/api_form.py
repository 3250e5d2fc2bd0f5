"""From nodes and links to the two forms: the server's (API JSON) and the page's (UI JSON).

The server's form has no notes, reroutes, muted or bypassed nodes and no subgraphs; ComfyUI's page resolves them
before it sends a workflow, and so does this.
"""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from course_lib.messages import error, text
from course_lib.workflow.node_types import NOT_SENT, NodeType
from course_lib.workflow.parts import (
    BYPASSED,
    NOTES,
    PRIMITIVE,
    REROUTE,
    SUBGRAPH_INPUT,
    SUBGRAPH_OUTPUT,
    VIRTUAL,
    Graph,
    Link,
    Node,
)
from course_lib.workflow.reading import drop_forced, name_values

MOST_PLACES = 20_000  # nodes after subgraphs are unfolded; each use of one counts
NUMBERED = re.compile(r" \(\d+\)$")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
CHOICE = re.compile(r"(?<!\\)\{((?:[^{}\\]|\\.)*)(?<!\\)\}", re.DOTALL)
Types = Mapping[str, NodeType]


@dataclass
class Place:
    """One node of the unfolded workflow: its id, "7" or "host:7" inside a subgraph, and the place of that host."""

    id: str
    graph: Graph
    node: Node
    host: "Place | None" = None


def write_api(root: Graph, types: Types) -> dict[str, dict]:
    """Return the server's form; LessonError naming nodes whose values have no names, and circles of reroutes."""
    places = dict(unfold(root, root, None, ()))
    active = {number: found for number, found in places.items() if is_sent(found, root)}
    unnamed = [found.node for found in active.values() if not (found.node.type in types or has_names(found.node))]
    if unnamed:
        raise error("graph_unnamed", nodes=text("list_comma").join(
            f"{node.type} ({node.id})" for node in unnamed[:10]), count=len(unnamed))
    written = {}
    for number, found in active.items():
        inputs = write_values(found.node, types)
        for name, socket in found.node.sockets.items():
            source = find_source(found, name, socket.kind, places, root)
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
    total = 0
    for node in graph.nodes.values():
        found = Place(f"{host.id}:{node.id}" if host else node.id, graph, node, host)
        yield found.id, found
        if node.type in root.subgraphs:
            if node.type in kinds or len(kinds) > 20:
                raise error("graph_subgraph_circle", id=found.id, name=root.subgraphs[node.type].name)
            for pair in unfold(root.subgraphs[node.type], root, found, (*kinds, node.type)):
                total += 1
                if total > MOST_PLACES:
                    raise error("graph_too_many", count=total, most=MOST_PLACES)
                yield pair


def is_sent(found: Place, root: Graph) -> bool:
    """Say whether a node goes to the server: active, in active hosts, and no part of the page alone."""
    node = found.node
    if node.type in VIRTUAL or node.type in root.subgraphs or node.id in (SUBGRAPH_INPUT, SUBGRAPH_OUTPUT):
        return False
    while found is not None:
        if not found.node.is_active:
            return False
        found = found.host
    return True


def has_names(node: Node) -> bool:
    """Say whether a node's values are known by name; those beyond the names, which some pages write, do not count."""
    return not node.widgets or not all(name.isdecimal() for name in node.widgets)


def write_values(node: Node, types: Types) -> dict[str, object]:
    """Return a node's values by name as the server gets them, defaults where the file has none."""
    known = types.get(node.type)
    values = name_again(node, known) if known and not has_names(node) else node.widgets
    if known:
        values = {**{name: value for name, value in known.walk_widgets() if value is not None}, **values}
    written = {}
    for name, value in values.items():
        if NUMBERED.sub("", name) in NOT_SENT or name.isdecimal():
            continue
        if known and name in known.inputs and known.inputs[name].dynamic and isinstance(value, str):
            value = choose(value)
        written[name] = wrap(value)
    return written


def name_again(node: Node, known: NodeType) -> dict[str, object]:
    """Return values that were read by their place by the names of a definition that came later."""
    values = [*node.widgets.values()]
    return name_values(values, drop_forced([*known.list_widgets()], known, values))


def wrap(value: object) -> object:
    """Return a list in the wrapping that tells it from a link."""
    return {"__value__": value} if isinstance(value, list) else value


def choose(words: str) -> str:
    """Choose one of each {a|b} in a prompt at random, the inner ones first, and drop /* */ and // comments."""
    words = COMMENT.sub("", words)
    while found := CHOICE.search(words):
        words = words[:found.start()] + random.choice(found[1].split("|")) + words[found.end():]
    return words.replace("\\{", "{").replace("\\}", "}")


def find_source(start: Place, name: str, kind: str, places: Mapping[str, Place], root: Graph
                ) -> tuple[str, int] | Value | None:
    """Follow an input back to the node that makes its data: (id, output), a Value, or None where nothing comes.

    Goes through reroutes, bypassed nodes, and both ends of subgraphs; LessonError for a circle of those.
    """
    found, seen, rerouted = start, set(), False
    link = found.node.inputs.get(name)
    while link is not None:
        if (found.id, link.id, link.output) in seen:
            raise error("graph_reroute_circle", id=start.id, type=start.node.type, input=name)
        seen.add((found.id, link.id, link.output))
        if link.source == SUBGRAPH_INPUT and found.host:
            given = found.graph.nodes[SUBGRAPH_INPUT].outputs[link.output].name
            found = found.host
            link = found.node.inputs.get(given)
            if link is None:
                return Value(found.node.widgets[given]) if given in found.node.widgets else None
            continue
        found = places[f"{found.host.id}:{link.source}" if found.host else link.source]
        node, slot = found.node, link.output
        if node.mode == BYPASSED:
            link = pass_through(node, slot, kind)
        elif node.type in root.subgraphs:
            found, link = enter(found, slot, places, root)
        elif node.type == REROUTE:
            link, rerouted = next(iter(node.inputs.values()), None), True
        elif node.type == PRIMITIVE:  # ComfyUI's page loses a primitive's value at a reroute
            return Value(node.widgets["value"]) if "value" in node.widgets and not rerouted else None
        else:
            return None if node.type in NOTES else (found.id, slot)
    return None


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
    names = [*inside.inputs] if inside else []
    wanted = host.node.outputs[slot].name
    name = wanted if wanted in names else names[slot] if slot < len(names) else None
    return places[f"{host.id}:{SUBGRAPH_OUTPUT}"] if inside else host, inside.inputs[name] if name is not None else None
