"""ComfyUI's samplers and schedulers by their names there: `SAMPLERS`, `SCHEDULERS`, and what concerns all of them."""

import difflib
import inspect
from collections.abc import Callable

from torch import Tensor

from course_lib.messages import error, text
from course_lib.sampling import cfg_pp, exponential_stages, multistep, one_step, stochastic, stochastic_adams
from course_lib.sampling.sigmas import SCHEDULERS
from course_lib.sampling.step import Denoise

SAMPLERS: dict[str, Callable[..., Tensor]] = {  # in the order of ComfyUI's menu
    "euler": one_step.euler,
    "euler_cfg_pp": cfg_pp.euler_cfg_pp,
    "euler_ancestral": stochastic.euler_ancestral,
    "euler_ancestral_cfg_pp": cfg_pp.euler_ancestral_cfg_pp,
    "heun": one_step.heun,
    "heunpp2": one_step.heunpp2,
    "exp_heun_2_x0": exponential_stages.exp_heun_2_x0,
    "exp_heun_2_x0_sde": exponential_stages.exp_heun_2_x0_sde,
    "dpm_2": one_step.dpm_2,
    "dpm_2_ancestral": stochastic.dpm_2_ancestral,
    "lms": multistep.lms,
    "dpm_fast": one_step.dpm_fast,
    "dpm_adaptive": one_step.dpm_adaptive,
    "dpmpp_2s_ancestral": stochastic.dpmpp_2s_ancestral,
    "dpmpp_2s_ancestral_cfg_pp": cfg_pp.dpmpp_2s_ancestral_cfg_pp,
    "dpmpp_sde": stochastic.dpmpp_sde,
    "dpmpp_sde_gpu": stochastic.dpmpp_sde,  # ComfyUI's _gpu names draw the noise on the GPU; the maths is the same
    "dpmpp_2m": multistep.dpmpp_2m,
    "dpmpp_2m_cfg_pp": cfg_pp.dpmpp_2m_cfg_pp,
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
    "cfgpp_ud10_ab": cfg_pp.cfgpp_ud10_ab,
    "res_multistep": multistep.res_multistep,
    "res_multistep_cfg_pp": cfg_pp.res_multistep_cfg_pp,
    "res_multistep_ancestral": stochastic.res_multistep_ancestral,
    "res_multistep_ancestral_cfg_pp": cfg_pp.res_multistep_ancestral_cfg_pp,
    "gradient_estimation": multistep.gradient_estimation,
    "gradient_estimation_cfg_pp": cfg_pp.gradient_estimation_cfg_pp,
    "er_sde": stochastic.er_sde,
    "seeds_2": exponential_stages.seeds_2,
    "seeds_3": exponential_stages.seeds_3,
    "sa_solver": stochastic_adams.sa_solver,
    "sa_solver_pece": stochastic_adams.sa_solver_pece,
    "ddim": one_step.euler,
    "uni_pc": multistep.uni_pc,
    "uni_pc_bh2": multistep.uni_pc_bh2,
}
# Those that cannot do without noise, and those whose denoise tells the unguided picture as well.
STOCHASTIC = frozenset(name for name, sampler in SAMPLERS.items()
                       if inspect.signature(sampler).parameters["noise"].default is inspect.Parameter.empty)
CFG_PP = frozenset(name for name, sampler in SAMPLERS.items() if sampler.__module__ == cfg_pp.__name__)
LOOKS = {  # through the model in each step but the last, which takes one; others look once
    "heun": 2, "dpm_2": 2, "dpm_2_ancestral": 2, "dpmpp_2s_ancestral": 2, "dpmpp_2s_ancestral_cfg_pp": 2,
    "dpmpp_sde": 2, "dpmpp_sde_gpu": 2, "exp_heun_2_x0": 2, "exp_heun_2_x0_sde": 2, "seeds_2": 2, "seeds_3": 3,
    "sa_solver_pece": 2,
}
ADAPTIVE_LOOKS = 40  # dpm_adaptive on Tiny Kolors, whatever the steps: 27 with cfg 1, 39 with cfg 5


def check_names(sampler_name: object, scheduler: object) -> None:
    """Answer a sampler or scheduler that the course lacks with a LessonError that names the nearest one it has."""
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
    return LOOKS.get(sampler_name, 1) * (steps - 1) + 1 if steps else 0


def explain_sampler(sampler_name: str) -> str:
    """Return what a sampler does, in a sentence or two for a learner, in the language of the course."""
    return text(f"about_{sampler_name.removesuffix('_gpu')}") + (
        text("about_gpu") if sampler_name.endswith("_gpu") else "")


def gaussian_denoiser(mean: float, std: float) -> Denoise:
    """Return the exact denoise(x, sigma) -> x0 of pictures whose values are Gaussian: their mean, given x (Bayes)."""

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        return mean + std ** 2 / (std ** 2 + sigma ** 2) * (x - mean)

    return denoise


def gaussian_solution(x: Tensor, sigma: Tensor, sigma_next: Tensor, mean: float, std: float) -> Tensor:
    """Return where the probability-flow ODE of Gaussian pictures takes x from sigma to sigma_next, without a solver."""
    return mean + ((std ** 2 + sigma_next ** 2) / (std ** 2 + sigma ** 2)) ** 0.5 * (x - mean)
