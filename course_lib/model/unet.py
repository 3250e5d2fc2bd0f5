"""The UNet of Kolors step by step, as a sampler calls it: what stays the same in all steps is computed once.

`prepare_unet` gives what `unet(...)` itself gives, and reads like the UNet's diagram: down, middle, up, with skips
across (Podell et al. 2023, SDXL). The text's keys and values, and what the UNet is told beside the text, do not depend
on the step. The layers are diffusers' own, with whatever LoRA is in them; `use` holds what to call for each of them.
"""

from collections.abc import Callable
from functools import partial

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.model.fast_layers import Layer, Layers, can_see_text, is_small, see_text
from course_lib.model.text import Condition


def prepare_unet(unet: UNet2DConditionModel, condition: Condition, size: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Return see_noise(x, timestep) -> noise, both [batch, channels, height, width], for a batch of texts.

    size [batch, 6] in pixels: the original picture's height and width, the crop's top and left, the target's.
    """
    states = unet.encoder_hid_proj(condition.states)
    use = Layers(is_small(unet, states))
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            use[block.attn2] = prepare_text(use, block.attn2, states, condition.bias)
    sides = unet.add_time_proj(size.flatten()).view(len(size), -1).to(condition.pooled.dtype)
    told = unet.add_embedding(torch.cat([condition.pooled, sides], dim=1))

    def see_noise(x: Tensor, timestep: Tensor) -> Tensor:
        time = F.silu(unet.time_embedding(unet.time_proj(timestep.view(1)).to(x.dtype)) + told)
        return run_unet(use, unet, x, time)

    return see_noise


def prepare_text(use: Layers, attention: Attention, states: Tensor, bias: Tensor | None) -> Layer:
    """Return a block's attention to the text as a function of the places."""
    keys, values = read(use, attention, states)
    if use.small and can_see_text(attention, keys):
        return see_text(attention, keys, values, bias)
    return partial(attend, use, attention, keys=keys, values=values, bias=bias)


def run_unet(use: Layers, unet: UNet2DConditionModel, x: Tensor, time: Tensor) -> Tensor:
    """Take x down the UNet, through its middle, and up again; each level up also reads what the same level down saw."""
    x = unet.conv_in(x)
    skips = [x]
    for block in unet.down_blocks:
        for resnet, transformer in layers_of(block):
            x = transform(use, transformer, mix(use, resnet, x, time))
            skips.append(x)
        for down in block.downsamplers or ():
            x = use[down.conv](x)
            skips.append(x)
    middle = unet.mid_block
    x = mix(use, middle.resnets[0], x, time)
    for transformer, resnet in zip(middle.attentions, middle.resnets[1:]):
        x = mix(use, resnet, transform(use, transformer, x), time)
    for block in unet.up_blocks:
        for resnet, transformer in layers_of(block):
            x = transform(use, transformer, mix(use, resnet, torch.cat([x, skips.pop()], dim=1), time))
        for up in block.upsamplers or ():
            x = grow(use, up, x, skips[-1].shape[2:])
    return unet.conv_out(F.silu(unet.conv_norm_out(x)))


def layers_of(block: nn.Module) -> list[tuple[ResnetBlock2D, Transformer2DModel | None]]:
    """Return a level's layers as pairs; a level without attention has none to give."""
    return list(zip(block.resnets, getattr(block, "attentions", [None] * len(block.resnets))))


def grow(use: Layers, up: Upsample2D, x: Tensor, size: torch.Size) -> Tensor:
    """Make x as large as the next level, each place standing for 2 x 2 (fewer at an odd edge), and convolve that."""
    if size == (2 * x.shape[2], 2 * x.shape[3]):
        return use[up](x)
    return use[up.conv](F.interpolate(x, size=size, mode="nearest"))


def mix(use: Layers, resnet: ResnetBlock2D, x: Tensor, time: Tensor) -> Tensor:
    """Look at each place and its neighbours, twice, told the time in between; the result is added to x (He 2016)."""
    change = use[resnet.conv1](F.silu(use[resnet.norm1](x), inplace=True))
    told = use[resnet.time_emb_proj](time)[:, :, None, None]
    if resnet.time_embedding_norm == "scale_shift":  # told by a factor and a sum (Dhariwal & Nichol 2021, section 3)
        factor, shift = told.chunk(2, dim=1)
        change = use[resnet.norm2](change) * (1 + factor) + shift
    else:
        change = use[resnet.norm2](change + told)
    change = use[resnet.conv2](F.silu(change, inplace=True))
    change += x if resnet.conv_shortcut is None else use[resnet.conv_shortcut](x)
    return change


def transform(use: Layers, transformer: Transformer2DModel | None, x: Tensor) -> Tensor:
    """Let every place look at all places, then at the text, then think on its own (GEGLU); each is added to x."""
    if transformer is None:
        return x
    places = use[transformer.norm](x).flatten(2).transpose(1, 2)  # [batch, height * width, channels]
    places = use[transformer.proj_in](places)
    for block in transformer.transformer_blocks:
        here = use[block.norm1](places)
        places += attend(use, block.attn1, here, *read(use, block.attn1, here))
        places += use[block.attn2](use[block.norm2](places))
        places += use[block.ff.net[2]](use[block.ff.net[0]](use[block.norm3](places)))
    return x + use[transformer.proj_out](places).transpose(1, 2).unflatten(2, x.shape[2:])


def attend(use: Layers, attention: Attention, places: Tensor, keys: Tensor, values: Tensor,
           bias: Tensor | None = None) -> Tensor:
    """Return softmax(Q K^T / sqrt(d) + bias) V for each head, and the heads together again (Vaswani 2017)."""
    queries = split_heads(attention, use[attention.to_q](places))
    seen = F.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
    return use[attention.to_out[0]](seen.transpose(1, 2).flatten(2))


def read(use: Layers, attention: Attention, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return the keys and values of what is to be looked at, split among the heads."""
    return split_heads(attention, use[attention.to_k](tokens)), split_heads(attention, use[attention.to_v](tokens))


def split_heads(attention: Attention, x: Tensor) -> Tensor:
    """Split [batch, tokens, channels] among the heads: [batch, heads, tokens, channels / heads]."""
    return x.unflatten(2, (attention.heads, -1)).transpose(1, 2)
