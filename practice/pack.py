"""pack.py CHECKPOINT OUT.safetensors: the averaged UNet of a run in 8 bits a weight, each row with a scale of its own."""

import sys

import torch
from safetensors.torch import save_file

average = torch.load(sys.argv[1], map_location="cpu")["average"]
packed = {}
for name, weight in average.items():
    if weight.ndim < 2:
        packed[name] = weight.half()
        continue
    scale = weight.flatten(1).abs().amax(dim=1).clamp(min=1e-8) / 127
    packed[name] = (weight.flatten(1) / scale[:, None]).round().to(torch.int8).view(weight.shape)
    packed[f"{name}.scale"] = scale
save_file(packed, sys.argv[2])
