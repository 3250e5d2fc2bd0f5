"""Where a training writes: a folder that holds no other training's files, and in which no other is at work."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from course_lib.messages import error, text
from course_lib.training.checkpoint import STATE
from course_lib.training.examples import Say
from course_lib.training.run import CHECKPOINTS, SAMPLES

LOCK = ".training.lock"  # held by the training that writes here; it lets go when its process ends, however that is


@contextmanager
def claim(folder: Path, name: str, resume: bool, say: Say) -> Iterator[Path]:
    """Hold a folder for a training while the block runs: `folder`, or where that is used folder_2, folder_3, ...

    A training that is resumed goes on in `folder` itself: LessonError where another is at work there. LessonError for a
    place that cannot be written.
    """
    for number in count(1):
        place = folder if number == 1 else folder.with_name(f"{folder.name}_{number}")
        lock = FileLock(place / LOCK)
        try:
            place.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as cause:
            if resume:
                raise error("train_in_use", folder=folder) from cause
            continue
        except (OSError, NotImplementedError) as cause:
            raise error("train_no_place", folder=place, cause=getattr(cause, "strerror", None) or cause) from cause
        try:
            if resume or not is_used(place, name):
                if place != folder:
                    say(text("train_numbered", folder=folder, place=place))
                yield place
                return
        finally:
            lock.release()


def is_used(folder: Path, name: str) -> bool:
    """Say whether a folder holds a LoRA of this name, a checkpoint or samples, which a training would replace."""
    return ((folder / f"{name}.safetensors").exists() or (folder / CHECKPOINTS / STATE).exists()
            or any((folder / SAMPLES).glob("*.png")))
