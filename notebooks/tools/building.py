"""Build each lesson's Chinese and English notebook from its one source, and check that nothing is out of step.

For maintainers; learners never need it. CONTRIBUTING.md says how to change a lesson.

    python -m notebooks.tools build [01 ...]   write and execute the notebooks
    python -m notebooks.tools check            compare sources, notebooks and record; executes nothing
    python -m notebooks.tools confirm 01       accept a correction made in one language only
"""

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from course_lib.messages import LANGUAGES
from notebooks.tools.rules import (
    LessonsOutOfStep,
    code_cells,
    first_words,
    prose_pairs,
    read_source,
    source_problems,
    stored_problems,
)

NOTEBOOKS = Path(__file__).parents[1]
EDITIONS = {"zh": ".", "en": "en"}  # language -> folder below notebooks/; a kernel starts in its notebook's folder
LANGUAGE_NAMES = {"zh": "Chinese", "en": "English"}
RECORD = "src/translations.json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},  # no version: it would differ between machines
}
CELL_SECONDS = 900
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

LINK = re.compile(r"(\]\()(?![a-z]+:|[#/])([^)\s]+)")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
NEIGHBOUR = re.compile(r"[^/]+\.ipynb(#.*)?")  # a link to a lesson of the same edition


def sources(folder, wanted=()):
    """Return the lessons' source files in order, all or those whose number or name is wanted."""
    found = sorted((folder / "src").glob("[0-9][0-9]_*.py"))
    missing = [name for name in wanted if not any(name in (path.stem, path.stem[:2]) for path in found)]
    if missing or not found:
        raise LessonsOutOfStep("no lesson {} in {}/src".format(", ".join(missing) or "at all", folder.name))
    return [path for path in found if not wanted or path.stem in wanted or path.stem[:2] in wanted]


def make_edition(name, cells, language):
    """Return one edition of a lesson as a notebook without outputs."""
    made = []
    for number, cell in enumerate(cells, 1):
        text, identity = cell.texts[language], f"{name.replace('_', '-')}-{number:02}"
        if cell.kind == "code":
            made.append(nbformat.v4.new_code_cell(text, id=identity, metadata=cell.metadata))
        else:
            if language != "zh":
                text = LINK.sub(one_folder_deeper, text)
            made.append(nbformat.v4.new_markdown_cell(text, id=identity, metadata=cell.metadata))
    return nbformat.v4.new_notebook(cells=made, metadata=METADATA)


def one_folder_deeper(link):
    """Rewrite a relative link, written for notebooks/, so that it works in notebooks/en/."""
    target = link[2]
    return link[1] + (target if NEIGHBOUR.fullmatch(target) else "../" + target)


def execute(notebook, name, language, folder):
    """Run all cells in a fresh kernel in `folder` and keep their outputs; LessonsOutOfStep names a cell that fails."""
    started = []
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        on_cell_start=lambda cell, cell_index: started.append(cell.id),
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        what = COLOUR.sub("", str(error))
        raise LessonsOutOfStep(f"{name}, {LANGUAGE_NAMES[language]}: cell {started[-1]} failed:\n{what}") from error
    notebook.metadata = nbformat.from_dict(METADATA)
    for output in (output for cell in code_cells(notebook) for output in cell.outputs):
        output.get("data", {}).pop(WIDGET_VIEW, None)  # a random id, and without a kernel only "model not found"
    return nbformat.reads(nbformat.writes(notebook), as_version=4)


