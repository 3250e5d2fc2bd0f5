"""The schedulers give ComfyUI's own sigmas, and sound ones for any number of steps."""

import json
import runpy

import numpy as np
import pytest
import torch

from course_lib.files import COURSE
from course_lib.sampling.settings import SamplerSettings
from course_lib.sampling.sigmas import SCHEDULERS, beta_cdf, make_sigmas, model_sigmas, to_sigma, to_timestep

HERE = COURSE / "tests"
REFERENCE = runpy.run_path(str(HERE / "data" / "make_comfyui_reference.py"))
COMFYUI = np.load(HERE / "data" / "comfyui_reference.npz")
KOLORS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.014, "num_train_timesteps": 1100}
SDXL = {**KOLORS, "beta_end": 0.012, "num_train_timesteps": 1000}


def check_sigmas(found, wanted):
    """Compare two lists of sigmas; NaN first, for a comparison with it says nothing."""
    assert found.shape == wanted.shape
    assert not np.isnan(found).any() and not np.isnan(wanted).any()
    assert np.abs(found - wanted).max() <= 1e-5 * wanted.max()
    assert np.all(np.abs(found - wanted) <= 1e-5 * wanted)


def test_the_models_own_sigmas():
    shipped = json.loads((HERE.parent / "data/tiny_kolors/scheduler/scheduler_config.json").read_text())
    assert {name: shipped[name] for name in KOLORS} == KOLORS
    check_sigmas(model_sigmas(shipped).numpy(), COMFYUI["model_sigmas"])
    assert model_sigmas(SDXL).dtype == torch.float32 and len(model_sigmas(SDXL)) == 1000


def test_another_beta_schedule_is_refused():
    with pytest.raises(ValueError, match="squaredcos"):
        model_sigmas({**KOLORS, "beta_schedule": "squaredcos_cap_v2"})


@pytest.mark.parametrize("case", REFERENCE["SIGMA_CASES"], ids=str)
@pytest.mark.parametrize("scheduler", REFERENCE["SCHEDULERS"])
def test_sigmas_are_comfyuis(scheduler, case):
    place = REFERENCE["SCHEDULERS"].index(scheduler), REFERENCE["SIGMA_CASES"].index(case)
    for m, config in enumerate((KOLORS, SDXL)):
        for discard, sampler in enumerate(("euler", "dpm_2")):
            kept = COMFYUI["sigmas"][(m, discard, *place)]
            wanted = kept[:int(np.flatnonzero(~np.isnan(kept)).max()) + 1]
            if scheduler == "kl_optimal" and case == (1, 1.0) and not discard:
                assert np.isnan(wanted[0])  # ComfyUI's own; ours is tested below
                continue
            settings = SamplerSettings(steps=case[0], denoise=case[1], sampler_name=sampler, scheduler=scheduler)
            check_sigmas(make_sigmas(settings, model_sigmas(config)).numpy(), wanted)


def test_every_scheduler_of_comfyui_is_here():
    assert list(SCHEDULERS) == list(REFERENCE["SCHEDULERS"])


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_sigmas_fall_to_zero_whatever_the_steps(scheduler):
    model = model_sigmas(KOLORS)
    for steps in (*range(1, 65), 100, 333, 1100):
        sigmas = SCHEDULERS[scheduler](steps, model)
        assert sigmas.isfinite().all() and sigmas.dtype == torch.float32
        assert (sigmas.diff() < 0).all() and sigmas[-1] == 0
        assert sigmas[0] <= model[-1] * 1.00001
        if scheduler not in ("ddim_uniform", "beta"):  # which may give fewer or more
            assert len(sigmas) == steps + 1


def test_kl_optimal_of_one_step_is_finite():
    model = model_sigmas(KOLORS)
    check_sigmas(SCHEDULERS["kl_optimal"](1, model).numpy(), np.array([float(model[-1]), 0.0]))


def test_denoise_zero_leaves_nothing_to_do():
    assert len(make_sigmas(SamplerSettings(denoise=0.0), model_sigmas(KOLORS))) == 0


def test_denoise_keeps_the_end_of_a_longer_schedule():
    model = model_sigmas(KOLORS)
    for sampler in ("euler", "uni_pc"):
        settings = SamplerSettings(steps=7, denoise=0.33, scheduler="karras", sampler_name=sampler)
        whole = make_sigmas(SamplerSettings(steps=21, scheduler="karras", sampler_name=sampler), model)
        assert torch.equal(make_sigmas(settings, model), whole[-8:])


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_more_steps_than_the_model_has_repeat_no_sigma(scheduler):
    sigmas = make_sigmas(SamplerSettings(steps=40, denoise=0.01, scheduler=scheduler), model_sigmas(KOLORS))
    assert (sigmas.diff() < 0).all() and len(sigmas) > 2


def test_timesteps_and_sigmas_are_inverse():
    model = model_sigmas(KOLORS)
    chosen = [0, 1, 2, 549, 550, 1000, 1098, 1099]
    assert [int(to_timestep(model[step], model)) for step in chosen] == chosen
    torch.testing.assert_close(to_sigma(torch.arange(1100.0), model), model)
    middle = to_sigma(torch.tensor([500.4, 500.6]), model)
    assert model[500] < middle[0] < middle[1] < model[501]
    assert [int(to_timestep(sigma, model)) for sigma in middle] == [500, 501]


def test_beta_distribution_is_its_density_integrated():
    places = (np.arange(200_000) + 0.5) / 200_000
    density = (places * (1 - places)) ** -0.4
    summed = np.cumsum(density) / density.sum()
    chosen = np.array([1_000, 40_000, 99_999, 150_000, 199_000])
    assert np.abs(beta_cdf((chosen + 1) / 200_000, 0.6) - summed[chosen]).max() < 1e-3
    assert np.allclose(beta_cdf(places, 0.6) + beta_cdf(1 - places, 0.6), 1, atol=1e-12)
