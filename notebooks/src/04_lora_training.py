# %% [markdown] lang="zh"
# # 第 4 课　LoRA 训练：两分钟教会小可图一种新画风
#
# 夏令营第二部分的任务是训练一个 **LoRA**：不动原来的模型，只在旁边加一点点参数，教它一种新画风。营里的笔记说：LoRA 参数少、省显存、训练快、
# 文件小，还能保留模型原来的本事；又列了一张参数表：rank 16、alpha 4.0、学习率 1e-4、500 步……
#
# 这一课在小可图上真的训练一遍，再把参数表里的每一项拿来试，把每句话变成数：哪些成立，到哪里就不成立了。最后把同样的几格代码搬到完整的 Kolors 上。
# %% [markdown] lang="en"
# # Lesson 4　Training a LoRA: a new style for Tiny Kolors in two minutes
#
# The second part of the camp trains a **LoRA**: the model stays as it is, and a few parameters beside it learn a new style. The camp's notes say that
# LoRA has few parameters, saves memory, is fast, gives small files and keeps what the model could do before; and they list parameters: rank 16, alpha 4.0,
# a learning rate of 1e-4, 500 steps ...
#
# This lesson really trains one on Tiny Kolors, then tries every line of that table and turns each sentence into a number: which hold, and where they stop
# to hold. At the end the same few cells go to the full Kolors.
# %% lang="zh"
from course_lib.messages import language, set_language

set_language("zh")
# %% lang="en"
from course_lib.messages import language, set_language

set_language("en")
# %% [markdown] lang="zh"
# ## 1. 教材：24 张线稿
#
# 小可图学过五种画风：卡通、扁平、彩线、灰白和色块。它从来没见过**线稿**。下面写出一个小小的数据集：24 样东西，每样一张线稿，配一句说明，格式和夏令营的一样：
# 一个文件夹里放图片和 `metadata.csv`（两列：`file_name` 和 `text`）。另有 8 样东西放进 `validation`，训练时不看，只用来检查。
# %% [markdown] lang="en"
# ## 1. What to learn from: 24 line drawings
#
# Tiny Kolors has learnt five styles: cartoon, flat, coloured lines, monochrome and colour block. It has never seen **line art**. The cell below writes a small data set: 24 subjects, one drawing of each,
# with a caption, in the camp's own form: a folder of pictures with a `metadata.csv` (two columns, `file_name` and `text`). Eight more subjects go into `validation`: they
# are not trained on, only checked with.
# %%
import shutil

from course_lib import files, machine
from course_lib.dataset import write_style_set
from course_lib.pictures import GROUNDS, Picture, judge, plot, read_prompt, show_sheet, subjects, two_tone
from course_lib.training import (
    ATTENTION, CACHE, Order, TrainConfig, encode_set, fit, make_generator, noise_batch, noise_loss, read_rows,
    tiny_config, train,
)

WORK = files.COURSE / "outputs" / "lesson04" / language()
shutil.rmtree(WORK, ignore_errors=True)
folder = write_style_set(WORK / "lineart", style="lineart", subjects=24, validation=8, seed=5)
rows = read_rows(folder / "train")


def two_names(subject):
    """Name a subject in both languages."""
    return f"{subjects()[subject]['zh'][0]} {subjects()[subject]['en'][0]}"


for row in rows[:4]:
    print(f"{row.file.name:22} {row.caption}")
show_sheet([Picture(row.picture, two_names(read_prompt(row.caption).subject)) for row in rows], columns=8)
# %% [markdown] lang="zh"
# ## 2. 训练之前：它会画线稿吗？
#
# 用 64 句训练里没有的提示词来考它。其中 24 句的东西在教材里出现过，但背景不同（**known**）；另外 40 句的东西它见过别的画风，从没见过线稿（**new**）。
# 裁判说两件事：这张图是不是线稿（line art），画的东西对不对（subject）。再加一个不靠裁判的证人：线稿里只有背景色和墨色，
# 所以数一数像素几乎都落在这两种颜色之间的图（two-tone）。训练之后再加上第 1 课的量法：离这样东西**真的线稿**有多远（distance：0 是 VAE 能还原的最好，1 是一块空背景）。
# %% [markdown] lang="en"
# ## 2. Before: can it draw line art?
#
# Examine it with 64 prompts that the training does not hold. In 24 of them the subject was among the drawings, on another ground (**known**); in the other 40 it knows the
# subject in other styles, and never saw it as line art (**new**). The judge says two things: whether the picture is line art, and whether its subject is right. A
# second witness needs no judge: line art holds the ground's colour and ink and nothing else, so count the pictures nearly all of whose pixels lie
# between these two colours (two-tone). After the training lesson 1's measure is added: how far from the **true line drawing** of the subject (distance: 0 is the best that the VAE can do, 1 an empty ground).
# %%
from course_lib.model import load, measure_truth
from course_lib.sampling import draw, draw_batch

grounds = list(GROUNDS)
seen_on = {}  # subject -> the grounds it was drawn on
for named in (read_prompt(row.caption) for row in rows):
    seen_on.setdefault(named.subject, set()).add(named.ground)
known = sorted(seen_on)
new = [name for name in subjects() if name not in seen_on]


def word(subject, number, style="线稿"):
    """Ask for a subject in a style, on a ground that it was not drawn on in the training."""
    turned = [grounds[(number * 3 + turn) % 10] for turn in range(10)]
    ground = next(ground for ground in turned if ground not in seen_on.get(subject, ()))
    return f"一{subjects()[subject]['measure']}{subjects()[subject]['zh'][0]}，{style}，{GROUNDS[ground][0][0]}背景"


def share(hits):
    """Return the share of what is true."""
    return sum(hits) / len(hits)


