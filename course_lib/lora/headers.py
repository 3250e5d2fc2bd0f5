"""What the header of a LoRA file says, read without opening its tensors; no torch is needed."""

from pathlib import Path

from course_lib.hub import repository
from course_lib.messages import error, text

UNTOLD = ("Dynamic", "None")  # what kohya's tools write where the alpha differs from layer to layer, or is unknown
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
