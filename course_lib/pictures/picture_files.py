"""One picture file: is it safe and whole, and how does it become the RGB picture that training reads.

A file is judged from outside inwards: its kind, its bytes, the size its header claims, and only then its pixels.
"""

import hashlib
import mmap
import re
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from course_lib.pictures.opening import MOST_PIXELS

# What Pillow decodes by itself; other formats it knows call programs (EPS) or are no pictures to train on.
Image.init()
FORMATS = [name for name in ("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "TIFF", "AVIF") if name in Image.OPEN]
SUFFIXES = {"PNG": (".png", ".apng"), "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "MPO": (".jpg", ".jpeg", ".mpo"),
            "WEBP": (".webp",), "GIF": (".gif",), "BMP": (".bmp", ".dib"), "TIFF": (".tif", ".tiff"),
            "AVIF": (".avif",)}
# Names that promise a picture, those of kinds that cannot be read here among them: they are answered, not passed over.
PICTURE_SUFFIXES = {suffix for each in SUFFIXES.values() for suffix in each} | {
    ".heic", ".heif", ".svg", ".psd", ".raw", ".cr2", ".nef", ".dng", ".jxl", ".ico", ".tga", ".jp2"}
LOSSY = ("JPEG", "MPO", "WEBP", "AVIF")
# The first bytes of the formats above: a file that begins so but cannot be opened is a broken picture.
BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF")
OTHER_KINDS = (("HTML", rb"\s*<(!doctype html|html)"), ("SVG", rb"\s*<(\?xml|svg)"),
               ("HEIC", rb".{4}ftyp(heic|heix|mif1)"), ("MP4", rb".{4}ftyp"),
               ("PDF", rb"%PDF"), ("ZIP", rb"PK\x03\x04"), ("Photoshop", rb"8BPS"))


class Unreadable(Exception):
    """A file that gives no picture: a reason's code, what was measured, and the limit."""

    def __init__(self, code: str, value: object = "", limit: object = "") -> None:
        super().__init__(code)
        self.code, self.value, self.limit = code, value, limit


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
    if path.suffix.lower() in (".txt", ".csv", ".jsonl", ".json", ".md") or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(4).startswith(BEGINNINGS[:3])
    except OSError:
        return False  # neither its name nor its content says that it is one


def open_picture(path: Path) -> Opened:
    """Read one file into an upright RGB picture; Unreadable, with its reason, where it gives none."""
    sha256 = check_bytes(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata and large sizes; what matters is checked here
        try:
            image = open_header(path)
            frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
            quality = read_quality(image)
            image.load()
        except Unreadable:
            raise
        except Exception as cause:  # Pillow's decoders answer broken bytes with errors of a dozen kinds
            raise Unreadable("truncated" if "truncated" in str(cause) else "corrupt", type(cause).__name__) from cause
        kind = image.format
        image, fixes = to_rgb(image)
    if path.suffix.lower() not in SUFFIXES[kind]:
        fixes = (*fixes, ("wrong_extension", f"{path.suffix or path.name} / {kind}"))
    return Opened(image, kind, sha256, quality, frames, fixes)


def check_bytes(path: Path) -> str:
    """Return a file's SHA-256; Unreadable for one that is empty, no plain file, or ends in the middle."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable("not_an_image", stat.filemode(found.st_mode)[0])
        if found.st_size == 0:
            raise Unreadable("empty_file", 0, 1)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            # The last scan of a JPEG ends with FF D9, which its own data cannot hold; a PNG ends with IEND.
            if content[:3] == b"\xff\xd8\xff" and content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda"):
                raise Unreadable("truncated", "FF D9")
            if content[:4] == b"\x89PNG" and content.rfind(b"IEND") < 0:
                raise Unreadable("truncated", "IEND")
            return hashlib.sha256(content).hexdigest()
    except OSError as cause:
        raise Unreadable("unreadable", cause.strerror or str(cause)) from cause


def open_header(path: Path) -> Image.Image:
    """Open a file without decoding it; Unreadable for what is no picture, too large, or fails its checksums."""
    try:
        image = Image.open(path, formats=FORMATS)
        if image.format == "PNG":
            image.verify()  # the checksums of its chunks, which decoding does not look at
            image = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as cause:
        raise Unreadable("too_many_pixels", int(re.search(r"\d+", str(cause))[0]), MOST_PIXELS) from cause
    except Image.UnidentifiedImageError as cause:
        with path.open("rb") as file:
            head = file.read(64)
        if head.startswith(BEGINNINGS):
            raise Unreadable("corrupt", "header") from cause
        raise Unreadable("not_an_image", name_kind(head)) from cause
    if image.width * image.height > MOST_PIXELS:
        raise Unreadable("too_many_pixels", image.width * image.height, MOST_PIXELS)
    return image


def name_kind(head: bytes) -> str:
    """Name what a file that is no picture seems to be, by its first bytes."""
    found = (kind for kind, pattern in OTHER_KINDS if re.match(pattern, head, re.IGNORECASE | re.DOTALL))
    return next(found, "?")


def read_quality(image: Image.Image) -> int:
    """Return the quality (1 to 100) that a JPEG's tables stand for, by libjpeg's scale; 100 for other formats."""
    tables = getattr(image, "quantization", None)
    if not tables:
        return 100
    finest = sorted(tables[0])[:10]  # the others end at 255 where quality is low
    scale = 100 * sum(finest) / 132  # their sum in the standard's luminance table, which is quality 50
    return round(5000 / scale) if scale > 100 else round((200 - scale) / 2)


def to_rgb(image: Image.Image) -> tuple[Image.Image, tuple[tuple[str, str], ...]]:
    """Turn a decoded picture upright and to RGB, transparent parts on white -> it, and what had to be done."""
    fixes = []
    mode = image.mode
    if image.getexif().get(0x0112, 1) in range(2, 9):  # the tag Orientation
        fixes.append(("exif_rotated", str(image.getexif()[0x0112])))
        image = ImageOps.exif_transpose(image)
    if mode in ("I", "F") or mode.startswith("I;16"):
        image = scale_deep(image)
    if mode not in ("RGB", "RGBA", "L", "LA"):
        fixes.append(("converted_mode", mode))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] < 255:
            fixes.append(("alpha_flattened", mode))
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return image.convert("RGB"), tuple(fixes)


def scale_deep(image: Image.Image) -> Image.Image:
    """Bring numbers of 16 bits or more to 0..255; Pillow's own conversion would clip them to white."""
    values = np.asarray(image, dtype=np.float32)
    top = values.max()
    scale = 255 if top <= 1 else 1 if top <= 255 else 1 / 257  # 65535 / 257 = 255
    if top > 65535:
        scale = 255 / top
    return Image.fromarray((values * scale).clip(0, 255).round().astype(np.uint8))
