"""A story in eight pictures, as the contest asks: scenes, candidates, a choice, scores, one page to show, a demo."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "aesthetics": ["open_aesthetics"],
    "candidates": ["draw_candidates", "repair"],
    "choosing": ["choose"],
    "notes": ["read_choices", "keep"],
    "page": ["chosen", "lay_out", "write_page"],
    "publishing": ["publish_story"],
    "scenes": ["CAMP_NEGATIVE", "CAMP_STORY", "STORIES", "make_story"],
    "scores": ["score_story", "suggest"],
    "studio": ["demo"],
})
