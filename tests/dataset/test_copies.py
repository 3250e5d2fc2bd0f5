"""Near duplicates: what is stored again, scaled or cropped is one picture; another drawing or expression is not."""

import io
import math
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from course_lib.dataset.checking import check
from course_lib.dataset.near_duplicates import find_alike, is_enlarged, same_picture
from course_lib.dataset.signals import hash_picture, make_grid
from course_lib.files import COURSE

PHOTOS = COURSE / "data" / "messy" / "photos"
SIZE = 384


def draw_shape(image, kind, box, colour):
    """Draw a disc, square, triangle, rhomb, cross, star or ring."""
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = box
    x, y, radius = (left + right) / 2, (top + bottom) / 2, (right - left) / 2
    if kind == 0:
        draw.ellipse(box, fill=colour)
    elif kind == 1:
        draw.rectangle(box, fill=colour)
    elif kind == 2:
        draw.polygon([(x, top), (right, bottom), (left, bottom)], fill=colour)
    elif kind == 3:
        draw.polygon([(x, top), (right, y), (x, bottom), (left, y)], fill=colour)
    elif kind == 4:
        draw.rectangle((x - radius / 3, top, x + radius / 3, bottom), fill=colour)
        draw.rectangle((left, y - radius / 3, right, y + radius / 3), fill=colour)
    elif kind == 5:
        corners = [(radius * (0.4 if number % 2 else 1), number * math.pi / 5) for number in range(10)]
        draw.polygon([(x + far * math.sin(turn), y - far * math.cos(turn)) for far, turn in corners], fill=colour)
    else:
        draw.ellipse(box, outline=colour, width=max(2, int(radius / 3)))


def draw_small(kind, share=0.08, ground="white", colour="black", at=(0.5, 0.5)):
    """Return a small shape on a plain ground."""
    image = Image.new("RGB", (2 * SIZE, 2 * SIZE), ground)
    x, y, radius = 2 * SIZE * at[0], 2 * SIZE * at[1], SIZE * share
    draw_shape(image, kind, (x - radius, y - radius, x + radius, y + radius), colour)
    return image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def draw_face(eyes, mouth, scale=1.0, at=0.45):
    """Return a figure with one of four kinds of eyes and of mouths, as a page of expressions shows them."""
    side = 2 * SIZE
    image = Image.new("RGB", (side, side), (200, 225, 250))
    draw = ImageDraw.Draw(image)
    unit, middle, height = side / 512 * scale, side / 2, side * at

    def box(left, top, right, bottom):
        return [(middle + left * unit, height + top * unit), (middle + right * unit, height + bottom * unit)]

    draw.rectangle(box(-70, 80, 70, 400), fill=(60, 90, 160))
    draw.ellipse(box(-105, -125, 105, 105), fill=(80, 50, 40))
    draw.ellipse(box(-85, -90, 85, 100), fill=(250, 214, 180))
    thick = round(5 * unit)
    for x in (-36, 36):
        if eyes == "open":
            draw.ellipse(box(x - 16, -12, x + 16, 22), fill="white")
            draw.ellipse(box(x - 9, -8, x + 9, 20), fill=(40, 40, 90))
        elif eyes == "closed":
            draw.arc(box(x - 16, -12, x + 16, 22), 20, 160, fill=(60, 40, 30), width=thick)
        else:
            draw.arc(box(x - 16, -2, x + 16, 30), 200, 340, fill=(60, 40, 30), width=thick)
    if mouth == "open":
        draw.ellipse(box(-16, 40, 16, 74), fill=(150, 40, 40))
    elif mouth == "flat":
        draw.line(box(-20, 56, 20, 56), fill=(150, 40, 40), width=thick)
    else:
        turn = (20, 160) if mouth == "smile" else (200, 340)
        draw.arc(box(-26, 28, 26, 64), *turn, fill=(150, 40, 40), width=thick)
    return image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def draw_on(photo, kind):
    """Return a photograph with a shape in a corner of it."""
    image = photo.copy()
    side = image.width // 8
    draw_shape(image, kind, (side, side, 2 * side, 2 * side), ((220, 40, 40), (40, 160, 60), (240, 220, 40))[kind])
    return image


def open_photo(number):
    return Image.open(sorted(PHOTOS.iterdir())[number]).convert("RGB")


def store(image, kind="JPEG", **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return Image.open(io.BytesIO(content.getvalue())).convert("RGB")


def scale(image, times):
    return image.resize((round(image.width * times), round(image.height * times)), Image.Resampling.LANCZOS)


def crop(image, left, top, right, bottom):
    return image.crop((int(image.width * left), int(image.height * top), int(image.width * (1 - right)),
                       int(image.height * (1 - bottom))))


def add_noise(image):
    values = np.asarray(image) + np.random.default_rng(0).normal(0, 4, (image.height, image.width, 3))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


COPIES = {
    "JPEG 70": lambda image: store(image, quality=70), "JPEG 30": lambda image: store(image, quality=30),
    "WebP": lambda image: store(image, "WEBP", quality=60), "half": lambda image: scale(image, 0.5),
    "larger": lambda image: scale(image, 1.6), "half, JPEG": lambda image: store(scale(image, 0.5), quality=60),
    "cropped": lambda image: crop(image, 0.03, 0.03, 0.03, 0.03), "one side": lambda image: crop(image, 0.04, 0, 0, 0),
    "cropped, JPEG": lambda image: store(crop(image, 0.04, 0.02, 0.03, 0.04), quality=70),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.88),
    "paler": lambda image: ImageEnhance.Color(image).enhance(0.8),
    "softer": lambda image: image.filter(ImageFilter.GaussianBlur(1)), "noisy": add_noise}
