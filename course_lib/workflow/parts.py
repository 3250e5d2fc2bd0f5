"""What a workflow is made of: nodes with sockets and widgets, the links between them, groups, subgraphs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MUTED, BYPASSED = 2, 4  # values of a node's mode; 0 is active
NOTES = ("Note", "MarkdownNote")
REROUTE, PRIMITIVE = "Reroute", "PrimitiveNode"
REROUTES = (REROUTE, "Reroute (rgthree)", "mxReroute")
VIRTUAL = (*NOTES, *REROUTES, PRIMITIVE)  # of the page alone; the server never sees them
# So are these of widespread node packs, unless a server has them: wires by name, labels, switches of modes.
SETTER = re.compile(r"(easy set|Set)Node\b")
GETTER = re.compile(r"(easy get|Get)Node\b")
PAGE_ONLY = re.compile(r"(PM )?Fast (Groups )?(Muter|Bypasser|Actions Button)\b|(Label|Bookmark|Node Collector|"
                       r"Random Unmuter|Mute / Bypass (Repeater|Relay)) \(rgthree\)$|Note Plus \(mtb\)$")
SUBGRAPH_INPUT, SUBGRAPH_OUTPUT = "-10", "-20"  # ids of the two ends of a subgraph, inside it
GROUP_NODE = "group node"  # marks the inside of one


@dataclass
class Link:
    """One wire: from the output slot `output` (counted from 0) of node `source` to the input `input` of `target`."""

    id: int
    source: str
    output: int
    target: str
    input: str
    kind: str = "*"
    extra: dict = field(default_factory=dict)  # what else a file says of it


@dataclass
class Socket:
    """An input or output of a node as a file describes it: kind, label on the page, and the widget that it replaces."""

    name: str
    kind: str = "*"
    label: str = ""
    widget: str | None = None
    extra: dict = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """Return what the page writes beside it."""
        return self.label or self.name


@dataclass
class Node:
    """One node: `inputs` name -> Link or None, `widgets` name -> value ("0", "1", ... where the names are unknown)."""

    id: str
    type: str
    title: str = ""
    position: tuple[float, float] | None = None  # px on the page; None in a workflow that has no page
    size: tuple[float, float] | None = None
    mode: int = 0
    inputs: dict[str, Link | None] = field(default_factory=dict)
    widgets: dict[str, object] = field(default_factory=dict)
    sockets: dict[str, Socket] = field(default_factory=dict)  # of the inputs, by the same names
    outputs: list[Socket] = field(default_factory=list)
    properties: dict = field(default_factory=dict)
    extra: dict = field(default_factory=dict)  # colour, flags, and whatever else a file says
    # Of a node that stands for a subgraph: (id of a node inside, its widget) -> the widget here that shows it
    shown: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Say whether the node runs: neither muted nor bypassed."""
        return self.mode not in (MUTED, BYPASSED)


@dataclass
class Group:
    """A coloured frame on the page: left, top, width, height in px."""

    title: str
    bounding: tuple[float, float, float, float]
    color: str = ""
    extra: dict = field(default_factory=dict)


@dataclass
class Graph:
    """Nodes by id, with what the page shows besides; a subgraph is one too, its ends the nodes "-10" and "-20"."""

    nodes: dict[str, Node] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    name: str = ""
    subgraphs: dict[str, "Graph"] = field(default_factory=dict)  # type of the node that stands for it -> its inside
    extra: dict = field(default_factory=dict)

    @property
    def links(self) -> list[Link]:
        """Return every link that ends at an input, by number."""
        links = [link for node in self.nodes.values() for link in node.inputs.values() if link]
        return sorted(links, key=lambda link: link.id)

    @property
    def is_group(self) -> bool:
        """Say whether this is the inside of a group node, which pages before subgraphs had."""
        return GROUP_NODE in self.extra

    def walk(self) -> Iterator[tuple[str, "Graph"]]:
        """Yield this graph and its subgraphs, each with its name."""
        yield self.name, self
        for inside in self.subgraphs.values():
            yield inside.name, inside

    def find_cycle(self) -> list[str]:
        """Return the ids of nodes that lead back to themselves, in the order of the data; [] where none do."""
        done: set[str] = set()
        for start in self.nodes:
            way: dict[str, Iterator[str]] = {}  # from a node back to what it needs
            todo: str | None = start
            while todo is not None:
                if todo in way:
                    return list(way)[list(way).index(todo):][::-1]
                if todo in self.nodes and todo not in done:
                    way[todo] = iter([link.source for link in self.nodes[todo].inputs.values() if link])
                todo = None
                while way and todo is None:
                    last = next(reversed(way))
                    todo = next(way[last], None)
                    if todo is None:
                        done.add(last)
                        way.popitem()
        return []
