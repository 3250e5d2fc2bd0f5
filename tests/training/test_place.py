"""No training takes another's place on the disk, and none goes on with what does not belong to it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from course_lib.dataset.example_sets import write_style_set
from course_lib.hub import repository
from course_lib.lora.verbs import add_lora, remove_lora
from course_lib.machine.planning import plan
from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.model import fingerprints
from course_lib.model.loading import load, open_folder
from course_lib.training.checkpoint import STATE
from course_lib.training.config import TrainConfig
from course_lib.training.examples import encode_set
from course_lib.training.loop import fit, train
from course_lib.training.place import claim
from course_lib.training.run import CHECKPOINTS
from course_lib.training.view import PlainView

SMALL = TrainConfig(lora_rank=2, lora_alpha=2.0, batch_size=1, steps_per_epoch=3, learning_rate=1e-3,
                    lr_warmup_steps=1, checkpoint_every=100)


@pytest.fixture(scope="module")
def style_set(tmp_path_factory):
    return write_style_set(tmp_path_factory.mktemp("set"), subjects=3, validation=1, seed=3)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def hashes(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprints, "KEPT", tmp_path / "kept" / "hashes.json")


@pytest.fixture(scope="module")
def own_pipe():
    return load("tiny")


@pytest.fixture
def pipe(own_pipe):
    yield own_pipe
    if getattr(own_pipe.unet, "peft_config", None):
        remove_lora(own_pipe.unet)


def run_all(pipe, style_set, cache, config=SMALL, say=str, **options):
    return list(train(pipe, style_set, config, cache=cache, say=say, **options))


def merge_lora(unet):
    """Add a LoRA to the weights themselves, as diffusers' fuse_lora does."""
    for module in [module for module in unet.modules() if isinstance(module, LoraLayer)]:
        module.merge()
    unet.unload_lora()


def read_files(folder):
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# --- the folder ---

@pytest.mark.parametrize("language", LANGUAGES)
def test_a_second_training_writes_beside_the_first(pipe, style_set, cache, tmp_path, language):
    set_language(language)
    first, second, third = (tmp_path / name for name in ("out", "out_2", "out_3"))
    config = SMALL.but(sample_prompts=("一只猫",), sample_steps=1)
    run_all(pipe, style_set, cache, config, output_path=first)
    before, said = read_files(first), []
    records = run_all(pipe, style_set, cache, config.but(seed=1), output_path=first, say=said.append)
    assert read_files(first) == before and records[-1].path == second / "lora.safetensors"
    assert any(str(first) in words and str(second) in words and "resume=True" in words for words in said)
    assert fit(pipe, style_set, config.but(seed=2), output_path=first, cache=cache).path.parent == third
    assert read_files(first) == before
    assert {file.name for file in second.iterdir()} == {file.name for file in third.iterdir()}


def test_one_that_is_stopped_early_does_not_replace_a_finished_one(pipe, style_set, cache, tmp_path, monkeypatch):
    finished = fit(pipe, style_set, SMALL, output_path=tmp_path / "out", cache=cache)
    before = finished.path.read_bytes()

    def interrupt(view, records):
        if len(records) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(PlainView, "show", interrupt)
    stopped = fit(pipe, style_set, SMALL.but(steps_per_epoch=30), output_path=tmp_path / "out", cache=cache)
    assert stopped.stopped == "asked" and stopped.path == tmp_path / "out_2" / "lora.safetensors"
    assert finished.path.read_bytes() == before and str(tmp_path / "out_2") in str(stopped)


@pytest.mark.parametrize("mine", ["lora.safetensors", f"{CHECKPOINTS}/{STATE}", "samples/step000001_1.png"])
def test_whatever_a_training_would_replace_makes_a_folder_used(pipe, style_set, cache, tmp_path, mine):
    (tmp_path / "out" / mine).parent.mkdir(parents=True)
    (tmp_path / "out" / mine).write_bytes(b"mine")
    assert run_all(pipe, style_set, cache, output_path=tmp_path / "out")[-1].path.parent == tmp_path / "out_2"
    assert (tmp_path / "out" / mine).read_bytes() == b"mine"


