"""A model folder is opened only when it is whole, and what is wrong with it is said in both languages.

How names, patterns and records lead to a folder; what the network does to it is tried in test_download.py.
"""

import shutil

import pytest
from loopback_hub import environment, kolors_layout, read_tree, running_hub, wanted_of_kolors

from course_lib.hub import fetching, manifest, repository
from course_lib.hub.repository import Listed
from course_lib.messages import LANGUAGES, LessonError, set_language

CKPT = "models/lightning_logs/version_0/checkpoints/epoch=0-step=500.ckpt"


@pytest.fixture
def folder(tmp_path):
    copy = tmp_path / "tiny_kolors"
    shutil.copytree(repository.TINY, copy)
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
    (folder / manifest.MANIFEST).write_text("[", encoding="utf-8")
    return manifest.MANIFEST


def test_the_shipped_model_is_whole():
    assert fetching.fetch("tiny") == repository.TINY
    sizes = [record["size"] for record in manifest.read_manifest(repository.TINY).values()]
    assert sum(sizes) <= 40e6


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("damage", [damage_missing, damage_truncated, damage_changed, damage_foreign, damage_manifest])
def test_a_damaged_folder_is_refused(folder, damage, language):
    manifest.check_folder(folder)
    file = damage(folder)
    set_language(language)
    with pytest.raises(LessonError) as problem:
        manifest.check_folder(folder)
    assert file in str(problem.value)


