"""What the header of a LoRA file says, read without opening its tensors; no torch is needed."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from course_lib.hub import repository
from course_lib.messages import error, text

UNTOLD = ("Dynamic", "None")  # what kohya's tools write where the alpha differs from layer to layer, or is unknown
SPEC = "1.0.0"  # Stability AI's ModelSpec, the names under which other tools look for these facts
BASES = {"kolors": repository.KOLORS.name, "tiny": "Tiny Kolors"}


def find_lora(folder: Path) -> Path:
    """Return the folder's one .safetensors file; LessonError where there is none or more than one."""
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise error("lora_missing", folder=folder)
    if len(found) > 1:
        raise error("lora_several", folder=folder, files=text("list_comma").join(file.name for file in found))
    return found[0]


def read_header_alpha(header: dict[str, str]) -> float | None:
    """Return the alpha that a header tells for all layers, by the course's own key or kohya's; None for neither."""
    for key in ("alpha", "ss_network_alpha"):
        if header.get(key, "None") not in UNTOLD:
            return float(header[key])
    return None


def describe_spec(title: str, header: Mapping[str, str]) -> dict[str, str]:
    """Return a LoRA's facts under ModelSpec's names; what the header already says under them stays.

    The architecture is left out where the base model is neither Kolors nor Tiny Kolors: a guess would mislead.
    """
    base = header.get("base_model", "").lower()
    found = {"modelspec.sai_model_spec": SPEC, "modelspec.title": title,
             "modelspec.implementation": "https://github.com/huggingface/diffusers"}
    if "kolors" in base or base in BASES:
        found["modelspec.architecture"] = "tiny-kolors/lora" if re.match("tiny", base) else "kolors/lora"
    if header.get("trigger_word"):
        found["modelspec.trigger_phrase"] = header["trigger_word"]
    return {key: header.get(key) or value for key, value in found.items()}


def describe_network(ranks: Sequence[int], alphas: Sequence[float]) -> dict[str, str]:
    """Return rank and alpha under the names of kohya's tools, which write "Dynamic" where layers differ."""
    return {"ss_network_module": "networks.lora",
            "ss_network_dim": str(ranks[0]) if len(ranks) == 1 else UNTOLD[0],
            "ss_network_alpha": f"{alphas[0]:.9g}" if len(alphas) == 1 else UNTOLD[0]}
