"""Everything the course says exists in both languages, with the same values filled in."""

import ast
from pathlib import Path
from string import Formatter

import pytest

from course_lib import messages
from course_lib.messages import ERRORS, LANGUAGES, TEXTS, LessonError
from course_lib.texts import TABLES

COURSE = Path(__file__).parent.parent
SOURCES = sorted((COURSE / "course_lib").rglob("*.py")) + sorted((COURSE / "notebooks" / "src").glob("*.py"))


@pytest.fixture(params=LANGUAGES)
def spoken(request, monkeypatch):
    monkeypatch.setattr(messages, "_chosen", None)
    monkeypatch.setenv("COURSE_LANG", request.param)
    return request.param


def fields(words):
    """Return the names of the {values} in a text."""
    return {name for _, name, _, _ in Formatter().parse(words) if name is not None}


def has_chinese(words):
    return any("\u4e00" <= letter <= "\u9fff" for letter in words)


@pytest.mark.parametrize("key", TEXTS)
def test_text_in_both_languages(key):
    assert set(TEXTS[key]) == set(LANGUAGES)
    assert fields(TEXTS[key]["zh"]) == fields(TEXTS[key]["en"])
    assert not has_chinese(TEXTS[key]["en"])


@pytest.mark.parametrize("key", ERRORS)
def test_error_in_both_languages(key):
    assert set(ERRORS[key]) == set(LANGUAGES)
    for parts in ERRORS[key].values():
        assert len(parts) == 3 and all(part.strip() for part in parts)
    assert fields("".join(ERRORS[key]["zh"])) == fields("".join(ERRORS[key]["en"]))
    assert has_chinese("".join(ERRORS[key]["zh"])) and not has_chinese("".join(ERRORS[key]["en"]))


@pytest.mark.parametrize("kind", ["TEXTS", "ERRORS"])
def test_a_key_stands_in_one_table_only(kind):
    keys = [key for table in TABLES for key in getattr(table, kind)]
    assert sorted(keys) == sorted(set(keys))


def test_every_key_that_is_asked_for_exists():
    """text("key") and error("key") with a written-out key, in the package and the lessons."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                known = {"text": TEXTS, "error": ERRORS}.get(name)
                if known is not None:
                    assert node.args[0].value in known, f"{path.name}:{node.lineno}"


def test_lesson_error_says_what_why_and_next(spoken):
    labels = {"zh": ("出了什么事：", "为什么：", "下一步："), "en": ("What happened: ", "Why: ", "Next step: ")}[spoken]
    assert str(LessonError("w", "y", "n")) == f"{labels[0]}w\n{labels[1]}y\n{labels[2]}n"


def test_values_are_filled_in(spoken):
    problem = messages.error("python_version", found="3.9.1")
    assert "3.9.1" in problem.what and "make start" in problem.next_step


def test_an_unknown_language_is_chinese(monkeypatch):
    monkeypatch.setattr(messages, "_chosen", None)
    monkeypatch.setenv("COURSE_LANG", "fr")
    assert messages.language() == "zh"
    with pytest.raises(ValueError):
        messages.set_language("fr")


@pytest.mark.parametrize("said", ["\x1b[2Jx", "a\u202egnp.exe", "\x9b31m", "a\rb", "a\ud800", "\u2066x\u2069", "\x7f",
                                  "\x00"])
def test_what_a_screen_would_obey_is_not_said(said):
    """Of a name from a file, in errors and in texts; words, line breaks and numbers stay."""
    assert not messages.CONTROLS.search(str(messages.error("cannot_write", path=said, cause=said)))
    assert messages.plain(said).count("?") == len(messages.CONTROLS.findall(said)) > 0
    assert messages.plain("可图 a\tb\nc") == "可图 a\tb\nc" and messages.plain(7) == 7
