"""Record how ComfyUI's own page turns workflows into what it sends, for tests/data/comfyui_pages.json.

python tests/by_hand/record_pages.py http://127.0.0.1:8188    (a running ComfyUI; needs playwright and Chromium)

The workflows are made here: one for each thing that the page resolves before it sends a workflow. The recorded page is
comfyui-frontend-package 1.58.1; 1.27.10 gives the same but for "subgraph twice", where it gives both uses one value.
"""

import argparse
import json
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

TARGET = Path(__file__).parent.parent / "data" / "comfyui_pages.json"
READY = "() => window.app?.graph && window.app.extensionManager?.workflow?.activeWorkflow"
CONVERT = """async page => {
    Math.random = () => 0
    await app.loadGraphData(page, true, false)
    return (await app.graphToPrompt()).output
}"""
MODEL, CLIP, VAE, TEXT, LATENT, IMAGE = "MODEL", "CLIP", "VAE", "CONDITIONING", "LATENT", "IMAGE"
# class -> inputs that take a link, outputs
SOCKETS = {
    "CheckpointLoaderSimple": ((), (MODEL, CLIP, VAE)),
    "LoraLoader": ((("model", MODEL), ("clip", CLIP)), (MODEL, CLIP)),
    "CLIPTextEncode": ((("clip", CLIP),), (TEXT,)),
    "EmptyLatentImage": ((), (LATENT,)),
    "KSampler": ((("model", MODEL), ("positive", TEXT), ("negative", TEXT), ("latent_image", LATENT)), (LATENT,)),
    "VAEDecode": ((("samples", LATENT), ("vae", VAE)), (IMAGE,)),
    "VAEEncode": ((("pixels", IMAGE), ("vae", VAE)), (LATENT,)),
    "LoadImage": ((), (IMAGE, "MASK")),
    "SaveImage": ((("images", IMAGE),), ()),
    "ControlNetLoader": ((), ("CONTROL_NET",)),
    "ControlNetApplyAdvanced": ((("positive", TEXT), ("negative", TEXT), ("control_net", "CONTROL_NET"),
                                 ("image", IMAGE)), (TEXT, TEXT)),
    "StringConcatenate": ((), ("STRING",)),
    "Reroute": ((("", "*"),), ("*",)),
    "PrimitiveNode": ((), ("*",)),
    "Note": ((), ()),
}
KSAMPLER = [5, "randomize", 20, 8, "euler", "normal", 1]


def make_node(number, kind, values=None, mode=0, sockets=None, widgets=(), **more):
    """Return a node; `widgets` are the names of its widgets that take a link."""
    inputs, outputs = sockets or SOCKETS[kind]
    node = {"id": number, "type": kind, "pos": [number * 40, number * 30], "size": [240, 120], "flags": {}, "order": 0,
            "mode": mode, "properties": {},
            "inputs": [{"name": name, "type": socket, "link": None} for name, socket in inputs]
            + [{"name": name, "type": socket, "widget": {"name": name}, "link": None} for name, socket in widgets],
            "outputs": [{"name": socket, "type": socket, "links": []} for socket in outputs], **more}
    if values is not None:
        node["widgets_values"] = values
    return node


def wire(nodes, *ends, objects=False):
    """Link nodes by (source, slot, target, slot); return the links as lists, or as the objects of a subgraph."""
    by_id = {node["id"]: node for node in nodes}
    links = []
    for number, (source, out, target, at) in enumerate(ends, 1):
        kind = "*"
        if target in by_id:
            by_id[target]["inputs"][at]["link"] = number
            kind = by_id[target]["inputs"][at]["type"]
        if source in by_id:
            by_id[source]["outputs"][out]["links"].append(number)
            kind = by_id[source]["outputs"][out]["type"]
        links.append([number, source, out, target, at, kind])
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    return [dict(zip(names, link, strict=True)) for link in links] if objects else links


def make_page(nodes, *ends, **more):
    """Return a page of these nodes and links."""
    links = wire(nodes, *ends)
    return {"last_node_id": max(node["id"] for node in nodes), "last_link_id": len(links), "nodes": nodes,
            "links": links, "groups": [], "config": {}, "extra": {}, "version": 0.4, **more}


