"""Files that are broken, hostile or odd, and tables of every form: nothing stops a check or leaves its folder."""

import json
import os
import struct
import unicodedata

import numpy as np
import pytest
from PIL import Image
from test_dataset import noise

from course_lib.dataset.checking import check
from course_lib.messages import LessonError
from course_lib.pictures.picture_files import Unreadable, open_picture, read_quality


def codes(folder):
    return {row.file: row.codes for row in check(folder).rows}


def problems(folder):
    return [(problem.line, problem.code) for problem in check(folder).row_problems]


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.gif", "a.bmp", "a.tif"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_cut_file_is_told(tmp_path, name, share):
    noise(1).save(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:int(len(content) * share)])
    assert codes(tmp_path)[name][0] in ("truncated", "corrupt")


def test_a_jpeg_whose_rest_is_zeros_is_cut(tmp_path):
    noise(1, 300).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[:len(content) // 2] + bytes(len(content) // 2))
    assert codes(tmp_path) == {"a.jpg": ("truncated",)}


def test_one_wrong_bit_in_a_png_is_told(tmp_path):
    noise(1).save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[content.index(b"IDAT") + 100] ^= 1
    (tmp_path / "a.png").write_bytes(content)
    assert codes(tmp_path) == {"a.png": ("corrupt",)}


@pytest.mark.parametrize("content, code, value", [
    (b"", "empty_file", 0), (b"<html></html>", "not_an_image", "HTML"), (b"hello", "not_an_image", "?"),
    (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "not_an_image", "HEIC"), (b"\x89PNG\r\n\x1a\nIEND", "corrupt", None),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image", "?")])
def test_what_is_no_picture_is_told(tmp_path, content, code, value):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(Unreadable) as raised:
        open_picture(tmp_path / "a.png")
    assert raised.value.code == code and value in (None, raised.value.value)


@pytest.mark.parametrize("edge", [8_000, 12_000, 60_000])
def test_a_bomb_is_told_by_its_header(tmp_path, edge):
    header = struct.pack("<IiiHHIIiiII", 40, edge, edge, 1, 24, 0, 0, 0, 0, 0, 0)
    (tmp_path / "a.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 60, 0, 0, 54) + header)
    row = check(tmp_path).rows[0]
    assert row.codes == ("too_many_pixels",) and row.reasons[0].value == edge * edge


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert codes(tmp_path) == {"a.png": ("not_an_image",)}


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path):
    values = np.asarray(noise(1).convert("L"))
    Image.fromarray(values.astype(np.uint16) * 257).save(tmp_path / "a.png")
    opened = open_picture(tmp_path / "a.png")
    assert np.array_equal(np.asarray(opened.image)[..., 0], values)
    assert [code for code, _ in opened.fixes] == ["converted_mode"]


def test_transparent_parts_become_white_and_an_opaque_picture_needs_no_fix(tmp_path):
    image = noise(1).convert("RGBA")
    image.save(tmp_path / "opaque.png")
    image.paste((9, 9, 9, 0), (0, 0, 96, 10))
    image.save(tmp_path / "clear.png")
    assert open_picture(tmp_path / "opaque.png").fixes == ()
    clear = open_picture(tmp_path / "clear.png")
    assert clear.fixes == (("alpha_flattened", "RGBA"),) and clear.image.getpixel((5, 0)) == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_photograph_is_set_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = noise(2).crop((0, 0, 96, 70))
    image.save(tmp_path / "a.png", exif=exif)
    opened = open_picture(tmp_path / "a.png")
    assert opened.fixes == (("exif_rotated", str(orientation)),)
    assert opened.image.size == ((70, 96) if orientation > 4 else (96, 70))


@pytest.mark.parametrize("quality", [5, 20, 75, 95])
def test_a_jpegs_quality_is_read_from_its_tables(tmp_path, quality):
    noise(1).save(tmp_path / "a.jpg", quality=quality)
    assert abs(read_quality(Image.open(tmp_path / "a.jpg")) - quality) <= 2
    assert ("jpeg_artefacts" in codes(tmp_path)["a.jpg"]) == (quality < 20)


def test_links_out_are_refused_and_links_inside_are_read(tmp_path):
    folder, outside = tmp_path / "raw", tmp_path / "outside"
    (folder / "sub").mkdir(parents=True)
    outside.mkdir()
    noise(1).save(outside / "secret.png")
    noise(2).save(folder / "a.png")
    (folder / "out.png").symlink_to(outside / "secret.png")
    (folder / "all").symlink_to(outside, target_is_directory=True)
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "sub" / "in.png").symlink_to(folder / "a.png")
    (outside / "metadata.csv").write_text("file_name,text\na.png,stolen\n")
    (folder / "metadata.csv").symlink_to(outside / "metadata.csv")
    (outside / "words.txt").write_text("stolen")
    (folder / "a.txt").symlink_to(outside / "words.txt")
    report = check(folder)
    found = {row.file: row.codes for row in report.rows}
    assert found["out.png"] == found["all"] == ("path_escape",) and found["loop.png"]
    assert "exact_duplicate" in found["sub/in.png"]
    assert "stolen" not in [row.caption for row in report.rows]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/a.png", "C:/a.png", "C:\\a.png", "..\\..\\a.png",
                                  "sub/../../a.png", "\\\\server\\a.png", "out/secret.png"])
