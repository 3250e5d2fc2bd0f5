"""What is seen while ComfyUI works: the node at work, its bar, and the half-done picture."""

from collections.abc import Mapping
from typing import Protocol

import ipywidgets
from IPython import get_ipython
from IPython.display import display
from PIL import Image

from course_lib.messages import text
from course_lib.pictures.opening import MOST_DRAWN, Unreadable, decode
from course_lib.workflow.explaining import dig, name_node

MOST_PREVIEW = 2**22
DRAWN = ("PNG", "JPEG", "WEBP")  # formats that are opened; ComfyUI's nodes write these


class View(Protocol):
    """What `follow` tells: that a node begins, how far it is, and the bytes of its preview."""

    def begin(self, node: str) -> None:
        """A node begins."""

    def step(self, value: float, most: float) -> None:
        """The node has done `value` of `most`."""

    def preview(self, content: bytes) -> None:
        """The node shows its half-done picture."""

    def close(self) -> None:
        """Everything is over."""


class Lines:
    """A view of one printed line per node, for terminals."""

    def __init__(self, prompt: Mapping[str, dict]) -> None:
        self.prompt = prompt

    def begin(self, node: str) -> None:
        """Print which node begins."""
        print(text("comfy_node_begins", node=name_node(node, self.prompt)))

    def step(self, value: float, most: float) -> None:
        """Print nothing: the notebook's view has a bar."""

    def preview(self, content: bytes) -> None:
        """Print nothing."""

    def close(self) -> None:
        """Print nothing."""


class Silent(Lines):
    """A view of nothing."""

    def begin(self, node: str) -> None:
        """Print nothing."""


class Widgets(Lines):
    """A view in a notebook: a line of words, a bar, and the latest preview."""

    def __init__(self, prompt: Mapping[str, dict]) -> None:
        super().__init__(prompt)
        self.words = ipywidgets.Label(text("comfy_waiting"))
        self.bar = ipywidgets.FloatProgress(value=0, min=0, max=1, layout={"width": "100%"})
        self.image = ipywidgets.Image(layout={"display": "none"}).add_class("comfyui-preview")
        self.box = ipywidgets.VBox([self.words, self.bar, self.image]).add_class("comfyui-progress")
        display(self.box)

    def begin(self, node: str) -> None:
        """Name the node and set its bar back."""
        self.words.value, self.bar.value = name_node(node, self.prompt), 0

    def step(self, value: float, most: float) -> None:
        """Move the bar."""
        self.bar.value = value / most

    def preview(self, content: bytes) -> None:
        """Show a preview, if it is a picture."""
        image = open_picture(content, MOST_PREVIEW)
        if image is not None:
            self.image.format, self.image.value, self.image.layout.display = image.format.lower(), content, ""

    def close(self) -> None:
        """Take the view away: the finished picture follows."""
        self.box.close()


def choose_view(prompt: Mapping[str, dict], show: bool) -> View:
    """Return the view for where this runs: widgets in a notebook, lines in a terminal, nothing if not wanted."""
    if not show:
        return Silent(prompt)
    return Widgets(prompt) if hasattr(get_ipython(), "kernel") else Lines(prompt)


def tell(view: View, message: dict, prompt_id: str) -> None:
    """Hand a message of ComfyUI's websocket to a view, if it is about our prompt and of a known form."""
    data = message.get("data")
    if dig(data, "prompt_id") != prompt_id:
        return
    node, value, most = dig(data, "node"), dig(data, "value"), dig(data, "max")
    if message.get("type") == "executing" and isinstance(node, str):
        view.begin(node)
    elif message.get("type") == "progress" and all(isinstance(each, (int, float)) for each in (value, most)) \
            and 0 <= value <= most and most > 0:
        view.step(value, most)


def open_picture(content: bytes, most: int = MOST_DRAWN) -> Image.Image | None:
    """Open a picture of at most `most` pixels that a server sent; None where it is none, or broken."""
    try:
        return decode(content, most, DRAWN)
    except Unreadable:
        return None
