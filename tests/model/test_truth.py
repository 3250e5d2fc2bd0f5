"""A model's pictures against true ones: 0 for what its VAE makes of a true picture, 1 for an empty ground."""

import pytest
from PIL import Image

from course_lib.messages import LessonError
from course_lib.model import load, measure_truth
from course_lib.model.truth import compose_true
from course_lib.pictures import emoji

ASKED = [("owl", "flat", "blue", "一只猫头鹰，扁平风格，蓝色背景"),
         ("red-apple", "noto", "white", "an apple, cartoon, white background")]


@pytest.fixture(scope="module")
def pipe():
    return load("tiny")


def test_true_pictures_are_at_0_and_empty_grounds_at_1(pipe):
    prompts = [prompt for *_, prompt in ASKED]
    true = [compose_true(pipe, subject, style, ground) for subject, style, ground, _ in ASKED]
    assert measure_truth(pipe, true, prompts).value == pytest.approx(0, abs=1e-6)
    empty = [Image.new("RGB", true[0].size, emoji.GROUNDS[ground][2]) for *_, ground, _ in ASKED]
    assert measure_truth(pipe, empty, prompts).value == pytest.approx(1, abs=1e-6)
    assert measure_truth(pipe, true[::-1], prompts).value > 0.5  # right pictures of something else


def test_a_prompt_without_a_style_may_be_drawn_in_any(pipe):
    shown = [compose_true(pipe, "owl", style, "blue") for style in emoji.BASE_STYLES]
    assert measure_truth(pipe, shown, ["an owl"] * len(shown)).value == pytest.approx(0, abs=1e-3)


def test_a_prompt_without_a_subject_is_answered(pipe):
    with pytest.raises(LessonError, match="一条龙"):
        measure_truth(pipe, [compose_true(pipe, "owl", "flat", "blue")], ["一条龙，红色背景"])