def examine(pipe, names, style="线稿", wanted="lineart", steps=20):
    """Draw each subject in a style, and return the shares of pictures in the style, with their subject, and in two tones, and the pictures."""
    prompts = [word(name, number, style) for number, name in enumerate(names)]
    pictures = draw_batch(pipe, prompts, seeds=range(len(names)), steps=steps, cfg=4.0)
    verdicts = judge(pictures)
    in_style = share([verdict.style == wanted for verdict in verdicts])
    right = share([verdict.subject == name for verdict, name in zip(verdicts, names)])
    return in_style, right, share([two_tone(picture) > 0.9 for picture in pictures]), pictures


pipe = load("tiny")
prompts = [word(name, number) for number, name in enumerate(known + new)]
print(len(set(prompts)), set(prompts) & {row.caption for row in rows})
before = examine(pipe, known + new)
print(f"line art {before[0]:.1%}   subject {before[1]:.1%}   two-tone {before[2]:.1%}")
show_sheet([Picture(picture, two_names(name)) for picture, name in zip(before[3], known + new)][::4], columns=8)
# %% [markdown] lang="zh"
# 东西和背景它都画对了，线稿却画不出来：「线稿」这个词它从来没学过。
# %% [markdown] lang="en"
# Subjects and grounds are right, but it is no line art: the word 线稿 (line art) was never taught.
# %% [markdown] lang="zh"
# ## 3. LoRA 是什么：两个小矩阵
#
# UNet 的每个注意力层里有四个权重矩阵 W（`to_q`、`to_k`、`to_v`、`to_out.0`）。LoRA 不改 W，而是在旁边加两个小矩阵 A 和 B，用 W + (alpha/rank)·B·A 代替 W。
# A 把输入压到 `rank` 个数，B 再把它变回来。B 一开始全是 0，所以还没训练时什么都没变。数一数：
# %% [markdown] lang="en"
# ## 3. What a LoRA is: two small matrices
#
# Each attention layer of the UNet has four weight matrices W (`to_q`, `to_k`, `to_v`, `to_out.0`). LoRA leaves W alone, puts two small matrices A and B beside it, and uses
# W + (alpha/rank)·B·A instead of W. A presses the input into `rank` numbers, B turns them back. B begins as zeros, so nothing has changed before the training. Count:
# %%
from course_lib.lora import add_lora, convert, inspect, load_lora, remove_lora, set_strength

unet = pipe.unet
base_count = sum(weight.numel() for weight in unet.parameters())
weights = add_lora(unet, rank=16, alpha=4.0, name="look")
layer = unet.down_blocks[1].attentions[0].transformer_blocks[0].attn1.to_q
down, up = layer.lora_A["look"].weight, layer.lora_B["look"].weight
print("W", tuple(layer.base_layer.weight.shape), "  A", tuple(down.shape), "  B", tuple(up.shape), "  alpha/rank", layer.scaling["look"])
print(f"{len(weights) // 2} layers, {sum(weight.numel() for weight in weights)} of {base_count} parameters: {sum(weight.numel() for weight in weights) / base_count:.2%}")
print("B is all zero:", not up.any().item())
removed = remove_lora(unet)
# %% [markdown] lang="zh"
# 完整的 Kolors 也数一数，用的是没有内存的「空」UNet，只有形状：
# %% [markdown] lang="en"
# Count the full Kolors too, with a UNet without memory, which is shapes alone:
# %%
import torch

large = machine.build_part("unet", machine.CONFIGS["unet"])
large_count = sum(weight.numel() for weight in large.parameters())
with torch.device("meta"):
    weights_large = add_lora(large, rank=16, alpha=4.0)
