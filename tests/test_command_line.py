"""`python -m course_lib` as a learner runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from course_lib.commands import to_shell
from course_lib.messages import LANGUAGES
from course_lib.pictures.emoji import PICTURE_SIZE

COURSE = Path(__file__).parent.parent


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "course_lib", *arguments], capture_output=True, text=True,
                          encoding="utf-8", check=False)


def test_draw_writes_a_picture(tmp_path):
    done = run("draw", "一只瓢虫，蓝色背景", "--out", str(tmp_path / "x.png"), "--steps", "4")
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "x.png").size == (PICTURE_SIZE, PICTURE_SIZE)
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


@pytest.mark.parametrize("others", ["", "/elsewhere"])
def test_another_python_goes_on_in_the_courses_own(tmp_path, monkeypatch, others):
    """A Python without packages, from another folder, by the folder's name."""
    monkeypatch.setenv("PYTHONPATH", others)
    course = copy_course(tmp_path)
    own = course / ".venv" / "bin"
    own.mkdir(parents=True)
    (own / "python").write_text('#!/bin/sh\necho "own $PYTHONPATH $*"\nexit 3\n')
    (own / "python").chmod(0o755)
    command = [sys.executable, "-I", "-S", str(course / "course_lib"), "draw", "a cat", "--out", "x.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 3 and done.stderr == ""
    places = os.pathsep.join(filter(None, [str(course), others]))
    assert done.stdout.strip() == f"own {places} -m course_lib draw a cat --out x.png"


@pytest.mark.parametrize("language, word", [("zh", "make install"), ("en", "Go into")])
def test_without_an_environment_it_says_what_to_do(tmp_path, language, word):
    course = copy_course(tmp_path)
    command = [sys.executable, "-I", "-S", str(course / "course_lib"), "--language", language, "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 1 and word in done.stderr and "Traceback" not in done.stderr


def copy_course(folder):
    """Copy the package without its environment."""
    shutil.copytree(COURSE / "course_lib", folder / "course" / "course_lib",
                    ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "course"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8", "latin-1"])
def test_a_screen_that_claims_to_know_no_chinese(encoding):
    done = subprocess.run([sys.executable, "-m", "course_lib", "doctor"], capture_output=True, cwd=COURSE,
                          env={**os.environ, "PYTHONIOENCODING": encoding, "COURSE_LANG": "zh"})
    assert done.returncode == 0 and "下一步" in done.stdout.decode("utf-8")


@pytest.mark.parametrize("command", [["train"], ["draw"], ["comfyui"]])
def test_help_is_in_the_language_that_was_asked_for(command):
    for flag in (["--language", "en"], ["--language=en"]):
        assert run(*flag, *command, "--help").stdout.isascii()
    assert not run("--language", "zh", *command, "--help").stdout.isascii()


def test_a_picture_of_another_ending_is_refused_at_once(tmp_path):
    done = run("draw", "a cat", "--out", str(tmp_path / "x.jpg"))
    assert done.returncode == 1 and ".png" in done.stderr and not list(tmp_path.iterdir())


def test_a_lora_draws_with_its_trigger_word(tmp_path):
    lora = COURSE / "data" / "lora" / "line_art.safetensors"
    for strength, name in (("1", "with.png"), ("0", "without.png")):
        done = run("draw", "一只猫", "--lora", str(lora), "--strength", strength, "--steps", "4", "--out",
                   str(tmp_path / name))
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "with.png").read_bytes() != (tmp_path / "without.png").read_bytes()
    done = run("draw", "x", "--lora", str(tmp_path / "none.safetensors"), "--out", str(tmp_path / "y.png"))
    assert done.returncode == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize("said, wanted", [
    ("写 learning_rate=1.0。", "写 --learning_rate 1.0。"), ("Write learning_rate=1.0.", "Write --learning_rate 1.0."),
    ("use_gradient_checkpointing=True; batch_size=1 with x", "--use_gradient_checkpointing; --batch_size 1 with x"),
    ('optimizer="adamw".', '--optimizer "adamw".'), ("rate=3 and COURSE_LANG=en", "rate=3 and COURSE_LANG=en"),
    ("先运行 comfyui.start()。", "先运行 python -m course_lib comfyui start。"),
    ('Run comfyui.install("a path")', 'Run python -m course_lib comfyui install "a path"'),
    ("comfyui.start(port=9000)", "python -m course_lib comfyui start --port 9000"),
    ("comfyui.start(seconds=600)", "comfyui.start(seconds=600)")])
def test_what_a_notebook_would_type_is_told_as_flags(said, wanted):
    flags = ("learning_rate", "use_gradient_checkpointing", "batch_size", "optimizer", "port")
    assert to_shell(said, flags) == wanted


def test_the_next_step_of_a_command_is_one_for_the_command_line(tmp_path):
    done = run("--language", "en", "train", "--dataset_path", str(tmp_path), "--output_path", str(tmp_path / "out"),
               "--lora_rank", "0")
    assert done.returncode == 1 and "--lora_rank 16" in done.stderr and "=" not in done.stderr


def test_a_learners_own_words_are_told_as_they_are(tmp_path):
    done = run("--language", "en", "draw", "cfg=3", "--out", str(tmp_path / "x.png"))
    assert done.returncode == 1 and "cfg=3" in done.stderr and "--cfg" not in done.stderr
