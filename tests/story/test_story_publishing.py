"""A story is published with the real client to a hub on this machine: dry first, then for good; the demo."""

import ast
import io
import json
import shutil
import subprocess
import sys

import pytest
from loopback_hub import publishing_hub
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

from course_lib.files import COURSE
from course_lib.lora import publish
from course_lib.lora.conversion import convert
from course_lib.lora.publishing import TOKEN
from course_lib.messages import LessonError
from course_lib.pictures import emoji
from course_lib.sampling.settings import SamplerSettings
from course_lib.story.candidates import Candidate
from course_lib.story.publishing import publish_story
from course_lib.story.scenes import STORIES
from course_lib.story.scores import StoryScore
from course_lib.story.studio import MARK, demo

REPO = "learner/birthday"
STORY = STORIES["birthday"]
SCORE = StoryScore(1.0, 0.875, 1.0, 0.31, 0.97, 0.42)
SHIPPED = COURSE / "data" / "lora" / "line_art.safetensors"


@pytest.fixture
def server(tmp_path, monkeypatch):
    with publishing_hub(monkeypatch, tmp_path) as running:
        yield running


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "lora"
    place.mkdir()
    shutil.copyfile(SHIPPED, place / "lora.safetensors")
    (place / ".env").write_text("SECRET=1")
    (place / "log.jsonl").write_text("{}")
    return place


@pytest.fixture
def kept(tmp_path):
    found = []
    for number, scene in enumerate(STORY.scenes, 1):
        file = tmp_path / f"{number}.png"
        emoji.compose(emoji.Scene(scene.subject, "lineart", scene.ground, 78, 9, 9, False)).save(file)
        found.append(Candidate(number, file, scene.word("lineart"), "", SamplerSettings(seed=number)))
    return found


def test_a_dry_run_shows_the_files_and_the_card_and_sends_nothing(server, folder, kept, capsys, monkeypatch):
    monkeypatch.delenv(TOKEN)  # none is needed
    address = publish_story(folder, REPO, STORY, kept, SCORE)
    said = capsys.readouterr().out
    assert address.endswith(f"/models/{REPO}") and not server.requests
    for name in ("lora.safetensors", "story.png", "story.html", "README.md"):
        assert name in said
    for words in ("小猫的生日", "The cat's birthday", "0.88", "learning", "MIT", "| rank | 16 |"):
        assert words in said
    assert ".env" not in said and "log.jsonl" not in said


def test_what_goes_up_is_what_the_dry_run_listed(server, folder, kept, capsys):
    publish_story(folder, REPO, STORY, kept, SCORE)
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.endswith(" kB")}
    publish_story(folder, REPO, STORY, kept, SCORE, dry_run=False)
    there = server.repos["models", REPO]
    assert set(there) == listed
    card = there["README.md"].decode()
    assert "![小猫的生日](story.png)" in card and card.count("seed 8") == 2
    assert Image.open(io.BytesIO(there["story.png"])).width > 1000


def test_the_published_lora_shows_itself_in_other_tools(server, folder, kept, tmp_path):
    publish_story(folder, REPO, STORY, kept, SCORE, dry_run=False)
    (tmp_path / "up.safetensors").write_bytes(server.repos["models", REPO]["lora.safetensors"])
    with safe_open(tmp_path / "up.safetensors", framework="numpy") as up:
        header = up.metadata()
    assert header["modelspec.thumbnail"].startswith("data:image/jpeg;base64,")


def test_words_of_a_learner_are_no_markup_in_the_card(server, folder, kept, capsys):
    publish_story(folder, REPO, STORY, kept, SCORE, data="<img src=x> [a](http://b) # c\n| d")
    said = capsys.readouterr().out
    assert r"\<img src=x\> \[a\]\(http://b\) \# c \| d" in said


def test_the_token_is_nowhere(server, folder, kept, tmp_path, capfd):
    publish_story(folder, REPO, STORY, kept, SCORE, dry_run=False)
    server.fail("status", "put", 500)
    server.blobs.clear()
    with pytest.raises(LessonError) as problem:
        publish_story(folder, REPO, STORY, kept, SCORE, dry_run=False)
    assert server.token not in "".join(capfd.readouterr()) + str(problem.value)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or server.token.encode() not in file.read_bytes()


def test_an_upload_that_was_cut_goes_on(server, folder, kept):
    server.fail("status", "put", 500)
    with pytest.raises(LessonError):
        publish_story(folder, REPO, STORY, kept, SCORE, dry_run=False)
    server.faults.clear()
    publish_story(folder, REPO, STORY, kept, SCORE, dry_run=False)
    assert "lora.safetensors" in server.repos["models", REPO]


# --- headers that other tools read

