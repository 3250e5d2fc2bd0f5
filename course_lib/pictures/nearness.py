"""How near a picture is to a true one: measured with pixels alone, no trained judge between.

Tiny Kolors learnt from drawings that a rule places on plain grounds. So each of its pictures can be laid over every
true picture of the subject and style it was asked for, in all sizes and places, flipped or not. What is left between it
and the nearest of them tells how well it is drawn, also where the judge says "right" to a blot.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from course_lib.pictures import emoji

SIDE = 64  # px: all pictures are compared at this width and height, so that models of other sizes can be
SIZES = tuple(range(40, 63, 2))  # px at SIDE: width and height of the true subject


@dataclass(frozen=True)
class Nearest:
    """The true picture nearest to a picture: root mean square error (0 to 1), and its subject's place, px at SIDE."""

    error: float
    size: int
    left: int
    top: int
    flip: bool


@dataclass(frozen=True)
class Distance:
    """Mean errors (0 to 1) of some pictures, of the best that their VAE can do, and of empty grounds."""

    pictures: float
    floor: float
    empty: float

    @property
    def value(self) -> float:
        """Return how far the pictures lie on the way from the floor (0, perfect) to empty grounds (1)."""
        return (self.pictures - self.floor) / (self.empty - self.floor)


def find_nearest(picture: Image.Image, subject: str, style: str) -> Nearest:
    """Return which true picture of a subject in a style is nearest to `picture`, of all sizes, places and flips."""
    pixels = to_pixels(picture)
    ground = border_median(pixels)
    off_ground = pixels - ground
    power = off_ground.square().sum()
    best = Nearest(math.inf, 0, 0, 0, False)
    for size in SIZES:
        colours, alpha = cut_out(subject, style, size)
        drawn = colours - alpha * ground  # what the true subject adds to the ground, [2, 3, size, size]
        # sum of (a - b)^2 = sum of a^2 + sum of b^2 - 2 x sum of a b; the last is a correlation, all places at once
        errors = power + drawn.square().sum((1, 2, 3))[:, None, None] - 2 * F.conv2d(off_ground[None], drawn)[0]
        lowest = int(errors.argmin())
        flip, place = divmod(lowest, errors[0].numel())
        error = max(0.0, float(errors.flatten()[lowest])) / pixels.numel()
        if error**0.5 < best.error:
            best = Nearest(error**0.5, size, place % errors.shape[2], place // errors.shape[2], bool(flip))
    return best


def find_pair(picture: Image.Image, pairs: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Return the (subject, style) of `pairs` whose nearest true picture is the nearest to `picture`."""
    return min(pairs, key=lambda pair: find_nearest(picture, *pair).error)


def measure_distance(pictures: Sequence[Image.Image], pairs: Sequence[tuple[str, str]],
                     decoded: Sequence[Image.Image]) -> Distance:
    """Measure pictures of known (subject, style) against true ones.

    `decoded` are true pictures of the same pairs after the VAE's encoder and decoder: no picture of it can be better.
    """
    empty = [Image.new("RGB", picture.size, to_colour(border_median(to_pixels(picture)))) for picture in pictures]
    means = [float(np.mean([find_nearest(picture, *pair).error for picture, pair in zip(row, pairs, strict=True)]))
             for row in (pictures, decoded, empty)]
    return Distance(*means)


def to_pixels(picture: Image.Image) -> torch.Tensor:
    """Return a picture as [3, SIDE, SIDE], 0 to 1; each pixel is the mean of those that fall into it."""
    small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(small, dtype=np.float32) / 255).permute(2, 0, 1).contiguous()


def border_median(pixels: torch.Tensor) -> torch.Tensor:
    """Return the median colour of a picture's outermost pixels, [3, 1, 1]: its ground."""
    rim = torch.cat([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], dim=1)
    return rim.median(dim=1).values.view(3, 1, 1)


def to_colour(ground: torch.Tensor) -> tuple[int, int, int]:
    """Return a colour of three values from 0 to 1 as whole numbers up to 255."""
    red, green, blue = (round(float(value) * 255) for value in ground.flatten())
    return red, green, blue


@cache
def cut_out(subject: str, style: str, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a true subject and its mirror image: colours times alpha [2, 3, size, size], alpha [2, 1, size, size]."""
    values = torch.from_numpy(np.asarray(emoji.subject_at(subject, style, size, SIDE), dtype=np.float32) / 255)
    both = torch.stack([values.permute(2, 0, 1), values.flip(1).permute(2, 0, 1)])
    return both[:, :3] * both[:, 3:], both[:, 3:]
