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
from course_lib.dataset.making.scenes import Scene, Thing, check_scene, describe
from course_lib.dataset.making.synthesis import render
from course_lib.dataset.table import FILE, TEXT, read_table, write_table
from course_lib.exercises.answers import say, show
from course_lib.messages import LessonError, error, language, text
from course_lib.messages import say as word
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
    """Draw the nine pictures and write their table in the learner's language, the same bytes each time."""
    rng = random.Random(5)
    rows = []
    for number, (subject, ground) in enumerate(zip(SUBJECTS, GROUNDS), start=1):
        scene = Scene((Thing(subject, size=round(rng.uniform(0.72, 0.9), 2)),), "flat", ground)
        name = f"{number}.png"
        render(scene, SIZE).save(folder / name)
        rows.append({FILE: name, TEXT: describe(scene, language())})
    open_picture(folder / "3.png").resize((SIZE * 3 // 4,) * 2).save(folder / "9.jpg", quality=88)
    rows.append({FILE: "9.jpg", TEXT: word("一枚火箭，扁平风格", "a rocket, flat style")})
    mistaken = Scene((Thing(SUBJECTS[6]),), "flat", GROUNDS[4])
    rows[4][TEXT] = describe(mistaken, language())  # the penguin is called a bus
    whole = (folder / "7.png").read_bytes()
    (folder / "7.png").write_bytes(whole[:len(whole) // 2])
    write_table(folder, rows)


def check_fixes(folder: str | Path, fixes: Mapping[str, str | None]) -> bool:
    """Check that a planted set is right after the learner's fixes: file name -> a new caption, or None to drop it."""
    if not isinstance(fixes, Mapping):
        return say(False, "make_exercise_no_fixes", kind=type(fixes).__name__)
    for name, caption in fixes.items():
        if not (caption is None or isinstance(caption, str) and caption.strip()):
            return say(False, "make_exercise_no_caption", file=str(name), value=show(caption))
    folder = Path(folder)
    rows = read_table(folder)
    unknown = sorted(map(str, set(fixes) - {row[FILE] for row in rows}))
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
    if not isinstance(answer, Mapping) or not answer:
        return say(False, "make_exercise_mirror_form", value=show(answer))
    for caption, allowed in answer.items():
        if not isinstance(caption, str) or not isinstance(allowed, bool):
            return say(False, "make_exercise_mirror_value", caption=show(caption), value=show(allowed))
    wrong = [caption for caption, allowed in answer.items() if may_mirror(caption) != allowed]
    if not wrong:
        return say(True, "")
    return say(False, "make_exercise_mirror_may" if may_mirror(wrong[0]) else "make_exercise_mirror", caption=wrong[0])


def check_licences(answer: Collection[str], offered: Mapping[str, str]) -> bool:
    """Check that the learner chose, of pictures (name -> licence), all that may be changed, shared and sold."""
    if isinstance(answer, str) or not isinstance(answer, Collection) or not all(isinstance(n, str) for n in answer):
        return say(False, "make_exercise_licence_form", value=show(answer))
    unknown = sorted(set(answer) - set(offered))
    if unknown:
        return say(False, "make_exercise_licence_unknown", name=unknown[0], names=text("list_comma").join(offered))
    for name, licence in offered.items():
        if name in answer and licence not in FREE:
            return say(False, why_not(licence), name=name, licence=licence)
    missed = [name for name, licence in offered.items() if licence in FREE and name not in answer]
    return say(not missed, "make_exercise_licence_missed", name="".join(missed[:1]),
               licence=offered[missed[0]] if missed else "")


def why_not(licence: str) -> str:
    """Return the key of the reason why a picture of this licence cannot be used for all."""
    for element in ("nc", "nd", "sa"):
        if element in licence.split("-"):
            return f"make_exercise_licence_{element}"
    return "make_exercise_licence_none" if not licence else "make_exercise_licence"


def check_scene_words(scene: Scene, words: str) -> bool:
    """Check that a scene's own description in the learner's language is these words."""
    if not isinstance(scene, Scene):
        return say(False, "make_exercise_no_scene", kind=type(scene).__name__)
    try:
        check_scene(scene)
    except LessonError as problem:
        return say(False, "exercise_stopped", what=problem.what, why=problem.why, next_step=problem.next_step)
    described = describe(scene, language())
    return say(described == words, "make_exercise_scene", words=described, wanted=words)
