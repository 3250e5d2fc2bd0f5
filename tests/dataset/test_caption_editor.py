"""The caption editor without a browser: its fields are set as a browser would set them, and the files are real."""

import io

import pytest
from PIL import Image

from course_lib.dataset.captions import editor as captions_editor
from course_lib.dataset.captions.editor import edit_captions
from course_lib.dataset.table import read_table, write_table
from course_lib.messages import LANGUAGES, LessonError, set_language, text


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        Image.new("RGB", (30, 20), (60 * number, 0, 0)).save(tmp_path / f"{number}.png")
    write_table(tmp_path, [{"file_name": "0.png", "text": "零", "creator": "小王", "caption_source": "rule:names"},
                           {"file_name": "1.png", "text": ""}, {"file_name": "2.png", "text": "二"},
                           {"file_name": "3.png", "text": ""}])
    return tmp_path


def captions(folder):
    return [row["text"] for row in read_table(folder)]


def type_in(editor, words, enter=True):
    """Type letter by letter, as the browser reports it."""
    for end in range(1, len(words) + 1):
        editor.words.value = words[:end]
    if enter:
        editor.words.value = words + "\n"


def click(editor, key):
    [widget] = [each for each in walk(editor) if getattr(each, "description", None) == text(key)]
    widget.click()


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


def test_it_begins_at_the_first_picture_without_a_caption_and_enter_saves_and_goes_on(folder):
    editor = edit_captions(folder)
    assert (editor.key[0], editor.words.value) == ("1.png", "")
    type_in(editor, "一 条红线")
    assert captions(folder) == ["零", "一 条红线", "二", ""]
    assert (editor.key[0], editor.words.value) == ("2.png", "二")
    editor.words.value = "\n二"  # Enter at the beginning of the line
    assert editor.key[0] == "3.png" and captions(folder)[2] == "二"
    type_in(editor, "三")
    assert captions(folder)[3] == "三" and editor.key[0] == "3.png"
    assert text("caption_end") in editor.status.value


def test_a_persons_caption_is_marked_as_one_and_other_columns_stay(folder):
    editor = edit_captions(folder)
    editor.show(0)
    type_in(editor, "我的", enter=False)
    assert captions(folder)[0] == "零" and editor.changed
    click(editor, "caption_save")
    assert not editor.changed
    row = read_table(folder)[0]
    assert (row["text"], row["creator"], row["caption_source"]) == ("我的", "小王", "")


def test_enter_is_seen_when_the_browser_reports_several_letters_at_once(folder):
    editor = edit_captions(folder)
    editor.words.value = "一"
    editor.words.value = "一条红线\n"
    assert captions(folder)[1] == "一条红线" and editor.key[0] == "2.png"


def test_pasted_lines_become_one_line_and_do_not_move_on(folder):
    editor = edit_captions(folder)
    editor.words.value = "一只狗\n在草地上"
    assert editor.key[0] == "1.png"
    click(editor, "caption_next")
    assert captions(folder)[1] == "一只狗 在草地上" and editor.key[0] == "2.png"
    click(editor, "caption_before")
    assert editor.key[0] == "1.png"


def test_the_next_without_a_caption_is_found_from_anywhere(folder):
    editor = edit_captions(folder)
    click(editor, "caption_blank")
    assert editor.key[0] == "3.png"
    type_in(editor, "三", enter=False)
    click(editor, "caption_blank")
    assert editor.key[0] == "1.png" and captions(folder)[3] == "三"
    type_in(editor, "一", enter=False)
    click(editor, "caption_blank")
    assert text("caption_none_blank") in editor.status.value


def test_what_another_program_wrote_meanwhile_is_kept(folder):
    editor = edit_captions(folder)
    rows = read_table(folder)
    rows[2]["text"], rows[2]["creator"] = "别人的", "别人"
    write_table(folder, [*rows, {"file_name": "new.png", "text": "新"}])
    type_in(editor, "一")
    assert captions(folder) == ["零", "一", "别人的", "", "新"]
    assert editor.words.value == "别人的" and len(editor.order) == 5


