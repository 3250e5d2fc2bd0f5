"""MODEL JUDGE NAME 'json changes' -> trains line art on 24, measures the 24 and the 40 others."""
import json, sys, time, random
from pathlib import Path
import torch
torch.set_num_threads(int(__import__("os").environ.get("T","1")))
from course_lib import judge as J
J.WEIGHTS = Path(sys.argv[2]) / "judge.safetensors"
from diffusers import KolorsPipeline
from course_lib import emoji
from course_lib.generate import draw_batch
from course_lib.judge import judge
from course_lib.measure import two_tone
from course_lib.style_sets import write_style_set
from course_lib.train import train
from course_lib.train_config import ATTENTION, tiny_config
from course_lib.train_rows import read_rows
from course_lib.lora import remove_lora, set_strength
from course_lib.pipeline import load
from PIL import Image
import course_lib.hub as hub
pipe = KolorsPipeline.from_pretrained(sys.argv[1], local_files_only=True); pipe.set_progress_bar_config(disable=True)
from course_lib.loading import open_folder
pipe = load("tiny") if sys.argv[1]=="tiny" else open_folder(Path(sys.argv[1]), __import__("course_lib.plan",fromlist=["plan"]).plan("draw","tiny"))
name = sys.argv[3]; changes = json.loads(sys.argv[4]); setargs = json.loads(sys.argv[5]) if len(sys.argv)>5 else {}
work = Path("/tmp/w/exp")/name
folder = write_style_set(work/"set", style="lineart", **{"subjects":24, "validation":8, "seed":5, **setargs})
rows = read_rows(folder/"train")
EVERY = (*ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2")
if changes.get("targets")=="every": changes["targets"]=EVERY
if changes.get("targets")=="attention": changes["targets"]=ATTENTION
if changes.pop("names",None): changes["carry_names"]=tuple(w for row in emoji.subjects().values() for w in (*row["zh"],*row["en"]))
ps = changes.pop("prior_styles", None)
if ps:
    named = {emoji.read_prompt(r.caption).subject for r in rows}
    others = [x for x in emoji.subjects() if x not in named]
    changes["prior_prompts"] = tuple(f"一{emoji.subjects()[x]['measure']}{emoji.subjects()[x]['zh'][0]}，{st}，{list(emoji.GROUNDS.values())[i%10][0][0]}背景" for st in ps for i,x in enumerate(others))
    changes["prior_pictures"] = len(changes["prior_prompts"])
    changes.setdefault("prior_weight", 1.0)
recipe = tiny_config(**{**dict(lora_rank=16, lora_alpha=16.0, targets=EVERY, learning_rate=2e-3, batch_size=16, steps_per_epoch=200, min_snr_gamma=5.0, random_flip=False, caption_dropout=0.0, trigger_word="线稿"), **changes})
grounds = list(emoji.GROUNDS)
seen = {}
for row in rows:
    n = emoji.read_prompt(row.caption); seen.setdefault(n.subject,set()).add(n.ground)
known = sorted(seen); new = [s for s in emoji.subjects() if s not in seen]
def word(subject, number, style="线稿"):
    g = next(g for g in [grounds[(number*3+t)%10] for t in range(10)] if g not in seen.get(subject,()))
    r = emoji.subjects()[subject]
    return f"一{r['measure']}{r['zh'][0]}，{style}，{emoji.GROUNDS[g][0][0]}背景"
def examine(names, cfg, style="线稿", wanted="lineart", seed=0):
    pics = draw_batch(pipe, [word(n,i,style) for i,n in enumerate(names)], seeds=range(seed,seed+len(names)), steps=20, cfg=cfg)
    v = judge(pics)
    return (sum(x.style==wanted for x in v)/len(v), sum(x.subject==n for x,n in zip(v,names))/len(v), sum(two_tone(p)>0.9 for p in pics)/len(v), pics, [ (n,x.subject,x.style) for x,n in zip(v,names)])
def sheet(pics, path):
    s = Image.new("RGB",(10*66, -(-len(pics)//10)*66),"white")
    for i,p in enumerate(pics): s.paste(p,(i%10*66,i//10*66))
    s.resize((s.width*2,s.height*2),0).save(path)
b = examine(known+new, 3.0)
print("BASE line art %.3f subject %.3f" % b[:2], [x for x in b[4] if x[2]=="lineart"], flush=True); sheet(b[3], work/"base.png")
if not changes.get("skip"):
    t=time.time(); recs=list(train(pipe, folder, recipe, output_path=work/"lora", say=lambda w:None)); print("train %.0f s, loss %.4f"%(time.time()-t, sum(r.error for r in recs[-20:])/20), flush=True)
    for cfg in (3.0,):
        k=examine(known,cfg); n=examine(new,cfg); n2=examine(new,cfg,seed=100); n3=examine(new,cfg,seed=200)
        print(name, "cfg",cfg,"known %.3f %.3f %.2f"%k[:3],"new %.3f %.3f %.2f"%n[:3],"again %.3f %.3f"%n2[:2],"%.3f %.3f"%n3[:2], flush=True)
        sheet(n[3], work/f"new{cfg:g}.png")
        print([x for x in n[4] if x[0]!=x[1] or x[2]!="lineart"])
    c=examine(new,5.0,"卡通风格","noto"); print("forget cartoons %.3f %.3f"%c[:2])
