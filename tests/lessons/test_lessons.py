"""The lessons' workshop: one small lesson is built once, copied, spoilt in one way each, and each must be refused."""

import base64
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from PIL import Image

from course_lib.files import COURSE
from notebooks.tools import building
from notebooks.tools.rules import Cell, LessonsOutOfStep, code_cells, source_problems, stored_problems

NAME = "01_sample"
SOURCE = """\
# %% [markdown] lang="zh"
# # 样例
# 用 `steps` 设定步数，见[说明](../tests/sanitize.cfg)。

# %% [markdown] lang="en"
# # Sample
# Set the number of `steps`, see the [settings](../tests/sanitize.cfg).

# %% lang="zh"
from course_lib.messages import set_language, text
set_language("zh")

# %% lang="en"
from course_lib.messages import set_language, text
set_language("en")

# %%
import io
from IPython.display import Image as Picture
from ipywidgets import IntSlider
from PIL import Image

steps = 25
print(text("error_labels"), steps)
IntSlider(steps)

# %% [markdown] lang="zh"
# 红色。

# %% [markdown] lang="en"
# Red.

# %% tags=["solution"] jupyter={"source_hidden": true}
png = io.BytesIO()
Image.new("RGB", (32, 32), (200, 30, 30)).save(png, "PNG")
Picture(png.getvalue())
"""


def repaint(notebook, colour):
    """Replace the stored picture by a plain one."""
    png = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(png, "PNG")
    notebook.cells[-1].outputs[0].data["image/png"] = base64.b64encode(png.getvalue()).decode()


def change_text(notebook):
    output = code_cells(notebook)[1].outputs[0]
    assert "25" in output.text
    output.text = output.text.replace("25", "24")


def clear(notebook):
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None


def clear_one(notebook):
    notebook.cells[-1].outputs, notebook.cells[-1].execution_count = [], None


def swap_counts(notebook):
    code = code_cells(notebook)
    code[0].execution_count, code[1].execution_count = 2, 1


def warn(notebook):
    """Let a cell really write to stderr, so that nbval itself finds stored and new output equal."""
    cell = code_cells(notebook)[0]
    cell.source += "\nimport sys\nprint('careful', file=sys.stderr)"
    cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text="careful\n")]


def blue(notebook):
    repaint(notebook, (30, 30, 200))


def one_level_off(notebook):
    repaint(notebook, (201, 30, 30))


def leave_alone(notebook):
    """Spoil nothing."""


# what is done to a built notebook -> what nbval and the gate say, and what `check` says; None: accepted
SPOILED = {
    leave_alone: (None, None),
    change_text: ("Cell outputs differ", "outputs are not the ones"),
    clear: ("execution count is None", "execution count is None"),
    clear_one: ("execution count is None", "outputs are not the ones"),
    swap_counts: ("execution count is 2, not 1", "execution count is 2, not 1"),
    warn: ("stores stderr", "stores stderr"),
    blue: ("picture 1 is stale", "outputs are not the ones"),
    one_level_off: (None, "outputs are not the ones"),  # another CPU may draw so; a hand may not
}


def edit(path, old, new):
    """Replace the one place where `old` stands in a text file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def rewrite(path, spoil):
    """Read a notebook, spoil it and write it back."""
    notebook = nbformat.read(path, as_version=4)
    spoil(notebook)
    nbformat.write(notebook, path)


def refused(notebooks):
    """What `check` says, or None when it accepts."""
    try:
        building.check(notebooks)
    except LessonsOutOfStep as problem:
        return str(problem)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A course with the sample lesson, built once, with the repository's own test settings."""
    home = tmp_path_factory.mktemp("built")
    (home / "notebooks/src").mkdir(parents=True)
    (home / "tests").mkdir()
    (home / "notebooks/src" / f"{NAME}.py").write_text(SOURCE, encoding="utf-8")
    for name in ("pyproject.toml", "tests/sanitize.cfg", "notebooks/conftest.py"):
        shutil.copy(COURSE / name, home / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(COURSE))  # the kernels import course_lib from any folder
        building.build(home / "notebooks")
    return home


