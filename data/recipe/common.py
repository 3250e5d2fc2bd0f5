"""What every stage of the recipe shares: batches of composed pictures, and checkpoints that survive a cut."""

import json
import math
import random
from pathlib import Path

import torch

from course_lib.pictures import emoji
from course_lib.pictures.classifier import to_tensor

HERE = Path(__file__).parent
ALL_STYLES = tuple(emoji.STYLES)


def compose_batch(scenes: list[emoji.Scene], rng: random.Random) -> torch.Tensor:
    """Compose pictures with jittered ground colours -> [batch, 3, 64, 64], float32 in [-1, 1]."""
    return to_tensor([emoji.compose(scene, emoji.shade(scene.ground, rng)) for scene in scenes])


def lighter_numbers(device: str) -> torch.autocast:
    """Compute in bfloat16 where the machine is faster in it: on a GPU, and on CPUs with instructions for it."""
    fast = device == "cuda" or torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.autocast(device, torch.bfloat16, enabled=fast)


def one_cycle(step: int, steps: int, warm_up: float = 0.05, last: float = 0.02) -> float:
    """Return the factor of the learning rate at `step`: linear warm-up, then a half cosine down to `last`."""
    done = step / steps
    if done < warm_up:
        return (step + 1) / (steps * warm_up)
    return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))


def long_run(step: int, steps: int, warm_up: int = 100, descent: float = 0.2, last: float = 0.02) -> float:
    """Return the factor of the learning rate: warm-up steps, a plateau, and a half cosine down over the last share.

    On the plateau nothing depends on where the end lies (Hu et al. 2024, arXiv 2404.06395): a training can be made
    longer, and its descent begun from any checkpoint.
    """
    left = (steps - step) / (steps * descent)
    if left < 1:
        return last + (1 - last) * 0.5 * (1 - math.cos(math.pi * left))
    return min(1.0, (step + 1) / warm_up)


def save_checkpoint(path: Path, **state) -> None:
    """Write a checkpoint beside its place and rename it, so that a cut leaves the last one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def load_checkpoint(path: Path, device: str) -> dict | None:
    """Read this recipe's own checkpoint (tensors and plain values only), or return None where there is none."""
    return torch.load(path, map_location=device, weights_only=True) if path.exists() else None


def log(path: Path, **record) -> None:
    """Append one record to a JSON-lines log and print it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(record) + "\n")
    print(" ".join(f"{name} {value}" for name, value in record.items()), flush=True)
