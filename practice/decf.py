"""Decoder's inner part on features of the shipped factor-4 VAE, encoder frozen. decf.py --out F --muon R --seconds N"""
import sys,time,random,torch,argparse,copy,os; sys.path.insert(0,"."); torch.set_num_threads(1)
from data.recipe.vae import *; from data.recipe.muon import Muon
P=argparse.ArgumentParser(); A=P.add_argument; A("--out"); A("--init",default="/work/practice/vae4.pt"); A("--muon",type=float,default=0); A("--lr",type=float,default=1e-3); A("--seconds",type=float,default=60); A("--batch",type=int,default=8); A("--start",type=int,default=0); A("--ema",type=float,default=.997)
o=P.parse_args(); vae=build_vae(); c=torch.load(o.init); vae.load_state_dict(c.get("model",c)); vae.requires_grad_(False).eval()
small=AutoencoderKL.from_pretrained("/work/main/data/tiny_kolors/vae").requires_grad_(False).eval()
cache="/work/practice/runs/decf.pt"
if not os.path.exists(cache):
    rng=random.Random("decf"); Z=[];W=[]; t=time.time()
    with torch.no_grad():
        for s in range(0,7000,50):
            x=compose_tensors([random_scene(rng,ALL_STYLES,ANYWHERE) for _ in range(50)],rng)
            f=encode_outer(small,x,2); W.append(decode_inner(small,encode_inner(small,f,2),2).half()); Z.append(vae.encode(x).latent_dist.mean)
    torch.save((torch.cat(Z),torch.cat(W)),cache); print("features",time.time()-t)
Z,W=torch.load(cache,mmap=True); spread=W[:200].float().std(dim=(0,2,3),keepdim=True)
learn=[(n,p) for n,p in vae.named_parameters() if n.startswith(("post_quant","decoder.conv_in","decoder.mid","decoder.up_blocks.0","decoder.up_blocks.1")) and not n.startswith("decoder.up_blocks.1.upsamplers")]
print(sum(p.numel() for _,p in learn))
for _,p in learn: p.requires_grad_(True)
mats=[p for n,p in learn if p.ndim>=2 and o.muon and not n.startswith(("post_quant","decoder.conv_in"))]; ids={id(p) for p in mats}; rest=[p for _,p in learn if id(p) not in ids]
opt=torch.optim.AdamW(rest,lr=o.lr,weight_decay=0,betas=(.9,.99),fused=True); mu=Muon(mats) if mats else None
avg=copy.deepcopy(vae).requires_grad_(False); va=[p for n,p in avg.named_parameters() if n in dict(learn)]
rng=random.Random(5); ev=compose_tensors([random_scene(rng,("noto","flat")) for _ in range(40)],rng); ev5=compose_tensors([random_scene(rng,ALL_STYLES,.3) for _ in range(40)],rng)
with torch.no_grad(): ze=[vae.encode(e).latent_dist.mean for e in (ev,ev5)]
@torch.no_grad()
def err(v):
    r=[]
    for e,z in zip((ev,ev5),ze):
        d=v.decode(z).sample.clamp(-1,1); a,b=(F.interpolate(x/2+.5,(64,64),mode="area") for x in (d,e)); r.append((a-b).square().mean((1,2,3)).sqrt().mean().item()); r.append((d-e).abs().mean().item()/2)
    return " ".join("%.4f"%v for v in r)
print("start",err(vae),flush=True); t0=time.time(); step=o.start; tot=n=0; last=t0
while True:
    part=(time.time()-t0)/o.seconds
    if part>=1: break
    f=min(1,(step-o.start+1)/50)*min(1,(1-part)/.4+.02)
    for g in opt.param_groups: g["lr"]=o.lr*f
    torch.manual_seed(step); ch=torch.randint(len(Z),(o.batch,)); z=Z[ch]; z=z+draw_noise(z)
    loss=((decode_inner(vae,z,2)-W[ch].float())/spread).square().mean()
    vae.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_([p for _,p in learn],1.); opt.step()
    if mu: mu.step(o.muon*f)
    with torch.no_grad(): torch._foreach_lerp_(va,[p for _,p in learn],1-min(o.ema,(step-o.start+1)/(step-o.start+10)))
    tot+=loss.item(); n+=1; step+=1
    if time.time()-last>(30 if o.seconds<300 else 120): print(step,"loss %.4f"%(tot/n),"avg",err(avg),"sec %.0f"%(time.time()-t0),flush=True); tot=n=0; last=time.time(); torch.save(avg.state_dict(),o.out+".part"); os.rename(o.out+".part",o.out)
print(step,"avg",err(avg),"raw",err(vae)); torch.save(avg.state_dict(),o.out)
