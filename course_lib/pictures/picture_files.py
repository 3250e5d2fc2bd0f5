"""A picture file as a data set looks at it: what it holds, and what had to be done to make it upright RGB."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from course_lib.pictures.opening import (
    BEGINNINGS,
    SUFFIXES,
    Unreadable,
    find_orientation,
    flatten,
    open_header,
    read_bytes,
    read_pixels,
    turn_upright,
)

# Names that promise a picture, those of kinds that cannot be read here among them: they are answered, not passed over.
PICTURE_SUFFIXES = {suffix for each in SUFFIXES.values() for suffix in each} | {
    ".heic", ".heif", ".svg", ".psd", ".raw", ".cr2", ".nef", ".dng", ".jxl", ".ico", ".tga", ".jp2"}
LOSSY = ("JPEG", "MPO", "WEBP", "AVIF")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file's picture in RGB, upright, and what was found on the way to it; `fixes` is (code, what it was)."""

    image: Image.Image
    format: str
    sha256: str
    quality: int  # of a JPEG, 1 to 100 as its tables say; 100 for other formats
    frames: int
    fixes: tuple[tuple[str, str], ...]


def looks_like_picture(path: Path) -> bool:
    """Tell by its name, or else by its first bytes, whether a file means to be a picture."""
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return True
    if path.suffix.lower() in (".txt", ".caption", ".csv", ".tsv", ".jsonl", ".json", ".md") or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(BEGINNINGS[:3])
    except OSError:
        return False  # neither its name nor its content says that it is one


def open_picture(path: Path) -> Opened:
    """Read one file into an upright RGB picture; Unreadable, with its reason, where it gives none."""
    content = read_bytes(path)
    try:
        image = open_header(content)
        frames, quality, kind = count_frames(image), read_quality(image), image.format
        read_pixels(image, content)
    except Unreadable as problem:
        raise Unreadable(path, problem.code, problem.value, problem.limit) from problem
    image, fixes = to_rgb(image)
    if path.suffix.lower() not in SUFFIXES[kind]:
        fixes = (*fixes, ("wrong_extension", f"{path.suffix or path.name} / {kind}"))
    return Opened(image, kind, hashlib.sha256(content).hexdigest(), quality, frames, fixes)


def count_frames(image: Image.Image) -> int:
    """Return how many pictures follow each other in an opened file; 1 where that cannot be told."""
    if image.format == "MPO":  # two views of one moment
        return 1
    try:
        return getattr(image, "n_frames", 1)
    except Exception:  # a broken later frame; the first may be whole
        return 1


def read_quality(image: Image.Image) -> int:
    """Return the quality (1 to 100) that a JPEG's tables stand for, by libjpeg's scale; 100 for other formats."""
    tables = getattr(image, "quantization", None)
    if not tables:
        return 100
    finest = sorted(tables[min(tables)])[:10]  # files number them 0 to 3; the others end at 255 where quality is low
    scale = 100 * sum(finest) / 132  # their sum in the standard's luminance table, which is quality 50
    return round(5000 / scale) if scale > 100 else round((200 - scale) / 2)


def to_rgb(image: Image.Image) -> tuple[Image.Image, tuple[tuple[str, str], ...]]:
    """Turn a decoded picture upright and to RGB, transparent parts on white -> it, and what had to be done."""
    fixes = []
    mode, orientation = image.mode, find_orientation(image)
    if orientation > 1:
        fixes.append(("exif_rotated", str(orientation)))
        image = turn_upright(image)
    if mode not in ("RGB", "RGBA", "L", "LA"):
        fixes.append(("converted_mode", mode))
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        fixes.append(("alpha_flattened", mode))
    return flatten(image), tuple(fixes)
