"""What a workflow gave, node by node: inputs, outputs with shape, type and range, seconds, and pictures of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import torch
from IPython.display import display
from PIL import Image
from torch import Tensor

from course_lib.messages import text
from course_lib.pictures.picture import Picture
from course_lib.workflow.nodes.kolors import Reader, name_dtype
from course_lib.workflow.nodes.wires import CourseClip, CourseModel, CourseVae

SHOWN_WORDS = 48  # letters of a value in the table
NOTE = "<div style='opacity:0.7'>{}</div>"
CELL = "<td style='text-align:left;vertical-align:top'>{}</td>"
GAP = 4  # px between the channels of a latent


@dataclass(frozen=True)
class NodeResult:
    """One node that ran: inputs and outputs by name (live values), seconds, and whether an earlier run's were taken."""

    id: str
    class_type: str
    title: str
    inputs: dict[str, object]
    outputs: dict[str, object]
    seconds: float
    cached: bool = False
    notes: tuple[str, ...] = ()
    pictures: tuple[Image.Image, ...] = ()
    files: tuple[Path, ...] = ()
    links: dict[str, str] = field(default_factory=dict)  # inputs that came along a wire -> what they came from

    @property
    def name(self) -> str:
        """Return how the results call the node: number and class, and its title where it has one of its own."""
        own = "" if self.title in ("", self.class_type) else f" “{self.title}”"
        return f"#{self.id} {self.class_type}{own}"

    def previews(self) -> list[tuple[str, Image.Image]]:
        """Return a picture of each output that can be seen: pictures, and latents channel by channel."""
        if self.pictures:
            return [(self.name, lay_out(self.pictures))]
        found = {name: draw_value(value) for name, value in self.outputs.items()}
        return [(f"{self.name} {name}", picture) for name, picture in found.items() if picture is not None]

    def describe(self) -> str:
        """Say in lines of text what went in, what came out, and how long it took."""
        lines = [text("node_cached", name=self.name) if self.cached
                 else text("node_took", name=self.name, seconds=f"{self.seconds:.1f}")]
        lines += [f"  → {name}: {'; '.join(said)}" for name, said in self.describe_inputs().items()]
        lines += [f"  ← {name}: {'; '.join(describe_value(value))}" for name, value in self.outputs.items()]
        return "\n".join(lines + [f"  {note}" for note in (*self.notes, *map(str, self.files))])

    def describe_inputs(self) -> dict[str, list[str]]:
        """Say what went in: of what came along a wire only where from, for the node there tells it."""
        return {name: [self.links[name]] if name in self.links else describe_value(value)
                for name, value in self.inputs.items()}

    def _ipython_display_(self) -> None:
        display(Table([self]))
        show_previews(self.previews())


