"""The one place that opens a picture from elsewhere: by named formats, within limits, and damage answered per file.

A file is judged from outside inwards: its bytes, its kind, the size that its header claims, and only then its pixels.
"""

import io
import mmap
import re
import stat
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from course_lib.files import POINTER
from course_lib.messages import LessonError, error, text

# What Pillow decodes by itself; other formats it knows call programs (EPS) or are no pictures to train on.
Image.init()
SUFFIXES = {"PNG": (".png", ".apng"), "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "MPO": (".jpg", ".jpeg", ".mpo"),
            "WEBP": (".webp",), "GIF": (".gif",), "BMP": (".bmp", ".dib"), "TIFF": (".tif", ".tiff"),
            "AVIF": (".avif",)}
FORMATS = tuple(name for name in SUFFIXES if name in Image.OPEN)
ENDINGS = {name: SUFFIXES[name][0] for name in FORMATS}  # what a file of a kind is called
MOST_PIXELS = 50_000_000  # 150 MB as RGB; a small file may claim far more and fill the memory
MOST_DRAWN = 2**26  # pixels of a picture that a model drew, 8192 x 8192
MOST_BYTES = 2**28  # of a file
# The first bytes of the formats above: a file that begins so but cannot be opened is a broken picture.
BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF")
OTHER_KINDS = (("HTML", rb"\s*<(!doctype html|html)"), ("SVG", rb"\s*<(\?xml|svg)"),
               ("HEIC", rb".{4}ftyp(heic|heix|mif1)"), ("MP4", rb".{4}ftyp"),
               ("PDF", rb"%PDF"), ("ZIP", rb"PK\x03\x04"), ("Photoshop", rb"8BPS"))
ORIENTATION = 0x0112  # the tag of EXIF that says how a picture lies
TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
         5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
         8: Image.Transpose.ROTATE_90}

Source = bytes | bytearray | memoryview | Path
Plain = bytes | Path  # what a source is once a widget's value is copied


