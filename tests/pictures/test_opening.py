"""The one opener: named formats, limits, damage answered per file; and that no reader goes round it."""

import ast
import io
import random
import struct
import subprocess
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from course_lib.comfyui import view
from course_lib.dataset.checking import check, prepare
from course_lib.files import COURSE
from course_lib.messages import LessonError
from course_lib.pictures import opening, picture_files
from course_lib.pictures.opening import Unreadable, decode, open_picture, read_header
from course_lib.training import rows as training_rows
from course_lib.workflow.nodes.built_in import LoadImage

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
READERS = {"opening": open_picture, "check": picture_files.open_picture, "training": training_rows.open_picture,
           "a server's": lambda path: view.open_picture(path.read_bytes())}
# Our own pictures, and what a program of ours has just drawn
OWN = {"pictures/opening.py", "pictures/emoji.py", "dataset/making/synthesis.py"}


def make_picture(kind, exif=b"", size=(40, 32)):
    values = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(values).save(content, kind, **({"exif": exif} if exif else {}))
    return content.getvalue()


def make_exif():
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    exif[0x8769] = {0x9003: "2020:01:01 00:00:00", 0x829A: (1, 3)}
    exif[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0)}
    return exif.tobytes()


def mend_png(content):
    """Renew a PNG's checksums, so that what was changed in it is looked at."""
    out, at = bytearray(content[:8]), 8
    while at + 12 <= len(content):
        length = struct.unpack(">I", content[at:at + 4])[0]
        body = content[at + 4:at + 8 + length]
        out += content[at:at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(out)


def spoil_exif(content, rng):
    """Change some bytes of the EXIF block of a picture, whose own bytes stay whole."""
    start = max(content.find(b"MM\0*"), content.find(b"II*\0"))
    content = bytearray(content)
    for _ in range(rng.randint(1, 12)):
        content[rng.randrange(start, start + 150)] = rng.choice([0, 1, 2, 128, 255, rng.randrange(256)])
    return mend_png(bytes(content)) if content[:4] == b"\x89PNG" else bytes(content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])  # the library of AVIF refuses the file itself
def test_damaged_exif_is_ignored_and_the_picture_kept(tmp_path, kind):
    whole, rng = make_picture(kind, make_exif()), random.Random(3)
    plain = decode(whole).tobytes()
    for number in range(60):
        (tmp_path / "x").write_bytes(spoil_exif(whole, rng))
        assert decode(tmp_path / "x").tobytes() == plain, number
        for name, read in READERS.items():
            try:
                assert read(tmp_path / "x"), (name, number)
            except LessonError as problem:
                raise AssertionError(f"{name}, {number}") from problem


def test_one_picture_with_damaged_exif_stops_no_folder(tmp_path):
    rng, folder = random.Random(5), tmp_path / "raw"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.jpg").write_bytes(spoil_exif(make_picture("JPEG", make_exif(), (80 + number, 80)), rng))
        (folder / f"{number}.txt").write_text(f"第{number}张", encoding="utf-8")
    assert len(prepare(folder, tmp_path / "set", size=32).rows) == 8


@pytest.mark.parametrize("kind", [name for name in opening.FORMATS if name != "MPO"])
def test_changed_files_give_a_picture_or_a_lesson_error(tmp_path, kind):
    whole, rng = make_picture(kind), random.Random(kind)
    for number in range(80):
        content = bytearray(whole)
        if number % 3 == 0:
            for _ in range(rng.randint(1, 8)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        elif number % 3 == 1:
            content = content[:rng.randrange(len(content))]
        else:
            at = rng.randrange(len(content))
            content[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 30)))
        (tmp_path / "x").write_bytes(bytes(content))
        for name, read in READERS.items():
            try:
                read(tmp_path / "x")
            except LessonError:
                pass
            except Exception as problem:
                raise AssertionError(f"{name}, {number}") from problem


@pytest.mark.parametrize("name", READERS)
def test_an_eps_called_png_never_reaches_another_program(tmp_path, monkeypatch, name):
    (tmp_path / "photo.png").write_bytes(EPS)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    try:
        assert READERS[name](tmp_path / "photo.png") is None
    except LessonError as problem:
        assert "photo.png" in problem.what


def test_an_eps_is_no_picture_to_load(tmp_path, monkeypatch):
    (tmp_path / "photo.png").write_bytes(EPS)
    monkeypatch.setattr("course_lib.workflow.nodes.built_in.find_picture", lambda name: tmp_path / name)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(LessonError, match="photo.png"):
        LoadImage().load_image("photo.png")
    (tmp_path / "photo.png").write_bytes(make_picture("PNG", make_exif()))
    picture, mask = LoadImage().load_image("photo.png")
    assert picture.shape == (1, 40, 32, 3) and mask.shape == (1, 40, 32)  # turned as its EXIF says


