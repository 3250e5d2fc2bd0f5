"""The two signs that the camp's prompts may hold: `{a|b}` chooses one of several, a bare `|` starts another picture."""

import random
import re

CHOICE = re.compile(r"\{([^{}]*)\}")


def read_prompts(prompt: str, seed: int = 0) -> list[str]:
    """Return the texts that a prompt stands for; one prompt and seed always choose the same, empty texts are left out.

    "a {red|blue} cat | a dog" is two texts, the first with one of the colours; choices may stand inside each other.
    """
    rng = random.Random(f"{seed} {prompt}")
    while choice := CHOICE.search(prompt):
        chosen = rng.choice(choice[1].split("|"))
        prompt = prompt[:choice.start()] + chosen + prompt[choice.end():]
    return [part.strip() for part in prompt.split("|") if part.strip()] or [""]
