"""The exercises of the lesson on data sets: a small set with three planted problems, and checks of answers.

Apart from `exercises` because they need the checking of data sets.
"""

import filecmp
import random
import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from course_lib.dataset.checking import check
from course_lib.dataset.collecting.rights import FREE
from course_lib.dataset.making.augmentation import may_mirror
from course_lib.dataset.making.scenes import Scene, Thing, describe
from course_lib.dataset.making.synthesis import render
from course_lib.dataset.table import FILE, TEXT, read_table, write_table
from course_lib.exercises.answers import say
from course_lib.messages import error, text
from course_lib.pictures import wording
from course_lib.pictures.classifier import judge
from course_lib.pictures.opening import open_picture

SIZE = 256  # px
SUBJECTS = ("cat-face", "red-apple", "rocket", "umbrella", "penguin", "sunflower", "bus", "crown")
GROUNDS = ("blue", "yellow", "pink", "green", "orange", "white", "purple", "cyan")


def plant_problems(folder: str | Path) -> Path:
    """Write a set of nine pictures with three problems into a new folder, or see that this one holds just that set.

    LessonError where anything else stands in it: a picture of the learner's, or a file that was changed since.
    """
    folder = Path(folder)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch)
        draw_planted(made)
        if folder.is_dir():
            for file in sorted(folder.iterdir()):
                if not (made / file.name).is_file():
                    raise error("set_out_taken", out=folder, file=file.name)
                if not file.is_file() or not filecmp.cmp(file, made / file.name, shallow=False):
                    raise error("set_out_changed", out=folder, file=file.name)
        shutil.copytree(made, folder, dirs_exist_ok=True)
    return folder


def draw_planted(folder: Path) -> None:
    """Draw the nine pictures and write their table, the same bytes each time."""
    rng = random.Random(5)
    rows = []
    for number, (subject, ground) in enumerate(zip(SUBJECTS, GROUNDS), start=1):
        scene = Scene((Thing(subject, size=round(rng.uniform(0.72, 0.9), 2)),), "flat", ground)
        name = f"{number}.png"
        render(scene, SIZE).save(folder / name)
        rows.append({FILE: name, TEXT: describe(scene)})
    open_picture(folder / "3.png").resize((SIZE * 3 // 4,) * 2).save(folder / "9.jpg", quality=88)
    rows.append({FILE: "9.jpg", TEXT: "一枚火箭，扁平风格"})
    rows[4][TEXT] = rows[6][TEXT].replace("紫色", "橙色")  # the penguin is called a bus
    whole = (folder / "7.png").read_bytes()
    (folder / "7.png").write_bytes(whole[:len(whole) // 2])
    write_table(folder, rows)


def check_fixes(folder: str | Path, fixes: Mapping[str, str | None]) -> bool:
    """Check that a planted set is right after the learner's fixes: file name -> a new caption, or None to drop it."""
    folder = Path(folder)
    rows = read_table(folder)
    unknown = sorted(set(fixes) - {row[FILE] for row in rows})
    if unknown:
        return say(False, "make_exercise_unknown", file=unknown[0])
    kept = [{**row, TEXT: fixes.get(row[FILE], row[TEXT])} for row in rows if fixes.get(row[FILE], "") is not None]
    if len(kept) < len(rows) - 2:
        return say(False, "make_exercise_too_few", count=len(kept))
    with tempfile.TemporaryDirectory() as place:
        for row in kept:
            shutil.copyfile(folder / row[FILE], Path(place) / row[FILE])
        write_table(place, kept)
        report = check(place)
        bad = next((row for row in report.rows if row.verdict in ("drop", "fix")), None)
        if bad:
            return say(False, "make_exercise_verdict", file=bad.file, reason=bad.reasons[0])
        for row, seen in zip(kept, judge([open_picture(Path(place) / row[FILE]) for row in kept])):
            if wording.read_prompt(row[TEXT]).subject != seen.subject:
                return say(False, "make_exercise_caption", file=row[FILE], subject=wording.name_of(seen.subject))
    return say(True, "")


def check_mirror(answer: Mapping[str, bool]) -> bool:
    """Check for each caption whether the learner knows if its picture may be mirrored."""
    wrong = [caption for caption, allowed in answer.items() if may_mirror(caption) != allowed]
    return say(bool(answer) and not wrong, "make_exercise_mirror", caption=wrong[0] if wrong else "")


def check_licences(answer: Collection[str], offered: Mapping[str, str]) -> bool:
    """Check that the learner chose, of pictures (name -> licence), all that may be changed, shared and sold."""
    right = {name for name, licence in offered.items() if licence in FREE}
    wrong = sorted(set(answer) ^ right)
    missed = bool(wrong) and wrong[0] in right
    return say(not wrong, "make_exercise_licence_missed" if missed else "make_exercise_licence",
               name="".join(wrong[:1]), licence=offered.get(wrong[0], text("none")) if wrong else "")


def check_scene_words(scene: Scene, words: str) -> bool:
    """Check that a scene's own description is these words."""
    if not isinstance(scene, Scene):
        raise error("make_no_scene", cause=type(scene).__name__)
    return say(describe(scene) == words, "make_exercise_scene", words=describe(scene))
