"""From a folder of raw pictures to a set that training reads: check, prepare, and what finds, captions or makes more.

    report = check("my_pictures")          # looks, changes nothing
    prepare("my_pictures", "my_set")       # my_set/train/metadata.csv, which training reads
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

from course_lib.dataset.caption_rules import judge_caption, judge_repeated, judge_trigger, open_tokenizer
from course_lib.dataset.cluster import judge_scaled
from course_lib.dataset.folder import Found, read_folder
from course_lib.dataset.picture_rules import judge_duplicates, judge_files, judge_sizes
from course_lib.dataset.report import Report, Row
from course_lib.dataset.writing import write_set
from course_lib.hub.repository import TINY
from course_lib.messages import error
from course_lib.pictures import emoji

SIZE = emoji.PICTURE_SIZE  # px: what Tiny Kolors trains with; the full Kolors trains with 1024
FEW, VERY_FEW = 15, 5  # pictures of a set; customary for a style's LoRA, not proven


def check(folder: str | Path, *, size: int = SIZE, trigger_word: str = "", default_caption: str | None = None,
          tokenizer: str | Path = TINY) -> Report:
    """Look at every picture and caption of a folder and say which to keep, fix, look at or drop, and why.

    `size` (px) is the training's: a shorter edge below it is dropped. `tokenizer` is a model's folder, by which the
    lengths of captions are counted; a picture without a caption gets the default one. LessonError for no pictures.
    """
    return make_report(Path(folder), judge_files, size, trigger_word, default_caption, tokenizer)


def make_report(folder: Path, judge: Callable[[Path, Sequence[Found], int], Iterable[Row]], size: int,
                trigger_word: str, default_caption: str | None, tokenizer: str | Path) -> Report:
    """Make a set's report from the rows that `judge` gives for its pictures."""
    check_size(size)
    raw = read_folder(folder)
    captioned = default_caption is not None or any(found.caption is not None or found.doubts for found in raw.pictures)
    words = open_tokenizer(Path(tokenizer))
    report = Report(folder, size, [], raw.problems, raw.remarks)
    given = 0
    for found, row in zip(raw.pictures, judge(folder, raw.pictures, size)):
        for code, verdict, value in found.doubts:
            row.add(code, verdict, value)
        if found.blank and default_caption is not None:
            row.caption, given = default_caption, given + 1
        if found.source == "folder":
            row.add("caption_from_folder", "fix", row.caption)
        if captioned:
            judge_caption(row, words)
        report.rows.append(row)
    judge_sizes(report.rows)
    judge_duplicates(folder, report.rows)
    judge_repeated(report.rows, report.remark)
    judge_trigger(report.rows, trigger_word, report.remark)
    if given:
        report.remark("default_given", count=given)
    judge_set(report, captioned)
    return report


def check_size(size: int) -> None:
    """Answer a size that is no number of pixels with a LessonError."""
    if not isinstance(size, int) or not 8 <= size <= 8192:
        raise error("set_size", size=repr(size), tiny=SIZE)


def judge_set(report: Report, captioned: bool) -> None:
    """Remark on what holds for the set as a whole."""
    if not captioned:
        report.remarks.append(("no_captions", {}))
    kept = len(report.kept)
    if kept < FEW:
        report.remarks.append(("very_few" if kept < VERY_FEW else "few", {"count": kept, "least": FEW}))
    report.remarks.append(("needs_eyes", {}))


def prepare(folder: str | Path, out: str | Path, *, size: int = SIZE, validation: float = 0.0, seed: int = 0,
            drop: Collection[str] = (), warned: bool = True, trigger_word: str = "", default_caption: str | None = None,
            tokenizer: str | Path = TINY) -> Report:
    """Check a folder and write what is good, fixed where that is needed, as out/train, which training reads.

    `drop` names further files to leave out, `warned=False` leaves out all that are warned of; `validation` is the
    share [0, 1) that goes to out/validation. The folder itself is never touched. LessonError where nothing is left or
    out is not free.
    """
    report = check(folder, size=size, trigger_word=trigger_word, default_caption=default_caption, tokenizer=tokenizer)
    write_set(report, Path(out), choose(report, drop, warned), validation, seed)
    return report


def scale_out(folder: str | Path, out: str | Path, *, size: int = SIZE, validation: float = 0.0, seed: int = 0,
              drop: Collection[str] = (), warned: bool = True, trigger_word: str = "",
              default_caption: str | None = None, tokenizer: str | Path = TINY, engine: str = "ray",
              address: str = "local", python: str | Path | None = None) -> Report:
    """Do as `prepare` does, with the pictures measured by Data-Juicer on a Ray cluster; the result is the same.

    `address` is Ray's ("local", "auto", or host:port; its machines see `folder` under the same path), `python` that of
    the environment of cluster_requirements.txt. LessonError where the engine is missing or fails.
    """
    judge = partial(judge_scaled, engine=engine, address=address, python=python)
    report = make_report(Path(folder), judge, size, trigger_word, default_caption, tokenizer)
    write_set(report, Path(out), choose(report, drop, warned), validation, seed)
    return report


def choose(report: Report, drop: Collection[str], warned: bool) -> Sequence[Row]:
    """Return the rows that are to be written; LessonError for none, for an unknown name, or for no captions."""
    dropped = {report.row(file).file for file in drop}
    rows = [row for row in report.kept if row.file not in dropped and (warned or row.verdict != "warn")]
    if rows and all(row.caption is None for row in rows):
        raise error("set_no_captions", folder=report.folder)
    if not rows:
        raise error("set_nothing_left", folder=report.folder, total=len(report.rows))
    return rows
