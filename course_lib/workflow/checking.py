"""Check a workflow in its API form before it runs, as ComfyUI's server does: same rules, same names of errors.

What is wrong is told in the server's own form, {"error": ..., "node_errors": {id: {"errors": [...]}}}, so that one
function says it in the learner's language whether the notebook found it or a ComfyUI.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TypeGuard

from course_lib.messages import LessonError, error
from course_lib.workflow.explaining import list_errors, name_node
from course_lib.workflow.node_types import NodeClass

Prompt = dict[str, dict]  # node id -> {"class_type": ..., "inputs": {name: value or [node id, output]}}
CONVERT = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}
MOST_LINES = 12  # of an error
MOST_CHOICES = 20  # ComfyUI does not send longer lists back


class WorkflowError(LessonError):
    """A LessonError about a workflow, with what ComfyUI's server answers to the same: `answer`."""

    def __init__(self, lesson: LessonError, answer: Mapping[str, object]) -> None:
        super().__init__(lesson.what, lesson.why, lesson.next_step)
        self.answer = answer


@dataclass
class Checked:
    """A workflow that can run: its nodes in the order of the data, and what is wrong with outputs that cannot."""

    prompt: Prompt
    order: list[str]
    node_errors: dict[str, dict] = field(default_factory=dict)


def check(graph: Mapping[str, object], kinds: Mapping[str, NodeClass]) -> Checked:
    """Return the nodes that lead to a good output, their values converted; WorkflowError where no output is good."""
    prompt = {str(node): read_node(node, about) for node, about in graph.items()}
    for node, about in prompt.items():
        if about["class_type"] is None:
            raise refuse(error("node_no_class", node=node), "invalid_prompt", f"Node ID '#{node}'")
        if about["class_type"] not in kinds:
            raise refuse(error("node_class_unknown", node=node, kind=about["class_type"], known=", ".join(kinds)),
                         "invalid_prompt", f"Node ID '#{node}'")
    outputs = [node for node, about in prompt.items() if getattr(kinds[about["class_type"]], "OUTPUT_NODE", False)]
    if not outputs:
        raise refuse(error("node_no_output"), "prompt_no_outputs")
    order = sort_nodes(prompt, outputs)
    errors: dict[str, list[dict]] = {}
    bad: set[str] = set()
    for node in order:
        found = check_node(node, prompt, kinds)
        if found:
            errors[node] = found
        if found or any(source in bad for source, _ in list_links(prompt, node)):
            bad.add(node)
    good = [node for node in outputs if node not in bad]
    node_errors = tell_errors(prompt, outputs, errors)
    if not good:
        lines = list_errors(node_errors, prompt)
        raise refuse(error("node_refused", count=len(lines), lines="\n".join(lines[:MOST_LINES])),
                     "prompt_outputs_failed_validation", node_errors=node_errors)
    needed = find_needed(prompt, good)
    return Checked(prompt, [node for node in order if node in needed], node_errors)


def read_node(node: object, about: object) -> dict:
    """Return a copy of one node with what the check needs: links [id as text, output], class_type or None."""
    about = about if isinstance(about, Mapping) else {}
    given, kind = about.get("inputs"), about.get("class_type")
    inputs = given if isinstance(given, Mapping) else {}
    copied = {name: [str(value[0]), value[1]] if is_link(value) else value for name, value in inputs.items()}
    return {**about, "class_type": kind if isinstance(kind, str) else None, "inputs": copied}


def is_link(value: object) -> TypeGuard[Sequence]:
    """Say whether an input's value is a link [node id, output]."""
    return isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], (str, int)) \
        and isinstance(value[1], int)


def list_links(prompt: Prompt, node: str) -> list[tuple[str, int]]:
    """Return the links of a node to nodes that are there, as (node, output)."""
    return [(value[0], value[1]) for value in prompt[node]["inputs"].values() if is_link(value) and value[0] in prompt]


def refuse(lesson: LessonError, kind: str, details: str = "", node_errors: Mapping[str, dict] | None = None,
           **extra: object) -> WorkflowError:
    """Build the WorkflowError of a workflow that does not run."""
    return WorkflowError(lesson, {"error": {"type": kind, "message": lesson.what, "details": details,
                                            "extra_info": extra}, "node_errors": dict(node_errors or {})})


def find_needed(prompt: Prompt, outputs: list[str]) -> set[str]:
    """Return the outputs and every node that leads to them."""
    todo, needed = list(outputs), set()
    while todo:
        node = todo.pop()
        if node not in needed:
            needed.add(node)
            todo += [source for source, _ in list_links(prompt, node)]
    return needed


def sort_nodes(prompt: Prompt, outputs: list[str]) -> list[str]:
    """Return the nodes that lead to the outputs, each after what it needs; WorkflowError that names a cycle's nodes."""
    needed = find_needed(prompt, outputs)
    needs = {node: [source for source, _ in list_links(prompt, node)] for node in prompt if node in needed}
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as found:
        circle = found.args[1]
        names = " → ".join(name_node(node, prompt) for node in circle)
        # ComfyUI answers this type with no node at all; the nodes are the course's addition.
        raise refuse(error("node_cycle", nodes=names), "prompt_outputs_failed_validation", cycle=circle) from None


