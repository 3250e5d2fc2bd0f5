"""The training loop: what it learns from, that it can be cut anywhere and gone on with, and what stops it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from course_lib.dataset.example_sets import write_style_set
from course_lib.lora.adapters import without_lora
from course_lib.lora.verbs import add_lora, load_lora, remove_lora
from course_lib.messages import LessonError
from course_lib.model.loading import load
from course_lib.model.text import LENGTH, encode_text, pad_texts
from course_lib.sampling.drawing import generate
from course_lib.sampling.noise import start_noise
from course_lib.sampling.settings import SamplerSettings
from course_lib.training.checkpoint import STATE
from course_lib.training.config import TrainConfig
from course_lib.training.examples import encode_set
from course_lib.training.loop import describe_result, fit, train
from course_lib.training.loss import (
    Batch,
    make_generator,
    noise_batch,
    noise_loss,
    place_batch,
    predict_noise,
    weigh_levels,
)
from course_lib.training.report import StepRecord
from course_lib.training.run import CHECKPOINTS, choose_precision
from course_lib.training.view import LiveView, PlainView, describe_end, draw_training, interrupts, smooth

SMALL = TrainConfig(lora_rank=4, lora_alpha=4.0, batch_size=2, steps_per_epoch=6, learning_rate=1e-3,
                    lr_warmup_steps=2, checkpoint_every=100)
EVERYTHING = SMALL.but(ema_decay=0.9, rank_dropout=0.25, caption_dropout=0.5, offset_noise=0.1, min_snr_gamma=5.0,
                       accumulate_grad_batches=2, validation_every=2, validation_levels=1, random_flip=True,
                       patience=50, prior_weight=0.5, prior_prompts=("一只猫",), prior_pictures=1)


@pytest.fixture(scope="module")
def style_set(tmp_path_factory):
    return write_style_set(tmp_path_factory.mktemp("set"), subjects=5, validation=2, seed=3)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def own_pipe():
    return load("tiny")


@pytest.fixture
def pipe(own_pipe):
    """A pipeline whose UNet has no LoRA, before and after the test."""
    yield own_pipe
    if getattr(own_pipe.unet, "peft_config", None):
        remove_lora(own_pipe.unet)


def run_all(pipe, style_set, cache, config=SMALL, **options):
    return list(train(pipe, style_set, config, cache=cache, say=str, **options))


def weights(path):
    return load_file(path / "lora.safetensors")


def read_step(path):
    with safe_open(path / CHECKPOINTS / STATE, framework="pt") as kept:
        return json.loads(kept.metadata()["counters"])["step"]


# What is trained, and on what.

def test_only_the_lora_changes_and_it_is_saved_with_what_made_it(pipe, style_set, cache, tmp_path):
    base = {name: weight.clone() for name, weight in pipe.unet.state_dict().items()}
    records = run_all(pipe, style_set, cache, SMALL.but(trigger_word="xian"), output_path=tmp_path)
    assert [record.step for record in records] == [1, 2, 3, 4, 5, 6]
    assert records[-1].stopped == "done" and records[-1].path == tmp_path / "lora.safetensors"
    after = {name.replace(".base_layer", ""): weight for name, weight in pipe.unet.state_dict().items()}
    assert all(torch.equal(after[name], weight) for name, weight in base.items())
    assert not any(weight.requires_grad for weight in pipe.unet.parameters()) and not pipe.unet.training
    with safe_open(tmp_path / "lora.safetensors", framework="pt") as kept:
        header = kept.metadata()
    assert (header["rank"], header["alpha"], header["trigger_word"]) == ("4", "4", "xian")
    assert json.loads(header["settings"])["learning_rate"] == 1e-3
    assert json.loads(header["summary"])["steps"] == 6 and json.loads(header["summary"])["pictures"] == 5
    ups = [tensor for name, tensor in weights(tmp_path).items() if "lora_B" in name or "up" in name]
    assert ups and all(tensor.abs().max() > 0 for tensor in ups)


def test_the_saved_file_gives_what_the_trained_unet_gives(pipe, style_set, cache, tmp_path):
    run_all(pipe, style_set, cache, SMALL.but(steps_per_epoch=3, ema_decay=0.5), output_path=tmp_path)
    look = place_batch(pipe, torch.randn(1, 4, 12, 12), torch.zeros(1, 4, 12, 12), torch.tensor([500]),
                       [encode_text(pipe, "一只猫")])
    with torch.no_grad():
        trained = noise_loss(pipe.unet, look, pipe.scheduler.alphas_cumprod, SMALL)[0]
        remove_lora(pipe.unet)
        plain = noise_loss(pipe.unet, look, pipe.scheduler.alphas_cumprod, SMALL)[0]
        load_lora(pipe.unet, tmp_path / "lora.safetensors")
        loaded = noise_loss(pipe.unet, look, pipe.scheduler.alphas_cumprod, SMALL)[0]
    assert torch.equal(trained, loaded) and not torch.equal(trained, plain)


def test_it_learns(pipe, style_set, cache, tmp_path):
    """The error on the pictures it is trained on, at fixed noise, falls."""
    for part in ("train", "validation"):
        shutil.copytree(style_set / "train", tmp_path / part)
    config = SMALL.but(steps_per_epoch=25, learning_rate=3e-3, batch_size=4, validation_every=25)
    before = run_all(pipe, tmp_path, cache, config.but(steps_per_epoch=1, learning_rate=1e-10))[-1]
    after = run_all(pipe, tmp_path, cache, config)[-1]
    assert after.validation_loss < 0.9 * before.validation_loss


def test_few_pads_stand_for_all_of_them(pipe):
    """The loss and its gradient are those of diffusers' 256 tokens."""
    texts = [encode_text(pipe, "一只猫，线稿"), encode_text(pipe, "")]
    x0, noise = torch.randn(2, 4, 12, 12), torch.randn(2, 4, 12, 12)
    short = place_batch(pipe, x0, noise, torch.tensor([100, 900]), texts)
    whole = Batch(short.x0, short.noise, short.levels, pad_texts(texts, LENGTH, torch.float32, x0.device), short.pixels)
    assert short.texts.states.shape[1] < 30
    trained = add_lora(pipe.unet, rank=2, targets=["to_k"])
    losses, gradients = [], []
    for batch in (short, whole):
        loss, _ = noise_loss(pipe.unet, batch, pipe.scheduler.alphas_cumprod, SMALL)
        loss.backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in trained]))
        losses.append(float(loss))
        for weight in trained:
            weight.grad = None
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert (gradients[0] - gradients[1]).norm() < 1e-3 * gradients[1].norm()


