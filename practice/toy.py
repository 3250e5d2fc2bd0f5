"""toy.py out seconds [--codes dense|sub|pair] [--opt adamw|muon] [--batch N] [--lr] [--mlr]"""
import sys,time,random,copy,torch,argparse,resource; sys.path.insert(0,"."); torch.set_num_threads(1)
import data.recipe.unet as U; from data.recipe.unet import *
P=argparse.ArgumentParser(); A=P.add_argument; A("out"); A("seconds",type=float); A("--codes",default="dense"); A("--opt",default="adamw"); A("--batch",type=int,default=8); A("--lr",type=float,default=1e-3); A("--mlr",type=float,default=.02); A("--scale",type=float,default=4.); A("--beta2",type=float,default=.99); A("--pairs",type=int,default=0)
A("--table",default="/work/practice/runs/table3.pt"); A("--compile",action="store_true"); A("--cl",action="store_true"); A("--warm",type=int,default=100); A("--widths",default="64,128,128"); A("--init",default=""); A("--wd",type=float,default=.01); A("--gain",type=float,default=0.); A("--tgain",type=float,default=0.); A("--nopad",action="store_true"); A("--places",type=int,default=0); A("--styles",default=""); A("--evs",type=int,default=1); A("--coord",type=float,default=0.); A("--aux",type=float,default=0.); A("--ns",type=int,default=5)
o=P.parse_args(); lat,caps,allowed,S,Pl,M=torch.load(o.table,weights_only=False); al=build_scheduler().alphas_cumprod
S=S.float()
if o.codes!="dense":
    subs=list(emoji.subjects()); sty=list(emoji.BASE_STYLES); gr=list(emoji.GROUNDS); pl=list(wording.PLACES)
    n=(64 if o.codes=="sub" else 64+64*6)+6+11+len(pl)+1; H=-(-n//64)*64; 
    S2=torch.zeros(len(caps),24,H); P2=torch.zeros(len(caps),H); base=n-(6+11+len(pl)+1)
    for i,t in enumerate(caps):
        if not t: continue
        k=wording.read_prompt(t); cols=[subs.index(k.subject)]; st=sty.index(k.style) if k.style else 5
        cols.append(base+st); cols.append(base+6+(gr.index(k.ground) if k.ground else 10))
        w=[j for j,p in enumerate(pl) if wording.PLACES[p][0] in t or wording.PLACES[p][1] in t]; cols.append(base+17+(w[0] if w else len(pl)))
        if o.codes=="pair": cols.append(64+subs.index(k.subject)*6+st)
        for j,c in enumerate(cols): S2[i,23-j,c]=o.scale; P2[i,c]=o.scale
    S,Pl=S2,P2; M=torch.ones_like(M); U.HIDDEN=H
if o.nopad: M=torch.where(M>1,torch.tensor(-1.),M)  # pads ignored
torch.manual_seed(0); unet=build_unet(); lay_wire(unet)
@torch.no_grad()
def louder():
    g=torch.Generator().manual_seed(3); c=torch.randperm(len(caps),generator=g)[:64]; c=c[torch.randint(64,(64,),generator=g)]
    k=dict(encoder_attention_mask=M[c],added_cond_kwargs=dict(text_embeds=Pl[c],time_ids=torch.tensor([TIME_IDS]).repeat(64,1)))
    x=torch.randn(64,4,12,12,generator=g)
    run=lambda: unet(x,torch.full((64,),600),S[c].float(),**k)
    var=lambda y: y.flatten(1).sub(y.flatten(1).mean(0)).std().item()  # over captions
    out={}
    def grab(name):
        def h(m,a,r): out[name]=r
        return h
    if o.tgain:
        hs=[unet.add_embedding.register_forward_hook(grab("add"))]; run(); v=var(out["add"]); 
        unet.add_embedding.linear_2.weight.mul_(o.tgain/v); print("add_embedding varied by",v)
        [h.remove() for h in hs]
    if o.gain:
        unet.encoder_hid_proj.weight.mul_(3**.5)
        for n_,b in unet.named_modules():
            if n_.endswith("attn2"):
                for l in (b.to_q,b.to_k): l.weight.mul_(3**.5)
                cells={}
                hh=b.register_forward_hook(grab(n_)); par=unet.get_submodule(n_[:-6]); h2=par.norm2.register_forward_pre_hook(lambda m,a,n_=n_: out.__setitem__("in",a[0])); run(); hh.remove(); h2.remove()
                v=var(out[n_].mean(1)); r=out["in"].std().item(); f=o.gain*r/v
                b.to_v.weight.mul_(f**.5); b.to_out[0].weight.mul_(f**.5); print(n_,"text varied %.4f of %.3f"%(v,r))
louder()
if o.init: unet.load_state_dict(torch.load(o.init)['model'])
if o.cl: unet=unet.to(memory_format=torch.channels_last)
heads={}; seen={}
if o.aux:
    spots={"d1":(unet.down_blocks[1].attentions[0],128,2),"d2":(unet.down_blocks[2].attentions[0],128,4),"m":(unet.mid_block,128,4),"u0":(unet.up_blocks[0].attentions[-1],128,4),"u1":(unet.up_blocks[1].attentions[-1],128,2)}
    for n_,(mod,c,p) in spots.items():
        h=torch.nn.Sequential(torch.nn.GroupNorm(16,c),torch.nn.Conv2d(c,4*p*p,1)); torch.nn.init.zeros_(h[1].weight); heads[n_]=(h,p)
        def hook(m,a,r,n_=n_): seen[n_]=r[0] if isinstance(r,tuple) else r
        mod.register_forward_hook(hook)
cheads={}; cseen={}
if o.coord:
    import math
    spots={"d0":(unet.down_blocks[0].resnets[0],64,12),"d1":(unet.down_blocks[1].attentions[0],128,6),"d2":(unet.down_blocks[2].attentions[0],128,3),"m":(unet.mid_block.resnets[-1],128,3),"u0":(unet.up_blocks[0].attentions[-1],128,3),"u1a":(unet.up_blocks[1].attentions[0],128,6),"u1":(unet.up_blocks[1].attentions[1],128,6),"u2a":(unet.up_blocks[2].resnets[0],64,12),"u2":(unet.up_blocks[2].resnets[1],64,12)}
    def fourier(n):
        x=torch.arange(n).float(); f=[]
        for k in range(1,n//2+1): f+=[torch.cos(2*math.pi*k*(x+.5)/n/2*1.0),torch.sin(2*math.pi*k*x/n)] if k<n/2 else [torch.cos(math.pi*x)]
        f=torch.stack(f); return torch.cat([f[:,None,:].expand(-1,n,n),f[:,:,None].expand(-1,n,n)])
    for n_,(mod,c,sz) in spots.items():
        F_=fourier(sz); h=torch.nn.Sequential(torch.nn.GroupNorm(16,c),torch.nn.Conv2d(c,len(F_),1)); cheads[n_]=(h,F_)
        def chook(m,a,r,n_=n_): cseen[n_]=r[0] if isinstance(r,tuple) else r
        mod.register_forward_hook(chook)
avg=copy.deepcopy(unet).requires_grad_(False)
def newton(G):
    a,b,c=3.4445,-4.7750,2.0315; X=G/(G.norm(dim=(-2,-1),keepdim=True)+1e-7); T=X.shape[-2]>X.shape[-1]
    if T: X=X.mT
    for _ in range(o.ns): Y=X@X.mT; X=a*X+(b*Y+c*(Y@Y))@X
    return X.mT if T else X
class Muon:
    def __init__(s,ps): s.ps=ps; s.m=[torch.zeros_like(p) for p in ps]
    @torch.no_grad()
    def step(s,lr):
        torch._foreach_lerp_(s.m,[p.grad for p in s.ps],0.05)
        groups={}
        for p,m in zip(s.ps,s.m):
            g=p.grad.lerp(m,.95); groups.setdefault(g.flatten(1).shape,[]).append((p,g.flatten(1)))
        for sh,l in groups.items():
            X=newton(torch.stack([g for _,g in l])); k=max(1,sh[0]/sh[1])**.5
            for (p,_),x in zip(l,X): p.add_(x.view_as(p),alpha=-lr*k)
mats=[p for n,p in unet.named_parameters() if p.ndim>=2 and not n.startswith(("conv_in","conv_out"))] if o.opt=="muon" else []
ids={id(p) for p in mats}; rest=[p for p in unet.parameters() if id(p) not in ids]+[p for h,_ in [*heads.values(),*cheads.values()] for p in h.parameters()]
opt=torch.optim.AdamW(rest,lr=o.lr,weight_decay=o.wd,betas=(.9,o.beta2),fused=True); mu=Muon(mats)
net=torch.compile(unet) if o.compile else unet
use=list(range(1,len(caps)))
if o.places or o.styles:
    sc=torch.load("/work/practice/runs/scenes.pt",weights_only=False); order=[8,0,1,2,3,4,5,6,7,9,10,11,12]; keepp=[emoji.PLACES[i] for i in order[:o.places or 13]]; keeps=o.styles.split(",") if o.styles else list(emoji.BASE_STYLES)
    good=torch.tensor([(s.size,s.left,s.top) in keepp and s.style in keeps for s in sc]); allowed=[a[good[a]] for a in allowed]; use=[i for i in use if len(allowed[i])]; alln=good.nonzero().flatten(); print(len(use),len(alln))
if o.pairs:
    subs=list(emoji.subjects()); keep=set(subs[:o.pairs]); use=[i for i in use if wording.read_prompt(caps[i]).subject in keep]; alln=torch.cat([allowed[i] for i in use]).unique()
elif not (o.places or o.styles): alln=None
rng=random.Random(99); ecap=[rng.choice(use) for _ in range(48)]; ech=[int(rng.choice(allowed[c])) for c in ecap]; T=[1050,900,750,600,450,300]
@torch.no_grad()
def ev(m):
    g=torch.Generator().manual_seed(1); n=torch.randn(48,4,12,12,generator=g); res=[]
    for t in T:
        k=al[t]; x=lat[ech]; xt=k.sqrt()*x+(1-k).sqrt()*n; ex=torch.stack([expect_pictures(a,lat[allowed[c]],k) for a,c in zip(xt,ecap)])
        e=m(xt,torch.full((48,),t),S[ecap],encoder_attention_mask=M[ecap],added_cond_kwargs=dict(text_embeds=Pl[ecap],time_ids=torch.tensor([TIME_IDS]).repeat(48,1))).sample
        x0=(xt-(1-k).sqrt()*e)/k.sqrt(); res.append(float((x0-ex).square().mean((1,2,3)).sqrt().mean()))
    return " ".join("%.3f"%v for v in res)
cpu=lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
t0=None; step=0; L=[]; marks=[o.seconds*f for f in (.25,.5,.75,1)]; spent=0
while True:
    a=cpu()
    rng=random.Random(f"toy{step}"); torch.manual_seed(step+77); up=min(1,(step+1)/o.warm)
    texts=[0 if rng.random()<.1 else rng.choice(use) for _ in range(o.batch)]; ch=[int(rng.choice(allowed[t] if t or alln is None else alln)) for t in texts]
    loss=noise_loss(net,lat[ch],[lat[allowed[t]] if t else (lat if alln is None else lat[alln]) for t in texts],(S[texts],Pl[texts],M[texts]),draw_steps(o.batch,1100),al)
    if cheads:
        ct=[(h(cseen[n_])-F_).square().mean() for n_,(h,F_) in cheads.items()]; loss=loss+o.coord*sum(ct)/len(ct)
        if step%50==0: print('coord',' '.join('%s %.3f'%(n_,v) for n_,v in zip(cheads,ct)),flush=True)
    if heads:
        x0=U.last[0]; w=U.last[1]; tot=sum((w*(h(seen[n_])-torch.nn.functional.pixel_unshuffle(x0,p)).square().mean((1,2,3))).mean() for n_,(h,p) in heads.items())
        (loss+o.aux*tot/len(heads)).backward()
    else: loss.backward()
    torch.nn.utils.clip_grad_norm_(unet.parameters(),1.)
    for g in opt.param_groups: g["lr"]=o.lr*up
    opt.step(); 
    if mats: mu.step(o.mlr*up)
    opt.zero_grad(); unet.zero_grad(); L.append(loss.item())
    with torch.no_grad(): torch._foreach_lerp_(list(avg.parameters()),list(unet.parameters()),1-min(.998,(step+1)/(step+10)))
    step+=1
    if step>2: spent+=cpu()-a
    if step==3: print("first steps done",flush=True)
    if spent>=marks[0]:
        marks.pop(0); n=len(L)//5+1; print(o.out,"sec %.0f step %d loss %.4f avg %s | raw %s"%(spent,step,sum(L[-n:])/n,ev(avg),ev(unet)),flush=True)
        if not marks: break
torch.save(dict(model=unet.state_dict(),average=avg.state_dict(),step=step),f"/work/practice/runs/{o.out}.pt")
