import sys,torch,pickle; sys.path.insert(0,"."); torch.set_num_threads(1)
from data.recipe import export as X
from course_lib.model import load
from course_lib.pictures import emoji
pipe=load("tiny"); pipe.set_progress_bar_config(disable=True)
drawn=X.choose_prompts(X.COUNT,X.DRAWN); jobs={"cfg 5":(drawn,5.0),"kept pairs":(X.choose_kept(),5.0),"five styles":(X.choose_prompts(X.COUNT,emoji.BASE_STYLES),5.0),"cfg 1":(drawn,1.0)}
out={}
for k,(ps,cfg) in jobs.items():
    pics=[]
    for s in range(0,len(ps),X.SCORED_BATCH):
        part=[p for _,p,_ in ps[s:s+X.SCORED_BATCH]]; pics+=X.draw_batch(pipe,part,seeds=range(s,s+len(part)),steps=25,cfg=cfg)
    d=X.measure_drawn(pipe.vae,pics,[n for _,_,n in ps]); near=[X.name_nearest(p) for p in pics] if k=="kept pairs" else None
    out[k]=(pics,d,near); print(k,d,"%.4f"%d.value, None if not near else sum(s==n.subject and st in X.same_styles(n.subject,n.style) for (s,st),(_,_,n) in zip(near,ps))/len(ps),flush=True)
    pickle.dump(out,open("/work/practice/final/predrawn.pkl","wb"))
