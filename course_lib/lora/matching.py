"""Whether a LoRA file belongs to a UNet: every layer it holds must be there, and of the right shape."""

import re
from collections.abc import Mapping

from course_lib.lora.files import LoraFile, Matrices
from course_lib.lora.names import BASES, Layer, find_layers, known_layers
from course_lib.messages import LessonError, error

TITLES = {"kolors": "Kolors", "tiny": "Tiny Kolors"}
# Where a header may say what was trained, and how other models are written there.
BASE_KEYS = ("base_model", "ss_base_model_version", "modelspec.architecture")
OTHER_BASES = {r"sd_?xl|stable-diffusion-xl": "SDXL", r"sd_?v?1[._]|sd_v1|stable-diffusion-v1": "SD 1.5",
               r"sd_v2|stable-diffusion-v2": "SD 2", r"sd_?3|stable-diffusion-3": "SD 3", r"flux\.?\d": "FLUX"}
# Layers that Kolors has not: SDXL reads a prompt by two text encoders, SD 1 and 2 by one CLIP.
OTHER_LAYERS = {r"lora_te[12]_|text_encoder_2\.": "SDXL",
                r"lora_te_text_model|text_encoder\.text_model": "SD 1.5 / SD 2",
                r"single_transformer_blocks|single_blocks|double_blocks": "FLUX", r"joint_blocks": "SD 3"}
WORD_WIDTHS = {768: "SD 1.5", 1024: "SD 2"}  # numbers per word that cross-attention reads; in Kolors and SDXL 2048
SDXL_CONDITION = 2816  # numbers beside the words; in Kolors 5632


def match_layers(file: LoraFile, layers: Mapping[str, Layer]) -> dict[str, Matrices]:
    """Return a file's matrices by diffusers' names of a UNet's layers; LessonError unless all of them fit."""
    found = find_layers(file.layers, layers)
    missing = [*(name for name in file.layers if name not in found), *file.others]
    told = {"file": file.path.name, "format": file.format, "matched": len(found), "held": file.held,
            "example": (missing or [file.example()])[0]}
    other = name_other_base(file)
    if other:
        raise error("lora_other_base", base=other, **told)
    misfit = next((name for name, layer in found.items() if not fits(file.layers[name], layers[layer])), None)
    if missing or misfit:
        raise explain_misfit(file, layers, found, misfit, told)
    if len(set(found.values())) < len(found):
        raise error("lora_twice", file=file.path.name, count=len(found) - len(set(found.values())))
    bare = [name for name, matrices in file.layers.items() if matrices.magnitude is None]
    if 0 < len(bare) < len(file.layers):
        raise error("lora_half", file=file.path.name, layer=bare[0], found="lora_A, lora_B")
    if not bare and any(matrices.bias is not None for matrices in file.layers.values()):
        raise error("lora_dora_bias", file=file.path.name)
    return {layer: file.layers[name] for name, layer in found.items()}


def explain_misfit(file: LoraFile, layers: Mapping[str, Layer], found: Mapping[str, str], misfit: str | None,
                   told: Mapping[str, object]) -> LessonError:
    """Say which of the course's models a file belongs to, or how many of its layers match, or which has no fit."""
    base = find_base(file)
    if base:
        return error("lora_other_base", base=TITLES[base], **told)
    if misfit is None:
        return error("lora_no_match" if not found else "lora_part_match", **told)
    matrices = file.layers[misfit]
    return error("lora_shape_mismatch", layer=misfit, down=list(matrices.down.shape), up=list(matrices.up.shape),
                 weight=list(layers[found[misfit]].shape), **told)


def fits(matrices: Matrices, layer: Layer) -> bool:
    """Say whether matrices have the shapes that a layer's weight (out, in, ...) asks for."""
    out, rest = layer.shape[0], layer.shape[1:]
    return (tuple(matrices.down.shape[1:]) == rest
            and tuple(matrices.up.shape) == (out, matrices.rank, *[1] * (len(rest) - 1))
            and (matrices.magnitude is None or matrices.magnitude.shape[-1] == (rest[0] if matrices.by_column else out))
            and (matrices.bias is None or tuple(matrices.bias.shape) == (out,)))


def find_base(file: LoraFile) -> str | None:
    """Return which of the course's models has every layer of a file, "kolors" or "tiny", or None."""
    for base in BASES:
        layers = known_layers(base)
        found = find_layers(file.layers, layers)
        if len(found) == file.held and all(fits(file.layers[name], layers[layer]) for name, layer in found.items()):
            return base
    return None


def read_base(file: LoraFile) -> str:
    """Return what a header says of the model that was trained, "" where it says nothing."""
    return next((file.header[key] for key in BASE_KEYS if file.header.get(key)), "")


def name_other_base(file: LoraFile) -> str:
    """Name the model that a file says or shows it belongs to if that is not Kolors, else "".

    An SDXL LoRA of the UNet's attention alone that says nothing of its base cannot be told from one of Kolors.
    """
    told = read_base(file).lower()
    if "kolors" in told:
        return ""
    names = [(rf"(?<![a-z0-9])({pattern})", title, told) for pattern, title in OTHER_BASES.items()]
    names += [(pattern, title, name) for pattern, title in OTHER_LAYERS.items() for name in file.layers]
    seen = next((title for pattern, title, name in names if re.search(pattern, name)), "")
    for name, matrices in file.layers.items():
        width = matrices.down.shape[1]
        if re.search(r"attn2[._]to_[kv]", name):
            seen = seen or WORD_WIDTHS.get(width, "")
        elif re.search(r"add_embedding[._]linear_1|label_emb[._]0[._]0", name) and width == SDXL_CONDITION:
            seen = seen or "SDXL"
    return seen
