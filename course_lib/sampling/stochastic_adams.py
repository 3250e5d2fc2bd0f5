"""SA-Solver: Adams' multistep methods for an SDE whose noise may be switched on and off (Xue 2023, arXiv 2309.05019).

The signature that all samplers share is told in step.py. tau says how much noise a step renews: 0 is the ODE.
"""

import math

import numpy as np

from course_lib.sampling.multistep import lagrange
from course_lib.sampling.step import predict

# Noise is added between these sigmas alone: those of Kolors' training steps 199.8 and 799.2, where ComfyUI has them.
NOISY = (0.5724261, 5.1746459)
PLACES, SHARES = np.polynomial.legendre.leggauss(20)  # where an integral looks at a function, and how much each counts


def adams_weights(places, start, end, tau):
    """Return the weight of denoised at each place of -log sigma in a step from start to end (Xue 2023, equation 15)."""
    growth, half = 1 + tau ** 2, (end - start) / 2
    back = half * (PLACES - 1)  # as seen from the end, from 2 half to 0
    counted = growth * half * SHARES * np.exp(growth * back)
    nodes = [place - end for place in places]
    return [float(counted @ lagrange(nodes, j)(back)) for j in range(len(nodes))]


def adams_step(x, history, places, start, end, tau):
    """Go from start to end, both -log sigma, along the polynomial through a history of denoised; noise is not in."""
    weights = adams_weights(places, start, end, tau)
    return math.exp((1 + tau ** 2) * (start - end)) * x + sum(w * denoised for w, denoised in zip(weights, history))


def sa_solver(denoise, x, sigmas, *, noise, callback=None, s_noise=1.0, noisy=NOISY, looks_again=False):
    """Predict with three denoised, correct with four, and add noise in the middle of the way (Xue 2023, SA-Solver)."""
    places, last = (-sigmas.double().log()).tolist(), len(sigmas) - 1
    history, x_ahead, added, tau = [], x, 0.0, 0.0  # history: newest first
    for i in range(last):
        denoised = predict(denoise, x_ahead, sigmas, i, callback)
        history = [denoised, *history][:4]
        left = last - i if sigmas[last] == 0 else 4  # towards 0 each step looks less far back
        if i > 0 and (looks_again or sigmas[i + 1] > 0):
            used = min(len(history), left)
            behind = places[i::-1][:used]
            x = adams_step(x, history[:used], behind, places[i - 1], places[i], tau) + added
            history[0] = denoise(x, sigmas[i]) if looks_again else denoised
        else:
            x = x_ahead
        if sigmas[i + 1] == 0:
            return history[0]
        tau = 1.0 if noisy[0] <= sigmas[i + 1] <= noisy[1] else 0.0
        used = min(len(history), left - 1, 3)
        x_ahead = adams_step(x, history[:used], places[i::-1][:used], places[i], places[i + 1], tau)
        added = 0.0
        if tau > 0:
            spread = math.sqrt(-math.expm1(2 * tau ** 2 * (places[i] - places[i + 1])))
            added = s_noise * spread * sigmas[i + 1] * noise(sigmas[i], sigmas[i + 1])
            x_ahead = x_ahead + added
    return x_ahead


def sa_solver_pece(denoise, x, sigmas, *, noise, callback=None, s_noise=1.0, noisy=NOISY):
    """Do as `sa_solver`, and look again after each correction: predict, evaluate, correct, evaluate."""
    options = {"s_noise": s_noise, "noisy": noisy, "looks_again": True}
    return sa_solver(denoise, x, sigmas, noise=noise, callback=callback, **options)
