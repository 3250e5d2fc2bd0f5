"""What a learner moves in a notebook: the explorer of the sampler's parameters, and its panels."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "explorer": ["explore"],
})