@pytest.fixture
def notebooks(built, tmp_path):
    """The notebooks folder of a copy of the built course, to spoil."""
    shutil.copytree(built, tmp_path / "course")
    return tmp_path / "course/notebooks"


@pytest.fixture(scope="session")
def nbval_says(built, tmp_path_factory):
    """One real pytest run over differently spoilt copies: name of the copy -> all that was said about its failures."""
    home = tmp_path_factory.mktemp("spoilt") / "course"
    shutil.copytree(built, home)
    for spoil in SPOILED:
        copy = home / "notebooks" / f"{spoil.__name__}.ipynb"
        shutil.copy(home / "notebooks" / f"{NAME}.ipynb", copy)
        rewrite(copy, spoil)
    (home / "notebooks" / f"{NAME}.ipynb").unlink()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=report.xml", "notebooks"]
    environment = {**os.environ, "PYTHONPATH": str(COURSE)}
    run = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout + run.stderr
    said = {}
    for case in ElementTree.parse(home / "report.xml").iter("testcase"):
        notebook = Path(case.get("classname").replace(".", "/")).parent.name
        failures = [part.text for part in case if part.tag in ("failure", "error")]
        said[notebook] = said.get(notebook, "") + "".join(failures)
    return said


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda spoil: spoil.__name__)
def test_nbval_and_the_gate(nbval_says, spoil):
    expected, said = SPOILED[spoil][0], nbval_says[spoil.__name__]
    assert said == "" if expected is None else expected in said


def test_nbval_runs_the_english_edition_too(nbval_says):
    assert nbval_says[NAME] == ""


@pytest.mark.parametrize("language", building.EDITIONS)
@pytest.mark.parametrize("spoil", SPOILED, ids=lambda spoil: spoil.__name__)
def test_check_of_stored_outputs(notebooks, spoil, language):
    rewrite(notebooks / building.EDITIONS[language] / f"{NAME}.ipynb", spoil)
    expected, said = SPOILED[spoil][1], refused(notebooks)
    assert said is None if expected is None else expected in said


@pytest.mark.parametrize(
    "file, old, new, expected",
    [
        ("src/01_sample.py", "红色", "深红", "the Chinese was changed, the English was left behind"),
        ("src/01_sample.py", "Red.", "Dark red.", "the English was changed, the Chinese was left behind"),
        ("01_sample.ipynb", "红色", "深红", "cell 01-sample-04 (深红。): differs from the source"),
        ("en/01_sample.ipynb", "Red.", "Dark red.", "cell 01-sample-04 (Dark red.): differs from the source"),
        ("en/01_sample.ipynb", "steps = 25", "steps = 24", "English edition, cell 01-sample-03"),
        ("01_sample.ipynb", "steps = 25", "steps = 24", "Chinese edition, cell 01-sample-03"),
        ("src/01_sample.py", "steps = 25", "steps = 24", "differs from the source"),
        ("src/01_sample.py", '# %% [markdown] lang="en"\n# Red.\n', "", "must be followed at once by its"),
        ("src/01_sample.py", "of `steps`", "of `step`", "only in Chinese ['steps'], only in English ['step']"),
        ("src/01_sample.py", "# # Sample", "# ## Sample", "heading levels differ"),
        (
            "src/01_sample.py",
            "[说明](../tests/sanitize.cfg)",
            "[说明](../tests/x.cfg)",
            "../tests/x.cfg, which does not",
        ),
        ("src/01_sample.py", '("en")', '("en")\nsteps = 1', "differs in nothing else"),
        ("src/01_sample.py", "# %%\nimport io", '# %% lang="zh"\nimport io', "all others have no language"),
        ("src/01_sample.py", "steps = 25", "!pip install x", "not plain Python"),
        ("src/01_sample.py", "(png.getvalue())", "(png.getvalue());", "ends with ';'"),
        ("src/01_sample.py", "红色。", "在 /home/me 里。", "an absolute path"),
        ("01_sample.ipynb", '"name": "python"', '"name": "python", "version": "3.11"', "metadata"),
        ("01_sample.ipynb", "01-sample-04", "x", "not those of the source, in that order"),
    ],
)
def test_check_refuses(notebooks, file, old, new, expected):
    edit(notebooks / file, old, new)
    assert expected in refused(notebooks)


