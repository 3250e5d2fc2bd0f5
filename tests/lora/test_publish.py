"""A LoRA is published with the real client to a hub on this machine: its card, its files, and where the token goes."""

import json
import os
import re
import subprocess
import sys

import numpy
import pytest
from loopback_hub import publishing_hub
from PIL import Image
from safetensors.numpy import save_file

from course_lib import files
from course_lib.hub import fetching, repository
from course_lib.lora.publishing import TOKEN, find_alpha, publish
from course_lib.messages import LessonError, set_language

REPO = "learner/line-art"
LORA = {f"unet.block.{part}.lora_{side}.weight": numpy.ones((4, 8) if side == "A" else (8, 4), numpy.float32)
        for part in ("to_q", "to_k") for side in "AB"}
HEADER = {"rank": "4", "alpha": "2", "trigger_word": "线稿", "base_model": "kolors"}


@pytest.fixture
def server(tmp_path, monkeypatch):
    with publishing_hub(monkeypatch, tmp_path) as running:
        yield running


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "lora"
    place.mkdir()
    save_file(LORA, place / "lora.safetensors", HEADER)
    Image.new("RGB", (8, 8), "red").save(place / "sample.png")
    (place / "MODEL_LICENSE").write_text("the agreement")
    (place / ".env").write_text("SECRET=1")
    (place / "last.ckpt").write_bytes(b"a pickle")
    (place / "notes.txt").write_text("private")
    return place


def test_a_lora_comes_back_as_it_was(server, folder):
    address = publish(folder, REPO)
    assert address == f"{server.address}/models/{REPO}"
    there = server.repos["models", REPO]
    assert sorted(there) == ["MODEL_LICENSE", "README.md", "lora.safetensors", "sample.png"]
    fetched = fetching.fetch(REPO)
    assert (fetched / "lora.safetensors").read_bytes() == (folder / "lora.safetensors").read_bytes()


def test_the_card_says_what_it_is(server, folder):
    publish(folder, REPO)
    card = server.repos["models", REPO]["README.md"].decode()
    assert card.startswith('---\nlicense: "other"\n') and 'base_model: ["Kwai-Kolors/Kolors-diffusers"]\n' in card
    for row in ("| rank | 4 |", "| alpha | 2 |", "| 触发词 | 线稿 |", "| trigger word | 线稿 |", "# line-art"):
        assert row in card
    assert card.count("kwai-kolors@kuaishou.com") == 2 and "MODEL_LICENSE" in card
    assert "许可协议" in card and "agreement" in card


def test_what_is_given_comes_before_the_header(server, folder):
    publish(folder, REPO, alpha=4, trigger="a | new\nword", base="owner/other")
    card = server.repos["models", REPO]["README.md"].decode()
    for row in ("| alpha | 4 |", "| trigger word | a new word |", "| base model | owner/other |"):
        assert row in card


def test_a_lora_of_the_tiny_model_is_not_called_kolors(server, folder):
    publish(folder, REPO, base="tiny")
    card = server.repos["models", REPO]["README.md"].decode()
    assert "base_model:" not in card and "Tiny Kolors" in card and "kwai-kolors@kuaishou.com" in card


def test_publishing_again_replaces(server, folder):
    publish(folder, REPO)
    save_file({name: 2 * value for name, value in LORA.items()}, folder / "lora.safetensors", HEADER)
    publish(folder, REPO)
    assert server.repos["models", REPO]["lora.safetensors"] == (folder / "lora.safetensors").read_bytes()


def test_the_agreement_is_taken_from_the_downloaded_kolors(server, folder, capsys):
    (folder / "MODEL_LICENSE").unlink()
    publish(folder, REPO)
    assert "没有找到 Kolors 的许可协议" in capsys.readouterr().out
    place = repository.cache_folder(repository.KOLORS)
    place.mkdir(parents=True)
    (place / "MODEL_LICENSE").write_text("from the download")
    publish(folder, REPO)
    assert server.repos["models", REPO]["MODEL_LICENSE"] == b"from the download"


@pytest.mark.parametrize("header, alphas, alpha", [
    ({"alpha": "4.0"}, {8.0}, 8.0), ({"ss_network_alpha": "2"}, set(), 2.0), ({}, {8.0}, 8.0), ({}, {8.0, 4.0}, None),
    ({"alpha": "4.0"}, set(), 4.0), ({"ss_network_alpha": "None"}, set(), None),
    ({"ss_network_alpha": "None"}, {2.0}, 2.0),
    ({"lora_adapter_metadata": json.dumps({"unet.r": 16, "unet.lora_alpha": 4})}, set(), 4.0), ({}, set(), None)])
