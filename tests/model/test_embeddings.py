"""A prompt is read once: what is kept is what the encoder said, is used without it, and never for another encoder."""

import shutil
from dataclasses import replace

import pytest
import torch

from course_lib.hub import repository
from course_lib.machine.planning import plan
from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.model import text_cache
from course_lib.model.loading import open_folder

PROMPTS = ["一只瓢虫，蓝色背景", "", "a cat on a red background"]
TURNS = replace(plan("draw", "tiny"), placement="turns")  # the plan under which prompts are kept
CACHED = replace(TURNS, encoder="cached")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(text_cache, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path):
    """A copy of Tiny Kolors that a test may change."""
    return shutil.copytree(repository.TINY, tmp_path / "model")


@torch.no_grad()
def read(pipe, prompts):
    """Return what a pipeline reads in prompts: words [prompts, 256, hidden] and pooled [prompts, hidden]."""
    words, _, pooled, _ = pipe.encode_prompt(prompts, do_classifier_free_guidance=False)
    return words, pooled


def same(first, second):
    return all(torch.equal(one, other) for one, other in zip(first, second))


def test_what_is_kept_is_what_the_pipeline_would_read(pipe, model, cache):
    opened = open_folder(model, TURNS)
    words = read(opened, PROMPTS)
    assert not words[0].requires_grad and words[0].shape[:2] == (3, 256)
    for row, prompt in enumerate(PROMPTS):
        assert same([part[row:row + 1] for part in words], read(pipe, prompt))
    assert same(read(opened, PROMPTS), words)
    assert len(list(cache.iterdir())) == len(PROMPTS)


def test_a_kept_prompt_needs_no_encoder(model):
    words = read(open_folder(model, TURNS), PROMPTS[:2])
    assert same(read(open_folder(model, CACHED), PROMPTS[:2]), words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_prompt_without_an_encoder_is_answered(model, language):
    set_language(language)
    read(open_folder(model, TURNS), PROMPTS[0])
    opened = open_folder(model, CACHED)
    read(opened, PROMPTS[0])
    with pytest.raises(LessonError) as problem:
        read(opened, PROMPTS[2])
    assert "cached" in problem.value.next_step


def test_a_broken_file_is_read_again(model, cache):
    opened = open_folder(model, TURNS)
    words = read(opened, PROMPTS[0])
    file, = cache.iterdir()
    for content in (b"", file.read_bytes()[:-100], b"x" * 1000):
        file.write_bytes(content)
        assert same(read(opened, PROMPTS[0]), words)
    assert [path.name for path in cache.iterdir()] == [file.name]


def test_another_encoder_does_not_take_what_is_kept(model):
    words = read(open_folder(model, TURNS), PROMPTS[0])
    weights = model / "text_encoder" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2:] = bytes(len(content) - len(content) // 2)
    weights.write_bytes(content)
    assert not same(read(open_folder(model, TURNS), PROMPTS[0]), words)


def test_another_precision_does_not_take_what_is_kept(model, cache):
    read(open_folder(model, TURNS), PROMPTS[0])
    assert read(open_folder(model, replace(TURNS, dtype="bfloat16")), PROMPTS[0])[0].dtype == torch.bfloat16
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_place_that_cannot_be_written_is_answered(model, tmp_path, language):
    set_language(language)
    (tmp_path / "file").touch()
    opened = open_folder(model, TURNS)
    opened.text_encoder.folder = tmp_path / "file" / "inner"
    with pytest.raises(LessonError, match="file"):
        read(opened, PROMPTS[0])
