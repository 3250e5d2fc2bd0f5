"""ComfyUI's built-in nodes that the notebook's runner knows, in the form of ComfyUI's node classes.

Names, inputs, bounds and defaults are those of ComfyUI 0.29; what they do is the course's own: a KSampler draws what
`generate` draws. In the real ComfyUI its own nodes stand in their place.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from course_lib.messages import error
from course_lib.pictures import emoji
from course_lib.pictures.opening import MOST_DRAWN, Unreadable, decode, turn_upright
from course_lib.sampling.drawing import sample
from course_lib.sampling.noise import tell_noise
from course_lib.sampling.samplers import SAMPLERS, check_names
from course_lib.sampling.settings import MOST_SEED, SamplerSettings, check_settings
from course_lib.sampling.sigmas import SCHEDULERS
from course_lib.workflow.node_types import NodeClass
from course_lib.workflow.nodes.host import here, is_file
from course_lib.workflow.nodes.kolors import NODE_CLASS_MAPPINGS as KOLORS_NODES
from course_lib.workflow.nodes.kolors import stamp
from course_lib.workflow.nodes.kolors_sampling import count_on
from course_lib.workflow.nodes.wires import (
    COMFY_FACTOR,
    Conditioning,
    CourseClip,
    CourseModel,
    CourseVae,
    WornLora,
    check_latents,
    fit_empty,
    tell_prompt,
    wearing,
)
from course_lib.workflow.notebook_host import inside

MOST_EMPTY = 2**30  # pixels of an empty latent; 1024 pictures of 1024 x 1024
OUTPUT, INPUT = " [output]", " [input]"  # endings that tell LoadImage which folder to look in


class CheckpointLoaderSimple:
    """Load all three parts of a model: MODEL draws, CLIP reads, VAE translates."""

    RETURN_TYPES = ("MODEL", "CLIP", "VAE")
    FUNCTION = "load_checkpoint"
    CATEGORY = "loaders"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {"ckpt_name": (here().list_names("checkpoints"),)}}

    def load_checkpoint(self, ckpt_name: str) -> tuple[CourseModel, CourseClip, CourseVae]:
        """Return the three parts of the model of a name."""
        pipe = here().find_pipe(ckpt_name)
        return CourseModel(pipe), CourseClip(pipe), CourseVae(pipe)


class LoraLoader:
    """Put a LoRA on the model for the samplers behind this node."""

    RETURN_TYPES = ("MODEL", "CLIP")
    FUNCTION = "load_lora"
    CATEGORY = "loaders"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        strength = ("FLOAT", {"default": 1.0, "min": -100.0, "max": 100.0, "step": 0.01})
        return {"required": {"model": ("MODEL",), "clip": ("CLIP",), "lora_name": (here().list_names("loras"),),
                             "strength_model": strength, "strength_clip": strength}}

    @classmethod
    def IS_CHANGED(cls, lora_name: str, **inputs: object) -> str:
        """Return the file's size and time, so that a file that was trained anew is read anew."""
        return stamp(lora_name)

    def load_lora(self, model: CourseModel, clip: CourseClip, lora_name: str, strength_model: float,
                  strength_clip: float) -> tuple[CourseModel, CourseClip]:
        """Return a model that wears the LoRA while it draws; a LoRA of Kolors changes no text encoder."""
        return model.wear(WornLora(here().find_lora(lora_name), strength=strength_model)), clip


class VAELoader:
    """Load a VAE alone."""

    RETURN_TYPES = ("VAE",)
    FUNCTION = "load_vae"
    CATEGORY = "loaders"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {"vae_name": (here().list_names("vae"),)}}

    def load_vae(self, vae_name: str) -> tuple[CourseVae]:
        """Return the VAE of a name."""
        return (CourseVae(here().find_pipe(vae_name)),)


