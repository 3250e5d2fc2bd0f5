import sys,torch,time; sys.path.insert(0,"."); torch.set_num_threads(2)
from safetensors.torch import load_file
from data.recipe.unet import *; from data.recipe.vae import build_vae; from data.recipe.text import build_text_encoder
from diffusers.pipelines.kolors import ChatGLMTokenizer
tok=ChatGLMTokenizer.from_pretrained("/work/main/data/tiny_kolors/tokenizer")
enc=build_text_encoder(tok); print(enc.load_state_dict({k:v.float() for k,v in load_file("practice/text_encoder.safetensors").items()},strict=False)); enc.eval()
vae=build_vae(); vae.load_state_dict({k:v.float() for k,v in load_file("practice/vae.safetensors").items()}); vae.eval()
torch.save(enc.state_dict(),"/work/practice/text.pt"); torch.save(vae.state_dict(),"/work/practice/vae4.pt")
f=0.4453341515958774; open("/work/practice/runs/factor.txt","w").write(str(f)); vae.register_to_config(scaling_factor=f)
sc=list_scenes(0); print(len(sc)); t=time.time(); lat=make_latents(vae,sc,"cpu",0); print(lat.std(),time.time()-t)
caps,allowed=word_scenes(sc,0); print(len(caps)); S,P,M=read_captions(enc,tok,caps,"cpu")
torch.save((lat,caps,allowed,S,P,M),"/work/practice/runs/table3.pt"); import pickle; torch.save(sc,"/work/practice/runs/scenes.pt"); print(time.time()-t,S.shape,P.shape)
