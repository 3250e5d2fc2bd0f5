"""A LoRA learns beside a base whose matrices are quantised, and what cannot be is told before any step."""

from dataclasses import replace

import pytest
import torch

from course_lib.dataset.example_sets import write_style_set
from course_lib.hub.repository import TINY
from course_lib.lora.adapters import read_layers
from course_lib.lora.verbs import load_lora
from course_lib.machine import footprint, hardware
from course_lib.machine.planning import FOOTPRINTS, plan
from course_lib.messages import LessonError
from course_lib.model.loading import load, open_folder
from course_lib.model.quantised import count_weights, find_kind, quantise
from course_lib.training.config import TrainConfig
from course_lib.training.loop import train

QUICK = TrainConfig(lora_rank=2, lora_alpha=2.0, batch_size=1, steps_per_epoch=3, learning_rate=1e-3,
                    checkpoint_every=100)


@pytest.fixture(scope="module")
def style_set(tmp_path_factory):
    return write_style_set(tmp_path_factory.mktemp("set"), subjects=2, validation=0, seed=3)


@pytest.mark.parametrize("kind", ["int8", "nf4"])
def test_a_lora_learns_beside_it_and_fits_the_whole_base(style_set, tmp_path, kind):
    pytest.importorskip("bitsandbytes")
    pipe, said = open_folder(TINY, replace(plan("lora", "tiny"), unet=kind)), []
    assert find_kind(pipe.unet) is None  # until its turn comes
    records = list(train(pipe, style_set, QUICK, output_path=tmp_path / "out", cache=None, say=said.append))
    assert find_kind(pipe.unet) == kind and any(kind in words for words in said)
    assert all(torch.tensor(record.error).isfinite() for record in records)
    assert any(matrices.up.abs().max() > 0 for matrices in read_layers(pipe.unet, "lora").values())
    counted = sum(count_weights(weight) for name, weight in pipe.unet.named_parameters() if ".lora_" not in name)
    assert counted == FOOTPRINTS["tiny"]["parameters"]["unet"]
    matrices = sum(matrix.weight.numel() * matrix.weight.element_size()
                   for name, matrix in footprint.list_matrices(pipe.unet))
    assert matrices == FOOTPRINTS["tiny"]["unet_matrices"] * {"int8": 1, "nf4": 0.5}[kind]
    assert load_lora(load("tiny").unet, records[-1].path).matched == 56
    other = {"int8": "nf4", "nf4": "int8"}[kind]
    with pytest.raises(LessonError, match=other):
        list(train(pipe, style_set, QUICK.but(quantised_base=other), cache=None, say=str))


def test_without_bitsandbytes_it_is_told_and_nothing_is_changed(style_set, monkeypatch):
    monkeypatch.setattr(hardware, "find_version", lambda package: None)
    pipe = load("tiny")
    with pytest.raises(LessonError, match="bitsandbytes"):
        list(train(pipe, style_set, QUICK.but(quantised_base="int8"), cache=None, say=str))
    with pytest.raises(LessonError, match="bitsandbytes"):
        quantise(pipe.unet, "nf4", torch.device("cpu"))
    assert find_kind(pipe.unet) is None


@pytest.mark.parametrize("device, compiles", [("cuda", True), ("cpu", False)])
def test_blocks_are_compiled_on_a_gpu_and_on_a_cpu_it_is_told(monkeypatch, device, compiles):
    """The settings' switch alone: there is no GPU here to compile for."""
    from course_lib.training.run import Run

    run, calls, said = Run.__new__(Run), [], []
    run.unet, run.device, run.say = load("tiny").unet, torch.device(device), said.append
    monkeypatch.setattr(run.unet, "compile_repeated_blocks", lambda: calls.append("compiled"))
    run.config = QUICK.but(torch_compile=True)
    run.compile_blocks()
    assert (bool(calls), bool(said)) == (compiles, not compiles)
    run.config = QUICK
    run.compile_blocks()
    assert len(calls) + len(said) == 1
