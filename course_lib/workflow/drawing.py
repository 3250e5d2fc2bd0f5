"""A workflow as an SVG that looks like ComfyUI's canvas: nodes, sockets coloured by kind, widgets, links, groups.

Only plain shapes and escaped text, no ids, styles, scripts or addresses, so that JupyterLab, nbconvert and GitHub show
it, whatever the file says. The canvas is dark on its own, so it reads the same in a light and in a dark notebook.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from course_lib.messages import error, text
from course_lib.workflow.graph import Workflow
from course_lib.workflow.layout import SLOT, TITLE, WIDGET, Box, is_area, place
from course_lib.workflow.node_types import CONTROL, FILTER, NOT_SENT, NodeType
from course_lib.workflow.parts import (
    BYPASSED,
    MUTED,
    NOTES,
    REROUTE,
    SUBGRAPH_INPUT,
    SUBGRAPH_OUTPUT,
    Graph,
    Link,
    Node,
    Socket,
)
from course_lib.workflow.svg import (
    BODY,
    BYPASS_BODY,
    CANVAS,
    DIM,
    EDGE,
    FIELD,
    GROUP,
    GROUP_LETTER,
    HEAD,
    LETTER,
    NAMES,
    TITLE_LETTER,
    VALUES,
    WORDS,
    colour,
    colour_of,
    dot,
    draw_text,
    fit,
    measure,
    number,
    show,
    tag,
    write,
)

MOST_DRAWN = 250  # nodes; the others are counted below the drawing
MOST_SPREAD = 30_000  # px; places further apart than this are junk, and the nodes are laid out anew
MOST_ROWS = 30  # widgets of a node
MARGIN = 24  # px around everything
SHOWN_WIDTH = 1200  # px at most on the page; the file can be enlarged without loss
FONT = "Arial, 'Noto Sans SC', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
ENDS = {SUBGRAPH_INPUT: "graph_inputs", SUBGRAPH_OUTPUT: "graph_outputs"}
Anchors = dict[tuple[str, str], tuple[float, float]]  # (node id, "in:name" or "out:slot") -> where its socket is, px


@dataclass(frozen=True)
class Drawing:
    """An SVG picture of a workflow with one line that says what is in it; a notebook shows it."""

    svg: str
    caption: str

    def save(self, path: str | Path) -> Path:
        """Write the SVG and return its path; LessonError where that place cannot be written."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.svg, encoding="utf-8")
        except OSError as cause:
            raise error("cannot_write", path=path, cause=cause.strerror or cause) from cause
        return path

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        # JupyterLab shows an SVG itself only in a notebook that ran here; as an <img> it shows it in any.
        address = "data:image/svg+xml;base64," + b64encode(self.svg.encode()).decode()
        html = f'<img alt="{escape(self.caption)}" src="{address}">'
        return {"image/svg+xml": self.svg, "text/html": html, "text/plain": self.caption}


def draw(workflow: Workflow, subgraph: str | None = None) -> Drawing:
    """Draw a workflow, or the inside of one of its subgraphs by name; LessonError where it has no such subgraph."""
    graph = workflow if subgraph is None else find_subgraph(workflow, subgraph)
    types = workflow.types
    nodes = {node.id: cut(node) for node in [*graph.nodes.values()][:MOST_DRAWN]}
    boxes = find_boxes(graph, nodes, types)
    inside = {kind: part.name for kind, part in workflow.subgraphs.items()}
    anchors: Anchors = {}
    bodies = [mark for node in nodes.values() for mark in draw_node(node, boxes[node.id], types, inside, anchors)]
    groups = [mark for group in graph.groups[:MOST_DRAWN] for mark in draw_group(
        group.bounding, group.title, group.color)] if not is_spread(graph, nodes, types) else []
    wires = [mark for link in graph.links for mark in draw_link(link, anchors)]
    frames = [group.bounding for group in graph.groups[:MOST_DRAWN]] if groups else []
    return Drawing(frame(groups + wires + bodies, [*boxes.values()], frames), describe(workflow, graph, len(nodes)))


def cut(node: Node) -> Node:
    """Return a node with no more widgets than a page can show."""
    return Node(**{**vars(node), "widgets": dict([*node.widgets.items()][:MOST_ROWS])})


