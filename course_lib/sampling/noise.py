"""Noise from a seed, drawn on the CPU: every machine gets the same, and each picture its own whatever is beside it.

What starts a picture and what is drawn anew in each step is ComfyUI's own noise for the seed. The path of the SDE
samplers is ComfyUI's where the package torchsde is installed, and else one of the course's own, another for each seed.
"""

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor

from course_lib.messages import text

Noise = Callable[[Tensor, Tensor], Tensor]

# The SDE solvers of DPM-Solver++ read their noise off one path, so that more steps come closer to one picture.
PATH_SAMPLERS = frozenset({"dpmpp_sde", "dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m_sde"})
PATH_DEPTH = 24  # halvings: 1e-6 of sigma between two points


def start_noise(seeds: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Draw the noise that each seed's picture starts from, [seeds, *shape], float32: ComfyUI's own for that seed."""
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def step_noise(sampler_name: str, seeds: Sequence[int], shape: Sequence[int], sigmas: Tensor,
               highest: float) -> Noise:
    """Return the noise(sigma, sigma_next) -> [seeds, *shape] that a sampler adds between two of its steps.

    sigmas are those that the picture passes; highest is the model's highest, where the course's own paths begin.
    """
    if not follows_path(sampler_name):
        return fresh_noise(seeds, shape)
    return tree_noise(seeds, shape, sigmas) if has_torchsde() else path_noise(seeds, shape, highest)


def follows_path(sampler_name: str) -> bool:
    """Tell whether a sampler reads all its noise off one path."""
    return sampler_name.removesuffix("_gpu") in PATH_SAMPLERS


@cache
def has_torchsde() -> bool:
    """Tell whether the package torchsde, which draws the paths of ComfyUI, is installed with what it needs."""
    return all(importlib.util.find_spec(name) for name in ("torchsde", "trampoline"))


def tell_noise(sampler_name: str) -> list[str]:
    """Return what a learner should know about a sampler's noise: nothing, or that ComfyUI draws another picture."""
    own = follows_path(sampler_name) and not has_torchsde()
    return [text("noise_own_path", sampler_name=sampler_name)] if own else []


def fresh_noise(seeds: Sequence[int], shape: Sequence[int]) -> Noise:
    """Return a noise that is new at every call; from seed + 1, for seed itself would begin with the start noise."""
    generators = [torch.Generator().manual_seed((seed + 1) % 2**64) for seed in seeds]
    return lambda sigma, sigma_next: torch.stack([torch.randn(shape, generator=one) for one in generators])


def tree_noise(seeds: Sequence[int], shape: Sequence[int], sigmas: Tensor) -> Noise:
    """Return ComfyUI's own noise: one Brownian tree of torchsde per seed, from the first sigma to the last above 0."""

    @cache  # a single step asks for no noise, and has no two ends for a tree
    def grow() -> list[Callable[[Tensor, Tensor], Tensor]]:
        from torchsde import BrownianTree

        low, high = sigmas[sigmas > 0].min().cpu(), sigmas.max().cpu()
        return [BrownianTree(low, torch.zeros(*shape), high, entropy=seed) for seed in seeds]

    def noise(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        start, end = sigma.cpu(), sigma_next.cpu()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Should have")  # that the ends differ from 1.924677 by their rounding
            ways = torch.stack([tree(end, start) for tree in grow()])
        return -ways / (start - end).sqrt()  # the way down, against a tree's direction

    return noise


def path_noise(seeds: Sequence[int], shape: Sequence[int], sigma_max: float) -> Noise:
    """Return the noise of one Brownian path over sigma per seed: the way between two sigmas, scaled to variance 1."""
    walks = [brownian_path(seed, shape, sigma_max) for seed in seeds]

    def noise(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        start, end = float(sigma), float(sigma_next)
        ways = np.stack([walk(end) - walk(start) for walk in walks])
        return torch.from_numpy(ways / abs(end - start) ** 0.5).float()

    return noise


def brownian_path(seed: int, shape: Sequence[int], end: float) -> Callable[[float], np.ndarray]:
    """Return the point of a seed's Brownian path at a time from 0 to end, halving towards it (Levy 1948).

    Each half-way point is drawn from the seed and the point's own number, so the path is the same whatever is asked.
    """
    def draw(number: int) -> np.ndarray:
        return np.random.default_rng([seed, number]).standard_normal(shape)

    @lru_cache(maxsize=4)  # a step begins where the one before ended
    def walk(time: float) -> np.ndarray:
        low, high, at_low, at_high, number = 0.0, end, np.zeros(shape), end ** 0.5 * draw(0), 1
        for _ in range(PATH_DEPTH):
            middle = (low + high) / 2
            at_middle = (at_low + at_high) / 2 + (high - low) ** 0.5 / 2 * draw(number)
            if time < middle:
                high, at_high, number = middle, at_middle, 2 * number
            else:
                low, at_low, number = middle, at_middle, 2 * number + 1
        return at_low + (at_high - at_low) * (time - low) / (high - low)

    return walk
