"""From the tree of a workflow file to nodes and links: the page's form (UI JSON) and the server's form (API JSON).

What does not fit is left out and named in a list of problems; a broken file never ends in a traceback.
"""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, TypeGuard

from course_lib.messages import error, text
from course_lib.workflow.files import as_box, as_dict, as_list, as_number, as_pair, as_text
from course_lib.workflow.node_types import CONTROL, FILTER, SEEDS, NodeType
from course_lib.workflow.parts import (
    NOTES,
    PRIMITIVE,
    SUBGRAPH_INPUT,
    SUBGRAPH_OUTPUT,
    Graph,
    Group,
    Link,
    Node,
    Socket,
)

MOST_NODES = 5_000
MOST_PROBLEMS = 20  # more are only counted
MOST_ADDED = 100  # sockets that a file does not list
MOST_NUMBER = 2**53  # of a link or slot: what a page can count to
NODE_KEYS = ("id", "type", "title", "pos", "size", "mode", "inputs", "outputs", "properties", "widgets_values",
             "widgets_values_named", "order")
GRAPH_KEYS = ("nodes", "links", "groups", "definitions", "name", "id", "inputNode", "outputNode", "inputs", "outputs",
              "last_node_id", "last_link_id")
SOCKET_KEYS = ("name", "type", "label", "widget", "link", "links", "slot_index", "linkIds")
Types = Mapping[str, NodeType]


def is_page(tree: Mapping[str, object]) -> bool:
    """Say whether a tree is the page's form of a workflow."""
    return isinstance(tree.get("nodes"), list)


def is_api(tree: Mapping[str, object]) -> bool:
    """Say whether a tree is the server's form: node ids, each with a class and inputs."""
    return any(isinstance(value, dict) and "class_type" in value for value in tree.values())


def find_form(tree: Mapping[str, object], name: str) -> tuple[str, Mapping[str, object]]:
    """Return "ui" or "api" and that tree, also out of a POST to /prompt or a pair of both; LessonError for neither."""
    for part in (tree, *(as_dict(tree.get(key)) for key in ("workflow", "prompt", "output"))):
        if is_page(part):
            return "ui", part
        if is_api(part):
            return "api", part
    raise error("graph_neither", name=name, keys=text("list_comma").join(str(key)[:30] for key in [*tree][:6]))


def read_api(tree: Mapping[str, object], types: Types, problems: list[str]) -> Graph:
    """Read the server's form: {id: {"class_type": ..., "inputs": {name: value or [id, output]}}}."""
    graph, numbers = Graph(), count(1)
    for key, value in tree.items():
        if not isinstance(value, dict) or not as_text(value.get("class_type")):
            problems.append(text("graph_no_class", id=key))
            continue
        kind, title = as_text(value["class_type"]), as_text(as_dict(value.get("_meta")).get("title"))
        known = types.get(kind) or NodeType(kind)
        node = Node(str(key), kind, title, properties={"Node name for S&R": kind})
        for name, given in known.inputs.items():
            if not given.is_widget:
                node.inputs[name], node.sockets[name] = None, Socket(name, given.kind)
        node.outputs = [Socket(name, kind) for name, kind in known.outputs]
        graph.nodes[node.id] = node
    check_count(graph)
    for node in graph.nodes.values():
        for name, value in as_dict(as_dict(tree[node.id]).get("inputs")).items():
            if not is_link(value):
                node.widgets[name] = unwrap(value)
                continue
            source, slot = graph.nodes.get(str(value[0])), int(value[1])
            if source is None or not 0 <= slot < 1000:
                problems.append(text("graph_link_nowhere", id=node.id, type=node.type, input=name, source=value[0]))
                continue
            while len(source.outputs) <= slot:  # of a class that is not known, or not in this version
                source.outputs.append(Socket(f"{len(source.outputs)}"))
            described = types.get(node.type)
            wanted = described.inputs.get(name) if described else None
            kind = wanted.kind if wanted else source.outputs[slot].kind
            node.sockets[name] = Socket(name, kind, widget=name if wanted and wanted.is_widget else None)
            node.inputs[name] = Link(next(numbers), source.id, slot, node.id, name, source.outputs[slot].kind)
    return graph


