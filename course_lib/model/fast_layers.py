"""The layers of a small UNet as functions that give the same in less time, made anew for each picture.

A picture of Tiny Kolors passes each layer 20 times with little to compute, so calls and copies cost as much as numbers.
Nothing is kept for the next picture, by which the weights, or a LoRA's strength, may be others.
"""

import math
from collections.abc import Callable
from functools import cache, partial

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.activations import GEGLU
from diffusers.models.attention_processor import Attention
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional as F

MOST_WEIGHTS = 50_000_000  # of a UNet: some are copied, which would cost a large one memory and save it no time
FEW_PLACES = 64  # in a batch: so many are quicker as one matrix product than as a convolution (measured)

Layer = Callable[..., Tensor]


class Layers(dict[nn.Module, Layer]):
    """What to call for a layer: its function, made when it is first asked for; of a large UNet the layer itself."""

    def __init__(self, small: bool):
        self.small = small
        self.neighbours = cache(number_neighbours)  # all convolutions of a level ask for the same

    def __missing__(self, layer: nn.Module) -> Layer:
        self[layer] = quicken(layer, self.neighbours) if self.small else layer
        return self[layer]


def is_small(unet: UNet2DConditionModel, states: Tensor) -> bool:
    """Tell whether calls and copies count beside a UNet's numbers: few weights, in float32, on the CPU."""
    fits = states.dtype == torch.float32 and states.device.type == "cpu"
    return fits and sum(weight.numel() for weight in unet.parameters()) <= MOST_WEIGHTS


def quicken(layer: nn.Module, neighbours: Callable[[int, int, int], Tensor]) -> Layer:
    """Return the function for a layer; a layer that has none, or that someone has replaced by another kind, itself."""
    if is_linear(layer):
        weight, bias = matrix_of(layer)
        return partial(F.linear, weight=weight, bias=bias)
    if type(layer) is GEGLU and is_linear(layer.proj):
        weight, bias = matrix_of(layer.proj)
        if bias is not None:
            value, gate = zip(weight.chunk(2), bias.chunk(2))
            return partial(multiply_gated, value, gate)
    if type(layer) is nn.GroupNorm:
        return partial(torch.group_norm, num_groups=layer.num_groups, weight=layer.weight, bias=layer.bias,
                       eps=layer.eps)
    if type(layer) is nn.LayerNorm:
        return partial(torch.layer_norm, normalized_shape=layer.normalized_shape, weight=layer.weight, bias=layer.bias,
                       eps=layer.eps)
    if isinstance(layer, Upsample2D) and type(layer.conv) is nn.Conv2d:
        return partial(F.conv_transpose2d, weight=kernel_for_twice(layer.conv), bias=layer.conv.bias, stride=2,
                       padding=1)
    return quicken_convolution(layer, neighbours) if type(layer) is nn.Conv2d else layer


def quicken_convolution(layer: nn.Conv2d, neighbours: Callable[[int, int, int], Tensor]) -> Layer:
    """Return the function for a convolution."""
    if layer.kernel_size == (3, 3) and layer.stride == layer.padding == (1, 1):
        return partial(convolve, layer.weight, layer.bias, neighbours)
    if layer.kernel_size == layer.stride == (1, 1) and layer.bias is not None:
        return partial(convolve_alone, layer.weight.flatten(1), layer.bias[:, None])
    return partial(F.conv2d, weight=layer.weight, bias=layer.bias, stride=layer.stride, padding=layer.padding)


def is_linear(layer: nn.Module) -> bool:
    """Tell whether a layer is a matrix and a bias: nn.Linear itself, or a LoRA's around one, without its dropout."""
    if type(getattr(layer, "base_layer", layer)) is not nn.Linear:
        return False
    return not any(isinstance(part, nn.Dropout) and part.training for part in layer.modules())


def matrix_of(layer: nn.Module) -> tuple[Tensor, Tensor | None]:
    """Return W and b of a layer that gives W x + b; with a LoRA of whatever kind, W and what that makes of single ones.

    Where the LoRA counts nothing, W and b are exactly the base's.
    """
    if type(layer) is nn.Linear:
        return layer.weight, layer.bias
    base, ones = layer.base_layer, torch.eye(layer.base_layer.in_features)
    start = layer(torch.zeros_like(ones[:1]))[0]
    added = (layer(ones) - start) - (base(ones) - base(torch.zeros_like(ones[:1])))
    return base.weight + added.T, None if base.bias is None and not start.any() else start


