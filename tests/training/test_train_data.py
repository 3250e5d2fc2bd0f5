"""What a training reads: data sets good and bad, crops, buckets, the cache, and sets written by rule."""

import csv
import os
import struct
import zlib

import pytest
import torch
from PIL import Image

from course_lib.dataset.charts import show_sizes
from course_lib.dataset.checking import check
from course_lib.dataset.example_sets import write_style_set
from course_lib.dataset.table import write_table
from course_lib.files import write_whole
from course_lib.lora.verbs import add_lora, remove_lora
from course_lib.messages import LessonError
from course_lib.pictures import wording
from course_lib.pictures.classifier import judge
from course_lib.training.cache import Cache
from course_lib.training.config import tiny_config
from course_lib.training.examples import Example, Order, encode_set, list_crops
from course_lib.training.rows import MOST_PIXELS, read_rows

PLAIN = tiny_config(random_flip=False)


@pytest.fixture(scope="module")
def style_set(tmp_path_factory):
    return write_style_set(tmp_path_factory.mktemp("set"), subjects=4, validation=2, seed=3)


@pytest.fixture
def folder(tmp_path):
    """Two pictures with captions, to be spoilt."""
    part = tmp_path / "set" / "train"
    part.mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.jpg")):
        Image.new("RGB", (80, 64), ("red", "blue")[number]).save(part / name)
    write_rows(part, [("a.png", "一只猫，线稿"), ("b.jpg", "a red apple, line art")])
    return tmp_path / "set"


def write_rows(part, rows, header=("file_name", "text"), encoding="utf-8"):
    with (part / "metadata.csv").open("w", encoding=encoding, newline="") as content:
        csv.writer(content).writerows([header, *rows])


def refusal(pipe, folder, config=PLAIN):
    with pytest.raises(LessonError) as problem:
        encode_set(pipe, folder, config, cache=None, say=str)
    return str(problem.value)


def test_style_set_shows_what_its_captions_say(style_set):
    for part, count in (("train", 4), ("validation", 2)):
        rows = read_rows(style_set / part)
        assert len(rows) == count
        named = [wording.read_prompt(row.caption) for row in rows]
        assert {one.style for one in named} == {"lineart"}
        seen = judge([row.picture for row in rows])
        assert [one.subject for one in seen] == [one.subject for one in named]
        assert [one.ground for one in seen] == [one.ground for one in named]
    train, validation = ({wording.read_prompt(row.caption).subject for row in read_rows(style_set / part)}
                         for part in ("train", "validation"))
    assert not train & validation


