"""What of a LoRA's file and its pictures may become public: weights, numbers, known words; no path, no place."""

import base64
import io
import json
import struct
from pathlib import Path

from PIL import Image

from course_lib.messages import error
from course_lib.pictures.opening import open_picture

# What of a header is published: our own keys and those of other trainers that a reader needs. Others hold a learner's
# folders, names, or whole data sets (kohya's ss_dataset_dirs, ss_tag_frequency).
WORDS = ("format", "rank", "alpha", "trigger_word", "ss_network_dim", "ss_network_alpha", "ss_network_module",
         "ss_base_model_version", "modelspec.sai_model_spec", "modelspec.architecture", "modelspec.implementation",
         "modelspec.title", "modelspec.trigger_phrase")
THUMBNAIL = "modelspec.thumbnail"
THUMBNAIL_SIDE = 256  # px
NAMES = ("base_model",)  # of models: "owner/name", but no path of this machine
TABLES = {  # JSON in a header: the texts in it that are published; numbers always are
    "settings": ("precision", "lr_scheduler", "min_snr_form", "targets", "trigger_word", "sample_prompts",
                 "prior_prompts", "optimizer", "quantised_base"),
    "summary": ("precision",),
    "lora_adapter_metadata": ("target_modules", "peft_type", "rank_pattern", "alpha_pattern")}
QUALITY = 95


def write_public(source: Path, target: Path, thumbnail: Image.Image | None = None) -> None:
    """Copy a LoRA's .safetensors with what of its header may become public; the same bytes where all of it may.

    A thumbnail goes into the header, where other tools look for it.
    """
    with source.open("rb") as content:
        length, = struct.unpack("<Q", content.read(8))
        written = content.read(length)
        table = json.loads(written)
        kept = choose_public(table.get("__metadata__") or {})
        if thumbnail is not None:
            kept[THUMBNAIL] = encode_thumbnail(thumbnail)
        if kept != (table.get("__metadata__") or {}):
            table["__metadata__"] = kept
            written = json.dumps(table, ensure_ascii=False).encode()
            written += b" " * (-len(written) % 8)  # the tensors begin at a multiple of 8
        with target.open("wb") as copy:
            copy.write(struct.pack("<Q", len(written)) + written)
            while block := content.read(1 << 20):
                copy.write(block)


def choose_public(header: dict[str, str]) -> dict[str, str]:
    """Return what of a header may become public."""
    kept = {}
    for key, value in header.items():
        if key in WORDS or key in NAMES and not is_path(value):
            kept[key] = value
        elif key in TABLES:
            try:
                found = json.loads(value)
            except (ValueError, RecursionError):
                continue
            public = choose_values(found, TABLES[key])
            if public is not None:
                kept[key] = value if public == found else json.dumps(public, ensure_ascii=False)
    return kept


def choose_values(found: object, words: tuple[str, ...]) -> object:
    """Return the numbers of a table, and of its texts those under the names in `words`; None for no table."""
    if not isinstance(found, dict):
        return None
    return {name: value for name, value in found.items()
            if value is None or isinstance(value, (bool, int, float)) or name.removeprefix("unet.") in words}


def encode_thumbnail(picture: Image.Image) -> str:
    """Return a small copy of a picture, its pixels alone, as a data address."""
    small = picture.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    content = io.BytesIO()
    Image.frombytes("RGB", small.size, small.tobytes()).save(content, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()


def is_path(words: str) -> bool:
    """Say whether a model's name is rather a place on a disk."""
    return words.startswith(("/", "\\", "~", ".")) or ":" in words or "\\" in words


def redraw(source: Path, target: Path) -> None:
    """Write a picture anew, upright and without anything but its pixels; LessonError for what is no picture."""
    picture = open_picture(source)
    bare = Image.frombytes("RGB", picture.size, picture.tobytes())  # a copy of Pillow's would take its comments along
    kind = {".png": "PNG", ".webp": "WEBP"}.get(target.suffix.lower(), "JPEG")
    try:
        bare.save(target, format=kind, **({} if kind == "PNG" else {"quality": QUALITY}))
    except OSError as cause:
        raise error("cannot_write", path=target, cause=cause.strerror or cause) from cause