def is_link(value: object) -> TypeGuard[list]:
    """Say whether an input's value is a link [node id, output slot]; other lists come as {"__value__": [...]}."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], (str, int)) \
        and not isinstance(value[0], bool) and isinstance(value[1], (int, float)) and not isinstance(value[1], bool) \
        and as_number(value[1], -1) == value[1]


def unwrap(value: object) -> object:
    """Return a list out of the wrapping that tells it from a link."""
    return value["__value__"] if isinstance(value, dict) and set(value) == {"__value__"} else value


def read_page(tree: Mapping[str, object], types: Types, problems: list[str]) -> Graph:
    """Read the page's form with its subgraphs, of which a file keeps one flat list or one inside another."""
    graph = read_level(tree, types, problems)
    todo = as_list(as_dict(tree.get("definitions")).get("subgraphs"))
    while todo:
        part = as_dict(todo.pop(0))
        kind = as_text(part.get("id"))
        if kind and kind not in graph.subgraphs and is_page(part):
            graph.subgraphs[kind] = read_level(part, types, problems, inside=True)
            todo += as_list(as_dict(part.get("definitions")).get("subgraphs"))
    check_count(graph)
    return graph


def check_count(graph: Graph) -> None:
    """Answer a workflow with too many nodes with a LessonError."""
    nodes = sum(len(part.nodes) for _, part in graph.walk())
    if nodes > MOST_NODES:
        raise error("graph_too_many", count=nodes, most=MOST_NODES)


def read_level(tree: Mapping[str, Any], types: Types, problems: list[str], inside: bool = False) -> Graph:
    """Read one graph, without the insides of the subgraphs in it; `inside`: it is a subgraph's."""
    graph = Graph(name=as_text(tree.get("name")),
                  extra={key: value for key, value in tree.items() if key not in GRAPH_KEYS})
    if "id" in tree:
        graph.extra["id"] = tree["id"]
    raw = [value for value in tree["nodes"] if isinstance(value, dict) and as_text(value.get("type"))]
    if len(raw) < len(tree["nodes"]):
        problems.append(text("graph_no_nodes", count=len(tree["nodes"]) - len(raw)))
    if len(raw) > MOST_NODES:
        raise error("graph_too_many", count=len(raw), most=MOST_NODES)
    pairs = []
    for value in raw:
        node = read_node(value, types)
        if node.id in graph.nodes or not node.id:
            problems.append(text("graph_same_id", id=node.id, type=node.type))
            node.id = new_id(graph, raw)
        graph.nodes[node.id] = node
        pairs.append((node, as_list(value.get("inputs"))))
    table = {link.id: link for link in read_links(tree.get("links"))}
    add_ends(graph, tree, table.values() if inside else ())
    add_outputs(graph, table.values(), types)
    for node, sockets in pairs:
        for name, socket in zip(node.inputs, (value for value in sockets if isinstance(value, dict))):
            number = socket.get("link")
            if number is not None:
                node.inputs[name] = connect(graph, table.get(number) if type(number) is int else None,
                                            node, name, problems)
    end = graph.nodes.get(SUBGRAPH_OUTPUT)
    for link in table.values():
        if end and link.target == end.id and link.input.isdecimal() and int(link.input) < len(end.inputs):
            name = [*end.inputs][int(link.input)]
            end.inputs[name] = connect(graph, link, end, name, problems)
    for group in as_list(tree.get("groups")):
        bounding = as_box(as_dict(group).get("bounding"))
        if bounding:
            graph.groups.append(Group(as_text(group.get("title")), bounding, as_text(group.get("color")), {
                key: value for key, value in group.items() if key not in ("title", "bounding", "color")}))
    return graph


