"""The measures agree with pictures whose numbers are known."""

import numpy as np
import pytest
from PIL import Image

from course_lib.pictures import emoji, measures


def test_distance_is_zero_for_equal_pictures_and_one_for_black_and_white():
    black, white, grey = (Image.new("RGB", (8, 8), colour) for colour in ("black", "white", (51, 51, 51)))
    assert measures.distance(black, black) == 0
    assert measures.distance(black, white) == 1
    assert measures.distance(black, grey) == pytest.approx(0.2)


def test_saturation_grows_from_grey_to_pure_colour():
    colours = ((120, 120, 120), (120, 90, 60), (120, 0, 0), (0, 0, 0))
    assert [measures.saturation(Image.new("RGB", (4, 4), colour)) for colour in colours] == [0, 0.5, 1, 0]


def test_clipped_counts_both_ends_of_the_scale():
    pixels = np.full((2, 2, 3), 100, dtype=np.uint8)
    pixels[0, 0] = (0, 255, 254)
    assert measures.clipped(Image.fromarray(pixels)) == pytest.approx(2 / 12)


@pytest.mark.parametrize("hits, count, low, high", [(0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (8, 10, 0.4902, 0.9433),
                                                    (50, 100, 0.4038, 0.5962)])  # Newcombe 1998, method 3
def test_an_interval_is_wilsons(hits, count, low, high):
    assert measures.interval(hits, count) == pytest.approx((low, high), abs=1e-4)


def test_two_tone_is_one_for_line_art_alone():
    scenes = {style: [emoji.Scene(name, style, ground, 56, 4, 4, False)
                      for name, ground in (("red-apple", "yellow"), ("frog", "white"), ("bus", "blue"))]
              for style in emoji.STYLES}
    shares = {style: [measures.two_tone(emoji.compose(scene)) for scene in row] for style, row in scenes.items()}
    assert min(shares["lineart"]) > 0.99
    assert max(shares["flat"] + shares["noto"] + shares["3d"]) < 0.9
    assert measures.two_tone(Image.new("RGB", (16, 16), "red")) == 1