def test_noise_is_added_as_the_models_own_scheduler_adds_it(pipe):
    """An answer of exactly the noise has no error; the noisy latents are the scheduler's alpha_bar's."""
    seen = {}

    class Oracle(torch.nn.Module):
        dtype, device = torch.float32, torch.device("cpu")

        def forward(self, noisy, levels, states, **told):
            seen["noisy"] = noisy
            return (noise,)

    x0, noise, levels = torch.randn(2, 4, 12, 12), torch.randn(2, 4, 12, 12), torch.tensor([0, 1099])
    batch = place_batch(pipe, x0, noise, levels, [encode_text(pipe, "")] * 2)
    loss, _ = noise_loss(Oracle(), batch, pipe.scheduler.alphas_cumprod, SMALL)
    assert loss == 0
    betas = torch.linspace(0.00085 ** 0.5, 0.014 ** 0.5, 1100, dtype=torch.float64) ** 2  # Kolors' own 1100 steps
    kept = torch.cumprod(1 - betas, 0)[levels].float().view(-1, 1, 1, 1)
    assert torch.allclose(seen["noisy"], kept.sqrt() * x0 + (1 - kept).sqrt() * noise, atol=1e-5)


def test_weights_of_noise_levels():
    alpha_bar = torch.tensor([0.99, 0.5, 0.01])  # SNR 99, 1, 1/99
    assert torch.equal(weigh_levels(alpha_bar, SMALL), torch.ones(3))
    hang = weigh_levels(alpha_bar, SMALL.but(min_snr_gamma=5.0))
    assert torch.allclose(hang, torch.tensor([5 / 99, 1.0, 1.0]))
    assert torch.allclose(weigh_levels(alpha_bar, SMALL.but(min_snr_gamma=5.0, min_snr_form="v")),
                          torch.tensor([6 / 99, 2.0, 100.0]))


