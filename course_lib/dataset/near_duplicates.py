"""Find pictures that show the same: by hashes first, for all at once, then by laying two pictures over each other.

Hashes alone cannot tell a cropped copy from another icon of the same outline, so they only choose whom to compare.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from PIL import Image

from course_lib.dataset.signals import average, cut, find_subject, measure_contrast

THUMB = 48  # px, width and height at which two pictures are laid over each other
FINE = 192  # px at which they are then looked at place by place
MOST_ALIKE = (16, 20)  # bits of phash and dhash by which the two hashes of a pair may differ to be compared
MOST_DIFFERENCE = 0.2  # of a pair, as `align` counts it, to be looked at place by place
MOST_MIRRORED = 0.06  # of a pair to be each other's mirror image: round things are nearly that by nature
# Of a pair at its most different place: copies reach 0.09, changes of a drawn face's expression begin at 0.2.
MOST_LOCAL = 0.13
WINDOW = 5  # px of FINE that a place is wide
GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # shares of the channels in a picture's light
COLOUR = 0.6  # weight of a difference of colour beside one of light
GAINS = (0.5, 2.0)  # by which a copy's contrast may differ
LEAST_LIKE = 0.8  # correlation of two pictures' grids, to be compared: copies have that, of icons one pair in a hundred
PAIRS = 2**19  # of hashes that are compared at once; they take 8 bytes each, however many pictures there are
MOST_COMPARED = 12  # pictures that one is compared with, those with the nearest hashes first
STEPS = 12  # of laying one thumb over another
LEAST_SHARED = 0.6  # of a thumb's places, for two to be compared
MOST_MOVED = 0.4  # halves of a thumb
ENLARGED = 0.5  # of what a picture loses at a third less: enlarged photographs lose 0.35 to 0.48, others 0.55 and more


def find_alike(hashes: Sequence[tuple[int, int, int, int]],
               grids: Sequence[tuple[int, ...]] = ()) -> Iterator[tuple[int, list[tuple[int, bool]]]]:
    """Yield each picture's number and the earlier ones worth comparing with it, nearest first, and whether mirrored.

    `hashes` and `grids` are those of `signals.Signals`; either is enough.
    """
    table = np.array(hashes, dtype=np.uint64).reshape(-1, 4)
    shapes = normalise(grids)
    rows = max(1, PAIRS // max(1, len(table)))
    for start in range(0, len(table), rows):
        block = table[start:start + rows]
        earlier = table[:start + len(block)]
        near = [choose(block, earlier, mirrored) for mirrored in (False, True)]
        close = [correlate(shapes[start:start + rows], shapes[:start + len(block)], mirrored)
                 for mirrored in (False, True)]
        for row in range(len(block)):
            pairs: dict[tuple[int, bool], int] = {}
            for mirrored in (False, True):
                for distance, other in (*near[mirrored].get(row, ()), *close[mirrored].get(row, ())):
                    if other < start + row:
                        pairs[other, mirrored] = min(distance, pairs.get((other, mirrored), distance))
            if pairs:
                yield start + row, sorted(pairs, key=lambda pair: (pairs[pair], *pair))


def choose(block: np.ndarray, earlier: np.ndarray, mirrored: bool) -> dict[int, list[tuple[int, int]]]:
    """Return for the rows of a block which of the earlier rows are near: row -> (bits that differ, earlier row)."""
    columns = (2, 3) if mirrored else (0, 1)
    bits = [np.bitwise_count(block[:, None, column % 2] ^ earlier[None, :, column]) for column in columns]
    rows, others = np.nonzero((bits[0] <= MOST_ALIKE[0]) & (bits[1] <= MOST_ALIKE[1]))
    near: dict[int, list[tuple[int, int]]] = {}
    for row, other in zip(rows.tolist(), others.tolist()):
        near.setdefault(row, []).append((int(bits[0][row, other]) + int(bits[1][row, other]), other))
    return near


def normalise(grids: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Return grids as vectors [pictures, 64] of mean 0 and length 1, so that a product of two is their correlation."""
    values = np.array(grids, dtype=np.float32).reshape(-1, 64)
    values = values - values.mean(axis=1, keepdims=True)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1)


