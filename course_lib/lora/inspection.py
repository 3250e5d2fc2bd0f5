"""What is in a LoRA file, without a UNet: a table of what it says of itself, and how far each layer is moved."""

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from course_lib.lora.alphas import read_lora
from course_lib.lora.conversion import choose_layers
from course_lib.lora.files import LoraFile, join_range
from course_lib.lora.matching import TITLES, find_base, name_other_base, read_base
from course_lib.lora.names import find_layers
from course_lib.messages import text
from course_lib.pictures.figures import plot
from course_lib.pictures.picture import Picture, shorten

RUN_ORDER = ("down", "mid", "up")  # a UNet's parts; its list of modules has them in another order


@dataclass(frozen=True)
class Inspection:
    """A LoRA file's facts: `rows` as shown, `norms` of (alpha/rank) B A by layer, settings and summary of training.

    Where alpha is unknown the norms are those of B A alone.
    """

    file: LoraFile
    rows: dict[str, str]
    norms: dict[str, float]
    settings: object
    summary: object

    def plot(self) -> Picture:
        """Draw each layer's norm in the order the UNet runs them, a line for each kind of layer."""
        lines: dict[str, tuple[list[float], list[float]]] = {}
        for place, (layer, norm) in enumerate(self.norms.items(), 1):
            places, values = lines.setdefault(name_kind(layer), ([], []))
            places.append(place)
            values.append(norm)
        scaled = "(alpha/rank) |B A|" if self.file.list_alphas() else "|B A|"
        return plot(lines, "layer", scaled)

    def __str__(self) -> str:
        return "\n".join(text("lora_row", name=name, value=value) for name, value in self.rows.items())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        # HTML, not Markdown: there a file's words could name a picture, and the page would fetch it
        cells = [f"<tr><th>{html.escape(name)}</th><td>{html.escape(' '.join(value.split()))}</td></tr>"
                 for name, value in self.rows.items()]
        return {"text/plain": str(self), "text/html": f'<table class="mathjax_ignore">{"".join(cells)}</table>'}


def inspect(path: str | Path, *, alpha: float | None = None) -> Inspection:
    """Read a LoRA file of any known format and say what is in it; LessonError for one that is damaged or no LoRA."""
    file = read_lora(path, alpha=alpha)
    settings, summary = (read_json(file.header, key) for key in ("settings", "summary"))
    return Inspection(file, make_rows(file, settings, summary), measure_norms(file), settings, summary)


def make_rows(file: LoraFile, settings: object, summary: object) -> dict[str, str]:
    """Return what the table shows, by the names of its rows in the learner's language."""
    ranks, alphas = file.list_ranks(), file.list_alphas()
    alpha = text("lora_alpha_unknown")
    scales = sorted({each.alpha / each.rank for each in file.layers.values() if each.alpha is not None})
    if alphas:
        alpha = text("lora_alpha_scale", alpha=show_range(alphas), scale=show_range(scales))
    alpha = "\n".join([alpha, *file.notes])
    tensors = [tensor for matrices in file.layers.values() for tensor in (matrices.down, matrices.up)]
    dora = any(matrices.magnitude is not None for matrices in file.layers.values())
    values = {
        "file": text("lora_file_size", name=file.path.name, size=f"{file.path.stat().st_size / 1e6:.2f}"),
        "format": f"{file.format}{' (DoRA)' if dora else ''}: {file.example()}",
        "layers": describe_fit(file),
        "rank": str(join_range(ranks)), "alpha": alpha,
        "weights": text("lora_weights", count=f"{sum(tensor.numel() for tensor in tensors):,}",
                        kind=", ".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors}))),
        "base": read_base(file) or text("lora_untold"),
        "trigger": file.header.get("trigger_word") or text("lora_untold"),
        "settings": show_values(settings), "summary": show_values(summary)}
    return {text(f"lora_row_{key}"): value for key, value in values.items()}


def describe_fit(file: LoraFile) -> str:
    """Say how many layers a file holds and which model has them all."""
    other, base = name_other_base(file), find_base(file)
    if other:
        return text("lora_layers_other", count=file.held, base=other)
    return text("lora_layers_fit" if base else "lora_layers_unfit", count=file.held, base=TITLES[base] if base else "")


def measure_norms(file: LoraFile) -> dict[str, float]:
    """Return each layer's norm by diffusers' names where they are known, in the order the UNet runs them."""
    layers = choose_layers(file)
    names = find_layers(file.layers, layers)
    places = {layer: place for place, layer in enumerate(
        sorted(layers, key=lambda layer: next((i for i, part in enumerate(RUN_ORDER) if layer.startswith(part)), -1)))}
    ordered = sorted(file.layers, key=lambda name: places.get(names.get(name, ""), len(places)))
    return {names.get(name, name): file.layers[name].norm for name in ordered}


def name_kind(layer: str) -> str:
    """Return a layer's kind, the end of its name: "to_q", "to_out.0", "conv1"."""
    head, _, end = layer.rpartition(".")
    return f"{head.rsplit('.', 1)[-1]}.{end}" if end.isdigit() else end


def read_json(header: Mapping[str, str], key: str) -> object:
    """Return what a header holds as JSON under a key, the words themselves if they are none, None if there are none."""
    try:
        return json.loads(header[key]) if key in header else None
    except (ValueError, RecursionError):
        return header[key]


def show_values(values: object) -> str:
    """Write training settings or a summary in one line that is not too long."""
    if isinstance(values, Mapping):
        values = ", ".join(f"{key}={value}" for key, value in values.items())
    return shorten(str(values)) if values else text("lora_untold")


def show_range(values: list[float]) -> str:
    """Write one number, or the least and the most of several."""
    return "-".join(f"{value:g}" for value in sorted({values[0], values[-1]}))
