"""The UNet step by step against diffusers' own call of it."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from course_lib.machine.configs import CONFIGS
from course_lib.model import fast_layers
from course_lib.model.text import Condition
from course_lib.model.unet import prepare_unet

# Kolors' own shape (first level without attention, then 2 and 10 blocks), only narrower and less deep.
NARROW = {"block_out_channels": (32, 64, 64), "attention_head_dim": (1, 2, 2),
          "transformer_layers_per_block": (1, 2, 3), "cross_attention_dim": 48,
          "encoder_hid_dim": 24, "addition_time_embed_dim": 8,
          "projection_class_embeddings_input_dim": 24 + 6 * 8, "norm_num_groups": 8}


@pytest.fixture(scope="module", params=["default", "scale_shift"])  # how Kolors is told the time, and Tiny Kolors
def narrow(request):
    torch.manual_seed(0)
    way = {"resnet_time_scale_shift": request.param}
    return UNet2DConditionModel.from_config({**CONFIGS["unet"], **NARROW, **way}).eval()


def both(unet, height, width, dtype=torch.float32, timestep=731, batch=3, tokens=7):
    """Return the noise that diffusers' call sees and the one that the steps see."""
    config, random = unet.config, torch.Generator().manual_seed(1)
    states = torch.randn(batch, tokens, config.encoder_hid_dim, generator=random).to(dtype)
    pooled = torch.randn(batch, config.encoder_hid_dim, generator=random).to(dtype)
    x = torch.randn(batch, 4, height, width, generator=random).to(dtype)
    size = torch.tensor([[8 * height, 8 * width, 0, 0, 8 * height, 8 * width]]).expand(batch, -1)
    with torch.inference_mode():
        wanted = unet(x, timestep, states, added_cond_kwargs={"text_embeds": pooled, "time_ids": size}).sample
        see_noise = prepare_unet(unet, Condition(states, pooled), size)
        return wanted, see_noise(x, torch.tensor(timestep))


@pytest.mark.parametrize("height, width", [(16, 16), (8, 24), (10, 14), (13, 9)])  # also sides not halved twice
def test_it_sees_what_diffusers_sees(narrow, height, width):
    wanted, seen = both(narrow, height, width)
    assert torch.isfinite(seen).all() and torch.allclose(seen, wanted, atol=2e-5)


def test_it_sees_what_diffusers_sees_in_tiny_kolors(pipe):
    wanted, seen = both(pipe.unet, 12, 12)
    assert torch.allclose(seen, wanted, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 8])  # few places and many go different ways
def test_it_sees_what_diffusers_sees_in_every_batch(pipe, batch):
    wanted, seen = both(pipe.unet, 12, 12, batch=batch)
    assert torch.allclose(seen, wanted, atol=1e-5)


def test_a_long_text_is_seen_as_a_short_one(pipe):
    """From more tokens than a head has channels on, the text's matrices are not multiplied out."""
    wanted, seen = both(pipe.unet, 12, 12, tokens=80)
    assert torch.allclose(seen, wanted, atol=1e-5)


def test_the_layers_of_a_large_unet_are_called_as_they_are(narrow, monkeypatch):
    """No weight is copied; a hook on each layer counts its calls."""
    monkeypatch.setattr(fast_layers, "MOST_WEIGHTS", 0)
    called = set()
    leaves = [layer for layer in narrow.modules() if isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d))]
    hooks = [layer.register_forward_hook(lambda layer, *_: called.add(layer)) for layer in leaves]
    wanted, seen = both(narrow, 16, 16)
    for hook in hooks:
        hook.remove()
    assert torch.allclose(seen, wanted, atol=2e-5) and called == set(leaves)


def test_half_precision(narrow):
    narrow.bfloat16()
    wanted, seen = both(narrow, 16, 16, torch.bfloat16)
    narrow.float()
    assert seen.dtype == torch.bfloat16 and torch.allclose(seen.float(), wanted.float(), atol=0.05)


def test_a_lora_in_the_layers_counts(narrow):
    """Its matrices start at zero, so some are set."""
    from peft import LoraConfig
    before = both(narrow, 16, 16)[1]
    narrow.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_k", "to_v", "to_out.0"], init_lora_weights=False))
    wanted, seen = both(narrow, 16, 16)
    rounding = 2e-5 * max(1.0, wanted.abs().max().item())
    assert torch.allclose(seen, wanted, atol=rounding) and not torch.allclose(seen, before, atol=1e-2)
    narrow.set_adapters("default", 0.3)  # nothing of the last picture's is kept
    weaker, seen = both(narrow, 16, 16)
    narrow.delete_adapters("default")
    assert torch.allclose(seen, weaker, atol=2e-5) and not torch.allclose(weaker, wanted, atol=1e-2)
    assert torch.equal(both(narrow, 16, 16)[1], before)


def test_a_lora_of_every_kind_of_layer_counts(narrow):
    """Of convolutions too, which stay peft's, and with a magnitude (DoRA)."""
    from peft import LoraConfig
    torch.manual_seed(2)  # with others diffusers' own answer may lie 40 times as far from that of float64
    targets = ["to_q", "to_k", "to_v", "to_out.0", "proj_in", "ff.net.0.proj", "conv1", "conv_shortcut", "conv"]
    narrow.add_adapter(LoraConfig(r=2, target_modules=targets, init_lora_weights=False, use_dora=True), "dora")
    before = both(narrow, 16, 16)[1]
    for name, weight in narrow.named_parameters():
        if "magnitude" in name:
            weight.data *= 1.1
    wanted, seen = both(narrow, 16, 16)
    narrow.delete_adapters("dora")
    rounding = 2e-5 * max(1.0, wanted.abs().max().item())
    assert torch.allclose(seen, wanted, atol=rounding) and not torch.allclose(seen, before, atol=1e-2)


def test_the_dropout_of_a_lora_in_training_is_kept(narrow):
    from peft import LoraConfig
    narrow.add_adapter(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False, lora_dropout=0.9), "drop")
    narrow.train()
    seen = [both(narrow, 16, 16)[1] for _ in range(2)]
    narrow.eval()
    narrow.delete_adapters("drop")
    assert not torch.equal(*seen)
