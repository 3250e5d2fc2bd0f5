# %% [markdown] lang="zh"
# # 第 4 课　LoRA 训练：教会小可图一种新画风
#
# 夏令营第二部分的任务是训练一个 **LoRA**。先说三个词：**预训练**是用大量图片把模型从头教会；**微调**（fine-tuning）是拿教好的模型，用少量图片接着练，让它学会一样新东西；
# LoRA 是一种省力的微调：原来的模型一个数也不动，只在旁边加一点点参数。营里的笔记说它参数少、省显存、训练快、文件小，还能保留模型原来的本事；又列了一张参数表：rank 16、alpha 4.0、学习率 1e-4、500 步……
#
# **学完这一课，你会：**
#
# - 自己写出训练的那十来行，并且知道每一行在做什么；
# - 训练一个 LoRA，用裁判、距离和自己的眼睛检查它学会了没有；
# - 看懂营里的每个参数：默认是多少，什么时候该改；
# - 判断什么时候该停，该用多大强度，换到完整的 Kolors 要多少显存。
#
# **需要：** 第 1 课装好的环境，第 3 课的步数和 cfg；不联网，不要显卡。**时间：** 两个 CPU 核上，从头运行大约六分钟，其中第 4 节的正式训练两分钟左右；读懂它大约一小时。
# 文中标着「小可图」的数只对这个小模型成立；方法对完整的 Kolors 一样用。
# %% [markdown] lang="en"
# # Lesson 4　Training a LoRA: a new style for Tiny Kolors
#
# The second part of the camp trains a **LoRA**. Three words first: **pre-training** teaches a model from nothing with very many pictures; **fine-tuning** takes such a model and goes on with a few pictures, so that it learns one more thing;
# a LoRA is a cheap kind of fine-tuning, in which the model itself is not changed and a few parameters are added beside it. The camp's notes say that it has few parameters, saves memory, is fast, gives small files and keeps what the model could do; and they list settings: rank 16, alpha 4.0, a learning rate of 1e-4, 500 steps ...
#
# **After this lesson you can:**
#
# - write the dozen lines of a training yourself, and say what each of them does;
# - train a LoRA, and check with the judge, a distance and your own eyes whether it has learnt;
# - read each of the camp's flags: what its default is, and when to change it;
# - decide when to stop, how strong to set it, and how much memory the full Kolors needs.
#
# **You need** the environment of lesson 1, and steps and cfg of lesson 3; no network, no GPU. **Time:** on two CPU cores about six minutes to run it all, of which the real training in section 4 takes about two; about an hour to understand it.
# Numbers said to be Tiny Kolors' hold for this small model alone; the method is the same for the full Kolors.
# %% lang="zh"
from course_lib.messages import language, say, set_language

set_language("zh")
# %% lang="en"
from course_lib.messages import language, say, set_language

set_language("en")
# %% [markdown] lang="zh"
# ## 1. 教材：24 张线稿
#
# 小可图学过五种画风：卡通、扁平、彩线、灰白和色块。它从来没见过**线稿**。**数据集**就是一批图片和它们的说明，可以拿来训练，也可以拿来检查；其中真正用来训练的那一部分叫**训练集**。
# 下面写出一个小数据集，格式和夏令营的一样：一个文件夹里放图片和 `metadata.csv`（两列：`file_name` 和 `text`）。`train` 里有 24 个主体，每个一张线稿，配一句中文或英文的说明；
# 另外 8 个主体放进 `validation`（**验证集**），训练时不看，只在第 9 节用来检查。
# %% [markdown] lang="en"
# ## 1. What to learn from: 24 line drawings
#
# Tiny Kolors has learnt five styles: cartoon, flat, coloured lines, monochrome and colour block. It has never seen **line art**. A **data set** is a number of pictures with their captions, to train on or to check with; the part that is trained on is the **training set**.
# The cell below writes a small data set in the camp's own form: a folder of pictures with a `metadata.csv` (two columns, `file_name` and `text`). In `train` are 24 subjects, one line drawing of each, with a caption in Chinese or English;
# eight more subjects are in `validation` (the **validation set**), which is not trained on and serves as a check in section 9.
# %%
import shutil
from typing import NamedTuple

from course_lib import files, machine
from course_lib.dataset import Scene, Thing, describe, write_style_set
from course_lib.pictures import (
    GROUNDS, Picture, interval, judge, name_of, plot, read_prompt, show_sheet, subjects, two_tone,
)
from course_lib.training import (
    ATTENTION, CACHE, Order, TrainConfig, encode_set, fit, make_generator, noise_batch, noise_loss, read_log, read_rows,
    tiny_config, train,
)

WORK = files.COURSE / "outputs" / "lesson04" / language()
shutil.rmtree(WORK, ignore_errors=True)
folder = write_style_set(WORK / "lineart", style="lineart", subjects=24, validation=8, seed=5)
rows = read_rows(folder / "train")
for row in rows[:4]:
    print(f"{row.file.name:22} {row.caption}")
show_sheet([Picture(row.picture, name_of(read_prompt(row.caption).subject)) for row in rows], columns=8)
# %% [markdown] lang="zh"
# **记住：** 教材就是一个文件夹：图片，加上一张写着说明的表。
# %% [markdown] lang="en"
# **Keep:** what is learnt from is a folder: pictures, and a table with their captions.
# %% [markdown] lang="zh"
# ## 2. 训练之前：它会画线稿吗？
#
# 出 64 道考题。其中 24 道的主体在教材里出现过，但背景不同（**known**）；另外 40 道的主体它见过别的画风，从没见过线稿（**new**）。三个证人：
#
# - **裁判**：这张图是不是线稿（style），主体对不对（subject）。裁判是个只见过课程图片的小模型，有时会把谁也认不出的涂鸦也算对，所以不能只听它的。
# - **两色**（two-tone）：线稿里只有背景色和墨色，所以数一数有多少张图的像素九成以上落在这两种颜色之间。不靠裁判。
# - **距离**（distance）：离这个主体**真的线稿**有多远，0 是 VAE 能还原的最好，1 是一块空背景。也不靠裁判。它对线稿很严：一条细线只要偏一个像素，就几乎和没画一样远。所以一张线条画得好、只是位置不同的图，距离也可能接近 1。
#
# 每个比例后面的方括号是 95 % 区间：只看了这么多张图，真正的比例大概就在这里面。两个区间碰在一起，就不能说谁高谁低。
# %% [markdown] lang="en"
# ## 2. Before: can it draw line art?
#
# Set an exam of 64 prompts. In 24 of them the subject was among the drawings, but on another ground (**known**); in the other 40 it knows the subject in other styles, and never saw it as line art (**new**). There are three witnesses:
#
# - the **judge**: is the picture line art (style), and is its subject right (subject)? It is a small model that has seen the course's pictures alone, and at times it accepts a scribble that nobody recognises, so do not listen to it alone.
# - **two-tone**: line art holds the ground's colour and ink and nothing else, so count the pictures of which more than nine tenths of the pixels lie between these two colours. It needs no judge.
# - **distance**: how far from the **true line drawing** of the subject; 0 is the best that the VAE can do, 1 an empty ground. It needs no judge either. With line art it is strict: a thin line that is one pixel off costs nearly as much as none. So a good drawing whose lines merely lie elsewhere may have a distance near 1 too.
#
# The brackets after a share are its 95 % interval: as few pictures as were seen, the true share is probably somewhere in there. Where two intervals touch, nobody can say which share is higher.
# %%
from course_lib.model import load, measure_truth
from course_lib.sampling import draw, draw_batch

