import torch,time,os
last=0
while True:
    try:
        p="/work/practice/m3/unet.pt"
        if os.path.exists(p) and os.path.getmtime(p)!=last and time.time()-os.path.getmtime(p)>3:
            last=os.path.getmtime(p); c=torch.load(p,map_location="cpu",mmap=True); s=c["step"]
            if s%400==0: torch.save({k:v.half() for k,v in c["average"].items()},f"/work/practice/runs/avg_{s}.pt")
            torch.save({k:v.half() for k,v in c["average"].items()},"/work/practice/runs/now.pt")
    except Exception as e: print(e)
    time.sleep(30)
