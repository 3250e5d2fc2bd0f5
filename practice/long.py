"""Long run of the UNet with Muon for matrices: long2.py --out DIR [--init ckpt] --batch 32; resumes from DIR/unet.pt."""
import sys,time,random,copy,torch,argparse; sys.path.insert(0,"."); torch.set_num_threads(1)
from data.recipe.unet import *; from data.recipe.common import save_checkpoint
import torch.distributed as dist
import os
P=argparse.ArgumentParser(); A=P.add_argument; A("--table",default="/work/practice/runs/table3.pt"); A("--init",default=""); A("--out"); A("--lr",type=float,default=1e-3); A("--mlr",type=float,default=.01); A("--batch",type=int,default=32); A("--steps",type=int,default=10**6); A("--drop",type=float,default=.1); A("--ema",type=float,default=.998); A("--stop",type=int,default=10**9); A("--rank",type=int,default=0); A("--world",type=int,default=1); A("--end",type=int,default=0)
o=P.parse_args(); lat,caps,allowed,S,Pl,M=torch.load(o.table,weights_only=False); al=build_scheduler().alphas_cumprod
if o.world>1:
    os.environ.update(MASTER_ADDR="127.0.0.1",MASTER_PORT="29577"); dist.init_process_group("gloo",rank=o.rank,world_size=o.world)
torch.manual_seed(0); unet=build_unet(); lay_wire(unet)
def polar(G,n=5):
    a,b,c=3.4445,-4.7750,2.0315; X=G/(G.norm(dim=(-2,-1),keepdim=True)+1e-7); A=X@X.mT; I=torch.eye(A.shape[-1]); Pm=None
    for _ in range(n): Q=a*I+b*A+c*(A@A); A=Q@A@Q; Pm=Q if Pm is None else Q@Pm
    return Pm@X
class Muon:
    def __init__(s,ps): s.ps=ps; s.m=[torch.zeros_like(p) for p in ps]
    @torch.no_grad()
    def step(s,lr):
        torch._foreach_lerp_(s.m,[p.grad for p in s.ps],0.05); groups={}
        for p,m in zip(s.ps,s.m):
            g=p.grad.lerp(m,.95).flatten(1); t=g.shape[0]>g.shape[1]; groups.setdefault((t,*g.shape),[]).append((p,g.mT if t else g))
        for (t,r,c),l in groups.items():
            X=polar(torch.stack([g for _,g in l])); k=max(1,r/c)**.5
            for (p,_),x in zip(l,X): p.add_((x.mT if t else x).reshape(p.shape),alpha=-lr*k)
mats=[p for n,p in unet.named_parameters() if p.ndim>=2 and not n.startswith(("conv_in","conv_out","time_","add_")) and "time_emb" not in n]
ids={id(p) for p in mats}; rest=[p for p in unet.parameters() if id(p) not in ids]
opt=torch.optim.AdamW(rest,lr=o.lr,weight_decay=.01,betas=(.9,.99),fused=True); mu=Muon(mats)
avg=copy.deepcopy(unet).requires_grad_(False); first=0
from pathlib import Path
out=Path(o.out); out.mkdir(exist_ok=True)
if (out/"unet.pt").exists():
    c=torch.load(out/"unet.pt"); unet.load_state_dict(c["model"]); avg.load_state_dict(c["average"]); first=c["step"]; (opt.load_state_dict(c["optimizer"]) if len(c["muon"])==len(mats) else None); mu.m=c["muon"] if len(c["muon"])==len(mu.m) else mu.m
elif o.init:
    c=torch.load(o.init); unet.load_state_dict(c["model"]); avg.load_state_dict(c["average"])
def steps_of(count):
    """Half of the pictures where shapes are decided."""
    u=(torch.arange(count)+torch.rand(count))/count
    t=torch.where(u<.12,u/.12*300,torch.where(u<.88,300+(u-.12)/.76*600,900+(u-.88)/.12*200))
    return t.long().clamp(max=1099)[torch.randperm(count)]
rng=random.Random(99); ecap=[rng.randrange(1,len(caps)) for _ in range(48)]; ech=[int(rng.choice(allowed[c])) for c in ecap]; T=[1050,900,750,600,450,300]
@torch.no_grad()
def ev(m):
    g=torch.Generator().manual_seed(1); n=torch.randn(48,4,12,12,generator=g); res=[]
    for t in T:
        k=al[t]; x=lat[ech]; xt=k.sqrt()*x+(1-k).sqrt()*n; ex=torch.stack([expect_pictures(a,lat[allowed[c]],k) for a,c in zip(xt,ecap)])
        e=m(xt,torch.full((48,),t),S[ecap].float(),encoder_attention_mask=M[ecap],added_cond_kwargs=dict(text_embeds=Pl[ecap],time_ids=torch.tensor([TIME_IDS]).repeat(48,1))).sample
        x0=(xt-(1-k).sqrt()*e)/k.sqrt(); res.append(float((x0-ex).square().mean((1,2,3)).sqrt().mean()))
    return " ".join("%.3f"%v for v in res)
t0=time.time(); tot=n=0; ps=list(unet.parameters())
import resource
rates=lambda: [float(v) for v in open("/work/practice/rate.txt").read().split()]  # mlr, lr factor may be changed on the way
for step in range(first,min(o.steps,o.stop)):
    f=long_run(step,o.steps,warm_up=20); m_=rates()
    for g in opt.param_groups: g["lr"]=m_[1]*f
    rng=random.Random(f"{o.out}{step}{o.rank}"); torch.manual_seed(step+77+100003*o.rank)
    texts=[0 if rng.random()<o.drop else rng.randrange(1,len(caps)) for _ in range(o.batch)]; ch=[int(rng.choice(allowed[t])) for t in texts]
    loss=noise_loss(unet,lat[ch],[lat[allowed[t]] if t else lat for t in texts],(S[texts].float(),Pl[texts],M[texts]),steps_of(o.batch),al)
    opt.zero_grad(); unet.zero_grad(); loss.backward()
    if o.world>1:
        flat=torch.cat([p.grad.flatten() for p in ps]); dist.all_reduce(flat); flat/=o.world; i=0
        for p in ps: p.grad.copy_(flat[i:i+p.numel()].view_as(p)); i+=p.numel()
    torch.nn.utils.clip_grad_norm_(unet.parameters(),1.); opt.step(); mu.step(m_[0]*f); tot+=loss.item(); n+=1
    with torch.no_grad(): torch._foreach_lerp_(list(avg.parameters()),list(unet.parameters()),1-min(o.ema,(step+1)/(step+10)))
    if o.world>1 and (step+1)%20==0:
        with torch.no_grad(): flat=torch.cat([p.flatten() for p in ps]); dist.broadcast(flat,0); i=0
        for p in ps: p.data.copy_(flat[i:i+p.numel()].view_as(p)); i+=p.numel()
    if o.rank: continue
    if (step+1)%25==0: print("step",step+1,"loss %.4f"%(tot/n),"seconds %.0f cpu %.0f"%(time.time()-t0,sum(resource.getrusage(0)[:2])),flush=True); tot=n=0
    if (step+1)%100==0 or step+1==o.steps: print("   average x0 err",ev(avg),"| raw",ev(unet),flush=True); save_checkpoint(out/"unet.pt",model=unet.state_dict(),average=avg.state_dict(),optimizer=opt.state_dict(),muon=mu.m,step=step+1)
