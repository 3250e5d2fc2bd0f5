"""Augmentation: copies that differ, captions that stay true, a record that makes each copy again."""

import json
import random
import zlib

import numpy as np
import pytest
from PIL import Image

from course_lib.dataset.making import augmentation, synthesis
from course_lib.dataset.table import read_table, write_table
from course_lib.messages import LessonError
from course_lib.pictures import emoji, wording
from course_lib.pictures.classifier import judge
from course_lib.pictures.opening import open_picture, read_header


def make_set(folder, captions, part="train"):
    (folder / part).mkdir(parents=True)
    rng = random.Random(4)
    for number in range(len(captions)):
        emoji.compose(emoji.random_scene(rng)).save(folder / part / f"{number}.png")
    write_table(folder / part, [{"file_name": f"{n}.png", "text": words} for n, words in enumerate(captions)])
    return folder


def read_record(out):
    return [json.loads(line) for line in (out / augmentation.RECORD).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("caption, allowed", [
    ("一只小猫，蓝色背景", True), ("a cat on a blue background", True), ("a bright day", True), ("wordless", True),
    ("一只小猫在左边", False), ("右手拿着花", False), ("a cat on the left", False), ("his right hand", False),
    ("墙上写着春天", False), ("一块招牌", False), ("two road signs", False), ("a Logo", False), ("一个闹钟", False),
    ("衣服上印着春天", False), ("a shirt that says yes", False),
    ("一把吉他", False), ("a crescent moon", False), ("门上有「出口」", False), ("a shirt saying \"yes\"", False)])
def test_mirroring_stops_where_the_caption_would_become_false(caption, allowed):
    assert augmentation.may_mirror(caption) == allowed
    flips = [["flip"] in augmentation.choose_changes(caption, random.Random(seed), augmentation.CHANGES)
             for seed in range(40)]
    assert any(flips) == allowed and not all(flips)


def test_light_stays_where_the_caption_names_it():
    for caption, expected in (("一只小猫", True), ("一只小猫，白色背景", False), ("a dark wood", False)):
        names = {change[0] for change in augmentation.choose_changes(caption, random.Random(0), augmentation.CHANGES)}
        assert ("brightness" in names) == expected


def test_the_judge_still_sees_what_the_caption_says(tmp_path):
    synthesis.synthesise(tmp_path / "set", 30, seed=3, size=96)
    augmentation.augment(tmp_path / "set", tmp_path / "out", copies=3, seed=1)
    rows = read_table(tmp_path / "out" / "train")
    seen = judge([open_picture(tmp_path / "out" / "train" / row["file_name"]) for row in rows])
    assert len(rows) == 120
    hits = np.mean([(verdict.subject, verdict.ground) == (named.subject, named.ground)
                    for verdict, named in zip(seen, (wording.read_prompt(row["text"]) for row in rows))])
    assert hits > 0.97


def test_only_training_pictures_are_enlarged_and_the_record_makes_them_again(tmp_path):
    make_set(tmp_path / "set", ["一只小猫", "左边是一只狗", "一个闹钟", "a sign"])
    make_set(tmp_path / "set", ["一只兔子"], "validation")
    before = {file: file.read_bytes() for file in (tmp_path / "set").rglob("*") if file.is_file()}
    out = augmentation.augment(tmp_path / "set", tmp_path / "out", copies=4, seed=5)
    assert before == {file: file.read_bytes() for file in (tmp_path / "set").rglob("*") if file.is_file()}
    assert [row["file_name"] for row in read_table(out / "validation")] == ["0.png"]
    assert sorted(file.name for file in (out / "validation").iterdir()) == ["0.png", "metadata.csv"]
    rows, records = read_table(out / "train"), read_record(out)
    assert len(rows) == 4 + len(records) == 20
    captions = {row["file_name"]: row["text"] for row in rows}
    for record in records:
        assert captions[record["file_name"]] == captions[record["source"]]
        source = open_picture(tmp_path / "set" / "train" / record["source"])
        again = augmentation.apply_changes(source, record["changes"])
        assert again.tobytes() == open_picture(out / "train" / record["file_name"]).tobytes() != source.tobytes()
        if record["source"] != "0.png":
            assert ["flip"] not in record["changes"]
    assert any(["flip"] in record["changes"] for record in records)


def test_the_same_seed_gives_the_same_copies_whatever_else_is_in_the_set(tmp_path):
    make_set(tmp_path / "a", ["一只小猫", "一只狗"])
    make_set(tmp_path / "b", ["一只小猫", "一只狗", "一只羊"])
    outs = [augmentation.augment(tmp_path / name, tmp_path / f"{name}{seed}", seed=seed) for name, seed in
            (("a", 0), ("b", 0), ("a", 1))]
    chosen = [{(each["source"], number % 2): each["changes"] for number, each in enumerate(read_record(out))}
              for out in outs]
    assert all(chosen[1][key] == value for key, value in chosen[0].items())
    assert chosen[2] != chosen[0]


def test_named_pictures_keep_their_sides_and_equal_copies_are_left_out(tmp_path):
    make_set(tmp_path / "set", ["一只小猫", "一只狗"])
    out = augmentation.augment(tmp_path / "set", tmp_path / "out", copies=9, changes=["flip"], keep_sides=["1.png"])
    assert [(record["source"], record["changes"]) for record in read_record(out)] == [("0.png", [["flip"]])]


def test_a_turned_picture_has_no_empty_corners():
    ground = emoji.GROUNDS["green"][2]
    picture = Image.new("RGB", (64, 48), ground)
    for changes in ([["rotate", 8.0]], [["scale", 0.85]], [["rotate", -8.0], ["scale", 0.85]]):
        changed = augmentation.apply_changes(picture, changes)
        assert changed.size == picture.size
        assert changed.getcolors() == [(64 * 48, ground)]


@pytest.mark.parametrize("wrong", [{"changes": ["shear"]}, {"changes": []}, {"changes": "flip"}, {"copies": 0}])
def test_wrong_arguments_are_answered(tmp_path, wrong):
    make_set(tmp_path / "set", ["一只小猫"])
    with pytest.raises(LessonError):
        augmentation.augment(tmp_path / "set", tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_a_set_without_train_and_a_full_folder_and_a_path_outside_are_answered(tmp_path):
    with pytest.raises(LessonError):
        augmentation.augment(tmp_path, tmp_path / "out")
    make_set(tmp_path / "set", ["一只小猫"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    with pytest.raises(LessonError):
        augmentation.augment(tmp_path / "set", tmp_path / "full")
    (tmp_path / "secret.png").write_bytes((tmp_path / "set" / "train" / "0.png").read_bytes())
    (tmp_path / "set" / "train" / "link.png").symlink_to(tmp_path / "secret.png")
    for name in ("../../secret.png", "link.png", str(tmp_path / "secret.png"), ""):
        write_table(tmp_path / "set" / "train", [{"file_name": name, "text": "x"}])
        with pytest.raises(LessonError):
            augmentation.augment(tmp_path / "set", tmp_path / "out2")


def test_a_bomb_and_broken_pictures_are_answered_before_they_are_decoded(tmp_path):
    parts = [b"IHDR" + (30000).to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0]), b"IDAT" + zlib.compress(bytes(10**6))]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        (len(part) - 4).to_bytes(4, "big") + part + zlib.crc32(part).to_bytes(4, "big") for part in parts)
    with pytest.raises(LessonError, match="900 百万"):
        read_header(bomb)
    Image.new("RGB", (64, 64), "red").save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    for broken in (b"", b"<html></html>", whole[:-30], b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"):
        with pytest.raises(LessonError):
            open_picture(broken)
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    assert open_picture(tmp_path / "clear.png").getcolors() == [(400, (255, 255, 255))]
