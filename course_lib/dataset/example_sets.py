"""Small data sets of one style, composed by rule, in the form that a training reads: pictures and metadata.csv."""

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from course_lib.checks import check_choice, check_range
from course_lib.dataset.journal import PARTS, begin, publish
from course_lib.dataset.table import FILE, TEXT, write_table
from course_lib.files import COURSE, sha256
from course_lib.messages import error, text
from course_lib.pictures import emoji, wording

MESSY = COURSE / "outputs" / "messy"
JOURNAL, MESSY_JOURNAL = ".examples.json", ".messy.json"
HELD_BACK = 0.25  # of the subjects, for the validation folder, where nobody says which


def write_style_set(folder: str | Path, *, style: str = "lineart", subjects: Sequence[str] | int = 24,
                    per_subject: int = 1, seed: int = 0, validation: Sequence[str] | int | None = None,
                    trigger_word: str = "") -> Path:
    """Write folder/train and folder/validation, pictures of a style and metadata.csv each, and return the folder.

    `subjects` and `validation` are names of `emoji.subjects()`, or how many to choose by the seed; no subject is in
    both. Captions name subject, style and ground, in zh and en; a trigger word stands before them. A second run
    replaces what the first wrote. LessonError, also for a folder that holds another set or one that was edited.
    """
    check_choice("style", style, tuple(emoji.STYLES))
    check_range("per_subject", per_subject, 1, 1000)
    chosen, held = choose_subjects(subjects, validation, random.Random(f"{seed} subjects"))
    folder = Path(folder)
    try:
        work, before = begin(folder, JOURNAL)
        for part, names in zip(PARTS, (chosen, held)):
            write_part(work / part, names, style, per_subject, random.Random(f"{seed} {part}"), trigger_word)
        publish(folder, before, JOURNAL)
    except OSError as cause:
        raise error("cannot_write", path=folder, cause=cause.strerror or cause) from cause
    return folder


def choose_subjects(subjects: Sequence[str] | int, validation: Sequence[str] | int | None,
                    rng: random.Random) -> tuple[list[str], list[str]]:
    """Return the subjects to train on and those held back; LessonError for a name that there is not."""
    known = list(emoji.subjects())
    if isinstance(subjects, int):
        check_range("subjects", subjects, 1, len(known) - 1)
        named = set() if validation is None or isinstance(validation, int) else set(validation)
        subjects = rng.sample([name for name in known if name not in named], subjects)
    rest = [name for name in known if name not in set(subjects)]
    if validation is None:
        validation = min(max(1, round(len(subjects) * HELD_BACK)), len(rest))
    if isinstance(validation, int):
        check_range("validation", validation, 0, len(rest))
        validation = rng.sample(rest, validation)
    for name in (*subjects, *validation):
        if name not in known:
            raise error("train_no_subject", name=name, known=text("list_comma").join(known))
    return list(subjects), list(validation)


def write_part(folder: Path, names: Sequence[str], style: str, per_subject: int, rng: random.Random,
               trigger_word: str) -> None:
    """Compose `per_subject` pictures of each subject and write them with their captions."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in names:
        for number in range(per_subject):
            scene = replace(emoji.random_scene(rng, (style,)), subject=name)
            file = f"{name}_{number}.png"
            emoji.compose(scene, emoji.shade(scene.ground, rng)).save(folder / file)
            rows.append({FILE: file, TEXT: ", ".join(filter(None, (trigger_word, word_caption(scene, rng))))})
    write_table(folder, rows)


def word_caption(scene: emoji.Scene, rng: random.Random) -> str:
    """Word a scene's caption, zh or en at random, such that it names subject, style and ground."""
    while True:
        words = wording.caption(scene, rng.choice(("zh", "en")), rng)
        named = wording.read_prompt(words)
        if (named.subject, named.style, named.ground) == (scene.subject, scene.style, scene.ground):
            return words


def make_messy(folder: str | Path = MESSY) -> Path:
    """Make the messy set anew -> the folder of its raw pictures; beside it, truth.csv says what is wrong with each.

    LessonError for a folder that holds files of another hand.
    """
    folder = Path(folder).absolute()
    check_messy(folder)
    ended = subprocess.run([sys.executable, "-m", "data.messy", str(folder)], cwd=COURSE, capture_output=True,
                           text=True, errors="replace")
    if ended.returncode:
        lines = ended.stderr.strip().splitlines() or [str(ended.returncode)]
        raise error("cannot_write", path=folder, cause=lines[-1][:300])
    return folder / "raw"


def check_messy(folder: Path) -> None:
    """Answer a folder whose raw pictures or truth are not as the messy set was written with a LessonError."""
    try:
        known = json.loads((folder / MESSY_JOURNAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    there = hash_messy(folder)
    strange = [name for name in there if not isinstance(known, dict) or known.get(name) != there[name]]
    if strange:
        raise error("make_not_own", folder=folder, file=strange[0])


def hash_messy(folder: Path) -> dict[str, str]:
    """Return the files of a messy set with their SHA-256; of a link, where it leads."""
    places = [*sorted((folder / "raw").rglob("*")), folder / "truth.csv", folder / "truth_rows.csv"]
    links = {place.relative_to(folder).as_posix(): str(place.readlink()) for place in places if place.is_symlink()}
    return links | {place.relative_to(folder).as_posix(): sha256(place) for place in places
                    if not place.is_symlink() and place.is_file()}
