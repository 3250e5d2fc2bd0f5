"""What is counted without memory is what torch's allocator really gives, on a Kolors that is narrow and shallow."""

import pytest
import torch
from peft import LoraConfig

from course_lib.hub.repository import TINY
from course_lib.machine import footprint
from course_lib.machine.configs import CONFIGS, read_config
from tests.gpu.measure import record_peak

UNET = CONFIGS["unet"] | {
    "block_out_channels": [64, 128, 256], "attention_head_dim": [1, 2, 4], "transformer_layers_per_block": [1, 1, 2],
    "cross_attention_dim": 128, "encoder_hid_dim": 256, "addition_time_embed_dim": 16,
    "projection_class_embeddings_input_dim": 352}
VAE = CONFIGS["vae"] | {"block_out_channels": [32, 64, 128, 128]}
SIDE = 32  # of the latents
WITHIN = 0.05


def make_real(part, config):
    """Return a part on the CPU with weights that are numbers."""
    model = footprint.build_part(part, config).to_empty(device="cpu")
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data.fill_(0.01)
    return model


def predict(unet, batch):
    """Ask a real UNet what `footprint.denoise` asks one without memory."""
    width = unet.config.encoder_hid_dim
    return unet(torch.zeros(batch, 4, SIDE, SIDE), torch.zeros(()), torch.zeros(batch, 256, width), return_dict=False,
                added_cond_kwargs={"text_embeds": torch.zeros(batch, width), "time_ids": torch.zeros(batch, 6)})[0]


@torch.no_grad()
def test_drawing():
    unet, empty = make_real("unet", UNET), footprint.build_part("unet", UNET)
    counted = footprint.count_peak(empty, lambda: footprint.denoise(empty, SIDE, batch=2), "cpu")
    assert record_peak(lambda: predict(unet, 2)) == pytest.approx(counted, rel=WITHIN)


@pytest.mark.parametrize("checkpointing", [True, False])
def test_training(checkpointing):
    unet = make_real("unet", UNET).requires_grad_(False).train()
    unet.add_adapter(LoraConfig(r=16, lora_alpha=16, target_modules=footprint.LORA_LAYERS))
    if checkpointing:
        unet.enable_gradient_checkpointing()
    counted, _ = footprint.count_training(UNET, torch.float32, SIDE, checkpointing, device="cpu")

    def step():
        noise = predict(unet, 1)
        torch.nn.functional.mse_loss(noise, torch.zeros_like(noise)).backward()

    assert record_peak(step) == pytest.approx(counted, rel=WITHIN)


@torch.no_grad()
@pytest.mark.parametrize("config", [VAE, read_config(TINY, "vae")], ids=["narrow", "tiny"])
@pytest.mark.parametrize("way", ["decode", "encode"])
def test_the_vae(way, config):
    """Its peaks lie inside convolutions, so the room that those take on a CPU has to be known."""
    real, empty = make_real("vae", config), footprint.build_part("vae", config)
    wide = footprint.scale(config) * SIDE
    given = (1, 4, SIDE, SIDE) if way == "decode" else (1, 3, wide, wide)
    counted = footprint.count_peak(empty, lambda: getattr(empty, way)(torch.empty(given, device="meta")), "cpu")
    assert record_peak(lambda: getattr(real, way)(torch.zeros(given))) == pytest.approx(counted, rel=WITHIN)


def test_the_allocator_is_asked():
    taken = record_peak(lambda: [torch.zeros(1000) + 1 for _ in range(3)])
    assert taken == pytest.approx(4 * 4000, rel=0.01)  # three sums, and the zeros of the last
    assert record_peak(lambda: None) == 0
