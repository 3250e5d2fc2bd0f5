"""What the UNet says of a noisy latent, guided from one text to another (classifier-free guidance)."""

import math
from collections.abc import Callable, Sequence

import torch
from diffusers import KolorsPipeline
from torch import Tensor

from course_lib.model.latents import place_of_unet, takes_turns
from course_lib.model.text import LENGTH, Encoded, join_texts, pad_texts
from course_lib.model.unet import prepare_unet
from course_lib.sampling.sigmas import to_timestep


def build_denoiser(pipe: KolorsPipeline, texts: Sequence[Encoded], cfgs: Sequence[float], model: Tensor,
                   size: tuple[int, int]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return denoise(x, sigma) -> x0: the UNet, guided from texts[1] to texts[0] by one cfg per picture (Ho 2022).

    Both texts go through the UNet in one batch; a picture with cfg 1 needs only the first. size: (height, width) in px.
    """
    see_both = build_both(pipe, texts, cfgs, model, size)
    return lambda x, sigma: see_both(x, sigma)[0]


def build_both(pipe: KolorsPipeline, texts: Sequence[Encoded], cfgs: Sequence[float], model: Tensor,
               size: tuple[int, int], *, always: bool = False) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return see(x, sigma) -> x0 as `build_denoiser`'s, and x0 by texts[1] alone, which the CFG++ samplers need.

    A picture with cfg 1 takes the one for the other, unless they are `always` two.
    """
    device = place_of_unet(pipe)[0]
    guided = [row for row, cfg in enumerate(cfgs) if always or not math.isclose(cfg, 1.0)]
    rows = torch.tensor(guided, dtype=torch.long, device=device)
    factors = torch.tensor([cfgs[row] for row in guided], device=device).view(-1, 1, 1, 1)
    see_noise = build_predictor(pipe, [texts[0]] * len(cfgs) + [texts[1]] * len(guided), size)

    def see(x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        scaled = x / (1 + sigma ** 2).sqrt()
        noise = see_noise(torch.cat([scaled, scaled[rows]]), to_timestep(sigma, model))
        x0 = x - sigma * noise[:len(x)]
        unguided = x0.clone()
        if guided:
            unguided[rows] = x[rows] - sigma * noise[len(x):]
            x0[rows] = unguided[rows] + factors * (x0[rows] - unguided[rows])
        return x0, unguided

    return see


def build_predictor(pipe: KolorsPipeline, texts: Sequence[Encoded],
                    size: tuple[int, int]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return see_noise(x, timestep) -> noise in float32 of the UNet, one text for each picture; size in px."""
    unet = pipe.unet
    device, dtype = place_of_unet(pipe)
    told = torch.tensor([[*size, 0, 0, *size]], device=device).expand(len(texts), -1)  # original, crop, target
    if takes_turns(pipe):  # only a call of the whole UNet brings it to the GPU
        whole = pad_texts(texts, LENGTH, dtype, device)
        beside = {"text_embeds": whole.pooled, "time_ids": told}
        return lambda x, timestep: unet(x.to(dtype), timestep, whole.states, added_cond_kwargs=beside,
                                        return_dict=False)[0].float()
    see_noise = prepare_unet(unet, join_texts(texts, dtype, device), told)
    return lambda x, timestep: see_noise(x.to(dtype), timestep.to(device)).float()


def build_guided(pipe: KolorsPipeline, texts: Sequence[Encoded], negative: Encoded, cfg: float,
                 size: tuple[int, int]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return see_noise(x, timestep) as `build_predictor` does, guided by one cfg from one negative text to each text.

    As in diffusers, a cfg of 1 or less guides nothing.
    """
    if cfg <= 1:
        return build_predictor(pipe, texts, size)
    see_both = build_predictor(pipe, [*texts, *[negative] * len(texts)], size)

    def see_noise(x: Tensor, timestep: Tensor) -> Tensor:
        towards, away = see_both(torch.cat([x, x]), timestep).chunk(2)
        return away + cfg * (towards - away)

    return see_noise
