"""The UNet of Kolors step by step, as a sampler calls it: what stays the same in all steps is computed once.

`prepare_unet` gives what `unet(...)` itself gives, and reads like the UNet's diagram: down, middle, up, with skips
across (Podell et al. 2023, SDXL). The text's keys and values, and what the UNet is told beside the text, do not depend
on the step. The layers are diffusers' own, with whatever LoRA is in them.
"""

from collections.abc import Callable

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers import Transformer2DModel
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.prompts import Condition

Texts = dict[BasicTransformerBlock, tuple[Tensor, Tensor]]  # each block's keys and values of the text


def prepare_unet(unet: UNet2DConditionModel, condition: Condition, size: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Return see_noise(x, timestep) -> noise, both [batch, channels, height, width], for a batch of texts.

    size [batch, 6] in pixels: the original picture's height and width, the crop's top and left, the target's.
    """
    states = unet.encoder_hid_proj(condition.states)
    texts = {block: read(block.attn2, states) for block in unet.modules() if isinstance(block, BasicTransformerBlock)}
    sides = unet.add_time_proj(size.flatten()).view(len(size), -1).to(condition.pooled.dtype)
    told = unet.add_embedding(torch.cat([condition.pooled, sides], dim=1))

    def see_noise(x: Tensor, timestep: Tensor) -> Tensor:
        time = F.silu(unet.time_embedding(unet.time_proj(timestep.view(1)).to(x.dtype)) + told)
        return run_unet(unet, x, time, texts, condition.bias)

    return see_noise


def run_unet(unet: UNet2DConditionModel, x: Tensor, time: Tensor, texts: Texts, bias: Tensor | None) -> Tensor:
    """Take x down the UNet, through its middle, and up again; each level up also reads what the same level down saw."""
    x = unet.conv_in(x)
    skips = [x]
    for block in unet.down_blocks:
        for resnet, transformer in layers_of(block):
            x = transform(transformer, mix(resnet, x, time), texts, bias)
            skips.append(x)
        for down in block.downsamplers or ():
            x = down.conv(x)
            skips.append(x)
    middle = unet.mid_block
    x = mix(middle.resnets[0], x, time)
    for transformer, resnet in zip(middle.attentions, middle.resnets[1:]):
        x = mix(resnet, transform(transformer, x, texts, bias), time)
    for block in unet.up_blocks:
        for resnet, transformer in layers_of(block):
            x = transform(transformer, mix(resnet, torch.cat([x, skips.pop()], dim=1), time), texts, bias)
        for up in block.upsamplers or ():
            x = up.conv(F.interpolate(x, size=skips[-1].shape[2:], mode="nearest"))
    return unet.conv_out(F.silu(unet.conv_norm_out(x)))


def layers_of(block: nn.Module) -> list[tuple[ResnetBlock2D, Transformer2DModel | None]]:
    """Return a level's layers as pairs; a level without attention has none to give."""
    return list(zip(block.resnets, getattr(block, "attentions", [None] * len(block.resnets))))


def mix(resnet: ResnetBlock2D, x: Tensor, time: Tensor) -> Tensor:
    """Look at each place and its neighbours, twice, told the time in between; the result is added to x (He 2016)."""
    change = resnet.conv1(F.silu(resnet.norm1(x))) + resnet.time_emb_proj(time)[:, :, None, None]
    change = resnet.conv2(F.silu(resnet.norm2(change)))
    return change + (x if resnet.conv_shortcut is None else resnet.conv_shortcut(x))


def transform(transformer: Transformer2DModel | None, x: Tensor, texts: Texts, bias: Tensor | None) -> Tensor:
    """Let every place look at all places, then at the text, then think on its own; each is added to x."""
    if transformer is None:
        return x
    places = transformer.proj_in(transformer.norm(x).flatten(2).transpose(1, 2))  # [batch, height * width, channels]
    for block in transformer.transformer_blocks:
        here = block.norm1(places)
        places = places + attend(block.attn1, here, *read(block.attn1, here))
        places = places + attend(block.attn2, block.norm2(places), *texts[block], bias)
        value, gate = block.ff.net[0].proj(block.norm3(places)).chunk(2, dim=-1)  # GEGLU (Shazeer 2020)
        places = places + block.ff.net[2](value * F.gelu(gate))
    return x + transformer.proj_out(places).transpose(1, 2).unflatten(2, x.shape[2:])


def attend(attention: Attention, places: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return softmax(Q K^T / sqrt(d) + bias) V for each head, and the heads together again (Vaswani 2017)."""
    queries = split_heads(attention, attention.to_q(places))
    seen = F.scaled_dot_product_attention(queries, keys, values, attn_mask=bias)
    return attention.to_out[0](seen.transpose(1, 2).flatten(2))


def read(attention: Attention, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return the keys and values of what is to be looked at, split among the heads."""
    return split_heads(attention, attention.to_k(tokens)), split_heads(attention, attention.to_v(tokens))


def split_heads(attention: Attention, x: Tensor) -> Tensor:
    """Split [batch, tokens, channels] among the heads: [batch, heads, tokens, channels / heads]."""
    return x.unflatten(2, (attention.heads, -1)).transpose(1, 2)
