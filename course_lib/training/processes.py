"""One training on several GPUs or machines: `accelerate launch` starts a process for each, and they share every step.

Each process looks at pictures of its own; what they average is the gradient of the LoRA alone, which is small. Process
0 alone writes and speaks.
"""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

# Where launchers say how many processes there are: torchrun and accelerate, then three kinds of MPI.
SIZES = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")

class Processes:
    """The processes of this training; without a launcher there is one, number 0 of 1."""

    def __init__(self) -> None:
        self.number, self.count, self.state = 0, 1, None
        if any(int(os.environ.get(name, "1")) > 1 for name in SIZES):
            from accelerate import PartialState  # here: it connects the processes, and alone there is nothing to do

            self.state = PartialState(cpu=not torch.cuda.is_available())  # gloo between CPUs, nccl between GPUs
            self.number, self.count = self.state.process_index, self.state.num_processes

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.number == 0

    def first_alone(self) -> AbstractContextManager:
        """Let the first process do something before the others, which then find it done."""
        return self.state.main_process_first() if self.state else nullcontext()

    def wait(self) -> None:
        """Wait until every process has come here."""
        if self.state:
            self.state.wait_for_everyone()

    @torch.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the processes."""
        if self.state:
            flat = torch.cat([tensor.flatten().float() for tensor in tensors])  # one message instead of hundreds
            torch.distributed.all_reduce(flat)
            for tensor, mean in zip(tensors, (flat / self.count).split([tensor.numel() for tensor in tensors])):
                tensor.copy_(mean.view_as(tensor))

    def decide(self, answer: bool, device: torch.device) -> bool:
        """Return what the first process answers, so that all of them go on or all stop."""
        if not self.state:
            return answer
        told = torch.tensor(float(answer), device=device)
        torch.distributed.broadcast(told, src=0)
        return bool(told.item())
