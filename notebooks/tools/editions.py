"""Hold one edition of a lesson against the other: what their cells put out may differ in words alone.

Both editions share all code. So where one has been executed and the outputs of the other differ from it in nothing but
words, the other is in step too, and need not be executed to know it.
"""

import base64
import html
import io
import re
from collections import Counter

import numpy as np
from PIL import Image

NUMBER = re.compile(r"\d+(?:\.\d+)?")
LAST_DIGIT = re.compile(r"(\d\.\d\d)\d\b|(\d)\.\d(?=%)")  # as tests/sanitize.cfg: one run rounds unlike another
TIME = re.compile(r"\d+(\.\d+)? ?(ms|s|秒|毫秒|seconds?|分钟|minutes?)(?![A-Za-z])")
SKIPPED = "nbval-ignore-output"  # the tag of a cell that shows the machine itself
MEAN_DIFFERENCE = 2  # of 255
TEXTS = ("text/markdown", "text/html", "text/plain")  # the fullest of an output's texts comes first


def edition_differences(one, other):
    """List what two editions of a lesson put out that is not a difference of words; cells are named by their ids."""
    pairs = [pair for pair in zip(one.cells, other.cells, strict=True) if pair[0].cell_type == "code"]
    return [
        f"{first.id}: {what}"
        for first, second in pairs
        if SKIPPED not in first.metadata.get("tags", [])
        for what in cell_differences(first.outputs, second.outputs)
    ]


def cell_differences(one, other):
    """List where the outputs of one cell are of other kinds, show other numbers or other pictures."""
    if [kind_of(output) for output in one] != [kind_of(output) for output in other]:
        return [f"puts out {[kind_of(output) for output in one]} and {[kind_of(output) for output in other]}"]
    found = []
    for first, second in zip(one, other, strict=True):
        here, there = numbers_in(first), numbers_in(second)
        if here != there:
            found.append(f"numbers of one edition alone: {sorted((here - there) | (there - here))}")
        if "image/png" in first.get("data", {}):
            found += picture_differences(open_png(first), open_png(second))
    return found


def kind_of(output):
    """Return an output's type and the types of its data."""
    return output.output_type, *sorted(output.get("data", {}))


def numbers_in(output):
    """Count the numbers in an output's text, times left out."""
    data = output.get("data", {})
    text = output.get("text") or next((data[kind] for kind in TEXTS if kind in data), "")
    return Counter(NUMBER.findall(LAST_DIGIT.sub(r"\1\2", TIME.sub("", html.unescape(text)))))


def open_png(output):
    """Return the PNG of an output as [height, width, 4], 0 to 255."""
    picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
    return np.asarray(picture.convert("RGBA"), np.int16)


def picture_differences(one, other):
    """Say if two pictures differ in size or to the eye."""
    if one.shape != other.shape:
        return [f"pictures of {one.shape} and {other.shape}"]
    off = np.abs(one - other).mean()
    return [f"pictures that differ by {off:.1f} of 255"] if off > MEAN_DIFFERENCE else []
