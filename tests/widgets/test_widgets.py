"""The explorer without a browser: its fields are set as a browser would set them, and the pictures are real."""

import threading
import time

import numpy as np
import pytest
from ipywidgets.widgets import widget as widget_module
from PIL import Image

from course_lib.messages import LANGUAGES, LessonError, set_language, text
from course_lib.pictures.picture import encode_png
from course_lib.sampling.drawing import generate
from course_lib.sampling.samplers import explain_sampler
from course_lib.sampling.settings import MOST_SEED, SamplerSettings
from course_lib.widgets import explorer as explorer_module
from course_lib.widgets.explorer import Explorer, explore
from course_lib.workflow.picture_settings import read_settings

LADYBIRD = "一只瓢虫，蓝色背景"
FEW = SamplerSettings(steps=3)


@pytest.fixture
def explorer(pipe):
    return explore(pipe, LADYBIRD, settings=FEW)


def dial(explorer, name):
    return explorer.controls.dials[name]


def shown(explorer):
    """Return the settings of the picture that is shown."""
    return explorer.made[0].settings


def test_it_shows_the_picture_that_generate_makes(pipe, explorer):
    assert explorer.image.value == encode_png(generate(pipe, LADYBIRD, FEW).image)
    assert "steps 3" in explorer.words.value and LADYBIRD in explorer.words.value


@pytest.mark.parametrize("name, value", [
    ("seed", 7), ("steps", 4), ("cfg", 8.4), ("denoise", 0.5),
])
def test_a_slider_and_its_field_move_together_and_draw(pipe, explorer, name, value):
    dial(explorer, name).slider.value = value
    assert dial(explorer, name).value == value
    explorer.wait()
    expected = SamplerSettings(**{"steps": 3, name: value})
    assert shown(explorer) == expected
    assert explorer.image.value == encode_png(generate(pipe, LADYBIRD, expected).image)


def test_a_field_may_leave_the_range_of_its_slider(explorer):
    dial(explorer, "cfg").field.value = 42.0
    assert (dial(explorer, "cfg").slider.value, dial(explorer, "cfg").value) == (20.0, 42.0)
    dial(explorer, "seed").field.value = str(MOST_SEED)
    explorer.wait()
    assert (shown(explorer).seed, shown(explorer).cfg) == (MOST_SEED, 42.0)


@pytest.mark.parametrize("name, value", [("sampler_name", "dpmpp_2m"), ("scheduler", "karras")])
def test_a_menu_draws(pipe, explorer, name, value):
    explorer.controls.menus[name].value = value
    explorer.wait()
    expected = SamplerSettings(**{"steps": 3, name: value})
    assert explorer.image.value == encode_png(generate(pipe, LADYBIRD, expected).image)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name, wrong", [("steps", 0), ("steps", 10000), ("seed", "-1"), ("seed", str(2**64)),
                                         ("seed", "abc"), ("cfg", float("nan")), ("cfg", -1.0), ("denoise", 2.0)])
def test_a_wrong_number_is_answered_and_stays_in_its_field(pipe, name, wrong, language):
    set_language(language)
    explorer = explore(pipe, LADYBIRD, settings=FEW)
    before = explorer.image.value
    dial(explorer, name).field.value = wrong
    explorer.wait()
    assert "kolors-problem" in explorer.words.value and name in explorer.words.value
    assert dial(explorer, name).field.value == wrong or np.isnan(wrong)
    assert explorer.image.value == before
    assert explorer.controls.prompt.value == LADYBIRD
    dial(explorer, name).slider.value = dial(explorer, name).slider.max / 2 + 1 if name != "denoise" else 0.4
    assert dial(explorer, name).value == dial(explorer, name).slider.value  # the slider leads back


def test_an_empty_prompt_is_answered_and_a_better_one_drawn(explorer):
    explorer.controls.prompt.value = " "
    explorer.wait()
    assert "kolors-problem" in explorer.words.value
    explorer.controls.prompt.value = "一个苹果，黄色背景"
    explorer.wait()
    assert "苹果" in explorer.words.value and explorer.made[0].prompt == "一个苹果，黄色背景"


