"""Film strip, X/Y grid, steps, comparison and prediction, with real pictures."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from course_lib.messages import LANGUAGES, LessonError, set_language, text
from course_lib.pictures import figures, measures
from course_lib.sampling.drawing import generate
from course_lib.sampling.settings import SamplerSettings
from course_lib.sampling.sweeps import film_strip, read_values, xy_grid
from course_lib.sampling.trials import Trial, list_changes
from course_lib.widgets.explorer import explore
from course_lib.widgets.prediction import measure_effect

LADYBIRD = "一只瓢虫，蓝色背景"
FEW = SamplerSettings(steps=3)
TRIAL = Trial(LADYBIRD, FEW)


@pytest.fixture
def explorer(pipe):
    return explore(pipe, LADYBIRD, settings=FEW)


def test_a_film_strip_holds_the_pictures_it_says(pipe):
    strip = film_strip(pipe, TRIAL, "cfg", [1.0, 8.0], seeds=2, measured="saturation")
    for row, seed in enumerate((0, 1)):
        for column, cfg in enumerate((1.0, 8.0)):
            alone = generate(pipe, LADYBIRD, SamplerSettings(steps=3, cfg=cfg, seed=seed)).image
            assert measures.distance(strip.pictures[row][column].image, alone) < 0.01  # a batch rounds differently
            assert strip.numbers[row, column] == pytest.approx(measures.saturation(alone), abs=0.01)
    assert "cfg" in strip.figure.caption and "8: " in strip.figure.caption
    assert len(strip._repr_mimebundle_()["image/png"]) <= 40_000


def test_a_strip_over_seeds_has_one_row_and_one_over_names_works(pipe):
    assert film_strip(pipe, TRIAL, "seed", [3, 4, 5]).numbers.shape == (1, 3)
    strip = film_strip(pipe, TRIAL, "sampler_name", ["euler", "heun"], seeds=1, measured="distance")
    assert strip.numbers[0, 0] == 0 < strip.numbers[0, 1]


def test_a_grid_holds_every_pair(pipe):
    grid = xy_grid(pipe, TRIAL, ("steps", [2, 3]), ("scheduler", ["normal", "karras"]))
    for row, scheduler in enumerate(("normal", "karras")):
        for column, steps in enumerate((2, 3)):
            alone = generate(pipe, LADYBIRD, SamplerSettings(steps=steps, scheduler=scheduler)).image
            assert measures.distance(grid.pictures[row][column].image, alone) < 0.01
    assert len(grid._repr_mimebundle_()["image/png"]) <= 40_000


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("parameter, words", [("cfg", ""), ("cfg", "a, b"), ("steps", "1.5"), ("steps", "3, 3")])
def test_what_is_no_list_of_values_is_answered(language, parameter, words):
    set_language(language)
    with pytest.raises(LessonError, match=parameter):
        read_values(parameter, words)


def test_values_are_read_as_learners_write_them():
    assert read_values("steps", "1，2、 3;4") == [1, 2, 3, 4]
    assert read_values("cfg", "1 2.5") == [1.0, 2.5]
    assert read_values("scheduler", "normal, karras") == ["normal", "karras"]


def test_an_unknown_parameter_is_answered(pipe):
    with pytest.raises(LessonError, match="brightness"):
        film_strip(pipe, TRIAL, "brightness", [1, 2])


def test_the_cost_is_told_before_anything_is_drawn(explorer):
    grid = explorer.grid
    grid.x.parameter.value, grid.y.parameter.value = "steps", "sampler_name"
    grid.x.values.value, grid.y.values.value = "2, 4", "euler, heun"
    assert text("cost", pictures=4, calls=2 + 4 + 3 + 7).split("，")[0] in grid.cost.value
    assert "16" in grid.cost.value and grid.result is None
    grid.x.values.value = "x"
    assert "x" in grid.cost.value


def test_the_panels_draw_strip_and_grid(explorer):
    explorer.strip.seeds.value = 1
    explorer.strip.axis.values.value = "1, 4, 9"
    explorer.strip.draw()
    explorer.wait()
    assert explorer.strip.result.numbers.shape == (1, 3)
    assert Image.open(io.BytesIO(explorer.strip.figure.value)).size == explorer.strip.result.figure.image.size
    explorer.grid.x.values.value, explorer.grid.y.values.value = "euler, lms", "normal"
    explorer.grid.draw()
    explorer.wait()
    assert explorer.grid.result.pictures[0][1].settings.sampler_name == "lms"


def test_a_wrong_value_or_name_is_told_in_the_panel(explorer):
    explorer.grid.x.values.value = "euler, eulre"
    explorer.grid.draw()
    explorer.wait()
    assert "eulre" in explorer.grid.words.value and "kolors-problem" in explorer.grid.words.value
    explorer.strip.axis.values.value = "much"
    explorer.strip.draw()
    assert "much" in explorer.strip.words.value and "kolors-problem" in explorer.strip.words.value


def test_a_slider_stops_a_strip_and_its_own_picture_comes(explorer):
    explorer.strip.axis.parameter.value = "sampler_name"
    explorer.strip.axis.values.value = "euler, lms, ipndm, deis, dpmpp_2m, uni_pc"
    explorer.strip.draw()
    end = time.monotonic() + 120
    while text("sweep_drawing") not in explorer.strip.words.value:
        assert time.monotonic() < end
        time.sleep(0.01)
    explorer.controls.dials["cfg"].slider.value = 9.0
    explorer.wait()
    assert explorer.made[0].settings.cfg == 9.0
    assert explorer.strip.result is None and text("sweep_stopped") in explorer.strip.words.value


def test_a_strip_that_interrupts_a_picture_finishes_it_first(explorer):
    explorer.controls.dials["steps"].field.value = 9
    explorer.strip.axis.values.value = "1, 2"
    explorer.strip.draw()
    explorer.wait()
    assert explorer.made[0].settings.steps == 9 and "steps 9" in explorer.words.value
    assert explorer.strip.result is not None


def test_the_steps_are_shown_one_frame_each(explorer):
    explorer.panel_buttons.value = "steps"
    explorer.wait()
    captions = [box.children[0].value for box in explorer.steps.frames.children]
    assert [text("steps_frame", step=step, steps=3, sigma=0).split("，")[0] in caption
            for step, caption in enumerate(captions, 1)] == [True] * 3
    frames = {box.children[1].value for box in explorer.steps.frames.children}
    assert len(frames) == 3
    explorer.controls.dials["steps"].field.value = 30
    explorer.wait()
    assert len(explorer.steps.frames.children) == 24 and explorer.steps.frames.selected_index == 23


def test_the_difference_map_is_black_where_pictures_agree():
    first = Image.new("RGB", (8, 8), "white")
    second = first.copy()
    second.putpixel((3, 4), (0, 0, 0))
    pixels = np.asarray(figures.difference_map(first, second)).astype(int).sum(axis=2)
    assert np.unravel_index(pixels.argmax(), pixels.shape) == (4, 3)
    assert np.delete(pixels.ravel(), 4 * 8 + 3).max() < 10 < 600 < pixels[4, 3]


@pytest.mark.parametrize("ground", ["white", "#111111"])
def test_figures_can_be_read_on_light_and_dark(ground):
    """Letters are drawn on transparency: their colour is at least 3 : 1 against either ground."""
    picture = Image.new("RGB", (96, 96), "red")
    drawn = figures.draw_grid([[picture]], ("cfg", [5.0]), ("seed", [0]))
    page = Image.new("RGB", drawn.size, ground)
    page.paste(drawn, (0, 0), drawn)
    labels = np.asarray(page.crop((0, 0, drawn.width, 40)).convert("L"), float)
    light = np.asarray([labels.min(), labels.max()]) / 255
    contrast = np.divide(*sorted((light ** 2.2 + 0.05), reverse=True))
    assert contrast > 3


def test_a_plot_shows_every_line_in_its_colour_and_names_it():
    lines = {name: ([1, 10, 100], [height, height, height]) for height, name in enumerate(("low", "middle", "high"), 1)}
    shown = figures.plot(lines, "steps", "error", xscale="log")
    assert "low, middle, high" in shown.caption
    pixels = np.asarray(shown.image)
    rows = [np.argwhere((np.abs(pixels[..., :3].astype(int) - colour).max(axis=2) < 12) & (pixels[..., 3] > 200))[:, 0]
            for colour in ((31, 119, 180), (255, 127, 14), (44, 160, 44))]
    first, second, third = (np.median(row) for row in rows)
    assert first > second > third  # from the bottom upwards


def test_a_trial_lists_what_changed_and_leaves_out_what_draws_nothing():
    other = TRIAL.but(cfg=8.0, control_after_generate="randomize", negative_prompt="3d")
    assert list_changes(TRIAL, other) == {"negative_prompt": ("", "3d"), "cfg": (5.0, 8.0)}


def test_predict_first_keeps_the_picture_back_until_a_guess(pipe):
    explorer = explore(pipe, LADYBIRD, settings=FEW, predict=True)
    before = explorer.image.value
    explorer.controls.dials["seed"].field.value = "1"
    explorer.wait()
    assert explorer.image.value == before and explorer.made[0].settings.seed == 0
    explorer.prediction.guess.value = "same"
    explorer.prediction.reveal()
    assert explorer.image.value != before and explorer.made[0].settings.seed == 1
    assert [(one.guess, one.measured == "same") for one in explorer.predictions] == [("same", False)]
    explorer.refresh()
    explorer.wait()
    explorer.prediction.guess.value = "same"
    explorer.prediction.reveal()
    assert explorer.predictions[1].measured == "same"
    assert text("predict_right", effect=text("effect_same"), distance=0.0) in explorer.prediction.answer.value


def test_effects_are_measured(pipe):
    first = generate(pipe, LADYBIRD, SamplerSettings()).image
    apple = generate(pipe, "一个苹果，黄色背景", SamplerSettings()).image
    nearly = generate(pipe, LADYBIRD, SamplerSettings(steps=24)).image
    assert measure_effect(first, first) == "same"
    assert measure_effect(first, apple) == "content"
    assert measure_effect(first, nearly) == "details"