@pytest.mark.parametrize("changes", [
    {"use_gradient_checkpointing": True}, {"targets": ("to_q",)}, {"dora": True}, {"precision": "bf16-mixed"},
    {"rank_dropout": 0.5}, {"prior_weight": 1.0, "prior_prompts": ("一只猫",), "prior_pictures": 1},
    {"aspect_buckets": True}, {"lr_scheduler": "constant"}, {"height": 32, "width": 48},
])
def test_each_setting_trains_and_its_file_loads(pipe, style_set, cache, tmp_path, changes):
    plain = run_all(pipe, style_set, cache, SMALL.but(steps_per_epoch=2))
    changed = run_all(pipe, style_set, cache, SMALL.but(steps_per_epoch=2, **changes), output_path=tmp_path)
    if changes.keys() & {"precision", "prior_weight", "height"}:
        assert changed[0].loss != plain[0].loss
    else:  # other work, the same first loss: a LoRA starts at nothing, and all pictures are square
        assert changed[0].loss == pytest.approx(plain[0].loss, abs=1e-5)
    if changes.keys() & {"targets", "rank_dropout"}:
        assert changed[1].loss != plain[1].loss
    remove_lora(pipe.unet)
    report = load_lora(pipe.unet, tmp_path / "lora.safetensors")
    assert report.matched == (14 if "targets" in changes else 56)
    assert report.dora == ("dora" in changes)


def look_at(pipe, texts):
    """A batch of one and the same noisy latents, at three levels."""
    noise = start_noise([1, 2, 3], (4, 12, 12))
    return place_batch(pipe, noise.flip(0), noise, torch.tensor([200, 500, 800]), texts)


def test_without_lora_the_unet_is_the_base_and_trains_on(pipe):
    batch = look_at(pipe, [encode_text(pipe, "一只猫")] * 3)
    base = predict_noise(pipe.unet, batch, pipe.scheduler.alphas_cumprod)
    weights = add_lora(pipe.unet, rank=2)
    with torch.no_grad():
        for weight in weights:
            weight.normal_(0, 0.1)
    worn = predict_noise(pipe.unet, batch, pipe.scheduler.alphas_cumprod)
    with without_lora(pipe.unet):
        assert torch.allclose(predict_noise(pipe.unet, batch, pipe.scheduler.alphas_cumprod), base, atol=1e-6)
    assert torch.equal(predict_noise(pipe.unet, batch, pipe.scheduler.alphas_cumprod), worn)
    assert {id(w) for w in pipe.unet.parameters() if w.requires_grad} == {id(w) for w in weights}


def test_a_new_training_takes_the_place_of_the_last_one(pipe, style_set, cache):
    first = run_all(pipe, style_set, cache, SMALL.but(steps_per_epoch=2))
    second = run_all(pipe, style_set, cache, SMALL.but(steps_per_epoch=2))
    assert list(pipe.unet.peft_config) == ["lora"]
    assert [record.loss for record in first] == [record.loss for record in second]


def test_another_lora_is_taken_out_and_told(pipe, style_set, cache):
    """What is learnt on top of another LoRA would be wrong without it."""
    config, said = SMALL.but(steps_per_epoch=2), []
    alone = run_all(pipe, style_set, cache, config)
    remove_lora(pipe.unet)
    list(train(pipe, style_set, config.but(seed=1), cache=cache, say=str, name="other"))
    beside = list(train(pipe, style_set, config, cache=cache, say=said.append))
    assert list(pipe.unet.peft_config) == ["lora"] and any("other" in words for words in said)
    assert [record.loss for record in beside] == [record.loss for record in alone]


