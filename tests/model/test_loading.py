"""Both layouts of Kolors open, in the precision that was asked for, and no code of theirs is ever run."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.pipelines.kolors import ChatGLMModel
from safetensors.torch import load_file

from course_lib.hub import repository
from course_lib.machine.planning import plan
from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.model import loading, parts, text_cache, turns
from course_lib.model.loading import load, open_folder
from course_lib.model.parts import Float32Vae
from course_lib.sampling.drawing import generate
from course_lib.sampling.settings import SamplerSettings

PROMPT = "一只瓢虫，蓝色背景"
TINY = plan("draw", "tiny")
TURNS = replace(TINY, placement="turns")
HALF = replace(TINY, dtype="float16", encoder_bits=16)
CODE = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(text_cache, "CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def fp16(tmp_path_factory):
    """Tiny Kolors as Kolors-diffusers lies on the hub: fp16 files alone, the text encoder in several."""
    folder = tmp_path_factory.mktemp("fp16") / "kolors"
    shutil.copytree(repository.TINY, folder, ignore=shutil.ignore_patterns("*.safetensors", "manifest.json", "card"))
    for part, kind in (("unet", UNet2DConditionModel), ("vae", AutoencoderKL), ("text_encoder", ChatGLMModel)):
        model = kind.from_pretrained(repository.TINY / part, dtype=torch.float16)
        size = {"max_shard_size": "500KB"} if part == "text_encoder" else {}
        model.save_pretrained(folder / part, variant="fp16", **size)
    assert len(list((folder / "text_encoder").glob("*.fp16*.safetensors"))) > 1
    return folder


@pytest.fixture
def original(tmp_path):
    """Tiny Kolors as Kwai-Kolors/Kolors lies on the hub: pickled shards, tokenizer and code in `text_encoder`."""
    folder = shutil.copytree(repository.TINY, tmp_path / "original")
    shutil.rmtree(folder / "card")
    (folder / "model_index.json").unlink()
    encoder = folder / "text_encoder"
    weights = load_file(encoder / "model.safetensors")
    (encoder / "model.safetensors").unlink()
    names = sorted(weights)
    shards = {f"pytorch_model-0000{number + 1}-of-00002.bin": names[number::2] for number in range(2)}
    for file, part in shards.items():
        torch.save({name: weights[name] for name in part}, encoder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, part in shards.items() for name in part}}
    (encoder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    for file in (folder / "tokenizer").iterdir():
        file.rename(encoder / file.name)
    (folder / "tokenizer").rmdir()
    for name in ("modeling_chatglm", "configuration_chatglm", "tokenization_chatglm"):
        (encoder / f"{name}.py").write_text(CODE)
    classes = {"config.json": {"AutoConfig": "configuration_chatglm.ChatGLMConfig",
                               "AutoModel": "modeling_chatglm.ChatGLMModel"},
               "tokenizer_config.json": {"AutoTokenizer": ["tokenization_chatglm.ChatGLMTokenizer", None]}}
    for file, auto_map in classes.items():
        config = json.loads((encoder / file).read_text(encoding="utf-8"))
        (encoder / file).write_text(json.dumps({**config, "auto_map": auto_map}))
    return folder


def draw(pipe, prompt=PROMPT):
    generator = torch.Generator().manual_seed(0)
    image = pipe(prompt, negative_prompt="", num_inference_steps=2, generator=generator).images[0]
    return np.asarray(image).astype(int)


@pytest.fixture(scope="module")
def expected():
    return draw(load("tiny"))


# ---- layouts and precision

def test_the_original_layout_draws_the_same_picture_and_runs_none_of_its_code(original, expected):
    pipe = open_folder(original, TINY)
    assert type(pipe.text_encoder) is ChatGLMModel and pipe.plan == TINY
    assert (draw(pipe) == expected).all()
    assert not (original / "text_encoder" / "ran").exists()


@pytest.mark.parametrize("one, dtype", [(TINY, torch.float32), (HALF, torch.float16)])
def test_fp16_files_open_in_the_precision_that_was_asked_for(fp16, expected, one, dtype):
    pipe = open_folder(fp16, one)
    assert {weight.dtype for part in (pipe.unet, pipe.text_encoder) for weight in part.parameters()} == {dtype}
    assert {weight.dtype for weight in pipe.vae.parameters()} == {torch.float32}
    assert np.abs(draw(pipe) - expected).mean() < 6


def test_the_vae_takes_half_precision_latents_and_answers_in_float32(fp16):
    vae = open_folder(fp16, HALF).vae
    assert type(vae) is Float32Vae
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)).half()
    with torch.no_grad():
        picture = vae.decode(latents).sample
        assert picture.dtype == torch.float32 and picture.isfinite().all()
        assert vae.encode(picture.half()).latent_dist.mean.dtype == torch.float32


def test_what_a_plan_asks_for_is_switched_on(fp16):
    pipe = open_folder(fp16, replace(HALF, vae_tiling=True, checkpointing=True))
    assert pipe.vae.use_tiling and pipe.vae.tile_sample_min_size == 512 and pipe.unet.is_gradient_checkpointing


# ---- taking turns

@pytest.mark.parametrize("encoder", ["whole", "stream"])
def test_in_turns_the_picture_is_the_same_and_each_prompt_is_read_once(expected, monkeypatch, encoder):
    loads = []
    real = parts.load_encoder
    monkeypatch.setattr(turns, "load_encoder", lambda *given: loads.append(1) or real(*given))
    pipe = open_folder(repository.TINY, replace(TURNS, encoder=encoder))
    assert (draw(pipe) == expected).all() and len(loads) == 1  # prompt and negative prompt in one visit
    assert (draw(pipe) == expected).all() and len(loads) == 1  # from the disk
    draw(pipe, "a cat on a red background")
    assert len(loads) == 2
    assert not any(isinstance(part, ChatGLMModel) for part in pipe.text_encoder.modules())


@pytest.mark.parametrize("encoder", ["whole", "stream"])
def test_in_turns_generate_makes_the_same_picture(pipe, encoder):
    settings = [SamplerSettings(seed=seed, steps=4) for seed in (1, 2)]
    by_turns = open_folder(repository.TINY, replace(TURNS, encoder=encoder))
    for one, other in zip(generate(by_turns, PROMPT, settings), generate(pipe, PROMPT, settings)):
        assert np.abs(np.asarray(one.image).astype(int) - np.asarray(other.image)).max() <= 1


def test_the_encoder_leaves_when_the_unet_is_called(monkeypatch):
    kept = []
    monkeypatch.setattr(loading, "Turns", lambda *given, kind=turns.Turns: kept.append(kind(*given)) or kept[0])
    pipe = open_folder(repository.TINY, TURNS)
    pipe.encode_prompt(PROMPT)
    assert kept[0].encoder is not None
    draw(pipe)
    assert kept[0].encoder is None


def test_read_prompts_draw_without_the_encoders_files(tmp_path, expected):
    draw(open_folder(repository.TINY, TURNS))
    folder = shutil.copytree(repository.TINY, tmp_path / "without")
    (folder / "text_encoder" / "model.safetensors").unlink()
    pipe = open_folder(folder, replace(TURNS, encoder="cached"))
    assert (draw(pipe) == expected).all()
    with pytest.raises(LessonError):
        draw(pipe, "a cat on a red background")


def test_a_plan_without_encoder_downloads_none():
    cached = replace(TURNS, encoder="cached")
    assert loading.list_files("kolors", TINY) is None
    listed = loading.list_files("kolors", cached)
    assert not any(name.endswith(".safetensors") and "text_encoder" in name for name in listed)
    assert "unet/*.fp16.safetensors" in listed
    assert "text_encoder/*.bin" in loading.list_files(loading.ORIGINAL, TINY)
    assert "text_encoder/*.bin" not in loading.list_files(loading.ORIGINAL, cached)


# ---- what is not opened

class Trap:
    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return Path.touch, (self.place,)


@pytest.mark.parametrize("language", LANGUAGES)
def test_code_in_a_weight_file_is_refused_and_not_run(original, tmp_path, language):
    set_language(language)
    shard = original / "text_encoder" / "pytorch_model-00001-of-00002.bin"
    torch.save({**torch.load(shard, weights_only=True), "trap": Trap(tmp_path / "ran")}, shard)
    with pytest.raises(LessonError, match="text_encoder") as problem:
        open_folder(original, TINY)
    assert problem.value.what == parts.error("weights_unsafe", folder=original / "text_encoder", cause="").what
    assert not (tmp_path / "ran").exists()
    torch.load(shard, weights_only=False)  # the trap is one
    assert (tmp_path / "ran").exists()


def test_a_pickled_unet_is_not_opened_at_all(original, tmp_path):
    weights = original / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save({"trap": Trap(tmp_path / "ran")}, weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(LessonError, match="unet"):
        open_folder(original, TINY)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("file, part", [
    ("unet/diffusion_pytorch_model.safetensors", "unet"), ("vae/config.json", "vae"),
    ("text_encoder/model.safetensors", "text_encoder"), ("tokenizer/tokenizer.model", "tokenizer")])
def test_a_broken_file_is_named(tmp_path, file, part, language):
    set_language(language)
    folder = shutil.copytree(repository.TINY, tmp_path / "broken")
    (folder / file).write_bytes(b"\x00" * 50)
    with pytest.raises(LessonError, match=str(folder)) as problem:
        open_folder(folder, TINY)
    assert part in problem.value.why


def test_eight_bits_without_bitsandbytes_are_answered(monkeypatch):
    monkeypatch.setattr(parts.hardware, "find_version", lambda package: None)
    pipe = open_folder(repository.TINY, replace(TURNS, encoder="quantised", encoder_bits=8))
    with pytest.raises(LessonError, match="bitsandbytes"):
        draw(pipe)


def test_a_wrong_name_is_told_before_the_memory_is():
    with pytest.raises(LessonError) as problem:
        load("sd15")
    assert "sd15" in problem.value.what and "GiB" not in problem.value.why
