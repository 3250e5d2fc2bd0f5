"""Lesson 3 in a real JupyterLab in a real Chromium, as a learner meets it; skipped where there is no Chromium."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from course_lib.messages import set_language, text
from course_lib.pictures.measures import distance
from course_lib.sampling.drawing import generate
from course_lib.sampling.settings import SamplerSettings

COURSE = Path(__file__).parent.parent
LESSONS = {"zh": COURSE / "notebooks" / "03_sampler_parameters.ipynb",
           "en": COURSE / "notebooks" / "en" / "03_sampler_parameters.ipynb"}
PROMPT = "一只瓢虫，卡通风格，蓝色背景"  # the lesson's own, with these settings
SETTINGS = SamplerSettings(seed=1, steps=20)
NOTEBOOK = "window.jupyterapp.shell.currentWidget.content"  # JupyterLab's own name for the open one
SECONDS = 240  # for everything that is waited for; a busy machine draws slowly
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt-get install chromium)")


@contextmanager
def running_lab(folder):
    """A JupyterLab of its own, with private settings, on the notebooks in a folder: the address of one by its name."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    private = {f"JUPYTER_{name}_DIR": str(folder / "jupyter" / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    for place in (Path(private["JUPYTER_CONFIG_DIR"]) / "labconfig", folder / "jupyter" / "data"):
        place.mkdir(parents=True)
    quiet = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
    (Path(private["JUPYTER_CONFIG_DIR"]) / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(quiet))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--log-level=ERROR",
               f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1",
               f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
               "--LabApp.expose_app_in_browser=True"]
    environment = {**os.environ, **private, "PYTHONPATH": str(COURSE)}
    with subprocess.Popen(command, env=environment, cwd=folder) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            wait_for(lambda: urllib.request.urlopen(f"{address}/api?token={token}").status == 200)
            yield lambda name: f"{address}/lab/tree/{name}.ipynb?reset&token={token}"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    for language, lesson in LESSONS.items():
        shutil.copy(lesson, folder / f"{language}.ipynb")
    with running_lab(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(params=LESSONS)
def page(request, lab, browser):
    """A page on which a lesson has run down to its explorer, the English one whole; it may log no error."""
    errors = []
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.set_default_timeout(SECONDS * 1000)
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    open_notebook(page, lab(request.param), 20)
    set_language(request.param)
    page.language = request.param
    page.explorer_cell = page.evaluate(f"""() => [...{NOTEBOOK}.model.cells].findIndex(
        cell => cell.type == 'code' && cell.sharedModel.source.includes('explore(pipe'))""")
    if request.param == "en":
        run_all(page)
    else:
        for cell in range(page.explorer_cell + 1):
            run_cell(page, cell)
    wait_for_caption(page, "steps", SETTINGS.steps)
    yield page
    assert errors == []
    page.close()


def open_notebook(page, address, cells):
    """Open a notebook of more than so many cells and wait until its kernel can run them."""
    page.goto(address)
    page.wait_for_function(f"""cells => window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady
                              && {NOTEBOOK}.model.cells.length > cells""", arg=cells)


def run_cell(page, number):
    """Start a cell without waiting for its end."""
    page.evaluate(f"""number => {{
        {NOTEBOOK}.activeCellIndex = number;
        window.jupyterapp.commands.execute('notebook:run-cell');
    }}""", number)


def run_all(page):
    """Run the whole lesson, as the menu does; no cell may end with an error."""
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")  # without waiting for it
    counts = f"[...{NOTEBOOK}.model.cells].filter(cell => cell.type == 'code').map(cell => cell.executionCount)"
    page.wait_for_function(f"() => {{ const counts = {counts}; return Math.max(...counts) == counts.length "
                           "&& window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status == 'idle'; }")
    assert page.evaluate(f"""() => [...{NOTEBOOK}.model.cells].filter(cell => cell.type == 'code').flatMap(
        cell => cell.outputs.toJSON()).filter(output => output.output_type == 'error')""") == []
    page.evaluate(f"cell => {NOTEBOOK}.scrollToItem(cell, 'start')", page.explorer_cell)


def keep_kernel_busy(page):
    """Add a cell that takes long below the explorer, where nothing has to be scrolled, and run it."""
    cell = page.explorer_cell + 1
    page.evaluate(f"""cell => {NOTEBOOK}.model.sharedModel.insertCell(
        cell, {{cell_type: 'code', source: 'import time; time.sleep(300)'}})""", cell)
    run_cell(page, cell)
    page.wait_for_function("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status == 'busy'")


def wait_for_caption(page, name, value):
    """Wait until the picture of this value is shown, finished."""
    words = value if name == "sampler_name" else f"{name} {value:g} "
    page.locator(".kolors-caption .kolors-words", has_text=words).wait_for()


def is_shown(page, pipe, settings):
    """Whether the browser shows, pixel by pixel, the picture that `generate` makes; threads may round differently."""
    values = page.evaluate("""() => {
        const picture = document.querySelector('img.kolors-main');
        const canvas = document.createElement('canvas');
        canvas.width = picture.naturalWidth;
        canvas.height = picture.naturalHeight;
        canvas.getContext('2d').drawImage(picture, 0, 0);
        return Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data);
    }""")
    drawn = generate(pipe, PROMPT, settings).image
    pixels = np.array(values, dtype=np.uint8).reshape(drawn.height, drawn.width, 4)[..., :3]
    return distance(Image.fromarray(pixels), drawn) < 0.01


def drag(page, selector, share):
    """Drag a slider's handle with the mouse, in ten moves, to a share of its track; return the value there."""
    page.locator(selector).scroll_into_view_if_needed()
    track, handle = page.locator(f"{selector} .noUi-target"), page.locator(f"{selector} .noUi-handle")
    place, start = track.bounding_box(), handle.bounding_box()
    x, y = start["x"] + start["width"] / 2, start["y"] + start["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for move in range(1, 11):
        page.mouse.move(x + (place["x"] + share * place["width"] - x) * move / 10, y)
    page.mouse.up()
    return float(handle.get_attribute("aria-valuenow"))


def find_wide_parts(page):
    """Return the classes of the explorer's parts that stick out of it on the right."""
    return page.evaluate("""() => {
        const box = document.querySelector('.kolors-explorer').getBoundingClientRect();
        return [...document.querySelectorAll('.kolors-explorer *')].filter(part => part.offsetParent
            && part.getBoundingClientRect().right > box.right + 1).map(part => part.className);
    }""")


def frame_words(page):
    """Return what is said about the step that is shown."""
    return page.locator(".kolors-panel .kolors-words:visible").inner_text()


def test_a_learner_drags_chooses_types_and_looks_back(page, pipe):
    assert is_shown(page, pipe, SETTINGS)

    cfg = drag(page, ".kolors-cfg", 0.6)
    assert 11 < cfg < 13
    field = page.get_by_label(text("control_cfg"), exact=True)
    wait_for(lambda: float(field.input_value()) == cfg)  # it follows the handle, and trails behind it
    wait_for_caption(page, "cfg", cfg)
    assert is_shown(page, pipe, replace(SETTINGS, cfg=cfg))

    page.get_by_label(text("control_sampler_name"), exact=True).select_option("dpmpp_2m")
    wait_for_caption(page, "sampler_name", "dpmpp_2m")
    assert is_shown(page, pipe, replace(SETTINGS, cfg=cfg, sampler_name="dpmpp_2m"))

    # With the keyboard alone, from the prompt on: every field in the order in which it is read, and an arrow key.
    page.get_by_label(text("control_prompt"), exact=True).focus()
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.closest('.kolors-controls [class*=kolors-]').className"))
    names = ["wide", *(name for name in ("seed", "steps", "cfg", "denoise") for _ in range(2)),
             "sampler_name", "scheduler", "control_after_generate"]
    assert [f"kolors-{name}" in there for name, there in zip(names, reached, strict=True)] == [True] * 12
    page.locator(".kolors-cfg .noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    wait_for(lambda: float(field.input_value()) > cfg)
    wait_for_caption(page, "cfg", float(field.input_value()))

    # The steps can be turned while the kernel is busy with a cell.
    page.get_by_role("button", name=text("panel_steps")).click()
    page.locator(".kolors-panel .kolors-figure:visible").wait_for()
    keep_kernel_busy(page)
    for _ in range(SETTINGS.steps - 1):
        page.locator(".kolors-scrub .noUi-handle").press("ArrowLeft")
    first = text("steps_frame", step=1, steps=SETTINGS.steps, sigma=0).split("sigma")[0]
    wait_for(lambda: frame_words(page).startswith(first))
    assert page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status") == "busy"

    # Nothing sticks out of a narrow window, in either theme.
    page.evaluate("window.jupyterapp.shell.collapseLeft()")
    page.set_viewport_size({"width": 480, "height": 1000})
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        page.wait_for_function("theme => document.body.dataset.jpThemeName == theme", arg=theme)  # its sheet has come
        wait_for(lambda: page.locator(".kolors-explorer").bounding_box()["width"] < 480)
        assert find_wide_parts(page) == []

    # What is saved can be read without a kernel.
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    output = page.evaluate(f"cell => {NOTEBOOK}.model.cells.get(cell).outputs.get(0).toJSON().data", page.explorer_cell)
    assert PROMPT in output["text/plain"] and output["image/png"]


def wait_for(ready):
    """Wait until a condition holds; what it raises meanwhile counts as no."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            if ready():
                return
        except Exception:
            if time.monotonic() > end:
                raise
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)
