"""Stories as data: the ready ones can be drawn, one's own is checked, and scores know what was asked for."""

import pytest
from PIL import Image

from course_lib.messages import LessonError, set_language
from course_lib.model.truth import compose_true
from course_lib.pictures import emoji, wording
from course_lib.story.scenes import CAMP_STORY, SCENES, STORIES, make_story
from course_lib.story.scores import consistency, score_story

ROWS = [("小猫", "蓝色", "一"), ("狗", "red", "二"), ("a rabbit", "green background", "三"), ("panda", "yellow", "四"),
        ("lion", "white", "五"), ("pig", "pink", "六"), ("frog", "grey", "七"), ("owl", "cyan", "八")]


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_ready_story_names_what_tiny_kolors_can_draw(story):
    assert len(story.scenes) == SCENES
    assert len({(scene.subject, scene.ground) for scene in story.scenes}) == SCENES
    for scene, prompt in zip(story.scenes, story.words("lineart")):
        named = wording.read_prompt(prompt)
        assert (named.subject, named.style, named.ground, named.unknown) == (scene.subject, "lineart", scene.ground, ())
        assert all(scene.captions)


def test_the_camps_story_is_drawn_by_its_own_prompts():
    assert len(CAMP_STORY.scenes) == SCENES and all("二次元" in prompt for prompt in CAMP_STORY.words("noto"))


def test_captions_follow_the_language():
    scene = STORIES["moon"].scenes[0]
    assert scene.caption == scene.captions[0]
    set_language("en")
    assert scene.caption == scene.captions[1] and STORIES["moon"].title == "The way to the moon"


def test_a_story_of_ones_own_is_named_in_any_words():
    story = make_story("我的", ROWS)
    assert [scene.subject for scene in story.scenes[:3]] == ["cat-face", "dog-face", "rabbit-face"]
    assert [scene.ground for scene in story.scenes[:3]] == ["blue", "red", "green"]
    assert story.scenes[0].word("3d") == "一只小猫，立体风格，蓝色背景"


@pytest.mark.parametrize("title, rows, said", [
    ("t", ROWS[:7], "7"), ("t", "cats", "8"), ("t", [*ROWS[:7], ("龙", "red", "x")], "龙"),
    ("t", [*ROWS[:7], ("cat", "plaid", "x")], "plaid"), ("t", [*ROWS[:7], ROWS[0]], "第 8"),
    ("t", [*ROWS[:7], ("cat", "red")], "第 8"), ("t", [*ROWS[:7], ("cat", "red", " ")], "caption"),
    ("t", [*ROWS[:7], ("cat", "red", "字" * 201)], "201"), ("", ROWS, "title"), (None, ROWS, "title")])
def test_what_is_no_story_is_answered(title, rows, said):
    with pytest.raises(LessonError) as problem:
        make_story(title, rows)
    assert said in str(problem.value)


# --- scores

@pytest.fixture(scope="module")
def story():
    return STORIES["birthday"]


@pytest.fixture(scope="module")
def true(pipe, story):
    return [compose_true(pipe, scene.subject, "lineart", scene.ground) for scene in story.scenes]


def test_true_pictures_score_best(pipe, story, true):
    score = score_story(pipe, true, story, "lineart")
    assert score.style >= 0.75 and score.subject >= 0.75 and score.ground == 1
    assert abs(score.distance) < 0.01 and score.consistency > 0.8 and score.variety > 0.2
    assert true[0].width == pipe.default_sample_size * pipe.vae_scale_factor


def test_each_score_falls_for_its_own_fault(pipe, story, true):
    best = score_story(pipe, true, story, "lineart")
    assert score_story(pipe, true, story, "3d").style < 0.3
    turned = [*true[1:], true[0]]
    assert score_story(pipe, turned, story, "lineart").subject == 0
    assert score_story(pipe, turned, story, "lineart").consistency == pytest.approx(best.consistency, abs=1e-4)
    mixed = [compose_true(pipe, scene.subject, style, scene.ground)
             for scene, style in zip(story.scenes, ["lineart", "3d"] * 4)]
    assert consistency(mixed) < best.consistency - 0.2
    same = score_story(pipe, [true[1]] * 8, story, "lineart")
    assert same.variety < 1e-5 and same.consistency > 0.9 and same.subject == 1 / 8
    empty = [Image.new("RGB", picture.size, emoji.GROUNDS["red"][2]) for picture in true]
    assert score_story(pipe, empty, story, "lineart").distance == pytest.approx(1, abs=1e-3)


def test_a_story_by_prompts_has_no_judged_scores(pipe, true):
    score = score_story(pipe, true, CAMP_STORY, "noto")
    assert (score.style, score.subject, score.ground, score.distance) == (None,) * 4 and score.variety > 0.2
    assert "没有" in str(score)


def test_too_few_pictures_are_answered(pipe, story, true):
    with pytest.raises(LessonError, match="7"):
        score_story(pipe, true[:7], story, "lineart")
    with pytest.raises(LessonError, match="dict"):
        score_story(pipe, true, {}, "lineart")
