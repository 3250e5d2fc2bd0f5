"""A frozen UNet's matrices in 8 or 4 bits, by bitsandbytes, so that a LoRA can be trained beside them in less memory.

int8 rounds each row of a matrix to 255 steps (LLM.int8, Dettmers 2022, arXiv 2208.07339); nf4 takes 16 values that suit
a normal distribution, with a scale for each 64 weights (QLoRA, Dettmers 2023, arXiv 2305.14314).
"""

from types import ModuleType

import torch
from diffusers import UNet2DConditionModel

from course_lib.machine import hardware
from course_lib.machine.footprint import list_matrices
from course_lib.machine.stages import BITS
from course_lib.messages import error


def quantise(unet: UNet2DConditionModel, kind: str, device: torch.device) -> None:
    """Replace the matrices of a UNet's attentions by quantised ones ("int8" or "nf4") on a device, one by one.

    It must hold no LoRA. LessonError where bitsandbytes is not installed. There is no way back but to load it anew.
    """
    if hardware.find_version("bitsandbytes") is None:
        raise error("bitsandbytes_missing", bits=BITS[kind])
    import bitsandbytes

    for name, matrix in list_matrices(unet):
        above, _, own = name.rpartition(".")
        setattr(unet.get_submodule(above), own, shrink(bitsandbytes, matrix, kind, unet.dtype).to(device))
    # what peft looks at before it puts a LoRA beside such a matrix
    unet.is_loaded_in_8bit, unet.is_loaded_in_4bit = kind == "int8", kind == "nf4"


def shrink(library: ModuleType, matrix: torch.nn.Linear, kind: str, dtype: torch.dtype) -> torch.nn.Linear:
    """Return a layer of bitsandbytes with the weights of a matrix; moving it to a device is what quantises them."""
    sizes = matrix.in_features, matrix.out_features, matrix.bias is not None
    with torch.device("meta"):  # its own weights are not wanted
        layer = (library.nn.Linear8bitLt(*sizes, has_fp16_weights=False) if kind == "int8" else
                 library.nn.Linear4bit(*sizes, compute_dtype=dtype, quant_type="nf4"))
    layer.weight = (library.nn.Int8Params(matrix.weight.data, requires_grad=False, has_fp16_weights=False)
                    if kind == "int8" else
                    library.nn.Params4bit(matrix.weight.data, requires_grad=False, quant_type="nf4"))
    layer.bias = matrix.bias
    return layer


def find_kind(unet: UNet2DConditionModel) -> str | None:
    """Return how a UNet is quantised: "int8", "nf4", or None."""
    if getattr(unet, "is_loaded_in_8bit", False):
        return "int8"
    return "nf4" if getattr(unet, "is_loaded_in_4bit", False) else None


def count_weights(weight: torch.Tensor) -> int:
    """Count the numbers of a weight as they were before it was quantised; in 4 bits two of them share a byte."""
    state = getattr(weight, "quant_state", None)
    return weight.numel() if state is None else state.shape.numel()
