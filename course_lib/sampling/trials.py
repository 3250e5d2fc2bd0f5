"""A trial: everything that makes one picture, as one value that can be drawn, compared, and written as code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby
from typing import Any

from diffusers import KolorsPipeline
from PIL import Image

from course_lib.model.latents import encode_picture
from course_lib.pictures.picture import Picture
from course_lib.sampling.drawing import generate
from course_lib.sampling.settings import SamplerSettings
from course_lib.sampling.step import Step

SETTINGS = tuple(field.name for field in fields(SamplerSettings))
CHANGE_NOTHING = ("control_after_generate",)  # decides about the next seed, not about this picture


@dataclass(frozen=True)
class Trial:
    """What one picture is made of; lora_strength None leaves the LoRA alone, source is the start of image-to-image."""

    prompt: str
    settings: SamplerSettings = SamplerSettings()
    negative_prompt: str = ""
    lora_strength: float | None = None
    source: Image.Image | None = None

    def but(self, **changes: Any) -> "Trial":
        """Return the same trial with some of its parts or settings changed, by name."""
        of_settings = {name: value for name, value in changes.items() if name in SETTINGS}
        others = {name: value for name, value in changes.items() if name not in SETTINGS}
        return replace(self, settings=replace(self.settings, **of_settings), **others)

    def parts(self) -> dict[str, object]:
        """Return everything that changes the picture, by name, the settings one by one."""
        settings = {name: getattr(self.settings, name) for name in SETTINGS if name not in CHANGE_NOTHING}
        return {"prompt": self.prompt.strip(), "negative_prompt": self.negative_prompt.strip(), **settings,
                "lora_strength": self.lora_strength, "source": self.source}


def draw_trial(pipe: KolorsPipeline, trial: Trial, callback: Callable[[Step], object] | None = None) -> Picture:
    """Draw one trial; LessonError for what cannot be drawn, samplers.Cancelled when the callback returns True."""
    return draw_trials(pipe, [trial], callback)[0]


def draw_trials(pipe: KolorsPipeline, trials: Sequence[Trial],
                callback: Callable[[Step], object] | None = None) -> list[Picture]:
    """Draw many trials; neighbours that differ in nothing but their settings are drawn together."""
    pictures = []
    for _, group in groupby(trials, lambda trial: (trial.prompt, trial.negative_prompt, trial.lora_strength)):
        together = list(group)
        first = together[0]
        if first.lora_strength is not None:
            names = list_loras(pipe)
            pipe.set_adapters(names, [first.lora_strength] * len(names))
        latent = None if first.source is None else encode_picture(pipe, first.source)
        pictures += generate(pipe, first.prompt, [trial.settings for trial in together],
                             negative_prompt=first.negative_prompt, latent=latent, callback=callback)
    return pictures


def list_loras(pipe: KolorsPipeline) -> list[str]:
    """Return the names of the LoRAs that are loaded into the UNet."""
    return list(pipe.get_list_adapters().get("unet", []))


def list_changes(before: Trial, after: Trial) -> dict[str, tuple[object, object]]:
    """Return what differs between two trials: name -> (value before, value after)."""
    old, new = before.parts(), after.parts()
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}


def write_code(trial: Trial) -> str:
    """Write the notebook cell that draws this trial with the variable `pipe` (and `source`, where it has one)."""
    plain = SamplerSettings()
    settings = ", ".join(f"{name}={getattr(trial.settings, name)!r}" for name in SETTINGS
                         if getattr(trial.settings, name) != getattr(plain, name))
    arguments = [repr(trial.prompt), f"SamplerSettings({settings})"]
    if trial.negative_prompt:
        arguments.append(f"negative_prompt={trial.negative_prompt!r}")
    if trial.source is not None:
        arguments.append("latent=encode_picture(pipe, source)")
    lines = ["from course_lib.sampling import SamplerSettings, generate", ""]
    if trial.source is not None:
        lines.insert(0, "from course_lib.model import encode_picture")
    if trial.lora_strength is not None:
        lines += ["loras = pipe.get_list_adapters()[\"unet\"]",
                  f"pipe.set_adapters(loras, [{trial.lora_strength!r}] * len(loras))"]
    return "\n".join([*lines, "generate(pipe, " + ",\n         ".join(arguments) + ")"])
