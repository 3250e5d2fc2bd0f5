"""Tables of captions as they are found: CSV, JSON lines or JSON, in any encoding, read row by row."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_lib.dataset.text_encoding import Decoded, decode, mend_surrogates
from course_lib.files import POINTER

FILE, TEXT = "file_name", "text"
# Other names of the two columns: Hugging Face's, DiffSynth's, Data-Juicer's, kohya's, and more.
FILE_NAMES = (FILE, "image", "images", "file", "filename", "image_path", "image_file", "img", "path")
TEXT_NAMES = (TEXT, "caption", "prompt", "captions", "description", "tags")
TABLE_BYTES = 200_000_000  # more than a million captions; a file above it is no table of captions
DELIMITERS = ",;\t|"
BLANK = " \t\u3000\xa0\ufeff"

Row = dict[str, Any]  # a row by its columns: texts; of a JSON table also numbers, lists and whatever else it holds


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: the number of its first line, its cells; or the code of what is wrong and what stands there."""

    number: int
    cells: Row = field(default_factory=dict)
    code: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """A table's rows, a CSV's column names, its encoding ("" for no text), and whether that is `sure`.

    `doubtful` are the numbers of lines in another encoding than the rest.
    """

    rows: list[Line]
    columns: list[str] = field(default_factory=list)
    encoding: str = "utf-8"
    sure: bool = True
    doubtful: frozenset[int] = frozenset()


def read_lines(path: Path, strict: bool = False) -> Lines:
    """Read a table row by row: .csv, .tsv, .jsonl or .json; OSError where it cannot be read, ValueError if too large.

    `strict` answers a quotation mark in a wrong place with a problem, which else is taken for a letter.
    """
    if path.stat().st_size > TABLE_BYTES:
        raise ValueError(f"{path.stat().st_size} bytes")
    read, doubtful = decode_lines(path.read_bytes())
    if not read.encoding:
        return Lines([Line(1, code="row_no_text")], encoding="", sure=False)
    if read.text.startswith(POINTER.decode()):
        return Lines([Line(1, code="lfs_pointer", value=path.name)])
    columns: list[str] = []
    if path.suffix.lower() == ".jsonl":
        rows = list(read_json_lines(read.text))
    elif path.suffix.lower() == ".json":
        rows = list(read_json(read.text))
    else:
        columns, rows = read_csv(read.text, strict)
    return Lines(rows, columns, read.encoding, read.sure, doubtful)


def decode_lines(content: bytes) -> tuple[Decoded, frozenset[int]]:
    """Read a table's text -> it, and the numbers of lines in another encoding, as a program adds them to a table."""
    whole = decode(content)
    lines = content.split(b"\n")
    other = [number for number, line in enumerate(lines) if not is_utf8(line)]
    wide = sum(not line.isascii() for line in lines)
    if not other or 2 * len(other) > wide or whole.encoding.startswith("utf-16"):
        return whole, frozenset()
    told = decode(b"\n".join(lines[number] for number in other)).text.split("\n")
    mended = dict(zip(other, told))
    text = "\n".join(mended.get(number, "") if number in mended else line.decode() for number, line in enumerate(lines))
    return Decoded(text.removeprefix("\ufeff")), frozenset(number + 1 for number in other)


def is_utf8(line: bytes) -> bool:
    """Tell whether a line's bytes are UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def read_json_lines(content: str) -> Iterator[Line]:
    """Yield the rows of a file that holds a JSON object in each line."""
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            yield make_line(number, parse(line), line)


def read_json(content: str) -> Iterator[Line]:
    """Yield the rows of a JSON file, numbered from 1: a list, columns, or captions by the pictures' names."""
    told = parse(content)
    rows = list_rows(told) if isinstance(told, (dict, list)) else [None]
    for number, row in enumerate(rows, 1):
        yield make_line(number, row, content if rows == [None] else str(row))


