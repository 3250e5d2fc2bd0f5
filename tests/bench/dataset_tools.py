"""One tool looks at a folder of pictures: run by compare_dataset_tools.py, with the Python that has the tool.

    python dataset_tools.py course|cleanvision|data-juicer|data-juicer-usual request.json answer.json

The request holds "folder" and "rows" (file, caption); the answer what was said of each file, and the seconds after the
imports. Each tool works alone, in one process at a time.
"""

import importlib.metadata
import json
import os
import sys
import tempfile
import time
from pathlib import Path

LEAST, WIDEST, SHORTEST, LONGEST = 96, 3.0, 1, 300  # px, long to short edge, letters of a caption: as `check` has them
LEAST_BYTES = "2kb"  # all of Data-Juicer's operators without a model that can tell a blank picture


def look_with_course(request):
    """Let the course check the folder; it reads the tables of metadata itself."""
    from course_lib.dataset.checking import check

    yield "check"
    report = check(request["folder"])
    problems = [[problem.file, problem.line, problem.code] for problem in report.row_problems]
    yield {row.file: [reason.code for reason in row.reasons if reason.verdict != "keep"] for row in report.rows
           if row.reasons}, {"rows": problems}


def look_with_cleanvision(request):
    """Let cleanvision look for all its issues."""
    from cleanvision import Imagelab

    yield f"cleanvision {importlib.metadata.version('cleanvision')}"
    folder = Path(request["folder"])
    lab = Imagelab(filepaths=[str(folder / row["file"]) for row in request["rows"]])
    lab.find_issues(n_jobs=1, verbose=False)
    found = {}
    for path, row in lab.issues.iterrows():
        names = [name[3:-6] for name in lab.issues.columns if name.startswith("is_") and row[name]]
        if names:
            found[Path(path).relative_to(folder).as_posix()] = names
    yield found, {}


def look_with_data_juicer(request, careful=True):
    """Let Data-Juicer filter the rows; without care it takes whole batches, as it does by itself."""
    from data_juicer.config import init_configs
    from data_juicer.core import DefaultExecutor

    yield f"Data-Juicer {importlib.metadata.version('py-data-juicer')}"
    folder = Path(request["folder"])
    with tempfile.TemporaryDirectory() as work:
        rows, kept = Path(work, "rows.jsonl"), Path(work, "kept.jsonl")
        rows.write_text("".join(json.dumps({"text": row["caption"] or "", "images": [str(folder / row["file"])],
                                            "file": row["file"]}, ensure_ascii=False) + "\n"
                                for row in request["rows"]), encoding="utf-8")
        one = {"num_proc": 1} | ({"batch_size": 1} if careful else {})
        steps = [{"clean_html_mapper": one}, {"clean_links_mapper": one},
                 {"image_size_filter": {"min_size": LEAST_BYTES, **one}},
                 {"image_shape_filter": {"min_width": LEAST, "min_height": LEAST, **one}},
                 {"image_aspect_ratio_filter": {"min_ratio": 1 / WIDEST, "max_ratio": WIDEST, **one}},
                 {"text_length_filter": {"min_len": SHORTEST, "max_len": LONGEST, **one}}]
        recipe = Path(work, "recipe.yaml")
        recipe.write_text(json.dumps({"project_name": "compare", "dataset_path": str(rows), "export_path": str(kept),
                                      "np": 1, "use_cache": False, "open_tracer": False, "process": steps}))
        DefaultExecutor(init_configs(["--config", str(recipe)])).run()
        left = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()] if kept.exists() else []
    words = {row["file"]: row["text"] for row in left}
    found = {}
    for row in request["rows"]:
        if row["file"] not in words:
            found[row["file"]] = ["dropped"]
        elif words[row["file"]] != (row["caption"] or ""):
            found[row["file"]] = ["caption cleaned"]
    yield found, {"left": len(left)}


TOOLS = {"course": look_with_course, "cleanvision": look_with_cleanvision, "data-juicer": look_with_data_juicer,
         "data-juicer-usual": lambda request: look_with_data_juicer(request, careful=False)}


def main():
    """Run one tool, and write what it said and how long it took."""
    tool, request, answer = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    steps = TOOLS[tool](json.loads(request.read_text(encoding="utf-8")))
    name = next(steps)  # all is imported now
    started, before = time.perf_counter(), os.times()
    found, more = next(steps)
    after = os.times()
    cpu = sum(after[:4]) - sum(before[:4])  # of its children too
    answer.write_text(json.dumps({"name": name, "found": found, "seconds": time.perf_counter() - started, "cpu": cpu}
                                 | more, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
