"""log.jsonl: a line a step, whole after kill -9, continued by a resumed training; trackers get the same numbers."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from accelerate import tracking

from course_lib.dataset.example_sets import write_style_set
from course_lib.lora.verbs import remove_lora
from course_lib.messages import LessonError
from course_lib.model.loading import load
from course_lib.training.config import TrainConfig
from course_lib.training.log import LOG, Recorder, read_log
from course_lib.training.loop import train
from course_lib.training.report import StepRecord

SMALL = TrainConfig(lora_rank=4, batch_size=1, steps_per_epoch=6, lr_warmup_steps=2, checkpoint_every=2,
                    validation_every=3, validation_levels=1)
RECORD = StepRecord(1, 2, 0.5, 0.4, 1e-3, float("inf"), 0.1, 0.2, 10**9)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return write_style_set(tmp_path_factory.mktemp("set"), subjects=3, validation=1, seed=3)


@pytest.fixture(scope="module")
def own_pipe():
    return load("tiny")


@pytest.fixture
def pipe(own_pipe):
    yield own_pipe
    if getattr(own_pipe.unet, "peft_config", None):
        remove_lora(own_pipe.unet)


def quiet(words):
    pass


def test_each_step_has_its_line_before_it_is_handed_out(pipe, place, tmp_path):
    out = tmp_path / "out"
    for record in train(pipe, place, SMALL, output_path=out, say=quiet, cache=tmp_path / "cache"):
        lines = read_log(out)
        assert [line["step"] for line in lines] == list(range(1, record.step + 1))
        assert lines[-1]["loss"] == record.loss and lines[-1]["rate"] == record.rate
    assert ["validation_loss" in line for line in lines] == [False, False, True] * 2
    assert lines[-1]["stopped"] == "done" and "stopped" not in lines[0]
    assert str(tmp_path) not in (out / LOG).read_text()


def test_leaving_the_loop_still_saves(pipe, place, tmp_path):
    out = tmp_path / "out"
    for _ in train(pipe, place, SMALL, output_path=out, say=quiet, cache=tmp_path / "cache"):
        break
    assert len(read_log(out)) == 1
    # the generator is closed when nothing holds it any more
    assert (out / "lora.safetensors").is_file()


def test_kill_loses_no_line_and_resume_goes_on(pipe, place, tmp_path):
    code = textwrap.dedent(f"""
        import os, signal
        from course_lib.model.loading import load
        from course_lib.training.config import TrainConfig
        from course_lib.training.loop import train
        config = TrainConfig(**{dict(vars(SMALL))!r})
        for record in train(load("tiny"), {str(place)!r}, config, output_path={str(tmp_path / "out")!r}, say=str,
                            cache={str(tmp_path / "cache")!r}):
            if record.step == 5:
                os.kill(os.getpid(), signal.SIGKILL)
    """)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr[-500:]
    out = tmp_path / "out"
    assert [line["step"] for line in read_log(out)] == [1, 2, 3, 4, 5]
    with (out / LOG).open("ab") as log:
        log.write(b'{"step": 6, "los')  # as if the power had gone in the middle of a line
    before = read_log(out)
    list(train(pipe, place, SMALL, output_path=out, resume=True, say=quiet, cache=tmp_path / "cache"))
    after = read_log(out)
    assert [line["step"] for line in after] == [1, 2, 3, 4, 5, 6]  # 5 was taken again, from the checkpoint of 4
    assert after[:4] == before[:4] and after[4]["loss"] == pytest.approx(before[4]["loss"], rel=1e-4)


def test_a_disk_that_is_full_does_not_end_the_training(tmp_path, monkeypatch):
    said = []
    recorder = Recorder(tmp_path / LOG, 0, said.append)
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    recorder.write(RECORD)
    recorder.write(RECORD)
    assert len(said) == 1 and "No space" in said[0]


def test_what_is_no_number_is_json_all_the_same(tmp_path):
    recorder = Recorder(tmp_path / LOG, 0, quiet)
    recorder.write(RECORD)
    recorder.close()
    [line] = (tmp_path / LOG).read_text().splitlines()
    assert json.loads(line, parse_constant=pytest.fail)["gradient"] is None


@pytest.mark.parametrize("content", [b"{}\n", b"[1]\n", b'{"step": "x"}\n', b"\xff\n", b"[" * 100_000 + b"\n"])
def test_what_is_no_log_is_told(tmp_path, content):
    (tmp_path / LOG).write_bytes(content)
    with pytest.raises(LessonError, match="log.jsonl"):
        read_log(tmp_path)
    with pytest.raises(LessonError):
        read_log(tmp_path / "none")


class FakeTracker:
    requires_logging_directory = True

    def __init__(self, run_name, logging_dir):
        self.run_name, self.logging_dir, self.told = run_name, logging_dir, []

    def start(self):
        self.told.append("start")

    def store_init_configuration(self, values):
        self.settings = values

    def log(self, values, step):
        self.told.append((step, values))

    def finish(self):
        self.told.append("finish")


def test_a_tracker_gets_settings_and_numbers(pipe, place, tmp_path, monkeypatch):
    made = []
    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "tensorboard",
                        type("Fake", (FakeTracker,), {"__init__": lambda self, *a, **k: (
                            FakeTracker.__init__(self, *a, **k), made.append(self))[0]}))
    monkeypatch.setattr(tracking, "get_available_trackers", lambda: ["tensorboard"])
    list(train(pipe, place, SMALL.but(report_to="tensorboard", steps_per_epoch=3), output_path=tmp_path / "out",
               say=quiet, cache=tmp_path / "cache"))
    [tracker] = made
    assert tracker.told[0] == "start" and tracker.told[-1] == "finish" and len(tracker.told) == 5
    assert tracker.settings["lora_rank"] == 4 and tracker.told[3][0] == 3 and "validation_loss" in tracker.told[3][1]


def test_a_tracker_that_is_missing_is_told_before_a_step(pipe, place, tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "get_available_trackers", list)
    with pytest.raises(LessonError, match="pip install swanlab"):
        next(train(pipe, place, SMALL.but(report_to="swanlab"), output_path=tmp_path / "out", say=quiet))
    with pytest.raises(LessonError, match="report_to"):
        next(train(pipe, place, SMALL.but(report_to="excel"), say=quiet))
