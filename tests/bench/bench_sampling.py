"""Compare `generate` with diffusers' own pipeline and with itself in a loop; prints medians in seconds and ratios.

The runs of what is compared take turns, so that whatever else the machine does slows both.
"""

import statistics
import time

from course_lib.model.latents import decode, empty_latent, preview
from course_lib.model.loading import load
from course_lib.sampling.drawing import generate
from course_lib.sampling.settings import SamplerSettings

RUNS = 9
PROMPT = "一只瓢虫，蓝色背景"
CFGS = (1.5, 2, 3, 4, 5, 6, 8, 10)


def measure(runs):
    """Run each of the functions in turn, RUNS times, and return their median seconds."""
    seconds = {name: [] for name in runs}
    for turn in range(RUNS + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if turn:  # the first one warms up
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in seconds.items()}


def main():
    """Load the model and print the medians and their ratios beside their goals."""
    pipe = load("tiny")
    strip = [SamplerSettings(cfg=cfg) for cfg in CFGS]
    latent = empty_latent(pipe)
    seconds = measure({
        "generate": lambda: generate(pipe, PROMPT, SamplerSettings()),
        "pipeline": lambda: pipe(PROMPT, num_inference_steps=20, guidance_scale=5.0),
        "strip": lambda: generate(pipe, PROMPT, strip),
        "loop": lambda: [generate(pipe, PROMPT, settings) for settings in strip],
        "decode": lambda: decode(pipe, latent),
        "preview": lambda: preview(pipe, latent),
    })
    print(f"20 steps, cfg 5: generate      {seconds['generate']:.3f} s  (goal on two idle cores: 0.35)")
    print(f"20 steps, cfg 5: pipeline      {seconds['pipeline']:.3f} s")
    print(f"generate / pipeline            {seconds['generate'] / seconds['pipeline']:.2f}  (goal: at most 0.8)")
    print(f"8 values of cfg in one batch   {seconds['strip']:.3f} s")
    print(f"loop / batch                   {seconds['loop'] / seconds['strip']:.2f}  (goal: at least 1.5)")
    print(f"decode                         {seconds['decode']:.3f} s")
    print(f"preview / generate             {seconds['preview'] / seconds['generate']:.2f}")


if __name__ == "__main__":
    main()
