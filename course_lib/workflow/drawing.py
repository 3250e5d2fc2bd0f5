"""A workflow as an SVG that looks like ComfyUI's canvas: nodes, sockets coloured by kind, widgets, links, groups.

Only plain shapes and escaped text, no ids, styles, scripts or addresses, so that JupyterLab, nbconvert and GitHub show
it, whatever the file says. The canvas is dark on its own, so it reads the same in a light and in a dark notebook.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from course_lib.files import write_whole
from course_lib.messages import error, text
from course_lib.workflow.graph import Workflow
from course_lib.workflow.layout import TITLE, Box, place
from course_lib.workflow.node_drawing import MOST_ROWS, Anchors, draw_node, is_collapsed, least_height
from course_lib.workflow.node_types import NodeType
from course_lib.workflow.parts import (
    Graph,
    Link,
    Node,
)
from course_lib.workflow.svg import (
    CANVAS,
    GROUP,
    GROUP_LETTER,
    LETTER,
    colour,
    colour_of,
    fit,
    number,
    tag,
    write,
)

MOST_DRAWN = 250  # nodes; the others are counted below the drawing
MOST_SPREAD = 30_000  # px; places further apart than this are junk, and the nodes are laid out anew
MARGIN = 24  # px around everything
SHOWN_WIDTH = 1200  # px at most on the page; the file can be enlarged without loss
FONT = "Arial, 'Noto Sans SC', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"


@dataclass(frozen=True)
class Drawing:
    """An SVG picture of a workflow with one line that says what is in it; a notebook shows it."""

    svg: str
    caption: str

    def save(self, path: str | Path) -> Path:
        """Write the SVG and return its path; LessonError where that place cannot be written."""
        path = Path(path)
        try:
            write_whole(path, self.svg.encode())
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