def make_base(model=(4, 0), clip=(4, 1), vae=(4, 2), sampler=None, lora_mode=None, text_widgets=()):
    """Return the nodes and links of a text-to-image workflow whose model, clip and vae come from where it is told."""
    nodes = [make_node(4, "CheckpointLoaderSimple", ["kolors.safetensors"]),
             make_node(5, "EmptyLatentImage", [96, 96, 1]),
             make_node(6, "CLIPTextEncode", ["a ladybird"], widgets=text_widgets), make_node(7, "CLIPTextEncode", [""]),
             make_node(3, "KSampler", KSAMPLER if sampler is None else sampler), make_node(8, "VAEDecode"),
             make_node(9, "SaveImage", ["kolors"])]
    ends = [(*model, 3, 0), (*clip, 6, 0), (*clip, 7, 0), (6, 0, 3, 1), (7, 0, 3, 2), (5, 0, 3, 3), (3, 0, 8, 0),
            (*vae, 8, 1), (8, 0, 9, 0)]
    if lora_mode is not None:
        nodes.append(make_node(10, "LoraLoader", ["style.safetensors", 0.5, 1], lora_mode))
        ends += [(4, 0, 10, 0), (4, 1, 10, 1)]
    return nodes, ends


def make_subgraph(key, nodes, ends, takes, gives, name):
    """Return a subgraph that takes and gives sockets (name, kind)."""
    links = wire(nodes, *ends, objects=True)

    def describe(sockets, end, at):
        return [{"id": f"{key}-{end}-{slot}", "name": label, "type": kind, "pos": [0, 0],
                 "linkIds": [link["id"] for link in links if link[f"{at}_id"] == end and link[f"{at}_slot"] == slot]}
                for slot, (label, kind) in enumerate(sockets)]

    return {"id": key, "version": 1, "revision": 0, "config": {}, "name": name, "widgets": [], "groups": [],
            "extra": {}, "state": {"lastGroupId": 0, "lastNodeId": 99, "lastLinkId": 99, "lastRerouteId": 0},
            "inputNode": {"id": -10, "bounding": [0, 0, 120, 80]},
            "outputNode": {"id": -20, "bounding": [900, 0, 120, 80]},
            "inputs": describe(takes, -10, "origin"), "outputs": describe(gives, -20, "target"),
            "nodes": nodes, "links": links}


WRITE = "11111111-1111-4111-8111-111111111111"
OUTER = "22222222-2222-4222-8222-222222222222"


def make_writer(mode=0):
    """Return a subgraph with one CLIPTextEncode, its clip and its text taken from outside."""
    return make_subgraph(WRITE, [make_node(1, "CLIPTextEncode", ["inside"], mode, widgets=(("text", "STRING"),))],
                         [(-10, 0, 1, 0), (-10, 1, 1, 1), (1, 0, -20, 0)],
                         [("clip", CLIP), ("text", "STRING")], [(TEXT, TEXT)], "Write")


def host(number, kind, values=None, mode=0):
    """Return a node that stands for the subgraph of `make_writer`."""
    return make_node(number, kind, values, mode, (((("clip", CLIP),)), (TEXT,)), (("text", "STRING"),))


def with_writer(values=None, mode=0, subgraphs=None, kind=WRITE, extra_nodes=(), extra_ends=()):
    """Return a text-to-image page whose prompt is encoded by a subgraph."""
    nodes, ends = make_base()
    nodes = [node for node in nodes if node["id"] != 6] + [host(6, kind, values, mode), *extra_nodes]
    ends = [end for end in ends if end[2:] not in {extra[2:] for extra in extra_ends}]
    return make_page(nodes, *ends, *extra_ends, definitions={"subgraphs": subgraphs or [make_writer()]})