def fingerprint(text):
    """Return a short hash of a text, blanks at its ends aside."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:12]


def pair_fingerprints(cells):
    """Return one "zh en" line of hashes per pair of prose."""
    return [f"{fingerprint(zh)} {fingerprint(en)}" for zh, en in prose_pairs(cells)]


def output_fingerprints(notebook):
    """Return one hash per code cell of its execution count and outputs."""
    stored = [[cell.execution_count, cell.outputs] for cell in code_cells(notebook)]
    return [fingerprint(json.dumps(each, sort_keys=True)) for each in stored]


def read_record(folder):
    """Return the record of the last build: lesson -> {"pairs": [...], "outputs": {language: [...]}}."""
    path = folder / RECORD
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_record(folder, record):
    """Write the record, sorted, one hash or pair a line."""
    (folder / RECORD).write_bytes((json.dumps(record, indent=1, sort_keys=True) + "\n").encode())


def left_behind(name, cells, recorded):
    """Say which pairs of prose were changed in one language only since they were recorded."""
    known = {line: line.split() for line in recorded}
    problems = []
    for number, ((zh, en), line) in enumerate(zip(prose_pairs(cells), pair_fingerprints(cells), strict=True), 1):
        halves = dict(zip(LANGUAGES, line.split(), strict=True))
        if line in known:
            continue
        for place, language in enumerate(LANGUAGES):
            if any(halves[language] == pair[place] for pair in known.values()):
                changed = LANGUAGE_NAMES[LANGUAGES[1 - place]]
                problems.append(
                    f"{name}, pair {number} ({first_words(zh)} | {first_words(en)}): the {changed} was changed, the "
                    f"{LANGUAGE_NAMES[language]} was left behind; translate it, or accept it as it is: "
                    f"python -m notebooks.tools confirm {name[:2]}"
                )
    return problems


def edition_problems(name, cells, language, folder, recorded):
    """Say where one written edition differs from its source or from the outputs recorded when it was built."""
    path = folder / EDITIONS[language] / f"{name}.ipynb"
    here = f"{name}, {LANGUAGE_NAMES[language]} edition"
    if not path.exists():
        return [f"{here}: does not exist; run: python -m notebooks.tools build {name[:2]}"]
    stored, expected = nbformat.read(path, as_version=4), make_edition(name, cells, language)
    problems = []
    if stored.metadata != expected.metadata:
        problems.append(f"{here}: its metadata is not what build writes")
    if [cell.id for cell in stored.cells] != [cell.id for cell in expected.cells]:
        problems.append(f"{here}: its cells are not those of the source, in that order")
    for is_one, should_be in zip(stored.cells, expected.cells, strict=False):
        if any(is_one[key] != should_be[key] for key in ("cell_type", "source", "metadata")):
            problems.append(f"{here}, cell {is_one.id} ({first_words(is_one.source)}): differs from the source")
    for number, cell in enumerate(code_cells(stored), 1):
        problems += [f"{here}, cell {cell.id}: {what}" for what in stored_problems(cell, number)]
    hashes = output_fingerprints(stored)
    for cell, is_one, should_be in zip(code_cells(stored), hashes, recorded, strict=False):
        if is_one != should_be:
            problems.append(f"{here}, cell {cell.id}: its outputs are not the ones it had when it was built")
    if len(hashes) != len(recorded):
        problems.append(f"{here}: {len(recorded)} outputs recorded for {len(hashes)} code cells")
    prose = "\n".join(cell.source for cell in expected.cells if cell.cell_type == "markdown")
    for _, target in LINK.findall(prose):
        if not (path.parent / target.split("#")[0]).exists():
            problems.append(f"{here}: links to {target}, which does not exist")
    return problems


def refuse(problems):
    """Raise LessonsOutOfStep with one line a problem, if there is any."""
    if problems:
        raise LessonsOutOfStep("\n".join(problems))


def build(folder=NOTEBOOKS, wanted=()):
    """Write and execute both editions of the wanted lessons, or of all; a lesson with a problem is not written."""
    record = read_record(folder)
    for path in sources(folder, wanted):
        name, cells = path.stem, read_source(path)
        recorded = record.get(name, {}).get("pairs", [])
        refuse(source_problems(name, cells) + left_behind(name, cells, recorded))
        built, problems = {}, []
        for language in LANGUAGES:
            home = folder / EDITIONS[language]
            home.mkdir(exist_ok=True)
            built[language] = execute(make_edition(name, cells, language), name, language, home)
            for number, cell in enumerate(code_cells(built[language]), 1):
                problems += [f"{name}, {language}, cell {cell.id}: {what}" for what in stored_problems(cell, number)]
        refuse(problems)
        for language, notebook in built.items():
            file = folder / EDITIONS[language] / f"{name}.ipynb"
            file.write_bytes((nbformat.writes(notebook) + "\n").encode())
        outputs = {language: output_fingerprints(notebook) for language, notebook in built.items()}
        record[name] = {"pairs": pair_fingerprints(cells), "outputs": outputs}
        write_record(folder, record)
        print(f"built {name}: {len(cells)} cells, zh and en")
    if not wanted:
        write_record(folder, {path.stem: record[path.stem] for path in sources(folder)})


def check(folder=NOTEBOOKS):
    """Compare all sources, editions and the record, executing nothing; LessonsOutOfStep lists what does not fit."""
    record, problems, names = read_record(folder), [], [path.stem for path in sources(folder)]
    for path in sources(folder):
        name, cells = path.stem, read_source(path)
        recorded = record.get(name, {"pairs": [], "outputs": {}})
        problems += source_problems(name, cells)
        half_done = left_behind(name, cells, recorded["pairs"])
        if not half_done and recorded["pairs"] != pair_fingerprints(cells):
            half_done = [f"{name}: its prose was changed since; run: python -m notebooks.tools build {name[:2]}"]
        problems += half_done
        for language in LANGUAGES:
            problems += edition_problems(name, cells, language, folder, recorded["outputs"].get(language, []))
    problems += [f"{name}: recorded, but has no source" for name in record if name not in names]
    for home in EDITIONS.values():
        problems += [f"{file.name} has no source" for file in (folder / home).glob("*.ipynb") if file.stem not in names]
    refuse(problems)


def confirm(folder=NOTEBOOKS, wanted=()):
    """Record the prose of the wanted lessons as it stands, although only one language was changed."""
    record = read_record(folder)
    for path in sources(folder, wanted):
        cells = read_source(path)
        refuse(source_problems(path.stem, cells))
        record.setdefault(path.stem, {"outputs": {}})["pairs"] = pair_fingerprints(cells)
    write_record(folder, record)


def main(arguments=None):
    """Run one of the three commands; returns 0, or 1 when the lessons are out of step."""
    parser = argparse.ArgumentParser(prog="python -m notebooks.tools", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="write and execute the notebooks").add_argument("lessons", nargs="*")
    commands.add_parser("check", help="compare sources, notebooks and record")
    commands.add_parser("confirm", help="accept a one-language correction").add_argument("lessons", nargs="+")
    options = parser.parse_args(arguments)
    try:
        if options.command == "check":
            check()
        else:
            {"build": build, "confirm": confirm}[options.command](wanted=options.lessons)
    except LessonsOutOfStep as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0
