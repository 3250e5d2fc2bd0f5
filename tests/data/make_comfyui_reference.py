"""Write comfyui_reference.npz: sigmas and samplers' results of ComfyUI itself, on two toys, in two precisions.

    python tests/data/make_comfyui_reference.py PATH_OF_COMFYUI

PATH_OF_COMFYUI is a checkout of Comfy-Org/ComfyUI at 4f874c5e (0.29.0, July 2026), in an environment that it starts in:
beside the course's packages torchsde, einops, scipy, torchvision, comfy-kitchen and comfy-aimdo. cfgpp_ud10_ab is newer
(0.35.0): its two functions of comfy/k_diffusion/sampling.py, lines 419 to 484 at 3ac5d794, were added to that file. The
tests take the toys from this file.
"""

import inspect
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

SCHEDULES = ((0.00085, 0.014, 1100), (0.00085, 0.012, 1000))  # Kolors', and the one of SDXL
SCHEDULERS = ("simple", "sgm_uniform", "karras", "exponential", "ddim_uniform", "beta", "normal", "linear_quadratic",
              "kl_optimal")
SAMPLERS = ("euler", "euler_cfg_pp", "euler_ancestral", "euler_ancestral_cfg_pp", "heun", "heunpp2", "exp_heun_2_x0",
            "exp_heun_2_x0_sde", "dpm_2", "dpm_2_ancestral", "lms", "dpm_fast", "dpm_adaptive", "dpmpp_2s_ancestral",
            "dpmpp_2s_ancestral_cfg_pp", "dpmpp_sde", "dpmpp_2m", "dpmpp_2m_cfg_pp", "dpmpp_2m_sde",
            "dpmpp_2m_sde_heun", "dpmpp_3m_sde", "ddpm", "lcm", "ipndm", "ipndm_v", "deis", "cfgpp_ud10_ab",
            "res_multistep", "res_multistep_cfg_pp", "res_multistep_ancestral", "res_multistep_ancestral_cfg_pp",
            "gradient_estimation", "gradient_estimation_cfg_pp", "er_sde", "seeds_2", "seeds_3", "sa_solver",
            "sa_solver_pece", "ddim", "uni_pc", "uni_pc_bh2")
STOCHASTIC = tuple(name for name in SAMPLERS if "ancestral" in name or "sde" in name or "seeds" in name
                   or "sa_solver" in name or name in ("ddpm", "lcm"))
CASES = (*((steps, denoise) for steps in (4, 10, 20) for denoise in (1.0, 0.5)), (6, 1.0))
SIGMA_CASES = (*CASES, (1, 1.0), (1, 0.5), (3, 0.7), (15, 1.0), (28, 1.0), (30, 0.3), (61, 1.0))
MOST_SIGMAS = 80
SHAPE = (2, 2, 2, 2)  # a batch of two
PRECISIONS = (torch.float32, torch.float64)
# Pictures with ComfyUI's own noise of a seed: (scheduler, steps, denoise).
SEED, SEEDED_SHAPE, SEEDED = 2**40 + 7, (1, 4, 8, 8), (("karras", 10, 1.0), ("simple", 8, 0.5),
                                                           ("normal", 9, 1.0))


def count(shape):
    """Return 0, 1, 2 ... as a float64 tensor of a shape."""
    return torch.arange(np.prod(shape), dtype=torch.float64).reshape(shape)


def start(sigma, shape=SHAPE):
    """Return a start x at sigma, float64, the same on every machine."""
    return float(sigma) * 1.4 * (count(shape) * 1.7).sin() + 0.3


def noise(sigma, sigma_next):
    """Return a pattern that stands for the noise of a step, float64, the same on every machine."""
    return 1.4 * (count(SHAPE) * 2.3 + 3 * sigma.double().log() + 2 * sigma_next.double().log()).sin()


def rough_network(x, sigma):
    """Return x0 as a model that predicts x0 does: it stays bounded, and knows little of sigma."""
    return 0.8 * (1.3 * x + 0.2 * x.roll(1, dims=1)).tanh() + 0.1 * (sigma + 1).log()


def small_network(x, sigma):
    """Return x0 as a model that predicts noise does: its input scaled, its output bounded, its values mixed."""
    scaled = x / (1 + sigma ** 2) ** 0.5
    mixed = 1.3 * scaled - 0.6 * scaled.roll(1, dims=1) + 0.2 * scaled.roll(1, dims=-1) ** 2
    return x - sigma * (mixed + 0.1 * (sigma + 0.5).log()).tanh()


TOYS = (rough_network, small_network)