def new_id(graph: Graph, raw: list[dict]) -> str:
    """Return a number that no node of a file has."""
    taken = {as_text(value.get("id")) for value in raw}
    return next(str(number) for number in count(len(graph.nodes) + 1)
                if str(number) not in graph.nodes and str(number) not in taken)


def read_links(raw: object) -> list[Link]:
    """Read the table of links: lists [id, source, slot, target, slot, kind], or objects as subgraphs have them."""
    links = []
    for value in raw.values() if isinstance(raw, dict) else as_list(raw):
        if isinstance(value, dict):
            extra = {key: part for key, part in value.items() if key not in LINK_KEYS}
            value = [value.get(key) for key in LINK_KEYS]
        else:
            value, extra = [*as_list(value), "*"][:6], {}
        if len(value) == 6 and all(type(value[at]) is int and abs(value[at]) < MOST_NUMBER for at in (0, 2, 4)):
            links.append(Link(value[0], as_text(value[1]), value[2], as_text(value[3]), str(value[4]),
                              read_kind(value[5]), extra))
    return links


LINK_KEYS = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")


def connect(graph: Graph, link: Link | None, node: Node, name: str, problems: list[str]) -> Link | None:
    """Return the link of an input with the input's name in it; None and a problem where it comes from nowhere."""
    source = graph.nodes.get(link.source) if link else None
    if link is None or source is None or not 0 <= link.output < len(source.outputs):
        problems.append(text("graph_link_nowhere", id=node.id, type=node.type, input=name,
                             source=link.source if link else "?"))
        return None
    return Link(link.id, link.source, link.output, node.id, name, link.kind, link.extra)


def add_ends(graph: Graph, tree: Mapping[str, object], links: Iterable[Link]) -> None:
    """Add a subgraph's two ends as nodes: what it takes are the outputs of one, what it gives the other's inputs.

    Files made by programs may leave out how they look, or name only the links to them.
    """
    for number, key, sockets in ((SUBGRAPH_INPUT, "inputNode", "inputs"), (SUBGRAPH_OUTPUT, "outputNode", "outputs")):
        slots = [link.output if key == "inputNode" else int(link.input) for link in links
                 if (link.source if key == "inputNode" else link.target) == number]
        if not isinstance(tree.get(key), dict) and not slots:
            continue
        about = as_dict(tree.get(key))
        left, top, width, height = as_box(about.get("bounding")) or (0, 0, 128, 68)
        node = Node(number, key, position=(left, top), size=(width, height), extra={"end": about} if about else {})
        found = [read_socket(value) for value in as_list(tree.get(sockets)) if isinstance(value, dict)]
        if not found:
            found = [Socket(str(slot)) for slot in range(min(max(slots, default=-1) + 1, MOST_ADDED))]
        if key == "inputNode":
            node.outputs = found
        else:
            node.sockets = name_sockets(found)
            node.inputs = dict.fromkeys(node.sockets)
        graph.nodes[number] = node


def add_outputs(graph: Graph, links: Iterable[Link], types: Types) -> None:
    """Give the outputs that links name to nodes of which a file lists none; a page always lists them."""
    bare = {node.id: node for node in graph.nodes.values() if not node.outputs}
    for link in links:
        node = bare.get(link.source)
        if node is None or not 0 <= link.output < MOST_ADDED:
            continue
        known = types.get(node.type)
        if known and not node.outputs:
            node.outputs = [Socket(name, kind) for name, kind in known.outputs]
        while len(node.outputs) <= link.output:
            node.outputs.append(Socket(str(len(node.outputs)), link.kind))


