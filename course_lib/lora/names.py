"""What each tool calls a layer of the UNet, and the two matrices that a LoRA adds to it.

A LoRA (Hu et al. 2021, https://arxiv.org/abs/2106.09685) adds (alpha/rank) B A to a layer's weight W. Tools agree on
that and on nothing else: one layer is `unet.mid_block.attentions.0...to_q.lora_A.weight` in diffusers,
`lora_unet_mid_block_attentions_0_..._to_q.lora_down.weight` in kohya's scripts and ComfyUI, and
`blocks.21...to_q.lora_A.default.weight` in DiffSynth-Studio. The names come from the UNet given, never from a list.
"""

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from peft.tuners.tuners_utils import BaseTunerLayer

from course_lib.hub import repository
from course_lib.machine.configs import UNET
from course_lib.machine.footprint import build_part

FORMATS = ("diffusers", "kohya", "diffsynth")  # those that can be written; "comfyui" is read too
BASES = ("kolors", "tiny")
# A (down) turns a layer's input into `rank` numbers, B (up) turns those into its output.
MATRIX = re.compile(r"(?P<layer>.+?)(?:[._]lora|\.lora_linear_layer)[._](?P<part>A|B|down|up|mid)"
                    r"(?:\.(?!(?:weight|bias)$)[^.]+)?(?:\.weight)?")
BIAS = re.compile(r"(?P<layer>.+?)(?:[._]lora|\.lora_linear_layer)[._](?:B|up)(?:\.(?!bias$)[^.]+)?\.(?P<part>bias)")
ALPHA = re.compile(r"(?P<layer>.+)\.(?P<part>alpha)")
MAGNITUDE = re.compile(r"(?P<layer>.+)\.(?P<part>lora_magnitude_vector(?:\.[^.]+){0,2}|dora_scale)")  # DoRA's
PARTS = {"A": "down", "B": "up"}
# What other methods call their tensors, which are no two matrices.
METHODS = {r"\.hada_": "LoHa", r"\.lokr_": "LoKr", r"\.oft_": "OFT", r"\.vera_lambda": "VeRA",
           r"\.on_input$": "IA3", r"\.[ab][12]\.weight$": "GLoRA", r"\.diff(_b)?$": "diff"}
PREFIX = re.compile(r"(?:(?:base_model\.model|pipe|unet|model\.diffusion_model|diffusion_model)\.)+")
ENDINGS = {  # how each format ends the names of A, B, DoRA's magnitude, alpha; None: it stores no such thing
    "diffusers": (".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector", None),
    "kohya": (".lora_down.weight", ".lora_up.weight", ".dora_scale", ".alpha"),
    "diffsynth": (".lora_A.default.weight", ".lora_B.default.weight", None, None)}

# The original latent diffusion code's names inside one block, where they differ from diffusers' (SGM names).
SGM_PARTS = {"conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "conv2": "out_layers.3",
             "conv_shortcut": "skip_connection"}
SGM_TOP = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0",
           "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0",
           "add_embedding.linear_2": "label_emb.0.2", "conv_out": "out.2"}
DIFFSYNTH_TOP = {"conv_in": "conv_in", "time_embedding.linear_1": "time_embedding.0",
                 "time_embedding.linear_2": "time_embedding.2", "add_embedding.linear_1": "add_time_embedding.0",
                 "add_embedding.linear_2": "add_time_embedding.2", "encoder_hid_proj": "text_intermediate_proj",
                 "conv_out": "conv_out"}
DIFFSYNTH_ENDS = {".to_out.0": ".to_out", ".ff.net.0.proj": ".act_fn.proj", ".ff.net.2": ".ff"}


@dataclass(frozen=True)
class Layer:
    """One linear or convolution layer: its weight's shape (out, in, ...) and its names; "" where a tool has none."""

    shape: tuple[int, ...]
    diffusers: str
    sgm: str
    diffsynth: str

    def spell(self, form: str) -> str:
        """Return the name that a file of a format ("diffusers", "kohya", "diffsynth") gives this layer."""
        return {"diffusers": f"unet.{self.diffusers}", "kohya": f"lora_unet_{flatten(self.diffusers)}",
                "diffsynth": self.diffsynth}[form]

    def spellings(self) -> list[str]:
        """List every name that this layer is read by, without the prefixes that `find_layer` takes away."""
        processor = self.diffusers.replace(".to_", ".processor.to_").removesuffix(".0")  # diffusers before peft
        names = [self.diffusers, f"lora_unet_{flatten(self.diffusers)}", f"lycoris_{flatten(self.diffusers)}"]
        if ".to_" in self.diffusers:
            names.append(processor)
        if self.sgm:
            names += [f"lora_unet_{flatten(self.sgm)}", self.sgm]
        if self.diffsynth not in ("", self.diffusers):
            names.append(self.diffsynth)
        return names


def flatten(name: str) -> str:
    """Write a name as kohya's scripts do, with underscores for its dots."""
    return name.replace(".", "_")


def list_layers(unet: UNet2DConditionModel) -> dict[str, Layer]:
    """List the layers that a LoRA can change, by diffusers' names and in the order of the UNet's parts."""
    blocks = number_blocks(unet)
    layers = {}
    for name, module in unet.named_modules():
        if name.endswith(".base_layer") or ".lora_" in name:  # the inside of a layer that has a LoRA
            continue
        module = module.get_base_layer() if isinstance(module, BaseTunerLayer) else module
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
            layers[name] = Layer(tuple(module.weight.shape), name, *rename(name, blocks))
    return layers


