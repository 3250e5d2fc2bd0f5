"""Texts as the UNet reads them: encoded once, kept, and laid side by side for a batch without their many pads.

KolorsPipeline pads each text on the left to 256 tokens, and the UNet attends to the pads too. All pads of a text have
one and the same state, because nothing in them differs. A softmax that meets N equal keys gives what it would give for
one of them with log N added to its score, so a few pads stand for all: the same picture, with less to attend to.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import torch
from diffusers import KolorsPipeline
from torch import Tensor

LENGTH = 256  # tokens of a padded text, KolorsPipeline's own
MOST_TEXTS = 64  # kept for one text encoder


@dataclass(frozen=True)
class Encoded:
    """A text's states: words [tokens, hidden], the state that all its pads share [hidden], and pooled [hidden]."""

    words: Tensor
    pad: Tensor
    pads: int
    pooled: Tensor
    tokens: int  # of the whole text; more than LENGTH: its end was cut off


@dataclass(frozen=True)
class Condition:
    """A batch of texts for the UNet: states [batch, tokens, hidden], pooled [batch, hidden], and bias or None.

    bias [batch, 1, 1, tokens] is added to the scores of the cross-attention.
    """

    states: Tensor
    pooled: Tensor
    bias: Tensor | None = None


_encoded: WeakKeyDictionary[torch.nn.Module, dict[str, Encoded]] = WeakKeyDictionary()  # goes with its model


def encode_text(pipe: KolorsPipeline, text: str) -> Encoded:
    """Encode a text with the pipeline's text encoder, once: it is kept until 64 newer texts came or the model went."""
    kept = _encoded.setdefault(pipe.text_encoder, {})
    if text not in kept:
        if len(kept) >= MOST_TEXTS:
            kept.pop(next(iter(kept)), None)  # the oldest
        kept[text] = run_encoder(pipe, text)
    return kept[text]


@torch.inference_mode()
def run_encoder(pipe: KolorsPipeline, text: str) -> Encoded:
    """Encode a text as KolorsPipeline does: the last layer but one for each token, the last layer's end pooled."""
    tokens = pipe.tokenizer(text, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt")
    tokens = {name: tokens[name].to(pipe.text_encoder.device)
              for name in ("input_ids", "attention_mask", "position_ids")}
    hidden = pipe.text_encoder(**tokens, output_hidden_states=True).hidden_states
    pads = LENGTH - int(tokens["attention_mask"].sum())
    whole = LENGTH - pads if pads else len(pipe.tokenizer(text)["input_ids"])
    states = hidden[-2][:, 0]
    return Encoded(states[pads:].clone(), states[0].clone(), pads, hidden[-1][-1, 0].clone(), whole)


def join_texts(texts: Sequence[Encoded], dtype: torch.dtype, device: torch.device) -> Condition:
    """Lay texts side by side, each with as many of its pads as the longest one needs; these weigh as much as all."""
    length = max(len(text.words) + (text.pads > 0) for text in texts)
    condition, bias = pad_texts(texts, length, dtype, device), torch.zeros(len(texts), 1, 1, length)
    for row, text in enumerate(texts):
        if copies := length - len(text.words):
            bias[row, ..., :copies] = math.log(text.pads / copies)
    return replace(condition, bias=bias.to(device, dtype))


def pad_texts(texts: Sequence[Encoded], length: int, dtype: torch.dtype, device: torch.device) -> Condition:
    """Lay texts side by side, each with pads on its left up to `length` tokens; with 256 it is what diffusers does."""
    states = [torch.cat([text.pad.expand(length - len(text.words), -1), text.words]) for text in texts]
    pooled = torch.stack([text.pooled for text in texts])
    return Condition(torch.stack(states).to(device, dtype), pooled.to(device, dtype))
