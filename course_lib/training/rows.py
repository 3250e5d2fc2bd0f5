"""What a training learns from: the pictures that metadata.csv names, with their captions, each checked before use."""

import csv
import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from course_lib.messages import error, text

METADATA = "metadata.csv"
COLUMNS = ("file_name", "text")  # the camp's, and Hugging Face's imagefolder
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
MOST_PIXELS = 64_000_000  # of one picture; a small file can claim any size and fill the memory when it is opened
MOST_BYTES = 256 * 2**20  # of one picture's file
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
        with file.open(encoding="utf-8-sig", newline="") as content:
            reader = csv.DictReader(content)
            header = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = header
            rows = [(reader.line_num, (row.get("file_name") or "").strip(), (row.get("text") or "").strip())
                    for row in reader]
    except UnicodeDecodeError as cause:
        raise error("train_metadata_encoding", file=file) from cause
    except (OSError, csv.Error) as cause:
        raise error("train_metadata_broken", file=file, cause=cause) from cause
    if header and not set(COLUMNS) <= set(header):
        raise error("train_metadata_header", file=file, found=",".join(header)[:200])
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
    if "\0" in name or not place.resolve().is_relative_to(folder.resolve()):
        raise error("train_picture_outside", name=name[:200], line=line, folder=folder)
    if not place.is_file():
        raise error("train_picture_missing", name=name[:200], line=line, folder=folder)
    return place


def check_picture(place: Path) -> tuple[str, tuple[int, int]]:
    """Read a picture to its end, and return the sha256 of its file, and its width and height in px."""
    digest, picture = open_picture(place)
    return digest, picture.size


def open_picture(place: Path) -> tuple[str, Image.Image]:
    """Read a picture: the sha256 of its file, and the picture in RGB, upright, white where it is transparent."""
    try:
        if place.stat().st_size > MOST_BYTES:
            raise error("train_picture_huge", file=place, width="?", height="?", most=MOST_PIXELS // 10**6)
        content = place.read_bytes()
        picture = Image.open(io.BytesIO(content), formats=FORMATS)
        if picture.width * picture.height > MOST_PIXELS:  # told by the header; nothing is unpacked yet
            raise error("train_picture_huge", file=place, width=picture.width, height=picture.height,
                        most=MOST_PIXELS // 10**6)
        picture = ImageOps.exif_transpose(picture)
        if picture.has_transparency_data:
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture.convert("RGBA"))
        return hashlib.sha256(content).hexdigest(), picture.convert("RGB")
    except Image.DecompressionBombError as cause:
        raise error("train_picture_huge", file=place, width="?", height="?", most=MOST_PIXELS // 10**6) from cause
    except (OSError, ValueError, SyntaxError, EOFError) as cause:  # what PIL raises for broken files
        raise error("train_picture_broken", file=place, cause=cause) from cause
