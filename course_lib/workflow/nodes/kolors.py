"""The Kolors nodes of the camp's workflows, with their class names, inputs and widgets, on diffusers' own Kolors.

They serve the real ComfyUI and the notebook's runner alike. Names, bounds and defaults are those of kijai's
ComfyUI-KwaiKolorsWrapper and, for LoadKolorsLoRA, of the camp's notebook; the code is the course's own.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from diffusers import KolorsPipeline

from course_lib.messages import LessonError, error, text
from course_lib.model.parts import load_encoder
from course_lib.model.text import LENGTH, encode_text, pad_texts
from course_lib.sampling.settings import MOST_SEED
from course_lib.workflow.node_types import NodeClass
from course_lib.workflow.nodes.host import here
from course_lib.workflow.nodes.kolors_sampling import KOLORS_SCHEDULERS, Asked, draw_latents
from course_lib.workflow.nodes.prompt_syntax import read_prompts
from course_lib.workflow.nodes.wires import (
    CourseModel,
    WornLora,
    check_latents,
    fit_size,
    tell_length,
    tell_prompt,
    wearing,
)

CATEGORY = "Kolors"
PRECISIONS = ("fp16", "quant4", "quant8")
MOST_PICTURES = 128  # of one KolorsTextEncode
MOST_TOTAL = 1024  # of all its prompts
DIVISIBLE = 64  # px, the step of width and height


@dataclass(frozen=True)
class Reader:
    """A text encoder with its tokenizer, of the pipeline that it belongs to."""

    text_encoder: torch.nn.Module
    tokenizer: object
    pipe: KolorsPipeline


class DownloadAndLoadKolorsModel:
    """Load the UNet and its scheduler."""

    RETURN_TYPES = ("KOLORSMODEL",)
    RETURN_NAMES = ("kolors_model",)
    FUNCTION = "loadmodel"
    CATEGORY = CATEGORY

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {"model": (here().list_names("kolors"),), "precision": (["fp16"],)}}

    def loadmodel(self, model: str, precision: str) -> tuple[CourseModel]:
        """Return the model of a name; its numbers have the precision that suits this machine."""
        pipe = here().find_pipe(model)
        if pipe.unet.dtype != torch.float16:
            here().note(text("node_precision", asked=precision, used=name_dtype(pipe.unet.dtype)))
        return (CourseModel(pipe),)


class DownloadAndLoadChatGLM3:
    """Load the text encoder."""

    RETURN_TYPES = ("CHATGLM3MODEL",)
    RETURN_NAMES = ("chatglm3_model",)
    FUNCTION = "loadmodel"
    CATEGORY = CATEGORY

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {"precision": (list(PRECISIONS), {"default": "fp16"})}}

    def loadmodel(self, precision: str) -> tuple[Reader]:
        """Return the text encoder, in 8 or 4 bits where that is asked for and a GPU is there."""
        return (open_reader(here().find_pipe(), precision),)


class LoadChatGLM3:
    """Load the text encoder that a file's name stands for."""

    RETURN_TYPES = ("CHATGLM3MODEL",)
    RETURN_NAMES = ("chatglm3_model",)
    FUNCTION = "loadmodel"
    CATEGORY = CATEGORY

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {"chatglm3_checkpoint": (here().list_names("encoders"),)}}

    def loadmodel(self, chatglm3_checkpoint: str) -> tuple[Reader]:
        """Return the course's own text encoder in the precision that the name tells; the file itself is not read.

        Such files hold kijai's own classes' weights, in 8 and 4 bits those of a GPU kernel that is no longer made.
        """
        bits = {"4bit": "quant4", "8bit": "quant8"}
        precision = next((kind for sign, kind in bits.items() if sign in chatglm3_checkpoint), "fp16")
        here().note(text("node_encoder_file", file=chatglm3_checkpoint, precision=precision))
        return (open_reader(here().find_pipe(chatglm3_checkpoint), precision),)