class Unreadable(LessonError):
    """A file that gives no picture, with the code of the reason, what was measured, and the limit."""

    def __init__(self, source: Source, code: str, value: int | str = "", limit: int | str = "") -> None:
        if code == "too_many_pixels":
            told = error("picture_too_large", name=name_of(source), pixels=int(value) // 10**6,
                         most=int(limit) // 10**6)
        else:
            told = error("picture_unreadable", name=name_of(source),
                         cause=text(f"set_{code}", value=value, limit=limit))
        super().__init__(told.what, told.why, told.next_step)
        self.code, self.value, self.limit = code, value, limit

    @property
    def words(self) -> str:
        """Say the reason alone."""
        return text(f"set_{self.code}", value=self.value, limit=self.limit)


def open_picture(source: Source) -> Image.Image:
    """Return a whole picture as RGB: turned as its EXIF says, transparent parts white; Unreadable for a broken one."""
    return flatten(turn_upright(decode(source)))


def decode(source: Source, most: int = MOST_PIXELS, formats: Sequence[str] = FORMATS) -> Image.Image:
    """Return a picture of at most `most` pixels as it is stored, read to its end; Unreadable where there is none."""
    image = open_header(source, most, formats)
    read_pixels(image, source)
    return image


def read_header(source: Source) -> tuple[str, int, int]:
    """Return a picture's kind ("PNG", "JPEG", ...), width and height in px; Unreadable for none, or one too large."""
    image = open_header(source)
    return image.format, image.width, image.height


def open_header(source: Source, most: int = MOST_PIXELS, formats: Sequence[str] = FORMATS) -> Image.Image:
    """Open a picture without decoding it; Unreadable for what is none, too large, cut, or fails its checksums."""
    if isinstance(source, (bytearray, memoryview)):  # a widget's value is a memoryview
        source = bytes(source)
    head = read_head(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata and large sizes; what matters is checked here
        try:
            image = open_lazily(source, formats)
            if image.width * image.height > most:
                raise Unreadable(source, "too_many_pixels", image.width * image.height, most)
            check_end(source)
            if image.format == "PNG":
                image.verify()  # the checksums of its chunks, which decoding does not look at
                image = open_lazily(source, formats)
        except Unreadable:
            raise
        except Image.DecompressionBombError as cause:  # Pillow's own, far higher limit; its words hold the number
            raise Unreadable(source, "too_many_pixels", int(re.findall(r"\d+", str(cause))[0]), most) from cause
        except Image.UnidentifiedImageError as cause:
            if head.startswith(BEGINNINGS):
                check_end(source)
                raise Unreadable(source, "corrupt", "header") from cause
            raise Unreadable(source, "not_an_image", name_kind(head)) from cause
        except OSError as cause:
            raise Unreadable(source, *name_damage(cause)) from cause
        except Exception as cause:  # Pillow's readers answer broken bytes with errors of a dozen kinds
            raise Unreadable(source, "corrupt", type(cause).__name__) from cause
    return image


def open_lazily(source: Plain, formats: Sequence[str]) -> Image.Image:
    """Let Pillow read a header, of named kinds only."""
    return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=list(formats))


def read_pixels(image: Image.Image, source: Source) -> None:
    """Decode an opened picture; Unreadable where its pixels are cut or damaged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image.load()
        except Exception as cause:  # as above
            raise Unreadable(source, *name_damage(cause)) from cause


def name_damage(cause: Exception) -> tuple[str, str]:
    """Return the code and the value of what Pillow's error says."""
    if isinstance(cause, OSError) and cause.errno:
        return "unreadable", cause.strerror or str(cause)
    return ("truncated" if "truncated" in str(cause) else "corrupt"), type(cause).__name__


def read_head(source: Plain) -> bytes:
    """Return a file's first bytes; Unreadable for one that is empty, no plain file, too large, or a pointer."""
    if isinstance(source, bytes):
        size, head = len(source), source[:64]
    else:
        try:
            found = source.stat()
            if not stat.S_ISREG(found.st_mode):
                raise Unreadable(source, "not_an_image", stat.filemode(found.st_mode)[0])
            with source.open("rb") as file:
                size, head = found.st_size, file.read(64)
        except (OSError, ValueError) as cause:
            raise Unreadable(source, "unreadable", getattr(cause, "strerror", None) or str(cause)) from cause
    if not size:
        raise Unreadable(source, "empty_file", 0, 1)
    if size > MOST_BYTES:
        raise Unreadable(source, "too_many_bytes", size // 2**20, MOST_BYTES // 2**20)
    if head.startswith(POINTER):
        raise Unreadable(source, "lfs_pointer")
    return head


def read_bytes(path: Path) -> bytes:
    """Return a picture file's content, to be hashed and decoded as one; Unreadable as `read_head`."""
    read_head(path)
    try:
        return path.read_bytes()
    except OSError as cause:
        raise Unreadable(path, "unreadable", cause.strerror or str(cause)) from cause


def check_end(source: Plain) -> None:
    """Answer a file that ends in the middle: a JPEG's last scan ends with FF D9, a PNG with IEND."""
    if isinstance(source, bytes):
        end = find_cut(source)
    else:
        with source.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            end = find_cut(content)
    if end:
        raise Unreadable(source, "truncated", end)


def find_cut(content: bytes | mmap.mmap) -> str:
    """Return what a file's content ought to end with and does not, or ""."""
    if content[:3] == b"\xff\xd8\xff" and content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda"):
        return "FF D9"  # which the data of a scan cannot hold
    return "IEND" if content[:4] == b"\x89PNG" and content.rfind(b"IEND") < 0 else ""


def name_kind(head: bytes) -> str:
    """Name what a file that is no picture seems to be, by its first bytes."""
    found = (kind for kind, pattern in OTHER_KINDS if re.match(pattern, head, re.IGNORECASE | re.DOTALL))
    return next(found, "?")


def find_orientation(image: Image.Image) -> int:
    """Return how a picture lies, 1 to 8 as EXIF counts; 1, which is upright, where its EXIF is damaged."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # the reader of EXIF fails in a dozen ways; the picture itself is whole
        return 1
    return found if found in TURNS else 1


def turn_upright(image: Image.Image) -> Image.Image:
    """Return a picture turned as its EXIF says."""
    found = find_orientation(image)
    return image.transpose(TURNS[found]) if found in TURNS else image


def flatten(image: Image.Image) -> Image.Image:
    """Return a picture as RGB, laid on white where it is transparent, numbers above 8 bits brought down."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = scale_deep(image)
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")
    return image.convert("RGB")


def scale_deep(image: Image.Image) -> Image.Image:
    """Bring numbers of 16 bits or more to 0..255; Pillow's own conversion would clip them to white."""
    values = np.asarray(image, dtype=np.float32)
    top = values.max()
    scale = 255 if top <= 1 else 1 if top <= 255 else 1 / 257  # 65535 / 257 = 255
    if top > 65535:
        scale = 255 / top
    return Image.fromarray((values * scale).clip(0, 255).round().astype(np.uint8))


def name_of(source: Source) -> str:
    """Return how a message names a picture."""
    return source.name if isinstance(source, Path) else f"{len(source)} bytes"
