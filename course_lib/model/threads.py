"""How many cores a model computes with on a CPU: one where its layers are too small to share, all where they are large.

The threads of one layer wait for each other, and OpenMP's wait by spinning. Where another program holds a core, that
wait is long: a picture of Tiny Kolors took five times as long beside one busy program with two threads as alone, and
with one thread as long as ever. On idle cores the second thread gains next to nothing (tests/bench/bench_threads.py).
"""

import torch

SMALL = 100_000_000  # weights of a UNet; Tiny Kolors has some ten million, Kolors 2.6 billion
AT_FIRST = torch.get_num_threads()  # as many as torch chose for this machine, or as OMP_NUM_THREADS says


def set_threads(unet: torch.nn.Module) -> int:
    """Let torch compute with as many threads as serve this UNet, and return their number."""
    small = sum(weight.numel() for weight in unet.parameters()) < SMALL
    torch.set_num_threads(1 if small else AT_FIRST)
    return torch.get_num_threads()
