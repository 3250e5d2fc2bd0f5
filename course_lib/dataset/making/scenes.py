"""A picture described as data: things, places, sizes, colours; and what it shows in words, zh and en.

Because the words are made from the description, a caption is always right: what a photograph never promises.
"""

import json
import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from course_lib.messages import error, text
from course_lib.pictures.emoji import GROUNDS, STYLES, subjects
from course_lib.pictures.wording import PLACES

VECTOR_STYLES = ("noto", "flat", "lineart")  # those with vector pictures in data/emoji/svg
PATTERNS = ("plain", "stripes", "dots")
SHAPES = {"stripes": "条纹", "dots": "圆点"}
MOST_THINGS = 4
CLEARLY = 0.0625  # how far off the middle a single thing stands before its caption says so, as `emoji.place` has it
ASIDE = 0.12  # the same for one of several things

# what English says with other words than "a" and the usual name
ENGLISH = {"ear-of-corn": "an ear of corn", "hot-beverage": "a cup of coffee", "grapes": "a bunch of grapes",
           "cherries": "cherries"}
# (column, row) of a picture's nine fields -> zh, en
FIELDS = {(-1, 0): PLACES["left"], (1, 0): PLACES["right"], (0, -1): PLACES["top"], (0, 1): PLACES["bottom"],
          (0, 0): ("中间", "in the middle"),
          (-1, -1): ("左上角", "in the top left corner"), (1, -1): ("右上角", "in the top right corner"),
          (-1, 1): ("左下角", "in the bottom left corner"), (1, 1): ("右下角", "in the bottom right corner")}


@dataclass(frozen=True)
class Thing:
    """One subject of `emoji.subjects()`: its middle and its size as shares of the picture (0 to 1), turn in degrees."""

    subject: str
    x: float = 0.5
    y: float = 0.5
    size: float = 0.8
    turn: float = 0.0
    flip: bool = False


@dataclass(frozen=True)
class Scene:
    """What a picture shows: things in one style on a ground; colours are names of `emoji.GROUNDS`.

    `second` is the colour of a pattern's stripes or dots; `ink` is that of line art, black if None.
    """

    things: tuple[Thing, ...]
    style: str = "noto"
    ground: str = "white"
    pattern: str = "plain"
    second: str | None = None
    ink: str | None = None


