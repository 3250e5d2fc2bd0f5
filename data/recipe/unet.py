"""Stage 3: the UNet, trained to predict noise on the VAE's latents, beside frozen encoders.

What a small training is short of is pictures seen, so each is made to count: latents and texts are read once and kept;
the UNet starts as a wire from its input to its output, because the noise it has to guess in the noisiest steps is
nearly the input itself, and an error there is an error of the picture many times as large; the steps are drawn where
shapes are decided; and what it should have guessed is not the one noise that was drawn but the mean of all that the
caption allows (`expect_pictures`), which is known exactly, for the pictures are.
"""

import copy
import random
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from diffusers.pipelines.kolors import ChatGLMModel, ChatGLMTokenizer

from course_lib.pictures import emoji, wording
from data.recipe.common import lighter_numbers, load_checkpoint, log, long_run, save_checkpoint
from data.recipe.muon import Muon, is_matrix
from data.recipe.sprites import compose_tensors
from data.recipe.text import HIDDEN, read_captions

STEPS = 5_000
EARLY = (500, 1_000, 2_000)  # steps after which the average is kept, for the judge to see what is drawn wrong
BATCH = {"cpu": 64, "cuda": 256}
LEARNING_RATE = 1e-3  # of Adam, for what is no matrix
MUON_RATE = 0.01
EMA_DECAY = 0.998
MOST_SNR = 5.0  # gamma of Hang et al. 2023 (arXiv 2303.09556)
MOST_WEIGHT = 100.0  # of a picture in the loss: in the noisiest steps an error of the noise weighs no more than this
DECIDING, OFTEN = (0.27, 0.82), 0.76  # between these parts of the schedule shapes are decided: this share of pictures
EMPTY_CAPTIONS = 0.06  # of all captions, so that the model also learns the unconditional noise that guidance needs
GROUNDS_EACH = 2  # of the ten, for each subject in each style
WORDINGS = 6  # captions of a subject, style and ground

LATENT_SIZE = emoji.PICTURE_SIZE // 8  # cells, width and height
TIME_IDS = (emoji.PICTURE_SIZE, emoji.PICTURE_SIZE, 0, 0, emoji.PICTURE_SIZE, emoji.PICTURE_SIZE)
WIRE_LEVEL = 3.0  # of the constant channels beside a wire


def build_unet() -> UNet2DConditionModel:
    """Build the untrained UNet: Kolors' layout in small (attention below the finest level, text_time, text_proj)."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE, in_channels=4, out_channels=4, block_out_channels=(64, 128, 128), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn", attention_head_dim=(1, 2, 2), cross_attention_dim=HIDDEN,
        transformer_layers_per_block=1, resnet_time_scale_shift="scale_shift", use_linear_projection=True,
        norm_num_groups=16,
        encoder_hid_dim=HIDDEN, encoder_hid_dim_type="text_proj", addition_embed_type="text_time",
        addition_time_embed_dim=32, projection_class_embeddings_input_dim=HIDDEN + 6 * 32)


@torch.no_grad()
def lay_wire(unet: UNet2DConditionModel, level: float = WIRE_LEVEL) -> None:
    """Set an untrained UNet's weights so that its output is its input: the noise to be guessed where nothing else is.

    Each latent channel x goes by the outermost skip to the last norm as the group (x, -x, level, -level), of mean 0 and
    a variance that hardly depends on x; and silu(x) - silu(-x) = x brings it unbent through the activation.
    """
    last, first = unet.up_blocks[-1].resnets[-1], unet.conv_in
    width, group = first.out_channels, first.out_channels // unet.conv_norm_out.num_groups
    unet.conv_out.weight.zero_()
    unet.conv_out.bias.zero_()
    for channel in range(first.in_channels):
        start = channel * group
        first.weight[start].zero_()
        first.weight[start, channel, 1, 1] = 1
        first.bias[start] = 0
        carrier = last.conv_shortcut.in_channels - width + start  # the skip comes after what the level below hands up
        for offset, (weight, bias) in enumerate(((1, 0), (-1, 0), (0, level), (0, -level))):
            for layer in (last.conv_shortcut, last.conv2):
                layer.weight[start + offset].zero_()
                layer.bias[start + offset] = 0
            last.conv_shortcut.weight[start + offset, carrier] = weight
            last.conv_shortcut.bias[start + offset] = bias
        scale = ((1 + level**2) / 2) ** 0.5  # what the norm divides by
        unet.conv_out.weight[channel, start, 1, 1] = scale
        unet.conv_out.weight[channel, start + 1, 1, 1] = -scale


def build_scheduler() -> EulerDiscreteScheduler:
    """Build Kolors' own scheduler (its scheduler_config.json): 1100 steps, betas 0.00085 to 0.014, scaled linear."""
    return EulerDiscreteScheduler(
        num_train_timesteps=1100, beta_start=0.00085, beta_end=0.014, beta_schedule="scaled_linear",
        prediction_type="epsilon", timestep_spacing="leading", steps_offset=1)


