"""Draw as the camp's KolorsSampler does: diffusers' own schedulers under their own names, with Kolors' settings.

Nothing is mapped onto ComfyUI's samplers: each name is the class of diffusers, made from the model's own scheduler
config (scaled_linear 0.00085 to 0.014, 1100 steps, leading, steps_offset 1). The picture is KolorsPipeline's.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from diffusers import (
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    KolorsPipeline,
    SchedulerMixin,
    UniPCMultistepScheduler,
)
from torch import Tensor

from course_lib.model.text import Encoded
from course_lib.sampling.drawing import MOST_PLACES
from course_lib.sampling.guidance import build_guided
from course_lib.sampling.sigmas import model_sigmas, to_sigma
from course_lib.sampling.step import Callback, Step, report

# The names of the node, each with its class of diffusers and what is changed in the model's scheduler config.
KOLORS_SCHEDULERS: dict[str, tuple[type[SchedulerMixin], dict[str, object]]] = {
    "EulerDiscreteScheduler": (EulerDiscreteScheduler, {}),
    "EulerAncestralDiscreteScheduler": (EulerAncestralDiscreteScheduler, {}),
    "DPMSolverMultistepScheduler": (DPMSolverMultistepScheduler, {}),
    "DPMSolverMultistepScheduler_SDE_karras": (DPMSolverMultistepScheduler, {"algorithm_type": "sde-dpmsolver++",
                                                                             "use_karras_sigmas": True}),
    "UniPCMultistepScheduler": (UniPCMultistepScheduler, {}),
    "DEISMultistepScheduler": (DEISMultistepScheduler, {}),
}


@dataclass(frozen=True)
class Asked:
    """What a KolorsSampler is set to; width and height in px that the model can draw."""

    width: int
    height: int
    seed: int
    steps: int
    cfg: float
    scheduler: str
    denoise: float = 1.0


@torch.inference_mode()
def draw_latents(pipe: KolorsPipeline, prompts: Sequence[Encoded], negative: Encoded, asked: Asked,
                 latents: Tensor | None = None, callback: Callback | None = None) -> Tensor:
    """Draw one latent for each prompt, [prompts, channels, height, width], scaled as the UNet sees them.

    The noise of all comes from one seed, as in KolorsPipeline, so the first is what it is alone. Latents given
    [1 or prompts, ...] are what denoise < 1 starts from (image-to-image, as KolorsImg2ImgPipeline does).
    """
    device, factor = pipe.unet.device, pipe.vae_scale_factor
    generator = torch.Generator().manual_seed(asked.seed)
    shape = (len(prompts), pipe.vae.config.latent_channels, asked.height // factor, asked.width // factor)
    noise = torch.randn(shape, generator=generator).to(device)
    size = max(1, MOST_PLACES // noise[0, 0].numel())
    parts = [range(len(prompts))[start:start + size] for start in range(0, len(prompts), size)]
    drawn = []
    for number, part in enumerate(parts):
        given = None if latents is None else latents.to(device).expand(len(prompts), -1, -1, -1)[part[0]:part[-1] + 1]
        tell = count_on(callback, number, len(parts))
        texts = [prompts[row] for row in part], negative
        drawn.append(draw_part(pipe, texts, asked, noise[part[0]:part[-1] + 1], given, generator, tell))
    return torch.cat(drawn)


def count_on(callback: Callback | None, part: int, parts: int) -> Callback | None:
    """Return a callback that counts the steps of all parts as one row."""
    if callback is None or parts == 1:
        return callback
    return lambda step: callback(Step(part * step.steps + step.index, parts * step.steps, step.sigma, step.x,
                                      step.denoised))


def draw_part(pipe: KolorsPipeline, texts: tuple[Sequence[Encoded], Encoded], asked: Asked, noise: Tensor,
              latents: Tensor | None, generator: torch.Generator, callback: Callback | None) -> Tensor:
    """Draw the latents of one batch."""
    solver = make_solver(pipe, asked.scheduler)
    solver.set_timesteps(asked.steps, device=noise.device)
    times, x = solver.timesteps, noise * solver.init_noise_sigma
    if latents is not None:
        first = asked.steps - min(int(asked.steps * asked.denoise), asked.steps)
        times = times[first:]
        if not len(times):
            return latents
        x = solver.add_noise(latents, noise, times[:1].expand(len(noise)))
    see_noise = build_guided(pipe, *texts, asked.cfg, (asked.height, asked.width))
    options = {"generator": generator} if takes_generator(solver) else {}
    to_picture = build_guess(pipe)
    for index, time in enumerate(times):
        scaled = solver.scale_model_input(x, time)
        seen = see_noise(scaled, time)
        report(callback, Step(index, len(times), *to_picture(scaled, seen, time)))
        x = solver.step(seen, time, x, return_dict=False, **options)[0]
    return x


def make_solver(pipe: KolorsPipeline, name: str) -> SchedulerMixin:
    """Return the scheduler of a name, with the model's own config."""
    kind, changes = KOLORS_SCHEDULERS[name]
    return kind.from_config({**pipe.scheduler.config, **changes})


def takes_generator(solver: SchedulerMixin) -> bool:
    """Say whether a scheduler's step draws noise."""
    return "generator" in inspect.signature(solver.step).parameters


def build_guess(pipe: KolorsPipeline) -> Callable[[Tensor, Tensor, Tensor], tuple[float, Tensor, Tensor]]:
    """Return guess(scaled, noise, time) -> sigma, x and the picture that the model sees in it, x - sigma * noise.

    All these schedulers show the UNet x / sqrt(1 + sigma^2), whichever scale they keep x in themselves.
    """
    model = model_sigmas(pipe.scheduler.config).to(pipe.unet.device)

    def guess(scaled: Tensor, noise: Tensor, time: Tensor) -> tuple[float, Tensor, Tensor]:
        sigma = to_sigma(time.float(), model)
        x = scaled * (1 + sigma ** 2).sqrt()
        return float(sigma), x, x - sigma * noise

    return guess
