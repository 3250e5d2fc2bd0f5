"""metadata.csv: a set's captions, one row a picture, as the camp's training and Hugging Face's imagefolder read it.

A folder that has its captions in metadata.jsonl keeps that form. What is written again is read strictly, so that no
row is lost, and merged by file name with what the table holds at that moment.
"""

import csv
import io
import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from course_lib.dataset.table_lines import FILE, FILE_NAMES, TEXT, TEXT_NAMES, Row, as_text, plain_name, read_lines
from course_lib.dataset.text_encoding import mend_surrogates
from course_lib.files import is_inside, write_whole
from course_lib.messages import error, text

NAME, JSON_LINES = "metadata.csv", "metadata.jsonl"
SOURCE = "caption_source"  # says who wrote a caption; empty means a person
TWINS = (".txt", ".caption")  # endings of a file with one picture's caption: 0.txt or 0.png.txt beside 0.png
TWIN_BYTES = 1_000_000


def choose_table(folder: str | Path) -> Path:
    """Return where a folder's captions stand: its metadata.csv, unless it has only a metadata.jsonl."""
    folder = Path(folder)
    lines = not (folder / NAME).exists() and (folder / JSON_LINES).exists()
    return folder / (JSON_LINES if lines else NAME)


def read_table(folder: str | Path, name: str = "") -> list[Row]:
    """Read a folder's table of captions (or `name`); LessonError if one row cannot be read, so that none is lost.

    Columns beside file_name and text are kept. A folder without a table has no rows.
    """
    path = Path(folder) / name if name else choose_table(folder)
    return read_rows(path) if path.exists() else []


def read_rows(path: Path) -> list[Row]:
    """Read any table of captions; LessonError if it is none."""
    try:
        table = read_lines(path, strict=True)
    except (OSError, ValueError) as cause:
        raise error("caption_table", path=path, cause=cause) from cause
    bad = next((line for line in table.rows if line.code), None)
    if bad:
        words = text(f"set_{bad.code}", value=bad.value)
        raise error("caption_table", path=path, cause=text("set_line", line=bad.number, words=words))
    if not table.sure or table.doubtful:
        raise error("caption_table", path=path, cause=text("set_row_not_utf8", value=table.encoding))
    named = {plain_name(column) for column in table.columns}
    if path.suffix.lower() not in (".json", ".jsonl") and not (named & set(FILE_NAMES) and named & set(TEXT_NAMES)):
        raise error("caption_table", path=path, cause=f"{FILE}, {TEXT}: {', '.join(table.columns)}")
    return [name_columns(line.cells) for line in table.rows]


def name_columns(cells: Row) -> Row:
    """Return a row with its two chief columns by their own names, whatever a table calls them; both are texts."""
    row = dict(cells)
    for name, others in ((FILE, FILE_NAMES), (TEXT, TEXT_NAMES)):
        if name not in row:
            found = next((each for other in others for each in row if plain_name(each) == other), None)
            row = {name if each == found else each: cell for each, cell in row.items()}
        row[name] = as_text(row.get(name))
    return row


def write_table(folder: str | Path, rows: Sequence[Row], name: str = "") -> Path:
    """Write a folder's table (or `name`) in one step: a CSV has the mark that Excel needs."""
    path = Path(folder) / name if name else choose_table(folder)
    content = write_json_lines(rows) if path.suffix == ".jsonl" else write_csv(rows)
    try:
        write_whole(path, content)
    except OSError as cause:
        raise error("cannot_write", path=path, cause=cause.strerror or cause) from cause
    return path


def write_csv(rows: Sequence[Row]) -> bytes:
    """Return rows as the bytes of a CSV table."""
    columns = list(dict.fromkeys([FILE, TEXT, *(name for row in rows for name in row)]))
    content = io.StringIO(newline="")
    table = csv.DictWriter(content, columns, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows({name: as_text(cell) for name, cell in row.items()} for row in rows)
    return mend_surrogates(content.getvalue()).encode("utf-8-sig")


def write_json_lines(rows: Sequence[Row]) -> bytes:
    """Return rows as the bytes of a file with a JSON object in each line."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    return mend_surrogates("".join(lines)).encode()


def merge_rows(folder: str | Path, rows: Sequence[Row], name: str = "", *, drop: Collection[str] = (),
               keep: Callable[[Row, Row], bool] | None = None) -> None:
    """Put rows into a folder's table as it is now, by file name: what others wrote there stays, blanks replace nothing.

    `drop` names files whose rows go; `keep(there, new)` says True of a row that is to stay as it is there.
    """
    there = read_table(folder, name)
    waiting = {as_text(row[FILE]): row for row in rows}
    merged = []
    for row in there:
        new = waiting.pop(row[FILE], None)
        if row[FILE] in drop:
            continue
        if new is not None and not (keep and keep(row, new)):
            row = row | {key: cell for key, cell in new.items() if cell != "" or key not in row}
        merged.append(row)
    merged += waiting.values()
    if merged != there:
        write_table(folder, merged, name)


def find_file(folder: str | Path, name: str) -> Path:
    """Return the file that a row names; LessonError for a path that leaves the folder, through a link too."""
    path = Path(folder) / name
    if not is_inside(name) or not stays_inside(Path(folder), path):
        raise error("caption_outside", name=repr(name[:200]), folder=folder)
    return path


def stays_inside(folder: Path, path: Path) -> bool:
    """Tell whether a path, its links followed, lies in the folder; False for what no system can follow."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a link that leads to itself, a name too long, a zero byte
        return False


def is_file(path: Path) -> bool:
    """Tell whether there is such a file; False for a name that no system allows."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def find_twin(picture: Path) -> Path | None:
    """Return the file beside a picture that holds its caption, None without one."""
    places = [place for ending in TWINS for place in (picture.with_suffix(ending), Path(f"{picture}{ending}"))]
    return next((place for place in places if place != picture and is_file(place)), None)


def write_twin(folder: Path, name: str, words: str) -> None:
    """Renew the file beside a picture that holds its caption, where there is one, as other trainings read it."""
    twin = find_twin(find_file(folder, name))
    if twin and stays_inside(folder, twin):
        write_whole(twin, mend_surrogates(words).encode())
