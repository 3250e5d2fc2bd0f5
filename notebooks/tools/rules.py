"""What a lesson's source and its stored outputs must be like, and how a source is read; the rules behind `lessons`.

For maintainers; learners never need it. A source is a py:percent file; CONTRIBUTING.md shows one.
"""

import ast
import base64
import re
from dataclasses import dataclass
from xml.etree import ElementTree

import jupytext

from course_lib.messages import LANGUAGES

PICTURE_BYTES = 40_000
DRAWING_BYTES = 60_000
PICTURE_TYPES = {"image/png", "text/plain"}
DRAWING = "image/svg+xml"
# What a drawing is made of; GitHub and nbconvert put it into their page as it is, so nothing in it may act or load.
DRAWING_TAGS = {"svg", "g", "rect", "circle", "path", "text"}

FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
FENCED_CODE = re.compile(r"^```\w.*?^```", re.DOTALL | re.MULTILINE)
# What a translator copies: label -> pattern; the sets must be equal in both halves of a pair.
COPIED = {
    "names in backticks": re.compile(r"`([^`\n]+)`"),
    "web addresses": re.compile(r"(https?://[\w.~:/?#@!$&*+,;=%-]*[\w/#=])", re.ASCII),
    "pictures": re.compile(r"!\[[^\]]*\]\(([^)\s]+)"),
}
HEADING = re.compile(r"^(#{1,6}) ", re.MULTILINE)
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/<~-])/(?:home|root|Users|mnt|tmp|work|opt|usr|var|content)/|\b[A-Z]:\\")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")


class LessonsOutOfStep(Exception):
    """Sources, notebooks or record of the lessons do not fit together; each line of the text names one problem."""


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson's source: its text in each language (equal for shared code) and its metadata."""

    kind: str  # "markdown" or "code"
    texts: dict
    metadata: dict


def read_source(path):
    """Parse a py:percent source into its Cells; LessonsOutOfStep where the two languages do not pair up."""
    raw = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent").cells
    cells, position = [], 0
    while position < len(raw):
        cell, number = raw[position], position + 1
        metadata = {k: v for k, v in cell.metadata.items() if k not in ("lang", "cell_marker") and k[:9] != "lines_to_"}
        language = cell.metadata.get("lang")
        here = f"{path.stem}, source cell {number} ({first_words(cell.source)})"
        first_code = cell.cell_type == "code" and all(earlier.kind != "code" for earlier in cells)
        if cell.cell_type not in ("markdown", "code"):
            raise LessonsOutOfStep(f"{here}: only markdown and code cells, not {cell.cell_type}")
        if cell.cell_type == "code" and first_code != (language is not None):
            raise LessonsOutOfStep(f"{here}: the first code cell is a zh/en pair, all others have no language")
        if cell.cell_type == "code" and language is None:
            cells.append(Cell("code", dict.fromkeys(LANGUAGES, cell.source), metadata))
            position += 1
            continue
        twin = raw[position + 1] if number < len(raw) else None
        if language != "zh" or twin is None or (twin.cell_type, twin.metadata.get("lang")) != (cell.cell_type, "en"):
            raise LessonsOutOfStep(f'{here}: lang="zh" must be followed at once by its lang="en"')
        if {k: v for k, v in twin.metadata.items() if k in metadata} != metadata:
            raise LessonsOutOfStep(f"{here}: the two halves have different metadata")
        cells.append(Cell(cell.cell_type, {"zh": cell.source, "en": twin.source}, metadata))
        position += 2
    return cells


def first_words(text):
    """Return the start of a text's first line, to name a cell by."""
    lines = text.strip().splitlines() or ["empty"]
    return lines[0] if len(lines[0]) <= 40 else lines[0][:39] + "…"


def prose_pairs(cells):
    """Return the prose of a lesson as (zh, en) pairs, in order."""
    return [(cell.texts["zh"], cell.texts["en"]) for cell in cells if cell.kind == "markdown"]