def number_blocks(unet: UNet2DConditionModel) -> dict[str, tuple[str, int]]:
    """Return each block's place in the two other counts: diffusers' name -> (SGM name, DiffSynth's number).

    SGM (the original code) counts the UNet's input blocks and output blocks apart. DiffSynth counts everything that is
    run in turn: resnets, attentions, samplers, and each push onto and pop from the stack of skip connections.
    """
    blocks = {}
    steps = place = 0
    for number, block in enumerate(unet.down_blocks):
        for kinds in list_groups(block, "downsamplers"):
            place += 1  # input block 0 is conv_in
            for inner, kind in enumerate(kinds):
                blocks[f"down_blocks.{number}.{kind}"] = f"input_blocks.{place}.{inner}", steps + inner
            steps += len(kinds) + 1  # each group ends with a push
    for inner, kind in enumerate(("resnets.0", "attentions.0", "resnets.1")):
        blocks[f"mid_block.{kind}"] = f"middle_block.{inner}", steps + inner
    steps += 3
    place = 0
    for number, block in enumerate(unet.up_blocks):
        groups = list_groups(block, "upsamplers")
        for kinds in groups[:len(block.resnets)]:
            steps += 1  # and here each begins with a pop
            for inner, kind in enumerate(kinds):
                blocks[f"up_blocks.{number}.{kind}"] = f"output_blocks.{place}.{inner}", steps + inner
            steps += len(kinds)
            place += 1
        for kind in (kinds[0] for kinds in groups[len(block.resnets):]):  # belongs to the last group
            blocks[f"up_blocks.{number}.{kind}"] = f"output_blocks.{place - 1}.{len(groups[0])}", steps
            steps += 1
    return blocks


def list_groups(block: torch.nn.Module, samplers: str) -> list[list[str]]:
    """List a block's parts in the order they run: [resnet, attention if it has one] as often as needed, [sampler]."""
    attended = bool(getattr(block, "attentions", None))
    groups = [[f"resnets.{place}", *([f"attentions.{place}"] if attended else [])]
              for place in range(len(block.resnets))]
    return groups + [[f"{samplers}.{place}"] for place in range(len(getattr(block, samplers, None) or []))]


def rename(name: str, blocks: Mapping[str, tuple[str, int]]) -> tuple[str, str]:
    """Return a layer's (SGM name, DiffSynth name), "" for a layer that a tool knows no name of."""
    found = next((block for block in blocks if name.startswith(block + ".")), None)
    if found is None:
        return SGM_TOP.get(name, ""), DIFFSYNTH_TOP.get(name, "")
    sgm, number = blocks[found]
    inside = name[len(found) + 1:]
    sgm_inside = "op" if "downsamplers" in found else SGM_PARTS.get(inside, inside)
    for ending, other in DIFFSYNTH_ENDS.items():
        if inside.endswith(ending):
            inside = inside.removesuffix(ending) + other
    return f"{sgm}.{sgm_inside}", f"blocks.{number}.{inside}"


def split_key(key: str) -> tuple[str, str]:
    """Split a file's key into (layer as written there, part): part is "" if unknown.

    Parts: down, up, mid (LoCon's, between those), bias, alpha, magnitude (peft's DoRA), dora_scale (all other tools').
    """
    for pattern in (MATRIX, BIAS, ALPHA, MAGNITUDE):
        found = pattern.fullmatch(key)
        if found:
            part = "magnitude" if found["part"].startswith("lora_magnitude") else found["part"]
            return found["layer"], PARTS.get(part, part)
    return key, ""


def recognise(names: Iterable[str]) -> str:
    """Name the format of layer names as written in a file: diffusers, kohya, comfyui or diffsynth."""
    first = next(iter(names))
    if first.startswith(("lora_", "lycoris_")):
        return "kohya"
    if re.match(r"blocks\.\d", PREFIX.sub("", first, count=1)):
        return "diffsynth"
    return "comfyui" if "diffusion_model." in first else "diffusers"


def name_method(keys: Iterable[str]) -> str:
    """Name the method whose tensors a file holds where that is no LoRA, such as LoHa; "" where none is known."""
    return next((title for pattern, title in METHODS.items() for key in keys if re.search(pattern, key)), "")


def find_layers(names: Iterable[str], layers: Mapping[str, Layer]) -> dict[str, str]:
    """Find which layer each name in a file stands for: name -> diffusers' name; names of no layer are left out."""
    index = {spelling: layer.diffusers for layer in layers.values() for spelling in layer.spellings()}
    plain = {name: PREFIX.sub("", name, count=1) if PREFIX.match(name) else name for name in names}
    return {name: index[short] for name, short in plain.items() if short in index}


@functools.cache
def known_layers(base: str) -> dict[str, Layer]:
    """Return the layers of the full Kolors ("kolors") or of Tiny Kolors ("tiny"), from their configs alone."""
    tiny = repository.TINY / "unet" / "config.json"
    config = UNET if base == "kolors" else json.loads(tiny.read_text(encoding="utf-8"))
    return list_layers(build_part("unet", config))
