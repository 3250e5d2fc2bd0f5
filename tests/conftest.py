"""What every test starts from: Chinese messages, whatever a test before it chose; and one loaded model for all."""

import signal

import pytest

from course_lib.messages import set_language

# A shell lets what it runs in the background ignore Ctrl+C, and children inherit that: the stop button did nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def speak_chinese():
    set_language("zh")


@pytest.fixture(scope="session")
def pipe():
    from course_lib.model.loading import load

    return load("tiny")
