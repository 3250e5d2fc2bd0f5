"""A model's folder that is broken, lies, or would fill the memory is answered with a LessonError, and soon."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from course_lib.hub import repository
from course_lib.machine import configs
from course_lib.machine.planning import plan
from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.model import parts
from course_lib.model.loading import open_folder

TINY = plan("draw", "tiny")
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5159000000\n"


@pytest.fixture
def folder(tmp_path):
    """Tiny Kolors in a folder of its own; its large files are links, which a test replaces by files."""
    copy = tmp_path / "model"
    for file in repository.TINY.rglob("*"):
        if file.is_file() and "card" not in file.parts:
            place = copy / file.relative_to(repository.TINY)
            place.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".json":
                shutil.copyfile(file, place)
            else:
                place.symlink_to(file)
    return copy


def change(folder, part, **changes):
    file = folder / configs.FILES[part]
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def refused(folder):
    with pytest.raises(LessonError) as problem:
        open_folder(folder, TINY)
    return problem.value


@pytest.mark.parametrize("part, changes", [
    ("unet", {"sample_size": 10**9}), ("unet", {"block_out_channels": [10**6, 10**6]}), ("unet", {"in_channels": 0}),
    ("unet", {"block_out_channels": "x"}), ("unet", {"block_out_channels": [None]}),
    ("unet", {"layers_per_block": 1e9}),
    ("unet", {"transformer_layers_per_block": [1] * 1000}), ("unet", {"time_embedding_dim": 10**12}),
    ("unet", {"down_block_types": ["os.system", "x"]}), ("unet", {"quantization_config": {"quant_method": "x"}}),
    ("unet", {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}),
    ("unet", {"attention_head_dim": -1}), ("unet", {"act_fn": 7}), ("unet", {"norm_num_groups": 7}),
    ("vae", {"block_out_channels": []}), ("vae", {"scaling_factor": 0}), ("vae", {"scaling_factor": "x"}),
    ("vae", {"scaling_factor": float("inf")}), ("vae", {"latent_channels": 10**5}),
    ("text_encoder", {"num_layers": 10**6}), ("text_encoder", {"hidden_size": "x"}),
    ("text_encoder", {"padded_vocab_size": 0}), ("text_encoder", {"kv_channels": True}),
    ("text_encoder", {"seq_length": 10**9}),
    ("scheduler", {"num_train_timesteps": 10**9}), ("scheduler", {"beta_start": "x"}),
    ("scheduler", {"num_train_timesteps": -1})])
def test_a_config_that_cannot_be_is_told(folder, part, changes):
    change(folder, part, **changes)
    problem = refused(folder)
    assert part in problem.why and str(folder) in problem.what


@pytest.mark.parametrize("part", configs.FILES)
@pytest.mark.parametrize("content", ["[]", "{", "7", "[" * 100_000, "\udcff", " " * 2**21, None])
def test_a_config_that_is_none_is_told(folder, part, content):
    file = folder / configs.FILES[part]
    file.unlink()
    if content is not None:
        file.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert part in refused(folder).why


def test_a_config_that_never_ends_is_not_read(folder):
    (folder / configs.FILES["vae"]).unlink()
    (folder / configs.FILES["vae"]).symlink_to("/dev/zero")
    assert "vae" in refused(folder).why


@pytest.mark.parametrize("changes", [
    {"sample_size": 10**9}, {"block_out_channels": [64, 128]}, {"norm_num_groups": 7},
    {"down_block_types": ["a", "b", "c"]}, {"projection_class_embeddings_input_dim": 5}])
def test_a_plan_for_a_folder_tells_it_too(folder, changes):
    change(folder, "unet", **changes)
    with pytest.raises(LessonError) as problem:
        plan("draw", "mine", folder=folder)
    assert "config.json" in problem.value.why


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [
    "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors", "tokenizer/tokenizer.model", "scheduler/scheduler_config.json"])
def test_git_lfs_pointers_are_named_in_every_part(folder, language, name):
    set_language(language)
    (folder / name).unlink()
    (folder / name).write_text(POINTER)
    problem = refused(folder)
    assert "Git LFS" in problem.what and name in problem.what and "git lfs pull" in problem.next_step


def test_pickled_shards_are_within_bounds(folder):
    encoder = folder / "text_encoder"
    weights = load_file(encoder / "model.safetensors")
    (encoder / "model.safetensors").unlink()
    torch.save(weights, encoder / "plain.pt")
    with zipfile.ZipFile(encoder / "plain.pt") as source, zipfile.ZipFile(
            encoder / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            target.writestr(part.filename, source.read(part))
    assert "MB" in refused(folder).why
    (encoder / "plain.pt").rename(encoder / "pytorch_model.bin")
    assert open_folder(folder, TINY).text_encoder is not None


@pytest.mark.parametrize("problem", [torch.OutOfMemoryError("CUDA out of memory. Tried 2.00 GiB"), MemoryError()])
def test_a_full_memory_is_not_called_a_broken_model(problem):
    with pytest.raises(LessonError) as said, parts.reading(Path("model"), "unet"):
        raise problem
    assert "装不下" in said.value.what and "重新下载" not in said.value.next_step