def correlate(block: np.ndarray, earlier: np.ndarray, mirrored: bool) -> dict[int, list[tuple[int, int]]]:
    """Return for the rows of a block which of the earlier grids are like theirs, as `choose` does."""
    close: dict[int, list[tuple[int, int]]] = {}
    if not len(block):
        return close
    if mirrored:
        earlier = earlier.reshape(-1, 8, 8)[:, :, ::-1].reshape(-1, 64)
    likeness = block @ earlier.T
    for row, other in zip(*(places.tolist() for places in np.nonzero(likeness >= LEAST_LIKE))):
        close.setdefault(row, []).append((round(128 * (1 - float(likeness[row, other]))), other))
    return close


def same_picture(first: Image.Image, second: Image.Image, most: float = MOST_DIFFERENCE) -> bool:
    """Tell whether two RGB pictures are one, be it stored again, made smaller or darker, or cropped a little.

    A subject of another shape, or a face of another expression, is not: every place has to be the same.
    """
    for one, other in ((first, second), (second, first)):
        left, place = align(make_thumb(one), make_thumb(other), np.zeros(4))
        if left > most:
            continue
        different = local_difference(one, other, place)
        if different <= MOST_LOCAL:
            return True
        if different > 2 * MOST_LOCAL:  # seen from the other side it would be no less
            return False
    return False


def make_thumb(image: Image.Image, size: int = THUMB) -> np.ndarray:
    """Return an RGB picture as numbers [size, size, 3], smoothed so that small shifts can be followed."""
    small = image.resize((size + 2, size + 2), Image.Resampling.LANCZOS)
    values = np.asarray(small, dtype=np.float32)
    return sum(values[y:y + size, x:x + size] for y in range(3) for x in range(3)) / 9