@pytest.mark.parametrize("name", ["line-art", "v1.0", "train", "我的 风格"])
def test_any_name_of_a_file_will_do(pipe, style_set, cache, tmp_path, name):
    config = SMALL.but(steps_per_epoch=2, rank_dropout=0.5)
    result = fit(pipe, style_set, config, output_path=tmp_path, cache=cache, name=name)
    assert result.path == tmp_path / f"{name}.safetensors" and result.path.is_file() and result.parameters > 0
    plain = run_all(pipe, style_set, cache, config)
    assert [record.loss for record in result.records] == [record.loss for record in plain]  # dropped the same ranks
    assert fit(pipe, style_set, config, output_path=tmp_path, cache=cache, name=name, resume=True).records == ()


@pytest.mark.parametrize("name", ["../lora", "a/b", "a\\b", ""])
def test_a_name_holds_no_folder(pipe, style_set, cache, tmp_path, name):
    with pytest.raises(LessonError, match="name"):
        fit(pipe, style_set, SMALL, output_path=tmp_path / "in", cache=cache, name=name)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_sample_pictures_are_those_of_the_same_seed(pipe, style_set, cache):
    config = SMALL.but(steps_per_epoch=4, sample_prompts=("一只猫",), sample_every=2, sample_steps=2)
    records = run_all(pipe, style_set, cache, config)
    drawn = [record.samples for record in records]
    assert [len(each) for each in drawn] == [0, 1, 0, 1]
    assert drawn[1][0].image.tobytes() != drawn[3][0].image.tobytes()
    again = run_all(pipe, style_set, cache, config)
    assert again[3].samples[0].image.tobytes() == drawn[3][0].image.tobytes()


def test_sample_pictures_are_kept_beside_the_checkpoints(pipe, style_set, cache, tmp_path):
    config = SMALL.but(steps_per_epoch=2, sample_prompts=("一只猫", "一只狗"), sample_every=1, sample_steps=2)
    records = run_all(pipe, style_set, cache, config, output_path=tmp_path)
    files = sorted((tmp_path / "samples").iterdir())
    assert [file.name for file in files] == [f"step00000{step}_{row}.png" for step in (1, 2) for row in (1, 2)]
    assert Image.open(files[3]).tobytes() == records[1].samples[1].image.tobytes()


def test_samples_that_cannot_be_written_do_not_cost_the_lora(pipe, style_set, cache, tmp_path):
    (tmp_path / "samples").write_text("a file where the folder should be")
    said = []
    config = SMALL.but(steps_per_epoch=2, sample_prompts=("一只猫",), sample_every=1, sample_steps=2)
    records = list(train(pipe, style_set, config, output_path=tmp_path, cache=cache, say=said.append))
    assert records[-1].stopped == "done" and len(records[-1].samples) == 1 and weights(tmp_path)
    assert sum("samples" in words for words in said) == 2


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_captions_are_left_out_as_often_as_asked(pipe, style_set, cache, share):
    config = SMALL.but(caption_dropout=share)
    data = encode_set(pipe, style_set, config, cache=cache, say=str)
    examples = data.examples[:1] * 400
    texts = noise_batch(pipe, examples, data.empty, config, make_generator("dropout")).texts
    left = (texts.pooled == data.empty.pooled).all(dim=1).float().mean()
    assert float(left) == pytest.approx(share, abs=0.08)


def test_offset_noise_moves_whole_channels(pipe, style_set, cache):
    """Its mean over a picture has the variance 1/pixels of plain noise, and offset squared on top (Guttenberg)."""
    data = encode_set(pipe, style_set, SMALL, cache=cache, say=str)
    for offset in (0.0, 0.1, 0.5):
        noise = noise_batch(pipe, data.examples[:1] * 400, data.empty, SMALL.but(offset_noise=offset),
                           make_generator("offset")).noise
        expected = 1 / noise[0, 0].numel() + offset ** 2
        assert float(noise.mean(dim=(2, 3)).var()) == pytest.approx(expected, rel=0.15)


