"""Stage 1: the VAE (AutoencoderKL), 64 x 64 px -> a latent of 4 x 16 x 16, trained on composed pictures of all styles.

Expected on 2 quiet CPU cores: 3,600 + 4,000 steps of 16 pictures in about 40 minutes; mean absolute error about 0.05 on
[-1, 1]. As Kolors' own VAE has seen every kind of picture, this one sees all four styles; the UNet two.
"""

import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from course_lib.pictures import emoji
from data.recipe.common import (
    ALL_STYLES,
    compose_batch,
    lighter_numbers,
    load_checkpoint,
    log,
    one_cycle,
    save_checkpoint,
)

OUTLINE_STEPS = 3600
COLOUR_STEPS = 4000
STEPS = OUTLINE_STEPS + COLOUR_STEPS
BATCH = 16
OUTLINE_RATE, COLOUR_RATE = 2e-3, 1.5e-3  # learning rates, one cycle for each part of the training
OUTLINE_KL, COLOUR_KL = 3e-4, 3e-5  # on the mean over latent elements; only keeps the latents from growing


def build_vae() -> AutoencoderKL:
    """Build the untrained VAE: three levels, so 4 px a latent cell, and no attention, so that it is fast on a CPU."""
    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, sample_size=emoji.PICTURE_SIZE,
        block_out_channels=(16, 32, 64), layers_per_block=1, norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3,
        mid_block_add_attention=False, force_upcast=False)


def outline_loss(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean absolute error of pixels plus that of their differences to the right and below: outlines come first."""
    return (made - wanted).abs().mean() + edge_error(made, wanted)


def colour_loss(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The same, outlines weighing less, plus what punishes wrong colours most: squares, and 4 x 4 px averages."""
    areas = (F.avg_pool2d(made, 4) - F.avg_pool2d(wanted, 4)).abs().mean()
    return (made - wanted).abs().mean() + 0.5 * edge_error(made, wanted) + 3 * (made - wanted).square().mean() + areas


def edge_error(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean absolute error of the differences between neighbouring pixels."""
    return sum((made.diff(dim=side) - wanted.diff(dim=side)).abs().mean() for side in (-1, -2))


def train_vae(folder: Path, device: str, seed: int = 0, steps: int = STEPS,
              shipped: AutoencoderKL | None = None) -> AutoencoderKL:
    """Train the VAE, going on from folder/vae.pt where that exists; the log is folder/vae.jsonl.

    A `shipped` VAE knows its outlines: its training starts with the colours.
    """
    torch.manual_seed(seed)
    vae = (shipped or build_vae()).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=OUTLINE_RATE, weight_decay=0.0, betas=(0.9, 0.99),
                                  fused=True)
    first = OUTLINE_STEPS if shipped else 0
    if saved := load_checkpoint(folder / "vae.pt", device):
        vae.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    started = time.time()
    for step in range(first, steps):
        rng = random.Random(f"{seed} vae {step}")  # a step's data depend on the step alone: resumed equals uncut
        torch.manual_seed(seed * 1_000_003 + step)
        scenes = [emoji.random_scene(rng, ALL_STYLES) for _ in range(BATCH)]
        pictures = compose_batch(scenes, rng).to(device)
        outlines = step < OUTLINE_STEPS
        rate = (OUTLINE_RATE * one_cycle(step, OUTLINE_STEPS) if outlines
                else COLOUR_RATE * one_cycle(step - OUTLINE_STEPS, steps - OUTLINE_STEPS))
        for group in optimizer.param_groups:
            group["lr"] = rate
        with lighter_numbers(device):
            latents = vae.encode(pictures).latent_dist
            made = vae.decode(latents.sample()).sample
        measure, kl_weight = (outline_loss, OUTLINE_KL) if outlines else (colour_loss, COLOUR_KL)
        loss = measure(made.float(), pictures) + kl_weight * latents.kl().mean() / latents.mean[0].numel()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 100 == 0 or step + 1 == steps:
            error = (made.float() - pictures).abs().mean().item()
            log(folder / "vae.jsonl", step=step + 1, loss=round(loss.item(), 4), error=round(error, 4),
                seconds=round(time.time() - started))
            save_checkpoint(folder / "vae.pt", model=vae.state_dict(), optimizer=optimizer.state_dict(),
                            step=step + 1)
    return vae.eval()


@torch.no_grad()
def set_scaling_factor(vae: AutoencoderKL, device: str, seed: int = 0) -> float:
    """Measure 1 / (standard deviation of the latents) on 512 pictures, store it in the VAE's config, return it.

    Rombach et al. 2022 (arXiv 2112.10752), appendix G: latents are rescaled to unit standard deviation.
    """
    rng = random.Random(f"{seed} scaling")
    scenes = [emoji.random_scene(rng, ALL_STYLES) for _ in range(512)]
    latents = vae.encode(compose_batch(scenes, rng).to(device)).latent_dist.mean
    factor = round(1 / latents.std().item(), 4)
    vae.register_to_config(scaling_factor=factor)
    return factor
