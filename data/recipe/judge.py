"""Stage 4: the judge (course_lib.pictures), trained on composed pictures of all styles, and on what is none of them.

There is one line drawing of each subject, so half of the line art is traced from the flat pictures instead: else the
judge would know a subject by that one drawing, and call every other hand's wrong.

Pictures that a model draws are softer than composed ones, so half of the training pictures went through the VAE with
noise on their latents. What a model draws wrong is learnt as "none of these": composed pictures that were spoiled
(`spoil`), and what the UNet itself drew, early in its training and at its end (`draw_examples`), sorted by distance
alone: further than FAR from every true picture of its prompt it is none, nearer than NEAR it is its subject, and what
lies between is left out. Some sizes and places are held back (`held_back`) to measure the judge on what it never saw.
Expected on 2 quiet CPU cores: 2,000 steps of 64 pictures in about 10 minutes.
"""

import random
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image

from course_lib.pictures import emoji
from course_lib.pictures.classifier import JudgeNet
from data.recipe.common import ALL_STYLES, load_checkpoint, log, one_cycle, save_checkpoint
from data.recipe.sprites import compose_tensors

STEPS = 2000
BATCH = 64
LEARNING_RATE = 3e-3
THROUGH_VAE = 8_000  # pictures
LATENT_NOISE = 0.35  # most standard deviations of noise on the scaled latents
TRACED = 0.5  # of the line art
FRESH, SPOILED, DRAWN = 24, 12, 12  # of a batch: composed, spoiled, drawn by the UNet; the rest went through the VAE
NEAR, FAR = 0.3, 0.5  # distance to the nearest true picture: at most that of a right drawing, at least that of a wrong
SMALLEST, LARGEST = 60, 92  # px, width and height of the subject


def held_back(scene: emoji.Scene) -> bool:
    """Say whether a scene's size or place is kept out of the judge's training."""
    return scene.size % 12 == 0 or (scene.left + scene.top) % 7 == 3


def draw_scenes(rng: random.Random, count: int, held: bool = False) -> list[emoji.Scene]:
    """Draw random scenes of all styles, sizes, places and flips, either only held-back ones or none of them."""
    scenes = []
    while len(scenes) < count:
        size = rng.randrange(SMALLEST, LARGEST + 1, 4)
        left, top = (rng.randint(0, emoji.PICTURE_SIZE - size) for _ in range(2))
        scene = replace(emoji.random_scene(rng, ALL_STYLES), size=size, left=left, top=top, flip=rng.random() < 0.5)
        if held_back(scene) == held:
            scenes.append(scene)
    return scenes


def compose_all(scenes: list[emoji.Scene], rng: random.Random) -> torch.Tensor:
    """Compose pictures of all styles, a part of the line art traced -> [batch, 3, side, side], float32 in [-1, 1]."""
    pictures = compose_tensors(scenes, rng)
    for number, scene in enumerate(scenes):
        if scene.style == "lineart" and rng.random() < TRACED:
            drawn = draw_traced(scene, emoji.shade(scene.ground, rng))
            pictures[number] = torch.from_numpy(np.asarray(drawn).copy()).permute(2, 0, 1) / 127.5 - 1
    return pictures


def draw_traced(scene: emoji.Scene, colour: tuple[int, int, int]) -> Image.Image:
    """Draw a scene in black lines traced from its flat picture, on a ground of this colour (sRGB, 0-255)."""
    picture = Image.new("RGB", (emoji.PICTURE_SIZE, emoji.PICTURE_SIZE), colour)
    lines = emoji.trace(emoji.subject_picture(scene.subject, "flat", 2 * scene.size))
    if scene.flip:
        lines = lines.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture.paste("black", (scene.left, scene.top), lines)
    return picture


def label(scenes: list[emoji.Scene]) -> torch.Tensor:
    """Number what the scenes show -> subject, style, ground, [3, batch]."""
    columns = ((list(emoji.subjects()), "subject"), (ALL_STYLES, "style"), (list(emoji.GROUNDS), "ground"))
    return torch.tensor([[names.index(getattr(scene, part)) for scene in scenes] for names, part in columns])


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


