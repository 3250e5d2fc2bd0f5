"""What this machine has, and how a model runs on it: precision, memory, what lies where."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "configs": ["CONFIGS"],
    "doctor": ["describe_machine"],
    "footprint": ["build_part", "count_training", "read_configs"],
    "hardware": ["find_mount", "look"],
    "planning": ["EXAMPLES", "FOOTPRINTS", "plan", "tabulate"],
})
