"""Nodes that stand for others: hosts of subgraphs with the values that they show, and group nodes of older pages.

A host owns the values of the widgets that it shows: they stand in its `widgets_values`, in the order of the subgraph's
inputs that lead to a widget, or, in files of 2025, of its property `proxyWidgets`. A group node's inside stands in the
file's `extra.groupNodes`; its values are those of the nodes inside, one after the other.
"""

import json
from collections.abc import Iterator
from itertools import count

from course_lib.messages import text
from course_lib.workflow.files import as_dict, as_list, as_text
from course_lib.workflow.node_types import CONTROL, SEEDS
from course_lib.workflow.parts import GROUP_NODE, SUBGRAPH_INPUT, SUBGRAPH_OUTPUT, Graph, Link, Node, Socket
from course_lib.workflow.reading import Types, check_count, free_name, name_sockets, read_node

GROUP_PREFIXES = ("workflow>", "workflow/")  # of the type of a group node; the second before summer 2024
OF_AN_INPUT = "-1"  # stands in proxyWidgets for the node inside where the subgraph has an input of that name
DISPLAY_ONLY = "$$"  # how entries of proxyWidgets begin that show a picture and hold no value


def add_groups(root: Graph, types: Types, problems: list[str]) -> None:
    """Add the insides of a page's group nodes to its subgraphs, those that are used."""
    described = as_dict(as_dict(root.extra.get("extra")).get("groupNodes"))
    todo = [root, *root.subgraphs.values()]
    while todo:  # group nodes may stand in each other
        for kind in {node.type for node in todo.pop().nodes.values()} - root.subgraphs.keys():
            prefix = next((prefix for prefix in GROUP_PREFIXES if kind.startswith(prefix)), "")
            part = as_dict(described.get(kind.removeprefix(prefix))) if prefix else {}
            if as_list(part.get("nodes")):
                root.subgraphs[kind] = read_group(kind.removeprefix(prefix), part, types, problems)
                todo.append(root.subgraphs[kind])
                check_count(root)


def read_group(name: str, part: dict, types: Types, problems: list[str]) -> Graph:
    """Read the inside of a group node; its nodes are numbered from 0, as ComfyUI's page numbers them."""
    graph = Graph(name=as_text(name), extra={GROUP_NODE: True})
    for number, value in enumerate(as_list(part.get("nodes"))):
        if isinstance(value, dict) and as_text(value.get("type")):
            node = read_node({**value, "id": number}, types)
            graph.nodes[node.id] = node
    numbers = count(1)
    links = [as_list(value) for value in as_list(part.get("links"))]
    linked = {(str(link[0]), link[1]) for link in links if connect_inside(graph, link, numbers, problems)}
    external = {(str(found[0]), found[1]) for found in map(as_list, as_list(part.get("external")))
                if all(type(value) is int for value in found[:2]) and len(found) >= 2}
    config = as_dict(part.get("config"))
    add_group_inputs(graph, config, numbers)
    add_group_outputs(graph, config, linked - external, numbers)
    return graph


def connect_inside(graph: Graph, link: list, numbers: Iterator[int], problems: list[str]) -> bool:
    """Set a link [source, slot, target, slot, ...] between two nodes of a group; False where it comes from outside."""
    if len(link) < 4 or not all(type(value) is int for value in link[:4]):
        return False
    source, target = graph.nodes.get(str(link[0])), graph.nodes.get(str(link[2]))
    if source is None or target is None or not (
            0 <= link[1] < len(source.outputs) and 0 <= link[3] < len(target.inputs)):
        problems.append(text("graph_link_nowhere", id=str(link[2]), type=target.type if target else "?",
                             input=str(link[3]), source=str(link[0])))
        return False
    name = [*target.inputs][link[3]]
    target.inputs[name] = Link(next(numbers), source.id, link[1], target.id, name, source.outputs[link[1]].kind)
    return True


