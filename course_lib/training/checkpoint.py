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
from course_lib.training.optimizers import read_tensors, restore, write_numbers

STATE = "checkpoint.safetensors"
OWN = ("weight", "average", "best")  # sets of the training itself; every other set is the optimizer's
NOTHING = '{"group": {}, "state": {}}'  # the numbers of AdamW, which older checkpoints do not name


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
    tensors |= read_tensors(optimizer, parameters)
    for kind, weights in extras.items():
        tensors |= {f"{kind}.{name}": weight for name, weight in weights.items()}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    tensors = {name: tensor.clone() if seen else tensor for (name, tensor), seen in zip(
        tensors.items(), find_shared(list(tensors.values())))}  # a file of safetensors shares nothing
    header = {"counters": json.dumps(vars(counters)), "about": json.dumps(about),
              "optimizer": write_numbers(optimizer, parameters)}
    try:
        write_whole(folder / STATE, save(tensors, metadata=header))
    except OSError as cause:
        raise error("train_cannot_save", file=folder / STATE, cause=cause.strerror or cause,
                    size=sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) / 1e6) from cause


def find_shared(tensors: list[Tensor]) -> list[bool]:
    """Say of each tensor whether one before it has the same memory, as tables for all weights have."""
    places = [tensor.data_ptr() for tensor in tensors]
    return [place in places[:number] for number, place in enumerate(places)]


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
    kept = {kind: sets.pop(kind) for kind in list(sets) if kind not in OWN}
    try:
        for kind, found in sets.items():
            check_set(kind, found, parameters)
        if "weight" not in sets:
            raise ValueError("weight")
        if kept:
            restore(optimizer, parameters, kept, header.get("optimizer", NOTHING), config)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as cause:
        raise error("train_state_broken", file=file, cause=cause) from cause
    with torch.no_grad():
        for name, weight in parameters.items():
            weight.copy_(sets["weight"][name])
    return counters, {kind: weights for kind, weights in sets.items() if kind != "weight"}


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


def check_set(kind: str, found: dict[str, Tensor], parameters: dict[str, Tensor]) -> None:
    """Answer a set of weights that cannot be that of these parameters, or is not whole, with ValueError."""
    odd = sorted(found.keys() ^ parameters.keys()) or [
        name for name, tensor in found.items() if not tensor.is_floating_point()
        or tensor.shape != parameters[name].shape or not tensor.isfinite().all()]
    if odd:
        raise ValueError(f"{kind}.{odd[0]}")
