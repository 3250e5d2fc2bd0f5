"""The UNet step by step against diffusers' own call of it."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from course_lib.kolors_configs import CONFIGS
from course_lib.prompts import Condition
from course_lib.unet_steps import prepare_unet

# Kolors' own shape (first level without attention, then 2 and 10 blocks), only narrower and less deep.
NARROW = {"block_out_channels": (32, 64, 64), "attention_head_dim": (1, 2, 2),
          "transformer_layers_per_block": (1, 2, 3), "cross_attention_dim": 48,
          "encoder_hid_dim": 24, "addition_time_embed_dim": 8,
          "projection_class_embeddings_input_dim": 24 + 6 * 8, "norm_num_groups": 8}


@pytest.fixture(scope="module")
def narrow():
    torch.manual_seed(0)
    return UNet2DConditionModel.from_config({**CONFIGS["unet"], **NARROW}).eval()


def both(unet, height, width, dtype=torch.float32, timestep=731):
    """Return the noise that diffusers' call sees and the one that the steps see."""
    config, random = unet.config, torch.Generator().manual_seed(1)
    states = torch.randn(3, 7, config.encoder_hid_dim, generator=random).to(dtype)
    pooled = torch.randn(3, config.encoder_hid_dim, generator=random).to(dtype)
    x = torch.randn(3, 4, height, width, generator=random).to(dtype)
    size = torch.tensor([[8 * height, 8 * width, 0, 0, 8 * height, 8 * width]]).expand(3, -1)
    with torch.inference_mode():
        wanted = unet(x, timestep, states, added_cond_kwargs={"text_embeds": pooled, "time_ids": size}).sample
        see_noise = prepare_unet(unet, Condition(states, pooled), size)
        return wanted, see_noise(x, torch.tensor(timestep))


@pytest.mark.parametrize("height, width", [(16, 16), (8, 24), (10, 14), (13, 9)])  # also sides not halved twice
def test_it_sees_what_diffusers_sees(narrow, height, width):
    wanted, seen = both(narrow, height, width)
    assert torch.isfinite(seen).all() and torch.allclose(seen, wanted, atol=2e-5)


def test_it_sees_what_diffusers_sees_in_tiny_kolors(pipe):
    wanted, seen = both(pipe.unet, 16, 16)
    assert torch.allclose(seen, wanted, atol=1e-5)


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
    narrow.delete_adapters("default")
    assert torch.allclose(seen, wanted, atol=2e-5) and not torch.allclose(seen, before, atol=1e-2)