def test_alpha_is_found_and_never_guessed(header, alphas, alpha):
    assert find_alpha(header, alphas) == alpha


def test_kohyas_names_are_known(server, folder):
    save_file({"lora_unet_a.lora_down.weight": numpy.ones((16, 8), numpy.float16),
               "lora_unet_b.lora_down.weight": numpy.ones((4, 8), numpy.float16),
               "lora_unet_a.alpha": numpy.array(8, numpy.float32)}, folder / "lora.safetensors")
    publish(folder, REPO)
    card = server.repos["models", REPO]["README.md"].decode()
    assert "| rank | 4-16 |" in card and "| alpha | 8 |" in card and "| 触发词 | 没有 |" in card


# --- the token ---

def test_the_token_is_nowhere_but_in_the_requests(server, folder, tmp_path, capfd):
    publish(folder, REPO)
    server.fail("status", "put", 500)
    server.blobs.clear()
    with pytest.raises(LessonError) as problem:
        publish(folder, REPO)
    said = "".join(capfd.readouterr()) + str(problem.value)
    assert server.token not in said
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or server.token.encode() not in file.read_bytes()
    sent = [headers for _, path, _, headers in server.requests if server.token in str(headers)]
    assert sent and not any(server.token in str(body) for body in server.commits)


def test_no_token(server, folder, monkeypatch):
    monkeypatch.delenv(TOKEN)
    with pytest.raises(LessonError, match="访问令牌") as problem:
        publish(folder, REPO)
    assert "getpass" in problem.value.next_step
    assert not server.requests


def test_a_wrong_token(server, folder, monkeypatch):
    monkeypatch.setenv(TOKEN, "another")
    with pytest.raises(LessonError, match="401") as problem:
        publish(folder, REPO)
    assert "another" not in str(problem.value)
    assert ("models", REPO) not in server.repos


def test_a_repository_of_somebody_else(server, folder):
    server.fail("status", "post", 403)
    with pytest.raises(LessonError, match="不属于你"):
        publish(folder, "someone/else")


# --- what fails ---

def test_a_file_that_did_not_arrive_is_seen(server, folder):
    server.fail("lose", "lora.safetensors")
    with pytest.raises(LessonError, match="lora.safetensors") as problem:
        publish(folder, REPO)
    assert "核对" in problem.value.why


def test_server_down(server, folder):
    server.stop()
    with pytest.raises(LessonError, match="没有发布成功"):
        publish(folder, REPO)


@pytest.mark.parametrize("name", ["line-art", "a/b/c", "../x", "a b/c", ""])
def test_a_name_without_owner(folder, name):
    with pytest.raises(LessonError, match="仓库名"):
        publish(folder, name)


def test_no_lora(server, folder):
    (folder / "lora.safetensors").unlink()
    with pytest.raises(LessonError, match="pickle"):
        publish(folder, REPO)


def test_two_loras(folder):
    save_file(LORA, folder / "second.safetensors", HEADER)
    with pytest.raises(LessonError, match="second.safetensors"):
        publish(folder, REPO)


def test_a_broken_file(folder):
    (folder / "lora.safetensors").write_bytes(b"no header")
    with pytest.raises(LessonError, match="不是可用的"):
        publish(folder, REPO)


@pytest.mark.parametrize("header", [{"alpha": "much"}, {"lora_adapter_metadata": "[]"}, {"lora_adapter_metadata": "{"}])
def test_a_broken_header(folder, header):
    save_file(LORA, folder / "lora.safetensors", header)
    with pytest.raises(LessonError, match="不是可用的"):
        publish(folder, REPO)


def test_a_model_is_no_lora(folder):
    save_file({"unet.weight": numpy.ones(4)}, folder / "lora.safetensors", HEADER)
    with pytest.raises(LessonError, match="没有 LoRA 的矩阵"):
        publish(folder, REPO)


def test_no_alpha_is_asked_for(folder):
    save_file(LORA, folder / "lora.safetensors", {"rank": "4"})
    set_language("en")
    with pytest.raises(LessonError, match=re.escape("publish(..., alpha=4)")):
        publish(folder, REPO)


def test_publish_brings_no_torch():
    code = "import sys\nimport course_lib.lora.publishing\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code],
                   cwd=files.COURSE, check=True, env=os.environ)
