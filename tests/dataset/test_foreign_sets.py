"""Sets as other trainers keep them: read, or named where they are not."""

import csv
import json

import pytest
from PIL import Image
from test_encodings import make_set

from course_lib.dataset.checking import check, prepare
from course_lib.dataset.table import read_table, write_table
from course_lib.messages import text


def captions(folder):
    return [row.caption for row in check(folder, size=16).rows]


def remarks(folder):
    return dict(check(folder, size=16).remarks)


@pytest.mark.parametrize("names", [("0.caption", "1.caption"), ("0.png.txt", "1.png.txt"), ("0.txt", "1.caption"),
                                   ("0.png.caption", "1.txt")])
def test_captions_beside_pictures(tmp_path, names):
    make_set(tmp_path, 2)
    for name, words in zip(names, ("a red house by a lake\n", "  一只猫 \r\n")):
        (tmp_path / name).write_text(words, encoding="utf-8", newline="")
    assert captions(tmp_path) == ["a red house by a lake", "一只猫"]


@pytest.mark.parametrize("name, told", [
    ("metadata.json", [{"file_name": "0.png", "text": "one"}, {"file_name": "1.png", "text": "two"}]),
    ("captions.json", {"0.png": "one", "1.png": "two"}),
    ("meta_cap.json", {"0": {"caption": "one"}, "1": {"caption": "two"}}),
    ("meta_cap.json", {"/mnt/set/0": {"caption": "one", "tags": "x"}, "/mnt/set/1": {"caption": "two", "tags": "x"}}),
    ("data.json", {"images": [{"path": "D:\\s\\0.png", "prompt": "one"}, {"path": "D:\\s\\1.png", "prompt": "two"}]}),
    ("dataset.json", {"file_name": ["0.png", "1.png"], "text": ["one", "two"]}),
    ("metadata.json", {"image": {"0": "0.png", "1": "1.png"}, "caption": {"0": "one", "1": "two"}})])
def test_json_tables(tmp_path, name, told):
    make_set(tmp_path, 2)
    (tmp_path / name).write_text(json.dumps(told))
    assert captions(tmp_path) == ["one", "two"]
    assert remarks(tmp_path)["other_table"] == {"table": name, "count": 2}


@pytest.mark.parametrize("name, content", [
    ("captions.csv", "image,caption\n0.png,one\n1.png,two\n"),
    ("labels.csv", "Filename;Description\n0.png;one\n1.png;two\n"),
    ("captions.tsv", "file\tprompt\n0.png\tone\n1.png\ttwo\n"),
    ("captions.jsonl", '{"img": "0.png", "caption": "one"}\n{"img": "1.png", "caption": "two"}\n')])
def test_tables_of_other_names(tmp_path, name, content):
    make_set(tmp_path, 2)
    (tmp_path / name).write_text(content)
    assert captions(tmp_path) == ["one", "two"] and remarks(tmp_path)["other_table"]["table"] == name


def test_a_table_of_another_name_never_overrules_what_is_there(tmp_path):
    make_set(tmp_path, 3)
    write_table(tmp_path, [{"file_name": "0.png", "text": "mine"}])
    (tmp_path / "1.txt").write_text("beside")
    (tmp_path / "captions.csv").write_text("image,caption\n0.png,other\n2.png,two\n")
    assert captions(tmp_path)[0] == "mine" and captions(tmp_path)[2] == "two"


@pytest.mark.parametrize("name, content", [
    ("notes.csv", "file,text\n0.png,one\n1.png,two\n"), ("0.json", '{"tags": ["a"]}'), ("0.png.json", "{}"),
    ("1.yaml", "caption: x")])
def test_files_that_may_hold_captions_are_named(tmp_path, name, content):
    make_set(tmp_path, 2)
    (tmp_path / name).write_text(content)
    assert captions(tmp_path) == [None, None]
    assert remarks(tmp_path)["not_read"] == {"files": name, "count": 1}
    assert name in "".join(check(tmp_path).notes)


