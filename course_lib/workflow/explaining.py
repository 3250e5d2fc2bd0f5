"""What ComfyUI finds wrong in a workflow, told in plain words: by node, input, and what was expected."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from course_lib.messages import text

MOST_SHOWN = 300  # letters of one thing the server says


def clean(said: object, most: int = MOST_SHOWN) -> str:
    """Return what a server said as one printable line of at most `most` letters."""
    said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in said[:4 * most]).split())
    return line if len(line) <= most else line[:most] + "…"


def dig(found: Any, *keys: str) -> Any:
    """Return what lies behind keys in dicts in each other, None where one is missing."""
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def name_node(node: object, prompt: Mapping[str, dict]) -> str:
    """Name a node by its number, class and title."""
    kind, title = dig(prompt.get(str(node)), "class_type"), dig(prompt.get(str(node)), "_meta", "title")
    shown = text("comfy_node", node=clean(node, 40), kind=clean(kind or "?", 80))
    named = isinstance(title, str) and title.replace(" ", "") not in ("", kind)
    return f"{shown} “{clean(title, 60)}”" if named else shown


def list_errors(found: object, prompt: Mapping[str, dict]) -> list[str]:
    """Say what ComfyUI found wrong in its node_errors, a line for each: node, input, what was expected."""
    return [text("comfy_problem", node=name_node(node, prompt), problem=describe(problem))
            for node, problem in list_problems(found)]


def list_problems(found: object) -> list[tuple[str, dict]]:
    """List each node's entries of ComfyUI's node_errors; what has another form is passed over."""
    return [(node, problem) for node, about in (found.items() if isinstance(found, dict) else ())
            if isinstance(problems := dig(about, "errors"), list) for problem in problems if isinstance(problem, dict)]


def describe(problem: dict) -> str:
    """Say one entry of node_errors in the learner's language, in ComfyUI's words where its type is unknown."""
    about = problem.get("extra_info")
    more = about if isinstance(about, dict) else {}
    config = more.get("input_config")
    kind, bounds = (config[0], config[1]) if isinstance(config, list) and len(config) == 2 else ("?", {})
    values = {"input": clean(more.get("input_name", "?"), 80), "value": clean(repr(more.get("received_value")), 120),
              "details": clean(problem.get("details", "")), "message": clean(problem.get("message", "")),
              "kind": text("comfy_list") if isinstance(kind, list) else clean(kind, 40),
              "received": clean(more.get("received_type", "?"), 40),
              "most": clean(dig(bounds, "max"), 40), "least": clean(dig(bounds, "min"), 40),
              "choices": clean(text("list_comma").join(map(str, (kind if isinstance(kind, list) else [])[:20])) or
                               text("none"))}
    known = ("required_input_missing", "value_not_in_list", "value_bigger_than_max", "value_smaller_than_min",
             "invalid_input_type", "return_type_mismatch", "bad_linked_input", "custom_validation_failed")
    name = problem.get("type") if problem.get("type") in known else "other"
    if name == "other" and more.get("exception_type") == "KeyError":  # the node at the wire's other end
        name = "link_to_nothing"
    return text(f"comfy_problem_{name}", **values)


def find_cycle(prompt: Mapping[str, dict]) -> list[str]:
    """Return the ids of nodes of an API prompt that lead back to themselves, first and last the same, else []."""
    needs = {node: {str(value[0]) for value in (dig(about, "inputs") or {}).values()
                    if isinstance(value, list) and len(value) == 2} for node, about in prompt.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as found:
        return found.args[1]
    return []
