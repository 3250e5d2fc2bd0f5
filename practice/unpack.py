"""unpack.py IN.safetensors CHECKPOINT: back to a checkpoint that long.py goes on from (model and average alike)."""

import sys

import torch
from safetensors.torch import load_file

packed = load_file(sys.argv[1])
weights = {name: weight.float() if f"{name}.scale" not in packed
           else (weight.float().flatten(1) * packed[f"{name}.scale"][:, None]).view(weight.shape)
           for name, weight in packed.items() if not name.endswith(".scale")}
torch.save({"model": weights, "average": weights}, sys.argv[2])
