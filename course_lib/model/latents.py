"""From a picture to a latent and back: the VAE, the sizes it can take, and what a preview shows.

A latent here is [1, channels, height, width], float32, scaled as the UNet sees it (what the VAE encodes times its
scaling_factor); an empty one is zero.
"""

from numbers import Integral

import torch
from diffusers import KolorsPipeline
from PIL import Image
from torch import Tensor

from course_lib.messages import error

MOST_TIMES = 4  # the longest side of a picture, in multiples of the size that the model was trained at


def place_of(model: torch.nn.Module) -> tuple[torch.device, torch.dtype]:
    """Return a model's device and precision, those of its first weight: to ask diffusers looks through every weight."""
    weight = next(model.parameters())
    return weight.device, weight.dtype


def takes_turns(pipe: KolorsPipeline) -> bool:
    """Tell whether a pipeline's UNet and text encoder have the GPU one after the other (`Plan.placement`)."""
    return hasattr(pipe, "plan") and pipe.plan.placement == "turns"


def place_of_unet(pipe: KolorsPipeline) -> tuple[torch.device, torch.dtype]:
    """Return where a pipeline's UNet computes and in what precision, wherever and in how many bits it waits."""
    if takes_turns(pipe):
        return torch.device(pipe.plan.device), pipe.unet.dtype
    return place_of(pipe.unet)


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


def grid_of(pipe: KolorsPipeline) -> int:
    """Return the pixels that become one place at the UNet's lowest level: it halves as often as it has levels."""
    return pipe.vae_scale_factor * 2 ** (len(pipe.unet.config.block_out_channels) - 1)


def check_size(pipe: KolorsPipeline, width: int, height: int) -> None:
    """Answer a size in pixels that the VAE or the UNet cannot take with a LessonError."""
    factor, low = pipe.vae_scale_factor, grid_of(pipe)
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
