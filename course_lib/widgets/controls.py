"""The explorer's controls: each number a slider beside a field, each name a menu; together they read as one trial."""

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from course_lib.messages import text
from course_lib.sampling.samplers import SAMPLERS, explain_sampler
from course_lib.sampling.settings import CONTROLS, SamplerSettings
from course_lib.sampling.sigmas import SCHEDULERS
from course_lib.sampling.trials import Trial
from course_lib.widgets.style import say

# name -> (lowest, highest, step) of its slider; the field beside it takes any number, and says so if it is a wrong one.
SLIDERS = {"seed": (0, 99, 1), "steps": (1, 50, 1), "cfg": (0.0, 20.0, 0.1), "denoise": (0.0, 1.0, 0.05),
           "lora_strength": (0.0, 2.0, 0.05)}
MENUS = {"sampler_name": tuple(SAMPLERS), "scheduler": tuple(SCHEDULERS), "control_after_generate": CONTROLS}


class Dial:
    """A slider and a field for one number; the field has the last word, since it may leave the slider's range."""

    def __init__(self, name: str, on_change: Callable[[], None]):
        low, high, step = SLIDERS[name]
        whole = isinstance(step, int)
        slider = widgets.IntSlider if whole else widgets.FloatSlider
        # A seed has up to 64 bits, and a browser's numbers only 53: its field holds letters.
        field = widgets.Text if name == "seed" else widgets.IntText if whole else widgets.FloatText
        self.name = name
        self.slider = slider(min=low, max=high, step=step, readout=False, layout={"width": "auto"})
        self.field = field(description=text(f"control_{name}"), style={"description_width": "initial"},
                           layout={"width": "auto"}, **({} if name == "seed" else {"step": step}))
        self.box = widgets.HBox([self.field, self.slider]).add_class("kolors-dial").add_class(f"kolors-{name}")
        self.slider.observe(self._take_slider, "value")
        self.field.observe(self._take_field, "value")
        self._on_change = on_change

    @property
    def value(self) -> float | str:
        """The number in the field; what is no number comes back as its letters, for `check_settings` to refuse."""
        if self.name != "seed":
            return self.field.value
        letters = self.field.value.strip()
        return int(letters) if letters.lstrip("-").isdecimal() else letters

    @value.setter
    def value(self, number: object) -> None:
        self.field.value = str(number) if self.name == "seed" else number

    def _take_slider(self, change: object) -> None:
        if self.slider.value != self._within_slider():  # else the slider only follows the field
            self.value = round(self.slider.value, 4)  # a browser's 8.4 may be 8.400000000000001

    def _take_field(self, change: object) -> None:
        nearest = self._within_slider()
        if nearest is not None:
            self.slider.value = nearest
        self._on_change()

    def _within_slider(self) -> float | None:
        """Return where the slider stands for the field's value; None for letters and NaN."""
        value = self.value
        if isinstance(value, str) or math.isnan(value):
            return None
        return min(max(value, self.slider.min), self.slider.max)


class Controls:
    """All fields of a trial: `read()` returns what they show, `show(trial)` sets them, `on_change()` hears of both."""

    def __init__(self, trial: Trial, on_change: Callable[[], None]):
        self._on_change = on_change
        self._showing = True
        wide = {"continuous_update": False, "layout": {"width": "auto"}, "style": {"description_width": "initial"}}
        self.prompt = widgets.Textarea(description=text("control_prompt"), rows=2, **wide).add_class("kolors-prompt")
        self.negative_prompt = widgets.Text(description=text("control_negative_prompt"), **wide)
        self.dials = {name: Dial(name, self._changed) for name in SLIDERS
                      if name != "lora_strength" or trial.lora_strength is not None}
        self.menus = {name: widgets.Dropdown(options=names, description=text(f"control_{name}"),
                                             layout={"width": "auto"}, style={"description_width": "initial"})
                      .add_class("kolors-wide").add_class(f"kolors-{name}") for name, names in MENUS.items()}
        self.about = widgets.HTML()  # what the chosen sampler does
        self.menus["sampler_name"].observe(self._explain, "value")
        self._set(trial)
        self._explain()
        for field in (self.prompt, self.negative_prompt, *self.menus.values()):
            field.observe(self._changed, "value")
        menus = widgets.Box(list(self.menus.values())).add_class("kolors-menus")
        self.box = widgets.VBox([self.prompt.add_class("kolors-wide"), self.negative_prompt.add_class("kolors-wide"),
                                 *(dial.box for dial in self.dials.values()), menus, self.about])
        self.box.add_class("kolors-controls")

    def read(self) -> Trial:
        """Return the trial that the fields show."""
        numbers: dict[str, Any] = {name: dial.value for name, dial in self.dials.items()}
        lora_strength = numbers.pop("lora_strength", None)
        settings = SamplerSettings(**numbers, **{name: menu.value for name, menu in self.menus.items()})
        return Trial(self.prompt.value, settings, self.negative_prompt.value, lora_strength, self._source)

    def show(self, trial: Trial) -> None:
        """Set every field and tell of it as one change."""
        self._set(trial)
        self._on_change()

    def _set(self, trial: Trial) -> None:
        self._showing = True
        self.prompt.value, self.negative_prompt.value = trial.prompt, trial.negative_prompt
        for name, dial in self.dials.items():
            dial.value = trial.lora_strength if name == "lora_strength" else getattr(trial.settings, name)
        for name, menu in self.menus.items():
            menu.value = getattr(trial.settings, name)
        self._source = trial.source
        self._showing = False

    def _explain(self, change: object = None) -> None:
        self.about.value = say(explain_sampler(self.menus["sampler_name"].value), "quiet")

    def _changed(self, change: object = None) -> None:
        if not self._showing:
            self._on_change()
