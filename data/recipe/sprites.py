"""Composed pictures as tensors, made without PIL in the loop: each subject is drawn once a size and style and kept."""

import random
from dataclasses import replace
from functools import cache

import numpy as np
import torch

from course_lib.pictures import emoji


@cache
def sprite(subject: str, style: str, size: int) -> torch.Tensor:
    """Return a subject as it stands in a composed picture, [4, size, size], uint8: red, green, blue, alpha."""
    drawn = emoji.subject_at(subject, style, size, emoji.PICTURE_SIZE)
    return torch.from_numpy(np.asarray(drawn).copy()).permute(2, 0, 1)


def compose_tensor(scene: emoji.Scene, colour: tuple[int, int, int]) -> torch.Tensor:
    """Compose a scene on a ground of this colour (sRGB, 0-255) -> [3, side, side], float32 in [-1, 1]."""
    drawn = sprite(scene.subject, scene.style, scene.size).float() / 255
    drawn = drawn.flip(-1) if scene.flip else drawn
    picture = (torch.tensor(colour).float() / 255).view(3, 1, 1).repeat(1, emoji.PICTURE_SIZE, emoji.PICTURE_SIZE)
    window = picture[:, scene.top:scene.top + scene.size, scene.left:scene.left + scene.size]
    window.copy_(window * (1 - drawn[3:]) + drawn[:3] * drawn[3:])
    return picture * 2 - 1


def random_scene(rng: random.Random, styles: tuple[str, ...], anywhere: float = 0.0) -> emoji.Scene:
    """Draw a scene of no kept-out pair; a share of them in any size and place, as a VAE should know them."""
    while True:
        scene = emoji.random_scene(rng, styles)
        if (scene.subject, scene.style) not in emoji.kept_pairs():
            break
    if rng.random() >= anywhere:
        return scene
    size = rng.randrange(60, 93, 4)  # few sizes, so that their sprites are few
    room = emoji.PICTURE_SIZE - size
    return replace(scene, size=size, left=rng.randint(0, room), top=rng.randint(0, room))


def compose_tensors(scenes: list[emoji.Scene], rng: random.Random) -> torch.Tensor:
    """Compose pictures with jittered ground colours -> [batch, 3, side, side], float32 in [-1, 1]."""
    return torch.stack([compose_tensor(scene, emoji.shade(scene.ground, rng)) for scene in scenes])
