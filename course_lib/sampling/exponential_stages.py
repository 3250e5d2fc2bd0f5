"""Solvers that look two or three times within a step and integrate the rest exactly (Gonzalez 2023, SEEDS, 2305.14267).

The signature that all samplers share is told in step.py. With eta 0 they solve the ODE and ask for no noise.
"""

import torch

from course_lib.sampling.step import log_step, predict
from course_lib.sampling.stochastic import sde_step


def renew(kept, length, fresh):
    """Return noise of variance 1 after a length of log sigma: what is forgotten of the kept noise comes in fresh."""
    return (-length).exp() * kept + (-torch.expm1(-2 * length)).sqrt() * fresh


def change_weight(h):
    """Return the weight of a change that denoised goes through evenly over a step of length h (h times phi_2)."""
    return torch.expm1(-h) / h + 1


def seeds_2(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0, r=1 / 2, solver_type="phi_1"):
    """Look again a share r of the way, on one path of noise for the whole step (Gonzalez 2023, SEEDS-2)."""
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        if sigmas[i + 1] == 0:
            return denoised
        h = log_step(sigmas[i], sigmas[i + 1])
        h_eta, middle = h * (1 + eta), sigmas[i] * (sigmas[i + 1] / sigmas[i]) ** r
        x_middle = sde_step(x, denoised, r * h_eta)
        if eta > 0:
            kept = renew(0.0, r * h * eta, noise(sigmas[i], middle))
            x_middle = x_middle + s_noise * middle * kept
        change = (denoise(x_middle, middle) - denoised) / r
        x = sde_step(x, denoised, h_eta)
        x = x + (change_weight(h_eta) if solver_type == "phi_2" else -torch.expm1(-h_eta) / 2) * change
        if eta > 0:
            kept = renew(kept, (1 - r) * h * eta, noise(middle, sigmas[i + 1]))
            x = x + s_noise * sigmas[i + 1] * kept
    return x


def seeds_3(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0, r1=1 / 3, r2=2 / 3):
    """Look again at one third and at two thirds of the way, on one path of noise (Gonzalez 2023, SEEDS-3)."""
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        if sigmas[i + 1] == 0:
            return denoised
        h = log_step(sigmas[i], sigmas[i + 1])
        h_eta, ratio = h * (1 + eta), sigmas[i + 1] / sigmas[i]
        sigma_1, sigma_2 = sigmas[i] * ratio ** r1, sigmas[i] * ratio ** r2
        x_1, x_2 = sde_step(x, denoised, r1 * h_eta), sde_step(x, denoised, r2 * h_eta)
        if eta > 0:
            kept = renew(0.0, r1 * h * eta, noise(sigmas[i], sigma_1))
            x_1 = x_1 + s_noise * sigma_1 * kept
        x_2 = x_2 + change_weight(r2 * h_eta) * (r2 / r1) * (denoise(x_1, sigma_1) - denoised)
        if eta > 0:
            kept = renew(kept, (r2 - r1) * h * eta, noise(sigma_1, sigma_2))
            x_2 = x_2 + s_noise * sigma_2 * kept
        x = sde_step(x, denoised, h_eta) + change_weight(h_eta) / r2 * (denoise(x_2, sigma_2) - denoised)
        if eta > 0:
            kept = renew(kept, (1 - r2) * h * eta, noise(sigma_2, sigmas[i + 1]))
            x = x + s_noise * sigmas[i + 1] * kept
    return x


def exp_heun_2_x0(denoise, x, sigmas, *, noise=None, callback=None):
    """Look again at the end of each step, and let denoised change evenly between: exponential Heun (SEEDS-2, eta 0)."""
    return seeds_2(denoise, x, sigmas, noise=noise, callback=callback, eta=0.0, r=1.0, solver_type="phi_2")


def exp_heun_2_x0_sde(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0):
    """Do as `exp_heun_2_x0` for the SDE: the second look has the noise of the whole step (SEEDS-2 with r 1)."""
    options = {"eta": eta, "s_noise": s_noise, "r": 1.0, "solver_type": "phi_2"}
    return seeds_2(denoise, x, sigmas, noise=noise, callback=callback, **options)
