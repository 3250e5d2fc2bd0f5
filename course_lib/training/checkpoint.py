"""All that a training has to remember, on disk as one file that is whole or not there: weights, moments, counters.

What is drawn at a step (pictures, noise) comes from the seed and the step's number, so no generator has to be kept.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from course_lib.files import write_whole
from course_lib.messages import error, text
from course_lib.training.config import TrainConfig, list_differences

STATE = "checkpoint.safetensors"
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # AdamW's, for each weight


@dataclass
class Counters:
    """The numbers of a training beside its weights."""

    step: int = 0  # steps that are done
    first_error: float | None = None  # of the first step, by which an explosion is told
    best_loss: float | None = None  # of the validation
    waited: int = 0  # validations since the best one
    seconds: float = 0.0
    scaler: dict = field(default_factory=dict)  # GradScaler's, with 16-mixed


def write_state(folder: Path, parameters: dict[str, Tensor], optimizer: torch.optim.Optimizer,
                extras: dict[str, dict[str, Tensor]], counters: Counters, about: dict[str, object]) -> None:
    """Write a checkpoint in place of the last one; LessonError where that fails, and then the last one is still there.

    `extras` are more sets of weights by name (their average, the best ones); `about` tells trainings apart.
    """
    tensors = {f"weight.{name}": weight.detach() for name, weight in parameters.items()}
    for name, weight in parameters.items():
        for moment, value in optimizer.state.get(weight, {}).items():
            tensors[f"{moment}.{name}"] = value
    for kind, weights in extras.items():
        tensors |= {f"{kind}.{name}": weight for name, weight in weights.items()}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    header = {"counters": json.dumps(vars(counters)), "about": json.dumps(about)}
    try:
        write_whole(folder / STATE, save(tensors, metadata=header))
    except OSError as cause:
        raise error("train_cannot_save", file=folder / STATE, cause=cause.strerror or cause,
                    size=sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) / 1e6) from cause


def read_state(folder: Path, parameters: dict[str, Tensor], optimizer: torch.optim.Optimizer, config: TrainConfig,
               about: dict[str, object]) -> tuple[Counters, dict[str, dict[str, Tensor]]] | None:
    """Put a checkpoint's weights and moments in place and return its counters and extras; None where there is none.

    LessonError where it is broken, or belongs to a training with other settings, data or base model.
    """
    file = folder / STATE
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="pt") as kept:
            header = kept.metadata() or {}
            names = kept.keys()
            tensors = {name: kept.get_tensor(name) for name in names}
        counters, known = read_counters(header["counters"]), json.loads(header["about"])
        settings = dict(json.loads(known["settings"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as cause:
        raise error("train_state_broken", file=file, cause=cause) from cause
    different = list_differences(config, settings)
    different += [text("train_base") if name == "base" else name for name in about
                  if name != "settings" and about[name] != known.get(name)]
    if different:
        raise error("train_state_other", file=file, names=text("list_comma").join(different))
    sets: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        sets.setdefault(kind, {})[rest] = tensor
    for kind, found in sets.items():
        wrong = find_wrong(found, parameters, of_all=kind in ("weight", "average", "best"), shaped=kind != "step")
        if wrong:
            raise error("train_state_broken", file=file, cause=f"{kind}.{wrong}")
    if "weight" not in sets or len({frozenset(sets.get(moment, ())) for moment in MOMENTS}) > 1:
        raise error("train_state_broken", file=file, cause=text("list_comma").join(sorted(sets)))
    with torch.no_grad():
        for name, weight in parameters.items():
            weight.copy_(sets["weight"][name])
            if name in sets.get("exp_avg", {}):
                optimizer.state[weight] = {moment: place_moment(moment, sets[moment][name], weight)
                                           for moment in MOMENTS}
    return counters, {kind: weights for kind, weights in sets.items() if kind not in ("weight", *MOMENTS)}


def read_counters(written: str) -> Counters:
    """Read the counters of a checkpoint; TypeError or ValueError for numbers that are none."""
    counters = Counters(**json.loads(written))
    whole = (counters.step, counters.waited)
    numbers = [*whole, counters.seconds, *(each for each in (counters.first_error, counters.best_loss)
                                           if each is not None), *dict(counters.scaler).values()]
    if any(type(each) not in (int, float) or not math.isfinite(each) for each in numbers) or any(
            type(each) is not int or each < 0 for each in whole):
        raise ValueError(written[:200])
    return counters


def find_wrong(found: dict[str, Tensor], parameters: dict[str, Tensor], *, of_all: bool, shaped: bool) -> str:
    """Name the first tensor that cannot belong to a training's parameters, or is missing, "" where all can."""
    for name in sorted(found.keys() ^ parameters.keys() if of_all else found.keys() - parameters.keys()):
        return name
    return next((name for name, tensor in found.items() if not tensor.is_floating_point()
                 or tensor.shape != (parameters[name].shape if shaped else ()) or not tensor.isfinite().all()), "")


def place_moment(moment: str, value: Tensor, weight: Tensor) -> Tensor:
    """Put one of AdamW's numbers where its weight is; `step` counts wherever the fused AdamW left it."""
    return value.to(weight.device) if moment != "step" or weight.device.type == "cuda" else value
