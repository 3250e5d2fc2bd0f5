"""Which noise levels a picture passes: the model's own sigmas, the nine schedulers, and ComfyUI's rules for using them.

sigma is the standard deviation of the noise in x = x0 + sigma * noise, x0 being a latent (Karras 2022, 2206.00364).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.sampling.settings import SamplerSettings

# For these ComfyUI makes one sigma more, and leaves out the one before 0.
DISCARD_PENULTIMATE = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})


def model_sigmas(scheduler_config: Mapping[str, Any]) -> Tensor:
    """Return the sigma of each training step, [train_steps], float32, ascending; ValueError unless scaled_linear."""
    if scheduler_config["beta_schedule"] != "scaled_linear":
        raise ValueError(f"beta_schedule {scheduler_config['beta_schedule']!r}: the course knows scaled_linear")
    first, last = scheduler_config["beta_start"] ** 0.5, scheduler_config["beta_end"] ** 0.5
    betas = torch.linspace(first, last, scheduler_config["num_train_timesteps"], dtype=torch.float64) ** 2
    alphas_bar = torch.cumprod(1 - betas, dim=0)  # Ho 2020: the share of x0 in the variance
    return ((1 - alphas_bar) / alphas_bar).sqrt().float()


def to_timestep(sigma: Tensor, model_sigmas: Tensor) -> Tensor:
    """Return the training step whose sigma is nearest in its logarithm, an integer tensor: what the UNet is told."""
    return (model_sigmas.log() - sigma.log()).abs().argmin()


def to_sigma(timesteps: Tensor, model_sigmas: Tensor) -> Tensor:
    """Return the sigmas of training steps that may lie between two: straight lines in log sigma."""
    below, above = model_sigmas.log()[timesteps.floor().long()], model_sigmas.log()[timesteps.ceil().long()]
    share = timesteps.frac()
    return ((1 - share) * below + share * above).exp()


def append_zero(sigmas: Tensor) -> Tensor:
    """Return sigmas with a 0 after them: the last step ends at a picture without noise."""
    return torch.cat([sigmas, sigmas.new_zeros(1)])


def simple(steps: int, model_sigmas: Tensor) -> Tensor:
    """Return every n-th of the model's sigmas, from the top."""
    apart = len(model_sigmas) / steps
    return append_zero(model_sigmas[[-1 - int(step * apart) for step in range(steps)]])


