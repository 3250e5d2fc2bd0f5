"""The explorer: move ComfyUI's seven KSampler parameters and see at once the picture that they make.

`explore(pipe, prompt)` as a cell's last line. `trial`, `picture`, `predictions` and `wait()` let the next cell go on.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from diffusers import KolorsPipeline
from PIL import Image

from course_lib.files import COURSE, write_new
from course_lib.messages import LessonError, error, text
from course_lib.model.latents import decode, preview
from course_lib.pictures.figures import draw_steps
from course_lib.pictures.picture import Picture, encode_png
from course_lib.sampling.samplers import check_names, count_looks
from course_lib.sampling.settings import SamplerSettings, check_settings, next_seed
from course_lib.sampling.step import Cancelled, Step
from course_lib.sampling.sweeps import PARAMETERS
from course_lib.sampling.trials import Trial, draw_trial, list_changes, list_loras
from course_lib.widgets.closing import close_whole
from course_lib.widgets.controls import Controls
from course_lib.widgets.panels import (
    CodePanel,
    ComparePanel,
    GridPanel,
    HistoryPanel,
    Made,
    StepsPanel,
    StripPanel,
    button,
    row,
)
from course_lib.widgets.prediction import PredictionBar
from course_lib.widgets.style import STYLE, say, say_problem
from course_lib.widgets.worker import Worker

OUTPUTS = "outputs"  # below the course's folder
PREVIEW_SECONDS = 0.15  # between two previews
MOST_FRAMES = 24  # of the steps panel


def explore(pipe: KolorsPipeline, prompt: str, *, settings: SamplerSettings | None = None,
            negative_prompt: str = "", source: Image.Image | None = None, predict: bool = False) -> "Explorer":
    """Return the explorer with its first picture drawn; `predict` hides later ones until the learner has guessed.

    `source` is a picture to start from, which denoise below 1 needs. LessonError for settings that cannot be drawn.
    """
    settings = settings or SamplerSettings()
    check_settings(settings, pipe.scheduler.config.num_train_timesteps)
    check_names(settings.sampler_name, settings.scheduler)
    trial = Trial(prompt, settings, negative_prompt, 1.0 if list_loras(pipe) else None, source)
    explorer = Explorer(pipe, trial, predict)
    explorer.wait()
    return explorer


@contextmanager
def problems_shown_in(words: widgets.HTML) -> Iterator[None]:
    """Show a problem in a field; a LessonError ends there, anything else goes on to whoever waits for the job."""
    try:
        yield
    except Cancelled:
        raise
    except Exception as problem:
        words.value = say_problem(problem)
        if not isinstance(problem, LessonError):
            raise


class Explorer(widgets.VBox):
    """Picture, controls and panels around one worker, which draws the newest trial and drops what became stale."""

    def __init__(self, pipe: KolorsPipeline, trial: Trial, predict: bool = False):
        super().__init__()
        self.made: Made | None = None  # the newest trial that is drawn and shown, with its picture
        self.worker = Worker(pipe)
        self._steps: list[Step] = []
        self._call_seconds: float | None = None
        self._random = random.Random()
        self._next_seed = trial.settings.seed
        self._drawn: Trial | None = None  # what the newest finished picture shows, None while one is drawn
        self.controls = Controls(trial, self.refresh)
        self.prediction = PredictionBar(predict, self._reveal)
        self._make_stage()
        self._make_panels([name for name in PARAMETERS if name != "lora_strength" or trial.lora_strength is not None])
        self.children = [widgets.HTML(STYLE), widgets.Box([self.stage, self.controls.box]).add_class("kolors-top"),
                         self.panel_buttons, self.panel_stack]
        self.add_class("kolors-explorer")
        self.refresh()

    @property
    def trial(self) -> Trial:
        """What the controls show."""
        return self.controls.read()

    @property
    def picture(self) -> Picture | None:
        """The newest finished picture that is shown."""
        return self.made and self.made[1]

    @property
    def predictions(self) -> list:
        """The learner's predictions so far, `prediction.Prediction` each."""
        return self.prediction.predictions

    def wait(self, seconds: float = 600.0) -> None:
        """Wait until the newest picture is there; TimeoutError if that takes too long."""
        self.worker.wait(seconds)

    def close(self) -> None:
        """Take the explorer away, its thread and every control in it."""
        if hasattr(self, "worker"):
            self.worker.close()
        if hasattr(self, "steps"):
            close_whole(self._link, *self.steps.links)
        close_whole(self)

    def refresh(self) -> None:
        """Draw what the controls show; an older picture that is still being drawn is given up."""
        self.worker.ask(partial(self._draw, self.trial))

    def restore(self, trial: Trial) -> None:
        """Set all controls to a trial, and draw it."""
        self.controls.show(trial)

    def draw_next(self) -> None:
        """Take the next seed that is shown, and draw: what ComfyUI's run button does, and with "fixed" nothing new."""
        self.restore(self.trial.but(seed=self._next_seed))

    def pin(self) -> None:
        """Keep the picture that is shown as A."""
        if self.made:
            self.compare.pin(self.made)

    def save(self) -> Path | None:
        """Save the picture that is shown as PNG, with its settings inside, in the course's folder `outputs`."""
        if self.made is None:
            return None
        trial, picture = self.made
        name = f"{time.strftime('%Y%m%d_%H%M%S')}_seed{trial.settings.seed}"
        places = (COURSE / OUTPUTS / f"{name}{f'_{number}' if number > 1 else ''}.png" for number in count(1))
        with problems_shown_in(self.words):
            try:
                path = write_new(places, picture.to_png())
            except OSError as cause:
                raise error("cannot_write", path=COURSE / OUTPUTS, cause=cause.strerror or cause) from cause
            self.words.value = say(text("explorer_saved", path=path.relative_to(COURSE)))
            return path

    def _make_stage(self) -> None:
        self.image = widgets.Image(format="png").add_class("kolors-picture").add_class("kolors-main")
        self.words = widgets.HTML().add_class("kolors-caption")
        self.seeds = widgets.HTML().add_class("kolors-seeds")
        buttons = row(button("draw_next", self.draw_next, "play"), button("save_png", self.save, "download"),
                      self.prediction.on)
        self.stage = widgets.VBox([self.image, self.words, self.seeds, buttons, self.prediction.box])
        self.stage.add_class("kolors-stage")

    def _make_panels(self, parameters: list[str]) -> None:
        given: dict[str, Any] = {"names": parameters, "read_trial": lambda: self.trial,
                                 "call_seconds": lambda: self._call_seconds, "run": self._run, "stop": self._stop}
        self.compare = ComparePanel(self.pin, self.restore)
        self.strip, self.grid = StripPanel(**given), GridPanel(**given)
        self.steps, self.history, self.code = StepsPanel(), HistoryPanel(self.restore), CodePanel()
        boxes = {"compare": self.compare.box, "strip": self.strip.box, "grid": self.grid.box,
                 "steps": self.steps.box, "history": self.history.box, "code": self.code.box}
        # Real buttons, unlike tabs, are reached by the Tab key and wrap in a narrow window.
        self.panel_buttons = widgets.ToggleButtons(
            options=[(text(f"panel_{name}"), name) for name in boxes], style={"button_width": "auto"})
        self.panel_buttons.add_class("kolors-panels")
        self.panel_stack = widgets.Stack([*boxes.values()], selected_index=0)
        self.panel_stack.add_class("kolors-panel")
        self._link = widgets.jslink((self.panel_buttons, "index"), (self.panel_stack, "selected_index"))
        self.panel_buttons.observe(lambda change: self._open(change.new), "value")

    def _open(self, name: str) -> None:
        if name == "steps" and self._steps and not self.worker.busy:  # a running picture brings its steps itself
            self.worker.ask(self._show_steps)

    def _run(self, work: Callable, show: Callable, words: widgets.HTML) -> None:
        self.worker.ask(partial(self._work, self.trial, work, show, words))

    def _stop(self) -> None:
        self.worker.ask(partial(self._catch_up, self.trial))

    # What follows runs on the worker's thread.

    def _draw(self, trial: Trial, pipe: KolorsPipeline, stale: Callable[[], bool]) -> None:
        """Draw one trial with previews; show it, or what is wrong with it, unless something newer is asked for."""
        self._drawn = None
        steps: list[Step] = []
        previewed = 0.0

        def watch(step: Step) -> bool:
            nonlocal previewed
            steps.append(step)
            if step.index >= 1 and time.perf_counter() - previewed > PREVIEW_SECONDS:
                self._show_preview(preview(pipe, step.denoised), step)
                previewed = time.perf_counter()
            return step.index >= 1 and stale()  # not before a preview: a long drag would show nothing at all

        with problems_shown_in(self.words):
            picture = draw_trial(pipe, trial, watch)
            if not stale():
                self._take((trial, picture), steps)
                if self.panel_buttons.value == "steps":
                    self._show_steps(pipe, stale)

    def _catch_up(self, trial: Trial, pipe: KolorsPipeline, stale: Callable[[], bool]) -> None:
        """Finish the picture of the controls, if another job has broken it off."""
        if self._drawn is None or list_changes(self._drawn, trial):
            self._draw(trial, pipe, stale)

    def _work(self, trial: Trial, work: Callable, show: Callable, words: widgets.HTML, pipe: KolorsPipeline,
              stale: Callable[[], bool]) -> None:
        """Do a panel's work and show its result or its problem; `words` say when it was stopped."""
        words.value = say(text("sweep_drawing"), "quiet")
        with problems_shown_in(words):
            try:
                self._catch_up(trial, pipe, stale)
                show(work(pipe, lambda step: stale()))
            except Cancelled:
                words.value = say(text("sweep_stopped"), "quiet")

    def _show_preview(self, image: Image.Image, step: Step) -> None:
        if not self.prediction.hides:
            self.image.value = encode_png(image)
            self.words.value = say(text("explorer_preview", step=step.index + 1, steps=step.steps), "quiet")

    def _take(self, made: Made, steps: list[Step]) -> None:
        self._steps, self._drawn = steps, made[0]
        self._call_seconds = made[1].seconds / count_looks(made[0].settings.sampler_name, made[0].settings.steps)
        if self.prediction.hides:
            self.prediction.take(made)
        else:
            self._reveal(made)

    def _reveal(self, made: Made) -> None:
        """Show a finished picture everywhere."""
        self.made = made
        trial, picture = made
        self._show_picture(picture)
        self._next_seed = next_seed(trial.settings, self._random)
        self.seeds.value = say(text("explorer_seeds", used=trial.settings.seed, next=self._next_seed))
        self.prediction.before = made
        self.compare.show(made)
        self.history.add(made)
        self.code.show(trial)
        for panel in (self.strip, self.grid):
            panel.tell_cost()

    def _show_picture(self, picture: Picture) -> None:
        self.image.value = encode_png(picture.image)
        self.words.value = say(picture.caption)

    def _show_steps(self, pipe: KolorsPipeline, stale: Callable[[], bool]) -> None:
        """Decode what each step of the last picture predicted, and hand the frames to their panel."""
        steps = self._steps
        count = min(len(steps), MOST_FRAMES)
        chosen = [round(number * (len(steps) - 1) / max(count - 1, 1)) for number in range(count)]
        images = []
        for index in chosen:
            if stale():
                return
            images.append(decode(pipe, steps[index].denoised))
        frames = draw_steps(images, chosen, [step.sigma for step in steps])
        self.steps.show(frames, [text("steps_frame", step=index + 1, steps=len(steps), sigma=steps[index].sigma)
                                 for index in chosen])

    def _repr_mimebundle_(self, **formats: object) -> dict[str, object]:
        """Return the widget, and for a notebook without a kernel the picture and its settings."""
        bundle = super()._repr_mimebundle_(**formats)
        return {**bundle, **(self.picture._repr_mimebundle_() if self.picture else {})}
