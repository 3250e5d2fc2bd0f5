"""The nodes of ComfyUI that the course names, and the Kolors nodes of the camp, as their INPUT_TYPES describe them.

A running ComfyUI tells all of its own; this table serves where none runs. Names, kinds and bounds: ComfyUI 0.3.64 and
kijai's ComfyUI-KwaiKolorsWrapper.
"""

from functools import cache

from course_lib.sampling.samplers import SAMPLERS
from course_lib.sampling.settings import MOST_SEED
from course_lib.sampling.sigmas import SCHEDULERS
from course_lib.workflow.node_types import NodeType, read_types

KOLORS_SCHEDULERS = ["EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler",
                     "DPMSolverMultistepScheduler_SDE_karras", "UniPCMultistepScheduler", "DEISMultistepScheduler"]
FILE = ("COMBO", {})  # its choices are the files of a machine
SEED = ("INT", {"default": 0, "min": 0, "max": MOST_SEED, "control_after_generate": True})
SIDE = ("INT", {"default": 512, "min": 16, "max": 16384, "step": 8})
BATCH = ("INT", {"default": 1, "min": 1, "max": 4096})
STRENGTH = ("FLOAT", {"default": 1.0, "min": -100.0, "max": 100.0, "step": 0.01})
PROMPT = ("STRING", {"multiline": True, "dynamicPrompts": True})
TEXT = ("STRING", {"multiline": True, "default": ""})
NAMES = ["COMBO", {"options": [*SAMPLERS]}]
SCHEDULES = ["COMBO", {"options": [*SCHEDULERS]}]
STEPS = ("INT", {"default": 20, "min": 1, "max": 10000})
CFG = ("FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1})
SCALING = ["nearest-exact", "bilinear", "area", "bicubic", "bislerp"]
IMAGE_SCALING = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]
PLACE = ("INT", {"default": 0, "min": 0, "max": 16384, "step": 8})
SHARE = ("FLOAT", {"default": 0.0, "min": 0.0, "max": 1.0, "step": 0.001})
LOADERS, SAMPLING, CONDITIONING, KOLORS = "loaders", "sampling", "conditioning", "KwaiKolorsWrapper"

