"""Ask a real ComfyUI whether it reads what `convert(..., to="kohya")` writes; run by hand, with ComfyUI's packages.

    python tests/by_hand/check_lora_keys.py PATH_OF_A_COMFYUI_CHECKOUT [--record]

A LoRA with random weights of every attention layer of the full-size Kolors is converted, read by ComfyUI's own code
into its own UNet (on the meta device: shapes without memory), and each of the 560 layers must arrive with its weights
and its alpha. `--record` writes the spellings that ComfyUI accepts for some layers into tests/data, for test_lora.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch

COURSE = Path(__file__).resolve().parent.parent.parent
RECORD = COURSE / "tests" / "data" / "comfyui_lora_keys.json"
RANK, ALPHA = 4, 1.0
RECORDED = (".0.attn1.to_q", ".0.attn2.to_out.0", ".0.ff.net.2", "proj_in", "0.conv1", "0.conv_shortcut", "s.0.conv",
            "linear_1", "conv_in", "conv_out")
ENDINGS = [(".lora_down.weight", ".lora_up.weight"), ("_lora.down.weight", "_lora.up.weight"),
           (".lora_A.weight", ".lora_B.weight"), (".lora.down.weight", ".lora.up.weight"), (".lora_A", ".lora_B"),
           (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"),
           (".lora_A.default.weight", ".lora_B.default.weight"), (".lora_A.other.weight", ".lora_B.other.weight")]

sys.path.insert(0, str(COURSE))

from course_lib.lora.conversion import convert, write_lora  # noqa: E402
from course_lib.lora.files import Matrices  # noqa: E402
from course_lib.lora.names import known_layers  # noqa: E402
from course_lib.lora.verbs import ATTENTION  # noqa: E402
from course_lib.machine.configs import UNET  # noqa: E402


def build_model():
    """Build ComfyUI's own model for Kolors' UNet: SDXL's, with 5632 numbers beside the words."""
    from comfy.cli_args import args

    args.cpu = True  # before the modules that look for a GPU
    import comfy.supported_models

    config = {"image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 320, "num_res_blocks": [2, 2, 2],
              "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 10, 10], "transformer_depth_middle": 10,
              "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10], "context_dim": 2048,
              "num_head_channels": 64, "use_spatial_transformer": True, "use_linear_in_transformer": True,
              "use_temporal_attention": False, "legacy": False, "num_classes": "sequential",
              "adm_in_channels": UNET["projection_class_embeddings_input_dim"], "dtype": torch.float32}
    return comfy.supported_models.SDXL(config).get_model({}, device=torch.device("meta"))


def make_lora(folder: Path) -> dict[str, Matrices]:
    """Write a LoRA of all attention layers in the diffusers format, and convert it."""
    layers = known_layers("kolors")
    torch.manual_seed(0)
    matrices = {name: Matrices(torch.randn(RANK, layer.shape[1]), torch.randn(layer.shape[0], RANK), ALPHA)
                for name, layer in layers.items() if name.endswith(ATTENTION)}
    source = write_lora(folder / "diffusers.safetensors", "diffusers", matrices, layers, {"base_model": "kolors"})
    convert(source, folder / "diffsynth.ckpt", to="diffsynth")
    convert(folder / "diffsynth.ckpt", folder / "kohya.safetensors", to="kohya", alpha=ALPHA)
    return matrices


def read_patches(model, file: Path) -> dict:
    """Return ComfyUI's patches by its model's own names, read from a file by ComfyUI's own code."""
    import comfy.lora
    import comfy.lora_convert
    import comfy.utils

    content = comfy.lora_convert.convert_lora(comfy.utils.load_torch_file(str(file), safe_load=True))
    return comfy.lora.load_lora(content, comfy.lora.model_lora_keys_unet(model, {}), log_missing=False)


def check(model, patches: dict, matrices: dict[str, Matrices]) -> None:
    """Compare each layer that arrived with what was written: its place, weights, alpha and what it adds."""
    import comfy.lora

    layers, weights = known_layers("kolors"), model.state_dict()
    assert len(patches) == len(matrices) == 560, len(patches)
    for name, expected in matrices.items():
        key = f"diffusion_model.{layers[name].sgm}.weight"
        up, down, alpha = patches[key].weights[:3]
        assert torch.equal(up, expected.up) and torch.equal(down, expected.down) and alpha == ALPHA, name
        assert tuple(weights[key].shape) == layers[name].shape, name
    weight = torch.zeros(layers[name].shape)
    moved = comfy.lora.calculate_weight([(1.0, patches[key], 1.0, None, None)], weight, key)
    torch.testing.assert_close(moved, ALPHA / RANK * expected.up @ expected.down)


def record(model) -> None:
    """Write which spellings ComfyUI takes for some layers (its model's name -> spellings), and which endings."""
    import comfy.lora
    from comfyui_version import __version__

    accepted, keys = {}, comfy.lora.model_lora_keys_unet(model, {})
    one = {"lora_unet_conv_in": keys["lora_unet_conv_in"]}
    endings = [(down, up) for down, up in ENDINGS if comfy.lora.load_lora(
        {f"lora_unet_conv_in{ending}": torch.zeros(1, 1) for ending in (down, up)}, one, log_missing=False)]
    for spelling, key in keys.items():
        if isinstance(key, str) and key.endswith(".weight"):
            accepted.setdefault(key, []).append(spelling)
    names = {f"diffusion_model.{layer.sgm}.weight" for name, layer in known_layers("kolors").items()
             if layer.sgm and f".{name}".endswith(RECORDED)}
    found = {"comfyui": __version__, "endings": endings,
             "accepted": {name: sorted(accepted[name]) for name in sorted(names)}}
    RECORD.write_text(json.dumps(found, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    checkout, *options = sys.argv[1:]
    sys.path.insert(0, checkout)
    sys.argv[1:] = []
    comfy_model = build_model()
    with tempfile.TemporaryDirectory() as place:
        made = make_lora(Path(place))
        check(comfy_model, read_patches(comfy_model, Path(place) / "kohya.safetensors"), made)
        print(f"ComfyUI loads all {len(made)} layers of the kohya file with alpha {ALPHA:g}, rank {RANK}.")
        for other in ("diffusers.safetensors", "diffsynth.ckpt"):
            print(f"Of {other} it loads {len(read_patches(comfy_model, Path(place) / other))}.")
    if "--record" in options:
        record(comfy_model)
