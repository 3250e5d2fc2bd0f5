"""The same check on many machines: Data-Juicer, with Ray, measures the pictures; everything else stays as it is.

Data-Juicer drops a whole batch for one file that it cannot read, and ends with success. So it gets only files that were
read here first, one by one, and each row that it does not bring back is measured here.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from course_lib.dataset.folder import Found
from course_lib.dataset.picture_rules import CHUNK, judge_file, judge_signals, read_file
from course_lib.dataset.report import Row
from course_lib.dataset.signals import Signals
from course_lib.files import COURSE
from course_lib.messages import error, text
from course_lib.pictures.picture_files import Opened

OPERATOR = Path(__file__).parent / "cluster_operator.py"
NAME = "course_measure_mapper"  # of the operator, as scale_operator has it
PYTHON = "COURSE_SCALE_PYTHON"  # environment variable: the Python of cluster_requirements.txt
USUAL = COURSE / "outputs" / "scale" / "bin" / "python"
ROWS, MEASURED = "rows.jsonl", "measured.jsonl"
ENGINES = ("ray", "default")  # Data-Juicer's names: a Ray cluster, or the one machine without Ray
SECONDS = 24 * 3600
# What would let the engine install packages while it runs.
OFFLINE = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1", "RAY_USAGE_STATS_ENABLED": "0", "HF_HUB_OFFLINE": "1"}


def judge_scaled(folder: Path, pictures: Sequence[Found], size: int, engine: str, address: str,
                 python: str | Path | None) -> Iterator[Row]:
    """Yield a row for each picture, in order, as `set_pictures.judge_files` does; LessonError if the engine fails."""
    if engine not in ENGINES:
        raise error("set_scale_engine", engine=repr(engine), known=", ".join(ENGINES))
    place = find_python(python)
    read = list(read_files(folder, pictures))
    asked = [number for number, (_, opened) in enumerate(read) if opened]
    measured = {}
    if asked:
        with tempfile.TemporaryDirectory() as work:
            write_rows(Path(work) / ROWS, asked, folder, pictures)
            run_engine(place, Path(work), engine, address)
            measured = read_measured(Path(work) / MEASURED)
    lost = [pictures[number].file for number in asked if number not in measured]
    print(text("set_scaled", asked=len(asked), back=len(asked) - len(lost), lost=text("list_comma").join(lost) or "0"))
    for number, (row, opened) in enumerate(read):
        if opened and number in measured:
            judge_signals(row, opened, measured[number], size)
            yield row
        else:  # what the engine lost, and what cannot be read
            yield judge_file(folder, pictures[number], size)


def find_python(python: str | Path | None) -> Path:
    """Return the Python that has Data-Juicer: given, named by the environment, or outputs/scale; else LessonError."""
    place = Path(python or os.environ.get(PYTHON) or USUAL)
    if not place.is_file():
        raise error("set_scale_missing", place=place, variable=PYTHON)
    return place.absolute()  # not resolved: a venv's Python is a link, and knows its packages by where it lies


def read_files(folder: Path, pictures: Sequence[Found]) -> Iterator[tuple[Row, Opened | None]]:
    """Read every picture here, as `set_pictures.read_file` does, and let go of its pixels."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        for start in range(0, len(pictures), CHUNK):
            yield from threads.map(lambda found: read_one(folder, found), pictures[start:start + CHUNK])


def read_one(folder: Path, found: Found) -> tuple[Row, Opened | None]:
    """Read one picture and keep no more of it than one pixel."""
    row, opened = read_file(folder, found)
    return row, opened and replace(opened, image=opened.image.crop((0, 0, 1, 1)))


def write_rows(file: Path, asked: Sequence[int], folder: Path, pictures: Sequence[Found]) -> None:
    """Write the rows that the engine is to measure: number and path."""
    with file.open("w", encoding="utf-8") as rows:
        for number in asked:
            path = str((folder / pictures[number].file).absolute())
            rows.write(json.dumps({"text": "", "number": number, "path": path, "measured": ""}) + "\n")


def run_engine(python: Path, work: Path, engine: str, address: str) -> None:
    """Let Data-Juicer measure the rows in `work`, in a process and environment of its own; LessonError if it fails."""
    recipe = work / "recipe.yaml"
    recipe.write_text(json.dumps({  # JSON is YAML too
        "project_name": "course", "dataset_path": str(work / ROWS), "export_path": str(work / MEASURED),
        "executor_type": engine, "ray_address": address, "np": os.cpu_count() or 1, "skip_op_error": False,
        "use_cache": False, "open_tracer": False, "custom_operator_paths": [str(OPERATOR)],
        "process": [{NAME: {"batch_size": 1}}]}), encoding="utf-8")
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | OFFLINE | {"PYTHONPATH": str(COURSE), "PATH": path}
    try:
        ended = subprocess.run([str(python), "-m", "data_juicer.tools.process_data", "--config", str(recipe)], cwd=work,
                               env=environment, capture_output=True, text=True, errors="replace", timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise error("set_scale_failed", cause=cause) from cause
    if ended.returncode or not (work / MEASURED).exists():
        lines = (ended.stderr + ended.stdout).strip().splitlines()
        raise error("set_scale_failed", cause=" / ".join(lines[-3:])[:600])


def read_measured(place: Path) -> dict[int, Signals]:
    """Read what came back: a file, or Ray's folder of files -> the signals by row number; spoilt rows are left out."""
    files = sorted(place.rglob("*.json*")) if place.is_dir() else [place]
    measured = {}
    for file in files:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    row = json.loads(line)
                    values = json.loads(row["measured"])
                    values |= {name: tuple(values[name]) for name in ("hashes", "grid")}
                    measured[int(row["number"])] = Signals(**values)
                except (ValueError, KeyError, TypeError):
                    continue  # as if it had not come back: it is measured here
    return measured
