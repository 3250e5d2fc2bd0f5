"""A file is written whole or not at all."""

import os

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


def test_the_name_changes_only_after_the_bytes_are_on_the_disk(file, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda number: done.append("sync"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *names: done.append("rename") or replace(*names))
    files.write_whole(file, b"new")
    assert done == ["sync", "rename"] and left(file) == {"file.json": b"new"}
