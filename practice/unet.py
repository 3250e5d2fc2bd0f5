import os, sys, time, random, json, math, argparse, copy, torch, torch.nn.functional as F
from sprites import *
from pairs import KEPT
from text import tok, build_text_encoder, tokenize, encode, slugs, grounds
from vae import build as build_vae
from ubench import build as build_unet, C, D
from diffusers import EulerDiscreteScheduler
P = argparse.ArgumentParser(); A = P.add_argument
A("--name", default="toy"); A("--seconds", type=float, default=240); A("--arch", default="k128"); A("--opt", default="adamw"); A("--lr", type=float, default=1e-3)
A("--subjects", type=int, default=4); A("--styles", default="noto,flat"); A("--batch", type=int, default=32); A("--per", type=int, default=0, help="grounds a variant"); A("--vae", default="vae1.pt")
A("--places", default="far"); A("--tdist", default="shift"); A("--drop", type=float, default=.1); A("--wd", type=float, default=.01); A("--init", default="pass"); A("--wmax", type=float, default=100.); A("--low", type=float, default=5.)
ARCH = {"k128": ((64,128,128),(1,1,1),(D,C,C)), "k192": ((64,128,192),(1,1,2),(D,C,C)), "two192": ((64,192),(1,1),(D,C)), "two256": ((64,256),(1,1),(D,C)), "two192d2": ((64,192),(1,2),(D,C)), "k256": ((64,192,256),(1,1,1),(D,C,C)), "a128": ((64,128,128),(1,1,1),(C,C,C)),
        "w192": ((96,192),(1,1),(D,C))}
FAR = [(78, l, t) for l in (1, 17) for t in (1, 17)] + [(66, l, t) for l in (7, 23) for t in (7, 23)] + [(90, 3, 3)]
ONE = [(78, 9, 9)]
NEAR = [(72, l, t) for l in (4, 12, 20) for t in (4, 12, 20)] + [(84, l, t) for l in (2, 10) for t in (2, 10)]
ALPHAS = EulerDiscreteScheduler(num_train_timesteps=1100, beta_start=.00085, beta_end=.014, beta_schedule="scaled_linear").alphas_cumprod
@torch.no_grad()
def make_latents(vae, pairs, places, per, rng, flips=(False, True)):
    """-> uint index arrays and latents [n,4,12,12]; keys: (pair number, ground, place number, flip)."""
    keys, pics, lats = [], [], []
    for i, (slug, style) in enumerate(pairs):
        for j, (size, l, t) in enumerate(places):
            for flip in flips:
                for g in rng.sample(range(10), per):
                    keys.append((i, g, j, flip)); pics.append(compose(slug, style, size, l, t, flip, shade(grounds[g], rng, 6)))
        if len(pics) > 100 or i == len(pairs)-1:
            lats.append(vae.encode(torch.stack(pics)).latent_dist.mean); pics = []
    return keys, torch.cat(lats)
@torch.no_grad()
def cache_texts(enc, texts):
    out, pool, bias = [], [], []
    for i in range(0, len(texts), 200):
        tk = tokenize(tok, texts[i:i+200], 24, "cpu"); s, p = encode(enc, tk); out.append(s.half()); pool.append(p)
        n = tk["attention_mask"].sum(1, keepdim=True); pads = 24 - n
        bias.append(torch.where(tk["attention_mask"].bool(), 0., ((256-n)/pads.clamp(min=1)).log()))
    return torch.cat(out), torch.cat(pool), torch.cat(bias)/10000 + 1
def muon_matrix(g, steps=5):
    a, b, c = 3.4445, -4.7750, 2.0315; x = g.flatten(1); tr = x.shape[0] > x.shape[1]; x = x.T if tr else x
    x = x/(x.norm()+1e-7)
    for _ in range(steps): m = x@x.T; x = a*x + (b*m + c*m@m)@x
    return (x.T if tr else x).view_as(g)
