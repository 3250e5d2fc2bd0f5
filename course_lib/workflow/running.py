"""Run a workflow in the notebook, node by node, as ComfyUI's server does: checked first, kept where nothing changed."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from diffusers import KolorsPipeline

from course_lib.messages import LessonError, error, text
from course_lib.sampling.step import Cancelled
from course_lib.workflow.checking import Checked, Prompt, WorkflowError, check, is_link, read_node
from course_lib.workflow.explaining import name_node
from course_lib.workflow.graph import Workflow, read
from course_lib.workflow.node_types import NodeClass
from course_lib.workflow.nodes.built_in import NODES
from course_lib.workflow.nodes.host import surrounded
from course_lib.workflow.notebook_host import Models, NotebookHost, Progress
from course_lib.workflow.results import NodeResult, Results


@dataclass
class Cache:
    """What a run leaves for the next: the outputs of nodes that did not change, and loaded models.

    As in ComfyUI, only what belongs to the latest workflow is kept.
    """

    outputs: dict[str, tuple[tuple, dict, tuple[str, ...]]] = field(default_factory=dict)  # values, shown, notes
    pipes: dict[str, KolorsPipeline] = field(default_factory=dict)


def run(workflow: Workflow | Mapping[str, object] | str | Path, *, models: Models = None, cache: Cache | None = None,
        output: str | Path | None = None, input: str | Path | None = None,
        callback: Callable[[Progress], object] | None = None) -> Results:
    """Run a workflow and return what each node gave; WorkflowError names the node and input that stop it.

    `models` says which model a name in the workflow stands for: {name: "tiny", "kolors" or a loaded pipeline}, or one
    for all names; by default all are Tiny Kolors. With the `cache` of an earlier run only nodes that changed run again.
    SaveImage writes to the folder `output`, LoadImage reads from `input`. callback(Progress) stops by returning True
    (Cancelled).
    """
    cache = Cache() if cache is None else cache
    prompt, page, problems = open_workflow(workflow)
    host = NotebookHost(prompt, models, cache.pipes, output, input, callback, page)
    with surrounded(host):
        checked = check(prompt, NODES)
        host.prompt = checked.prompt
        keys: dict[str, str] = {}
        for node in checked.order:
            keys[node] = make_key(host, node, keys)
        cache.outputs = {key: cache.outputs[key] for key in keys.values() if key in cache.outputs}
        done: dict[str, NodeResult] = {}
        for node in checked.order:
            done[node] = run_node(host, node, keys[node], done, cache)
    return Results(done, checked.node_errors, (*problems, *tell_left_out(checked)))


def open_workflow(workflow: Workflow | Mapping[str, object] | str | Path) -> tuple[Prompt, object, list[str]]:
    """Return a workflow's API form, its page form where it has one, and what was wrong with the file."""
    if isinstance(workflow, Mapping) and "nodes" not in workflow and any(
            isinstance(about, Mapping) and "class_type" in about for about in workflow.values()):
        return {str(node): read_node(node, about) for node, about in workflow.items()}, None, []
    found = workflow if isinstance(workflow, Workflow) else read(workflow, NODES)
    prompt = {node: read_node(node, about) for node, about in found.to_api(NODES).items()}
    return prompt, found.to_ui(NODES) if found.form == "ui" else None, list(found.problems)


def tell_left_out(checked: Checked) -> list[str]:
    """Say which outputs did not run because something before them is wrong."""
    if not checked.node_errors:
        return []
    lines = text("list_comma").join(name_node(node, checked.prompt) for node in checked.node_errors)
    return [text("node_left_out", nodes=lines)]


def make_key(host: NotebookHost, node: str, keys: Mapping[str, str]) -> str:
    """Return a hash of what decides a node's outputs: class, values, the same of all nodes before it, files, models.

    So does ComfyUI; the node's number and place do not count.
    """
    kind, inputs = host.prompt[node]["class_type"], host.prompt[node]["inputs"]
    changed = getattr(NODES[kind], "IS_CHANGED", None)
    values = {name: value for name, value in inputs.items() if not is_link(value)}
    parts = [kind, changed(**values) if changed else None, host.identify(node)]
    parts += [(name, (keys[value[0]], value[1]) if is_link(value) else value) for name, value in sorted(inputs.items())]
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


def run_node(host: NotebookHost, node: str, key: str, done: Mapping[str, NodeResult], cache: Cache) -> NodeResult:
    """Run one node, or take what an earlier run kept; WorkflowError where it fails, Cancelled where it is stopped."""
    about = host.prompt[node]
    kind, host.node, host.notes = NODES[about["class_type"]], node, []
    inputs = {name: list(done[value[0]].outputs.values())[value[1]] if is_link(value) else value
              for name, value in about["inputs"].items() if is_known(kind, name)}
    links = {name: f"← #{value[0]} {list(done[value[0]].outputs)[value[1]]}" for name, value in about["inputs"].items()
             if name in inputs and is_link(value)}
    cached, started = key in cache.outputs, time.perf_counter()
    if not cached:
        if host.callback is not None and host.callback(Progress(node, about["class_type"])) is True:
            raise Cancelled
        try:
            given = getattr(kind(), kind.FUNCTION)(**inputs)
        except Cancelled:
            raise
        except Exception as cause:
            raise explain_failure(host.prompt, node, cause) from cause
        values, shown = (given["result"], given["ui"]) if isinstance(given, dict) else (given, {})
        cache.outputs[key] = values, shown, tuple(host.notes)
    values, shown, notes = cache.outputs[key]
    names = getattr(kind, "RETURN_NAMES", kind.RETURN_TYPES)
    title = about.get("_meta", {}).get("title", "") if isinstance(about.get("_meta"), Mapping) else ""
    return NodeResult(node, about["class_type"], str(title), inputs, dict(zip(names, values)),
                      time.perf_counter() - started, cached, notes, tuple(shown.get("pictures", ())),
                      tuple(shown.get("files", ())), links)


def is_known(kind: NodeClass, name: str) -> bool:
    """Say whether a class has an input of this name; ComfyUI passes over others."""
    types = kind.INPUT_TYPES()
    return name in types.get("required", {}) or name in types.get("optional", {})


def explain_failure(prompt: Mapping[str, dict], node: str, cause: Exception) -> WorkflowError:
    """Build the WorkflowError of a node that failed: the LessonError's own words where it is one, else its kind."""
    name = name_node(node, prompt)
    if isinstance(cause, LessonError):
        lesson = LessonError(text("node_stopped", node=name, what=cause.what), cause.why, cause.next_step)
    else:
        lesson = error("node_failed", node=name, kind=type(cause).__name__, said=str(cause)[:300])
    return WorkflowError(lesson, {"node_id": node, "node_type": prompt[node]["class_type"],
                                  "exception_type": type(cause).__name__, "exception_message": str(cause)})
