import torch, sys, shutil
from pathlib import Path
from diffusers import KolorsPipeline
from safetensors.torch import save_file
src, out = sys.argv[1], Path(sys.argv[2])
shutil.rmtree(out, ignore_errors=True); shutil.copytree("/tmp/w/out/tiny_kolors", out)
saved = torch.load(src, map_location="cpu", weights_only=True)
avg = saved["average"]; print(saved["step"])
pipe = KolorsPipeline.from_pretrained(str(out), local_files_only=True)
pipe.unet.load_state_dict({k[5:]: v for k, v in avg.items() if k.startswith("unet.")})
pipe.text_encoder.load_state_dict({k[13:]: v for k, v in avg.items() if k.startswith("text_encoder.")})
pipe.unet.half().save_pretrained(out/"unet"); pipe.text_encoder.save_pretrained(out/"text_encoder")
from course_lib.hub import write_manifest
write_manifest(out)
