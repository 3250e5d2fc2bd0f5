import sys,time,random,copy,json,torch,argparse; sys.path.insert(0,"."); torch.set_num_threads(1)
from data.recipe.unet import *; from data.recipe.common import save_checkpoint
P=argparse.ArgumentParser(); A=P.add_argument; A("--table"); A("--init",default=""); A("--out"); A("--lr",type=float,default=7e-4); A("--batch",type=int,default=8); A("--steps",type=int,default=10**6); A("--drop",type=float,default=.1); A("--opt",default="keep")
o=P.parse_args(); lat,caps,allowed,S,Pl,M=torch.load(o.table,weights_only=False); al=build_scheduler().alphas_cumprod
torch.manual_seed(0); unet=build_unet(); lay_wire(unet); opt=torch.optim.AdamW(unet.parameters(),lr=o.lr,weight_decay=.01,betas=(.9,.99),fused=True); avg=copy.deepcopy(unet).requires_grad_(False); first=0
from pathlib import Path
out=Path(o.out); out.mkdir(exist_ok=True); src=out/"unet.pt" if (out/"unet.pt").exists() else o.init
if src:
    c=torch.load(src); unet.load_state_dict(c["model"]); avg.load_state_dict(c["average"]); first=c["step"] if str(src)!=o.init else 0
    if o.opt=="keep": opt.load_state_dict(c["optimizer"])
rng=random.Random(99); ecap=[rng.randrange(1,len(caps)) for _ in range(48)]; ech=[int(rng.choice(allowed[c])) for c in ecap]; T=[1050,900,750,600,450,300]
@torch.no_grad()
def ev(m):
    g=torch.Generator().manual_seed(1); n=torch.randn(48,4,12,12,generator=g); res=[]
    for t in T:
        k=al[t]; x=lat[ech]; xt=k.sqrt()*x+(1-k).sqrt()*n; ex=torch.stack([expect_pictures(a,lat[allowed[c]],k) for a,c in zip(xt,ecap)])
        e=m(xt,torch.full((48,),t),S[ecap].float(),encoder_attention_mask=M[ecap],added_cond_kwargs=dict(text_embeds=Pl[ecap],time_ids=torch.tensor([TIME_IDS]).repeat(48,1))).sample
        x0=(xt-(1-k).sqrt()*e)/k.sqrt(); res.append(float((x0-ex).square().mean((1,2,3)).sqrt().mean()))
    return " ".join("%.3f"%v for v in res)
t0=time.time(); tot=n=0
for step in range(first,o.steps):
    for g in opt.param_groups: g["lr"]=o.lr*long_run(step,o.steps)
    rng=random.Random(f"{o.out}{step}"); torch.manual_seed(step+77)
    texts=[0 if rng.random()<o.drop else rng.randrange(1,len(caps)) for _ in range(o.batch)]; ch=[int(rng.choice(allowed[t])) for t in texts]
    loss=noise_loss(unet,lat[ch],[lat[allowed[t]] if t else lat for t in texts],(S[texts].float(),Pl[texts],M[texts]),draw_steps(o.batch,1100),al)
    opt.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(unet.parameters(),1.); opt.step(); tot+=loss.item(); n+=1
    with torch.no_grad(): torch._foreach_lerp_(list(avg.parameters()),list(unet.parameters()),1-min(.998,(step+1)/(step+10)))
    if (step+1)%100==0: print("step",step+1,"loss %.4f"%(tot/n),"seconds %.0f"%(time.time()-t0),flush=True); tot=n=0
    if (step+1)%500==0 or step+1==o.steps: print("   average x0 err",ev(avg),flush=True); save_checkpoint(out/"unet.pt",model=unet.state_dict(),average=avg.state_dict(),optimizer=opt.state_dict(),step=step+1)