def source_problems(name, cells):
    """Say where a lesson's source breaks the rules that a look at the source alone can tell."""
    problems = []
    for number, (zh, en) in enumerate(prose_pairs(cells), 1):
        here = f"{name}, pair {number} ({first_words(zh)})"
        for label, pattern in COPIED.items():
            in_zh, in_en = (set(pattern.findall(FENCED.sub("", text))) for text in (zh, en))
            if in_zh != in_en:
                only_zh, only_en = sorted(in_zh - in_en), sorted(in_en - in_zh)
                problems.append(f"{here}: {label} differ: only in Chinese {only_zh}, only in English {only_en}")
        if HEADING.findall(FENCED.sub("", zh)) != HEADING.findall(FENCED.sub("", en)):
            problems.append(f"{here}: heading levels differ")
        if FENCED_CODE.findall(zh) != FENCED_CODE.findall(en):
            problems.append(f"{here}: a fenced block with a language (```bash) differs")
    code = [cell for cell in cells if cell.kind == "code"]
    if not code:
        return [*problems, f"{name}: has no code cell"]
    zh, en = code[0].texts["zh"], code[0].texts["en"]
    if 'set_language("zh")' not in zh or zh.replace('"zh"', '"en"') != en:
        problems.append(f'{name}, first code cell: calls set_language("zh") and ("en"), and differs in nothing else')
    for number, cell in enumerate(code, 1):
        problems += [f"{name}, code cell {number}: {what}" for what in code_problems(cell)]
    for cell in cells:
        if any(ABSOLUTE_PATH.search(text) for text in cell.texts.values()):
            problems.append(f"{name} ({first_words(cell.texts['zh'])}): an absolute path")
    return problems


def code_problems(cell):
    """Say what a code cell of a lesson must not do."""
    source = cell.texts["zh"]
    try:
        ast.parse(source)
    except SyntaxError as error:
        return [f"not plain Python (no ! and % lines): {error}"]
    rules = {
        "is empty": not source.strip(),
        "ends with ';', which the tests cannot repeat: assign to a name instead": source.rstrip().endswith(";"),
        "uses get_ipython": "get_ipython" in source,
        "reaches out of its folder, which differs between the editions: ask course_lib for the path": "../" in source,
        "is skipped by the tests": "NBVAL_SKIP" in source or "nbval-skip" in cell.metadata.get("tags", []),
    }
    return [what for what, broken in rules.items() if broken]


def code_cells(notebook):
    """Return a notebook's code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def stored_problems(cell, number):
    """Say what is wrong with the stored outputs of the number-th code cell of a notebook."""
    problems = []
    if cell.execution_count != number:
        problems.append(f"execution count is {cell.execution_count}, not {number}: not run from top to bottom")
    for output in cell.outputs:
        if output.output_type == "error":
            problems.append(f"stores an error: {output.ename}")
        if output.get("name") == "stderr":
            problems.append(f"stores stderr: {first_words(output.text)}")
        data = output.get("data", {})
        pictures = {mime for mime in data if mime.startswith("image/")}
        if pictures and not (pictures == {"image/png"} and set(data) <= PICTURE_TYPES
                             or DRAWING in data and set(data) <= {DRAWING, "text/html", "text/plain"}):
            problems.append(f"a picture is one PNG with its text, or one SVG, not {sorted(data)}")
        if DRAWING in data:
            problems += drawing_problems(data[DRAWING])
        if len(base64.b64decode(data.get("image/png", ""))) > PICTURE_BYTES:
            problems.append(f"a picture is larger than {PICTURE_BYTES} bytes")
        shown = "\n".join([output.get("text", ""), *(v for k, v in data.items() if k.startswith("text/"))])
        if ADDRESS.search(shown):
            problems.append(f"shows an object's address: {ADDRESS.search(shown)[0]}")
        if ABSOLUTE_PATH.search(shown):
            problems.append(f"shows an absolute path: {ABSOLUTE_PATH.search(shown)[0]}")
    return problems


def drawing_problems(svg):
    """Say why a lesson may not store an SVG: too large, or more in it than plain shapes and text."""
    try:
        marks = list(ElementTree.fromstring(svg).iter())
    except ElementTree.ParseError as cause:
        return [f"an SVG that is no XML: {cause}"]
    tags = {mark.tag.rpartition("}")[2] for mark in marks} - DRAWING_TAGS
    names = {name for mark in marks for name in mark.attrib if name.startswith("on") or name.endswith("href")
             or name in ("style", "id", "class")}
    problems = [f"an SVG of plain shapes only, not with {sorted(tags | names)}"] if tags or names else []
    return problems + ([f"a drawing is larger than {DRAWING_BYTES} bytes"] if len(svg) > DRAWING_BYTES else [])