# Cut and gone on with.

@pytest.mark.parametrize("config", [SMALL, EVERYTHING], ids=["plain", "everything"])
def test_a_resumed_training_equals_an_uncut_one(pipe, style_set, cache, tmp_path, config):
    whole = run_all(pipe, style_set, cache, config, output_path=tmp_path / "whole")
    for record in train(pipe, style_set, config, output_path=tmp_path / "cut", cache=cache, say=str):
        if record.step == 3:
            break  # as whoever watches the records may
    assert read_step(tmp_path / "cut") == 3 and (tmp_path / "cut" / "lora.safetensors").is_file()
    rest = run_all(pipe, style_set, cache, config, output_path=tmp_path / "cut", resume=True)
    assert [record.step for record in rest] == [4, 5, 6]
    for one, other in zip(whole[3:], rest):
        assert one.loss == pytest.approx(other.loss, abs=1e-6)
        assert one.validation_loss == pytest.approx(other.validation_loss, abs=1e-6)
    for name, tensor in weights(tmp_path / "whole").items():
        assert torch.allclose(tensor, weights(tmp_path / "cut")[name], atol=1e-6)


def test_stop_ends_after_the_step_with_a_saved_file(pipe, style_set, cache, tmp_path):
    asked = iter([False, False, True])
    records = run_all(pipe, style_set, cache, output_path=tmp_path, stop=lambda: next(asked))
    assert [record.stopped for record in records] == ["", "", "asked"]
    assert (tmp_path / "lora.safetensors").is_file() and read_step(tmp_path) == 3


def test_resume_says_what_is_wrong(pipe, style_set, cache, tmp_path):
    with pytest.raises(LessonError, match="output_path"):
        run_all(pipe, style_set, cache, resume=True)
    said = []
    short = SMALL.but(steps_per_epoch=1)
    list(train(pipe, style_set, short, output_path=tmp_path, resume=True, cache=cache, say=said.append))
    assert any("从头开始" in words for words in said)
    with pytest.raises(LessonError, match="learning_rate"):
        run_all(pipe, style_set, cache, short.but(learning_rate=1e-4), output_path=tmp_path, resume=True)
    file = tmp_path / CHECKPOINTS / STATE
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(LessonError, match="读不出来"):
        run_all(pipe, style_set, cache, short, output_path=tmp_path, resume=True)
    assert not pipe.unet.training


CHILD = """
import os, resource, signal, sys
from course_lib.messages import LessonError
from course_lib.model.loading import load
from course_lib.training.loop import train, TrainConfig
config = TrainConfig(lora_rank=4, lora_alpha=4.0, batch_size=2, steps_per_epoch=6, learning_rate=1e-3,
                     lr_warmup_steps=2, checkpoint_every=2)
pipe = load("tiny")
{before}
try:
    for record in train(pipe, {folder!r}, config, output_path={output!r}, cache={cache!r}):
        print(record.step, flush=True)
        {each}
except LessonError as problem:
    print(problem)
"""


def run_child(before, each, style_set, output, cache):
    code = CHILD.format(before=before, each=each, folder=str(style_set), output=str(output), cache=str(cache))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False)


def test_kill_loses_at_most_the_interval(pipe, style_set, cache, tmp_path):
    done = run_child("", "record.step == 5 and os.kill(os.getpid(), signal.SIGKILL)", style_set, tmp_path, cache)
    assert done.returncode == -signal.SIGKILL and done.stdout.split()[-1] == "5"
    assert read_step(tmp_path) == 4
    config = SMALL.but(checkpoint_every=2)
    whole = run_all(pipe, style_set, cache, config)
    rest = run_all(pipe, style_set, cache, config, output_path=tmp_path, resume=True)
    assert [record.loss for record in rest] == pytest.approx([record.loss for record in whole[4:]], abs=1e-6)