def test_headers_that_other_tools_read(tmp_path):
    file = convert(SHIPPED, tmp_path / "line.safetensors", to="kohya")
    with safe_open(file, framework="numpy") as content:
        header = content.metadata()
    assert header["ss_network_dim"] == "16" and float(header["ss_network_alpha"]) == 4
    assert header["modelspec.architecture"] == "tiny-kolors/lora" and header["modelspec.title"] == "line"
    assert header["modelspec.trigger_phrase"] == "线稿" and header["modelspec.sai_model_spec"]
    other = convert(file, tmp_path / "back.safetensors", to="diffusers")
    with safe_open(other, framework="numpy") as content:
        assert "ss_network_dim" not in content.metadata() and content.metadata()["modelspec.title"] == "line"


# --- the demo

def test_a_demo_holds_all_it_needs_and_nothing_private(folder, tmp_path):
    lora = folder / "lora.safetensors"
    with safe_open(lora, framework="numpy") as content:
        tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
        header = content.metadata()
    save_file(tensors, lora, {**header, "ss_dataset_dirs": "/home/me/secret", "trigger_word": "线稿"})
    place = demo(tmp_path / "demo", folder)
    names = {file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file()}
    assert {"app.py", "requirements.txt", "ms_deploy.json", MARK, "lora.safetensors", "model/model_index.json",
            "model/unet/diffusion_pytorch_model.safetensors"} <= names
    assert not any(name.startswith(".") or "card" in name for name in names)
    assert all(b"/home/me" not in file.read_bytes() and str(COURSE).encode() not in file.read_bytes()
               for file in place.rglob("*") if file.is_file())
    assert "线稿" in json.loads((place / MARK).read_text(encoding="utf-8"))["examples"][0]
    modules = {(node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
               for node in ast.walk(ast.parse((place / "app.py").read_text(encoding="utf-8")))
               if isinstance(node, (ast.Import, ast.ImportFrom))}
    needed = (place / "requirements.txt").read_text(encoding="utf-8")
    assert "course_lib" not in modules
    assert all(name in needed for name in modules - set(sys.stdlib_module_names) - {"PIL"})


def test_a_kohya_file_becomes_what_diffusers_reads(tmp_path):
    place = demo(tmp_path / "demo", convert(SHIPPED, tmp_path / "k.safetensors", to="kohya"))
    with safe_open(place / "lora.safetensors", framework="numpy") as content:
        assert all(".lora_A." in name or ".lora_B." in name for name in content.keys())  # noqa: SIM118
        assert "lora_adapter_metadata" in content.metadata()
    assert not list(place.glob(".*"))


def test_a_demo_leaves_other_folders_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(LessonError, match="mine|别的"):
        demo(tmp_path, SHIPPED)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine.txt"]
    place = demo(tmp_path / "demo", SHIPPED)
    (place / "notes.txt").write_text("kept")
    demo(place, SHIPPED)
    assert (place / "notes.txt").read_text() == "kept"


def test_a_demo_is_published_as_a_studio(server, tmp_path, capsys):
    place = demo(tmp_path / "demo", SHIPPED)
    (place / ".env").write_text("SECRET=1")
    publish(place, REPO, kind="studio", dry_run=True)
    assert "app.py" in capsys.readouterr().out and not server.requests
    publish(place, REPO, kind="studio")
    there = server.repos["studios", REPO]
    assert there["app.py"] == (place / "app.py").read_bytes() and "model/vae/config.json" in there
    assert not any(name.startswith(".") for name in there)


def test_another_folder_is_no_demo(server, folder, tmp_path):
    with pytest.raises(LessonError, match="app.py"):
        publish(folder, REPO, kind="studio")
    with pytest.raises(LessonError):
        publish(folder, REPO, kind="space")


def test_the_demo_starts_and_draws(tmp_path):
    """Runs where Gradio is installed; the course does not bring it."""
    pytest.importorskip("gradio")
    place = demo(tmp_path / "demo", SHIPPED)
    code = ("import app, gradio\n"
            "one, other = (app.draw('一只小猫，线稿，蓝色背景', '', 1, 2, 3, strength) for strength in (1, 0))\n"
            "assert one.width >= 256 and one.tobytes() != other.tobytes()\n"
            "bad = [('', '', 1, 2, 3, 1), ('猫', '', 'x', 2, 3, 1), ('猫' * 4000, '', 1, 2, 3, 1),\n"
            "       ('猫', '', 1, 10**9, 3, 1), ('猫', '', float('nan'), 2, 3, 1), (None, None, 1, 2, 3, 1)]\n"
            "for each in bad:\n"
            "    try:\n        app.draw(*each)\n    except gradio.Error:\n        continue\n"
            "    raise SystemExit(str(each))\n")
    subprocess.run([sys.executable, "-c", code], cwd=place, check=True, timeout=300)