def add_group_inputs(graph: Graph, config: dict, numbers: Iterator[int]) -> None:
    """Add the end that brings what the group node is given: each open input, those of widgets last."""
    end = Node(SUBGRAPH_INPUT, "inputNode", position=(0, 0), size=(128, 68))
    taken: dict[str, None] = {}
    for of_widgets in (False, True):
        for node in [*graph.nodes.values()]:
            for name, socket in node.sockets.items():
                about = as_dict(as_dict(as_dict(config.get(node.id)).get("input")).get(name))
                if node.inputs[name] or (socket.widget is not None) != of_widgets or about.get("visible") is False:
                    continue
                shown = name_shown(node, as_text(about.get("name")) or socket.shown, taken)
                node.inputs[name] = Link(next(numbers), SUBGRAPH_INPUT, len(end.outputs), node.id, name, socket.kind)
                end.outputs.append(Socket(shown, socket.kind))
    graph.nodes[SUBGRAPH_INPUT] = end


def name_shown(node: Node, name: str, taken: dict[str, None]) -> str:
    """Return the name of a socket of a group node: of two with one name the later has its node's title in front."""
    shown = name if name not in taken else f"{node.title or node.type} {name}"
    shown = free_name(shown, taken)
    taken[shown] = None
    return shown


def add_group_outputs(graph: Graph, config: dict, hidden: set[tuple[str, int]],
                      numbers: Iterator[int]) -> None:
    """Add the end that gives what the group node gives: each output that is not used inside alone."""
    found = []
    for node in [*graph.nodes.values()]:
        for slot, socket in enumerate(node.outputs):
            about = as_dict(as_dict(as_dict(config.get(node.id)).get("output")).get(str(slot)))
            visible = about.get("visible", (node.id, slot) not in hidden)
            if node.id != SUBGRAPH_INPUT and visible:
                found.append((node.id, slot, Socket(as_text(about.get("name")) or socket.shown, socket.kind)))
    end = Node(SUBGRAPH_OUTPUT, "outputNode", position=(0, 0), size=(128, 68))
    end.sockets = name_sockets([socket for _, _, socket in found])
    end.inputs = {name: Link(next(numbers), source, slot, SUBGRAPH_OUTPUT, name, socket.kind)
                  for name, (source, slot, socket) in zip(end.sockets, found)}
    graph.nodes[SUBGRAPH_OUTPUT] = end


def name_hosts(root: Graph, problems: list[str]) -> None:
    """Name the values of every node that stands for others, and note which widgets inside they are."""
    for _, graph in [*root.walk()]:
        for node in graph.nodes.values():
            inside = root.subgraphs.get(node.type)
            if inside is not None and inside.is_group:
                name_group_host(node, inside, problems)
            elif inside is not None and all(name.isdecimal() for name in node.widgets):
                name_host(node, inside, root)


def name_group_host(host: Node, inside: Graph, problems: list[str]) -> None:
    """Name the values of a group node, and the sockets of its inside as its own are called."""
    brought = inside.nodes[SUBGRAPH_INPUT].outputs
    if len(brought) == len(host.sockets):  # a page lists them in the same order, whatever it calls them
        for socket, name in zip(brought, host.sockets):
            socket.name = name
    names = list_group_widgets(host, inside)
    if names is None:
        problems.append(text("graph_host_values", id=host.id, type=host.type, count=len(host.widgets)))
        return
    rename(host, [name for name, _ in names])
    host.shown = {place: name for (_, place), name in zip(names, host.widgets)}


def rename(node: Node, names: list[str]) -> None:
    """Give a node's values names in their order; those beyond the names keep their places."""
    named: dict[str, object] = {}
    for place, value in enumerate(node.widgets.values()):
        named[free_name(names[place] if place < len(names) else str(place), named)] = value
    node.widgets = named


