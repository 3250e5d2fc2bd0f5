"""From a checked folder and a plan to a KolorsPipeline: every part opened by its own class, in a stated precision.

No class is looked up by a name in a file, no code that came with a model is run, and weights are read as nothing but
weights. Both layouts open: diffusers' (`Kwai-Kolors/Kolors-diffusers`) and the original one (`Kwai-Kolors/Kolors`:
tokenizer and .bin weights in `text_encoder`).
"""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import cpu_offload
from accelerate.utils import send_to_device
from diffusers import AutoencoderKL, EulerDiscreteScheduler, KolorsPipeline, UNet2DConditionModel
from diffusers.pipelines.kolors import ChatGLMModel, ChatGLMTokenizer
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError
from transformers import BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from course_lib.hub import fetching
from course_lib.machine import hardware
from course_lib.machine.footprint import set_tiles
from course_lib.machine.planning import Plan
from course_lib.messages import error
from course_lib.model.text_cache import CachedEncoder, collect

# The files of the original layout, as DiffSynth-Studio's model list names them; which precision its safetensors have,
# and where its scheduler lies, could not be confirmed offline.
ORIGINAL = "Kwai-Kolors/Kolors"
ORIGINAL_FILES = (
    "scheduler/*.json", "text_encoder/*.json", "text_encoder/tokenizer.model", "text_encoder/*.bin", "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors", "vae/config.json", "vae/diffusion_pytorch_model.safetensors")
UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, SafetensorError, EOFError)


def list_files(name: str, plan: Plan) -> list[str] | None:
    """List the patterns of the files that a plan needs of a model, None for all that the model's name stands for."""
    if name == ORIGINAL:
        patterns = ORIGINAL_FILES
    elif plan.encoder == "cached" and name in fetching.NAMES:
        patterns = fetching.NAMES[name].patterns
    else:
        return None
    unread = (".bin", ".safetensors") if plan.encoder == "cached" else ()
    return [pattern for pattern in patterns if not (pattern.startswith("text_encoder/") and pattern.endswith(unread))]


class Float32Vae(AutoencoderKL):
    """Kolors' VAE in float32, whatever precision the latents have: in fp16 its numbers overflow to a black picture."""

    def encode(self, x: torch.Tensor, *arguments, **options):
        return super().encode(x.to(self.dtype), *arguments, **options)

    def decode(self, z: torch.Tensor, *arguments, **options):
        return super().decode(z.to(self.dtype), *arguments, **options)


class Turns:
    """Lets the text encoder and the UNet have a GPU one after the other: each leaves when the other is called."""

    def __init__(self, unet: UNet2DConditionModel, folder: Path, plan: Plan) -> None:
        self.unet, self.folder, self.plan, self.encoder = unet, folder, plan, None
        unet.register_forward_pre_hook(self.bring_unet, with_kwargs=True)
        unet.register_forward_hook(self.answer)

    def bring_encoder(self) -> ChatGLMModel:
        """Return the text encoder, loaded anew where the UNet was at work; LessonError if the plan leaves it out."""
        if self.plan.encoder == "cached":
            raise error("encoder_gone")
        if self.encoder is None:
            self.unet.to("cpu")
            collect()
            self.encoder = load_encoder(self.folder, self.plan)
        return self.encoder

    def release(self) -> None:
        """Give the text encoder's memory back."""
        if self.encoder is not None:
            self.encoder = None
            collect()

    def bring_unet(self, unet: UNet2DConditionModel, arguments: tuple, options: dict) -> tuple[tuple, dict]:
        """Bring the UNet and what it is called with to the GPU."""
        self.release()
        if unet.device.type != self.plan.device:
            unet.to(self.plan.device)
        self.asked_from = (arguments[0] if arguments else options["sample"]).device
        return send_to_device((arguments, options), unet.device)

    def answer(self, unet: UNet2DConditionModel, arguments: tuple, result: object) -> object:
        """Hand the UNet's answer back where its question came from."""
        return send_to_device(result, self.asked_from)


