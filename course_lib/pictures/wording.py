"""A composed picture in words, zh and en: the caption of a scene, and what subject, style and ground a prompt names."""

import random
import re
from dataclasses import dataclass

from course_lib.checks import check_text
from course_lib.messages import error, language, text
from course_lib.pictures.emoji import GROUNDS, PICTURE_SIZE, STYLES, Scene, subjects
from course_lib.pictures.picture import shorten

PLACES = {"left": ("左边", "on the left"), "right": ("右边", "on the right"),
          "top": ("上方", "at the top"), "bottom": ("下方", "at the bottom")}
# words that captions hold beside names, styles and grounds
FILLERS = ("background", "ground", "the", "an", "a", "on", "in", "at", "of", "left", "right", "top", "bottom",
           "背景", "左边", "右边", "上方", "下方", "一", "的", "上", "在", "是", "底", "色")


def place(scene: Scene) -> str | None:
    """Return where a small subject stands clearly off the middle: left, right, top, bottom, or None."""
    room = PICTURE_SIZE - scene.size
    across, down = 2 * scene.left - room, 2 * scene.top - room  # px, negative is left of or above the middle
    if max(abs(across), abs(down)) < 8 or abs(abs(across) - abs(down)) < 4:
        return None
    if abs(across) > abs(down):
        return "left" if across < 0 else "right"
    return "top" if down < 0 else "bottom"


def caption(scene: Scene, spoken: str, rng: random.Random) -> str:
    """Describe a scene in "zh" or "en", worded at random; style, ground and place are named most times, not always."""
    write = {"zh": _caption_zh, "en": _caption_en}[spoken]
    style = rng.choice(words_for(scene.style, spoken)) if rng.random() < 0.9 else None
    ground = rng.choice(words_for(scene.ground, spoken)) if rng.random() < 0.9 else None
    where = place(scene) if rng.random() < 0.5 else None
    return write(subjects()[scene.subject], style, ground, where, rng)


def _caption_zh(subject: dict, style: str | None, ground: str | None, where: str | None, rng: random.Random) -> str:
    name = rng.choice(subject["zh"])
    if rng.random() < 0.6:
        name = f"一{subject['measure']}{name}"
    parts = []
    if ground:
        ground = rng.choice([f"{ground}背景", f"{ground}底", f"{ground}的背景", f"背景是{ground}"])
        if len(ground) > 2 and ground.endswith("背景") and rng.random() < 0.3:
            name = f"{ground}上的{name}"
        else:
            parts.append(ground)
    if style:
        if rng.random() < 0.25:
            name = f"{style}的{name}"
        else:
            parts.append(style)
    if where:
        parts.append(f"在{PLACES[where][0]}")
    rng.shuffle(parts)
    return rng.choice(["，", "，", ",", " "]).join([name, *parts])


def _caption_en(subject: dict, style: str | None, ground: str | None, where: str | None, rng: random.Random) -> str:
    name = rng.choice(subject["en"])
    parts = []
    if style and rng.random() < 0.3:
        name = f"{style} {name}"
    elif style:
        parts.append(rng.choice([style, f"in {style}"]) if " " in style else style)
    if rng.random() < 0.7:
        name = f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
    if ground and rng.random() < 0.5:
        article = "an" if ground[0] in "aeiou" else "a"
        article = rng.choice([f"{article} ", ""])
        name = f"{name} on {article}{ground} {rng.choice(['background', 'background', 'ground'])}"
    elif ground:
        parts.append(f"{ground} background")
    if where:
        parts.append(PLACES[where][1])
    rng.shuffle(parts)
    text = rng.choice([", ", ", ", " "]).join([name, *parts])
    return text[0].upper() + text[1:] if rng.random() < 0.2 else text


@dataclass(frozen=True)
class Named:
    """What a prompt names, each a name of this module or None."""

    subject: str | None
    style: str | None
    ground: str | None
    unknown: tuple[str, ...] = ()  # words of the prompt that no caption of the training ever held


def name_of(name: str | None) -> str:
    """Return the usual word for a subject, style or ground in the learner's language; None: none of the subjects."""
    if name is None:
        return text("none_of_these")
    return (subjects()[name][language()] if name in subjects() else words_for(name, language()))[0]


def words_for(name: str, spoken: str) -> tuple[str, ...]:
    """Return the words for a style or ground in "zh" or "en", the usual one first."""
    zh, en = STYLES[name] if name in STYLES else GROUNDS[name][:2]
    return en if spoken == "en" else zh


def list_names() -> list[str]:
    """List the usual name of every subject in the learner's language."""
    return [name_of(slug) for slug in subjects()]


def read_prompt(prompt: str) -> Named:
    """Find the subject, style and ground that a zh or en prompt names; longer words win over those inside them."""
    rest = prompt.lower()
    subject, rest = _take(rest, {slug: row["zh"] + row["en"] for slug, row in subjects().items()})
    style, rest = _take(rest, {style: [*zh, *en] for style, (zh, en) in STYLES.items()})
    ground, rest = _take(rest, {ground: [*zh, *en] for ground, (zh, en, _) in GROUNDS.items()})
    for word in sorted((*FILLERS, *{row["measure"] for row in subjects().values()}), key=len, reverse=True):
        rest = re.sub(_pattern(word), " ", rest, flags=re.ASCII)
    return Named(subject, style, ground, tuple(re.findall(r"\w+", rest)))


def read_known(prompt: str) -> Named:
    """Read a prompt that has to name one of Tiny Kolors' subjects; LessonError for any other."""
    check_text("prompt", prompt)
    if not prompt.strip():
        raise error("prompt_empty")
    named = read_prompt(prompt)
    if named.subject is None:
        known = list_names()
        raise error("subject_unknown", prompt=shorten(prompt.strip()), count=len(known),
                    known=text("list_comma").join(known))
    return named


def _pattern(word: str) -> str:
    """Return a pattern for one word: Latin words count only whole, in singular or plural."""
    return rf"\b{re.escape(word)}(e?s)?\b" if word.isascii() else re.escape(word)


def _take(text: str, words: dict[str, list[str]]) -> tuple[str | None, str]:
    """Return whose word is the longest in text, and the text without it."""
    pairs = sorted(((word.lower(), name) for name, each in words.items() for word in each), key=lambda p: -len(p[0]))
    for word, name in pairs:
        if match := re.search(_pattern(word), text, re.ASCII):
            return name, text[:match.start()] + " " + text[match.end():]
    return None, text