def test_style_set_is_the_same_for_the_same_seed(tmp_path):
    made = [write_style_set(tmp_path / name, subjects=["red-apple", "cat-face"][:1] + ["lady-beetle"], seed=seed,
                            validation=0, trigger_word="xian")
            for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    tables = [(one / "train" / "metadata.csv").read_text(encoding="utf-8") for one in made]
    assert tables[0] == tables[1] != tables[2]
    assert tables[0].count("xian") == 2
    assert (made[0] / "train/red-apple_0.png").read_bytes() == (made[1] / "train/red-apple_0.png").read_bytes()
    with pytest.raises(LessonError, match="unicorn-x"):
        write_style_set(tmp_path / "d", subjects=["unicorn-x"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_metadata_reads_with_and_without_bom(folder, encoding):
    write_rows(folder / "train", [("a.png", "一只猫"), ("b.jpg", "红苹果, 线稿")], encoding=encoding)
    assert [row.caption for row in read_rows(folder / "train", workers=2)] == ["一只猫", "红苹果, 线稿"]


def test_missing_folder_and_metadata(pipe, folder, tmp_path):
    assert "nowhere" in refusal(pipe, tmp_path / "nowhere")
    (folder / "train" / "metadata.csv").unlink()
    assert "metadata.csv" in refusal(pipe, folder)


@pytest.mark.parametrize("rows, header, words", [
    ([], ("file_name", "text"), "没有图片"), ([("a.png", "x")], ("image", "caption"), "image,caption"),
    ([("a.png", "猫"), ("b.jpg", " ")], ("file_name", "text"), "没有描述"),
    ([("", "猫"), ("b.jpg", "x")], ("file_name", "text"), "没有文件名"),
    ([("a.png", "猫"), ("c.png", "x")], ("file_name", "text"), "c.png"),
    ([("a.png", "猫")], ("file_name", "text"), "至少要 2 张"),
    ([("a.png", "猫"), ("../../secret.png", "x")], ("file_name", "text"), "之外"),
    ([("a.png", "猫"), ("/etc/hostname", "x")], ("file_name", "text"), "之外"),
    ([("a.png", "猫"), ("link.png", "x")], ("file_name", "text"), "之外"),
])
def test_bad_metadata_is_named(pipe, folder, rows, header, words):
    Image.new("RGB", (64, 64)).save(folder.parent / "secret.png")
    os.symlink(folder.parent / "secret.png", folder / "train" / "link.png")
    write_rows(folder / "train", rows, header)
    assert words in refusal(pipe, folder)


def test_an_empty_file_and_another_encoding(pipe, folder):
    (folder / "train" / "metadata.csv").write_bytes(b"")
    assert "没有图片" in refusal(pipe, folder)
    write_rows(folder / "train", [("a.png", "卡通风格的瓢虫，背景是蓝色")], encoding="gbk")
    assert "UTF-8" in refusal(pipe, folder)


@pytest.mark.parametrize("spoil", ["cut", "text", "empty"])
def test_a_broken_picture_is_named(pipe, folder, spoil):
    file = folder / "train" / "b.jpg"
    file.write_bytes({"cut": file.read_bytes()[:300], "text": b"no picture", "empty": b""}[spoil])
    assert "b.jpg" in refusal(pipe, folder)


def test_a_picture_that_claims_too_many_pixels_is_not_unpacked(pipe, folder):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    side = int(MOST_PIXELS ** 0.5) + 1
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    (folder / "train" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"")
                                             + chunk(b"IEND", b""))
    assert "百万像素" in refusal(pipe, folder)


def test_transparent_and_turned_pictures(folder):
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(folder / "train" / "a.png")
    turned = Image.new("RGB", (80, 64), "blue").getexif()
    turned[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (80, 64), "blue").save(folder / "train" / "b.jpg", exif=turned)
    clear, blue = read_rows(folder / "train")
    assert clear.picture.getpixel((5, 5)) == (255, 255, 255)
    assert blue.picture.size == (64, 80)


def test_crops_cover_a_long_picture_and_a_square_has_one():
    assert list_crops((96, 96), (96, 96), 4) == [(0, 0, 96, 96)]
    assert list_crops((200, 100), (96, 96), 1) == [(50, 0, 150, 100)]
    assert list_crops((200, 100), (96, 96), 3) == [(0, 0, 100, 100), (50, 0, 150, 100), (100, 0, 200, 100)]


def test_variants_hold_crops_and_mirrored_ones(pipe, folder):
    made = encode_set(pipe, folder, tiny_config(crop_variants=3, random_flip=True), cache=None, say=str)
    assert [tuple(one.latents.shape) for one in made.examples] == [(6, 4, 12, 12)] * 2
    centred = encode_set(pipe, folder, tiny_config(center_crop=True, random_flip=False), cache=None, say=str)
    assert [len(one.latents) for one in centred.examples] == [1, 1]


def test_a_latent_is_the_vaes_own(pipe, style_set):
    made = encode_set(pipe, style_set, PLAIN, cache=None, say=str)
    row = read_rows(style_set / "train")[0]
    pixels = pipe.image_processor.preprocess(row.picture)
    with torch.no_grad():
        wanted = pipe.vae.encode(pixels).latent_dist.mean * pipe.vae.config.scaling_factor
    assert torch.equal(made.examples[0].latents, wanted)


def test_a_picture_is_trained_in_the_bucket_of_its_shape(pipe, tmp_path):
    """The one that the chart of the set counts it in."""
    folder = tmp_path / "train"
    folder.mkdir()
    names = ("a.png", "b.png")
    for name in names:
        Image.effect_noise((960, 640), 60).convert("RGB").save(folder / name)
    write_table(folder, [{"file_name": name, "text": "一只猫"} for name in names])
    made = encode_set(pipe, tmp_path, PLAIN.but(aspect_buckets=True), cache=None, say=str)
    assert made.examples[0].latents.shape[2:] == (64 // 8, 128 // 8)
    assert list(show_sizes(check(folder)).values) == ["128 x 64"]


def test_each_batch_has_one_shape_and_an_epoch_holds_every_example():
    shapes = [(1, 4, 12, 12)] * 5 + [(1, 4, 8, 16)] * 3
    examples = [Example(None, torch.zeros(shape)) for shape in shapes]
    order = Order(examples, batch_size=2, seed=1)
    epochs = [[order.batch(epoch * order.per_epoch + place) for place in range(order.per_epoch)] for epoch in (0, 1)]
    for batches in epochs:
        assert all(len({shapes[number] for number in batch}) == 1 and len(batch) == 2 for batch in batches)
        assert {number for batch in batches for number in batch} == set(range(8))
    assert epochs[0] != epochs[1]
    again = Order(examples, batch_size=2, seed=1)
    assert again.batch(7) == order.batch(7)  # whatever was asked before


def test_what_was_computed_is_found_again_and_only_that(pipe, style_set, tmp_path):
    first = encode_set(pipe, style_set, PLAIN, cache=tmp_path, say=str)
    second = encode_set(pipe, style_set, PLAIN, cache=tmp_path, say=str)
    assert (first.found, second.made) == (0, 0) and first.made == second.found > 0
    for one, other in zip(first.examples, second.examples):
        assert torch.equal(one.latents, other.latents) and torch.equal(one.text.words, other.text.words)
    flipped = encode_set(pipe, style_set, tiny_config(), cache=tmp_path, say=str)  # other variants: pictures anew
    assert flipped.made == len(first.examples) and flipped.digest == first.digest


def test_a_broken_cache_file_is_computed_again(pipe, style_set, tmp_path):
    whole = encode_set(pipe, style_set, PLAIN, cache=tmp_path, say=str)
    files = sorted(tmp_path.rglob("*.safetensors"))
    for file in files:
        file.write_bytes(file.read_bytes()[:50])
    again = encode_set(pipe, style_set, PLAIN, cache=tmp_path, say=str)
    assert again.made == len(files)
    assert torch.equal(whole.examples[0].latents, again.examples[0].latents)


def test_a_cache_that_cannot_be_written_is_told_and_passed_over(pipe, style_set, tmp_path):
    (tmp_path / "file").write_text("")
    said = []
    made = encode_set(pipe, style_set, PLAIN, cache=tmp_path / "file", say=said.append)
    assert len(made.examples) == 4 and any("缓存" in words for words in said)


def test_writing_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    write_whole(tmp_path / "x", b"old")

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_without_a_folder_nothing_is_kept():
    kept = Cache(None)
    assert kept.recall(("a",), lambda: {"x": torch.ones(1)})["x"] == 1
    assert (kept.found, kept.made) == (0, 0)


def test_validation_pictures_come_from_their_folder_or_are_held_back(pipe, style_set, folder):
    made = encode_set(pipe, style_set, PLAIN.but(validation_every=5), cache=None, say=str)
    assert (len(made.examples), len(made.validation)) == (4, 2)
    held = encode_set(pipe, style_set, PLAIN.but(validation_every=0), cache=None, say=str)
    assert held.validation == []
    assert "hold_back" in refusal(pipe, folder, PLAIN.but(validation_every=5))


def test_a_picture_that_changes_after_it_was_checked_is_told(folder):
    row = read_rows(folder / "train")[0]
    Image.new("RGB", (8, 8)).save(row.file)
    with pytest.raises(LessonError, match=row.file.name):
        row.picture  # noqa: B018 - reads the file


def fill(unet):
    """Give a UNet a LoRA that changes what it draws."""
    for weight in add_lora(unet, rank=2, alpha=8.0):
        torch.nn.init.normal_(weight)


def test_prior_pictures_come_from_prompts_or_a_folder(pipe, style_set, folder, tmp_path):
    drawn = encode_set(pipe, style_set, PLAIN.but(prior_weight=1.0, prior_prompts=("一只猫",), prior_pictures=2),
                    cache=tmp_path, say=str)
    assert [tuple(one.latents.shape) for one in drawn.prior] == [(1, 4, 12, 12)] * 2
    assert not torch.equal(drawn.prior[0].latents, drawn.prior[1].latents)
    fill(pipe.unet)
    try:
        again = encode_set(pipe, style_set, PLAIN.but(prior_weight=1.0, prior_prompts=("一只猫",), prior_pictures=2),
                        cache=None, say=str)
    finally:
        remove_lora(pipe.unet)
    for one, other in zip(drawn.prior, again.prior):  # the base's, whatever LoRA is in the UNet
        torch.testing.assert_close(one.latents, other.latents)
    given = encode_set(pipe, style_set, PLAIN.but(prior_weight=1.0, prior_folder=folder / "train"), cache=None, say=str)
    assert len(given.prior) == 2
