"""The samplers give ComfyUI's own numbers, and what theory says of them where no reference is needed."""

import inspect
import math
import runpy

import numpy as np
import pytest
import torch

from course_lib import messages
from course_lib.files import COURSE
from course_lib.messages import LessonError
from course_lib.sampling.noise import PATH_SAMPLERS, step_noise
from course_lib.sampling.samplers import (
    CFG_PP,
    SAMPLERS,
    STOCHASTIC,
    check_names,
    count_looks,
    explain_sampler,
    gaussian_denoiser,
    gaussian_solution,
)
from course_lib.sampling.settings import SamplerSettings
from course_lib.sampling.sigmas import make_sigmas, model_sigmas
from course_lib.sampling.step import Cancelled, Step, ancestral_step

DATA = COURSE / "tests" / "data"
REFERENCE = runpy.run_path(str(DATA / "make_comfyui_reference.py"))
RECORDED = np.load(DATA / "comfyui_reference.npz")
COMFYUI = RECORDED["results"]
KOLORS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.014, "num_train_timesteps": 1100}
DETERMINISTIC = sorted(set(SAMPLERS) - STOCHASTIC)
GPU_NAMES = ["dpmpp_sde_gpu", "dpmpp_2m_sde_gpu", "dpmpp_2m_sde_heun_gpu", "dpmpp_3m_sde_gpu"]
COMFYUI_NAMES = [  # ComfyUI's menu of 2026-11 (0.45)
    "euler", "euler_cfg_pp", "euler_ancestral", "euler_ancestral_cfg_pp", "heun", "heunpp2", "exp_heun_2_x0",
    "exp_heun_2_x0_sde", "dpm_2", "dpm_2_ancestral", "lms", "dpm_fast", "dpm_adaptive", "dpmpp_2s_ancestral",
    "dpmpp_2s_ancestral_cfg_pp", "dpmpp_sde", "dpmpp_sde_gpu", "dpmpp_2m", "dpmpp_2m_cfg_pp", "dpmpp_2m_sde",
    "dpmpp_2m_sde_gpu", "dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun_gpu", "dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "ddpm", "lcm",
    "ipndm", "ipndm_v", "deis", "cfgpp_ud10_ab", "res_multistep", "res_multistep_cfg_pp", "res_multistep_ancestral",
    "res_multistep_ancestral_cfg_pp", "gradient_estimation", "gradient_estimation_cfg_pp", "er_sde", "seeds_2",
    "seeds_3", "sa_solver", "sa_solver_pece", "ddim", "uni_pc", "uni_pc_bh2",
]
MEAN, STD = 0.3, 0.5  # of the Gaussian pictures


def seen_by(name, toy):
    """Return what a sampler takes for its denoise: for CFG++ the two looks of a toy."""
    return REFERENCE["see_both"](toy) if name in CFG_PP else toy


def twice_if_needed(name, denoise):
    """Return a denoise whose guided and unguided pictures are the same, where a sampler takes both."""
    return (lambda x, sigma: (denoise(x, sigma),) * 2) if name in CFG_PP else denoise


def no_noise(sigma, sigma_next):
    raise AssertionError("a deterministic sampler asked for noise")


def difference(found, wanted):
    """Return the largest difference relative to the largest value; infinite where NaN would hide it."""
    if np.isnan(found).any() or np.isnan(wanted).any():
        return math.inf
    return np.abs(found - wanted).max() / np.abs(wanted).max()


def karras_sigmas(steps, low=0.03, high=14.6):
    """Return sigmas that do not end at 0, so that the last step is like the others."""
    return torch.linspace(high ** (1 / 7), low ** (1 / 7), steps + 1, dtype=torch.float64) ** 7


def sigmas_to_zero(steps):
    return torch.cat([karras_sigmas(steps - 1) if steps > 1 else torch.tensor([14.6]), torch.zeros(1)]).double()


def solve_gaussian(name, steps):
    """Return a sampler's largest error on Gaussian pictures."""
    sigmas = karras_sigmas(steps)
    x = torch.linspace(-2, 2, 9, dtype=torch.float64) * sigmas[0]
    found = SAMPLERS[name](twice_if_needed(name, gaussian_denoiser(MEAN, STD)), x, sigmas, noise=no_noise)
    wanted = gaussian_solution(x, sigmas[0], sigmas[-1], MEAN, STD)
    return difference(found.numpy(), wanted.numpy()) * float(wanted.abs().max())


