"""What surrounds the nodes: which names they may choose, where files and models are, who is told of a step.

The nodes ask `here()`. In ComfyUI that is a `ComfyHost`; the notebook's runner puts its own in place while it runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from diffusers import KolorsPipeline
from PIL import Image

from course_lib.messages import error, text
from course_lib.model.loading import load
from course_lib.sampling.metadata import CHECKPOINT
from course_lib.sampling.step import Callback

KOLORS = "Kwai-Kolors/Kolors"  # the model's name in the camp's workflows
VAE = "sdxl.vae.safetensors"  # and its VAE's
ENCODERS = ("chatglm3-fp16.safetensors", "chatglm3-8bit.safetensors", "chatglm3-4bit.safetensors")
NAMES = {"kolors": (KOLORS,), "vae": (VAE,), "checkpoints": (CHECKPOINT,), "encoders": ENCODERS}


class Host:
    """The plainest surroundings: the names of the camp's workflows, all of them Tiny Kolors, and nobody to be told."""

    lora_folders: tuple[Path, ...] = ()
    # Of LoadImage and SaveImage: only the notebook has them, for in ComfyUI its own nodes of these names run.
    input_folder: Path
    output_folder: Path

    def list_names(self, kind: str) -> list[str]:
        """List the names that a node offers of a kind: "kolors", "checkpoints", "vae", "encoders", "loras"."""
        return list(NAMES.get(kind, ()))

    def find_pipe(self, name: str | None = None) -> KolorsPipeline:
        """Return the loaded model behind a name, or the one that parts without a name belong to."""
        return load("tiny")

    def find_lora(self, name: str) -> Path:
        """Return a LoRA's file by its path, absolute or inside one of the folders; LessonError where none is."""
        found = [folder / name for folder in self.lora_folders if name and is_file(folder / name)]
        if not found:
            raise error("node_lora_missing", path=name, folders=text("list_comma").join(map(str, self.lora_folders)))
        return found[0]

    def watch(self, pipe: KolorsPipeline) -> Callback | None:
        """Return what a sampler tells each Step, and what stops it."""
        return None

    def make_room(self) -> None:
        """Free a GPU's memory for what the course is about to do there."""

    def note(self, words: str) -> None:
        """Tell the learner something that is no error."""

    def save(self, picture: Image.Image, prefix: str) -> Path:
        """Save a picture in the output folder and return its file."""
        raise NotImplementedError


def is_file(path: Path) -> bool:
    """Say whether a file is there; a name that no file can have is none."""
    try:
        return path.is_file()
    except OSError:
        return False


_outer: list[Host] = [Host()]
_inner: ContextVar[Host | None] = ContextVar("host", default=None)


def here() -> Host:
    """Return the surroundings of the node that runs."""
    return _inner.get() or _outer[-1]


def settle(host: Host) -> None:
    """Take these surroundings from now on, in every thread."""
    _outer[:] = [host]


@contextmanager
def surrounded(host: Host) -> Iterator[Host]:
    """Take these surroundings within a `with` block."""
    token = _inner.set(host)
    try:
        yield host
    finally:
        _inner.reset(token)