@pytest.mark.parametrize("name", ["readme.md", "config.json", "report.csv", "scenes.jsonl", "prices.csv"])
def test_other_files_are_passed_over(tmp_path, name):
    make_set(tmp_path, 2)
    (tmp_path / name).write_text("a,b\n1,2\n" if name.endswith("csv") else '{"size": 64}')
    assert "not_read" not in remarks(tmp_path) and "other_table" not in remarks(tmp_path)


def test_the_camps_data_juicer_rows_are_found_by_file_name(tmp_path):
    (tmp_path / "train").mkdir()
    make_set(tmp_path / "train", 3)
    rows = [{"text": "二次元", "image": [f"/mnt/workspace/data/lora/train/{number}.png"]} for number in range(3)]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = check(tmp_path)
    assert [row.caption for row in report.rows] == ["二次元"] * 3 and report.row_problems == []
    assert report.counts["warn"] == 0  # a style's one word for all is no mistake of pasting
    assert {"data_juicer", "one_caption"} <= {key for key, _ in report.remarks}


@pytest.mark.parametrize("words, wanted", [
    ("<__dj__image> a red house <|__dj__eoc|>", "a red house"), ("<__dj__image>\n一只猫", "一只猫"),
    ("a <sks> dog <|__dj__eoc|>", "a <sks> dog")])
def test_data_juicers_marks_are_taken_out(tmp_path, words, wanted):
    make_set(tmp_path, 2)
    rows = [{"text": words, "images": ["images/0.png"], "__dj__stats__": {"image_width": [64]}, "meta": {"n": 1}},
            {"text": "x", "images": ["C:\\data\\1.png"]}]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = check(tmp_path)
    assert [row.caption for row in report.rows] == [wanted, "x"]
    assert report.rows[0].extra == {"meta": '{"n": 1}'}


def test_a_row_of_several_pictures_or_of_a_name_that_two_have_is_told(tmp_path):
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
        make_set(tmp_path / part, 2)
    rows = [{"text": "x", "images": ["/d/0.png", "/d/1.png"]}, {"text": "y", "images": ["/d/0.png"]},
            {"text": "z", "images": ["/d/b/1.png"]}, {"text": "w", "images": []}]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = check(tmp_path)
    assert [(problem.line, problem.code) for problem in report.row_problems] == [
        (1, "row_without_file"), (2, "path_escape"), (4, "row_without_file")]
    assert report.row("b/1.png").caption == "z"


def test_kohyas_folders_give_words_and_not_numbers(tmp_path):
    for name, count in (("10_mychar", 2), ("5_style house", 2), ("3_my_char girl", 1)):
        (tmp_path / name).mkdir()
        make_set(tmp_path / name, count)
    report = check(tmp_path)
    assert {row.file.split("/")[0]: row.caption for row in report.rows} == {
        "10_mychar": "mychar", "5_style house": "style house", "3_my_char girl": "my_char girl"}
    assert {row.group for row in report.rows} == {"mychar", "style house", "my_char girl"}
    assert "10_mychar" in "".join(report.notes)


def test_one_folder_of_kohyas_captions_those_that_have_none(tmp_path):
    (tmp_path / "img" / "20_sks dog").mkdir(parents=True)
    folder = make_set(tmp_path / "img" / "20_sks dog", 3)
    (folder / "1.caption").write_text("sks dog in the park")
    assert captions(tmp_path) == ["sks dog", "sks dog in the park", "sks dog"]


@pytest.mark.parametrize("caption, kept", [
    ("a photo of <sks> dog", "a photo of <sks> dog"), ("<s1><s2> style", "<s1><s2> style"),
    ("<cat-toy> on a table", "<cat-toy> on a table"), ("in the style of <style>", "in the style of <style>"),
    ("<person> and <object>", "<person> and <object>"), ("<new1> cat", "<new1> cat"), ("<i>", "<i>"),
    ("<b>bold</b> cat", "bold cat"), ("<a href='x'>y</a> <sks>", "y <sks>"), ("cat<br/>dog", "cat dog"),
    ("<p>x", "x"), ("<img src=x> cat", "cat"), ("<!-- x -->cat", "cat"), ("<lora:foo:0.8> girl", "girl"),
    ("<DIV class=a>cat</DIV>", "cat"), ("&lt;sks&gt; dog", "<sks> dog")])
