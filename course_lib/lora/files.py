"""LoRA files: read without trusting them, and written whole or not at all."""

import json
import math
import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from course_lib.lora.headers import find_lora, read_header_alpha
from course_lib.lora.names import recognise, split_key
from course_lib.messages import error, text

WEIGHTS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
PICKLED = (b"PK\x03\x04", b"\x80")  # how torch.save's files begin, today's and the oldest
BROKEN = (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError, EOFError, RecursionError,
          SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Matrices:
    """What a LoRA adds to one layer: (alpha/rank) up @ down; shapes (rank, in, ...) and (out, rank, ...).

    `magnitude` is DoRA's length of each row of the new weight, (out,) or None.
    """

    down: torch.Tensor
    up: torch.Tensor
    alpha: float | None = None
    magnitude: torch.Tensor | None = None

    @property
    def rank(self) -> int:
        """Return how many numbers the layer's input is squeezed into."""
        return self.down.shape[0]

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


def read_lora(path: str | Path, *, alpha: float | None = None) -> LoraFile:
    """Read a LoRA file in any format, or the one in a folder; `alpha` goes before what is stored. LessonError."""
    path = Path(path).expanduser()
    path = find_lora(path) if path.is_dir() else path
    header, tensors = read_tensors(path)
    layers, others = gather(path, tensors)
    file = LoraFile(path, recognise(layers), header, layers, others)
    for name, matrices in layers.items():
        check_matrices(path, name, matrices)
    return give_alphas(file, alpha)


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Return a file's header and tensors; what it is is read from its first bytes, and no code in it is run."""
    try:
        with path.open("rb") as content:
            first = content.read(9)
        if first.endswith(b"{") or not first.startswith(PICKLED):  # safetensors: 8 bytes of length, then JSON
            with safe_open(path, framework="pt") as content:
                return content.metadata() or {}, {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118
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
            raise error("lora_half", file=path.name, layer=layer, found=text("list_comma").join(sorted(found)))
        stored = found.get("alpha")
        alpha = None
        if stored is not None and stored.numel() == 1 and not stored.is_complex():
            alpha = float(f"{stored.item():.7g}")  # a float32 knows seven digits: 0.1, not 0.10000000149
        magnitude = found["magnitude"].flatten() if "magnitude" in found else None
        layers[layer] = Matrices(found["down"], found["up"], alpha, magnitude)
    if not layers:
        raise error("lora_none", file=path.name, count=len(others), example=next(iter(others), ""))
    return layers, tuple(others)


def check_matrices(path: Path, name: str, matrices: Matrices) -> None:
    """Answer matrices that cannot be multiplied, are empty, or hold no finite numbers, with a LessonError."""
    down, up = matrices.down, matrices.up
    shapes = {"file": path.name, "layer": name, "down": list(down.shape), "up": list(up.shape)}
    if down.ndim not in (2, 4) or up.ndim != down.ndim or down.shape[0] != up.shape[1]:
        raise error("lora_rank_mismatch", **shapes)
    if 0 in (*down.shape, *up.shape):
        raise error("lora_rank_zero", **shapes)
    for tensor in (down, up) if matrices.magnitude is None else (down, up, matrices.magnitude):
        if tensor.dtype not in WEIGHTS:
            raise error("lora_no_weights", file=path.name, layer=name, kind=str(tensor.dtype).removeprefix("torch."))
        if not tensor.isfinite().all():
            raise error("lora_not_finite", file=path.name, layer=name)


def give_alphas(file: LoraFile, given: float | None) -> LoraFile:
    """Give each layer the alpha that was given, or is stored in the file; None where there is neither. LessonError."""
    if given is not None:
        check_alpha(given)
        return replace(file, layers={name: replace(matrices, alpha=float(given))
                                     for name, matrices in file.layers.items()})
    try:
        stored = read_alphas(file)
    except BROKEN as cause:
        raise error("lora_header_broken", file=file.path.name, cause=str(cause)[:200]) from cause
    known = [matrices.alpha for matrices in file.layers.values() if matrices.alpha is not None]
    for key in ("alpha", "ss_network_alpha"):
        written = stored.get(key)
        if written and known and not any(math.isclose(written, value, rel_tol=1e-3) for value in known):
            raise error("lora_alpha_contradicts", file=file.path.name, header=f"{written:g}", tensor=f"{known[0]:g}")
    layers = {}
    for name, matrices in file.layers.items():
        alpha = matrices.alpha if matrices.alpha is not None else stored.get(name, stored.get("alpha"))
        if alpha is not None and not (math.isfinite(alpha) and alpha > 0):
            raise error("lora_alpha_wrong", value=alpha)
        layers[name] = replace(matrices, alpha=alpha)
    return replace(file, layers=layers)


def check_alpha(value: float) -> None:
    """Answer an alpha that is no number above 0 with a LessonError."""
    if isinstance(value, bool) or not isinstance(value, Real) or not (math.isfinite(value) and value > 0):
        raise error("lora_alpha_wrong", value=repr(value))


def read_alphas(file: LoraFile) -> dict[str, float]:
    """Read the alphas of a header: "alpha" for all layers, and that of single layers by their names in the file.

    Keys: the course's own `alpha`, kohya's `ss_network_alpha`, diffusers' table `lora_adapter_metadata`; peft writes
    that table into a file of its own, adapter_config.json beside adapter_model.safetensors.
    """
    header, found, beside = file.header, {}, file.path.with_name("adapter_config.json")
    written = header.get("lora_adapter_metadata", "{}")
    if file.path.stem == "adapter_model" and beside.is_file():
        written = beside.read_text(encoding="utf-8")
    table = {key.removeprefix("unet."): value for key, value in json.loads(written).items()}
    for name, matrices in file.layers.items():
        patterns = [value for key, value in (table.get("alpha_pattern") or {}).items()
                    if f".{name}".endswith("." + key.lstrip("^").replace("\\", ""))]  # taken as a name, never run
        alpha = (patterns or [table.get("lora_alpha")])[0]
        if alpha is not None:  # rank-stabilised LoRA (https://arxiv.org/abs/2312.03732) divides by the rank's root
            found[name] = float(alpha) * (math.sqrt(matrices.rank) if table.get("use_rslora") else 1)
    told = read_header_alpha(header)
    return found if told is None else {**found, "alpha": told}


def join_range(values: list[float]) -> float | str:
    """Return the one value there is, or "least-most" of several sorted ones."""
    return values[0] if len(values) == 1 else f"{values[0]:g}-{values[-1]:g}"


def write_tensors(path: str | Path, tensors: Mapping[str, torch.Tensor], header: Mapping[str, str]) -> Path:
    """Write a file under a temporary name and rename it: safetensors, or for any other ending torch.save's form.

    What was there before stays whole until then; LessonError where that place cannot be written or is full.
    """
    path = Path(path).expanduser()
    part = path.with_name(f".{path.name}.part")
    tensors = {key: value.detach().to("cpu", copy=True).contiguous() for key, value in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if path.suffix == ".safetensors":
                save_file(tensors, part, {"format": "pt", **header})
            else:
                torch.save(tensors, part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, RuntimeError, SafetensorError) as cause:
        raise error("lora_cannot_write", path=path, cause=getattr(cause, "strerror", None) or cause) from cause
    return path