def parse(content: str) -> object:
    """Return the value of a piece of JSON, None for none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def make_line(number: int, row: object, shown: str) -> Line:
    """Return a JSON object as a row, fit to be written again: no half letters, no blanks around; or what is wrong."""
    if not isinstance(row, dict):
        return Line(number, code="row_bad_json", value=mend_surrogates(shown[:80]))
    return Line(number, {mend_surrogates(str(key)): mend_surrogates(value).strip() if isinstance(value, str) else value
                         for key, value in row.items()})


def list_rows(told: dict | list) -> list:
    """Return the rows that a JSON value holds, in one of the forms in use."""
    if isinstance(told, list):
        return told
    columns = {key: list(value.values()) if isinstance(value, dict) else value for key, value in told.items()
               if plain_name(key) in FILE_NAMES + TEXT_NAMES and isinstance(value, (dict, list))}
    if {plain_name(key) for key in columns} & set(FILE_NAMES) and len(columns) > 1:  # as pandas writes a table
        return [dict(zip(columns, cells)) for cells in zip(*columns.values())]
    tables = [value for value in told.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if len(tables) == 1:
        return tables[0]
    # by the pictures' names, as kohya's finetuning writes them
    return [{FILE: name, **(value if isinstance(value, dict) else {TEXT: value})} for name, value in told.items()]


def read_csv(content: str, strict: bool = False) -> tuple[list[str], list[Line]]:
    """Return the header's names and the rows of a table whose cells are parted by one of DELIMITERS."""
    header: list[str] = []
    rows: list[Line] = []
    spaced, number = False, 1
    delimiter = find_delimiter(content)
    quoted = f'{delimiter} "' in content  # only then blanks come before cells: elsewhere they may be a caption's
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, skipinitialspace=quoted, strict=strict)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return header, trim(rows, spaced)
        except csv.Error as cause:
            rows.append(Line(number, code="row_bad_csv", value=str(cause)))
            cells = []
        if cells and not header:
            header, spaced = [cell.strip(BLANK) for cell in cells], any(cell != cell.rstrip(BLANK) for cell in cells)
            if not {plain_name(name) for name in header} & set(FILE_NAMES):
                return header, [*rows, Line(number, code="row_no_header", value=",".join(header)[:80])]
        elif cells:
            rows.append(join_cells(number, header, cells))
        number = reader.line_num + 1


def find_delimiter(content: str) -> str:
    """Return what parts the cells of a table, by its header; a comma where no header names a file's column."""
    header = next((line for line in content[:10_000].splitlines() if line.strip()), "")
    named = (delimiter for delimiter in DELIMITERS if delimiter in header
             and {plain_name(cell) for cell in header.split(delimiter)} & set(FILE_NAMES))
    return next(named, ",")


def plain_name(name: object) -> str:
    """Return a column's name as it is compared: "File Name" is file_name."""
    return str(name).strip(BLANK + '"').lower().replace(" ", "_")


def join_cells(number: int, header: list[str], cells: list[str]) -> Line:
    """Return a row by its header; cells too many are a caption's commas if the caption stands last."""
    if len(cells) > len(header):
        if plain_name(header[-1]) not in TEXT_NAMES and any(cell.strip() for cell in cells[len(header):]):
            return Line(number, code="row_bad_csv", value=",".join(cells)[:80])
        cells = [*cells[:len(header) - 1], ",".join(cells[len(header) - 1:])]
    return Line(number, {name: cell.lstrip(" \u3000\xa0\ufeff") for name, cell in zip(header, cells) if name})


def trim(rows: list[Line], spaced: bool) -> list[Line]:
    """Take the blanks off the ends of cells where the table puts them there as a rule, so that one alone is kept."""
    texts = [[cell for cell in row.cells.values() if isinstance(cell, str)] for row in rows]
    ending = sum(any(cell != cell.rstrip(BLANK) for cell in cells) for cells in texts)
    if not spaced and 2 * ending <= len(rows):
        return rows
    return [Line(row.number, {name: cell.rstrip(BLANK) for name, cell in row.cells.items()}, row.code, row.value)
            for row in rows]


def find_cell(cells: Row, names: tuple[str, ...]) -> object:
    """Return the cell of the first of these columns that a row has, None without one."""
    known = {plain_name(name): cell for name, cell in reversed(cells.items())}
    return next((known[name] for name in names if name in known), None)


def as_text(value: object) -> str:
    """Return a JSON value as a cell's text."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