class CLIPTextEncode:
    """Turn a prompt into what the UNet reads."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "encode"
    CATEGORY = "conditioning"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {"text": ("STRING", {"multiline": True, "dynamicPrompts": True}), "clip": ("CLIP",)}}

    def encode(self, clip: CourseClip, text: str) -> tuple[Conditioning]:
        """Return a text's embedding."""
        return (clip.encode_from_tokens_scheduled(clip.tokenize(text)),)


class EmptyLatentImage:
    """Make the empty latents that a picture from a text alone starts from."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "generate"
    CATEGORY = "latent"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        side = ("INT", {"default": 512, "min": 16, "max": 16384, "step": 8})
        return {"required": {"width": side, "height": side,
                             "batch_size": ("INT", {"default": 1, "min": 1, "max": 4096})}}

    def generate(self, width: int, height: int, batch_size: int = 1) -> tuple[dict[str, Tensor]]:
        """Return zeros of 1/8 of the pixels, which a sampler fits to its model; LessonError where they are too many."""
        if batch_size * width * height > MOST_EMPTY:
            raise error("node_latent_large", width=width, height=height, count=batch_size)
        return ({"samples": torch.zeros(batch_size, 4, height // COMFY_FACTOR, width // COMFY_FACTOR)},)


class VAEEncode:
    """Turn pictures into latents."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "encode"
    CATEGORY = "latent"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {"pixels": ("IMAGE",), "vae": ("VAE",)}}

    def encode(self, vae: CourseVae, pixels: Tensor) -> tuple[dict[str, Tensor]]:
        """Return the latents of pictures."""
        return ({"samples": vae.encode(pixels)},)


class VAEDecode:
    """Turn latents into pictures."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "decode"
    CATEGORY = "latent"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {"samples": ("LATENT",), "vae": ("VAE",)}}

    def decode(self, vae: CourseVae, samples: dict[str, Tensor]) -> tuple[Tensor]:
        """Return the pictures of latents."""
        return (vae.decode(samples["samples"]),)


class KSampler:
    """Draw: from noise, and as much of a latent as denoise leaves, towards the prompt."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "sample"
    CATEGORY = "sampling"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {
            "model": ("MODEL",),
            "seed": ("INT", {"default": 0, "min": 0, "max": MOST_SEED, "control_after_generate": True}),
            "steps": ("INT", {"default": 20, "min": 1, "max": 10000}),
            "cfg": ("FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01}),
            "sampler_name": (list(SAMPLERS),), "scheduler": (list(SCHEDULERS),),
            "positive": ("CONDITIONING",), "negative": ("CONDITIONING",), "latent_image": ("LATENT",),
            "denoise": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01})}}

    def sample(self, model: CourseModel, seed: int, steps: int, cfg: float, sampler_name: str, scheduler: str,
               positive: Conditioning, negative: Conditioning, latent_image: dict[str, Tensor],
               denoise: float = 1.0) -> tuple[dict[str, Tensor]]:
        """Return what `generate` draws with these settings; the noise of several pictures comes from the one seed."""
        pipe = model.pipe
        settings = SamplerSettings(seed, "fixed", steps, cfg, sampler_name, scheduler, denoise)
        check_settings(settings, pipe.scheduler.config.num_train_timesteps)
        check_names(sampler_name, scheduler)
        tell_prompt(pipe, positive[0][1]["prompt"])
        for note in tell_noise(sampler_name):
            here().note(note)
        latents = fit_empty(pipe, latent_image["samples"])
        texts, scale = [one[0][1]["encoded"] for one in (positive, negative)], pipe.vae.config.scaling_factor
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))  # as ComfyUI draws it
        drawn, watch = [], here().watch(pipe)
        with wearing(pipe, model.loras):
            for row in range(len(latents)):  # one by one: a LATENT may hold more than fits into memory at once
                one = replace(settings, seed=(seed + row) % (MOST_SEED + 1))  # for noise that is added on the way
                drawn.append(sample(pipe, texts, [one], latents[row:row + 1] * scale,
                                    count_on(watch, row, len(latents)), noise[row:row + 1]))
        drawn = torch.cat(drawn)
        check_latents(pipe, drawn)
        return ({"samples": drawn.cpu() / scale},)


