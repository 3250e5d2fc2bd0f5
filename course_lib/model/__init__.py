"""Kolors itself: loaded part by part, its text encoder, its UNet, and the VAE's latents."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "latents": ["decode", "encode_picture", "preview"],
    "loading": ["load"],
    "text": ["encode_text"],
    "truth": ["measure_truth"],
})
