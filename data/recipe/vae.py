"""Stage 1: the VAE (AutoencoderKL), 96 x 96 px -> a latent of 4 x 12 x 12 (Kolors' own factor 8 and 4 channels).

Trained on pixels alone it is slow on a CPU: most of the time goes into the finest level, where little is left to learn.
So it is trained in three parts. First one of three levels (factor 4), on pixels. Then the fourth level and the middle,
inside it: from the smaller one's features, 24 x 24 cells wide, to the features that its own decoder makes of them, so
that the finer levels are not computed at all (hints: Romero et al. 2015, arXiv 1412.6550). Last the decoder alone
(`data/recipe/decoder.py`).
Measured on one core, root mean square error of cartoon and flat at 64 px: 0.063 after 50 minutes on pixels; 0.052 after
29 minutes of the second part; 0.046 after 20 of the third.

Its latents get noise on the way to the decoder, as Yang et al. 2025 (l-DeTok, arXiv 2507.15856) do: so neighbouring
latents look alike, and the decoder forgives what a UNet leaves unclear.
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

WIDTHS = (16, 32, 64, 128)  # channels of the levels, from the finest
STEPS = 8_000  # of the first part, on pixels
BATCH = 6
CUT = 48  # px, width and height of the cut-outs: whole latent cells, for most of a picture is plain ground
LEARNING_RATE = 1.5e-3
INNER_STEPS = 20_000  # of the second part, on features
INNER_BATCH = 4
INNER_RATE = 1e-3
FEATURES = 9_000  # pictures whose features are computed once (1.3 GB)
NOISE = 0.5  # most standard deviations of noise on the latents,
NOISY = 0.4  # on this share of the pictures,
SMOOTH = 0.4  # of which so many have half of it smooth over 3 x 3 cells, as a UNet errs
ANYWHERE = 0.1  # of the pictures, in any size and place
PLAIN = 0.05  # of the pictures, one colour all over


def build_vae(levels: int = len(WIDTHS)) -> AutoencoderKL:
    """Build an untrained VAE of factor 2 ** (levels - 1), without attention, so that it is fast on a CPU."""
    return AutoencoderKL(
        in_channels=3, out_channels=3, latent_channels=4, sample_size=emoji.PICTURE_SIZE,
        block_out_channels=WIDTHS[:levels], layers_per_block=1, norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
        mid_block_add_attention=False, force_upcast=False)


INNER = ("encoder.mid", "encoder.conv_norm", "encoder.conv_out", "quant", "post_quant", "decoder.conv_in",
         "decoder.mid")  # what lies inside of a VAE's coarsest level


@torch.no_grad()
def copy_outer(vae: AutoencoderKL, smaller: AutoencoderKL) -> list[torch.nn.Parameter]:
    """Take over the outer levels of a VAE that has one level less -> the parameters that are left to learn."""
    new, taken = vae.state_dict(), set()
    for name, weight in smaller.state_dict().items():
        if name.startswith("decoder.up_blocks."):  # counted from the middle outwards
            level = name.split(".")[2]
            name = name.replace(f"up_blocks.{level}", f"up_blocks.{int(level) + 1}", 1)
        if not name.startswith(INNER) and name in new and new[name].shape == weight.shape:
            new[name].copy_(weight)
            taken.add(name)
    first = "decoder.up_blocks.1.resnets."  # they now read what a coarser level hands up
    return [weight for name, weight in vae.named_parameters() if name not in taken or name.startswith(first)]


def encode_outer(vae: AutoencoderKL, pictures: torch.Tensor, level: int) -> torch.Tensor:
    """Compute a picture's features [batch, channels, height, width] at a level, the finest being 0."""
    features = vae.encoder.conv_in(pictures)
    for block in vae.encoder.down_blocks[:level]:
        features = block(features)
    for resnet in vae.encoder.down_blocks[level].resnets:
        features = resnet(features, None)
    return features


def encode_inner(vae: AutoencoderKL, features: torch.Tensor, level: int) -> torch.Tensor:
    """Go on from the features of a level to the latents' means."""
    for down in vae.encoder.down_blocks[level].downsamplers or ():
        features = down(features)
    for block in vae.encoder.down_blocks[level + 1:]:
        features = block(features)
    features = F.silu(vae.encoder.conv_norm_out(vae.encoder.mid_block(features)))
    return vae.quant_conv(vae.encoder.conv_out(features)).chunk(2, dim=1)[0]


