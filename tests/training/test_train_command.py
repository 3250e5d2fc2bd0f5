"""`python -m course_lib train`: the camp's own command, its files, several processes, and what is refused."""

import argparse
import os
import re
import shlex
import socket
import subprocess
import sys

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from course_lib.dataset.example_sets import write_style_set
from course_lib.files import COURSE
from course_lib.hub.repository import TINY
from course_lib.lora.alphas import read_lora
from course_lib.machine.configs import CONFIGS
from course_lib.messages import LANGUAGES, LessonError
from course_lib.pictures.emoji import PICTURE_SIZE
from course_lib.training import command
from course_lib.training.command import PARTS, WEIGHTS, add_flags, check_paths, gather_parts, read_config
from course_lib.training.run import has_fp16

# As the camp's notes give it, but for the comments behind the backslashes.
CAMP = """--pretrained_unet_path models/kolors/Kolors/unet/diffusion_pytorch_model.safetensors \
--pretrained_text_encoder_path models/kolors/Kolors/text_encoder \
--pretrained_fp16_vae_path models/sdxl-vae-fp16-fix/diffusion_pytorch_model.safetensors \
--lora_rank 16 --lora_alpha 4.0 --dataset_path data/lora_dataset_processed --output_path ./models \
--max_epochs 1 --center_crop --use_gradient_checkpointing --precision "16-mixed\""""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A work folder as the camp's, with its data set."""
    folder = tmp_path_factory.mktemp("camp")
    write_style_set(folder / "data" / "lora_dataset_processed", subjects=4, validation=1, seed=2)
    return folder


def run(place, *arguments, launcher=()):
    environment = {**os.environ, "PYTHONPATH": str(COURSE), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *launcher, "-m", "course_lib", *arguments], cwd=place, env=environment,
                          capture_output=True, text=True, encoding="utf-8", check=False)


def parse(*arguments):
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return parser.parse_args(arguments)


def test_the_camps_command_trains_the_tiny_model(place):
    done = run(place, "train", *shlex.split(CAMP), "--model", "tiny", "--steps_per_epoch", "3", "--lightning_ckpt",
               "--precision_fallback")
    assert done.returncode == 0, done.stderr
    assert has_fp16() or "fp16" in done.stdout
    assert "第 3/3 步" in done.stdout
    saved = place / "models" / "lora.safetensors"
    lightning = place / "models/lightning_logs/version_0/checkpoints/epoch=0-step=3.ckpt"
    tensors = torch.load(lightning, weights_only=True)
    assert len(tensors) == len(load_file(saved)) == 128
    assert all(re.fullmatch(r"blocks\.\d+\..*\.lora_[AB]\.default\.weight", name) for name in tensors)
    assert read_lora(saved).list_alphas() == [4]


def test_the_camps_flags_mean_what_they_meant():
    config = read_config(parse(*shlex.split(CAMP)))
    assert (config.lora_rank, config.lora_alpha, config.steps, config.precision) == (16, 4.0, 500, "16-mixed")
    assert config.center_crop and config.use_gradient_checkpointing and not config.random_flip
    assert (config.batch_size, config.learning_rate, config.accumulate_grad_batches) == (1, 1e-4, 1)
    more = read_config(parse("--dataset_path", "x", "--max_epochs", "2", "--steps_per_epoch", "7", "--batch_size", "3",
                             "--learning_rate", "1e-3", "--accumulate_grad_batches", "4", "--height", "512",
                             "--width", "768", "--dataloader_num_workers", "2", "--random_flip",
                             "--lora_target_modules", "to_q,to_out"))
    assert (more.steps, more.batch_size, more.learning_rate, more.accumulate_grad_batches) == (4, 3, 1e-3, 4)
    assert read_config(parse("--dataset_path", "x", "--precision", "16")).precision == "16-mixed"
    assert (more.height, more.width, more.dataloader_num_workers, more.random_flip) == (512, 768, 2, True)
    assert more.targets == ("to_q", "to_out.0") and more.use_gradient_checkpointing is None
    assert not read_config(parse("--dataset_path", "x", "--model", "tiny")).precision_fallback
    with pytest.raises(LessonError, match="lora_rank"):
        read_config(parse("--dataset_path", "x", "--lora_rank", "0"))


def test_the_command_as_it_was_printed_never_trained(place):
    """A backslash continues a line only where it is its last letter: behind it a comment began, and the line ended."""
    printed = "echo train_kolors_lora.py \\ # the script\n  --lora_rank 16 \\ # the rank\n  --lora_alpha 4.0\n"
    done = subprocess.run(["sh", "-c", printed], capture_output=True, text=True, check=False)
    assert "--lora_rank" not in done.stdout  # the script got none of its flags
    assert "--lora_rank: not found" in done.stderr and done.returncode == 127
    whole = subprocess.run(["sh", "-c", re.sub(r"\\ #.*", r"\\", printed)], capture_output=True, text=True, check=False)
    assert whole.stdout == "train_kolors_lora.py --lora_rank 16 --lora_alpha 4.0\n" and whole.returncode == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_files_that_are_not_there_are_named(place, language):
    done = run(place, "--language", language, "train", *shlex.split(CAMP))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "models/kolors/Kolors/unet" in done.stderr and "--model tiny" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 3


