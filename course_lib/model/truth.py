"""What a true picture looks like to a model, and how far its own pictures are from true ones."""

from collections.abc import Sequence

from diffusers import KolorsPipeline
from PIL import Image

from course_lib.model.latents import decode, empty_latent, encode_picture
from course_lib.pictures import emoji
from course_lib.pictures.classifier import border_ground
from course_lib.pictures.nearness import Distance, find_pair, measure_distance
from course_lib.pictures.wording import read_known

SUBJECT = 0.84  # of a picture's width: the size of a true subject, between the training's smallest and largest


def measure_truth(pipe: KolorsPipeline, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> Distance:
    """Measure how far pictures are from the nearest true ones of what their prompts name; its `value` is 0 to about 1.

    0 is the best that `pipe`'s VAE can decode, 1 an empty ground. Where a prompt names no style, the nearest of the
    base's own counts. LessonError for a prompt that names no subject of the base.
    """
    pairs, true = [], []
    for picture, prompt in zip(pictures, prompts, strict=True):
        named = read_known(prompt)
        styles = (named.style,) if named.style else emoji.BASE_STYLES
        pairs.append(find_pair(picture, [(named.subject, style) for style in styles]))
        true.append(compose_true(pipe, *pairs[-1], named.ground or border_ground(picture)))
    return measure_distance(pictures, pairs, true)


def compose_true(pipe: KolorsPipeline, subject: str, style: str, ground: str) -> Image.Image:
    """Compose a subject on a ground by rule and return it after the VAE's encoder and decoder, at the model's size."""
    side = empty_latent(pipe).shape[-1] * pipe.vae_scale_factor
    size = round(side * SUBJECT)
    picture = Image.new("RGB", (side, side), emoji.GROUNDS[ground][2])
    drawn = emoji.subject_at(subject, style, size, side)
    picture.paste(drawn, ((side - size) // 2,) * 2, drawn)
    return decode(pipe, encode_picture(pipe, picture))
