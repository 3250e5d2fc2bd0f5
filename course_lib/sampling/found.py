"""What a picture file tells of how it was made: settings and both prompts, and why the rest is unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from course_lib.messages import text
from course_lib.sampling.settings import SamplerSettings

PROMPTS = ("prompt", "negative_prompt")
SHARED = ("seed", "steps", "cfg")  # where two sources agree in these, they speak of the same picture


class FoundSettings(tuple[SamplerSettings, str | None, str | None]):
    """Settings, prompt and negative prompt as a tuple of three; each setting or prompt that cannot be told is None.

    `unknown` gives the reason by the name of the setting, "prompt" or "negative_prompt"; `notes` say what else is worth
    knowing, such as a second pass. Both are in the learner's language.
    """

    unknown: Mapping[str, str]
    notes: tuple[str, ...]

    def __new__(cls, settings: SamplerSettings, prompt: str | None, negative_prompt: str | None,
                unknown: Mapping[str, str] | None = None, notes: Sequence[str] = ()) -> "FoundSettings":
        found = super().__new__(cls, (settings, prompt, negative_prompt))
        found.unknown, found.notes = dict(unknown or {}), tuple(dict.fromkeys(notes))
        return found

    def __getnewargs__(self) -> tuple:
        return (*self, self.unknown, self.notes)

    @property
    def settings(self) -> SamplerSettings:
        """Return the settings."""
        return self[0]

    @property
    def prompt(self) -> str | None:
        """Return the prompt."""
        return self[1]

    @property
    def negative_prompt(self) -> str | None:
        """Return the negative prompt."""
        return self[2]

    def filled(self, other: "FoundSettings") -> "FoundSettings":
        """Return these with what they do not tell taken from another source that speaks of the same picture."""
        told = [name for name in SHARED if None not in (getattr(self.settings, name), getattr(other.settings, name))]
        if not told or any(getattr(self.settings, name) != getattr(other.settings, name) for name in told):
            return self
        values: dict[str, Any] = {name: value for name in self.unknown if (value := other.tell(name)) is not None}
        settings = replace(self.settings, **{name: value for name, value in values.items() if name not in PROMPTS})
        prompt, negative_prompt = (values.get(name, self.tell(name)) for name in PROMPTS)
        left = {name: reason for name, reason in self.unknown.items() if name not in values}
        return FoundSettings(settings, prompt, negative_prompt, left, self.notes)

    def tell(self, name: str) -> Any:
        """Return a setting or prompt by its name."""
        return self[1 + PROMPTS.index(name)] if name in PROMPTS else getattr(self.settings, name)

    def __str__(self) -> str:
        names = [*(field.name for field in fields(self.settings)), *PROMPTS]
        lines = [f"{name}: {text('found_unknown', reason=self.unknown[name])}" if name in self.unknown
                 else f"{name}: {self.tell(name)}" for name in names]
        return "\n".join([*lines, *self.notes])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))
