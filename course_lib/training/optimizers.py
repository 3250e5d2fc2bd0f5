"""The optimizers of a training: AdamW, and three of other libraries, which need to be installed only to be used.

AdamW in 8 bits (Dettmers 2021, arXiv 2110.02861) keeps its moments in a quarter of the memory. Prodigy (Mishchenko
2023, arXiv 2306.06101) finds the learning rate by itself. Schedule-free AdamW (Defazio 2024, arXiv 2405.15682) needs no
end to be known: it averages its steps as it goes.
"""

import contextlib
import io
import json
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from course_lib.machine import hardware
from course_lib.messages import error
from course_lib.training.config import TrainConfig

PACKAGES = {"adamw8bit": "bitsandbytes", "prodigy": "prodigyopt", "schedulefree": "schedulefree"}


def build_optimizer(weights: Sequence[Tensor], config: TrainConfig) -> torch.optim.Optimizer:
    """Return the optimizer that the settings name; LessonError where its package is not installed."""
    package = PACKAGES.get(config.optimizer)
    if package and hardware.find_version(package) is None:
        raise error("train_optimizer_missing", name=config.optimizer, package=package)
    common = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer == "adamw8bit":
        from bitsandbytes.optim import AdamW8bit

        return AdamW8bit(weights, **common)
    if config.optimizer == "prodigy":
        from prodigyopt import Prodigy

        with contextlib.redirect_stdout(io.StringIO()):  # it prints how it decays
            # as its authors advise for diffusion models, and for a learning rate that warms up
            return Prodigy(weights, **common, use_bias_correction=True, safeguard_warmup=True)
    if config.optimizer == "schedulefree":
        from schedulefree import AdamWScheduleFree

        optimizer = AdamWScheduleFree(weights, **common)
        optimizer.train()
        return optimizer
    return torch.optim.AdamW(weights, **common, fused=True)


def use_average(optimizer: torch.optim.Optimizer, on: bool) -> None:
    """Put the average that a schedule-free optimizer learns into the weights, or what it trains; others have none."""
    if "train_mode" in optimizer.param_groups[0]:
        optimizer.eval() if on else optimizer.train()


def effective_rate(optimizer: torch.optim.Optimizer) -> float:
    """Return the learning rate that counts: Prodigy multiplies it by the step size that it found."""
    group = optimizer.param_groups[0]
    return float(group["lr"] * group.get("d", 1.0))


def read_tensors(optimizer: torch.optim.Optimizer, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what an optimizer keeps for each weight, by "kind.name"."""
    return {f"{kind}.{name}": value for name, weight in parameters.items()
            for kind, value in optimizer.state.get(weight, {}).items() if isinstance(value, Tensor)}


def write_numbers(optimizer: torch.optim.Optimizer, parameters: dict[str, Tensor]) -> str:
    """Return as JSON the plain numbers that an optimizer keeps beside tensors, as far as steps have changed them."""
    group, states = optimizer.param_groups[0], optimizer.state.get(next(iter(parameters.values())), {})
    changed = {name: value for name, value in group.items()
               if type(value) in (int, float) and name != "lr" and value != optimizer.defaults.get(name)}
    counted = {name: value for name, value in states.items() if type(value) is int}  # alike for every weight
    return json.dumps({"group": changed, "state": counted})


def restore(optimizer: torch.optim.Optimizer, parameters: dict[str, Tensor], sets: dict[str, dict[str, Tensor]],
            written: str, config: TrainConfig) -> None:
    """Put kept tensors (kind -> name -> tensor) and numbers into an optimizer; ValueError for what it cannot be.

    What it can be is seen from a second optimizer that takes one step with weights of the same shapes.
    """
    numbers = json.loads(written)
    group_numbers, state_numbers = dict(numbers["group"]), dict(numbers["state"])
    example = take_example_step(parameters, config)
    group = example.param_groups[0]
    states = {name: example.state[weight] for name, weight in zip(parameters, group["params"])}
    wanted = {(kind, name) for name, state in states.items() for kind in state if isinstance(state[kind], Tensor)}
    odd = wanted ^ {(kind, name) for kind, found in sets.items() for name in found}
    if odd:
        raise ValueError(".".join(sorted(odd)[0]))
    restored = {name: {kind: check_like(f"{kind}.{name}", sets[kind][name], value) if isinstance(value, Tensor)
                       else check_number(kind, state_numbers.get(kind), value) for kind, value in state.items()}
                for name, state in states.items()}
    changed = {name: check_number(name, value, group.get(name)) for name, value in group_numbers.items()}
    for name, weight in parameters.items():
        optimizer.state[weight] = restored[name]
    optimizer.param_groups[0].update(changed)


def take_example_step(parameters: dict[str, Tensor], config: TrainConfig) -> torch.optim.Optimizer:
    """Return an optimizer of the same kind after one step with copies of the weights, whatever it changes in them."""
    copies = [torch.nn.Parameter(weight.detach().clone()) for weight in parameters.values()]
    for copy in copies:
        copy.grad = torch.ones_like(copy)
    example = build_optimizer(copies, config)
    example.step()
    return example


def check_like(name: str, found: Tensor, example: Tensor) -> Tensor:
    """Return a tensor where its example lies; ValueError for one of another shape or kind, or not finite."""
    if found.shape != example.shape or found.dtype != example.dtype or not found.isfinite().all():
        raise ValueError(name)
    return found.to(example.device)


def check_number(name: str, found: Any, example: object) -> int | float:
    """Return a number that is of its example's kind, a count not below 0; ValueError for another."""
    kinds = {int: (int,), float: (int, float)}.get(type(example), ())
    if type(found) not in kinds or not math.isfinite(found) or (type(example) is int and found < 0):
        raise ValueError(name)
    return found
