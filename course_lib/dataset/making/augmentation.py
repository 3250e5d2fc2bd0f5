"""More pictures from few: turned, mirrored, scaled and recoloured copies whose captions stay true.

What was done to each copy is written beside the set (augmentation.jsonl), and `apply_changes` does it again.
"""

import json
import random
import re
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from course_lib.dataset.journal import WORK, begin, publish
from course_lib.dataset.table import FILE, TEXT, Row, find_file, read_table, write_table
from course_lib.messages import error, text
from course_lib.pictures.emoji import GROUNDS
from course_lib.pictures.opening import open_picture

CHANGES = ("flip", "rotate", "scale", "colour")
RECORD = "augmentation.jsonl"
JOURNAL = ".augmented.json"
MOST_TURN = 8.0  # degrees
SCALES = (0.85, 1.05)  # mostly smaller: what is cut off could be what the caption names
STRENGTHS = {"brightness": (0.9, 1.1), "contrast": (0.9, 1.1), "saturation": (0.85, 1.15)}  # never the hue
ENHANCERS = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast, "saturation": ImageEnhance.Color}

# Words of a caption after which a mirrored picture would no longer be what it says. Sides; letters and signs; things
# that look different in a mirror, or mean something else there (a crescent moon of the other phase).
SIDES = ("左", "右", "left", "right")
LETTERS = ("字", "写着", "印着", "刻着", "标语", "标志", "商标", "招牌", "水印", "海报", "封面", "报纸", "书",
           "车牌", "数字",
           "text", "letter", "word", "logo", "sign", "watermark", "poster", "label", "book", "newspaper", "number",
           "written", "title", "lettering", "say", "saying", "reads")
LOPSIDED = ("钟", "手表", "吉他", "小提琴", "钢琴", "地图", "国旗", "月亮", "弯月", "月牙", "键盘", "屏幕",
            "clock", "watch", "guitar", "violin", "piano", "map", "flag", "moon", "crescent", "keyboard", "screen")
QUOTED = re.compile(r"[「『“\"][^」』”\"]+[」』”\"]")  # words that stand in the picture
# Words after which a brighter or a darker picture would no longer be what it says.
LIGHT = ("黑", "暗", "亮", "夜", "阳光", "black", "dark", "bright", "night", "sunny",
         *(word for zh, en, _ in GROUNDS.values() for word in (*zh, *en)))


def augment(folder: str | Path, out: str | Path, *, copies: int = 2, seed: int = 0,
            changes: Sequence[str] = CHANGES, keep_sides: Collection[str] = ()) -> Path:
    """Write a set (folder/train) and up to `copies` changed copies of each picture into the empty folder `out`.

    `validation` is copied as it is, never enlarged. Pictures named in `keep_sides` (such as those that hold text) are
    not mirrored. The same seed gives the same copies, and one picture's copies do not depend on the others.
    """
    folder, out = Path(folder), Path(out)
    rows = read_table(folder / "train")
    if not rows:
        raise error("make_no_train", folder=folder)
    check_choice(changes, copies)
    try:
        if out.exists() and any(place.name != WORK for place in out.iterdir()):
            raise error("make_not_empty", folder=out)
        work, _ = begin(out, JOURNAL)
        records = write_copies(folder, work, rows, copies, seed, changes, keep_sides)
        publish(out, {}, JOURNAL)
    except OSError as cause:
        raise error("cannot_write", path=out, cause=cause.strerror or cause) from cause
    print(text("make_augmented", before=len(rows), after=len(rows) + len(records), folder=out.name,
               mirrored=sum(["flip"] in each["changes"] for each in records)))
    return out