@pytest.mark.parametrize("name", ["SDXL", "", None, "a/b/c", "../x", "a/..", "/etc/passwd", "a/b c", "owner/", "./a"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(LessonError, match="没有叫") as problem:
        fetching.fetch(name)
    assert all(known in problem.value.why for known in ("tiny", "kolors"))


@pytest.mark.parametrize("revision", ["..", "a/..", "/a", "a b", "-x"])
def test_a_revision_that_is_none_is_refused(revision):
    with pytest.raises(LessonError, match="版本名"):
        fetching.fetch("kolors", revision=revision)


def list_all(*paths):
    return [Listed(path, 1, None) for path in paths]


def choose(repo, *paths):
    return [file.path for file in repository.choose(list_all(*paths), repo)]


def test_fp16_alone_where_there_is_fp16():
    repo = repository.find_repo("owner/name")
    assert choose(repo, "unet/a.safetensors", "unet/a.fp16.safetensors", "vae/b.safetensors", "vae/b.bin", "x.json",
                  "text_encoder/m-00001-of-00002.safetensors", "text_encoder/m.fp16-00001-of-00001.safetensors") == [
        "unet/a.fp16.safetensors", "vae/b.safetensors", "x.json", "text_encoder/m.fp16-00001-of-00001.safetensors"]


def test_named_patterns_are_taken_as_they_are():
    repo = repository.find_repo("owner/name", patterns=["unet/*.safetensors"])
    assert choose(repo, "unet/a.safetensors", "unet/a.fp16.safetensors", "x.json") == [
        "unet/a.safetensors", "unet/a.fp16.safetensors"]


@pytest.mark.parametrize("name", ["kolors", "owner/name", "datasets/owner/name"])
def test_no_file_that_runs_code_comes_unasked(name):
    unsafe = [f"x/weights{ending}" for ending in repository.CODE]
    chosen = choose(repository.find_repo(name), *kolors_layout(100), *unsafe)
    assert not [path for path in chosen if path.endswith(repository.CODE)]


def test_a_pickle_comes_only_by_its_name():
    assert choose(repository.find_repo("o/n", patterns=["*.ckpt"]), "a.ckpt", "a.pt") == ["a.ckpt"]
    with pytest.raises(LessonError):
        choose(repository.find_repo("o/n", patterns=["a*"]), "a.ckpt")


def test_a_pattern_that_fits_nothing_is_an_error():
    with pytest.raises(LessonError, match="fp16") as problem:
        choose(repository.KOLORS, "model_index.json", "scheduler/a.json", "tokenizer/a", "text_encoder/config.json",
               "text_encoder/model.safetensors", "unet/config.json", "unet/x.safetensors", "vae/config.json")
    assert "text_encoder/model.safetensors" in problem.value.why
    with pytest.raises(LessonError, match="没有符合"):
        choose(repository.find_repo("o/n"))


def test_an_extra_may_be_missing():
    without = [path for path in wanted_of_kolors(kolors_layout(100)) if path != "MODEL_LICENSE"]
    assert choose(repository.KOLORS, *without) == without


# --- with a hub on this machine ---

@pytest.fixture
def server(tmp_path, monkeypatch):
    repos = {("models", repository.KOLORS.name): kolors_layout(10_000),
             ("models", "someone/lora"): {"lora.safetensors": b"l" * 100, "README.md": b"#"},
             ("datasets", "someone/pictures"): {f"train/{number:03}.png": bytes([number % 256]) * 10
                                                for number in range(205)} | {"train/metadata.csv": b"file_name,text"},
             ("datasets", "maochase/kolors_test_comfyui"): {
                 "kolors_example.json": b'{"nodes": []}', "kolors_with_lora_example.json": b'{"nodes": [1]}',
                 "lora/epoch=0-step=500.ckpt": b"a pickle", "ComfyUI.ipynb": b"{}"},
             ("datasets", "maochase/kolors"): {"baseline.ipynb": b"{}", "data.zip": b"zip"}}
    with running_hub(repos) as running:
        for name, value in {**environment(tmp_path), "MODELSCOPE_ENDPOINT": running.address}.items():
            monkeypatch.setenv(name, value)
        yield running


def test_a_data_set_comes_as_files_from_all_pages(server):
    folder = fetching.fetch("datasets/someone/pictures")
    assert read_tree(folder) == server.repos["datasets", "someone/pictures"]
    assert folder.parts[-4:-2] == ("datasets", "someone--pictures")
    assert server.listings() == 2


def test_a_lora_comes_through_the_same_call(server, tmp_path):
    folder = fetching.fetch("someone/lora", folder=tmp_path / "loras")
    assert folder == tmp_path / "loras" and read_tree(folder) == {"lora.safetensors": b"l" * 100}


def test_parts_of_a_repository_one_after_the_other(server, capsys):
    folder = fetching.fetch("kolors", patterns=["vae/*.fp16.safetensors"])
    assert list(read_tree(folder)) == ["vae/diffusion_pytorch_model.fp16.safetensors"]
    assert fetching.find_damage(folder, repository.KOLORS) == fetching.RECORD
    fetching.fetch("kolors")
    fetching.fetch("kolors", patterns="unet/config.json")
    assert len(server.asked_for("vae/diffusion_pytorch_model.fp16.safetensors")) == 1
    (folder / "unet" / "config.json").unlink()
    server.stop()
    fetching.fetch("kolors", patterns=["vae/*.fp16.safetensors"])
    assert fetching.find_damage(folder, repository.KOLORS) == "unet/config.json"


def test_revisions_and_repositories_do_not_mix(server, tmp_path):
    fetching.fetch("kolors", folder=tmp_path / "one")
    with pytest.raises(LessonError, match="v1"):
        fetching.fetch("kolors", revision="v1", folder=tmp_path / "one")
    with pytest.raises(LessonError):
        fetching.fetch("someone/unknown", folder=tmp_path / "one")
    server.stop()
    fetching.fetch("kolors", folder=tmp_path / "one")


def test_the_licence_is_shown_once_before_the_first_byte(server, capsys):
    licence = "kwai-kolors@kuaishou.com"
    server.fail("status", "unet/config.json", 403, times=1)
    server.fail("then", "model_index.json", lambda: shown.append(licence in capsys.readouterr().out), times=1)
    shown = []
    with pytest.raises(LessonError):
        fetching.fetch("kolors")
    assert shown == [True]
    folder = fetching.fetch("kolors")
    shutil.rmtree(folder / "vae")
    fetching.fetch("kolors")
    assert licence not in capsys.readouterr().out
    fetching.fetch("someone/lora")
    assert licence not in capsys.readouterr().out


def test_a_copy_made_elsewhere_is_hashed_once(server, tmp_path, monkeypatch):
    shutil.copytree(fetching.fetch("kolors"), tmp_path / "copy", copy_function=shutil.copyfile)
    server.stop()
    fetching.fetch("kolors", folder=tmp_path / "copy")
    monkeypatch.setattr(fetching, "sha256", lambda file: pytest.fail(f"{file} was read again"))
    fetching.fetch("kolors", folder=tmp_path / "copy")


def test_what_the_repository_changed_is_said(server, capsys):
    folder = fetching.fetch("kolors")
    server.repos["models", repository.KOLORS.name]["vae/config.json"] = b'{"new": 1}'
    (folder / "unet" / "config.json").unlink()
    capsys.readouterr()
    fetching.fetch("kolors")
    assert "改过这些文件：vae/config.json" in capsys.readouterr().out
    assert (folder / "vae" / "config.json").read_bytes() == b'{"new": 1}'


@pytest.mark.parametrize("content", ["", "[", "[]", '{"files": {}}'])
def test_a_broken_record_is_no_record(server, content):
    folder = fetching.fetch("kolors")
    (folder / fetching.RECORD).write_text(content)
    assert fetching.find_damage(folder, repository.KOLORS) == fetching.RECORD
    fetching.fetch("kolors")
    assert fetching.find_damage(folder, repository.KOLORS) is None
