"""A prompt is read once: what is kept is what the encoder said, is used without it, and never for another encoder."""

import shutil

import pytest
import torch

from course_lib.hub import repository
from course_lib.machine.planning import plan
from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.model import text_cache
from course_lib.model.loading import open_folder
from course_lib.model.text_cache import encode

PROMPTS = ["一只瓢虫，蓝色背景", "", "a cat on a red background"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(text_cache, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path):
    """A copy of Tiny Kolors that a test may change."""
    return shutil.copytree(repository.TINY, tmp_path / "model")


@pytest.fixture
def opened(model):
    return open_folder(model, plan("draw", "tiny"))


def test_what_is_kept_is_what_the_pipeline_would_read(opened, cache):
    words = encode(opened, PROMPTS)
    assert not words.prompt_embeds.requires_grad and words.prompt_embeds.shape[:2] == (3, 256)
    with torch.no_grad():
        for row, prompt in enumerate(PROMPTS):
            states, _, pooled, _ = opened.encode_prompt(prompt, do_classifier_free_guidance=False)
            assert torch.equal(words.prompt_embeds[row], states[0])
            assert torch.equal(words.pooled_prompt_embeds[row], pooled[0])
    again = encode(opened, PROMPTS)
    assert torch.equal(again.prompt_embeds, words.prompt_embeds)
    assert len(list(cache.iterdir())) == len(PROMPTS)


def test_a_kept_prompt_needs_no_encoder_and_draws_the_same_picture(opened):
    def draw(**what):
        return opened(**what, num_inference_steps=2, generator=torch.Generator().manual_seed(0)).images[0].tobytes()

    plain = draw(prompt=PROMPTS[0], negative_prompt="")
    words, negative = encode(opened, PROMPTS[0]), encode(opened, "", free=True)
    assert opened.text_encoder is None
    assert draw(**words.arguments(negative)) == plain
    assert torch.equal(encode(opened, PROMPTS[0]).prompt_embeds, words.prompt_embeds)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_prompt_without_an_encoder_is_answered(opened, language):
    set_language(language)
    encode(opened, PROMPTS[0], free=True)
    with pytest.raises(LessonError) as problem:
        encode(opened, PROMPTS[2])
    assert "encode" in problem.value.next_step


def test_a_broken_file_is_read_again(opened, cache):
    words = encode(opened, PROMPTS[0])
    file, = cache.iterdir()
    for content in (b"", file.read_bytes()[:-100], b"x" * 1000):
        file.write_bytes(content)
        assert torch.equal(encode(opened, PROMPTS[0]).prompt_embeds, words.prompt_embeds)
    assert [path.name for path in cache.iterdir()] == [file.name]


def test_another_encoder_does_not_take_what_is_kept(opened, model):
    words = encode(opened, PROMPTS[0])
    weights = model / "text_encoder" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1000:] = bytes(1000)
    weights.write_bytes(content)
    other = open_folder(model, plan("draw", "tiny"))
    with torch.no_grad():
        other.text_encoder.embedding.word_embeddings.weight.mul_(1.5)
    assert not torch.equal(encode(other, PROMPTS[0]).prompt_embeds, words.prompt_embeds)


def test_another_precision_does_not_take_what_is_kept(opened, cache):
    encode(opened, PROMPTS[0])
    opened.text_encoder.to(torch.bfloat16)
    assert encode(opened, PROMPTS[0]).prompt_embeds.dtype == torch.bfloat16
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_place_that_cannot_be_written_is_answered(opened, tmp_path, language):
    set_language(language)
    (tmp_path / "file").touch()
    with pytest.raises(LessonError, match="file"):
        encode(opened, PROMPTS[0], folder=tmp_path / "file" / "inner")
