"""A raw folder as it is found: its pictures, and the captions that tables, text files or folders' names give.

Nothing outside the folder is read: a row that points out of it, or a link that leads out, is answered with a problem.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from course_lib.dataset.collecting.rights import NOT_FOR_TRAINING
from course_lib.dataset.file_names import Names
from course_lib.dataset.journal import PARTS
from course_lib.dataset.table import (
    JSON_LINES,
    NAME,
    TWIN_BYTES,
    Row,
    choose_table,
    find_twin,
    read_table,
    stays_inside,
)
from course_lib.dataset.table_lines import (
    FILE,
    FILE_NAMES,
    TEXT,
    TEXT_NAMES,
    Line,
    as_text,
    find_cell,
    plain_name,
    read_lines,
)
from course_lib.dataset.text_encoding import Decoded, decode_all
from course_lib.files import POINTER
from course_lib.messages import error, text
from course_lib.pictures.picture_files import looks_like_picture

TABLES = (NAME, JSON_LINES)
CLASS_NAMES = ("label", "class", "category")
SPLITS = ("train", "validation", "test")  # folders that Hugging Face takes for parts of a set, not for classes
REPEATS = re.compile(r"(\d{1,3})_(.+)")  # kohya's folders: how often each picture is repeated, and its words
JUICER = re.compile(r"<__dj__\w+>|<\|__dj__\w+\|>|^<image>|<image>$")  # Data-Juicer's marks
OTHER_TABLES = (".csv", ".tsv", ".jsonl", ".json")
# Names under which others keep captions; a table of another name is named to the learner, and not read.
KNOWN_TABLE = re.compile(r"(meta|caption|prompt|label|annotation|tag|dataset|data|train|image)", re.IGNORECASE)
OWN = ("scenes.jsonl", "augmentation.jsonl", "prepared.json", "truth.csv", "truth_rows.csv")  # ours, no captions
BESIDE = (".json", ".tags", ".cap", ".yaml", ".yml", ".xmp", ".md")  # of a picture's name: perhaps its caption

Remark = tuple[str, dict[str, object]]  # what holds for a set as a whole: a key of texts/dataset.py and its values


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
    """One picture's file, relative to its folder, with its caption, where that came from, and a row's other columns.

    `doubts` are what reading the caption left: (code, verdict, value) of a reason.
    """

    file: str
    caption: str | None = None
    source: str = ""  # the metadata file, "txt" or "folder"
    extra: dict[str, str] = field(default_factory=dict)
    refused: str = ""  # why it is not even opened: path_escape, bad_name or not_for_training
    doubts: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def group(self) -> str:
        """Return the picture's class: what a column says, or else the name of the folder it lies in, or ""."""
        named = next((self.extra[name] for name in CLASS_NAMES if self.extra.get(name)), "")
        folder = PurePosixPath(self.file).parent.name
        repeated = REPEATS.fullmatch(folder)
        return named or (repeated[2] if repeated else "" if folder in SPLITS else folder)

    @property
    def blank(self) -> bool:
        """Whether there is no caption yet."""
        return not (self.caption or "").strip()


@dataclass(slots=True)
class RawFolder:
    """What a raw folder holds: its pictures by name, rows that could not be used, and what is to be remarked."""

    pictures: list[Found]
    problems: list[RowProblem]
    remarks: list[Remark]


def read_folder(folder: Path) -> RawFolder:
    """Read a folder's pictures with their captions; LessonError for none, or for what cannot be looked into."""
    if not folder.is_dir():
        raise error("set_no_folder", folder=folder)
    problems: list[RowProblem] = []
    remarks: list[Remark] = []
    try:
        pictures, tables, others = list_files(folder)
        names = Names(folder, pictures)
        for table in tables:
            if table.name == NOT_FOR_TRAINING:
                bar(names, table, pictures)
            else:
                problems += take_table(names, table, pictures, remarks)
        read_others(names, others, pictures, remarks)
        read_twins(folder, [found for found in pictures.values() if found.blank and not found.refused])
    except OSError as cause:
        raise error("set_cannot_read", place=cause.filename or folder, cause=cause.strerror or cause) from cause
    if not pictures:
        raise error("set_no_pictures", folder=folder)
    ordered = [pictures[name] for name in sorted(pictures)]
    name_classes(ordered, remarks)
    return RawFolder(ordered, problems, remarks)


