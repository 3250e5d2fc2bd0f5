"""The English edition of each lesson puts out the same kinds of things as the Chinese one, cell by cell."""

import copy
from pathlib import Path

import nbformat
import pytest

from notebooks.tools.editions import edition_differences

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


def read_editions(path):
    """Read both editions of a lesson."""
    return nbformat.read(path, as_version=4), nbformat.read(path.parent / "en" / path.name, as_version=4)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_editions_put_out_the_same_kinds_of_things(path):
    assert edition_differences(*read_editions(path)) == []


def drop_output(cell):
    cell.outputs = []


def turn_into_an_error(cell):
    cell.outputs[0] = nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])


@pytest.mark.parametrize("change", [drop_output, turn_into_an_error])
def test_another_kind_is_told(change):
    one, other = read_editions(LESSONS[0])
    changed = copy.deepcopy(other)
    cell = next(cell for cell in changed.cells if cell.cell_type == "code" and cell.outputs)
    change(cell)
    assert [line.split(":")[0] for line in edition_differences(one, changed)] == [cell.id]
