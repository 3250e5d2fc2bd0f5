"""The seven numbers and names of ComfyUI's KSampler node, under ComfyUI's own names, and the check of their bounds."""

import random
from dataclasses import dataclass
from numbers import Integral

from course_lib.checks import check_choice, check_range

CONTROLS = ("fixed", "increment", "decrement", "randomize")
MOST_SEED = 2**64 - 1
LEAST_DENOISE = 0.01  # ComfyUI's own step; a schedule has steps / denoise sigmas, which must not fill the memory
RANDOM_SEEDS = 2**50  # ComfyUI's page draws below this: a browser holds whole numbers exactly up to 2**53


@dataclass(frozen=True)
class SamplerSettings:
    """What a KSampler node is set to: seed 0 to 2**64 - 1, steps, cfg 0 to 100, denoise 0 or 0.01 to 1, two names.

    control_after_generate says what becomes of the seed after a picture (`next_seed`); it changes no picture. Settings
    that were read from a picture's file hold None where the file does not tell (`sampling.found`).
    """

    seed: int = 0
    control_after_generate: str = "fixed"
    steps: int = 20
    cfg: float = 5.0
    sampler_name: str = "euler"
    scheduler: str = "normal"
    denoise: float = 1.0


def check_settings(settings: SamplerSettings, most_steps: int) -> None:
    """Answer settings outside their bounds with a LessonError; names of samplers: `samplers.check_names`."""
    check_range("seed", settings.seed, 0, MOST_SEED, kind=Integral)
    check_range("steps", settings.steps, 1, most_steps, kind=Integral)
    check_range("cfg", settings.cfg, 0, 100)
    check_range("denoise", settings.denoise, 0 if settings.denoise == 0 else LEAST_DENOISE, 1)
    check_choice("control_after_generate", settings.control_after_generate, CONTROLS)


def next_seed(settings: SamplerSettings, rng: random.Random) -> int:
    """Return the seed of the next picture as control_after_generate asks; at a bound it stays, as ComfyUI's does."""
    if settings.control_after_generate == "randomize":
        return rng.randrange(RANDOM_SEEDS)
    step = {"fixed": 0, "increment": 1, "decrement": -1}[settings.control_after_generate]
    return min(max(settings.seed + step, 0), MOST_SEED)
