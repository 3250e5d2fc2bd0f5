"""The judge: a small classifier that says which subject, style and ground colour a picture shows, and how sure it is.

It turns the lessons' claims into numbers: prompt adherence, style score, diversity. Its own accuracy stands in its
card, data/judge/README.md. It knows only the 64 subjects, seven styles and ten grounds of `course_lib.pictures.emoji`,
and says of anything else, and of a drawing gone wrong, that it is none of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from course_lib.files import COURSE
from course_lib.pictures import emoji, wording

WEIGHTS = COURSE / "data" / "judge" / "judge.safetensors"
BORDER = 2  # px; the rim that shows the ground in every composed picture but where the subject touches it


class JudgeNet(nn.Module):
    """Six 3 x 3 convolutions and three linear heads: [batch, 3, 96, 96] in [-1, 1] -> subject, style, ground logits.

    The last logit of the subjects stands for none of them.
    """

    def __init__(self, widths: Sequence[int] = (24, 48, 64, 96, 128, 160)):
        super().__init__()
        layers, before = [], 3
        for number, width in enumerate(widths):
            stride = 2 if number in (0, 1, 3, 5) else 1  # 96 -> 48 -> 24 -> 24 -> 12 -> 12 -> 6
            layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.body = nn.Sequential(*layers)
        self.subject = nn.Linear(before * 2, len(emoji.subjects()) + 1)
        self.style = nn.Linear(before * 2, len(emoji.STYLES))
        self.ground = nn.Linear(before * 2, len(emoji.GROUNDS))

    def features(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return what the heads see: mean and maximum of the last layer over the picture, [batch, 320]."""
        maps = self.body(pictures)
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the logits of subject, style and ground."""
        features = self.features(pictures)
        return self.subject(features), self.style(features), self.ground(features)


@dataclass(frozen=True)
class Verdict:
    """What the judge sees in one picture: names of `emoji`, each with its confidence; subject None: none of them."""

    subject: str | None
    style: str
    ground: str
    subject_confidence: float
    style_confidence: float
    ground_confidence: float


@dataclass(frozen=True)
class Score:
    """The share (0 to 1) of pictures that show what their prompts name; None where no prompt names such a thing."""

    subject: float | None
    style: float | None
    ground: float | None
    pictures: int


@cache
def load_judge() -> JudgeNet:
    """Load the shipped judge, ready to judge."""
    net = JudgeNet()
    net.load_state_dict({name: tensor.float() if tensor.is_floating_point() else tensor
                         for name, tensor in load_file(WEIGHTS).items()})
    return net.eval()


def to_tensor(pictures: Sequence[Image.Image]) -> torch.Tensor:
    """Turn pictures of any size into [batch, 3, 96, 96], float32 in [-1, 1]."""
    size = (emoji.PICTURE_SIZE, emoji.PICTURE_SIZE)
    small = [picture.convert("RGB") for picture in pictures]
    small = [picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS) for picture in small]
    values = torch.from_numpy(np.stack([np.asarray(picture) for picture in small]))
    return values.permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def judge(pictures: Sequence[Image.Image]) -> list[Verdict]:
    """Say for each picture which subject (None: none of them), style and ground it shows, and how surely."""
    names = ([*emoji.subjects(), None], list(emoji.STYLES), list(emoji.GROUNDS))
    best = [logits.softmax(dim=1).max(dim=1) for logits in load_judge()(to_tensor(pictures))]
    verdicts = []
    for row in range(len(pictures)):
        subject, style, ground = (name[int(head.indices[row])] for name, head in zip(names, best))
        verdicts.append(Verdict(subject, style, ground, *(round(float(head.values[row]), 4) for head in best)))
    return verdicts


def score(pictures: Sequence[Image.Image], prompts: Sequence[str]) -> Score:
    """Compare what each picture shows with what its prompt names (`emoji.read_prompt`)."""
    verdicts = judge(pictures)
    shares = {}
    for part in ("subject", "style", "ground"):
        wanted = [getattr(wording.read_prompt(prompt), part) for prompt in prompts]
        hits = [getattr(verdict, part) == want for verdict, want in zip(verdicts, wanted) if want]
        shares[part] = sum(hits) / len(hits) if hits else None
    return Score(pictures=len(pictures), **shares)


def border_ground(picture: Image.Image) -> str:
    """Name the ground by the border pixels alone: the one nearest to their median colour; a second witness."""
    pixels = np.asarray(picture.convert("RGB"), dtype=float)
    inside = np.zeros(pixels.shape[:2], dtype=bool)
    inside[BORDER:-BORDER, BORDER:-BORDER] = True
    median = np.median(pixels[~inside], axis=0)
    return min(emoji.GROUNDS, key=lambda ground: np.abs(median - emoji.GROUNDS[ground][2]).sum())


@torch.no_grad()
def diversity(pictures: Sequence[Image.Image]) -> float:
    """Mean distance between the judge's features of each two pictures (1 - cosine, 0 to 1); 0 for equal pictures."""
    features = nn.functional.normalize(load_judge().features(to_tensor(pictures)), dim=1)
    count = len(pictures)
    if count < 2:
        return 0.0
    return float((1 - features @ features.T).sum() / (count * (count - 1)))
