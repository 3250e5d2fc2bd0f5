"""The widget in which a learner chooses: a row of candidates for each scene, a click keeps one, and a note says why.

`choose(...)` as a cell's last line. Every click and every note is on the disk before the button changes its colour.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import ipywidgets as widgets
from PIL import Image

from course_lib.messages import LessonError, text
from course_lib.pictures.picture import encode_png, enlarge
from course_lib.story.candidates import Candidate, read_candidate
from course_lib.story.notes import Choice, change, keep, read_choices
from course_lib.story.scenes import Story
from course_lib.widgets.style import STYLE, say, say_problem

SHOWN = 256  # px, the longer side of a picture that is sent to the browser
LOOKS = """<style>
.kolors-choice { position: relative; width: 132px; margin: 0 8px 8px 0; }
.kolors-choice img { width: 128px; height: 128px; border-radius: 4px; border: 2px solid transparent;
  image-rendering: pixelated; }
.kolors-choice.kolors-kept img { border-color: var(--jp-brand-color1); }
.kolors-explorer .kolors-choice .widget-button { position: absolute; inset: 0; width: 132px; height: 100%; margin: 0;
  background: transparent; display: flex; align-items: flex-end; justify-content: center;
  color: var(--jp-ui-font-color1); }
.kolors-choice { padding-bottom: 26px; }
.kolors-choice.kolors-kept .widget-button { font-weight: 600; }
</style>"""


def choose(folder: str | Path, story: Story, candidates: Sequence[Candidate]) -> "Chooser":
    """Return a widget to choose one candidate for each scene; the notes of an earlier run are shown. LessonError."""
    return Chooser(Path(folder), story, candidates)


class Chooser(widgets.VBox):
    """A row for each scene: its caption, its candidates, a note."""

    def __init__(self, folder: Path, story: Story, candidates: Sequence[Candidate]):
        super().__init__()
        self.folder = folder
        choices = read_choices(folder)
        self.rows = [SceneRow(self, number, scene.caption, [each for each in candidates if each.scene == number],
                              choices.get(number, Choice())) for number, scene in enumerate(story.scenes, 1)]
        self.status = widgets.HTML()
        self.children = [widgets.HTML(STYLE + LOOKS), *(row.box for row in self.rows), self.status]
        self.add_class("kolors-explorer")
        self.tell()

    def tell(self) -> None:
        """Say how many scenes have their picture."""
        done = sum(bool(row.kept) for row in self.rows)
        self.status.value = say(text("story_chosen", done=done, count=len(self.rows)), "quiet")

    def save(self, write: Callable[[], object]) -> bool:
        """Call what writes, and say False with its problem shown where that fails."""
        try:
            write()
        except (LessonError, OSError) as problem:
            self.status.value = say_problem(problem)
            return False
        return True

    def _repr_mimebundle_(self, **formats: object) -> dict[str, object]:
        """Return the widget; its text is always the same, so that a stored notebook does not change by itself."""
        return {**super()._repr_mimebundle_(**formats), "text/plain": text("story_choose_help")}


class SceneRow:
    """One scene's candidates as pictures to click, and its note."""

    def __init__(self, chooser: Chooser, number: int, caption: str, candidates: Sequence[Candidate], choice: Choice):
        self.chooser, self.number = chooser, number
        self.kept = choice.file
        self.cards = {self.path(each): self.make_card(each) for each in candidates}
        if self.kept and self.kept not in self.cards:  # chosen in a run before, from other candidates
            with suppress(LessonError):
                self.cards[self.kept] = self.make_card(read_candidate(chooser.folder / self.kept, number))
        self.note = widgets.Text(value=choice.note, placeholder=text("story_note"), continuous_update=False,
                                 layout={"width": "100%"})
        self.note.observe(self.write_note, "value")
        head = widgets.HTML(say(text("story_scene", number=number, caption=caption)))
        self.box = widgets.VBox([head, widgets.Box(list(self.cards.values())).add_class("kolors-row"), self.note])
        self.mark()

    def path(self, candidate: Candidate) -> str:
        """Return a candidate's path as the notes have it."""
        return candidate.file.absolute().relative_to(self.chooser.folder.absolute()).as_posix()

    def make_card(self, candidate: Candidate) -> widgets.VBox:
        """Return a picture that is a button; one whose file is gone is grey and says so."""
        try:
            image, label = candidate.image, f"seed {candidate.settings.seed}"
        except (LessonError, OSError):
            image, label = Image.new("RGB", (64, 64), "gray"), text("story_gone")
        image.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS)
        button = widgets.Button(description=label, tooltip=text("story_keep"))
        button.on_click(lambda _: self.keep(candidate))
        shown = widgets.Image(value=encode_png(enlarge(image) if image.width < SHOWN else image), format="png")
        return widgets.VBox([shown, button]).add_class("kolors-choice")

    def keep(self, candidate: Candidate) -> None:
        """Write the choice, then show it."""
        if self.chooser.save(lambda: keep(self.chooser.folder, candidate)):
            self.kept = self.path(candidate)
            self.mark()
            self.chooser.tell()

    def write_note(self, change_: object) -> None:
        """Write the note."""
        self.chooser.save(lambda: change(self.chooser.folder, self.number, note=self.note.value))

    def mark(self) -> None:
        """Show which candidate is kept."""
        for path, card in self.cards.items():
            button = card.children[1]
            plain = button.description.removeprefix("✔ ")
            if path == self.kept:
                card.add_class("kolors-kept")
                button.description = f"✔ {plain}"
            else:
                card.remove_class("kolors-kept")
                button.description = plain
