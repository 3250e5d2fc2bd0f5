"""LoRA: small trained matrices beside a UNet's layers, added, saved, loaded, converted, inspected, published."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "conversion": ["convert"],
    "inspection": ["inspect"],
    "publishing": ["publish"],
    "verbs": ["add_lora", "load_lora", "remove_lora", "set_strength"],
})