@pytest.mark.parametrize("toy", REFERENCE["TOYS"], ids=lambda toy: toy.__name__)
@pytest.mark.parametrize("name", REFERENCE["SAMPLERS"])
def test_results_are_comfyuis(name, toy):
    """In float32 as ComfyUI computes; in float64, where rounding hides less, ten times closer.

    float32 rounds by the CPU: what ComfyUI's own result is off its float64 is allowed on top (lms, 6 steps: 1.4e-4).
    """
    model = model_sigmas(KOLORS)
    t, n = REFERENCE["TOYS"].index(toy), REFERENCE["SAMPLERS"].index(name)
    for p, (dtype, bound) in enumerate(zip(REFERENCE["PRECISIONS"], (1e-4, 1e-5))):
        for s, scheduler in enumerate(REFERENCE["SCHEDULERS"]):
            for c, (steps, denoise) in enumerate(REFERENCE["CASES"]):
                settings = SamplerSettings(steps=steps, denoise=denoise, sampler_name=name, scheduler=scheduler)
                sigmas = make_sigmas(settings, model).to(dtype)
                found = SAMPLERS[name](seen_by(name, toy), REFERENCE["start"](sigmas[0]).to(dtype), sigmas,
                                       noise=lambda *ends, dtype=dtype: REFERENCE["noise"](*ends).to(dtype))
                assert found.dtype == dtype
                rounding = difference(COMFYUI[p, t, n, s, c], COMFYUI[-1, t, n, s, c])
                assert difference(found.numpy(), COMFYUI[p, t, n, s, c]) < bound + rounding, (settings, dtype)


@pytest.mark.parametrize("name", REFERENCE["STOCHASTIC"])
def test_the_noise_of_a_seed_is_comfyuis(name):
    """Its own for the seed: drawn anew in each step, or read off the Brownian tree of torchsde.

    Some sigmas of "normal" differ from ComfyUI's in their last digit, and what a tree tells between two sigmas changes
    with the root of that: there a picture may be 4e-4 off.
    """
    if name in PATH_SAMPLERS:
        pytest.importorskip("torchsde")
    model = model_sigmas(KOLORS)
    for wanted, (scheduler, steps, denoise) in zip(RECORDED["seeded"][REFERENCE["STOCHASTIC"].index(name)],
                                                   REFERENCE["SEEDED"]):
        settings = SamplerSettings(steps=steps, denoise=denoise, sampler_name=name, scheduler=scheduler)
        sigmas, shape = make_sigmas(settings, model), REFERENCE["SEEDED_SHAPE"]
        found = SAMPLERS[name](seen_by(name, REFERENCE["TOYS"][1]), REFERENCE["start"](sigmas[0], shape).float(),
                               sigmas, noise=step_noise(name, [REFERENCE["SEED"]], shape[1:], sigmas, 29.0))
        rough = name in PATH_SAMPLERS and scheduler == "normal"
        assert difference(found.numpy(), wanted) < (1e-3 if rough else 1e-4), settings


def test_the_reference_can_tell_samplers_apart():
    """A bound of 1e-4 says something only where different samplers differ by much more."""
    last = COMFYUI[1, 1, :, 6, 2]  # float64, the second toy, normal, 10 steps
    same = {"ddim", "ddpm", "res_multistep_ancestral"}  # as euler, euler_ancestral, dpmpp_2m_sde_heun
    rows = [row for row, name in zip(last, REFERENCE["SAMPLERS"]) if name not in same]
    nearest = min(difference(a, b) for i, a in enumerate(rows) for b in rows[:i])
    assert nearest > 1e-4


@pytest.mark.parametrize("name", GPU_NAMES)
def test_gpu_names_are_aliases(name):
    assert SAMPLERS[name] is SAMPLERS[name.removesuffix("_gpu")]
    assert name in STOCHASTIC