def test_other_files_and_one_that_never_began_do_not(pipe, style_set, cache, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with claim(tmp_path / "out", "lora", False, str):
        pass
    assert run_all(pipe, style_set, cache, output_path=tmp_path / "out")[-1].path.parent == tmp_path / "out"


def test_two_at_once_are_kept_apart(pipe, style_set, cache, tmp_path):
    other, said = load("tiny"), []
    first = train(pipe, style_set, SMALL, output_path=tmp_path / "out", cache=cache, say=str)
    next(first)  # it is at work, and has written nothing yet
    with pytest.raises(LessonError) as problem:
        run_all(other, style_set, cache, output_path=tmp_path / "out", resume=True)
    assert str(tmp_path / "out") in problem.value.what
    second = run_all(other, style_set, cache, SMALL.but(seed=1), output_path=tmp_path / "out", say=said.append)
    assert second[-1].path.parent == tmp_path / "out_2" and any("out_2" in words for words in said)
    assert [record.path for record in first][-1].parent == tmp_path / "out"
    assert run_all(other, style_set, cache, output_path=tmp_path / "out", resume=True) == []


HOLD = """
import sys, time
from pathlib import Path
from course_lib.training.place import claim
with claim(Path(sys.argv[1]), "lora", False, print) as place:
    print(place, flush=True)
    time.sleep(60)
"""


def test_another_process_holds_a_folder_until_it_dies(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline().strip() == str(tmp_path / "out")
    with claim(tmp_path / "out", "lora", False, str) as place:
        assert place == tmp_path / "out_2"
    child.send_signal(signal.SIGKILL)
    child.wait()
    with claim(tmp_path / "out", "lora", True, str) as place:
        assert place == tmp_path / "out"


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LessonError, match="file"), claim(tmp_path / "file" / "out", "lora", False, str):
        pass


# --- the base model ---

def test_a_training_goes_on_with_its_own_base_alone(pipe, style_set, cache, tmp_path):
    run_all(pipe, style_set, cache, output_path=tmp_path / "out")
    longer = SMALL.but(steps_per_epoch=4)
    before = (tmp_path / "out" / "lora.safetensors").read_bytes()

    def is_refused(other):
        with pytest.raises(LessonError, match="底模"):
            run_all(other, style_set, cache, longer, output_path=tmp_path / "out", resume=True)
        assert (tmp_path / "out" / "lora.safetensors").read_bytes() == before

    changed = load("tiny")
    with torch.no_grad():
        for weight in changed.unet.parameters():
            weight.mul_(1.02)
    is_refused(changed)
    one = load("tiny")
    one.unet.conv_out.bias.data[0] += 1e-3  # a single number, behind torch's back
    is_refused(one)
    merged = load("tiny")
    for weight in add_lora(merged.unet, rank=1):
        weight.data.fill_(0.01)
    merge_lora(merged.unet)
    is_refused(merged)
    folder = shutil.copytree(repository.TINY, tmp_path / "model")
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: weight * 1.02 for name, weight in load_file(file).items()}, file, {"format": "pt"})
    is_refused(open_folder(folder, plan("lora", "tiny")))
    same = load("tiny")
    add_lora(same.unet, rank=1, name="other")  # taken out again before it trains
    assert [record.step for record in run_all(same, style_set, cache, longer, output_path=tmp_path / "out",
                                              resume=True)] == [4]


# --- fingerprints ---

@pytest.fixture
def model(tmp_path):
    return shutil.copytree(repository.TINY, tmp_path / "model")


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7, 0.999])
def test_one_bit_anywhere_in_a_file_changes_its_fingerprint(model, place):
    file = model / "text_encoder" / "model.safetensors"
    before, stat = fingerprints.fingerprint(model, ["text_encoder/*.safetensors"]), file.stat()
    assert fingerprints.fingerprint(model, ["text_encoder/*.safetensors"]) == before
    with file.open("r+b") as content:
        content.seek(int(stat.st_size * place))
        byte = content.read(1)[0]
        content.seek(-1, os.SEEK_CUR)
        content.write(bytes([byte ^ 1]))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as `cp -p` and archives leave it
    assert fingerprints.fingerprint(model, ["text_encoder/*.safetensors"]) != before
    assert fingerprints.fingerprint(model, ["none/*"]) == ""


def test_a_file_that_did_not_change_is_hashed_once(model, monkeypatch):
    patterns = ["unet/*.safetensors", "vae/*.safetensors"]
    monkeypatch.setattr(fingerprints, "SETTLED", -1)
    before = fingerprints.fingerprint(model, patterns)
    monkeypatch.setattr(fingerprints, "sha256", lambda file: pytest.fail(f"{file} was read again"))
    assert fingerprints.fingerprint(model, patterns) == before
    files = {str(file) for pattern in patterns for file in model.glob(pattern)}
    assert set(json.loads(fingerprints.KEPT.read_text())) == files


def test_a_file_that_has_just_been_written_is_hashed_again(tmp_path, monkeypatch):
    """Two changes within a tick of the disk's clock look the same."""
    (tmp_path / "a").write_bytes(b"1")
    monkeypatch.setattr(fingerprints, "SETTLED", 3600)
    assert fingerprints.hash_file(tmp_path / "a") and not fingerprints.KEPT.exists()


