"""The configs of the full Kolors, so that its size is known before a byte of it is downloaded; and a model's, checked.

Sources: Kwai-Kolors/Kolors (unet/config.json, vae/config.json, text_encoder/config.json) for what differs from the
defaults of diffusers' classes. The parameter counts are tested: 2,579,458,820 and 83,653,863 and 6,243,584,000.
"""

import json
import math
from pathlib import Path
from typing import Any

from course_lib.files import refuse_pointer
from course_lib.messages import error

UNET = {  # a UNet2DConditionModel: SDXL's, with words of 4096 numbers projected to 2048
    "sample_size": 128, "in_channels": 4, "out_channels": 4, "center_input_sample": False,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "block_out_channels": [320, 640, 1280], "layers_per_block": 2, "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],  # in this class: the number of heads, each 64 wide
    "cross_attention_dim": 2048, "use_linear_projection": True,
    "encoder_hid_dim": 4096, "encoder_hid_dim_type": "text_proj",
    "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 5632,  # 4096 of the pooled words + 6 sizes of 256 numbers
}

VAE = {  # an AutoencoderKL: SDXL's
    "sample_size": 1024, "in_channels": 3, "out_channels": 3, "latent_channels": 4, "layers_per_block": 2,
    "block_out_channels": [128, 256, 512, 512], "norm_num_groups": 32, "scaling_factor": 0.13025,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
    "force_upcast": True,  # in fp16 its numbers overflow, and the picture is black
}

TEXT_ENCODER = {  # a ChatGLMModel: ChatGLM3-6B
    "num_layers": 28, "hidden_size": 4096, "ffn_hidden_size": 13696, "kv_channels": 128, "num_attention_heads": 32,
    "multi_query_attention": True, "multi_query_group_num": 2, "add_bias_linear": False, "add_qkv_bias": True,
    "padded_vocab_size": 65024, "seq_length": 32768, "layernorm_epsilon": 1e-5, "rmsnorm": True,
    "post_layer_norm": True, "original_rope": True, "apply_query_key_layer_scaling": True,
    "attention_softmax_in_fp32": True,
}

CONFIGS: dict[str, dict] = {"unet": UNET, "vae": VAE, "text_encoder": TEXT_ENCODER}
SCHEDULER = {"num_train_timesteps": 1100, "beta_start": 0.00085, "beta_end": 0.014}  # of the noise it was trained with
FILES = {"unet": "unet/config.json", "vae": "vae/config.json", "text_encoder": "text_encoder/config.json",
         "scheduler": "scheduler/scheduler_config.json"}
MOST_BYTES = 2**20  # of a config; Kolors' have some kilobytes
MOST_TIMES = 4  # a number that Kolors has too: no more than so many times Kolors' own
MOST_NUMBER = 10**6  # any other whole number
MOST_ITEMS = 64  # of a list


def read_config(folder: Path, part: str) -> dict[str, object]:
    """Read the config of a part of a model ("unet", "vae", "text_encoder", "scheduler").

    LessonError where there is none, or one whose model would fill the memory or never be built.
    """
    file = folder / FILES[part]
    refuse_pointer(file)
    try:
        if not file.is_file() or file.stat().st_size > MOST_BYTES:
            raise ValueError("no file" if not file.is_file() else f"{file.stat().st_size} bytes")
        config = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("no JSON object")
        for name, value in config.items():
            check_number(name, value, (CONFIGS | {"scheduler": SCHEDULER})[part].get(name))
    except (OSError, ValueError, RecursionError) as cause:
        raise error("weights_broken", folder=folder, part=FILES[part], cause=cause) from cause
    return config


def check_number(name: str, value: Any, known: Any) -> None:
    """Answer a number out of bounds, or a text where Kolors (`known`) has a number, with ValueError."""
    values, numbers = (one if isinstance(one, list) else [one] for one in (value, known))
    if len(values) > MOST_ITEMS:
        raise ValueError(f"{name}: {len(values)} values")
    most = max((one * MOST_TIMES for one in numbers if type(one) is int), default=MOST_NUMBER)
    numeric = type(numbers[0]) in (int, float)
    for one in values:
        if numeric and one is not None and (type(one) not in (int, float) or not 0 < one < math.inf):
            raise ValueError(f"{name}: {str(one)[:40]!r}")
        if type(one) is int and abs(one) > most:
            raise ValueError(f"{name}: {str(one)[:40]} > {most}")
    if numeric and not values:
        raise ValueError(f"{name}: []")
