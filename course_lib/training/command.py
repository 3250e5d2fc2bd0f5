"""`python -m course_lib train`: every flag of the camp's command with its meaning, and a few more.

With several GPUs: `accelerate launch -m course_lib train ...`, on clusters too; `--resume` goes on after a cut.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.hub import fetching, repository
from course_lib.machine.configs import CONFIGS
from course_lib.machine.stages import OPTIMIZERS
from course_lib.messages import error, text
from course_lib.training.config import BASES, PRECISIONS, SCHEDULES, TRACKERS, TrainConfig, check_config

if TYPE_CHECKING:  # loaded late, so that `--help` does not wait for torch
    from diffusers import KolorsPipeline

NUMBERS = {"lora_rank": int, "lora_alpha": float, "max_epochs": int, "steps_per_epoch": int, "batch_size": int,
           "learning_rate": float, "accumulate_grad_batches": int, "height": int, "width": int,
           "dataloader_num_workers": int, "seed": int, "checkpoint_every": int, "validation_every": int,
           "sample_every": int}
SWITCHES = ("center_crop", "random_flip", "use_gradient_checkpointing", "precision_fallback", "torch_compile")
CHOICES = {"precision": PRECISIONS, "lr_scheduler": SCHEDULES, "optimizer": tuple(OPTIMIZERS),
           "quantised_base": BASES}
# The camp's three paths: which part of the model each names.
PARTS = {"unet": "pretrained_unet_path", "text_encoder": "pretrained_text_encoder_path",
         "vae": "pretrained_fp16_vae_path"}
WEIGHTS = "diffusion_pytorch_model.safetensors"
TOKENIZER = "tokenizer.model"
LIGHTNING = "lightning_logs/version_0/checkpoints/epoch={epoch}-step={step}.ckpt"  # where the camp's script left it
HALF = "16"  # the camp's script took it too
OUTPUT = "./models"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give a parser the flags of the training, each with its help in the learner's language."""
    plain = TrainConfig()

    def add(name: str, **options: Any) -> None:
        said = text(f"train_flag_{name}", default=options.get("default"))
        parser.add_argument(f"--{name}", help=said, **options)

    add("model", metavar="tiny|kolors|PATH")
    for flag in PARTS.values():
        add(flag, type=Path)
    add("dataset_path", type=Path, required=True)
    add("output_path", type=Path, default=Path(OUTPUT))
    for name, kind in NUMBERS.items():
        add(name, type=kind, default=getattr(plain, name))
    for name, choices in CHOICES.items():
        add(name, choices=(*choices, HALF) if name == "precision" else choices, default=getattr(plain, name))
    for name in (*SWITCHES, "lightning_ckpt", "resume"):
        add(name, action="store_true")
    add("lora_target_modules", default=",".join(plain.targets))
    add("sample_prompt", action="append", default=[])
    add("trigger_word", default="")
    add("report_to", choices=TRACKERS, default="")


