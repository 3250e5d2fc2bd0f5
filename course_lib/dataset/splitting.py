"""Which pictures a training learns from, and which are kept back to see whether it learnt or only remembers."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from course_lib.dataset.report import Row
from course_lib.messages import error, text


@dataclass(frozen=True)
class Split:
    """The two parts of a set; it is made before augmentation, or a picture's copy would be in the other part."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]

    def __str__(self) -> str:
        return text("set_split", train=len(self.train), validation=len(self.validation))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self)}


def split(rows: Sequence[Row], share: float = 0.1, seed: int = 0) -> Split:
    """Keep a share [0, 1) of each class back for validation; the same rows and seed give the same parts.

    A picture and its mirror image stay together. LessonError for a share outside the range.
    """
    if not isinstance(share, (int, float)) or not 0 <= share < 1:
        raise error("set_share", share=repr(share))
    rows = [row for row in rows if row.verdict != "drop"]
    classes = defaultdict(list)
    for row in sorted(rows, key=lambda row: hashlib.sha256(f"{seed} {row.file}".encode()).digest()):
        classes[row.group].append(row)
    back = {row.file for each in classes.values() for row in each[:round(share * len(each))]}
    if share and not back and len(rows) > 1:
        back = {min(classes.values(), key=lambda each: -len(each))[0].file}
    for row in rows:
        twins = [reason.value for reason in row.reasons if reason.code == "mirror_duplicate"]
        if any((twin in back) != (row.file in back) for twin in twins):
            back -= {row.file, *twins}
    return Split(tuple(row for row in rows if row.file not in back), tuple(row for row in rows if row.file in back))
