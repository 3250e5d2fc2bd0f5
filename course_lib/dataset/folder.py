"""A raw folder as it is found: its pictures, and the captions that metadata.csv, metadata.jsonl or .txt files give.

Nothing outside the folder is read: a row that points out of it, or a link that leads out, is answered with a problem.
"""

import csv
import io
import json
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from course_lib.dataset.collecting.rights import NOT_FOR_TRAINING
from course_lib.messages import error, text
from course_lib.pictures.picture_files import looks_like_picture

METADATA = ("metadata.csv", "metadata.jsonl")
FILE_NAMES = ("file_name", "image", "file", "filename")  # a column's name: Hugging Face's, DiffSynth's, and two more
TEXT_NAMES = ("text", "caption", "prompt")
CLASS_NAMES = ("label", "class", "category")
SPLITS = ("train", "validation", "test")  # folders that Hugging Face takes for parts of a set, not for classes


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row of a metadata file that gives no picture its caption: the line it begins in, a code, what stands there."""

    file: str
    line: int
    code: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}  {self.words}"

    @property
    def words(self) -> str:
        """Say what is wrong with the row, in the learner's language."""
        return text(f"set_{self.code}", value=self.value)


@dataclass(slots=True)
class Found:
    """One picture's file, relative to its folder, with its caption, where that came from, and a row's other columns."""

    file: str
    caption: str | None = None
    source: str = ""  # the metadata file, "txt" or "folder"
    extra: dict[str, str] = field(default_factory=dict)
    refused: str = ""  # why it is not even opened: path_escape, bad_name or not_for_training

    @property
    def group(self) -> str:
        """Return the picture's class: what a column says, or else the name of the folder it lies in, or ""."""
        named = next((self.extra[name] for name in CLASS_NAMES if self.extra.get(name)), "")
        folder = PurePosixPath(self.file).parent.name
        return named or ("" if folder in SPLITS else folder)


def read_folder(folder: Path) -> tuple[list[Found], list[RowProblem]]:
    """List a folder's pictures by name, with their captions, and the rows that belong to none; LessonError for none."""
    if not folder.is_dir():
        raise error("set_no_folder", folder=folder)
    problems = []
    try:
        pictures, tables = list_files(folder)
        for table in tables:
            if table.name == NOT_FOR_TRAINING:
                bar(folder, table, pictures)
            else:
                problems += read_table(folder, table, pictures)
        for found in pictures.values():
            if not (found.caption or "").strip() and not found.refused:
                read_twin(folder, found)
    except OSError as cause:
        raise error("set_cannot_read", place=cause.filename or folder, cause=cause.strerror or cause) from cause
    if not pictures:
        raise error("set_no_pictures", folder=folder)
    return name_classes([pictures[name] for name in sorted(pictures)]), problems


def list_files(folder: Path) -> tuple[dict[str, Found], list[Path]]:
    """Walk a folder -> its pictures by their path in it, and its metadata files; hidden files are passed over."""
    pictures, tables = {}, []
    for place, folders, names in os.walk(folder, onerror=stop):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in sorted(names):
            path = Path(place) / name
            if name in (*METADATA, NOT_FOR_TRAINING) and stays_inside(folder, path):
                tables.append(path)
            elif not name.startswith(".") and (not stays_inside(folder, path) or looks_like_picture(path)):
                add_picture(folder, path, pictures)
        for name in linked:  # not walked: what lies behind a link may be anything
            add_picture(folder, Path(place) / name, pictures)
    return pictures, tables


def stop(problem: OSError) -> None:
    """Raise what `os.walk` would pass over: a folder that cannot be looked into."""
    raise problem


def add_picture(folder: Path, path: Path, pictures: dict[str, Found]) -> None:
    """Note one file, refused if it is a link out of the folder; a link within it to a folder is passed over."""
    name = path.relative_to(folder).as_posix()
    shown = name.encode("utf-8", "backslashreplace").decode()
    if shown != name:  # bytes that are no text, as an archive packed in GBK leaves them: no table can name the file
        pictures[shown] = Found(shown, refused="bad_name")
    elif not stays_inside(folder, path):
        pictures[name] = Found(name, refused="path_escape")
    elif not path.is_dir():
        pictures[name] = Found(name)


