"""Stage 3: the UNet and the text encoder, trained together to predict noise on the VAE's latents.

Expected on 2 quiet CPU cores: 25,000 steps of 30 pictures in about four hours; loss 0.14 (weighted). So the shipped
weights took, in four runs of 7,500, 5,500, 7,200 and 5,500 steps; only the last two saw all five styles.
"""

import copy
import random
import time
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from diffusers.pipelines.kolors import ChatGLMModel, ChatGLMTokenizer

from course_lib.pictures import emoji, wording
from data.recipe.common import compose_batch, lighter_numbers, load_checkpoint, log, one_cycle, save_checkpoint
from data.recipe.text import HIDDEN, encode, tokenize

STEPS = 25_000
BATCH = 30  # six scenes, each in all five styles
LEARNING_RATE = 1.2e-3
LATER_RATE = 6e-4  # for going on from trained weights: the full rate would first undo much of what they know
EMA_DECAY = 0.999
MIN_SNR = 5.0  # gamma of Hang et al. 2023 (arXiv 2303.09556)
EMPTY_CAPTIONS = 0.1  # of all captions, so that the model also learns the unconditional noise that guidance needs
PICTURES = 24_000  # composed once and kept as latents; their captions are worded anew each time
SET = len(emoji.BASE_STYLES)
# padded lengths to draw from: 24 tokens hold every caption and are fast, 256 is the pipeline's default
LENGTHS = (24,) * 15 + (256,)

LATENT_SIZE = 16  # cells, width and height
TIME_IDS = (emoji.PICTURE_SIZE, emoji.PICTURE_SIZE, 0, 0, emoji.PICTURE_SIZE, emoji.PICTURE_SIZE)


def build_unet() -> UNet2DConditionModel:
    """Build the untrained UNet: Kolors' layout in small (text_time embedding, encoder_hid_proj, cross attention).

    Unlike Kolors' it attends at the finest level too: there LoRA, which changes attention alone, can change outlines.
    """
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE, in_channels=4, out_channels=4, block_out_channels=(64, 128, 128), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 3,
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn", attention_head_dim=(2, 4, 4), cross_attention_dim=HIDDEN,
        transformer_layers_per_block=1, use_linear_projection=True, norm_num_groups=16,
        encoder_hid_dim=HIDDEN, encoder_hid_dim_type="text_proj", addition_embed_type="text_time",
        addition_time_embed_dim=32, projection_class_embeddings_input_dim=HIDDEN + 6 * 32)


def build_scheduler() -> EulerDiscreteScheduler:
    """Build Kolors' own scheduler (its scheduler_config.json): 1100 steps, betas 0.00085 to 0.014, scaled linear."""
    return EulerDiscreteScheduler(
        num_train_timesteps=1100, beta_start=0.00085, beta_end=0.014, beta_schedule="scaled_linear",
        prediction_type="epsilon", timestep_spacing="leading", steps_offset=1)