def list_scenes(seed: int) -> list[emoji.Scene]:
    """List every pair to be learnt, each on GROUNDS_EACH grounds drawn at random and in every place."""
    rng = random.Random(f"{seed} scenes")
    pairs = [(subject, style) for subject in emoji.subjects() for style in emoji.BASE_STYLES
             if (subject, style) not in emoji.kept_pairs()]
    return [emoji.Scene(subject, style, ground, *place, flip=False) for subject, style in pairs
            for ground in rng.sample(list(emoji.GROUNDS), GROUNDS_EACH) for place in emoji.PLACES]


@torch.no_grad()
def make_latents(vae: AutoencoderKL, scenes: list[emoji.Scene], device: str, seed: int) -> torch.Tensor:
    """Compose the scenes' pictures and encode them -> latents [count, 4, 12, 12], scaled to unit variance."""
    rng, latents = random.Random(f"{seed} shades"), []
    for start in range(0, len(scenes), 100):
        pictures = compose_tensors(scenes[start:start + 100], rng).to(device)
        latents.append(vae.encode(pictures).latent_dist.mean * vae.config.scaling_factor)
    return torch.cat(latents)


def number_scene(scene: emoji.Scene) -> list[int]:
    """Number what a caption can name of a scene: its subject, style, ground and place."""
    return [list(emoji.subjects()).index(scene.subject), emoji.BASE_STYLES.index(scene.style),
            list(emoji.GROUNDS).index(scene.ground), (None, *wording.PLACES).index(wording.place(scene))]


