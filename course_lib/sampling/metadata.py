"""Settings inside a PNG file, in text chunks as ComfyUI and A1111 write them.

ComfyUI writes two graphs: `prompt`, what was run, and `workflow`, what stood on the page; A1111 the text `parameters`.
"""

import json
from collections.abc import Mapping
from typing import Any

from PIL.PngImagePlugin import PngInfo

from course_lib.sampling.a1111 import write_parameters
from course_lib.sampling.settings import SamplerSettings

CHECKPOINT = "kolors.safetensors"  # stands in the graph; ComfyUI offers its own list instead

ApiNode = Mapping[str, Any]  # {"class_type": ..., "inputs": {name: value or [id, output]}}
Graph = Mapping[str, ApiNode]  # by node id

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
    links: list[list] = []
    nodes: list[dict[str, Any]] = []
    for order, (number, (kind, place, size, outputs)) in enumerate(NODES.items()):
        sockets: list[dict[str, object]] = []
        widgets: list[object] = []
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