@torch.no_grad()
def make_latents(vae: AutoencoderKL, device: str, seed: int,
                 count: int = PICTURES) -> tuple[list[emoji.Scene], torch.Tensor]:
    """Compose `count` pictures -> their scenes, and latents scaled to unit variance, float16.

    Scenes come in sets that differ in nothing but the style.
    """
    rng = random.Random(f"{seed} latents")
    scenes = [replace(scene, style=style) for scene in (emoji.random_scene(rng) for _ in range(count // SET))
              for style in emoji.BASE_STYLES]
    latents = []
    for start in range(0, count, 200):
        pictures = compose_batch(scenes[start:start + 200], rng).to(device)
        latents.append((vae.encode(pictures).latent_dist.mean * vae.config.scaling_factor).half())
    return scenes, torch.cat(latents)


def write_captions(scenes: list[emoji.Scene], rng: random.Random) -> list[str]:
    """Word one caption a scene, zh or en, or leave it empty."""
    return ["" if rng.random() < EMPTY_CAPTIONS else wording.caption(scene, rng.choice(("zh", "en")), rng)
            for scene in scenes]


def noise_loss(unet: UNet2DConditionModel, encoder: ChatGLMModel, latents: torch.Tensor,
               tokens: dict[str, torch.Tensor], noise: torch.Tensor, steps: torch.Tensor,
               alphas: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the predicted noise, weighted by (1 + min(SNR, gamma)) / SNR of each picture's step.

    Divided by SNR, an error of the noise is the error of the picture guessed from it. min(SNR, gamma) is the weight of
    Hang et al.; alone it leaves almost nothing to the noisiest steps, where a picture's ground and layout are decided,
    and after 1,500 steps no picture had the ground that was asked for. The 1 is their weight in v-prediction (Salimans
    & Ho 2022, arXiv 2202.00512).
    """
    kept = alphas[steps].view(-1, 1, 1, 1)  # alpha bar of Ho et al. 2020: the share of the picture left at that step
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    states, pooled = encode(encoder, tokens)
    time_ids = torch.tensor([TIME_IDS], device=latents.device).repeat(len(latents), 1)
    predicted = unet(noisy, steps, states, added_cond_kwargs={"text_embeds": pooled, "time_ids": time_ids}).sample
    snr = (kept / (1 - kept)).flatten()
    errors = (predicted.float() - noise).square().mean(dim=(1, 2, 3))
    return (errors * (1 + snr.clamp(max=MIN_SNR)) / snr).mean()


def train_unet(vae: AutoencoderKL, tokenizer: ChatGLMTokenizer, encoder: ChatGLMModel, unet: UNet2DConditionModel,
               folder: Path, device: str, seed: int = 0, steps: int = STEPS,
               rate: float = LEARNING_RATE) -> torch.nn.ModuleDict:
    """Train UNet and text encoder, going on from folder/unet.pt where that exists -> their moving averages."""
    model = torch.nn.ModuleDict({"unet": unet, "text_encoder": encoder}).float().to(device)
    model.to(memory_format=torch.channels_last)  # a fifth faster on a CPU
    average = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01, betas=(0.9, 0.99),
                                  fused=True)
    first = 0
    if saved := load_checkpoint(folder / "unet.pt", device):
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["step"]
    if first >= steps:
        return average.eval()
    alphas = build_scheduler().alphas_cumprod.to(device)
    scenes, all_latents = make_latents(vae, device, seed)
    started, total = time.time(), 0.0
    for step in range(first, steps):
        rng = random.Random(f"{seed} unet {step}")  # a step's data depend on the step alone: resumed equals uncut
        torch.manual_seed(seed * 1_000_003 + step)
        # sets share scene, noise and step: what differs in their gradients is what the style's words are to teach
        chosen = [SET * number + style for number in rng.sample(range(len(scenes) // SET), BATCH // SET)
                  for style in range(SET)]
        captions = write_captions([scenes[number] for number in chosen], rng)
        tokens = tokenize(tokenizer, captions, rng.choice(LENGTHS), device)
        latents = all_latents[chosen].float()
        noise = torch.randn(len(latents) // SET, *latents.shape[1:]).repeat_interleave(SET, 0).to(device)
        parts = BATCH // SET
        shares = (torch.arange(parts) + torch.rand(parts)) / parts  # one step from each part of the schedule
        noise_steps = (shares * len(alphas)).long().repeat_interleave(SET).to(device)
        factor = one_cycle(step, steps)
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
        with lighter_numbers(device):
            loss = noise_loss(model["unet"], model["text_encoder"], latents, tokens, noise, noise_steps, alphas)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        decay = min(EMA_DECAY, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
        total += loss.item()
        if (step + 1) % 100 == 0 or step + 1 == steps:
            log(folder / "unet.jsonl", step=step + 1, loss=round(total / ((step % 100) + 1), 4),
                seconds=round(time.time() - started))
            total = 0.0
        if (step + 1) % 500 == 0 or step + 1 == steps:
            save_checkpoint(folder / "unet.pt", model=model.state_dict(), average=average.state_dict(),
                            optimizer=optimizer.state_dict(), step=step + 1)
    return average.eval()
