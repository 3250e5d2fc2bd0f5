"""The rows of the table: what is drawn and trained, the plan of each, and how one is run and measured."""

import json
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from diffusers import KolorsPipeline
from PIL import Image
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers.modeling_outputs import BaseModelOutputWithPast

from course_lib.dataset.example_sets import write_style_set
from course_lib.hub import repository
from course_lib.machine import footprint
from course_lib.machine.stages import Plan, list_stages
from course_lib.model.latents import empty_latent
from course_lib.model.loading import open_folder
from course_lib.sampling.drawing import generate
from course_lib.sampling.settings import SamplerSettings
from course_lib.training.config import TrainConfig
from course_lib.training.loop import train
from tests.by_hand.check_full_kolors import set_weights
from tests.gpu.measure import Measured, measure

DRY_SIZES = {1024: 64, 512: 32}  # px; which size of the dry run stands for which
WARM_UP, STEPS = 2, 5  # the first steps learn the order of the layers, choose kernels, or compile
PROMPT = "一只瓢虫，蓝色背景"


@dataclass(frozen=True)
class Row:
    """One row of the table; `size` in pixels of the full Kolors."""

    task: str
    size: int
    unet: str = "whole"
    alone: bool = True
    checkpointing: bool = False
    optimizer: str = "adamw"
    compiled: bool = False

    @property
    def name(self) -> str:
        """Say what is done, in a few words."""
        extras = [self.unet, *(["VAE beside"] if self.task == "draw" and not self.alone else []),
                  *(["checkpointing"] if self.checkpointing else []), *(["compiled"] if self.compiled else []),
                  *([self.optimizer] if self.optimizer != "adamw" else [])]
        return " ".join([self.task, str(self.size), *extras])


ROWS = (
    *(Row("draw", size, unet, alone) for unet, alone in (("whole", False), ("whole", True), ("stream", True),
                                                         ("fp8", True)) for size in (512, 1024)),
    *(Row("lora", size, checkpointing=on) for on in (True, False) for size in (512, 1024)),
    *(Row("lora", size, "int8", checkpointing=True) for size in (512, 1024)),
    Row("lora", 1024, "nf4", checkpointing=True), Row("lora", 1024, checkpointing=True, optimizer="adamw8bit"),
    Row("lora", 1024, checkpointing=True, compiled=True),
)


class RandomWords(torch.nn.Module):
    """Stands for the text encoder: random numbers of its shape, the same for the same text."""

    def __init__(self, width: int, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        self.width, self.device, self.dtype = width, device, dtype

    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor,
                output_hidden_states: bool = True) -> BaseModelOutputWithPast:
        """Return two hidden states [tokens, batch, width]."""
        generator = torch.Generator().manual_seed(int(input_ids.sum()))
        shape = (input_ids.shape[1], len(input_ids), self.width)
        states = torch.randn(shape, generator=generator).to(self.device, self.dtype)
        return BaseModelOutputWithPast(hidden_states=(states, states))


def write_folder(folder: Path, configs: dict[str, dict], device: str) -> None:
    """Write UNet and VAE of these configs with random fp16 weights, in diffusers' layout; no text encoder."""
    for part in ("unet", "vae"):
        model = footprint.build_part(part, configs[part], torch.float16).to_empty(device=device)
        set_weights(model)
        model.save_pretrained(folder / part, variant="fp16", max_shard_size="20GB")
        del model
        if device == "cuda":
            torch.cuda.empty_cache()
    (folder / "text_encoder").mkdir(exist_ok=True)
    (folder / "text_encoder" / "config.json").write_text(json.dumps(configs["text_encoder"]), encoding="utf-8")
    for part in ("tokenizer", "scheduler"):
        shutil.copytree(repository.TINY / part, folder / part, dirs_exist_ok=True)