def list_rows(folder: Path) -> list[Row]:
    """Return the rows of a folder's table, and one for each picture without, with the caption it has elsewhere."""
    rows = read_table(folder)
    listed = {row[FILE] for row in rows}
    pictures = [found for found in read_folder(folder).pictures if not found.refused and found.file not in listed]
    return rows + [{FILE: found.file, TEXT: found.caption or ""} for found in pictures]


def find_set(folder: str | Path) -> Path:
    """Return the folder whose captions are meant: a set's train, where the folder itself has no table."""
    folder = Path(folder)
    train = folder / PARTS[0]
    return train if not choose_table(folder).is_file() and choose_table(train).is_file() else folder


def list_files(folder: Path) -> tuple[dict[str, Found], list[Path], list[Path]]:
    """Walk a folder -> its pictures by their path in it, its metadata files, and other files that may hold captions.

    Hidden files are passed over.
    """
    pictures: dict[str, Found] = {}
    tables, others = [], []
    for place, folders, names in os.walk(folder, onerror=stop):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in sorted(names):
            path = Path(place) / name
            inside = stays_inside(folder, path)
            if name in (*TABLES, NOT_FOR_TRAINING) and inside:
                tables.append(path)
            elif not name.startswith(".") and (not inside or looks_like_picture(path)):
                add_picture(folder, path, pictures)
            elif not name.startswith((".", *OWN)) and path.suffix.lower() in {*OTHER_TABLES, *BESIDE}:
                others.append(path)
        for name in linked:  # not walked: what lies behind a link may be anything
            add_picture(folder, Path(place) / name, pictures)
    return pictures, tables, others


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


def take_table(names: Names, table: Path, pictures: dict[str, Found], remarks: list[Remark]) -> list[RowProblem]:
    """Give the pictures the captions of one metadata file -> its rows that could not be used."""
    name = table.relative_to(names.folder).as_posix()
    lines = read_lines(table)
    problems = []
    if lines.encoding and lines.encoding != "utf-8" or lines.doubtful:
        problems.append(RowProblem(name, min(lines.doubtful, default=1), "row_not_utf8", lines.encoding))
    seen = set()
    for line in lines.rows:
        wanted, listed = find_name(line.cells)
        target, code = ("", line.code) if line.code else names.find(table.parent, wanted, listed)
        if not code and (target in seen or pictures.setdefault(target, Found(target)).source):
            code = "row_duplicate"
        if code:
            problems.append(RowProblem(name, line.number, code, line.value or wanted[:200]))
            continue
        seen.add(target)
        take_row(pictures[target], line, name, listed)
        if line.number in lines.doubtful or not lines.sure:
            pictures[target].doubts.append(("caption_encoding", "warn", lines.encoding))
    if any(find_name(line.cells)[1] for line in lines.rows):
        remarks.append(("data_juicer", {"table": name}))
    return problems


def find_name(cells: Row) -> tuple[str, bool]:
    """Return the file name that a row gives, and whether in a list, as Data-Juicer does; "" for none or several."""
    cell = find_cell(cells, FILE_NAMES)
    if isinstance(cell, list):
        return (cell[0], True) if len(cell) == 1 and isinstance(cell[0], str) else ("", False)
    if isinstance(cell, dict):  # as `datasets` writes a picture
        cell = cell.get("path")
    return as_text(cell), False


def take_row(found: Found, line: Line, source: str, listed: bool) -> None:
    """Give a picture what a row says of it."""
    cell = find_cell(line.cells, TEXT_NAMES)
    words = as_text(cell)
    found.caption = None if cell is None else JUICER.sub(" ", words).strip() if listed else words
    found.source = source
    found.extra = {key: as_text(value) for key, value in line.cells.items()
                   if plain_name(key) not in FILE_NAMES + TEXT_NAMES and not key.startswith("__dj__")}


