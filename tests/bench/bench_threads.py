"""Measure a picture with one thread and with all, on idle cores and beside busy processes; prints medians in seconds.

Run it on a machine that does nothing else: `python tests/bench/bench_threads.py`.
"""

import contextlib
import statistics
import subprocess
import sys
import time

import torch

from course_lib.model.loading import load
from course_lib.model.threads import AT_FIRST
from course_lib.sampling.drawing import draw, generate
from course_lib.sampling.settings import SamplerSettings

RUNS = 5
PROMPT = "一只瓢虫，蓝色背景"


@contextlib.contextmanager
def keep_busy(count):
    """Keep `count` processes computing beside this one."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measure(make):
    """Return the median seconds of one picture, the first left out."""
    make()
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        make()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main():
    """Print a table: threads, busy processes, seconds of `draw` (25 steps) and `generate` (20 steps), against idle."""
    pipe = load("tiny")
    ways = {"draw": lambda: draw(pipe, PROMPT), "generate": lambda: generate(pipe, PROMPT, SamplerSettings(steps=20))}
    print("threads  busy  " + "  ".join(f"{name:>8} x idle" for name in ways))
    for threads in (1, AT_FIRST):
        torch.set_num_threads(threads)
        idle = {}
        for busy in (0, 1, 2):
            with keep_busy(busy):
                seconds = {name: measure(make) for name, make in ways.items()}
            idle = idle or seconds
            row = "  ".join(f"{seconds[name]:8.2f} {seconds[name] / idle[name]:6.2f}" for name in ways)
            print(f"{threads:7}  {busy:4}  {row}", flush=True)


if __name__ == "__main__":
    main()
