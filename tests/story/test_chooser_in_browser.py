"""The widget to choose with, in a real JupyterLab in a real Chromium; skipped where there is no Chromium."""

import nbformat
import pytest
from test_browser import NOTEBOOK, browser, find_wide_parts, open_notebook, pytestmark, run_cell, running_lab, wait_for

from course_lib.messages import text
from course_lib.story.notes import read_choices

__all__ = ["browser", "pytestmark"]  # which pytest finds by their names
DRAW = """\
from course_lib.model import load
from course_lib.sampling.settings import SamplerSettings
from course_lib.story import STORIES, choose, draw_candidates
story = STORIES["birthday"]
fast = SamplerSettings(steps=2, cfg=3.0)
candidates = draw_candidates(load("tiny"), story, "flat", "work", seeds=range(4), settings=fast)"""
PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}  # else JupyterLab asks which kernel to take
SCENE = ".kolors-explorer .kolors-row >> nth={}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    cells = [nbformat.v4.new_code_cell(source) for source in (DRAW, 'choose("work", story, candidates)')]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=PYTHON), folder / "story.ipynb")
    return folder


@pytest.fixture
def page(folder, browser):  # noqa: F811
    errors = []
    with running_lab(folder) as address:
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(240_000)
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        open_notebook(page, address("story"), 1)
        yield page
        page.close()
    assert errors == []


def show_chooser(page):
    """Run both cells and wait for the pictures."""
    for number in range(2):
        run_cell(page, number)
    page.locator(".kolors-choice img").nth(31).wait_for()


def click_picture(page, scene, place):
    """Click with the mouse into the middle of a picture."""
    picture = page.locator(SCENE.format(scene - 1)).locator(".kolors-choice img").nth(place)
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def kept_labels(page):
    """Return the labels of the pictures that are marked as kept, down the page."""
    return page.locator(".kolors-kept .widget-button").all_inner_texts()


def test_a_choice_and_a_note_outlive_the_kernel(page, folder):
    show_chooser(page)
    assert kept_labels(page) == []
    click_picture(page, 2, 3)
    click_picture(page, 7, 0)
    wait_for(lambda: kept_labels(page) == ["✔ seed 3", "✔ seed 0"])
    note = page.get_by_placeholder(text("story_note")).nth(1)
    note.fill("最像一只猫")
    note.press("Tab")
    wait_for(lambda: 2 in read_choices(folder / "work") and read_choices(folder / "work")[2].note == "最像一只猫")
    assert sorted(read_choices(folder / "work")) == [2, 7]

    page.evaluate(f"() => {{ {NOTEBOOK}.model.cells.get(1).outputs.clear(); }}")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    show_chooser(page)
    assert kept_labels(page) == ["✔ seed 3", "✔ seed 0"]
    assert page.get_by_placeholder(text("story_note")).nth(1).input_value() == "最像一只猫"
    assert page.get_by_text(text("story_chosen", done=2, count=8)).is_visible()
    click_picture(page, 2, 0)
    wait_for(lambda: kept_labels(page) == ["✔ seed 0", "✔ seed 0"])

    # Nothing sticks out of a narrow window, in either theme.
    page.evaluate("window.jupyterapp.shell.collapseLeft()")
    page.set_viewport_size({"width": 480, "height": 1000})
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        page.wait_for_function("theme => document.body.dataset.jpThemeName == theme", arg=theme)
        wait_for(lambda: page.locator(".kolors-explorer").bounding_box()["width"] < 480)
        assert find_wide_parts(page) == []
