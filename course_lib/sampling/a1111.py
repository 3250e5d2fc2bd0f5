"""The settings of a picture as AUTOMATIC1111's web UI writes them: prompt, negative prompt and a line of numbers."""

import json
import re
from typing import Any

from course_lib.messages import text
from course_lib.sampling.found import FoundSettings
from course_lib.sampling.settings import SamplerSettings

SAMPLERS = {
    "Euler": "euler", "Euler a": "euler_ancestral", "LMS": "lms", "Heun": "heun", "DPM2": "dpm_2",
    "DPM2 a": "dpm_2_ancestral", "DPM fast": "dpm_fast", "DPM adaptive": "dpm_adaptive",
    "DPM++ 2S a": "dpmpp_2s_ancestral", "DPM++ 2M": "dpmpp_2m", "DPM++ SDE": "dpmpp_sde",
    "DPM++ 2M SDE": "dpmpp_2m_sde", "DPM++ 2M SDE Heun": "dpmpp_2m_sde_heun", "DPM++ 3M SDE": "dpmpp_3m_sde",
    "DDIM": "ddim", "UniPC": "uni_pc", "LCM": "lcm",
}
SCHEDULERS = {
    "Normal": "normal", "Karras": "karras", "Exponential": "exponential", "SGM Uniform": "sgm_uniform",
    "Simple": "simple", "DDIM": "ddim_uniform", "Beta": "beta", "KL Optimal": "kl_optimal",
}
# Read only: the model's steps at equal distances under their name in the web UI.
SCHEDULERS_READ = {**SCHEDULERS, "Uniform": "normal"}
# What "Automatic" stands for: each sampler's own choice, since the web UI's version 1.9; of the others "normal".
AUTOMATIC = {
    "dpmpp_2m": "karras", "dpmpp_sde": "karras", "dpmpp_2s_ancestral": "karras", "dpm_2": "karras",
    "dpm_2_ancestral": "karras", "restart": "karras", "dpmpp_2m_sde": "exponential",
    "dpmpp_2m_sde_heun": "exponential", "dpmpp_3m_sde": "exponential"}
NEGATIVE = "Negative prompt: "
NEGATIVE_LINE = re.compile(r"^Negative prompt: ?", re.MULTILINE)
NEGATIVE_WORDS = re.compile(r"(?<!\S)Negative prompt: ?")
# The numbers begin so, mostly on a line of their own.
STEPS = re.compile(r"(?<!\S)Steps: ?\d{1,9}(?= ?[,\n]| ?$)")
PAIR = re.compile(r"""\s{0,9}([A-Z][\w /.+-]{0,60}?): *("(?:\\.|[^"\\])*"|[^,\n]*)""")
SEPARATOR = re.compile("[,\n]")
MOST_STARTS = 20  # places where the numbers may begin
MOST_NUMBERS = 100_000  # letters of the numbers
MOST_SHOWN = 200  # letters of the numbers in a note
REQUIRED = {"steps", "seed", "cfg scale"}
SECOND_PASS = ("hires", "first pass")  # how names begin that stand there only where hires. fix drew a second time
NAMES = {"seed": "seed", "steps": "steps", "cfg": "cfg scale", "sampler_name": "sampler", "scheduler": "schedule type",
         "denoise": "denoising strength"}


def write_parameters(settings: SamplerSettings, prompt: str, negative_prompt: str, width: int, height: int) -> str:
    """Write settings as A1111 does, by its names where it has them and by ComfyUI's where not."""
    numbers = {
        "Steps": settings.steps, "Sampler": find_name(SAMPLERS, settings.sampler_name),
        "Schedule type": find_name(SCHEDULERS, settings.scheduler), "CFG scale": f"{settings.cfg:g}",
        "Seed": settings.seed, "Size": f"{width}x{height}"}
    if settings.denoise < 1:
        numbers["Denoising strength"] = f"{settings.denoise:g}"
    lines = [prompt, *([NEGATIVE + negative_prompt] if negative_prompt else []),
             ", ".join(f"{name}: {value}" for name, value in numbers.items())]
    return "\n".join(lines)