def align(first: np.ndarray, second: np.ndarray, place: np.ndarray, steps: int = STEPS) -> tuple[float, np.ndarray]:
    """Return what is left between two thumbs, 0 to 1 and more, as a share of the first's contrast, and where they fit.

    The second is shifted, scaled, made lighter and of more contrast to fit best (Lucas and Kanade 1981), from `place`
    on: shift and stretch across, shift and stretch down, in halves of a thumb.
    """
    grid = make_grid(len(first))
    x, y = np.meshgrid(grid, grid)
    best = np.inf, place
    for step in range(steps):
        warped, inside, across, down = warp(second, place)
        if inside.mean() < LEAST_SHARED:
            break
        target, source = first[inside].ravel(), warped[inside].ravel()
        shown = target < 254  # white may have been lighter than white before it was cut off
        light = fit(np.stack([source, np.ones_like(source)], axis=1)[shown], target[shown])
        rest = target - (light[0] * source + light[1]).clip(0, 255)
        best = min(best, (float(rest.std() / max(target.std(), 1)), place), key=lambda each: each[0])
        slopes = (across, across * x[..., None], down, down * y[..., None])
        move = fit(np.stack([light[0] * slope[inside].ravel() for slope in slopes], axis=1)[shown], rest[shown])
        place = place + move
        if np.abs(place).max() > MOST_MOVED or np.abs(move).max() < 1e-3 or (step == STEPS // 2 and best[0] > 0.5):
            break
    return best


def local_difference(one: Image.Image, other: Image.Image, place: np.ndarray, whole: bool = True) -> float:
    """Return how different two pictures are where they differ most, as a share of the first's contrast.

    A small subject on a plain ground is looked at once more by itself, as large as it can be shown.
    """
    size = min(FINE, *one.size, *other.size)
    first, second = make_thumb(one, size), make_thumb(other, size)
    _, place = align(first, second, place, 3 if whole else STEPS // 2)
    warped, inside, _, _ = warp(second, place)
    contrast = measure_contrast(first)
    rest = average(np.where(inside[..., None], first - match_light(first, warped, inside), 0), WINDOW)
    grey = rest @ GREY  # colours are kept far more roughly by JPEG than light is
    most = max(float(np.abs(grey).max()), COLOUR * float(np.abs(rest).max())) / contrast
    box = find_subject(first, contrast) if whole and most <= MOST_LOCAL else None
    if box:
        there = tuple(edge * (1 + place[1 + 2 * down]) + place[2 * down] for edge, down in zip(box, (0, 1, 0, 1)))
        most = max(most, local_difference(cut(one, box), cut(other, there), np.zeros(4), whole=False))
    return most


def match_light(first: np.ndarray, warped: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the second thumb in the first's light: each channel by a factor within GAINS, and an offset."""
    target, source = first[inside], warped[inside]
    shown = target < 254
    count = np.maximum(shown.sum(axis=0), 1)
    means = [(each * shown).sum(axis=0) / count for each in (target, source)]
    both = ((target - means[0]) * (source - means[1]) * shown).sum(axis=0)
    gain = (both / np.maximum((((source - means[1]) ** 2) * shown).sum(axis=0), 1)).clip(*GAINS)
    return ((warped - means[1]) * gain + means[0]).clip(0, 255)


def fit(parts: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the weights of the parts [values, parts] whose sum comes nearest to the target, by least squares."""
    return np.linalg.solve(parts.T @ parts + 1e-3 * np.eye(parts.shape[1]), parts.T @ target)


def make_grid(size: int) -> np.ndarray:
    """Return the places of a thumb across, -1 .. 1."""
    return (np.arange(size, dtype=np.float32) - (size - 1) / 2) / (size / 2)


def warp(values: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return a thumb shifted and stretched, which of its places lie inside, and its slopes per half a thumb."""
    size = len(values)
    grid, scale = make_grid(size), size / 2
    x = (grid * (1 + place[1]) + place[0]) * scale + (size - 1) / 2
    y = (grid * (1 + place[3]) + place[2]) * scale + (size - 1) / 2
    inside = ((x >= 0) & (x <= size - 1))[None, :] & ((y >= 0) & (y <= size - 1))[:, None]
    left, top = (np.clip(np.floor(each).astype(int), 0, size - 2) for each in (x, y))
    right, bottom = (x - left)[None, :, None], (y - top)[:, None, None]
    corners = [[values[np.ix_(top + v, left + u)] for u in (0, 1)] for v in (0, 1)]
    above = corners[0][0] * (1 - right) + corners[0][1] * right
    below = corners[1][0] * (1 - right) + corners[1][1] * right
    across = (corners[0][1] - corners[0][0]) * (1 - bottom) + (corners[1][1] - corners[1][0]) * bottom
    return above * (1 - bottom) + below * bottom, inside, across * scale, (below - above) * scale


Pictures = Callable[[int], Image.Image]


def find_same(number: int, alike: Sequence[tuple[int, bool]], pictures: Pictures) -> tuple[int, bool] | None:
    """Return the first of the pictures alike that is the same as picture `number`, and whether mirrored, or None."""
    picture = pictures(number)
    for mirrored in (False, True):
        for other, flipped in [pair for pair in alike if pair[1] == mirrored][:MOST_COMPARED]:
            turned = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flipped else picture
            if same_picture(pictures(other), turned, MOST_MIRRORED if flipped else MOST_DIFFERENCE):
                return other, flipped
    return None


def is_enlarged(large: Image.Image, small: tuple[int, int]) -> bool:
    """Tell whether a picture was enlarged from `small` px (width, height): what it has beyond is next to nothing."""
    less = (max(1, round(small[0] / 1.5)), max(1, round(small[1] / 1.5)))
    return count_lost(large, small) < ENLARGED * count_lost(large, less)


def count_lost(image: Image.Image, size: tuple[int, int]) -> float:
    """Return how much a picture changes, 0 to 255, when it is made so small and as large as it was again."""
    grey = image.convert("L")
    again = grey.resize(size, Image.Resampling.LANCZOS).resize(grey.size, Image.Resampling.BICUBIC)
    return float(np.abs(np.asarray(grey, dtype=np.float32) - np.asarray(again, dtype=np.float32)).mean())
