"""How many bytes a model's parts and their work take, counted on torch's meta device, where tensors have no memory.

    python -m course_lib.machine.footprint     writes footprints.json, which `plan` reads

The work is counted by running the real code of the parts and adding up the tensors that live at the same time. Beside
them the library below torch needs room inside each convolution, because its fast kernels want the numbers in another
order; `ROOMS` says how much.
"""

import json
import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.pipelines.kolors import ChatGLMModel
from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from course_lib.hub import repository
from course_lib.machine.configs import CONFIGS, read_config
from course_lib.messages import error

FOOTPRINTS = Path(__file__).parent / "footprints.json"
SIZES = (1024, 768, 512)  # px; what the full Kolors draws well
WORDS = 256  # tokens of a prompt, padded
TILE = 512  # px; the side of a tile when the VAE works tile by tile
BLOCK = 512  # bytes; torch's CUDA allocator rounds every tensor up to a multiple of it
LORA_RANK = 16
LORA_LAYERS = ["to_q", "to_k", "to_v", "to_out.0"]
CONVOLUTIONS = (torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default)
# What a convolution takes at its fullest moment, result included, from the bytes that it is given and those it makes.
# cuDNN wants the channels last, and holds a copy of both in that order beside the result (its developer guide, "Tensor
# layout"). oneDNN works in blocks of channels: it drops its copy of what it was given before it writes the result out.
ROOMS = {"cuda": lambda given, made: given + 2 * made, "cpu": lambda given, made: made + max(given, made)}


def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *masks, **options) -> torch.Tensor:
    """Take attention's memory as GPUs do, without the table of every token with every token."""
    return torch.ops.aten._scaled_dot_product_efficient_attention(query, key, value, None, True)[0]


@contextmanager
def as_gpus_attend() -> Iterator[None]:
    """Let every attention within a `with` block be `attend`, that of a backward pass too."""
    original = functional.scaled_dot_product_attention
    functional.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = original


class Ledger(TorchDispatchMode):
    """Add up the bytes of the tensors that live at the same time; `peak` is the most there were.

    `device` ("cuda" or "cpu") says whose convolutions, and whose allocator, they are counted for.
    """

    def __init__(self, model: torch.nn.Module, device: str = "cuda") -> None:
        super().__init__()
        self.room, self.block = ROOMS[device], BLOCK if device == "cuda" else 1
        self.live = self.peak = 0
        self.known = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        before, result = self.live, func(*args, **(kwargs or {}))
        made = [tensor for tensor in tree_leaves(result) if isinstance(tensor, torch.Tensor)]
        for tensor in made:
            self.enter(tensor.untyped_storage())
        if func in CONVOLUTIONS:
            self.peak = max(self.peak, before + self.room(count_bytes(args[0]), count_bytes(made[0])))
        return result

    def enter(self, storage: torch.UntypedStorage) -> None:
        """Count a storage that is not known yet, until it dies."""
        key, size = storage._cdata, -(-storage.nbytes() // self.block) * self.block
        if key not in self.known:
            self.known.add(key)
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self.leave, key, size)

    def leave(self, key: int, size: int) -> None:
        """Take a dead storage out of the count."""
        self.known.discard(key)
        self.live -= size


def count_bytes(tensor: torch.Tensor) -> int:
    """Return the bytes of a tensor's elements."""
    return tensor.numel() * tensor.element_size()


def count_peak(model: torch.nn.Module, work: Callable[[], object], device: str = "cuda") -> int:
    """Return the most bytes beside the model's weights that `work()` takes on a device, "cuda" or "cpu"."""
    ledger = Ledger(model, device)
    with as_gpus_attend(), ledger:
        work()
    return ledger.peak


def build_part(part: str, config: dict, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    """Build one part of Kolors ("unet", "vae" or "text_encoder") on the meta device: shapes and no memory."""
    if part == "text_encoder":  # told its device, for it would take the CPU's memory otherwise
        return ChatGLMModel(ChatGLMConfig(**config), device="meta").to(dtype).eval()
    with torch.device("meta"):
        model = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}[part].from_config(config)
    return torch.nn.Module.to(model, dtype).eval()  # diffusers' own `to` logs a line at every call


