"""Solvers of the probability-flow ODE that remember earlier steps: more precise at one look through the model a step.

The signature that all samplers share is told in step.py. No noise is added: `noise` is not used here.
"""

import math

import numpy as np
import torch
from numpy.polynomial import Polynomial

from course_lib.sampling.step import exponential_step, log_step, predict, to_derivative

ADAMS_BASHFORTH = ((1,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


def lagrange(nodes, j):
    """Return the polynomial that is 1 at nodes[j] and 0 at the other nodes."""
    others = [node for k, node in enumerate(nodes) if k != j]
    return math.prod((Polynomial([-node, 1]) / (nodes[j] - node) for node in others), start=Polynomial([1]))


def lms(denoise, x, sigmas, *, noise=None, callback=None, order=4):
    """Integrate the polynomial in sigma through the last four slopes (linear multistep, Adams-Bashforth)."""
    slopes = []  # newest first
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        slopes = [to_derivative(x, sigmas[i], denoised), *slopes][:order]
        if sigmas[i + 1] == 0:
            return denoised
        nodes = [float(sigmas[i - k] - sigmas[i]) for k in range(len(slopes))]  # from 0 = sigma of this step
        weights = [float(lagrange(nodes, j).integ()(float(sigmas[i + 1] - sigmas[i]))) for j in range(len(slopes))]
        x = x + sum(weight * slope for weight, slope in zip(weights, slopes))
    return x


def ipndm(denoise, x, sigmas, *, noise=None, callback=None):
    """Mix the last four slopes as if all steps were equally long (Liu 2022, PNDM, arXiv 2202.09778; as iPNDM)."""
    slopes = []  # newest first
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        slopes = [to_derivative(x, sigmas[i], denoised), *slopes][:4]
        if sigmas[i + 1] == 0:
            return denoised
        d = sum(weight * slope for weight, slope in zip(ADAMS_BASHFORTH[len(slopes) - 1], slopes))
        x = x + (sigmas[i + 1] - sigmas[i]) * d
    return x


def ipndm_v(denoise, x, sigmas, *, noise=None, callback=None):
    """Mix the last four slopes, minding the lengths of the steps (iPNDM, variable steps) as its authors' code does.

    That code departs from the integral of the polynomial in three places, marked here, and ComfyUI runs it: so do we.
    """
    slopes = []  # newest first
    lengths = [0.0, 0.0, 0.0, *sigmas.diff().tolist()]
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        slopes = [to_derivative(x, sigmas[i], denoised), *slopes][:4]
        if sigmas[i + 1] == 0:
            return denoised
        h3, h2, h1, h = lengths[i:i + 4]
        d = slopes[0]
        if i > 0:
            d = d + h / 2 * (slopes[0] - slopes[1]) / h1
        if i > 1:
            d0, d1, d2 = slopes[:3]
            weight = h1 * (h1 + h2) / 2 - h ** 2 / 6  # the integral: h h1 / 2 + h^2 / 3; the same for equal steps
            d = d + weight * (d0 / (h1 * (h1 + h2)) - d1 / (h1 * h2) + d2 / ((h1 + h2) * h2))
        if i > 2:
            weight = h * (h + h1 + h2) * (2 * h + 3 * h1) / 6 + h ** 2 * (h + 2 * h1) / 12  # the integral: minus
            h12, h23, h123 = h1 + h2, h2 + h3, h1 + h2 + h3
            oldest = h2 ** 2 / h1  # the integral: h3
            d = d + weight * (d0 / (h1 * h12 * h123) - d1 / (h1 * h2 * h23) + d2 / (h12 * h2 * h3)
                              - slopes[3] / (h123 * h23 * oldest))
        x = x + h * d
    return x


def deis_weights(sigmas, sigma_next):
    """Return the weights of earlier slopes, newest first as their sigmas (tAB-DEIS; Zhang 2023, equation 15)."""
    # t is the time of a variance-preserving SDE, log(1 + sigma^2) = rise t^2 / 2 + start t,
    # with sigma = 0.002 at t = 0.001 and sigma = 80 at t = 1.
    low, high, early = math.log(1 + 0.002 ** 2), math.log(1 + 80 ** 2), 0.001
    rise = 2 * (high - low / early) / (1 - early)
    start = high - rise / 2
    *times, t_next = ((math.sqrt(start ** 2 + 2 * rise * math.log1p(sigma ** 2)) - start) / rise
                      for sigma in (*sigmas, sigma_next))
    t = np.linspace(times[0], t_next, 10_000)  # the integral has no closed form: a sum, as its authors do
    sigma = np.sqrt(np.expm1(rise * t ** 2 / 2 + start * t))
    dsigma_dt = (rise * t + start) * (1 + sigma ** 2) / (2 * sigma)
    return [(t_next - times[0]) * float(np.mean(lagrange(times, j)(t) * dsigma_dt)) for j in range(len(times))]


def deis(denoise, x, sigmas, *, noise=None, callback=None, order=3):
    """Integrate the polynomial in time through the last three slopes (Zhang 2023, DEIS, arXiv 2204.13902)."""
    slopes, nodes = [], sigmas.tolist()  # slopes: newest first
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        slopes = [to_derivative(x, sigmas[i], denoised), *slopes][:order]
        if sigmas[i + 1] == 0:
            return denoised
        weights = deis_weights([nodes[i - k] for k in range(len(slopes))], nodes[i + 1])
        if i == 0:
            weights = [nodes[1] - nodes[0]]  # no sum is needed for a constant
        x = x + sum(weight * slope for weight, slope in zip(weights, slopes))
    return x


def dpmpp_2m(denoise, x, sigmas, *, noise=None, callback=None):
    """Continue the straight line through the last two denoised (Lu 2022, DPM-Solver++(2M), arXiv 2211.01095)."""
    before = None
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        D = denoised
        if before is not None and sigmas[i + 1] > 0:
            r = log_step(sigmas[i - 1], sigmas[i]) / log_step(sigmas[i], sigmas[i + 1])
            D = denoised + (denoised - before) / (2 * r)
        x = exponential_step(x, D, sigmas[i], sigmas[i + 1])
        before = denoised
    return x


def res_step(x, denoised, before, h, h_before):
    """Go a step h in -log sigma towards denoised, the last one seen h_before earlier (Zhang 2023, RES, equation 16)."""
    c2 = -h_before / h
    phi_1 = torch.expm1(-h) / -h
    phi_2 = (phi_1 - 1) / -h
    b_1, b_2 = phi_1 - phi_2 / c2, phi_2 / c2
    return (-h).exp() * x + h * (b_1 * denoised + b_2 * before)


def res_multistep(denoise, x, sigmas, *, noise=None, callback=None):
    """Weigh the last two denoised by an exponential integrator's phi functions (Zhang 2023, RES, arXiv 2308.02157)."""
    before = None
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        if before is None or sigmas[i + 1] == 0:
            x = exponential_step(x, denoised, sigmas[i], sigmas[i + 1])
        else:
            x = res_step(x, denoised, before, log_step(sigmas[i], sigmas[i + 1]), log_step(sigmas[i - 1], sigmas[i]))
        before = denoised
    return x


def gradient_estimation(denoise, x, sigmas, *, noise=None, callback=None, gamma=2.0):
    """Follow the newest slope and its change again (Permenter and Yuan 2024, gradient estimation, arXiv 2306.04848)."""
    before = None
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        d = to_derivative(x, sigmas[i], denoised)
        if sigmas[i + 1] == 0:
            return denoised
        d_bar = d if before is None else gamma * d + (1 - gamma) * before
        x = x + (sigmas[i + 1] - sigmas[i]) * d_bar
        before = d
    return x


def uni_pc_weights(r, h, B):
    """Return the weights rho of the differences of denoised at places r, in a step of length h (Zhao 2023, UniPC)."""
    if len(r) == 1:
        return [0.5]  # the paper's choice, of the same order
    b, phi, factorial = [], math.expm1(-h) / -h - 1, 1  # phi: (-h)^k phi_(k+1)(-h) with k = 1
    for k in range(1, len(r) + 1):
        b.append(phi * factorial / B(-h))
        factorial *= k + 1
        phi = phi / -h - 1 / factorial
    R = np.vander(r, increasing=True).T
    return np.linalg.solve(R, b).tolist()


def uni_pc_step(x, sigmas, i, history, order, B, latest=None):
    """Go from sigmas[i - 1] to sigmas[i]: predict from the history of denoised, or correct with the latest one."""
    h = math.log(sigmas[i - 1] / sigmas[i])
    r = [math.log(sigmas[i - 1] / sigmas[i - 1 - k]) / h for k in range(1, order)]
    differences = [(history[k] - history[0]) / r[k - 1] for k in range(1, order)]
    if latest is not None:
        r, differences = [*r, 1.0], [*differences, latest - history[0]]
    x = sigmas[i] / sigmas[i - 1] * x - math.expm1(-h) * history[0]
    if not r:
        return x
    return x - B(-h) * sum(rho * D for rho, D in zip(uni_pc_weights(r, h, B), differences))


def uni_pc(denoise, x, sigmas, *, noise=None, callback=None, B=float):  # B(h) = h
    """Predict a step, correct it by the look that the next one needs anyway (Zhao 2023, UniPC-3, arXiv 2302.04867)."""
    nodes, last = sigmas.tolist(), len(sigmas) - 1
    if last > 0 and nodes[-1] == 0:  # log 0 has no value. ComfyUI ends at 0.001, which its rounding makes 1/1024
        nodes[-1] = float((sigmas.new_tensor(0.001) ** 2 + 1 - 1).sqrt())
    x_before, history = x, []  # newest first
    for i in range(last):
        latest = predict(denoise, x, sigmas, i, callback)
        if i > 0:
            x = uni_pc_step(x_before, nodes, i, history, min(3, i, last + 1 - i), B, latest)
        x_before, history = x, [latest, *history][:3]
        x = uni_pc_step(x, nodes, i + 1, history, min(3, i + 1, last - i), B)
    return x


def uni_pc_bh2(denoise, x, sigmas, *, noise=None, callback=None):
    """Do as `uni_pc` with B(h) = e^h - 1 instead of h (Zhao 2023, UniPC with B2)."""
    return uni_pc(denoise, x, sigmas, callback=callback, B=math.expm1)