def list_cases():
    """Return the workflows to record, by name."""
    cases = {"plain": make_page(*one(make_base()))}
    nodes, ends = make_base(model=(21, 0))
    cases["reroutes"] = make_page([*nodes, make_node(20, "Reroute"), make_node(21, "Reroute")],
                                  (4, 0, 20, 0), (20, 0, 21, 0), *ends)
    nodes, ends = make_base(model=(21, 0))
    cases["reroute from nowhere"] = make_page([*nodes, make_node(21, "Reroute")], *ends)
    for name, mode in (("lora", 0), ("muted", 2), ("bypassed", 4)):
        cases[name] = make_page(*one(make_base(model=(10, 0), clip=(10, 1), lora_mode=mode)))
    nodes, ends = make_base()
    cases["bypassed without a match"] = make_page(
        [*nodes, make_node(11, "LoadImage", ["picture.png", "image"]), make_node(12, "VAEEncode", mode=4)],
        *[end for end in ends if end[2:] != (3, 3)], (11, 0, 12, 0), (4, 2, 12, 1), (12, 0, 3, 3))
    nodes, ends = make_base()
    cases["bypassed pair"] = make_page(
        [*nodes, make_node(11, "LoadImage", ["picture.png", "image"]), make_node(13, "ControlNetLoader", ["net"]),
         make_node(12, "ControlNetApplyAdvanced", [1, 0, 1], 4)],
        *[end for end in ends if end[2:] not in ((3, 1), (3, 2))], (6, 0, 12, 0), (7, 0, 12, 1), (13, 0, 12, 2),
        (11, 0, 12, 3), (12, 0, 3, 1), (12, 1, 3, 2))
    nodes, ends = make_base(text_widgets=(("text", "STRING"),))
    cases["linked widget"] = make_page([*nodes, make_node(14, "StringConcatenate", ["a", "b", ", "])],
                                       *ends, (14, 0, 6, 1))
    for name, mode in (("primitive", 0), ("primitive by a reroute", None)):
        nodes, ends = make_base(text_widgets=(("text", "STRING"),))
        more = [make_node(15, "PrimitiveNode", ["from a primitive"], sockets=((), ("STRING",)))]
        more[0]["outputs"][0]["widget"] = {"name": "text"}
        if mode is None:
            cases[name] = make_page([*nodes, *more, make_node(16, "Reroute")], *ends, (15, 0, 16, 0), (16, 0, 6, 1))
        else:
            cases[name] = make_page([*nodes, *more], *ends, (15, 0, 6, 1))
    cases["values missing"] = make_page(*one(make_base(sampler=KSAMPLER[:5])))
    nodes, ends = make_base()
    cases["notes"] = make_page([*nodes, make_node(17, "Note", ["words"]), make_node(18, "MarkdownNote", ["# w"],
                                                                                  sockets=((), ()))], *ends)
    cases["subgraph"] = with_writer()
    cases["subgraph's value"] = with_writer(["of the host"])
    cases["subgraph twice"] = with_writer(["first"], extra_nodes=[host(30, WRITE, ["second"])],
                                          extra_ends=[(4, 1, 30, 0), (30, 0, 3, 2)])
    cases["subgraph's widget linked"] = with_writer(
        ["hidden"], extra_nodes=[make_node(14, "StringConcatenate", ["a", "b", ", "])], extra_ends=[(14, 0, 6, 1)])
    cases["host muted"], cases["host bypassed"] = with_writer(mode=2), with_writer(mode=4)
    cases["inside bypassed"] = with_writer(subgraphs=[make_writer(4)])
    outer = make_subgraph(OUTER, [host(2, WRITE, ["of the inner host"])],
                          [(-10, 0, 2, 0), (-10, 1, 2, 1), (2, 0, -20, 0)],
                          [("clip", CLIP), ("text", "STRING")], [(TEXT, TEXT)], "Outer")
    cases["subgraph in a subgraph"] = with_writer(["of the outer host"], kind=OUTER,
                                                  subgraphs=[make_writer(), outer])
    return cases


def one(pair):
    """Return nodes and links as the arguments of make_page."""
    nodes, ends = pair
    return [nodes, *ends]


def main():
    """Record all cases with the definitions of their nodes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("address")
    address = parser.parse_args().address
    with urllib.request.urlopen(f"{address}/object_info") as answer:
        definitions = json.load(answer)
    cases = list_cases()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        tab.goto(address, timeout=120_000)
        tab.wait_for_function(READY, timeout=120_000)
        tab.wait_for_timeout(3_000)
        recorded = {name: {"page": page, "api": tab.evaluate(CONVERT, json.loads(json.dumps(page)))}
                    for name, page in cases.items()}
        browser.close()
    # Not in the course's table, and by another name there: titles are those of the server that was recorded (0.3.64).
    used = {name: definitions[name] for name in ("LoraLoader", "StringConcatenate")}
    TARGET.write_text(json.dumps({"definitions": used, "cases": recorded}, ensure_ascii=False, indent=None,
                                 separators=(",", ":")).replace('{"page"', '\n{"page"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
