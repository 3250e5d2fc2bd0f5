"""LoRA files: read without trusting them, and written whole or not at all."""

import math
import pickle
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from course_lib.files import refuse_pointer, replaced
from course_lib.lora.headers import find_lora
from course_lib.lora.names import name_method, recognise, split_key
from course_lib.messages import error, text
from course_lib.model.pickles import check_pickle

WEIGHTS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
MOST_KERNEL = 7  # places along a side of a convolution; in Kolors 3
PICKLED = (b"PK\x03\x04", b"\x80")  # how torch.save's files begin, today's and the oldest
BROKEN = (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError, EOFError, RecursionError,
          SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile)
Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Matrices:
    """What a LoRA adds to one layer: (alpha/rank) up @ down; shapes (rank, in, ...) and (out, rank, ...).

    `magnitude` is DoRA's length of each row of the new weight, (out,), or of each column, (1, in), or None. `bias` is
    added to what `up` gives, (out,) or None.
    """

    down: torch.Tensor
    up: torch.Tensor
    alpha: float | None = None
    magnitude: torch.Tensor | None = None
    bias: torch.Tensor | None = None

    @property
    def rank(self) -> int:
        """Return how many numbers the layer's input is squeezed into."""
        return self.down.shape[0]

    @property
    def by_column(self) -> bool:
        """Whether it is a DoRA that gives each column of the weight, what one input counts, its length."""
        return self.magnitude is not None and self.magnitude.ndim == 2

    @property
    def tensors(self) -> list[torch.Tensor]:
        """Return all its tensors."""
        return [each for each in (self.down, self.up, self.magnitude, self.bias) if each is not None]

    @property
    def norm(self) -> float:
        """Return the Frobenius norm of up @ down times alpha/rank (times 1 without alpha), without forming it."""
        down, up = self.down.double().flatten(1), self.up.double().flatten(1)
        square = ((up.T @ up) * (down @ down.T)).sum().clamp(min=0).item()
        return math.sqrt(square) * (1.0 if self.alpha is None else self.alpha / self.rank)


@dataclass(frozen=True)
class LoraFile:
    """A LoRA file as it was read: its format, its header, and its layers by the names that stand in the file."""

    path: Path
    format: str
    header: dict[str, str]
    layers: dict[str, Matrices]
    others: tuple[str, ...] = field(default=())  # keys that are no part of a LoRA
    notes: tuple[str, ...] = field(default=())  # what a learner should know of how it was read

    @property
    def held(self) -> int:
        """Return how many layers the file holds, or seems to."""
        return len(self.layers) + len(self.others)

    def example(self) -> str:
        """Return one layer's name as it stands in the file."""
        return next(iter(self.layers))

    def list_ranks(self) -> list[int]:
        """Return the ranks that occur, the smallest first."""
        return sorted({matrices.rank for matrices in self.layers.values()})

    def list_alphas(self) -> list[float]:
        """Return the alphas that occur, the smallest first; none where the file stores none and none was given."""
        return sorted({matrices.alpha for matrices in self.layers.values() if matrices.alpha is not None})


