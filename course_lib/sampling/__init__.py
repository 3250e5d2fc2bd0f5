"""From noise to a picture, as ComfyUI's KSampler goes: settings, sigmas, samplers, guidance; and drawing by them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={
    "drawing": ["draw", "draw_batch", "generate"],
    "guidance": ["build_predictor"],
    "noise": ["start_noise"],
    "samplers": ["SAMPLERS", "gaussian_denoiser", "gaussian_solution"],
    "settings": ["SamplerSettings", "next_seed"],
    "sigmas": ["SCHEDULERS", "model_sigmas", "to_timestep"],
    "sweeps": ["xy_grid"],
    "trials": ["Trial"],
})