@pytest.mark.parametrize("name, order", [
    ("euler", 1), ("ddim", 1), ("gradient_estimation", 1), ("heunpp2", 1), ("euler_cfg_pp", 1),
    ("heun", 2), ("dpm_2", 2), ("dpmpp_2m", 2), ("res_multistep", 2), ("ipndm", 2), ("dpm_fast", 2), ("uni_pc", 2),
    ("uni_pc_bh2", 2), ("exp_heun_2_x0", 2), ("deis", 3), ("lms", 4),
])
def test_order_of_convergence(name, order):
    """Half the step makes the error 2^order times smaller, against the exact solution for Gaussian pictures."""
    errors = [solve_gaussian(name, steps) for steps in (48, 192)]
    assert abs(math.log2(errors[0] / errors[1]) / 2 - order) < 0.35


@pytest.mark.parametrize("name", sorted(set(DETERMINISTIC) - {"dpm_adaptive", "cfgpp_ud10_ab"}))
def test_many_steps_reach_the_exact_solution(name):
    assert solve_gaussian(name, 384) < 0.01


def test_an_experiment_reaches_something_else():
    """cfgpp_ud10_ab adds a tenth of the unguided slope's change in every step, however short: learners are told so."""
    some, many = (solve_gaussian("cfgpp_ud10_ab", steps) for steps in (384, 768))
    assert some > 0.04 and many > 0.9 * some


def test_dpm_adaptive_follows_its_tolerance():
    sigmas = karras_sigmas(10)
    x = torch.linspace(-2, 2, 9, dtype=torch.float64) * sigmas[0]
    wanted = gaussian_solution(x, sigmas[0], sigmas[-1], MEAN, STD)
    loose, tight = (float((SAMPLERS["dpm_adaptive"](gaussian_denoiser(MEAN, STD), x, sigmas, rtol=rtol, atol=rtol / 10)
                           - wanted).abs().max()) for rtol in (0.05, 0.0005))
    assert 10 * tight < loose < 0.05


def test_dpm_adaptive_ends_on_a_model_that_gives_nan():
    found = SAMPLERS["dpm_adaptive"](lambda x, sigma: x * math.nan, torch.ones(3), karras_sigmas(4).float())
    assert found.isnan().all()


def sample_gaussian(name, denoise, steps):
    """Return the mean and the standard deviation of 20,000 values sampled with real noise."""
    generator = torch.Generator().manual_seed(1)

    def noise(sigma, sigma_next):
        return torch.randn(20_000, dtype=torch.float64, generator=generator)

    sigmas = sigmas_to_zero(steps)
    x = MEAN + (STD ** 2 + sigmas[0] ** 2).sqrt() * noise(None, None)
    found = SAMPLERS[name](twice_if_needed(name, denoise), x, sigmas, noise=noise)
    return float(found.mean()), float(found.std())


@pytest.mark.parametrize("name", sorted(STOCHASTIC - set(GPU_NAMES) - {"lcm", "dpmpp_2s_ancestral_cfg_pp"}))
def test_stochastic_samplers_keep_the_distribution(name):
    assert sample_gaussian(name, gaussian_denoiser(MEAN, STD), 240) == pytest.approx((MEAN, STD), abs=0.015)


def test_a_sampler_that_makes_pictures_flatter():
    """dpmpp_2s_ancestral_cfg_pp as ComfyUI has it, whatever the steps: learners are told so."""
    mean, std = sample_gaussian("dpmpp_2s_ancestral_cfg_pp", gaussian_denoiser(MEAN, STD), 240)
    assert mean == pytest.approx(MEAN, abs=0.015) and std == pytest.approx(0.8 * STD, abs=0.015)


def test_lcm_keeps_the_distribution_of_a_consistency_model():
    """Such a model sees the end of the ODE's path, where others see a mean; four steps are then as good as many."""

    def consistency(x, sigma):
        return gaussian_solution(x, sigma, 0.0, MEAN, STD)

    assert sample_gaussian("lcm", consistency, 4) == pytest.approx((MEAN, STD), abs=0.015)
    assert sample_gaussian("lcm", gaussian_denoiser(MEAN, STD), 4)[1] < STD - 0.1


