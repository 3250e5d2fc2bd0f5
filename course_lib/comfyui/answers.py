"""Ask a ComfyUI on this machine, and tell in plain words what it refuses and why.

Nothing it answers is trusted: every answer has a bound in bytes and in seconds, and only known fields are read.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from course_lib.messages import LessonError, error, text
from course_lib.workflow.explaining import clean, dig, find_cycle, list_errors, list_problems, name_node

SECONDS = 60.0  # for one answer; ComfyUI answers slowly while it loads a model
MOST_JSON = 8 * 2**20  # bytes
MOST_ERRORS = 12  # told at once


def ask(address: str, path: str, *, body: object = None, params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None, seconds: float = SECONDS, most: int = MOST_JSON,
        tail: Callable[[], str] = str) -> tuple[int, bytes]:
    """Send one request (POST where there is a body) and return status and content; LessonError without an answer.

    No proxy of the environment is used, and no Origin is sent: ComfyUI refuses one that differs from its own address.
    `tail` gives the last lines that the server wrote, to be shown where it is gone.
    """
    until = time.monotonic() + seconds
    content = None if body is None else json.dumps(body, allow_nan=False).encode()
    said = {"Content-Type": "application/json", "Accept-Encoding": "identity", **(headers or {})}
    try:
        with httpx.Client(trust_env=False, timeout=seconds) as client, \
                client.stream("GET" if body is None else "POST", address + path, params=params, content=content,
                              headers=said) as answer:
            return answer.status_code, read_bounded(answer, most, until)
    except httpx.TimeoutException as cause:
        raise error("comfy_silent", address=address, path=path, seconds=seconds) from cause
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as cause:
        raise error("comfy_gone", address=address, lines=tail()) from cause


def read_bounded(answer: httpx.Response, most: int, until: float) -> bytes:
    """Return an answer's content; LessonError for more than `most` bytes, a timeout for one that drips past `until`."""
    content = bytearray()
    for block in answer.iter_raw():
        content += block
        if len(content) > most:
            raise error("comfy_junk", what=text("comfy_more_than", size=most / 2**20))
        if time.monotonic() > until:
            raise httpx.ReadTimeout("too slow")
    return bytes(content)


def ask_json(address: str, path: str, **options: Any) -> dict:
    """Return the JSON object that is the answer to a request; LessonError for another status or other content."""
    status, content = ask(address, path, **options)
    if status != 200:
        raise explain_refusal(status, content, {})
    return parse(content)


def parse(content: bytes | str) -> dict:
    """Return a JSON object; LessonError for anything else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as cause:
        raise error("comfy_junk", what=clean(content[:60])) from cause
    if not isinstance(found, dict):
        raise error("comfy_junk", what=clean(content[:60]))
    return found


def explain_refusal(status: int, content: bytes, prompt: Mapping[str, dict]) -> LessonError:
    """Build the LessonError of an answer that is not 200: what is wrong with which node and input of the prompt."""
    if status == 403:
        return error("comfy_403")
    try:
        answer = parse(content)
    except LessonError:
        return error("comfy_status", status=status, said=clean(content))
    kind = dig(answer, "error", "type")
    if kind in ("invalid_prompt", "missing_node_type"):  # before ComfyUI 0.29 and since
        return explain_class(answer, prompt)
    if kind in ("prompt_no_outputs", "no_prompt"):
        return error("comfy_no_output")
    told = answer.get("node_errors")
    lines, kinds = list_errors(told, prompt), [problem.get("type") for _, problem in list_problems(told)]
    cycle = find_cycle(prompt) if not lines or "dependency_cycle" in kinds else []  # told as a node's since 0.29
    if lines and not cycle:
        return error("comfy_refused", count=len(lines), lines="\n".join(lines[:MOST_ERRORS]))
    if cycle:
        return error("comfy_cycle", nodes=" → ".join(name_node(node, prompt) for node in cycle))
    said = " ".join(clean(dig(answer, "error", part) or "") for part in ("message", "details"))
    return error("comfy_status", status=status, said=said.strip() or clean(content))


def explain_class(answer: dict, prompt: Mapping[str, dict]) -> LessonError:
    """Build the LessonError of a node whose class ComfyUI does not have, or that has none."""
    match = re.search(r"#([\w:.-]{1,40})", str(dig(answer, "error", "details")))
    node = match[1] if match else "?"
    kind = dig(prompt.get(node), "class_type")
    if kind is None:
        return error("comfy_no_class", node=node)
    return error("comfy_missing_class", node=node, kind=clean(kind))


def explain_failure(found: object, prompt: Mapping[str, dict]) -> LessonError:
    """Build the LessonError of an execution_error: the node that failed and what it said."""
    found = found if isinstance(found, dict) else {}
    kind, said = clean(found.get("exception_type", "?"), 80), clean(found.get("exception_message", ""))
    return error("comfy_failed", node=name_node(found.get("node_id", "?"), prompt), kind=kind.split(".")[-1], said=said)