@pytest.mark.parametrize("mine", [True, False])
def test_two_captions_for_one_picture_are_asked_about_and_neither_is_lost(folder, mine):
    editor = edit_captions(folder)
    rows = read_table(folder)
    rows[1]["text"] = "别人的"
    write_table(folder, rows)
    type_in(editor, "我的")
    assert captions(folder)[1] == "别人的" and editor.words.value == "我的" and editor.key[0] == "1.png"
    assert "别人的" in editor.status.value and editor.choice.layout.display is None
    click(editor, "caption_mine" if mine else "caption_theirs")
    assert captions(folder)[1] == editor.words.value == ("我的" if mine else "别人的")
    assert editor.choice.layout.display == "none"
    click(editor, "caption_next")
    assert editor.key[0] == "2.png"


def test_a_row_or_a_file_that_went_away_is_written_again(folder):
    editor = edit_captions(folder)
    write_table(folder, [row for row in read_table(folder) if row["file_name"] != "1.png"])
    type_in(editor, "一")
    assert {row["file_name"]: row["text"] for row in read_table(folder)}["1.png"] == "一"
    (folder / "metadata.csv").unlink()
    editor.show(0)
    type_in(editor, "零零", enter=False)
    click(editor, "caption_save")
    assert sorted(captions(folder)) == ["", "一", "二", "零零"]


def test_a_table_that_cannot_be_read_or_written_keeps_the_learners_words(folder, monkeypatch):
    editor = edit_captions(folder)
    whole = (folder / "metadata.csv").read_bytes()
    (folder / "metadata.csv").write_bytes(b"\xff\xfe\x00 no table")
    type_in(editor, "一")
    assert "kolors-problem" in editor.status.value and editor.words.value == "一" and editor.key[0] == "1.png"
    assert (folder / "metadata.csv").read_bytes() == b"\xff\xfe\x00 no table"
    (folder / "metadata.csv").write_bytes(whole)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    click(editor, "caption_next")
    assert "kolors-problem" in editor.status.value and editor.words.value == "一"
    assert (folder / "metadata.csv").read_bytes() == whole and not list(folder.glob("*.part"))


def test_the_twin_beside_a_picture_follows(folder):
    (folder / "1.txt").write_text("旧", encoding="utf-8")
    editor = edit_captions(folder)
    type_in(editor, "新的说明")
    assert (folder / "1.txt").read_text(encoding="utf-8") == "新的说明" and not (folder / "2.txt").exists()


def test_a_folder_without_a_table_gets_one_and_train_is_found(folder, tmp_path_factory):
    (folder / "metadata.csv").unlink()
    editor = edit_captions(folder)
    assert len(editor.order) == 4
    type_in(editor, "零")
    assert captions(folder) == ["零", "", "", ""]
    outer = tmp_path_factory.mktemp("outer")
    folder.rename(outer / "train")
    assert edit_captions(outer).key[0] == "1.png"
    with pytest.raises(LessonError):
        edit_captions(tmp_path_factory.mktemp("empty"))


@pytest.mark.parametrize("name", ["broken.png", "../outside.png", "gone.png"])
def test_a_picture_that_cannot_be_shown_does_not_stop_the_others(folder, name):
    (folder / "broken.png").write_bytes(b"none")
    Image.new("RGB", (9, 9)).save(folder.parent / "outside.png")
    write_table(folder, [{"file_name": name, "text": ""}, {"file_name": "1.png", "text": ""}])
    editor = edit_captions(folder)
    assert "kolors-problem" in editor.status.value and editor.image.value
    editor.go(1)
    assert editor.key[0] == "1.png"


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_speaks_the_learners_language(folder, language):
    set_language(language)
    editor = edit_captions(folder)
    shown = {getattr(each, "description", "") for each in walk(editor)}
    assert {text(key) for key in ("caption_before", "caption_next", "caption_save", "caption_blank")} <= shown
    assert text("caption_keys") in editor.hint.value
    assert editor._repr_mimebundle_()["application/vnd.jupyter.widget-view+json"]  # what a cell shows
    assert max(Image.open(io.BytesIO(editor.image.value)).size) <= captions_editor.SHOWN
