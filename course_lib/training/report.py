"""What a training tells of each of its steps."""

from dataclasses import dataclass
from pathlib import Path

from course_lib.pictures.picture import Picture


@dataclass(frozen=True)
class StepRecord:
    """What is known after a step: `loss` as it was weighted, `error` unweighted, `rate` the learning rate.

    `seconds` are this step's, `memory` is in bytes. `stopped` says why it is the last one: "done", "asked", "no_gain".
    """

    step: int  # steps that are done, of `steps`
    steps: int
    loss: float
    error: float
    rate: float
    gradient: float  # the gradient's norm, before it is cut to max_grad_norm
    seconds: float
    seconds_left: float
    memory: int
    gpu: bool = False  # whether `memory` is the peak on the GPU, or what the process takes in RAM
    validation_loss: float | None = None
    samples: tuple[Picture, ...] = ()
    stopped: str = ""
    path: Path | None = None  # the LoRA's file, in the last record