def spoil(pictures: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Make of each picture [batch, 3, side, side] one that shows no subject; its neighbour helps where two mix."""
    ways = (smear, warp, shuffle_tiles, mix_halves, mix_over)
    return torch.stack([rng.choice(ways)(one, other, rng) for one, other in zip(pictures, pictures.roll(1, dims=0))])


def smear(picture: torch.Tensor, _: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Keep only the means of large tiles, with soft borders."""
    cells = rng.choice((3, 4, 5, 6))
    means = F.adaptive_avg_pool2d(picture[None], cells)
    return F.interpolate(means, picture.shape[1:], mode="bicubic", align_corners=False)[0].clamp(-1, 1)


def warp(picture: torch.Tensor, _: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Pull a picture's points about, smoothly, by up to a quarter of its width."""
    pulls = (torch.rand(1, 2, 5, 5) - 0.5) * rng.uniform(0.6, 1.0)
    field = F.interpolate(pulls, picture.shape[1:], mode="bicubic", align_corners=False).permute(0, 2, 3, 1)
    grid = F.affine_grid(torch.eye(2, 3)[None], [1, *picture.shape], align_corners=False)
    return F.grid_sample(picture[None], grid + field, padding_mode="border", align_corners=False)[0]


def shuffle_tiles(picture: torch.Tensor, _: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Cut a picture into 3 x 3 or 4 x 4 tiles and lay them in another order."""
    side = picture.shape[1] // rng.choice((3, 4))
    tiles = picture.unfold(1, side, side).unfold(2, side, side).flatten(1, 2)  # [3, tiles, side, side]
    count = picture.shape[1] // side
    tiles = tiles[:, torch.randperm(count * count)].view(3, count, count, side, side)
    return tiles.permute(0, 1, 3, 2, 4).reshape(picture.shape)


def mix_halves(picture: torch.Tensor, other: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Set one half of a picture beside, or above, one half of another."""
    side, turned = picture.shape[1] // 2, rng.random() < 0.5
    one, two = (each.mT if turned else each for each in (picture, other))
    both = torch.cat([one[:, :side], two[:, side:]], dim=1)
    return both.mT if turned else both


def mix_over(picture: torch.Tensor, other: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Lay two pictures over each other, both half seen through."""
    share = rng.uniform(0.4, 0.6)
    return share * picture + (1 - share) * other


def read_examples(folder: Path) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Read what `draw_examples` wrote -> pictures uint8, labels [3, count] (-1: not learnt), distances [count]."""
    saved = load_checkpoint(folder / "examples.pt", "cpu")
    labels = saved["labels"].clone()
    labels[0, saved["distances"] > FAR] = len(emoji.subjects())
    labels[:2, (saved["distances"] > NEAR) & (saved["distances"] <= FAR)] = -1
    labels[1, saved["distances"] > FAR] = -1  # a blot has no style
    labels[:2, saved["distances"].isnan()] = -1
    return saved["pictures"], labels, saved["distances"]


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
    soft = torch.cat([to_bytes(see_through(vae, compose_all(soft_scenes[start:start + 100], rng), LATENT_NOISE, device))
                      for start in range(0, THROUGH_VAE, 100)])
    soft_labels = label(soft_scenes)
    drawn, drawn_labels, _ = read_examples(folder)
    learnt = range(len(drawn) // 5, len(drawn))  # the first fifth is what it is measured on
    started = time.time()
    for step in range(first, steps):
        rng = random.Random(f"{seed} judge {step}")
        torch.manual_seed(seed * 1_000_003 + step)
        fresh, bad = draw_scenes(rng, FRESH), draw_scenes(rng, SPOILED)
        through, own = rng.sample(range(THROUGH_VAE), BATCH - FRESH - SPOILED - DRAWN), rng.sample(learnt, DRAWN)
        pictures = torch.cat([compose_all(fresh, rng), spoil(compose_all(bad, rng), rng), from_bytes(soft[through]),
                              from_bytes(drawn[own])])
        none = torch.tensor([len(emoji.subjects()), -1, -1])[:, None].expand(3, SPOILED)
        labels = torch.cat([label(fresh), none, soft_labels[:, through], drawn_labels[:, own]], dim=1).to(device)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * one_cycle(step, steps)
        losses = [F.cross_entropy(logits, wanted, label_smoothing=0.05, ignore_index=-1)
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


def to_bytes(pictures: torch.Tensor) -> torch.Tensor:
    """Turn [-1, 1] into uint8."""
    return ((pictures + 1) * 127.5).round().clamp(0, 255).byte()


def from_bytes(pictures: torch.Tensor) -> torch.Tensor:
    """Turn uint8 into [-1, 1]."""
    return pictures.float() / 127.5 - 1


@torch.no_grad()
def measure_judge(net: JudgeNet, vae: AutoencoderKL, folder: Path, device: str, seed: int = 1,
                  count: int = 2000) -> dict[str, dict[str, float]]:
    """Measure accuracy on new pictures: composed, composed at held-back sizes and places, and seen through the VAE.

    And of drawings it never saw: the share it gives the subject of their prompt, by their distance to true pictures.
    """
    results = {}
    for name, held, soft in (("composed", False, False), ("held_back", True, False), ("through_vae", False, True)):
        rng = random.Random(f"{seed} {name}")
        scenes = draw_scenes(rng, count, held)
        hits = np.zeros(3)
        for start in range(0, count, 100):
            part = scenes[start:start + 100]
            pictures = compose_all(part, rng)
            if soft:
                pictures = see_through(vae, pictures, LATENT_NOISE, device)
            for number, (logits, wanted) in enumerate(zip(net(pictures.to(device)), label(part))):
                hits[number] += (logits.argmax(dim=1).cpu() == wanted).sum().item()
        results[name] = dict(zip(("subject", "style", "ground"), (hits / count).round(4).tolist()))
    return results | {"drawn": measure_refusal(net, folder, device)}


def measure_refusal(net: JudgeNet, folder: Path, device: str) -> dict[str, float]:
    """Measure which share of drawings that it never learnt from the judge takes for their prompt's subject."""
    saved = load_checkpoint(folder / "examples.pt", "cpu")
    count = len(saved["pictures"]) // 5
    pictures = from_bytes(saved["pictures"][:count]).to(device)
    seen = torch.cat([net(part)[0].argmax(dim=1).cpu() for part in pictures.split(100)])
    taken, distances = (seen == saved["labels"][0, :count]).double(), saved["distances"][:count]
    bands = {"within_0.2": distances <= 0.2, "within_0.5": (distances > 0.2) & (distances <= FAR),
             "beyond_0.5": distances > FAR}
    return {name: round(taken[band].mean().item(), 4) for name, band in bands.items() if band.any()} | {
        f"{name}_count": int(band.sum()) for name, band in bands.items()}
