"""Stage 3, its last part: what the UNet draws, early and late in its training, and how far from true: for the judge."""

import math
import random
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.pipelines.kolors import ChatGLMModel, ChatGLMTokenizer
from PIL import Image

from course_lib.pictures import emoji
from course_lib.pictures.nearness import find_nearest
from data.recipe.common import load_checkpoint, save_checkpoint
from data.recipe.prompts import choose_prompts
from data.recipe.sprites import compose_tensors
from data.recipe.text import read_captions
from data.recipe.unet import EARLY, LATENT_SIZE, TIME_IDS, build_scheduler, build_unet

EACH = 500  # drawings of each UNet
AT_ONCE = 50
ROOM = 0.06  # least error of an empty ground above the floor's, 0 to 1
STEPS, CFG = 20, 5.0


@torch.no_grad()
def draw_latents(unet: UNet2DConditionModel, texts: tuple[torch.Tensor, ...], cfg: float, steps: int,
                 rng: torch.Generator) -> torch.Tensor:
    """Draw with Euler's method and guidance; `texts` hold states, pooled vectors and masks, the empty text last."""
    states, pooled, mask = texts
    count = len(states) - 1
    rows = [*range(count), *[count] * count]
    told = {"text_embeds": pooled[rows], "time_ids": torch.tensor([TIME_IDS]).repeat(2 * count, 1)}
    scheduler = build_scheduler()
    scheduler.set_timesteps(steps)
    latents = torch.randn(count, 4, LATENT_SIZE, LATENT_SIZE, generator=rng) * scheduler.init_noise_sigma
    for step in scheduler.timesteps:
        scaled = scheduler.scale_model_input(latents, step).repeat(2, 1, 1, 1)
        wanted, plain = unet(scaled, step, states[rows].float(), encoder_attention_mask=mask[rows],
                             added_cond_kwargs=told).sample.chunk(2)
        latents = scheduler.step(plain + cfg * (wanted - plain), step, latents).prev_sample
    return latents


def read_unets(folder: Path) -> list[UNet2DConditionModel]:
    """Read the UNets that a training kept on its way, the earliest first."""
    unets = []
    for step in EARLY:
        unets.append(build_unet())
        unets[-1].load_state_dict(load_checkpoint(folder / f"early_{step}.pt", "cpu")["average"])
    return [unet.eval() for unet in unets]


def to_image(picture: torch.Tensor) -> Image.Image:
    """Turn a picture [3, side, side] in [-1, 1] into an image."""
    return Image.fromarray(((picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())


@torch.no_grad()
def draw_examples(vae: AutoencoderKL, encoder: ChatGLMModel, tokenizer: ChatGLMTokenizer,
                  unets: list[UNet2DConditionModel], folder: Path, seed: int = 0, each: int = EACH) -> None:
    """Draw `each` prompts with each UNet; write pictures (uint8), what they should show and distances, shuffled."""
    pictures, labels, distances = [], [], []
    subjects, grounds, styles = list(emoji.subjects()), list(emoji.GROUNDS), list(emoji.STYLES)
    floors: dict[tuple[str, str], float] = {}
    for number, unet in enumerate(unets):
        prompts = choose_prompts(each, emoji.BASE_STYLES, seed=1_000 + 10 * seed + number)
        rng = torch.Generator().manual_seed(seed * 1_000 + number)
        for start in range(0, each, AT_ONCE):
            part = prompts[start:start + AT_ONCE]
            texts = read_captions(encoder, tokenizer, [*(prompt for _, prompt, _ in part), ""], "cpu")
            drawn = draw_latents(unet, texts, CFG, STEPS, rng) / vae.config.scaling_factor
            made = vae.decode(drawn).sample.clamp(-1, 1)
            pictures.append(((made + 1) * 127.5).round().byte())
            for picture, (_, _, named) in zip(made, part):
                labels.append([subjects.index(named.subject), styles.index(named.style), grounds.index(named.ground)])
                distances.append(measure_one(vae, to_image(picture), named.subject, named.style, floors))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    save_checkpoint(folder / "examples.pt", pictures=torch.cat(pictures)[order], labels=torch.tensor(labels)[order].T,
                    distances=torch.tensor(distances)[order])


def measure_one(vae: AutoencoderKL, picture: Image.Image, subject: str, style: str,
                floors: dict[tuple[str, str], float]) -> float:
    """Measure one picture's distance: 0 at what the VAE makes of a true picture, 1 at an empty ground.

    Not a number where the two are within ROOM of each other, as of a pale block on a pale ground: it tells nothing.
    """
    if (subject, style) not in floors:
        scene = replace(emoji.random_scene(random.Random(5)), subject=subject, style=style)
        latents = vae.encode(compose_tensors([scene], random.Random(5))).latent_dist.mean
        floors[subject, style] = find_nearest(to_image(vae.decode(latents).sample[0]), subject, style).error
    floor = floors[subject, style]
    empty = find_nearest(Image.new("RGB", picture.size, picture.getpixel((0, 0))), subject, style).error
    if empty - floor < ROOM:
        return math.nan
    return (find_nearest(picture, subject, style).error - floor) / (empty - floor)
