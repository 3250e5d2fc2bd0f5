"""The parts of a model, each opened by its own class in a stated precision, its weights read as nothing but weights."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import cpu_offload
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.pipelines.kolors import ChatGLMModel
from transformers import BitsAndBytesConfig

from course_lib.files import refuse_pointer
from course_lib.machine import hardware
from course_lib.machine.footprint import hold_in_fp8, set_tiles
from course_lib.machine.stages import Plan
from course_lib.messages import LessonError, error
from course_lib.model.fingerprints import note_loaded
from course_lib.model.pickles import check_pickle


class Float32Vae(AutoencoderKL):
    """Kolors' VAE in float32, whatever precision the latents have: in fp16 its numbers overflow to a black picture.

    Before it works it calls `make_room`, by which what has the GPU can leave it.
    """

    make_room: Callable[[], None] = staticmethod(lambda: None)

    def encode(self, x: torch.Tensor, *arguments, **options):
        self.make_room()
        return super().encode(x.to(self.dtype), *arguments, **options)

    def decode(self, z: torch.Tensor, *arguments, **options):
        self.make_room()
        return super().decode(z.to(self.dtype), *arguments, **options)


def open_vae(folder: Path, plan: Plan) -> AutoencoderKL:
    """Open the VAE, in float32 whatever precision the latents have."""
    dtype = getattr(torch, plan.dtype)
    kind = AutoencoderKL if dtype == torch.float32 and not plan.vae_alone else Float32Vae
    files = choose_files(folder / "vae", dtype) | {"dtype": torch.float32}
    with reading(folder, "vae"):
        vae = kind.from_pretrained(folder / "vae", **files)
    set_tiles(vae)
    vae.use_tiling = plan.vae_tiling
    return vae


def open_unet(folder: Path, plan: Plan) -> UNet2DConditionModel:
    """Open the UNet in RAM, held as the plan says; a training quantises it later, when the UNet's turn comes."""
    dtype = getattr(torch, plan.dtype)
    with reading(folder, "unet"):
        unet = UNet2DConditionModel.from_pretrained(folder / "unet", **choose_files(folder / "unet", dtype))
    if plan.unet == "fp8":
        hold_in_fp8(unet, dtype)
    elif plan.unet == "stream":
        device = torch.device(plan.device)
        # without `record_stream`: with it layers would come faster than the GPU computes, and fill its memory
        unet.enable_group_offload(device, torch.device("cpu"), offload_type="leaf_level",
                                  use_stream=device.type != "cpu")
    return unet


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
        for file in (folder / "text_encoder").glob("*.bin"):
            check_pickle(file)
        encoder = ChatGLMModel.from_pretrained(folder / "text_encoder", **options)
    if plan.encoder == "stream":
        cpu_offload(encoder, execution_device=torch.device(plan.device))
    elif plan.encoder == "whole":
        encoder.to(plan.device)
        note_loaded(encoder)
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
    except LessonError:
        raise
    except (torch.OutOfMemoryError, MemoryError) as cause:
        raise error("weights_no_memory", part=part, cause=first_line(cause)) from cause
    except pickle.UnpicklingError as cause:
        raise error("weights_unsafe", folder=folder / part, cause=first_line(cause)) from cause
    except Exception as cause:  # a broken config raises whatever the first line that meets it raises
        for file in sorted((folder / part).glob("*")):
            refuse_pointer(file)
        raise error("weights_broken", folder=folder, part=part, cause=first_line(cause)) from cause


def first_line(cause: BaseException) -> str:
    """Return the first line of what an exception says, or its name."""
    return next(iter(str(cause).splitlines()), "") or type(cause).__name__
