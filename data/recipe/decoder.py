"""Stage 1, its last part: the decoder learns on and the encoder stays, for a UNet may already learn on its latents.

It learns from the latents of the frozen encoder, with noise, to the features that the smaller VAE's decoder makes of
the same picture. With Muon in place of AdamW: in the first hundred seconds of one core AdamW gained nothing (root mean
square error at 64 px 0.0523 -> 0.0523), Muon 0.0523 -> 0.0513, and 0.047 after twenty minutes.
"""

import copy
import random
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from data.recipe.common import ALL_STYLES, load_checkpoint, log, long_run, save_checkpoint
from data.recipe.muon import Muon
from data.recipe.sprites import compose_tensors, random_scene
from data.recipe.vae import (
    ANYWHERE,
    FEATURES,
    INNER_RATE,
    decode_inner,
    draw_noise,
    encode_inner,
    encode_outer,
)

STEPS = 1_500
BATCH = 8
MUON_RATE = 0.01
EMA_DECAY = 0.997
DESCENT = 0.4  # of the steps


def list_learnt(vae: AutoencoderKL, level: int) -> dict[str, torch.nn.Parameter]:
    """List the decoder's weights between the latent and the features of a level, the finest being 0."""
    blocks = range(len(vae.decoder.up_blocks) - level)  # counted from the middle outwards
    inner = ("post_quant_conv", "decoder.conv_in", "decoder.mid_block",
             *(f"decoder.up_blocks.{block}.resnets" for block in blocks),
             *(f"decoder.up_blocks.{block}.upsamplers" for block in blocks[:-1]))
    return {name: weight for name, weight in vae.named_parameters() if name.startswith(inner)}


@torch.no_grad()
def make_pairs(vae: AutoencoderKL, smaller: AutoencoderKL, level: int,
               rng: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
    """Compose pictures -> the VAE's latents of them, and the smaller one's features on its way back, float16."""
    latents, wanted = [], []
    for _ in range(FEATURES // 50):
        pictures = compose_tensors([random_scene(rng, ALL_STYLES, ANYWHERE) for _ in range(50)], rng).to(vae.device)
        seen = encode_inner(smaller, encode_outer(smaller, pictures, level), level)
        wanted.append(decode_inner(smaller, seen, level).half())
        latents.append(vae.encode(pictures).latent_dist.mean)
    return torch.cat(latents), torch.cat(wanted)


def train_decoder(vae: AutoencoderKL, smaller: AutoencoderKL, folder: Path, device: str, seed: int = 0,
                  steps: int = STEPS) -> AutoencoderKL:
    """Train the decoder's inner part, going on from folder/decoder.pt; the log is folder/decoder.jsonl."""
    level, average = len(smaller.encoder.down_blocks) - 1, copy.deepcopy(vae).requires_grad_(False)
    learnt = list_learnt(vae, level)
    matrices = [weight for name, weight in learnt.items() if weight.ndim > 1 and "conv_in" not in name]
    kept = {id(weight) for weight in matrices}
    muon = Muon(matrices)
    optimizer = torch.optim.AdamW([weight for weight in learnt.values() if id(weight) not in kept], lr=INNER_RATE,
                                  weight_decay=0.0, betas=(0.9, 0.99), fused=True)
    first = 0
    if saved := load_checkpoint(folder / "decoder.pt", device):
        vae.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        muon.means, first = saved["muon"], saved["step"]
    if first >= steps:
        return average.eval()
    latents, wanted = make_pairs(vae, smaller, level, random.Random(f"{seed} decoder"))
    spread, started = wanted[:200].float().std(dim=(0, 2, 3), keepdim=True), time.time()
    for step in range(first, steps):
        torch.manual_seed(seed * 1_000_003 + step)
        chosen = torch.randint(len(latents), (BATCH,))
        made = decode_inner(vae, latents[chosen] + draw_noise(latents[chosen]), level)
        loss = ((made - wanted[chosen].float()) / spread).square().mean()
        vae.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt.values(), 1.0)
        factor = long_run(step, steps, descent=DESCENT)
        for group in optimizer.param_groups:
            group["lr"] = INNER_RATE * factor
        optimizer.step()
        muon.step(MUON_RATE * factor)
        decay = min(EMA_DECAY, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(vae.parameters()), 1 - decay)
        if (step + 1) % 100 == 0 or step + 1 == steps:
            log(folder / "decoder.jsonl", step=step + 1, loss=round(loss.item(), 4),
                seconds=round(time.time() - started))
            save_checkpoint(folder / "decoder.pt", model=vae.state_dict(), average=average.state_dict(),
                            optimizer=optimizer.state_dict(), muon=muon.means, step=step + 1)
    return average.eval()
