"""Solvers of the probability-flow ODE dx/dsigma = (x - denoised) / sigma that look at one step at a time.

The signature that all samplers share is told in step.py. No noise is added: `noise` is not used here.
"""

import math

import torch

from course_lib.sampling.step import Step, predict, report, to_derivative


def euler(denoise, x, sigmas, *, noise=None, callback=None):
    """Follow the slope at the start of each step (Euler; Song 2021's DDIM gives the same numbers, arXiv 2010.02502)."""
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        d = to_derivative(x, sigmas[i], denoised)
        x = x + (sigmas[i + 1] - sigmas[i]) * d
    return x


def heun(denoise, x, sigmas, *, noise=None, callback=None):
    """Follow the mean of the slopes at both ends of each step (Karras 2022, algorithm 1, arXiv 2206.00364)."""
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        d, length = to_derivative(x, sigmas[i], denoised), sigmas[i + 1] - sigmas[i]
        if sigmas[i + 1] > 0:
            x_next = x + length * d
            d_next = to_derivative(x_next, sigmas[i + 1], denoise(x_next, sigmas[i + 1]))
            d = (d + d_next) / 2
        x = x + length * d
    return x


def heunpp2(denoise, x, sigmas, *, noise=None, callback=None):
    """Follow a mean of up to three slopes, the later ones weighted by their sigma (Heun++, Carzit 2023)."""
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        slopes, x_ahead = [to_derivative(x, sigmas[i], denoised)], x
        looks = min(3, len(sigmas) - 1 - i)
        for k in range(i + 1, i + looks):  # Euler steps ahead
            x_ahead = x_ahead + (sigmas[k] - sigmas[k - 1]) * slopes[-1]
            slopes.append(to_derivative(x_ahead, sigmas[k], denoise(x_ahead, sigmas[k])))
        weights = sigmas[i + 1:i + looks] / (looks * sigmas[0])
        d = (1 - weights.sum()) * slopes[0] + sum(w * slope for w, slope in zip(weights, slopes[1:]))
        x = x + (sigmas[i + 1] - sigmas[i]) * d
    return x


def dpm_2(denoise, x, sigmas, *, noise=None, callback=None):
    """Follow the slope at the geometric middle of each step (Lu 2022, DPM-Solver-2, arXiv 2206.00927)."""
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        d = to_derivative(x, sigmas[i], denoised)
        if sigmas[i + 1] > 0:
            middle = (sigmas[i] * sigmas[i + 1]).sqrt()
            x_middle = x + (middle - sigmas[i]) * d
            d = to_derivative(x_middle, middle, denoise(x_middle, middle))
        x = x + (sigmas[i + 1] - sigmas[i]) * d
    return x


def dpm_solver_2(denoise, x, t, t_next, eps, r1=1 / 2):
    """Take one step of DPM-Solver-2 in t = -log sigma; return x and the eps seen a share r1 of the way (Lu 2022)."""
    h, s_1, sigma_next = t_next - t, t + r1 * (t_next - t), (-t_next).exp()
    u_1 = x - (-s_1).exp() * (r1 * h).expm1() * eps
    eps_1 = to_derivative(u_1, (-s_1).exp(), denoise(u_1, (-s_1).exp()))
    return x - sigma_next * h.expm1() * eps - sigma_next / (2 * r1) * h.expm1() * (eps_1 - eps), eps_1


def dpm_solver_3(denoise, x, t, t_next, eps):
    """Take one step of DPM-Solver-3 in t = -log sigma; return x and, to tell its error, the x of order 2 (Lu 2022)."""
    r1, r2, h, sigma_next = 1 / 3, 2 / 3, t_next - t, (-t_next).exp()
    x_low, eps_1 = dpm_solver_2(denoise, x, t, t_next, eps, r1)
    sigma_2, h_2 = (-t - r2 * h).exp(), r2 * h
    u_2 = x - sigma_2 * h_2.expm1() * eps - sigma_2 * (r2 / r1) * (h_2.expm1() / h_2 - 1) * (eps_1 - eps)
    eps_2 = to_derivative(u_2, sigma_2, denoise(u_2, sigma_2))
    x_high = x - sigma_next * h.expm1() * eps - sigma_next / r2 * (h.expm1() / h - 1) * (eps_2 - eps)
    return x_high, x_low


def dpm_fast(denoise, x, sigmas, *, noise=None, callback=None):
    """Go to the last sigma above 0 in steps of order 3, as many looks as there are sigmas to pass (Lu 2022)."""
    looks = len(sigmas) - 1
    if looks < 1:
        return x
    orders = [3] * (looks // 3 - 1) + [2, 1] if looks % 3 == 0 else [3] * (looks // 3) + [looks % 3]
    t = -sigmas[sigmas > 0].log()
    t = torch.linspace(t[0], t[-1], len(orders) + 1, dtype=t.dtype)
    for i, order in enumerate(orders):
        denoised = predict(denoise, x, (-t).exp(), i, callback)
        eps = to_derivative(x, (-t[i]).exp(), denoised)
        if order == 1:
            x = x - (-t[i + 1]).exp() * (t[i + 1] - t[i]).expm1() * eps
        elif order == 2:
            x, _ = dpm_solver_2(denoise, x, t[i], t[i + 1], eps)
        else:
            x, _ = dpm_solver_3(denoise, x, t[i], t[i + 1], eps)
    return x


def dpm_adaptive(denoise, x, sigmas, *, noise=None, callback=None, rtol=0.05, atol=0.0078, h_init=0.05):
    """Go to the last sigma above 0 in steps as long as their error allows (Lu 2022, DPM-Solver-23, appendix C)."""
    if len(sigmas) < 2:
        return x
    t, end = -sigmas[0].log(), -sigmas[sigmas > 0][-1].log()
    h, x_low_before, tries = h_init, x, 0
    while t < end - 1e-5:
        t_next, sigma = torch.minimum(t + h, end), (-t).exp()
        denoised = denoise(x, sigma)
        report(callback, Step(tries, len(sigmas) - 1, float(sigma), x, denoised))
        x_high, x_low = dpm_solver_3(denoise, x, t, t_next, to_derivative(x, sigma, denoised))
        tolerance = (rtol * torch.maximum(x_low.abs(), x_low_before.abs())).clamp(min=atol)
        error = float(((x_low - x_high) / tolerance).square().mean().sqrt())
        change = 1 + math.atan((1 / (error + 1e-8)) ** (1 / 3) - 1)  # of h, from 0.2 to 2.6 times
        if not change < 0.81:  # else the step is tried again, shorter; NaN passes, or it would be tried for ever
            x, x_low_before, t = x_high, x_low, t_next
        h, tries = h * change, tries + 1
    return x