# class -> required inputs, optional inputs, outputs (kind, or "name:kind"), category, name on the page
DESCRIBED = {
    "CheckpointLoaderSimple": ({"ckpt_name": FILE}, {}, ("MODEL", "CLIP", "VAE"), LOADERS, "Load Checkpoint"),
    "VAELoader": ({"vae_name": FILE}, {}, ("VAE",), LOADERS, "Load VAE"),
    "LoraLoader": ({"model": ("MODEL",), "clip": ("CLIP",), "lora_name": FILE, "strength_model": STRENGTH,
                    "strength_clip": STRENGTH}, {}, ("MODEL", "CLIP"), LOADERS, "Load LoRA"),
    "LoraLoaderModelOnly": ({"model": ("MODEL",), "lora_name": FILE, "strength_model": STRENGTH}, {}, ("MODEL",),
                            LOADERS, "LoraLoaderModelOnly"),
    "ControlNetLoader": ({"control_net_name": FILE}, {}, ("CONTROL_NET",), LOADERS, "Load ControlNet Model"),
    "UpscaleModelLoader": ({"model_name": FILE}, {}, ("UPSCALE_MODEL",), LOADERS, "Load Upscale Model"),
    "CLIPVisionLoader": ({"clip_name": FILE}, {}, ("CLIP_VISION",), LOADERS, "Load CLIP Vision"),
    "UNETLoader": ({"unet_name": FILE, "weight_dtype": (["default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2"],)},
                   {}, ("MODEL",), "advanced/loaders", "Load Diffusion Model"),
    "CLIPLoader": ({"clip_name": FILE, "type": FILE}, {"device": (["default", "cpu"],)}, ("CLIP",),
                   "advanced/loaders", "Load CLIP"),
    "DualCLIPLoader": ({"clip_name1": FILE, "clip_name2": FILE, "type": FILE}, {"device": (["default", "cpu"],)},
                       ("CLIP",), "advanced/loaders", "DualCLIPLoader"),
    "CLIPTextEncode": ({"text": PROMPT, "clip": ("CLIP",)}, {}, ("CONDITIONING",), CONDITIONING,
                       "CLIP Text Encode (Prompt)"),
    "CLIPSetLastLayer": ({"clip": ("CLIP",), "stop_at_clip_layer": (
        "INT", {"default": -1, "min": -24, "max": -1, "step": 1})}, {}, ("CLIP",), CONDITIONING, "CLIP Set Last Layer"),
    "ConditioningCombine": ({"conditioning_1": ("CONDITIONING",), "conditioning_2": ("CONDITIONING",)}, {},
                            ("CONDITIONING",), CONDITIONING, "Conditioning (Combine)"),
    "ConditioningAverage": ({"conditioning_to": ("CONDITIONING",), "conditioning_from": ("CONDITIONING",),
                             "conditioning_to_strength": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0,
                                                                    "step": 0.01})},
                            {}, ("CONDITIONING",), CONDITIONING, "ConditioningAverage"),
    "ConditioningConcat": ({"conditioning_to": ("CONDITIONING",), "conditioning_from": ("CONDITIONING",)}, {},
                           ("CONDITIONING",), CONDITIONING, "Conditioning (Concat)"),
    "ConditioningZeroOut": ({"conditioning": ("CONDITIONING",)}, {}, ("CONDITIONING",), "advanced/conditioning",
                            "ConditioningZeroOut"),
    "ConditioningSetArea": ({"conditioning": ("CONDITIONING",), "width": SIDE, "height": SIDE, "x": PLACE, "y": PLACE,
                             "strength": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01})}, {},
                            ("CONDITIONING",), CONDITIONING, "Conditioning (Set Area)"),
    "FluxGuidance": ({"conditioning": ("CONDITIONING",), "guidance": (
        "FLOAT", {"default": 3.5, "min": 0.0, "max": 100.0, "step": 0.1})}, {}, ("CONDITIONING",),
                     "advanced/conditioning/flux", "FluxGuidance"),
    "ControlNetApplyAdvanced": (
        {"positive": ("CONDITIONING",), "negative": ("CONDITIONING",), "control_net": ("CONTROL_NET",),
         "image": ("IMAGE",), "strength": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01}),
         "start_percent": SHARE, "end_percent": (
             "FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.001})},
        {"vae": ("VAE",)}, ("positive:CONDITIONING", "negative:CONDITIONING"), "conditioning/controlnet",
        "Apply ControlNet"),
    "EmptyLatentImage": ({"width": SIDE, "height": SIDE, "batch_size": BATCH}, {}, ("LATENT",), "latent",
                         "Empty Latent Image"),
    "EmptySD3LatentImage": (
        {"width": ("INT", {"default": 1024, "min": 16, "max": 16384, "step": 16}),
         "height": ("INT", {"default": 1024, "min": 16, "max": 16384, "step": 16}), "batch_size": BATCH}, {},
        ("LATENT",), "latent/sd3", "EmptySD3LatentImage"),
    "LatentUpscale": ({"samples": ("LATENT",), "upscale_method": (SCALING,), "width": (
        "INT", {"default": 512, "min": 0, "max": 16384, "step": 8}), "height": (
        "INT", {"default": 512, "min": 0, "max": 16384, "step": 8}), "crop": (["disabled", "center"],)}, {},
                      ("LATENT",), "latent", "Upscale Latent"),
    "LatentUpscaleBy": ({"samples": ("LATENT",), "upscale_method": (SCALING,), "scale_by": (
        "FLOAT", {"default": 1.5, "min": 0.01, "max": 8.0, "step": 0.01})}, {}, ("LATENT",), "latent",
                        "Upscale Latent By"),
    "SetLatentNoiseMask": ({"samples": ("LATENT",), "mask": ("MASK",)}, {}, ("LATENT",), "latent/inpaint",
                           "Set Latent Noise Mask"),
    "RepeatLatentBatch": ({"samples": ("LATENT",), "amount": ("INT", {"default": 1, "min": 1, "max": 64})}, {},
                          ("LATENT",), "latent/batch", "Repeat Latent Batch"),
    "KSampler": ({"model": ("MODEL",), "seed": SEED, "steps": STEPS, "cfg": CFG, "sampler_name": NAMES,
                  "scheduler": SCHEDULES, "positive": ("CONDITIONING",), "negative": ("CONDITIONING",),
                  "latent_image": ("LATENT",),
                  "denoise": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01})}, {}, ("LATENT",),
                 SAMPLING, "KSampler"),
    "KSamplerAdvanced": (
        {"model": ("MODEL",), "add_noise": (["enable", "disable"],), "noise_seed": SEED, "steps": STEPS, "cfg": CFG,
         "sampler_name": NAMES, "scheduler": SCHEDULES, "positive": ("CONDITIONING",), "negative": ("CONDITIONING",),
         "latent_image": ("LATENT",), "start_at_step": ("INT", {"default": 0, "min": 0, "max": 10000}),
         "end_at_step": ("INT", {"default": 10000, "min": 0, "max": 10000}),
         "return_with_leftover_noise": (["disable", "enable"],)}, {}, ("LATENT",), SAMPLING, "KSampler (Advanced)"),
    "ModelSamplingSD3": ({"model": ("MODEL",), "shift": (
        "FLOAT", {"default": 3.0, "min": 0.0, "max": 100.0, "step": 0.01})}, {}, ("MODEL",), "advanced/model",
                         "ModelSamplingSD3"),
    "VAEDecode": ({"samples": ("LATENT",), "vae": ("VAE",)}, {}, ("IMAGE",), "latent", "VAE Decode"),
    "VAEEncode": ({"pixels": ("IMAGE",), "vae": ("VAE",)}, {}, ("LATENT",), "latent", "VAE Encode"),
    "VAEEncodeForInpaint": ({"pixels": ("IMAGE",), "vae": ("VAE",), "mask": ("MASK",), "grow_mask_by": (
        "INT", {"default": 6, "min": 0, "max": 64, "step": 1})}, {}, ("LATENT",), "latent/inpaint",
                            "VAE Encode (for Inpainting)"),
    "LoadImage": ({"image": ("COMBO", {"image_upload": True})}, {}, ("IMAGE", "MASK"), "image", "Load Image"),
    "SaveImage": ({"images": ("IMAGE",), "filename_prefix": ("STRING", {"default": "ComfyUI"})}, {}, (), "image",
                  "Save Image"),
    "PreviewImage": ({"images": ("IMAGE",)}, {}, (), "image", "Preview Image"),
    "ImageScale": ({"image": ("IMAGE",), "upscale_method": (IMAGE_SCALING,), "width": (
        "INT", {"default": 512, "min": 0, "max": 16384, "step": 1}), "height": (
        "INT", {"default": 512, "min": 0, "max": 16384, "step": 1}), "crop": (["disabled", "center"],)}, {},
                   ("IMAGE",), "image/upscaling", "Upscale Image"),
    "ImageScaleBy": ({"image": ("IMAGE",), "upscale_method": (IMAGE_SCALING,), "scale_by": (
        "FLOAT", {"default": 1.0, "min": 0.01, "max": 8.0, "step": 0.01})}, {}, ("IMAGE",), "image/upscaling",
                     "Upscale Image By"),
    "ImageUpscaleWithModel": ({"upscale_model": ("UPSCALE_MODEL",), "image": ("IMAGE",)}, {}, ("IMAGE",),
                              "image/upscaling", "Upscale Image (using Model)"),
    "ImageInvert": ({"image": ("IMAGE",)}, {}, ("IMAGE",), "image", "Invert Image"),
    "ImageBatch": ({"image1": ("IMAGE",), "image2": ("IMAGE",)}, {}, ("IMAGE",), "image", "Batch Images"),
    # The camp's; the seed of KolorsTextEncode, which chooses among {a|b}, is the course's addition.
    "DownloadAndLoadKolorsModel": ({"model": (["Kwai-Kolors/Kolors"],), "precision": (["fp16"],)}, {},
                                   ("kolors_model:KOLORSMODEL",), KOLORS, "(Down)load Kolors Model"),
    "DownloadAndLoadChatGLM3": ({"precision": (["fp16", "quant4", "quant8"], {"default": "fp16"})}, {},
                                ("chatglm3_model:CHATGLM3MODEL",), KOLORS, "(Down)load ChatGLM3 Model"),
    "LoadChatGLM3": ({"chatglm3_checkpoint": FILE}, {}, ("chatglm3_model:CHATGLM3MODEL",), KOLORS,
                     "Load ChatGLM3 Model"),
    "KolorsTextEncode": ({"chatglm3_model": ("CHATGLM3MODEL",), "prompt": TEXT, "negative_prompt": TEXT,
                          "num_images_per_prompt": ("INT", {"default": 1, "min": 1, "max": 128, "step": 1})},
                         {"seed": ("INT", {"default": 0, "min": 0, "max": MOST_SEED, "forceInput": True})},
                         ("kolors_embeds:KOLORS_EMBEDS",), KOLORS, "Kolors Text Encode"),
    "KolorsSampler": (
        {"kolors_model": ("KOLORSMODEL",), "kolors_embeds": ("KOLORS_EMBEDS",),
         "width": ("INT", {"default": 1024, "min": 64, "max": 2048, "step": 64}),
         "height": ("INT", {"default": 1024, "min": 64, "max": 2048, "step": 64}),
         "seed": ("INT", {"default": 0, "min": 0, "max": MOST_SEED}),
         "steps": ("INT", {"default": 25, "min": 1, "max": 200, "step": 1}),
         "cfg": ("FLOAT", {"default": 5.0, "min": 0.0, "max": 20.0, "step": 0.01}),
         "scheduler": (KOLORS_SCHEDULERS,)},
        {"latent": ("LATENT",), "denoise_strength": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01})},
        ("latent:LATENT",), KOLORS, "Kolors Sampler"),
    "LoadKolorsLoRA": ({"kolors_model": ("KOLORSMODEL",), "lora_path": ("STRING", {"default": ""}),
                        "lora_alpha": ("FLOAT", {"default": 2.0, "min": 0.0, "max": 4.0, "step": 0.01})}, {},
                       ("kolors_model:KOLORSMODEL",), KOLORS, "Load Kolors LoRA"),
}
OUTPUT_NODES = ("SaveImage", "PreviewImage")


@cache
def list_known() -> dict[str, NodeType]:
    """Return the NodeTypes of this table by class name."""
    return read_types({name: {
        "input": {"required": required, "optional": optional},
        "output": [output.partition(":")[2] or output for output in outputs],
        "output_name": [output.partition(":")[0] for output in outputs],
        "category": category, "display_name": shown, "output_node": name in OUTPUT_NODES}
        for name, (required, optional, outputs, category, shown) in DESCRIBED.items()})