def decode_inner(vae: AutoencoderKL, latents: torch.Tensor, level: int) -> torch.Tensor:
    """Go from latents back to the features of a level, before they are made larger."""
    features = vae.decoder.mid_block(vae.decoder.conv_in(vae.post_quant_conv(latents)))
    last = len(vae.decoder.up_blocks) - 1 - level  # counted from the middle outwards
    for block in vae.decoder.up_blocks[:last]:
        features = block(features)
    for resnet in vae.decoder.up_blocks[last].resnets:
        features = resnet(features, None)
    return features


@torch.no_grad()
def make_features(smaller: AutoencoderKL, rng: random.Random, count: int = FEATURES) -> tuple[torch.Tensor, ...]:
    """Compute what an encoder sees of pictures at its coarsest level, and what its decoder makes of it, float16."""
    level, seen, wanted = len(smaller.encoder.down_blocks) - 1, [], []
    for start in range(0, count, 50):
        scenes = [random_scene(rng, ALL_STYLES, ANYWHERE) for _ in range(min(50, count - start))]
        features = encode_outer(smaller, compose_tensors(scenes, rng).to(smaller.device), level)
        seen.append(features.half())
        wanted.append(decode_inner(smaller, encode_inner(smaller, features, level), level).half())
    return torch.cat(seen), torch.cat(wanted)


def train_inner(smaller: AutoencoderKL, folder: Path, device: str, seed: int = 0,
                steps: int = INNER_STEPS) -> AutoencoderKL:
    """Train the coarsest level inside a smaller VAE, going on from folder/vae.pt; the log is folder/vae.jsonl."""
    torch.manual_seed(seed)
    vae, level = build_vae().to(device), len(smaller.encoder.down_blocks) - 1
    learnt = copy_outer(vae, smaller)
    optimizer = torch.optim.AdamW(learnt, lr=INNER_RATE, weight_decay=0.0, betas=(0.9, 0.99), fused=True)
    first = 0
    if saved := load_checkpoint(folder / "vae.pt", device):
        vae.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    if first >= steps:
        return vae.eval()
    seen, wanted = make_features(smaller, random.Random(f"{seed} features"))
    spread = wanted[:200].float().std(dim=(0, 2, 3), keepdim=True)
    started = time.time()
    for step in range(first, steps):
        torch.manual_seed(seed * 1_000_003 + step)
        chosen = torch.randint(len(seen), (INNER_BATCH,))
        for group in optimizer.param_groups:
            group["lr"] = INNER_RATE * long_run(step, steps)
        latents = encode_inner(vae, seen[chosen].float(), level)
        made = decode_inner(vae, latents + draw_noise(latents), level)
        loss = ((made - wanted[chosen].float()) / spread).square().mean()
        loss = loss + 2e-3 * (latents.square().mean() - 1).clamp(min=0)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
        if (step + 1) % 200 == 0 or step + 1 == steps:
            log(folder / "vae.jsonl", step=step + 1, loss=round(loss.item(), 4), seconds=round(time.time() - started))
            save_checkpoint(folder / "vae.pt", model=vae.state_dict(), optimizer=optimizer.state_dict(), step=step + 1)
    return vae.eval()


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


def train_outer(folder: Path, device: str, seed: int = 0, steps: int = STEPS) -> AutoencoderKL:
    """Train the smaller VAE on pixels, going on from folder/outer.pt where it exists; the log is folder/outer.jsonl."""
    torch.manual_seed(seed)
    vae = build_vae(len(WIDTHS) - 1).to(device)
    optimizer = torch.optim.AdamW(vae.parameters(), lr=LEARNING_RATE, weight_decay=0.0, betas=(0.9, 0.99), fused=True)
    first = 0
    if saved := load_checkpoint(folder / "outer.pt", device):
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
            made = vae.decode(latents).sample
        loss = picture_error(made.float(), pictures) + 2e-3 * (latents.square().mean() - 1).clamp(min=0)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 200 == 0 or step + 1 == steps:
            error = (made.float() - pictures).abs().mean().item()
            log(folder / "outer.jsonl", step=step + 1, loss=round(loss.item(), 4), error=round(error, 4),
                seconds=round(time.time() - started))
            save_checkpoint(folder / "outer.pt", model=vae.state_dict(), optimizer=optimizer.state_dict(),
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
