"""Drag a slider of the explorer, 30 values within a second; prints medians in seconds and ratios to one picture."""

import statistics
import time

from course_lib.model.loading import load
from course_lib.pictures.picture import encode_png
from course_lib.sampling.drawing import generate
from course_lib.sampling.settings import SamplerSettings
from course_lib.widgets.explorer import explore

RUNS = 9
EVENTS, DRAG = 30, 1.0  # values, and seconds from the first to the last
PROMPT = "一只瓢虫，蓝色背景"


def time_picture(pipe, cfg):
    """Return the seconds of one picture, and its PNG."""
    started = time.perf_counter()
    picture = generate(pipe, PROMPT, SamplerSettings(cfg=cfg))
    return time.perf_counter() - started, encode_png(picture.image)


def drag(explorer, last):
    """Drag cfg to `last` -> seconds from the first value to a new image, from the last value to the last image."""
    shown = []
    explorer.image.observe(lambda change: shown.append(time.perf_counter()), "value")
    started = time.perf_counter()
    for number in range(EVENTS):
        time.sleep(max(0.0, started + number * DRAG / (EVENTS - 1) - time.perf_counter()))
        explorer.controls.dials["cfg"].slider.value = last - 0.1 * (EVENTS - 1 - number)
        ended = time.perf_counter()
    explorer.wait()
    explorer.image.unobserve_all("value")
    return shown[0] - started, shown[-1] - ended


def main():
    """Load the model, take turns between single pictures and drags, and print both beside the goals."""
    pipe = load("tiny")
    explorer = explore(pipe, PROMPT, settings=SamplerSettings())
    singles, firsts, lasts = [], [], []
    for turn in range(RUNS + 1):
        last = round(4 + 0.5 * turn, 1)
        single, expected = time_picture(pipe, last)
        first, final = drag(explorer, last)
        if explorer.image.value != expected:
            raise SystemExit("the explorer shows another picture than the last value's")
        if turn:  # the first one warms up
            singles.append(single)
            firsts.append(first)
            lasts.append(final)
    single, first, final = (statistics.median(times) for times in (singles, firsts, lasts))
    print(f"one picture of 20 steps        {single:.3f} s")
    print(f"first preview after            {first:.3f} s  (goal on two idle cores: 0.2)")
    print(f"right picture after the last   {final:.3f} s")
    print(f"right picture / one picture    {final / single:.2f}  (goal: at most 1.3)")


if __name__ == "__main__":
    main()
