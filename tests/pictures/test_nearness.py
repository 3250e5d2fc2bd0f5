"""Distance to the nearest true picture: right where the answer is known, and the same as looked for one by one."""

import random

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from course_lib.pictures import emoji, nearness

PAIRS = [("red-apple", "noto"), ("lady-beetle", "flat"), ("owl", "lines"), ("bus", "mono"), ("key", "block")]


def true_picture(subject, style, size=50, left=9, top=3, flip=False, ground="blue", side=64):
    """Compose a true picture of any width."""
    picture = Image.new("RGB", (side, side), emoji.GROUNDS[ground][2])
    drawn = emoji.subject_at(subject, style, size, side)
    drawn = drawn.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else drawn
    picture.paste(drawn, (left, top), drawn)
    return picture


def look_one_by_one(picture, subject, style):
    """Compose every true picture and compare it: what find_nearest must find, slowly."""
    pixels = nearness.to_pixels(picture)
    ground = nearness.border_median(pixels)
    least = (9.0, None)
    for size in nearness.SIZES:
        for flip in (False, True):
            drawn = torch.from_numpy(np.asarray(emoji.subject_at(subject, style, size, 64)) / 255)
            drawn = (drawn.flip(1) if flip else drawn).float().permute(2, 0, 1)
            for left in range(65 - size):
                for top in range(65 - size):
                    true = ground.repeat(1, 64, 64)
                    window = true[:, top:top + size, left:left + size]
                    true[:, top:top + size, left:left + size] = window * (1 - drawn[3:]) + drawn[:3] * drawn[3:]
                    error = float((pixels - true).square().mean() ** 0.5)
                    least = min(least, (error, (size, left, top, flip)))
    return least


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
@pytest.mark.parametrize("flip", [False, True])
def test_a_true_picture_is_found_in_its_size_and_place(pair, flip):
    found = nearness.find_nearest(true_picture(*pair, flip=flip), *pair)
    assert found.error < 0.004  # a composed picture holds whole numbers
    assert (found.size, found.left, found.top) == (50, 9, 3)
    assert found.flip == flip or pair[0] in ("red-apple", "key")  # which are nearly their own mirror images


def test_it_finds_what_a_search_one_by_one_finds(monkeypatch):
    monkeypatch.setattr(nearness, "SIZES", nearness.SIZES[3:7:3])
    blurred = true_picture("owl", "flat", 46, 5, 11, ground="green").filter(ImageFilter.GaussianBlur(2))
    for pair in (("owl", "flat"), ("bus", "noto")):
        found = nearness.find_nearest(blurred, *pair)
        error, where = look_one_by_one(blurred, *pair)
        assert found.error == pytest.approx(error, abs=1e-5)
        assert (found.size, found.left, found.top, found.flip) == where


def test_the_nearest_pair_is_the_one_that_is_shown():
    pairs = [(subject, style) for subject in ("red-apple", "owl", "bus", "lady-beetle") for style in emoji.BASE_STYLES]
    for pair in pairs:
        shown = true_picture(*pair, size=52, ground="pink").filter(ImageFilter.GaussianBlur(0.7))
        assert nearness.find_pair(shown, pairs) == pair


def test_distance_is_0_for_true_pictures_and_1_for_empty_grounds():
    true = [true_picture(*pair) for pair in PAIRS]
    soft = [picture.filter(ImageFilter.GaussianBlur(0.6)) for picture in true]
    empty = [Image.new("RGB", (64, 64), emoji.GROUNDS["blue"][2]) for _ in PAIRS]
    blots = [picture.filter(ImageFilter.GaussianBlur(5)) for picture in true]
    assert nearness.measure_distance(soft, PAIRS, soft).value == 0
    assert nearness.measure_distance(true, PAIRS, soft).value < 0
    assert nearness.measure_distance(empty, PAIRS, soft).value == pytest.approx(1, abs=0.01)
    assert 0.3 < nearness.measure_distance(blots, PAIRS, soft).value < 0.95
    others = [true_picture(*PAIRS[number - 1]) for number in range(len(PAIRS))]
    assert nearness.measure_distance(others, PAIRS, soft).value > 0.8


def test_pictures_of_other_sizes_are_compared_too():
    large = true_picture("lady-beetle", "noto", 75, 12, 6, side=96)  # 50 px at 64
    assert nearness.find_nearest(large, "lady-beetle", "noto").error < 0.03  # two ways of making it smaller


def test_more_blur_is_further_away():
    rng = random.Random(0)
    picture = true_picture("lady-beetle", "noto", 52, rng.randrange(12), rng.randrange(12))
    errors = [nearness.find_nearest(picture.filter(ImageFilter.GaussianBlur(much)), "lady-beetle", "noto").error
              for much in (0, 1, 2, 4)]
    assert errors == sorted(errors) and errors[-1] > 2 * errors[1]
