"""Find pictures that show the same: by hashes first, for all at once, then by laying two pictures over each other.

Hashes alone cannot tell a cropped copy from another icon of the same outline, so they only choose whom to compare.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from PIL import Image

THUMB = 48  # px, width and height at which two pictures are compared
MOST_ALIKE = (16, 20)  # bits of phash and dhash by which the two hashes of a pair may differ to be compared
MOST_DIFFERENCE = 0.12  # of a pair, as `difference` counts it, to be one picture
MOST_MIRRORED = 0.06  # of a pair to be each other's mirror image: round things are nearly that by nature
PAIRS = 2**19  # of hashes that are compared at once; they take 8 bytes each, however many pictures there are
MOST_COMPARED = 12  # pictures that one is compared with, those with the nearest hashes first
STEPS = 12  # of laying one thumb over another
LEAST_SHARED = 0.6  # of a thumb's places, for two to be compared
MOST_MOVED = 0.4  # halves of a thumb
GRID = (np.arange(THUMB, dtype=np.float32) - (THUMB - 1) / 2) / (THUMB / 2)  # the places of a thumb, -1 .. 1


def find_alike(hashes: Sequence[tuple[int, int, int, int]]) -> Iterator[tuple[int, list[tuple[int, bool]]]]:
    """Yield each picture's number and the earlier ones worth comparing with it, nearest first, and whether mirrored.

    `hashes` are those of `signals.Signals`.
    """
    table = np.array(hashes, dtype=np.uint64).reshape(-1, 4)
    rows = max(1, PAIRS // max(1, len(table)))
    for start in range(0, len(table), rows):
        block = table[start:start + rows]
        earlier = table[:start + len(block)]
        found = [choose(block, earlier, mirrored) for mirrored in (False, True)]
        for row in range(len(block)):
            pairs = sorted((distance, other, mirrored) for mirrored in (False, True)
                           for distance, other in found[mirrored].get(row, ()) if other < start + row)
            if pairs:
                yield start + row, [(other, mirrored) for _, other, mirrored in pairs]


def choose(block: np.ndarray, earlier: np.ndarray, mirrored: bool) -> dict[int, list[tuple[int, int]]]:
    """Return for the rows of a block which of the earlier rows are near: row -> (bits that differ, earlier row)."""
    columns = (2, 3) if mirrored else (0, 1)
    bits = [np.bitwise_count(block[:, None, column % 2] ^ earlier[None, :, column]) for column in columns]
    rows, others = np.nonzero((bits[0] <= MOST_ALIKE[0]) & (bits[1] <= MOST_ALIKE[1]))
    near = {}
    for row, other in zip(rows.tolist(), others.tolist()):
        near.setdefault(row, []).append((int(bits[0][row, other]) + int(bits[1][row, other]), other))
    return near


def same_picture(first: np.ndarray, second: np.ndarray, most: float = MOST_DIFFERENCE) -> bool:
    """Tell whether two thumbs show one picture, be it stored again, made smaller or darker, or cropped a little."""
    return difference(first, second) <= most or difference(second, first) <= most


def make_thumb(image: Image.Image) -> np.ndarray:
    """Return an RGB picture as numbers [THUMB, THUMB, 3], smoothed so that small shifts can be followed."""
    small = image.resize((THUMB + 2, THUMB + 2), Image.Resampling.LANCZOS)
    values = np.asarray(small, dtype=np.float32)
    return sum(values[y:y + THUMB, x:x + THUMB] for y in range(3) for x in range(3)) / 9


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Return what is left between two thumbs, 0 to 1 and more, as a share of the first's contrast.

    The second is shifted, scaled, made lighter and of more contrast to fit best (Lucas and Kanade 1981).
    """
    x, y = np.meshgrid(GRID, GRID)
    place = np.zeros(4)  # shift and stretch across, shift and stretch down, in halves of a thumb
    left = np.inf
    for step in range(STEPS):
        warped, inside, across, down = warp(second, place)
        if inside.mean() < LEAST_SHARED:
            break
        target, source = first[inside].ravel(), warped[inside].ravel()
        shown = target < 254  # white may have been lighter than white before it was cut off
        light = fit(np.stack([source, np.ones_like(source)], axis=1)[shown], target[shown])
        rest = target - (light[0] * source + light[1]).clip(0, 255)
        left = min(left, float(rest.std() / max(target.std(), 1)))
        slopes = (across, across * x[..., None], down, down * y[..., None])
        move = fit(np.stack([light[0] * slope[inside].ravel() for slope in slopes], axis=1)[shown], rest[shown])
        place = place + move
        if np.abs(place).max() > MOST_MOVED or np.abs(move).max() < 1e-3 or (step == STEPS // 2 and left > 0.5):
            break
    return left


def fit(parts: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the weights of the parts [values, parts] whose sum comes nearest to the target, by least squares."""
    return np.linalg.solve(parts.T @ parts + 1e-3 * np.eye(parts.shape[1]), parts.T @ target)


def warp(values: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return a thumb shifted and stretched, which of its places lie inside, and its slopes per half a thumb."""
    scale = THUMB / 2
    x = (GRID * (1 + place[1]) + place[0]) * scale + (THUMB - 1) / 2
    y = (GRID * (1 + place[3]) + place[2]) * scale + (THUMB - 1) / 2
    inside = ((x >= 0) & (x <= THUMB - 1))[None, :] & ((y >= 0) & (y <= THUMB - 1))[:, None]
    left, top = (np.clip(np.floor(each).astype(int), 0, THUMB - 2) for each in (x, y))
    right, bottom = (x - left)[None, :, None], (y - top)[:, None, None]
    corners = [[values[np.ix_(top + v, left + u)] for u in (0, 1)] for v in (0, 1)]
    above = corners[0][0] * (1 - right) + corners[0][1] * right
    below = corners[1][0] * (1 - right) + corners[1][1] * right
    across = (corners[0][1] - corners[0][0]) * (1 - bottom) + (corners[1][1] - corners[1][0]) * bottom
    return above * (1 - bottom) + below * bottom, inside, across * scale, (below - above) * scale


Thumbs = Callable[[int], np.ndarray]


def find_same(number: int, alike: Sequence[tuple[int, bool]], thumbs: Thumbs) -> tuple[int, bool] | None:
    """Return the first of the pictures alike that is the same as picture `number`, and whether mirrored, or None."""
    thumb = thumbs(number)
    for mirrored in (False, True):
        for other, flipped in [pair for pair in alike if pair[1] == mirrored][:MOST_COMPARED]:
            turned, most = (thumb[:, ::-1], MOST_MIRRORED) if flipped else (thumb, MOST_DIFFERENCE)
            if same_picture(thumbs(other), turned, most):
                return other, flipped
    return None
