"""The caption editor: one picture after another with its caption, written to metadata.csv as the learner goes on.

`edit_captions(folder)` as a cell's last line. Enter saves and goes on; Tab reaches the buttons, the space bar presses.
"""

from collections.abc import Sequence
from pathlib import Path

import ipywidgets as widgets
from PIL import Image

from course_lib.dataset.folder import find_set, list_rows
from course_lib.dataset.table import (
    FILE,
    SOURCE,
    TEXT,
    Row,
    choose_table,
    find_file,
    read_table,
    write_table,
    write_twin,
)
from course_lib.messages import LessonError, text
from course_lib.pictures.opening import open_picture
from course_lib.pictures.picture import encode_png
from course_lib.widgets.panels import button, row
from course_lib.widgets.style import STYLE, say, say_problem

SHOWN = 384  # px, the longer side of the picture
Key = tuple[str, int]  # a file's name, and which of the rows with this name


def edit_captions(folder: str | Path) -> "CaptionEditor":
    """Return an editor of a folder's captions (its metadata.csv, or that of its train); LessonError for no pictures."""
    return CaptionEditor(find_set(folder))


def key_rows(rows: Sequence[Row]) -> dict[Key, Row]:
    """Return rows by file name and number."""
    seen: dict[str, int] = {}
    keyed = {}
    for each in rows:
        seen[each[FILE]] = seen.get(each[FILE], 0) + 1
        keyed[each[FILE], seen[each[FILE]]] = each
    return keyed


