"""Self-checking exercises: each function looks at the learner's result and says whether it is right, or what to do."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "answers": ["check_calls", "check_largest", "check_likeness", "check_lora_size", "check_ratio", "check_reason",
                "check_reruns", "check_runs", "check_same_thing", "check_seed", "check_shows", "check_strength",
                "check_trace"],
    "sets": ["check_fixes", "check_licences", "check_mirror", "check_scene_words", "plant_problems"],
    "stories": ["check_empty_scenes", "check_story"],
})