def without_prompt(toy):
    """Return another toy: what stands for the model's look without the prompt, for CFG++."""
    return lambda x, sigma: 0.9 * toy(0.8 * x + 0.05, sigma) - 0.1


def see_both(toy):
    """Return the two looks that a CFG++ sampler of the course takes at once."""
    return lambda x, sigma: (toy(x, sigma), without_prompt(toy)(x, sigma))


def make_model(schedule):
    """Return what ComfyUI's samplers take for a model that predicts noise, with `schedule` and a toy to be set."""
    from comfy.model_sampling import EPS, ModelSamplingDiscrete

    class Sampling(ModelSamplingDiscrete, EPS):
        pass

    first, last, steps = schedule
    settings = {"beta_schedule": "linear", "linear_start": first, "linear_end": last, "timesteps": steps}
    sampling = Sampling(SimpleNamespace(sampling_settings=settings))
    patcher = SimpleNamespace(get_model_object=lambda name: sampling)

    class Model:
        inner_model = SimpleNamespace(inner_model=SimpleNamespace(model_sampling=sampling), model_patcher=patcher)
        get_model_object = staticmethod(patcher.get_model_object)

        def __call__(self, x, sigma, model_options=None, **_):
            sigma = sigma.reshape(-1, 1, 1, 1)
            denoised = self.toy(x, sigma)
            for told in (model_options or {}).get("sampler_post_cfg_function", []):
                denoised = told({"denoised": denoised, "uncond_denoised": without_prompt(self.toy)(x, sigma),
                                 "uncond": ["a negative prompt"]})
            return denoised

    return Model()


def make_sigmas(model, case, sampler, scheduler):
    """Return ComfyUI's sigmas of one case."""
    from comfy.samplers import KSampler

    return KSampler(model, case[0], "cpu", sampler, scheduler, case[1]).sigmas


def sample(model, toy, name, sigmas, dtype):
    """Return ComfyUI's result of one sampler on a toy, computed in a precision."""
    from comfy.samplers import sampler_object

    model.toy = toy
    torch.set_default_dtype(dtype)
    sampler = sampler_object(name).sampler_function
    stochastic = "noise_sampler" in inspect.signature(sampler).parameters
    options = {"noise_sampler": lambda *ends: noise(*ends).to(dtype)} if stochastic else {}
    x, sigmas = start(sigmas[0]).to(dtype), sigmas.to(dtype, copy=True)
    result = sampler(model, x, sigmas, extra_args={}, callback=None, disable=True, **options)
    torch.set_default_dtype(torch.float32)
    return result


def sample_seeded(model, name, sigmas):
    """Return ComfyUI's result of one sampler on the second toy with its own noise of SEED, float32."""
    from comfy.samplers import sampler_object

    model.toy = TOYS[1]
    x = start(sigmas[0], SEEDED_SHAPE).float()
    return sampler_object(name).sampler_function(model, x, sigmas, extra_args={"seed": SEED}, callback=None,
                                                 disable=True)


def main(folder):
    sys.path.insert(0, folder)
    from comfy.cli_args import args

    args.cpu = True
    models = [make_model(schedule) for schedule in SCHEDULES]
    kept = np.full((len(SCHEDULES), 2, len(SCHEDULERS), len(SIGMA_CASES), MOST_SIGMAS), np.nan, np.float32)
    results = np.zeros((len(PRECISIONS), len(TOYS), len(SAMPLERS), len(SCHEDULERS), len(CASES), *SHAPE), np.float32)
    for s, scheduler in enumerate(SCHEDULERS):
        for c, case in enumerate(SIGMA_CASES):
            for m, model in enumerate(models):
                for discard, sampler in enumerate(("euler", "dpm_2")):
                    sigmas = make_sigmas(model, case, sampler, scheduler)
                    kept[m, discard, s, c, :len(sigmas)] = sigmas.numpy()
        for c, case in enumerate(CASES):
            for n, name in enumerate(SAMPLERS):
                sigmas = make_sigmas(models[0], case, name, scheduler)
                for t, toy in enumerate(TOYS):
                    for p, dtype in enumerate(PRECISIONS):
                        results[p, t, n, s, c] = sample(models[0], toy, name, sigmas, dtype).numpy()
    seeded = np.stack([[sample_seeded(models[0], name, make_sigmas(models[0], case, name, scheduler)).numpy()
                        for scheduler, *case in SEEDED] for name in STOCHASTIC])
    np.savez_compressed(Path(__file__).with_name("comfyui_reference.npz"), sigmas=kept, results=results, seeded=seeded,
                        model_sigmas=models[0].get_model_object("model_sampling").sigmas.numpy())


if __name__ == "__main__":
    main(sys.argv[1])
