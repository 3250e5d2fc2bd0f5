"""What `check` says of a set: for each picture keep, fix, warn or drop, with reasons, measured values and limits."""

import csv
from collections import Counter
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from course_lib.dataset.folder import Remark, RowProblem
from course_lib.dataset.signals import Signals
from course_lib.files import replaced
from course_lib.messages import error, text

VERDICTS = ("keep", "fix", "warn", "drop")  # from good to bad; a picture's is the worst of its reasons'
COLOURS = {"keep": "#2e9e4f", "fix": "#3584e4", "warn": "#c98a00", "drop": "#d64545"}
CSV_COLUMNS = ("file", "verdict", "codes", "values", "limits", "reasons", "width", "height", "format", "tokens",
               "caption")
SHOWN_ROWS = 100  # of a table in a notebook


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing found about a picture: a code that stays the same, what it means for it, the measure and its limit."""

    code: str
    verdict: str
    value: object = ""
    limit: object = ""

    def __str__(self) -> str:
        return text(f"set_{self.code}", value=shorten(self.value), limit=shorten(self.limit))


@dataclass(slots=True)
class Row:
    """One picture of a set: its path in the folder, why it is judged so, its size in px, its caption as it is written.

    `signals` is None for a file that could not be read, `group` the picture's class or "".
    """

    file: str
    reasons: tuple[Reason, ...] = ()
    width: int = 0
    height: int = 0
    format: str = ""
    caption: str | None = None
    tokens: int = 0
    group: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    signals: Signals | None = None
    sha256: str = ""
    quality: int = 100  # of a JPEG, as its tables say

    @property
    def verdict(self) -> str:
        """Return keep, fix, warn or drop."""
        return max((reason.verdict for reason in self.reasons), key=VERDICTS.index, default="keep")

    @property
    def codes(self) -> tuple[str, ...]:
        """Return the codes of the reasons."""
        return tuple(reason.code for reason in self.reasons)

    @property
    def measured(self) -> dict[str, object]:
        """Return what was measured of the picture, by name; empty for a file that could not be read."""
        names = ("sharpness", "step", "blockiness", "mean", "bright", "spread")
        found = {name: round(getattr(self.signals, name), 3) for name in names} if self.signals else {}
        return found | {"tokens": self.tokens}

    def add(self, code: str, verdict: str, value: object = "", limit: object = "") -> None:
        """Add one reason."""
        self.reasons = (*self.reasons, Reason(code, verdict, value, limit))


@dataclass
class Report:
    """What was found in a folder: a row for each picture, the rows of metadata files that belong to none, and notes.

    A notebook shows it as a table; `course_lib.dataset.checking` draws it as pictures and bars.
    """

    folder: Path
    size: int  # px of the pictures that the model trains with
    rows: list[Row]
    row_problems: list[RowProblem]
    remarks: list[Remark] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many pictures have each verdict."""
        found = Counter(row.verdict for row in self.rows)
        return {verdict: found[verdict] for verdict in VERDICTS}

    @property
    def notes(self) -> list[str]:
        """Return what holds for the set as a whole, in the learner's language."""
        return [text(f"set_{key}", **values) for key, values in self.remarks]

    def remark(self, key: str, **values: object) -> None:
        """Add what holds for the set as a whole."""
        self.remarks.append((key, values))

    @property
    def kept(self) -> list[Row]:
        """Return the rows that are not dropped."""
        return [row for row in self.rows if row.verdict != "drop"]

    def row(self, file: str) -> Row:
        """Return one picture's row; LessonError if the folder holds no such picture."""
        for row in self.rows:
            if row.file == file:
                return row
        raise error("set_no_such_file", file=file, folder=self.folder)

    def find(self, code: str) -> list[Row]:
        """Return the rows that have a reason of this code."""
        return [row for row in self.rows if code in row.codes]

    def to_csv(self, path: str | Path) -> Path:
        """Write rows and row problems as a table that Excel opens, and return its path; LessonError if it cannot be."""
        path = Path(path)
        try:
            with replaced(path) as part, part.open("w", encoding="utf-8-sig", newline="") as content:
                table = csv.writer(content)
                table.writerow(CSV_COLUMNS)
                for row in self.rows:
                    each = (row.codes, *zip(*((reason.value, reason.limit, reason) for reason in row.reasons)))
                    joined = [" | ".join(map(str, part)) for part in each] + [""] * (4 - len(each))
                    table.writerow([row.file, row.verdict, *joined, row.width, row.height, row.format, row.tokens,
                                    row.caption])
                for problem in self.row_problems:
                    table.writerow([f"{problem.file}:{problem.line}", "drop_row", problem.code, problem.value, "",
                                    str(problem)])
        except OSError as cause:
            raise error("cannot_write", path=path, cause=cause.strerror or cause) from cause
        return path

    def __str__(self) -> str:
        lines = [self.summary(), *self.notes]
        for row in self.ordered()[:SHOWN_ROWS]:
            lines.append(f"{text('set_verdict_' + row.verdict)}  {row.file}  " + text("list_semicolon").join(
                str(reason) for reason in row.reasons))
        lines += [str(problem) for problem in self.row_problems[:SHOWN_ROWS]]
        return "\n".join([*lines, *self.left_out()])

    def summary(self) -> str:
        """Say how many pictures have each verdict."""
        return text("set_summary", folder=self.folder.name, total=len(self.rows), rows=len(self.row_problems),
                    **self.counts)

    def ordered(self) -> list[Row]:
        """Return the rows that have reasons, the worst verdicts first."""
        found = [row for row in self.rows if row.reasons]
        return sorted(found, key=lambda row: (-VERDICTS.index(row.verdict), row.file))

    def left_out(self) -> list[str]:
        """Say how many rows a table does not show."""
        more = max(0, len(self.ordered()) - SHOWN_ROWS) + max(0, len(self.row_problems) - SHOWN_ROWS)
        return [text("set_more", count=more)] if more else []

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.to_html(), "text/plain": str(self)}

    def to_html(self) -> str:
        """Return the report as an HTML table."""
        head = "".join(f"<p>{escape(line)}</p>" for line in [self.summary(), *self.notes])
        lines = [(paint(row.verdict), row.file, "<br>".join(escape(str(reason)) for reason in row.reasons))
                 for row in self.ordered()[:SHOWN_ROWS]]
        lines += [(paint("drop"), f"{problem.file}:{problem.line}", escape(problem.words))
                  for problem in self.row_problems[:SHOWN_ROWS]]
        body = "".join(f"<tr><td>{verdict}</td><td style='text-align:left'>{escape(file)}</td>"
                       f"<td style='text-align:left'>{words}</td></tr>" for verdict, file, words in lines)
        titles = "".join(f"<th style='text-align:left'>{escape(text(key))}</th>"
                         for key in ("set_column_verdict", "set_column_file", "set_column_reason"))
        more = "".join(f"<p>{escape(line)}</p>" for line in self.left_out())
        return f"{head}<table><tr>{titles}</tr>{body}</table>{more}"


def paint(verdict: str) -> str:
    """Return a verdict's word as HTML in its colour."""
    return f"<b style='color:{COLOURS[verdict]}'>{escape(text('set_verdict_' + verdict))}</b>"


def shorten(value: object) -> str:
    """Return a measured value as it is shown."""
    words = f"{value:.3g}" if isinstance(value, float) else str(value)
    return words if len(words) <= 80 else words[:80] + "…"
