"""Pictures and captions: what a scene says is what its picture and its caption hold."""

import random

import numpy as np
import pytest
from PIL import Image

from course_lib.pictures import emoji, wording


def test_every_subject_has_a_picture_in_every_style():
    assert len(emoji.subjects()) == 64
    for subject in emoji.subjects():
        for style in emoji.STYLES:
            picture = emoji.subject_picture(subject, style)
            assert picture.size == (128, 128)
            assert np.asarray(picture)[..., 3].mean() > 10, (subject, style)


def test_no_name_belongs_to_two_subjects():
    names = [name for row in emoji.subjects().values() for name in row["zh"] + row["en"]]
    assert len(names) == len(set(names))


def test_everyday_words_are_understood():
    pairs = {"狗": "dog-face", "小狗": "dog-face", "苹果": "red-apple", "红苹果": "red-apple", "瓢虫": "lady-beetle",
             "dog": "dog-face", "puppy": "dog-face", "ladybugs": "lady-beetle", "章鱼": "octopus",
             "a football": "soccer-ball", "hotdog": None, "老虎": None}
    assert {word: wording.read_prompt(word).subject for word in pairs} == pairs


def test_captions_say_what_the_scene_shows():
    rng = random.Random(3)
    for _ in range(3000):
        scene = emoji.random_scene(rng, tuple(emoji.STYLES))
        words = wording.caption(scene, rng.choice(("zh", "en")), rng)
        named = wording.read_prompt(words)
        assert named.subject == scene.subject, words
        assert named.style in (None, scene.style), words
        assert named.ground in (None, scene.ground), words
        assert not named.unknown, words


def test_words_it_never_learnt_are_found():
    assert wording.read_prompt("一只可爱的瓢虫，蓝色背景").unknown == ("可爱",)
    assert wording.read_prompt("A cute ladybird on a blue background").unknown == ("cute",)


@pytest.mark.parametrize("flip", [False, True])
def test_compose_puts_the_subject_where_the_scene_says(flip):
    scene = emoji.Scene("red-heart", "flat", "blue", 48, 10, 4, flip)
    pixels = np.asarray(emoji.compose(scene)).astype(int)
    other = np.abs(pixels - emoji.GROUNDS["blue"][2]).sum(axis=2) > 60
    rows, columns = np.where(other)
    assert pixels.shape == (emoji.PICTURE_SIZE, emoji.PICTURE_SIZE, 3)
    assert rows.min() >= 4 and rows.max() < 52
    assert columns.min() >= 10 and columns.max() < 58


def test_a_cartoon_has_a_dark_outline_inside_its_place_and_flat_has_none():
    dark = {}
    for style in emoji.BASE_STYLES:
        pixels = np.asarray(emoji.compose(emoji.Scene("red-heart", style, "white", 48, 10, 4, False))).astype(int)
        rows, columns = np.where(pixels.sum(axis=2) < 3 * 60)
        dark[style] = len(rows)
        assert not len(rows) or (rows.min() >= 4 and rows.max() < 52 and columns.min() >= 10 and columns.max() < 58)
    assert dark["noto"] > 150 and dark["flat"] == 0


def test_each_rendering_shows_its_own_part_of_the_flat_picture():
    for subject in ("frog", "house", "red-apple"):
        flat, *rendered = (np.asarray(emoji.subject_picture(subject, style, 56)).astype(int)
                           for style in ("flat", *emoji.RENDERED))
        lines, mono, block = rendered
        shown = flat[..., 3] > 250
        assert (mono[..., 0] == mono[..., 1]).all() and (mono[..., 1] == mono[..., 2]).all()
        assert (mono[..., 3] == flat[..., 3]).all() and len(np.unique(mono[shown][:, :3], axis=0)) > 1
        assert (block[..., 3] == flat[..., 3]).all() and len(np.unique(block[shown][:, :3], axis=0)) == 1
        assert np.abs(block[shown][0, :3] - flat[shown][:, :3].mean(axis=0)).max() < 10
        assert 0.1 < (lines[..., 3] > 128).sum() / shown.sum() < 0.7
        assert (lines[..., 3][flat[..., 3] == 0] > 128).mean() < 0.15


def test_lines_are_traced_where_colours_meet_and_nowhere_else():
    picture = Image.new("RGBA", (64, 64))
    picture.paste((200, 0, 0), (16, 16, 32, 48))
    picture.paste((0, 0, 200), (32, 16, 48, 48))
    traced = np.asarray(emoji.trace(picture)) > 128
    assert traced.shape == (32, 32)
    assert traced[16, [8, 16, 23]].all() and traced[[8, 23], 12].all()
    assert not traced[12:20, 11:14].any() and not traced[12:20, 18:21].any() and not traced[:6].any()


def test_random_scenes_stay_inside_the_picture():
    rng = random.Random(0)
    for _ in range(2000):
        scene = emoji.random_scene(rng)
        assert 0 <= scene.left <= emoji.PICTURE_SIZE - scene.size
        assert 0 <= scene.top <= emoji.PICTURE_SIZE - scene.size
        assert scene.style in emoji.BASE_STYLES