@pytest.mark.parametrize("settings", [SamplerSettings(sampler_name="eulr"), SamplerSettings(scheduler="cosine"),
                                      SamplerSettings(steps=0)])
def test_settings_that_cannot_be_drawn_make_no_explorer(pipe, settings):
    with pytest.raises(LessonError):
        explore(pipe, LADYBIRD, settings=settings)


def test_of_many_values_the_last_is_shown_and_few_are_drawn(pipe, explorer, monkeypatch):
    finished = []
    monkeypatch.setattr(explorer, "_reveal", lambda made: (finished.append(made), Explorer._reveal(explorer, made)))
    for value in range(1, 31):
        dial(explorer, "cfg").slider.value = value / 2
        time.sleep(0.005)
    explorer.wait()
    assert shown(explorer).cfg == 15.0
    assert explorer.image.value == encode_png(generate(pipe, LADYBIRD, SamplerSettings(steps=3, cfg=15.0)).image)
    assert len(finished) < 15


def test_a_newer_value_breaks_a_running_picture_off(explorer):
    looks = []
    explorer.worker.pipe.unet.conv_in.register_forward_hook(lambda *_: looks.append(1))
    dial(explorer, "steps").field.value = 30
    end = time.monotonic() + 120
    while len(looks) < 3:
        assert time.monotonic() < end
        time.sleep(0.01)
    dial(explorer, "steps").field.value = 3
    explorer.wait()
    assert shown(explorer).steps == 3 and len(looks) < 20


def test_a_preview_comes_before_the_picture(explorer):
    seen = []
    explorer.words.observe(lambda change: seen.append(change.new), "value")
    pictures = []
    explorer.image.observe(lambda change: pictures.append(change.new), "value")
    dial(explorer, "steps").field.value = 8
    explorer.wait()
    assert text("explorer_preview", step=2, steps=8) in seen[0]
    assert len(pictures) >= 2 and pictures[0] != pictures[-1]


def test_the_chosen_sampler_is_explained(explorer):
    assert explain_sampler("euler") in explorer.controls.about.value
    explorer.controls.menus["sampler_name"].value = "seeds_2"
    assert explain_sampler("seeds_2") in explorer.controls.about.value
    explorer.wait()


def test_the_seed_used_and_the_seed_next_stand_side_by_side(explorer):
    assert text("explorer_seeds", used=0, next=0) in explorer.seeds.value
    explorer.controls.menus["control_after_generate"].value = "increment"
    explorer.wait()
    assert text("explorer_seeds", used=0, next=1) in explorer.seeds.value
    explorer.draw_next()
    explorer.wait()
    assert (shown(explorer).seed, dial(explorer, "seed").field.value) == (1, "1")
    assert text("explorer_seeds", used=1, next=2) in explorer.seeds.value


def test_the_guard_tells_one_change_from_two(explorer):
    explorer.pin()
    assert text("guard_same") in explorer.compare.guard.value
    dial(explorer, "cfg").field.value = 8.0
    explorer.wait()
    assert text("guard_one", name="cfg", before=5, after=8) in explorer.compare.guard.value
    dial(explorer, "steps").field.value = 4
    explorer.wait()
    assert text("guard_many", count=2, names="steps、cfg") in explorer.compare.guard.value
    assert "kolors-problem" in explorer.compare.guard.value


def test_pinning_keeps_a_and_its_settings_can_be_had_back(explorer):
    explorer.pin()
    first = explorer.image.value
    dial(explorer, "seed").field.value = "3"
    explorer.controls.prompt.value = "一个苹果，黄色背景"
    explorer.wait()
    assert explorer.image.value != first
    explorer.restore(explorer.compare.pinned[0])
    explorer.wait()
    assert explorer.image.value == first and explorer.controls.prompt.value == LADYBIRD


