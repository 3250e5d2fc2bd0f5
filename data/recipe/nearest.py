"""Which of all true pictures lies nearest to a drawn one, of all subjects, styles and places that the base draws."""

from functools import cache

import torch
import torch.nn.functional as F
from PIL import Image

from course_lib.pictures import emoji
from course_lib.pictures.classifier import to_tensor
from course_lib.pictures.nearness import SIDE, border_median
from data.recipe.sprites import sprite


@cache
def cut_all() -> tuple[list[tuple[str, str]], torch.Tensor, torch.Tensor]:
    """Cut out every subject in every style and place -> the pairs, colours times alpha [count, 3, n], alpha [count, n].

    The pixels are those at SIDE, n = SIDE x SIDE; each pair stands once for each place.
    """
    pairs, cut = [], []
    for subject in emoji.subjects():
        for style in emoji.BASE_STYLES:
            for size, left, top in emoji.PLACES:
                drawn = sprite(subject, style, size).float() / 255
                whole = torch.zeros(4, emoji.PICTURE_SIZE, emoji.PICTURE_SIZE)
                whole[:3, top:top + size, left:left + size] = drawn[:3] * drawn[3:]
                whole[3, top:top + size, left:left + size] = drawn[3]
                pairs.append((subject, style))
                cut.append(F.interpolate(whole[None], (SIDE, SIDE), mode="area")[0].flatten(1))
    both = torch.stack(cut)
    return pairs, both[:, :3], both[:, 3]


def name_nearest(picture: Image.Image) -> tuple[str, str]:
    """Name the subject and style of the true picture that is nearest to `picture`, on the picture's own ground."""
    pairs, colours, alpha = cut_all()
    pixels = F.interpolate(to_tensor([picture]) / 2 + 0.5, (SIDE, SIDE), mode="area")[0]
    ground = border_median(pixels).flatten(1)  # [3, 1]
    errors = sum((colours[:, channel] - alpha * ground[channel] - (row - ground[channel])).square().sum(dim=1)
                 for channel, row in enumerate(pixels.flatten(1)))
    return pairs[int(errors.argmin())]
