"""DoRA that gives each column of a weight its length, as LyCORIS and OneTrainer train it; peft's own has rows.

The paper (Liu 2024, https://arxiv.org/abs/2402.09353) takes the columns, the diffusion models' trainers took both:
W' = m V / |V|, with V = W + (alpha/rank) B A and the lengths |V| of what each input counts, over all outputs.
"""

import torch
from peft.tuners.lora.layer import LoraLayer, LoraVariant
from torch.nn import functional as F


class ColumnDora(LoraVariant):
    """What peft calls for such a layer, in place of its own DoRA; the magnitude lies where peft's lies."""

    @staticmethod
    def forward(module: LoraLayer, active_adapter: str, x: torch.Tensor, result: torch.Tensor,
                **options: object) -> torch.Tensor:
        """Add to the layer's answer what the change of its weight makes of x."""
        change, layer = change_weight(module, active_adapter).to(x.dtype), module.get_base_layer()
        if change.ndim == 2:
            return result + F.linear(x, change)
        return result + F.conv2d(x, change, None, layer.stride, layer.padding, layer.dilation, layer.groups)

    @staticmethod
    def merge_unsafe(module: LoraLayer, active_adapter: str, orig_weight: torch.Tensor) -> None:
        """Add the change to the layer's own weight."""
        orig_weight.data += change_weight(module, active_adapter).to(orig_weight.dtype)


def change_weight(module: LoraLayer, name: str) -> torch.Tensor:
    """Return W' - W of a layer, in the LoRA's precision and the weight's shape (out, in, ...)."""
    weight = module.get_base_layer().weight.to(module.lora_A[name].weight.dtype)
    turned = weight + module.get_delta_weight(name)
    lengths = turned.transpose(0, 1).flatten(1).norm(dim=1)
    factors = (module.lora_magnitude_vector[name].weight / lengths).view(1, -1, *[1] * (weight.ndim - 2))
    return turned * factors - weight


def give_columns(module: LoraLayer, name: str, magnitude: torch.Tensor) -> None:
    """Make a layer's DoRA one of columns, with its magnitude (1, in)."""
    kept = module.lora_magnitude_vector[name]
    kept.weight = torch.nn.Parameter(magnitude.flatten().to(kept.weight), requires_grad=False)
    module.lora_variant[name] = ColumnDora()