def number_neighbours(batch: int, height: int, width: int) -> Tensor:
    """Return the numbers, from 1, of each place's 3 x 3 neighbours, [9 * batch * height * width]; 0 is outside."""
    numbers = torch.arange(1.0, batch * height * width + 1).view(batch, 1, height, width)
    return F.unfold(numbers, 3, padding=1).long().transpose(0, 1).flatten()


def convolve(weight: Tensor, bias: Tensor, neighbours: Callable[[int, int, int], Tensor], x: Tensor) -> Tensor:
    """Return the 3 x 3 convolution of x; of few places as one matrix product, which needs no other order of weights."""
    batch, channels, height, width = x.shape
    places = batch * height * width
    if places > FEW_PLACES:
        return F.conv2d(x, weight, bias, padding=1)
    flat = F.pad(x.transpose(0, 1).reshape(channels, places), (1, 0))  # the place 0 is zero
    near = flat.index_select(1, neighbours(batch, height, width)).view(channels * 9, places)
    return torch.addmm(bias[:, None], weight.flatten(1), near).view(-1, batch, height, width).transpose(0, 1)


def convolve_alone(matrix: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """Return the 1 x 1 convolution of x: at each place alone, so a matrix product with bias [channels, 1]."""
    return torch.baddbmm(bias, matrix.expand(len(x), -1, -1), x.flatten(2)).unflatten(2, x.shape[2:])


def multiply_gated(value: tuple[Tensor, Tensor], gate: tuple[Tensor, Tensor], x: Tensor) -> Tensor:
    """Return value(x) * GELU(gate(x)), each W and b (Shazeer 2020): two halves that lie whole in the memory."""
    return F.gelu(F.linear(x, *gate)) * F.linear(x, *value)


def kernel_for_twice(conv: nn.Conv2d) -> Tensor:
    """Return the 4 x 4 kernel that makes x twice as large and convolves it in one go (a transposed convolution).

    Each place of x stands for 2 x 2 equal ones, so the weights that meet these are added: 4/9 of the products are left.
    """
    sums = F.avg_pool2d(torch.eye(9).flip(1).view(9, 1, 3, 3), 2, stride=1, padding=1, divisor_override=1)
    return (conv.weight.flatten(2) @ sums.flatten(1)).unflatten(2, (4, 4)).transpose(0, 1).contiguous()


def can_see_text(attention: Attention, keys: Tensor) -> bool:
    """Tell whether `see_text` pays: Wq and Wo are known, and the text is short, else its matrices would be larger."""
    return is_linear(attention.to_q) and is_linear(attention.to_out[0]) and keys.shape[2] <= keys.shape[3]


def see_text(attention: Attention, keys: Tensor, values: Tensor, bias: Tensor | None) -> Layer:
    """Return the attention to a short text as a function of the places, its matrices multiplied out.

    softmax(x Wq K^T) V Wo needs Wq K^T and V Wo only, [channels, heads * tokens] and back; keys and values [batch,
    heads, tokens, channels / heads].
    """
    batch, heads, tokens, width = keys.shape
    ask, (say, end) = matrix_of(attention.to_q)[0], matrix_of(attention.to_out[0])
    asked = torch.einsum("bhtd,hdc->bhtc", keys / math.sqrt(width), ask.unflatten(0, (heads, width))).flatten(1, 2)
    said = torch.einsum("bhtd,chd->bhtc", values, say.unflatten(1, (heads, width))).flatten(1, 2)
    bias = keys.new_zeros(1) if bias is None else bias.transpose(2, 3).expand(-1, heads, -1, -1).flatten(1, 2)

    def see(places: Tensor) -> Tensor:
        scores = torch.baddbmm(bias, asked, places.transpose(1, 2)).unflatten(1, (heads, tokens))
        return torch.baddbmm(end, scores.softmax(dim=2).flatten(1, 2).transpose(1, 2), said)

    return see