def test_a_trigger_in_angle_brackets_is_no_markup(tmp_path, caption, kept):
    make_set(tmp_path, 1)
    (tmp_path / "0.txt").write_text(caption)
    row = check(tmp_path).rows[0]
    assert row.caption == kept and ("caption_markup" in row.codes) == (kept != caption)


@pytest.mark.parametrize("name, content", [
    ("metadata.csv", "image, caption\n0.png, one\n1.png, two, and three\n"),
    ("metadata.csv", 'file_name, text\n0.png, "one"\n1.png, "two, and three"\n'),
    ("metadata.csv", " file_name , text \n0.png , one \n1.png ,two, and three\n"),
    ("metadata.csv", "file_name,text\n0.png,one \n1.png,two, and three  \n"),
    ("metadata.csv", "File_Name,Text\n0.png,\u3000one\n1.png,\xa0two, and three\n"),
    ("metadata.csv", "file_name\ttext\n0.png\t one\n1.png\t two, and three\n"),
    ("metadata.jsonl", '{"file_name": " 0.png", "text": " one\\n"}\n'
                       '{"file_name": "1.png ", "text": "two, and three "}')])
def test_blanks_around_values(tmp_path, name, content):
    make_set(tmp_path, 2)
    (tmp_path / name).write_text(content, encoding="utf-8")
    report = check(tmp_path)
    assert [row.caption for row in report.rows] == ["one", "two, and three"] and report.row_problems == []


def test_pointers_of_git_lfs_are_named(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    make_set(tmp_path, 3)
    (tmp_path / "0.png").write_text(pointer)
    (tmp_path / "1.txt").write_text(pointer)
    (tmp_path / "2.txt").write_text("一只猫", encoding="utf-8")
    rows = check(tmp_path).rows
    assert [("lfs_pointer" in row.codes, row.verdict) for row in rows] == [
        (True, "drop"), (True, "drop"), (False, "keep")]
    (tmp_path / "metadata.csv").write_text(pointer)
    assert [problem.code for problem in check(tmp_path).row_problems] == ["lfs_pointer"]
    assert "git lfs pull" in text("set_lfs_pointer")


@pytest.mark.parametrize("name", ["x" * 5000 + ".png", "y" * 300 + "/z.png", "猫" * 2000 + ".png",
                                  "y" * 300 + "/猫.png", "a\0b.png", "loop.png", "loop.png/x.png"])
def test_names_that_no_system_allows_and_links_in_a_circle_are_told(tmp_path, name):
    folder = tmp_path / "raw"
    folder.mkdir()
    make_set(folder, 2)
    (folder / "loop.png").symlink_to(folder / "loop.png")
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as content:
        csv.writer(content).writerows([("file_name", "text"), ("0.png", "一只猫"), ("1.png", "一只狗"), (name, "x")])
    report = prepare(folder, tmp_path / "set")
    assert [row.caption for row in report.kept] == ["一只猫", "一只狗"] and len(report.row_problems) == 1
    assert str(report) and report.to_html().encode()


def test_a_set_in_jsonl_keeps_its_form_and_its_other_columns(tmp_path):
    make_set(tmp_path, 2)
    rows = [{"file_name": "0.png", "text": "one", "width": 64, "tags": ["a", "b"]},
            {"file_name": "1.png", "text": "two"}]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    there = read_table(tmp_path)
    there[1]["text"] = "zwei"
    write_table(tmp_path, there)
    assert not (tmp_path / "metadata.csv").exists() and read_table(tmp_path) == [rows[0], rows[1] | {"text": "zwei"}]


def test_metadata_names_a_picture_in_other_letters(tmp_path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "Photo.PNG")
    (tmp_path / "metadata.csv").write_text("file_name,text\nphoto.png,one\n")
    assert captions(tmp_path) == ["one"]
