"""Words on pictures: the course's own font, which has Chinese letters on every machine, and lines that fit a width."""

from functools import cache

from matplotlib.ft2font import FT2Font
from PIL import ImageFont

from course_lib.files import COURSE

FONT = COURSE / "data" / "fonts" / "NotoSansSC-course.ttf"
BREAKERS = "，。！？：；、”’）》,.!?:;)"  # no line begins with one of these


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the course's font; size in px."""
    return ImageFont.truetype(FONT, size)


def find_lacking(words: str) -> list[str]:
    """Return which letters of a text the font does not have: they would be empty boxes."""
    face = FT2Font(str(FONT))
    return sorted({letter for letter in words if letter.isprintable() and not face.get_char_index(ord(letter))})


def wrap(words: str, width: int, size: int, most: int) -> list[str]:
    """Break a text of `size` px into at most `most` lines of `width` px: at spaces, or between two Chinese letters."""
    lines = [""]
    parts = [piece for part in split_words(words)
             for piece in ([part] if font(size).getlength(part.rstrip()) <= width else part)]  # a long word: by letters
    for part in parts:
        if font(size).getlength(lines[-1] + part.rstrip()) > width and lines[-1] and part not in BREAKERS:
            lines.append("")
        lines[-1] += part if lines[-1] else part.lstrip()
    if len(lines) > most:
        lines = [*lines[:most - 1], lines[most - 1].rstrip() + "…"]
        while font(size).getlength(lines[-1]) > width and len(lines[-1]) > 1:
            lines[-1] = lines[-1][:-2] + "…"
    return lines


def split_words(words: str) -> list[str]:
    """Split a text where a line may break: each Chinese letter is a part, each Latin word with its space."""
    parts: list[str] = []
    for letter in words:
        joins = parts and parts[-1][-1] != " " and letter < "\u2e80" and parts[-1][-1] < "\u2e80"
        if joins:
            parts[-1] += letter
        else:
            parts.append(letter)
    return parts
