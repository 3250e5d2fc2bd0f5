"""Make the picture that ComfyUI's KSampler makes with these settings: `generate`, and what lies before and after it.

A latent here is [1, channels, height, width], float32, scaled as the UNet sees it (what the VAE encodes times its
scaling_factor); an empty one is zero.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from numbers import Integral

import torch
from diffusers import KolorsPipeline
from PIL import Image
from torch import Tensor

from course_lib.messages import error, text
from course_lib.noise import start_noise, step_noise, tell_noise
from course_lib.pipeline import Picture, check_text, find_unknown_words, shorten
from course_lib.prompts import LENGTH, Encoded, encode_text, join_texts, pad_texts
from course_lib.sampler_step import Callback
from course_lib.samplers import CFG_PP, SAMPLERS, check_names, make_sigmas, model_sigmas
from course_lib.settings import SamplerSettings, check_settings
from course_lib.sigmas import to_timestep
from course_lib.unet_steps import prepare_unet

MOST_PLACES = 2**15  # latent places in one batch: 128 pictures of Tiny Kolors, 2 of Kolors at 1024 px
MOST_TIMES = 4  # the longest side of a picture, in multiples of the size that the model was trained at
ALONE = frozenset({"dpm_adaptive"})  # chooses its steps by the whole batch, so each picture has to be one


def generate(pipe: KolorsPipeline, prompt: str, settings: SamplerSettings | Sequence[SamplerSettings], *,
             negative_prompt: str = "", latent: Tensor | None = None,
             callback: Callback | None = None) -> Picture | list[Picture]:
    """Draw the picture of these settings, or the list of pictures of a list of them; LessonError for what is wrong.

    Settings that share all but seed and cfg are drawn in one batch. A latent (`encode_picture`) with denoise < 1 makes
    image-to-image of it. callback(Step) is told each step of each batch and cancels by returning True (Cancelled).
    """
    several = isinstance(settings, (list, tuple))
    wanted = list(settings) if several else [settings]
    unknown = find_unknown_words(prompt)
    check_text("negative_prompt", negative_prompt)
    for one in wanted:
        check_settings(one, pipe.scheduler.config.num_train_timesteps)
        check_names(one.sampler_name, one.scheduler)
    latent = empty_latent(pipe) if latent is None else check_latent(pipe, latent)
    texts = encode_text(pipe, prompt), encode_text(pipe, negative_prompt)
    notes = tell_notes(unknown, texts)
    pictures: list[Picture | None] = [None] * len(wanted)
    for rows in split_batches([sampling_of(one) for one in wanted], MOST_PLACES // latent[0, 0].numel()):
        batch = [wanted[row] for row in rows]
        started = time.perf_counter()
        images = to_images(pipe, sample(pipe, texts, batch, latent, callback))
        seconds = (time.perf_counter() - started) / len(rows)
        for row, one, image in zip(rows, batch, images):
            caption = "\n".join([describe(prompt, one, image), *notes, *tell_noise(one.sampler_name)])
            pictures[row] = Picture(image, caption, seconds, one, prompt, negative_prompt)
    return pictures if several else pictures[0]


def sampling_of(settings: SamplerSettings) -> tuple[object, ...]:
    """Return the settings that all pictures of a batch share."""
    return settings.sampler_name, settings.scheduler, settings.steps, settings.denoise


def split_batches(samplings: Sequence[tuple[object, ...]], most: int) -> list[list[int]]:
    """Return which pictures are drawn together: equal samplings, at most so many, one by one where a batch matters."""
    order = sorted(range(len(samplings)), key=lambda row: samplings[row])
    batches = []
    for sampling, group in groupby(order, key=lambda row: samplings[row]):
        rows, size = list(group), 1 if sampling[0] in ALONE else max(most, 1)
        batches += [rows[start:start + size] for start in range(0, len(rows), size)]
    return batches


@torch.inference_mode()
def sample(pipe: KolorsPipeline, texts: Sequence[Encoded], batch: Sequence[SamplerSettings], latent: Tensor,
           callback: Callback | None = None, noise: Tensor | None = None) -> Tensor:
    """Sample a batch of latents [batch, channels, height, width] with settings that share their `sampling_of`.

    noise, of the same shape, is what they start from; by default each from its own seed.
    """
    model = model_sigmas(pipe.scheduler.config)
    sigmas = make_sigmas(batch[0], model)
    size = tuple(side * pipe.vae_scale_factor for side in latent.shape[2:])
    latent = latent.to(place_of(pipe.unet)[0], torch.float32).expand(len(batch), -1, -1, -1)
    if len(sigmas) < 2:  # denoise 0: nothing to do
        return latent
    seeds, shape = [int(one.seed) for one in batch], latent.shape[1:]
    # ComfyUI's rule: at the highest sigma x gets the variance 1 + sigma^2 that it had in training.
    full = sigmas[0] > model[-1] or math.isclose(sigmas[0], model[-1], rel_tol=1e-5)
    noise = start_noise(seeds, shape) if noise is None else noise
    x = latent + ((1 + sigmas[0] ** 2).sqrt() if full else sigmas[0]) * noise.to(latent.device)
    name, cfgs = batch[0].sampler_name, [float(one.cfg) for one in batch]
    added = step_noise(name, seeds, shape, sigmas, float(model[-1]))
    build = build_denoiser
    if name in CFG_PP:  # as in ComfyUI, where one of them alone takes the guided picture for the unguided at cfg 1
        build = partial(build_both, always=name != "cfgpp_ud10_ab")
    return SAMPLERS[name](build(pipe, texts, cfgs, model, size), x, sigmas, callback=callback,
                          noise=lambda sigma, sigma_next: added(sigma, sigma_next).to(x.device))


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
    device = place_of(pipe.unet)[0]
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
    device, dtype = place_of(unet)
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


@torch.inference_mode()
def draw_batch(pipe: KolorsPipeline, prompts: Sequence[str], *, seeds: Sequence[int], steps: int = 25, cfg: float = 5.0,
               negative_prompt: str = "") -> list[Image.Image]:
    """Draw one picture for each prompt and seed in one run: `pipeline.draw`'s to 2 levels of 255, a third faster.

    Each seed's start noise is drawn on the CPU on its own; the scheduler is the pipeline's.
    """
    device = place_of(pipe.unet)[0]
    solver = type(pipe.scheduler).from_config(pipe.scheduler.config)
    solver.set_timesteps(steps, device=device)
    latent = empty_latent(pipe)
    size = tuple(side * pipe.vae_scale_factor for side in latent.shape[2:])
    see_noise = build_guided(pipe, [encode_text(pipe, prompt) for prompt in prompts],
                             encode_text(pipe, negative_prompt), cfg, size)
    x = start_noise(seeds, latent.shape[1:]).to(device) * solver.init_noise_sigma
    for timestep in solver.timesteps:
        seen = see_noise(solver.scale_model_input(x, timestep), timestep)
        x = solver.step(seen, timestep, x, return_dict=False)[0]
    return to_images(pipe, x)


def place_of(model: torch.nn.Module) -> tuple[torch.device, torch.dtype]:
    """Return a model's device and precision, those of its first weight: to ask diffusers looks through every weight."""
    weight = next(model.parameters())
    return weight.device, weight.dtype


