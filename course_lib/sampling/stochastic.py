"""Samplers that add fresh noise in each step: solvers of the reverse-time SDE, and ancestral sampling.

The signature that all samplers share is told in step.py. eta says how much of a step is renewed by noise, 0 for
nothing; s_noise scales that noise.
"""

import torch

from course_lib.sampling.multistep import res_step
from course_lib.sampling.step import ancestral_step, exponential_step, log_step, predict, to_derivative


def euler_ancestral(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0):
    """Go down too far with Euler and add noise up to the next sigma (Song 2021, DDIM with eta, arXiv 2010.02502)."""
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        down, up = ancestral_step(sigmas[i], sigmas[i + 1], eta)
        x = x + (down - sigmas[i]) * to_derivative(x, sigmas[i], denoised)
        if sigmas[i + 1] > 0:
            x = x + s_noise * up * noise(sigmas[i], sigmas[i + 1])
    return x


def ddpm(denoise, x, sigmas, *, noise, callback=None):
    """Draw the next x from its distribution given x and denoised (Ho 2020, DDPM, equation 7, arXiv 2006.11239)."""
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        kept = (sigmas[i + 1] / sigmas[i]) ** 2  # the share of x in the posterior's mean
        x = denoised + kept * (x - denoised)
        if sigmas[i + 1] > 0:
            x = x + sigmas[i + 1] * (1 - kept).sqrt() * noise(sigmas[i], sigmas[i + 1])
    return x


def lcm(denoise, x, sigmas, *, noise, callback=None):
    """Jump to denoised and add new noise of the next sigma (Luo 2023, Latent Consistency Models, arXiv 2310.04378)."""
    for i in range(len(sigmas) - 1):
        x = predict(denoise, x, sigmas, i, callback)
        if sigmas[i + 1] > 0:
            x = x + sigmas[i + 1] * noise(sigmas[i], sigmas[i + 1])
    return x


def dpm_2_ancestral(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0):
    """Go down too far with DPM-Solver-2 and add noise up to the next sigma (Lu 2022, arXiv 2206.00927)."""
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        d = to_derivative(x, sigmas[i], denoised)
        down, up = ancestral_step(sigmas[i], sigmas[i + 1], eta)
        if down > 0:
            middle = (sigmas[i] * down).sqrt()
            x_middle = x + (middle - sigmas[i]) * d
            d = to_derivative(x_middle, middle, denoise(x_middle, middle))
        x = x + (down - sigmas[i]) * d
        if sigmas[i + 1] > 0:
            x = x + s_noise * up * noise(sigmas[i], sigmas[i + 1])
    return x


def dpmpp_2s_ancestral(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0):
    """Go down too far, with a second look half way, and add noise (Lu 2022, DPM-Solver++(2S), arXiv 2211.01095)."""
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        down, up = ancestral_step(sigmas[i], sigmas[i + 1], eta)
        if down > 0:
            middle = (sigmas[i] * down).sqrt()
            denoised = denoise(exponential_step(x, denoised, sigmas[i], middle), middle)
        x = exponential_step(x, denoised, sigmas[i], down)
        if sigmas[i + 1] > 0:
            x = x + s_noise * up * noise(sigmas[i], sigmas[i + 1])
    return x


def res_multistep_ancestral(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0):
    """Do as `res_multistep`, but go down too far and add noise up to the next sigma (Zhang 2023, arXiv 2308.02157)."""
    before = down_before = None
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        down, up = ancestral_step(sigmas[i], sigmas[i + 1], eta)
        if before is None or down == 0:
            x = exponential_step(x, denoised, sigmas[i], down)
        else:
            x = res_step(x, denoised, before, log_step(sigmas[i], down), log_step(sigmas[i - 1], down_before))
        if sigmas[i + 1] > 0:
            x = x + s_noise * up * noise(sigmas[i], sigmas[i + 1])
        before, down_before = denoised, down
    return x


def dpmpp_sde(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0, r=1 / 2):
    """Look again a share r of the way in log sigma, noise added there and at the end (DPM-Solver++(2S) for the SDE)."""
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        if sigmas[i + 1] == 0:
            return denoised
        # Rounded as ComfyUI does it: noise of a path differs where a sigma's last digit does.
        middle = (sigmas[i].log() - r * log_step(sigmas[i], sigmas[i + 1])).exp()
        down, up = ancestral_step(sigmas[i], middle, eta)
        x_middle = exponential_step(x, denoised, sigmas[i], down) + s_noise * up * noise(sigmas[i], middle)
        D = denoised + (denoise(x_middle, middle) - denoised) / (2 * r)
        down, up = ancestral_step(sigmas[i], sigmas[i + 1], eta)
        x = exponential_step(x, D, sigmas[i], down) + s_noise * up * noise(sigmas[i], sigmas[i + 1])
    return x


