"""What a training learns from: the pictures that metadata.csv names, with their captions, each checked before use."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from course_lib.dataset.table import NAME, is_file, stays_inside
from course_lib.dataset.table_lines import FILE, TEXT, as_text, read_lines
from course_lib.messages import error, text
from course_lib.pictures import picture_files
from course_lib.pictures.opening import MOST_PIXELS, Unreadable

METADATA = NAME
COLUMNS = (FILE, TEXT)  # the camp's, and Hugging Face's imagefolder
DECLARED = ("utf-8", "utf-16", "utf-32")  # encodings that a file is in for certain; the last two by their mark
SHOWN_ROWS = 5  # that an error names


@dataclass(frozen=True)
class Row:
    """A picture with its caption: `digest` is the sha256 of the file, `size` the picture's width and height in px."""

    file: Path
    caption: str
    digest: str
    size: tuple[int, int]

    @property
    def picture(self) -> Image.Image:
        """Read the picture, RGB, upright; not kept, for a whole set of photographs would fill the memory.

        LessonError where the file is no longer the one that was read first.
        """
        digest, picture = open_picture(self.file)
        if digest != self.digest:
            raise error("train_picture_changed", file=self.file)
        return picture


def read_rows(folder: Path, workers: int = 0) -> list[Row]:
    """Read the pictures that folder/metadata.csv names; LessonError for what is missing, broken or elsewhere."""
    if not folder.is_dir():
        raise error("train_no_folder", folder=folder)
    listed = read_metadata(folder / METADATA)
    places = [find_picture(folder, name, line) for line, name, _ in listed]
    with ThreadPoolExecutor(max_workers=max(workers, 1)) as threads:
        checked = list(threads.map(check_picture, places))
    return [Row(place, caption, digest, size)
            for place, (_, _, caption), (digest, size) in zip(places, listed, checked)]


def read_metadata(file: Path) -> list[tuple[int, str, str]]:
    """Return line number, file name and caption of each row of a metadata.csv in utf-8, with a BOM or without one."""
    if not file.is_file():
        raise error("train_no_metadata", file=file)
    try:
        table = read_lines(file)
    except (OSError, ValueError) as cause:
        raise error("train_metadata_broken", file=file, cause=cause) from cause
    if table.encoding not in DECLARED or table.doubtful:  # another may be meant: nothing is trained on a guess
        raise error("train_metadata_encoding", file=file, encoding=table.encoding or "?")
    if table.columns and not set(COLUMNS) <= set(table.columns):
        raise error("train_metadata_header", file=file, found=",".join(table.columns)[:200])
    bad = next((line for line in table.rows if line.code), None)
    if bad:
        words = text(f"set_{bad.code}", value=bad.value)
        raise error("train_metadata_broken", file=file, cause=text("set_line", line=bad.number, words=words))
    rows = [(line.number, as_text(line.cells.get(FILE)).strip(), as_text(line.cells.get(TEXT)).strip())
            for line in table.rows]
    if not rows:
        raise error("train_metadata_empty", file=file)
    unnamed, wordless = ([line for line, *row in rows if not row[column]] for column in (0, 1))
    if unnamed or wordless:
        key = "train_name_missing" if unnamed else "train_caption_missing"
        lines = [str(line) for line in unnamed or wordless]
        raise error(key, file=file, count=len(lines), lines=text("list_comma").join(lines[:SHOWN_ROWS]))
    return rows


def find_picture(folder: Path, name: str, line: int) -> Path:
    """Return the place of a picture that metadata.csv names; LessonError unless it is a file inside the folder."""
    place = folder / name
    if "\0" in name or not stays_inside(folder, place):
        raise error("train_picture_outside", name=name[:200], line=line, folder=folder)
    if not is_file(place):
        raise error("train_picture_missing", name=name[:200], line=line, folder=folder)
    return place


def check_picture(place: Path) -> tuple[str, tuple[int, int]]:
    """Read a picture to its end, and return the sha256 of its file, and its width and height in px."""
    digest, picture = open_picture(place)
    return digest, picture.size


def open_picture(place: Path) -> tuple[str, Image.Image]:
    """Read a picture: the sha256 of its file, and the picture in RGB, upright, white where it is transparent."""
    try:
        opened = picture_files.open_picture(place)
    except Unreadable as cause:
        if cause.code == "too_many_pixels":
            most = MOST_PIXELS // 10**6
            raise error("train_picture_huge", file=place, pixels=int(cause.value) // 10**6, most=most) from cause
        raise error("train_picture_broken", file=place, cause=cause.words) from cause
    return opened.sha256, opened.image