@pytest.mark.parametrize(
    "zh, en, expected",
    [
        ("见 https://a.org/x。", "See https://a.org/x.", None),
        ("见 https://a.org/x。", "See https://a.org/y.", "web addresses differ"),
        ("![图](a.png)", "![picture](a.png)", None),
        ("![图](a.png)", "![picture](b.png)", "pictures differ"),
        ("```bash\nmake start\n```", "```bash\nmake test\n```", "a fenced block"),
        ("```\ndata/  图\n```", "```\ndata/  pictures\n```", None),
    ],
)
def test_what_a_translator_copies(zh, en, expected):
    code = Cell("code", {"zh": 'set_language("zh")', "en": 'set_language("en")'}, {})
    problems = source_problems("01_sample", [Cell("markdown", {"zh": zh, "en": en}, {}), code])
    assert problems == [] if expected is None else expected in problems[0]


@pytest.mark.parametrize(
    "data, expected",
    [
        ({"text/plain": "<Pipe at 0x7f12ab34cd56>"}, "object's address: 0x7f12ab34cd56"),
        ({"text/html": "<b>/home/me/x.png</b>"}, "absolute path: /home/"),
        ({"image/png": "QUJD", "image/jpeg": "QUJD", "text/plain": "x"}, "one PNG with its text"),
        ({"image/png": "QUJD" * 13_334, "text/plain": "x"}, "larger than 40000 bytes"),
        ({"image/png": "QUJD" * 13_333, "text/plain": "x"}, None),
    ],
)
def test_what_a_notebook_may_store(data, expected):
    output = nbformat.v4.new_output("execute_result", data, execution_count=1)
    problems = stored_problems(nbformat.v4.new_code_cell(execution_count=1, outputs=[output]), 1)
    assert problems == [] if expected is None else expected in problems[0]


def test_no_widget_is_stored(built):
    assert "widget-view" not in (built / "notebooks" / f"{NAME}.ipynb").read_text(encoding="utf-8")


def test_check_misses_nothing_and_leaves_nothing_over(notebooks):
    (notebooks / "en" / f"{NAME}.ipynb").rename(notebooks / "en/02_other.ipynb")
    said = refused(notebooks)
    assert "English edition: does not exist" in said and "02_other.ipynb has no source" in said


def test_build_refuses_half_a_translation_until_it_is_confirmed(notebooks):
    edit(notebooks / "src/01_sample.py", "Red.", "Dark red.")
    with pytest.raises(LessonsOutOfStep, match="the Chinese was left behind"):
        building.build(notebooks)
    building.confirm(notebooks, ["01"])
    said = refused(notebooks)
    assert "left behind" not in said and "differs from the source" in said  # the notebook is still to build


def test_prose_changed_in_both_languages_is_only_to_be_built(notebooks):
    edit(notebooks / "src/01_sample.py", "Red.", "Dark red.")
    edit(notebooks / "src/01_sample.py", "红色", "深红")
    said = refused(notebooks)
    assert "left behind" not in said and "its prose was changed since" in said


def test_a_second_build_changes_no_byte(notebooks, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(COURSE))
    before = {path: path.read_bytes() for path in notebooks.rglob("*.*") if path.is_file()}
    building.build(notebooks)
    assert {path: path.read_bytes() for path in notebooks.rglob("*.*") if path.is_file()} == before


def test_build_names_the_cell_that_fails_and_writes_nothing(notebooks, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(COURSE))
    before = (notebooks / f"{NAME}.ipynb").read_bytes()
    edit(notebooks / "src/01_sample.py", "steps = 25", "steps = 25 / 0")
    with pytest.raises(LessonsOutOfStep, match="cell 01-sample-03 failed") as refusal:
        building.build(notebooks)
    assert "ZeroDivisionError" in str(refusal.value)
    assert (notebooks / f"{NAME}.ipynb").read_bytes() == before


def test_the_lessons_of_this_repository():
    building.check()
