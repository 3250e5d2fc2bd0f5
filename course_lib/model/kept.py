"""Tensors kept on disk for the next time: a file counts only if it is, bit by bit, what was written."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from course_lib.files import write_whole

DIGEST = "digest"  # in the header


def keep(file: Path, tensors: Mapping[str, Tensor], about: str) -> None:
    """Write tensors with what they are about, whole or not at all; OSError where that fails."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_whole(file, save(tensors, {"about": about, DIGEST: hash_tensors(tensors, about)}))


def recall(file: Path, about: str | None) -> dict[str, Tensor] | None:
    """Return the tensors of a file about something (None: whatever it is about); None where no whole one is there."""
    try:
        with safe_open(file, framework="pt") as kept:
            header, names = kept.metadata() or {}, kept.keys()
            tensors = {name: kept.get_tensor(name) for name in names}
    except (OSError, SafetensorError):
        return None
    if about not in (None, header.get("about")):
        return None
    return tensors if header.get(DIGEST) == hash_tensors(tensors, header.get("about", "")) else None


def hash_tensors(tensors: Mapping[str, Tensor], about: str) -> str:
    """Return a hash of tensors, their names, kinds and shapes, and what they are about."""
    digest = hashlib.sha256(about.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(memoryview(tensor.reshape(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()
