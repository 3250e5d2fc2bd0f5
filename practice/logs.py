import re,json
rows={}; off=0
for f in ("m2","m3"):
    last=0
    for l in open(f"/work/practice/{f}.log"):
        m=re.match(r"step (\d+) loss ([\d.]+) seconds (\d+)",l)
        if m and int(m[1])%100==0: rows[int(m[1])]=dict(step=int(m[1]),loss=float(m[2]),seconds=off+int(m[3]))
        if m: last=int(m[3])
    off+=last
import os
os.makedirs("/work/practice/final",exist_ok=True)
open("/work/practice/final/unet.jsonl","w").write("".join(json.dumps(rows[k])+"\n" for k in sorted(rows)))
print(len(rows),rows[max(rows)])
