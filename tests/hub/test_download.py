"""The real client against a hub on this machine, with every fault seen of it: the right files or a LessonError.

Whatever goes wrong, nothing half-done is taken for whole, and what came is kept and resumed.
"""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from loopback_hub import FAST, environment, kolors_layout, read_tree, running_hub, wanted_of_kolors

from course_lib.files import COURSE, is_inside
from course_lib.hub import fetching, manifest, repository
from course_lib.hub.progress import Progress
from course_lib.hub.repository import Listed
from course_lib.messages import LessonError

NAME = "Kwai-Kolors/Kolors-diffusers"
UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
CUT = 400_000  # bytes of the UNet's 1,048,576


@pytest.fixture
def files():
    return kolors_layout()


@pytest.fixture
def server(files, tmp_path, monkeypatch):
    """A hub that is up, and an environment in which nothing else is asked and nothing outside tmp_path is written."""
    from modelscope_hub import constants

    assert int(FAST["MODELSCOPE_DOWNLOAD_MAX_RETRIES"]) == constants.DOWNLOAD_RETRY_TIMES, "imported before FAST"
    with running_hub({("models", NAME): files}) as running:
        for name, value in {**environment(tmp_path), "MODELSCOPE_ENDPOINT": running.address}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)
        yield running


@pytest.fixture
def folder(server):
    return repository.cache_folder(repository.KOLORS)


def fails(key_word):
    """Expect a LessonError whose what, why or next step holds a word."""
    return pytest.raises(LessonError, match=key_word)


def assert_whole(folder, files):
    assert read_tree(folder) == wanted_of_kolors(files)
    assert fetching.find_damage(folder, repository.KOLORS) is None


def assert_kept_not_taken(folder, files):
    """What came stays, but the folder is not taken for whole."""
    assert fetching.find_damage(folder, repository.KOLORS) == fetching.RECORD
    wanted = wanted_of_kolors(files)
    whole = {path for path, content in read_tree(folder).items() if wanted.get(path) == content}
    assert whole == wanted.keys() - {UNET}


def test_only_what_is_needed_comes(server, folder, files, capsys):
    assert fetching.fetch("kolors") == folder
    assert_whole(folder, files)
    assert server.listings() == 1
    said = capsys.readouterr().out
    assert all(path in said for path in wanted_of_kolors(files))


def test_the_second_start_asks_nothing_and_reads_no_weights(server, folder, files, monkeypatch):
    fetching.fetch("kolors")
    server.stop()
    asked = len(server.requests)
    monkeypatch.setattr(fetching, "sha256", lambda file: pytest.fail(f"{file} was read again"))
    assert fetching.fetch("kolors") == folder
    assert len(server.requests) == asked


# --- faults that pass, and those that stay ---

def test_cut_once(server, folder, files):
    server.fail("cut", UNET, CUT, times=1)
    fetching.fetch("kolors")
    assert_whole(folder, files)
    assert server.asked_for(UNET) == [None, f"bytes={CUT}-"]


def test_cut_always_then_resumed(server, folder, files):
    server.fail("cut", UNET, CUT)
    with fails("没有下载完") as problem:
        fetching.fetch("kolors")
    assert UNET in problem.value.why and "接着下载" in problem.value.next_step
    assert_kept_not_taken(folder, files)
    assert (folder / (UNET + repository.INCOMPLETE)).stat().st_size == CUT
    server.faults.clear()
    server.requests.clear()
    fetching.fetch("kolors")
    assert_whole(folder, files)
    assert server.asked_for(UNET) == [f"bytes={CUT}-"]
    assert not server.asked_for("vae/diffusion_pytorch_model.fp16.safetensors")


def test_corrupt_once(server, folder, files):
    server.fail("corrupt", UNET, times=1)
    fetching.fetch("kolors")
    assert_whole(folder, files)


def test_corrupt_always(server, folder, files):
    server.fail("corrupt", UNET)
    with fails("是坏的") as problem:
        fetching.fetch("kolors")
    assert UNET in problem.value.what
    assert_kept_not_taken(folder, files)
    assert not (folder / UNET).exists()


def test_no_hash_is_said(server, folder, files, capsys):
    server.fail("no_hash", "list")
    fetching.fetch("kolors")
    assert_whole(folder, files)
    assert not any(record["verified"] for record in fetching.read_record(folder)["files"].values())
    note = next(line for line in capsys.readouterr().out.splitlines() if "没有给出这些文件的校验和" in line)
    assert UNET in note


