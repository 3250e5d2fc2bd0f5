"""The pictures that Tiny Kolors has learnt: 64 subjects, five styles (and two kept back), ten grounds, by rule.

Because every picture is composed by rule, what it shows is known exactly: that is how lessons can score a model.
"""

import json
import random
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageChops, ImageFilter, ImageStat

from course_lib.files import COURSE

FOLDER = COURSE / "data" / "emoji"
PICTURE_SIZE = 96  # px, width and height of a composed picture
# px: the size of the subject, its left and its top. Two of one size lie a whole cell of the UNet's coarser level
# apart (16 px), so that they are one picture moved, for the network too: it learns a drawing once, not once a place.
PLACES = (*((78, left, top) for left in (1, 17) for top in (1, 17)),
          *((62, left, top) for left in (1, 17, 33) for top in (1, 17, 33)))

# style -> its words in a caption, zh then en; the first of each is the usual one
STYLES = {
    "noto": (("卡通风格", "卡通"), ("cartoon style", "cartoon")),
    "flat": (("扁平风格", "扁平"), ("flat style", "flat")),
    "3d": (("立体风格", "立体"), ("3D style", "3D")),
    "lineart": (("线稿", "线描"), ("line art", "line drawing")),
    "lines": (("彩线风格", "彩线"), ("coloured lines", "colored lines")),
    "mono": (("灰白风格", "灰白"), ("monochrome",)),
    "block": (("色块风格", "色块"), ("colour block", "color block")),
}
OUTLINE = 1 / 32  # of a picture's width: the dark line around a cartoon's subject tells it from flat at a glance
OUTLINE_COLOUR = (38, 32, 40)
# What the base model was trained on; 3d and lineart are left for LoRA lessons. A model that knows one subject in
# several renderings has learnt that they can be changed alone: only then does a new one reach subjects it never showed.
BASE_STYLES = ("noto", "flat", "lines", "mono", "block")
RENDERED = ("lines", "mono", "block")  # by rule, from the flat picture
EDGE = 40  # least difference of two neighbouring pixels, of 255, that is drawn as a line

# ground -> its words in a caption, zh then en, and its colour (sRGB, 0-255); the first of each is the usual one
GROUNDS = {
    "red": (("红色", "红", "大红"), ("red",), (229, 57, 53)),
    "orange": (("橙色", "橙", "橘色"), ("orange",), (251, 140, 0)),
    "yellow": (("黄色", "黄"), ("yellow",), (253, 216, 53)),
    "green": (("绿色", "绿"), ("green",), (67, 160, 71)),
    "cyan": (("青色", "青"), ("cyan", "teal"), (38, 198, 218)),
    "blue": (("蓝色", "蓝"), ("blue",), (33, 100, 220)),
    "purple": (("紫色", "紫"), ("purple", "violet"), (142, 36, 170)),
    "pink": (("粉色", "粉", "粉红", "粉红色"), ("pink",), (244, 143, 177)),
    "white": (("白色", "白"), ("white",), (250, 250, 250)),
    "grey": (("灰色", "灰"), ("grey", "gray"), (158, 158, 158)),
}


@dataclass(frozen=True)
class Scene:
    """What one composed picture shows: names from this module, and px for size, left and top."""

    subject: str
    style: str
    ground: str
    size: int
    left: int
    top: int
    flip: bool


@cache
def subjects() -> dict[str, dict]:
    """Return every subject by its CLDR slug: its names in zh and en, zh measure word and group."""
    rows = json.loads((FOLDER / "subjects.json").read_text(encoding="utf-8"))
    return {row["slug"]: row for row in rows}


@cache
def subject_picture(subject: str, style: str, size: int = 128) -> Image.Image:
    """Return one subject in one style, RGBA, size x size px, transparent around it."""
    if style in RENDERED:
        return render(subject_picture(subject, "flat", size), subject_picture(subject, "flat", 2 * size), style)
    picture = Image.open(FOLDER / style / f"{subject}.png").convert("RGBA")
    return picture if picture.width == size else picture.resize((size, size), Image.Resampling.LANCZOS)