def ddim_uniform(steps: int, model_sigmas: Tensor) -> Tensor:
    """Return every n-th of the model's sigmas, from the second one up; not always as many as asked for."""
    return append_zero(model_sigmas[1::max(len(model_sigmas) // steps, 1)].flip(0))


def normal(steps: int, model_sigmas: Tensor) -> Tensor:
    """Return the sigmas at equal distances in training steps, both ends included."""
    return append_zero(to_sigma(torch.linspace(len(model_sigmas) - 1, 0, steps), model_sigmas))


def sgm_uniform(steps: int, model_sigmas: Tensor) -> Tensor:
    """Return the sigmas at equal distances in training steps, without the lowest one."""
    return append_zero(to_sigma(torch.linspace(len(model_sigmas) - 1, 0, steps + 1)[:-1], model_sigmas))


def karras(steps: int, model_sigmas: Tensor, rho: float = 7.0) -> Tensor:
    """Return sigmas at equal distances in sigma^(1/rho) (Karras 2022, equation 5): many small steps near the end."""
    high, low = float(model_sigmas[-1]) ** (1 / rho), float(model_sigmas[0]) ** (1 / rho)
    return append_zero((high + torch.linspace(0, 1, steps) * (low - high)) ** rho)


def exponential(steps: int, model_sigmas: Tensor) -> Tensor:
    """Return sigmas at equal distances in log sigma: each is the same fraction of the one before."""
    return append_zero(torch.linspace(model_sigmas[-1].log(), model_sigmas[0].log(), steps).exp())


def kl_optimal(steps: int, model_sigmas: Tensor) -> Tensor:
    """Return sigmas at equal distances in arctan sigma (Sabour 2024, Align Your Steps, arXiv 2404.14507)."""
    ramp = torch.arange(steps) / max(steps - 1, 1)  # one step starts at the top, where ComfyUI's gives NaN
    high, low = math.atan(model_sigmas[-1]), math.atan(model_sigmas[0])
    return append_zero((ramp * low + (1 - ramp) * high).tan())


def linear_quadratic(steps: int, model_sigmas: Tensor, threshold: float = 0.025) -> Tensor:
    """Return sigmas that fall straight and slowly for half of the steps, then along a parabola (Polyak 2024)."""
    if steps == 1:
        return append_zero(model_sigmas[-1:])
    straight = steps // 2
    step = torch.arange(steps + 1, dtype=torch.float64)
    curve = (step - straight).clamp(min=0) / (steps - straight)
    fallen = threshold * step / straight + (1 - threshold * steps / straight) * curve ** 2
    return (1 - fallen).float() * model_sigmas[-1]


def beta(steps: int, model_sigmas: Tensor, shape: float = 0.6) -> Tensor:
    """Return the sigmas at quantiles of a Beta(0.6, 0.6), dense at both ends (Lee 2024, arXiv 2407.12173)."""
    last = len(model_sigmas) - 1
    wanted = 1 - np.linspace(0, 1, steps, endpoint=False)
    # A quantile rounded to a training step is the number of half steps whose cumulated probability lies below it.
    timesteps = np.searchsorted(beta_cdf((np.arange(last) + 0.5) / last, shape), wanted, side="right")
    return append_zero(model_sigmas[torch.from_numpy(np.unique(timesteps)[::-1].copy())])


def beta_cdf(t: np.ndarray, shape: float) -> np.ndarray:
    """Return the cumulated probability of Beta(shape, shape) at t in 0..1, by its power series."""
    k = np.arange(60)  # below 1/2 each term is less than half of the one before
    ratios = np.concatenate([[1.0], (k[1:] - shape) / k[1:]])
    series = np.cumprod(ratios) / (shape + k)

    def below_half(t: np.ndarray) -> np.ndarray:
        return t ** shape * (t[:, None] ** k @ series)

    whole = 2 * below_half(np.array([0.5]))
    rising = below_half(np.minimum(t, 1 - t)) / whole
    return np.where(t <= 0.5, rising, 1 - rising)  # the distribution is symmetrical


Scheduler = Callable[[int, Tensor], Tensor]
SCHEDULERS: dict[str, Scheduler] = {
    "simple": simple, "sgm_uniform": sgm_uniform, "karras": karras, "exponential": exponential,
    "ddim_uniform": ddim_uniform, "beta": beta, "normal": normal, "linear_quadratic": linear_quadratic,
    "kl_optimal": kl_optimal,
}


def make_sigmas(settings: SamplerSettings, model_sigmas: Tensor) -> Tensor:
    """Return the sigmas of a picture's steps by its steps, sampler_name, scheduler and denoise, as ComfyUI does.

    [steps + 1], descending to 0; denoise d < 1 keeps the last of a schedule of int(steps / d); d = 0 gives no sigma.
    """
    if settings.denoise <= 0:
        return model_sigmas[:0]
    steps = settings.steps if settings.denoise > 0.9999 else int(settings.steps / settings.denoise)
    discard = settings.sampler_name in DISCARD_PENULTIMATE
    sigmas = SCHEDULERS[settings.scheduler](steps + discard, model_sigmas)
    if discard:
        sigmas = torch.cat([sigmas[:-2], sigmas[-1:]])
    if steps > settings.steps:
        sigmas = sigmas[-(settings.steps + 1):]
    # More steps than the model has repeat some sigmas; some samplers would divide by the length of such a step, 0.
    return torch.unique_consecutive(sigmas)
