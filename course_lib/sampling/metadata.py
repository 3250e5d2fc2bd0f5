"""Settings inside a PNG file, in text chunks as ComfyUI and A1111 write them, and read back from any such file.

ComfyUI writes two graphs: `prompt`, what was run, and `workflow`, what stood on the page; A1111 the text `parameters`.
"""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from course_lib.messages import error, text
from course_lib.sampling.a1111 import read_parameters, write_parameters
from course_lib.sampling.settings import CONTROLS, SamplerSettings, check_settings

MOST_BYTES = 64 * 2**20  # of a file
MOST_STEPS = 10_000  # ComfyUI's bound; what a model can do is checked when it draws
CHECKPOINT = "kolors.safetensors"  # stands in the graph; ComfyUI offers its own list instead

Graph = Mapping[str, Mapping[str, object]]  # node id -> {"class_type": ..., "inputs": {name: value or [id, output]}}
Found = tuple[SamplerSettings, str, str]

# ComfyUI's own text-to-image graph: id -> class, position and size on the page, its outputs.
NODES = {
    "4": ("CheckpointLoaderSimple", (26, 474), (315, 98), ("MODEL", "CLIP", "VAE")),
    "5": ("EmptyLatentImage", (473, 609), (315, 106), ("LATENT",)),
    "6": ("CLIPTextEncode", (415, 186), (422, 164), ("CONDITIONING",)),
    "7": ("CLIPTextEncode", (413, 389), (425, 180), ("CONDITIONING",)),
    "3": ("KSampler", (863, 186), (315, 262), ("LATENT",)),
    "8": ("VAEDecode", (1209, 188), (210, 46), ("IMAGE",)),
    "9": ("SaveImage", (1451, 189), (210, 270), ()),
}
KSAMPLER_WIDGETS = ("seed", "control_after_generate", "steps", "cfg", "sampler_name", "scheduler", "denoise")
TEXT_INPUTS = ("text", "text_g", "prompt", "string", "value")  # where nodes that hold a text keep it
ENDS = ("SaveImage", "PreviewImage")
LINK_KEYS = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
INPUTS, OUTPUTS = -10, -20  # ids of the two ends of a subgraph, inside it
MOST_NODES = 20_000  # of a workflow, subgraphs unfolded
NO_TEXT_BEHIND = ("clip", "model", "vae", "control_net", "image", "latent_image", "samples")


def write_chunks(settings: SamplerSettings, prompt: str, negative_prompt: str, width: int, height: int) -> PngInfo:
    """Return the three text chunks of a picture; the graphs are text-to-image, also where a latent was given."""
    graph = build_graph(settings, prompt, negative_prompt, width, height)
    chunks = PngInfo()
    chunks.add_text("prompt", json.dumps(graph))
    chunks.add_text("workflow", json.dumps(lay_out(graph, settings.control_after_generate)))
    chunks.add_text("parameters", write_parameters(settings, prompt, negative_prompt, width, height))
    return chunks


def build_graph(settings: SamplerSettings, prompt: str, negative_prompt: str, width: int, height: int) -> Graph:
    """Return ComfyUI's text-to-image graph with these settings, in the form that its server runs."""
    sampler = {"seed": int(settings.seed), "steps": int(settings.steps), "cfg": float(settings.cfg),
               "sampler_name": settings.sampler_name, "scheduler": settings.scheduler,
               "denoise": float(settings.denoise)}
    inputs = {
        "4": {"ckpt_name": CHECKPOINT},
        "5": {"width": width, "height": height, "batch_size": 1},
        "6": {"clip": ["4", 1], "text": prompt},
        "7": {"clip": ["4", 1], "text": negative_prompt},
        "3": {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0], **sampler},
        "8": {"samples": ["3", 0], "vae": ["4", 2]},
        "9": {"images": ["8", 0], "filename_prefix": "kolors"},
    }
    return {number: {"class_type": NODES[number][0], "inputs": inputs[number]} for number in NODES}