def test_kill_while_a_checkpoint_is_written_leaves_the_last_one(style_set, cache, tmp_path):
    before = textwrap.dedent("""
        sync = os.fsync
        def die(number):
            if sum(name.startswith("checkpoint") for name in os.listdir(os.path.dirname(where))) > 1:
                os.kill(os.getpid(), signal.SIGKILL)  # the second one is half way
            sync(number)
        where = {!r}
        os.fsync = die
        """).format(str(tmp_path / CHECKPOINTS / STATE))
    done = run_child(before, "pass", style_set, tmp_path, cache)
    assert done.returncode == -signal.SIGKILL and done.stdout.split()[-1] == "3"
    assert read_step(tmp_path) == 2


def test_a_full_disk_leaves_the_last_checkpoint(style_set, cache, tmp_path):
    limit = "record.step == 3 and resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    done = run_child("", limit, style_set, tmp_path, cache)
    assert "上一个检查点还完好" in done.stdout, done.stderr
    assert read_step(tmp_path) == 2
    assert [file.name for file in (tmp_path / CHECKPOINTS).iterdir()] == [STATE]


# What stops a training.

def test_an_exploding_loss_stops_with_the_last_good_weights(pipe, style_set, cache, tmp_path):
    config = SMALL.but(steps_per_epoch=60, checkpoint_every=1000)
    records = []
    with pytest.raises(LessonError) as problem:
        for record in train(pipe, style_set, config, output_path=tmp_path, cache=cache, say=str):
            records.append(record)
            if record.step == 12:
                good = {name: weight.clone() for name, weight in pipe.unet.state_dict().items() if "lora_B" in name}
                for name, weight in pipe.unet.named_parameters():
                    if "lora_B" in name:
                        weight.data.mul_(float("nan"))
    assert records[-1].step == 12
    assert "learning_rate" in str(problem.value) or "学习率" in str(problem.value)
    assert "第 10 步" in str(problem.value) and str(tmp_path / "lora.safetensors") in str(problem.value)
    saved = weights(tmp_path)
    assert all(tensor.isfinite().all() for tensor in saved.values())
    ups = [tensor for name, tensor in saved.items() if "lora_B" in name]
    distance = sum((tensor - other).abs().mean() for tensor, other in zip(ups, good.values()))
    assert distance > 0  # not of step 12, but of step 10


def test_much_too_high_a_rate_is_told_before_anything_is_saved(pipe, style_set, cache, tmp_path):
    with pytest.raises(LessonError) as problem:
        run_all(pipe, style_set, cache, SMALL.but(learning_rate=10.0, lr_warmup_steps=0, steps_per_epoch=30,
                                                  lora_alpha=4000.0), output_path=tmp_path)
    assert "失控" in str(problem.value) and "3" in problem.value.next_step
    assert not (tmp_path / "lora.safetensors").exists()


def test_weights_that_the_last_step_broke_are_not_saved(pipe, style_set, cache, tmp_path):
    """The loss is looked at before each step; nothing comes after the last one but the file."""
    config = SMALL.but(steps_per_epoch=12, checkpoint_every=11)
    asked = []

    def stop():
        asked.append(None)
        if len(asked) == 12:
            next(iter(trained(pipe.unet))).data.fill_(float("nan"))
        return False

    with pytest.raises(LessonError, match="第 12 步") as problem:
        run_all(pipe, style_set, cache, config, output_path=tmp_path, stop=stop)
    assert "第 10 步" in str(problem.value) and read_step(tmp_path) == 11
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path).values())


def trained(unet):
    return (weight for name, weight in unet.named_parameters() if ".lora_" in name)


