"""Tensors that are computed once and kept on disk under the hash of everything they depend on."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from course_lib.files import COURSE
from course_lib.model.kept import keep, recall

CACHE = COURSE / "outputs" / "train_cache"


class Cache:
    """A folder of small safetensors files; `found` and `made` count what was there and what had to be computed."""

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.found, self.made = folder, 0, 0
        self.problem: OSError | None = None  # why the last thing could not be kept

    def recall(self, key: tuple[object, ...], make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Return the tensors of a key from their file, or make them and keep them."""
        if self.folder is None:
            return make()
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:40]
        file = self.folder / name[:2] / f"{name}.safetensors"
        tensors = recall(file, repr(key))
        if tensors is not None:
            self.found += 1
            return tensors
        tensors = make()
        self.made += 1
        try:
            keep(file, tensors, repr(key))
        except OSError as problem:  # a full disk costs the time to compute it again, not the training
            self.problem = problem
        return tensors
