import sys; who=sys.argv[1]
sys.argv=["x","/tmp/w/base7200","/work/main/data/judge","ev_"+who,'{"skip":1}']
src=open('/tmp/w/exp.py').read().split("b = examine(")[0]
src=src.replace('changes = json.loads(sys.argv[4])','changes = {}')
exec(src)
from course_lib.lora import load_lora, set_strength
load_lora(pipe.unet, f"/tmp/w/exp/{who}/lora/lora.safetensors", name="l")
for strength in (1.0,):
    set_strength(pipe.unet, strength)
    for cfg in (2.0, 4.0, 3.0):
        n=[examine(new,cfg,seed=s) for s in (0,100,200)]
        k=examine(known,cfg)
        print(who, strength, cfg, "new", " ".join("%.3f/%.3f"%x[:2] for x in n), "mean %.3f %.3f"%(sum(x[0] for x in n)/3, sum(x[1] for x in n)/3), "known %.3f %.3f"%k[:2], flush=True)
