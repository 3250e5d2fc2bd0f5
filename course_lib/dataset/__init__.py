"""From a folder of raw pictures to a set that training reads: checked, captioned, collected, made, written."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "captions.editor": ["edit_captions"],
    "captions.writing": ["caption"],
    "charts": ["contact_sheet", "show_captions", "show_sizes"],
    "checking": ["check", "prepare", "scale_out"],
    "collecting.crawler": ["crawl", "open_for_training"],
    "collecting.sources": ["download", "search"],
    "example_sets": ["make_messy", "write_style_set"],
    "making.augmentation": ["augment"],
    "making.scenes": ["Scene", "Thing", "describe", "random_scene", "to_json"],
    "making.synthesis": ["render", "synthesise"],
    "splitting": ["split"],
    "table": ["read_table", "write_table"],
})