def make_plan(row: Row, prints: dict, device: str) -> Plan:
    """Return the plan of a row, its prompts read before; on a CPU its peaks are those that a GPU would have."""
    size = DRY_SIZES[row.size] if device == "cpu" else row.size
    dtype = "float32" if device == "cpu" else "bfloat16" if row.task == "lora" and has_bf16() else "float16"
    one = Plan(row.task, "kolors", device, dtype, "turns", "cached", 16, row.size > 512, size, row.checkpointing,
               row.unet, row.alone, row.optimizer)
    return replace(one, stages=list_stages(one, prints))


def has_bf16() -> bool:
    """Say whether the GPU computes in bfloat16 by itself."""
    return torch.cuda.is_bf16_supported(including_emulation=False)


def run_row(folder: Path, row: Row, one: Plan) -> Measured:
    """Draw or train as the plan says, and return bytes at most and the seconds of a step."""
    pipe = open_folder(folder, one)
    pipe.text_encoder = RandomWords(pipe.unet.config.encoder_hid_dim, torch.device(one.device), pipe.unet.dtype)
    return draw_row(pipe, one) if row.task == "draw" else train_row(pipe, row, one)


def draw_row(pipe: KolorsPipeline, one: Plan) -> Measured:
    """Draw a picture with few steps, after one that is not measured."""
    latent, ends = empty_latent(pipe, one.size, one.size), []

    def note(step: object) -> None:
        if one.device == "cuda":
            torch.cuda.synchronize()  # the GPU works on while Python already asks for the next step
        ends.append(time.perf_counter())

    generate(pipe, PROMPT, SamplerSettings(steps=WARM_UP), latent=latent)
    peak = measure(lambda: generate(pipe, PROMPT, SamplerSettings(steps=STEPS), latent=latent, callback=note),
                   one.device).peak
    return Measured(peak, statistics.median(after - before for before, after in zip(ends, ends[1:])))


def train_row(pipe: KolorsPipeline, row: Row, one: Plan) -> Measured:
    """Train some steps, after some that are not measured."""
    config = TrainConfig(height=one.size, width=one.size, use_gradient_checkpointing=row.checkpointing,
                         optimizer=row.optimizer, torch_compile=row.compiled)
    with tempfile.TemporaryDirectory() as temporary:
        pictures = write_pictures(Path(temporary), one.size)
        steps = train(pipe, pictures, config, cache=None, say=lambda words: None)
        for _ in range(WARM_UP):
            next(steps)
        records = []
        peak = measure(lambda: records.extend(next(steps) for _ in range(STEPS)), one.device).peak
        steps.close()
    if not all(torch.tensor(record.error).isfinite() for record in records):
        raise ValueError("the loss is not finite")
    return Measured(peak, statistics.median(record.seconds for record in records))


def write_pictures(folder: Path, size: int) -> Path:
    """Write a data set of two pictures of this size."""
    write_style_set(folder, subjects=2, validation=0)
    for file in (folder / "train").glob("*.png"):
        with Image.open(file) as picture:
            picture.resize((size, size)).save(file)
    return folder


def count_flops(row: Row, configs: dict[str, dict], dry: bool) -> float:
    """Return the TFLOP of one step: the UNet twice with guidance, or forwards and backwards at batch 1."""
    side = (DRY_SIZES[row.size] if dry else row.size) // footprint.scale(configs["vae"])
    return count_step(json.dumps(configs["unet"]), row.task, side, row.checkpointing)


@cache
def count_step(config: str, task: str, side: int, checkpointing: bool) -> float:
    """Count one step on the meta device; rows of the same work share it."""
    if task == "lora":
        unet, work = footprint.build_training(json.loads(config), torch.float16, side, checkpointing)
    else:
        unet = footprint.build_part("unet", json.loads(config), torch.float16)
        work = torch.no_grad()(lambda: footprint.denoise(unet, side, batch=2))
    with footprint.as_gpus_attend(), FlopCounterMode(display=False) as counted:
        work()
    return counted.get_total_flops() / 1e12
