"""The LoRA layers in a UNet: peft's, put in, filled, read, turned up and down.

Weights of a LoRA are float32 whatever the UNet's precision: in float16 AdamW's small steps would be lost.
"""

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig
from peft.tuners.lora import LoraLayer

from course_lib.lora.columns import ColumnDora, give_columns
from course_lib.lora.files import Matrices
from course_lib.messages import error, text


def list_names(unet: UNet2DConditionModel) -> list[str]:
    """Return the names of a UNet's LoRAs, in the order they were added."""
    return list(getattr(unet, "peft_config", {}))


def find_name(unet: UNet2DConditionModel, name: str | None) -> str:
    """Return the name asked for, or the only LoRA's name; LessonError for an unknown name, none or several."""
    names = list_names(unet)
    if not names:
        raise error("lora_nothing_loaded")
    if name is None and len(names) > 1:
        raise error("lora_which", names=text("list_comma").join(names))
    if name is not None and name not in names:
        raise error("lora_name_unknown", name=name, names=text("list_comma").join(names))
    return name or names[0]


def make_plain(wanted: str) -> str:
    """Return a name in letters that peft can keep as a module's name."""
    plain = re.sub(r"\W", "_", wanted) or "lora"
    return f"{plain}_lora" if hasattr(torch.nn.ModuleDict, plain) else plain  # "keys" or "train" would hide a method


def choose_name(unet: UNet2DConditionModel, wanted: str) -> str:
    """Return a name that no LoRA of the UNet has, made of what is wanted."""
    plain = make_plain(wanted)
    taken, number, name = list_names(unet), 1, plain
    while name in taken:
        number += 1
        name = f"{plain}_{number}"
    return name


def list_modules(unet: UNet2DConditionModel, name: str | None = None) -> Iterator[tuple[str, LoraLayer]]:
    """Go through the layers that have a LoRA (the one called `name`), with diffusers' names."""
    for layer, module in unet.named_modules():
        if isinstance(module, LoraLayer) and (name is None or name in module.lora_A):
            yield layer, module


def list_weights(unet: UNet2DConditionModel, name: str) -> list[torch.nn.Parameter]:
    """List the trainable tensors of one LoRA: A and B of each layer, and DoRA's magnitude."""
    parts = [(module.lora_A, module.lora_B, module.lora_magnitude_vector) for _, module in list_modules(unet, name)]
    return [weight for kinds in parts for kind in kinds if name in kind for weight in kind[name].parameters()]


def inject(unet: UNet2DConditionModel, config: LoraConfig, name: str) -> None:
    """Put a new LoRA's layers into a UNet, in float32 and where the UNet computes, even if its layers wait in RAM.

    LessonError for DoRA on such a UNet: it needs the length of every column of weights that are not there.
    """
    if config.use_dora and next(unet.parameters()).device != unet.device:
        raise error("lora_dora_streamed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft's hints are for those who call peft
        unet.add_adapter(config, name)
    for weight in list_weights(unet, name):
        weight.data = weight.data.to(unet.device, torch.float32)


def fill(unet: UNet2DConditionModel, layers: Mapping[str, Matrices], name: str) -> None:
    """Put a LoRA of given matrices (by diffusers' names; each with alpha) into a UNet; its strength is then 1."""
    ranks = {layer: matrices.rank for layer, matrices in layers.items()}
    alphas = {layer: matrices.alpha for layer, matrices in layers.items()}
    rank, alpha = (Counter(values.values()).most_common(1)[0][0] for values in (ranks, alphas))
    inject(unet, LoraConfig(
        r=rank, lora_alpha=alpha, target_modules=list(layers),
        use_dora=any(matrices.magnitude is not None for matrices in layers.values()),
        lora_bias=any(matrices.bias is not None for matrices in layers.values()),
        rank_pattern={layer: value for layer, value in ranks.items() if value != rank},
        alpha_pattern={layer: value for layer, value in alphas.items() if value != alpha}), name)
    with torch.no_grad():
        for layer, module in list_modules(unet, name):
            given = layers[layer]
            module.lora_A[name].weight.copy_(given.down)
            module.lora_B[name].weight.copy_(given.up)
            if given.bias is not None:
                module.lora_B[name].bias.copy_(given.bias)
            if given.by_column:
                give_columns(module, name, given.magnitude)
            elif given.magnitude is not None:
                weight = module.lora_magnitude_vector[name].weight
                weight.copy_(given.magnitude.reshape(weight.shape))


def read_layers(unet: UNet2DConditionModel, name: str) -> dict[str, Matrices]:
    """Return a LoRA's matrices by diffusers' names of its layers."""
    layers = {}
    for layer, module in list_modules(unet, name):
        root = math.sqrt(module.r[name]) if module.use_rslora.get(name) else 1.0  # the scale is then alpha/sqrt(rank)
        layers[layer] = Matrices(
            module.lora_A[name].weight.detach(), module.lora_B[name].weight.detach(),
            float(module.lora_alpha[name] * root), read_magnitude(module, name),
            module.lora_B[name].bias.detach() if module.lora_bias[name] else None)
    return layers


def read_magnitude(module: LoraLayer, name: str) -> torch.Tensor | None:
    """Return DoRA's magnitude in a layer, (out,) or of columns (1, in); None for a plain LoRA."""
    if name not in module.lora_magnitude_vector:
        return None
    magnitude = module.lora_magnitude_vector[name].weight.detach()
    return magnitude[None] if isinstance(module.lora_variant[name], ColumnDora) else magnitude.flatten()


def read_strengths(unet: UNet2DConditionModel) -> dict[str, float]:
    """Return how strongly each LoRA of a UNet counts: 1 as it was trained, 0 not at all."""
    strengths = {}
    for name in list_names(unet):
        module = next(module for _, module in list_modules(unet, name))
        root = math.sqrt(module.r[name]) if module.use_rslora.get(name) else 1.0
        full = module.lora_alpha[name] * root / module.r[name]
        strengths[name] = round(module.scaling[name] / full, 9) if name in module.active_adapters else 0.0
    return strengths


def apply_strengths(unet: UNet2DConditionModel, strengths: Mapping[str, float]) -> None:
    """Set every LoRA's strength; one of 0 is left out of the computation, so that the base is exactly the base."""
    trained = {id(weight) for weight in unet.parameters() if weight.requires_grad}
    active = [name for name, strength in strengths.items() if strength]
    for _, module in list_modules(unet):
        module.set_adapter(active)  # marks what is active as trainable
        for name in active:
            module.set_scale(name, strengths[name])
    for weight in unet.parameters():
        weight.requires_grad_(id(weight) in trained)


@contextmanager
def without_lora(unet: UNet2DConditionModel) -> Iterator[None]:
    """Let the UNet predict as the base does, whatever LoRAs are in it."""
    worn = [layer for _, layer in list_modules(unet) if not layer.disable_adapters]
    trained = [weight for weight in unet.parameters() if weight.requires_grad]  # peft changes that too
    for layer in worn:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in worn:
            layer.enable_adapters(True)
        unet.requires_grad_(False)
        for weight in trained:
            weight.requires_grad_(True)