def read_node(value: Mapping[str, Any], types: Types) -> Node:
    """Read one node of the page's form, its links left open."""
    sockets = name_sockets([read_socket(part) for part in as_list(value.get("inputs")) if isinstance(part, dict)])
    node = Node(as_text(value.get("id")), as_text(value["type"]), as_text(value.get("title")),
                as_pair(value.get("pos")), as_pair(value.get("size")),
                value["mode"] if type(value.get("mode")) is int else 0, dict.fromkeys(sockets), {}, sockets,
                [read_socket(part) for part in as_list(value.get("outputs")) if isinstance(part, dict)],
                dict(as_dict(value.get("properties"))),
                {key: part for key, part in value.items() if key not in NODE_KEYS})
    values = value.get("widgets_values")
    named = as_dict(value.get("widgets_values_named"))
    node.extra["widgets_form"] = "dict" if isinstance(values, dict) else "list" if not named else "named" if isinstance(
        values, list) else "names"
    if isinstance(values, dict):
        node.widgets = dict(values)
    elif isinstance(values, list):
        names = place_names(named, values)  # what a page has named wins over what its places tell
        node.widgets = name_values(values, names) if names else {
            **name_values(values, list_names(node, values, types)), **named}
    else:
        node.widgets = dict(named)
    return node


def read_socket(value: Mapping[str, object]) -> Socket:
    """Read an input or output of a node."""
    widget = as_dict(value.get("widget")).get("name")
    return Socket(as_text(value.get("name")), read_kind(value.get("type")), as_text(value.get("label")),
                  widget if isinstance(widget, str) else None,
                  {key: part for key, part in value.items() if key not in SOCKET_KEYS})


def read_kind(value: object) -> str:
    """Return a socket's kind; pages write 0 or -1 for any kind and a list for the choices of a COMBO."""
    return "COMBO" if isinstance(value, list) else value[:200] if isinstance(value, str) and value else "*"


def name_sockets(sockets: list[Socket]) -> dict[str, Socket]:
    """Return sockets by name; of two that share a name the later one gets a number."""
    named: dict[str, Socket] = {}
    for socket in sockets:
        named[free_name(socket.name, named)] = socket
    return named


def free_name(name: str, taken: Mapping[str, object]) -> str:
    """Return the name, with a number where it is taken."""
    return name if name not in taken else next(other for number in count(2)
                                               if (other := f"{name} ({number})") not in taken)


def name_values(values: list, names: list[str]) -> dict[str, object]:
    """Return the values of a node by name, by their place ("0", "1", ...) where there are more values than names."""
    named: dict[str, object] = {}
    for place, value in enumerate(values):
        named[free_name(names[place] if place < len(names) else str(place), named)] = value
    return named


def list_names(node: Node, values: list, types: Types) -> list[str]:
    """Return the names of a node's values: as its class is defined, or as its sockets tell."""
    if node.type in NOTES:
        return ["text"]
    if node.type == PRIMITIVE:
        return ["value", CONTROL, FILTER]
    if node.type in types:
        return drop_forced([*types[node.type].list_widgets()], types[node.type], values)
    names = []
    for socket in node.sockets.values():
        if socket.widget:
            names += [socket.widget, *([CONTROL] if socket.widget in SEEDS and socket.kind == "INT" else [])]
    return names if len(names) == len(values) else []


def place_names(named: dict, values: list) -> list[str]:
    """Return the names of a node's values in their order, where a page has written both; [] where they do not fit.

    Values that have no name, such as a button's, keep their place as a name.
    """
    names, left = [], list(named.items())
    for place, value in enumerate(values):
        if left and left[0][1] == value and type(left[0][1]) is type(value):
            names.append(left.pop(0)[0])
        else:
            names.append(str(place))
    return names if named and not left else []


def drop_forced(names: list[str], known: NodeType, values: list) -> list[str]:
    """Return the names with those of inputs that only take a link, where an old page kept a value for them too."""
    old = [part for name, value in known.inputs.items() if value.is_widget or value.forced
           for part in ([name, CONTROL] if value.control else [name])]
    return old if len(old) > len(names) and len(old) == len(values) else names