def check_scene(scene: Scene) -> None:
    """Answer a scene that cannot be drawn with a LessonError that names the field."""
    colours = list(GROUNDS)
    need("style", scene.style, VECTOR_STYLES)
    need("ground", scene.ground, colours)
    need("pattern", scene.pattern, PATTERNS)
    need("second", scene.second, [None] if scene.pattern == "plain" else [c for c in colours if c != scene.ground])
    # black or another colour, but never the ground's own, on which nothing would be seen
    need("ink", scene.ink, [None, *(c for c in colours if c not in (scene.ground, scene.second))]
         if scene.style == "lineart" else [None])
    if not 1 <= len(scene.things) <= MOST_THINGS:
        raise error("make_scene", field="things", value=len(scene.things), allowed=f"1-{MOST_THINGS}")
    for thing in scene.things:
        need("subject", thing.subject, list(subjects()))
        need("flip", thing.flip, (True, False))
        for name, low, high in (("x", 0, 1), ("y", 0, 1), ("size", 0.05, 1), ("turn", -360, 360)):
            value = getattr(thing, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise error("make_scene", field=name, value=repr(value), allowed=f"{low} - {high}")


def need(field: str, value: object, allowed: Sequence[object]) -> None:
    """Answer a value that is none of the allowed ones with a LessonError."""
    if isinstance(value, (list, dict)) or value not in allowed:
        raise error("make_scene", field=field, value=repr(value), allowed=text("list_comma").join(map(str, allowed)))


def to_json(scene: Scene) -> str:
    """Write a scene as one line of JSON."""
    return json.dumps(asdict(scene), ensure_ascii=False)


def from_json(line: str) -> Scene:
    """Read a scene from JSON, as `to_json` writes it; LessonError for what is no scene."""
    try:
        given = json.loads(line)
        known = {field.name for field in fields(Scene)}
        things = tuple(Thing(**thing) for thing in given["things"])
        scene = Scene(things, **{name: value for name, value in given.items() if name in known - {"things"}})
    except (ValueError, TypeError, KeyError, RecursionError) as cause:
        raise error("make_no_scene", cause=cause) from cause
    check_scene(scene)
    return scene


def random_scene(rng: random.Random, *, styles: Sequence[str] = ("noto", "flat"), most_things: int = 1,
                 patterns: Sequence[str] = ("plain",), inks: Sequence[str | None] = (None,),
                 among: Sequence[str] | None = None) -> Scene:
    """Draw a scene at random: 1 to `most_things` different subjects (of `among` if given) that do not overlap."""
    style, ground, pattern = rng.choice(styles), rng.choice(list(GROUNDS)), rng.choice(patterns)
    second = None if pattern == "plain" else rng.choice([colour for colour in GROUNDS if colour != ground])
    free = [ink for ink in inks if ink is None or ink not in (ground, second)]
    ink = rng.choice(free or [None]) if style == "lineart" else None
    names = rng.sample(list(among or subjects()), rng.randint(1, most_things))
    return Scene(tuple(spread(names, rng)), style, ground, pattern, second, ink)


def spread(names: Sequence[str], rng: random.Random) -> list[Thing]:
    """Place subjects at random in cells of their own, so that none covers another: one, two, three or four corners."""
    if len(names) == 1:
        size = rng.uniform(0.72, 0.94)  # as large as the course's own pictures have theirs
        cells = [(0.0, 0.0, 1.0, 1.0)]
    elif len(names) == 4:
        size = rng.uniform(0.34, 0.46)
        cells = [(x, y, 0.5, 0.5) for y in (0, 0.5) for x in (0, 0.5)]
    else:
        size = rng.uniform(0.7, 0.95) / len(names)
        width = 1 / len(names)
        cells = [(number * width, 0.0, width, 1.0) for number in range(len(names))]
        if rng.random() < 0.5:
            cells = [(y, x, height, wide) for x, y, wide, height in cells]  # below each other
    return [place(name, cell, size, rng) for name, cell in zip(names, cells)]


def place(name: str, cell: tuple[float, float, float, float], size: float, rng: random.Random) -> Thing:
    """Place a subject of this size at random in a cell (left, top, width, height), mirrored or not."""
    left, top, wide, high = cell
    x, y = (round(start + size / 2 + rng.random() * (room - size), 4) for start, room in ((left, wide), (top, high)))
    return Thing(name, x, y, round(size, 4), 0.0, rng.random() < 0.5)


def field_of(thing: Thing, alone: bool) -> tuple[int, int]:
    """Return in which of nine fields a thing stands: column and row, -1, 0 or 1; alone it is mostly in the middle."""
    across, down = thing.x - 0.5, thing.y - 0.5
    if alone:  # said only where it is plain to see, and then as one of four sides
        if max(abs(across), abs(down)) < CLEARLY or abs(abs(across) - abs(down)) < CLEARLY / 2:
            return 0, 0
        return (int(math.copysign(1, across)), 0) if abs(across) > abs(down) else (0, int(math.copysign(1, down)))
    column, line = (0 if abs(off) < ASIDE else int(math.copysign(1, off)) for off in (across, down))
    return column, line


def describe(scene: Scene, lang: str = "zh") -> str:
    """Describe a scene in "zh" or "en": every thing and where it stands, style, ground, always alike."""
    return {"zh": describe_zh, "en": describe_en}[lang](scene)


def describe_zh(scene: Scene) -> str:
    """Describe a scene in Chinese."""
    alone = len(scene.things) == 1
    parts = []
    for thing in scene.things:
        row, where = subjects()[thing.subject], field_of(thing, alone)
        name = f"一{row['measure']}{row['zh'][0]}"
        parts.append(f"{FIELDS[where][0]}是{name}" if not alone else
                     name if where == (0, 0) else f"{name}在{FIELDS[where][0]}")
    colour = {name: words[0][0] for name, words in GROUNDS.items()}
    style = STYLES[scene.style][0][0]
    ground = f"{colour[scene.ground]}背景"
    if scene.second:
        ground += f"带{colour[scene.second]}{SHAPES[scene.pattern]}"
    return "，".join([*parts, f"{colour[scene.ink]}{style}" if scene.ink else style, ground])


def describe_en(scene: Scene) -> str:
    """Describe a scene in English."""
    alone = len(scene.things) == 1
    parts = []
    for thing in scene.things:
        name, where = subjects()[thing.subject]["en"][0], field_of(thing, alone)
        words = ENGLISH.get(thing.subject) or f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
        parts.append(words if alone and where == (0, 0) else f"{words} {FIELDS[where][1]}")
    listed = parts[0] if alone else f"{', '.join(parts[:-1])} and {parts[-1]}"
    style = STYLES[scene.style][1][0]
    ground = f"{scene.ground} background"
    if scene.second:
        ground += f" with {scene.second} {scene.pattern}"
    return ", ".join([listed, f"{scene.ink} {style}" if scene.ink else style, ground])
