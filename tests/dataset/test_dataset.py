"""check: every planted defect of the messy set is told, good pictures are left in peace."""

import csv
import hashlib
import random
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageFilter

from course_lib.dataset.caption_rules import count_tokens, open_tokenizer
from course_lib.dataset.charts import contact_sheet, show_captions, show_sizes
from course_lib.dataset.checking import check
from course_lib.dataset.near_duplicates import find_alike
from course_lib.dataset.signals import hash_picture, measure
from course_lib.dataset.splitting import split
from course_lib.files import COURSE
from course_lib.messages import LessonError, set_language
from course_lib.model.parts import find_tokenizer
from course_lib.pictures import emoji

PHOTOS = COURSE / "data" / "messy" / "photos"


@cache
def make_messy_once(base):
    """Make the messy set for all test files of one process; none of them writes to it."""
    folder = base / "messy"
    subprocess.run([sys.executable, "-m", "data.messy", folder], cwd=COURSE, check=True)
    return folder


@pytest.fixture(scope="session")
def messy(tmp_path_factory):
    return make_messy_once(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def report(messy):
    return check(messy / "raw")


def read(file):
    with file.open(encoding="utf-8") as content:
        return list(csv.DictReader(content))


def noise(seed, size=96):
    """Return a picture that is like no other: blurred noise, sharpened by a threshold."""
    values = np.random.default_rng(seed).random((size, size, 3)) * 255
    soft = Image.fromarray(values.astype(np.uint8)).filter(ImageFilter.GaussianBlur(4))
    return soft.point(lambda value: 230 if value > 127 else 20)


def snapshot(folder):
    """Return every file of a folder with its SHA-256."""
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def make_set(folder, count):
    """Make a folder of captioned pictures, the fourth of them transparent in a corner."""
    folder.mkdir()
    for number in range(count):
        image = noise(number)
        if number == 3:
            image = image.convert("RGBA")
            image.paste((0, 0, 0, 0), (0, 0, 40, 40))
        image.save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"第{number}张", encoding="utf-8")
    return folder


def test_the_messy_set_is_judged_as_it_was_made(messy, report):
    rows = {row.file: row for row in report.rows}
    truth = read(messy / "truth.csv")
    assert sorted(rows) == sorted(line["file"] for line in truth) and len(rows) > 65
    for line in truth:
        row = rows[line["file"]]
        if line["verdict"] == "keep":
            assert row.verdict in ("keep", "fix"), row
        elif line["verdict"] != "eyes":
            assert (row.verdict, line["code"] in row.codes) == (line["verdict"], True), (line, row)
        if line["of"]:
            assert line["of"] in [reason.value for reason in row.reasons]


def test_the_messy_sets_rows_are_judged_by_line(messy, report):
    found = [(problem.file, str(problem.line), problem.code) for problem in report.row_problems]
    assert sorted(found) == sorted(tuple(line.values()) for line in read(messy / "truth_rows.csv"))


def test_nothing_in_the_folder_is_changed(messy):
    before = {path: path.lstat() for path in (messy / "raw").rglob("*")}
    check(messy / "raw")
    assert {path: path.lstat() for path in (messy / "raw").rglob("*")} == before


@pytest.mark.parametrize("spoken", ["zh", "en"])
def test_every_reason_is_said_in_both_languages(report, spoken):
    set_language(spoken)
    words = str(report) + report.to_html() + "".join(report.notes)
    assert "{value" not in words and "{limit" not in words
    assert all(str(reason) for row in report.rows for reason in row.reasons)
    assert ("模糊" in words) == (spoken == "zh")