class Muon(torch.optim.Optimizer):
    def __init__(self, ps, lr, wd=.01, beta=.95): super().__init__(ps, dict(lr=lr, wd=wd, beta=beta))
    @torch.no_grad()
    def step(self):
        for g in self.param_groups:
            for p in g["params"]:
                if p.grad is None: continue
                s = self.state[p]; m = s.setdefault("m", torch.zeros_like(p)); m.lerp_(p.grad, 1-g["beta"])
                u = muon_matrix(p.grad.lerp(m, g["beta"])); r, c = p.shape[0], p[0].numel()
                p.mul_(1-g["lr"]*g["wd"]).add_(u, alpha=-g["lr"]*.2*max(r, c)**.5)
def make_opts(unet, o):
    if o.opt == "adamw": return [torch.optim.AdamW(unet.parameters(), lr=o.lr, weight_decay=o.wd, betas=(.9,.99), fused=True)]
    mats = [p for n, p in unet.named_parameters() if p.ndim >= 2 and "conv_in" not in n and "conv_out" not in n]; ids = {id(p) for p in mats}
    return [Muon(mats, o.lr, o.wd), torch.optim.AdamW([p for p in unet.parameters() if id(p) not in ids], lr=o.lr, weight_decay=0, betas=(.9,.99))]
@torch.no_grad()
def pass_through(unet, k=3.):
    """Start where the noise guessed is the noisy latent itself: x = silu(x) - silu(-x) carries it exactly through norm and activation."""
    last = unet.up_blocks[-1].resnets[-1]; n = unet.conv_in.out_channels; s = ((1 + k*k)/2)**.5
    per = n // unet.conv_norm_out.num_groups
    unet.conv_out.weight.zero_(); unet.conv_out.bias.zero_()
    for c in range(4):
        i = per*c
        unet.conv_in.weight[i].zero_(); unet.conv_in.bias[i] = 0; unet.conv_in.weight[i, c, 1, 1] = 1
        for j, (w, b) in enumerate(((1, 0), (-1, 0), (0, k), (0, -k))):
            last.conv_shortcut.weight[i+j].zero_(); last.conv_shortcut.weight[i+j, last.conv_shortcut.in_channels - n + i] = w; last.conv_shortcut.bias[i+j] = b
            last.conv2.weight[i+j].zero_(); last.conv2.bias[i+j] = 0
        unet.conv_out.weight[c, i, 1, 1] = s; unet.conv_out.weight[c, i+1, 1, 1] = -s
TID = torch.tensor([96.,96,0,0,96,96])
def call(unet, x, t, states, pooled, mask):
    return unet(x, t, states, encoder_attention_mask=mask, added_cond_kwargs={"text_embeds": pooled, "time_ids": TID.repeat(len(x),1)}).sample
def pick_t(n, kind):
    u = (torch.arange(n)+torch.rand(n))/n
    if kind == "shift": u = torch.where(u < .85, u*.76/.85, .76 + (u-.85)/.15*.24)
    return (u*1100).long().clamp(max=1099)
def loss_of(unet, x, s, p, m, kind, wmax=1e9, low=5.):
    t = pick_t(len(x), kind)[torch.randperm(len(x))]; ab = ALPHAS[t].view(-1,1,1,1); n = torch.randn_like(x)
    e = call(unet, ab.sqrt()*x + (1-ab).sqrt()*n, t, s, p, m); snr = (ab/(1-ab)).flatten()
    return ((e-n).square().mean((1,2,3))*((1+snr.clamp(max=low))/snr).clamp(max=wmax)).mean()
@torch.no_grad()
def sample(unet, texts, enc, seed=0, steps=20, cfg=4.):
    s, p, m = cache_texts(enc, list(texts)+[""]*len(texts)); n = len(texts); sch = EulerDiscreteScheduler(num_train_timesteps=1100, beta_start=.00085, beta_end=.014, beta_schedule="scaled_linear", prediction_type="epsilon", timestep_spacing="leading", steps_offset=1)
    sch.set_timesteps(steps); x = torch.cat([torch.randn(1,4,12,12, generator=torch.Generator().manual_seed(seed+i)) for i in range(n)])*sch.init_noise_sigma
    for t in sch.timesteps:
        y = sch.scale_model_input(x, t); a, b = call(unet, y.repeat(2,1,1,1), t.repeat(2*n).long(), s.float(), p, m).chunk(2); x = sch.step(b + cfg*(a-b), t, x).prev_sample
    return x