def find_subgraph(workflow: Workflow, name: str) -> Graph:
    """Return a subgraph by its name or its id."""
    for kind, part in workflow.subgraphs.items():
        if name in (kind, part.name):
            return part
    raise error("graph_no_subgraph", name=name, names=text("list_comma").join(
        part.name for part in workflow.subgraphs.values()) or text("none"))


def describe(workflow: Workflow, graph: Graph, drawn: int) -> str:
    """Say in one line how much a drawing shows, and below it what was wrong with the file."""
    lines = [text("graph_caption", nodes=len(graph.nodes), links=len(graph.links))]
    if drawn < len(graph.nodes):
        lines.append(text("graph_not_drawn", count=len(graph.nodes) - drawn))
    return "\n".join([*lines, *workflow.problems])


def is_spread(graph: Graph, nodes: Mapping[str, Node], types: Mapping[str, NodeType]) -> bool:
    """Say whether a file's places lie so far apart that nothing could be seen."""
    boxes = [box for number, box in place(graph, types).items() if number in nodes]
    return any(max((box[side] + box[side + 2] for box in boxes), default=0)
               - min((box[side] for box in boxes), default=0) > MOST_SPREAD for side in (0, 1))


def find_boxes(graph: Graph, nodes: Mapping[str, Node], types: Mapping[str, NodeType]) -> dict[str, Box]:
    """Return the box of each node that is drawn, high enough for what stands in it."""
    if is_spread(graph, nodes, types):
        graph = Graph({number: Node(**{**vars(node), "position": None, "size": None})
                       for number, node in nodes.items()})
    boxes = place(graph, types)
    return {number: (boxes[number][0], boxes[number][1], max(40.0, boxes[number][2]),
                     0.0 if is_collapsed(node) else max(boxes[number][3], least_height(node, types)))
            for number, node in nodes.items()}


def is_collapsed(node: Node) -> bool:
    """Say whether only a node's title is shown."""
    flags = node.extra.get("flags")
    return isinstance(flags, dict) and flags.get("collapsed") is True


def least_height(node: Node, types: Mapping[str, NodeType]) -> float:
    """Return the height in px below which a node's rows would not fit."""
    if node.type in (REROUTE, *NOTES):
        return SLOT
    areas = len(list_areas(node, types))
    return count_rows(node) * SLOT + (len(node.widgets) - areas) * WIDGET + areas * 40 + 8


def list_areas(node: Node, types: Mapping[str, NodeType]) -> list[str]:
    """Return the names of the widgets that are fields of several lines."""
    return [name for name, value in node.widgets.items() if is_area(types.get(node.type), name, value)]


def list_rows(node: Node) -> list[str]:
    """Return the names of the inputs that have a row of their own; one of a widget stands beside that widget."""
    return [name for name, socket in node.sockets.items()
            if socket.widget not in node.widgets and (socket.widget is None or node.inputs.get(name))]


def count_rows(node: Node) -> int:
    """Return how many rows of sockets a node has."""
    return max(len(list_rows(node)), len(node.outputs))


def draw_node(node: Node, box: Box, types: Mapping[str, NodeType], inside: Mapping[str, str],
              anchors: Anchors) -> list[str]:
    """Draw one node, and write down where its sockets are."""
    left, top, width, height = box
    if is_collapsed(node):
        return draw_collapsed(node, box, types, inside, anchors)
    if node.type == REROUTE:
        return draw_reroute(node, box, anchors)
    body = colour(node.extra.get("bgcolor"), BYPASS_BODY if node.mode == BYPASSED else BODY)
    head = colour(node.extra.get("color"), HEAD)
    marks = [tag("rect", x=left, y=top - TITLE, width=width, height=height + TITLE, rx=8, fill=body,
                 stroke="#999" if node.type in inside else "#111"),
             tag("path", d=f"M{number(left)} {number(top)}v{number(8 - TITLE)}q0 -8 8 -8h{number(width - 16)}"
                           f"q8 0 8 8v{number(TITLE - 8)}z", fill=head),
             *draw_title(node, left, top, width, types, inside)]
    if node.type in NOTES:
        marks += draw_text(str(node.widgets.get("text", "")), left + 8, top + 4, width - 16, height - 8)
    else:
        marks += draw_sockets(node, box, anchors)
        marks += draw_widgets(node, box, types, anchors)
    return dim(node, marks)


