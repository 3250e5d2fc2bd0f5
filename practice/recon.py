import sys, torch, random
from sprites import *
from vae import build
from PIL import Image
import numpy as np
v=build(); v.load_state_dict(torch.load(sys.argv[1])); v.eval(); rng=random.Random(3); slugs=list(emoji.subjects())
xs=[compose(rng.choice(slugs), st, *rng.choice([(78,1,17),(66,7,23),(90,3,3),(66,23,7)]), rng.random()<.5, emoji.shade(rng.choice(list(emoji.GROUNDS)),rng)) for st in STYLES7 for _ in range(2)]
x=torch.stack(xs)
with torch.no_grad():
    z=v.encode(x).latent_dist.mean; y=v.decode(z).sample; y2=v.decode(z+.3*z.std()*torch.randn_like(z)).sample
    if len(sys.argv) > 3:
        d=build(); d.load_state_dict(torch.load(sys.argv[3]))
print("std", z.std().item(), "per channel", z.std((0,2,3)), "err", (y-x).abs().mean().item(), "rmse[0,1]", ((y-x)/2).square().mean().sqrt().item())
g=torch.cat([torch.cat(list(t),2) for t in (x,y,y2)],1)
Image.fromarray(((g.clamp(-1,1)+1)*127.5).byte().permute(1,2,0).numpy()).save(sys.argv[2])
