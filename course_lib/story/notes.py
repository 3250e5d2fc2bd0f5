"""Which picture a learner keeps for each scene, and why: a small file beside the candidates, whole at every moment."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from course_lib.checks import check_range, check_text
from course_lib.files import is_inside, write_whole
from course_lib.messages import error
from course_lib.story.candidates import Candidate
from course_lib.story.scenes import SCENES

NOTES = "choices.json"
MOST_LETTERS = 2000  # of a note
MOST_BYTES = 2**20


@dataclass(frozen=True)
class Choice:
    """The file that is kept for a scene, by its path in the story's folder ("" for none yet), and a note."""

    file: str = ""
    note: str = ""


def read_choices(folder: str | Path) -> dict[int, Choice]:
    """Return what was chosen in a story's folder: scene (from 1) -> Choice; LessonError for notes that are broken."""
    file = Path(folder) / NOTES
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(file.stat().st_size)
        written = json.loads(file.read_text(encoding="utf-8"))
        choices = {int(scene): Choice(each["file"], each["note"]) for scene, each in written["scenes"].items()}
        for scene, choice in choices.items():
            if not 1 <= scene <= SCENES or choice.file and not is_inside(choice.file):
                raise ValueError(f"{scene}: {choice.file}")
            if not isinstance(choice.note, str):
                raise TypeError(type(choice.note).__name__)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        raise error("story_notes_broken", file=file, cause=str(cause)[:200] or type(cause).__name__) from cause
    return choices


def keep(folder: str | Path, candidate: Candidate, note: str | None = None) -> None:
    """Keep a candidate for its scene, with a note if one is given; what else the file holds stays."""
    here = candidate.file.absolute()
    if not here.is_file() or not here.is_relative_to(Path(folder).absolute()):
        raise error("story_candidate_elsewhere", file=candidate.file, folder=folder)
    change(folder, candidate.scene, file=here.relative_to(Path(folder).absolute()).as_posix(),
           **({} if note is None else {"note": note}))


def change(folder: str | Path, scene: int, **values: str) -> None:
    """Change the choice ("file") or the note of one scene and write all of them, with what the file holds now."""
    check_range("scene", scene, 1, SCENES)
    for name, words in values.items():
        check_text(name, words)
        if len(words) > MOST_LETTERS:
            raise error("story_words", name=name, count=len(words), most=MOST_LETTERS)
    choices = read_choices(folder)
    choices[scene] = replace(choices.get(scene, Choice()), **values)
    table = {"scenes": {str(number): vars(choices[number]) for number in sorted(choices)}}
    file = Path(folder) / NOTES
    try:
        write_whole(file, json.dumps(table, ensure_ascii=False, indent=1).encode())
    except OSError as cause:
        raise error("cannot_write", path=file, cause=cause.strerror or cause) from cause
