"""Prompts read once: the text encoder's answer to each is kept on disk, so the next time no encoder is needed.

The full Kolors' text encoder takes 12.5 GB; what it says about one prompt takes 2 MB.
"""

import gc
import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import KolorsPipeline
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPast

from course_lib.files import COURSE
from course_lib.messages import error

CACHE = COURSE / "outputs" / "embeddings"
LENGTH = 256  # tokens of a padded prompt, as KolorsPipeline pads it
SAMPLE = 2**16  # bytes at each end of a file that stand for all of it
# The files that decide what is read in a prompt: what makes two encoders alike, and what tells them apart.
MAKE = ("text_encoder/config.json", "text_encoder/tokenizer.model", "tokenizer/tokenizer.model")
WEIGHTS = ("text_encoder/*.safetensors", "text_encoder/*.bin")


@dataclass(frozen=True)
class Words:
    """What the text encoder says about prompts: prompt_embeds [prompts, 256, hidden], pooled [prompts, hidden]."""

    prompt_embeds: Tensor
    pooled_prompt_embeds: Tensor

    def arguments(self, negative: "Words") -> dict[str, Tensor]:
        """Return what a KolorsPipeline takes in place of prompts: `pipe(**words.arguments(negative))`."""
        return {"prompt_embeds": self.prompt_embeds, "pooled_prompt_embeds": self.pooled_prompt_embeds,
                "negative_prompt_embeds": negative.prompt_embeds,
                "negative_pooled_prompt_embeds": negative.pooled_prompt_embeds}


class CachedEncoder(torch.nn.Module):
    """Stands where a pipeline has its text encoder and calls it, by `bring()`, only for prompts never read before.

    `model` is the folder of the model; a prompt's file belongs to the very weights that lie there, or, where none lie
    there, to any of the same make.
    """

    def __init__(self, bring: Callable[[], torch.nn.Module], release: Callable[[], None], model: Path,
                 device: torch.device, dtype: torch.dtype, bits: int = 16) -> None:
        super().__init__()
        self.bring, self.release, self.folder, self.device, self.dtype = bring, release, CACHE, device, dtype
        self.make = fingerprint(model, MAKE)
        weights = fingerprint(model, WEIGHTS)
        self.source = f"{weights} {bits}" if weights else None

    @torch.no_grad()
    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor,
                output_hidden_states: bool = True) -> BaseModelOutputWithPast:
        """Return the last two hidden states, of which KolorsPipeline uses the first and the end of the second."""
        rows = [self.read(*(tensor[row:row + 1] for tensor in (input_ids, attention_mask, position_ids)))
                for row in range(len(input_ids))]
        words, pooled = (torch.stack(part).to(input_ids.device, self.dtype) for part in zip(*rows))
        return BaseModelOutputWithPast(hidden_states=(words.transpose(0, 1), pooled[None]))

    def read(self, ids: Tensor, mask: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return words [256, hidden] and pooled [hidden] of one prompt, from its file or from the encoder."""
        file = self.folder / f"{self.name(ids)}.safetensors"
        if (kept := recall(file, self.source)) is None:
            encoder = self.bring()
            ids, mask, positions = (tensor.to(self.device) for tensor in (ids, mask, positions))
            hidden = encoder(input_ids=ids, attention_mask=mask, position_ids=positions,
                             output_hidden_states=True).hidden_states
            kept = hidden[-2][:, 0], hidden[-1][-1, 0]
            keep(file, self.source, *kept)
        return tuple(tensor.to(self.device) for tensor in kept)

    def name(self, ids: Tensor) -> str:
        """Return the name of one prompt's file."""
        parts = (self.make, str(self.dtype), ids.tolist())
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def recall(file: Path, source: str | None) -> tuple[Tensor, Tensor] | None:
    """Return a kept prompt's words and pooled, or None where no whole file of this source is."""
    try:
        with safe_open(file, framework="pt") as kept:
            if source is None or (kept.metadata() or {}).get("source") == source:
                return kept.get_tensor("words"), kept.get_tensor("pooled")
    except (OSError, SafetensorError):
        pass  # none, or a broken one: the prompt is read again
    return None


def keep(file: Path, source: str | None, words: Tensor, pooled: Tensor) -> None:
    """Write one prompt's words and pooled; a file is there whole or not at all. LessonError where it cannot be."""
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({"words": words.cpu().contiguous(), "pooled": pooled.cpu().contiguous()}, part,
                  metadata={"source": source or ""})
        part.replace(file)
    except (OSError, SafetensorError) as cause:
        with suppress(OSError):
            part.unlink()
        raise error("embeddings_cannot_write", folder=file.parent, cause=cause) from cause


def encode(pipe: KolorsPipeline, prompts: str | Sequence[str], *, folder: Path | None = None,
           free: bool = False) -> Words:
    """Read prompts with a pipeline's text encoder, each once, kept in `folder`; LessonError where none is loaded.

    `free` gives the text encoder's memory back afterwards: prompts that were kept still work.
    """
    prompts = [prompts] if isinstance(prompts, str) else list(prompts)
    reader = find_reader(pipe)
    if folder is not None:
        reader.folder = Path(folder)
    tokens = pipe.tokenizer(prompts, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt")
    tokens = {name: tokens[name] for name in ("input_ids", "attention_mask", "position_ids")}
    states = reader(**tokens).hidden_states
    if free:
        reader.release()
    return Words(states[0].transpose(0, 1).to(pipe.device).contiguous(), states[1][-1].to(pipe.device))


def find_reader(pipe: KolorsPipeline) -> CachedEncoder:
    """Return a pipeline's own CachedEncoder, or one around its text encoder."""
    encoder = pipe.text_encoder
    if isinstance(encoder, CachedEncoder):
        return encoder
    model = Path(pipe.name_or_path)
    if encoder is None:
        return CachedEncoder(refuse, lambda: None, model, pipe.device, pipe.unet.dtype)
    return CachedEncoder(lambda: encoder, lambda: drop(pipe), model, encoder.device, encoder.dtype)


def refuse() -> None:
    """Raise the LessonError for a prompt that nothing here can read."""
    raise error("encoder_gone")


def drop(pipe: KolorsPipeline) -> None:
    """Take the text encoder out of a pipeline; its memory is free when nothing else holds it."""
    pipe.text_encoder = None
    collect()


def collect() -> None:
    """Give memory that nothing holds any more back to the system and to the GPU."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def fingerprint(folder: Path, patterns: Sequence[str]) -> str:
    """Return a hash of the files of a folder that fit the patterns: both ends and the size of each; "" if none does."""
    digest, files = hashlib.sha256(), sorted(file for pattern in patterns for file in folder.glob(pattern))
    for file in files:
        with file.open("rb") as content:
            head = content.read(SAMPLE)
            size = content.seek(0, os.SEEK_END)
            content.seek(max(size - SAMPLE, 0))
            digest.update(f"{file.name} {size} ".encode() + head + content.read())
    return digest.hexdigest() if files else ""
