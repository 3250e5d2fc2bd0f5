"""Workflows that ComfyUI refuses, by what is wrong in them; check_nodes.py records what it answers to each."""

import copy

GOOD = {
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "kolors.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 96, "height": 96, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "一只瓢虫", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
    "3": {"class_type": "KSampler", "inputs": {
        "seed": 1, "steps": 2, "cfg": 5.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
        "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}},
}


def change(node, **inputs):
    """Return the good workflow with other inputs of one node; None takes an input away."""
    graph = copy.deepcopy(GOOD)
    graph[node]["inputs"].update(inputs)
    graph[node]["inputs"] = {name: value for name, value in graph[node]["inputs"].items() if value is not None}
    return graph


def without(*nodes):
    """Return the good workflow without some nodes."""
    return {node: about for node, about in copy.deepcopy(GOOD).items() if node not in nodes}


def add(**nodes):
    """Return the good workflow with more nodes."""
    return {**copy.deepcopy(GOOD), **{node.strip("_"): about for node, about in nodes.items()}}


BAD = {
    "class unknown": add(_20={"class_type": "NoSuchNode", "inputs": {}}),
    "class missing": add(_20={"inputs": {}}),
    "no output": without("9"),
    "input missing": change("3", steps=None),
    "link missing": change("8", vae=None),
    "too small": change("3", steps=0),
    "too large": change("3", cfg=101),
    "seed too large": change("3", seed=2**64),
    "not in list": change("3", sampler_name="no_such_sampler"),
    "no number": change("3", steps="many"),
    "null": change("3", scheduler=["4"]),
    "wrong type": change("3", positive=["5", 0]),
    "link of three": change("8", samples=["3", 0, 1]),
    "to nothing": change("3", latent_image=["99", 0]),
    "output to nothing": change("9", images=["99", 0]),
    "no such output": change("8", samples=["3", 1]),
    "circle": change("3", latent_image=["3", 0]),
    "checkpoint missing": change("4", ckpt_name="no_such_model.safetensors"),
    "several": change("3", steps=0, cfg="x", positive=["5", 0], model=None),
    "two nodes": {**change("3", steps=0), "5": change("5", width=8)["5"]},
    "one output of two": {**change("9", images=["99", 0]), "10": {"class_type": "PreviewImage",
                                                                   "inputs": {"images": ["8", 0]}}},
    "picture missing": add(_20={"class_type": "LoadImage", "inputs": {"image": "no_such_picture.png"}},
                           _21={"class_type": "PreviewImage", "inputs": {"images": ["20", 0]}}),
    "picture outside": {"20": {"class_type": "LoadImage", "inputs": {"image": "../comfyui.log"}},
                        "21": {"class_type": "PreviewImage", "inputs": {"images": ["20", 0]}}},
    "camp: alpha too large": {
        "6": {"class_type": "DownloadAndLoadKolorsModel", "inputs": {"model": "Kwai-Kolors/Kolors",
                                                                    "precision": "fp16"}},
        "16": {"class_type": "LoadKolorsLoRA", "inputs": {"kolors_model": ["6", 0], "lora_path": "a.ckpt",
                                                          "lora_alpha": 8}},
        "14": {"class_type": "KolorsSampler", "inputs": {"kolors_model": ["16", 0], "width": 1024, "height": 1024,
                                                         "seed": 0, "steps": 25, "cfg": 5,
                                                         "scheduler": "EulerDiscreteScheduler"}},
        "10": {"class_type": "VAEDecode", "inputs": {"samples": ["14", 0], "vae": ["11", 0]}},
        "11": {"class_type": "VAELoader", "inputs": {"vae_name": "no_such_vae.safetensors"}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["10", 0]}}},
}
GOOD_AFTER_ALL = {
    "numbers as text": change("3", steps="2", cfg="5", seed=1.0),
    "whole number as float": change("3", cfg=5),
    "unknown input": change("3", extra="x"),
    "sampler_name from the list's end": change("3", sampler_name="ddim", scheduler="simple"),
}


def digest(status, answer):
    """Return what is compared of an answer: the type of error, and per node the types, inputs and outputs lost."""
    failure = answer.get("error") or {}
    return {"status": status, "type": failure.get("type") if isinstance(failure, dict) else "error",
            "nodes": {node: {"errors": sorted([one["type"], one["extra_info"].get("input_name")]
                                              for one in about["errors"]),
                             "outputs": sorted(about["dependent_outputs"])}
                      for node, about in sorted((answer.get("node_errors") or {}).items())}}