def test_a_hash_is_not_said_to_be_missing(server, folder, capsys):
    fetching.fetch("kolors")
    assert "校验和，只能" not in capsys.readouterr().out
    assert all(record["verified"] for record in fetching.read_record(folder)["files"].values())


@pytest.mark.parametrize("hashed", [True, False])
def test_short_body(server, folder, files, hashed):
    if not hashed:
        server.fail("no_hash", "list")
    server.fail("short", UNET)
    with fails("是坏的"):
        fetching.fetch("kolors")
    assert_kept_not_taken(folder, files)


def test_a_file_that_the_client_lets_through_is_read_by_our_own_eyes(server, folder, monkeypatch):
    """The client is broken on purpose: it compares nothing."""
    import modelscope_hub._download

    monkeypatch.setattr(modelscope_hub._download, "_finish_download",
                        lambda tmp, target, *rest, **more: tmp.replace(target))
    server.fail("corrupt", UNET)
    with fails("是坏的"):
        fetching.fetch("kolors")
    assert fetching.find_damage(folder, repository.KOLORS) == fetching.RECORD


def test_unknown_name(server):
    with fails("Kwai-Kolors/Kolor") as problem:
        fetching.fetch("Kwai-Kolors/Kolor")
    assert "404" in problem.value.why and server.address in problem.value.why


def test_unknown_revision(server):
    with fails("v9"):
        fetching.fetch("kolors", revision="v9")


@pytest.mark.parametrize("status", [401, 403])
def test_forbidden(server, status):
    server.fail("status", "list", status)
    with fails("没有权限") as problem:
        fetching.fetch("kolors")
    assert str(status) in problem.value.why


def test_a_listed_file_is_gone(server, folder, files):
    server.fail("status", UNET, 404)
    with fails("下载不到"):
        fetching.fetch("kolors")
    assert_kept_not_taken(folder, files)


@pytest.mark.parametrize("target", ["list", UNET])
def test_500_twice(server, folder, files, target):
    server.fail("status", target, 500, times=2)
    fetching.fetch("kolors")
    assert_whole(folder, files)


@pytest.mark.parametrize("target", ["list", UNET])
@pytest.mark.parametrize("status, word", [(500, "服务器出错"), (429, "请求太多")])
def test_500_or_429_always(server, folder, files, target, status, word):
    server.fail("status", target, status)
    with fails(word):
        fetching.fetch("kolors")
    if target == UNET:
        assert_kept_not_taken(folder, files)


def test_429_once(server, folder, files):
    server.fail("status", UNET, 429, times=1)
    fetching.fetch("kolors")
    assert_whole(folder, files)


def test_listing_hangs(server):
    server.fail("hang", "list", 3)
    with fails("没有回答"):
        fetching.fetch("kolors")


def test_file_hangs_once(server, folder, files):
    server.fail("hang", UNET, 3, times=1)
    fetching.fetch("kolors")
    assert_whole(folder, files)


def test_a_login_page_instead_of_a_listing(server):
    server.fail("html", "list")
    with fails("不是 ModelScope 的文件列表"):
        fetching.fetch("kolors")


@pytest.mark.parametrize("answer", [b"[1]", b'{"Data": {"Files": [{"Path": 5}]}}', b'{"Data": {"Files": ["a"]}}',
                                    b'{"Data": {"Files": [{"Path": "a", "Size": "big"}]}}'])
def test_a_listing_of_another_shape(server, answer, monkeypatch):
    from loopback_hub import Answer

    monkeypatch.setattr(Answer, "list_files", lambda self, files, query: self.reply(answer))
    with fails("不是 ModelScope 的文件列表"):
        fetching.fetch("kolors")


# --- no server ---

def test_server_down_with_nothing_here(server, folder):
    server.stop()
    with fails("连不上 ModelScope") as problem:
        fetching.fetch("kolors")
    assert server.address in problem.value.why and "MODELSCOPE_ENDPOINT" in problem.value.next_step
    assert not folder.exists()


def test_no_network(server, monkeypatch):
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", "http://hub.invalid")
    with fails("没有网络") as problem:
        fetching.fetch("kolors")
    assert "tiny" in problem.value.next_step


def truncate(file):
    """The disk was full when the file was copied, its time of change along with it."""
    stat = file.stat()
    os.truncate(file, 1000)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def flip(file):
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)


def leave_half(file):
    os.rename(file, str(file) + repository.INCOMPLETE)
    os.truncate(str(file) + repository.INCOMPLETE, CUT)