def stays_inside(folder: Path, path: Path) -> bool:
    """Tell whether a path, its links followed, lies in the folder."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link that leads to itself
        return False


def read_table(folder: Path, table: Path, pictures: dict[str, Found]) -> list[RowProblem]:
    """Give the pictures the captions of one metadata file -> its rows that could not be used."""
    name = table.relative_to(folder).as_posix()
    problems, seen = [], set()
    content, exact = decode(table.read_bytes())
    if not exact:
        problems.append(RowProblem(name, 1, "row_not_utf8"))
    rows = read_json_lines(content) if table.suffix == ".jsonl" else read_csv(content)
    for line, row in rows:
        if isinstance(row, tuple):
            problems.append(RowProblem(name, line, *row))
            continue
        wanted = next((row[key] for key in FILE_NAMES if row.get(key)), "")
        target, code = find_file(folder, table.parent, wanted)
        if not code and target in seen:
            code = "row_duplicate"
        if code:
            problems.append(RowProblem(name, line, code, wanted[:200]))
            continue
        seen.add(target)
        found = pictures.setdefault(target, Found(target))
        if found.source:
            problems.append(RowProblem(name, line, "row_duplicate", wanted[:200]))
            continue
        found.caption = next((row[key] for key in TEXT_NAMES if key in row), None)
        found.source = name
        found.extra = {key: value for key, value in row.items() if key not in FILE_NAMES + TEXT_NAMES}
    return problems


def bar(folder: Path, table: Path, pictures: dict[str, Found]) -> None:
    """Mark the pictures that `sources` and `crawler` have listed as not to be trained on."""
    for _, row in read_csv(decode(table.read_bytes())[0]):
        wanted = row.get(FILE_NAMES[0], "") if isinstance(row, dict) else ""
        target, code = find_file(folder, table.parent, wanted)
        if not code and target in pictures:
            pictures[target].refused = "not_for_training"


def decode(content: bytes) -> tuple[str, bool]:
    """Return a file's text, and whether it was UTF-8; Excel in China writes GB 18030."""
    try:
        return content.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return content.decode("gb18030", errors="replace"), False


def read_json_lines(content: str) -> Iterator[tuple[int, dict[str, str] | tuple[str, str]]]:
    """Yield each line's number and its row, or (code, what stands there)."""
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            yield number, {str(key): as_text(value) for key, value in row.items()}
        else:
            yield number, ("row_bad_json", line[:80])


def as_text(value: object) -> str:
    """Return a JSON value as a cell's text."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def read_csv(content: str) -> Iterator[tuple[int, dict[str, str] | tuple[str, str]]]:
    """Yield the number of each row's first line and the row, or (code, what stands there)."""
    reader = csv.reader(io.StringIO(content, newline=""))
    header, line = None, 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as cause:
            yield line, ("row_bad_csv", str(cause))
            cells = []
        if cells and header is None:
            header = [cell.strip() for cell in cells]
            if not set(header) & set(FILE_NAMES):
                yield line, ("row_no_header", ",".join(header)[:80])
                return
        elif cells:
            yield line, join_cells(header, cells)
        line = reader.line_num + 1


def join_cells(header: list[str], cells: list[str]) -> dict[str, str] | tuple[str, str]:
    """Return a row by its header; cells too many are a caption's commas if the caption stands last."""
    if len(cells) > len(header):
        if header[-1] not in TEXT_NAMES:
            return "row_bad_csv", ",".join(cells)[:80]
        cells = [*cells[:len(header) - 1], ",".join(cells[len(header) - 1:])]
    return dict(zip(header, cells))


def find_file(folder: Path, base: Path, wanted: str) -> tuple[str, str]:
    """Return the path in the folder that a row's file name means, and "" or the code of what is wrong with it."""
    if not wanted.strip():
        return "", "row_without_file"
    name = wanted.strip().replace("\\", "/")
    parts = PurePosixPath(name).parts
    if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in parts or "\0" in name:
        return "", "path_escape"
    path = base / name
    if not os.path.lexists(path):
        path = find_spelling(path)
    if path is None:
        return "", "file_missing"
    if not stays_inside(folder, path):
        return "", "path_escape"
    return path.relative_to(folder).as_posix(), "" if path.is_file() else "file_missing"


def find_spelling(path: Path) -> Path | None:
    """Return the file whose name is the same letters, differently composed: macOS takes é for e and an accent."""
    wanted = unicodedata.normalize("NFC", path.name)
    if wanted.isascii() or not path.parent.is_dir():
        return None
    return next((each for each in path.parent.iterdir() if unicodedata.normalize("NFC", each.name) == wanted), None)


def read_twin(folder: Path, found: Found) -> None:
    """Take the caption of a picture from the .txt file beside it, where there is one in the folder."""
    twin = (folder / found.file).with_suffix(".txt")
    if twin.is_file() and stays_inside(folder, twin):
        found.caption, found.source = decode(twin.read_bytes())[0], "txt"


def name_classes(pictures: list[Found]) -> list[Found]:
    """Caption the pictures of a set that has nothing but class folders with the names of those."""
    classes = {found.group for found in pictures}
    if len(classes) > 1 and "" not in classes and all(found.caption is None for found in pictures):
        for found in pictures:
            found.caption, found.source = found.group.replace("_", " "), "folder"
    return pictures
