"""Train a LoRA: the settings, the set on the way into the UNet, the loss, the loop, and what is seen of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "cache": ["CACHE"],
    "config": ["ATTENTION", "TrainConfig", "tiny_config"],
    "examples": ["Order", "encode_set"],
    "log": ["read_log"],
    "loop": ["fit", "train"],
    "loss": ["make_generator", "noise_batch", "noise_loss"],
    "rows": ["read_rows"],
})
