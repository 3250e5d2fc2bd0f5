"""A learner's own photographs: straight on from a folder to a set that training reads, also on the command line."""

import shutil
import subprocess
import sys

import pytest
from PIL import Image
from test_encodings import make_set

from course_lib.commands import main
from course_lib.dataset.captions.editor import edit_captions
from course_lib.dataset.captions.writing import caption_folder
from course_lib.dataset.checking import check, prepare
from course_lib.dataset.table import read_table, write_table
from course_lib.files import COURSE
from course_lib.messages import LessonError
from course_lib.training.config import tiny_config
from course_lib.training.examples import read_set
from course_lib.training.rows import read_rows

PHOTOS = COURSE / "data" / "messy" / "photos"
NAMES = {"cat": "cat on a sofa.jpg", "coffee": "一杯咖啡.jpg", "astronaut": "astronaut.jpg", "launch": "IMG_2041.jpg"}


@pytest.fixture
def photos(tmp_path):
    """Four photographs as they come from a camera and from friends, one in a folder of its own, and nothing else."""
    folder = tmp_path / "photos"
    (folder / "trip").mkdir(parents=True)
    for name, called in NAMES.items():
        shutil.copyfile(PHOTOS / f"{name}.jpg", folder / ("trip" if name == "launch" else ".") / called)
    return folder


def captions(folder):
    return {row["file_name"]: row["text"] for row in read_table(folder)}


def test_a_folder_without_a_table_gets_a_row_for_each_picture(photos):
    found = caption_folder(photos, lang="en")
    assert len(found) == 4 and sum(bool(each.error) for each in found) == 1
    assert captions(photos) == {"cat on a sofa.jpg": "cat", "一杯咖啡.jpg": "coffee", "astronaut.jpg": "astronaut",
                                "trip/IMG_2041.jpg": ""}


def test_the_way_goes_straight_on_in_python(photos, tmp_path, capsys):
    with pytest.raises(LessonError, match="caption_folder"):
        prepare(photos, tmp_path / "set")
    caption_folder(photos)
    assert "metadata.csv" in capsys.readouterr().out  # where the blank ones are to be filled in
    rows = read_table(photos)
    next(row for row in rows if row["file_name"].startswith("trip"))["text"] = "夜里发射的火箭"
    write_table(photos, rows)
    report = prepare(photos, tmp_path / "set")
    assert len(report.kept) == 4 and report.counts["warn"] == 0
    trained, held, _ = read_set(tmp_path / "set", tiny_config(hold_back=1))
    assert len(trained) + len(held) == 4
    assert {row.caption for row in (*trained, *held)} == set(captions(photos).values())


def test_the_way_goes_straight_on_on_the_command_line(photos, tmp_path, capsys):
    assert main(["prepare", str(photos), str(tmp_path / "set")]) == 1
    assert f"python -m course_lib caption {photos}" in capsys.readouterr().err
    assert main(["caption", str(photos)]) == 0
    assert "metadata.csv" in capsys.readouterr().out
    # as Excel in China saves it, with the blank one filled in
    table = (photos / "metadata.csv").read_text(encoding="utf-8-sig")
    table = table.replace("IMG_2041.jpg,", "IMG_2041.jpg,夜里发射的火箭")
    (photos / "metadata.csv").write_bytes(table.encode("gb18030"))
    assert main(["check", str(photos), "--csv", str(tmp_path / "report.csv")]) == 0
    assert (tmp_path / "report.csv").is_file()
    assert main(["prepare", str(photos), str(tmp_path / "set"), "--validation", "0.25"]) == 0
    rows = [*read_rows(tmp_path / "set" / "train"), *read_rows(tmp_path / "set" / "validation")]
    assert len(rows) == 4 and "夜里发射的火箭" in {row.caption for row in rows}


def test_one_default_caption_for_all_is_no_reason_to_warn(photos, tmp_path):
    report = prepare(photos, tmp_path / "set", default_caption="二次元", trigger_word="二次元")
    assert report.counts["warn"] == 0 and len(report.kept) == 4
    assert ("default_given", {"count": 4}) in report.remarks
    assert main(["prepare", str(photos), str(tmp_path / "other"), "--default_caption", "二次元"]) == 0
    assert {row.caption for row in read_rows(tmp_path / "other" / "train")} == {"二次元"}


def test_a_default_caption_fills_only_what_is_blank(tmp_path):
    make_set(tmp_path, 6)
    write_table(tmp_path, [{"file_name": "0.png", "text": "mine"}, {"file_name": "1.png", "text": ""}])
    (tmp_path / "2.txt").write_text("beside")
    found = [row.caption for row in check(tmp_path, default_caption="二次元").rows]
    assert found == ["mine", "二次元", "beside", "二次元", "二次元", "二次元"]


def test_two_equal_captions_among_many_are_still_warned_of(tmp_path):
    make_set(tmp_path, 6)
    for number in range(6):
        (tmp_path / f"{number}.txt").write_text("same" if number in (2, 4) else f"picture {number}")
    assert [row.file for row in check(tmp_path).find("caption_repeated")] == ["4.png"]


def test_captions_beside_pictures_are_not_written_over_or_asked_for(tmp_path):
    make_set(tmp_path, 3)
    (tmp_path / "0.txt").write_text("beside")
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red apple.png")
    assert len(caption_folder(tmp_path, lang="en")) == 3
    assert captions(tmp_path) == {"1.png": "", "2.png": "", "red apple.png": "apple"}
    assert [row.caption for row in check(tmp_path).rows][0] == "beside"


def test_the_editor_shows_pictures_that_the_table_does_not_name(tmp_path):
    make_set(tmp_path, 3)
    write_table(tmp_path, [{"file_name": "1.png", "text": "one"}])
    editor = edit_captions(tmp_path)
    assert [key[0] for key in editor.order] == ["1.png", "0.png", "2.png"]
    editor.go_to_blank()
    editor.words.value = "typed"
    assert editor.save() and len(captions(tmp_path)) == 3 and "typed" in captions(tmp_path).values()


def test_a_prepared_set_is_captioned_in_its_train(tmp_path):
    (tmp_path / "raw").mkdir()
    make_set(tmp_path / "raw", 3)
    prepare(tmp_path / "raw", tmp_path / "set", default_caption="x")
    rows = read_table(tmp_path / "set" / "train")
    write_table(tmp_path / "set" / "train", [{**row, "text": ""} for row in rows])
    caption_folder(tmp_path / "set")
    assert not (tmp_path / "set" / "metadata.csv").exists() and len(captions(tmp_path / "set" / "train")) == 3


@pytest.mark.parametrize("arguments", [["caption", "nowhere"], ["check", "nowhere"], ["prepare", "nowhere", "out"]])
def test_a_folder_that_is_not_there_is_answered(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1 and "nowhere" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_help_of_the_commands_opens_without_the_heavy_parts():
    code = ("import sys; from course_lib.commands import build_parser; build_parser().format_help(); "
            "print([name for name in ('sentencepiece', 'resvg_py') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], cwd=COURSE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