def read_config(options: argparse.Namespace) -> TrainConfig:
    """Return the settings that the flags ask for; LessonError for one out of bounds."""
    given = {name: getattr(options, name) for name in (*NUMBERS, *CHOICES, *SWITCHES, "trigger_word", "report_to")}
    given["use_gradient_checkpointing"] = given["use_gradient_checkpointing"] or None  # else as the plan says
    if given["precision"] == HALF:
        given["precision"] = "16-mixed"
    # the camp's script counts batches, and takes a step after each accumulate_grad_batches of an epoch, and at its end
    given["steps_per_epoch"] = -(-given["steps_per_epoch"] // max(given["accumulate_grad_batches"], 1))
    # the camp's to_out is a list of two layers; its first one is the matrix
    targets = [name.strip() for name in options.lora_target_modules.split(",")]
    given["targets"] = tuple("to_out.0" if name == "to_out" else name for name in targets)
    config = TrainConfig(**given, sample_prompts=tuple(options.sample_prompt))
    check_config(config)
    return config


def run(options: argparse.Namespace) -> None:
    """Train as the flags say, and write the files."""
    config = read_config(options)
    check_paths(options)
    from course_lib.training.examples import read_set
    from course_lib.training.loop import fit  # from here on with torch
    from course_lib.training.processes import Processes

    first = Processes().first  # before the model is loaded: each process gets a GPU of its own
    read_set(options.dataset_path, config)  # what is wrong with the data is told before the minutes of loading
    with open_model(options) as pipe:
        result = fit(pipe, options.dataset_path, config, output_path=options.output_path, resume=options.resume)
    if first:
        epoch = (max(result.step, 1) - 1) // config.steps_per_epoch
        written = [write_lightning(result.path, epoch, result.step)] if options.lightning_ckpt else []
        print(result)
        for path in written:
            print(text("train_saved", path=path))


def check_paths(options: argparse.Namespace) -> None:
    """Answer a model that is not there with a LessonError, before anything is loaded."""
    paths = {flag: getattr(options, flag) for flag in PARTS.values()}
    if options.model is None:
        missing = [str(path or f"--{flag}") for flag, path in paths.items() if path is None or not path.exists()]
        if missing:
            comma = text("list_comma")
            raise error("train_paths_missing", files=comma.join(missing), flags=comma.join(f"--{one}" for one in paths))
    elif options.model not in ("tiny", "kolors") and not all(
            (Path(options.model) / part).is_dir() for part in (*PARTS, "scheduler")):
        raise error("train_model_folder", folder=options.model)
    if options.model is not None and any(paths.values()):
        print(text("train_paths_ignored", model=options.model))


@contextmanager
def open_model(options: argparse.Namespace) -> "Iterator[KolorsPipeline]":
    """Load the model that the flags name, as the plan for a training says."""
    from course_lib.machine.planning import plan
    from course_lib.model.loading import load, open_folder

    asked = {"unet": {"off": "whole"}.get(options.quantised_base, options.quantised_base),
             "optimizer": options.optimizer}
    if options.model in ("tiny", "kolors"):
        yield load(options.model, plan("lora", options.model, **asked))
    elif options.model is not None:
        folder = Path(options.model)
        yield open_folder(folder, plan("lora", folder.name, folder=folder, **asked))
    else:
        with tempfile.TemporaryDirectory() as place:
            folder = gather_parts(options, Path(place))
            yield open_folder(folder, plan("lora", "kolors", folder=folder, **asked))


def gather_parts(options: argparse.Namespace, folder: Path) -> Path:
    """Lay the camp's three paths out as one model's folder, by links; a missing config is Kolors' own."""
    for part in ("unet", "vae"):
        file = getattr(options, PARTS[part]).resolve()
        (folder / part).mkdir()
        (folder / part / WEIGHTS).symlink_to(file)
        own = file.parent / "config.json"
        content = own.read_text(encoding="utf-8") if own.is_file() else json.dumps(CONFIGS[part])
        (folder / part / "config.json").write_text(content, encoding="utf-8")
    encoder = getattr(options, PARTS["text_encoder"]).resolve()
    (folder / "text_encoder").symlink_to(encoder)
    beside = encoder.parent / "tokenizer"
    if beside.is_dir():
        (folder / "tokenizer").symlink_to(beside)
    elif not (encoder / TOKENIZER).is_file():  # the camp's script had one of its own
        from course_lib.training.processes import Processes

        with Processes().first_alone():
            (folder / "tokenizer").symlink_to(fetching.fetch("kolors", patterns=["tokenizer/*"]) / "tokenizer")
    shutil.copytree(repository.TINY / "scheduler", folder / "scheduler")  # Tiny Kolors' schedule is Kolors' own
    return folder


def write_lightning(path: Path, epoch: int, step: int) -> Path:
    """Write the camp's file beside the LoRA, under the name that Lightning gives it in this epoch after these steps."""
    from course_lib.lora.conversion import convert

    return convert(path, path.parent / LIGHTNING.format(epoch=epoch, step=step), to="diffsynth")