@pytest.mark.parametrize("content", ["", "[", "[]", "7", '{"x": 5}', '{"x": [1, 2, 3, 4]}', "[" * 100_000])
def test_broken_hashes_are_no_hashes(model, content):
    fingerprints.KEPT.parent.mkdir(parents=True)
    fingerprints.KEPT.write_text(content.replace("x", str(model / "unet" / "config.json")))
    assert len(fingerprints.fingerprint(model, ["unet/config.json"])) == 64


def count_made(pipe, style_set, cache, config=SMALL):
    found = encode_set(pipe, style_set, config, cache=cache, say=str)
    return found.found, found.made


def test_what_was_kept_belongs_to_the_weights_in_memory(style_set, tmp_path):
    config = SMALL.but(prior_weight=1.0, prior_prompts=("一只猫",), prior_pictures=1)
    pipe = load("tiny")
    pictures, captions = 3, len({""} | {"一只猫"}) + 3
    assert count_made(pipe, style_set, tmp_path, config) == (0, pictures + captions + 1)
    assert count_made(pipe, style_set, tmp_path, config) == (pictures + captions + 1, 0)
    for weight in add_lora(pipe.unet, rank=1):
        weight.data.fill_(0.01)
    assert count_made(pipe, style_set, tmp_path, config)[1] == 0  # the prior is the base's, whatever it wears
    merge_lora(pipe.unet)
    assert count_made(pipe, style_set, tmp_path, config)[1] == 1
    pipe.vae.encoder.conv_in.bias.data += 0.01
    assert count_made(pipe, style_set, tmp_path, config)[1] == pictures
    pipe.text_encoder.embedding.word_embeddings.weight.data *= 1.01
    assert count_made(pipe, style_set, tmp_path, config)[1] == captions + 1  # and the prior that they draw
    assert count_made(load("tiny"), style_set, tmp_path, config)[1] == 0


# --- what was crafted or is broken ---

def test_a_crafted_cache_is_made_anew(style_set, cache, tmp_path):
    pipe = load("tiny")
    whole = encode_set(pipe, style_set, SMALL, cache=tmp_path, say=str)
    files = sorted(tmp_path.rglob("*.safetensors"))
    with safe_open(files[0], framework="pt") as kept:
        header = kept.metadata()
    for tensors in ({"x": torch.zeros(1)}, {"latents": torch.zeros(1)}, {"latents": torch.zeros(1, 4, 12, 12)},
                    {"words": torch.zeros(1), "pad": torch.zeros(1), "pooled": torch.zeros(1)}, {}):
        for file in files:
            file.unlink()
            save_file(tensors, file, header)
        again = encode_set(pipe, style_set, SMALL, cache=tmp_path, say=str)
        assert again.found == 0 and all(torch.equal(one.latents, other.latents)
                                        for one, other in zip(whole.examples, again.examples))


