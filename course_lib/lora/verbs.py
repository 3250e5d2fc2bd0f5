"""LoRA: small trained matrices beside a UNet's layers, added, saved, loaded, mixed, merged and taken away again.

A LoRA leaves each weight W as it is and adds (alpha/rank) B A to it (Hu et al. 2021, https://arxiv.org/abs/2106.09685).
The matrices are peft's, so diffusers' pipelines, the explorer and every other tool of that family see them too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig

from course_lib.checks import check_range
from course_lib.lora.adapters import (
    apply_strengths,
    choose_name,
    fill,
    find_name,
    inject,
    list_names,
    list_weights,
    read_layers,
    read_strengths,
)
from course_lib.lora.alphas import check_alpha, read_lora
from course_lib.lora.conversion import require_alpha, write_lora
from course_lib.lora.files import join_range
from course_lib.lora.matching import match_layers, read_base
from course_lib.lora.names import list_layers
from course_lib.messages import error, text

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")  # the four matrices of each attention, in Kolors 560 layers
MOST_RANK = 1024
MOST_STRENGTH = 10


@dataclass(frozen=True)
class LoraReport:
    """What `load_lora` found: format, rank, alpha (each "least-most" where layers differ), matched of held layers."""

    name: str
    format: str
    rank: int | str
    alpha: float | str
    matched: int
    held: int
    strength: float
    dora: bool
    base: str
    trigger_word: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        alpha = self.alpha if isinstance(self.alpha, str) else f"{self.alpha:g}"
        words = text("lora_loaded", name=self.name, format=self.format, matched=self.matched, held=self.held,
                     rank=self.rank, alpha=alpha, strength=f"{self.strength:g}")
        words = "\n".join([words, *self.notes])
        if self.trigger_word:
            words += "\n" + text("lora_trigger", word=self.trigger_word)
        return words if self.base else words + "\n" + text("lora_base_untold")

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self)}


def add_lora(unet: UNet2DConditionModel, *, rank: int = 16, alpha: float = 4.0, targets: Sequence[str] = ATTENTION,
             name: str = "lora", dropout: float = 0.0, dora: bool = False) -> list[torch.nn.Parameter]:
    """Add a new LoRA to the layers whose names end as `targets` say, and return its weights, the only ones to train.

    A starts as small random numbers (float32, from torch's generator), B as zeros, so nothing changes before training.
    """
    check_range("rank", rank, 1, MOST_RANK, kind=Integral)
    check_alpha(alpha)
    check_range("dropout", dropout, 0, 1)
    strengths = read_strengths(unet)
    layers = list_layers(unet)
    targets = [targets] if isinstance(targets, str) else list(targets)
    chosen = {target: [layer for layer in layers if f".{layer}".endswith(f".{target}")] for target in targets or [""]}
    for target, found in chosen.items():
        if not found:
            raise error("lora_target_unknown", target=repr(target), example=text("list_comma").join(ATTENTION))
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=sorted(set().union(*chosen.values())),
                        lora_dropout=dropout, use_dora=dora, init_lora_weights="gaussian")
    name = choose_name(unet, name)
    inject(unet, config, name)
    unet.requires_grad_(False)
    weights = list_weights(unet, name)
    for weight in weights:
        weight.requires_grad_(True)
    apply_strengths(unet, {**strengths, name: 1.0})
    return weights


def save_lora(unet: UNet2DConditionModel, path: str | Path, *, base_model: str, trigger_word: str = "",
              settings: Mapping[str, object] | None = None, summary: Mapping[str, object] | None = None,
              name: str | None = None) -> Path:
    """Save a UNet's LoRA (`name`, if it has several) as .safetensors with diffusers' keys, whole or not at all.

    The header holds rank, alpha, base_model, trigger_word, settings and summary (both JSON), and the table from which
    diffusers reads alpha. LessonError for weights that are not finite and places that cannot be written.
    """
    header = {"base_model": base_model, "trigger_word": trigger_word}
    for key, value in (("settings", settings), ("summary", summary)):
        if value is not None:
            header[key] = json.dumps(value, ensure_ascii=False, default=str)
    return write_lora(path, "diffusers", read_layers(unet, find_name(unet, name)), list_layers(unet), header)


def load_lora(unet: UNet2DConditionModel, path: str | Path, *, alpha: float | None = None, strength: float = 1.0,
              name: str | None = None) -> LoraReport:
    """Load a LoRA file of any known format beside those already loaded; where that is a LessonError, nothing changes.

    `alpha` is needed where the file stores none, and goes before what it stores; weights are held in float32.
    """
    check_range("strength", strength, -MOST_STRENGTH, MOST_STRENGTH)
    file = read_lora(path, alpha=alpha)
    layers = match_layers(file, list_layers(unet))
    require_alpha(file)
    name = choose_name(unet, name or file.path.stem)
    strengths = {**read_strengths(unet), name: strength}
    trained = [weight for weight in unet.parameters() if weight.requires_grad]
    fill(unet, layers, name)
    unet.requires_grad_(False)
    for weight in trained:
        weight.requires_grad_(True)
    apply_strengths(unet, strengths)
    dora = any(matrices.magnitude is not None for matrices in layers.values())
    return LoraReport(name, file.format, join_range(file.list_ranks()), join_range(file.list_alphas()), len(layers),
                      file.held, strength, dora, read_base(file), file.header.get("trigger_word", ""), file.notes)


def set_strength(unet: UNet2DConditionModel, strength: float, name: str | None = None) -> None:
    """Set how strongly one LoRA counts, or all of them: 1 as it was trained, 0 gives exactly the base. LessonError."""
    check_range("strength", strength, -MOST_STRENGTH, MOST_STRENGTH)
    names = list_names(unet) if name is None and list_names(unet) else [find_name(unet, name)]
    apply_strengths(unet, {**read_strengths(unet), **dict.fromkeys(names, strength)})


def remove_lora(unet: UNet2DConditionModel, name: str | None = None) -> list[str]:
    """Take one LoRA, or all of them, out of a UNet and return their names; the others keep their strengths."""
    names = list_names(unet) if name is None else [find_name(unet, name)]
    strengths = {other: strength for other, strength in read_strengths(unet).items() if other not in names}
    if not strengths:
        unet.unload_lora()
        return names
    unet.delete_adapters(names)
    apply_strengths(unet, strengths)
    return names
