"""What every test starts from: Chinese messages, whatever a test before it chose; and one loaded model for all."""

import pytest

from course_lib.messages import set_language


@pytest.fixture(autouse=True)
def speak_chinese():
    set_language("zh")


@pytest.fixture(scope="session")
def pipe():
    from course_lib.pipeline import load

    return load("tiny")