def test_no_gain_stops_with_the_best_weights(pipe, style_set, cache, tmp_path):
    """At a rate that spoils the LoRA the first validation is the best."""
    config = SMALL.but(steps_per_epoch=40, learning_rate=0.05, lr_warmup_steps=0, validation_every=1, patience=2,
                       validation_levels=2, max_grad_norm=1e6, sample_prompts=("一只猫",), sample_steps=3)
    records = run_all(pipe, style_set, cache, config, output_path=tmp_path)
    losses = [record.validation_loss for record in records]
    assert records[-1].stopped == "no_gain" and len(records) < 40
    best = losses.index(min(losses))
    assert best == len(losses) - 3
    remove_lora(pipe.unet)
    load_lora(pipe.unet, tmp_path / "lora.safetensors", name="lora")
    settings = SamplerSettings(seed=config.sample_seed, steps=3, cfg=config.sample_cfg)
    assert records[-1].samples[0].image.tobytes() == generate(pipe, "一只猫", settings).image.tobytes()
    again = run_validation(pipe, style_set, cache, config)
    assert again == pytest.approx(losses[best], abs=1e-5)


def test_the_last_sample_is_drawn_with_the_weights_that_are_saved(pipe, style_set, cache, tmp_path):
    """The best of the averages, not the last average."""
    config = SMALL.but(learning_rate=0.05, lr_warmup_steps=0, max_grad_norm=1e6, ema_decay=0.5, validation_every=1,
                       validation_levels=1, patience=50, sample_prompts=("一只猫",), sample_steps=3)
    records = run_all(pipe, style_set, cache, config, output_path=tmp_path)
    losses = [record.validation_loss for record in records]
    assert min(losses) < losses[-1]
    remove_lora(pipe.unet)
    load_lora(pipe.unet, tmp_path / "lora.safetensors", name="lora")
    settings = SamplerSettings(seed=config.sample_seed, steps=3, cfg=config.sample_cfg)
    assert records[-1].samples[0].image.tobytes() == generate(pipe, "一只猫", settings).image.tobytes()


def run_validation(pipe, style_set, cache, config):
    """Return the validation loss of the LoRA that the UNet has."""
    from course_lib.training.loss import fix_batches

    data = encode_set(pipe, style_set, config, cache=cache, say=str)
    with torch.no_grad():
        found = [noise_loss(pipe.unet, batch, pipe.scheduler.alphas_cumprod, config)[1]
                 for batch in fix_batches(pipe, data.validation, config)]
    return float(torch.stack(found).mean())


def test_fp16_on_a_cpu_without_it_is_told(monkeypatch):
    said = []
    monkeypatch.setattr("course_lib.training.run.has_fp16", lambda: False)
    config = SMALL.but(precision="16-mixed")
    with pytest.raises(LessonError, match="fp16"):
        choose_precision(config, torch.device("cpu"), said.append)
    assert choose_precision(config.but(precision_fallback=True), torch.device("cpu"), said.append) == "32"
    assert len(said) == 1
    monkeypatch.setattr("course_lib.training.run.has_fp16", lambda: True)
    assert choose_precision(config, torch.device("cpu"), said.append) == "16-mixed"
    assert choose_precision(SMALL, torch.device("cpu"), said.append) == "32"


def test_fp16_trains_with_a_scaler(pipe, style_set, cache, monkeypatch):
    """Imitated, slowly, but the same steps."""
    monkeypatch.setattr("course_lib.training.run.has_fp16", lambda: True)
    half = run_all(pipe, style_set, cache, SMALL.but(steps_per_epoch=2, precision="16-mixed"))
    plain = run_all(pipe, style_set, cache, SMALL.but(steps_per_epoch=2))
    assert half[0].loss == pytest.approx(plain[0].loss, rel=0.02)
    assert half[0].gradient == pytest.approx(plain[0].gradient, rel=0.05)  # unscaled before it is measured


# What one sees.

def test_fit_prints_saves_and_returns_what_came_of_it(pipe, style_set, cache, tmp_path, capsys):
    result = fit(pipe, style_set, SMALL.but(sample_prompts=("一只猫",), sample_steps=2), output_path=tmp_path,
                 cache=cache)
    printed = capsys.readouterr().out
    assert "第 6/6 步" in printed and "还需" in printed and "内存" in printed
    assert result.path.is_file() and result.stopped == "done" and result.step == 6
    assert (result.rank, result.alpha, result.layers) == (4, 4.0, 56)
    assert result.parameters == sum(tensor.numel() for tensor in weights(tmp_path).values())
    assert result.base_parameters == 7192580
    assert "0.80%" in str(result) and "lora.safetensors" in str(result)
    bare = [record for record in result.records if not record.samples]
    assert result.figure.image.height > draw_training(bare).height


