"""The course's nodes inside the real ComfyUI: its progress bar, previews, stop button and folders.

Loaded inside ComfyUI only: `comfy`, `nodes`, `folder_paths`, `latent_preview` and `server` are ComfyUI's modules.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import comfy.latent_formats
import comfy.model_management
import comfy.utils
import folder_paths
import latent_preview
import nodes
from diffusers import KolorsPipeline
from server import PromptServer

from course_lib.comfyui.custom_nodes.comfy_model import WEARS, build_model, wear
from course_lib.files import CAMP
from course_lib.messages import text
from course_lib.model.latents import preview
from course_lib.model.loading import load
from course_lib.sampling.step import Callback, Step
from course_lib.workflow.node_types import NodeClass
from course_lib.workflow.nodes.host import NAMES, Host, settle
from course_lib.workflow.nodes.kolors import stamp
from course_lib.workflow.nodes.wires import CourseClip, CourseVae, WornLora, is_tiny

MODEL = "COURSE_KOLORS"  # environment: which model stands behind the names in workflows, "tiny" or "kolors"


class ComfyHost(Host):
    """ComfyUI's own surroundings."""

    def __init__(self) -> None:
        self.pipes: dict[str, KolorsPipeline] = {}
        base = Path(folder_paths.base_path)
        self.lora_folders = tuple(map(Path, [base, *folder_paths.get_folder_paths("loras"), CAMP, Path.cwd()]))

    def find_pipe(self, name: str | None = None) -> KolorsPipeline:
        """Return the model that the environment names, loaded once, whatever a workflow calls it."""
        wanted = os.environ.get(MODEL) or "tiny"
        if wanted not in self.pipes:
            self.make_room()
            logging.info(text("node_model_loading", name=wanted, variable=MODEL))
            self.pipes[wanted] = load(wanted)
        return self.pipes[wanted]

    def watch(self, pipe: KolorsPipeline) -> Callback:
        """Return what moves ComfyUI's bar, sends its preview, and stops where its stop button was pressed."""
        bar = comfy.utils.ProgressBar(1)
        coarse = None
        if not is_tiny(pipe):  # decoding Kolors' own picture would cost more than a step
            coarse = latent_preview.get_previewer(pipe.unet.device, comfy.latent_formats.SDXL())

        def tell(step: Step) -> None:
            comfy.model_management.throw_exception_if_processing_interrupted()
            image: tuple | None
            if is_tiny(pipe):
                image = ("JPEG", preview(pipe, step.denoised), latent_preview.MAX_PREVIEW_RESOLUTION)
            else:
                image = coarse and coarse.decode_latent_to_preview_image("JPEG", step.denoised)
            bar.update_absolute(step.index + 1, step.steps, image)

        return tell

    def make_room(self) -> None:
        """Let ComfyUI take its own models off the GPU."""
        if comfy.model_management.get_torch_device().type != "cpu":
            comfy.model_management.unload_all_models()

    def note(self, words: str) -> None:
        """Write to ComfyUI's log."""
        logging.info(f"[kolors-course] {words}")


def add_name(types: dict, kind: str, field: str) -> dict:
    """Add the course's names to the list of a loader's field, where no file of that name is there."""
    choices, *rest = types["required"][field]
    missing = [name for name in NAMES[kind] if folder_paths.get_full_path(kind, name) is None]
    types["required"][field] = ([*choices, *missing], *rest)
    return types


def is_ours(kind: str, name: str) -> bool:
    """Say whether a name is one of the course's and no file."""
    return name in NAMES[kind] and folder_paths.get_full_path(kind, name) is None


