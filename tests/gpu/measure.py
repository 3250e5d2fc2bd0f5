"""The most bytes that a piece of work takes: on a GPU as its allocator says, on a CPU as torch's profiler records."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.profiler import ProfilerActivity, profile

MATRIX = {"cuda": 8192, "cpu": 512}  # rows and columns of the product by which a device's speed is measured


@dataclass(frozen=True)
class Measured:
    """Bytes at most, beyond those that were there before on a CPU, all of them on a GPU; and the seconds it took."""

    peak: int
    seconds: float


def measure(work: Callable[[], object], device: str) -> Measured:
    """Run `work()` and return what it took; on a CPU the seconds hold the profiler's own."""
    started = time.perf_counter()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        work()
        torch.cuda.synchronize()
        return Measured(torch.cuda.max_memory_allocated(), time.perf_counter() - started)
    return Measured(record_peak(work), time.perf_counter() - started)


def record_peak(work: Callable[[], object]) -> int:
    """Return the most bytes that torch's CPU allocator held at one time beyond those before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        work()
    changes = [(event.start_ns(), event.nbytes()) for event in found.profiler.kineto_results.events()
               if event.name() == "[memory]"]
    live = peak = 0
    for _, change in sorted(changes, key=lambda one: one[0]):
        live += change
        peak = max(peak, live)
    return peak


def measure_rate(device: str, dtype: torch.dtype) -> float:
    """Return the TFLOP/s of one large matrix product, the best that this device does."""
    side = MATRIX[device]
    first, best = torch.randn(side, side, device=device, dtype=dtype), float("inf")
    for _ in range(10):
        started = time.perf_counter()
        first @ first
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * side ** 3 / best / 1e12