def test_an_interrupt_ends_after_the_step_with_everything_saved(pipe, style_set, cache, tmp_path, monkeypatch):
    shown = PlainView.show

    def interrupt(view, records):
        shown(view, records)
        if len(records) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(PlainView, "show", interrupt)
    before = signal.getsignal(signal.SIGINT)
    result = fit(pipe, style_set, SMALL, output_path=tmp_path, cache=cache)
    assert result.stopped == "asked" and result.step == 3
    assert (tmp_path / "lora.safetensors").is_file() and read_step(tmp_path) == 3
    assert signal.getsignal(signal.SIGINT) is before
    rest = fit(pipe, style_set, SMALL, output_path=tmp_path, cache=cache, resume=True)
    assert rest.step == 6
    done = fit(pipe, style_set, SMALL, output_path=tmp_path, cache=cache, resume=True)  # nothing is left to do
    assert done.records == () and done.step == 6


def test_an_interrupt_before_the_first_step_is_answered_at_once(pipe, style_set, cache, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("went on")

    monkeypatch.setattr("course_lib.training.loop.encode_set", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(pipe, style_set, SMALL, output_path=tmp_path, cache=cache)


def test_memory_that_runs_out_before_the_first_step_is_told(pipe, style_set, cache, monkeypatch):
    def run_out(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("course_lib.training.loop.encode_set", run_out)
    with pytest.raises(LessonError, match="CUDA out of memory"):
        run_all(pipe, style_set, cache)


def test_interrupts_in_another_thread_are_left_alone():
    found = []

    def work():
        with interrupts() as came:
            found.append(came())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


def test_the_live_view_shows_a_training_and_its_button_ends_it(pipe, style_set, cache, tmp_path, monkeypatch):
    """The widgets themselves, with a click after the second step as the page would send it."""
    seen = []

    class Clicked(LiveView):
        def show(self, records):
            super().show(records)
            seen.append((self.bar.value, self.bar.max, len(self.curve.value), len(self.pictures.children)))
            if len(records) == 2:
                self.stop.click()

    monkeypatch.setattr("course_lib.training.loop.open_view", lambda first: Clicked())
    config = SMALL.but(sample_prompts=("一只猫",), sample_steps=2, sample_every=1)
    result = fit(pipe, style_set, config, output_path=tmp_path, cache=cache)
    assert result.stopped == "asked" and result.step == 3 and read_step(tmp_path) == 3
    assert seen[0][:2] == (1, 6) and seen[0][2] > 1000 and seen[0][3] == 1


def record(step, loss, **more):
    return StepRecord(step, 10, loss, loss, 1e-3, 0.1, 0.5, 1.0, 10**9, **more)


def test_smoothed_loss_begins_at_the_first_and_follows():
    assert smooth([record(1, 4.0)]) == [4.0]
    means = smooth([record(step, 4.0 if step < 3 else 1.0) for step in range(1, 40)])
    assert means[1] == 4.0 and means[2] < 4.0 and means[-1] == pytest.approx(1.0, abs=0.1)


def test_the_end_says_why():
    assert describe_end([record(3, 1.0)]) == describe_end([]) == []
    words = [describe_end([record(3, 1.0, stopped=reason)])[0] for reason in ("done", "asked", "no_gain")]
    assert len(set(words)) == 3


def test_counts_leave_other_loras_out(pipe, style_set, cache, tmp_path):
    records = run_all(pipe, style_set, cache, SMALL.but(steps_per_epoch=1, lora_rank=2))
    add_lora(pipe.unet, rank=4, alpha=4.0, name="other")
    found = describe_result(pipe, "lora", tuple(records), tmp_path, 1)
    assert found.base_parameters == 7192580 and found.rank == 2 and found.layers == 56
