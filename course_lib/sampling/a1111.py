"""The settings of a picture as AUTOMATIC1111's web UI writes them: prompt, negative prompt and a line of numbers."""

import re

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
# Read only: these names leave the choice to the sampler, whose own is mostly the model's steps at equal distances.
SCHEDULERS_READ = {**SCHEDULERS, "Automatic": "normal", "Uniform": "normal"}
NEGATIVE = "Negative prompt: "


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


def read_parameters(parameters: str) -> tuple[SamplerSettings, str, str]:
    """Read what A1111 wrote -> settings, prompt, negative prompt; KeyError or ValueError where it is something else."""
    texts, _, line = parameters.strip().rpartition("\n")
    numbers = dict(re.findall(r'([A-Z][A-Za-z ]*): ("[^"]*"|[^,]*)', line))
    prompt, _, negative = f"\n{texts}".partition("\n" + NEGATIVE)
    sampler, scheduler = read_names(numbers["Sampler"], numbers.get("Schedule type", "Automatic"))
    settings = SamplerSettings(
        seed=int(numbers["Seed"]), steps=int(numbers["Steps"]), cfg=float(numbers["CFG scale"]), sampler_name=sampler,
        scheduler=scheduler, denoise=float(numbers.get("Denoising strength", 1)))
    return settings, prompt.strip(), negative.strip()


def read_names(sampler: str, schedule: str) -> tuple[str, str]:
    """Return ComfyUI's names; older files have both in one, as in "DPM++ 2M Karras". An unknown name is kept."""
    for ending in ("Karras", "Exponential"):
        if sampler.endswith(" " + ending):
            sampler, schedule = sampler.removesuffix(" " + ending), ending
    return (SAMPLERS.get(sampler, sampler.lower().replace(" ", "_")),
            SCHEDULERS_READ.get(schedule, schedule.lower().replace(" ", "_")))


def find_name(names: dict[str, str], wanted: str) -> str:
    """Return A1111's name of a name of ComfyUI's, or that name itself."""
    return next((theirs for theirs, ours in names.items() if ours == wanted), wanted)
