"""A LoRA's matrices written with the names that a tool reads: diffusers', kohya's (ComfyUI), or DiffSynth-Studio's."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from course_lib.checks import check_choice
from course_lib.lora.alphas import read_lora
from course_lib.lora.files import LoraFile, Matrices, check_matrices, join_range, write_tensors
from course_lib.lora.headers import describe_network, describe_spec
from course_lib.lora.matching import find_base, match_layers
from course_lib.lora.names import BASES, ENDINGS, FORMATS, Layer, find_layers, known_layers, list_layers
from course_lib.messages import error

BIAS = ".lora_B.bias"  # diffusers' and peft's; the other formats store none
COMPUTED = ("rank", "alpha", "lora_adapter_metadata", "format", "ss_network_module", "ss_network_dim",
            "ss_network_alpha")  # what a header says is written anew


def convert(source: str | Path, target: str | Path, *, to: str, alpha: float | None = None,
            unet: UNet2DConditionModel | None = None) -> Path:
    """Write a LoRA file of any known format as "diffusers", "kohya" (for ComfyUI) or "diffsynth"; the weights stay.

    It is taken as a LoRA of Kolors or Tiny Kolors, or of `unet`. A "diffsynth" file that is no .safetensors is a
    Lightning checkpoint, which stores no alpha: note it. LessonError for files that do not fit and a missing alpha.
    """
    check_choice("to", to, FORMATS)
    file = read_lora(source, alpha=alpha)
    layers = list_layers(unet) if unet is not None else choose_layers(file)
    matrices = match_layers(file, layers)
    require_alpha(file)
    header = {key: value for key, value in file.header.items() if key not in COMPUTED}
    return write_lora(target, to, matrices, layers, header)


def choose_layers(file: LoraFile) -> Mapping[str, Layer]:
    """Return the layers of the course's model that a file fits, or of the one of which it has the most layers."""
    base = find_base(file) or max(BASES, key=lambda base: len(find_layers(file.layers, known_layers(base))))
    return known_layers(base)


def require_alpha(file: LoraFile) -> None:
    """Answer a file whose alpha is neither stored nor given with a LessonError that shows what the guess would do."""
    if any(matrices.alpha is None for matrices in file.layers.values()):
        rank = file.list_ranks()[-1]
        raise error("lora_alpha_needed", file=file.path.name, format=file.format, rank=rank, quarter=f"{4 / rank:g}",
                    eighth=f"{2 / rank:g}")


def write_lora(path: str | Path, form: str, matrices: Mapping[str, Matrices], layers: Mapping[str, Layer],
               header: Mapping[str, str]) -> Path:
    """Write matrices (by diffusers' names, each with alpha) as a format's file; LessonError where it cannot hold them.

    `layers` are all layers of the UNet; `header` gets rank and alpha, what diffusers reads, and ModelSpec's names.
    """
    path = Path(path).expanduser()
    if path.suffix != ".safetensors" and form != "diffsynth":
        raise error("lora_suffix", path=path, format=form)
    for layer, values in matrices.items():
        check_matrices(path, layer, values)
        if not layers[layer].spell(form):
            raise error("lora_layer_untold", format=form, layer=layer)
    ranks = sorted({values.rank for values in matrices.values()})
    alphas = sorted({values.alpha for values in matrices.values() if values.alpha is not None})
    if form == "diffsynth" and (len(alphas) > 1 or any(values.magnitude is not None for values in matrices.values())):
        raise error("lora_not_in_diffsynth", alphas=join_range(alphas))
    if form == "diffusers" and any(values.by_column for values in matrices.values()):
        raise error("lora_columns_untold")
    if form != "diffusers" and any(values.bias is not None for values in matrices.values()):
        raise error("lora_bias_untold", format=form)
    header = {**header, **describe_spec(path.stem, header), "rank": str(join_range(ranks))}
    if len(alphas) == 1:
        header["alpha"] = f"{alphas[0]:.9g}"
    if form == "diffusers":
        header["lora_adapter_metadata"] = json.dumps(describe_config(matrices, layers))
    if form == "kohya":
        header |= describe_network(ranks, alphas)
    tensors: dict[str, torch.Tensor] = {}
    for layer, values in matrices.items():
        tensors |= name_tensors(layers[layer].spell(form), form, values)
    return write_tensors(path, tensors, header)


def name_tensors(name: str, form: str, values: Matrices) -> dict[str, torch.Tensor]:
    """Return one layer's tensors by the keys of a format; kohya's alpha is a number of float32 beside the matrices."""
    down, up, magnitude, alpha = ENDINGS[form]
    tensors = {name + down: values.down, name + up: values.up}
    if alpha:
        tensors[name + alpha] = torch.tensor(values.alpha, dtype=torch.float32)
    # ComfyUI wants a column, peft a row, for convolutions with their two further axes
    if magnitude and values.magnitude is not None:
        shape = [-1] + [1] * (values.down.ndim - 1)
        if form == "diffusers":
            shape = [-1] if values.down.ndim == 2 else [1, -1, 1, 1]
        if values.by_column:
            shape = [1, -1] + [1] * (values.down.ndim - 2)
        tensors[name + magnitude] = values.magnitude.reshape(shape)
    if values.bias is not None:
        tensors[name + BIAS] = values.bias
    return tensors


def describe_config(matrices: Mapping[str, Matrices], layers: Mapping[str, Layer]) -> dict[str, object]:
    """Describe matrices as the table that diffusers reads from a header, of which it makes peft's LoraConfig."""
    ranks = {layer: values.rank for layer, values in matrices.items()}
    alphas = {layer: values.alpha for layer, values in matrices.items()}
    rank, alpha = (Counter(values.values()).most_common(1)[0][0] for values in (ranks, alphas))
    table = {"peft_type": "LORA", "r": rank, "lora_alpha": alpha, "target_modules": list_targets(matrices, layers),
             "use_dora": any(values.magnitude is not None for values in matrices.values()),
             "lora_bias": any(values.bias is not None for values in matrices.values()),
             "rank_pattern": {layer: value for layer, value in ranks.items() if value != rank},
             "alpha_pattern": {layer: value for layer, value in alphas.items() if value != alpha}}
    return {f"unet.{key}": value for key, value in table.items()}


def list_targets(chosen: Mapping[str, object], layers: Mapping[str, Layer]) -> list[str]:
    """List layers by the shortest ends of their names ("to_q", "to_out.0") if no other layer ends so, else whole."""
    ends = {".".join(layer.split(".")[-2:]) if layer.rsplit(".", 1)[-1].isdigit() else layer.rsplit(".", 1)[-1]
            for layer in chosen}
    reached = {layer for layer in layers if any(f".{layer}".endswith(f".{end}") for end in ends)}
    return sorted(ends) if reached == set(chosen) else sorted(chosen)