class VaeLoader(nodes.VAELoader):
    """ComfyUI's VAELoader, which knows the VAE of the course's model too.

    Its own code knows VAEs of SDXL's size only, so the camp's workflows, which load "sdxl.vae.safetensors", could not
    run with Tiny Kolors. ComfyUI passes over a built-in's name in a package's NODE_CLASS_MAPPINGS, so `settle_in` puts
    this class in its place. Where a file of that name lies in models/vae, that file is loaded, as ever.
    """

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return add_name(super().INPUT_TYPES(), "vae", "vae_name")

    def load_vae(self, vae_name: str) -> tuple[object, ...]:
        """Return the VAE of a name."""
        if not is_ours("vae", vae_name):
            return super().load_vae(vae_name)
        logging.info(text("node_vae_ours", name=vae_name))
        return (CourseVae(HOST.find_pipe(vae_name)),)


class CheckpointLoader(nodes.CheckpointLoaderSimple):
    """ComfyUI's CheckpointLoaderSimple, which knows the name in the workflows of the course's own pictures too."""

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """Return the inputs as ComfyUI reads them."""
        return add_name(super().INPUT_TYPES(), "checkpoints", "ckpt_name")

    def load_checkpoint(self, ckpt_name: str) -> tuple[object, ...]:
        """Return MODEL, CLIP and VAE of a name."""
        if not is_ours("checkpoints", ckpt_name):
            return super().load_checkpoint(ckpt_name)
        pipe = HOST.find_pipe(ckpt_name)
        logging.info(text("node_checkpoint_ours", name=ckpt_name))
        return build_model(pipe), CourseClip(pipe), CourseVae(pipe)


class LoraLoader(nodes.LoraLoader):
    """ComfyUI's LoraLoader; to a MODEL of the course it gives the LoRA through `load_lora`, which knows each format."""

    @classmethod
    def IS_CHANGED(cls, lora_name: str, **inputs: object) -> str:
        """Return the file's size and time, so that a file that was trained anew is read anew."""
        return stamp(lora_name)

    def load_lora(self, model: Any, clip: object, lora_name: str, strength_model: float,
                  strength_clip: float) -> tuple[object, object]:
        """Return MODEL with the LoRA, and CLIP; a LoRA of Kolors changes no text encoder."""
        if model.get_attachment(WEARS) is None:
            return super().load_lora(model, clip, lora_name, strength_model, strength_clip)
        path = Path(folder_paths.get_full_path_or_raise("loras", lora_name))
        return wear(model, WornLora(path, strength=strength_model)), clip


class LoraLoaderModelOnly(LoraLoader, nodes.LoraLoaderModelOnly):
    """The same for ComfyUI's LoraLoaderModelOnly."""


BUILT_IN = {"VAELoader": VaeLoader, "CheckpointLoaderSimple": CheckpointLoader, "LoraLoader": LoraLoader,
            "LoraLoaderModelOnly": LoraLoaderModelOnly}
HOST = ComfyHost()


def settle_in(own: Mapping[str, NodeClass]) -> None:
    """Take ComfyUI as surroundings, put the three loaders in place, and tell of other packs with the same names."""
    settle(HOST)
    nodes.NODE_CLASS_MAPPINGS.update(BUILT_IN)
    tell_clash({name: kind for name, kind in nodes.NODE_CLASS_MAPPINGS.items() if name in own}, "node_clash_before")

    def look(request: dict) -> dict:
        """See before each run whether a pack that came later has taken a name of ours."""
        used = {node["class_type"] for node in request.get("prompt", {}).values()
                if isinstance(node, dict) and "class_type" in node}
        tell_clash({name: nodes.NODE_CLASS_MAPPINGS[name] for name in used & own.keys()
                    if nodes.NODE_CLASS_MAPPINGS[name] is not own[name]}, "node_clash_after")
        return request

    PromptServer.instance.add_on_prompt_handler(look)


def tell_clash(others: Mapping[str, type], key: str) -> None:
    """Tell which classes of other packs have the names of ours."""
    for name, kind in others.items():
        logging.warning(text(key, name=name, pack=getattr(kind, "RELATIVE_PYTHON_MODULE", kind.__module__)))
