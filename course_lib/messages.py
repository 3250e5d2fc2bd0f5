"""Everything the course says to a learner, in Chinese and English, and the one error type it says it with.

Standard library only and old syntax, so that even a Python that is too old can be told so in the learner's language.
"""

import os
import re

from course_lib.texts import ERRORS, TEXTS

LANGUAGES = ("zh", "en")

_chosen = None


class LessonError(Exception):
    """Tell a learner what happened, why, and what to do next; notebooks and the command line show it alone."""

    def __init__(self, what, why, next_step):
        super().__init__(what)
        self.what, self.why, self.next_step = what, why, next_step

    def __str__(self):
        label_what, label_why, label_next = text("error_labels").split("|")
        return "{}{}\n{}{}\n{}{}".format(label_what, self.what, label_why, self.why, label_next, self.next_step)

    def _render_traceback_(self):  # the name IPython looks for
        return str(self).splitlines()


def language():
    """Return "zh" or "en": what `set_language` chose, else the environment's COURSE_LANG, else "zh"."""
    wanted = _chosen or os.environ.get("COURSE_LANG", "zh")
    return wanted if wanted in LANGUAGES else "zh"


def set_language(name):
    """Choose the language of everything that is said from now on, "zh" or "en"; ValueError for another."""
    global _chosen
    if name not in LANGUAGES:
        raise ValueError("language {!r}: one of {}".format(name, ", ".join(LANGUAGES)))
    _chosen = name


def say(zh, en):
    """Return one of two wordings of the same, the one in the learner's language: for prompts and labels in lessons."""
    return zh if language() == "zh" else en


# What a name or a word from a file could do to a terminal: move its cursor, colour or hide what stands there.
CONTROLS = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


def plain(value):
    """Return a value that is to be said, its letters that no screen shows replaced by "?"; numbers as they are."""
    if isinstance(value, (bool, int, float)):
        return value
    said = str(value)
    shown = CONTROLS.sub("?", said)
    return value if shown == said else shown


def text(key, **values):
    """Return one text in the learner's language with its {values} filled in; KeyError for an unknown key."""
    return TEXTS[key][language()].format(**{name: plain(value) for name, value in values.items()})


def error(key, **values):
    """Build the LessonError of a key: its what, why and next step, with their {values} filled in."""
    values = {name: plain(value) for name, value in values.items()}
    return LessonError(*(part.format(**values) for part in ERRORS[key][language()]))