def test_a_caption_cannot_write_html(tmp_path):
    noise(1).save(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_text('file_name,text\na.png,x\n<script>.png,y\n')
    assert "<script>" not in check(tmp_path).to_html()


def test_the_report_counts_and_is_written_as_a_table(report, tmp_path):
    assert sum(report.counts.values()) == len(report.rows)
    table = report.to_csv(tmp_path / "new" / "report.csv")
    with table.open(encoding="utf-8-sig", newline="") as content:
        lines = list(csv.DictReader(content))
    assert len(lines) == len(report.rows) + len(report.row_problems)
    assert {line["verdict"] for line in lines} == {"keep", "fix", "warn", "drop", "drop_row"}
    assert report.row("blank.png").measured["spread"] < 2


def test_the_sheet_shows_every_picture_in_forty_kilobytes(report):
    sheet = contact_sheet(report)
    assert len(sheet._repr_mimebundle_()["image/png"]) <= 40_000
    assert len(sheet.caption.splitlines()) == 1 + len(report.rows)


def test_statistics_count_what_is_kept(report):
    kept = len(report.kept)
    assert sum(show_sizes(report).values.values()) == kept
    lengths, words = show_captions(report)
    assert sum(lengths.values.values()) == kept and "背景" in " ".join(words.values)
    assert list(words.values.items()) == sorted(words.values.items(), key=lambda each: (-each[1], each[0]))


@pytest.mark.parametrize("style", emoji.STYLES)
def test_the_courses_own_pictures_are_good_at_the_size_they_are_trained_at(style, tmp_path):
    rng = random.Random(style)
    chosen = list(emoji.subjects())[::3]
    for name in chosen:
        scene = emoji.random_scene(rng, (style,))
        emoji.compose(emoji.Scene(name, *(getattr(scene, part) for part in (
            "style", "ground", "size", "left", "top", "flip")))).save(tmp_path / f"{name}.png")
    assert [row for row in check(tmp_path).rows if row.verdict in ("warn", "drop")] == []


@pytest.mark.parametrize("photo", sorted(PHOTOS.iterdir()), ids=lambda path: path.stem)
def test_a_photograph_is_sharp_and_its_blurred_copy_is_not(photo):
    image = Image.open(photo).convert("RGB")
    assert measure(image).sharpness > 0.5
    assert measure(image.filter(ImageFilter.GaussianBlur(3))).sharpness < 0.34
    assert measure(image).blockiness < 2.8


def test_size_is_the_trainings(tmp_path):
    noise(1, 200).save(tmp_path / "a.png")
    assert check(tmp_path, size=200).rows[0].verdict == "keep"
    assert check(tmp_path, size=201).rows[0].codes == ("too_small",)
    with pytest.raises(LessonError):
        check(tmp_path, size="1024")


def test_a_picture_far_smaller_than_the_others_is_warned_of(tmp_path):
    for number in range(5):
        noise(number, 600).save(tmp_path / f"{number}.png")
    noise(9, 100).save(tmp_path / "small.png")
    assert [(row.file, row.verdict) for row in check(tmp_path).find("too_small")] == [("small.png", "warn")]


def test_tokens_are_counted_as_kolors_counts_them(pipe):
    for caption in ("一只瓢虫，蓝色背景", "A ladybird on a blue background", "  x  "):
        wanted = len(pipe.tokenizer(caption)["input_ids"])
        assert count_tokens(caption, open_tokenizer()) == wanted
    assert find_tokenizer(COURSE / "data" / "tiny_kolors")


@pytest.mark.parametrize("caption, code", [
    ("IMG_0001", "caption_boilerplate"), ("微信图片_20240811", "caption_boilerplate"),
    ("photo.jpg", "caption_boilerplate"), ("3f2a9b8c7d6e5f40", "caption_boilerplate"),
    ("a < b and c > d", ""), ("AT&T 的广告", ""), ("=1+1", ""), ("a photo of a dog", ""), ("2024 年的日历", ""),
    ("<br>狗", "caption_markup"), ("见 www.example.com/x", "caption_markup"),
    ("狗" * 300, "caption_too_long"), ("\u3000 \n", "caption_empty"), ("<p></p>", "caption_empty")])
def test_a_caption_is_judged(caption, code, tmp_path):
    noise(1).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text(caption, encoding="utf-8")
    codes = check(tmp_path).rows[0].codes
    assert code in codes if code else not codes


def test_the_trigger_word_is_in_all_or_in_none(tmp_path):
    for number in range(4):
        noise(number).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(f"sks，第{number}张" if number < 3 else "没有", encoding="utf-8")
    assert [row.file for row in check(tmp_path, trigger_word="sks").find("trigger_missing")] == ["3.png"]
    assert check(tmp_path, trigger_word="abc").find("trigger_missing") == []


def test_of_copies_the_better_one_is_kept(tmp_path):
    image = noise(1, 300)
    image.resize((150, 150)).save(tmp_path / "a.png")
    image.save(tmp_path / "b.jpg", quality=40)
    image.save(tmp_path / "c.png")
    report = check(tmp_path)
    assert [row.file for row in report.kept] == ["c.png"]
    assert {reason.value for row in report.find("near_duplicate") for reason in row.reasons} == {"c.png"}


def test_the_same_drawing_in_other_colours_is_no_copy(tmp_path):
    for number, colour in enumerate([(200, 0, 0), (0, 150, 0)]):
        image = Image.new("RGB", (128, 128), "white")
        image.paste(colour, (30, 40, 90, 110))
        image.paste((0, 0, 120), (60, 20, 100, 60))
        image.save(tmp_path / f"{number}.png")
    assert len(check(tmp_path).kept) == 2


def test_alike_hashes_are_found_across_blocks_and_unlike_ones_are_not():
    rng = random.Random(1)
    hashes = [tuple(rng.getrandbits(64) for _ in range(4)) for _ in range(1300)]  # in blocks of 403
    hashes[1200] = (hashes[3][0] ^ 5, hashes[3][1], *hashes[3][2:])
    hashes[700] = (hashes[9][2], hashes[9][3], 0, 0)
    assert list(find_alike(hashes)) == [(700, [(9, True)]), (1200, [(3, False)])]


def test_hashes_of_a_mirrored_picture_are_those_foretold():
    grey = noise(4).convert("L")
    turned = hash_picture(grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert [(one ^ other).bit_count() for one, other in zip(hash_picture(grey)[2:], turned[:2])] == [0, 0]


def test_a_mirror_image_stays_in_the_same_part(tmp_path):
    for number in range(12):
        noise(number).save(tmp_path / f"{number}.png")
        noise(number).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / f"{number}_m.png")
    rows = check(tmp_path).rows
    assert sum("mirror_duplicate" in row.codes for row in rows) == 12
    for seed in range(5):
        parts = split(rows, 0.4, seed)
        back = {row.file for row in parts.validation}
        assert len(parts.train) + len(parts.validation) == 24
        assert all((f"{number}.png" in back) == (f"{number}_m.png" in back) for number in range(12))
    assert split(rows, 0.4, 1) == split(rows, 0.4, 1) != split(rows, 0.4, 2)


@pytest.mark.parametrize("share", [-0.1, 1, "half"])
def test_a_share_outside_its_range_is_answered(share):
    with pytest.raises(LessonError):
        split([], share)