class CaptionEditor(widgets.VBox):
    """Picture, caption, and buttons; what is written is merged with what the file holds at that moment."""

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder
        self.rows = key_rows(list_rows(folder))
        self.unlisted = set(self.rows) - set(key_rows(read_table(folder)))  # pictures that the table does not name yet
        self.order = list(self.rows)
        self.at = next((place for place, key in enumerate(self.order) if not self.rows[key][TEXT].strip()), 0)
        self._begun = ""  # the caption as it was when this picture was shown
        self._typed = ""
        self._showing = False
        self._build()
        self.show(self.at)

    def _build(self) -> None:
        self.image = widgets.Image(format="png").add_class("kolors-picture").add_class("kolors-caption-picture")
        self.name = widgets.HTML()
        # Not `continuous_update=False`: the kernel has to see the Enter key, which a text area writes as a new line.
        self.words = widgets.Textarea(layout={"width": "100%", "height": "110px"}).add_class("kolors-caption-words")
        self.words.observe(self._type, "value")
        self.hint = widgets.HTML(say(text("caption_keys"), "quiet"))
        self.status = widgets.HTML()
        steps = row(button("caption_before", lambda: self.go(-1), "arrow-left"),
                    button("caption_next", lambda: self.go(1), "arrow-right"),
                    button("caption_save", self.save, "save"), button("caption_blank", self.go_to_blank, "search"))
        self.choice = row(button("caption_mine", lambda: self.settle(True)),
                          button("caption_theirs", lambda: self.settle(False)))
        self.choice.layout.display = "none"
        stage = widgets.VBox([self.image, self.name]).add_class("kolors-stage")
        side = widgets.VBox([self.words, self.hint, steps, self.status, self.choice]).add_class("kolors-controls")
        self.children = [widgets.HTML(STYLE), widgets.Box([stage, side]).add_class("kolors-top")]
        self.add_class("kolors-explorer")

    @property
    def key(self) -> Key:
        """The row that is shown."""
        return self.order[self.at]

    @property
    def changed(self) -> bool:
        """Whether what stands in the field is not written yet."""
        return flatten(self.words.value) != self._begun

    def show(self, place: int) -> None:
        """Show the picture and caption at a place in the list."""
        self.at = place
        self._begun = flatten(self.rows[self.key][TEXT])
        self._put(self._begun)
        self.choice.layout.display = "none"
        blank = sum(not each[TEXT].strip() for each in self.rows.values())
        self.name.value = say(text("caption_place", number=place + 1, count=len(self.order), name=self.key[0],
                                   blank=blank))
        try:
            self.image.value = encode_png(shrink(open_picture(find_file(self.folder, self.key[0]))))
        except (LessonError, OSError) as problem:
            self.image.value = encode_png(Image.new("RGB", (SHOWN, SHOWN // 2), "gray"))
            self.status.value = say_problem(problem)

    def go(self, step: int) -> None:
        """Save, and show the next picture or the one before; stay where saving is not possible."""
        if self.save():
            if 0 <= self.at + step < len(self.order):
                self.show(self.at + step)
            else:
                self.status.value = say(text("caption_end"), "quiet")

    def go_to_blank(self) -> None:
        """Save, and show the next picture without a caption."""
        if self.save():
            onwards = [*range(self.at + 1, len(self.order)), *range(self.at)]
            place = next((each for each in onwards if not self.rows[self.order[each]][TEXT].strip()), None)
            if place is None:
                self.status.value = say(text("caption_none_blank"), "quiet")
            else:
                self.show(place)

    def save(self, over: bool = False) -> bool:
        """Write this caption into the file as it is now; say False, and ask, where another has changed it meanwhile."""
        if not self.changed:
            return True
        mine = flatten(self.words.value)
        try:
            found = self.read()
            there = flatten(found.get(self.key, {TEXT: self._begun})[TEXT])
            if there not in (self._begun, mine) and not over:
                self.status.value = say(text("caption_changed", there=there or text("none")), "problem")
                self.choice.layout.display = None
                return False
            self.write(found, mine)
        except (LessonError, OSError) as problem:
            self.status.value = say_problem(problem)
            return False
        self.status.value = say(text("caption_saved", name=self.key[0]), "quiet")
        self.choice.layout.display = "none"
        return True

    def read(self) -> dict[Key, Row]:
        """Return the rows that the table holds now, and those of pictures that are not in it yet."""
        if not choose_table(self.folder).exists():
            return dict(self.rows)  # where it is gone, those that were read last
        there = key_rows(read_table(self.folder))
        return there | {key: self.rows[key] for key in self.order if key in self.unlisted and key not in there}

    def write(self, found: dict[Key, Row], mine: str) -> None:
        """Put this caption among the rows that the file holds, write them, and go on from there."""
        here = self.key
        found.setdefault(here, dict(self.rows[here]))[TEXT] = mine
        if SOURCE in found[here]:
            found[here][SOURCE] = ""  # it is a person's now, and no backend writes over it
        write_table(self.folder, list(found.values()))
        write_twin(self.folder, here[0], mine)
        self.rows, self.order, self.unlisted = found, list(found), set()
        self.at, self._begun = self.order.index(here), mine

    def settle(self, mine: bool) -> None:
        """End a conflict: write the learner's caption, or take the one that the file holds."""
        if mine:
            self.save(over=True)
            return
        here, found = self.key, self.read()
        if here in found:
            self.rows, self.order = found, list(found)
            self.show(self.order.index(here))
            self.status.value = ""

    def _put(self, words: str) -> None:
        self._showing = True
        self.words.value = self._typed = words
        self._showing = False

    def _type(self, change: object) -> None:
        if self._showing:
            return
        before, now = self._typed, self.words.value
        # The Enter key: a new line at the end (while the kernel is busy the browser reports several letters at once),
        # or one alone elsewhere. Text that was pasted keeps its lines until it is saved.
        alone = len(now) == len(before) + 1 and now.count("\n") == before.count("\n") + 1
        self._typed = now
        if now.endswith("\n") or alone:
            self._put(flatten(before if alone else now))
            self.go(1)


def flatten(words: str) -> str:
    """Return a caption as one line."""
    return " ".join(words.split())


def shrink(picture: Image.Image) -> Image.Image:
    """Return a picture small enough to be sent to the browser at once."""
    picture.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    return picture