def tell_errors(prompt: Prompt, outputs: list[str], errors: Mapping[str, list[dict]]) -> dict[str, dict]:
    """Return the errors as ComfyUI's node_errors, each node with the outputs that cannot be made for it."""
    behind = {output: find_needed(prompt, [output]) for output in outputs} if errors else {}
    return {node: {"errors": found, "class_type": prompt[node]["class_type"],
                   "dependent_outputs": [output for output in outputs if node in behind[output]]}
            for node, found in errors.items()}


def check_node(node: str, prompt: Prompt, kinds: Mapping[str, NodeClass]) -> list[dict]:
    """Return what is wrong with a node's inputs, and convert its values as ComfyUI does."""
    kind, inputs = kinds[prompt[node]["class_type"]], prompt[node]["inputs"]
    types = kind.INPUT_TYPES()
    validate = getattr(kind, "VALIDATE_INPUTS", None)
    own = validate.__code__.co_varnames[1:validate.__code__.co_argcount] if validate else ()
    found = []
    for part in ("required", "optional"):
        for name, config in types.get(part, {}).items():
            if name in inputs:
                found += check_input(name, list(config), prompt, inputs, kinds, name in own)
            elif part == "required":
                found.append(problem("required_input_missing", "Required input is missing", name, name))
    told = {name: inputs[name] for name in own if name in inputs and not is_link(inputs[name])}
    if validate and own and not found and told.keys() == set(own):
        answer = validate(**told)
        if answer is not True:
            found.append(problem("custom_validation_failed", "Custom validation failed for node", own[0],
                                 f"{own[0]} - {answer}", received_value=inputs[own[0]]))
    return found


def check_input(name: str, config: list, prompt: Prompt, inputs: dict, kinds: Mapping[str, NodeClass],
                own: bool) -> list[dict]:
    """Return what is wrong with one input, a link or a value, and convert the value; `own`: its class checks it."""
    value, kind = inputs[name], config[0]
    about = {"input_config": [kind, config[1] if len(config) > 1 else {}]}
    if isinstance(value, list):
        return check_link(name, value, about, prompt, kinds)
    if isinstance(value, Mapping) and "__value__" in value:  # how a list is sent that is no link
        value = value["__value__"]
    try:
        value = inputs[name] = CONVERT[kind](value) if isinstance(kind, str) and kind in CONVERT else value
    except (TypeError, ValueError, OverflowError) as cause:
        return [problem("invalid_input_type", f"Failed to convert an input value to a {kind} value", name,
                        f"{name}, {value}, {cause}", received_value=value, **about)]
    if own:
        return []
    about["received_value"] = value
    bounds = about["input_config"][1]
    if "min" in bounds and value < bounds["min"]:
        return [problem("value_smaller_than_min", f"Value {value} smaller than min of {bounds['min']}", name, name,
                        **about)]
    if "max" in bounds and value > bounds["max"]:
        return [problem("value_bigger_than_max", f"Value {value} bigger than max of {bounds['max']}", name, name,
                        **about)]
    if isinstance(kind, list) and value not in kind:
        shown = str(kind) if len(kind) <= MOST_CHOICES else f"(list of length {len(kind)})"
        return [problem("value_not_in_list", "Value not in list", name, f"{name}: '{value}' not in {shown}", **about)]
    return []


def check_link(name: str, value: list, about: dict, prompt: Prompt, kinds: Mapping[str, NodeClass]) -> list[dict]:
    """Return what is wrong with a link: its form, the node at its other end, that node's output, the type."""
    if not is_link(value):
        return [problem("bad_linked_input", "Bad linked input, must be a length-2 list of [node_id, slot_index]", name,
                        name, received_value=value, **about)]
    source, slot = value
    if source not in prompt:
        # ComfyUI tells this as an error while it checks, a KeyError, with this type.
        return [problem("exception_during_inner_validation", "Exception when validating inner node", name,
                        f"'{source}' → {name}", exception_type="KeyError", linked_node=value, **about)]
    there = prompt[source]["class_type"]
    outputs = kinds[there].RETURN_TYPES
    if not 0 <= slot < len(outputs):
        return [problem("exception_during_inner_validation", "Exception when validating inner node", name,
                        f"{name}: {there} has the outputs {list(outputs)}, none is number {slot}",
                        exception_type="IndexError", linked_node=value, **about)]
    if not fits(outputs[slot], about["input_config"][0]):
        return [problem("return_type_mismatch", "Return type mismatch between linked nodes", name,
                        f"{name}, received_type({outputs[slot]}) mismatch input_type({about['input_config'][0]})",
                        received_type=outputs[slot], linked_node=value, **about)]
    return []


def fits(given: object, wanted: object) -> bool:
    """Say whether an output's type may go into an input: one of "A,B", any for "*"."""
    if given == wanted or "*" in (given, wanted):
        return True
    if not isinstance(given, str) or not isinstance(wanted, str):
        return False
    return set(given.split(",")) <= set(wanted.split(","))


def problem(kind: str, message: str, name: str, details: str, **extra: object) -> dict:
    """Return one entry of a node's errors, in ComfyUI's form."""
    return {"type": kind, "message": message, "details": details, "extra_info": {"input_name": name, **extra}}
