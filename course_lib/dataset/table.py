"""metadata.csv: a set's captions, one row a picture, as the camp's training and Hugging Face's imagefolder read it."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from course_lib.files import is_inside
from course_lib.messages import error

NAME = "metadata.csv"
FILE, TEXT, SOURCE = "file_name", "text", "caption_source"  # SOURCE says who wrote a caption; empty means a person
TABLE_BYTES = 200_000_000  # more than a million captions; a file above it is no table of captions


def read_table(folder: str | Path, name: str = NAME) -> list[dict[str, str]]:
    """Read a folder's metadata.csv (or `name`), in utf-8 with or without Excel's mark; LessonError if it is none.

    Columns beside file_name and text are kept. A folder without the file has no rows.
    """
    path = Path(folder) / name
    return read_rows(path) if path.exists() else []


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read any table of captions; LessonError if it is none."""
    try:
        if path.stat().st_size > TABLE_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes")
        with path.open(encoding="utf-8-sig", newline="") as content:
            table = csv.DictReader(content, strict=True, restkey="", restval="")
            rows = [{name: value for name, value in row.items() if name} for row in table]
            names = table.fieldnames or []
    except (OSError, ValueError, csv.Error) as cause:  # UnicodeDecodeError is a ValueError
        raise error("caption_table", path=path, cause=cause) from cause
    if FILE not in names or TEXT not in names:
        raise error("caption_table", path=path, cause=f"{FILE}, {TEXT}: {', '.join(names)}")
    return rows


def write_table(folder: str | Path, rows: Sequence[dict[str, str]], name: str = NAME) -> Path:
    """Write a folder's metadata.csv (or `name`) in one step, with the mark that Excel needs."""
    path = Path(folder) / name
    columns = list(dict.fromkeys([FILE, TEXT, *(name for row in rows for name in row)]))
    part = path.with_name(f"{name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8-sig", newline="") as content:
            table = csv.DictWriter(content, columns, restval="", lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
            content.flush()
            os.fsync(content.fileno())
        os.replace(part, path)
    except OSError as cause:
        part.unlink(missing_ok=True)
        raise error("cannot_write", path=path, cause=cause.strerror or cause) from cause
    return path


def find_file(folder: str | Path, name: str) -> Path:
    """Return the file that a row names; LessonError for a path that leaves the folder, through a link too."""
    path = Path(folder) / name
    if not is_inside(name) or not path.resolve().is_relative_to(Path(folder).resolve()):
        raise error("caption_outside", name=repr(name), folder=folder)
    return path
