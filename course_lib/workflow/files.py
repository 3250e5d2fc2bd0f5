"""From a file, a picture or a dict to the tree of plain values that a workflow is written as; nothing is trusted."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

from course_lib.files import refuse_pointer
from course_lib.messages import LessonError, error
from course_lib.pictures.text_chunks import MOST_BYTES as MOST_PICTURE
from course_lib.pictures.text_chunks import SIGNATURE_BYTES, name_kind, read_texts

MOST_BYTES = 16 * 2**20  # of a JSON text; the largest of ComfyUI's own templates has 0.4 MiB
MOST_DEPTH = 60  # of lists and objects in each other
MOST_VALUES = 1_000_000
MOST_SHOWN = 80  # letters of a file's name or of a reason
CHUNKS = ("workflow", "prompt")  # what stood on the page tells more than what was run


def open_tree(source: object) -> tuple[Mapping[str, object], str]:
    """Return what a workflow file, a picture that holds one, JSON text or a dict says, and what to call it.

    LessonError for anything that is no JSON object of bounded size and depth.
    """
    if isinstance(source, Mapping):
        return check_tree(copy_tree(source), "dict"), "dict"
    if isinstance(source, str) and source.lstrip()[:1] == "{":
        return parse(source.encode("utf-8", "replace"), "JSON"), "JSON"
    if isinstance(source, (bytes, bytearray)):
        return read_content(bytes(source), "bytes"), "bytes"
    if not isinstance(source, (str, Path)):
        raise error("graph_source", kind=type(source).__name__)
    name = Path(source).name[:MOST_SHOWN]
    return read_content(read_bytes(Path(source), name), name), name


def read_bytes(path: Path, name: str) -> bytes:
    """Return a file's bytes; LessonError where it cannot be read or is too large to be a workflow."""
    refuse_pointer(path)
    try:
        with path.open("rb") as file:
            content = file.read(SIGNATURE_BYTES)
            content += file.read(MOST_BYTES if name_kind(content) is None else MOST_PICTURE)
    except (OSError, ValueError) as cause:
        raise error("graph_no_file", name=name, cause=getattr(cause, "strerror", None) or cause) from cause
    return content


def read_content(content: bytes, name: str) -> Mapping[str, object]:
    """Read the texts in a picture, or a JSON text."""
    if name_kind(content[:SIGNATURE_BYTES]) is None:
        return parse(content, name)
    texts = read_texts(content, name).texts
    reasons = []
    for key in filter(texts.get, CHUNKS):
        try:
            return parse(texts[key].encode("utf-8", "replace"), f"{name}: {key}")
        except LessonError as cause:  # the other text may be whole
            reasons.append(cause)
    if reasons:
        raise reasons[0]
    raise error("graph_png_empty", name=name)


def parse(content: bytes, name: str) -> Mapping[str, object]:
    """Parse a JSON text; LessonError where it is broken, too large, or no object."""
    if len(content) > MOST_BYTES:
        raise error("graph_too_large", name=name, what=f"{len(content) / 2**20:.0f} MB",
                    most=f"{MOST_BYTES // 2**20} MB")
    try:
        # NaN is no JSON, yet Python programs write it, older ComfyUI among them.
        tree = json.loads(content.decode("utf-8-sig"), parse_constant=lambda constant: None)
    except (ValueError, RecursionError) as cause:
        raise error("graph_no_json", name=name, cause=str(cause)[:MOST_SHOWN]) from cause
    return check_tree(tree, name)


def copy_tree(source: Mapping[str, object]) -> object:
    """Copy a dict as JSON would hold it, so that nothing read shares a list with it; LessonError where it cannot."""
    try:
        return json.loads(json.dumps(source), parse_constant=lambda constant: None)
    except (TypeError, ValueError, RecursionError) as cause:
        raise error("graph_no_json", name="dict", cause=str(cause)[:MOST_SHOWN]) from cause


def check_tree(tree: object, name: str) -> Mapping[str, object]:
    """Return the tree if it is an object within the bounds of depth and count; else LessonError."""
    if not isinstance(tree, Mapping):
        raise error("graph_no_object", name=name, kind=type(tree).__name__)
    level, count, depth = [tree], 0, 0
    while level:
        count, depth = count + len(level), depth + 1
        if count > MOST_VALUES or depth > MOST_DEPTH:
            raise error("graph_too_large", name=name, what=f"{count}, {depth}", most=f"{MOST_VALUES}, {MOST_DEPTH}")
        level = [part for value in level if isinstance(value, (dict, list))
                 for part in (value.values() if isinstance(value, dict) else value)]
    return tree


def as_number(value: object, default: float = 0.0) -> float:
    """Return a finite number of the page within a million px, whole where it is; the default for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < math.inf:
        return default
    return max(-10**6, min(10**6, value))


def as_numbers(value: object, count: int) -> list[float]:
    """Return the first numbers of a list, or of the object {"0": ..., "1": ...} that older pages wrote; else none."""
    if isinstance(value, dict):
        value = [value.get(str(place)) for place in range(count)]
    if not isinstance(value, list) or len(value) < count:
        return []
    return [as_number(part) for part in value[:count]]


def as_pair(value: object) -> tuple[float, float] | None:
    """Return two numbers, such as a node's place or size; None for anything else."""
    numbers = as_numbers(value, 2)
    return (numbers[0], numbers[1]) if numbers else None


def as_box(value: object) -> tuple[float, float, float, float] | None:
    """Return left, top, width and height; None for anything else."""
    numbers = as_numbers(value, 4)
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if numbers else None


def as_text(value: object) -> str:
    """Return a text or number as text, "" for anything else."""
    return str(value)[:1000] if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def as_list(value: object) -> list:
    """Return a list, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_dict(value: object) -> dict:
    """Return a dict, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}