def render(picture: Image.Image, larger: Image.Image, style: str) -> Image.Image:
    """Render an RGBA picture in a style of `RENDERED`; larger is the same at twice its size."""
    alpha = picture.getchannel("A")
    if style == "mono":
        return Image.merge("LA", (picture.convert("L"), alpha)).convert("RGBA")
    mean = mean_colour(picture)
    if style == "block":
        return fill(mean, alpha)
    inside = Image.alpha_composite(Image.new("RGBA", picture.size, mean), picture).filter(ImageFilter.MinFilter(3))
    inside.putalpha(trace(larger))
    return inside


def mean_colour(picture: Image.Image) -> tuple[int, int, int]:
    """Return the mean colour (sRGB, 0-255) of what an RGBA picture shows, its transparent part left out."""
    return tuple(round(mean) for mean in ImageStat.Stat(picture.convert("RGB"), picture.getchannel("A")).mean)


def fill(colour: tuple[int, int, int], alpha: Image.Image) -> Image.Image:
    """Return a picture of one colour with this alpha, RGBA."""
    filled = Image.new("RGBA", alpha.size, colour)
    filled.putalpha(alpha)
    return filled


def trace(larger: Image.Image) -> Image.Image:
    """Return the lines between an RGBA picture's colours and around it, as an alpha channel of half its size."""
    on_grey = Image.alpha_composite(Image.new("RGBA", larger.size, (128, 128, 128)), larger).convert("RGB")
    edges = Image.new("L", larger.size)
    for channel in (*on_grey.split(), larger.getchannel("A")):
        step = ImageChops.subtract(channel.filter(ImageFilter.MaxFilter(3)), channel.filter(ImageFilter.MinFilter(3)))
        edges = ImageChops.lighter(edges, step)
    edges = edges.point(lambda step: 255 * (step > EDGE)).filter(ImageFilter.MaxFilter(3))
    return edges.resize((larger.width // 2, larger.height // 2), Image.Resampling.BOX)


def outline(subject: Image.Image, line: int) -> Image.Image:
    """Draw a dark line, `line` px wide, around an RGBA picture's subject; the result is larger by 2 x line."""
    picture = Image.new("RGBA", (subject.width + 2 * line, subject.height + 2 * line))
    picture.paste(subject, (line, line))
    grown = picture.getchannel("A").filter(ImageFilter.MaxFilter(2 * line + 1)).filter(ImageFilter.GaussianBlur(0.5))
    dark = Image.new("RGBA", picture.size, OUTLINE_COLOUR)
    dark.putalpha(grown)
    return Image.alpha_composite(dark, picture)


def subject_at(subject: str, style: str, size: int, side: int) -> Image.Image:
    """Return a subject as it stands in a composed picture of side x side px: RGBA, size x size px, outline included."""
    if style != "noto":
        return subject_picture(subject, style, size)
    line = round(side * OUTLINE)
    return outline(subject_picture(subject, style, size - 2 * line), line)


def random_scene(rng: random.Random, styles: tuple[str, ...] = BASE_STYLES) -> Scene:
    """Draw a scene at random: every subject, style, ground, size and place; none is mirrored."""
    return Scene(rng.choice(list(subjects())), rng.choice(styles), rng.choice(list(GROUNDS)), *rng.choice(PLACES),
                 flip=False)


@cache
def kept_pairs() -> frozenset[tuple[str, str]]:
    """Return the (subject, style) pairs that training never sees: whether a model can put together what it knows."""
    rows = json.loads((FOLDER / "kept_pairs.json").read_text(encoding="utf-8"))
    return frozenset(tuple(row) for row in rows)


def compose(scene: Scene, colour: tuple[int, int, int] | None = None) -> Image.Image:
    """Compose a scene's picture, RGB, PICTURE_SIZE square; `colour` (sRGB, 0-255) replaces its ground's usual one."""
    picture = Image.new("RGB", (PICTURE_SIZE, PICTURE_SIZE), colour or GROUNDS[scene.ground][2])
    subject = subject_at(scene.subject, scene.style, scene.size, PICTURE_SIZE)
    if scene.flip:
        subject = subject.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture.paste(subject, (scene.left, scene.top), subject)
    return picture


def shade(ground: str, rng: random.Random, spread: int = 10) -> tuple[int, int, int]:
    """Return a ground's colour, each channel moved by up to `spread` of 255, so that no single shade is learnt."""
    red, green, blue = (min(255, max(0, channel + rng.randint(-spread, spread))) for channel in GROUNDS[ground][2])
    return red, green, blue