def lay_out(graph: Graph, control_after_generate: str) -> dict[str, object]:
    """Return the graph of `build_graph` in the form that ComfyUI's page opens: places, sizes, numbered links."""
    links, nodes = [], []
    for order, (number, (kind, place, size, outputs)) in enumerate(NODES.items()):
        sockets, widgets = [], []
        for name, value in graph[number]["inputs"].items():
            if isinstance(value, list):
                socket_kind = NODES[value[0]][3][value[1]]
                links.append([len(links) + 1, int(value[0]), value[1], int(number), len(sockets), socket_kind])
                sockets.append({"name": name, "type": socket_kind, "link": len(links)})
            else:
                widgets += [value, control_after_generate] if name == "seed" else [value]
        nodes.append({"id": int(number), "type": kind, "pos": list(place), "size": list(size), "flags": {},
                      "order": order, "mode": 0, "inputs": sockets, "outputs": list(outputs),
                      "properties": {"Node name for S&R": kind}, "widgets_values": widgets})
    for node in nodes:
        node["outputs"] = [{"name": kind, "type": kind, "slot_index": slot,
                            "links": [link[0] for link in links if link[1:3] == [node["id"], slot]]}
                           for slot, kind in enumerate(node["outputs"])]
    return {"last_node_id": max(map(int, NODES)), "last_link_id": len(links), "nodes": nodes, "links": links,
            "groups": [], "config": {}, "extra": {}, "version": 0.4}


def read_settings(source: str | Path | bytes) -> Found:
    """Return a PNG's settings, prompt and negative prompt from the first of its chunks that holds a KSampler's.

    `prompt` is asked before `workflow` and `parameters`. LessonError for a file that is no PNG or holds none.
    """
    name = "bytes" if isinstance(source, bytes) else str(source)
    chunks = read_chunks(source, name)
    readers: dict[str, Callable[[str], Found]] = {"prompt": lambda chunk: read_graph(json.loads(chunk)),
                                                  "workflow": lambda chunk: read_graph(to_graph(json.loads(chunk))),
                                                  "parameters": read_parameters}
    found = None
    for key in filter(chunks.get, readers):
        try:
            read = readers[key](chunks[key])
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            continue  # junk; another chunk may be whole
        if found is None:
            found = read
        elif key == "workflow":  # only the page knows what becomes of the seed
            found = (replace(found[0], control_after_generate=read[0].control_after_generate), *found[1:])
    if found is None:
        raise error("png_no_settings", name=name, found=text("list_comma").join(chunks) or text("none"))
    check_settings(found[0], MOST_STEPS)
    # Half a surrogate pair, which JSON can hold, could be neither tokenized nor printed.
    prompt, negative_prompt = (words.encode("utf-8", "replace").decode() for words in found[1:])
    return found[0], prompt, negative_prompt


