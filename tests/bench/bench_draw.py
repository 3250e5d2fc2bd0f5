"""Measure one picture of 25 steps with guidance against one without; prints medians in seconds and their ratio."""

import statistics
import time

from course_lib.model.loading import load
from course_lib.sampling.drawing import draw

RUNS = 9


def measure(pipe, cfg):
    """Return the median seconds of one picture."""
    draw(pipe, "一只瓢虫，蓝色背景", cfg=cfg)
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        draw(pipe, "一只瓢虫，蓝色背景", cfg=cfg)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main():
    """Load the model and print both medians and their ratio."""
    started = time.perf_counter()
    pipe = load("tiny")
    print(f"load               {time.perf_counter() - started:.2f} s")
    guided, plain = measure(pipe, 5.0), measure(pipe, 1.0)
    print(f"25 steps, cfg 5    {guided:.2f} s")
    print(f"25 steps, cfg 1    {plain:.2f} s")
    print(f"ratio              {guided / plain:.2f}")


if __name__ == "__main__":
    main()