@dataclass(frozen=True)
class Results(Mapping):
    """What a workflow gave, by node id in the order they ran; `pictures` are those of its output nodes."""

    nodes: dict[str, NodeResult] = field(default_factory=dict)
    node_errors: dict[str, dict] = field(default_factory=dict)  # of outputs that could not run, as ComfyUI tells them
    notes: tuple[str, ...] = ()

    def __getitem__(self, node: object) -> NodeResult:
        return self.nodes[str(node)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def pictures(self) -> list[Image.Image]:
        """Return the pictures of all output nodes."""
        return [picture for node in self.nodes.values() for picture in node.pictures]

    @property
    def seconds(self) -> float:
        """Return how long the nodes took that ran."""
        return sum(node.seconds for node in self.nodes.values() if not node.cached)

    def _ipython_display_(self) -> None:
        display(Table(list(self.nodes.values()), self.notes))
        for node in self.nodes.values():
            if node.pictures:
                show_previews(node.previews())


@dataclass(frozen=True)
class Table:
    """Nodes as a table: HTML where it can be shown, else lines of text; times are those of this machine."""

    nodes: Sequence[NodeResult]
    notes: Sequence[str] = ()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        words = "\n".join([*(node.describe() for node in self.nodes), *self.notes])
        heads = "".join(f"<th style='text-align:left'>{escape(head)}</th>"
                        for head in text("node_table").split("|"))
        rows = "".join(self.write_row(node) for node in self.nodes)
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        return {"text/html": f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{notes}",
                "text/plain": words}

    def write_row(self, node: NodeResult) -> str:
        """Return one node's row in HTML."""
        taken = text("node_kept") if node.cached else f"{node.seconds:.1f} s"
        went_in = write_values(node.describe_inputs())
        came_out = write_values({name: describe_value(value) for name, value in node.outputs.items()})
        more = "".join(NOTE.format(escape(line)) for line in (*node.notes, *(file.name for file in node.files)))
        cells = (escape(node.name), went_in, came_out + more, f"<span style='white-space:nowrap'>{taken}</span>")
        return f"<tr>{''.join(CELL.format(cell) for cell in cells)}</tr>"


def write_values(values: Mapping[str, Sequence[str]]) -> str:
    """Return what is said of named values in HTML, a line for each."""
    return "".join(f"<div><b>{escape(name)}</b> {'<br>'.join(map(escape, said))}</div>"
                   for name, said in values.items())


def describe_value(value: object) -> list[str]:
    """Say in a few lines what goes along a wire or stands in a widget: of tensors shape, type and range."""
    if isinstance(value, Tensor):
        return [describe_tensor(value)]
    if isinstance(value, dict):
        return [f"{name} {describe_tensor(part)}" for name, part in value.items() if isinstance(part, Tensor)]
    if isinstance(value, list):  # CONDITIONING
        return [describe_tensor(pair[0]) for pair in value]
    if isinstance(value, CourseModel):
        return [describe_module(value.pipe.unet), *(f"+ {lora.path.name}" for lora in value.loras)]
    if isinstance(value, CourseClip):
        return [describe_module(value.pipe.text_encoder)]
    if isinstance(value, Reader):
        return [describe_module(value.text_encoder)]
    if isinstance(value, CourseVae):
        return [describe_module(value.pipe.vae)]
    return [shorten_value(value)]


def shorten_value(value: object) -> str:
    """Return a widget's value in one short line."""
    words = " ".join(str(value).split())
    return words if len(words) <= SHOWN_WORDS else words[:SHOWN_WORDS] + "…"


def describe_module(module: torch.nn.Module) -> str:
    """Name a part of the model, with the count of its weights."""
    count = sum(weight.numel() for weight in module.parameters())
    return text("node_module", kind=type(module).__name__, count=count)


def describe_tensor(tensor: Tensor) -> str:
    """Say a tensor's shape, type and range."""
    shape = " × ".join(map(str, tensor.shape))
    if not tensor.numel():
        return f"[{shape}] {name_dtype(tensor.dtype)}"
    low, high = (float(edge) for edge in torch.aminmax(tensor.float()))
    return f"[{shape}] {name_dtype(tensor.dtype)} {low:.2g} … {high:.2g}"


def draw_value(value: object) -> Image.Image | None:
    """Return a picture of an output: an IMAGE as it is, a LATENT's channels in grey; None for what cannot be seen."""
    if isinstance(value, dict) and isinstance(value.get("samples"), Tensor):
        channels = value["samples"][0].float()
        spread = (channels - channels.amin()) / (channels.amax() - channels.amin()).clamp(min=1e-6)
        return lay_out([Image.fromarray((channel * 255).round().to(torch.uint8).numpy()).convert("RGB")
                        for channel in spread])
    if isinstance(value, Tensor) and value.ndim == 4 and value.shape[3] == 3:
        pixels = (value.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
        return lay_out([Image.fromarray(one) for one in pixels])
    return None


def lay_out(pictures: Sequence[Image.Image]) -> Image.Image:
    """Lay pictures of one size side by side; a single one stays as it is."""
    if len(pictures) == 1:
        return pictures[0]
    width, height = pictures[0].size
    row = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, height), "white")
    for number, picture in enumerate(pictures):
        row.paste(picture, (number * (width + GAP), 0))
    return row


def show_previews(previews: Sequence[tuple[str, Image.Image]]) -> None:
    """Show pictures, each with its name."""
    for name, picture in previews:
        display(Picture(picture, name))
