"""A model that looks at a picture and answers in words (Qwen-VL and its like), loaded from files on this machine."""

import importlib.util
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from course_lib.files import refuse_pointer
from course_lib.messages import error

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

MOST_SIDE = 1024  # px; a larger picture is made smaller before a model sees it


def load_vision_model(folder: Path) -> "tuple[ProcessorMixin, PreTrainedModel]":
    """Load a model and what prepares its input, on the GPU where there is one; LessonError for files that are neither.

    Code from the folder is never run, and weights are read from safetensors alone.
    """
    from transformers import AutoModelForImageTextToText

    try:
        processor = load_processor(folder)
        model, read = AutoModelForImageTextToText.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True, use_safetensors=True, dtype="auto",
            output_loading_info=True)
        if read["missing_keys"]:  # they would be random numbers, and its captions nonsense
            raise KeyError(", ".join(sorted(read["missing_keys"])))
    except Exception as cause:  # a broken folder raises whatever the first line that meets it raises
        for file in folder.glob("*"):
            refuse_pointer(file)
        raise error("caption_model", folder=folder, cause=f"{type(cause).__name__}: {cause}"[:300]) from cause
    return processor, model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def load_processor(folder: Path) -> "ProcessorMixin":
    """Load what turns picture and words into a model's input.

    Qwen-VL's also prepares videos and wants torchvision for them, which the course does not install: an odd build of
    it breaks torch. Where it is missing, the processor is put together without its video part.
    """
    from transformers import AutoConfig, AutoImageProcessor, AutoProcessor, AutoTokenizer
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES, processor_class_from_name

    safe = {"trust_remote_code": False, "local_files_only": True}
    name = PROCESSOR_MAPPING_NAMES.get(AutoConfig.from_pretrained(folder, **safe).model_type)
    kind: Any = name and processor_class_from_name(name)
    with_video = kind and "video_processor" in inspect.signature(kind.__init__).parameters
    if not with_video or importlib.util.find_spec("torchvision"):
        return AutoProcessor.from_pretrained(folder, **safe)

    class PicturesOnly(kind):
        """The same processor; that it has no video part is no mistake."""

        def check_argument_for_proper_class(self, name: str, given: object) -> object:
            return None if name == "video_processor" else super().check_argument_for_proper_class(name, given)

    written, _ = kind.get_processor_dict(folder, local_files_only=True)
    return PicturesOnly(image_processor=AutoImageProcessor.from_pretrained(folder, **safe), video_processor=None,
                        tokenizer=AutoTokenizer.from_pretrained(folder, **safe),
                        chat_template=written.get("chat_template"))


def ask(processor: "ProcessorMixin", model: "PreTrainedModel", picture: Image.Image, prompt: str, *, tokens: int,
        temperature: float = 0.0, seed: int = 0) -> str:
    """Return the model's answer of at most `tokens`; above temperature 0 words are drawn by chance."""
    content = [{"type": "image", "image": shrink(picture)}, {"type": "text", "text": prompt}]
    talk = [{"role": "user", "content": content}]
    inputs = processor.apply_chat_template(talk, tokenize=True, add_generation_prompt=True, return_dict=True,
                                           return_tensors="pt").to(model.device)
    chance = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(seed)
        answer = model.generate(**inputs, max_new_tokens=tokens, **chance)
    return processor.batch_decode(answer[:, inputs["input_ids"].shape[1]:], skip_special_tokens=True)[0]


def shrink(picture: Image.Image) -> Image.Image:
    """Return a picture no larger than a model needs."""
    small = picture.copy()
    small.thumbnail((MOST_SIDE, MOST_SIDE), Image.Resampling.LANCZOS)
    return small
