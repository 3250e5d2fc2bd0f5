"""Models and data sets on this machine, each file of them whole: asked for by name, fetched, checked."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "fetching": ["fetch"],
    "repository": ["cache_folder", "find_repo"],
})
