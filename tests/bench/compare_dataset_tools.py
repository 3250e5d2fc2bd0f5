"""The messy set among good pictures, for `check`, cleanvision and Data-Juicer: how long each takes, what each finds.

    PYTHONPATH=. python tests/bench/compare_dataset_tools.py [--cleanvision PYTHON] [--data-juicer PYTHON] [--count 500]

PYTHON is that of an environment of its own: `pip install cleanvision==0.3.7` in one, and
`pip install -r course_lib/dataset/cluster_requirements.txt selectolax` in the other; never in the course's. Each
tool gets one process. Data-Juicer's image_deduplicator is not asked: it wants imagededup, which brings another torch.
Prints tables in Markdown.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from course_lib.dataset.example_sets import make_messy
from course_lib.dataset.folder import read_folder
from course_lib.dataset.making.synthesis import synthesise

COURSE = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("dataset_tools.py")
BROKEN = ("truncated", "corrupt", "not_an_image", "empty_file", "too_many_pixels", "path_escape")
# A line of the second table -> the codes of truth.csv, and cleanvision's issues that mean it.
DEFECTS = {
    "broken files": (("truncated", "corrupt", "not_an_image", "empty_file", "too_many_pixels"), ()),
    "links out of the folder": (("path_escape",), ()),
    "too small": (("too_small",), ("odd_size",)),
    "too long or wide": (("extreme_aspect",), ("odd_aspect_ratio", "odd_size")),
    "blurred": (("blurry",), ("blurry",)),
    "enlarged pixel by pixel": (("upscaled",), ("blurry", "low_information")),
    "blocks of a hard JPEG": (("jpeg_artefacts",), ("blurry", "low_information")),
    "dark": (("dark",), ("dark",)),
    "blank": (("blank",), ("low_information", "light")),
    "the same file again": (("exact_duplicate",), ("exact_duplicates",)),
    "the same picture again": (("near_duplicate",), ("near_duplicates", "exact_duplicates")),
    "mirrored": (("mirror_duplicate",), ("near_duplicates",)),
    "form of file, to be put right": (("alpha_flattened", "converted_mode", "exif_rotated", "wrong_extension",
                                       "animated"), ("grayscale",)),
    "captions": (("caption_missing", "caption_empty", "caption_boilerplate", "caption_too_long", "caption_markup",
                  "caption_repeated"), ()),
}


def make_pictures(folder, count):
    """Make the messy set and as many good pictures as are missing from `count`; return the raw folder and the truth."""
    raw = make_messy(folder)
    with (folder / "truth.csv").open(encoding="utf-8") as content:
        truth = list(csv.DictReader(content))
    # The first seed by which no two captions are alike, of the messy set or of 428 more: nothing may come twice.
    synthesise(raw / "good", count - len(truth), seed=2, styles=("flat", "lineart"), most_things=4,
               patterns=("plain", "stripes", "dots"))
    return raw, truth


def run_tool(tool, python, request, folder):
    """Run one tool in a process of its own -> its answer, with the seconds, CPU seconds and MB of the whole process."""
    asked, answer = folder / "request.json", folder / f"{tool}.json"
    asked.write_text(json.dumps(request, ensure_ascii=False), encoding="utf-8")
    environment = os.environ | {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1"}
    if tool == "course":
        environment["PYTHONPATH"] = str(COURSE)
    else:
        environment.pop("PYTHONPATH", None)
    with (folder / f"{tool}.log").open("w") as log:
        # Started and waited for by hand: wait4 tells what this one process and its children took.
        process = subprocess.Popen([python, WORKER, tool, asked, answer], cwd=folder, env=environment, stdout=log,
                                   stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError((folder / f"{tool}.log").read_text(encoding="utf-8", errors="replace").splitlines()[-1])
    return json.loads(answer.read_text(encoding="utf-8")) | {
        "whole_cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}


def run_without_broken(tool, python, request, folder):
    """Run one tool; if that fails, run it without the broken files, which it did not name -> answer, why it failed."""
    try:
        return run_tool(tool, python, request, folder), ""
    except RuntimeError as problem:
        rows = [row for row in request["rows"] if row["file"] not in request["broken"]]
        return run_tool(tool, python, request | {"rows": rows}, folder), str(problem)


def count_found(tool, answer, truth):
    """Return for each line of the table how many of its pictures a tool has told, and of how many."""
    table = {}
    for defect, (codes, issues) in DEFECTS.items():
        planted = [line for line in truth if line["code"] in codes]
        told = 0
        for line in planted:
            said = answer["found"].get(line["file"], [])
            if tool == "course":
                told += line["code"] in said
            elif tool == "cleanvision":
                told += bool(set(said) & set(issues))
            else:
                told += bool(said)
        table[defect] = (told, len(planted))
    return table


def count_false(tool, answer, truth, rows):
    """Return the good pictures that a tool complains of -> what it says of each; a planted copy's original is none."""
    planted = {line["file"] for line in truth if line["verdict"] != "keep"}
    originals = {line["of"] for line in truth}
    false = {}
    for row in rows:
        said = answer["found"].get(row["file"], [])
        if row["file"] in originals:
            said = [word for word in said if "duplicate" not in word]
        if said and row["file"] not in planted:
            false[row["file"]] = said
    return false