@pytest.mark.parametrize("harm", [Path.unlink, truncate, flip, leave_half])
def test_server_down_with_a_damaged_copy_then_up(server, folder, files, harm, capsys):
    fetching.fetch("kolors")
    harm(folder / UNET)
    assert fetching.find_damage(folder, repository.KOLORS) == UNET
    server.fail("status", "list", 403)  # as good as down, and at once
    with fails("没有权限"):
        fetching.fetch("kolors")
    assert f"不完整（{UNET}）" in capsys.readouterr().out
    server.faults.clear()
    server.requests.clear()
    fetching.fetch("kolors")
    assert_whole(folder, files)
    assert {query["FilePath"] for _, _, query, _ in server.requests if "FilePath" in query} == {UNET}


def test_server_down_with_a_copy_that_the_client_left_without_a_record(server, folder):
    """The client returns such a folder under local_files_only; whether it is whole, nobody knows."""
    fetching.fetch("kolors")
    (folder / fetching.RECORD).unlink()
    server.stop()
    with fails("连不上"):
        fetching.fetch("kolors")


def test_a_copy_without_a_record_is_checked_and_not_downloaded_again(server, folder, files):
    fetching.fetch("kolors")
    (folder / fetching.RECORD).unlink()
    server.requests.clear()
    fetching.fetch("kolors")
    assert_whole(folder, files)
    assert not any("FilePath" in query for _, _, query, _ in server.requests)


# --- the disk ---

