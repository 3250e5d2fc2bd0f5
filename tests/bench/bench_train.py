"""Compare a training step of the course with one in the order of diffusers' example; prints steps per second.

The ways take turns step by step on the same pictures, so that whatever else the machine does slows all of them; the CPU
seconds of the process are measured beside the clock. Goal: at least 1.8 times the steps of the uncached way.
"""

import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.nn.functional import mse_loss

from course_lib.dataset.example_sets import write_style_set
from course_lib.lora.verbs import add_lora
from course_lib.model.loading import load
from course_lib.pictures.emoji import PICTURE_SIZE
from course_lib.training.config import TrainConfig
from course_lib.training.loop import train
from course_lib.training.rows import read_rows

STEPS = 9  # measured of each way, after WARM_UP
WARM_UP = 2
BATCH = 4
CONFIG = TrainConfig(batch_size=BATCH, steps_per_epoch=1000, learning_rate=1e-4)
GOAL = 1.8


def train_uncached(pipe, folder, checkpointing, batch_size=BATCH):
    """Train as diffusers' example does (train_text_to_image_lora_sdxl.py), every step from pixels and words."""
    device, dtype = pipe.unet.device, pipe.unet.dtype
    weights = add_lora(pipe.unet, rank=CONFIG.lora_rank, alpha=CONFIG.lora_alpha)
    optimizer = torch.optim.AdamW(weights, lr=CONFIG.learning_rate)
    if checkpointing:
        pipe.unet.enable_gradient_checkpointing()
    pipe.unet.train()
    alphas_bar = pipe.scheduler.alphas_cumprod.to(device)
    rows = itertools.cycle([(row.picture, row.caption) for row in read_rows(folder / "train")])  # read before the clock
    while True:
        batch = [next(rows) for _ in range(batch_size)]
        with torch.no_grad():
            pixels = torch.cat([pipe.image_processor.preprocess(picture) for picture, _ in batch]).to(device)
            latents = pipe.vae.encode(pixels).latent_dist.sample() * pipe.vae.config.scaling_factor
            states, _, pooled, _ = pipe.encode_prompt([caption for _, caption in batch],
                                                      do_classifier_free_guidance=False)
        noise = torch.randn_like(latents)
        levels = torch.randint(0, len(alphas_bar), (batch_size,), device=device)
        kept = alphas_bar[levels].view(-1, 1, 1, 1)
        noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
        height, width = pixels.shape[2:]
        size = torch.tensor([[height, width, 0, 0, height, width]] * batch_size, device=device, dtype=dtype)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            predicted = pipe.unet(noisy.to(dtype), levels, states, return_dict=False,
                                  added_cond_kwargs={"text_embeds": pooled, "time_ids": size})[0]
        loss = mse_loss(predicted.float(), noise.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, CONFIG.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        yield loss.item()


def train_cached(pipe, folder, **changes):
    """Train as the course does."""
    return train(pipe, folder, CONFIG.but(**changes), cache=None, say=str)


def measure(ways):
    """Let the ways take a step in turn and return the medians of each: seconds by the clock, CPU seconds."""
    found = {name: ([], []) for name in ways}
    for turn in range(WARM_UP + STEPS):
        for name, steps in ways.items():
            clock, cpu = time.perf_counter(), time.process_time()
            next(steps)
            if turn >= WARM_UP:
                found[name][0].append(time.perf_counter() - clock)
                found[name][1].append(time.process_time() - cpu)
    return {name: tuple(statistics.median(times) for times in both) for name, both in found.items()}


def main():
    """Measure, print the table and return 1 where the goal is missed."""
    with tempfile.TemporaryDirectory() as place:
        folder = write_style_set(Path(place) / "set", subjects=12, validation=1)
        ways = {
            "uncached, checkpointing (diffusers' order)": train_uncached(load("tiny"), folder, True),
            "uncached": train_uncached(load("tiny"), folder, False),
            "cached, checkpointing": train_cached(load("tiny"), folder, use_gradient_checkpointing=True),
            "cached, bf16-mixed": train_cached(load("tiny"), folder, precision="bf16-mixed"),
            "cached (the course's default)": train_cached(load("tiny"), folder),
        }
        found = measure(ways)
        for steps in ways.values():
            steps.close()
    clock, cpu = next(iter(found.values()))
    print(f"{'batch ' + str(BATCH) + ', ' + str(PICTURE_SIZE) + ' px':<44}steps/s   ratio   CPU s/step   ratio")
    for name, (seconds, cpu_seconds) in found.items():
        print(f"{name:<44}{1 / seconds:7.2f} {clock / seconds:7.2f} {cpu_seconds:12.3f} {cpu / cpu_seconds:7.2f}")
    ratio = clock / seconds
    print(f"the course / diffusers' order: {ratio:.2f} (goal: at least {GOAL})")
    return int(ratio < GOAL)


if __name__ == "__main__":
    sys.exit(main())
