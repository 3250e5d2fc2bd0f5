import time,os
from datetime import datetime
a,b=datetime(2026,12,1,0,24).timestamp(),datetime(2026,12,1,0,59).timestamp()
while True:
    f=min(1,max(.03,(b-time.time())/(b-a)))
    open("/work/practice/rate.tmp","w").write("%.6f %.7f"%(.01*f,.001*f)); os.rename("/work/practice/rate.tmp","/work/practice/rate.txt"); time.sleep(20)