@pytest.fixture(scope="module")
def trained(own_pipe, style_set, cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    list(train(own_pipe, style_set, SMALL.but(ema_decay=0.5), output_path=folder, cache=cache, say=str))
    return folder


def first_of(kind, change):
    """Change the first tensor of a kind."""
    def craft(tensors, header):
        name = next(name for name in sorted(tensors) if name.startswith(f"{kind}."))
        tensors[name] = change(tensors[name])
    return craft


def drop(*kinds):
    def craft(tensors, header):
        for name in [name for name in tensors if name.split(".")[0] in kinds]:
            del tensors[name]
    return craft


def write_counters(**changes):
    def craft(tensors, header):
        header["counters"] = json.dumps({**json.loads(header["counters"]), **changes})
    return craft


def write_about(**changes):
    def craft(tensors, header):
        header["about"] = json.dumps({**json.loads(header["about"]), **changes})
    return craft


def lose(kind):
    """Leave out one tensor of a kind."""
    return lambda tensors, header: tensors.pop(next(name for name in tensors if name.startswith(f"{kind}.")))


CRAFTED = {
    "no weights": drop("weight"), "no exp_avg_sq": drop("exp_avg_sq"), "no step": drop("step"),
    "one moment less": lose("exp_avg"), "one weight less": lose("weight"), "an average of half": lose("average"),
    "another shape": first_of("weight", lambda tensor: tensor[:1]),
    "NaN": first_of("weight", lambda tensor: tensor * torch.nan),
    "infinite moments": first_of("exp_avg", lambda tensor: tensor + torch.inf),
    "whole numbers": first_of("weight", lambda tensor: tensor.long()),
    "a step of many": first_of("step", lambda tensor: tensor.repeat(3)),
    "an odd name": lambda tensors, header: tensors.update({"weight.x": torch.zeros(1), "y": torch.zeros(1)}),
    "step text": write_counters(step="3"), "step -5": write_counters(step=-5), "step 1.5": write_counters(step=1.5),
    "step true": write_counters(step=True), "waited null": write_counters(waited=None),
    "scaler 7": write_counters(scaler=7),
    "scaler words": write_counters(scaler={"scale": "x"}), "an error of NaN": write_counters(first_error=float("nan")),
    "more counters": write_counters(more=1), "settings a list": write_about(settings="[]"),
    "settings words": write_about(settings="["), "settings none": write_about(settings=None),
    "about a list": lambda tensors, header: header.update(about="[]"),
    "no header": lambda tensors, header: header.clear(),
    "counters deep": lambda tensors, header: header.update(counters="[" * 100_000)}


@pytest.mark.parametrize("craft", CRAFTED.values(), ids=CRAFTED)
def test_a_crafted_checkpoint_is_told(own_pipe, trained, style_set, cache, tmp_path, craft):
    folder = shutil.copytree(trained, tmp_path / "out")
    file = folder / CHECKPOINTS / STATE
    with safe_open(file, framework="pt") as kept:
        header, tensors = kept.metadata(), {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118
    craft(tensors, header)
    file.unlink()
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file, header)
    before = (folder / "lora.safetensors").read_bytes()
    with pytest.raises(LessonError, match=STATE):
        run_all(own_pipe, style_set, cache, SMALL.but(ema_decay=0.5, steps_per_epoch=4), output_path=folder,
                resume=True)
    assert (folder / "lora.safetensors").read_bytes() == before


def test_an_untouched_one_goes_on(own_pipe, trained, style_set, cache, tmp_path):
    folder = shutil.copytree(trained, tmp_path / "out")
    records = run_all(own_pipe, style_set, cache, SMALL.but(ema_decay=0.5, steps_per_epoch=4), output_path=folder,
                      resume=True)
    assert [record.step for record in records] == [4]


# --- a terminal that is closed ---

TERMINAL = """
import sys
from course_lib.model.loading import load
from course_lib.training.config import TrainConfig
from course_lib.training.loop import fit
config = TrainConfig(lora_rank=2, batch_size=1, steps_per_epoch=5000, checkpoint_every=5000)
from course_lib.training import view
view.LINES = 5000
fit(load("tiny"), sys.argv[1], config, output_path=sys.argv[2], cache=sys.argv[3])
"""


def start_in_terminal(style_set, output, cache, before=()):
    """Start a training in a terminal of its own; return it and the other end of the terminal."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))  # not on Windows
    ours, theirs = pty.openpty()
    child = subprocess.Popen([*before, sys.executable, "-c", TERMINAL, str(style_set), str(output), str(cache)],
                             stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                             preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(theirs)
    return child, ours


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def read_step(folder):
    with safe_open(folder / CHECKPOINTS / STATE, framework="pt") as kept:
        return json.loads(kept.metadata()["counters"])["step"]


def test_a_closed_terminal_saves_as_an_interrupt_does(style_set, cache, tmp_path):
    child, terminal = start_in_terminal(style_set, tmp_path / "out", cache)
    words = b""
    while b"5000" not in words:  # the line of its first step
        words += os.read(terminal, 1000)
    os.close(terminal)  # the system sends SIGHUP, and every print fails from now on
    child.wait(timeout=120)
    assert load_file(tmp_path / "out" / "lora.safetensors") and read_step(tmp_path / "out") >= 1


@pytest.mark.parametrize("signals", [[signal.SIGHUP, signal.SIGHUP], [signal.SIGHUP, signal.SIGTERM]])
def test_signals_that_come_twice_are_one(style_set, cache, tmp_path, signals):
    """A terminal's shell sends SIGHUP as well as the system; a cluster may send SIGTERM again and again."""
    child, terminal = start_in_terminal(style_set, tmp_path / "out", cache)
    while b"5000" not in os.read(terminal, 1000):
        pass
    for number in signals:
        child.send_signal(number)
    child.wait(timeout=120)
    os.close(terminal)
    assert load_file(tmp_path / "out" / "lora.safetensors") and read_step(tmp_path / "out") >= 1


def test_under_nohup_it_goes_on(style_set, cache, tmp_path):
    nohup = shutil.which("nohup") or pytest.skip("no nohup")
    child, terminal = start_in_terminal(style_set, tmp_path / "out", cache, before=[nohup])
    wait_for(lambda: (tmp_path / "out").is_dir())
    time.sleep(1)
    child.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert child.poll() is None
    child.kill()
    child.wait()
    os.close(terminal)
    Path("nohup.out").unlink(missing_ok=True)
