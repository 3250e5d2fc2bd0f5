"""Stage 2: the judge (course_lib.pictures), trained on composed pictures of all styles, half of them through the VAE.

There is one line drawing of each subject, so half of the line art is traced from the flat pictures instead: else the
judge would know a subject by that one drawing, and call every other hand's wrong.

Pictures that a model draws are softer than composed ones, so half of the training pictures went through the VAE with
noise on their latents. Some sizes and places are held back (`held_back`) to measure it on what it never saw.
Expected on 2 quiet CPU cores: 2,000 steps of 64 pictures in about 5 minutes.
"""

import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image

from course_lib.pictures import emoji
from course_lib.pictures.classifier import JudgeNet, to_tensor
from data.recipe.common import ALL_STYLES, load_checkpoint, log, one_cycle, save_checkpoint

STEPS = 2000
BATCH = 64
LEARNING_RATE = 3e-3
THROUGH_VAE = 10_000  # pictures
LATENT_NOISE = 0.35  # most standard deviations of noise on the scaled latents
TRACED = 0.5  # of the line art


def held_back(scene: emoji.Scene) -> bool:
    """Say whether a scene's size or place is kept out of the judge's training."""
    return scene.size % 6 == 0 or (scene.left + scene.top) % 7 == 3


def draw_scenes(rng: random.Random, count: int, held: bool = False) -> list[emoji.Scene]:
    """Draw random scenes of all styles, either only from the held-back sizes and places or only from the others."""
    scenes = []
    while len(scenes) < count:
        scene = emoji.random_scene(rng, ALL_STYLES)
        if held_back(scene) == held:
            scenes.append(scene)
    return scenes


def compose_all(scenes: list[emoji.Scene], rng: random.Random) -> torch.Tensor:
    """Compose pictures of all styles, a part of the line art traced -> [batch, 3, 64, 64], float32 in [-1, 1]."""
    return to_tensor([draw_traced(scene, colour) if scene.style == "lineart" and rng.random() < TRACED
                      else emoji.compose(scene, colour)
                      for scene, colour in ((scene, emoji.shade(scene.ground, rng)) for scene in scenes)])


def draw_traced(scene: emoji.Scene, colour: tuple[int, int, int]) -> Image.Image:
    """Draw a scene in black lines traced from its flat picture, on a ground of this colour (sRGB, 0-255)."""
    picture = Image.new("RGB", (emoji.PICTURE_SIZE, emoji.PICTURE_SIZE), colour)
    lines = emoji.trace(emoji.subject_picture(scene.subject, "flat", 2 * scene.size))
    if scene.flip:
        lines = lines.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture.paste("black", (scene.left, scene.top), lines)
    return picture


def label(scenes: list[emoji.Scene]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Number what the scenes show -> subject, style, ground, each [batch]."""
    columns = ((list(emoji.subjects()), "subject"), (ALL_STYLES, "style"), (list(emoji.GROUNDS), "ground"))
    return tuple(torch.tensor([names.index(getattr(scene, part)) for scene in scenes]) for names, part in columns)


@torch.no_grad()
def see_through(vae: AutoencoderKL, pictures: torch.Tensor, noise: float, device: str) -> torch.Tensor:
    """Encode, add up to `noise` standard deviations of noise, decode: pictures as soft as a model's."""
    latents = vae.encode(pictures.to(device)).latent_dist.mean
    amount = torch.rand(len(pictures), 1, 1, 1).to(device) * noise / vae.config.scaling_factor
    return vae.decode(latents + amount * torch.randn(latents.shape).to(device)).sample.clamp(-1, 1).float().cpu()


def blur(pictures: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Blur half of the batches with a 3 x 3 binomial filter, and move brightness and add noise a little."""
    if rng.random() < 0.5:
        row = torch.tensor([0.25, 0.5, 0.25])
        kernel = (row[:, None] * row).expand(3, 1, 3, 3)
        pictures = F.conv2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), kernel, groups=3)
    shift = (torch.rand(len(pictures), 3, 1, 1) - 0.5) * 0.12
    return pictures + shift + torch.randn_like(pictures) * rng.choice((0.0, 0.03, 0.08))


def train_judge(vae: AutoencoderKL, folder: Path, device: str, seed: int = 0, steps: int = STEPS) -> JudgeNet:
    """Train the judge, going on from folder/judge.pt where that exists; the log is folder/judge.jsonl."""
    torch.manual_seed(seed)
    net = JudgeNet().to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    first = 0
    if saved := load_checkpoint(folder / "judge.pt", device):
        net.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    rng = random.Random(f"{seed} judge")
    soft_scenes = draw_scenes(rng, THROUGH_VAE)
    soft = np.concatenate([
        ((see_through(vae, compose_all(soft_scenes[start:start + 200], rng), LATENT_NOISE, device) + 1) * 127.5)
        .round().byte().numpy() for start in range(0, THROUGH_VAE, 200)])
    started = time.time()
    for step in range(first, steps):
        rng = random.Random(f"{seed} judge {step}")
        torch.manual_seed(seed * 1_000_003 + step)
        fresh = draw_scenes(rng, BATCH // 2)
        chosen = rng.sample(range(THROUGH_VAE), BATCH - len(fresh))
        pictures = torch.cat([compose_all(fresh, rng), torch.from_numpy(soft[chosen]).float() / 127.5 - 1])
        labels = label(fresh + [soft_scenes[number] for number in chosen])
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * one_cycle(step, steps)
        losses = [F.cross_entropy(logits, wanted.to(device), label_smoothing=0.05)
                  for logits, wanted in zip(net(blur(pictures, rng).to(device)), labels)]
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()
        if (step + 1) % 100 == 0 or step + 1 == steps:
            figures = dict(zip(("subject", "style", "ground"), (round(loss.item(), 4) for loss in losses)))
            log(folder / "judge.jsonl", step=step + 1, **figures, seconds=round(time.time() - started))
            save_checkpoint(folder / "judge.pt", model=net.state_dict(), optimizer=optimizer.state_dict(),
                            step=step + 1)
    return net.eval()


@torch.no_grad()
def measure_judge(net: JudgeNet, vae: AutoencoderKL, device: str, seed: int = 1,
                  count: int = 2000) -> dict[str, dict[str, float]]:
    """Measure accuracy on new pictures: composed, composed at held-back sizes and places, and seen through the VAE."""
    results = {}
    for name, held, soft in (("composed", False, False), ("held_back", True, False), ("through_vae", False, True)):
        rng = random.Random(f"{seed} {name}")
        scenes = draw_scenes(rng, count, held)
        hits = np.zeros(3)
        for start in range(0, count, 200):
            part = scenes[start:start + 200]
            pictures = compose_all(part, rng)
            if soft:
                pictures = see_through(vae, pictures, LATENT_NOISE, device)
            for number, (logits, wanted) in enumerate(zip(net(pictures.to(device)), label(part))):
                hits[number] += (logits.argmax(dim=1).cpu() == wanted).sum().item()
        results[name] = dict(zip(("subject", "style", "ground"), (hits / count).round(4).tolist()))
    return results
