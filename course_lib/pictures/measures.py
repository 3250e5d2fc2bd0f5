"""Numbers for what a person sees in a picture, so that a lesson can draw a curve of it: `judge` says what it shows."""

import math

import numpy as np
from PIL import Image

BORDER = 2  # px
INK = 0.04  # of white: a printed black


def distance(first: Image.Image, second: Image.Image) -> float:
    """Return the mean absolute difference of two pictures of one size over all pixels and channels, 0 to 1."""
    return float(np.abs(_values(first) - _values(second)).mean())


def saturation(picture: Image.Image) -> float:
    """Return the mean saturation of a picture's pixels, 0 (grey) to 1 (pure colour): S of HSV (Smith 1978)."""
    values = _values(picture)
    highest, lowest = values.max(axis=2), values.min(axis=2)
    return float(((highest - lowest) / np.maximum(highest, 1 / 255)).mean())


def clipped(picture: Image.Image) -> float:
    """Return the share of a picture's channel values, 0 to 1, that stand at the end of the scale, 0 or 255."""
    values = _values(picture)
    return float(((values == 0) | (values == 1)).mean())


def two_tone(picture: Image.Image, limit: float = 0.19) -> float:
    """Return the share of a picture's pixels, 0 to 1, that lie between its ground (the border's median) and ink black.

    Line art is near 1 whatever it shows; `limit` is how far a channel may be off, 0 to 1.
    """
    values = _values(picture)
    inside = np.zeros(values.shape[:2], dtype=bool)
    inside[BORDER:-BORDER, BORDER:-BORDER] = True
    way = np.median(values[~inside], axis=0) - INK
    along = ((values - INK) @ way / max(way @ way, 1e-9)).clip(0, 1)  # the nearest point of the line from ink to ground
    return float((np.abs(INK + along[..., None] * way - values).max(axis=2) < limit).mean())


def interval(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of which `hits` of `count` were seen (Wilson 1927), 0 to 1."""
    share, squared = hits / count, 1.96**2
    middle = share + squared / (2 * count)
    half = 1.96 * math.sqrt(share * (1 - share) / count + squared / (4 * count**2))
    return (middle - half) / (1 + squared / count), (middle + half) / (1 + squared / count)


def _values(picture: Image.Image) -> np.ndarray:
    """Return a picture's channels as [height, width, 3], 0 to 1."""
    return np.asarray(picture.convert("RGB"), dtype=np.float64) / 255