def word_scenes(scenes: list[emoji.Scene], seed: int) -> tuple[list[str], list[torch.Tensor]]:
    """Word captions, zh and en, of the scenes -> captions, the first empty, and the scenes each allows.

    A caption seldom names all, so it allows every scene that is like its own in what it does name.
    """
    rng, captions, allowed = random.Random(f"{seed} captions"), [""], [torch.arange(len(scenes))]
    columns = torch.tensor([number_scene(scene) for scene in scenes])
    for start in range(0, len(scenes), len(emoji.PLACES)):  # each pair on each ground
        for spoken in ("zh", "en") * (WORDINGS // 2):
            number = start + rng.randrange(len(emoji.PLACES))
            text, where = wording.caption(scenes[number], spoken, rng), wording.place(scenes[number])
            named = wording.read_prompt(text)
            said = torch.tensor([True, named.style is not None, named.ground is not None,
                                 where is not None and wording.PLACES[where][spoken == "en"] in text])
            captions.append(text)
            allowed.append(((columns == columns[number]) | ~said).all(dim=1).nonzero().flatten())
    return captions, allowed


def expect_pictures(noisy: torch.Tensor, latents: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Return the mean of `latents` [count, 4, 12, 12], each weighed by how likely `noisy` [4, 12, 12] came from it.

    `kept` is alpha bar of the step (Ho et al. 2020). Among pictures that are all known this mean is exact, and what a
    training on single draws only finds after many of them (Xu et al. 2023, arXiv 2302.00670, take it over a batch).
    """
    flat = latents.flatten(1)
    likeness = kept.sqrt() * (flat @ noisy.flatten()) - kept / 2 * flat.square().sum(dim=1)
    return ((likeness / (1 - kept)).softmax(dim=0) @ flat).view_as(noisy)


def draw_steps(count: int, steps: int) -> torch.Tensor:
    """Draw one step of the schedule from each of `count` parts of it, most where shapes are decided, shuffled."""
    (first, last), few = DECIDING, (1 - OFTEN) / 2
    shares = (torch.arange(count) + torch.rand(count)) / count
    parts = torch.where(shares < few, shares / few * first, torch.where(
        shares < few + OFTEN, first + (shares - few) / OFTEN * (last - first),
        last + (shares - few - OFTEN) / few * (1 - last)))
    return (parts * steps).long().clamp(max=steps - 1)[torch.randperm(count)]


def noise_loss(unet: UNet2DConditionModel, latents: torch.Tensor, possible: list[torch.Tensor],
               texts: tuple[torch.Tensor, ...], steps: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
    """Mean squared error of the predicted noise, weighted by (1 + min(SNR, gamma)) / SNR of each picture's step.

    `possible` holds, of each caption, all latents that it allows. 0 is reached by a UNet that always guesses the mean
    of what is possible. Divided by SNR, an error of the noise is the error of the
    picture guessed from it. min(SNR, gamma) is the weight of Hang et al.; alone it leaves almost nothing to the
    noisiest steps, where a picture's ground and layout are decided. The 1 is their weight in v-prediction (Salimans &
    Ho 2022, arXiv 2202.00512), bounded by MOST_WEIGHT.
    """
    states, pooled, mask = texts
    kept = alphas[steps].view(-1, 1, 1, 1)  # alpha bar of Ho et al. 2020: the share of the picture left at that step
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * torch.randn(latents.shape).to(latents.device)
    expected = torch.stack([expect_pictures(*one) for one in zip(noisy, possible, kept.flatten())])
    noise = (noisy - kept.sqrt() * expected) / (1 - kept).sqrt()
    time_ids = torch.tensor([TIME_IDS], device=latents.device).repeat(len(latents), 1)
    predicted = unet(noisy, steps, states, encoder_attention_mask=mask,
                     added_cond_kwargs={"text_embeds": pooled, "time_ids": time_ids}).sample
    snr = (kept / (1 - kept)).flatten()
    errors = (predicted.float() - noise).square().mean(dim=(1, 2, 3))
    return (errors * ((1 + snr.clamp(max=MOST_SNR)) / snr).clamp(max=MOST_WEIGHT)).mean()


def train_unet(vae: AutoencoderKL, tokenizer: ChatGLMTokenizer, encoder: ChatGLMModel, unet: UNet2DConditionModel,
               folder: Path, device: str, seed: int = 0, steps: int = STEPS) -> UNet2DConditionModel:
    """Train the UNet, going on from folder/unet.pt where that exists -> UNet.

    On the way the moving average of its weights is better (and kept for the judge), after the descent it is not.
    """
    unet.to(device)
    average = copy.deepcopy(unet).requires_grad_(False)
    matrices = {name: weight for name, weight in unet.named_parameters() if is_matrix(name, weight)}
    muon = Muon(matrices.values())
    optimizer = torch.optim.AdamW([weight for name, weight in unet.named_parameters() if name not in matrices],
                                  lr=LEARNING_RATE, weight_decay=0.01, betas=(0.9, 0.99), fused=True)
    first = 0
    if saved := load_checkpoint(folder / "unet.pt", device):
        unet.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        muon.means = saved["muon"]
        first = saved["step"]
    if first >= steps:
        return unet.eval()
    alphas = build_scheduler().alphas_cumprod.to(device)
    scenes = list_scenes(seed)
    all_latents = load_checkpoint(folder / "latents.pt", device)
    if all_latents is None:
        all_latents = make_latents(vae, scenes, device, seed)
        torch.save(all_latents, folder / "latents.pt")
    captions, allowed = word_scenes(scenes, seed)
    states, pooled, masks = read_captions(encoder, tokenizer, captions, device)
    started, total, batch = time.time(), 0.0, BATCH[device]
    for step in range(first, steps):
        rng = random.Random(f"{seed} unet {step}")  # a step's data depend on the step alone: resumed equals uncut
        torch.manual_seed(seed * 1_000_003 + step)
        texts = [0 if rng.random() < EMPTY_CAPTIONS else rng.randrange(1, len(captions)) for _ in range(batch)]
        chosen = [int(rng.choice(allowed[text])) for text in texts]
        possible = [all_latents[allowed[text]] if text else all_latents for text in texts]
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * long_run(step, steps)
        with lighter_numbers(device):
            loss = noise_loss(unet, all_latents[chosen], possible, (states[texts].float(), pooled[texts], masks[texts]),
                              draw_steps(batch, len(alphas)).to(device), alphas)
        unet.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        muon.step(MUON_RATE * long_run(step, steps))
        decay = min(EMA_DECAY, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(unet.parameters()), 1 - decay)
        if step + 1 in EARLY:
            save_checkpoint(folder / f"early_{step + 1}.pt", average=average.state_dict())
        total += loss.item()
        if (step + 1) % 100 == 0 or step + 1 == steps:
            log(folder / "unet.jsonl", step=step + 1, loss=round(total / ((step % 100) + 1), 4),
                seconds=round(time.time() - started))
            total = 0.0
        if (step + 1) % 500 == 0 or step + 1 == steps:
            save_checkpoint(folder / "unet.pt", model=unet.state_dict(), average=average.state_dict(),
                            optimizer=optimizer.state_dict(), muon=muon.means, step=step + 1)
    return unet.eval()