def list_group_widgets(host: Node, inside: Graph) -> list[tuple[str, tuple[str, str]]] | None:
    """Return name and place inside of each value of a group node; None where their number does not tell.

    Widgets that became inputs before the group was made have no value of their own there.
    """
    every = [(name, (node.id, name)) for node in inside.nodes.values() for name in node.widgets]
    converted = {(node.id, socket.widget) for node in inside.nodes.values() for socket in node.sockets.values()}
    for found in (every, [pair for pair in every if pair[1] not in converted]):
        if len(found) == len(host.widgets):
            return found
    return None


def name_host(host: Node, inside: Graph, root: Graph) -> None:
    """Name the values of a subgraph's host."""
    entries = read_proxies(host.properties.get("proxyWidgets"))
    if entries:
        named = [name_proxy(entry, inside) for entry in entries]
        rename(host, [name or str(at) for at, (name, _) in enumerate(named)])
        host.shown = {place: name for (_, place), name in zip(named, host.widgets) if place}
        return
    names = list_promoted(inside, root)
    if len(host.widgets) > len(names):  # a seed's control has a value of its own in some files
        names = [part for name in names for part in ([name, CONTROL] if leads_to_seed(name, inside, root) else [name])]
    rename(host, names)


def read_proxies(value: object) -> list[tuple[str, str]]:
    """Return the entries of a host's proxyWidgets, (node inside or "-1", widget); some files hold them as JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    pairs = [entry for entry in map(as_list, as_list(value)) if len(entry) >= 2]
    return [(as_text(entry[0]), as_text(entry[1])) for entry in pairs]


def name_proxy(entry: tuple[str, str], inside: Graph) -> tuple[str, tuple[str, str] | None]:
    """Return the name of a proxied value, "" where it is nobody's, and where inside it belongs.

    Where the subgraph has an input for it that is None: the input's link tells.
    """
    number, name = entry
    node = inside.nodes.get(number)
    if number == OF_AN_INPUT:
        return name, None
    if node is None or name.startswith(DISPLAY_ONLY):
        return "", None
    link = next((link for socket, link in zip(node.sockets.values(), node.inputs.values())
                 if link and link.source == SUBGRAPH_INPUT and name in (socket.widget, socket.name)), None)
    return (inside.nodes[SUBGRAPH_INPUT].outputs[link.output].name, None) if link else (name, (number, name))


def list_promoted(inside: Graph, root: Graph) -> list[str]:
    """Return the names of a subgraph's inputs that lead to a widget, in their order."""
    end = inside.nodes.get(SUBGRAPH_INPUT)
    return [socket.name for slot, socket in enumerate(end.outputs) if find_widgets(inside, root, slot)] if end else []


def find_widgets(inside: Graph, root: Graph, slot: int) -> list[str]:
    """Return the names of the widgets that an input of a subgraph leads to, also through subgraphs in it."""
    found, seen, todo = [], set(), [(inside, slot)]
    while todo:
        graph, slot = todo.pop()
        if (id(graph), slot) in seen:
            continue
        seen.add((id(graph), slot))
        for node, socket in list_led_to(graph, slot):
            nested = root.subgraphs.get(node.type)
            if nested is None:
                found += [socket.widget] if socket.widget is not None else []
            elif end := nested.nodes.get(SUBGRAPH_INPUT):
                todo += [(nested, at) for at, other in enumerate(end.outputs) if other.name == socket.name][:1]
    return found


def list_led_to(graph: Graph, slot: int) -> list[tuple[Node, Socket]]:
    """Return the nodes and sockets that an input of a subgraph is linked to."""
    return [(node, node.sockets[name]) for node in graph.nodes.values() for name, link in node.inputs.items()
            if link and link.source == SUBGRAPH_INPUT and link.output == slot]


def leads_to_seed(name: str, inside: Graph, root: Graph) -> bool:
    """Say whether a subgraph's input of this name leads to a seed."""
    slots = [slot for slot, socket in enumerate(inside.nodes[SUBGRAPH_INPUT].outputs) if socket.name == name]
    return any(widget in SEEDS for slot in slots[:1] for widget in find_widgets(inside, root, slot))