class LoadImage:
    """Load a picture from the input folder."""

    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "load_image"
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {"image": (here().list_names("images"), {"image_upload": True})}}

    @classmethod
    def VALIDATE_INPUTS(cls, image: str) -> bool | str:
        """Say whether there is such a file; ComfyUI calls this in place of looking through the list."""
        return find_picture(image) is not None or f"Invalid image file: {image}"

    @classmethod
    def IS_CHANGED(cls, image: str) -> str:
        """Return the file's size and time: a picture that was changed is read anew."""
        found = known_picture(image).stat()
        return f"{found.st_size} {found.st_mtime_ns}"

    def load_image(self, image: str) -> tuple[Tensor, Tensor]:
        """Return the picture, and what is transparent in it (1) or not (0); LessonError for a file that is none."""
        path = known_picture(image)
        try:
            picture = turn_upright(decode(path, MOST_DRAWN)).convert("RGBA")
        except Unreadable as cause:
            if cause.code == "too_many_pixels":
                raise error("node_picture_large", name=image, pixels=int(cause.value) // 10**6,
                            tiny=emoji.PICTURE_SIZE) from cause
            raise error("node_picture_broken", name=image, cause=cause.words) from cause
        values = torch.from_numpy(np.asarray(picture).astype(np.float32) / 255)
        return values[None, ..., :3], 1 - values[None, ..., 3]


def find_picture(name: str) -> Path | None:
    """Return a picture's file in the input folder, or the output folder for "name [output]"; None where none is there.

    What lies outside of the folder is none.
    """
    if not isinstance(name, str):
        return None
    folder = here().output_folder if name.endswith(OUTPUT) else here().input_folder
    place = inside(folder, name.removesuffix(OUTPUT).removesuffix(INPUT))
    return place if place is not None and is_file(place) else None


def known_picture(name: str) -> Path:
    """Return the file of a picture that VALIDATE_INPUTS has let pass."""
    found = find_picture(name)
    assert found is not None, name
    return found


class SaveImage:
    """Save pictures in the output folder, with the workflow inside."""

    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("images",)
    FUNCTION = "save_images"
    CATEGORY = "image"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {"images": ("IMAGE",), "filename_prefix": ("STRING", {"default": "ComfyUI"})}}

    def save_images(self, images: Tensor, filename_prefix: str = "ComfyUI") -> dict[str, object]:
        """Save the pictures as PREFIX_00001_.png and so on, and show them."""
        pictures = to_pictures(images)
        files = [here().save(one, filename_prefix) for one in pictures]
        return {"ui": {"pictures": pictures, "files": files}, "result": (images,)}


class PreviewImage:
    """Show pictures."""

    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("images",)
    FUNCTION = "show_images"
    CATEGORY = "image"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {"images": ("IMAGE",)}}

    def show_images(self, images: Tensor) -> dict[str, object]:
        """Show the pictures; nothing is saved."""
        return {"ui": {"pictures": to_pictures(images)}, "result": (images,)}


def to_pictures(images: Tensor) -> list[Image.Image]:
    """Return an IMAGE's pictures, rounded to the nearest of 256 values; ComfyUI's SaveImage rounds down."""
    if not images.isfinite().all():
        raise error("node_picture_nan", count=int((~images.isfinite()).sum()))
    values = (images.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return [Image.fromarray(value[..., :3]) for value in values]


BUILT_IN = {kind.__name__: kind for kind in (
    CheckpointLoaderSimple, LoraLoader, VAELoader, CLIPTextEncode, EmptyLatentImage, VAEEncode, VAEDecode, KSampler,
    LoadImage, SaveImage, PreviewImage)}
NODES: dict[str, NodeClass] = {**BUILT_IN, **KOLORS_NODES}
