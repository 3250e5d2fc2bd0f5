"""The prompts that a model is measured by."""

import random

from course_lib.pictures import emoji, wording


def write_prompt(subject: str, style: str, ground: str, language: str, rng: random.Random) -> str:
    """Write a prompt that names subject, style and ground, in zh or en."""
    row = emoji.subjects()[subject]
    style_word, ground_word = emoji.STYLES[style][language == "en"][0], emoji.GROUNDS[ground][language == "en"][0]
    if language == "zh":
        return f"一{row['measure']}{rng.choice(row['zh'])}，{style_word}，{ground_word}背景"
    return f"a {rng.choice(row['en'])}, {style_word}, {ground_word} background"


def choose_prompts(count: int, styles: tuple[str, ...], seed: int = 7) -> list[tuple[str, str, wording.Named]]:
    """Choose prompts over all subjects, grounds and these styles -> (language, prompt, what it names)."""
    rng = random.Random(f"{seed} prompts")
    chosen = []
    for number in range(count):
        named = wording.Named(rng.choice(list(emoji.subjects())), rng.choice(styles), rng.choice(list(emoji.GROUNDS)))
        language = ("zh", "en")[number % 2]
        chosen.append((language, write_prompt(named.subject, named.style, named.ground, language, rng), named))
    return chosen


def choose_kept(seed: int = 7) -> list[tuple[str, str, wording.Named]]:
    """Choose four prompts, two in each language, for each pair that was kept out of the training."""
    rng = random.Random(f"{seed} kept")
    chosen = []
    for subject, style in sorted(emoji.kept_pairs()):
        for number, ground in enumerate(rng.sample(list(emoji.GROUNDS), 4)):
            language = ("zh", "en")[number % 2]
            prompt = write_prompt(subject, style, ground, language, rng)
            chosen.append((language, prompt, wording.Named(subject, style, ground)))
    return chosen
