"""One node of a workflow as ComfyUI's canvas draws it: title, sockets coloured by kind, widgets with their values."""

import re
from collections.abc import Mapping

from course_lib.messages import text
from course_lib.workflow.layout import SLOT, TITLE, WIDGET, Box, is_area
from course_lib.workflow.node_types import CONTROL, FILTER, NOT_SENT, NodeType
from course_lib.workflow.parts import (
    BYPASSED,
    MUTED,
    NOTES,
    REROUTE,
    SUBGRAPH_INPUT,
    SUBGRAPH_OUTPUT,
    Node,
    Socket,
)
from course_lib.workflow.svg import (
    BODY,
    BYPASS_BODY,
    DIM,
    EDGE,
    FIELD,
    HEAD,
    LETTER,
    NAMES,
    TITLE_LETTER,
    VALUES,
    WORDS,
    colour,
    dot,
    draw_text,
    fit,
    measure,
    number,
    show,
    tag,
    write,
)

MOST_ROWS = 30  # widgets of a node
ENDS = {SUBGRAPH_INPUT: "graph_inputs", SUBGRAPH_OUTPUT: "graph_outputs"}
Anchors = dict[tuple[str, str], tuple[float, float]]  # (node id, "in:name" or "out:slot") -> where its socket is, px


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