def sde_step(x, denoised, h_eta):
    """Go the length h_eta = h (1 + eta) of a step towards denoised, without its noise (Lu 2022, SDE-DPM-Solver++)."""
    return (-h_eta).exp() * x - torch.expm1(-h_eta) * denoised


def sde_spread(sigma_next, h, eta):
    """Return the standard deviation of the noise that ends a step of length h (Lu 2022, SDE-DPM-Solver++)."""
    return sigma_next * (-torch.expm1(-2 * h * eta)).sqrt()


def dpmpp_2m_sde(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0, solver_type="midpoint"):
    """Continue the line through the last two denoised, add noise (Lu 2022, SDE-DPM-Solver++(2M), arXiv 2211.01095)."""
    before = None
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        if sigmas[i + 1] == 0:
            return denoised
        h = log_step(sigmas[i], sigmas[i + 1])
        h_eta = h * (1 + eta)
        x = sde_step(x, denoised, h_eta)
        if before is not None:
            D1 = (denoised - before) * h / log_step(sigmas[i - 1], sigmas[i])
            heun = torch.expm1(-h_eta) / h_eta + 1
            x = x + (heun if solver_type == "heun" else -torch.expm1(-h_eta) / 2) * D1
        x = x + s_noise * sde_spread(sigmas[i + 1], h, eta) * noise(sigmas[i], sigmas[i + 1])
        before = denoised
    return x


def dpmpp_2m_sde_heun(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0):
    """Do as `dpmpp_2m_sde`, the line integrated exactly (Lu 2022, the Heun form of SDE-DPM-Solver++(2M))."""
    options = {"eta": eta, "s_noise": s_noise, "solver_type": "heun"}
    return dpmpp_2m_sde(denoise, x, sigmas, noise=noise, callback=callback, **options)


def dpmpp_3m_sde(denoise, x, sigmas, *, noise, callback=None, eta=1.0, s_noise=1.0):
    """Continue the parabola through the last three denoised, and add noise (SDE-DPM-Solver++(3M), arXiv 2211.01095)."""
    history, lengths = [], []  # newest first: denoised, and the steps' h
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        if sigmas[i + 1] == 0:
            return denoised
        h = log_step(sigmas[i], sigmas[i + 1])
        h_eta = h * (1 + eta)
        x = sde_step(x, denoised, h_eta)
        phi_2 = torch.expm1(-h_eta) / h_eta + 1
        if len(history) == 1:
            x = x + phi_2 * (denoised - history[0]) * h / lengths[0]
        elif len(history) == 2:
            r0, r1 = lengths[0] / h, lengths[1] / h
            D1_0, D1_1 = (denoised - history[0]) / r0, (history[0] - history[1]) / r1
            D2 = (D1_0 - D1_1) / (r0 + r1)
            x = x + phi_2 * (D1_0 + r0 * D2) - (phi_2 / h_eta - 1 / 2) * D2
        x = x + s_noise * sde_spread(sigmas[i + 1], h, eta) * noise(sigmas[i], sigmas[i + 1])
        history, lengths = [denoised, *history][:2], [h, *lengths][:2]
    return x


def er_sde_phi(sigma):
    """Return phi(sigma) = sigma (e^(sigma^0.3) + 10), which sets how much noise `er_sde` renews (Cui 2023)."""
    return sigma * ((sigma ** 0.3).exp() + 10)


def er_sde(denoise, x, sigmas, *, noise, callback=None, s_noise=1.0, order=3):
    """Solve the extended reverse-time SDE with the last three denoised (Cui 2023, ER-SDE-3, arXiv 2309.06169)."""
    before = slope_before = None
    lambdas = sigmas.double()  # the paper's lambda = sigma / alpha; below nearly equal numbers are subtracted
    for i in range(len(sigmas) - 1):
        denoised = predict(denoise, x, sigmas, i, callback)
        if sigmas[i + 1] == 0:
            return denoised
        length, phi = lambdas[i + 1] - lambdas[i], er_sde_phi(lambdas[i + 1])
        r = phi / er_sde_phi(lambdas[i])
        x = r * x + (1 - r) * denoised
        if i > 0 and order > 1:
            # The paper's integrals have no closed form: sums over 200 places, as its authors do.
            apart = -length / 200
            places = lambdas[i + 1] + torch.arange(200) * apart
            slope = (denoised - before) / (lambdas[i] - lambdas[i - 1])
            x = x + (length + phi * apart * (1 / er_sde_phi(places)).sum()) * slope
            if i > 1 and order > 2:
                bend = (slope - slope_before) / ((lambdas[i] - lambdas[i - 2]) / 2)
                shares = (places - lambdas[i]) / er_sde_phi(places)
                x = x + (length ** 2 / 2 + phi * apart * shares.sum()) * bend
            slope_before = slope
        up = (lambdas[i + 1] ** 2 - (lambdas[i] * r) ** 2).sqrt()
        x = x + s_noise * up * noise(sigmas[i], sigmas[i + 1])
        before = denoised
    return x