def read_parameters(parameters: str) -> FoundSettings:
    """Read what A1111 wrote -> settings, prompt, negative prompt; KeyError or ValueError where it is something else.

    With a second pass (hires. fix) the denoising strength is that pass's: the first starts from noise alone.
    """
    words = parameters.replace("\r\n", "\n").strip()
    start, numbers, doubtful = find_numbers(words)
    sampler, scheduler = read_names(numbers.get("sampler"), numbers.get("schedule type"))
    strength = numbers.get("denoising strength")
    second = {name: value for name, value in numbers.items() if name.startswith(SECOND_PASS)}
    values: dict[str, Any] = {
        "seed": int(numbers["seed"]), "steps": int(numbers["steps"]), "cfg": float(numbers["cfg scale"]),
        "sampler_name": sampler, "scheduler": scheduler,
        "denoise": 1.0 if second or strength is None else float(strength)}
    unknown = {setting: text("found_not_written", name=NAMES[setting].capitalize())
               for setting, value in values.items() if value is None}
    unknown |= {setting: text("found_twice", name=name.capitalize()) for setting, name in NAMES.items()
                if name in doubtful}
    notes = [text("found_second_pass", node="Hires. fix", values=", ".join(
        f"{name}: {value}" for name, value in {"denoising strength": strength, **second}.items())[:MOST_SHOWN])
             ] if second else []
    values |= dict.fromkeys(unknown)
    return FoundSettings(SamplerSettings(**values), *split_prompts(words[:start]), unknown, notes)


def find_numbers(words: str) -> tuple[int, dict[str, str], set[str]]:
    """Return where the numbers begin, their values by name in small letters, and names with two values.

    KeyError where there are none, or more than one set of them: a prompt may quote another picture's.
    """
    starts = [match.start() for match in STEPS.finditer(words)][-MOST_STARTS:]
    found: list[tuple[int, int, dict[str, str], set[str]]] = []
    for start in starts:
        if found and start < found[-1][1]:  # in the line of numbers that was read last, such as in a quoted prompt
            continue
        end = f"{words}\n".index("\n", start)
        numbers, doubtful = read_pairs(words, start, end)
        if numbers.keys() >= REQUIRED and numbers["seed"].isdecimal():
            found.append((start, end, numbers, doubtful))
    on_lines = [one for one in found if one[0] == 0 or words[one[0] - 1] == "\n"]
    if len(on_lines or found) != 1:
        raise KeyError("Steps")
    start, _, numbers, doubtful = (on_lines or found)[0]
    return start, numbers, doubtful


def read_pairs(words: str, place: int, end: int) -> tuple[dict[str, str], set[str]]:
    """Return the pairs "Name: value" from a place on, and names that have two values before the end of the line.

    Pairs may go on in lines below; what the first line says counts.
    """
    numbers: dict[str, str] = {}
    doubtful = set()
    last = min(len(words), place + MOST_NUMBERS)
    while place < last:
        pair = PAIR.match(words, place)
        name = pair[1].lower() if pair else ""
        if pair and name in numbers and place <= end and numbers[name] != read_value(pair[2]):
            doubtful.add(name)
        elif pair and name.endswith("template"):  # of an extension: prompts before their choices were made
            break
        elif pair:
            numbers.setdefault(name, read_value(pair[2]))
        after = SEPARATOR.search(words, pair.end() if pair else place)
        place = after.end() if after else last
    return numbers, doubtful


def read_value(value: str) -> str:
    """Return a value without the quotation marks of JSON, which stand around those that hold commas."""
    if not value.startswith('"'):
        return value.strip()
    try:
        return str(json.loads(value))
    except ValueError:
        return value.strip('"')


def split_prompts(words: str) -> tuple[str, str]:
    """Return prompt and negative prompt: the latter on a line of its own, or in the middle where lines were lost."""
    marks = [*NEGATIVE_LINE.finditer(words)] or [*NEGATIVE_WORDS.finditer(words)]
    if not marks:
        return words.strip(), ""
    return words[:marks[0].start()].strip(), words[marks[0].end():].strip()


def read_names(sampler: str | None, schedule: str | None) -> tuple[str | None, str | None]:
    """Return ComfyUI's names; older files have both in one, as in "DPM++ 2M Karras". An unknown name is kept."""
    if sampler is None:
        return None, None if schedule in (None, "Automatic") else read_schedule(schedule)
    for ending in ("Karras", "Exponential"):
        if sampler.endswith(" " + ending):
            sampler, schedule = sampler.removesuffix(" " + ending), ending
    name = {theirs.lower(): ours for theirs, ours in SAMPLERS.items()}.get(
        sampler.lower(), sampler.lower().replace(" ", "_"))
    if schedule == "Automatic":
        return name, AUTOMATIC.get(name, "normal")
    return name, "normal" if schedule is None else read_schedule(schedule)


def read_schedule(schedule: str) -> str:
    """Return ComfyUI's name of a schedule."""
    return SCHEDULERS_READ.get(schedule, schedule.lower().replace(" ", "_"))


def find_name(names: dict[str, str], wanted: str) -> str:
    """Return A1111's name of a name of ComfyUI's, or that name itself."""
    return next((theirs for theirs, ours in names.items() if ours == wanted), wanted)
