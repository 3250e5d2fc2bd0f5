"""What is measured of one picture: sharpness, block edges, brightness, and two hashes that like pictures share.

The thresholds were chosen on two icon sets and six photographs, and then tried on other icon sets and photographs.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageStat

MEASURED = 512  # px, the shorter edge at which sharpness is measured; a larger picture is made smaller
WINDOW = 16  # px in which an edge is looked at
LEAST_CONTRAST = 12  # of 255; weaker edges are noise
SUBJECT = 0.6  # of a picture's side: a subject smaller than that, on a plain ground, is looked at alone
DETAIL = 0.1  # of a picture's contrast; less is ground
FAINT = 24  # of 255: a picture's contrast is taken to be that at least

Box = tuple[float, float, float, float]  # left, top, right, bottom; -1 .. 1 over a picture


@dataclass(frozen=True, slots=True)
class Signals:
    """The numbers of one picture: brightness 0 to 255, hashes of 64 bits, as it is and mirrored."""

    width: int
    height: int
    sharpness: float  # 0 to 1: the steepest step of a strong edge, as a share of the whole edge
    step: int  # px that repeat side by side, 1 in a picture that was not enlarged pixel by pixel
    blockiness: float  # jumps at every eighth pixel, as a multiple of those between
    mean: float
    bright: float  # 99 % of the pixels are darker
    spread: float  # standard deviation
    hashes: tuple[int, int, int, int]  # phash, dhash, and both of the mirrored picture
    flat: float  # share of pixels that are as the one to their right
    grid: tuple[int, ...]  # the grey picture in 8 x 8 numbers, row by row


def measure(image: Image.Image) -> Signals:
    """Measure one RGB picture."""
    grey = image.convert("L")
    shrink = MEASURED / min(image.size)
    small = grey
    if shrink < 1:
        size = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
        small = grey.resize(size, Image.Resampling.LANCZOS)
    values = np.asarray(grey)
    shades = np.cumsum(grey.histogram())
    return Signals(image.width, image.height, sharpness(np.asarray(small)), repeated_step(values), blockiness(values),
                   float(values.mean()), float(np.searchsorted(shades, 0.99 * values.size)),
                   max(ImageStat.Stat(image).stddev), hash_picture(grey),
                   float((values[:, 1:] == values[:, :-1]).mean()) if image.width > 1 else 1.0, make_grid(grey))


def sharpness(values: np.ndarray) -> float:
    """Return how much of a strong edge [0, 1] one pixel's step takes, at the sharper edges of a grey picture (uint8).

    The spectrum's energy cannot be used: sharp flat art has less of it in the high half than a blurred photograph.
    """
    ranges, steps = zip(*(look_at_edges(each) for each in (values, np.ascontiguousarray(values.T))))
    ranges, steps = np.concatenate(ranges), np.concatenate(steps)
    strong = ranges >= max(LEAST_CONTRAST, np.percentile(ranges, 99) / 2)
    if np.count_nonzero(strong) < 10:
        return 1.0  # no edge at all: nothing to be sharp
    return float(np.percentile(steps[strong] / ranges[strong], 95))


def look_at_edges(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut every column into windows -> the range of values in each, and the largest step between neighbours."""
    height = min(WINDOW, len(values))
    windows = values[:len(values) // height * height].reshape(-1, height, values.shape[1])
    highest, lowest = windows.max(axis=1), windows.min(axis=1)
    above, below = windows[:, :-1], windows[:, 1:]
    steps = np.maximum(above, below) - np.minimum(above, below)
    return (highest - lowest).ravel().astype(np.float32), steps.max(axis=1, initial=0).ravel()


def repeated_step(values: np.ndarray) -> int:
    """Return how many equal columns and rows stand side by side at least: 2 or more in one enlarged pixel by pixel."""
    gaps = []
    for each in (values, values.T):
        changes = np.flatnonzero((each[:, 1:] != each[:, :-1]).any(axis=0))
        if len(changes) < 16:
            return 1
        gaps.append(int(np.diff(changes).min()))
    return min(gaps)


def blockiness(values: np.ndarray) -> float:
    """Return how much larger the weak steps at every eighth pixel are than those between: 1 without a JPEG's blocks."""
    at, between = 0.0, 0.0
    for each in (values, values.T):
        # A step that its neighbours do not share; strong ones are edges of what is shown, not of blocks.
        steps = np.abs(np.diff(each[::2].astype(np.int16), axis=1))
        jump = steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) // 2
        means = np.clip(jump, 0, 16).mean(axis=0) if jump.size else np.zeros(0)
        places = np.arange(len(means)) % 8 == 6  # between the pixels 7 and 8, 15 and 16 ...
        if places.sum() > 1:
            at += float(np.sort(means[places])[:-(-int(places.sum()) * 3 // 4)].mean())
            between += float(means[~places].mean())
    return (at + 0.05) / (between + 0.05)


def hash_picture(grey: Image.Image) -> tuple[int, int, int, int]:
    """Return a grey picture's phash and dhash, then those of its mirror image, each of 64 bits."""
    wide = np.asarray(grey.resize((32, 32), Image.Resampling.BOX), dtype=np.float32)
    narrow = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.float32)
    return phash(wide), dhash(narrow), phash(wide[:, ::-1]), dhash(narrow[:, ::-1])


def make_grid(grey: Image.Image) -> tuple[int, ...]:
    """Return a grey picture in 8 x 8 numbers, row by row: hashes hold only noise where a ground is plain."""
    return tuple(np.asarray(grey.resize((8, 8), Image.Resampling.BOX)).ravel().tolist())


def measure_contrast(values: np.ndarray) -> float:
    """Return the range that a picture's smoothed numbers [height, width, channels] have, in its strongest channel."""
    smooth = average(values, 5)
    return max(float((smooth.max(axis=(0, 1)) - smooth.min(axis=(0, 1))).max()), FAINT)


def find_subject(values: np.ndarray, contrast: float) -> Box | None:
    """Return the box of what stands out from a picture's ground, None where that is most of the picture."""
    size = len(values)
    stands = np.abs(values - average(values, size // 4 | 1)).max(axis=2) > DETAIL * contrast
    rows, columns = (np.flatnonzero(stands.any(axis=axis)) for axis in (1, 0))
    if not len(rows) or max(np.ptp(rows), np.ptp(columns)) > SUBJECT * size:
        return None
    edges = [columns[0] - 2, rows[0] - 2, columns[-1] + 3, rows[-1] + 3]
    left, top, right, bottom = (float(np.clip(2 * edge / size - 1, -1, 1)) for edge in edges)
    return left, top, right, bottom


def cut(image: Image.Image, box: Box) -> Image.Image:
    """Return a part of a picture, at least 8 px wide and high."""
    sides = [image.width, image.height] * 2
    left, top, right, bottom = ((edge + 1) / 2 * side for edge, side in zip(box, sides))
    return image.crop((int(left), int(top), max(int(left) + 8, round(right)), max(int(top) + 8, round(bottom))))


def average(values: np.ndarray, window: int) -> np.ndarray:
    """Return the mean of each place's neighbourhood, window x window px."""
    half = window // 2
    padded = np.pad(values, ((half + 1, half), (half + 1, half), (0, 0)), mode="edge").astype(np.float64)
    sums = padded.cumsum(axis=0).cumsum(axis=1)
    return (sums[window:, window:] - sums[:-window, window:] - sums[window:, :-window]
            + sums[:-window, :-window]) / window**2


def phash(values: np.ndarray) -> int:
    """Return the signs of the 8 x 8 lowest waves of 32 x 32 values against their median (Zauner 2010)."""
    waves = (COSINES @ values @ COSINES.T).ravel()
    return pack(waves > np.median(waves))


def dhash(values: np.ndarray) -> int:
    """Return which of 8 x 9 values is larger than its left neighbour."""
    return pack((values[:, 1:] > values[:, :-1]).ravel())


def pack(bits: np.ndarray) -> int:
    """Return 64 truths as one number."""
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


COSINES = np.cos(np.pi / 32 * np.outer(np.arange(8), np.arange(32) + 0.5)).astype(np.float32)  # DCT-II, lowest 8