@pytest.mark.parametrize("name", ["opening", "check", "training"])
def test_a_pointer_of_git_lfs_is_named(tmp_path, name):
    (tmp_path / "0.png").write_bytes(POINTER)
    with pytest.raises(LessonError, match="git lfs pull"):
        READERS[name](tmp_path / "0.png")


@pytest.mark.parametrize("content, code", [
    (b"", "empty_file"), (POINTER, "lfs_pointer"), (b"<html></html>", "not_an_image"), (EPS, "not_an_image"),
    (make_picture("JPEG")[:-2], "truncated"), (make_picture("PNG")[:-12], "truncated"),
    (b"\x89PNG\r\n\x1a\nIEND", "corrupt")])
def test_each_damage_has_its_code_for_bytes_and_for_files(tmp_path, content, code):
    (tmp_path / "x.png").write_bytes(content)
    for source in (content, tmp_path / "x.png"):
        for read in (open_picture, read_header):
            with pytest.raises(Unreadable) as raised:
                read(source)
            assert raised.value.code == code and raised.value.words in str(raised.value)


def test_limits_are_told_by_the_header_before_a_pixel_is_decoded(tmp_path):
    def make_bomb(side):
        chunks = (b"IHDR" + struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0), b"IDAT" + zlib.compress(bytes(9999)),
                  b"IEND")
        return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(
            ">I", zlib.crc32(chunk)) for chunk in chunks)

    side = int(opening.MOST_PIXELS ** 0.5) + 1
    for content in (make_bomb(side), make_bomb(30_000)):
        (tmp_path / "x.png").write_bytes(content)
        for read in (open_picture, picture_files.open_picture, training_rows.open_picture):
            with pytest.raises(LessonError, match="百万像素"):
                read(tmp_path / "x.png")
    assert view.open_picture(make_bomb(30_000)) is None
    with pytest.raises(Unreadable):
        decode(make_picture("PNG"), most=100)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "MOST_BYTES", 1000)
    (tmp_path / "x.png").write_bytes(make_picture("PNG"))
    with pytest.raises(Unreadable) as raised:
        picture_files.open_picture(tmp_path / "x.png")
    assert raised.value.code == "too_many_bytes"


def test_deep_grey_is_scaled_by_every_reader(tmp_path):
    values = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    Image.fromarray(values).save(tmp_path / "x.png")
    for read in (open_picture, lambda path: picture_files.open_picture(path).image,
                 lambda path: training_rows.open_picture(path)[1]):
        seen = np.asarray(read(tmp_path / "x.png"))[..., 0]
        assert seen.max() == 255 and abs(seen.mean() - 127) < 1


def test_no_warning_of_pillow_reaches_the_learner(tmp_path):
    (tmp_path / "x.jpg").write_bytes(spoil_exif(make_picture("JPEG", make_exif()), random.Random(0)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture_files.open_picture(tmp_path / "x.jpg")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("form", [bytearray, memoryview])
def test_any_form_of_bytes_is_opened_alike(kind, form):
    content = make_picture(kind)
    assert open_picture(form(content)).tobytes() == open_picture(content).tobytes()
    assert read_header(form(content)) == (kind, 40, 32)
    for broken in (b"", POINTER, EPS, content[:-30]):
        with pytest.raises(Unreadable) as told, warnings.catch_warnings():
            warnings.simplefilter("error")
            open_picture(form(broken))
        with pytest.raises(Unreadable) as same:
            open_picture(broken)
        assert str(told.value) == str(same.value)


def test_nobody_opens_foreign_pictures_elsewhere():
    found = set()
    for path in (COURSE / "course_lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "open" and isinstance(node.value, ast.Name) \
                    and node.value.id == "Image":
                found.add(path.relative_to(COURSE / "course_lib").as_posix())
    assert found <= OWN | {"pictures/text_chunks.py"}  # which names its formats too


def test_check_says_what_is_wrong_and_goes_on(tmp_path):
    for name, content in (("0.jpg", make_picture("JPEG")), ("1.png", POINTER), ("2.png", EPS), ("3.jpg", b"")):
        (tmp_path / name).write_bytes(content)
    assert {row.file: row.codes[:1] for row in check(tmp_path, size=16).rows if row.file != "0.jpg"} == {
        "1.png": ("lfs_pointer",), "2.png": ("not_an_image",), "3.jpg": ("empty_file",)}


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_jpeg_may_number_its_tables_as_it_likes(tmp_path, number):
    """ITU-T T.81, B.2.4.1: four places for tables; a grey picture's one table may stand in any of them."""
    content = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(content, "JPEG", quality=60)
    data = bytearray(content.getvalue())
    data[data.index(b"\xff\xdb") + 4] = number  # precision and number of the table
    data[data.index(b"\xff\xc0") + 12] = number  # which table the component uses
    (tmp_path / "grey.jpg").write_bytes(data)
    assert list(Image.open(tmp_path / "grey.jpg").quantization) == [number]
    assert picture_files.open_picture(tmp_path / "grey.jpg").quality == 60