@pytest.fixture
def small_disk(tmp_path):
    """A disk of 4 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)], capture_output=True,
                             text=True) if shutil.which("mount") else None
    if mounted is None or mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip() if mounted else 'no mount'}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_disk_too_small_is_said_before(server, small_disk):
    (small_disk / "other").write_bytes(bytes(2 << 20))
    with fails("磁盘放不下") as problem:
        fetching.fetch("kolors", folder=small_disk / "kolors")
    assert "2.6 MB" in problem.value.why
    assert not any("FilePath" in query for _, _, query, _ in server.requests)


def test_disk_full_in_the_middle_then_resumed(server, small_disk, files):
    """Another program fills the disk while the files come."""
    def fill():
        if not (small_disk / "other").exists():
            (small_disk / "other").write_bytes(bytes(3 << 20))

    server.fail("then", "model_index.json", fill)
    with fails("磁盘满了") as problem:
        fetching.fetch("kolors", folder=small_disk / "kolors")
    assert "接着下载" in problem.value.next_step
    (small_disk / "other").unlink()
    server.faults.clear()
    fetching.fetch("kolors", folder=small_disk / "kolors")
    assert_whole(small_disk / "kolors", files)


def test_quota(server, folder, files, monkeypatch):
    """What the host really gives when an account is full, on opening the unfinished file."""
    import modelscope_hub._download

    def full(path, mode="r", *rest, **more):
        if str(path).endswith("unet/diffusion_pytorch_model.fp16.safetensors" + repository.INCOMPLETE):
            raise OSError(122, "Disk quota exceeded")
        return open(path, mode, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(modelscope_hub._download, "open", full, raising=False)
        with fails("配额用完") as problem:
            fetching.fetch("kolors")
    assert "du -sh" in problem.value.next_step
    assert_kept_not_taken(folder, files)
    fetching.fetch("kolors")
    assert_whole(folder, files)


def test_a_folder_that_cannot_be(server, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with fails("不能往"):
        fetching.fetch("kolors", folder=tmp_path / "file" / "kolors")


# --- processes ---

FETCH = "from course_lib.hub.fetching import fetch\nprint(fetch('kolors'))"


def start_fetch(**settings):
    return subprocess.Popen([sys.executable, "-c", FETCH], cwd=COURSE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**os.environ, **settings})


def test_two_processes_at_once(server, folder, files):
    both = [start_fetch(), start_fetch()]
    for process in both:
        _, problem = process.communicate(timeout=60)
        assert (process.returncode, problem) == (0, b"")
    assert_whole(folder, files)
    assert len(server.asked_for(UNET)) == 1


def test_killed_in_the_middle_then_resumed(server, folder, files):
    server.fail("cut", UNET, CUT)
    server.fail("then", UNET, lambda: time.sleep(60))  # the line goes quiet after the first bytes
    process = start_fetch(MODELSCOPE_DOWNLOAD_TIMEOUT="60")
    part = folder / (UNET + repository.INCOMPLETE)
    others = [folder / path for path in wanted_of_kolors(files) if path != UNET]
    for _ in range(1200):
        if part.exists() and part.stat().st_size == CUT and all(file.exists() for file in others):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert part.stat().st_size == CUT
    assert_kept_not_taken(folder, files)
    server.faults.clear()
    server.requests.clear()
    fetching.fetch("kolors")
    assert_whole(folder, files)
    assert server.asked_for(UNET) == [f"bytes={CUT}-"]


def test_the_client_brings_no_torch():
    subprocess.run([sys.executable, "-c", "import sys\nfrom course_lib.hub import client, fetching\n"
                    "assert 'modelscope_hub' not in sys.modules\n"
                    "client.connect()\nassert 'torch' not in sys.modules\n"
                    "from modelscope_hub.constants import DOWNLOAD_TOTAL_TIMEOUT\n"
                    "assert DOWNLOAD_TOTAL_TIMEOUT == client.FILE_SECONDS"], cwd=COURSE, check=True)


# --- what a server may not do ---

@pytest.mark.parametrize("path", ["../x.json", "/x.json", "unet/../../x.json", "..\\x.json", "C:/x.json", "C:x.json",
                                  "a//b.json", "./x.json", "", "a\nb.json"])
def test_a_path_outside_is_refused(server, folder, files, path):
    files[path] = b"{}"
    with fails("不安全"):
        fetching.fetch("kolors")
    assert not any("FilePath" in query for _, _, query, _ in server.requests)
    assert not folder.exists()


@pytest.mark.parametrize("path", ["x.json", "unet/x.json", "12:30 图?.png", "a..b/...json"])
def test_a_path_inside_is_not(path):
    assert is_inside(path)


def test_a_server_cannot_write_our_record(server, folder, files):
    files[fetching.RECORD] = files["unet/" + fetching.RECORD] = files[UNET + repository.INCOMPLETE] = b"{}"
    fetching.fetch(NAME)
    asked = {query.get("FilePath") for _, _, query, _ in server.requests}
    assert not {fetching.RECORD, "unet/" + fetching.RECORD} & asked


def test_no_saved_login_is_read(server, tmp_path):
    """The client would unpickle it: here that would make a folder."""
    credentials = tmp_path / "home" / "credentials"
    credentials.mkdir(parents=True)
    (credentials / "cookies").write_bytes(f"cos\nmkdir\n(V{tmp_path}/unpickled\ntR.".encode())
    fetching.fetch("kolors")
    assert not (tmp_path / "unpickled").exists()
    assert not any("Authorization" in headers for _, _, _, headers in server.requests)


# --- the line that shows it ---

def test_progress_by_file_and_in_all(tmp_path, capsys, monkeypatch):
    clock = itertools.count(step=2)  # seconds
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    progress = Progress([Listed("a.bin", 3_000_000, None), Listed("b.bin", 1_000_000, None)], tmp_path)
    meters = [progress.start("a.bin", 3_000_000), progress.start("b.bin", 1_000_000)]
    meters[0].update(1_500_000)
    first = capsys.readouterr().out
    assert "1.5 MB / 4.0 MB  37%" in first and "a.bin 50%" in first and first.endswith("\r")
    meters[1].update(1_000_000)
    meters[1].end()
    meters[0].end()  # failed: the client ends it all the same
    lines = capsys.readouterr().out
    assert "✔ b.bin  1.0 MB" in lines and "✔ a.bin" not in lines


def test_what_is_here_counts(tmp_path):
    (tmp_path / "a.bin").write_bytes(bytes(500))
    (tmp_path / ("b.bin" + repository.INCOMPLETE)).write_bytes(bytes(200))
    files = [Listed("a.bin", 500, None), Listed("b.bin", 500, None), Listed("c.bin", 500, None)]
    assert [repository.count_here(tmp_path, file) for file in files] == [500, 200, 0]


# --- the picture ---

def test_the_right_picture_in_the_end(server, folder, pipe):
    """Tiny Kolors laid out as the full one, through a cut and a corrupt file: the shipped model's pixels."""
    import numpy
    import torch
    from diffusers import KolorsPipeline

    from course_lib.sampling.drawing import draw

    served = {path: (repository.TINY / path).read_bytes() for path in manifest.list_files(repository.TINY)}
    server.repos["models", NAME] = {path.replace(".safetensors", ".fp16.safetensors"): content
                                    for path, content in served.items()}
    server.fail("cut", UNET, CUT, times=1)
    server.fail("corrupt", "vae/diffusion_pytorch_model.fp16.safetensors", times=1)
    fetched = KolorsPipeline.from_pretrained(fetching.fetch("kolors"), variant="fp16", dtype=torch.float32,
                                             local_files_only=True, use_safetensors=True)
    fetched.set_progress_bar_config(disable=True)
    pictures = [draw(each, "一只瓢虫，蓝色背景", seed=1, steps=2).image for each in (pipe, fetched)]
    assert numpy.array_equal(*map(numpy.asarray, pictures))


