"""From a checked folder and a plan to a KolorsPipeline: every part opened by its own class, in a stated precision.

No class is looked up by a name in a file, no code that came with a model is run, and weights are read as nothing but
weights. Both layouts open: diffusers' (`Kwai-Kolors/Kolors-diffusers`) and the original one (`Kwai-Kolors/Kolors`:
tokenizer and .bin weights in `text_encoder`).
"""

from pathlib import Path

import torch
from diffusers import EulerDiscreteScheduler, KolorsPipeline
from diffusers.pipelines.kolors import ChatGLMTokenizer
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from course_lib.hub import fetching, repository
from course_lib.machine.configs import FILES, read_config
from course_lib.machine.planning import plan as make_plan
from course_lib.machine.stages import Plan
from course_lib.model.parts import find_tokenizer, load_encoder, open_unet, open_vae, reading
from course_lib.model.text_cache import CachedEncoder
from course_lib.model.threads import set_threads
from course_lib.model.turns import Turns

# The files of the original layout, as DiffSynth-Studio's model list names them; which precision its safetensors have,
# and where its scheduler lies, could not be confirmed offline.
ORIGINAL = "Kwai-Kolors/Kolors"
ORIGINAL_FILES = (
    "scheduler/*.json", "text_encoder/*.json", "text_encoder/tokenizer.model", "text_encoder/*.bin", "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors", "vae/config.json", "vae/diffusion_pytorch_model.safetensors")


def list_files(name: str, plan: Plan) -> list[str] | None:
    """List the patterns of the files that a plan needs of a model, None for all that the model's name stands for."""
    if name == ORIGINAL:
        patterns: tuple[str, ...] = ORIGINAL_FILES
    elif plan.encoder == "cached" and name in repository.NAMES:
        patterns = repository.NAMES[name].patterns
    else:
        return None
    unread = (".bin", ".safetensors") if plan.encoder == "cached" else ()
    return [pattern for pattern in patterns if not (pattern.startswith("text_encoder/") and pattern.endswith(unread))]


def open_folder(folder: Path, plan: Plan) -> KolorsPipeline:
    """Open a model's folder as the plan says; LessonError for weights that are broken, or more than weights."""
    for logging in (diffusers_logging, transformers_logging):
        logging.disable_progress_bar()  # a bar that ends within a second tells nothing
    dtype = getattr(torch, plan.dtype)
    for part in FILES:
        read_config(folder, part)  # before anything is built as it says
    unet = open_unet(folder, plan)
    set_threads(unet)
    vae = open_vae(folder, plan)
    with reading(folder, "tokenizer"):
        tokenizer = ChatGLMTokenizer.from_pretrained(find_tokenizer(folder))
        scheduler = EulerDiscreteScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
    pipe = KolorsPipeline(vae.to(plan.device), None, tokenizer, unet, scheduler)
    pipe.register_to_config(_name_or_path=str(folder))
    if plan.placement == "turns":
        turns = Turns(unet, folder, plan)
        pipe.text_encoder = CachedEncoder(turns.bring_encoder, turns.release, folder, torch.device(plan.device), dtype,
                                          plan.encoder_bits if plan.encoder == "quantised" else 16)
        if plan.vae_alone:
            vae.make_room = turns.make_room
    else:
        unet.to(plan.device)
        pipe.text_encoder = load_encoder(folder, plan)
    if plan.checkpointing:
        unet.enable_gradient_checkpointing()
    pipe.plan = plan
    pipe.set_progress_bar_config(disable=True)
    return pipe


def load(name: str = "tiny", plan: Plan | None = None) -> KolorsPipeline:
    """Load a model as a KolorsPipeline, as the plan says or as fits this machine; LessonError for what cannot be."""
    if name == "tiny":
        folder = fetching.fetch(name)
        return open_folder(folder, plan or make_plan("draw", name))
    repository.find_repo(name)  # a wrong name is told before the machine's memory is
    plan = plan or make_plan("draw", name)  # and what does not fit before it is downloaded
    return open_folder(fetching.fetch(name, patterns=list_files(name, plan)), plan)
