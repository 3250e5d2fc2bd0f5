"""Stage 1: the VAE (AutoencoderKL), 96 x 96 px -> a latent of 4 x 12 x 12 (Kolors' own factor 8 and 4 channels).

Its latents get noise on the way to the decoder, as Yang et al. 2025 (l-DeTok, arXiv 2507.15856) do: so neighbouring
latents look alike, and the decoder forgives what a UNet leaves unclear. It learns from cut-outs, for most of a picture
is plain ground. It starts from the shipped VAE of factor 4, whose outer levels know edges and colours already
(`grow`); without one it starts from nothing and needs some four times as long.
"""

import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from course_lib.pictures import emoji
from data.recipe.common import ALL_STYLES, lighter_numbers, load_checkpoint, log, long_run, save_checkpoint
from data.recipe.sprites import compose_tensors, random_scene

STEPS = 20_000
BATCH = 6
CUT = 48  # px, width and height of the cut-outs: 6 x 6 latent cells
LEARNING_RATE = 1.5e-3
NOISE = 0.5  # most standard deviations of noise on the latents,
NOISY = 0.4  # on this share of the pictures,
SMOOTH = 0.4  # of which so many have half of it smooth over 3 x 3 cells, as a UNet errs
ANYWHERE = 0.1  # of the pictures, in any size and place
PLAIN = 0.05  # of the pictures, one colour all over


def build_vae() -> AutoencoderKL:
    """Build the untrained VAE: four levels, so 8 px a latent cell, and no attention, so that it is fast on a CPU."""
    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, sample_size=emoji.PICTURE_SIZE,
        block_out_channels=(16, 32, 64, 128), layers_per_block=1, norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        mid_block_add_attention=False, force_upcast=False)


@torch.no_grad()
def grow(vae: AutoencoderKL, smaller: AutoencoderKL) -> None:
    """Take over the outer levels of a VAE that has one level less; its middle and bottleneck are left as they are."""
    new = vae.state_dict()
    inner = ("quant", "post_quant", "encoder.mid", "encoder.conv_norm", "encoder.conv_out",
             "decoder.conv_in", "decoder.mid")
    for name, weight in smaller.state_dict().items():
        if name.startswith("decoder.up_blocks."):  # counted from the middle outwards
            level = name.split(".")[2]
            name = name.replace(f"up_blocks.{level}", f"up_blocks.{int(level) + 1}", 1)
        if not name.startswith(inner) and name in new and new[name].shape == weight.shape:
            new[name].copy_(weight)


def picture_error(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean absolute and squared error of pixels, of their differences to the right and below, and of 4 x 4 px means."""
    edges = sum((made.diff(dim=side) - wanted.diff(dim=side)).abs().mean() for side in (-1, -2))
    areas = (F.avg_pool2d(made, 4) - F.avg_pool2d(wanted, 4)).abs().mean()
    return (made - wanted).abs().mean() + 0.5 * edges + 2 * (made - wanted).square().mean() + areas


def draw_noise(latents: torch.Tensor) -> torch.Tensor:
    """Draw noise for a share of the latents, up to NOISE of their standard deviation, some of it smooth."""
    count = len(latents)
    noise = torch.randn(latents.shape)
    smooth = F.avg_pool2d(F.pad(torch.randn(latents.shape), (1, 1, 1, 1)), 3, 1) * 3  # of standard deviation 1 again
    noise = torch.where(torch.rand(count, 1, 1, 1) < SMOOTH, (noise + smooth) / 2**0.5, noise)
    amount = NOISE * torch.rand(count, 1, 1, 1) * (torch.rand(count, 1, 1, 1) < NOISY)
    return (amount * noise).to(latents.device) * latents.std().detach()


def cut_out(picture: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Cut CUT x CUT px out of a picture at random."""
    left, top = (8 * rng.randint(0, (side - CUT) // 8) for side in (picture.shape[2], picture.shape[1]))
    return picture[:, top:top + CUT, left:left + CUT]


def draw_pictures(rng: random.Random) -> torch.Tensor:
    """Draw a batch of cut-outs of composed pictures, a few of them plain, float32 in [-1, 1]."""
    pictures = compose_tensors([random_scene(rng, ALL_STYLES, ANYWHERE) for _ in range(BATCH)], rng)
    cut = torch.stack([cut_out(picture, rng) for picture in pictures])
    plain = 2 * torch.rand(BATCH, 3, 1, 1) - 1
    return torch.where(torch.rand(BATCH, 1, 1, 1) < PLAIN, plain, cut)


def train_vae(folder: Path, device: str, seed: int = 0, steps: int = STEPS,
              smaller: AutoencoderKL | None = None) -> AutoencoderKL:
    """Train the VAE, going on from folder/vae.pt where that exists; the log is folder/vae.jsonl."""
    torch.manual_seed(seed)
    vae = build_vae()
    if smaller is not None:
        grow(vae, smaller)
    vae.to(device)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=LEARNING_RATE, weight_decay=0.0, betas=(0.9, 0.99), fused=True)
    first = 0
    if saved := load_checkpoint(folder / "vae.pt", device):
        vae.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    started = time.time()
    for step in range(first, steps):
        rng = random.Random(f"{seed} vae {step}")  # a step's data depend on the step alone: resumed equals uncut
        torch.manual_seed(seed * 1_000_003 + step)
        pictures = draw_pictures(rng).to(device)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * long_run(step, steps)
        with lighter_numbers(device):
            latents = vae.encode(pictures).latent_dist.mean
            made = vae.decode(latents + draw_noise(latents)).sample
        loss = picture_error(made.float(), pictures) + 2e-3 * (latents.square().mean() - 1).clamp(min=0)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 200 == 0 or step + 1 == steps:
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
    scenes = [random_scene(rng, ALL_STYLES) for _ in range(512)]
    latents = torch.cat([vae.encode(compose_tensors(scenes[start:start + 64], rng).to(device)).latent_dist.mean
                         for start in range(0, len(scenes), 64)])
    factor = round(1 / latents.std().item(), 4)
    vae.register_to_config(scaling_factor=factor)
    return factor