if __name__ == "__main__":
    o = P.parse_args(); torch.set_num_threads(1); rng = random.Random(1); torch.manual_seed(0)
    vae = build_vae(); vae.load_state_dict(torch.load(o.vae)); vae.eval(); enc = build_text_encoder(tok); enc.load_state_dict(torch.load("text.pt")); enc.eval()
    pairs = [(s, st) for s in slugs[5:5+o.subjects] for st in o.styles.split(",")]
    keys, lat = make_latents(vae, pairs, {"far": FAR, "one": ONE, "near": NEAR}[o.places], o.per or 4, rng); lat = lat/lat.std(); print(len(lat), "latents", flush=True)
    by = {}
    for n, k in enumerate(keys): by.setdefault((k[0], k[1]), []).append(n)
    caps, capof = [], {}
    for i, (slug, style) in enumerate(pairs):
        for g in range(10):
            for _ in range(6): capof.setdefault((i, g), []).append(len(caps)); caps.append(emoji.caption(emoji.Scene(slug, style, grounds[g], 72, 12, 12, False), rng.choice(("zh","en")), rng))
    empty = len(caps); caps.append(""); S, Pl, M = cache_texts(enc, caps)
    unet = build_unet(*ARCH[o.arch][:2], types=ARCH[o.arch][2]); o.init == 'pass' and pass_through(unet); avg = copy.deepcopy(unet).requires_grad_(False); opts = make_opts(unet, o); base = [g["lr"] for op in opts for g in op.param_groups]
    t0 = time.process_time(); step, tot, nt, seen, mark = 0, 0., 0, 0, .25
    while True:
        done = (time.process_time()-t0)/o.seconds
        f = min(1, (step+1)/50)*(1 if done < .6 else .02+.98*.5*(1+math.cos(math.pi*min(1,(done-.6)/.4))))
        for g, b in zip((g for op in opts for g in op.param_groups), base): g["lr"] = b*f
        idx = [rng.randrange(len(lat)) for _ in range(o.batch)]; cap = [empty if rng.random() < o.drop else rng.choice(capof[keys[i][:2]]) for i in idx]
        l = loss_of(unet, lat[idx], S[cap].float(), Pl[cap], M[cap], o.tdist, o.wmax, o.low)
        for op in opts: op.zero_grad()
        l.backward(); torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.)
        for op in opts: op.step()
        step += 1; seen += o.batch; d = min(.995, step/(step+10))
        with torch.no_grad(): torch._foreach_lerp_(list(avg.parameters()), list(unet.parameters()), 1-d)
        tot += l.item(); nt += 1
        if done >= mark or done >= 1:
            q = [(i % len(pairs), (i*3) % 10) for i in range(16)]; q = [(i, g) for i, g in q if (i, g) in by] or q
            z = sample(avg, [emoji.caption(emoji.Scene(*pairs[i], grounds[g], 72, 12, 12, False), "zh", random.Random(0)) if False else f"一{emoji.subjects()[pairs[i][0]]['measure']}{emoji.subjects()[pairs[i][0]]['zh'][0]}，{emoji.STYLES[pairs[i][1]][0][0]}，{emoji.GROUNDS[grounds[g]][0][0]}背景" for i, g in q], enc)
            err = [min(float((z[k]-lat[n]).square().mean()) for n in by[q[k]])**.5 for k in range(len(q)) if q[k] in by]
            print(f"{o.name}: {done:.2f} {time.process_time()-t0:.0f}cpu s step {step} seen {seen} ({seen/(time.process_time()-t0):.1f}/s) loss {tot/nt:.4f} latent distance {sum(err)/len(err):.3f} of std 1", flush=True); tot = nt = 0; mark += .25
        if done >= 1: break
    torch.save({"unet": avg.state_dict(), "z": z}, f"unet_{o.name}.pt")
