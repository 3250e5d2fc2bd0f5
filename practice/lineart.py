from dataclasses import replace
from pathlib import Path
from safetensors import safe_open
from course_lib.pipeline import load
from course_lib.style_sets import write_style_set
from course_lib.train import fit
from course_lib.train_config import tiny_config
from course_lib.lora_files import read_lora
from course_lib.lora_convert import write_lora
from course_lib.lora_keys import list_layers
out = Path("/tmp/w/lineart"); pipe = load("tiny")
folder = write_style_set(out/"set", subjects=24, per_subject=4, validation=8, seed=5)
r = fit(pipe, folder, tiny_config(steps_per_epoch=300, min_snr_gamma=5.0, trigger_word="线稿"), name="line_art", output_path=out/"lora")
print(r)
with safe_open(r.path, framework="pt") as f: meta = f.metadata()
print({k: v[:80] for k, v in meta.items()})
file = read_lora(r.path)
layers = {n: replace(m, up=m.up*4, alpha=4.0) for n, m in file.layers.items()}
head = {k: meta[k] for k in ("base_model","trigger_word","settings","summary") if k in meta}
from course_lib.lora import remove_lora
remove_lora(pipe.unet)
write_lora(out/"line_art.safetensors", "diffusers", layers, list_layers(pipe.unet), head)
with safe_open(out/"line_art.safetensors", framework="pt") as f: print({k: v[:60] for k, v in f.metadata().items()})
with safe_open("/work/main/data/lora/line_art.safetensors", framework="pt") as f: print("OLD", {k: v[:60] for k, v in f.metadata().items()})
