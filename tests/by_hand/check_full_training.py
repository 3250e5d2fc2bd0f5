"""Train a LoRA of the full-size Kolors with random weights on a CUDA GPU; memory, seconds, and share of its speed.

    python tests/by_hand/check_full_training.py          1024 and 512 px; 18 GB of disk, 20 GB of RAM, about 10 minutes
    python tests/by_hand/check_full_training.py --small  the same steps with Tiny Kolors' sizes on the CPU

It writes a model in Kolors' layout, fp16 and random, then trains a few steps, rank 16, batch 1, in a process of its own
for each case: cached as the course does, with and without gradient checkpointing, and uncached in the order of
diffusers' example with every part on the GPU. It ends with 1 where a peak passes its limit or a number is not finite.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

COURSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(COURSE), str(COURSE / "tests" / "bench"), str(COURSE / "tests" / "by_hand")]

import torch  # noqa: E402
from bench_train import train_uncached  # noqa: E402
from check_full_kolors import report, write_model  # noqa: E402
from PIL import Image  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from course_lib.dataset.example_sets import write_style_set  # noqa: E402
from course_lib.hub import repository  # noqa: E402
from course_lib.machine import footprint  # noqa: E402
from course_lib.machine.configs import CONFIGS  # noqa: E402
from course_lib.machine.hardware import GIB  # noqa: E402
from course_lib.machine.planning import plan  # noqa: E402
from course_lib.model.loading import open_folder  # noqa: E402
from course_lib.training.config import TrainConfig  # noqa: E402
from course_lib.training.loop import train  # noqa: E402

# size, gradient checkpointing, cached; and the most GiB that the steps may take
CASES = {(1024, True, True): 7.0, (1024, False, True): 14.0, (512, True, True): 6.0, (512, False, True): None,
         (1024, True, False): None, (512, True, False): None}
SMALL = {64: 1024, 32: 512}  # which size stands for which
WARM_UP, STEPS = 3, 10
MATRIX = 8192  # rows and columns of the product by which the GPU's speed is measured


def write_pictures(folder: Path, size: int) -> Path:
    """Write a data set of two pictures of this size."""
    write_style_set(folder, subjects=2, validation=0)
    for file in (folder / "train").glob("*.png"):
        with Image.open(file) as picture:
            picture.resize((size, size)).save(file)
    return folder


def run_case(model: Path, size: int, checkpointing: bool, cached: bool) -> dict[str, object]:
    """Train some steps and return bytes, seconds, TFLOP per step and the losses."""
    one = plan("lora", "kolors", folder=model)
    cuda = one.device == "cuda"
    pictures = write_pictures(model / f"pictures_{size}", size)
    if cached:
        pipe = open_folder(model, one)
        config = TrainConfig(height=size, width=size, use_gradient_checkpointing=checkpointing)
        steps = (record.error for record in train(pipe, pictures, config, cache=model / "cache", say=str))
    else:  # every part on the GPU at the same time
        pipe = open_folder(model, replace(one, placement="resident", encoder="whole", checkpointing=checkpointing))
        steps = train_uncached(pipe, pictures, checkpointing, batch_size=1)
    errors, seconds = [next(steps)], []  # the first one prepares the data
    prepared = torch.cuda.max_memory_allocated() if cuda else 0
    with FlopCounterMode(display=False) as counted:
        errors.append(next(steps))
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    for number in range(WARM_UP + STEPS):
        started = time.perf_counter()
        errors.append(next(steps))
        if cuda:
            torch.cuda.synchronize()
        if number >= WARM_UP:
            seconds.append(time.perf_counter() - started)
    peak, reserved = (torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()) if cuda else (0, 0)
    steps.close()
    return {"size": size, "checkpointing": checkpointing, "cached": cached, "peak": peak, "reserved": reserved,
            "prepared": prepared, "seconds": statistics.median(seconds), "tflop": counted.get_total_flops() / 1e12,
            "rate": measure_rate(one.device, pipe.unet.dtype), "errors": errors,
            "finite": bool(torch.tensor(errors).isfinite().all())}


def measure_rate(device: str, dtype: torch.dtype) -> float:
    """Return the TFLOP/s of one large matrix product, the best that this device does."""
    side = MATRIX if device == "cuda" else MATRIX // 16
    first = torch.randn(side, side, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        first @ first
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * side ** 3 / best / 1e12


def describe(found: list[dict]) -> list[str]:
    """Print the table and return what is wrong."""
    print("size  checkpointing  cached  peak GiB  reserved  preparing  s/step  TFLOP  share of matmul rate  speed-up")
    slow = {one["size"]: one["seconds"] for one in found if not one["cached"]}
    wrong = []
    for one in found:
        share = one["tflop"] / one["seconds"] / one["rate"]
        print(f"{one['size']:<6}{one['checkpointing']!s:<15}{one['cached']!s:<8}{one['peak'] / GIB:8.2f}"
              f"{one['reserved'] / GIB:10.2f}{one['prepared'] / GIB:11.2f}{one['seconds']:8.3f}{one['tflop']:7.2f}"
              f"{share:22.2f}{slow.get(one['size'], one['seconds']) / one['seconds']:10.2f}")
        limit = CASES[SMALL.get(one["size"], one["size"]), one["checkpointing"], one["cached"]]
        if limit is not None and one["peak"] > limit * GIB:
            wrong.append(f"{one['size']} px, checkpointing {one['checkpointing']}: more than {limit} GiB")
        if not one["finite"]:
            wrong.append(f"{one['size']} px, checkpointing {one['checkpointing']}: not finite")
    return wrong


def main() -> int:
    """Write the model, run each case in a process of its own, and return 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="Tiny Kolors' sizes on the CPU")
    parser.add_argument("--folder", type=Path, help="where the model goes (else a temporary folder)")
    parser.add_argument("--run", help="run one case, [size, checkpointing, cached], on a model that was written before")
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run_case(options.folder, *json.loads(options.run))))
        return 0
    if not options.small and not torch.cuda.is_available():
        return report(["no CUDA GPU: nothing was checked (--small runs the same steps on the CPU)"])
    sizes = {number: size for size, number in SMALL.items()} if options.small else {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if not (folder / "scheduler").is_dir():  # the last that is written
            write_model(folder, footprint.read_configs(repository.TINY) if options.small else CONFIGS,
                        "cpu" if options.small else "cuda")
            if not options.small:
                torch.cuda.empty_cache()
        found = []
        for size, checkpointing, cached in CASES:
            case = json.dumps([sizes.get(size, size), checkpointing, cached])
            command = [sys.executable, __file__, "--run", case, "--folder", str(folder)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                return report([f"case {case} failed"])
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print(done.stdout.splitlines()[-1], flush=True)
        return report(describe(found))


if __name__ == "__main__":
    sys.exit(main())
