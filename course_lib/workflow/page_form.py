"""From nodes and links to the page's form (UI JSON)."""

from collections.abc import Mapping
from typing import Any

from course_lib.workflow.api_form import Types
from course_lib.workflow.layout import Box, complete, place
from course_lib.workflow.parts import (
    SUBGRAPH_INPUT,
    SUBGRAPH_OUTPUT,
    Graph,
    Link,
    Node,
    Socket,
)


def write_page(root: Graph, types: Types) -> dict[str, object]:
    """Return the page's form, the nodes without a place laid out in columns."""
    page = {"id": root.extra.get("id"), "revision": 0, **write_level(root, types),
            "config": {}, "extra": {}, "version": 0.4, **root.extra}
    inside = [{"id": kind, "version": 1, **write_level(graph, types), "config": {}, "extra": {}, **graph.extra,
               "name": graph.name} for kind, graph in root.subgraphs.items() if not graph.is_group]
    if inside:  # the insides of group nodes stand in `extra` as they were read
        page["definitions"] = {"subgraphs": inside}
    return {key: value for key, value in page.items() if value is not None}


def write_level(graph: Graph, types: Types) -> dict[str, object]:
    """Return nodes, links and groups of one graph."""
    ends = {SUBGRAPH_INPUT, SUBGRAPH_OUTPUT} & set(graph.nodes)
    numbers, links = number_links(graph)
    boxes = place(graph, types)
    places = {key: at for at, key in enumerate(graph.nodes)}
    given: dict[tuple[str, int], list[int]] = {}
    for link, number in links:
        given.setdefault((link.source, link.output), []).append(number)
    nodes = [write_node(node, boxes[node.id], numbers, given, types, places[node.id])
             for node in graph.nodes.values() if node.id not in ends]
    written = {
        "last_node_id": max([int(key) for key in graph.nodes if key.isdecimal()], default=0),
        "last_link_id": max([*numbers.values(), 0]), "nodes": nodes,
        "links": [write_link(graph, link, number, bool(ends)) for link, number in links],
        "groups": [{"title": group.title, "bounding": [*group.bounding], "color": group.color, **group.extra}
                   for group in graph.groups]}
    if ends:
        written["state"] = {"lastGroupId": len(graph.groups), "lastNodeId": written.pop("last_node_id"),
                            "lastLinkId": written.pop("last_link_id"), "lastRerouteId": 0}
    for key, end, part in ((SUBGRAPH_INPUT, "inputNode", "inputs"), (SUBGRAPH_OUTPUT, "outputNode", "outputs")):
        if key in ends:
            written |= write_end(graph.nodes[key], end, part, links)
    return written


def number_links(graph: Graph) -> tuple[dict[tuple[str, str], int], list[tuple[Link, int]]]:
    """Return the number of the link at each (node, input), and every link with its number, each number once."""
    numbers: dict[tuple[str, str], int] = {}
    links = []
    taken: set[int] = set()
    free = max((link.id for link in graph.links), default=0) + 1
    for link in graph.links:
        number = link.id
        if number in taken:
            number, free = free, free + 1
        taken.add(number)
        numbers[link.target, link.input] = number
        links.append((link, number))
    return numbers, links


def write_node(node: Node, box: Box, numbers: Mapping[tuple[str, str], int],
               given: Mapping[tuple[str, int], list[int]], types: Types, order: int) -> dict[str, object]:
    """Return one node of the page's form; `numbers` are the links at its inputs, `given` those at its outputs."""
    written: dict[str, Any] = {
        "id": as_number_id(node.id), "type": node.type, "pos": [*box[:2]], "size": [*box[2:]], "flags": {},
        "order": order, "mode": node.mode,
        "inputs": [{**write_socket(socket), "link": numbers.get((node.id, name))}
                   for name, socket in node.sockets.items()],
        "outputs": [{**write_socket(socket), "slot_index": slot, "links": given.get((node.id, slot))}
                    for slot, socket in enumerate(node.outputs)],
        "properties": node.properties}
    if node.title:
        written["title"] = node.title
    if node.extra.get("widgets_form") == "dict":
        written["widgets_values"] = node.widgets
    elif node.widgets or node.type in types and types[node.type].list_widgets():
        if node.extra.get("widgets_form") != "names":
            written["widgets_values"] = write_widgets(node, types)
        if node.extra.get("widgets_form") in ("named", "names"):  # newer pages write the names beside the values
            written["widgets_values_named"] = {name: value for name, value in node.widgets.items()
                                               if not name.isdecimal()}
    return {**written, **{key: value for key, value in node.extra.items() if key != "widgets_form"}}


def as_number_id(key: str) -> int | str:
    """Return a node's id as a page writes it: a number where it is one."""
    return int(key) if key.isascii() and key.lstrip("-").isdecimal() and str(int(key)) == key else key


def write_socket(socket: Socket) -> dict[str, object]:
    """Return an input or output without its links."""
    written = {**socket.extra, "name": socket.name, "type": socket.kind}
    if socket.label:
        written["label"] = socket.label
    if socket.widget is not None:
        written["widget"] = {"name": socket.widget}
    return written


def write_widgets(node: Node, types: Types) -> list[object]:
    """Return a node's values in the order of its page; what a node from the server's form leaves out gets its default.

    A node that was read from a page keeps that page's order.
    """
    known = types.get(node.type)
    if known is None or "widgets_form" in node.extra:
        return [*node.widgets.values()]
    names = known.list_widgets()
    return [complete(node, types).widgets[name] for name in names] + [
        value for name, value in node.widgets.items() if name not in names]


def write_link(graph: Graph, link: Link, number: int, inside: bool) -> list | dict:
    """Return a link as the page writes it: a list, in a subgraph an object."""
    slot = [*graph.nodes[link.target].inputs].index(link.input)
    values = (number, as_number_id(link.source), link.output, as_number_id(link.target), slot, link.kind)
    if not inside:
        return [*values]
    return {**dict(zip(("id", "origin_id", "origin_slot", "target_id", "target_slot", "type"), values)), **link.extra}


def write_end(node: Node, end: str, part: str, links: list[tuple[Link, int]]) -> dict[str, object]:
    """Return one end of a subgraph and the sockets there."""
    assert node.position and node.size, f"the end {node.id} has no place"  # `add_ends` gives each one
    sockets = node.outputs if part == "inputs" else node.sockets.values()
    numbers = [[number for link, number in links if (
        link.source == node.id and link.output == slot if part == "inputs"
        else link.target == node.id and [*node.inputs].index(link.input) == slot)] for slot in range(len(sockets))]
    return {end: node.extra.get("end") or {"id": int(node.id), "bounding": [*node.position, *node.size]},
            part: [{**write_socket(socket), "linkIds": ids} for socket, ids in zip(sockets, numbers)]}
