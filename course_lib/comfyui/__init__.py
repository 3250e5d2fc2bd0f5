"""The real ComfyUI from a notebook: installed, started, given a workflow, stopped."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "client": ["queue"],
    "installing": ["find", "link"],
    "server": ["start", "stop"],
})