def read_others(names: Names, others: list[Path], pictures: dict[str, Found],
                remarks: list[Remark]) -> None:
    """Take captions that are still wanting from tables of other names, and name the files that seem to hold some."""
    stems = {place for found in pictures.values() if found.blank
             for place in (str(names.folder / found.file), str((names.folder / found.file).with_suffix("")))}
    unread = [path for path in others if str(path.with_suffix("")) in stems and path.suffix.lower() in BESIDE]
    for table in (path for path in others if path not in unread and path.suffix.lower() in OTHER_TABLES):
        name = table.relative_to(names.folder).as_posix()
        given = match_rows(names, table, pictures)
        if not given:
            continue
        wanting = [(found, line) for found, line in given if found.blank and not found.source]
        if wanting and KNOWN_TABLE.match(table.name):
            for found, line in wanting:
                take_row(found, line, name, True)
            remarks.append(("other_table", {"table": name, "count": len(wanting)}))
        else:
            unread.append(table)
    if unread:
        shown = [path.relative_to(names.folder).as_posix() for path in unread]
        remarks.append(("not_read", {"files": text("list_comma").join(shown[:3]), "count": len(shown)}))


def match_rows(names: Names, table: Path, pictures: dict[str, Found]) -> list[tuple[Found, Line]]:
    """Return the rows of a table of another name that give pictures captions; none of what is no such table."""
    try:
        lines = read_lines(table)
    except ValueError:
        return []
    matched = []
    for line in lines.rows:
        wanted = find_name(line.cells)[0]
        if wanted and find_cell(line.cells, TEXT_NAMES) is not None:
            target, code = names.find(table.parent, wanted, True)
            if not code and target in pictures:
                matched.append((pictures[target], line))
                if not lines.sure or lines.encoding != "utf-8":
                    doubt = ("caption_encoding", "fix" if lines.sure else "warn", lines.encoding)
                    pictures[target].doubts.append(doubt)
    return matched


def bar(names: Names, table: Path, pictures: dict[str, Found]) -> None:
    """Mark the pictures that `sources` and `crawler` have listed as not to be trained on."""
    for line in read_lines(table).rows:
        target, code = names.find(table.parent, as_text(line.cells.get(FILE)), False)
        if not code and target in pictures:
            pictures[target].refused = "not_for_training"


def read_twins(folder: Path, wanting: list[Found]) -> None:
    """Give pictures the captions of the text files beside them; all are decoded together, for most are of one hand."""
    held, contents = [], []
    for found in wanting:
        twin = find_twin(folder / found.file)
        if twin is None or not stays_inside(folder, twin):
            continue
        if twin.stat().st_size > TWIN_BYTES:
            found.doubts.append(("caption_huge", "drop", twin.name))
            continue
        held.append(found)
        contents.append(twin.read_bytes())
    for found, read in zip(held, decode_all(contents)):
        take_twin(found, read)


def take_twin(found: Found, read: Decoded) -> None:
    """Give a picture the caption that the file beside it holds, and say what is doubtful about it."""
    found.source = "txt"
    if not read.encoding:
        found.doubts.append(("caption_unreadable", "drop", ""))
    elif read.text.startswith(POINTER.decode()):
        found.doubts.append(("lfs_pointer", "drop", ""))
    else:
        found.caption = read.text.strip()
        if read.encoding != "utf-8":
            found.doubts.append(("caption_encoding", "fix" if read.sure else "warn", read.encoding))


def name_classes(pictures: list[Found], remarks: list[Remark]) -> None:
    """Caption pictures by their folders: those of kohya's, and of a set that has nothing but class folders."""
    repeated = [found for found in pictures if REPEATS.fullmatch(PurePosixPath(found.file).parent.name)]
    if repeated:
        folders = sorted({PurePosixPath(found.file).parent.name for found in repeated})
        remarks.append(("repeat_folders", {"folders": text("list_comma").join(folders[:5])}))
    for found in repeated:
        if found.caption is None and not found.doubts:
            found.caption, found.source = found.group, "folder"
    classes = {found.group for found in pictures}
    if len(classes) > 1 and "" not in classes and all(found.caption is None for found in pictures):
        for found in pictures:
            found.caption, found.source = found.group.replace("_", " "), "folder"
