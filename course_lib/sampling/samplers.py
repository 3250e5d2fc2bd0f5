"""ComfyUI's samplers and schedulers by their names there: `SAMPLERS`, `SCHEDULERS`, and what concerns all of them."""

import difflib
from collections.abc import Callable

from torch import Tensor

from course_lib.messages import error
from course_lib.sampling import multistep, one_step, stochastic
from course_lib.sampling.sigmas import SCHEDULERS
from course_lib.sampling.step import Denoise

SAMPLERS: dict[str, Callable[..., Tensor]] = {
    "euler": one_step.euler,
    "euler_ancestral": stochastic.euler_ancestral,
    "heun": one_step.heun,
    "heunpp2": one_step.heunpp2,
    "dpm_2": one_step.dpm_2,
    "dpm_2_ancestral": stochastic.dpm_2_ancestral,
    "lms": multistep.lms,
    "dpm_fast": one_step.dpm_fast,
    "dpm_adaptive": one_step.dpm_adaptive,
    "dpmpp_2s_ancestral": stochastic.dpmpp_2s_ancestral,
    "dpmpp_sde": stochastic.dpmpp_sde,
    "dpmpp_sde_gpu": stochastic.dpmpp_sde,  # ComfyUI's _gpu names draw the noise on the GPU; the maths is the same
    "dpmpp_2m": multistep.dpmpp_2m,
    "dpmpp_2m_sde": stochastic.dpmpp_2m_sde,
    "dpmpp_2m_sde_gpu": stochastic.dpmpp_2m_sde,
    "dpmpp_2m_sde_heun": stochastic.dpmpp_2m_sde_heun,
    "dpmpp_2m_sde_heun_gpu": stochastic.dpmpp_2m_sde_heun,
    "dpmpp_3m_sde": stochastic.dpmpp_3m_sde,
    "dpmpp_3m_sde_gpu": stochastic.dpmpp_3m_sde,
    "ddpm": stochastic.ddpm,
    "lcm": stochastic.lcm,
    "ipndm": multistep.ipndm,
    "ipndm_v": multistep.ipndm_v,
    "deis": multistep.deis,
    "res_multistep": multistep.res_multistep,
    "gradient_estimation": multistep.gradient_estimation,
    "er_sde": stochastic.er_sde,
    "ddim": one_step.euler,
    "uni_pc": multistep.uni_pc,
    "uni_pc_bh2": multistep.uni_pc_bh2,
}
STOCHASTIC = frozenset(name for name, sampler in SAMPLERS.items() if sampler.__module__ == stochastic.__name__)
# Names of ComfyUI that the course lacks, each with the nearest one here.
NEAREST = {
    "euler_cfg_pp": "euler", "euler_ancestral_cfg_pp": "euler_ancestral", "dpmpp_2m_cfg_pp": "dpmpp_2m",
    "dpmpp_2s_ancestral_cfg_pp": "dpmpp_2s_ancestral", "gradient_estimation_cfg_pp": "gradient_estimation",
    "res_multistep_cfg_pp": "res_multistep", "res_multistep_ancestral": "res_multistep",
    "res_multistep_ancestral_cfg_pp": "res_multistep", "seeds_2": "dpmpp_sde", "seeds_3": "dpmpp_sde",
    "sa_solver": "dpmpp_3m_sde", "sa_solver_pece": "dpmpp_3m_sde",
}
LOOKS_TWICE = frozenset({"heun", "dpm_2", "dpm_2_ancestral", "dpmpp_2s_ancestral", "dpmpp_sde", "dpmpp_sde_gpu"})
ADAPTIVE_LOOKS = 40  # dpm_adaptive on Tiny Kolors, whatever the steps: 27 with cfg 1, 39 with cfg 5


def check_names(sampler_name: object, scheduler: object) -> None:
    """Answer a sampler or scheduler that the course lacks with a LessonError that names the nearest one it has."""
    if isinstance(sampler_name, str) and sampler_name in NEAREST:
        raise error("sampler_lacking", name=sampler_name, nearest=NEAREST[sampler_name])
    for setting, name, known in (("sampler_name", sampler_name, SAMPLERS), ("scheduler", scheduler, SCHEDULERS)):
        if not isinstance(name, str) or name not in known:
            nearest = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0)[0]
            raise error("sampler_name_unknown", setting=setting, name=repr(name), nearest=nearest)


def count_looks(sampler_name: str, steps: int) -> int:
    """Return how often a sampler looks through the model in steps that end at 0; for dpm_adaptive about how often."""
    if sampler_name == "dpm_adaptive":
        return ADAPTIVE_LOOKS
    if sampler_name == "heunpp2":
        return max(3 * steps - 3, min(steps, 1))
    return max(2 * steps - 1, 0) if sampler_name in LOOKS_TWICE else steps


def gaussian_denoiser(mean: float, std: float) -> Denoise:
    """Return the exact denoise(x, sigma) -> x0 of pictures whose values are Gaussian: their mean, given x (Bayes)."""

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        return mean + std ** 2 / (std ** 2 + sigma ** 2) * (x - mean)

    return denoise


def gaussian_solution(x: Tensor, sigma: Tensor, sigma_next: Tensor, mean: float, std: float) -> Tensor:
    """Return where the probability-flow ODE of Gaussian pictures takes x from sigma to sigma_next, without a solver."""
    return mean + ((std ** 2 + sigma_next ** 2) / (std ** 2 + sigma ** 2)) ** 0.5 * (x - mean)
