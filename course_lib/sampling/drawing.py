"""Make the picture that ComfyUI's KSampler makes with these settings: `generate`, and what lies before and after it.

A latent here is [1, channels, height, width], float32, scaled as the UNet sees it (what the VAE encodes times its
scaling_factor); an empty one is zero.
"""

import math
import time
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from numbers import Integral

import torch
from diffusers import KolorsPipeline
from PIL import Image
from torch import Tensor

from course_lib.checks import check_range, check_text
from course_lib.messages import text
from course_lib.model.alone import one_at_a_time
from course_lib.model.latents import check_latent, empty_latent, place_of_unet, to_images
from course_lib.model.text import LENGTH, Encoded, encode_text
from course_lib.pictures import wording
from course_lib.pictures.picture import Picture, shorten
from course_lib.sampling.guidance import build_both, build_denoiser, build_guided
from course_lib.sampling.metadata import write_chunks
from course_lib.sampling.noise import start_noise, step_noise, tell_noise
from course_lib.sampling.samplers import CFG_PP, SAMPLERS, check_names
from course_lib.sampling.settings import MOST_SEED, SamplerSettings, check_settings
from course_lib.sampling.sigmas import make_sigmas, model_sigmas
from course_lib.sampling.step import Callback

MOST_PLACES = 2**15  # latent places in one batch: 227 pictures of Tiny Kolors, 2 of Kolors at 1024 px
ALONE = frozenset({"dpm_adaptive"})  # chooses its steps by the whole batch, so each picture has to be one


@one_at_a_time
def generate(pipe: KolorsPipeline, prompt: str,
             settings: SamplerSettings | list[SamplerSettings] | tuple[SamplerSettings, ...], *,
             negative_prompt: str = "", latent: Tensor | None = None, callback: Callback | None = None,
             any_subject: bool = False) -> Picture | list[Picture]:
    """Draw the picture of these settings, or the list of pictures of a list of them; LessonError for what is wrong.

    Settings that share all but seed and cfg are drawn in one batch. A latent (`encode_picture`) with denoise < 1 makes
    image-to-image of it. callback(Step) is told each step of each batch and cancels by returning True (Cancelled).
    `any_subject` is for models that draw more than Tiny Kolors' 64 subjects: the prompt is then not compared with them.
    """
    wanted = list(settings) if isinstance(settings, (list, tuple)) else [settings]
    unknown = () if any_subject else wording.read_known(prompt).unknown
    check_text("prompt", prompt)
    check_text("negative_prompt", negative_prompt)
    for one in wanted:
        check_settings(one, pipe.scheduler.config.num_train_timesteps)
        check_names(one.sampler_name, one.scheduler)
    latent = empty_latent(pipe) if latent is None else check_latent(pipe, latent)
    texts = encode_text(pipe, prompt), encode_text(pipe, negative_prompt)
    notes = tell_notes(unknown, texts)
    pictures: dict[int, Picture] = {}
    for rows in split_batches([sampling_of(one) for one in wanted], MOST_PLACES // latent[0, 0].numel()):
        batch = [wanted[row] for row in rows]
        started = time.perf_counter()
        images = to_images(pipe, sample(pipe, texts, batch, latent, callback))
        seconds = (time.perf_counter() - started) / len(rows)
        for row, one, image in zip(rows, batch, images):
            caption = "\n".join([describe(prompt, one, image), *notes, *tell_noise(one.sampler_name)])
            chunks = write_chunks(one, prompt, negative_prompt, *image.size)
            pictures[row] = Picture(image, caption, seconds, one, prompt, negative_prompt, chunks)
    drawn = [pictures[row] for row in range(len(wanted))]
    return drawn if isinstance(settings, (list, tuple)) else drawn[0]


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
    latent = latent.to(place_of_unet(pipe)[0], torch.float32).expand(len(batch), -1, -1, -1)
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


@one_at_a_time
@torch.inference_mode()
def draw_batch(pipe: KolorsPipeline, prompts: Sequence[str], *, seeds: Sequence[int], steps: int = 25, cfg: float = 5.0,
               negative_prompt: str = "") -> list[Image.Image]:
    """Draw one picture for each prompt and seed in one run: `pipeline.draw`'s to 2 levels of 255, a third faster.

    Each seed's start noise is drawn on the CPU on its own; the scheduler is the pipeline's.
    """
    device = place_of_unet(pipe)[0]
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


@one_at_a_time
def draw(pipe: KolorsPipeline, prompt: str, *, seed: int = 0, steps: int = 25, cfg: float = 5.0,
         negative_prompt: str = "", taught: str = "") -> Picture:
    """Draw one picture, always the same for one prompt, seed, steps and cfg; LessonError for what cannot be drawn.

    `taught` is the trigger word of a LoRA that is loaded: a prompt with it may name what the model itself never learnt.
    """
    check_prompt(prompt, taught)
    check_range("seed", seed, 0, MOST_SEED, kind=Integral)
    check_range("steps", steps, 1, pipe.scheduler.config.num_train_timesteps, kind=Integral)
    check_range("cfg", cfg, 0, 100)
    started = time.perf_counter()
    image = pipe(prompt, negative_prompt=negative_prompt, num_inference_steps=steps, guidance_scale=cfg,
                 generator=torch.Generator("cpu").manual_seed(seed)).images[0]
    caption = text("picture_caption", prompt=prompt.strip(), width=image.width, height=image.height,
                   seed=seed, steps=steps, cfg=cfg)
    return Picture(image, caption, time.perf_counter() - started)


def check_prompt(prompt: str, taught: str = "") -> None:
    """Answer a prompt that Tiny Kolors cannot draw with a LessonError, and print which words it does not know.

    One that holds a LoRA's trigger word (`taught`) is left to the LoRA.
    """
    check_text("prompt", prompt)
    if taught and taught in prompt:
        return
    unknown = wording.read_known(prompt).unknown
    if unknown:
        print(text("words_unknown", words=shorten(text("list_comma").join(unknown))))
