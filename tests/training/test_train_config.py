"""TrainConfig: what is accepted, what is refused, and how the learning rate goes."""

import json
import math
from pathlib import Path

import pytest

from course_lib.lora.verbs import ATTENTION
from course_lib.messages import LessonError
from course_lib.training.config import (
    FREE_TO_CHANGE,
    TrainConfig,
    check_config,
    list_differences,
    rate_factor,
    tiny_config,
)

CAMP = {"lora_rank": 16, "lora_alpha": 4.0, "max_epochs": 1, "steps_per_epoch": 500, "learning_rate": 1e-4,
        "batch_size": 1, "accumulate_grad_batches": 1, "dataloader_num_workers": 0, "center_crop": False,
        "random_flip": False}


def test_defaults_are_the_camps_and_accepted():
    assert {name: getattr(TrainConfig(), name) for name in CAMP} == CAMP
    assert TrainConfig().targets == ATTENTION
    check_config(TrainConfig())
    check_config(tiny_config())


@pytest.mark.parametrize("changes", [
    {"lora_rank": 0}, {"lora_rank": 2.5}, {"lora_alpha": 0}, {"lora_alpha": -4.0}, {"lora_alpha": math.inf},
    {"learning_rate": math.nan}, {"learning_rate": 0}, {"learning_rate": "1e-4"}, {"steps_per_epoch": 0},
    {"max_epochs": 0}, {"batch_size": 0}, {"batch_size": True}, {"accumulate_grad_batches": 0}, {"precision": "8"},
    {"lr_scheduler": "linear"}, {"min_snr_form": "x"}, {"caption_dropout": 1.5}, {"ema_decay": 1.0},
    {"rank_dropout": 1.0}, {"targets": "to_q"}, {"targets": ()}, {"sample_prompts": ("",)}, {"prior_weight": 1.0},
    {"checkpoint_every": 0}, {"seed": -1},
])
def test_what_cannot_be_is_refused(changes):
    with pytest.raises(LessonError) as problem:
        check_config(TrainConfig(**changes))
    assert next(iter(changes)) in str(problem.value)


def test_rank_and_alpha_of_zero_say_why():
    for name, word in (("lora_rank", "rank"), ("lora_alpha", "alpha/rank")):
        with pytest.raises(LessonError, match=word):
            check_config(TrainConfig(**{name: 0}))


def test_rate_warms_up_then_falls_to_its_last_share():
    config = TrainConfig(steps_per_epoch=100, lr_warmup_steps=10)
    factors = [rate_factor(config, step) for step in range(100)]
    assert factors[:10] == sorted(factors[:10]) and factors[0] == pytest.approx(1 / 11)
    assert max(factors) == factors[10] == 1
    assert factors[10:] == sorted(factors[10:], reverse=True) and 0.02 <= factors[-1] < 0.03
    constant = config.but(lr_scheduler="constant")
    assert [rate_factor(constant, step) for step in (10, 50, 99)] == [1, 1, 1]


def test_differences_name_what_matters():
    old = json.loads(TrainConfig().to_json())
    assert list_differences(TrainConfig(), old) == []
    assert list_differences(TrainConfig(lora_rank=4, prior_folder=Path("x")), old) == ["lora_rank", "prior_folder"]
    assert list_differences(TrainConfig(steps_per_epoch=7, sample_prompts=("一只猫",)), old) == []
    assert {"steps_per_epoch", "sample_prompts"} <= set(FREE_TO_CHANGE)
