"""The contest's own judge of beauty: CLIP's look at a picture, and five linear layers that people's ratings trained.

LAION's improved aesthetic predictor (Schuhmann 2022): the vision half of CLIP ViT-L/14, its embedding at length 1, then
768 -> 1024 -> 128 -> 64 -> 16 -> 1 without activations. About 1 to 10; it knows no prompt, no story and no author.
What the repository holds could not be confirmed offline: both forms that weights come in are read.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection
from transformers.utils import logging as transformers_logging

from course_lib.checks import check_range
from course_lib.files import refuse_pointer
from course_lib.hub.fetching import fetch
from course_lib.messages import LessonError, error
from course_lib.model.parts import first_line
from course_lib.model.pickles import check_pickle

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there is read
HEAD = "layers."  # begins the names of the five layers
MOST_CONFIG = 2**20  # bytes
BATCH = 8


@dataclass(frozen=True)
class Aesthetics:
    """An aesthetics predictor that was opened: CLIP's vision half, how it wants pictures, and the layers on top."""

    clip: CLIPVisionModelWithProjection
    processor: CLIPImageProcessor
    head: nn.Sequential

    @torch.inference_mode()
    def score(self, pictures: Sequence[Image.Image]) -> list[float]:
        """Return one score for each picture, about 1 to 10; a story's is their mean."""
        scores: list[float] = []
        for start in range(0, len(pictures), BATCH):
            shown = [picture.convert("RGB") for picture in pictures[start:start + BATCH]]
            seen = self.clip(**self.processor(shown, return_tensors="pt")).image_embeds
            scores += self.head(F.normalize(seen, dim=-1)).squeeze(1).tolist()
        return scores


def open_aesthetics(folder: str | Path | None = None) -> Aesthetics:
    """Open the contest's aesthetics predictor, fetched from ModelScope (1.2 GB), or one in a folder; LessonError.

    Weights are read as weights alone; no code that came with them is run.
    """
    place = Path(folder).expanduser() if folder else fetch("aesthetics")
    try:
        config, wishes = (read_table(place / name) for name in ("config.json", "preprocessor_config.json"))
        tensors = read_weights(place)
        names = sorted({int(name.split(".")[1]) for name in tensors if name.startswith(HEAD)})
        head = nn.Sequential(*(make_layer(tensors, number) for number in names))
        transformers_logging.disable_progress_bar()
        shape = CLIPVisionConfig(**{key: config[key] for key in config if key not in ("auto_map", "architectures")})
        check_shape(shape)
        with torch.device("meta"):
            clip = CLIPVisionModelWithProjection(shape)
        own = {name: value for name, value in tensors.items() if not name.startswith(HEAD)
               and not name.endswith("position_ids")}  # which older files hold, and which are only counted up
        clip.load_state_dict(own, strict=True, assign=True)
        for module in clip.modules():
            for name, buffer in module.named_buffers(recurse=False):
                module.register_buffer(name, torch.arange(buffer.shape[-1]).expand(buffer.shape), persistent=False)
        if not head or head[0].in_features != shape.projection_dim or head[-1].out_features != 1:
            raise ValueError(f"{HEAD}*")
        return Aesthetics(clip.float().eval(), make_processor(wishes), head.float().eval())
    except LessonError:
        raise
    except Exception as cause:  # a broken file raises whatever the first line that meets it raises
        raise error("aesthetics_broken", folder=place, cause=first_line(cause)[:300]) from cause


def read_table(file: Path) -> dict[str, object]:
    """Read a JSON file of a predictor; ValueError for one that is no table, or too long."""
    refuse_pointer(file)
    if file.stat().st_size > MOST_CONFIG:
        raise ValueError(file.name)
    table = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(table, dict):
        raise ValueError(file.name)
    return table


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Read a predictor's tensors, from safetensors where there is one, else from a pickle as weights alone."""
    file = next((folder / name for name in WEIGHTS if (folder / name).is_file()), folder / WEIGHTS[0])
    refuse_pointer(file)
    if file.suffix == ".safetensors":
        return load_file(file)
    check_pickle(file)
    return torch.load(file, map_location="cpu", weights_only=True)


def make_layer(tensors: dict[str, torch.Tensor], number: int) -> nn.Linear:
    """Make one linear layer from its tensors."""
    weight, bias = tensors[f"{HEAD}{number}.weight"], tensors[f"{HEAD}{number}.bias"]
    layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    layer.load_state_dict({"weight": weight, "bias": bias}, assign=True)
    return layer


def check_shape(shape: CLIPVisionConfig) -> None:
    """Answer a config whose model would never be built with a LessonError; its size is that of the file."""
    for name, most in (("num_hidden_layers", 100), ("hidden_size", 10_000), ("image_size", 2048), ("patch_size", 256),
                       ("intermediate_size", 100_000), ("projection_dim", 10_000), ("num_attention_heads", 1000)):
        check_range(name, getattr(shape, name), 1, most)


def make_processor(wishes: dict[str, object]) -> CLIPImageProcessor:
    """Make what brings a picture to CLIP's size and colours, from the file that says how; CLIP's own for the rest."""
    known = ("size", "crop_size", "image_mean", "image_std", "resample", "do_resize", "do_center_crop", "do_normalize")
    processor = CLIPImageProcessor(**{name: wishes[name] for name in known if name in wishes})
    sides = [*dict(processor.size).values(), *dict(processor.crop_size).values()]
    for side in filter(None, sides):
        check_range("size", side, 1, 2048)
    return processor