def dim(node: Node, marks: list[str]) -> list[str]:
    """Return the marks, paler where the node does not run."""
    if node.is_active:
        return marks
    return [f'<g opacity="{0.45 if node.mode == MUTED else 0.7}">', *marks, "</g>"]


def draw_title(node: Node, left: float, top: float, width: float, types: Mapping[str, NodeType],
               inside: Mapping[str, str]) -> list[str]:
    """Draw a node's dot, title, and on the right its id and whether it is muted or bypassed."""
    known = types.get(node.type)
    end = text(ENDS[node.id]) if node.id in ENDS else ""
    title = node.title or end or inside.get(node.type) or (known.display_name if known else node.type)
    states = {MUTED: text("graph_muted"), BYPASSED: text("graph_bypassed")}
    side = " ".join(filter(None, (states.get(node.mode), f"#{node.id}" if node.id[:1] != "-" else "")))
    side = fit(side, width / 3, LETTER - 2)
    return [tag("circle", cx=left + 15, cy=top - 15, r=5, fill=EDGE),
            write(fit(title, width - 40 - measure(side, LETTER - 2), TITLE_LETTER), left + 28, top - 10, WORDS,
                  TITLE_LETTER),
            write(side, left + width - 8, top - 11, DIM, LETTER - 2, "end")]


def draw_collapsed(node: Node, box: Box, types: Mapping[str, NodeType], inside: Mapping[str, str],
                   anchors: Anchors) -> list[str]:
    """Draw a node that shows its title only, all its links at the two ends of it."""
    left, top, width, _ = box
    for name in node.sockets:
        anchors[node.id, f"in:{name}"] = left, top - 15
    for slot in range(len(node.outputs)):
        anchors[node.id, f"out:{slot}"] = left + width, top - 15
    return dim(node, [tag("rect", x=left, y=top - TITLE, width=width, height=TITLE, rx=15, stroke="#111",
                          fill=colour(node.extra.get("color"), HEAD)),
                      *draw_title(node, left, top, width, types, inside)])


def draw_reroute(node: Node, box: Box, anchors: Anchors) -> list[str]:
    """Draw a reroute: one socket on each side."""
    left, top, width, height = box
    marks = [tag("rect", x=left, y=top, width=width, height=height, rx=8, fill=BODY, stroke="#111")]
    for name, link in [*node.inputs.items()][:1]:
        anchors[node.id, f"in:{name}"] = left + 8, top + 13
        marks.append(dot(left + 8, top + 13, link.kind if link else "*"))
    for socket in node.outputs[:1]:
        anchors[node.id, "out:0"] = left + width - 8, top + 13
        marks.append(dot(left + width - 8, top + 13, socket.kind))
    return dim(node, marks)


def draw_sockets(node: Node, box: Box, anchors: Anchors) -> list[str]:
    """Draw the inputs on the left and the outputs on the right of a node."""
    left, top, width, _ = box
    marks = []
    rows = list_rows(node)
    room = width / 2 - 24 if rows and node.outputs else width - 36
    for row, name in enumerate(rows):
        at = top + 14 + row * SLOT
        anchors[node.id, f"in:{name}"] = left + 10, at
        marks += [dot(left + 10, at, node.sockets[name].kind, bool(node.inputs.get(name))),
                  write(fit(node.sockets[name].shown, room, LETTER), left + 20, at + 4, NAMES)]
    for slot, socket in enumerate(node.outputs):
        at = top + 14 + slot * SLOT
        anchors[node.id, f"out:{slot}"] = left + width - 10, at
        marks += [dot(left + width - 10, at, socket.kind),
                  write(fit(label_output(socket), room, LETTER), left + width - 20, at + 4, NAMES, anchor="end")]
    return marks


def label_output(socket: Socket) -> str:
    """Return what stands beside an output."""
    return socket.shown if not socket.shown.isdecimal() else socket.kind


