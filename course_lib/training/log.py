"""A training's record: log.jsonl beside the LoRA, one line a step; and, where one is asked for, another tool's tracker.

A line is with the system before the next step begins, so a killed process loses none. A training that is resumed cuts
the lines of the steps that it takes again.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.files import write_whole
from course_lib.messages import error, text
from course_lib.training.config import TrainConfig
from course_lib.training.examples import Say
from course_lib.training.report import StepRecord

if TYPE_CHECKING:
    from accelerate.tracking import GeneralTracker

LOG = "log.jsonl"
TOLD = ("step", "steps", "loss", "error", "rate", "gradient", "seconds", "memory")
IF_ANY = ("validation_loss", "stopped")
TRACKED = ("loss", "error", "rate", "gradient", "validation_loss")  # what a tracker draws


def log_place(folder: Path, name: str) -> Path:
    """Return where the record of a LoRA lies: log.jsonl, or with the LoRA's name where that is not "lora"."""
    return folder / (LOG if name == "lora" else f"{name}.{LOG}")


def read_log(path: str | Path) -> list[dict[str, object]]:
    """Return the lines of a log.jsonl, or of the one in a folder, in order; a last line that was cut is left out.

    LessonError where there is none, or it is no log.
    """
    path = Path(path).expanduser()
    file = path / LOG if path.is_dir() else path
    try:
        return read_lines(file)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as cause:
        raise error("train_log_broken", file=file, cause=getattr(cause, "strerror", None) or cause) from cause


def read_lines(file: Path) -> list[dict[str, object]]:
    """Read a log's whole lines; ValueError, KeyError or TypeError for one that is none."""
    *whole, _ = file.read_bytes().split(b"\n")  # what stands behind the last line's end was cut
    lines = [json.loads(line) for line in whole if line.strip()]
    for line in lines:
        if type(line["step"]) is not int:
            raise TypeError(f"step {line['step']}")
    return lines


@contextmanager
def recording(folder: Path | None, name: str, step: int, config: TrainConfig, say: Say) -> "Iterator[Recorder]":
    """Yield what writes a training's record from `step` on into a folder (none for None), and ends it afterwards."""
    tracker = open_tracker(config, folder, name) if config.report_to and folder else None
    recorder = Recorder(folder and log_place(folder, name), step, say, tracker)
    try:
        yield recorder
    finally:
        recorder.close()
        if tracker:
            tracker.finish()


class Recorder:
    """Writes a line for each step; where the disk takes none it is told once, and the training goes on."""

    def __init__(self, file: Path | None, step: int, say: Say, tracker: "GeneralTracker | None" = None) -> None:
        self.file, self.say, self.tracker, self.place = file, say, tracker, -1
        if file:
            try:
                write_whole(file, b"".join(to_line(line) for line in kept_lines(file, step)))
                self.place = os.open(file, os.O_WRONLY | os.O_APPEND)
            except OSError as cause:
                self.give_up(cause)

    def write(self, record: StepRecord) -> None:
        """Write one step's line, and hand its numbers to the tracker."""
        line = {name: tell(getattr(record, name)) for name in TOLD}
        line |= {name: getattr(record, name) for name in IF_ANY if getattr(record, name) not in (None, "")}
        if self.place >= 0:
            try:
                os.write(self.place, to_line(line))  # in one call, so that no half of it is there for long
            except OSError as cause:
                self.give_up(cause)
        if self.tracker:
            self.tracker.log({name: line[name] for name in TRACKED if line.get(name) is not None}, step=record.step)

    def give_up(self, cause: OSError) -> None:
        """Say that the record cannot be written, and write no more of it."""
        self.close()
        self.say(text("train_log_failed", file=self.file, cause=cause.strerror or cause))

    def close(self) -> None:
        """Close the file."""
        if self.place >= 0:
            os.close(self.place)
            self.place = -1


def kept_lines(file: Path, step: int) -> list[dict[str, object]]:
    """Return the lines of steps that are done; a line that was cut, or is none, is left out."""
    if not file.is_file():
        return []
    kept = []
    for line in file.read_bytes().split(b"\n"):
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            table = json.loads(line)
            if table["step"] <= step:
                kept.append(table)
    return kept


def to_line(line: Mapping[str, object]) -> bytes:
    """Return one line of the log."""
    return json.dumps(line).encode() + b"\n"


def tell(value: float) -> float | None:
    """Return a number as JSON can hold it: nothing for infinity and for what is no number."""
    return value if math.isfinite(value) else None


def open_tracker(config: TrainConfig, folder: Path, name: str) -> "GeneralTracker":
    """Start the tracker that the settings name, through accelerate's own classes; LessonError where it is missing."""
    from accelerate import tracking  # here: it brings every tracker that is installed

    if config.report_to not in {str(getattr(each, "value", each)) for each in tracking.get_available_trackers()}:
        raise error("train_tracker_missing", name=config.report_to)
    kind = tracking.LOGGER_TYPE_TO_CLASS[config.report_to]
    title = f"{folder.name}_{name}"
    tracker = kind(title, logging_dir=folder / "runs") if kind.requires_logging_directory else kind(title)
    tracker.start()
    settings = json.loads(config.to_json())
    tracker.store_init_configuration({key: value for key, value in settings.items()
                                      if isinstance(value, (bool, int, float, str))})
    return tracker
