"""Scores of a story's pictures: what the judge sees, how far they are from true ones, one style, eight scenes.

They say what was asked for and is there. None of them knows whether a picture is beautiful or a story good.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import torch
from diffusers import KolorsPipeline
from PIL import Image

from course_lib.messages import error, text
from course_lib.model.truth import compose_true
from course_lib.pictures.classifier import diversity, judge, load_judge, to_tensor
from course_lib.pictures.nearness import find_nearest, measure_distance
from course_lib.story.candidates import Candidate
from course_lib.story.scenes import Story, StoryScene, check_story


@dataclass(frozen=True)
class StoryScore:
    """Shares (0 to 1) of pictures in the style, with their subject, on their ground; distance to true ones; and more.

    distance: 0 is as near as the VAE can be, 1 as far as an empty ground. consistency: 1 is one style throughout.
    variety: the mean difference of two scenes, 0 to 1. None where no scene names what is to be judged.
    """

    style: float | None
    subject: float | None
    ground: float | None
    distance: float | None
    consistency: float
    variety: float

    def __str__(self) -> str:
        return "\n".join(text("story_score_row", name=text(f"story_score_{name}"), value=show(value), meaning=meaning)
                         for name, value in asdict(self).items() for meaning in [text(f"story_meaning_{name}")])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self)}


def show(value: float | None) -> str:
    """Write a score with two decimals, or that there is none."""
    return text("none") if value is None else f"{value:.2f}"


def score_story(pipe: KolorsPipeline, pictures: Sequence[Image.Image], story: Story, style: str) -> StoryScore:
    """Score one picture for each scene of a story in a style; LessonError for another number of pictures.

    Only `pipe`'s VAE is used: the distance is 0 for the best that it can decode.
    """
    check_story(story, style)
    if len(pictures) != len(story.scenes):
        raise error("story_pictures", wanted=len(story.scenes), count=len(pictures))
    judged = [(picture, scene) for picture, scene in zip(pictures, story.scenes) if scene.subject]
    shares: Mapping[str, float | None] = dict.fromkeys(("style", "subject", "ground", "distance"))
    if judged:
        shown, scenes = zip(*judged)
        seen = judge(shown)
        count = len(seen)
        shares = {"style": sum(verdict.style == style for verdict in seen) / count,
                  "subject": sum(verdict.subject == scene.subject for verdict, scene in zip(seen, scenes)) / count,
                  "ground": sum(verdict.ground == scene.ground for verdict, scene in zip(seen, scenes)) / count,
                  "distance": measure_distance(shown, [(scene.subject, style) for scene in scenes],
                                               [compose_true(pipe, scene.subject, style, scene.ground)
                                                for scene in scenes]).value}
    return StoryScore(**shares, consistency=consistency(pictures), variety=diversity(pictures))


def suggest(candidates: Sequence[Candidate], story: Story, style: str) -> list[Candidate]:
    """Return for each scene the candidate that scores best: style, subject, ground, then nearest to a true picture.

    For a scene that names no subject it is the first. Look before you follow it: the scores know no beauty.
    """
    check_story(story, style)
    best = []
    for number, scene in enumerate(story.scenes, 1):
        row = [each for each in candidates if each.scene == number]
        if not row:
            raise error("story_unchosen", scenes=number)
        marks = mark([each.image for each in row], scene, style)
        best.append(row[max(range(len(row)), key=marks.__getitem__)])
    return best


def mark(images: Sequence[Image.Image], scene: StoryScene, style: str) -> list[tuple[int, float]]:
    """Return a mark for each candidate of a scene, of which the highest is the best."""
    if not scene.subject:
        return [(0, -place) for place in range(len(images))]
    return [((seen.style == style) + (seen.subject == scene.subject) + (seen.ground == scene.ground),
             -find_nearest(image, scene.subject, style).error) for image, seen in zip(images, judge(images))]


@torch.no_grad()
def consistency(pictures: Sequence[Image.Image]) -> float:
    """Return how alike the pictures' styles are, 0 to 1: the mean overlap of what the judge thinks of each two.

    It needs no wanted style: eight pictures in one wrong style are consistent.
    """
    net = load_judge()
    shares = net(to_tensor(pictures))[1].softmax(dim=1)
    overlaps = [float(torch.minimum(one, other).sum()) for one, other in combinations(shares, 2)]
    return sum(overlaps) / len(overlaps) if overlaps else 1.0
