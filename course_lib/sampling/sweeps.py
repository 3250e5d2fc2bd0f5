"""Change one or two parameters over chosen values and draw every combination: film strip and X/Y grid, with numbers."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from diffusers import KolorsPipeline
from PIL import Image

from course_lib.checks import check_choice
from course_lib.messages import error, text
from course_lib.pictures import emoji, figures, measures, wording
from course_lib.pictures.classifier import load_judge, to_tensor
from course_lib.pictures.figures import describe_value
from course_lib.pictures.picture import Picture, shorten
from course_lib.sampling.samplers import count_looks
from course_lib.sampling.settings import MOST_SEED
from course_lib.sampling.step import Step
from course_lib.sampling.trials import Trial, draw_trials

WHOLE, DECIMAL = ("seed", "steps"), ("cfg", "denoise", "lora_strength")
PARAMETERS = (*WHOLE, *DECIMAL, "sampler_name", "scheduler")


@dataclass(frozen=True)
class Strip:
    """A film strip: pictures[seed][value], what was measured of them as numbers[seed, value], and all as one figure."""

    pictures: list[list[Picture]]
    numbers: np.ndarray
    figure: Picture

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        return self.figure._repr_mimebundle_()


@dataclass(frozen=True)
class Grid:
    """An X/Y grid: pictures[y][x], and all as one figure with labelled axes."""

    pictures: list[list[Picture]]
    figure: Picture

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        return self.figure._repr_mimebundle_()


def film_strip(pipe: KolorsPipeline, trial: Trial, parameter: str, values: Sequence[object], *, seeds: int = 3,
               measured: str = "adherence", callback: Callable[[Step], object] | None = None) -> Strip:
    """Draw a trial with each of the values of one parameter, each with so many seeds, and measure every picture."""
    trials = strip_trials(trial, parameter, values, seeds)
    drawn = draw_trials(pipe, [each for row in trials for each in row], callback)
    rows = split(drawn, len(values))
    images = [[picture.image for picture in row] for row in rows]
    numbers = np.array([MEASURES[measured](row, trial.prompt) for row in images])
    row_seeds = [row[0].settings.seed for row in trials]
    means, spread = numbers.mean(axis=0), float(np.ptp(numbers, axis=0).mean())
    pairs = [f"{describe_value(value)}: {mean:.2f}" for value, mean in zip(values, means)]
    caption = text("strip_caption", parameter=parameter, measure=text(f"measure_{measured}"),
                   numbers=text("list_comma").join(pairs),
                   seeds=text("list_comma").join(map(str, row_seeds)), change=float(np.ptp(means)), spread=spread)
    figure = figures.draw_strip(images, numbers, parameter, values, row_seeds, measured)
    return Strip(rows, numbers, Picture(figure, caption))


def strip_trials(trial: Trial, parameter: str, values: Sequence[object], seeds: int) -> list[list[Trial]]:
    """Return the trials of a film strip, one row per seed; a strip of seeds has one row."""
    check_choice("parameter", parameter, PARAMETERS)
    if parameter == "seed":
        return [[trial.but(seed=value) for value in values]]
    next_seeds = [(trial.settings.seed + number) % (MOST_SEED + 1) for number in range(seeds)]
    return [[trial.but(seed=seed, **{parameter: value}) for value in values] for seed in next_seeds]


def xy_grid(pipe: KolorsPipeline, trial: Trial, x: tuple[str, Sequence[object]], y: tuple[str, Sequence[object]],
            callback: Callable[[Step], object] | None = None) -> Grid:
    """Draw a trial with every pair of values of two parameters, x and y each as (parameter, its values)."""
    trials = grid_trials(trial, x, y)
    rows = split(draw_trials(pipe, trials, callback), len(x[1]))
    figure = figures.draw_grid([[picture.image for picture in row] for row in rows], x, y)
    caption = text("grid_caption", x=x[0], x_values=text("list_comma").join(map(describe_value, x[1])), y=y[0],
                   y_values=text("list_comma").join(map(describe_value, y[1])), prompt=shorten(trial.prompt.strip()))
    return Grid(rows, Picture(figure, caption))


def grid_trials(trial: Trial, x: tuple[str, Sequence[object]], y: tuple[str, Sequence[object]]) -> list[Trial]:
    """Return the trials of an X/Y grid, row by row."""
    for parameter, _ in (x, y):
        check_choice("parameter", parameter, PARAMETERS)
    return [trial.but(**{x[0]: across, y[0]: down}) for down, across in product(y[1], x[1])]


def tell_cost(trials: Sequence[Trial], call_seconds: float | None) -> str:
    """Say how many pictures and model calls trials cost, and how long that takes at so many seconds a call."""
    calls = sum(count_looks(trial.settings.sampler_name, trial.settings.steps) for trial in trials)
    if call_seconds is None:
        return text("cost", pictures=len(trials), calls=calls)
    return text("cost_seconds", pictures=len(trials), calls=calls, seconds=calls * call_seconds)


def read_values(parameter: str, words: str) -> list[object]:
    """Read the chosen values of a parameter from a line such as "1, 3, 5"; LessonError for what is no such list."""
    parts = [part for part in re.split(r"[,，、;；\s]+", words.strip()) if part]
    kind = int if parameter in WHOLE else float if parameter in DECIMAL else str
    try:
        values: list[object] = [kind(part) for part in parts]
    except ValueError:
        values = []
    if not values or len(set(values)) < len(values):
        raise error("values_wrong", parameter=parameter, words=words.strip())
    return values


def split(items: Sequence[Picture], length: int) -> list[list[Picture]]:
    """Split a sequence into rows of one length."""
    return [list(items[start:start + length]) for start in range(0, len(items), length)]


@torch.no_grad()
def adherence(pictures: Sequence[Image.Image], prompt: str) -> list[float]:
    """Return for each picture how surely the judge sees the subject that the prompt names, 0 to 1."""
    names: list[str | None] = [*emoji.subjects()]
    subject = names.index(wording.read_prompt(prompt).subject)
    return load_judge()(to_tensor(pictures))[0].softmax(dim=1)[:, subject].tolist()


def distance_from_first(pictures: Sequence[Image.Image], prompt: str) -> list[float]:
    """Return how far each picture's pixels lie from the first picture's, 0 to 1."""
    return [measures.distance(pictures[0], picture) for picture in pictures]


def saturation(pictures: Sequence[Image.Image], prompt: str) -> list[float]:
    """Return each picture's mean saturation, 0 to 1."""
    return [measures.saturation(picture) for picture in pictures]


def clipped(pictures: Sequence[Image.Image], prompt: str) -> list[float]:
    """Return the share of each picture's values that stand at 0 or 255."""
    return [measures.clipped(picture) for picture in pictures]


# What a film strip can measure along a row of pictures: (pictures, prompt) -> a number each.
MEASURES = {"adherence": adherence, "distance": distance_from_first, "saturation": saturation, "clipped": clipped}
