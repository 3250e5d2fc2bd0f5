"""The English edition of each lesson puts out what the Chinese one does, in other words."""

import base64
import copy
import io
import re
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from notebooks.tools.editions import edition_differences

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


def read_editions(path):
    """Read both editions of a lesson."""
    return nbformat.read(path, as_version=4), nbformat.read(path.parent / "en" / path.name, as_version=4)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_editions_differ_in_words_alone(path):
    assert edition_differences(*read_editions(path)) == []


def outputs_of(notebook, wanted):
    """Return the compared outputs for which `wanted(output)` holds."""
    return [output for cell in notebook.cells if cell.cell_type == "code"
            and "nbval-ignore-output" not in cell.metadata.get("tags", [])
            for output in cell.outputs if wanted(output)]


def change_number(notebook):
    output = next(o for o in outputs_of(notebook, lambda o: re.search(r"\d{2}", o.get("text", ""))))
    output["text"] = re.sub(r"\d{2}", lambda found: str(int(found[0]) + 1), output["text"], count=1)


def change_picture(notebook):
    output = outputs_of(notebook, lambda o: "image/png" in o.get("data", {}))[0]
    picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).convert("RGB")
    file = io.BytesIO()
    picture.rotate(180).save(file, "PNG")
    output.data["image/png"] = base64.b64encode(file.getvalue()).decode()


def drop_output(notebook):
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs
                and "nbval-ignore-output" not in cell.metadata.get("tags", []))
    cell.outputs = []


@pytest.mark.parametrize("change", [change_number, change_picture, drop_output])
def test_anything_but_words_is_told(change):
    one, other = read_editions(LESSONS[2])
    changed = copy.deepcopy(other)
    change(changed)
    assert len(edition_differences(one, changed)) == len(edition_differences(one, other)) + 1