def test_a_row_that_leaves_the_folder_is_refused(tmp_path, name):
    folder = tmp_path / "raw"
    folder.mkdir()
    noise(1).save(folder / "a.png")
    noise(2).save(tmp_path / "secret.png")
    (folder / "out").symlink_to(tmp_path, target_is_directory=True)
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": name, "text": "x"}) + "\n")
    assert problems(folder) == [(1, "path_escape")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_captions_of_a_csv_are_read_in_each_encoding(tmp_path, encoding):
    noise(1).save(tmp_path / "狗.png")
    (tmp_path / "metadata.csv").write_text("file_name,text\r\n狗.png,一只狗\r\n", encoding=encoding)
    report = check(tmp_path)
    assert report.rows[0].caption == "一只狗"
    assert [problem.code for problem in report.row_problems] == (["row_not_utf8"] if encoding == "gb18030" else [])


def test_a_caption_of_several_lines_commas_and_formulas_is_kept(tmp_path):
    for name in "abc":
        noise(ord(name)).save(tmp_path / f"{name}.png")
    (tmp_path / "metadata.csv").write_text(
        'file_name,text\na.png,"第一行\n第二行"\nb.png,=SUM(A1),还有逗号\nmissing.png,x\n"c.png",\'quoted\'\n',
        encoding="utf-8")
    report = check(tmp_path)
    assert [row.caption for row in report.rows] == ["第一行\n第二行", "=SUM(A1),还有逗号", "'quoted'"]
    assert [(problem.line, problem.code) for problem in report.row_problems] == [(5, "file_missing")]


@pytest.mark.parametrize("table, content, wanted", [
    ("metadata.csv", "a.png,一只狗\n", [(1, "row_no_header")]),
    ("metadata.csv", "file_name,text\n,x\na.png,y\na.png,z\n", [(2, "row_without_file"), (4, "row_duplicate")]),
    ("metadata.csv", "text,file_name\nx,a.png,b\n", [(2, "row_bad_csv")]),
    ("metadata.jsonl", '{"file_name": "a.png"\n[1]\n"x"\n\n{"image": "a.png", "prompt": "y"}\n' + "[" * 100_000,
     [(1, "row_bad_json"), (2, "row_bad_json"), (3, "row_bad_json"), (6, "row_bad_json")]),
    ("metadata.jsonl", '{"file_name": "sub", "text": "x"}\n{"file_name": 3}\n',
     [(1, "file_missing"), (2, "file_missing")])])
def test_rows_that_cannot_be_used_are_told_by_line(tmp_path, table, content, wanted):
    noise(1).save(tmp_path / "a.png")
    (tmp_path / "sub").mkdir()
    (tmp_path / table).write_text(content, encoding="utf-8")
    assert problems(tmp_path) == wanted


def test_a_name_composed_as_macos_does_is_found(tmp_path):
    noise(1).save(tmp_path / unicodedata.normalize("NFD", "café.png"))
    name = unicodedata.normalize("NFC", "café.png")
    (tmp_path / "metadata.csv").write_text(f"file_name,text\n{name},一杯咖啡\n", encoding="utf-8")
    assert [row.caption for row in check(tmp_path).rows] == ["一杯咖啡"]


def test_class_folders_caption_a_set_that_has_nothing_else(tmp_path):
    for number, name in enumerate(["dog", "dog", "cat"]):
        (tmp_path / "train" / name).mkdir(parents=True, exist_ok=True)
        noise(number).save(tmp_path / "train" / name / f"{number}.png")
    report = check(tmp_path)
    assert [(row.caption, row.verdict, row.group) for row in report.rows] == [
        ("cat", "fix", "cat"), ("dog", "fix", "dog"), ("dog", "fix", "dog")]


def test_a_set_without_captions_is_not_dropped_for_it(tmp_path):
    noise(1).save(tmp_path / "a.png")
    noise(2).save(tmp_path / "b.png")
    report = check(tmp_path)
    assert report.counts["keep"] == 2 and any("caption_folder" in note for note in report.notes)
    (tmp_path / "a.txt").write_text("一只狗", encoding="utf-8")
    assert codes(tmp_path) == {"a.png": (), "b.png": ("caption_missing",)}


def test_a_table_wins_over_a_txt_and_columns_beside_them_are_kept(tmp_path):
    noise(1).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("txt", encoding="utf-8")
    (tmp_path / "metadata.csv").write_text("file_name,text,creator,licence\na.png,table,Ann,by\n", encoding="utf-8")
    row = check(tmp_path).rows[0]
    assert row.caption == "table" and row.extra == {"creator": "Ann", "licence": "by"}


@pytest.mark.skipif(os.name == "nt", reason="names are text on Windows")
def test_a_name_that_is_no_text_is_told_and_stops_nothing(tmp_path):
    noise(1).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", os.fsencode(tmp_path) + "/狗.png".encode("gbk"))
    noise(2).save(tmp_path / "b.png")
    report = check(tmp_path)
    assert sorted(row.codes for row in report.rows) == [(), ("bad_name",)]
    assert report.to_csv(tmp_path / "report.csv").exists() and report.to_html().encode()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may read everything")
def test_what_may_not_be_read_is_told(tmp_path):
    noise(1).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    assert codes(tmp_path) == {"a.png": ("unreadable",)}
    (tmp_path / "metadata.csv").write_text("file_name,text\n")
    (tmp_path / "metadata.csv").chmod(0)
    with pytest.raises(LessonError):
        check(tmp_path)


def test_what_may_not_be_trained_on_is_dropped(tmp_path):
    for name in "ab":
        noise(ord(name)).save(tmp_path / f"{name}.png")
    (tmp_path / "not_for_training.csv").write_text("file_name,text\na.png,x\n../a.png,y\n", encoding="utf-8-sig")
    assert codes(tmp_path) == {"a.png": ("not_for_training",), "b.png": ()}


@pytest.mark.parametrize("make", [lambda folder: folder / "none", lambda folder: folder])
def test_no_folder_and_no_pictures_are_answered(tmp_path, make):
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(LessonError):
        check(make(tmp_path))
