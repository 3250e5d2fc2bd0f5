"""The ways to hold a UNet in little memory: the same picture, or nearly, and what has the GPU leaves it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from peft import LoraConfig

from course_lib.hub import repository
from course_lib.lora import adapters
from course_lib.lora.verbs import add_lora, set_strength
from course_lib.machine.planning import plan
from course_lib.messages import LessonError
from course_lib.model import loading, text_cache, turns
from course_lib.model.latents import encode_picture, place_of_unet
from course_lib.model.loading import open_folder
from course_lib.sampling.drawing import draw, generate
from course_lib.sampling.settings import SamplerSettings

PROMPT = "一只瓢虫，蓝色背景"
SETTINGS = SamplerSettings(seed=1, steps=2)
TURNS = replace(plan("draw", "tiny"), placement="turns")
WAYS = {"whole": (True, 1, 0.01), "stream": (True, 1, 0.01), "fp8": (True, 80, 4)}  # alone, and how far from the whole


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(text_cache, "CACHE", tmp_path / "cache")


def open_way(unet, **changes):
    return open_folder(repository.TINY, replace(TURNS, unet=unet, **{"vae_alone": WAYS[unet][0], **changes}))


def pixels(picture):
    return np.asarray(picture.image).astype(int)


@pytest.mark.parametrize("unet", WAYS)
def test_each_way_draws_the_picture(pipe, unet):
    held = open_way(unet)
    _, most, mean = WAYS[unet]
    for way in (lambda one: generate(one, PROMPT, SETTINGS), lambda one: draw(one, PROMPT, seed=1, steps=2)):
        apart = np.abs(pixels(way(held)) - pixels(way(pipe)))
        assert apart.max() <= most and apart.mean() <= mean


def test_fp8_is_kept_in_eight_bits_and_computes_in_the_plans(pipe):
    held = open_way("fp8")
    generate(held, PROMPT, SETTINGS)
    kept = {weight.dtype for name, weight in held.unet.named_parameters() if "norm" not in name}
    assert kept == {torch.float8_e4m3fn} and place_of_unet(held) == (torch.device("cpu"), torch.float32)
    size = sum(weight.numel() * weight.element_size() for weight in held.unet.parameters())
    assert size < 0.3 * sum(weight.numel() * 4 for weight in pipe.unet.parameters())


def test_group_offload_moves_each_layer_to_the_device_and_back(monkeypatch):
    held = open_way("stream")
    leaf = held.unet.down_blocks[1].attentions[0].transformer_blocks[0].attn1.to_q
    seen = []
    monkeypatch.setattr(leaf._diffusers_hook.get_hook("group_offloading").group, "onload_",
                        lambda: seen.append("on"))
    monkeypatch.setattr(leaf._diffusers_hook.get_hook("group_offloading").group, "offload_",
                        lambda: seen.append("off"))
    generate(held, PROMPT, SETTINGS)
    assert seen == ["on", "off"] * SETTINGS.steps


@pytest.mark.parametrize("unet", WAYS)
def test_the_vae_has_the_gpu_alone(monkeypatch, unet):
    """Where the UNet moves, it is sent to RAM before the VAE decodes or encodes; on a CPU the call alone is seen."""
    kept, sent = [], []
    monkeypatch.setattr(loading, "Turns", lambda *given, kind=turns.Turns: kept.append(kind(*given)) or kept[0])
    held = open_way(unet)
    monkeypatch.setattr(kept[0], "send_unet_away", lambda: sent.append(kept[0].moves))
    picture = generate(held, PROMPT, SETTINGS)
    assert sent[-1:] == [unet != "stream"] and kept[0].encoder is None
    before = len(sent)
    encode_picture(held, picture.image)
    assert len(sent) == before + 1
    beside = open_way("whole", vae_alone=False)
    before = len(sent)
    generate(beside, PROMPT, SETTINGS)
    assert len(sent) == before


class Somewhere:
    """A UNet that moves, told apart from a real one by what it was asked."""

    def __init__(self):
        self.device, self.moved = torch.device("cuda"), []

    def to(self, place):
        self.device = torch.device(place)
        self.moved.append(place)

    def register_forward_pre_hook(self, *given, **options):
        """Take no hook."""

    def register_forward_hook(self, *given):
        """Take no hook."""


def test_a_unet_leaves_a_gpu_and_a_streamed_one_is_left_alone(tmp_path):
    cuda = replace(TURNS, device="cuda", vae_alone=True)
    unet = Somewhere()
    turns.Turns(unet, tmp_path, cuda).make_room()
    assert unet.moved == ["cpu"]
    unet = Somewhere()
    turns.Turns(unet, tmp_path, replace(cuda, unet="stream")).make_room()
    assert unet.moved == []


@pytest.mark.parametrize("unet", ["stream", "fp8"])
def test_a_lora_counts_in_each_way(unet):
    held = open_way(unet)
    before = pixels(generate(held, PROMPT, SETTINGS))
    for weight in add_lora(held.unet, rank=2, alpha=2.0):
        weight.data.normal_(0, 0.2, generator=torch.Generator().manual_seed(0))
    assert np.abs(pixels(generate(held, PROMPT, SETTINGS)) - before).mean() > 1
    set_strength(held.unet, 0.0)
    assert np.abs(pixels(generate(held, PROMPT, SETTINGS)) - before).max() <= 1


class Matrix:
    """A LoRA's matrix that notes where it is asked to go."""

    def __init__(self):
        self.data, self.asked = self, None

    def to(self, *asked):
        self.asked = asked
        return self


def test_a_loras_matrices_lie_where_the_unet_computes(monkeypatch):
    """Not with the layer that waits in RAM: `meta` stands for a GPU here."""
    held, matrix, elsewhere = open_way("whole"), Matrix(), torch.device("meta")
    monkeypatch.setattr(type(held.unet), "device", property(lambda unet: elsewhere))
    monkeypatch.setattr(adapters, "list_weights", lambda unet, name: [matrix])
    adapters.inject(held.unet, LoraConfig(r=2, target_modules=["to_q"]), "one")
    assert matrix.asked == (elsewhere, torch.float32)
    with pytest.raises(LessonError, match="DoRA"):
        adapters.inject(held.unet, LoraConfig(r=2, target_modules=["to_q"], use_dora=True), "two")
