"""What the samplers share: one look through the model with its report, and the small formulas that they all use.

Every sampler is a function (denoise, x, sigmas, *, noise, callback) -> x. x is a batch of noisy latents, [batch, ...];
sigmas the noise levels to pass, [steps + 1], descending, mostly to 0; denoise(x, sigma) -> x0 the model's guess of the
picture without noise; noise(sigma, sigma_next) -> fresh noise like x, for the samplers that add some.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Step:
    """What a callback sees of a step (index 0 to steps - 1): the noisy latent x at sigma, and the guess denoised."""

    index: int
    steps: int  # dpm_adaptive, which chooses its own number, tells the number asked for
    sigma: float
    x: Tensor
    denoised: Tensor


Callback = Callable[[Step], object]


class Cancelled(Exception):
    """Leave a sampler whose callback has returned True."""


def report(callback: Callback | None, step: Step) -> None:
    """Tell a callback about a step; Cancelled if it returns True."""
    if callback is not None and callback(step) is True:
        raise Cancelled


def predict(denoise: Denoise, x: Tensor, sigmas: Tensor, index: int, callback: Callback | None) -> Tensor:
    """Look through the model at the start of a step and report it; return denoised, like x."""
    denoised = denoise(x, sigmas[index])
    report(callback, Step(index, len(sigmas) - 1, float(sigmas[index]), x, denoised))
    return denoised


def to_derivative(x: Tensor, sigma: Tensor, denoised: Tensor) -> Tensor:
    """Return dx/dsigma of the probability-flow ODE (Karras 2022, equation 3): the noise in x as the model sees it."""
    return (x - denoised) / sigma


def exponential_step(x: Tensor, denoised: Tensor, sigma: Tensor, sigma_next: Tensor) -> Tensor:
    """Go from sigma to sigma_next towards denoised: exact while denoised stays the same (Lu 2022, DPM-Solver++)."""
    return denoised + sigma_next / sigma * (x - denoised)


def log_step(sigma: Tensor, sigma_next: Tensor) -> Tensor:
    """Return the length h of a step in lambda = -log sigma, half the logarithm of the signal-to-noise ratio."""
    return sigma.log() - sigma_next.log()


def ancestral_step(sigma: Tensor, sigma_next: Tensor, eta: float = 1.0) -> tuple[Tensor, Tensor]:
    """Split a step (Song 2021, DDIM, equation 16): the sigma to go down to, and the sigma of the noise to add then."""
    sigma_up = eta * sigma_next * (1 - (sigma_next / sigma) ** 2).sqrt()
    sigma_up = torch.minimum(sigma_next, sigma_up)
    return (sigma_next ** 2 - sigma_up ** 2).sqrt(), sigma_up
