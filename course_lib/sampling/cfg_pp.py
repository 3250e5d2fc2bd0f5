"""Samplers with CFG++ guidance, those of ComfyUI with cfg_pp in their names (Chung 2024, arXiv 2406.08070).

A step takes noise away and puts a smaller noise back. With ordinary guidance both belong to the guided picture, which
high cfg drives off the way that noisy pictures lie on. CFG++ takes the guided picture, and puts back the noise that the
model sees without the prompt: each sampler here does what the one without cfg_pp in its name does, but begins every
step at x + (denoised - unguided). A cfg about 1 is right for them: 0 to 1 in the paper, up to 2 in practice.

Here denoise(x, sigma) -> (denoised, unguided): x0 guided by cfg, and x0 by the negative prompt alone. All else is as in
step.py.
"""

from course_lib.sampling.multistep import res_step
from course_lib.sampling.step import Step, ancestral_step, exponential_step, log_step, report, to_derivative


def predict_both(denoise, x, sigmas, index, callback):
    """Look through the model at the start of a step and report it; return denoised and unguided, like x."""
    denoised, unguided = denoise(x, sigmas[index])
    report(callback, Step(index, len(sigmas) - 1, float(sigmas[index]), x, denoised))
    return denoised, unguided


def euler_ancestral_cfg_pp(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0):
    """Do as `euler_ancestral` with CFG++: the noise kept is the unguided one, the rest is new (Chung 2024)."""
    for i in range(len(sigmas) - 1):
        denoised, unguided = predict_both(denoise, x, sigmas, i, callback)
        down, up = ancestral_step(sigmas[i], sigmas[i + 1], eta)
        x = exponential_step(x + (denoised - unguided), denoised, sigmas[i], down)
        if eta > 0 and sigmas[i + 1] > 0:
            x = x + s_noise * up * noise(sigmas[i], sigmas[i + 1])
    return x


def euler_cfg_pp(denoise, x, sigmas, *, noise=None, callback=None):
    """Do as `euler` with CFG++: go to denoised, and back by the unguided noise (Chung 2024, algorithm 1)."""
    return euler_ancestral_cfg_pp(denoise, x, sigmas, noise=noise, callback=callback, eta=0.0)


def dpmpp_2s_ancestral_cfg_pp(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0):
    """Do as `dpmpp_2s_ancestral` with CFG++, as ComfyUI has it: pictures come out a little flatter than they should.

    The end of a step begins at x + (denoised - unguided) with the denoised of the first look and the unguided of the
    second. With both of the first look, and a prompt that changes nothing, this would be `dpmpp_2s_ancestral`.
    """
    for i in range(len(sigmas) - 1):
        denoised, unguided = predict_both(denoise, x, sigmas, i, callback)
        down, up = ancestral_step(sigmas[i], sigmas[i + 1], eta)
        towards = denoised
        if down > 0:
            middle = (sigmas[i] * down).sqrt()
            x_middle = exponential_step(x + (denoised - unguided), denoised, sigmas[i], middle)
            towards, unguided = denoise(x_middle, middle)
        x = exponential_step(x + (denoised - unguided), towards, sigmas[i], down)
        if sigmas[i + 1] > 0:
            x = x + s_noise * up * noise(sigmas[i], sigmas[i + 1])
    return x


def dpmpp_2m_cfg_pp(denoise, x, sigmas, *, noise=None, callback=None):
    """Do as `dpmpp_2m` with CFG++; its line goes from the last unguided picture to the guided one of now."""
    before = None
    for i in range(len(sigmas) - 1):
        denoised, unguided = predict_both(denoise, x, sigmas, i, callback)
        D = denoised
        if before is not None and sigmas[i + 1] > 0:
            r = log_step(sigmas[i - 1], sigmas[i]) / log_step(sigmas[i], sigmas[i + 1])
            D = denoised + (denoised - before) / (2 * r)
        x = exponential_step(x + (denoised - unguided), D, sigmas[i], sigmas[i + 1])
        before = unguided
    return x


def res_multistep_ancestral_cfg_pp(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0):
    """Do as `res_multistep_ancestral` with CFG++: after the first step it weighs unguided pictures alone."""
    before = down_before = None
    for i in range(len(sigmas) - 1):
        denoised, unguided = predict_both(denoise, x, sigmas, i, callback)
        x = x + (denoised - unguided)
        down, up = ancestral_step(sigmas[i], sigmas[i + 1], eta)
        if before is None or down == 0:
            x = exponential_step(x, denoised, sigmas[i], down)
        else:
            x = res_step(x, unguided, before, log_step(sigmas[i], down), log_step(sigmas[i - 1], down_before))
        if eta > 0 and sigmas[i + 1] > 0:
            x = x + s_noise * up * noise(sigmas[i], sigmas[i + 1])
        before, down_before = unguided, down
    return x


def res_multistep_cfg_pp(denoise, x, sigmas, *, noise=None, callback=None):
    """Do as `res_multistep` with CFG++, no noise added."""
    return res_multistep_ancestral_cfg_pp(denoise, x, sigmas, noise=noise, callback=callback, eta=0.0)


def gradient_estimation_cfg_pp(denoise, x, sigmas, *, noise=None, callback=None, gamma=2.0):
    """Do as `gradient_estimation` with CFG++: the slope and its change are those of the unguided picture."""
    before = None
    for i in range(len(sigmas) - 1):
        denoised, unguided = predict_both(denoise, x, sigmas, i, callback)
        d = to_derivative(x, sigmas[i], unguided)
        if sigmas[i + 1] == 0:
            return denoised
        d_bar = d if before is None else gamma * d + (1 - gamma) * before
        x = x + (denoised - unguided) + (sigmas[i + 1] - sigmas[i]) * d_bar
        before = d
    return x


def cfgpp_ud10_ab(denoise, x, sigmas, *, noise=None, callback=None):
    """Mix `euler_cfg_pp` with a quarter of Adams-Bashforth 2, and end where the last two denoised point at sigma 0.

    An experiment of ComfyUI's (August 2026), in no paper: ud10 is the tenth by which the unguided slope looks ahead.
    That tenth is of the noise itself, however short the step, so more steps do not lead to the exact solution.
    """
    before = None
    for i in range(len(sigmas) - 1):
        denoised, unguided = predict_both(denoise, x, sigmas, i, callback)
        d, length = to_derivative(x, sigmas[i], unguided), sigmas[i + 1] - sigmas[i]
        if before is None:
            slope = (denoised + sigmas[i + 1] * d - x) / length  # that of `euler_cfg_pp`
            x = x + length * slope
        else:
            d_before, slope_before, denoised_before = before
            length_before = sigmas[i] - sigmas[i - 1]
            if sigmas[i + 1] == 0:
                return denoised - sigmas[i] / length_before * (denoised - denoised_before)
            ratio = length / length_before
            slope = (denoised + sigmas[i + 1] * (d + 0.1 * ratio * (d - d_before)) - x) / length
            x = x + length * (slope + 0.25 * ratio / 2 * (slope - slope_before))
        before = d, slope, denoised
    return x