def test_a_model_needs_to_be_named():
    with pytest.raises(LessonError, match="--pretrained_unet_path"):
        check_paths(parse("--dataset_path", "x"))
    with pytest.raises(LessonError, match="nowhere"):
        check_paths(parse("--dataset_path", "x", "--model", "nowhere"))
    check_paths(parse("--dataset_path", "x", "--model", str(TINY)))


def test_bad_data_is_told_before_the_model_is_loaded(place, tmp_path, monkeypatch):
    def load(*arguments):
        raise AssertionError("loaded")

    monkeypatch.setattr(command, "open_model", load)
    with pytest.raises(LessonError, match="nowhere"):
        command.run(parse("--dataset_path", str(tmp_path / "nowhere"), "--model", "tiny"))


def test_the_three_paths_make_a_model(tmp_path):
    paths = {"unet": TINY / "unet" / WEIGHTS, "text_encoder": TINY / "text_encoder", "vae": TINY / "vae" / WEIGHTS}
    given = [word for part, path in paths.items() for word in (f"--{PARTS[part]}", str(path))]
    options = parse("--dataset_path", "x", *given)
    check_paths(options)
    folder = gather_parts(options, tmp_path)
    from course_lib.machine.planning import plan
    from course_lib.model.loading import open_folder

    pipe = open_folder(folder, plan("lora", "kolors", folder=folder))
    assert pipe.scheduler.config.num_train_timesteps == 1100
    assert torch.equal(pipe.unet.conv_in.weight, load_file(paths["unet"])["conv_in.weight"].float())


def test_an_encoder_without_a_tokenizer_takes_kolors_own(tmp_path, monkeypatch):
    """The camp's download has none in its text_encoder folder: its script carried one."""
    (tmp_path / "text_encoder").mkdir()
    (tmp_path / "text_encoder" / "config.json").write_text("{}")
    options = parse("--dataset_path", "x", *(word for part, path in (
        ("unet", TINY / "unet" / WEIGHTS), ("text_encoder", tmp_path / "text_encoder"), ("vae", TINY / "vae" / WEIGHTS))
        for word in (f"--{PARTS[part]}", str(path))))
    asked = []

    def fetch(name, *, patterns):
        asked.append((name, patterns))
        return TINY

    monkeypatch.setattr(command.fetching, "fetch", fetch)
    (tmp_path / "out").mkdir()
    folder = gather_parts(options, tmp_path / "out")
    assert asked == [("kolors", ["tokenizer/*"])]
    assert (folder / "tokenizer" / "tokenizer.model").is_file()


def test_lightnings_file_is_named_after_its_epoch(place):
    done = run(place, "train", "--model", "tiny", "--dataset_path", "data/lora_dataset_processed", "--lightning_ckpt",
               "--max_epochs", "2", "--steps_per_epoch", "3", "--accumulate_grad_batches", "2", "--output_path", "two",
               "--sample_prompt", "一只猫，红色背景")
    assert done.returncode == 0, done.stderr
    assert (place / "two/lightning_logs/version_0/checkpoints/epoch=1-step=4.ckpt").is_file()
    assert Image.open(place / "two" / "samples" / "step000004_1.png").size == (PICTURE_SIZE, PICTURE_SIZE)


def test_a_missing_config_is_kolors_own(tmp_path):
    (tmp_path / "in" / "text_encoder").mkdir(parents=True)
    (tmp_path / "in" / "text_encoder" / "tokenizer.model").write_bytes(b"")
    (tmp_path / "in" / "x.safetensors").write_bytes(b"")
    file = str(tmp_path / "in" / "x.safetensors")
    options = parse("--dataset_path", "x", "--pretrained_unet_path", file, "--pretrained_fp16_vae_path", file,
                    "--pretrained_text_encoder_path", str(tmp_path / "in" / "text_encoder"))
    (tmp_path / "out").mkdir()
    folder = gather_parts(options, tmp_path / "out")
    from course_lib.machine.footprint import read_configs

    (tmp_path / "in" / "text_encoder" / "config.json").write_text("{}")
    found = read_configs(folder)
    assert found["unet"] == CONFIGS["unet"] and found["vae"] == CONFIGS["vae"]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def test_two_processes_train_as_one_with_twice_the_batches(place, tmp_path):
    """Two processes with a batch each take the steps of one that accumulates two; cut and resumed on the way."""
    shared = ["train", "--model", "tiny", "--dataset_path", "data/lora_dataset_processed", "--learning_rate", "1e-3",
              "--checkpoint_every", "2"]
    launcher = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
                "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", free_port()]
    alone = run(place, *shared, "--steps_per_epoch", "8", "--accumulate_grad_batches", "2",
                "--lr_scheduler", "constant", "--output_path", str(tmp_path / "alone"))
    assert alone.returncode == 0, alone.stderr
    for steps, more in (("2", []), ("4", ["--resume"])):
        both = run(place, *shared, "--steps_per_epoch", steps, "--lr_scheduler", "constant", "--output_path",
                   str(tmp_path / "both"), *more, launcher=launcher)
        assert both.returncode == 0, both.stderr
        assert both.stdout.count(f"第 {steps}/{steps} 步") == 1  # the first process alone speaks
    assert "从第 2 步继续" in both.stdout
    one, other = (load_file(tmp_path / name / "lora.safetensors") for name in ("alone", "both"))
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.allclose(tensor, other[name], atol=1e-6), name
