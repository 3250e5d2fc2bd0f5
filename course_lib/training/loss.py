"""The loss of a training step: how far the predicted noise is from the noise that was added.

Symbols as in Ho 2020 (arXiv 2006.11239): x0 the latents, alpha_bar the share of x0 that is left at a noise level.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import KolorsPipeline, UNet2DConditionModel
from torch import Tensor

from course_lib.model.text import LENGTH, Condition, Encoded, join_texts, pad_texts
from course_lib.training.config import TrainConfig
from course_lib.training.examples import Example

MASK_SCALE = 10_000  # diffusers' UNet adds (mask - 1) * 10000 to the scores of the cross-attention


@dataclass(frozen=True)
class Batch:
    """What one look of the UNet needs: x0 and noise [batch, channels, height, width], noise levels [batch], texts."""

    x0: Tensor
    noise: Tensor
    levels: Tensor
    texts: Condition
    pixels: tuple[int, int]  # height and width of the picture


def make_generator(*parts: object) -> torch.Generator:
    """Return a generator whose numbers these parts alone decide: a step that is done again draws the same."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") % 2**63)


def noise_batch(pipe: KolorsPipeline, examples: Sequence[Example], empty: Encoded, config: TrainConfig,
               generator: torch.Generator) -> Batch:
    """Draw for each example a variant, noise and a noise level, and leave out some captions, as the settings say."""
    count, train_steps = len(examples), pipe.scheduler.config.num_train_timesteps
    variants = [int(torch.randint(len(example.latents), (), generator=generator)) for example in examples]
    dropped = torch.rand(count, generator=generator) < config.caption_dropout
    x0 = torch.stack([example.latents[variant] for example, variant in zip(examples, variants)])
    noise = torch.randn(x0.shape, generator=generator)
    if config.offset_noise:
        noise += config.offset_noise * torch.randn(*x0.shape[:2], 1, 1, generator=generator)
    # one level from each part of the schedule: the mean over the batch wavers less, each level is as likely as before
    shares = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    levels = (shares * train_steps).long().clamp(max=train_steps - 1)
    texts = [empty if drop else example.text for example, drop in zip(examples, dropped)]
    return place_batch(pipe, x0, noise, levels, texts)


def fix_batches(pipe: KolorsPipeline, examples: Sequence[Example], config: TrainConfig) -> list[Batch]:
    """Return the batches of the validation: for each example the same noise and the same levels each time."""
    batches, train_steps = [], pipe.scheduler.config.num_train_timesteps
    count = config.validation_levels
    for number, example in enumerate(examples):
        x0 = example.latents[:1].expand(count, -1, -1, -1)
        noise = torch.randn(x0.shape, generator=make_generator("validation", config.seed, number))
        levels = ((torch.arange(count) + 0.5) / count * train_steps).long()
        batches.append(place_batch(pipe, x0, noise, levels, [example.text] * count))
    return batches


def place_batch(pipe: KolorsPipeline, x0: Tensor, noise: Tensor, levels: Tensor, texts: Sequence[Encoded]) -> Batch:
    """Put a batch where the UNet is."""
    device, dtype = pipe.unet.device, pipe.unet.dtype
    height, width = (side * pipe.vae_scale_factor for side in x0.shape[2:])
    # in 16 bits diffusers' mask cannot carry what a pad weighs: there every text keeps its 256 tokens
    condition = (join_texts(texts, dtype, device) if dtype == torch.float32
                 else pad_texts(texts, LENGTH, dtype, device))
    return Batch(x0.to(device, torch.float32), noise.to(device), levels.to(device), condition, (height, width))


def noise_loss(unet: UNet2DConditionModel, batch: Batch, alphas_bar: Tensor,
               config: TrainConfig) -> tuple[Tensor, Tensor]:
    """Return the mean squared error of the predicted noise, weighted as the settings say, and unweighted."""
    errors = (predict_noise(unet, batch, alphas_bar) - batch.noise).square().mean(dim=(1, 2, 3))
    return (errors * weigh_levels(alphas_bar[batch.levels], config)).mean(), errors.mean().detach()


def predict_noise(unet: UNet2DConditionModel, batch: Batch, alphas_bar: Tensor) -> Tensor:
    """Add a batch's noise to its latents and return what the UNet takes for noise, in float32."""
    alpha_bar = alphas_bar[batch.levels].view(-1, 1, 1, 1)
    noisy = alpha_bar.sqrt() * batch.x0 + (1 - alpha_bar).sqrt() * batch.noise
    # original size, crop, target size: what a picture that is drawn later is told too
    size = torch.tensor([[*batch.pixels, 0, 0, *batch.pixels]], device=noisy.device, dtype=unet.dtype)
    told = {"text_embeds": batch.texts.pooled, "time_ids": size.expand(len(noisy), -1)}
    return unet(noisy.to(unet.dtype), batch.levels, batch.texts.states, added_cond_kwargs=told,
                encoder_attention_mask=to_mask(batch.texts.bias), return_dict=False)[0].float()


def to_mask(bias: Tensor | None) -> Tensor | None:
    """Return the mask [batch, tokens] that diffusers' UNet turns into this bias, up to what softmax passes over."""
    if bias is None:
        return None
    bias = bias[:, 0, 0].double()
    return (1 + (bias - bias.amax(dim=1, keepdim=True)) / MASK_SCALE).float()  # below 1 a float32 is finer than above


def weigh_levels(alpha_bar: Tensor, config: TrainConfig) -> Tensor:
    """Return the weight of each noise level: 1, or min(SNR, gamma) / SNR (Hang 2023), with 1 added for the form "v"."""
    if not config.min_snr_gamma:
        return torch.ones_like(alpha_bar)
    snr = alpha_bar / (1 - alpha_bar)
    return (snr.clamp(max=config.min_snr_gamma) + (config.min_snr_form == "v")) / snr
