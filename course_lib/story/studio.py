"""A demo that others can use: the folder of a ModelScope Studio (创空间), which runs Tiny Kolors with a learner's LoRA.

The folder holds everything: app.py (Gradio), what it needs, the model, the LoRA. Nothing of the course is imported in
it, and Gradio is no package of the course.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from course_lib.checks import check_text
from course_lib.files import COURSE, write_whole
from course_lib.hub.fetching import fetch
from course_lib.lora.alphas import read_lora
from course_lib.lora.conversion import convert
from course_lib.lora.headers import find_lora
from course_lib.lora.public import write_public
from course_lib.messages import error, text

TEMPLATE = COURSE / "data" / "studio"
MARK = "about.json"  # a folder with it is one that `demo` wrote
MODEL_PARTS = ("model_index.json", "scheduler", "text_encoder", "tokenizer", "unet", "vae")
# For "quick create" of a Studio; the free machine has two cores. What the site accepts could not be confirmed offline.
DEPLOY = {"$schema": "https://modelscope.cn/api/v1/studios/deploy_schema.json", "sdk_type": "gradio",
          "sdk_version": "6.2.0", "resource_configuration": "platform/2v-cpu-16g-mem",
          "base_image": "ubuntu22.04-py311-torch2.9.1-modelscope1.35.0"}
EXAMPLES = ("一只小猫，{trigger}，蓝色背景", "一枚火箭，{trigger}，紫色背景", "一个蛋糕，{trigger}，粉色背景")


def demo(folder: str | Path, lora: str | Path, *, title: str = "", examples: Sequence[str] = ()) -> Path:
    """Write a Studio's folder with a LoRA of Tiny Kolors (its file or folder), and return it; LessonError.

    A second run replaces what the first wrote; a folder with other things in it is left alone.
    """
    folder, lora = Path(folder).expanduser(), Path(lora).expanduser()
    lora = find_lora(lora) if lora.is_dir() else lora
    facts = read_lora(lora)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise error("demo_taken", folder=folder)
    check_text("title", title)
    trigger = facts.header.get("trigger_word", "")
    about = {"title": title or text("demo_title", name=lora.stem), "words": text("demo_words", trigger=trigger),
             "examples": list(examples) or [words.format(trigger=trigger).replace("，，", "，") for words in EXAMPLES]}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / MARK, json.dumps(about, ensure_ascii=False, indent=1).encode())
        for file in TEMPLATE.iterdir():
            if file.is_file():
                write_whole(folder / file.name, file.read_bytes())
        write_whole(folder / "ms_deploy.json", json.dumps(DEPLOY, indent=1).encode())
        write_lora(lora, facts.format, folder / "lora.safetensors")
        copy_model(folder / "model")
    except OSError as cause:
        raise error("cannot_write", path=folder, cause=cause.strerror or cause) from cause
    return folder


def write_lora(lora: Path, form: str, target: Path) -> None:
    """Write a LoRA of any format with diffusers' names, and of its header what may become public."""
    part = target.with_name(f".{target.name}")
    source = lora
    if form != "diffusers" or lora.suffix != ".safetensors":
        source = convert(lora, target.with_name(".converted.safetensors"), to="diffusers")
    write_public(source, part)
    part.replace(target)
    if source != lora:
        source.unlink()


def copy_model(target: Path) -> None:
    """Copy Tiny Kolors, without its card's pictures, checked as it was shipped."""
    tiny = fetch("tiny")
    for name in MODEL_PARTS:
        source = tiny / name
        if source.is_dir():
            shutil.copytree(source, target / name, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