grounds = list(GROUNDS)
seen_on = {}  # subject -> the grounds it was drawn on
for named in (read_prompt(row.caption) for row in rows):
    seen_on.setdefault(named.subject, set()).add(named.ground)
known = sorted(seen_on)
new = [subject for subject in subjects() if subject not in seen_on]


def ask(subject, number, style="lineart"):
    """Ask for a subject in a style, on a ground that it was not drawn on in the training."""
    turned = [grounds[(number * 3 + turn) % 10] for turn in range(10)]
    ground = next(ground for ground in turned if ground not in seen_on.get(subject, ()))
    return describe(Scene((Thing(subject),), style, ground), language())


def tell(hits):
    """Write the share of what is true, with its 95 % interval."""
    low, high = interval(sum(hits), len(hits))
    return f"{sum(hits) / len(hits):4.0%} [{low:3.0%}, {high:4.0%}]"


print(ask("cat-face", 0), "|", ask("bus", 1, "noto"), "|", tell([True] * 9 + [False]))
# %%
class Exam(NamedTuple):
    """What was drawn, and for each picture whether its style, its subject and its two tones are right."""

    style: list
    subject: list
    toned: list
    pictures: list
    prompts: list

    def __str__(self):
        """Name the three shares."""
        return f"style {tell(self.style)}   subject {tell(self.subject)}   two-tone {tell(self.toned)}"


def examine(pipe, names, style="lineart", steps=10):
    """Draw each subject in a style, and look what came."""
    prompts = [ask(subject, number, style) for number, subject in enumerate(names)]
    pictures = draw_batch(pipe, prompts, seeds=range(len(names)), steps=steps, cfg=4.0)
    seen = judge(pictures)
    return Exam([one.style == style for one in seen], [one.subject == subject for one, subject in zip(seen, names)],
                [two_tone(picture) > 0.9 for picture in pictures], pictures, prompts)

# %% tags=["nbval-ignore-output"]
def label(exam, names):
    """Return an exam's pictures with their subjects as labels."""
    return [Picture(picture, name_of(subject)) for picture, subject in zip(exam.pictures, names)]


pipe = load("tiny")
before = examine(pipe, known + new)
assert not set(before.prompts) & {row.caption for row in rows}, "the exam must not repeat the training"
print(len(before.pictures), before)
show_sheet(label(before, known + new)[::4], columns=8)
# %%
assert interval(sum(before.style), len(before.style))[1] < 0.5, "the base draws no line art"
print(say("不会画线稿", "no line art yet"), tell(before.style))
# %% [markdown] lang="zh"
# 主体多半画得对（看 subject），线稿却画不出来：「线稿」这个词，小可图从来没学过。
#
# **记住：** 训练之前先考一次，否则以后说不清是谁的功劳。
# %% [markdown] lang="en"
# Most subjects come out right (see subject), but not as line art: those words were never taught to Tiny Kolors.
#
# **Keep:** examine before you train, or you cannot say later what the training did.
# %% [markdown] lang="zh"
# ## 3. LoRA 是什么：两个小矩阵
#
# UNet 的每个注意力层里有四个权重矩阵 W（`to_q`、`to_k`、`to_v`、`to_out.0`）。LoRA 不改 W，而是在旁边加两个小矩阵 A 和 B，用 W + (alpha/rank)·B·A 代替 W。
# A 把输入压到 `rank` 个数，B 再把它变回来。中间只有 `rank` 个数可走，所以 B·A 这份改动叫**低秩**（low rank）的：它只能往 `rank` 个方向改。
# B 一开始全是 0，所以还没训练时什么都没变。数一数：
# %% [markdown] lang="en"
# ## 3. What a LoRA is: two small matrices
#
# Each attention layer of the UNet has four weight matrices W (`to_q`, `to_k`, `to_v`, `to_out.0`). LoRA leaves W alone, puts two small matrices A and B beside it, and uses
# W + (alpha/rank)·B·A instead of W. A presses the input into `rank` numbers, B turns them back. All has to pass through these `rank` numbers, which is why the change B·A is called **low rank**: it can go in `rank` directions only.
# B begins as zeros, so nothing has changed before the training. Count:
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
# 完整的 Kolors 也数一数。用的是不占内存、只有形状的空壳：
# %% [markdown] lang="en"
# Count the full Kolors too, with an empty shell of its UNet, which has shapes and takes no memory:
# %%
import torch

large = machine.build_part("unet", machine.CONFIGS["unet"])
large_count = sum(weight.numel() for weight in large.parameters())
with torch.device("meta"):
    weights_large = add_lora(large, rank=16, alpha=4.0)
