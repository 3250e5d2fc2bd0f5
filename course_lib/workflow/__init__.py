"""Workflows of ComfyUI: read, drawn, and run node by node."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "drawing": ["draw"],
    "graph": ["read"],
    "nodes.built_in": ["VAEDecode"],
    "running": ["Cache", "run"],
})
