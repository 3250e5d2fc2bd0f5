"""Predict, then look: a learner says what a change will do before the picture is shown, and the measurement answers."""

from collections.abc import Callable
from dataclasses import dataclass

import ipywidgets as widgets
from PIL import Image

from course_lib.messages import text
from course_lib.pictures.classifier import judge
from course_lib.pictures.measures import distance
from course_lib.sampling.trials import Trial
from course_lib.widgets.panels import Made, button
from course_lib.widgets.style import say

# What a change can do to a picture, from nothing to everything.
EFFECTS = ("same", "details", "composition", "content")
DETAILS = 0.05  # a mean difference below this changes details, above it the composition


@dataclass(frozen=True)
class Prediction:
    """A learner's guess about the step from one trial to another, and the effect that was measured."""

    before: Trial
    after: Trial
    guess: str
    measured: str


def measure_effect(before: Image.Image, after: Image.Image) -> str:
    """Return which of EFFECTS a change had, by the pixels and by what the judge sees."""
    if before.tobytes() == after.tobytes():
        return "same"
    first, second = judge([before, after])
    if (first.subject, first.ground) != (second.subject, second.ground):
        return "content"
    return "details" if distance(before, after) < DETAILS else "composition"


class PredictionBar:
    """Keeps a new picture back until its effect is guessed; `before` is the picture that is still shown."""

    def __init__(self, on: bool, reveal: Callable[[Made], None]):
        self.predictions: list[Prediction] = []
        self.before: Made | None = None
        self._after: Made | None = None
        self._reveal = reveal
        self.on = widgets.ToggleButton(on, description=text("predict_on"), icon="eye-slash").add_class("kolors-predict")
        self.guess = widgets.ToggleButtons(options=[(text(f"effect_{name}"), name) for name in EFFECTS], value=None,
                                           style={"button_width": "auto"}).add_class("kolors-guess")
        self._show = button("predict_reveal", self.reveal, "eye")
        self._question = widgets.VBox([widgets.HTML(say(text("predict_question"))), self.guess, self._show])
        self.answer = widgets.HTML()
        self.box = widgets.VBox([self._question, self.answer])
        self.guess.observe(self._update, "value")
        self.on.observe(self._turn, "value")
        self._update()

    @property
    def hides(self) -> bool:
        """Whether the next picture is to be kept back: the mode is on, and there is a picture to compare it with."""
        return self.on.value and self.before is not None

    def take(self, made: Made) -> None:
        """Keep a picture back and ask what it will show."""
        self._after = made
        self.answer.value = ""
        self._update()

    def reveal(self) -> None:
        """Show the picture that was kept back, and hold the guess, if there is one, against what was measured."""
        before, after, guess = self.before, self._after, self.guess.value
        if after is None:  # a second click, faster than the button is switched off
            return
        if before is not None and guess is not None:
            measured = measure_effect(before[1].image, after[1].image)
            self.predictions.append(Prediction(before[0], after[0], guess, measured))
            words = text("predict_right" if guess == measured else "predict_wrong", guess=text(f"effect_{guess}"),
                         effect=text(f"effect_{measured}"), distance=distance(before[1].image, after[1].image))
            self.answer.value = say(words)
        self._after, self.guess.value = None, None
        self._update()
        self._reveal(after)

    def _turn(self, change: object) -> None:
        if not self.on.value and self._after:
            self.reveal()

    def _update(self, change: object = None) -> None:
        self._question.layout.display = "flex" if self._after else "none"
        self._show.disabled = self.guess.value is None