trained = sum(weight.numel() for weight in weights_large)
print(f"{len(weights_large) // 2} layers, {trained} of {large_count} parameters: {trained / large_count:.2%}")
# %% [markdown] lang="zh"
# 小可图是 3.2 % 左右，因为它的矩阵本来就小（128）。一层 W 有 n×n 个数，A 和 B 一共 2·n·rank 个：n 越大，比例越小。
# 完整的 Kolors 里 n 是 640 和 1280，同样的 rank 16 只占 0.9 %。
# %% [markdown] lang="en"
# With Tiny Kolors it is about 3.2 %, because its matrices are small (128). W has n x n numbers, A and B together 2·n·rank: the larger n, the smaller the share.
# In the full Kolors n is 640 and 1280; the same rank 16 is 0.9 % there.
# %% [markdown] lang="zh"
# ## 4. 训练
#
# 每一步都一样：取一批图的潜变量，加上噪声，让 UNet 猜噪声，按猜错的多少改 A 和 B，别的都不动。图片和说明文字只编码一次，存起来反复用。
# 下面的设置适合小可图，和夏令营的差别后面会一项一项地试。小模型的注意力层太少，所以这里给卷积和前馈层也加上 LoRA（`targets`）；
# `rank_dropout` 每一步随机去掉一成的秩，让它少背具体的图；`caption_dropout` 让十分之一的说明空着，画风就不全系在说明上。
# 进度、曲线和样图边训练边更新；按「停止并保存」随时可以停，停下的地方还能接着练。
# %% [markdown] lang="en"
# ## 4. The training
#
# Every step is the same: take the latents of a batch, add noise, let the UNet guess the noise, and change A and B by how wrong it was; nothing else moves. Pictures and
# captions are encoded once and kept. The settings suit Tiny Kolors; how they differ from the camp's is tried below, one by one. A small model has few attention layers, so the
# convolutions and feed-forward layers get a LoRA too here (`targets`); `rank_dropout` leaves out a tenth of the rank at random in each step, so that less is learnt by heart;
# `caption_dropout` leaves one caption in ten empty, so that the style does not hang on captions alone.
# Progress, curve and samples grow while it trains; "Stop and save" ends it at any time, and it can go on from there.
# %% tags=["nbval-ignore-output"]
EVERYWHERE = (*ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2")
recipe = tiny_config(
    lora_rank=16, lora_alpha=16.0, targets=EVERYWHERE, learning_rate=4e-3, batch_size=8, steps_per_epoch=400,
    min_snr_gamma=5.0, rank_dropout=0.1, random_flip=False, caption_dropout=0.1, trigger_word="线稿")
result = fit(pipe, folder, recipe.but(sample_prompts=("一只蝴蝶，线稿，蓝色背景", "一只猫，线稿，黄色背景"), sample_every=200),
             output_path=WORK / "main")
print(result)
# %% [markdown] lang="zh"
# ## 5. 训练之后：同样的 64 句
# %% [markdown] lang="en"
# ## 5. After: the same 64 prompts
# %% tags=["nbval-ignore-output"]
after_known, after_new = examine(pipe, known), examine(pipe, new)
distances = {}
for name, names, (in_style, right, toned, pictures) in (("before", known + new, before), ("known", known, after_known), ("new", new, after_new)):
    distances[name] = measure_truth(pipe, pictures, [word(each, number) for number, each in enumerate(names)]).value
    print(f"{name:7} line art {in_style:6.1%}   subject {right:6.1%}   two-tone {toned:6.1%}   distance {distances[name]:.2f}")
show_sheet([Picture(picture, two_names(name)) for picture, name in zip(after_known[3], known)], columns=8)
# %%
assert before[0] <= 0.05 and min(after_known[0], after_new[0]) >= 0.8, "line art"
assert after_known[1] >= before[1] - 0.15 and after_new[1] >= before[1] - 0.25, "subjects"
print("the base draws no line art, the LoRA does; most subjects are recognised, drawn before or not")
# %% [markdown] lang="zh"
# 画风学会了：线稿的比例从几乎没有升到九成上下，教材里有的东西换了背景，几乎样样认得出来。再看 **new**，那些从没见过线稿的东西：
# %% [markdown] lang="en"
# The style is learnt: line art rises from almost nothing to some 90 % or more, and nearly every subject of the training is still recognised on another ground. Now **new**, subjects
# that were never drawn as line art:
# %% tags=["nbval-ignore-output"]
show_sheet([Picture(picture, two_names(name)) for picture, name in zip(after_new[3], new)][:24], columns=8)
# %% [markdown] lang="zh"
# 没画过的东西，认得出来的也有八九成（一共 40 张，一张就是 2.5 个百分点）：这就是**泛化**。24 张图教会它的是「黑线、没有颜色」这种画法，不是 24 个图案；每样东西长什么样，底模本来就知道。
# 底模能把画法和东西分开，是因为它学过同一样东西的五种画法（见[模型卡](../data/tiny_kolors/README.md)）；完整的 Kolors 见过的画法还要多得多。
# 也看得到代价：认不出来的比底模多了一些，有的只剩几根乱线；线条里面还常常留着一点原来的颜色，所以 two-tone 比 line art 低得多。
# %% [markdown] lang="en"
# Of what it never drew that way more than four in five are recognised as well (of 40 pictures, each 2.5 points): that is **generalisation**. What the 24 pictures taught is a way of drawing, "black lines, no colours", not 24
# pictures; what each thing looks like the base knew before. It can keep the two apart because it has learnt each thing drawn in five ways (see its [model card](../data/tiny_kolors/README.md)); the full Kolors has seen far more.
# The price can be seen too: a few more than with the base cannot be recognised, and of some only stray lines are left; inside the lines a tint of the old colours often stays, which is why two-tone is far below line art.
# %% [markdown] lang="zh"
# ## 6. 强度：从 0 到 1.5
#
# 文件里的 LoRA 可以开大开小：W + strength·(alpha/rank)·B·A。0 就是原来的模型，1 是训练时的样子。
# %% [markdown] lang="en"
# ## 6. Strength: from 0 to 1.5
#
# A LoRA can be turned up and down: W + strength·(alpha/rank)·B·A. 0 is the base exactly, 1 is what was trained.
# %% tags=["nbval-ignore-output"]
STRENGTHS = (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5)
by_strength = {}
for strength in STRENGTHS:
    set_strength(pipe.unet, strength)
    by_strength[strength] = examine(pipe, [*known[::3], *new[::5]], steps=10)
names = ("line art", "subject", "two-tone")
plot({name: (STRENGTHS, [by_strength[strength][number] for strength in STRENGTHS]) for number, name in enumerate(names)}, "strength", "share")
# %% tags=["nbval-ignore-output"]
show_sheet([Picture(by_strength[strength][3][number], f"strength {strength:g}") for number in (1, 12) for strength in STRENGTHS], columns=7)
# %%
assert by_strength[0][0] < 0.2 < by_strength[1][0] and by_strength[1.5][1] < by_strength[0][1]
print("the style comes with the strength, the subjects go with it")
# %% [markdown] lang="zh"
# 两条线往相反的方向走：画风随强度上来，东西的准确率随强度下去；超过 1，东西更难认。想折中，从 0.5 左右试起。
# 自己拖一拖（没有运行的笔记本里看不到滑块）：
# %% [markdown] lang="en"
# The two go opposite ways: the style comes up with the strength, subjects go down with it, and above 1 they are harder still to recognise. For a compromise begin at about 0.5.
# Drag it yourself (a notebook that is not running shows no slider):
# %%
import ipywidgets


def show(strength=1.0, prompt="一只蝴蝶，线稿，蓝色背景", seed=1):
    """Draw with the LoRA at this strength."""
    set_strength(pipe.unet, strength)
    return draw(pipe, prompt, seed=seed, steps=10)


slider = ipywidgets.interactive(show, strength=(0, 1.5, 0.05), prompt="一只蝴蝶，线稿，蓝色背景", seed=(0, 20))
slider
# %% [markdown] lang="zh"
# ## 7. 参数表：一项一项地试
#
# 夏令营的参数表就是一串数。下面每一行只改一项，用同样少的步数（50 步，每步 8 张）各训练一个小 LoRA，量七样：画风（line art）、教材里的东西（known）、没见过线稿的东西（new）、
# **遗忘**（forget：不要线稿、要卡通时，还画得出卡通和正确的东西吗，越低越好）、参数个数、训练要的内存（逐层数出来的：UNet、要训练的参数和一批图的中间结果）、时间（只算训练的那些步）。时间随机器而变，先猜再看。
# %% [markdown] lang="en"
# ## 7. The table of parameters, one line at a time
#
# The camp's table is a row of numbers. Each line below changes one of them and trains a small LoRA for the same few steps (50 of 8 pictures), and measures seven things: the style (line art), subjects of
# the training (known), subjects never seen in line art (new), **forgetting** (forget: asked for a cartoon instead, how many pictures are no cartoon or not their subject;
# lower is better), parameters, the memory of the training (counted layer by layer: the UNet, what is trained, and what a batch keeps in between), and seconds (of the steps alone; they differ between machines). Guess before you look.
# %% tags=["nbval-ignore-output"]
import csv
import time
from pathlib import Path

STEPS = 50
config = machine.read_configs(Path(pipe.name_or_path))["unet"]
side = pipe.unet.config.sample_size  # of the latents: 12 for 96 px


def write_subset(name, count=24, text=None):
    """Copy the data set with fewer pictures, or with one text for all of them."""
    part = WORK / name / "train"
    part.mkdir(parents=True, exist_ok=True)
    for row in rows[:count]:
        (part / row.file.name).write_bytes(row.file.read_bytes())
    with (part / "metadata.csv").open("w", encoding="utf-8", newline="") as content:
        csv.writer(content).writerows([("file_name", "text"), *((row.file.name, text or row.caption) for row in rows[:count])])
    return part.parent


def measure(pipe):
    """Return style, known and new subjects, and forgetting, with few prompts and steps."""
    style, _, _, pictures = examine(pipe, [*known[::3], *new[::5]], steps=10)
    hits = [verdict.subject == name for verdict, name in zip(judge(pictures), [*known[::3], *new[::5]])]
    cartoons, right, _, _ = examine(pipe, new[::5], style="卡通风格", wanted="noto", steps=10)
    return style, share(hits[:8]), share(hits[8:]), 1 - min(cartoons, right)


def quiet(words):
    """Say nothing."""


def try_out(data=folder, **changes):
    """Train a LoRA for a few steps with some settings changed, in place of the one before, and measure it."""
    short = recipe.but(**{"steps_per_epoch": STEPS, "batch_size": 8, **changes})
    records = list(train(pipe, data, short, say=quiet))
    seconds = sum(record.seconds for record in records)
    count = sum(weight.numel() for name, weight in pipe.unet.named_parameters() if ".lora_" in name)
    kept, _ = machine.count_training(config, torch.float32, side * (short.height or 96) // 96, False, rank=short.lora_rank, layers=short.targets)
    memory = 4 * base_count + 16 * count + short.batch_size * kept
    return (*measure(pipe), count, memory / 1e6, seconds)


one_word, six = write_subset("one_word", text="线稿"), write_subset("six", count=6)
alpha, rate = recipe.lora_alpha, recipe.learning_rate
runs = {}


def try_all(table):
    """Try every line of a table, keep what it gave in `runs`, and print it."""
    print("               style  known    new  forget  parameters  memory MB  seconds")
    for name, changes in table.items():
        runs[name] = try_out(**changes)
        style, old, other, forget, count, memory, seconds = runs[name]
        print(f"{name:12} {style:7.0%} {old:6.0%} {other:6.0%} {forget:7.0%} {count:11,} {memory:10.0f} {seconds:7.1f} s")


try_all({"as it is": {}, "attention": {"targets": ATTENTION},
         "rank 2": {"lora_rank": 2, "lora_alpha": alpha / 8}, "rank 64": {"lora_rank": 64, "lora_alpha": alpha * 4}})
# %% tags=["nbval-ignore-output"]
try_all({"no dropout": {"rank_dropout": 0.0, "caption_dropout": 0.0}, "alpha / 8": {"lora_alpha": alpha / 8}, "rate / 10": {"learning_rate": rate / 10}, "rate x 10": {"learning_rate": rate * 10},
         "15 steps": {"steps_per_epoch": 15}, "batch 2": {"batch_size": 2}})
# %% tags=["nbval-ignore-output"]
cartoons = tuple(word(name, number, "卡通风格") for number, name in enumerate(new))
try_all({"48 px": {"height": 48, "width": 48}, "one word": {"data": one_word}, "6 pictures": {"data": six},
         "prior": {"prior_weight": 1.0, "prior_prompts": cartoons}})
# %% [markdown] lang="zh"
# 怎么读这张表（50 步只是个开头；known、new、forget 各只有 8 张图，一张就是 12 个百分点，所以只看大的差别）：
#
# - **学习率**最要紧。大十倍，东西全毁了（known、new 几乎是 0）；小十倍，画风还没来，东西倒是全对。两头之间，画风和东西此消彼长。
# - **alpha** 要和 rank 一起看，起作用的是 alpha/rank：缩小八倍，画风来得慢，东西保得好。夏令营的 4/16 = 0.25 属于温和的一边。
# - **rank**：从 2 到 64，参数差三十多倍，画风从三成到六成多，rank 16 是一半；画风更足的 rank 64，忘得也更多。
# - **attention**（营里的做法，只改注意力）：参数只有四分之一，步数这么少时画风差不多。
# - **no dropout**：步数这么少，还看不出 `rank_dropout` 和 `caption_dropout` 的差别。想知道练久了怎样，把 `recipe` 里的这两项改成 0，从第 4 节再跑一遍，比一比 known 和 new。
# - **步数、批量、张数**：15 步有三成画风；每步只看 2 张，画风少一些，内存也少一半。只有 6 张图，这里画风只有两成；第 5 课换一套设置，专门量张数。
# - **one word**：给所有图写同一个词（夏令营给每张图都写「二次元」），画风没有来，因为提示词里的东西从没和线稿一起出现过。**48 px**：用小图训练、96 px 画图，尺寸不配套，画风也几乎没有来。
# - **prior** 同时让它复习原来的卡通画（先验保持）：每一步要多看一倍的图，时间加倍，画风也来得慢；学得这么少的时候，forget 也没有因此变低。
# %% [markdown] lang="en"
# How to read the table (50 steps are a beginning; known, new and forget are eight pictures each, and one is 12 points, so look at large differences only):
#
# - **learning rate** matters most. Ten times as high ruins the subjects (known and new are near 0); at a tenth the style has not come yet and every subject is right. In between, style and subjects trade places.
# - **alpha** is read together with rank, for what acts is alpha/rank: an eighth brings the style slowly and keeps the subjects. The camp's 4/16 = 0.25 is on the mild side.
# - **rank**: from 2 to 64 there are thirty times the parameters, and the style goes from three tenths to over six, with half of it at 16; rank 64, with more of the style, forgets more.
# - **attention** (the camp's way, attention layers only): a quarter of the parameters, and about as much style after so few steps.
# - **no dropout**: after so few steps `rank_dropout` and `caption_dropout` make no difference to be seen. For a longer training set both to 0 in `recipe`, run from section 4 again, and compare known and new.
# - **steps, batch, number of pictures**: 15 steps bring three tenths of the style; 2 pictures a step bring less of it than 8, in half the memory. With six pictures there are two tenths here; lesson 5, with other settings, is about their number.
# - **one word**: with the same word for every picture (the camp's was 二次元) the style does not come, since no subject in a prompt ever stood beside line art. **48 px**: training small and drawing at 96 px does not fit, and brings next to none.
# - **prior** lets it revise the old cartoons meanwhile (prior preservation): each step looks at twice as many pictures and takes twice as long, and the style comes slowly; where so little is learnt, forget is no lower for it.
# %% [markdown] lang="zh"
# ## 8. 省内存的两招：重算和 16 位
#
# 营里的命令还带着 `--use_gradient_checkpointing` 和 `--precision "16-mixed"`。前者不把每层的中间结果都留着，回传误差时再算一遍；后者用 16 位的数来算。
# 中间结果占多少，可以在一个没有内存的「空」UNet 上逐层数出来（一张图，注意力层上 rank 16；16 位那一行按显卡上的做法，整个 UNet 都是 16 位），每一步多久就在这台机器上量（CPU 上 UNet 仍是 32 位，只是算的时候换成 16 位）：
# %% [markdown] lang="en"
# ## 8. Two ways to save memory: computing again, and 16 bits
#
# The camp's command also has `--use_gradient_checkpointing` and `--precision "16-mixed"`. The first does not keep what every layer computed, and computes it once more when the error goes back; the second
# computes in numbers of 16 bits. What is kept can be counted layer by layer on a UNet without memory (one picture, rank 16 on attention; the row of 16 bits as on a GPU, where the whole UNet is in 16 bits); how long a step takes is measured on this machine (on a CPU the UNet stays in 32 bits and is cast while it computes):
# %% tags=["nbval-ignore-output"]
def pace(**changes):
    """Train a few steps and return the median of their seconds."""
    remove_lora(pipe.unet)
    took = sorted(record.seconds for record in train(pipe, folder, recipe.but(steps_per_epoch=9, batch_size=8, **changes), say=quiet))
    return took[len(took) // 2]


print("                          MiB  seconds a step")
for name, changes, dtype, again in (
        ("as it is", {}, torch.float32, False), ("gradient checkpointing", {"use_gradient_checkpointing": True}, torch.float32, True),
        ("16 bits (bf16-mixed)", {"precision": "bf16-mixed"}, torch.bfloat16, False)):
    kept = machine.count_training(config, dtype, side, again)[0] / 2**20
    print(f"{name:22} {kept:6.1f} {pace(**changes):8.2f} s")
# %%
plain, again, half = (machine.count_training(config, dtype, side, checkpointing)[0] for dtype, checkpointing in (
    (torch.float32, False), (torch.float32, True), (torch.bfloat16, False)))
assert again < 0.7 * plain and half < 0.7 * plain
print(f"gradient checkpointing {again / plain:.2f}   16 bits {half / plain:.2f}")
# %% [markdown] lang="zh"
# - **重算**（gradient checkpointing）：中间结果只剩一小部分，这句话成立；代价是每一步更慢，因为前向多算了一遍。显存够就不要开。
# - **16 位**：内存省下将近一半，成立；「更快」要看机器。显卡有专门的 16 位电路，多数 CPU 没有，在没有的 CPU 上反而更慢，所以 CPU 上课程默认 32 位。
# %% [markdown] lang="en"
# - **Computing again** (gradient checkpointing): only a small part is kept, as claimed; the price is a slower step, for everything is computed once more on the way back. Where memory suffices, leave it off.
# - **16 bits**: nearly half of the memory is saved, as claimed; "faster" depends on the machine. GPUs have circuits for 16 bits, most CPUs have none and are slower with them, so that this course uses 32 bits on a CPU.
# %% [markdown] lang="zh"
# ## 9. 练多久才够：过拟合从哪里开始
#
# 用没训练过的 8 张线稿（`validation`）算同样的损失，噪声和噪声强度每次都一样。训练损失起伏着往下走（它带着 dropout 算，所以比验证损失高）；验证损失先降，六十来步以后几乎不再降。`patience` 会在验证损失不再下降时自动停。
#
# 可是损失停了，画风还没有学完：第 7 节练 50 步，一半是线稿；第 4 节练 240 步，有九成。损失量的是噪声猜得准不准，不是你要的画风。所以两样都要看：
# 验证损失往上走，就是在背图；画够不够好，要看图、看裁判的分。
# %% [markdown] lang="en"
# ## 9. How long is enough: where overfitting begins
#
# Compute the same loss on the eight drawings that are not trained on (`validation`), with the same noise and noise levels each time. The training's loss falls in ups and downs (it is
# computed with the dropouts, and so lies above the other); that of the validation falls at first, and after some sixty steps hardly any more. `patience` ends a training when the validation gains no more.
#
# Yet the style is not learnt where the loss stops: section 7's 50 steps gave line art in half of the pictures, section 4's 240 in nine of ten. The loss measures how well noise is guessed, not the style
# you want. So look at both: a validation loss that rises means learning by heart, and whether the drawings are good the pictures and the judge say.
# %% tags=["nbval-ignore-output"]
remove_lora(pipe.unet)
watched = list(train(pipe, folder, recipe.but(steps_per_epoch=100, batch_size=8, validation_every=10), say=quiet))
looks = [record for record in watched if record.validation_loss is not None]
steps = [record.step for record in looks]
own = [sum(record.error for record in watched[step - 10:step]) / 10 for step in steps]
plot({"24 drawings": (steps, own), "8 held back": (steps, [record.validation_loss for record in looks])}, "step", "loss")
# %% [markdown] lang="zh"
# ## 10. 两个 LoRA 混在一起
#
# 再训练一个立体风格的小 LoRA，把两个文件一起装进来，各给一个强度：两份改动直接相加。
# %% [markdown] lang="en"
# ## 10. Two LoRAs mixed
#
# Train another small LoRA, of the 3D style, then load both files and give each a strength: the two changes are simply added.
# %% tags=["nbval-ignore-output"]
remove_lora(pipe.unet)
solid = write_style_set(WORK / "solid", style="3d", subjects=24, validation=0, seed=6)
last = list(train(pipe, solid, recipe.but(steps_per_epoch=60, batch_size=8, trigger_word="立体风格"), output_path=WORK / "solid_lora", say=quiet))[-1]
remove_lora(pipe.unet)
print(load_lora(pipe.unet, result.path, name="lines"))
print(load_lora(pipe.unet, last.path, name="solid"))
MIXES = ((0, 0), (1, 0), (0.7, 0.3), (0.5, 0.5), (0.3, 0.7), (0, 1))
mixed = []
for lines, solids in MIXES:
    set_strength(pipe.unet, lines, "lines")
    set_strength(pipe.unet, solids, "solid")
    mixed.append(draw_batch(pipe, ["一只蝴蝶，线稿，立体风格，蓝色背景", "一个苹果，线稿，立体风格，白色背景", "一只企鹅，线稿，立体风格，黄色背景"], seeds=[1, 2, 3], steps=20))
show_sheet([Picture(row[number], f"lines {lines:g}, solid {solids:g}") for number in range(3) for (lines, solids), row in zip(MIXES, mixed)], columns=len(MIXES))
# %% [markdown] lang="zh"
# 从左到右：都不用、只用线稿、三种混法、只用立体。两份改动是相加的，比例一变，画就从一种画风慢慢走到另一种。这里每一种混法的强度加起来都是 1。
# %% [markdown] lang="en"
# From left to right: neither, line art alone, three mixtures, 3D alone. The two changes are added, so that pictures go from one style to the other as the shares change. In each mixture here the strengths add up to 1.
# %% [markdown] lang="zh"
# ## 11. 和全量微调比一比
#
# 营里的笔记说 LoRA 有四个好处。拿同一个 UNet、同一批图、同样的步数，把**所有**参数都放开训练一遍（全量微调），逐条对照。
# 内存那一列和上面一样是数出来的：中间结果，每个要训练的参数的四个数（它自己、梯度和 AdamW 的两个平均值），不训练的参数只有它自己，每个数 4 字节。
# %% [markdown] lang="en"
# ## 11. Against full fine-tuning
#
# The camp's notes name four advantages of LoRA. Take the same UNet, pictures and steps, train **all** parameters (full fine-tuning), and compare one by one.
# The memory is counted as above: what is kept in between, four numbers of 4 bytes for each trained parameter (itself, its gradient and AdamW's two averages), and one for each that is not.
# %% tags=["nbval-ignore-output"]
import copy

def tune_all(rate):
    """Train every parameter of the UNet in the same way, and return the seconds."""
    short = recipe.but(batch_size=8, steps_per_epoch=STEPS)
    data = encode_set(pipe, folder, short, cache=CACHE, say=quiet)
    order = Order(data.examples, short.batch_size, short.seed)
    pipe.unet.requires_grad_(True)
    optimizer = torch.optim.AdamW(pipe.unet.parameters(), lr=rate)
    started = time.perf_counter()
    for number in range(STEPS):
        batch = noise_batch(pipe, [data.examples[each] for each in order.batch(number)], data.empty, short, make_generator(number))
        loss, _ = noise_loss(pipe.unet, batch, pipe.scheduler.alphas_cumprod, short)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(pipe.unet.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    pipe.unet.requires_grad_(False)
    return time.perf_counter() - started


remove_lora(pipe.unet)
untouched = copy.deepcopy(pipe.unet.state_dict())
activations = machine.count_training(config, torch.float32, side, False, layers=())[0]  # of one picture, every layer trained
table = {"base": (*measure(pipe), 0, 4 * base_count / 1e6, 0.0)}
for rate in (1e-4, 1e-3):
    seconds = tune_all(rate)
    table[f"full, rate {rate:g}"] = (*measure(pipe), base_count, (8 * activations + 16 * base_count) / 1e6, seconds)
    pipe.unet.load_state_dict(untouched)
table["LoRA"] = runs["as it is"]
table["LoRA, attention"] = runs["attention"]
print("                  style  known    new  forget  trained  memory MB   file MB  seconds")
for name, (style, old, other, forget, count, memory, seconds) in table.items():
    print(f"{name:15} {style:7.0%} {old:6.0%} {other:6.0%} {forget:7.0%} {count / base_count:8.1%} {memory:10.1f} {count * 4 / 1e6:9.1f} {seconds:8.1f} s")
# %%
lora_bytes = result.path.stat().st_size
unet_bytes = sum(weight.numel() * weight.element_size() for weight in pipe.unet.parameters())
assert table["LoRA"][4] < 0.2 * base_count and lora_bytes < 0.2 * unet_bytes
print(f"trained parameters: {table['LoRA'][4] / base_count:.1%} of the UNet's")
# %% [markdown] lang="zh"
# - **参数少、省内存**：成立，而且可以数出来。要训练的参数、梯度和 AdamW 的平均值都按比例变少。但 UNet 本身和中间结果还在，所以总内存省不到同样的倍数：完整的 Kolors 见下一节。
# - **训练快**：在这里不成立，时间差不多。猜噪声要算的还是整个 UNet，误差也要往回传一遍；省下的只是改参数那一步，多出来的是 A 和 B 自己的计算。
# - **保留原来的本事**：要看学了多少。学习率 1e-4 的全量微调和 LoRA 画风差不多，东西和 forget 也差不多；学得狠的那一行画风十成，忘得也最多。LoRA 学得狠一样会忘（见第 7 节的 rate x 10）。它真正的好处是**关得掉**：强度 0 就是原来的模型，一个数都没变；全量微调做不到。
# - **文件小、好换**：成立，文件大小见上表，一个底模可以配许多个。
# %% [markdown] lang="en"
# - **Few parameters, less memory**: true, and counted. What is trained, its gradients and AdamW's averages shrink by the same factor. The UNet and what it computes in between stay,
#   so the whole does not shrink as much: for the full Kolors see the next section.
# - **Fast**: not here, the seconds are about the same. Guessing the noise is still the whole UNet, and the error still goes all the way back; what is saved is the change of the parameters, what is added are A and B themselves.
# - **Keeps what the model could do**: depends on how much is learnt. Full fine-tuning at 1e-4 has about the LoRA's style, and about its subjects and forgetting; the line that learns hard has all of the style and forgets most. A LoRA that learns hard forgets as well (section 7, rate x 10). Its real
#   advantage is that it can be **switched off**: strength 0 is the base, number for number. Full fine-tuning cannot do that.
# - **Small files, easy to swap**: true, see the table; one base serves many of them.
# %% [markdown] lang="zh"
# ## 12. 文件：谁都打得开
#
# 存下来的是 safetensors，文件头里写着 rank、alpha、底模和训练设置。`inspect` 不用模型就能看，`convert` 换成别的工具的名字：ComfyUI 认 kohya 的写法，夏令营的推理脚本认 DiffSynth 的。
# %% [markdown] lang="en"
# ## 12. The file: every tool opens it
#
# What was saved is a safetensors file whose header holds rank, alpha, base model and settings. `inspect` reads it without a model; `convert` writes it with another tool's names: ComfyUI reads kohya's, the
# camp's script reads DiffSynth's.
# %%
facts = inspect(result.path)
for form in ("kohya", "diffsynth"):
    other = convert(result.path, WORK / f"{form}.safetensors", to=form)
    remove_lora(pipe.unet)
    print(form, "->", load_lora(pipe.unet, other, name="lines"))
# %% tags=["nbval-ignore-output"]
facts.plot()
# %% [markdown] lang="zh"
# 图上每个点是一层：LoRA 把它改动了多少。训练得最多的层，就是画风住的地方。最要紧的一个数是 **alpha**：DiffSynth 的旧文件（`.ckpt`）里没有它，装入时要自己写出来，写错一倍，强度就错一倍；课程的函数会问你要。
# %% [markdown] lang="en"
# Each point is a layer, and how far the LoRA moves it. The number that matters most is **alpha**: DiffSynth's old files (`.ckpt`) do not hold it, so whoever loads one has to give it, and an alpha twice too large makes
# the LoRA twice too strong. The course's functions ask for it.
# %% [markdown] lang="zh"
# ## 13. 夏令营的那条命令为什么从来没跑起来
#
# 流传的笔记里，训练命令是这样写的，每行后面跟着一句注释：
# %% [markdown] lang="en"
# ## 13. Why the camp's command never ran
#
# In the notes that went round the command was written like this, with a comment after each line:
# %%
import shlex

COMMAND = """python train_kolors_lora.py \\ # 选择使用可图的 LoRA 训练脚本
  --pretrained_unet_path models/kolors/unet.safetensors \\ # 选择 unet 模型
  --lora_rank 16 \\ # lora_rank 参数"""
for number, line in enumerate(COMMAND.splitlines(), 1):
    print(number, shlex.split(line, comments=True))
# %% [markdown] lang="zh"
# 反斜杠只有站在行的**最后**，才表示「下一行还没完」。后面一跟空格和 `#`，它就只是在转义那个空格，命令到这里就结束了。于是脚本只收到一个空格（上面第一行的最后一项），报缺少 `pretrained_unet_path`；
# 第二行被当成一条新命令，名字叫 `--pretrained_unet_path`，当然找不到。而笔记里用 `os.system` 运行，出了错也只返回一个数，不报错。
#
# 课程里训练是一个函数（上面的 `fit`），出错就说清楚。想用命令行也行，营里的参数名都认得（改成一行，或让反斜杠真的站在行尾）：
#
# ```bash
# python -m course_lib train --model kolors --dataset_path data/lora_dataset_processed --output_path ./models \
#   --lora_rank 16 --lora_alpha 4.0 --max_epochs 1 --center_crop --use_gradient_checkpointing --precision 16-mixed
# ```
# %% [markdown] lang="en"
# A backslash means "goes on in the next line" only where it is the **last** character of a line. Followed by a space and `#` it escapes that space, and the command ends there. The script receives one
# space (the last item of the first line above) and says that `pretrained_unet_path` is missing; the second line is taken for a new command named `--pretrained_unet_path`, which does not
# exist. And `os.system`, with which the notes ran it, returns a number when something fails and raises nothing.
#
# In this course a training is a function (`fit`, above) that says what is wrong. There is a command line as well, with the camp's own flags (on one line, or with backslashes that really end their lines):
#
# ```bash
# python -m course_lib train --model kolors --dataset_path data/lora_dataset_processed --output_path ./models \
#   --lora_rank 16 --lora_alpha 4.0 --max_epochs 1 --center_crop --use_gradient_checkpointing --precision 16-mixed
# ```
# %% [markdown] lang="zh"
# ## 14. 换成完整的 Kolors
#
# 魔搭免费的 GPU 笔记本有一张 24 GB 的 A10。训练前先问 `plan`：放得下吗，每个阶段占多少？（下面的数是按层算出来的，不是在显卡上量的。）
# %% [markdown] lang="en"
# ## 14. The full Kolors
#
# ModelScope's free GPU notebook has an A10 of 24 GB. Ask `plan` before training: does it fit, and what does each stage take? (The figures are computed layer by layer, not measured on a GPU.)
# %%
print(machine.plan("lora", "kolors", found=machine.EXAMPLES["24 GB (A10, ModelScope)"]))
# %% [markdown] lang="zh"
# 文本编码器读完说明文字就让出显存，所以训练那一步只要 6 GiB 多，营里的脚本把它一直留在显存里，要 22 GB。代码还是那几行（训练，每 100 步画一张样图），有合适的显卡才会真的运行。
# 有好几张显卡时，把上面那条命令的 `python` 换成 `accelerate launch`，被打断了加 `--resume` 接着练。
# %% [markdown] lang="en"
# The text encoder leaves the GPU when it has read the captions, so a training step takes little more than 6 GiB; the camp's script kept it there and took 22 GB. The code is the same few
# lines (the training, with a sample picture every 100 steps); it runs only where there is such a GPU. With several GPUs write `accelerate launch` for `python` in the command above;
# after a cut, `--resume` goes on.
# %% tags=["nbval-ignore-output"]
my_set = files.COURSE / "outputs" / "my_pictures"  # train/metadata.csv, your own pictures of 1024 px
camp = TrainConfig(lora_rank=16, lora_alpha=4.0, learning_rate=1e-4, max_epochs=1, steps_per_epoch=500, batch_size=1, center_crop=True)
gpu = machine.look().gpu
if gpu and gpu.usable and my_set.is_dir():
    kolors = load("kolors", machine.plan("lora", "kolors"))
    prompts_of_mine = (read_rows(my_set / "train")[0].caption,)
    print(fit(kolors, my_set, camp.but(sample_prompts=prompts_of_mine, sample_every=100)))
else:
    print(f"alpha/rank {camp.lora_alpha / camp.lora_rank}, {camp.steps} steps")
# %% [markdown] lang="zh"
# ## 练习
#
# **练习 1**　小可图的 `rank` 换成 8，只在四个注意力矩阵上加 LoRA，一共多少个参数？第 3 节数过 rank 16 的。
# %% [markdown] lang="en"
# ## Exercises
#
# **Exercise 1**　With a `rank` of 8, on the four attention matrices only, how many parameters does Tiny Kolors' LoRA have? Section 3 counted those of rank 16.
# %%
from course_lib import exercises

right = sum(weight.numel() for weight in weights) // 2
my_answer = exercises.check_number(229376, right)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer：参数个数和 rank 成正比 / the count is proportional to the rank
my_answer = exercises.check_number(229376 // 2, right)
# %% [markdown] lang="zh"
# **练习 2**　夏令营训练时 rank 16、alpha 4，画图时却用 alpha 2.0 装入。这相当于强度（`strength`）多少？
# %% [markdown] lang="en"
# **Exercise 2**　The camp trained with rank 16 and alpha 4, and loaded the file with alpha 2.0 to draw. Which strength (`strength`) is that?
# %%
my_strength = 2.0
my_answer = exercises.check_number(my_strength, (2 / 16) / (4 / 16))
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
my_answer = exercises.check_number(0.5, (2 / 16) / (4 / 16))
# %% [markdown] lang="zh"
# **练习 3**　强度开到 2.5，兔子就认不出来了。改 `my_strength`，让裁判重新认出蓝色背景上的兔子，但又不是原来那张图（强度 0）：线稿要留下一点。
# %% [markdown] lang="en"
# **Exercise 3**　At a strength of 2.5 the rabbit cannot be recognised. Change `my_strength` until the judge sees the rabbit on blue again, yet not by drawing the base's picture (strength 0): something of the line art is to be left.
# %% tags=["nbval-ignore-output"]
remove_lora(pipe.unet)
report = load_lora(pipe.unet, result.path, name="lines")
set_strength(pipe.unet, 0)
plain_rabbit = draw(pipe, "一只兔子，线稿，蓝色背景", seed=1)
my_strength = 2.5
set_strength(pipe.unet, my_strength)
my_rabbit = draw(pipe, "一只兔子，线稿，蓝色背景", seed=1)
exercises.check_same_thing(plain_rabbit, my_rabbit)
my_rabbit
# %% tags=["solution", "nbval-ignore-output"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
set_strength(pipe.unet, 0.5)
my_rabbit = draw(pipe, "一只兔子，线稿，蓝色背景", seed=1)
exercises.check_same_thing(plain_rabbit, my_rabbit)
my_rabbit
