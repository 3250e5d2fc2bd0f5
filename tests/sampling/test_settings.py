"""Settings outside their bounds are answered, and control_after_generate does to the seed what ComfyUI does."""

import random
from dataclasses import replace

import numpy as np
import pytest

from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.sampling.settings import CONTROLS, MOST_SEED, SamplerSettings, check_settings, next_seed

NAN = float("nan")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name, value", [
    ("seed", -1), ("seed", 2**64), ("seed", 0.5), ("seed", True), ("seed", "0"), ("seed", None),
    ("steps", 0), ("steps", 10000), ("steps", 1101), ("steps", 20.0), ("steps", NAN), ("steps", "20"),
    ("cfg", NAN), ("cfg", float("inf")), ("cfg", -0.1), ("cfg", 100.1), ("cfg", "5"), ("cfg", False), ("cfg", [5]),
    ("denoise", NAN), ("denoise", -0.01), ("denoise", 1e-9), ("denoise", None), ("denoise", False),
    ("denoise", 1.01), ("denoise", "1"), ("denoise", 1j),
    ("control_after_generate", "random"), ("control_after_generate", ["fixed"]), ("control_after_generate", None),
])
def test_a_wrong_setting_is_answered_by_its_name(name, value, language):
    set_language(language)
    with pytest.raises(LessonError, match=name) as problem:
        check_settings(replace(SamplerSettings(), **{name: value}), 1100)
    assert problem.value.next_step


@pytest.mark.parametrize("settings", [
    SamplerSettings(), SamplerSettings(denoise=0.01), SamplerSettings(seed=MOST_SEED, steps=1100, cfg=100, denoise=0),
    SamplerSettings(seed=np.int64(3), steps=np.int32(1), cfg=np.float32(0), denoise=1),
    *(SamplerSettings(control_after_generate=name) for name in CONTROLS),
])
def test_settings_at_their_bounds_pass(settings):
    check_settings(settings, 1100)


def test_the_next_seed():
    rng = random.Random(0)
    for seed, control, wanted in ((7, "fixed", 7), (7, "increment", 8), (7, "decrement", 6), (0, "decrement", 0),
                                  (MOST_SEED, "increment", MOST_SEED)):
        assert next_seed(SamplerSettings(seed=seed, control_after_generate=control), rng) == wanted
    drawn = {next_seed(SamplerSettings(control_after_generate="randomize"), rng) for _ in range(50)}
    assert len(drawn) == 50 and max(drawn) < 2**53 and max(drawn) > 2**40
