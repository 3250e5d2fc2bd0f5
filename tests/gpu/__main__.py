"""Draw and train with the full-size Kolors, random weights, on a GPU in every way that plans know; print one table.

    python -m tests.gpu              under ten minutes; 6 GB of disk, 14 GB of RAM
    python -m tests.gpu --dry-run    the same code with Tiny Kolors' sizes on the CPU

Each row runs in a process of its own and tells its peak beside the plan's, the seconds of a step, and its share of the
speed at which this device multiplies matrices. A row that fails says why, and the others go on. It ends with 1 where
one failed. No text encoder is needed: random numbers stand for what it says.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import torch

from course_lib.hub import repository
from course_lib.machine import footprint
from course_lib.machine.configs import CONFIGS
from course_lib.machine.hardware import GIB
from course_lib.machine.planning import FOOTPRINTS
from course_lib.model.parts import first_line
from tests.gpu.measure import measure_rate
from tests.gpu.rows import DRY_SIZES, ROWS, Row, count_flops, make_plan, run_row, write_folder

COURSE = Path(__file__).parents[2]
LIMIT = 90  # seconds of one row
ENOUGH = 510  # seconds after which no new row begins
WIDTH = 36  # letters of a row's name
HEAD = f"{'what':<{WIDTH}}{'planned':>9}{'peak':>8}{'ratio':>7}{'s/step':>9}{'share':>7}"


def main(arguments: list[str] | None = None) -> int:
    """Write the model, run each row, print the table, and return 1 where a row failed."""
    options = read_options(arguments)
    device = "cpu" if options.dry_run else "cuda"
    if options.row:
        print(json.dumps(run_guarded(options.folder, Row(**json.loads(options.row)), device)))
        return 0
    if device == "cuda" and not torch.cuda.is_available():
        print("no CUDA GPU: nothing was measured (--dry-run runs the same rows on the CPU)")
        return 1
    with tempfile.TemporaryDirectory() as temporary:
        return print_table(options.folder or Path(temporary), device, options.isolate or device == "cuda")


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="Tiny Kolors' sizes on the CPU")
    parser.add_argument("--isolate", action="store_true", help="a process for each row in a dry run too")
    parser.add_argument("--folder", type=Path, help="where the model goes (else a temporary folder)")
    parser.add_argument("--row", help="run one row, as JSON, on a model that was written before")
    return parser.parse_args(arguments)


def print_table(folder: Path, device: str, isolate: bool) -> int:
    """Print a line for each row as soon as it is known, and return 1 where one failed."""
    began, dry = time.perf_counter(), device == "cpu"
    configs = footprint.read_configs(repository.TINY) if dry else CONFIGS
    if not (folder / "footprints.json").is_file():  # the last that is written
        write_folder(folder, configs, device)
        prints = footprint.measure(configs, tuple(DRY_SIZES.values())) if dry else FOOTPRINTS["kolors"]
        (folder / "footprints.json").write_text(json.dumps(prints), encoding="utf-8")
    rate = measure_rate(device, torch.float32 if dry else torch.float16)
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU; planned is what a GPU would hold, weights too"
    print(f"GiB; share of {rate:.3g} TFLOP/s; {name}", HEAD, sep="\n", flush=True)
    failed = 0
    for row in ROWS:
        if time.perf_counter() - began > ENOUGH:
            found = {"error": "left out: the time is up"}
        else:
            found = run_apart(folder, row, device) if isolate else run_guarded(folder, row, device)
        flops = found.get("seconds") and guard_flops(row, configs, dry)
        print(describe(row, found, flops, rate), flush=True)
        failed += "error" in found
    print(f"{len(ROWS) - failed} of {len(ROWS)} rows ran, {time.perf_counter() - began:.0f} s")
    return int(failed > 0)


def run_apart(folder: Path, row: Row, device: str) -> dict[str, object]:
    """Run a row in a process of its own, so that one that crashes or hangs takes nothing with it."""
    command = [sys.executable, "-m", "tests.gpu", "--folder", str(folder), "--row", json.dumps(asdict(row)),
               *(["--dry-run"] if device == "cpu" else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=COURSE, timeout=LIMIT, check=False)
        return json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {LIMIT} s"}
    except (IndexError, ValueError):
        said = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        return {"error": said[-1][:200]}


def run_guarded(folder: Path, row: Row, device: str) -> dict[str, object]:
    """Run a row and return what it found, or why it failed."""
    try:
        prints = json.loads((folder / "footprints.json").read_text(encoding="utf-8"))
        one = make_plan(row, prints, device)
        return asdict(run_row(folder, row, one)) | {"planned": one.peak_vram}
    except Exception as problem:  # whatever it is, the table tells it
        return {"error": f"{type(problem).__name__}: {first_line(problem)}"[:200]}


def guard_flops(row: Row, configs: dict[str, dict], dry: bool) -> float | None:
    """Return the TFLOP of a step, None where they cannot be counted."""
    try:
        return count_flops(row, configs, dry)
    except Exception:  # a table without this column is a table
        return None


def describe(row: Row, found: dict[str, object], flops: float | None, rate: float) -> str:
    """Say a row in one line."""
    if "error" in found:
        return f"{row.name:<{WIDTH}}  {found['error']}"
    planned, peak = found["planned"] / GIB, found["peak"] / GIB
    share = f"{flops / found['seconds'] / rate:7.2f}" if flops else f"{'-':>7}"
    return f"{row.name:<{WIDTH}}{planned:9.3f}{peak:8.3f}{peak / planned:7.2f}{found['seconds']:9.3f}{share}"


if __name__ == "__main__":
    sys.exit(main())
