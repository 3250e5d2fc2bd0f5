"""train_unet of the recipe with the batch split over two processes of one thread each."""
import copy, os, random, sys, time
from pathlib import Path
import torch, torch.distributed as dist
from diffusers import KolorsPipeline
from course_lib import emoji
from data.recipe import unet as U
from data.recipe.unet import *
from data.recipe.common import *
from data.recipe.text import encode, tokenize
torch.set_num_threads(1)
dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
steps, seed, rate, folder = int(sys.argv[1]), int(sys.argv[2]), U.LATER_RATE, Path(sys.argv[3])
pipe = KolorsPipeline.from_pretrained(sys.argv[4], local_files_only=True)
vae, tokenizer = pipe.vae.requires_grad_(False), pipe.tokenizer
model = torch.nn.ModuleDict({"unet": pipe.unet, "text_encoder": pipe.text_encoder}).float()
average = copy.deepcopy(model).requires_grad_(False)
params = list(model.parameters())
optimizer = torch.optim.AdamW(params, lr=rate, weight_decay=0.01, betas=(0.9, 0.99), fused=True)
first = 0
if saved := load_checkpoint(folder / "unet.pt", "cpu"):
    model.load_state_dict(saved["model"]); average.load_state_dict(saved["average"]); optimizer.load_state_dict(saved["optimizer"]); first = saved["step"]
alphas = build_scheduler().alphas_cumprod
scenes, all_latents = make_latents(vae, "cpu", seed)
print("latents", flush=True)
started, total, ran = time.time(), 0.0, 0
SETS = BATCH // SET
for step in range(first, steps):
    rng = random.Random(f"{seed} unet {step}")
    torch.manual_seed(seed * 1_000_003 + step)
    chosen = [SET * n + s for n in rng.sample(range(len(scenes) // SET), SETS) for s in range(SET)]
    captions = write_captions([scenes[n] for n in chosen], rng)
    length = rng.choice(LENGTHS)
    noise = torch.randn(SETS, *all_latents.shape[1:])
    shares = (torch.arange(SETS) + torch.rand(SETS)) / SETS
    order = torch.arange(SETS)[rank::world]
    rows = (order[:, None] * SET + torch.arange(SET)).flatten().tolist()
    latents = all_latents[[chosen[r] for r in rows]].float()
    tokens = tokenize(tokenizer, [captions[r] for r in rows], length, "cpu")
    noise_steps = (shares * len(alphas)).long()[order].repeat_interleave(SET)
    factor = one_cycle(step, steps)
    for group in optimizer.param_groups: group["lr"] = rate * factor
    with lighter_numbers("cpu"):
        loss = noise_loss(model["unet"], model["text_encoder"], latents, tokens, noise[order].repeat_interleave(SET, 0), noise_steps, alphas)
    optimizer.zero_grad()
    loss.backward()
    grads = [p.grad for p in params if p.grad is not None]
    flat = torch._utils._flatten_dense_tensors(grads)
    dist.all_reduce(flat); flat /= world
    for g, f in zip(grads, torch._utils._unflatten_dense_tensors(flat, grads)): g.copy_(f)
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    optimizer.step()
    decay = min(EMA_DECAY, (step + 1) / (step + 10))
    with torch.no_grad(): torch._foreach_lerp_(list(average.parameters()), params, 1 - decay)
    total += loss.item(); ran += 1
    if rank == 0 and ((step + 1) % 100 == 0 or step + 1 == steps):
        log(folder / "unet.jsonl", step=step + 1, loss=round(total / ran, 4), seconds=round(time.time() - started)); total, ran = 0.0, 0
    if rank == 0 and ((step + 1) % 500 == 0 or step + 1 == steps):
        save_checkpoint(folder / "unet.pt", model=model.state_dict(), average=average.state_dict(), optimizer=optimizer.state_dict(), step=step + 1)
