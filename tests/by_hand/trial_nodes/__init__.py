"""One node for the recorder: slow on purpose, with progress and previews, and able to fail in the ways a node can."""

import os
import time

import torch
from comfy.utils import ProgressBar
from PIL import Image


class TrialPaint:
    """Paint one grey picture whose red is the seed."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "paint"
    CATEGORY = "trial"

    @classmethod
    def INPUT_TYPES(cls):
        """What ComfyUI checks before it runs the node."""
        return {"required": {"steps": ("INT", {"default": 5, "min": 1, "max": 100}),
                             "wait": ("FLOAT", {"default": 0.2, "min": 0.0, "max": 9.0, "step": 0.01}),
                             "seed": ("INT", {"default": 0, "min": 0, "max": 2**64 - 1}),
                             "what": (["ok", "fail", "nan", "die"],)},
                "optional": {"image": ("IMAGE",)}}

    def paint(self, steps, wait, seed, what, image=None):
        """Show each step; then do what was asked."""
        bar = ProgressBar(steps)
        for step in range(steps):
            time.sleep(wait)
            bar.update_absolute(step + 1, steps, ("JPEG", Image.new("RGB", (16, 16), (step * 40 % 256, 0, 0)), 16))
        if what == "fail":
            raise FileNotFoundError("no such file: lora.safetensors")
        if what == "die":
            os._exit(3)
        painted = torch.full((1, 32, 32, 3), float("nan") if what == "nan" else 0.5)
        if what != "nan":
            painted[..., 0] = (seed % 256) / 255
        return (painted,)


NODE_CLASS_MAPPINGS = {"TrialPaint": TrialPaint}
