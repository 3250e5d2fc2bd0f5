"""Open a picture that nobody has looked at yet: kind and size are read from its header before a pixel is decoded."""

import io
import re
import warnings
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from course_lib.messages import LessonError, error, text

ENDINGS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp"}  # what a set may hold
MOST_PIXELS = 50_000_000  # 150 MB as RGB; a small file may claim far more and fill the memory


def read_header(content: bytes | Path) -> tuple[str, int, int]:
    """Return a picture's kind ("PNG", "JPEG", ...), width and height in px; LessonError for none, or one too large."""
    try:
        with open_quietly(content) as picture:
            kind, (width, height) = picture.format, picture.size
    except Image.DecompressionBombError as cause:  # Pillow's own, far higher limit; its words hold the number
        raise too_large(content, int(re.search(r"\d+", str(cause))[0])) from cause
    except (OSError, ValueError, TypeError, SyntaxError) as cause:
        raise unreadable(content, cause) from cause
    if width * height > MOST_PIXELS:
        raise too_large(content, width * height)
    return kind, width, height


def open_picture(content: bytes | Path) -> Image.Image:
    """Return a whole picture as RGB: turned as its EXIF says, transparent parts white; LessonError for a broken one."""
    read_header(content)
    try:
        with open_quietly(content) as picture:
            picture.load()  # truncated and damaged files are found here
            return flatten(ImageOps.exif_transpose(picture))
    except (OSError, ValueError, TypeError, SyntaxError) as cause:
        raise unreadable(content, cause) from cause


def open_quietly(content: bytes | Path) -> Image.Image:
    """Let Pillow read a header, of the kinds in ENDINGS only; its warning about size is `read_header`'s to give."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(io.BytesIO(content) if isinstance(content, bytes) else content, formats=list(ENDINGS))


def flatten(picture: Image.Image) -> Image.Image:
    """Return a picture as RGB, laid on white where it is transparent."""
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        whole = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")
    return picture.convert("RGB")


def too_large(content: bytes | Path, pixels: int) -> LessonError:
    """Build the LessonError of a picture that claims too many pixels."""
    return error("picture_too_large", name=name_of(content), pixels=pixels // 10**6, most=MOST_PIXELS // 10**6)


def unreadable(content: bytes | Path, cause: Exception) -> LessonError:
    """Build the LessonError of a file that is no whole picture."""
    words = text("picture_none") if isinstance(cause, UnidentifiedImageError) else str(cause)[:200]
    return error("picture_unreadable", name=name_of(content), cause=words)


def name_of(content: bytes | Path) -> str:
    """Return how a message names a picture."""
    return content.name if isinstance(content, Path) else f"{len(content)} bytes"