trained = sum(weight.numel() for weight in weights_large)
print(f"{len(weights_large) // 2} layers, {trained} of {large_count} parameters: {trained / large_count:.2%}")
# %% [markdown] lang="zh"
# 一层 W 有 n×n 个数，A 和 B 一共 2·n·rank 个：n 越大，比例越小。小可图的 n 只有 128；完整的 Kolors 里 n 是 640 和 1280，所以同样的 rank 16，比例小得多。
#
# **记住：** LoRA 是加在 W 旁边的 (alpha/rank)·B·A；rank 定它有多大，alpha/rank 定它有多响。
# %% [markdown] lang="en"
# W has n x n numbers, A and B together 2·n·rank: the larger n, the smaller the share. Tiny Kolors' n is only 128; in the full Kolors n is 640 and 1280, so that the same rank 16 is a far smaller share.
#
# **Keep:** a LoRA is (alpha/rank)·B·A beside W; rank says how large it is, alpha/rank how loud.
# %% [markdown] lang="zh"
# ## 4. 训练
#
# 图片先由 VAE 压成**潜空间**里的一小块数（小可图是 4×12×12），训练全在那里进行。每一步都一样：取一批图的潜变量，加上噪声，让 UNet 猜噪声；猜错多少叫**损失**（loss）；
# 再按损失改 A 和 B，别的都不动。一步改多大由**学习率**（learning rate）定；怎么改由优化器定，这里是 **AdamW**：它记住每个数最近往哪边走、走得稳不稳，走得稳的迈大步。
#
# 先看设置。它们适合小可图，和营里的差别在第 7 节试：小模型的层少，所以不光注意力层，卷积和前馈层也加上 LoRA（`targets`）；`rank_dropout` 每一步随机去掉一成的秩，让它少背具体的图；
# `caption_dropout` 让十分之一的说明空着，于是画风不只依赖说明文字。
# %% [markdown] lang="en"
# ## 4. The training
#
# The VAE first presses each picture into a small block of numbers in **latent space** (4 x 12 x 12 with Tiny Kolors), and all training happens there. Every step is the same: take the latents of a batch, add noise, let the UNet guess the noise; how wrong it was is the **loss**;
# then change A and B by it, and nothing else. How far a step goes is the **learning rate**; which way is the optimizer's business, here **AdamW**: it remembers which way each number went lately and how steadily, and lets the steady ones take longer steps.
#
# First the settings. They suit Tiny Kolors, and section 7 tries how they differ from the camp's. A small model has few layers, so not only attention but the convolutions and feed-forward layers get a LoRA too (`targets`); `rank_dropout` leaves out a tenth of the rank at random in each step, so that less is learnt by heart;
# `caption_dropout` leaves one caption in ten empty, so that the style does not depend on captions alone.
# %%
EVERYWHERE = (*ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2")
trigger = say("线稿", "line art")
recipe = tiny_config(
    lora_rank=16, lora_alpha=16.0, targets=EVERYWHERE, learning_rate=4e-3, batch_size=8, steps_per_epoch=400,
    min_snr_gamma=5.0, rank_dropout=0.1, random_flip=False, caption_dropout=0.1, trigger_word=trigger)


def quiet(words):
    """Say nothing."""
# %% [markdown] lang="zh"
# **训练循环就这么几行。**下面走八步，一步 8 张图。先读一遍，再运行：
# %% [markdown] lang="en"
# **The training loop is no more than this.** Here it takes eight steps of 8 pictures. Read it first, then run it:
# %% tags=["nbval-ignore-output"]
loose = add_lora(pipe.unet, rank=16, alpha=16.0, targets=EVERYWHERE)  # A, B, A, B ...: all that will change
data = encode_set(pipe, folder, recipe, cache=CACHE, say=quiet)  # pictures as latents, captions as the encoder's numbers
order = Order(data.examples, recipe.batch_size, recipe.seed)  # which pictures each step gets
optimizer = torch.optim.AdamW(loose, lr=recipe.learning_rate)
for step in range(8):
    chosen = [data.examples[number] for number in order.batch(step)]
    batch = noise_batch(pipe, chosen, data.empty, recipe, make_generator(step))  # other noise in every step
    loss, _ = noise_loss(pipe.unet, batch, pipe.scheduler.alphas_cumprod, recipe)  # how wrong is the guess?
    loss.backward()  # for each number of A and B: which way would make it less wrong?
    optimizer.step()  # go a little that way
    optimizer.zero_grad()  # the next step begins anew
    print(step + 1, f"loss {loss.item():.3f}")
print(say("B 还全是 0 吗：", "B is all zero:"), not loose[1].any().item())
removed = remove_lora(pipe.unet)
# %% [markdown] lang="zh"
# 损失一步高一步低，是因为每步的图和噪声都不一样；要看许多步的平均才知道它在不在降。B 不再是 0：它已经开始学了。
#
# `fit` 做的就是这件事，另外还管：学习率先升后降，梯度太大就剪短，检查点（断了能接着练），曲线和样图，存成文件。现在正式练 400 步。每 40 步用验证集算一次损失，留给第 9 节。
# 进度、曲线和样图边训练边更新；按「停止并保存」随时可以停，停下的地方还能接着练。
#
# 同样的设置换一个种子再练，结果会有出入：**训练一次，就只是抽了一次签。**这一课每种设置都只训练一次，所以方括号里的区间只说画图的运气，不含训练的运气。
# %% [markdown] lang="en"
# The loss goes up and down, because pictures and noise are others in every step; only a mean over many steps says whether it falls. B is not zero any more: it has begun to learn.
#
# `fit` does the same, and takes care of the rest: a learning rate that rises and then falls, gradients cut where they are too large, checkpoints (so that it can go on after a break), curve and samples, the file. Now for the real training of 400 steps. Every 40 steps it computes the loss on the validation set, for section 9.
# Progress, curve and samples grow while it trains; "Stop and save" ends it at any time, and it can go on from there.
#
# The same settings with another seed give a somewhat different result: **one training is one draw.** This lesson trains each setting once, so that the intervals in brackets tell the luck of the drawing alone, not that of the training.
# %% tags=["nbval-ignore-output"]
samples = (say("一只蝴蝶，线稿，蓝色背景", "a butterfly, line art, blue background"),
           say("一只猫，线稿，黄色背景", "a cat, line art, yellow background"))
result = fit(pipe, folder, recipe.but(sample_prompts=samples, sample_every=200, validation_every=40),
             output_path=WORK / "main")
print(result)
# %% [markdown] lang="zh"
# **记住：** 一步训练是五件事：取图、加噪声、猜、算损失、改 A 和 B。
# %% [markdown] lang="en"
# **Keep:** a step of training is five things: take pictures, add noise, guess, compute the loss, change A and B.
# %% [markdown] lang="zh"
# ## 5. 训练之后：同样的 64 题
# %% [markdown] lang="en"
# ## 5. After: the same 64 prompts
# %% tags=["nbval-ignore-output"]
after = examine(pipe, known + new)
cut = len(known)


def part(exam, wanted):
    """Return what an exam says of some of its pictures."""
    return Exam(*(values[wanted] for values in exam))


after_known, after_new = part(after, slice(cut)), part(after, slice(cut, None))
for title, exam in (("before, known", part(before, slice(cut))), ("before, new", part(before, slice(cut, None))),
                    ("after, known", after_known), ("after, new", after_new)):
    print(f"{title:14} {exam}   distance {measure_truth(pipe, exam.pictures, exam.prompts).value:.2f}")
show_sheet(label(after_known, known), columns=8)
# %%
def apart(low, high):
    """Return whether one share is above another by more than chance: their 95 % intervals do not touch."""
    return interval(sum(low), len(low))[1] < interval(sum(high), len(high))[0]


assert apart(before.style, after_known.style) and apart(before.style, after_new.style), "line art is learnt"
print(say("画风学会了，没画过的主体也一样", "the style is learnt, for subjects never drawn that way too"))
print(say("主体变差超出误差：", "subjects worse by more than chance:"), apart(after.subject, before.subject))
# %% [markdown] lang="zh"
# 上面是 **known**：教材里的主体，换了背景。再看 **new**，那些从没见过线稿的主体：
# %% [markdown] lang="en"
# Above is **known**, the subjects of the training on other grounds. Now **new**, subjects that were never drawn as line art:
# %% tags=["nbval-ignore-output"]
show_sheet(label(after_new, new)[:24], columns=8)
# %% [markdown] lang="zh"
# 没见过线稿的主体也画成了线稿：这就是**泛化**，也是 LoRA 没有只背 24 张图的证据。它学到的是「黑线、没有颜色」这种画法；每个主体长什么样，底模本来就知道。
# 底模能把画法和主体分开，是因为它学过同一个主体的五种画法（见[模型卡](../data/tiny_kolors/README.md)）；完整的 Kolors 见过的画法还要多得多。
#
# 再对一对三个证人，比一比 new 和 known 的距离：教材里的主体，它见过真的线条在哪里；没见过的，线条要自己想，偏一点，距离就大一截，可是眼睛照样认得出。
# 反过来，裁判说对的图里，也可能有你认不出的。所以两个数都看，最后看图：数一数，这 24 张里你自己认得出几张？
#
# **记住：** 拿训练时没有的主体来考，才知道学到的是画法，还是那几张图。
# %% [markdown] lang="en"
# Subjects never seen as line art come out as line art: that is **generalisation**, and the proof that the LoRA did not just learn 24 pictures by heart. What it learnt is a way of drawing, "black lines, no colours"; what each subject looks like the base knew before.
# It can keep the two apart because it has learnt each subject drawn in five ways (see its [model card](../data/tiny_kolors/README.md)); the full Kolors has seen far more.
#
# Now hold the three witnesses against each other. Compare the distances of new and known: of the subjects in the training it has seen where the true lines are, those of the others it has to think up; a little beside is a large distance, and yet the eye recognises them.
# On the other hand, some of those that the judge accepts you may not recognise. So look at both numbers, and then at the pictures: how many of these 24 do you recognise yourself?
#
# **Keep:** only an exam with subjects that were not trained on tells whether a way of drawing was learnt, or those few pictures.
# %% [markdown] lang="zh"
# ## 6. 强度：从 0 到 1.5
#
# 文件里的 LoRA 可以开大开小：W + strength·(alpha/rank)·B·A。0 就是原来的模型，1 是训练时的样子。每个强度画 16 张，所以一个点的误差有二十来个百分点，看走势，别看小起伏。
# %% [markdown] lang="en"
# ## 6. Strength: from 0 to 1.5
#
# A LoRA can be turned up and down: W + strength·(alpha/rank)·B·A. 0 is the base exactly, 1 is what was trained. Each strength gets 16 pictures, so that a point may be off by some twenty points: look at where a line goes, not at its small ups and downs.
# %% tags=["nbval-ignore-output"]
STRENGTHS = (0, 0.5, 0.75, 1, 1.5)
few = [*known[::3], *new[::5]]
by_strength = {}
for strength in STRENGTHS:
    set_strength(pipe.unet, strength)
    by_strength[strength] = examine(pipe, few)
    print(f"strength {strength:4}   {by_strength[strength]}")
curves = {"style": "style", "subject": "subject", "two-tone": "toned"}
plot({curve: (STRENGTHS, [sum(getattr(by_strength[strength], field)) / len(few) for strength in STRENGTHS])
      for curve, field in curves.items()}, "strength", "share")
# %% tags=["nbval-ignore-output"]
show_sheet([Picture(by_strength[strength].pictures[number], f"strength {strength:g}")
            for number in (1, 12) for strength in STRENGTHS], columns=len(STRENGTHS))
# %%
assert apart(by_strength[0].style, by_strength[1].style)
print(say("画风随强度上来", "the style comes with the strength"))
print(say("主体从 0 到 1.5 变差超出误差：", "subjects worse at 1.5 than at 0 by more than chance:"),
      apart(by_strength[1.5].subject, by_strength[0].subject))
# %% [markdown] lang="zh"
# 画风随强度上来；主体那条线怎么走，看上面的图和最后一行。觉得画风太重、主体走样，就把强度调低，从 0.5 到 0.75 试起；不用重新训练。
# 自己拖一拖（没有运行的笔记本里看不到滑块）：
# %% [markdown] lang="en"
# The style comes up with the strength; how subjects fare the curve and the last line say. Where the style is too much and subjects suffer, turn the strength down, beginning between 0.5 and 0.75; no new training is needed.
# Drag it yourself (a notebook that is not running shows no slider):
# %%
import ipywidgets


def show(strength=1.0, prompt=samples[0], seed=1):
    """Draw with the LoRA at this strength."""
    set_strength(pipe.unet, strength)
    return draw(pipe, prompt, seed=seed, steps=10)


slider = ipywidgets.interactive(show, strength=(0, 1.5, 0.05), prompt=samples[0], seed=(0, 20))
slider
# %% [markdown] lang="zh"
# **记住：** 强度是画图时才定的旋钮，0 就是底模。
# %% [markdown] lang="en"
# **Keep:** strength is a knob for drawing, not for training; 0 is the base.
# %% [markdown] lang="zh"
# ## 7. 参数表：每一项是什么，什么时候改
#
# 先把营里那条命令的参数列全。说明和默认值就是课程的命令行 `python -m course_lib train` 的，后面是我们的建议：
# %% [markdown] lang="en"
# ## 7. The table of flags: what each is, and when to change it
#
# First all flags of the camp's command. Meaning and default are those of the course's own command line, `python -m course_lib train`; the advice after them is ours:
# %%
WHEN = {
    "pretrained_unet_path": say("换底模时", "for another base model"),
    "pretrained_text_encoder_path": say("换底模时", "for another base model"),
    "pretrained_fp16_vae_path": say("换底模时", "for another base model"),
    "dataset_path": say("每次都写", "always given"),
    "output_path": say("每次训练换一个，免得混在一起", "a new one for each training, so that nothing is mixed"),
    "lora_rank": say("画风简单用 4 到 16；细节多、图也多，再加大", "4 to 16 for a plain style; more for many details and many pictures"),
    "lora_alpha": say("改了 rank 就跟着改：alpha/rank 不变，强弱不变", "when rank changes: alpha/rank the same keeps it as loud"),
    "learning_rate": say("学不会就加倍，主体走样就减半", "double it if nothing is learnt, halve it if subjects suffer"),
    "lora_target_modules": say("小模型，或者画风要改到细节，再加卷积和前馈层", "add convolutions and feed-forward for small models or fine details"),
    "max_epochs": say("看样图：没学会就加，走样就减", "by the samples: more if it is not learnt, fewer if it goes wrong"),
    "steps_per_epoch": say("一样；总步数 = 轮数 × 它", "the same; steps in all = epochs times this"),
    "batch_size": say("内存够就加，损失更稳；一步也更慢", "more where memory allows: a steadier loss, a slower step"),
    "accumulate_grad_batches": say("想要大批量、内存不够时", "for a large batch in little memory"),
    "center_crop": say("主体都在正中时打开", "where subjects stand in the middle"),
    "random_flip": say("左右无所谓时打开；有字、有左右之分就不要", "where left and right do not matter; never with letters"),
    "use_gradient_checkpointing": say("显存不够时（第 8 节）", "where memory is short (section 8)"),
    "precision": say("新显卡用 bf16-mixed，CPU 用 32（第 8 节）", "bf16-mixed on a new GPU, 32 on a CPU (section 8)"),
}
# %%
import argparse

from course_lib.training.command import add_flags

parser = argparse.ArgumentParser()
add_flags(parser)
for flag in parser._actions:
    if flag.dest in WHEN:
        default = "" if flag.default is None else flag.default
        print(f"--{flag.dest} {default}\n    {flag.help}\n    -> {WHEN[flag.dest]}")
# %% [markdown] lang="zh"
# 现在挑最要紧的几项来试。每一行只改一项，用同样少的步数（40 步，每步 8 张）各训练一个小 LoRA，数四样：画风（style，24 张）、教材里的主体（known，8 张）、没见过线稿的主体（new，16 张），
# 还有**忘了多少**：让带着 LoRA 的模型画它本来就会的卡通（cartoon，16 张，画风和主体都对才算）。最后一行 camp 是营里自己的值：rank 16、alpha 4、学习率 1e-4、只改注意力层。
# %% [markdown] lang="en"
# Now try the most important ones. Each line changes one setting, trains a small LoRA for the same few steps (40, of 8 pictures each), and counts four things: the style (24 pictures), subjects of the training (known, 8), subjects never seen as line art (new, 16),
# and **how much is forgotten**: the model with its LoRA draws cartoons, which it knew before (cartoon, 16 pictures, right where style and subject are). The last line, camp, has the camp's own values: rank 16, alpha 4, a rate of 1e-4, attention layers only.
# %% tags=["nbval-ignore-output"]
import csv
import time

STEPS = 40
trials, others = [*known[::3], *new[:32:2]], new[1:32:2]


class Row(NamedTuple):
    """What a small training gave: hits, picture by picture; distance; trained numbers and seconds."""

    style: list
    known: list
    new: list
    cartoon: list
    distance: float
    trained: int = 0
    seconds: float = 0.0

    def __str__(self):
        """Write the line of a table."""
        return (f"{tell(self.style)}  {tell(self.known)}  {tell(self.new)}  {tell(self.cartoon)}"
                f"  {self.distance:8.2f}  {self.trained:9,}  {self.seconds:5.1f} s")


HEAD = f"{'':14} {'style':17} {'known':17} {'new':17} {'cartoon':17} distance    trained  seconds"
# %%
def measure(pipe, trained=0, seconds=0.0):
    """Examine with few prompts and steps."""
    lines, cartoons = examine(pipe, trials, steps=8), examine(pipe, others, style="noto", steps=8)
    both = [style and subject for style, subject in zip(cartoons.style, cartoons.subject)]
    distance = measure_truth(pipe, lines.pictures, lines.prompts).value
    return Row(lines.style, lines.subject[:8], lines.subject[8:], both, distance, trained, seconds)


def try_out(data=folder, **changes):
    """Train a LoRA for a few steps with some settings changed, in place of the one before, and measure it."""
    records = list(train(pipe, data, recipe.but(**{"steps_per_epoch": STEPS, **changes}), say=quiet))
    trained = sum(weight.numel() for part, weight in pipe.unet.named_parameters() if ".lora_" in part)
    return measure(pipe, trained, sum(record.seconds for record in records))


def write_subset(title, count=24, text=None):
    """Copy the data set with fewer pictures, or with one text for all of them."""
    to = WORK / title / "train"
    to.mkdir(parents=True, exist_ok=True)
    for row in rows[:count]:
        shutil.copyfile(row.file, to / row.file.name)
    with (to / "metadata.csv").open("w", encoding="utf-8", newline="") as content:
        csv.writer(content).writerows(
            [("file_name", "text"), *((row.file.name, text or row.caption) for row in rows[:count])])
    return to.parent
# %% tags=["nbval-ignore-output"]
runs = {}


def try_all(table):
    """Try every line of a table, keep what it gave in `runs`, and print it."""
    print(HEAD)
    for title, changes in table.items():
        runs[title] = try_out(**changes)
        print(f"{title:14} {runs[title]}")


rate = recipe.learning_rate
try_all({"as it is": {}, "rate / 10": {"learning_rate": rate / 10}, "rate x 5": {"learning_rate": rate * 5},
         "rank 2": {"lora_rank": 2, "lora_alpha": 2.0}, "rank 64": {"lora_rank": 64, "lora_alpha": 64.0}})
# %% tags=["nbval-ignore-output"]
camps = {"lora_alpha": 4.0, "learning_rate": 1e-4, "targets": ATTENTION}  # rank 16, as here
try_all({"attention": {"targets": ATTENTION}, "one word": {"data": write_subset("one_word", text=trigger)}, "camp": camps})
# %%
plain, ratio = runs["as it is"], runs["rank 64"].trained / runs["rank 2"].trained
print(say("比 as it is 高低超出误差的：", "above or below 'as it is' by more than chance:"))
for title, row in runs.items():
    for column in ("style", "known", "new", "cartoon"):
        mine, theirs = getattr(row, column), getattr(plain, column)
        if apart(mine, theirs) or apart(theirs, mine):
            print(f"  {title:10} {column:8} {'<' if apart(mine, theirs) else '>'}")
print(say("rank 64 的参数是 rank 2 的", "rank 64 trains this many times rank 2's:"), f"{ratio:.0f}")
assert 30 < ratio < 34 and runs["attention"].trained < plain.trained / 2
# %% [markdown] lang="zh"
# 怎么读：上面最后一格列出的差别才算数，没列出来的都在误差里，不要替它们找原因。训练种子也只有一个，区间又不含训练的运气，所以刚好过线的差别也要存疑。
#
# - **学习率**（rate）最要紧。大了，一步迈得太远，主体会走样甚至毁掉；小了，40 步还没学到什么。先定学习率，再管别的。
# - **rank** 从 2 到 64，参数差三十多倍。画风差多少，看它有没有列在上面：一种简单的画法，不一定要很多个方向。
# - **attention**（营里的做法，只改注意力层）：参数少得多，文件也小。
# - **camp**：alpha/rank 是 0.25，学习率又小。完整的 Kolors 用这组值练 500 步；小可图只练 40 步，一共迈不了多远。所以参数要连着模型和步数一起看，不能照抄。
# - **one word**：给所有图写同一个词（夏令营给每张图都写「二次元」），训练时就没有哪个主体和线稿一起出现过；考题却是整句话。第 5 课再用更多的图量一遍。
# - **alpha** 没有单独试：起作用的是 alpha/rank，它和学习率一样管一步走多远。
#
# 没有试的：`center_crop`（这里的图都是方的）、`max_epochs`（只是步数的另一种写法）、先验保持（`prior_weight`，边学边复习原来的画，一步要多花一倍时间；怕它忘，可以试）。
#
# **记住：** 先调学习率和步数，再调 rank；差别落在区间里，就当没有差别。
# %% [markdown] lang="en"
# How to read it: what the last cell lists counts; all else is within chance, and needs no explanation. There is only one training seed, and the intervals do not hold the luck of the training, so doubt those too that only just made the list.
#
# - **learning rate** (rate) matters most. Too high, and each step goes so far that subjects suffer or are ruined; too low, and 40 steps have not learnt much. Settle it before anything else.
# - **rank** from 2 to 64 is thirty times as many parameters. Whether that shows in the style, the list says: a plain way of drawing does not always need many directions.
# - **attention** (the camp's way, attention layers only) has far fewer parameters, and a smaller file.
# - **camp**: alpha/rank is 0.25, and the rate is low. The full Kolors trains 500 steps with these values; Tiny Kolors has 40 here, and cannot go far in them. So settings belong to a model and a number of steps, and cannot just be copied.
# - **one word**: with the same word for every picture (the camp's was 二次元, anime) no subject ever stood beside line art in the training, while the exam asks in whole sentences. Lesson 5 measures it again on more pictures.
# - **alpha** has no line of its own: what acts is alpha/rank, which sets how far a step goes, as the rate does.
#
# Not tried: `center_crop` (all pictures here are square), `max_epochs` (another way to write steps), prior preservation (`prior_weight`: the model revises old pictures while it learns, and a step takes twice as long; try it where forgetting worries you).
#
# **Keep:** first rate and steps, then rank; what lies within the intervals is no difference.
# %% [markdown] lang="zh"
# ## 8. 省内存的两招：梯度检查点和 16 位
#
# 营里的命令还带着 `--use_gradient_checkpointing` 和 `--precision "16-mixed"`。**梯度检查点**不把每层的中间结果都留着，回传误差时再算一遍；16 位就是用短一半的数来算。
# 中间结果占多少，可以在一个不占内存、只有形状的空壳上逐层数出来（一张图，注意力层上 rank 16；16 位那一行按显卡上的做法，整个 UNet 都是 16 位）。每一步多久就在这台机器上量几步（CPU 上 UNet 仍是 32 位，只是算的时候换成 16 位）；同一件事量两次，也会差上一两成。
# %% [markdown] lang="en"
# ## 8. Two ways to save memory: gradient checkpointing, and 16 bits
#
# The camp's command also has `--use_gradient_checkpointing` and `--precision "16-mixed"`. **Gradient checkpointing** does not keep what every layer computed, and computes it once more when the error goes back; 16 bits are numbers half as long.
# What is kept can be counted layer by layer on an empty shell that has shapes and takes no memory (one picture, rank 16 on attention; the row of 16 bits as on a GPU, where the whole UNet is in 16 bits). How long a step takes is measured on this machine over a few steps (on a CPU the UNet stays in 32 bits and is cast while it computes); the same thing measured twice differs by ten or twenty per cent.
# %% tags=["nbval-ignore-output"]
from pathlib import Path

config = machine.read_configs(Path(pipe.name_or_path))["unet"]
side = pipe.unet.config.sample_size  # of the latents: 12 for 96 px


def pace(**changes):
    """Train a few steps and return the median of their seconds."""
    remove_lora(pipe.unet)
    took = sorted(record.seconds for record in train(pipe, folder, recipe.but(steps_per_epoch=5, **changes), say=quiet))
    return took[len(took) // 2]


kept = {}
print(f"{'':24} {'MiB':>6}   seconds a step")
for title, changes, dtype, again in (
        ("as it is", {}, torch.float32, False),
        ("gradient checkpointing", {"use_gradient_checkpointing": True}, torch.float32, True),
        ("16 bits (bf16-mixed)", {"precision": "bf16-mixed"}, torch.bfloat16, False)):
    kept[title] = machine.count_training(config, dtype, side, again)[0] / 2**20
    print(f"{title:24} {kept[title]:6.1f}   {pace(**changes):.2f} s")
# %%
whole, again, half = kept.values()
assert again < 0.9 * whole and half < 0.9 * whole
print(f"gradient checkpointing {again / whole:.2f}   16 bits {half / whole:.2f}")
# %% [markdown] lang="zh"
# - **梯度检查点**：中间结果少了，这句话成立（比例见上）；代价是每一步都要多算一遍前向。显存够就不要开。
# - **16 位**：内存省了，也成立；「更快」要看机器，比一比上面的秒数。显卡有专门的 16 位电路，多数 CPU 没有，所以 CPU 上课程默认 32 位。
#
# **记住：** 两招都是拿时间或精度换内存；内存够，就一招也不用。
# %% [markdown] lang="en"
# - **Gradient checkpointing**: less is kept, as claimed (how much less, see above); the price is that every step computes forward once more. Where memory suffices, leave it off.
# - **16 bits**: memory is saved, as claimed; "faster" depends on the machine, so compare the seconds above. GPUs have circuits for 16 bits and most CPUs have none, so that this course uses 32 bits on a CPU.
#
# **Keep:** both pay for memory with time or exactness; where there is memory enough, use neither.
# %% [markdown] lang="zh"
# ## 9. 练多久才够：验证损失和过拟合
#
# 第 4 节训练时，每 40 步用没训练过的 8 张线稿算了一次损失，噪声和噪声强度每次都一样，所以能比。这叫**验证损失**，都记在 `log.jsonl` 里。
# **过拟合**就是背题：训练过的图越猜越准，没见过的图反而越猜越差，验证损失掉头向上。为了看到它，再训练一次，只给 6 张图；`patience=3` 是说，连着三次验证都没有变好就停下，留用最好的那次。
# %% [markdown] lang="en"
# ## 9. How long is enough: validation and overfitting
#
# During the training of section 4, every 40 steps the loss was computed on the eight drawings that are not trained on, with the same noise and noise levels each time, so that the numbers can be compared. This **validation loss** stands in `log.jsonl`.
# **Overfitting** is learning by heart: the pictures that are trained on are guessed better and better, others worse and worse, and the validation loss turns upwards. To look for it, train once more on six pictures alone; `patience=3` says: stop when three validations in a row have brought no gain, and keep the best.
# %% tags=["nbval-ignore-output"]
remove_lora(pipe.unet)
lines = read_log(WORK / "main")
looks = [(line["step"], line["validation_loss"]) for line in lines if line.get("validation_loss") is not None]
six = write_subset("six", count=6)
shutil.copytree(folder / "validation", six / "validation", dirs_exist_ok=True)
short = recipe.but(steps_per_epoch=100, rank_dropout=0.0, caption_dropout=0.0, validation_every=10, patience=3)
watched = list(train(pipe, six, short, say=quiet))
looks_six = [(record.step, record.validation_loss) for record in watched if record.validation_loss is not None]
plot({"24 pictures": tuple(zip(*looks)), "6 pictures": tuple(zip(*looks_six))}, "step", "validation loss")
# %% tags=["nbval-ignore-output"]
for title, found in (("24", looks), ("6", looks_six)):
    best_step, least = min(found, key=lambda look: look[1])
    print(title, say("张图：最低", "pictures: lowest"), f"{least:.3f}", say("在第", "at step"), best_step,
          say("步；最后", "; last"), f"{found[-1][1]:.3f}", say("在第", "at step"), found[-1][0])
# %% [markdown] lang="zh"
# 比一比两条线：最低点在哪一步，过了最低点有没有掉头向上，6 张的最低点比 24 张的高还是低。图少，同一张就看得多，容易背。
#
# 还有一件事：验证损失不再降，不等于画风学完了。第 4 节的曲线早早变平，可是第 7 节的 as it is 只练 40 步，画风和练满 400 步的（第 5 节）差多少？翻回去比一比。损失量的是噪声猜得准不准，不是你要的画风。
#
# **记住：** 验证损失掉头，就该停；画得够不够好，要看图和考试。
# %% [markdown] lang="en"
# Compare the two curves: at which step each is lowest, whether it turns upwards after that, and whether six pictures get as low as 24. With few pictures each is seen often, and easily learnt by heart.
#
# One thing more: where the validation loss stops falling the style need not be learnt. Section 4's loss soon becomes flat; but how does the style of section 7's "as it is", after 40 steps, compare with section 5's after 400? Look back. The loss measures how well noise is guessed, not the style you want.
#
# **Keep:** a validation loss that turns upwards says stop; whether the drawings are good enough, pictures and exam say.
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
last = list(train(pipe, solid, recipe.but(steps_per_epoch=60, trigger_word=say("立体风格", "3D style")),
                  output_path=WORK / "solid_lora", say=quiet))[-1]
remove_lora(pipe.unet)
print(load_lora(pipe.unet, result.path, name="lines"))
print(load_lora(pipe.unet, last.path, name="solid"))
MIXES = ((0, 0), (1, 0), (0.7, 0.3), (0.5, 0.5), (0.3, 0.7), (0, 1))
both = [say("一只蝴蝶，线稿，立体风格，蓝色背景", "a butterfly, line art, 3D style, blue background"),
        say("一个苹果，线稿，立体风格，白色背景", "an apple, line art, 3D style, white background"),
        say("一只企鹅，线稿，立体风格，黄色背景", "a penguin, line art, 3D style, yellow background")]
mixed = []
for first, second in MIXES:
    set_strength(pipe.unet, first, "lines")
    set_strength(pipe.unet, second, "solid")
    mixed.append(draw_batch(pipe, both, seeds=[1, 2, 3], steps=10))
show_sheet([Picture(row[number], f"lines {first:g}, solid {second:g}")
            for number in range(3) for (first, second), row in zip(MIXES, mixed)], columns=len(MIXES))
# %% tags=["nbval-ignore-output"]
set_strength(pipe.unet, 0, "lines")
for second in (0, 1):
    set_strength(pipe.unet, second, "solid")
    print(f"solid {second}   {examine(pipe, few, style='3d', steps=8)}")
# %% [markdown] lang="zh"
# 从左到右：都不用、只用线稿、三种混法、只用立体。每一种混法的强度加起来都是 1。立体那个只练了 60 步，学会了几成，看上面量的 style：要是它自己就不大像，混出来也只会是线稿变淡。
#
# **记住：** 几个 LoRA 可以一起用，改动相加；先单独看每一个，再混。
# %% [markdown] lang="en"
# From left to right: neither, line art alone, three mixtures, 3D alone. In each mixture the strengths add up to 1. The 3D LoRA had 60 steps only, and how much it has learnt the style above says: where it is weak alone, a mixture is mostly fainter line art.
#
# **Keep:** LoRAs can be used together, and their changes are added; look at each alone before you mix.
# %% [markdown] lang="zh"
# ## 11. 和全量微调比一比
#
# 营里的笔记说 LoRA 有四个好处。拿同一个 UNet、同一批图、同样的 40 步，把**所有**参数都放开训练一遍（全量微调），逐条对照。循环和第 4 节的一样，只是交给优化器的参数换成了全部。
# 内存那一列是数出来的：中间结果，每个要训练的参数的四个数（它自己、梯度和 AdamW 的两个平均值），不训练的参数只有它自己，每个数 4 字节。
# %% [markdown] lang="en"
# ## 11. Against full fine-tuning
#
# The camp's notes name four advantages of LoRA. Take the same UNet, the same pictures and the same 40 steps, train **all** parameters (full fine-tuning), and compare one by one. The loop is section 4's; only what the optimizer is given is everything.
# The memory is counted: what is kept in between, four numbers of 4 bytes for each trained parameter (itself, its gradient and AdamW's two averages), and one for each that is not.
# %%
import copy


def tune_all(rate):
    """Train every parameter of the UNet, and return the seconds."""
    pipe.unet.requires_grad_(True)
    optimizer = torch.optim.AdamW(pipe.unet.parameters(), lr=rate)
    started = time.perf_counter()
    for step in range(STEPS):
        chosen = [data.examples[number] for number in order.batch(step)]
        batch = noise_batch(pipe, chosen, data.empty, recipe, make_generator(step))
        loss, _ = noise_loss(pipe.unet, batch, pipe.scheduler.alphas_cumprod, recipe)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(pipe.unet.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    pipe.unet.requires_grad_(False)
    return time.perf_counter() - started

# %% tags=["nbval-ignore-output"]
remove_lora(pipe.unet)
untouched = copy.deepcopy(pipe.unet.state_dict())
table = {"base": measure(pipe)}
for rate_all in (1e-4, 1e-3):
    seconds = tune_all(rate_all)
    table[f"full {rate_all:g}"] = measure(pipe, base_count, seconds)
    pipe.unet.load_state_dict(untouched)
table |= {"LoRA": runs["as it is"], "LoRA attention": runs["attention"]}
print(HEAD)
for title, row in table.items():
    print(f"{title:14} {row}")
# %%
def memory(layers):
    """Count the MB of a training step at 8 pictures; without layers, all of the UNet is trained."""
    between, trained = machine.count_training(config, torch.float32, side, False, layers=layers)
    frozen = base_count if layers else 0  # a LoRA's own numbers come on top of the frozen ones
    return (4 * frozen + 16 * trained + 8 * between) / 1e6


sizes = {"full": (memory(()), 4 * base_count / 1e6), "LoRA": (memory(EVERYWHERE), result.path.stat().st_size / 1e6)}
for title, (used, file) in sizes.items():
    print(f"{title:6} memory {used:5.0f} MB   file {file:5.1f} MB")
assert runs["as it is"].trained < 0.25 * base_count and sizes["LoRA"][1] < 0.25 * sizes["full"][1]
print(say("LoRA 的内存是全量微调的", "a LoRA's memory, of full fine-tuning's:"), f"{sizes['LoRA'][0] / sizes['full'][0]:.0%}")
# %% [markdown] lang="zh"
# - **参数少、省内存**：成立，而且可以数出来。要训练的参数、它们的梯度和 AdamW 的平均值都按比例变少；但 UNet 本身和中间结果还在，所以总内存省不到同样的倍数。完整的 Kolors 见第 14 节。
# - **训练快**：看 seconds 那一列。猜噪声要算的还是整个 UNet，误差也要往回传一遍；省下的只是改参数那一步，多出来的是 A 和 B 自己的计算。所以别指望快很多；差一两成，可能只是机器正忙。
# - **保留原来的本事**：比一比 cartoon 一列和 base 的差别，记得看区间。学得越狠，忘得越多，两种办法都一样。LoRA 真正的好处是**关得掉**：强度 0 就是原来的模型，一个数都没变；全量微调做不到。
# - **文件小、好换**：成立，文件大小见上，一个底模可以配许多个。
#
# **记住：** LoRA 的好处是参数少、文件小、关得掉；快不快、忘不忘，要量。
# %% [markdown] lang="en"
# - **Few parameters, less memory**: true, and counted. What is trained, its gradients and AdamW's averages shrink by the same factor. The UNet and what it computes in between stay, so the whole does not shrink as much. For the full Kolors see section 14.
# - **Fast**: look at the seconds. Guessing the noise is still the whole UNet, and the error still goes all the way back; what is saved is the change of the parameters, what is added are A and B themselves. So do not expect much; ten or twenty per cent may only be a busy machine.
# - **Keeps what the model could do**: compare the column cartoon with the base's, and mind the intervals. Whatever learns harder forgets more, with either method. A LoRA's real advantage is that it can be **switched off**: strength 0 is the base, number for number. Full fine-tuning cannot do that.
# - **Small files, easy to swap**: true, see the sizes; one base serves many of them.
#
# **Keep:** a LoRA has few parameters, a small file and an off switch; whether it is faster or forgets less has to be measured.
# %% [markdown] lang="zh"
# ## 12. 文件：谁都打得开
#
# 存下来的是 **safetensors**（只装数字、不会夹带程序的格式），文件头里写着 rank、alpha、底模和训练设置。`inspect` 不用模型就能看，`convert` 换成别的工具的名字：ComfyUI 认 kohya 的写法，夏令营的推理脚本认 DiffSynth 的。
# %% [markdown] lang="en"
# ## 12. The file: every tool opens it
#
# What was saved is a **safetensors** file (a format that holds numbers and can hide no program) whose header holds rank, alpha, base model and settings. `inspect` reads it without a model; `convert` writes it with another tool's names: ComfyUI reads kohya's, the
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
# 图上每个点是一层：LoRA 给它加上的改动有多大（没有除以这一层 W 自己的大小，所以大层的点天然偏高）。最要紧的一个数是 **alpha**：DiffSynth 的旧文件（`.ckpt`）里没有它，装入时要自己写出来，写错一倍，强度就错一倍；课程的函数会问你要。
#
# **记住：** 换工具时，先核对 alpha。
# %% [markdown] lang="en"
# Each point is a layer, and how large a change the LoRA adds to it (not divided by the size of the layer's own W, so that large layers lie higher by nature). The number that matters most is **alpha**: DiffSynth's old files (`.ckpt`) do not hold it, so whoever loads one has to give it, and an alpha twice too large makes
# the LoRA twice too strong. The course's functions ask for it.
#
# **Keep:** when a file goes to another tool, check alpha first.
# %% [markdown] lang="zh"
# ## 13. 加了注释的那条命令，为什么跑不起来
#
# 流传的笔记里，训练命令是这样写的，每行后面跟着一句注释：
# %% [markdown] lang="en"
# ## 13. Why the command with comments does not run
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
# 文本编码器读完说明文字就让出显存，所以训练那一步要的比整个模型少得多（数见上表）；营里的脚本把它一直留在显存里。代码还是那几行（训练，每 100 步画一张样图），有合适的显卡才会真的运行。
# 有好几张显卡时，把上面那条命令的 `python` 换成 `accelerate launch`，被打断了加 `--resume` 接着练。
# %% [markdown] lang="en"
# The text encoder leaves the GPU when it has read the captions, so a training step takes far less than the whole model would (see the table); the camp's script kept it there. The code is the same few
# lines (the training, with a sample picture every 100 steps); it runs only where there is such a GPU. With several GPUs write `accelerate launch` for `python` in the command above;
# after a break, `--resume` goes on.
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
# ## 15. 小结
#
# - LoRA 是低秩的微调：W 不动，旁边加 (alpha/rank)·B·A。一步训练是取图、加噪声、猜、算损失、改 A 和 B。
# - 先考一次底模，再训练，再用训练里没有的主体来考。裁判、两色、距离各看一面，最后还要看图。
# - 学习率和步数最要紧，rank 其次；参数跟着模型走，营里的值是给完整的 Kolors 的。
# - 训练一次是抽一次签，几十张图的比例有十几个百分点的误差：看区间。
# - 强度在画图时调，0 就是底模；文件换工具，先核对 alpha。
#
# 接下来先做练习；然后是[第 5 课](05_dataset_prep.ipynb)：LoRA 学到什么全看给它看了什么，那一课从一堆乱糟糟的图开始，整理出自己的数据集。
# %% [markdown] lang="en"
# ## 15. Recap
#
# - A LoRA is fine-tuning of low rank: W stays, beside it comes (alpha/rank)·B·A. A step of training is: take pictures, add noise, guess, compute the loss, change A and B.
# - Examine the base first, then train, then examine with subjects that were not trained on. Judge, two-tone and distance each see one side; look at the pictures in the end.
# - Learning rate and steps matter most, rank comes after them; settings belong to a model, and the camp's are for the full Kolors.
# - One training is one draw, and a share of some dozens of pictures may be off by more than ten points: look at the interval.
# - Strength is set when drawing, and 0 is the base; when a file goes to another tool, check alpha first.
#
# Exercises come next; then [lesson 5](05_dataset_prep.ipynb): what a LoRA learns is what it is shown, and that lesson begins with a heap of raw pictures and makes a data set of them.
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

my_size = 0
my_answer = exercises.check_lora_size(pipe.unet, 8, my_size)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer：参数个数和 rank 成正比 / the count is proportional to the rank
my_answer = exercises.check_lora_size(pipe.unet, 8, sum(weight.numel() for weight in weights) // 2)
# %% [markdown] lang="zh"
# **练习 2**　夏令营训练时 rank 16、alpha 4，画图时却用 alpha 2.0 装入。这相当于强度（`strength`）多少？
# %% [markdown] lang="en"
# **Exercise 2**　The camp trained with rank 16 and alpha 4, and loaded the file with alpha 2.0 to draw. Which strength (`strength`) is that?
# %%
my_strength = 2.0
my_answer = exercises.check_strength(16, 4, 2, my_strength)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
my_answer = exercises.check_strength(16, 4, 2, 0.5)
# %% [markdown] lang="zh"
# **练习 3**　强度开到 2.5，兔子就认不出来了。改 `my_strength`，让裁判重新认出兔子和蓝色背景，线稿也要看得出来：和强度 0 的图比，它到真正的线稿的距离至少要近一成。
# %% [markdown] lang="en"
# **Exercise 3**　At a strength of 2.5 the rabbit cannot be recognised. Change `my_strength` until the judge sees the rabbit on a blue background again, and the line art shows: compared with the picture at strength 0, the distance to true line art has to shrink by a tenth at least.
# %% tags=["nbval-ignore-output"]
remove_lora(pipe.unet)
report = load_lora(pipe.unet, result.path, name="lines")
set_strength(pipe.unet, 0)
plain_rabbit = draw(pipe, say("一只兔子，线稿，蓝色背景", "a rabbit, line art, blue background"), seed=1)
my_strength = 2.5
set_strength(pipe.unet, my_strength)
my_rabbit = draw(pipe, say("一只兔子，线稿，蓝色背景", "a rabbit, line art, blue background"), seed=1)
exercises.check_trace(plain_rabbit, my_rabbit, "lineart")
my_rabbit
# %% tags=["solution", "nbval-ignore-output"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
set_strength(pipe.unet, 0.5)
my_rabbit = draw(pipe, say("一只兔子，线稿，蓝色背景", "a rabbit, line art, blue background"), seed=1)
exercises.check_trace(plain_rabbit, my_rabbit, "lineart")
my_rabbit
# %% [markdown] lang="zh"
# **练习 4（没有标准答案）**　你有 20 张自己画的画，想让模型学会这种画风。你会先试哪个设置：`rank`、学习率还是步数？从哪个数开始？写进 `my_choice`，再用一句话说为什么。单元格只看你答了没有。
# %% [markdown] lang="en"
# **Exercise 4 (no one right answer)**　You have 20 drawings of your own and want the model to learn their style. Which setting would you try first, `rank`, the learning rate or the number of steps, and from which value? Write it into `my_choice`, and say in a sentence why. The cell checks only that you answered.
# %%
my_choice = ""
my_reason = ""  # 一句话 / one sentence
my_answer = exercises.check_reason(my_choice, my_reason)
