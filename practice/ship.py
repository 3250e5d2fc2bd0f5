"""ship.py UNET VAE: write data/tiny_kolors of the worktree from these."""
import sys,torch; sys.path.insert(0,"."); torch.set_num_threads(1)
from pathlib import Path
from data.recipe.unet import build_unet; from data.recipe.text import build_text_encoder; from data.recipe.vae import build_vae
from data.recipe.export import export_model; from course_lib.hub.manifest import write_manifest
from diffusers.pipelines.kolors import ChatGLMTokenizer
tok=ChatGLMTokenizer.from_pretrained("/work/main/data/tiny_kolors/tokenizer"); enc=build_text_encoder(tok); enc.load_state_dict(torch.load("/work/practice/text.pt"))
c=torch.load(sys.argv[1]); c=c.get("average",c); unet=build_unet(); unet.load_state_dict({k:v.float() for k,v in c.items()}); vae=build_vae(); vae.load_state_dict(torch.load(sys.argv[2])); vae.register_to_config(scaling_factor=0.4453341515958774)
out=Path("data/tiny_kolors"); export_model(vae,tok,enc,unet,out); write_manifest(out)
