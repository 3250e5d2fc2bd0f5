"""The surroundings of nodes that run in the notebook: models by name, folders, and the callback of `run`."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeAlias

from diffusers import KolorsPipeline
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from course_lib.files import CAMP, COURSE, write_new
from course_lib.messages import error
from course_lib.model.latents import preview
from course_lib.model.loading import load
from course_lib.pictures.picture import Picture
from course_lib.sampling.step import Step
from course_lib.workflow.nodes.host import Host, is_file

FOLDER = COURSE / "outputs" / "comfyui"  # with input and output inside, as ComfyUI's own folder
MODEL_INPUTS = {"DownloadAndLoadKolorsModel": "model", "CheckpointLoaderSimple": "ckpt_name"}
PART_INPUTS = {"VAELoader": "vae_name", "LoadChatGLM3": "chatglm3_checkpoint"}
LOADERS = {**MODEL_INPUTS, **PART_INPUTS, "DownloadAndLoadChatGLM3": None}  # class -> the input with a model's name
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
MOST_FILES = 99_999  # SaveImage writes the number in five digits

Models: TypeAlias = Mapping[str, str | KolorsPipeline] | str | KolorsPipeline | None


@dataclass(frozen=True)
class Progress:
    """What `run` tells its callback: the node that runs, and in a sampler the step, counted from 1 (else 0 of 0).

    `preview()` is the picture that the model sees at this step, None outside of a sampler.
    """

    node: str
    class_type: str
    step: int = 0
    steps: int = 0
    preview: Callable[[], Image.Image | None] = field(default=lambda: None, compare=False)


class NotebookHost(Host):
    """What surrounds a workflow's nodes in the notebook while `run` runs."""

    def __init__(self, prompt: Mapping[str, dict], models: Models, pipes: dict[str, KolorsPipeline],
                 output: str | Path | None, pictures: str | Path | None,
                 callback: Callable[[Progress], object] | None, page: object) -> None:
        self.prompt, self.pipes, self.callback, self.page = prompt, pipes, callback, page
        self.output_folder = Path(output) if output else FOLDER / "output"
        self.input_folder = Path(pictures) if pictures else FOLDER / "input"
        self.lora_folders = (Path.cwd(), CAMP, COURSE, COURSE / "outputs" / "loras")
        self.models = name_models(prompt, models)
        self.node = ""
        self.notes: list[str] = []

    def list_names(self, kind: str) -> list[str]:
        """List the names that a node may choose: of models, of LoRAs and pictures that are there."""
        if kind == "loras":
            return [name for name in find_values(self.prompt, {"LoraLoader": "lora_name"}) if self.has_lora(name)]
        if kind == "images":
            folder = self.input_folder
            return sorted(file.name for file in folder.glob("*") if file.suffix.lower() in PICTURES)
        parts = find_values(self.prompt, PART_INPUTS) if kind in ("vae", "encoders") else []
        return list(dict.fromkeys([*self.models, *parts]))

    def has_lora(self, name: str) -> bool:
        """Say whether a LoRA's file is there."""
        return any(is_file(folder / name) for folder in self.lora_folders)

    def choose(self, name: str | None) -> str | KolorsPipeline:
        """Return what stands behind a name; behind a part's, and without one, what stands behind the first model's."""
        return self.models.get(name or "") or next(iter(self.models.values()), "tiny")

    def identify(self, node: str) -> object:
        """Return what tells the model that a loader gives from another one, None for other nodes."""
        about = self.prompt[node]
        if about["class_type"] not in LOADERS:
            return None
        wanted = self.choose(about["inputs"].get(LOADERS[about["class_type"]]))
        return wanted if isinstance(wanted, str) else id(wanted)

    def find_pipe(self, name: str | None = None) -> KolorsPipeline:
        """Return the model of a name, loaded once."""
        wanted = self.choose(name)
        if isinstance(wanted, KolorsPipeline):
            return wanted
        if wanted not in self.pipes:
            self.pipes[wanted] = load(wanted)
        return self.pipes[wanted]

    def watch(self, pipe: KolorsPipeline) -> Callable[[Step], object] | None:
        """Return what tells the callback of each step, and hands on its True that stops."""
        callback = self.callback
        if callback is None:
            return None
        kind = self.prompt[self.node]["class_type"]
        return lambda step: callback(Progress(self.node, kind, step.index + 1, step.steps,
                                              lambda: preview(pipe, step.denoised)))

    def note(self, words: str) -> None:
        """Keep a note for the node's result, once."""
        if words not in self.notes:
            self.notes.append(words)

    def save(self, picture: Image.Image, prefix: str) -> Path:
        """Save a picture as output folder/PREFIX_00001_.png, the next free number, with the workflow inside.

        LessonError for a prefix that leads out of the folder and for a place that cannot be written.
        """
        place = inside(self.output_folder, f"{prefix}_00001_.png")
        if place is None:
            raise error("node_save_outside", prefix=prefix, folder=self.output_folder)
        chunks = PngInfo()
        chunks.add_text("prompt", json.dumps(self.prompt))
        if self.page is not None:
            chunks.add_text("workflow", json.dumps(self.page))
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            places = list_free(place.parent, place.name.removesuffix("_00001_.png"))
            return write_new(places, Picture(picture, "", chunks=chunks).to_png())
        except (OSError, ValueError) as cause:
            raise error("cannot_write", path=place, cause=getattr(cause, "strerror", None) or cause) from cause


def inside(folder: Path, name: str) -> Path | None:
    """Return the place of a name in a folder, None where "..", an absolute path or a link leads out of it."""
    try:
        place = (folder / name).resolve()
    except (OSError, ValueError, RuntimeError):  # no file can have such a name, or its links run in a circle
        return None
    return place if place.is_relative_to(folder.resolve()) else None


def list_free(folder: Path, name: str) -> Iterator[Path]:
    """Yield the paths NAME_00001_.png, NAME_00002_.png ... after those that are there, as ComfyUI counts."""
    taken = [file.name.removeprefix(f"{name}_").split("_")[0] for file in folder.iterdir()
             if file.name.startswith(f"{name}_")]
    number = max((int(one) for one in taken if one.isdecimal() and len(one) <= len(str(MOST_FILES))), default=0) + 1
    yield from (folder / f"{name}_{each:05}_.png" for each in count(number))


def name_models(prompt: Mapping[str, dict], models: Models) -> dict[str, str | KolorsPipeline]:
    """Return which model each name stands for: by default, and for one model given, all names of the workflow."""
    if isinstance(models, Mapping):
        return dict(models)
    names = find_values(prompt, MODEL_INPUTS) or find_values(prompt, PART_INPUTS)
    return dict.fromkeys(names, "tiny" if models is None else models)


def find_values(prompt: Mapping[str, dict], inputs: Mapping[str, str]) -> list[str]:
    """Return the texts that stand in an input of nodes of these classes, each once."""
    found = [about["inputs"].get(inputs[about["class_type"]]) for about in prompt.values()
             if about["class_type"] in inputs]
    return list(dict.fromkeys(value for value in found if isinstance(value, str)))
