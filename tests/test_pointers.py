"""A Git LFS pointer is called one wherever a file is opened; parts of a model: model/test_broken_models.py."""

import pytest

from course_lib.lora.conversion import convert
from course_lib.lora.inspection import inspect
from course_lib.lora.publishing import publish
from course_lib.lora.verbs import load_lora
from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.workflow import read
from course_lib.workflow.picture_settings import read_settings

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 93000000\n"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name, call", [
    ("epoch=0-step=500.ckpt", lambda path: load_lora(None, path, alpha=4)),
    ("lora.safetensors", lambda path: load_lora(None, path)), ("lora.safetensors", inspect),
    ("lora.safetensors", lambda path: inspect(path.parent)),
    ("lora.pt", lambda path: convert(path, path.with_name("k.safetensors"), to="kohya")),
    ("lora.safetensors", lambda path: publish(path.parent, "me/lora")),
    ("kolors.png", read_settings), ("kolors.png", read), ("workflow.json", read)])
def test_a_pointer_is_named(tmp_path, language, name, call):
    set_language(language)
    (tmp_path / name).write_text(POINTER)
    with pytest.raises(LessonError) as problem:
        call(tmp_path / name)
    assert "Git LFS" in problem.value.what and name in problem.value.what
    assert "git lfs pull" in problem.value.next_step