def read_chunks(source: str | Path | bytes, name: str) -> dict[str, str]:
    """Return the text chunks before a PNG's pixels, where all three programs write them; LessonError for no PNG."""
    try:
        size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
        if size > MOST_BYTES:
            raise OSError(f"{size} bytes")
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=["PNG"]) as image:
            chunks = dict(image.info)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as cause:
        raise error("png_unreadable", name=name, cause=getattr(cause, "strerror", None) or cause,
                    most=MOST_BYTES // 2**20) from cause
    return {key: value for key, value in chunks.items() if isinstance(value, str)}


def read_graph(graph: Graph) -> Found:
    """Read the KSampler that made the picture, and the texts its links lead to; KeyError without such a node."""
    inputs = find_sampler(graph)["inputs"]
    values = {name: resolve(graph, inputs[name]) for name in KSAMPLER_WIDGETS if name in inputs}
    if not all(isinstance(values[name], str) for name in ("sampler_name", "scheduler")) or "seed" not in values:
        raise TypeError("a KSampler without its settings")
    if values.get("control_after_generate") not in CONTROLS:
        values.pop("control_after_generate", None)
    return SamplerSettings(**values), find_text(graph, inputs, "positive"), find_text(graph, inputs, "negative")


def find_sampler(graph: Graph) -> Mapping[str, object]:
    """Return the first KSampler on the way back from a saved picture, else any; KeyError where there is none."""
    todo, seen = sorted(graph, key=lambda number: graph[number]["class_type"] in ENDS), set()
    while todo:
        number = todo.pop()  # the end of the list, so each link is followed to its start before the next
        if number in graph and number not in seen:
            seen.add(number)
            if graph[number]["class_type"] == "KSampler":
                return graph[number]
            todo += [str(value[0]) for value in graph[number]["inputs"].values() if is_link(value)]
    raise KeyError("KSampler")


def find_text(graph: Graph, inputs: Mapping[str, object], side: str) -> str:
    """Return the text behind a KSampler's input "positive" or "negative"; "" where none can be found."""
    todo, seen = [inputs.get(side)], set()
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            return value
        if is_link(value) and str(value[0]) in graph and str(value[0]) not in seen:
            seen.add(str(value[0]))
            behind = graph[str(value[0])]["inputs"]
            texts = [behind[name] for name in TEXT_INPUTS if name in behind]
            links = [value for name, value in behind.items() if is_link(value) and name not in NO_TEXT_BEHIND]
            # A node between, such as a ControlNet's, has both sides; a reroute has one link without a name.
            todo += reversed(texts or ([behind[side]] if side in behind else links))
    return ""


def resolve(graph: Graph, value: object) -> object:
    """Return a setting's value, also where another node holds it; KeyError where the links lead to none."""
    for _ in graph:  # no way is longer than this without a circle
        if not is_link(value):
            return value
        behind = graph[str(value[0])]["inputs"]
        value = behind["value"] if "value" in behind else next(iter(behind.values()), None)
    raise KeyError("a circle of links")


def is_link(value: object) -> bool:
    """Say whether a node's input is a link [node id, output] and no value of its own."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], (int, str))


def to_graph(workflow: Mapping[str, object]) -> Graph:
    """Turn the page's form of a graph into the server's, subgraphs unfolded; only a KSampler's values have names."""
    insides, todo = {}, [workflow]
    while todo:  # a file keeps one flat list of subgraphs, or one inside another
        parts = (todo.pop().get("definitions") or {}).get("subgraphs") or []
        insides |= {part["id"]: part for part in parts}
        todo += parts
    graph: dict[str, dict[str, object]] = {}
    unfold(graph, workflow, insides, "", {})
    return graph


def unfold(graph: dict[str, dict[str, object]], level: Mapping[str, object], insides: Mapping[str, Mapping],
           before: str, given: Mapping[str, object]) -> None:
    """Add a level's nodes to a graph; in a subgraph, `before` is "host:" and given what the host's inputs get."""
    sources = find_sources(level, insides, before, given)
    for slot, link in ((link[4], link[0]) for link in read_links(level) if link[3] == OUTPUTS and link[0] in sources):
        graph[f"{before}{OUTPUTS}:{slot}"] = {"class_type": "Reroute", "inputs": {"value": sources[link]}}
    for node in level["nodes"]:
        if len(graph) > MOST_NODES:
            raise ValueError("too many nodes")
        linked = {socket["name"]: sources[socket["link"]] for socket in node.get("inputs", [])
                  if socket.get("link") in sources}
        number, inputs = f"{before}{node['id']}", {**name_values(node, node["type"] in insides), **linked}
        graph[number] = {"class_type": node["type"], "inputs": inputs}
        if node["type"] in insides:
            unfold(graph, insides[node["type"]], insides, f"{number}:", inputs)


def find_sources(level: Mapping[str, object], insides: Mapping[str, Mapping], before: str,
                 given: Mapping[str, object]) -> dict[object, object]:
    """Return what each link of a level brings: [node id, output], or a value that the host of the level was given."""
    own = [socket["name"] for socket in level.get("inputs") or []]
    hosts = {node["id"] for node in level["nodes"] if node["type"] in insides}
    sources = {}
    for number, origin, slot, _, _ in read_links(level):
        if origin != INPUTS:
            sources[number] = [f"{before}{origin}:{OUTPUTS}:{slot}" if origin in hosts else f"{before}{origin}", slot]
        elif own[slot] in given:  # else the inner node's own value counts
            sources[number] = given[own[slot]]
    return sources


def read_links(level: Mapping[str, object]) -> list[list]:
    """Return a level's links as [id, origin, slot, target, slot]: the page has lists, a subgraph objects."""
    return [[link[key] for key in LINK_KEYS] if isinstance(link, dict) else link[:5] for link in level["links"]]


def name_values(node: Mapping[str, object], is_host: bool) -> dict[str, object]:
    """Return a node's values by name, known of a KSampler and of the host of a subgraph, which shows some as inputs."""
    values = node.get("widgets_values") or {}
    if isinstance(values, dict):
        return values
    if is_host:
        return dict(zip([socket["name"] for socket in node.get("inputs", []) if "widget" in socket], values))
    return dict(zip(KSAMPLER_WIDGETS if node["type"] == "KSampler" else ("value",), values))