def takes_turns(pipe: KolorsPipeline) -> bool:
    """Tell whether a pipeline's UNet and text encoder have the GPU one after the other (`Plan.placement`)."""
    return hasattr(pipe, "plan") and pipe.plan.placement == "turns"


def empty_latent(pipe: KolorsPipeline, width: int | None = None, height: int | None = None) -> Tensor:
    """Return the latent of a picture that has still to be drawn, zeros; sides in pixels, the model's own by default."""
    own = pipe.default_sample_size * pipe.vae_scale_factor
    width, height = own if width is None else width, own if height is None else height
    check_size(pipe, width, height)
    return torch.zeros(1, pipe.vae.config.latent_channels, height // pipe.vae_scale_factor,
                       width // pipe.vae_scale_factor)


def encode_picture(pipe: KolorsPipeline, image: Image.Image) -> Tensor:
    """Encode a picture with the VAE as a latent to start from; LessonError unless its size suits the model."""
    if not isinstance(image, Image.Image):
        raise error("no_image", kind=type(image).__name__)
    check_size(pipe, image.width, image.height)
    pixels = pipe.image_processor.preprocess(image.convert("RGB")).to(*place_of(pipe.vae))
    with torch.no_grad():
        return pipe.vae.encode(pixels).latent_dist.mode().float() * pipe.vae.config.scaling_factor


def decode(pipe: KolorsPipeline, latent: Tensor) -> Image.Image:
    """Decode a latent with the VAE; of a batch, its first."""
    return to_images(pipe, latent[:1])[0]


def preview(pipe: KolorsPipeline, denoised: Tensor) -> Image.Image:
    """Return a picture of a step's denoised: the VAE's own, which at Tiny Kolors' size costs less than a step."""
    return decode(pipe, denoised)


@torch.inference_mode()
def to_images(pipe: KolorsPipeline, latents: Tensor) -> list[Image.Image]:
    """Decode a batch of latents with the VAE."""
    latents = latents.to(*place_of(pipe.vae)) / pipe.vae.config.scaling_factor
    return pipe.image_processor.postprocess(pipe.vae.decode(latents, return_dict=False)[0].float())


def check_size(pipe: KolorsPipeline, width: int, height: int) -> None:
    """Answer a size in pixels that the VAE or the UNet cannot take with a LessonError."""
    factor = pipe.vae_scale_factor
    low = factor * 2 ** (len(pipe.unet.config.block_out_channels) - 1)  # the UNet halves as often as it has levels
    high = MOST_TIMES * pipe.default_sample_size * factor
    for side in (width, height):
        if isinstance(side, bool) or not isinstance(side, Integral) or side % factor or not low <= side <= high:
            raise error("size_wrong", width=width, height=height, factor=factor, low=low, high=high)


def check_latent(pipe: KolorsPipeline, latent: Tensor) -> Tensor:
    """Return a latent that was handed in; LessonError for a wrong shape or type, NaN or infinity."""
    channels = pipe.vae.config.latent_channels
    if not isinstance(latent, Tensor):
        raise error("latent_wrong", found=type(latent).__name__, channels=channels)
    if not latent.is_floating_point():
        raise error("latent_wrong", found=latent.dtype, channels=channels)
    if latent.ndim != 4 or latent.shape[:2] != (1, channels):
        raise error("latent_wrong", found=list(latent.shape), channels=channels)
    check_size(pipe, *(side * pipe.vae_scale_factor for side in (latent.shape[3], latent.shape[2])))
    if not latent.isfinite().all():
        raise error("latent_not_finite", count=int((~latent.isfinite()).sum()))
    return latent


def tell_notes(unknown: Sequence[str], texts: Sequence[Encoded]) -> list[str]:
    """Return what a learner should know about the texts: words never learnt, and ends that were cut off."""
    notes = [text("words_unknown", words=shorten(text("list_comma").join(unknown)))] if unknown else []
    return notes + [text(key, tokens=encoded.tokens, most=LENGTH)
                    for key, encoded in zip(("prompt_cut", "negative_prompt_cut"), texts) if encoded.tokens > LENGTH]


def describe(prompt: str, settings: SamplerSettings, image: Image.Image) -> str:
    """Say in one line what made a picture."""
    return text("sampler_caption", prompt=shorten(prompt.strip()), width=image.width, height=image.height,
                seed=settings.seed, steps=settings.steps, cfg=settings.cfg, sampler_name=settings.sampler_name,
                scheduler=settings.scheduler, denoise=settings.denoise)
