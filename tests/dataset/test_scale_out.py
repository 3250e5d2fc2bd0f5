"""scale_out gives what prepare gives, whatever the engine loses; the real one runs if COURSE_SCALE_PYTHON names it."""

import json
import os
import stat
import sys

import pytest
from test_dataset import COURSE, make_set, snapshot

from course_lib.dataset.checking import prepare, scale_out
from course_lib.dataset.cluster import PYTHON
from course_lib.messages import LessonError

# Answers as Data-Juicer does: reads the recipe, measures, writes; {loss} is what goes wrong.
STAND_IN = """#!{python}
import json, sys
from dataclasses import asdict
from pathlib import Path
from course_lib.pictures.picture_files import open_picture
from course_lib.dataset.signals import measure
assert sys.argv[1:3] == ["-m", "data_juicer.tools.process_data"] and sys.argv[3] == "--config"
recipe = json.loads(Path(sys.argv[4]).read_text())
assert recipe["process"] == [{{"course_measure_mapper": {{"batch_size": 1}}}}]
rows = [json.loads(line) for line in open(recipe["dataset_path"], encoding="utf-8")]
for row in rows:
    row["measured"] = json.dumps(asdict(measure(open_picture(Path(row["path"])).image)))
lines = [json.dumps(row) for row in rows]
out = Path(recipe["export_path"])
{loss}
"""
WHOLE = "out.write_text('\\n'.join(lines))"


def engine(place, loss):
    """Write a stand-in for the Python that has Data-Juicer."""
    place.write_text(STAND_IN.format(python=sys.executable, loss=loss))
    place.chmod(place.stat().st_mode | stat.S_IXUSR)
    return place


@pytest.fixture
def raw(tmp_path):
    folder = make_set(tmp_path / "raw", 8)
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:200])
    (folder / "broken.txt").write_text("坏的", encoding="utf-8")
    return folder


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script")
@pytest.mark.parametrize("loss, lost", [
    (WHOLE, 0), ("out.write_text('')", 8), ("out.write_text('\\n'.join(lines[:5]))", 3),
    ("out.write_text('\\n'.join([lines[0][:-9], 'null', '{}', *lines[1:]]))", 1),
    ("out.mkdir(); (out / '1.json').write_text(lines[7]); (out / '2.json').write_text('\\n'.join(lines[:7]))", 0)])
def test_the_result_is_that_of_one_machine_whatever_the_engine_loses(raw, tmp_path, capsys, loss, lost):
    alone = prepare(raw, tmp_path / "alone", validation=0.3)
    many = scale_out(raw, tmp_path / "many", validation=0.3, python=engine(tmp_path / "python", loss))
    assert many.rows == alone.rows and many.row("broken.png").verdict == "drop"
    assert snapshot(tmp_path / "many") == snapshot(tmp_path / "alone")
    said = capsys.readouterr().out
    assert f"交给 Data-Juicer 8 张，量好的有 {8 - lost} 张" in said
    assert all((f"{number}.png" in said) == (lost == 8) for number in (3,))


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script")
@pytest.mark.parametrize("loss", ["sys.exit(3)", "print('done')"])
def test_an_engine_that_fails_leaves_nothing(raw, tmp_path, loss):
    with pytest.raises(LessonError):
        scale_out(raw, tmp_path / "many", python=engine(tmp_path / "python", loss))
    assert not (tmp_path / "many").exists()


def test_without_an_engine_it_says_how_to_get_one(raw, tmp_path, monkeypatch):
    monkeypatch.setenv(PYTHON, str(tmp_path / "none"))
    with pytest.raises(LessonError) as raised:
        scale_out(raw, tmp_path / "many")
    assert (COURSE / "course_lib" / "dataset" / "cluster_requirements.txt").is_file()
    assert "course_lib/dataset/cluster_requirements.txt" in raised.value.next_step
    with pytest.raises(LessonError):
        scale_out(raw, tmp_path / "many", engine="spark")


@pytest.mark.skipif(PYTHON not in os.environ, reason=f"{PYTHON} names no Python with Data-Juicer")
@pytest.mark.parametrize("name", ["default", "ray"])
def test_data_juicer_itself_gives_the_same(raw, tmp_path, name):
    alone = prepare(raw, tmp_path / "alone")
    many = scale_out(raw, tmp_path / "many", engine=name)
    assert many.rows == alone.rows
    assert json.dumps(snapshot(tmp_path / "many")) == json.dumps(snapshot(tmp_path / "alone"))
