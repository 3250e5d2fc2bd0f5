"""The explorer's panels under the picture: compare, film strip, X/Y grid, steps, history, code.

Each has a `box` to show and is told of pictures; what it wants it asks for through the functions it is given.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
from PIL import Image

from course_lib.messages import LessonError, text
from course_lib.pictures.figures import describe_value, difference_map
from course_lib.pictures.measures import distance
from course_lib.pictures.picture import Picture, encode_png
from course_lib.sampling.sweeps import (
    MEASURES,
    Grid,
    Strip,
    film_strip,
    grid_trials,
    read_values,
    strip_trials,
    tell_cost,
    xy_grid,
)
from course_lib.sampling.trials import Trial, list_changes, write_code
from course_lib.widgets.closing import close_whole
from course_lib.widgets.style import say, say_problem

KEPT = 12  # pictures in the history
# The values that a panel proposes for a parameter.
PROPOSED = {"seed": "0, 1, 2, 3", "steps": "2, 5, 10, 20, 40", "cfg": "1, 2, 3, 5, 8, 12, 16, 20",
            "denoise": "0.2, 0.4, 0.6, 0.8, 1", "lora_strength": "0, 0.5, 1, 1.5",
            "sampler_name": "euler, euler_ancestral, heun, dpmpp_2m, dpmpp_2m_sde",
            "scheduler": "normal, karras, exponential, sgm_uniform, simple"}
Made = tuple[Trial, Picture]
# run(draw, show, out): draw(pipe, callback) on the worker's thread, then show(what it gave); its problems go to `out`.
Run = Callable[[Callable, Callable, widgets.HTML], None]


def button(key: str, on_click: Callable[[], object], icon: str = "", **values: object) -> widgets.Button:
    """Return a button with a text of messages.py that calls a function without arguments."""
    made = widgets.Button(description=text(key, **values), icon=icon).add_class(f"kolors-{key.replace('_', '-')}")
    made.on_click(lambda _: on_click())
    return made


def row(*children: widgets.Widget) -> widgets.Box:
    """Lay widgets side by side, in several lines where the window is narrow."""
    return widgets.Box(children).add_class("kolors-row")


def picture_box(name: str) -> tuple[widgets.Image, widgets.HTML, widgets.VBox]:
    """Return an empty picture, its caption, and both in a box."""
    picture, caption = widgets.Image(format="png"), widgets.HTML()
    picture.add_class("kolors-picture").add_class(f"kolors-{name}")
    return picture, caption, widgets.VBox([picture, caption])


class ComparePanel:
    """Picture A, which stays, beside picture B, the newest, and what differs; warns when two things changed."""

    def __init__(self, pin: Callable[[], None], restore: Callable[[Trial], object]):
        self.pinned: Made | None = None
        self.guard = widgets.HTML(say(text("compare_empty"), "quiet")).add_class("kolors-guard")
        self._first, self._first_words, first = picture_box("a")
        self._second, self._second_words, second = picture_box("b")
        self._map, self._map_words, between = picture_box("difference")
        self._trio = widgets.Box([first, second, between], layout={"display": "none"}).add_class("kolors-trio")
        restore_first = button("restore_a", lambda: self.pinned and restore(self.pinned[0]), "undo")
        self.box = widgets.VBox([row(button("pin", pin, "thumb-tack"), restore_first), self.guard, self._trio])

    def pin(self, made: Made) -> None:
        """Keep a picture as A."""
        self.pinned = made
        self._first.value = encode_png(made[1].image)
        self._first_words.value = say(text("compare_a", caption=made[1].caption), "quiet")
        self._trio.layout.display = None
        self.show(made)

    def show(self, made: Made) -> None:
        """Compare the newest picture with A, if there is one."""
        if self.pinned is None:
            return
        (trial_a, picture_a), (trial_b, picture_b) = self.pinned, made
        self._second.value = encode_png(picture_b.image)
        self._second_words.value = say(text("compare_b", caption=picture_b.caption), "quiet")
        self._map.value = encode_png(difference_map(picture_a.image, picture_b.image))
        self._map_words.value = say(text("compare_map", distance=distance(picture_a.image, picture_b.image)), "quiet")
        changes = list_changes(trial_a, trial_b)
        self.guard.value = say(describe_changes(changes), "problem" if len(changes) > 1 else "")


def describe_changes(changes: dict[str, tuple[object, object]]) -> str:
    """Say whether a comparison is fair: nothing, one thing, or too much has changed."""
    if not changes:
        return text("guard_same")
    if len(changes) > 1:
        return text("guard_many", count=len(changes), names=text("list_comma").join(changes))
    name, (before, after) = next(iter(changes.items()))
    if name == "source":
        return text("guard_source")
    return text("guard_one", name=name, before=describe_value(before), after=describe_value(after))


class AxisFields:
    """A menu of parameters with a field for the values of the chosen one."""

    def __init__(self, key: str, chosen: str, names: Sequence[str]):
        plain = {"style": {"description_width": "initial"}}
        self.parameter = widgets.Dropdown(options=names, value=chosen, description=text(key), **plain)
        self.values = widgets.Text(PROPOSED[chosen], description=text("axis_values"), **plain)
        self.parameter.observe(lambda change: setattr(self.values, "value", PROPOSED[change.new]), "value")
        self.box = row(self.parameter, self.values).add_class("kolors-axis")

    def read(self) -> tuple[str, list[object]]:
        """Return (parameter, values); LessonError for values that are none."""
        return self.parameter.value, read_values(self.parameter.value, self.values.value)


class SweepPanel(ABC):
    """What film strip and grid share: fields, what it will cost, a button to draw and one to stop, the figure."""

    def __init__(self, axes: Sequence[AxisFields], fields: Sequence[widgets.Widget], read_trial: Callable[[], Trial],
                 call_seconds: Callable[[], float | None], run: Run, stop: Callable[[], None]):
        self._axes, self._read_trial, self._call_seconds, self._run = axes, read_trial, call_seconds, run
        self.result: Strip | Grid | None = None
        self.cost = widgets.HTML().add_class("kolors-cost")
        self.words = widgets.HTML()
        self.figure = widgets.Image(format="png", layout={"display": "none"}).add_class("kolors-figure")
        buttons = row(button("sweep_draw", self.draw, "play"), button("sweep_stop", stop, "stop"), self.cost)
        self.box = widgets.VBox([*(axis.box for axis in axes), row(*fields), buttons, self.words, self.figure])
        for field in [part for axis in axes for part in (axis.parameter, axis.values)] + list(fields):
            field.observe(lambda change: self.tell_cost(), "value")

    @abstractmethod
    def list_trials(self) -> list[Trial]:
        """Return every trial that the fields ask for."""

    @abstractmethod
    def make_drawing(self) -> Callable:
        """Return the function that draws as the fields now stand."""

    def tell_cost(self) -> None:
        """Say what drawing would cost with the fields as they are."""
        try:
            self.cost.value = say(tell_cost(self.list_trials(), self._call_seconds()), "quiet")
        except LessonError as problem:
            self.cost.value = say(problem.what, "quiet")

    def draw(self) -> None:
        """Draw and show the figure; what is wrong with the fields is said under them."""
        try:
            self._run(self.make_drawing(), self.show, self.words)
        except LessonError as problem:
            self.words.value = say_problem(problem)

    def show(self, result: Strip | Grid) -> None:
        """Show a finished strip or grid."""
        self.result = result
        self.figure.value = encode_png(result.figure.image)
        self.figure.layout.display = None
        self.words.value = say(result.figure.caption)


class StripPanel(SweepPanel):
    """One parameter over chosen values, each with several seeds, and a measured curve."""

    def __init__(self, names: Sequence[str], **given: Any):
        plain = {"style": {"description_width": "initial"}}
        self.axis = AxisFields("strip_parameter", "cfg", names)
        self.measure = widgets.Dropdown(options=[(text(f"measure_{name}"), name) for name in MEASURES],
                                        description=text("strip_measure"), **plain)
        self.seeds = widgets.BoundedIntText(3, min=1, max=8, description=text("strip_seeds"), **plain)
        super().__init__([self.axis], [self.measure, self.seeds], **given)

    def list_trials(self) -> list[Trial]:
        """Return every trial of the strip."""
        rows = strip_trials(self._read_trial(), *self.axis.read(), self.seeds.value)
        return [trial for trials in rows for trial in trials]

    def make_drawing(self) -> Callable:
        """Return the function that draws the strip as the fields now stand."""
        trial, (parameter, values), seeds, measured = (self._read_trial(), self.axis.read(), self.seeds.value,
                                                       self.measure.value)
        return lambda pipe, callback: film_strip(pipe, trial, parameter, values, seeds=seeds, measured=measured,
                                                 callback=callback)


class GridPanel(SweepPanel):
    """Two parameters, every pair of their values a picture."""

    def __init__(self, names: Sequence[str], **given: Any):
        self.x, self.y = AxisFields("grid_x", "sampler_name", names), AxisFields("grid_y", "scheduler", names)
        super().__init__([self.x, self.y], [], **given)

    def list_trials(self) -> list[Trial]:
        """Return every trial of the grid."""
        return grid_trials(self._read_trial(), self.x.read(), self.y.read())

    def make_drawing(self) -> Callable:
        """Return the function that draws the grid as the fields now stand."""
        trial, x, y = self._read_trial(), self.x.read(), self.y.read()
        return lambda pipe, callback: xy_grid(pipe, trial, x, y, callback)


class StepsPanel:
    """The steps of the last picture, one frame each; the browser turns the frames, also while the kernel is busy."""

    def __init__(self):
        self._play = widgets.Play(min=0, max=0, interval=250)
        self._slider = widgets.IntSlider(min=0, max=0, readout=False, description=text("steps_scrub"),
                                         style={"description_width": "initial"}).add_class("kolors-scrub")
        empty = widgets.VBox([widgets.HTML(say(text("steps_empty"), "quiet"))])
        self.frames = widgets.Stack([empty], selected_index=0)
        self.links = (widgets.jslink((self._play, "value"), (self._slider, "value")),
                      widgets.jslink((self._slider, "value"), (self.frames, "selected_index")))
        self.box = widgets.VBox([row(self._play, self._slider), self.frames])

    def show(self, frames: Sequence[Image.Image], captions: Sequence[str]) -> None:
        """Show frames, the last one first."""
        last = len(frames) - 1
        old = self.frames.children
        boxes = [widgets.VBox([widgets.HTML(say(caption)), widgets.Image(value=encode_png(frame), format="png")
                               .add_class("kolors-figure")]) for frame, caption in zip(frames, captions)]
        with self.frames.hold_sync():  # the browser must not look for a frame that is not there
            self.frames.children, self.frames.selected_index = boxes, last
        self._play.max = self._slider.max = last
        self._play.value = self._slider.value = last
        close_whole(*old)


class HistoryPanel:
    """The last pictures, small, each with a button that sets all controls as they were for it."""

    def __init__(self, restore: Callable[[Trial], None]):
        self.made: list[Made] = []
        self._restore = restore
        self._number = 0
        self._strip = widgets.Box([widgets.HTML(say(text("history_empty"), "quiet"))]).add_class("kolors-row")
        self.box = self._strip

    def add(self, made: Made) -> None:
        """Put a picture in front, unless its trial is the newest one already."""
        if self.made and not list_changes(self.made[0][0], made[0]):
            return
        before = self.made[0][0] if self.made else None
        self.made = [made, *self.made][:KEPT]
        cards = self._strip.children if self._number else ()
        hint = () if self._number else self._strip.children
        self._number += 1
        self._strip.children = [self._card(made, before), *cards][:KEPT]
        close_whole(*hint, *cards[KEPT - 1:])

    def _card(self, made: Made, before: Trial | None) -> widgets.VBox:
        trial, picture = made
        thumb = widgets.Image(value=encode_png(picture.image), format="png").add_class("kolors-thumb")
        names = text("list_comma").join(list_changes(before, trial)) if before else text("history_first")
        back = button("history_restore", lambda: self._restore(trial), number=self._number)
        back.tooltip = picture.caption
        return widgets.VBox([thumb, back, widgets.HTML(say(names, "quiet"))]).add_class("kolors-card")


class CodePanel:
    """The cell that makes the newest picture, to copy into a notebook."""

    def __init__(self):
        self.code = ""
        self.box = widgets.HTML()

    def show(self, trial: Trial) -> None:
        """Show the cell of a trial."""
        self.code = write_code(trial)
        self.box.value = say(self.code, "code")
