"""The judge on pictures whose content is known, and the model's scores by it and by the border pixels."""

import json
import random

import pytest
import torch
from PIL import Image

from course_lib.pictures import emoji
from course_lib.pictures.classifier import WEIGHTS, border_ground, diversity, judge, score
from data.recipe.examples import to_image
from data.recipe.export import same_styles, score_model
from data.recipe.judge import compose_all, draw_scenes, mix_halves
from data.recipe.prompts import choose_kept


@pytest.mark.parametrize("held_back", [False, True])
def test_accuracy_on_composed_pictures(held_back):
    rng = random.Random("test")
    scenes = draw_scenes(rng, 600, held_back)
    verdicts = judge([emoji.compose(scene, emoji.shade(scene.ground, rng)) for scene in scenes])
    for part, least in (("subject", 0.97), ("style", 0.97), ("ground", 0.97)):
        right = sum(getattr(verdict, part) == getattr(scene, part) for verdict, scene in zip(verdicts, scenes))
        assert right / len(scenes) >= least, part


def test_the_judge_is_small():
    assert WEIGHTS.stat().st_size <= 3e6


def test_border_pixels_name_the_ground():
    rng = random.Random("border")
    scenes = [emoji.random_scene(rng) for _ in range(300)]
    right = sum(border_ground(emoji.compose(scene, emoji.shade(scene.ground, rng))) == scene.ground for scene in scenes)
    assert right / len(scenes) >= 0.99


def test_score_counts_only_what_prompts_name():
    dog = emoji.compose(emoji.Scene("dog-face", "flat", "red", 78, 9, 9, False))
    right = score([dog], ["一只小狗，扁平风格，红色背景"])
    wrong = score([dog], ["a cat, cartoon style, blue background"])
    assert (right.subject, right.style, right.ground) == (1.0, 1.0, 1.0)
    assert (wrong.subject, wrong.style, wrong.ground) == (0.0, 0.0, 0.0)
    assert score([dog], ["狗"]).style is None


def test_diversity_is_zero_for_equal_pictures_and_more_for_others():
    dog = emoji.compose(emoji.Scene("dog-face", "flat", "red", 78, 9, 9, False))
    key = emoji.compose(emoji.Scene("key", "noto", "blue", 78, 9, 9, False))
    assert diversity([dog, dog, dog]) == pytest.approx(0, abs=1e-5)
    assert diversity([dog, key]) > 0.2


def test_only_pictures_that_are_the_same_count_for_each_other():
    assert same_styles("star", "flat") == {"flat", "block"}  # one colour, no line
    assert same_styles("elephant", "flat") == {"flat", "mono"}  # grey already
    assert same_styles("star", "noto") == {"noto"}
    assert sum(len(same_styles(subject, "flat")) > 1 for subject in emoji.subjects()) == 4


def test_an_empty_or_mixed_picture_is_none_of_them():
    rng = random.Random("none")
    empty = [Image.new("RGB", (96, 96), colour) for _, _, colour in emoji.GROUNDS.values()]
    scenes = draw_scenes(rng, 200)
    pictures = compose_all(scenes, rng)
    torch.manual_seed(0)
    mixed = torch.stack([mix_halves(one, other, rng) for one, other in zip(pictures, pictures.roll(1, dims=0))])
    for shown in (empty, [to_image(each) for each in mixed]):
        assert sum(verdict.subject is None for verdict in judge(shown)) / len(shown) >= 0.9


def test_the_shipped_model_scores_what_its_card_says(pipe):
    card = json.loads((WEIGHTS.parents[1] / "tiny_kolors" / "card" / "scores.json").read_text(encoding="utf-8"))
    scores = score_model(pipe, choose_kept())
    for name, value in scores.items():
        assert value == pytest.approx(card["kept pairs"][name], abs=0.03), name
    drawn, plain = card["cfg 5"], card["cfg 1"]
    assert drawn["ground"] >= 0.95 and drawn["ground_by_border"] >= 0.95
    assert abs(drawn["subject_zh"] - drawn["subject_en"]) <= 0.05
    assert plain["subject"] < drawn["subject"] - 0.1 and plain["distance"] > drawn["distance"] + 0.1


def test_the_judge_refuses_what_is_far_from_true():
    card = json.loads((WEIGHTS.parent / "scores.json").read_text(encoding="utf-8"))["drawn"]
    assert card["beyond_0.5"] <= 0.1 and card["within_0.2"] >= 0.98