def write_copies(folder: Path, out: Path, rows: Sequence[Row], copies: int, seed: int, changes: Sequence[str],
                 keep_sides: Collection[str]) -> list[dict[str, Any]]:
    """Write a set and its changed copies into an empty folder -> what was done to each copy."""
    (out / "train").mkdir(parents=True)
    copy_validation(folder / "validation", out / "validation")
    written: list[Row] = []
    records: list[dict[str, Any]] = []
    for row in rows:
        source = find_file(folder / "train", row[FILE])
        target = find_file(out / "train", row[FILE])
        picture = open_picture(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        written.append(row)
        for changed in choose_copies(row, copies, seed, changes, row[FILE] not in keep_sides):
            name = f"{target.stem}_{target.suffix[1:]}_{len(records):05}.png"
            apply_changes(picture, changed).save(target.parent / name)
            written.append({**row, FILE: target.with_name(name).relative_to(out / "train").as_posix()})
            records.append({FILE: written[-1][FILE], "source": row[FILE], "seed": seed, "changes": changed})
    lines = [json.dumps(each, ensure_ascii=False) + "\n" for each in records]
    (out / RECORD).write_text("".join(lines), encoding="utf-8")
    write_table(out / "train", written)
    return records


def copy_validation(folder: Path, out: Path) -> None:
    """Copy a set's validation part as it is: the pictures that its table names, and the table."""
    rows = read_table(folder)
    for row in rows:
        target = find_file(out, row[FILE])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(find_file(folder, row[FILE]), target)
    if rows:
        write_table(out, rows)


def check_choice(changes: Sequence[str], copies: int) -> None:
    """Answer changes that there are not, or a number of copies that is none, with a LessonError."""
    if isinstance(changes, str) or not changes or not set(changes) <= set(CHANGES):
        raise error("make_scene", field="changes", value=repr(changes), allowed=text("list_comma").join(CHANGES))
    if isinstance(copies, bool) or not isinstance(copies, int) or not 1 <= copies <= 100:
        raise error("make_scene", field="copies", value=repr(copies), allowed="1 - 100")


def choose_copies(row: Row, copies: int, seed: int, changes: Sequence[str],
                  mirror: bool = True) -> list[list[list]]:
    """Choose what is done to each copy of one picture; a copy that would be equal to another is left out."""
    chosen: list[list[list]] = []
    for copy in range(copies):
        rng = random.Random(f"{seed}/{row[FILE]}/{copy}")
        changed = choose_changes(row[TEXT], rng, changes, mirror)
        if changed and changed not in chosen:
            chosen.append(changed)
    return chosen


def choose_changes(caption: str, rng: random.Random, changes: Sequence[str], mirror: bool = True) -> list[list]:
    """Choose changes that leave this caption true: [["flip"], ["rotate", degrees], ["scale", factor], ...]."""
    # Every number is drawn whether it is used or not, so that leaving one change out moves no other.
    flip, turn, scale = rng.random() < 0.5, rng.uniform(-MOST_TURN, MOST_TURN), rng.uniform(*SCALES)
    strengths = {name: rng.uniform(*bounds) for name, bounds in STRENGTHS.items()}
    if names_any(caption, LIGHT):
        del strengths["brightness"]
    possible = {"rotate": ["rotate", round(turn, 2)], "scale": ["scale", round(scale, 4)]}
    chosen: list[list] = []
    if "flip" in changes and flip and mirror and may_mirror(caption):
        chosen.append(["flip"])
    chosen += [change for name, change in possible.items() if name in changes]
    if "colour" in changes:
        chosen += [[name, round(value, 4)] for name, value in strengths.items()]
    return chosen


def may_mirror(caption: str) -> bool:
    """Say whether a caption is still true of the mirrored picture: no side, no letters, nothing lopsided."""
    return not names_any(caption, (*SIDES, *LETTERS, *LOPSIDED)) and not QUOTED.search(caption)


def names_any(caption: str, words: Sequence[str]) -> bool:
    """Say whether a caption holds one of these words; Latin words count only whole."""
    lower = caption.lower()
    return any(re.search(rf"\b{word}s?\b", lower, re.ASCII) if word.isascii() else word in lower for word in words)


def apply_changes(picture: Image.Image, changes: Sequence[Sequence]) -> Image.Image:
    """Return a changed copy of an RGB picture, of the same size; room that opens is filled from the picture's rim."""
    for name, *values in changes:
        if name == "flip":
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        elif name in ("rotate", "scale"):
            picture = move(picture, **{name: values[0]})
        else:
            picture = ENHANCERS[name](picture).enhance(values[0])
    return picture


def move(picture: Image.Image, rotate: float = 0.0, scale: float = 1.0) -> Image.Image:
    """Turn a picture about its middle (degrees, anticlockwise) and scale it there."""
    room = max(picture.size) // 3
    wide = Image.fromarray(np.pad(np.asarray(picture), ((room, room), (room, room), (0, 0)), mode="edge"))
    if rotate:
        wide = wide.rotate(rotate, Image.Resampling.BICUBIC)
    middle, half = (wide.width / 2, wide.height / 2), (picture.width / 2 / scale, picture.height / 2 / scale)
    box = (middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1])
    return wide.resize(picture.size, Image.Resampling.LANCZOS, box)
