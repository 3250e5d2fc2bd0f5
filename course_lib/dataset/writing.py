"""Write a checked set as training reads it: out/train/metadata.csv, its pictures, and a .txt beside each.

All is written into a folder beside train first, which is renamed when it is whole. `journal` sees to it that
nobody's files are lost.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from course_lib.dataset.journal import PARTS, WORK, begin, publish
from course_lib.dataset.report import Report, Row
from course_lib.dataset.splitting import split
from course_lib.dataset.table import FILE, TEXT, write_table
from course_lib.messages import error, text
from course_lib.pictures.picture_files import SUFFIXES, open_picture

JOURNAL = "prepared.json"  # in out: the files of the set, and whether it is whole
COPIED = ("PNG", "JPEG", "MPO", "WEBP", "BMP")  # formats that training reads; others are written as PNG
REDRAWN = ("alpha_flattened", "converted_mode", "exif_rotated", "animated")
ATTRIBUTION = "ATTRIBUTION.txt"  # what `sources` wrote of the authors goes along with their pictures


def write_set(report: Report, out: Path, rows: Sequence[Row], validation: float, seed: int) -> None:
    """Write rows as out/train and, for a share above 0, out/validation, and say so; LessonError if out is not free."""
    parts = split(rows, validation, seed)
    check_place(report.folder, out)
    try:
        work, journal = begin(out, JOURNAL)
        names = name_files(rows)
        for part, members in zip(PARTS, (parts.train, parts.validation)):
            if members or part == PARTS[0]:
                write_part(report.folder, work / part, members, names)
        publish(out, journal, JOURNAL)
    except OSError as cause:
        raise error("cannot_write", path=out, cause=cause.strerror or cause) from cause
    print(text("set_prepared", out=out.name, train=len(parts.train), validation=len(parts.validation)))


def check_place(folder: Path, out: Path) -> None:
    """Answer an `out` in the raw folder, or one whose train folder holds the raw one, with a LessonError."""
    raw, target = folder.resolve(), out.resolve()
    written = [target / name for name in (*PARTS, WORK)]
    if target.is_relative_to(raw) or any(raw.is_relative_to(place) for place in written):
        raise error("set_out_inside", out=out, folder=folder)


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
        assert row.caption is not None, row.file  # a picture without a caption is dropped
        target = place / names[row.file]
        target.parent.mkdir(parents=True, exist_ok=True)
        if redraws(row):
            open_picture(folder / row.file).image.save(target, format="PNG")
        else:
            shutil.copyfile(folder / row.file, target)
        target.with_suffix(".txt").write_text(row.caption, encoding="utf-8", newline="")
    if (folder / ATTRIBUTION).is_file() and not (folder / ATTRIBUTION).is_symlink():
        shutil.copyfile(folder / ATTRIBUTION, place / ATTRIBUTION)
    write_table(place, [{FILE: names[row.file], TEXT: row.caption, **row.extra} for row in rows])
