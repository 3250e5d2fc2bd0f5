"""A file is written whole or not at all."""

import os
import subprocess
import sys

import pytest

from course_lib import files


@pytest.fixture
def file(tmp_path):
    place = tmp_path / "new" / "file.json"
    files.write_whole(place, b"old")
    return place


def left(file):
    return {path.name: path.read_bytes() for path in file.parent.iterdir()}


def test_a_file_is_replaced(file):
    files.write_whole(file, b"new")
    assert left(file) == {"file.json": b"new"}
    files.write_json(file, {"字": 1})
    assert file.read_bytes() == b'{\n "\\u5b57": 1\n}\n'


@pytest.mark.parametrize("where", ["write", "sync", "rename"])
def test_whatever_stops_it_the_old_file_is_whole_and_alone(file, monkeypatch, where):
    def stop(*_):
        raise KeyboardInterrupt

    if where != "write":
        monkeypatch.setattr(os, {"sync": "fsync", "rename": "replace"}[where], stop)
    with pytest.raises(KeyboardInterrupt), files.replaced(file) as part:
        part.write_bytes(b"half")
        if where == "write":
            stop()
    assert left(file) == {"file.json": b"old"}


def test_what_a_killed_program_left_is_removed_and_nothing_else(file):
    kill = ("import os, sys; from pathlib import Path; from course_lib import files\n"
            "with files.replaced(Path(sys.argv[1])) as part:\n"
            "    part.write_bytes(b'half')\n    os.kill(os.getpid(), 9)")
    killed = subprocess.Popen([sys.executable, "-c", kill, str(file)], cwd=files.COURSE)
    assert killed.wait(60) == -9
    half = {f"file.json.{killed.pid}.part": b"half"}
    assert left(file) == {"file.json": b"old", **half}
    others = {f"file.json.{os.getppid()}.part": b"at work", "file.json.x.part": b"", "a.json.1.part": b"",
              f"other.json.{killed.pid}.part": b""}
    for name, content in others.items():
        (file.parent / name).write_bytes(content)
    files.write_whole(file, b"new")
    assert left(file) == {"file.json": b"new", **others}


@pytest.mark.parametrize("name", ["a[1].json", "*.json", "ab*"])
def test_a_name_that_is_a_pattern_is_a_name(tmp_path, name):
    mine = {f"a1.json.{2**22 + 1}.part": b"a", f"b.json.{2**22 + 1}.part": b"b", f"abc.{2**22 + 1}.part": b"c"}
    for other, content in mine.items():
        (tmp_path / other).write_bytes(content)
    files.write_whole(tmp_path / name, b"new")
    assert left(tmp_path / name) == {name: b"new", **mine}


def test_the_name_changes_only_after_the_bytes_are_on_the_disk(file, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda number: done.append("sync"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *names: done.append("rename") or replace(*names))
    files.write_whole(file, b"new")
    assert done == ["sync", "rename"] and left(file) == {"file.json": b"new"}
