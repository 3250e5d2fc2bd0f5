"""Pictures: shown with their captions, opened, composed by rule, judged, measured, drawn as figures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "classifier": ["diversity", "judge", "score"],
    "emoji": ["GROUNDS", "STYLES", "kept_pairs", "subjects"],
    "figures": ["plot"],
    "measures": ["clipped", "distance", "interval", "saturation", "two_tone"],
    "nearness": ["find_nearest"],
    "opening": ["open_picture"],
    "picture": ["Picture"],
    "sheet": ["show_sheet"],
    "wording": ["name_of", "read_prompt"],
})