def main():
    """Make the pictures, let each tool that there is look at them, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cleanvision", metavar="PYTHON", help="the Python of an environment with cleanvision")
    parser.add_argument("--data-juicer", metavar="PYTHON", help="the Python of an environment with Data-Juicer")
    parser.add_argument("--count", type=int, default=500, help="pictures in all")
    given = parser.parse_args()
    pythons = {"course": sys.executable, "cleanvision": given.cleanvision, "data-juicer": given.data_juicer}
    answers, stopped, left = {}, {}, None
    with tempfile.TemporaryDirectory() as place:
        raw, truth = make_pictures(Path(place, "set"), given.count)
        pictures, problems = read_folder(raw)
        rows = [{"file": each.file, "caption": each.caption} for each in pictures]
        request = {"folder": str(raw), "rows": rows, "broken": [line["file"] for line in truth
                                                               if line["code"] in BROKEN]}
        for tool, python in pythons.items():
            if python:
                answers[tool], stopped[tool] = run_without_broken(tool, os.path.abspath(python), request, Path(place))
        if given.data_juicer:  # as it works if nothing is said of batches
            usual = run_tool("data-juicer-usual", os.path.abspath(given.data_juicer), request, Path(place))
            left = usual["left"]
    print(f"{len(rows)} pictures, {len(problems)} bad rows of metadata\n")
    print_times(answers, len(rows))
    print_found(answers, truth, rows, len(problems))
    for tool, problem in stopped.items():
        if problem:
            print(f"{tool} stopped at a broken file and was run again without the {len(request['broken'])}: {problem}")
    if left is not None:
        print(f"data-juicer with its own size of batches: {left} of {len(rows)} rows left, exit status 0")


def print_times(answers, count):
    """Print how long each tool took: for the check itself, and with the start of Python and all imports."""
    print("| tool | wall s | CPU s | CPU s with its start | pictures per CPU s | peak MB |\n|---|---|---|---|---|---|")
    for answer in answers.values():
        print(f"| {answer['name']} | {answer['seconds']:.1f} | {answer['cpu']:.1f} | {answer['whole_cpu']:.1f} "
              f"| {count / answer['cpu']:.0f} | {answer['peak']:.0f} |")


def print_found(answers, truth, rows, problems):
    """Print what each tool found of what was planted, and of which good pictures it complained."""
    print(f"\n| planted | {' | '.join(answer['name'] for answer in answers.values())} |\n|---|{'---|' * len(answers)}")
    tables = [count_found(tool, answer, truth) for tool, answer in answers.items()]
    for defect in DEFECTS:
        print(f"| {defect} | {' | '.join('{} of {}'.format(*table[defect]) for table in tables)} |")
    told = [f"{len(answer['rows'])} of {problems}" if "rows" in answer else "not read" for answer in answers.values()]
    print(f"| bad rows of metadata, by line | {' | '.join(told)} |")
    good = len(rows) - sum(line["verdict"] != "keep" for line in truth)
    false = {tool: count_false(tool, answer, truth, rows) for tool, answer in answers.items()}
    print(f"| good pictures complained of | {' | '.join(f'{len(each)} of {good}' for each in false.values())} |\n")
    for tool, each in false.items():
        kinds = Counter(word for said in each.values() for word in said)
        print(f"{tool}, good pictures: {dict(kinds) or 'none'}")


if __name__ == "__main__":
    main()
