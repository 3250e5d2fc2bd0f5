"""What goes along the wires: MODEL, CLIP and VAE of a KolorsPipeline, with the calls that ComfyUI's own nodes make.

LATENT is {"samples": [batch, channels, height, width]}, before the VAE's scaling factor; IMAGE is [batch, height,
width, 3] in 0..1; CONDITIONING is [[states, {"pooled_output": ...}]].
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import KolorsPipeline
from torch import Tensor

from course_lib.lora.verbs import load_lora, remove_lora
from course_lib.messages import error, text
from course_lib.model.alone import alone
from course_lib.model.latents import MOST_TIMES, check_size
from course_lib.model.text import LENGTH, Encoded, encode_text, pad_texts
from course_lib.pictures import emoji, wording
from course_lib.pictures.picture import shorten
from course_lib.workflow.nodes.host import here

FULL_SIZE = 1024  # px: the size that Kolors was trained at, and that its workflows name
COMFY_FACTOR = 8  # px per latent place, which ComfyUI's EmptyLatentImage takes for granted

Conditioning = list[list[Any]]


@dataclass(frozen=True)
class WornLora:
    """A LoRA that a model wears while it draws: alpha as `load_lora` takes it (None: the file's), and a strength."""

    path: Path
    alpha: float | None = None
    strength: float = 1.0


@dataclass(frozen=True)
class CourseModel:
    """A MODEL: the pipeline whose UNet draws, and the LoRAs that it is to wear meanwhile."""

    pipe: KolorsPipeline
    loras: tuple[WornLora, ...] = ()

    def wear(self, lora: WornLora) -> "CourseModel":
        """Return this model with one LoRA more; this one stays as it is."""
        return replace(self, loras=(*self.loras, lora))


@dataclass(frozen=True)
class CourseClip:
    """A CLIP: Kolors has no CLIP, its text encoder ChatGLM3 stands there."""

    pipe: KolorsPipeline

    def tokenize(self, prompt: str) -> str:
        """Return what `encode_from_tokens_scheduled` takes; a text's tokens are counted there."""
        return prompt

    def encode_from_tokens_scheduled(self, prompt: str) -> Conditioning:
        """Return a text as CONDITIONING, all 256 tokens; what the course's own sampler reads stands beside them."""
        encoded = encode_text(self.pipe, prompt)
        tell_length(encoded)
        whole = pad_texts([encoded], LENGTH, torch.float32, torch.device("cpu"))
        return [[whole.states, {"pooled_output": whole.pooled, "encoded": encoded, "prompt": prompt}]]


@dataclass(frozen=True)
class CourseVae:
    """A VAE with the calls of ComfyUI's own: latents to pictures and back."""

    pipe: KolorsPipeline

    @torch.inference_mode()
    def decode(self, samples: Tensor) -> Tensor:
        """Decode latents to pictures; LessonError where a number in them is none."""
        vae = self.pipe.vae
        check_latents(self.pipe, samples)
        pixels = vae.decode(samples.to(vae.device, vae.dtype), return_dict=False)[0].float()
        if not pixels.isfinite().all():
            raise error("node_picture_nan", count=int((~pixels.isfinite()).sum()))
        return self.pipe.image_processor.denormalize(pixels).movedim(1, -1).cpu()

    @torch.inference_mode()
    def encode(self, pixels: Tensor) -> Tensor:
        """Encode pictures [batch, height, width, 3]; what is no multiple of the VAE's factor is cut off around them."""
        vae, factor = self.pipe.vae, self.pipe.vae_scale_factor
        for axis in (1, 2):
            side = pixels.shape[axis] // factor * factor
            pixels = pixels.narrow(axis, (pixels.shape[axis] - side) // 2, side)
        inputs = self.pipe.image_processor.normalize(pixels[..., :3].movedim(-1, 1))
        return vae.encode(inputs.to(vae.device, vae.dtype)).latent_dist.mode().float().cpu()


def tell_prompt(pipe: KolorsPipeline, prompt: str) -> None:
    """Note which words of a prompt Tiny Kolors never learnt; any model may be asked for anything."""
    if not is_tiny(pipe) or not prompt.strip():
        return
    named = wording.read_prompt(prompt)
    if named.subject is None:
        here().note(text("node_no_subject", prompt=shorten(prompt.strip()), count=len(emoji.subjects())))
    elif named.unknown:
        here().note(text("words_unknown", words=shorten(text("list_comma").join(named.unknown))))


def tell_length(encoded: Encoded) -> None:
    """Note that a text's end was cut off."""
    if encoded.tokens > LENGTH:
        here().note(text("prompt_cut", tokens=encoded.tokens, most=LENGTH))


def is_tiny(pipe: KolorsPipeline) -> bool:
    """Say whether a pipeline draws smaller pictures than Kolors does."""
    return own_size(pipe) < FULL_SIZE


def own_size(pipe: KolorsPipeline) -> int:
    """Return the size in px that a pipeline's model was trained at."""
    return pipe.default_sample_size * pipe.vae_scale_factor


def fit_size(pipe: KolorsPipeline, width: int, height: int) -> tuple[int, int]:
    """Return the size in px to draw: workflows made for Kolors shrink by as much as Tiny Kolors is smaller, and say so.

    A size that the model can draw stays; LessonError where the shrunken one cannot be drawn either.
    """
    own = own_size(pipe)
    if own < FULL_SIZE and max(width, height) > MOST_TIMES * own:
        asked, factor = (width, height), pipe.vae_scale_factor
        width, height = (max(factor, side * own // FULL_SIZE // factor * factor) for side in asked)
        here().note(text("node_size_shrunk", asked=f"{asked[0]} × {asked[1]}", drawn=f"{width} × {height}",
                         full=FULL_SIZE, own=own))
    check_size(pipe, width, height)
    return width, height


def fit_empty(pipe: KolorsPipeline, samples: Tensor) -> Tensor:
    """Return a latent to start from in the model's own shape; an empty one, all zeros, gets the places of its pixels.

    ComfyUI makes empty latents of 1/8 of the pixels whatever the model; one of Kolors' size shrinks for a smaller one.
    """
    if samples.count_nonzero():
        check_latents(pipe, samples)
        check_size(pipe, *(side * pipe.vae_scale_factor for side in (samples.shape[3], samples.shape[2])))
        return samples
    width, height = fit_size(pipe, *(side * COMFY_FACTOR for side in (samples.shape[3], samples.shape[2])))
    factor = pipe.vae_scale_factor
    return torch.zeros(len(samples), pipe.vae.config.latent_channels, height // factor, width // factor)


def check_latents(pipe: KolorsPipeline, samples: Tensor) -> None:
    """Answer latents of another shape than the model's, or with numbers that are none, with a LessonError."""
    channels = pipe.vae.config.latent_channels
    if samples.ndim != 4 or samples.shape[1] != channels:
        raise error("latent_wrong", found=list(samples.shape), channels=channels)
    if not samples.isfinite().all():
        raise error("latent_not_finite", count=int((~samples.isfinite()).sum()))


@contextmanager
def wearing(pipe: KolorsPipeline, loras: Sequence[WornLora]) -> Iterator[None]:
    """Let the UNet wear LoRAs within a `with` block; afterwards it is what it was, whatever happened inside.

    ComfyUI keeps what a loader gave and hands it to the next run, so a model must not stay changed; a copy of the
    UNet for each LoRA would double Kolors' memory.
    """
    worn = []
    with alone(pipe):
        try:
            for number, lora in enumerate(loras):
                report = load_lora(pipe.unet, lora.path, alpha=lora.alpha, strength=lora.strength,
                                   name=f"node_{number}")
                worn.append(report.name)
                here().note(text("node_lora_worn", file=lora.path.name, report=str(report)))
            yield
        finally:
            for name in worn:
                remove_lora(pipe.unet, name)
