"""What a ComfyUI node takes and gives: its inputs with their bounds, its outputs, and which inputs are widgets.

Read from the answer of ComfyUI's /object_info, from node classes, or from the table in `node_table`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from course_lib.messages import error

# Inputs of these kinds have a widget on the node; all others only take a link.
WIDGET_KINDS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COLOR", "BOUNDING_BOX", "CURVE", "RANGE",
                "AUDIO_RECORD", "AUDIO_UI", "LOAD_3D", "LOAD_3D_ANIMATION", "WEBCAM", "IMAGECOMPARE", "MARKDOWN")
SEEDS = ("seed", "noise_seed")
CONTROL = "control_after_generate"
FILTER = "control_filter_list"  # ComfyUI adds it where the widget that is controlled is a list of names
UPLOAD = "upload"
UPLOADS = ("image_upload", "animated_image_upload", "video_upload", "audio_upload", "file_upload")
NOT_SENT = (CONTROL, FILTER, UPLOAD, "audioUI")  # widgets of the page alone; the server never sees them
STARTS = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}  # of a widget whose definition names no default


@dataclass(frozen=True)
class InputType:
    """One input: its kind ("MODEL", "INT", "COMBO" ...), default, choices and bounds, and whether it is a widget."""

    kind: str
    default: object = None
    options: tuple | None = None  # the choices of a COMBO; None where they are not known
    min: float | None = None
    max: float | None = None
    step: float | None = None
    required: bool = True
    is_widget: bool = False
    control: bool = False  # a widget control_after_generate follows it
    multiline: bool = False
    dynamic: bool = False  # ComfyUI's page chooses from {a|b} in the text before it sends it
    forced: bool = False  # of a widget's kind, but only to be linked
    upload: bool = False


class NodeClass(Protocol):
    """A class of nodes as ComfyUI wants it: its inputs, what it gives, and which of its methods to call."""

    @property
    def RETURN_TYPES(self) -> tuple[str, ...]:
        """The kinds of its outputs."""

    @property
    def FUNCTION(self) -> str:
        """The name of the method that runs it."""

    def INPUT_TYPES(self) -> dict:
        """Return its inputs: {"required": {name: (kind, {bounds})}, "optional": ...}."""

    def __call__(self) -> object:
        """Make a node."""


@dataclass(frozen=True)
class NodeType:
    """A class of nodes: inputs by name, outputs as (name, kind), and how ComfyUI's menu shows it."""

    class_type: str
    inputs: Mapping[str, InputType] = field(default_factory=dict)
    outputs: tuple[tuple[str, str], ...] = ()
    category: str = ""
    display_name: str = ""
    output_node: bool = False

    def list_widgets(self) -> tuple[str, ...]:
        """Return the names of the values that a node of this class keeps in a file, in their order."""
        return tuple(name for name, _ in self.walk_widgets())

    def walk_widgets(self) -> Iterator[tuple[str, object]]:
        """Yield name and default of each widget in the order of the page, those that ComfyUI adds among them."""
        for name, value in self.inputs.items():
            if value.is_widget:
                yield name, value.default
                if value.control:
                    yield CONTROL, "randomize"
                if value.control and value.kind == "COMBO":
                    yield FILTER, ""
        if any(value.upload for value in self.inputs.values()):
            yield UPLOAD, "image"


def read_types(definitions: Mapping[str, object]) -> dict[str, NodeType]:
    """Return NodeTypes by class name from /object_info's answer, node classes, or NodeTypes; LessonError for others."""
    if not isinstance(definitions, Mapping):
        raise error("graph_definitions", kind=type(definitions).__name__)
    return {str(name): read_type(str(name), found) for name, found in definitions.items()}


def read_type(name: str, found: Any) -> NodeType:
    """Return one definition as a NodeType; LessonError naming the class where it cannot be read."""
    if isinstance(found, NodeType):
        return found
    try:
        return read_description(name, found if isinstance(found, Mapping) else describe_class(name, found))
    except (AttributeError, TypeError, ValueError, KeyError, IndexError) as cause:
        raise error("graph_definition", name=name, cause=cause) from cause


def describe_class(name: str, node_class: NodeClass) -> dict[str, object]:
    """Return what /object_info would say of a node class."""
    return {"input": node_class.INPUT_TYPES(), "output": node_class.RETURN_TYPES,
            "output_name": getattr(node_class, "RETURN_NAMES", None), "category": getattr(node_class, "CATEGORY", ""),
            "display_name": getattr(node_class, "DISPLAY_NAME", name),
            "output_node": getattr(node_class, "OUTPUT_NODE", False)}


def read_description(name: str, found: Mapping[str, Any]) -> NodeType:
    """Read one entry of /object_info."""
    inputs, order = {}, found.get("input_order") or {}
    for part in ("required", "optional"):
        described = found["input"].get(part) or {}
        names = [key for key in order.get(part, ()) if key in described]
        for key in names + [key for key in described if key not in names]:
            inputs[key] = read_input(key, described[key], part == "required")
    kinds = ["COMBO" if isinstance(kind, (list, tuple)) else str(kind) for kind in found.get("output") or ()]
    names = [*(found.get("output_name") or ())]
    outputs = tuple((str(names[slot]) if slot < len(names) else kind, kind) for slot, kind in enumerate(kinds))
    return NodeType(name, inputs, outputs, str(found.get("category", "")), str(found.get("display_name") or name),
                    bool(found.get("output_node")))


def read_input(name: str, described: object, required: bool) -> InputType:
    """Read one input as INPUT_TYPES writes it: (kind or list of choices, {bounds})."""
    kind, *more = described if isinstance(described, (list, tuple)) else [described]
    about = more[0] if more and isinstance(more[0], Mapping) else {}
    choices = kind if isinstance(kind, (list, tuple)) else about.get("options")
    kind = "COMBO" if isinstance(kind, (list, tuple)) else str(kind)
    options = tuple(choices) if isinstance(choices, (list, tuple)) else None
    forced = bool(about.get("forceInput") or about.get("rawLink"))
    is_widget = not forced and (kind in WIDGET_KINDS or about.get("widgetType") in WIDGET_KINDS)
    control = about.get(CONTROL)
    start = options[0] if options else STARTS.get(kind)
    return InputType(kind, about.get("default", start), options, about.get("min"), about.get("max"),
                     about.get("step"), required, is_widget,
                     control=is_widget and bool(kind == "INT" and name in SEEDS if control is None else control),
                     multiline=bool(about.get("multiline")), dynamic=bool(about.get("dynamicPrompts")), forced=forced,
                     upload=any(about.get(key) for key in UPLOADS))
