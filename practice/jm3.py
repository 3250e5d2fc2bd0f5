"""Judge with Muon on prepared pictures: jm.py --init --out --seconds"""
import sys,time,random,torch,os; sys.path.insert(0,"."); torch.set_num_threads(1)
from pathlib import Path
from dataclasses import replace
import torch.nn.functional as F
from data.recipe import judge as J; from data.recipe.vae import build_vae; from data.recipe.muon import Muon
C="/work/practice/jprep.pt"
if not os.path.exists(C):
    t=time.time(); vae=build_vae(); vae.load_state_dict(torch.load("/work/practice/runs/dec1.pt")); vae.register_to_config(scaling_factor=0.4453341515958774); vae.eval().requires_grad_(False)
    rng=random.Random("jprep"); fs=J.draw_scenes(rng,8000); fp=torch.cat([J.to_bytes(J.compose_all(fs[s:s+100],rng)) for s in range(0,8000,100)]); print("fresh",time.time()-t,flush=True)
    ss=J.draw_scenes(rng,2500); sp=torch.cat([J.to_bytes(J.see_through(vae,J.compose_all(ss[s:s+100],rng),J.LATENT_NOISE,"cpu")) for s in range(0,2500,100)]); print("soft",time.time()-t,flush=True)
    torch.save((fp,J.label(fs),sp,J.label(ss)),C)
fp,fl,sp,sl=torch.load(C)
drawn,dl,dist=J.read_examples(Path("/work/practice/jg")); n=len(drawn)
sty=torch.load("/work/practice/jg/examples.pt")["labels"][1]; keep=((sty==0)|(sty==1)|(sty==5))&(dist>-.3); dl[:2,~keep]=-1; dist=torch.where(keep,dist,torch.nan); print("kept",int(keep.sum()),"of",n)
torch.manual_seed(0); net=J.JudgeNet(); net.load_state_dict(torch.load("/work/practice/judge96/net.pt"))
mats=[p for k,p in net.body.named_parameters() if p.ndim==4 and p.shape[1]>3]; ids={id(p) for p in mats}; rest=[p for p in net.parameters() if id(p) not in ids]
mu=Muon(mats); opt=torch.optim.AdamW(rest,lr=2e-3,weight_decay=.02); N=int(sys.argv[1]); R=float(sys.argv[2]); t0=time.time(); tot=[0,0,0]
none=torch.tensor([64,-1,-1])[:,None]
def test():
    net.eval(); out=[]
    with torch.no_grad():
        for x,l in ((fp[-500:],fl[:,-500:]),(sp[-300:],sl[:,-300:])):
            lo=[torch.cat(z) for z in zip(*[net(J.from_bytes(b)) for b in x.split(100)])]; out.append(" ".join("%.3f"%float((a.argmax(1)==y).float().mean()) for a,y in zip(lo,l)))
        k=n//5; lo=torch.cat([net(J.from_bytes(b))[0] for b in drawn[:k].split(100)]).argmax(1); import torch as T
        y=T.load("/work/practice/jg/examples.pt")["labels"][0,:k]; d=dist[:k]
        for a,b in ((-9,.2),(.2,.5),(.5,9)): m=(d>a)&(d<=b); out.append("%g-%g right %.3f none %.3f"%(a,b,(lo[m]==y[m]).float().mean(),(lo[m]==64).float().mean()))
    net.train(); return " | ".join(out)
print(test(),flush=True)
for step in range(N):
    rng=random.Random(f"jm {step}"); torch.manual_seed(step); f=min(1,(step+1)/30)*min(1,(N-step)/(N*.5))
    a=torch.randint(len(fp)-500,(24,)); b=torch.randint(len(fp)-500,(10,)); c=torch.randint(len(sp)-300,(14,)); e=torch.randint(n//5,n,(16,))
    fresh=J.from_bytes(fp[a]); fresh=torch.where(torch.rand(24,1,1,1)<.3,J.F.interpolate(F.interpolate(fresh,(64,64),mode="area"),(96,96),mode="bilinear"),fresh)
    x=torch.cat([fresh,J.spoil(J.from_bytes(fp[b]),rng),J.from_bytes(sp[c]),J.from_bytes(drawn[e])]); y=torch.cat([fl[:,a],none.expand(3,10),sl[:,c],dl[:,e]],1)
    losses=[F.cross_entropy(lo,w,label_smoothing=.05,ignore_index=-1) for lo,w in zip(net(J.blur(x,rng)),y)]
    net.zero_grad(); sum(losses).backward()
    for g in opt.param_groups: g["lr"]=2e-3*f
    opt.step(); mu.step(R*f)
    for i in range(3): tot[i]+=losses[i].item()
    if (step+1)%100==0: print(step+1,["%.3f"%(v/100) for v in tot],"sec %.0f"%(time.time()-t0), test() if (step+1)%300==0 or step+1==N else "",flush=True); tot=[0,0,0]; torch.save(net.state_dict(),"/work/practice/judge96/net2.pt")