def open_reader(pipe: KolorsPipeline, precision: str) -> Reader:
    """Return a pipeline's text encoder, loaded anew in 8 or 4 bits if asked; on a CPU the pipeline's own stays."""
    if precision == "fp16":
        return Reader(pipe.text_encoder, pipe.tokenizer, pipe)
    if pipe.plan.device == "cpu":
        here().note(text("node_quantised_cpu", precision=precision))
        return Reader(pipe.text_encoder, pipe.tokenizer, pipe)
    here().make_room()
    plan = replace(pipe.plan, encoder="quantised", encoder_bits=int(precision.removeprefix("quant")))
    return Reader(load_encoder(Path(pipe.name_or_path), plan), pipe.tokenizer, pipe)


class KolorsTextEncode:
    """Turn prompts into what the UNet reads."""

    RETURN_TYPES = ("KOLORS_EMBEDS",)
    RETURN_NAMES = ("kolors_embeds",)
    FUNCTION = "encode"
    CATEGORY = CATEGORY

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them; `seed`, the course's addition, chooses among {a|b}."""
        return {"required": {"chatglm3_model": ("CHATGLM3MODEL",),
                             "prompt": ("STRING", {"multiline": True, "default": ""}),
                             "negative_prompt": ("STRING", {"multiline": True, "default": ""}),
                             "num_images_per_prompt": ("INT", {"default": 1, "min": 1, "max": MOST_PICTURES})},
                "optional": {"seed": ("INT", {"default": 0, "min": 0, "max": MOST_SEED, "forceInput": True})}}

    def encode(self, chatglm3_model: Reader, prompt: str, negative_prompt: str, num_images_per_prompt: int,
               seed: int = 0) -> tuple[dict[str, object]]:
        """Return the embeddings of every picture's prompt [pictures, 256, hidden], and of the negative one."""
        prompts = read_prompts(prompt, seed)
        negative = " ".join(read_prompts(negative_prompt, seed))
        if prompts != [prompt.strip()]:
            here().note(text("node_prompts", prompts=text("list_comma").join(text("node_quoted", words=one)
                                                                                 for one in prompts)))
        if len(prompts) * num_images_per_prompt > MOST_TOTAL:
            raise error("node_prompts_many", count=len(prompts) * num_images_per_prompt, most=MOST_TOTAL)
        here().make_room()
        for one in prompts:
            tell_prompt(chatglm3_model.pipe, one)
        texts = [encode_text(chatglm3_model, one) for one in (*prompts, negative)]
        for encoded in texts:
            tell_length(encoded)
        positive = [one for one in texts[:-1] for _ in range(num_images_per_prompt)]
        whole, away = (pad_texts(some, LENGTH, torch.float32, torch.device("cpu")) for some in (positive, texts[-1:]))
        return ({"prompt_embeds": whole.states, "pooled_prompt_embeds": whole.pooled,
                 "negative_prompt_embeds": away.states, "negative_pooled_prompt_embeds": away.pooled,
                 "texts": positive, "negative_text": texts[-1]},)


class LoadKolorsLoRA:
    """Put a LoRA on the model for the samplers behind this node."""

    RETURN_TYPES = ("KOLORSMODEL",)
    RETURN_NAMES = ("kolors_model",)
    FUNCTION = "loadmodel"
    CATEGORY = CATEGORY

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return {"required": {"kolors_model": ("KOLORSMODEL",), "lora_path": ("STRING", {"default": ""}),
                             "lora_alpha": ("FLOAT", {"default": 2.0, "min": 0.0, "max": 4.0, "step": 0.01})}}

    @classmethod
    def IS_CHANGED(cls, lora_path: str, **inputs: object) -> str:
        """Return the file's size and time, so that a file that was trained anew is read anew."""
        return stamp(lora_path)

    def loadmodel(self, kolors_model: CourseModel, lora_path: str, lora_alpha: float) -> tuple[CourseModel]:
        """Return a model that wears the LoRA while it draws; the given one stays as it is. LessonError for no file."""
        found = here().find_lora(lora_path)
        return (kolors_model.wear(WornLora(found, lora_alpha)) if lora_alpha else kolors_model,)  # 0: no LoRA


