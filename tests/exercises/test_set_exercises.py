"""The exercises of the lesson on data sets: the right answer is told right, every other one gets its own hint."""

import pytest

from course_lib.dataset.making.scenes import Scene, Thing
from course_lib.exercises import sets
from course_lib.messages import LANGUAGES, LessonError, set_language

RIGHT = {"9.jpg": None, "5.png": "一只企鹅，扁平风格，橙色背景", "7.png": None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sets.plant_problems(tmp_path_factory.mktemp("planted"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("fixes, hint", [
    (RIGHT, ""), ({}, "7.png"), ({**RIGHT, "5.png": "一辆公交车，扁平风格，橙色背景"}, "5.png"),
    ({key: RIGHT[key] for key in ("5.png", "7.png")}, "9.jpg"), ({**RIGHT, "1.png": None}, "6"),
    ({**RIGHT, "11.png": None}, "11.png"), ({"9.jpg": None, "7.png": None}, "5.png")])
def test_only_the_right_fixes_are_right(folder, capsys, language, fixes, hint):
    set_language(language)
    assert sets.check_fixes(folder, fixes) == (not hint)
    assert hint in capsys.readouterr().out


def test_planting_twice_gives_the_same_set(folder):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    sets.plant_problems(folder)
    assert before == {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("name", ["holiday.jpg", "1.png", "metadata.csv"])
def test_nothing_of_a_learners_is_written_over(folder, tmp_path, name):
    if name != "holiday.jpg":
        sets.plant_problems(tmp_path)
    (tmp_path / name).write_bytes(b"mine")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(LessonError, match=name):
        sets.plant_problems(tmp_path)
    assert before == {file.name: file.read_bytes() for file in tmp_path.iterdir()}


def test_mirror_licence_and_scene():
    assert sets.check_mirror({"一只小猫": True, "左边是一只狗": False})
    assert not sets.check_mirror({"一只小猫": False}) and not sets.check_mirror({})
    offered = {"a": "cc0", "b": "by", "c": "by-nc", "d": ""}
    assert sets.check_licences(["b", "a"], offered)
    for wrong in (["a"], ["a", "b", "c"], [], ["d"]):
        assert not sets.check_licences(wrong, offered)
    scene = Scene((Thing("cat-face", 0.25, 0.5, 0.4), Thing("red-apple", 0.75, 0.5, 0.4)), "flat", "yellow")
    assert sets.check_scene_words(scene, "左边是一只小猫，右边是一个苹果，扁平风格，黄色背景")
    assert not sets.check_scene_words(scene, "右边是一只小猫")


@pytest.mark.parametrize("language", LANGUAGES)
def test_wrong_types_are_answered_and_not_raised(folder, capsys, language):
    set_language(language)
    offered = {"a": "cc0", "b": "by", "c": "by-nc", "d": "", "e": "by-nd", "f": "by-sa"}
    asked = [lambda odd: sets.check_fixes(folder, odd), sets.check_mirror,
             lambda odd: sets.check_licences(odd, offered), lambda odd: sets.check_scene_words(odd, "…")]
    for check in asked:
        for odd in (None, "a", 3, [1], {"1.png": 7}, {3: None}, {"一只小猫": "True"}, object()):
            for _ in range(2):
                assert check(odd) is False and len(capsys.readouterr().out.strip()) > 12
    for given in ("", " ", 3, ["x"]):
        assert not sets.check_fixes(folder, {"5.png": given}) and "5.png" in capsys.readouterr().out
    scene = Scene((Thing("cat-face", 0.5, 0.5, 0.4),), "flat", "no such colour")
    assert not sets.check_scene_words(scene, "…") and "no such colour" in capsys.readouterr().out


def test_each_licence_is_refused_for_its_own_reason(capsys):
    offered = {"a": "cc0", "c": "by-nc", "d": "", "e": "by-nd", "f": "by-sa"}
    said = []
    for name in "cdef":
        assert not sets.check_licences(["a", name], offered)
        said.append(capsys.readouterr().out)
        assert name in said[-1] and "「」" not in said[-1]
    assert len(set(said)) == 4
    assert not sets.check_licences(["a", "z.jpg"], offered) and "z.jpg" in capsys.readouterr().out
    assert sets.check_licences(("a",), offered) and sets.check_licences({"a"}, offered)


def test_the_english_edition_asks_in_english(tmp_path):
    set_language("en")
    words = (sets.plant_problems(tmp_path) / "metadata.csv").read_text(encoding="utf-8-sig")
    assert words.isascii() and "a bus, flat style, orange background" in words
    fixes = {"9.jpg": None, "5.png": "a penguin, flat style, orange background", "7.png": None}
    assert sets.check_fixes(tmp_path, fixes) and not sets.check_fixes(tmp_path, {})
    scene = Scene((Thing("cat-face", 0.25, 0.5, 0.4), Thing("red-apple", 0.75, 0.5, 0.4)), "flat", "yellow")
    assert sets.check_scene_words(
        scene, "a cat on the left and an apple on the right, flat style, yellow background")
