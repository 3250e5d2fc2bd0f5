"""Kolors' UNet as a MODEL of ComfyUI, so that its own KSampler and its own samplers draw with it.

Loaded inside ComfyUI only: `comfy` is ComfyUI's package.
"""

from collections.abc import Callable
from typing import Any

import comfy.conds
import comfy.latent_formats
import comfy.model_base
import comfy.model_patcher
import comfy.patcher_extension
import comfy.supported_models_base
import torch
from diffusers import KolorsPipeline
from torch import Tensor

from course_lib.sampling.step import Step
from course_lib.workflow.nodes.host import here
from course_lib.workflow.nodes.wires import WornLora, fit_empty, wearing

WEARS = "course_loras"  # key in the patcher's own attachments
MEMORY = 2.0  # ComfyUI's measure of a UNet's appetite, its own default


class CourseUnet(comfy.model_base.BaseModel):
    """A BaseModel whose diffusion_model is diffusers' UNet; ComfyUI brings sampling, guidance and patches."""

    def __init__(self, pipe: KolorsPipeline) -> None:
        config = comfy.supported_models_base.BASE({"disable_unet_model_creation": True, "in_channels": 4})
        scheduler = pipe.scheduler.config
        config.sampling_settings = {"beta_schedule": "linear", "linear_start": scheduler["beta_start"],
                                    "linear_end": scheduler["beta_end"],  # its "linear" is diffusers' scaled_linear
                                    "timesteps": scheduler["num_train_timesteps"]}
        config.latent_format = comfy.latent_formats.LatentFormat()
        config.latent_format.scale_factor = pipe.vae.config.scaling_factor
        config.memory_usage_factor = MEMORY
        super().__init__(config, comfy.model_base.ModelType.EPS)
        self.diffusion_model, self.factor = pipe.unet, pipe.vae_scale_factor

    def extra_conds(self, **told: object) -> dict[str, object]:
        """Return what the UNet is told beside x and t: all tokens' states, and the pooled text."""
        return {"c_crossattn": comfy.conds.CONDCrossAttn(told["cross_attn"]),
                "y": comfy.conds.CONDRegular(told["pooled_output"])}

    def _apply_model(self, x: Tensor, t: Tensor, c_concat: Tensor | None, c_crossattn: Tensor,
                     control: object = None, transformer_options: dict | None = None, **told: Tensor) -> Tensor:
        """Return denoised for noisy latents x at sigmas t; the name is the one that BaseModel.apply_model calls."""
        unet, dtype = self.diffusion_model, self.diffusion_model.dtype
        height, width = (side * self.factor for side in x.shape[2:])
        sides = torch.tensor([[height, width, 0, 0, height, width]], device=x.device).expand(len(x), -1)
        noise = unet(self.model_sampling.calculate_input(t, x).to(dtype), self.model_sampling.timestep(t).float(),
                     c_crossattn.to(x.device, dtype),
                     added_cond_kwargs={"text_embeds": told["y"].to(x.device, dtype), "time_ids": sides},
                     return_dict=False)[0]
        return self.model_sampling.calculate_denoised(t, noise.float(), x)


def build_model(pipe: KolorsPipeline) -> comfy.model_patcher.ModelPatcher:
    """Return a pipeline's UNet as a MODEL; it stays on the device where the course put it."""
    device = torch.device(pipe.plan.device)
    model = comfy.model_patcher.ModelPatcher(CourseUnet(pipe), load_device=device, offload_device=device)
    model.set_attachments(WEARS, ())
    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.OUTER_SAMPLE, WEARS, surround(pipe))
    return model


def wear(model: comfy.model_patcher.ModelPatcher, lora: WornLora) -> comfy.model_patcher.ModelPatcher:
    """Return a MODEL of the course with one LoRA more; the given one stays as it is."""
    worn = model.clone()
    worn.set_attachments(WEARS, (*model.get_attachment(WEARS), lora))
    return worn


def surround(pipe: KolorsPipeline) -> Callable[..., Tensor]:
    """Return the wrapper that ComfyUI calls around a sampling: it shapes an empty latent, and puts the LoRAs on.

    The bar and the previews are the course's own: ComfyUI's do not know this VAE.
    """

    def sample(executor: Any, noise: Tensor, latent: Tensor, sampler: object, sigmas: Tensor,
               mask: Tensor | None = None, callback: object = None, no_bar: bool = False,
               seed: int | None = None, **newer: object) -> Tensor:
        fitted = fit_empty(pipe, latent)
        if "latent_shapes" in newer:  # later than 0.3.64
            newer["latent_shapes"] = [fitted.shape]
        if fitted.shape != noise.shape:
            noise = torch.randn(fitted.shape, generator=torch.Generator().manual_seed(seed))  # as ComfyUI draws it
        watch = here().watch(pipe)

        def tell(index: int, denoised: Tensor, x: Tensor, steps: int) -> None:
            if watch is not None:
                watch(Step(index, steps, float(sigmas[index]), x, denoised))

        with wearing(pipe, executor.class_obj.model_patcher.get_attachment(WEARS)):
            return executor(noise, fitted, sampler, sigmas, mask, tell, no_bar, seed, **newer)

    return sample
