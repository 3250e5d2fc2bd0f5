"""Candidates on the disk, the choice among them, the picture and the page: nothing is drawn twice and nothing lost."""

import html
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from test_stories import ROWS

from course_lib.lora.verbs import add_lora, remove_lora, set_strength
from course_lib.messages import LessonError, set_language, text
from course_lib.model.truth import compose_true
from course_lib.pictures.lettering import BREAKERS, font, wrap
from course_lib.pictures.opening import open_picture
from course_lib.sampling import drawing
from course_lib.sampling.settings import SamplerSettings
from course_lib.story import candidates as drawn
from course_lib.story import page
from course_lib.story.candidates import draw_candidates, repair
from course_lib.story.choosing import choose
from course_lib.story.notes import NOTES, change, keep, read_choices
from course_lib.story.page import chosen, lay_out, write_page
from course_lib.story.scenes import STORIES, make_story
from course_lib.story.scores import mark, suggest

FAST = SamplerSettings(steps=2, cfg=3.0)
STORY = STORIES["birthday"]


@pytest.fixture(scope="module")
def shared(pipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("story")
    return folder, draw_candidates(pipe, STORY, "flat", folder, seeds=(1, 5), settings=FAST)


@pytest.fixture
def made(shared):
    folder, found = shared
    (folder / NOTES).unlink(missing_ok=True)
    return folder, found


def count_drawn(monkeypatch):
    """Return a list that grows by each picture that is drawn from now on."""
    drawn_now = []
    monkeypatch.setattr(drawn, "generate", lambda pipe, prompt, settings, **rest: (
        drawn_now.extend(settings), drawing.generate(pipe, prompt, settings, **rest))[1])
    return drawn_now


def test_each_scene_has_each_seed_and_its_settings_inside(made):
    folder, found = made
    assert [(each.scene, each.settings.seed) for each in found] == [(n, s) for n in range(1, 9) for s in (1, 5)]
    graph = json.loads(Image.open(found[3].file).text["prompt"])
    assert graph["3"]["inputs"]["seed"] == 5 and graph["6"]["inputs"]["text"] == found[3].prompt
    assert found[3].image.tobytes() != found[2].image.tobytes()
    assert found[3].picture.image.tobytes() == found[3].image.tobytes()


def test_a_second_run_draws_only_what_is_missing(made, pipe, monkeypatch):
    folder, found = made
    before = np.asarray(found[6].image, dtype=int)
    found[6].file.unlink()
    drawn_now = count_drawn(monkeypatch)
    assert draw_candidates(pipe, STORY, "flat", folder, seeds=(1, 5), settings=FAST) == found
    assert len(drawn_now) == 1
    assert np.abs(np.asarray(found[6].image, dtype=int) - before).max() <= 2  # alone in its batch: one rounds otherwise


def test_other_settings_and_another_lora_never_replace_a_picture(made, pipe, tmp_path):
    names = set()
    kept = {each.file: each.file.read_bytes() for each in made[1]}
    row = replace(STORY, scenes=STORY.scenes[:1])

    def draw(**more):
        [one] = draw_candidates(pipe, row, "flat", made[0], seeds=(1,), **{"settings": FAST, **more})
        names.add(one.file.name)
        return one

    draw(), draw(settings=replace(FAST, cfg=4.0)), draw(negative_prompt="模糊")
    weights = add_lora(pipe.unet, rank=2)
    try:
        with_lora = draw()
        weights[1].data += 0.3
        draw()
        set_strength(pipe.unet, 0.5)
        draw()
        set_strength(pipe.unet, 0)
        assert draw().file == made[1][0].file  # strength 0 is the base
        set_strength(pipe.unet, 1)
        pipe.unet.peft_config["lora"].lora_alpha *= 2  # what a file with the same weights and another alpha would be
        draw()
    finally:
        remove_lora(pipe.unet)
    assert with_lora.file.is_file() and len(names) == 7
    assert all(file.read_bytes() == content for file, content in kept.items())


def test_a_repair_starts_from_the_picture(made, pipe):
    folder, found = made
    [light] = repair(pipe, found[0], denoise=0.2, seeds=(3,))
    assert light.scene == 1 and light.file.parent == found[0].file.parent and light.file != found[0].file
    far = repair(pipe, found[0], denoise=1.0, seeds=(3,))[0]
    apart = [sum(abs(a - b) for a, b in zip(found[0].image.tobytes(), each.image.tobytes())) for each in (light, far)]
    assert apart[0] < apart[1]
    [other] = repair(pipe, found[1], denoise=0.2, seeds=(3,))  # the same words and settings, from another picture
    assert other.file != light.file and other.image.tobytes() != light.image.tobytes()


@pytest.mark.parametrize("seeds", [(), (1, 1), range(65), (-1,), ("a",)])
def test_wrong_seeds_are_answered(pipe, tmp_path, seeds):
    with pytest.raises(LessonError):
        draw_candidates(pipe, STORY, "flat", tmp_path, seeds=seeds)


def test_a_wrong_style_or_story_is_answered(pipe, tmp_path):
    with pytest.raises(LessonError):
        draw_candidates(pipe, STORY, "oil", tmp_path)
    with pytest.raises(LessonError):
        draw_candidates(pipe, ROWS, "flat", tmp_path)


# --- choosing

def cards(chooser, scene):
    return list(chooser.rows[scene - 1].cards.values())


def test_a_click_is_on_the_disk_at_once_and_there_after_a_restart(made):
    folder, found = made
    chooser = choose(folder, STORY, found)
    assert "0/8" in chooser.status.value
    cards(chooser, 2)[1].children[1].click()
    assert read_choices(folder)[2].file == f"candidates/{found[3].file.name}"
    chooser.rows[1].note.value = "最像一只猫"
    again = choose(folder, STORY, found)  # the kernel was killed
    assert "1/8" in again.status.value and again.rows[1].note.value == "最像一只猫"
    labels = [card.children[1].description for card in cards(again, 2)]
    assert labels == ["seed 1", "✔ seed 5"] and "kolors-kept" in cards(again, 2)[1]._dom_classes
    cards(again, 2)[0].children[1].click()
    assert [card.children[1].description for card in cards(again, 2)] == ["✔ seed 1", "seed 5"]
    assert read_choices(folder)[2].note == "最像一只猫"


def test_two_windows_do_not_undo_each_other(made):
    folder, found = made
    one, other = choose(folder, STORY, found), choose(folder, STORY, found)
    cards(one, 1)[0].children[1].click()
    cards(other, 8)[0].children[1].click()
    assert sorted(read_choices(folder)) == [1, 8]


def test_a_disk_that_is_full_is_told_and_the_choice_stays(made, monkeypatch):
    folder, found = made
    chooser = choose(folder, STORY, found)
    cards(chooser, 1)[0].children[1].click()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("course_lib.story.notes.write_whole", full)
    cards(chooser, 1)[1].children[1].click()
    assert "No space" in chooser.status.value
    assert [card.children[1].description for card in cards(chooser, 1)] == ["✔ seed 1", "seed 5"]
    assert read_choices(folder)[1].file.endswith(found[0].file.name)


@pytest.mark.parametrize("content", ["{", "[]", '{"scenes": {"1": {"file": "../x.png", "note": ""}}}',
                                     '{"scenes": {"9": {"file": "x.png", "note": ""}}}',
                                     '{"scenes": {"1": {"file": "a.png", "note": 3}}}',
                                     '{"scenes": {"1": {"file": "/etc/passwd", "note": ""}}}', "[" * 100_000])
def test_broken_notes_are_answered_and_left_alone(made, content):
    folder, found = made
    (folder / NOTES).write_text(content)
    with pytest.raises(LessonError, match="choices.json"):
        choose(folder, STORY, found)
    with pytest.raises(LessonError):
        keep(folder, found[0])
    assert (folder / NOTES).read_text() == content


def test_a_picture_from_elsewhere_is_not_kept(made, tmp_path):
    with pytest.raises(LessonError):
        keep(tmp_path, made[1][0])
    with pytest.raises(LessonError):
        change(tmp_path, 9, note="x")
    with pytest.raises(LessonError):
        change(tmp_path, 1, note="x" * 2001)


# --- picture and page

@pytest.fixture
def kept(made):
    folder, found = made
    for each in suggest(found, STORY, "flat"):
        keep(folder, each)
    return folder, found, chosen(folder, STORY, found)


def test_the_suggestion_is_one_for_each_scene(kept):
    assert [each.scene for each in kept[2]] == list(range(1, 9))


def test_the_best_is_suggested(pipe, tmp_path):
    found = []
    for number, scene in enumerate(STORY.scenes, 1):
        for seed, picture in enumerate([
                Image.new("RGB", (96, 96), "red"), compose_true(pipe, scene.subject, "flat", scene.ground)]):
            one = drawn.place(tmp_path, number, "p", "", replace(FAST, seed=seed), "m")
            one.file.parent.mkdir(exist_ok=True)
            picture.save(one.file)
            found.append(one)
    assert [each.settings.seed for each in suggest(found, STORY, "flat")] == [1] * 8


def test_style_subject_and_ground_count_each(pipe, tmp_path):
    scene = STORY.scenes[1]
    wrong = [compose_true(pipe, other.subject, style, other.ground) for other, style in (
        (scene, "3d"), (replace(scene, subject="umbrella"), "flat"), (replace(scene, ground="red"), "flat"))]
    marks = mark([*wrong, compose_true(pipe, scene.subject, "flat", scene.ground)], scene, "flat")
    assert [right for right, _ in marks] == [2, 2, 2, 3]
    assert marks[3][1] > marks[0][1]  # and the nearest


def test_scenes_without_a_picture_are_named(kept):
    folder, found, _ = kept
    change(folder, 3, file="")
    with pytest.raises(LessonError, match="3"):
        chosen(folder, STORY, found)
    with pytest.raises(LessonError, match="8"):
        lay_out(STORY, kept[2][:7])


def test_a_choice_of_a_run_before_needs_no_candidates(kept, pipe):
    """A restart knows the files alone: a repaired picture is none of those that the seeds give."""
    folder, found, before = kept
    [better] = repair(pipe, found[2], denoise=0.5, seeds=(7,))
    keep(folder, better)
    again = chosen(folder, STORY)
    assert again[1] == better and again[1].settings.denoise == 0.5
    assert [each.file for each in again[2:]] == [each.file for each in before[2:]]
    chooser = choose(folder, STORY, found)
    assert [card.children[1].description for card in cards(chooser, 2)] == ["seed 1", "seed 5", "✔ seed 7"]


def test_a_picture_without_settings_is_told(kept):
    folder, found, _ = kept
    Image.new("RGB", (96, 96)).save(folder / "candidates" / "bare.png")
    change(folder, 1, file="candidates/bare.png")
    with pytest.raises(LessonError, match="bare.png"):
        chosen(folder, STORY, found)
    assert len(cards(choose(folder, STORY, found), 1)) == 2


def test_the_sheet_holds_the_panels_and_everything_that_made_them(kept):
    sheet = lay_out(STORY, kept[2])
    read = Image.open(io.BytesIO(sheet.to_png()))
    told = json.loads(read.text["story"])
    assert told["title"] == STORY.title and len(told["scenes"]) == 8
    assert told["scenes"][4]["prompt"] == kept[2][4].prompt and told["scenes"][4]["steps"] == 2
    pixels = read.convert("RGB")
    side = page.fit(kept[2][0].image).width
    top = page.MARGIN + page.TITLE + page.GAP
    step = (pixels.height - top - page.MARGIN + page.GAP) // 2  # two rows of four
    for number, each in enumerate(kept[2]):
        x, y = page.MARGIN + number % 4 * (side + page.GAP), top + number // 4 * step
        assert pixels.crop((x, y, x + side, y + side)).tobytes() == page.fit(each.image).tobytes()
        caption = pixels.crop((x, y + side, x + side, y + step)).convert("L")
        assert caption.getextrema()[0] < 60  # ink
    assert pixels.crop((0, 0, pixels.width, top)).convert("L").getextrema()[0] < 60
    assert len(sheet._repr_mimebundle_()["image/png"]) < 40_000  # what a notebook may store


def test_a_large_picture_is_made_smaller():
    assert page.fit(Image.new("RGB", (1024, 768))).size == (512, 384)
    assert page.fit(Image.new("RGB", (96, 96))).size == (288, 288)


@pytest.mark.parametrize("words", ["小猫醒来，家里静悄悄的，一个人也没有。" * 2,
                                   "a very long caption of many words " * 5,
                                   "Donaudampfschifffahrtsgesellschaft" * 3, "短"])
def test_a_caption_fits_its_lines(words):
    lines = wrap(words, 256, page.LETTER, page.LINES)
    assert 1 <= len(lines) <= page.LINES
    assert all(font(page.LETTER).getlength(line.rstrip()) <= 256 + page.LETTER for line in lines)
    assert not any(line[0] in BREAKERS for line in lines)


def test_letters_that_the_font_lacks_are_told(kept, capsys):
    rows = [*ROWS[:7], ("owl", "cyan", "龘")]
    lay_out(make_story("x", rows), kept[2])
    assert "龘" in capsys.readouterr().out
    lay_out(STORY, kept[2])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("spoken", ["zh", "en"])
def test_the_page_is_one_file_that_loads_nothing(kept, tmp_path, spoken):
    set_language(spoken)
    file = write_page(STORY, kept[2], tmp_path / "story.html")
    words = file.read_text(encoding="utf-8")
    assert words.count("data:image/png;base64,") == 8 and text("story_how") in words
    assert not re.search(r"https?:|<script|<link|url\(|@import", words)
    assert all(html.escape(scene.caption) in words for scene in STORY.scenes)


def test_what_a_learner_writes_is_no_markup(kept, tmp_path):
    rows = [*ROWS[:7], ("owl", "cyan", '<img src=x onerror="alert(1)">')]
    words = write_page(make_story("<b>x", rows), kept[2], tmp_path / "s.html").read_text(encoding="utf-8")
    assert "<img src=x" not in words and "<b>x" not in words


def test_pictures_come_back_from_their_files(kept, tmp_path):
    saved = lay_out(STORY, kept[2]).save(tmp_path / "story.png")
    assert open_picture(saved).width > 1000