ORIGINALS = {
    "cat": open_photo(1), "launch": open_photo(3), "face": draw_face("open", "smile"),
    "figure": draw_face("open", "flat", 0.55, 0.25), "disc": draw_small(0),
    "star": draw_small(5, 0.1, (30, 30, 40), "red", (0.3, 0.7)),
    "yellow on blue": draw_small(2, 0.12, (120, 180, 240), (250, 230, 60))}
DIFFERENT = {
    "small shapes": [draw_small(kind) for kind in range(7)],
    "smaller shapes": [draw_small(kind, 0.05) for kind in range(7)],
    "coloured grounds": [draw_small(kind, 0.08, (120, 180, 240), (250, 230, 60)) for kind in range(6)],
    "dark ground": [draw_small(kind, 0.08, (30, 30, 40), (200, 60, 60), (0.3, 0.7)) for kind in range(6)],
    "places": [draw_small(0, at=at) for at in ((0.2, 0.2), (0.8, 0.2), (0.5, 0.5), (0.2, 0.8))],
    "colours": [draw_small(0, 0.12, colour=colour) for colour in ("red", "green", "blue", "black")],
    "faces": [draw_face(*looks) for looks in (("open", "smile"), ("closed", "smile"), ("open", "flat"),
                                              ("happy", "open"), ("closed", "sad"))],
    "figures": [draw_face(*looks, 0.55, 0.25) for looks in (("open", "smile"), ("closed", "smile"), ("open", "open"),
                                                            ("happy", "flat"))],
    "things in a photograph": [draw_on(open_photo(1), kind) for kind in range(3)]}


@pytest.mark.parametrize("name", ORIGINALS)
def test_copies_are_one_picture(name):
    image = ORIGINALS[name]
    for how, change in COPIES.items():
        grey = [each.convert("L") for each in (image, change(image))]
        alike = list(find_alike([hash_picture(each) for each in grey], [make_grid(each) for each in grey]))
        assert (0, False) in dict(alike).get(1, []), how
        assert same_picture(image, change(image)), how


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_pictures_are_no_copies(name):
    for (one, first), (other, second) in combinations(enumerate(DIFFERENT[name]), 2):
        assert not same_picture(first, second), (one, other)


@pytest.mark.parametrize("name", ["small shapes", "faces"])
def test_nothing_of_them_is_dropped_from_a_set(tmp_path, name):
    for number, image in enumerate(DIFFERENT[name]):
        image.save(tmp_path / f"{number}.png")
        store(image, quality=80).save(tmp_path / f"copy of {number}.jpg", quality=85)
    report = check(tmp_path)
    assert sorted(row.file for row in report.kept) == [f"{number}.png" for number in range(len(DIFFERENT[name]))]
    for row in report.find("near_duplicate"):
        assert [reason.value for reason in row.reasons if reason.code == "near_duplicate"] == [f"{row.file[8]}.png"]


@pytest.mark.parametrize("worse", [
    lambda image: scale(scale(image, 0.5), 3.0), lambda image: scale(image, 1.7), lambda image: scale(image, 0.6),
    lambda image: image.filter(ImageFilter.GaussianBlur(2)), lambda image: store(image, quality=25),
    lambda image: crop(image, 0.03, 0.03, 0.03, 0.03)])
@pytest.mark.parametrize("name", ["cat", "face"])
def test_the_better_of_two_copies_is_kept(tmp_path, name, worse):
    ORIGINALS[name].save(tmp_path / "z the picture itself.png")
    worse(ORIGINALS[name]).save(tmp_path / "a.png")
    report = check(tmp_path)
    assert [row.file for row in report.kept] == ["z the picture itself.png"]


def test_a_jpeg_of_few_blocks_is_worse_than_one_of_good_quality(tmp_path):
    image = ORIGINALS["cat"]
    image.save(tmp_path / "a.jpg", quality=30)
    image.save(tmp_path / "z long name.jpg", quality=92)
    assert [row.file for row in check(tmp_path).kept] == ["z long name.jpg"]


@pytest.mark.parametrize("number", range(4))
def test_an_enlarged_picture_is_told_from_a_large_one(number):
    photo = open_photo(number)
    for times in (1.25, 1.6, 2.5):
        small = (round(photo.width / times), round(photo.height / times))
        assert not is_enlarged(photo, small)
        assert is_enlarged(scale(photo, times), photo.size)
        assert is_enlarged(store(scale(photo, times), quality=80), photo.size)


def test_a_mirrored_face_is_warned_of_and_another_one_is_not(tmp_path):
    turned = draw_face("open", "smile", 0.9, 0.4).rotate(8, fillcolor=(200, 225, 250))
    turned.save(tmp_path / "a.png")
    turned.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.png")
    other = draw_face("closed", "open", 0.9, 0.4).rotate(8, fillcolor=(200, 225, 250))
    other.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "other.png")
    found = {row.file: "mirror_duplicate" in row.codes for row in check(tmp_path).rows}
    assert not found["other.png"] and found["a.png"] + found["mirrored.png"] == 1