def test_the_history_restores_older_settings_and_keeps_equal_ones_once(explorer):
    first = explorer.trial
    dial(explorer, "cfg").field.value = 9.0
    explorer.wait()
    explorer.refresh()
    explorer.wait()
    assert [made[0].settings.cfg for made in explorer.history.made] == [9.0, 5.0]
    explorer.history.box.children[1].children[1].click()
    explorer.wait()
    assert explorer.trial == first and shown(explorer).cfg == 5.0


def test_the_code_makes_the_same_picture(pipe, explorer):
    dial(explorer, "cfg").field.value = 7.5
    explorer.controls.negative_prompt.value = "扁平风格"
    explorer.wait()
    names = {"pipe": pipe}
    *lines, last = explorer.code.code.split("\n\n")
    exec("\n".join(lines), names)
    assert eval(last, names).image.tobytes() == explorer.picture.image.tobytes()


def test_the_saved_file_holds_the_settings(explorer, tmp_path, monkeypatch):
    monkeypatch.setattr(explorer_module, "COURSE", tmp_path)
    dial(explorer, "cfg").field.value = 7.5
    explorer.wait()
    path = explorer.save()
    settings, prompt, negative_prompt = read_settings(path)
    assert (settings, prompt, negative_prompt) == (shown(explorer), LADYBIRD, "")
    assert path.name in explorer.words.value


def test_a_place_that_cannot_be_written_is_told(explorer, tmp_path, monkeypatch):
    (tmp_path / "outputs").write_text("a file")
    monkeypatch.setattr(explorer_module, "COURSE", tmp_path)
    assert explorer.save() is None
    assert "kolors-problem" in explorer.words.value


def test_without_a_kernel_picture_and_text_remain(explorer):
    bundle = explorer._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"}
    assert LADYBIRD in bundle["text/plain"] and len(bundle["image/png"]) <= 40_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_has_its_name(pipe, language):
    set_language(language)
    explorer = explore(pipe, LADYBIRD, settings=FEW)
    named = [dial.field.description for dial in explorer.controls.dials.values()]
    named += [menu.description for menu in explorer.controls.menus.values()]
    names = ("seed", "steps", "cfg", "denoise", "sampler_name", "scheduler", "control_after_generate")
    assert all(name in words for name, words in zip(names, named, strict=True))
    assert "lora_strength" not in explorer.controls.dials


def test_a_source_picture_is_started_from(pipe):
    source = Image.new("RGB", (96, 96), "yellow")
    explorer = explore(pipe, LADYBIRD, settings=SamplerSettings(steps=3, denoise=0.3), source=source)
    assert np.asarray(explorer.picture.image).mean(axis=(0, 1)) == pytest.approx([255, 255, 0], abs=60)
    assert "encode_picture(pipe, source)" in explorer.code.code


def test_the_learners_pipeline_draws_while_the_explorer_draws(pipe, explorer):
    alone = generate(pipe, LADYBIRD, FEW).image.tobytes()
    dial(explorer, "steps").field.value = 6
    assert generate(pipe, LADYBIRD, FEW).image.tobytes() == alone
    explorer.wait()
    assert explorer.picture.image.tobytes() == generate(pipe, LADYBIRD, SamplerSettings(steps=6)).image.tobytes()


def test_values_from_two_threads_end_in_one_picture(explorer):
    threads = [threading.Thread(target=setattr, args=(dial(explorer, name).slider, "value", value))
               for name, value in (("cfg", 9.0), ("seed", 5))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    explorer.wait()
    assert (shown(explorer).cfg, shown(explorer).seed) == (9.0, 5)


def test_a_closed_explorer_leaves_neither_widgets_nor_its_thread(pipe):
    before, threads = set(all_widgets()), threading.active_count()
    one = explore(pipe, "一只猫", settings=SamplerSettings(steps=1))
    one.wait()
    assert len(set(all_widgets()) - before) > 100
    one.close()
    assert set(all_widgets()) == before
    for _ in range(100):
        if threading.active_count() == threads:
            break
        time.sleep(0.1)
    assert threading.active_count() == threads


def all_widgets():
    """Return the ids of all widgets that this kernel holds."""
    return list(widget_module._instances)
