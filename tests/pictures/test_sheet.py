"""A sheet of pictures: as many in a row as can be seen, and under each what is its own."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from course_lib.pictures.lettering import find_lacking, font, wrap
from course_lib.pictures.picture import Picture
from course_lib.pictures.sheet import LETTER, LINE, TILE, WIDTH, list_labels, show_sheet
from course_lib.sampling.settings import SamplerSettings


def plain(size, caption="", colour="red"):
    return Picture(Image.new("RGB", (size, size), colour), caption)


def drawn(prompt="一只猫", **changes):
    image = Image.new("RGB", (96, 96), "red")
    return Picture(image, "c", settings=replace(SamplerSettings(), **changes), prompt=prompt)


@pytest.mark.parametrize("size, count, columns", [
    (96, 8, 8), (96, 24, 12), (64, 40, 16), (16, 4, 4), (1024, 6, 3), (96, 1, 5)])
def test_a_sheet_can_be_seen_and_fits_the_page(size, count, columns):
    sheet = show_sheet([plain(size) for _ in range(count)], columns)
    pixels = np.asarray(sheet.image)
    red = (pixels == (255, 0, 0)).all(axis=2)
    across = int(np.diff(red[0].astype(int), prepend=0).clip(0).sum())
    assert sheet.image.width <= WIDTH and across == min(columns, count, 6 if size == 64 else 8)
    assert int(red[0].sum()) // across >= TILE


def test_labels_stand_under_their_pictures():
    long = "一段很长的说明，两行也放不下，所以最后是省略号，后面还有很多很多很多字"
    sheet = show_sheet([plain(96, "a"), plain(96, long)], columns=2)
    bare = show_sheet([plain(96), plain(96)], columns=2)
    assert sheet.image.height == bare.image.height + 2 * LINE and sheet.image.width == bare.image.width
    under = np.asarray(sheet.image.convert("L"))[bare.image.height:]
    half = sheet.image.width // 2
    assert 0 < (under[:, :half] < 128).sum() < (under[:, half:] < 128).sum()
    assert sheet.caption.startswith("a\n一段")


def test_the_label_is_what_differs():
    assert list_labels([drawn(cfg=1.0), drawn(cfg=5.0)]) == ["cfg 1.0", "cfg 5.0"]
    assert list_labels([drawn("一只猫", seed=1), drawn("a dog", seed=2)]) == ["seed 1  一只猫", "seed 2  a dog"]
    assert list_labels([drawn(), drawn()]) == ["", ""]
    assert list_labels([drawn(), plain(96, "true")]) == ["c", "true"]


def test_a_sheet_is_shown_as_large_as_it_is():
    sheet = show_sheet([plain(96, "x")], 1)
    assert sheet._repr_mimebundle_()["image/png"].startswith(b"\x89PNG")
    assert int.from_bytes(sheet._repr_mimebundle_()["image/png"][16:20], "big") == sheet.image.width


def test_lines_fit_their_width():
    lines = wrap("one_very_long_word_that_cannot_be_broken and more, 一二三四五六七八九十", 96, LETTER, 9)
    assert all(font(LETTER).getlength(line.rstrip()) <= 96 + LETTER for line in lines)
    assert "".join(lines).replace(" ", "") == "one_very_long_word_that_cannot_be_brokenandmore,一二三四五六七八九十"


def test_letters_that_the_font_lacks_are_found():
    assert find_lacking("瓢虫 ladybird 龘𠮷") == ["龘", "𠮷"]