def read_matrices(path: str | Path) -> LoraFile:
    """Read a LoRA file in any format, or the one in a folder, with the alphas beside its matrices. LessonError."""
    path = Path(path).expanduser()
    path = find_lora(path) if path.is_dir() else path
    header, tensors = read_tensors(path)
    layers, others = gather(path, tensors)
    file = LoraFile(path, recognise(layers), header, layers, others)
    for name, matrices in layers.items():
        check_matrices(path, name, matrices)
    return file


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Return a file's header and tensors; what it is is read from its first bytes, and no code in it is run."""
    try:
        refuse_pointer(path)
        with path.open("rb") as content:
            first = content.read(9)
        if first.endswith(b"{") or not first.startswith(PICKLED):  # safetensors: 8 bytes of length, then JSON
            with safe_open(path, framework="pt") as content:
                return content.metadata() or {}, {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118
        check_pickle(path)
        with path.open("rb") as content, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, about old kinds of pickle
            found = torch.load(content, map_location="cpu", weights_only=True)
        found = found.get("state_dict", found)
        tensors = {str(key): value for key, value in found.items() if isinstance(value, torch.Tensor)}
        if any(value.layout != torch.strided or value.is_meta or value.nbytes > path.stat().st_size
               for value in tensors.values()):
            raise ValueError("a tensor is larger than the file")
        return {}, tensors
    except FileNotFoundError as cause:
        raise error("lora_file_missing", path=path) from cause
    except pickle.UnpicklingError as cause:
        raise error("lora_pickle_refused", file=path.name) from cause
    except BROKEN as cause:
        raise error("lora_file_broken", file=path.name, cause=str(cause).splitlines()[0][:200] if str(cause) else
                    type(cause).__name__) from cause


def gather(path: Path, tensors: Mapping[str, torch.Tensor]) -> tuple[dict[str, Matrices], tuple[str, ...]]:
    """Put each layer's tensors together; LessonError where no layer has any, or one has half."""
    parts: dict[str, dict[str, torch.Tensor]] = {}
    others = []
    for key, value in tensors.items():
        layer, part = split_key(key)
        if part:
            parts.setdefault(layer, {})[part] = value
        else:
            others.append(key)
    layers = {}
    for layer, found in parts.items():
        if not {"down", "up"} <= set(found):
            method = name_method(others)
            if method:
                raise error("lora_method", file=path.name, method=method)
            raise error("lora_half", file=path.name, layer=layer, found=text("list_comma").join(sorted(found)))
        layers[layer] = put_together(path, layer, found)
    if not layers and name_method(others):
        raise error("lora_method", file=path.name, method=name_method(others))
    if not layers:
        raise error("lora_none", file=path.name, count=len(others), example=next(iter(others), ""))
    return layers, tuple(others)


def put_together(path: Path, layer: str, found: Mapping[str, torch.Tensor]) -> Matrices:
    """Make one layer's tensors its matrices; LessonError for LoCon's three matrices that cannot be multiplied."""
    down, up, alpha, stored = found["down"], found["up"], None, found.get("alpha")
    if stored is not None and stored.numel() == 1 and not stored.is_complex():
        alpha = float(f"{stored.item():.7g}")  # a float32 knows seven digits: 0.1, not 0.10000000149
    if "mid" in found:  # up (out, rank, 1, 1), mid (rank, rank, ...), down (rank, in, 1, 1): the last two are one
        mid = found["mid"]
        if mid.ndim != 4 or down.shape[:1] + down.shape[2:] != (mid.shape[1], 1, 1) or max(mid.shape[2:]) > MOST_KERNEL:
            raise error("lora_rank_mismatch", file=path.name, layer=layer, down=list(down.shape), up=list(mid.shape))
        down = torch.einsum("rskl,si->rikl", mid.float(), down.flatten(1).float())
    magnitude = found.get("dora_scale", found.get("magnitude"))
    if magnitude is not None:  # peft's is always of rows; elsewhere [1, in] is of columns and [out, 1] of rows
        by_column = "dora_scale" in found and magnitude.ndim > 1 and len(magnitude) == 1
        magnitude = magnitude.reshape(1, -1) if by_column else magnitude.flatten()
    return Matrices(down, up, alpha, magnitude, found.get("bias"))


def check_matrices(path: Path, name: str, matrices: Matrices) -> None:
    """Answer matrices that cannot be multiplied, are empty, or hold no finite numbers, with a LessonError."""
    down, up = matrices.down, matrices.up
    shapes = {"file": path.name, "layer": name, "down": list(down.shape), "up": list(up.shape)}
    if down.ndim not in (2, 4) or up.ndim != down.ndim or down.shape[0] != up.shape[1]:
        raise error("lora_rank_mismatch", **shapes)
    if 0 in (*down.shape, *up.shape):
        raise error("lora_rank_zero", **shapes)
    for tensor in matrices.tensors:
        if tensor.dtype not in WEIGHTS:
            raise error("lora_no_weights", file=path.name, layer=name, kind=str(tensor.dtype).removeprefix("torch."))
        if not tensor.isfinite().all():
            raise error("lora_not_finite", file=path.name, layer=name)


def join_range(values: Sequence[Number]) -> Number | str:
    """Return the one value there is, or "least-most" of several sorted ones."""
    return values[0] if len(values) == 1 else f"{values[0]:g}-{values[-1]:g}"


def write_tensors(path: str | Path, tensors: Mapping[str, torch.Tensor], header: Mapping[str, str]) -> Path:
    """Write a file whole or not at all: safetensors, or for any other ending torch.save's form.

    LessonError where that place cannot be written or is full; what was there before is still there then.
    """
    path = Path(path).expanduser()
    tensors = {key: value.detach().to("cpu", copy=True).contiguous() for key, value in tensors.items()}
    try:
        with replaced(path) as part:
            if path.suffix == ".safetensors":
                save_file(tensors, part, {"format": "pt", **header})
            else:
                torch.save(tensors, part)
    except (OSError, RuntimeError, SafetensorError) as cause:
        raise error("lora_cannot_write", path=path, cause=getattr(cause, "strerror", None) or cause) from cause
    return path