def read_configs(folder: Path) -> dict[str, dict]:
    """Read the configs of UNet, VAE and text encoder of a model's folder; LessonError for those that are none."""
    return {part: read_config(folder, part) for part in CONFIGS}


def measure_folder(folder: Path) -> dict:
    """Count the model in a folder, in diffusers' layout or the original one; LessonError for one of another make."""
    configs = read_configs(folder)
    try:
        return measure(configs)
    except Exception as cause:  # numbers that do not fit together raise whatever the first layer that fails raises
        raise error("weights_broken", folder=folder, part="config.json", cause=str(cause)[:300]) from cause


def measure(configs: dict[str, dict], sizes: Sequence[int] | None = None) -> dict:
    """Count a model's parameters and the bytes of each kind of work at each picture size in pixels.

    A model whose own pictures are small runs on the CPU in float32; a large one in 16 bits, its VAE in float32.
    """
    own = configs["unet"]["sample_size"] * scale(configs["vae"])
    usual, dtype = ((own,), torch.float32) if own < min(SIZES) else (SIZES, torch.float16)
    sizes, device = usual if sizes is None else sizes, "cpu" if dtype == torch.float32 else "cuda"
    parts = {part: build_part(part, configs[part], torch.float32 if part == "vae" else dtype) for part in CONFIGS}
    encoder, unet, vae = parts["text_encoder"], parts["unet"], parts["vae"]
    counts = {part: sum(weight.numel() for weight in model.parameters()) for part, model in parts.items()}
    layers = sum(weight.numel() for weight in encoder.encoder.layers.parameters())
    largest = max(sum(weight.numel() for weight in module.parameters(recurse=False)) for module in encoder.modules())
    with torch.no_grad():
        found = {"parameters": counts, "bytes_per_weight": dtype.itemsize, "encoder_layers": layers,
                 "encoder_largest": largest, **count_unet(configs["unet"], dtype),
                 "encode": count_peak(encoder, lambda: encode(encoder), device)}
        for size in sizes:
            drawing = partial(denoise, unet, size // scale(vae.config), batch=2)
            found[str(size)] = {"denoise": count_peak(unet, drawing, device), **count_vae(vae, size, device)}
    for checkpointing in (True, False):
        for size in sizes:
            trained, found["lora"] = count_training(configs["unet"], dtype, size // scale(vae.config), checkpointing,
                                                    device=device)
            found[str(size)]["train_checkpointing" if checkpointing else "train"] = trained
    return found


def count_unet(config: dict, dtype: torch.dtype) -> dict[str, int]:
    """Count what the ways to hold a UNet in less memory need to know of its weights.

    unet_largest and unet_matrices are numbers of weights: of the largest layer, and of what quantising takes.
    unet_pinned and unet_fp8 are bytes: in pinned RAM, of which torch takes powers of two, and in diffusers' fp8.
    """
    unet = build_part("unet", config, dtype)
    matrices = sum(module.weight.numel() for _, module in list_matrices(unet))
    largest = max(sum(weight.numel() for weight in module.parameters(recurse=False)) for module in unet.modules())
    pinned = sum(2 ** math.ceil(math.log2(count_bytes(weight))) for weight in unet.parameters())
    hold_in_fp8(unet, dtype)
    return {"unet_largest": largest, "unet_matrices": matrices, "unet_pinned": pinned,
            "unet_fp8": sum(count_bytes(weight) for weight in unet.parameters())}


def list_matrices(unet: UNet2DConditionModel) -> list[tuple[str, torch.nn.Linear]]:
    """List the matrices of a UNet's attentions by their names: most of its weights, and all that is quantised."""
    return [(name, module) for name, module in unet.named_modules()
            if isinstance(module, torch.nn.Linear) and ".attentions." in name and ".lora_" not in name]


def hold_in_fp8(unet: UNet2DConditionModel, dtype: torch.dtype) -> None:
    """Let each layer but the norms lie in 8 bits and be computed in `dtype` (diffusers' layerwise casting)."""
    unet.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)