@pytest.mark.parametrize("stochastic, deterministic", [
    ("euler_ancestral", "euler"), ("dpm_2_ancestral", "dpm_2"), ("dpmpp_2m_sde", "dpmpp_2m"),
    ("res_multistep_ancestral", "res_multistep"), ("exp_heun_2_x0_sde", "exp_heun_2_x0"),
    ("euler_ancestral_cfg_pp", "euler_cfg_pp"), ("res_multistep_ancestral_cfg_pp", "res_multistep_cfg_pp"),
])
def test_without_noise_it_is_the_solver_it_is_made_from(stochastic, deterministic):
    sigmas, x = sigmas_to_zero(8), 14.6 * torch.linspace(-1, 1, 5, dtype=torch.float64)
    toy = seen_by(stochastic, REFERENCE["rough_network"])
    x = x.reshape(1, 5, 1, 1)
    found = SAMPLERS[stochastic](toy, x, sigmas, noise=lambda *ends: torch.full_like(x, 1e9), eta=0.0)
    assert difference(found.numpy(), SAMPLERS[deterministic](toy, x, sigmas, noise=no_noise).numpy()) < 1e-12


@pytest.mark.parametrize("name", sorted(CFG_PP - {"cfgpp_ud10_ab", "dpmpp_2s_ancestral_cfg_pp"}))
def test_where_the_prompt_changes_nothing_cfg_pp_is_the_sampler_of_its_name(name):
    sigmas, x = sigmas_to_zero(8), 14.6 * torch.linspace(-1, 1, 5, dtype=torch.float64).reshape(1, 5, 1, 1)
    toy = REFERENCE["rough_network"]
    plain = SAMPLERS[name.removesuffix("_cfg_pp")](toy, x, sigmas, noise=lambda *ends: torch.sin(x))
    found = SAMPLERS[name](twice_if_needed(name, toy), x, sigmas, noise=lambda *ends: torch.sin(x))
    assert difference(found.numpy(), plain.numpy()) < 1e-12
    assert difference(SAMPLERS[name](seen_by(name, toy), x, sigmas, noise=lambda *ends: torch.sin(x)).numpy(),
                      plain.numpy()) > 1e-3


def test_ancestral_step_adds_up():
    down, up = ancestral_step(torch.tensor(10.0), torch.tensor(4.0))
    assert float(down) == pytest.approx(1.6)  # sigma_next^2 / sigma
    assert float(down ** 2 + up ** 2) == pytest.approx(16.0)
    assert [float(part) for part in ancestral_step(torch.tensor(10.0), torch.tensor(4.0), eta=0.0)] == [4.0, 0.0]


def run(name, steps, callback=None, x=None):
    x = torch.linspace(-9, 9, 16).reshape(2, 2, 2, 2) if x is None else x
    return SAMPLERS[name](seen_by(name, REFERENCE["small_network"]), x, sigmas_to_zero(steps).float(),
                          noise=lambda sigma, sigma_next: torch.ones_like(x) / 2, callback=callback)


@pytest.mark.parametrize("name", SAMPLERS)
def test_callback_sees_every_step(name):
    seen = []
    result = run(name, 6, seen.append)
    assert all(isinstance(step, Step) and step.x.shape == step.denoised.shape == result.shape for step in seen)
    assert [step.index for step in seen] == list(range(len(seen)))
    sigmas = [step.sigma for step in seen]
    if name == "dpm_adaptive":
        assert len(seen) > 2 and sigmas == sorted(sigmas, reverse=True)
    elif name == "dpm_fast":  # orders 3, 2, 1
        assert len(seen) == 3 == seen[0].steps
    else:
        assert sigmas == pytest.approx(sigmas_to_zero(6).tolist()[:-1])
        assert {step.steps for step in seen} == {6}
    if name != "dpm_adaptive":
        step = seen[2]
        torch.testing.assert_close(step.denoised, REFERENCE["small_network"](step.x, torch.tensor(step.sigma)))
    assert torch.equal(result, run(name, 6))


@pytest.mark.parametrize("name", SAMPLERS)
def test_callback_cancels_by_returning_true_only(name):
    seen = []

    def stop_at_second(step):
        seen.append(step.index)
        return step.index == 1

    with pytest.raises(Cancelled):
        run(name, 6, stop_at_second)
    assert seen == [0, 1]
    run(name, 6, lambda step: "go on")


