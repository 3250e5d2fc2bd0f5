"""A set that a program writes: made whole beside its place, put there in one go, and never over a person's work.

A journal in the set's folder names every file that was written, with its SHA-256, so that a second run replaces these
and no others, and none that was changed since.
"""

import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from course_lib.files import sha256, write_whole
from course_lib.messages import error

PARTS = ("train", "validation")
WORK = ".preparing"  # in the set's folder, while it is being written

Journal = dict[str, list[str]]  # a file's path in the folder -> the hashes it may have


def read_journal(out: Path, name: str, beside: Collection[str] = ()) -> Journal:
    """Return the files that an earlier run wrote in out; none without a journal, LessonError for one that is none.

    A file is in one of PARTS, or is one of those named in `beside`.
    """
    try:
        journal = json.loads((out / name).read_text(encoding="utf-8"))
        files = {PurePosixPath(path): [str(each) for each in hashes] for path, hashes in journal["files"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as cause:
        raise error("set_out_taken", out=out, file=name) from cause
    if any(str(path) not in beside and (path.parts[:1] not in [(part,) for part in PARTS] or ".." in path.parts)
           for path in files):
        raise error("set_out_taken", out=out, file=name)
    return {str(path): hashes for path, hashes in files.items()}


def check_untouched(out: Path, journal: Journal, beside: Collection[str] = ()) -> None:
    """Answer a part that this did not write, or a file that was changed since, with a LessonError: nothing is lost."""
    for part in PARTS:
        known = any(PurePosixPath(name).parts[0] == part for name in journal)
        if not known and (out / part).exists() and next((out / part).iterdir(), None):
            raise error("set_out_taken", out=out, file=part)
    for name in beside:
        if name not in journal and os.path.lexists(out / name):
            raise error("set_out_taken", out=out, file=name)
    for name, hashes in journal.items():
        if (out / name).is_file() and sha256(out / name) not in hashes:
            raise error("set_out_changed", out=out, file=name)


def begin(out: Path, name: str, beside: Collection[str] = ()) -> tuple[Path, Journal]:
    """Return an empty folder to write a set in, and the journal of the set that stands in its place."""
    if any((out / each).is_symlink() for each in (*PARTS, WORK, name, *beside)):
        raise error("set_out_taken", out=out, file="link")
    journal = read_journal(out, name, beside)
    check_untouched(out, journal, beside)
    work = out / WORK
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    return work, journal


def publish(out: Path, before: Journal, journal: str) -> None:
    """Put what was written in the place of what was before; what is not in the journal is left where it is."""
    work = out / WORK
    written = {path.relative_to(work).as_posix(): [sha256(path)] for path in sorted(work.rglob("*")) if path.is_file()}
    merged = {name: sorted({*before.get(name, []), *written.get(name, [])}) for name in {**before, **written}}
    write_journal(out / journal, False, merged)
    # What makes a set look whole goes first.
    for name in sorted(before, key=lambda name: not name.endswith("metadata.csv")):
        remove(out, out / name)
    for place in sorted(work.iterdir(), key=lambda place: (place.is_dir(), PARTS[0] == place.name)):
        if not (out / place.name).exists():
            place.rename(out / place.name)
        elif place.is_dir():
            move_files(place, out / place.name)
        else:
            raise error("set_out_taken", out=out, file=place.name)
    shutil.rmtree(work)
    write_journal(out / journal, True, written)


def remove(out: Path, path: Path) -> None:
    """Remove one written file, and the folders that it leaves empty."""
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == out or not parent.is_dir() or next(parent.iterdir(), None):
            return
        parent.rmdir()


def move_files(source: Path, target: Path) -> None:
    """Move a part's files in between those that somebody else put there, which stay; metadata.csv last."""
    files = sorted(path for path in source.rglob("*") if path.is_file())
    for path in files:
        if (target / path.relative_to(source)).exists():
            raise error("set_out_taken", out=target, file=path.relative_to(source))
    for path in sorted(files, key=lambda path: path.name == "metadata.csv"):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, place)


def write_journal(file: Path, whole: bool, files: Journal) -> None:
    """Write in one step which files are the set's, and whether it is whole."""
    write_whole(file, json.dumps({"whole": whole, "files": files}, ensure_ascii=False, indent=1).encode())