def encode(encoder: ChatGLMModel) -> None:
    """Read one prompt, padded to 256 tokens."""
    tokens = torch.empty(1, WORDS, dtype=torch.long, device="meta")
    encoder(input_ids=tokens, position_ids=tokens, output_hidden_states=True)


def denoise(unet: UNet2DConditionModel, side: int, batch: int) -> torch.Tensor:
    """Predict the noise of latents of `side` x `side`; with guidance a picture is a batch of two."""
    place = {"device": "meta", "dtype": unet.dtype}
    words = unet.config.encoder_hid_dim
    return unet(torch.empty(batch, 4, side, side, **place), torch.empty((), device="meta"),
                encoder_hidden_states=torch.empty(batch, WORDS, words, **place),
                added_cond_kwargs={"text_embeds": torch.empty(batch, words, **place),
                                   "time_ids": torch.empty(batch, 6, **place)}, return_dict=False)[0]


def scale(vae: dict) -> int:
    """Return how many pixels wide one latent is, from the VAE's config: 8 in Kolors."""
    return 2 ** (len(vae["block_out_channels"]) - 1)


def count_vae(vae: AutoencoderKL, size: int, device: str) -> dict[str, int]:
    """Count the bytes of turning latents into a picture and back on a device, whole and tile by tile."""
    side = size // scale(vae.config)
    latents, picture = torch.empty(1, 4, side, side, device="meta"), torch.empty(1, 3, size, size, device="meta")
    set_tiles(vae)
    counts = {}
    for suffix, tiling in (("", False), ("_tiled", True)):
        vae.use_tiling = tiling
        counts[f"decode{suffix}"] = count_peak(vae, lambda: vae.decode(latents), device)
        counts[f"latents{suffix}"] = count_peak(vae, lambda: vae.encode(picture), device)
    return counts


def set_tiles(vae: AutoencoderKL) -> None:
    """Give the VAE tiles of 512 px; its own, as large as a 1024 px picture, would never cut that picture."""
    vae.tile_sample_min_size = TILE
    vae.tile_latent_min_size = TILE // scale(vae.config)


def count_training(config: dict, dtype: torch.dtype, side: int, checkpointing: bool, *, rank: int = LORA_RANK,
                   layers: Sequence[str] = LORA_LAYERS, device: str = "cuda") -> tuple[int, int]:
    """Count the bytes of one LoRA training step at batch 1, and the trained parameters; without layers, all train."""
    unet, step = build_training(config, dtype, side, checkpointing, rank=rank, layers=layers)
    trained = sum(weight.numel() for weight in unet.parameters() if weight.requires_grad)
    return count_peak(unet, step, device), trained


def build_training(config: dict, dtype: torch.dtype, side: int, checkpointing: bool, *, rank: int = LORA_RANK,
                   layers: Sequence[str] = LORA_LAYERS) -> tuple[UNet2DConditionModel, Callable[[], None]]:
    """Return a UNet with a LoRA on the meta device, and one step of its training, forwards and backwards."""
    from peft import LoraConfig  # here, because drawing does not wait for it

    unet = build_part("unet", config).requires_grad_(not layers).train()
    if layers:
        with torch.device("meta"):
            unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(layers)))
    torch.nn.Module.to(unet, dtype)
    if checkpointing:
        unet.enable_gradient_checkpointing()

    def step() -> None:
        noise = denoise(unet, side, batch=1)
        torch.autograd.backward(functional.mse_loss(noise.float(), torch.empty_like(noise, dtype=torch.float32)))

    return unet, step


def write_footprints() -> None:
    """Count Tiny Kolors and the full Kolors and write the result beside this module."""
    found = {"kolors": measure(CONFIGS), "tiny": measure_folder(repository.TINY)}
    FOOTPRINTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_footprints()
