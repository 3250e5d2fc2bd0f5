"""The exercise of the lesson on stories: eight right pictures are told right, every fault gets its own hint."""

import pytest
from PIL import Image

from course_lib.exercises import check_empty_scenes, check_story
from course_lib.messages import LANGUAGES, set_language
from course_lib.pictures import emoji
from course_lib.sampling.settings import SamplerSettings
from course_lib.story.candidates import Candidate
from course_lib.story.scenes import STORIES

STORY = STORIES["birthday"]
STYLE = "lineart"


def compose(scene, style=STYLE):
    return emoji.compose(emoji.Scene(scene.subject, style, scene.ground, 78, 9, 9, False))


@pytest.fixture
def pictures():
    return [compose(scene) for scene in STORY.scenes]


def keep(folder, pictures):
    kept = []
    for number, picture in enumerate(pictures, 1):
        picture.save(folder / f"{number}.png")
        kept.append(Candidate(number, folder / f"{number}.png", "", "", SamplerSettings()))
    return kept


@pytest.mark.parametrize("language", LANGUAGES)
def test_true_pictures_are_right(tmp_path, pictures, language, capsys):
    set_language(language)
    assert check_story(keep(tmp_path, pictures), STORY, STYLE)
    pictures[3] = compose(STORY.scenes[3], "3d")  # one of eight may be in another style
    assert check_story(keep(tmp_path, pictures), STORY, STYLE)
    pictures[6] = compose(STORY.scenes[6], "3d")
    assert not check_story(keep(tmp_path, pictures), STORY, STYLE)
    assert "6" in capsys.readouterr().out.splitlines()[-1]


def test_a_picture_that_is_there_twice_is_told(tmp_path, pictures, capsys):
    assert not check_story(keep(tmp_path, [*pictures[:7], pictures[2]]), STORY, STYLE)
    said = capsys.readouterr().out
    assert "3" in said and "8" in said


@pytest.mark.parametrize("change", [
    lambda scene: compose(STORY.scenes[0]).resize((48, 48)).resize((96, 96)),  # another subject
    lambda scene: emoji.compose(emoji.Scene(scene.subject, STYLE, "red", 78, 9, 9, False)),  # another ground
    lambda scene: Image.new("RGB", (96, 96), emoji.GROUNDS[scene.ground][2])])  # nothing at all
def test_a_scene_that_shows_something_else_is_named(tmp_path, pictures, change, capsys):
    pictures[4] = change(STORY.scenes[4])
    assert not check_story(keep(tmp_path, pictures), STORY, STYLE)
    assert "5" in capsys.readouterr().out


@pytest.mark.parametrize("language", LANGUAGES)
def test_wrong_types_are_answered_and_not_raised(tmp_path, pictures, language, capsys):
    """Without the judge: the form is looked at first."""
    set_language(language)
    kept = keep(tmp_path, pictures)
    for odd in (None, "a", 3, {}, [], kept[:7], [*kept[:7], None], [*kept[:7], pictures[7]]):
        assert check_story(odd, STORY, STYLE) is False and capsys.readouterr().out.strip()
    for story, style in ((None, STYLE), ("birthday", STYLE), (STORY, None), (STORY, "no-style"), (STORY, [])):
        assert check_story(kept, story, style) is False and capsys.readouterr().out.strip()


@pytest.mark.parametrize("language", LANGUAGES)
def test_scenes_without_a_right_candidate(language, capsys):
    set_language(language)
    for answer, right in ((0.5, True), (2, False), (0, False), ("0.5", False), (None, False), (True, False)):
        for _ in range(2):
            assert check_empty_scenes(0.5, 4, 8, answer) is right and capsys.readouterr().out.strip()
