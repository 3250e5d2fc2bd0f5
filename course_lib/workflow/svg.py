"""Shapes and lines of text for an SVG: escaped, shortened to what fits, coloured as ComfyUI's dark page is."""

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from xml.sax.saxutils import escape, quoteattr

MOST_LINES = 40  # of a text on a node
MOST_LETTERS = 200  # of one line
LETTER, TITLE_LETTER, GROUP_LETTER = 13, 15, 20  # px
# The colours of ComfyUI's dark page.
CANVAS, BODY, HEAD, FIELD, EDGE = "#222", "#353535", "#333", "#222", "#666"
WORDS, NAMES, VALUES, DIM = "#bbb", "#aaa", "#ddd", "#888"
BYPASS_BODY, GROUP = "#6b3a6b", "#3f789e"
KINDS = {
    "MODEL": "#b39ddb", "CLIP": "#ffd500", "VAE": "#ff6e6e", "CONDITIONING": "#ffa931", "LATENT": "#ff9cf9",
    "IMAGE": "#64b5f6", "MASK": "#81c784", "CONTROL_NET": "#6ee7b7", "CLIP_VISION": "#a8dadc",
    "CLIP_VISION_OUTPUT": "#ad7452", "STYLE_MODEL": "#c2ffae", "NOISE": "#b0b0b0", "GUIDER": "#66ffff",
    "SAMPLER": "#ecb4b4", "SIGMAS": "#cdffcd", "TAESD": "#dcc274",
}
ANY_KIND = "#99aa99"
COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
NOT_IN_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def tag(name: str, **values: object) -> str:
    """Return one SVG element without content."""
    pairs = " ".join(f"{key.replace('_', '-')}={quoteattr(number(value))}" for key, value in values.items())
    return f"<{name} {pairs}/>"


def number(value: object) -> str:
    """Return a number with at most one decimal, a text as it is."""
    return f"{round(value, 1):.12g}" if isinstance(value, (int, float)) else str(value)


def write(words: str, x: float, y: float, fill: str, size: int = LETTER, anchor: str = "start") -> str:
    """Return one line of text as SVG, escaped, without letters that XML cannot hold."""
    about = "" if size == LETTER else f' font-size="{size}"'
    about += "" if anchor == "start" else f' text-anchor="{anchor}"'
    words = escape(NOT_IN_XML.sub("\ufffd", words))
    return f'<text x="{number(x)}" y="{number(y)}" fill="{fill}"{about}>{words}</text>'


def show(value: object) -> str:
    """Return a widget's value as the page shows it."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def measure(words: str, size: int) -> float:
    """Return about how many px a line takes: Chinese letters are as wide as high, others about half of that."""
    return size * sum(map(measure_letter, words))


@lru_cache(2**16)
def measure_letter(letter: str) -> float:
    """Return a letter's width as a part of its height."""
    return 1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.56


def fit(words: str, width: float, size: int) -> str:
    """Return one line that fits into `width` px, shortened with "…" where it is longer."""
    words = " ".join(words[:MOST_LETTERS].split())
    if not words or measure(words, size) <= width:
        return words
    count, used = 0, measure("…", size)
    while used + size * measure_letter(words[count]) <= width:
        used += size * measure_letter(words[count])
        count += 1
    return words[:count] + "…" if count else ""


def colour(given: object, default: str) -> str:
    """Return a colour that a file names as #rgb or #rrggbb, and the default for anything else."""
    return given if isinstance(given, str) and COLOUR.fullmatch(given) else default


def colour_of(kind: str) -> str:
    """Return the colour of a kind of data."""
    return KINDS.get(kind, ANY_KIND)


def dot(x: float, y: float, kind: str, filled: bool = True) -> str:
    """Return a socket, hollow where nothing is linked to it."""
    fill = colour_of(kind)
    return tag("circle", cx=x, cy=y, r=4, fill=fill) if filled else tag(
        "circle", cx=x, cy=y, r=3.5, fill=CANVAS, stroke=fill, stroke_width=1.5)


def draw_text(words: str, left: float, top: float, width: float, height: float) -> list[str]:
    """Draw a text in lines that fit into a box, the last one ended by "…" where more follows."""
    most = max(1, min(MOST_LINES, int((height - 4) // 15)))
    lines = list(wrap(words[:MOST_LETTERS * MOST_LINES], width, most + 1))
    if len(lines) > most:
        lines = [*lines[:most - 1], fit(lines[most - 1] + "……", width, LETTER)]
    return [write(line, left, top + 15 + row * 15, VALUES) for row, line in enumerate(lines) if line.strip()]


def wrap(words: str, width: float, most: int) -> Iterator[str]:
    """Yield lines no wider than `width` px, broken at spaces where there are some."""
    count = 0
    for line in words.splitlines():
        while count < most:
            end = count_fitting(line[:MOST_LETTERS], width)
            if end < len(line) and " " in line[end // 2:end]:
                end = line.rindex(" ", 0, end) + 1
            yield line[:end].rstrip()
            count, line = count + 1, line[end:]
            if not line:
                break


def count_fitting(words: str, width: float) -> int:
    """Return how many letters of a text fit into `width` px, at least one."""
    used = 0.0
    for count, letter in enumerate(words):
        used += measure_letter(letter)
        if used * LETTER > width:
            return max(1, count)
    return len(words)
