import random, collections
from course_lib import emoji
from course_lib.generate import draw_batch
from course_lib.judge import judge
from course_lib.pipeline import load
from data.recipe.export import write_prompt
pipe = load("tiny"); rng = random.Random("7 prompts")
for styles, count in ((("noto","flat"), 100), (("lines","mono","block"), 60)):
    rows=[]
    for i in range(count):
        n = (rng.choice(list(emoji.subjects())), rng.choice(styles), rng.choice(list(emoji.GROUNDS)))
        rows.append((n, write_prompt(*n, ("zh","en")[i%2], rng)))
    pics=[]
    for s in range(0,count,50): pics += draw_batch(pipe,[p for _,p in rows[s:s+50]],seeds=range(s,min(s+50,count)),steps=25)
    v=judge(pics)
    c=collections.Counter((n[1],x.style) for (n,_),x in zip(rows,v)); print(c)
    print(styles, "subject", sum(n[0]==x.subject for (n,_),x in zip(rows,v))/count, "style", sum(n[1]==x.style for (n,_),x in zip(rows,v))/count, flush=True)
    print([ (n[0],n[1],x.style) for (n,_),x in zip(rows,v) if n[1]!=x.style])
