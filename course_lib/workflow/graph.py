"""`read` opens a workflow of ComfyUI: UI JSON, API JSON, or the picture that it made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from course_lib.messages import text
from course_lib.workflow.api_form import write_api
from course_lib.workflow.files import open_tree
from course_lib.workflow.hosts import add_groups, name_hosts
from course_lib.workflow.known import list_known
from course_lib.workflow.node_types import NodeType, read_types
from course_lib.workflow.page_form import write_page
from course_lib.workflow.parts import Graph
from course_lib.workflow.reading import MOST_PROBLEMS, find_form, read_api, read_page


@dataclass
class Workflow(Graph):
    """A workflow as it was read: its graph, the form it had ("ui" or "api"), and what was wrong with the file."""

    form: str = "ui"
    problems: list[str] = field(default_factory=list)
    types: Mapping[str, NodeType] = field(default_factory=list_known, repr=False)

    def to_api(self, definitions: Mapping[str, object] | None = None) -> dict[str, dict]:
        """Return the form that ComfyUI's server runs; LessonError naming nodes whose widgets have no known names.

        `definitions`: the answer of /object_info or node classes by name, beside those known here.
        """
        return write_api(self, self.types if definitions is None else {**self.types, **read_types(definitions)},
                         sent=self.form == "api")

    def to_ui(self, definitions: Mapping[str, object] | None = None) -> dict[str, object]:
        """Return the form that ComfyUI's page opens, laid out in columns where the nodes have no places yet."""
        return write_page(self, self.types if definitions is None else {**self.types, **read_types(definitions)})


def read(source: str | Path | bytes | Mapping[str, object],
         definitions: Mapping[str, object] | None = None) -> Workflow:
    """Read a workflow from a JSON file or text, a PNG, JPEG or WEBP, or a dict; LessonError for what is none.

    What does not fit in it is left out and told in `problems`.
    """
    tree, name = open_tree(source)
    types = {**list_known(), **read_types(definitions or {})}
    form, tree = find_form(tree, name)
    problems: list[str] = []
    graph = (read_page if form == "ui" else read_api)(tree, types, problems)
    add_groups(graph, types, problems)
    name_hosts(graph, problems)
    workflow = Workflow(graph.nodes, graph.groups, graph.name, graph.subgraphs, graph.extra, form, problems, types)
    for _, part in workflow.walk():
        if cycle := part.find_cycle():
            workflow.problems.append(text("graph_circle", ids=" → ".join([*cycle, cycle[0]][:MOST_PROBLEMS])))
    if len(workflow.problems) > MOST_PROBLEMS:
        workflow.problems[MOST_PROBLEMS:] = [text("graph_more", count=len(workflow.problems) - MOST_PROBLEMS)]
    return workflow
