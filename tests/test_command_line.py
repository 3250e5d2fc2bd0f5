"""`python -m course_lib` as a learner runs it."""

import subprocess
import sys

import pytest
from PIL import Image

from course_lib.messages import LANGUAGES


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "course_lib", *arguments], capture_output=True, text=True,
                          encoding="utf-8", check=False)


def test_draw_writes_a_picture(tmp_path):
    done = run("draw", "一只瓢虫，蓝色背景", "--out", str(tmp_path / "x.png"), "--steps", "4")
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "x.png").size == (64, 64)
    assert done.stderr == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mistake_is_answered_without_a_traceback(tmp_path, language):
    done = run("--language", language, "draw", "", "--out", str(tmp_path / "x.png"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert ("提示词" in done.stderr) == (language == "zh")
    assert len(done.stderr.strip().splitlines()) == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_doctor_says_what_runs_and_what_to_do(language):
    done = run("--language", language, "doctor")
    assert done.returncode == 0, done.stderr
    assert "01_setup" in done.stdout
    assert ("下一步" in done.stdout) == (language == "zh")