def open_folder(folder: Path, plan: Plan) -> KolorsPipeline:
    """Open a model's folder as the plan says; LessonError for weights that are broken, or more than weights."""
    for logging in (diffusers_logging, transformers_logging):
        logging.disable_progress_bar()  # a bar that ends within a second tells nothing
    dtype = getattr(torch, plan.dtype)
    with reading(folder, "unet"):
        unet = UNet2DConditionModel.from_pretrained(folder / "unet", **choose_files(folder / "unet", dtype))
    vae = open_vae(folder, dtype, plan.vae_tiling)
    with reading(folder, "tokenizer"):
        tokenizer = ChatGLMTokenizer.from_pretrained(find_tokenizer(folder))
        scheduler = EulerDiscreteScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    pipe = KolorsPipeline(vae.to(plan.device), None, tokenizer, unet, scheduler)
    pipe.register_to_config(_name_or_path=str(folder))
    if plan.placement == "turns":
        turns = Turns(unet, folder, plan)
        pipe.text_encoder = CachedEncoder(turns.bring_encoder, turns.release, folder, torch.device(plan.device), dtype,
                                          plan.encoder_bits if plan.encoder == "quantised" else 16)
    else:
        unet.to(plan.device)
        pipe.text_encoder = load_encoder(folder, plan)
    if plan.checkpointing:
        unet.enable_gradient_checkpointing()
    pipe.plan = plan
    pipe.set_progress_bar_config(disable=True)
    return pipe


def open_vae(folder: Path, dtype: torch.dtype, tiling: bool) -> AutoencoderKL:
    """Open the VAE, in float32 whatever `dtype` the latents have."""
    kind = AutoencoderKL if dtype == torch.float32 else Float32Vae
    files = choose_files(folder / "vae", dtype) | {"dtype": torch.float32}
    with reading(folder, "vae"):
        vae = kind.from_pretrained(folder / "vae", **files)
    set_tiles(vae)
    vae.use_tiling = tiling
    return vae


def load_encoder(folder: Path, plan: Plan) -> ChatGLMModel:
    """Open the text encoder and put it where the plan wants it; in 8 or 4 bits bitsandbytes puts it on the GPU.

    Quantised loading has not been tried on a GPU yet.
    """
    dtype = getattr(torch, plan.dtype)
    options = choose_files(folder / "text_encoder", dtype) | {"weights_only": True}
    if plan.encoder == "quantised":
        if hardware.find_version("bitsandbytes") is None:
            raise error("bitsandbytes_missing", bits=plan.encoder_bits)
        bits = {"load_in_8bit": True} if plan.encoder_bits == 8 else {
            "load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}
        options |= {"quantization_config": BitsAndBytesConfig(**bits), "device_map": {"": plan.device}}
    with reading(folder, "text_encoder"):
        encoder = ChatGLMModel.from_pretrained(folder / "text_encoder", **options)
    if plan.encoder == "stream":
        cpu_offload(encoder, execution_device=torch.device(plan.device))
    elif plan.encoder == "whole":
        encoder.to(plan.device)
    return encoder.eval()


def choose_files(folder: Path, dtype: torch.dtype) -> dict[str, object]:
    """Return what `from_pretrained` is told: the precision, the fp16 copy where there is one, safetensors or not."""
    names = [file.name for file in folder.glob("*.safetensors")]
    fp16 = [name for name in names if ".fp16." in name or ".fp16-" in name]
    variant = "fp16" if fp16 and (dtype != torch.float32 or len(fp16) == len(names)) else None
    pickled = folder.name == "text_encoder" and not names  # the original layout's shards; others are safetensors
    return {"dtype": dtype, "variant": variant, "use_safetensors": not pickled, "local_files_only": True}


def find_tokenizer(folder: Path) -> Path:
    """Return the folder that holds the tokenizer: its own in diffusers' layout, the text encoder's in the original."""
    own = folder / "tokenizer"
    return own if (own / "tokenizer.model").is_file() else folder / "text_encoder"


@contextmanager
def reading(folder: Path, part: str) -> Iterator[None]:
    """Turn what goes wrong while a part is opened into a LessonError."""
    try:
        yield
    except pickle.UnpicklingError as cause:
        raise error("weights_unsafe", folder=folder / part, cause=first_line(cause)) from cause
    except UNREADABLE as cause:
        raise error("weights_broken", folder=folder, part=part, cause=first_line(cause)) from cause


def first_line(cause: BaseException) -> str:
    """Return the first line of what an exception says, or its name."""
    return next(iter(str(cause).splitlines()), "") or type(cause).__name__
