import sys,time; sys.path.insert(0,".")
from pathlib import Path
import shutil
from course_lib.messages import set_language; set_language("en")
from course_lib.model import load, measure_truth
from course_lib.dataset import write_style_set
from course_lib.training import fit, tiny_config
from course_lib.sampling import draw_batch
from course_lib.lora import load_lora, remove_lora, set_strength
from safetensors import safe_open
from safetensors.torch import save_file
W=Path("/work/practice/la"); shutil.rmtree(W,ignore_errors=True)
folder=write_style_set(W/"set",subjects=24,per_subject=4,validation=8,seed=5); pipe=load("tiny"); t=time.time()
r=fit(pipe,folder,tiny_config(steps_per_epoch=400,batch_size=8,learning_rate=4e-3,min_snr_gamma=5.0,random_flip=False,trigger_word="线稿"),output_path=W/"out",name="line_art"); print(time.time()-t, r.path)
with safe_open(r.path,"pt") as f: meta=f.metadata(); ten={k:f.get_tensor(k) for k in f.keys()}
print(meta, list(ten)[:3], next(iter(ten.values())).dtype)
