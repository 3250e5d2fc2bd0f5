"""look.py runs/unet.pt vae.pt N cfg steps out.png: pictures of N prompts, their distance"""
import sys,torch,random,time; sys.path.insert(0,"."); torch.set_num_threads(1)
from data.recipe.unet import *; from data.recipe.text import build_text_encoder, read_captions; from data.recipe.vae import build_vae
from data.recipe.export import choose_prompts, DRAWN
from course_lib.pictures import nearness
from diffusers.pipelines.kolors import ChatGLMTokenizer
from PIL import Image
ck,vp,n,cfg,steps,out=sys.argv[1],sys.argv[2],int(sys.argv[3]),float(sys.argv[4]),int(sys.argv[5]),sys.argv[6]; key=sys.argv[7] if len(sys.argv)>7 else "average"
tok=ChatGLMTokenizer.from_pretrained("/work/main/data/tiny_kolors/tokenizer"); enc=build_text_encoder(tok); enc.load_state_dict(torch.load("/work/practice/text.pt")); enc.eval()
unet=build_unet(); unet.load_state_dict(torch.load(ck)[key]); unet.eval(); vae=build_vae(); vae.load_state_dict(torch.load(vp)); vae.eval()
f=float(open("/work/practice/runs/factor.txt").read())
p=choose_prompts(n,DRAWN); ids=torch.tensor([TIME_IDS])
with torch.no_grad():
    s,pl,m=read_captions(enc,tok,[t for _,t,_ in p]+[""]*n,"cpu"); s=s.float()
    sch=build_scheduler(); sch.set_timesteps(steps); x=torch.cat([torch.randn(1,4,12,12,generator=torch.Generator().manual_seed(i)) for i in range(n)])*sch.init_noise_sigma
    for t in sch.timesteps:
        y=sch.scale_model_input(x,t); e=unet(torch.cat([y,y]),t,s,encoder_attention_mask=m,added_cond_kwargs=dict(text_embeds=pl,time_ids=ids.repeat(2*n,1))).sample; a,b=e.chunk(2); x=sch.step(b+cfg*(a-b),t,x).prev_sample
    pics=vae.decode(x/f).sample.clamp(-1,1)
pil=[Image.fromarray(((q+1)*127.5).round().byte().permute(1,2,0).numpy()) for q in pics]
true=[]; rng=random.Random(5)
from dataclasses import replace
for _,_,k in p: true.append(emoji.compose(replace(emoji.random_scene(rng),subject=k.subject,style=k.style,ground=k.ground)))
from course_lib.pictures.classifier import to_tensor
with torch.no_grad(): d=vae.decode(vae.encode(to_tensor(true)).latent_dist.mean).sample.clamp(-1,1)
dec=[Image.fromarray(((q+1)*127.5).round().byte().permute(1,2,0).numpy()) for q in d]
r=nearness.measure_distance(pil,[(k.subject,k.style) for _,_,k in p],dec); print(r,r.value)
c=8; sheet=Image.new("RGB",(c*196,-(-n//c)*98))
for i in range(n): sheet.paste(pil[i],(i%c*196,i//c*98)); sheet.paste(true[i],(i%c*196+96,i//c*98))
sheet.save(out)
