"""Places and sizes for nodes that have none: columns from left to right by how far the data has come."""

from collections.abc import Mapping

from course_lib.workflow.node_types import CONTROL, NodeType
from course_lib.workflow.parts import Graph, Node

SLOT, WIDGET, TITLE = 20, 24, 30  # px on ComfyUI's page: height of a socket's row, a widget's row, a title
TEXT_AREA = 90  # px of a widget of several lines
PICTURE = 220  # px that a node which shows a picture leaves for it
GAP_ACROSS, GAP_DOWN = 60, 40  # px between nodes, the title not counted
LEAST, MOST = 210, 420  # px, width of a node
SHOWS_PICTURE = ("SaveImage", "PreviewImage", "LoadImage")
Box = tuple[float, float, float, float]  # left, top (below the title), width, height in px


def measure(node: Node, types: Mapping[str, NodeType]) -> tuple[float, float]:
    """Return the width and height in px that a node needs for its sockets and widgets, the title not counted."""
    known = types.get(node.type)
    areas = sum(is_area(known, name, value) for name, value in node.widgets.items())
    sockets = sum(not socket.widget for socket in node.sockets.values())
    rows = max(sockets, len(node.outputs))
    height = rows * SLOT + (len(node.widgets) - areas) * WIDGET + areas * TEXT_AREA + 10
    longest = max([len(str(value)) for name, value in node.widgets.items()] + [len(node.title)])
    return (min(MOST, max(LEAST, 110 + 7 * longest)) if node.widgets else LEAST,
            max(height, 26) + PICTURE * (node.type in SHOWS_PICTURE))


def is_area(known: NodeType | None, name: str, value: object) -> bool:
    """Say whether a widget is a field of several lines."""
    given = known.inputs.get(name) if known else None
    return given.multiline if given else isinstance(value, str) and ("\n" in value or len(value) > 60)


def place(graph: Graph, types: Mapping[str, NodeType]) -> dict[str, Box]:
    """Return the box of every node: its own where the file has one, else a place in the column of its depth."""
    sizes = {node.id: node.size or measure(complete(node, types), types) for node in graph.nodes.values()}
    boxes = {node.id: (*node.position, *sizes[node.id]) for node in graph.nodes.values() if node.position}
    left = min((box[0] for box in boxes.values()), default=0.0)
    top = max((box[1] + box[3] for box in boxes.values()), default=-GAP_DOWN - TITLE) + GAP_DOWN + TITLE
    columns: dict[int, list[str]] = {}
    for number, depth in find_depths(graph).items():
        if number not in boxes:
            columns.setdefault(depth, []).append(number)
    for _, column in sorted(columns.items()):
        below = top
        for number in column:
            boxes[number] = (left, below, *sizes[number])
            below += sizes[number][1] + TITLE + GAP_DOWN
        left += max(sizes[number][0] for number in column) + GAP_ACROSS
    return boxes


def complete(node: Node, types: Mapping[str, NodeType]) -> Node:
    """Return the node, with the defaults of the widgets that it leaves out where its class is known."""
    known = types.get(node.type)
    if known is None or any(name.isdecimal() for name in node.widgets):
        return node
    defaults = {name: "fixed" if name == CONTROL else value for name, value in known.walk_widgets()}
    return Node(**{**vars(node), "widgets": {**defaults, **node.widgets}})


def find_depths(graph: Graph) -> dict[str, int]:
    """Return for each node how many nodes its data has come through at most; a circle is cut where it closes."""
    depths = dict.fromkeys(graph.nodes, 0)
    links = [link for link in graph.links if link.source in depths]  # a part of a graph has links from outside
    for _ in range(min(len(graph.nodes), 200)):  # no way is longer than this; a circle would never end
        changed = False
        for link in links:
            if depths[link.target] < depths[link.source] + 1 <= len(graph.nodes):
                depths[link.target], changed = depths[link.source] + 1, True
        if not changed:
            break
    return depths
