"""A picture on the disk is whole, an old one stays until the new one is, and two programs never take one name."""

import multiprocessing
from itertools import count

import numpy as np
import pytest
from PIL import Image

from course_lib.comfyui.client import ComfyPicture
from course_lib.files import write_new
from course_lib.messages import LessonError
from course_lib.model.loading import load
from course_lib.pictures.picture import Picture
from course_lib.widgets import explorer
from course_lib.workflow.drawing import Drawing
from course_lib.workflow.notebook_host import NotebookHost


def noise(size, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (size, size, 3), np.uint8))


@pytest.fixture
def full_disk():
    """Let no file of this process grow above 10 kB, as a disk that is full does."""
    resource = pytest.importorskip("resource")  # not on Windows
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


LARGE = {"picture": lambda path: Picture(noise(300), "b").save(path),
         "ComfyUI's": lambda path: ComfyPicture(noise(8), "", content=b"x" * 50_000).save(path)}


@pytest.mark.parametrize("save", LARGE.values(), ids=LARGE)
def test_a_full_disk_leaves_the_old_picture(tmp_path, full_disk, save):
    (tmp_path / "best.png").write_bytes(b"the old one")
    with pytest.raises(LessonError) as problem:
        save(tmp_path / "best.png")
    assert "best.png" in problem.value.what
    assert (tmp_path / "best.png").read_bytes() == b"the old one"
    assert [file.name for file in tmp_path.iterdir()] == ["best.png"]


def test_a_new_name_on_a_full_disk_leaves_nothing(tmp_path, full_disk):
    host = NotebookHost({}, None, {}, tmp_path, tmp_path, None, None)
    with pytest.raises(LessonError):
        host.save(noise(300), "kolors")
    with pytest.raises(OSError):
        write_new([tmp_path / "a"], b"x" * 20_000)
    assert list(tmp_path.iterdir()) == []


def save_many(folder, value, queue):
    host = NotebookHost({}, None, {}, folder, folder, None, None)
    queue.put([(str(host.save(Image.new("RGB", (8, 8), (value, 0, 0)), "kolors")), value) for _ in range(40)])


def test_two_kernels_never_share_a_name(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    kernels = [context.Process(target=save_many, args=(tmp_path, value, queue)) for value in (10, 20, 30)]
    for kernel in kernels:
        kernel.start()
    saved = [one for _ in kernels for one in queue.get(timeout=120)]
    for kernel in kernels:
        kernel.join()
    assert len({path for path, _ in saved}) == 120 == len(list(tmp_path.iterdir()))
    for path, value in saved:
        with Image.open(path) as picture:
            assert picture.getpixel((0, 0)) == (value, 0, 0)


def test_pictures_of_one_second_and_seed_have_two_names(tmp_path, monkeypatch):
    monkeypatch.setattr(explorer, "COURSE", tmp_path)
    monkeypatch.setattr(explorer.time, "strftime", lambda form: "20260101_000000")
    shown = explorer.explore(load("tiny"), "一只猫")
    shown.wait()
    first, second = shown.save(), shown.save()
    assert first != second and first.read_bytes() == second.read_bytes() and "_2" in second.name


def test_a_workflow_is_drawn_whole_or_not_at_all(tmp_path, full_disk):
    (tmp_path / "a.svg").write_text("old")
    with pytest.raises(LessonError):
        Drawing("x" * 50_000, "").save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text() == "old"


def test_the_first_place_without_a_file_is_taken(tmp_path):
    (tmp_path / "1").write_text("there")
    (tmp_path / "2").symlink_to(tmp_path / "nowhere")
    assert write_new((tmp_path / str(number) for number in count(1)), b"x") == tmp_path / "3"
    assert not (tmp_path / "nowhere").exists()
