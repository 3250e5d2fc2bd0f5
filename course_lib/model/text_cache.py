"""Prompts read once: the text encoder's answer to each is kept on disk, so the next time no encoder is needed.

The full Kolors' text encoder takes 12.5 GB; what it says about one prompt takes 2 MB.
"""

import gc
import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPast

from course_lib.files import COURSE
from course_lib.messages import error
from course_lib.model.fingerprints import fingerprint
from course_lib.model.kept import keep, recall

CACHE = COURSE / "outputs" / "embeddings"
# The files that decide what is read in a prompt: what makes two encoders alike, and what tells them apart.
MAKE = ("text_encoder/config.json", "text_encoder/tokenizer.model", "tokenizer/tokenizer.model")
WEIGHTS = ("text_encoder/*.safetensors", "text_encoder/*.bin")


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
        kept = recall(file, self.source)
        if kept is None:
            encoder = self.bring()
            ids, mask, positions = (tensor.to(self.device) for tensor in (ids, mask, positions))
            hidden = encoder(input_ids=ids, attention_mask=mask, position_ids=positions,
                             output_hidden_states=True).hidden_states
            kept = {"words": hidden[-2][:, 0], "pooled": hidden[-1][-1, 0]}
            try:
                keep(file, kept, self.source or "")
            except OSError as cause:
                raise error("embeddings_cannot_write", folder=file.parent, cause=cause) from cause
        return tuple(kept[name].to(self.device) for name in ("words", "pooled"))

    def name(self, ids: Tensor) -> str:
        """Return the name of one prompt's file."""
        parts = (self.make, str(self.dtype), ids.tolist())
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def collect() -> None:
    """Give memory that nothing holds any more back to the system and to the GPU."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