def stamp(name: str) -> str:
    """Return what tells one state of a LoRA's file from another; "" where it is not found, which the node then says."""
    try:
        found = here().find_lora(name).stat()
    except (OSError, ValueError, LessonError):
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


class KolorsSampler:
    """Draw latents of the prompts, step by step."""

    RETURN_TYPES = ("LATENT",)
    RETURN_NAMES = ("latent",)
    FUNCTION = "process"
    CATEGORY = CATEGORY

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        side = ("INT", {"default": 1024, "min": 64, "max": 2048, "step": DIVISIBLE})
        return {"required": {"kolors_model": ("KOLORSMODEL",), "kolors_embeds": ("KOLORS_EMBEDS",),
                             "width": side, "height": side,
                             "seed": ("INT", {"default": 0, "min": 0, "max": MOST_SEED}),
                             "steps": ("INT", {"default": 25, "min": 1, "max": 200}),
                             "cfg": ("FLOAT", {"default": 5.0, "min": 0.0, "max": 20.0, "step": 0.01}),
                             "scheduler": (list(KOLORS_SCHEDULERS), {"default": "EulerDiscreteScheduler"})},
                "optional": {"latent": ("LATENT",),
                             "denoise_strength": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01})}}

    def process(self, kolors_model: CourseModel, kolors_embeds: dict, width: int, height: int, seed: int, steps: int,
                cfg: float, scheduler: str, latent: dict | None = None,
                denoise_strength: float = 1.0) -> tuple[dict[str, torch.Tensor]]:
        """Return a latent for each prompt; with `latent`, denoise_strength of it is drawn anew."""
        pipe, prompts = kolors_model.pipe, kolors_embeds["texts"]
        start, scale = None, pipe.vae.config.scaling_factor
        if latent is not None:
            start = latent["samples"].float() * scale
            check_latents(pipe, start)
            if len(start) not in (1, len(prompts)):
                raise error("node_batches", latents=len(start), prompts=len(prompts))
            width, height = (side * pipe.vae_scale_factor for side in (start.shape[3], start.shape[2]))
        elif denoise_strength < 1:
            here().note(text("node_denoise_unused"))
        width, height = fit_size(pipe, width, height)
        asked = Asked(width, height, seed, steps, cfg, scheduler, denoise_strength)
        here().make_room()
        with wearing(pipe, kolors_model.loras):
            drawn = draw_latents(pipe, prompts, kolors_embeds["negative_text"], asked, start, here().watch(pipe))
        check_latents(pipe, drawn)
        return ({"samples": drawn.cpu() / scale},)


def name_dtype(dtype: torch.dtype) -> str:
    """Return a number format's name: float32, float16."""
    return str(dtype).removeprefix("torch.")


NODE_CLASS_MAPPINGS: dict[str, NodeClass] = {
    "DownloadAndLoadKolorsModel": DownloadAndLoadKolorsModel,
    "DownloadAndLoadChatGLM3": DownloadAndLoadChatGLM3,
    "LoadChatGLM3": LoadChatGLM3,
    "KolorsTextEncode": KolorsTextEncode,
    "LoadKolorsLoRA": LoadKolorsLoRA,
    "KolorsSampler": KolorsSampler,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "DownloadAndLoadKolorsModel": "(Down)load Kolors Model",
    "DownloadAndLoadChatGLM3": "(Down)load ChatGLM3 Model",
    "LoadChatGLM3": "Load ChatGLM3 Model",
    "KolorsTextEncode": "Kolors Text Encode",
    "LoadKolorsLoRA": "Load Kolors LoRA",
    "KolorsSampler": "Kolors Sampler",
}
