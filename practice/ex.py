"""ex.py OUTDIR EACH SEED VAE UNET...: examples for the judge."""
import sys,torch; sys.path.insert(0,"."); torch.set_num_threads(1)
from pathlib import Path
from data.recipe import examples as E
from data.recipe.unet import build_unet; from data.recipe.text import build_text_encoder; from data.recipe.vae import build_vae
from diffusers.pipelines.kolors import ChatGLMTokenizer
out=Path(sys.argv[1]); out.mkdir(exist_ok=True)
tok=ChatGLMTokenizer.from_pretrained("/work/main/data/tiny_kolors/tokenizer"); enc=build_text_encoder(tok); enc.load_state_dict(torch.load("/work/practice/text.pt")); enc.eval()
vae=build_vae(); vae.load_state_dict(torch.load(sys.argv[4])); vae.register_to_config(scaling_factor=0.4453341515958774); vae.eval()
us=[]
for f in sys.argv[5:]:
    c=torch.load(f); c=c.get("average",c); u=build_unet(); u.load_state_dict({k:v.float() for k,v in c.items()}); us.append(u.eval())
E.draw_examples(vae,enc,tok,us,out,int(sys.argv[3]),int(sys.argv[2]))
c=torch.load(out/"examples.pt"); d=c["distances"]; print(len(d),[round(float((d<=x).float().mean()),3) for x in (.2,.3,.5)],float(d.mean()))
