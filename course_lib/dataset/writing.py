"""Write a checked set as training reads it: out/train/metadata.csv, its pictures, and a .txt beside each.

All is written into a folder beside train first, which is renamed when it is whole. A journal names every file that
was written, so that a second run replaces these and no others.
"""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from course_lib.dataset.report import Report, Row
from course_lib.dataset.splitting import split
from course_lib.dataset.table import FILE, TEXT, write_table
from course_lib.files import sha256
from course_lib.messages import error, text
from course_lib.pictures.picture_files import SUFFIXES, open_picture

PARTS = ("train", "validation")
WORK = ".preparing"  # in out, while a set is being written
JOURNAL = "prepared.json"  # in out: the files of the set, and whether it is whole
COPIED = ("PNG", "JPEG", "MPO", "WEBP", "BMP")  # formats that training reads; others are written as PNG
REDRAWN = ("alpha_flattened", "converted_mode", "exif_rotated", "animated")
ATTRIBUTION = "ATTRIBUTION.txt"  # what `sources` wrote of the authors goes along with their pictures


def write_set(report: Report, out: Path, rows: Sequence[Row], validation: float, seed: int) -> None:
    """Write rows as out/train and, for a share above 0, out/validation, and say so; LessonError if out is not free."""
    parts = split(rows, validation, seed)
    check_place(report.folder, out)
    try:
        journal = read_journal(out)
        check_untouched(out, journal)
        work = out / WORK
        shutil.rmtree(work, ignore_errors=True)
        names = name_files(rows)
        for part, members in zip(PARTS, (parts.train, parts.validation)):
            if members or part == PARTS[0]:
                write_part(report.folder, work / part, members, names)
        publish(out, journal)
    except OSError as cause:
        raise error("cannot_write", path=out, cause=cause.strerror or cause) from cause
    print(text("set_prepared", out=out.name, train=len(parts.train), validation=len(parts.validation)))


def check_place(folder: Path, out: Path) -> None:
    """Answer an `out` in the raw folder, or one whose train folder holds the raw one, with a LessonError."""
    raw, target = folder.resolve(), out.resolve()
    written = [target / name for name in (*PARTS, WORK)]
    if target.is_relative_to(raw) or any(raw.is_relative_to(place) for place in written):
        raise error("set_out_inside", out=out, folder=folder)
    if any((out / name).is_symlink() for name in (*PARTS, WORK, JOURNAL)):
        raise error("set_out_taken", out=out, file="link")


def read_journal(out: Path) -> dict[str, list[str]]:
    """Return the files that an earlier run wrote in out, with the SHA-256 each may have; none without a journal."""
    try:
        journal = json.loads((out / JOURNAL).read_text(encoding="utf-8"))
        files = {PurePosixPath(name): list(hashes) for name, hashes in journal["files"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, AttributeError, TypeError) as cause:
        raise error("set_out_taken", out=out, file=JOURNAL) from cause
    if any(name.parts[:1] not in ((PARTS[0],), (PARTS[1],)) or ".." in name.parts for name in files):
        raise error("set_out_taken", out=out, file=JOURNAL)
    return {str(name): hashes for name, hashes in files.items()}


def check_untouched(out: Path, journal: dict[str, list[str]]) -> None:
    """Answer a part that this did not write, or a file that was changed since, with a LessonError: nothing is lost."""
    for part in PARTS:
        known = any(PurePosixPath(name).parts[0] == part for name in journal)
        if not known and (out / part).exists() and next((out / part).iterdir(), None):
            raise error("set_out_taken", out=out, file=part)
    for name, hashes in journal.items():
        if (out / name).is_file() and sha256(out / name) not in hashes:
            raise error("set_out_changed", out=out, file=name)


def name_files(rows: Sequence[Row]) -> dict[str, str]:
    """Choose each picture's name in the set: its own, its suffix right, and no two that share the name of a .txt."""
    names, taken = {}, set()
    for row in rows:
        path = PurePosixPath(row.file)
        if redraws(row):
            suffix = ".png"
        elif "wrong_extension" in row.codes:
            suffix = SUFFIXES[row.format][0]
        else:
            suffix = path.suffix
        stem, number = path.with_suffix("") if path.suffix else path, 2
        chosen = stem
        while str(chosen).casefold() in taken:
            chosen, number = stem.with_name(f"{stem.name}_{number}"), number + 1
        taken.add(str(chosen).casefold())
        names[row.file] = f"{chosen}{suffix}"
    return names


def redraws(row: Row) -> bool:
    """Tell whether a picture is written anew, and not its bytes copied."""
    return row.format not in COPIED or any(code in REDRAWN for code in row.codes)


def write_part(folder: Path, place: Path, rows: Sequence[Row], names: dict[str, str]) -> None:
    """Write the pictures of one part, their captions beside them, and last metadata.csv."""
    place.mkdir(parents=True)
    for row in rows:
        target = place / names[row.file]
        target.parent.mkdir(parents=True, exist_ok=True)
        if redraws(row):
            open_picture(folder / row.file).image.save(target, format="PNG")
        else:
            shutil.copyfile(folder / row.file, target)
        target.with_suffix(".txt").write_text(row.caption, encoding="utf-8", newline="")
    if (folder / ATTRIBUTION).is_file() and not (folder / ATTRIBUTION).is_symlink():
        shutil.copyfile(folder / ATTRIBUTION, place / ATTRIBUTION)
    write_table(place, [{FILE: names[row.file], TEXT: row.caption} | row.extra for row in rows])


def publish(out: Path, before: dict[str, list[str]]) -> None:
    """Put the written parts in the place of those written before; what is not in the journal is left where it is."""
    work = out / WORK
    written = {path.relative_to(work).as_posix(): [sha256(path)] for path in sorted(work.rglob("*")) if path.is_file()}
    merged = {name: sorted({*before.get(name, []), *written.get(name, [])}) for name in {**before, **written}}
    write_journal(out, False, merged)
    # What makes a set look whole goes first.
    for name in sorted(before, key=lambda name: not name.endswith("metadata.csv")):
        remove(out, out / name)
    for part in reversed(PARTS):
        if not (work / part).exists():
            continue
        if not (out / part).exists():
            (work / part).rename(out / part)
        else:
            move_files(work / part, out / part)
    shutil.rmtree(work)
    write_journal(out, True, written)


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


def write_journal(out: Path, whole: bool, files: dict[str, list[str]]) -> None:
    """Write in one step which files are the set's, and whether it is whole."""
    part = out / f"{JOURNAL}.part"
    part.write_text(json.dumps({"whole": whole, "files": files}, ensure_ascii=False, indent=1), encoding="utf-8")
    part.replace(out / JOURNAL)
