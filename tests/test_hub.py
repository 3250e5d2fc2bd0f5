"""A model folder is opened only when it is whole, and what is wrong with it is said in both languages."""

import shutil

import pytest

from course_lib import hub
from course_lib.messages import LANGUAGES, LessonError, set_language


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "tiny_kolors"
    shutil.copytree(hub.TINY, copy)
    return copy


def damage_missing(folder):
    (folder / "unet" / "config.json").unlink()
    return "unet/config.json"


def damage_truncated(folder):
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    return "vae/diffusion_pytorch_model.safetensors"


def damage_changed(folder):
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    return "unet/diffusion_pytorch_model.safetensors"


def damage_foreign(folder):
    (folder / "unet" / "pytorch_model.bin").write_bytes(b"a pickle")
    return "unet/pytorch_model.bin"


def damage_manifest(folder):
    (folder / hub.MANIFEST).write_text("[", encoding="utf-8")
    return hub.MANIFEST


def test_the_shipped_model_is_whole():
    assert hub.fetch("tiny") == hub.TINY
    sizes = [record["size"] for record in hub.read_manifest(hub.TINY).values()]
    assert sum(sizes) <= 40e6


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("damage", [damage_missing, damage_truncated, damage_changed, damage_foreign, damage_manifest])
def test_a_damaged_folder_is_refused(folder, damage, language):
    hub.check_folder(folder)
    file = damage(folder)
    set_language(language)
    with pytest.raises(LessonError) as problem:
        hub.check_folder(folder)
    assert file in str(problem.value)


def test_an_unknown_model_is_refused():
    with pytest.raises(LessonError, match="SDXL"):
        hub.fetch("SDXL")
