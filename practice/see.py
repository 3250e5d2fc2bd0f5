"""see.py state.pt N cfg steps out.png [vae.pt]: pictures of N prompts (cartoon and flat) beside true ones, and their distance"""
import sys,torch,random,time; sys.path.insert(0,"."); torch.set_num_threads(1)
from data.recipe.unet import *; from data.recipe.text import build_text_encoder, read_captions; from data.recipe.vae import build_vae
from data.recipe.prompts import choose_prompts
from course_lib.pictures import nearness
from data.recipe.examples import draw_latents, to_image
from data.recipe.sprites import compose_tensors
from dataclasses import replace
from diffusers.pipelines.kolors import ChatGLMTokenizer
from PIL import Image
ck,n,cfg,steps,out=sys.argv[1],int(sys.argv[2]),float(sys.argv[3]),int(sys.argv[4]),sys.argv[5]; vp=sys.argv[6] if len(sys.argv)>6 else "/work/practice/vae4.pt"; sty=sys.argv[7].split(",") if len(sys.argv)>7 else ["noto","flat"]
tok=ChatGLMTokenizer.from_pretrained("/work/main/data/tiny_kolors/tokenizer"); enc=build_text_encoder(tok); enc.load_state_dict(torch.load("/work/practice/text.pt")); enc.eval()
c=torch.load(ck); c=c.get("average",c); unet=build_unet(); unet.load_state_dict({k:v.float() for k,v in c.items()}); unet.eval(); vae=build_vae(); vae.load_state_dict(torch.load(vp)); vae.eval()
f=0.4453341515958774
p=choose_prompts(n,tuple(sty)); rng=random.Random(5)
with torch.no_grad():
    t=time.time(); x=draw_latents(unet,read_captions(enc,tok,[*(q for _,q,_ in p),""],"cpu"),cfg,steps,torch.Generator().manual_seed(0))/f; pics=vae.decode(x).sample; t=time.time()-t
    true=compose_tensors([replace(emoji.random_scene(rng),subject=k.subject,style=k.style,ground=k.ground) for _,_,k in p],random.Random(1)); d=vae.decode(vae.encode(true).latent_dist.mean).sample
pil=[to_image(q) for q in pics]; r=nearness.measure_distance(pil,[(k.subject,k.style) for _,_,k in p],[to_image(q) for q in d]); print(ck,r,"distance %.3f"%r.value,"drawn in %.1f s"%t)
c=8; sheet=Image.new("RGB",(c*196,-(-n//c)*98))
for i in range(n): sheet.paste(pil[i],(i%c*196,i//c*98)); sheet.paste(to_image(true[i]),(i%c*196+96,i//c*98))
sheet.save(out)