@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - {"dpm_adaptive"}))
def test_looks_are_counted(name):
    looks = []

    def denoise(x, sigma):
        looks.append(float(sigma))
        return seen_by(name, lambda x, sigma: x / (1 + sigma ** 2))(x, sigma)

    for steps in range(1, 13):
        looks.clear()
        x = torch.ones(1, 2)
        SAMPLERS[name](denoise, x, sigmas_to_zero(steps), noise=lambda *ends: torch.ones(1, 2))
        assert len(looks) == count_looks(name, steps), steps
    assert count_looks(name, 0) == 0


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_leaves_its_inputs_alone_and_may_have_nothing_to_do(name):
    x, sigmas = torch.ones(1, 2), sigmas_to_zero(5).float()
    SAMPLERS[name](seen_by(name, REFERENCE["rough_network"]), x, sigmas, noise=lambda *ends: torch.ones(1, 2))
    assert torch.equal(x, torch.ones(1, 2)) and torch.equal(sigmas, sigmas_to_zero(5).float())
    for nothing in (torch.zeros(0), torch.ones(1)):
        assert torch.equal(SAMPLERS[name](None, x, nothing, noise=None), x)


@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - {"dpm_adaptive"}))
def test_pictures_of_a_batch_do_not_touch_each_other(name):
    both = torch.linspace(-9, 9, 16).reshape(2, 2, 2, 2)
    alone = torch.cat([run(name, 5, x=both[:1]), run(name, 5, x=both[1:])])
    torch.testing.assert_close(run(name, 5, x=both), alone)


@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - {"dpm_fast", "dpm_adaptive"}))
def test_one_step_gives_what_the_model_sees(name):
    """dpm_fast and dpm_adaptive stop at the last sigma above 0, which is then the first, as in ComfyUI."""
    x = torch.linspace(-9, 9, 16).reshape(2, 2, 2, 2)
    wanted = REFERENCE["small_network"](x, torch.tensor(14.6))
    assert difference(run(name, 1, x=x).numpy(), wanted.numpy()) < 1e-4


def test_samplers_have_one_shape():
    """A lesson shows them by their source."""
    for name, sampler in SAMPLERS.items():
        parameters = list(inspect.signature(sampler).parameters.values())
        assert [p.name for p in parameters[:5]] == ["denoise", "x", "sigmas", "noise", "callback"], name
        assert all(p.kind is p.KEYWORD_ONLY for p in parameters[3:]), name
        assert inspect.getdoc(sampler) and len(inspect.getsource(sampler).splitlines()) <= 40, name


def test_the_menu_is_comfyuis():
    """All of its names, in its order, and no other: every one of them draws."""
    assert list(SAMPLERS) == COMFYUI_NAMES and len(COMFYUI_NAMES) == 45
    for name in COMFYUI_NAMES:
        check_names(name, "normal")
    assert set(REFERENCE["SAMPLERS"]) == set(COMFYUI_NAMES) - set(GPU_NAMES)


@pytest.mark.parametrize("name", COMFYUI_NAMES)
@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_every_sampler_is_explained(name, language, monkeypatch):
    monkeypatch.setattr(messages, "_chosen", language)
    told = explain_sampler(name)
    assert ("CFG++" in told) == (name in CFG_PP) and ("gpu" in told) == name.endswith("_gpu")
    assert [other for other in COMFYUI_NAMES if explain_sampler(other) == told] == [name]
    if name in CFG_PP:
        assert "cfg" in told, "they want another cfg than the others"


@pytest.mark.parametrize("sampler, scheduler, nearest", [
    ("eulr", "normal", 'sampler_name="euler"'), ("DPMPP_2M", "normal", 'sampler_name="dpmpp_2m"'),
    ("euler", "karas", 'scheduler="karras"'), ("euler", "", "scheduler="), (None, "normal", "sampler_name="),
    (True, "normal", "sampler_name="), ("euler", ["normal"], 'scheduler="normal"'),
])
def test_an_unknown_name_is_refused_with_the_nearest(sampler, scheduler, nearest):
    with pytest.raises(LessonError) as told:
        check_names(sampler, scheduler)
    assert nearest in told.value.next_step
