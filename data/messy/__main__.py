"""Make the messy set from the shipped vector pictures and four photographs: `python -m data.messy folder`."""

import argparse
import random
import shutil
from pathlib import Path

from PIL import Image

from course_lib.dataset.example_sets import MESSY_JOURNAL, check_messy, hash_messy
from course_lib.dataset.making.scenes import Scene, Thing, describe
from course_lib.dataset.making.synthesis import render
from course_lib.files import write_json
from course_lib.messages import LessonError
from course_lib.pictures.emoji import GROUNDS, subjects
from data.messy import FOLDER, NEEDED, Raw, plant

STYLE = "lineart"
SEED = 20241
PHOTOS = {"cat": "一只猫的照片，脸的特写", "coffee": "一杯咖啡的照片，放在木桌上",
          "astronaut": "一位穿橙色宇航服的宇航员的照片", "launch": "火箭发射的照片，夜空中的火光"}


def draw_subjects(count: int) -> list[Raw]:
    """Draw `count` different subjects on grounds chosen by a fixed seed, with their captions."""
    rng = random.Random(SEED)
    names = rng.sample(list(subjects()), count)
    scenes = [Scene((Thing(name, size=0.84),), STYLE, rng.choice(list(GROUNDS))) for name in names]
    return [Raw(scene.things[0].subject, describe(scene, "zh"), render(scene)) for scene in scenes]


def open_photos() -> list[Raw]:
    """Open the four photographs."""
    return [Raw(name, words, Image.open(FOLDER / "photos" / f"{name}.jpg")) for name, words in PHOTOS.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a new folder; one that holds an earlier messy set is made again")
    folder = parser.parse_args().folder
    try:
        check_messy(folder)
    except LessonError as problem:
        raise SystemExit(str(problem)) from problem
    shutil.rmtree(folder / "raw", ignore_errors=True)
    plant(draw_subjects(NEEDED), open_photos(), folder / "raw")
    write_json(folder / MESSY_JOURNAL, hash_messy(folder))


if __name__ == "__main__":
    main()