def draw_widgets(node: Node, box: Box, types: Mapping[str, NodeType], anchors: Anchors) -> list[str]:
    """Draw the widgets below the sockets; fields of several lines share the height that is left."""
    left, top, width, height = box
    areas = list_areas(node, types)
    at = top + count_rows(node) * SLOT + 6
    room = max(36.0, (top + height - at - (len(node.widgets) - len(areas)) * WIDGET) / max(1, len(areas)) - 4)
    beside = {socket.widget: name for name, socket in node.sockets.items() if socket.widget}
    marks = []
    for name, value in node.widgets.items():
        wired = node.inputs.get(beside[name]) if name in beside else None
        tall = room if name in areas else SLOT
        part = [tag("rect", x=left + 15, y=at, width=width - 30, height=tall, rx=4 if name in areas else 10,
                    fill=FIELD, stroke=EDGE)]
        if name in areas:
            part += draw_text(show(value), left + 20, at, width - 40, tall)
        else:
            part += draw_value(name, value, types.get(node.type), left + 15, at, width - 30)
        marks += ['<g opacity="0.5">', *part, "</g>"] if wired else part
        if wired:
            anchors[node.id, f"in:{beside[name]}"] = left + 10, at + 10
            marks.append(dot(left + 10, at + 10, wired.kind))
        at += tall + 4
    return marks


def draw_value(name: str, value: object, known: NodeType | None, left: float, top: float, width: float) -> list[str]:
    """Draw a widget's name on the left and its value on the right, with arrows where it can be stepped."""
    given = known.inputs.get(name) if known else None
    plain = re.sub(r" \(\d+\)$", "", name)
    stepped = given.kind in ("INT", "FLOAT", "COMBO") if given else plain in (CONTROL, FILTER) \
        or isinstance(value, (int, float)) and not isinstance(value, bool)
    shown = show(value)
    label = "" if plain.isdecimal() else plain
    label = fit(label, width - 40 - min(measure(shown, LETTER), width / 3), LETTER)
    side = 18 if stepped else 8
    marks = [write(label, left + side, top + 14, NAMES if plain not in NOT_SENT else DIM),
             write(fit(shown, width - 2 * side - 8 - measure(label, LETTER), LETTER), left + width - side, top + 14,
                   VALUES, anchor="end")]
    if stepped:
        marks.append(tag("path", d=f"M{number(left + 12)} {number(top + 6)}l-6 4 6 4z"
                                   f"M{number(left + width - 12)} {number(top + 6)}l6 4 -6 4z", fill=VALUES))
    return marks


def draw_group(bounding: Box, title: str, given: str) -> list[str]:
    """Draw a group: a coloured frame with its title."""
    left, top, width, height = bounding
    fill = colour(given, GROUP)
    return [tag("rect", x=left, y=top, width=max(1, width), height=max(1, height), rx=4, fill=fill, fill_opacity=0.25,
                stroke=fill),
            write(fit(title, width - 12, GROUP_LETTER), left + 8, top + 24, fill, GROUP_LETTER)]


def draw_link(link: Link, anchors: Anchors) -> list[str]:
    """Draw a link as a curve that leaves to the right and arrives from the left."""
    start, end = anchors.get((link.source, f"out:{link.output}")), anchors.get((link.target, f"in:{link.input}"))
    if start is None or end is None:
        return []
    bow = max(20.0, ((end[0] - start[0])**2 + (end[1] - start[1])**2) ** 0.5 / 4)
    curve = f"M{number(start[0])} {number(start[1])}C{number(start[0] + bow)} {number(start[1])} " \
            f"{number(end[0] - bow)} {number(end[1])} {number(end[0])} {number(end[1])}"
    return [tag("path", d=curve, fill="none", stroke=colour_of(link.kind), stroke_width=3)]


def frame(marks: list[str], boxes: list[Box], frames: list[Box]) -> str:
    """Put marks on a canvas that holds them all."""
    every = [(box[0], box[1] - TITLE, box[0] + box[2], box[1] + box[3]) for box in boxes] \
        + [(box[0], box[1], box[0] + box[2], box[1] + box[3]) for box in frames] or [(0, 0, 100, 40)]
    left, top = min(box[0] for box in every) - MARGIN, min(box[1] for box in every) - MARGIN
    width, height = max(box[2] for box in every) + MARGIN - left, max(box[3] for box in every) + MARGIN - top
    scale = min(1.0, SHOWN_WIDTH / width)
    view = " ".join(map(number, (left, top, width, height)))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{number(width * scale)}" ' \
           f'height="{number(height * scale)}" viewBox="{view}" font-family="{FONT}" font-size="{LETTER}">'
    canvas = tag("rect", x=left, y=top, width=width, height=height, rx=8, fill=CANVAS)
    return "\n".join([head, canvas, *marks, "</svg>"])
