"""lora.py NAME key=value...: lesson 4's recipe with changes; prints style, subject, two-tone, distance for known and new, seconds."""
import sys,time,shutil; sys.path.insert(0,".")
from pathlib import Path
from course_lib.dataset import write_style_set
from course_lib.pictures import GROUNDS, judge, read_prompt, subjects, two_tone
from course_lib.training import ATTENTION, read_rows, tiny_config, train
from course_lib.model import load, measure_truth
from course_lib.sampling import draw_batch
from course_lib.messages import set_language; set_language("en")
WORK=Path("/work/practice/lora")/sys.argv[1]; shutil.rmtree(WORK,ignore_errors=True); WORK.mkdir(parents=True)
folder=write_style_set(WORK/"lineart",style="lineart",subjects=24,validation=8,seed=5); rows=read_rows(folder/"train"); grounds=list(GROUNDS); seen_on={}
for named in (read_prompt(r.caption) for r in rows): seen_on.setdefault(named.subject,set()).add(named.ground)
known=sorted(seen_on); new=[n for n in subjects() if n not in seen_on]
def word(s,n,style="线稿"):
    t=[grounds[(n*3+k)%10] for k in range(10)]; g=next(x for x in t if x not in seen_on.get(s,())); return f"一{subjects()[s]['measure']}{subjects()[s]['zh'][0]}，{style}，{GROUNDS[g][0][0]}背景"
pipe=load("tiny"); E=(*ATTENTION,"proj_in","proj_out","ff.net.0.proj","ff.net.2","conv1","conv2")
kw=dict(lora_rank=16,lora_alpha=16.0,targets=E,learning_rate=2e-3,batch_size=16,steps_per_epoch=240,min_snr_gamma=5.0,rank_dropout=.3,random_flip=False,caption_dropout=.2,trigger_word="线稿")
cfg=7.0
for a in sys.argv[2:]:
    k,v=a.split("=")
    if k=="cfg": cfg=float(v)
    else: kw[k]=eval(v)
t=time.time(); last=None
for last in train(pipe,folder,tiny_config(**kw),output_path=WORK/"out",say=lambda w:None): pass
t=time.time()-t
def safe(pics):
    from types import SimpleNamespace as N
    try: return judge(pics)
    except Exception: return [N(style='?',subject='?')]*len(pics)
def exam(names,tag):
    ps=[word(n,i) for i,n in enumerate(names)]; pics=draw_batch(pipe,ps,seeds=range(len(ps)),steps=20,cfg=cfg); v=safe(pics)
    print(sys.argv[1],tag,"lineart %.2f subject %.2f twotone %.2f distance %.3f"%(sum(x.style=="lineart" for x in v)/len(v),sum(x.subject==n for x,n in zip(v,names))/len(v),sum(two_tone(p)>.9 for p in pics)/len(v),measure_truth(pipe,pics,ps).value),flush=True)
    return pics
a=exam(known,"known"); b=exam(new,"new"); print("seconds %.0f"%t, last.error if last else "")
from course_lib.pictures import Picture, show_sheet
show_sheet([Picture(p,n) for p,n in zip(b,new)],8).image.save(f"/work/practice/lora/{sys.argv[1]}.png")
