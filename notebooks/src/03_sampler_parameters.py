# %% [markdown] lang="zh"
# # 第 3 课　KSampler 的七个参数：每一个都动手量一量
#
# ComfyUI 里真正画图的节点叫 **KSampler**（采样器）。它有七个参数：`seed`、`control_after_generate`、`steps`、`cfg`、`sampler_name`、`scheduler`、`denoise`。
# 夏令营的笔记说：步数越多越精确也越慢；cfg 越高越听提示词；denoise 决定有多少内容被噪声盖住；换采样器和调度器会改变质量和多样性。这一课不背这些话，一条一条去量。
#
# **学完这一课，你会：**
#
# - 说出每个参数管什么，一次只改一个，看图怎么变；
# - 写反向提示词，知道它在公式的哪里起作用；
# - 用营里的基准画法画图，并且量出它在小可图上值不值；
# - 看懂一个比例后面的区间，分得清差别和噪声。
#
# **需要：** 第 1 课装好的环境；不联网，不要显卡。**时间：** 两个 CPU 核上，从头运行大约两分钟；读懂它、玩一玩面板，大约四十分钟。
# 这里的数都是小可图的，换成完整的 Kolors，数会变，量的方法不变。采样循环（`course_lib.sampling`）按论文写成，设置相同时，算法和 ComfyUI 一致。
# %% [markdown] lang="en"
# # Lesson 3　The seven parameters of the KSampler, each of them measured
#
# The node of ComfyUI that does the drawing is the **KSampler**. It has seven parameters: `seed`, `control_after_generate`, `steps`, `cfg`, `sampler_name`, `scheduler`, `denoise`.
# The camp's notes say: more steps are more exact and slower; a higher cfg follows the prompt more; denoise is how much of the content is covered by noise; other samplers and schedulers change quality and diversity. This lesson takes none of that on trust: it measures.
#
# **After this lesson you can:**
#
# - say what each parameter does, and change one at a time to see what happens;
# - write a negative prompt, and point at the place in the formula where it works;
# - draw the way the camp's baseline does, and measure whether that pays on Tiny Kolors;
# - read the interval behind a share, and tell a difference from noise.
#
# **You need** the environment of lesson 1; no network, no GPU. **Time:** on two CPU cores about two minutes to run it all; about forty minutes to understand it and to play with the panel.
# All numbers here are Tiny Kolors': the full Kolors has others, and they are measured the same way. The sampling loop (`course_lib.sampling`) is written from the papers and follows ComfyUI's algorithms.
# %% lang="zh"
from course_lib.messages import say, set_language

set_language("zh")
# %% lang="en"
from course_lib.messages import say, set_language

set_language("en")
# %% [markdown] lang="zh"
# ## 1. 七个参数，一张图
#
# `SamplerSettings` 就是 KSampler 面板上的七栏，名字也一样；`generate` 按它画图。
# %% [markdown] lang="en"
# ## 1. Seven parameters, one picture
#
# `SamplerSettings` holds the seven fields of the KSampler's panel under the same names; `generate` draws by them.
# %%
from course_lib.model import encode_picture, load, measure_truth, preview
from course_lib.sampling import (
    SAMPLERS, SCHEDULERS, SamplerSettings, Trial, draw_batch, gaussian_denoiser, gaussian_solution, generate,
    model_sigmas, next_seed, xy_grid,
)

pipe = load("tiny")
prompt = say("一只瓢虫，卡通风格，蓝色背景", "a ladybird, cartoon style, blue background")
settings = SamplerSettings(seed=1, control_after_generate="fixed", steps=20, cfg=5.0, sampler_name="euler", scheduler="normal", denoise=1.0)
picture = generate(pipe, prompt, settings)
print(picture.caption)
picture
# %% [markdown] lang="zh"
# 下面的面板和 ComfyUI 的 KSampler 一样，只是拖一下滑块图就跟着变：不用排队，新的数会打断还没画完的那一张。
# （没有运行的笔记本里看不到面板，后面每一节都会用普通的单元格再画一遍。）
#
# 先玩几分钟：把 `cfg` 从 1 慢慢拖到 20；把 `steps` 从 1 拖到 30；换几个 `sampler_name`。
# 「对比」把一张图钉为 A，改一个参数，新图就是 B；「X/Y 表」一次改两个参数；打开「先猜后看」，新图会先藏起来，等你猜。
# %% [markdown] lang="en"
# The panel below is ComfyUI's KSampler, but the picture follows the slider: nothing queues, and a new value interrupts the picture that is not
# finished yet. (A notebook that is not running shows no panel; every section below draws again in plain cells.)
#
# Play for a few minutes: drag `cfg` slowly from 1 to 20, `steps` from 1 to 30, and try some `sampler_name`.
# "Compare" pins a picture as A, and after one change the new picture is B; "X/Y grid" changes two parameters at once; with "Predict first" the new picture stays hidden until you have guessed.
# %%
from course_lib.widgets import explore

explorer = explore(pipe, prompt, settings=settings)
explorer
# %% [markdown] lang="zh"
# **记住：** 七个参数说全了，一张图就定了。要看懂一个参数，就只动它一个。
#
# ## 2. 采样是什么：一步一步拿走噪声
#
# 开始是纯噪声。每一步，UNet 猜「去掉噪声后会是什么样」（预测的 x0），采样器朝那个方向走一小步，噪声的强度 sigma 一路降到 0。
# 这一切都发生在**潜空间**里（VAE 压缩后的小图，第 1 课），最后才解码成像素。
# 下面是第 1、3、5……步时预测的图和那时的 sigma。看一看：背景、形状、细节，各在第几步定下来？
# %% [markdown] lang="en"
# **Keep:** all seven parameters together decide the picture. To understand one of them, move that one alone.
#
# ## 2. What sampling is: noise taken away step by step
#
# It starts as pure noise. In each step the UNet guesses what would be left without the noise (the predicted x0), the sampler takes a small step that way, and
# the strength of the noise, sigma, falls to 0. All this happens in **latent space** (the small pictures that the VAE makes, lesson 1); only the end is decoded to pixels.
# Below, the predicted picture and sigma at steps 1, 3, 5 ... Look: at which step is the background settled, at which the shape, at which the details?
# %%
from course_lib.pictures import (
    GROUNDS, Picture, clipped, distance, diversity, interval, judge, name_of, plot, read_prompt, saturation,
    show_sheet, subjects,
)

seen = []
generate(pipe, prompt, settings, callback=seen.append)
show_sheet([Picture(preview(pipe, step.denoised), f"step {step.index + 1}  sigma {step.sigma:.2f}") for step in seen[::2]], columns=5)
# %% [markdown] lang="zh"
# **记住：** 采样就是把「猜」分成许多小步，每一步都看着还剩下的噪声再猜一次。
#
# ## 3. `steps`：步数越多越好吗？
#
# 说法：步数越多，结果越精确，时间也越长。怎么量「精确」？每个种子先用一种很准的走法（`heun`，60 步，第 8 节会讲）画一张当作标准答案，
# 再看 `euler` 走不同步数时离它有多远（逐像素的平均差，0 到 1）。用六个种子，免得被一张图骗了。
# %% [markdown] lang="en"
# **Keep:** sampling is guessing in many small steps, each time with a fresh look at the noise that is left.
#
# ## 3. `steps`: is more better?
#
# The claim: more steps are more exact and take longer. How to measure "exact"? For each seed draw a reference in a very exact way (`heun` in 60 steps, see section 8),
# and see how far from it `euler` ends with fewer or more steps (mean difference of the pixels, 0 to 1). Six seeds, so that no single picture fools you.
# %% tags=["nbval-ignore-output"]
from dataclasses import replace

STEPS = (2, 4, 7, 10, 15, 20, 30, 50)
SEEDS = range(1, 7)


def draw_seeds(**changes):
    """Draw one picture a seed with these changes to the settings."""
    return generate(pipe, prompt, [replace(settings, seed=seed, **changes) for seed in SEEDS])


def measure_far(pictures):
    """Return how far each picture is from the reference of its seed."""
    return [distance(one.image, other.image) for one, other in zip(pictures, reference)]


reference = draw_seeds(sampler_name="heun", steps=60)
by_steps = {steps: draw_seeds(steps=steps) for steps in STEPS}
seconds = {steps: sum(one.seconds for one in pictures) / len(SEEDS) for steps, pictures in by_steps.items()}
print(f"2 steps {seconds[2]:.2f} s, 50 steps {seconds[50]:.2f} s")
# %%
by_seed = {steps: measure_far(pictures) for steps, pictures in by_steps.items()}
far = {steps: sum(each) / len(each) for steps, each in by_seed.items()}
print("steps  mean   nearest seed .. furthest seed")
for steps, each in by_seed.items():
    print(f"{steps:5}  {far[steps]:.3f}  {min(each):.3f} .. {max(each):.3f}")
early, late = (far[2] - far[7]) / 5, (far[20] - far[50]) / 30
assert far[50] < far[2] / 4 and early > 5 * late, "more steps come nearer, each of them by less"
print(f"{early:.4f} / {late:.5f}")
plot({"mean of 6 seeds": (STEPS, list(far.values()))}, "steps", "distance to the reference", xscale="log", yscale="log")
# %% [markdown] lang="zh"
# 说法只对一半。最后打印的两个数，是每多走一步能靠近多少：前面是 2 到 7 步之间，后面是 20 到 50 步之间。单元格已经替你核对过：后面每一步的好处还不到前面的五分之一，时间却照样按步数涨（看上一个单元格的秒数）。
#
# **记住：** 先用 20 步左右挑图，挑中了再加步数。
# %% [markdown] lang="en"
# The claim is half true. The two numbers printed last say how much nearer one more step brings you: first between 2 and 7 steps, then between 20 and 50. The cell has checked that a late step is worth less than a fifth of an early one, and time grows with the steps all the same (the seconds one cell up).
#
# **Keep:** choose pictures at 20 steps or so, and spend more on the one you chose.
# %% [markdown] lang="zh"
# ## 4. `cfg`：越高越听话？
#
# 每一步，UNet 其实猜两次：一次看提示词，一次不看。`cfg` 把两次的差放大：x0 = 不看 + cfg ×（看 − 不看）。
# cfg 等于 1 时公式里只剩「看」，所以只猜一次。少猜一次能快多少，量一量：
# %% [markdown] lang="en"
# ## 4. `cfg`: the higher, the more obedient?
#
# In each step the UNet really guesses twice, with the prompt and without. `cfg` enlarges the difference: x0 = without + cfg x (with - without).
# At cfg 1 nothing but "with" is left of the formula, so there is one guess only. How much time does that save? Measure:
# %% tags=["nbval-ignore-output"]
for cfg in (1, 5):
    took = sum(one.seconds for one in draw_seeds(cfg=cfg))
    print(f"cfg {cfg}: {took / len(SEEDS):.2f} s")
# %% [markdown] lang="zh"
# 接着看说法：cfg 越高，越体现提示词。让裁判看 16 句提示词的图，数一数主体和背景对了几张；同时量饱和度，和顶到头的颜色值（0 或 255）占多少。
# 方括号里是 95 % 区间：只看了 16 张，真正的比例大概就在这里面。两个区间碰在一起，就不能说谁高谁低。
# %% [markdown] lang="en"
# Now the claim: a higher cfg shows more of the prompt. Let the judge look at pictures of 16 prompts and count the right subjects and backgrounds; measure saturation beside it, and the share of clipped values (0 or 255).
# The brackets are the 95 % interval: from 16 pictures, the true share is probably somewhere in there. Where two intervals touch, nobody can say which share is higher.
# %%
CFGS = (0, 1, 2, 5, 12, 20)
grounds = list(GROUNDS)
scenes = [(subject, grounds[number % 10]) for number, subject in enumerate(list(subjects())[::4])]


def ask(subject, ground):
    """Ask for a subject on a ground."""
    (zh, *_), (en, *_) = (subjects()[subject][spoken] for spoken in ("zh", "en"))
    return say(f"{zh}，{GROUNDS[ground][0][0]}背景", f"{en}, {GROUNDS[ground][1][0]} background")


rows = {cfg: [] for cfg in CFGS}
for subject, ground in scenes:
    pictures = generate(pipe, ask(subject, ground), [replace(settings, cfg=cfg, steps=12) for cfg in CFGS])
    for cfg, one, seen in zip(CFGS, pictures, judge([one.image for one in pictures])):
        rows[cfg].append((seen.subject == subject, seen.ground == ground, saturation(one.image), clipped(one.image)))
# %%
def tell(hits):
    """Write how many are true, with the 95 % interval of their share."""
    low, high = interval(sum(hits), len(hits))
    return f"{sum(hits):2} / {len(hits)} [{low:4.0%}, {high:4.0%}]"


columns = {cfg: list(zip(*each)) for cfg, each in rows.items()}
means = {cfg: [sum(column) / len(column) for column in each] for cfg, each in columns.items()}
print("cfg   subject                background             saturation  clipped")
for cfg, (subject, ground, *_) in columns.items():
    print(f"{cfg:3}   {tell(subject)}   {tell(ground)}   {means[cfg][2]:10.2f}  {means[cfg][3]:7.1%}")
assert interval(sum(columns[0][0]), 16)[1] < interval(sum(columns[5][0]), 16)[0], "cfg 0 does not look at the prompt"
assert means[20][3] > means[2][3] + 0.02, "a high cfg clips colours"
names = ("subject", "background", "saturation", "clipped")
plot({name: (CFGS, [means[cfg][number] for cfg in CFGS]) for number, name in enumerate(names)}, "cfg", "share")
# %% [markdown] lang="zh"
# 读表。有两件事单元格已经核对过：cfg 0 根本不看提示词，主体比 cfg 5 差得多，两个区间不相碰；cfg 从 2 到 20，顶到头的颜色值至少多了两个百分点。
# 其余的自己看区间：cfg 1 和 2 的区间碰在一起吗？碰在一起，16 张图就还说不出高低（小可图的卡片用 400 句量过 cfg 1 和 5）。再看 cfg 20 那一行的背景：太高的 cfg 是不是反而画坏了几张？
#
# 同一句提示词，从 0 到 20：
# %% [markdown] lang="en"
# Read the table. Two things have been checked by the cell: cfg 0 does not look at the prompt, and its subjects are so much worse than at cfg 5 that the two intervals do not touch; and from cfg 2 to 20 clipped values grow by two points at least.
# For the rest look at the intervals: do those of cfg 1 and 2 touch? Then 16 pictures cannot tell them apart (the card of Tiny Kolors measures cfg 1 and 5 with 400 prompts). And look at the backgrounds at cfg 20: did so high a cfg spoil some?
#
# One prompt from 0 to 20:
# %%
show_sheet(generate(pipe, prompt, [replace(settings, cfg=cfg) for cfg in CFGS]), columns=6)
# %% [markdown] lang="zh"
# **记住：** cfg 放大「看提示词」和「不看」的差。先升后平，再高就伤颜色，所以停在主体不再变好的地方。
#
# ## 5. 反向提示词，和夏令营的基准画法
#
# 公式里「不看」的那一次猜，也可以换成看另一句话：x0 = 看反 + cfg ×（看正 − 看反）。这另一句就是**反向提示词**（negative prompt）：画面会离它越来越远。
# 它不是一道命令，只是公式里的一个方向。所以 cfg 等于 1 时，它完全不起作用：
# %% [markdown] lang="en"
# **Keep:** cfg enlarges the difference between looking at the prompt and not. It helps, then it stops helping, then it hurts colours: stay where subjects get no better.
#
# ## 5. The negative prompt, and how the camp's baseline draws
#
# The guess "without" in the formula may look at another text instead: x0 = negative + cfg x (positive - negative). That text is the **negative prompt**: the picture is driven away from it.
# It is no command but a direction in a formula. At cfg 1, therefore, it does nothing at all:
# %%
bare = say("一只瓢虫", "a ladybird")
blue = say("蓝色背景", "blue background")
one, other = (generate(pipe, bare, replace(settings, cfg=1.0), negative_prompt=words) for words in ("", blue))
assert one.image.tobytes() == other.image.tobytes()
print(one.image.tobytes() == other.image.tobytes())
# %% [markdown] lang="zh"
# cfg 大于 1 时呢？提示词只说「一只瓢虫」，不说背景，画 16 张，看哪种背景最多；再把这种背景写进反向提示词，同样的 16 个种子再画一遍：
# %% [markdown] lang="en"
# And above 1? Ask for a ladybird and say nothing of the background, draw 16, and see which background is the most frequent; then write that one into the negative prompt and draw the same 16 seeds again:
# %%
from collections import Counter

many = [replace(settings, seed=seed, steps=12) for seed in range(16)]
free = generate(pipe, bare, many)
found = [seen.ground for seen in judge([one.image for one in free])]
common = Counter(found).most_common(1)[0][0]
unwanted = say(f"{name_of(common)}背景", f"{name_of(common)} background")
driven = generate(pipe, bare, many, negative_prompt=unwanted)
left = [seen.ground for seen in judge([one.image for one in driven])]
before, after = ([ground == common for ground in each] for each in (found, left))
print(unwanted, tell(before), "->", tell(after))
touch = interval(sum(after), 16)[1] >= interval(sum(before), 16)[0]
print(say("区间碰在一起：16 张还说不准", "the intervals touch: 16 pictures cannot tell") if touch
      else say("区间不相碰：是真的差别", "the intervals do not touch: a real difference"))
show_sheet([Picture(one.image, "") for one in (*free[:8], *driven[:8])], columns=8)
# %% [markdown] lang="zh"
# 上排没有反向提示词，下排有，种子一一对应。
#
# 夏令营的基准代码画图用的是：cfg 4、50 步，反向提示词「丑陋、变形、嘈杂、模糊、低对比度」。它在小可图上值不值？16 句提示词各画三遍：照营里的设置；去掉反向提示词；只画 20 步也不要反向提示词。
# `distance` 是离真图的距离（第 1 课的 `measure_truth`）：0 最好，1 是空背景，不靠裁判。最后一列是和第一行的图逐像素差多少。
# %% [markdown] lang="en"
# Above without the negative prompt, below with it; the seeds correspond.
#
# The camp's baseline draws with cfg 4, 50 steps and a negative prompt 丑陋、变形、嘈杂、模糊、低对比度 (ugly, deformed, noisy, blurry, low contrast). Does that pay on Tiny Kolors? Draw 16 prompts three times: by the camp's settings; without the negative prompt; and with 20 steps and no negative prompt.
# `distance` is that to the true pictures (`measure_truth` of lesson 1): 0 is best, 1 an empty background, and no judge is asked. The last column is how much the pixels differ from those of the first row.
# %%
from course_lib.story import CAMP_NEGATIVE

negative = say(CAMP_NEGATIVE, "ugly, deformed, noisy, blurry, low contrast")
asked = [ask(*scene) for scene in scenes]
ways = {"camp": (50, negative), "no negative prompt": (50, ""), "20 steps, none": (20, "")}
drawn, right = {}, {}
for name, (steps, away) in ways.items():
    drawn[name] = draw_batch(pipe, asked, seeds=range(16), steps=steps, cfg=4.0, negative_prompt=away)
    right[name] = [seen.subject == subject for seen, (subject, _) in zip(judge(drawn[name]), scenes)]
    off = measure_truth(pipe, drawn[name], asked).value
    moved = sum(distance(*two) for two in zip(drawn[name], drawn["camp"])) / 16
    print(f"{name:19} subject {tell(right[name])}   distance {off:.2f}   pixels {moved:.3f}")
print(say("小可图没学过的词：", "words that Tiny Kolors never learnt: "), *read_prompt(negative).unknown)
show_sheet([Picture(drawn[name][number], name) for name in ways for number in range(6)], columns=6)
# %%
limits = {name: interval(sum(hits), len(hits)) for name, hits in right.items()}
for name in list(ways)[1:]:
    apart = limits[name][0] > limits["camp"][1] or limits[name][1] < limits["camp"][0]
    print(f"camp / {name}:", say("有差别", "a difference") if apart else say("在噪声以内", "within noise"))
# %% [markdown] lang="zh"
# 小可图没有学过「丑陋」「模糊」这些词（单元格打印了是哪些），所以这句反向提示词指的不是「更美」，而是一个没有含义的方向：像素会变（最后一列），画得好不好要看距离和区间。
# 完整的 Kolors 学过这些词，结果可能不同：用同样的几行，在它上面再量一次才知道。
#
# **记住：** 反向提示词顶替「不看」的那一次猜，cfg 越大推得越远，cfg 等于 1 时没有用。照抄一组设置之前，先在自己的模型上量。
#
# ## 6. `denoise`：盖住多少内容
#
# 从一张已有的图出发（图生图）：先加噪声，再采样。`denoise` 等于 1 时，原图全被盖住。等于 0.3 时，先加的噪声弱得多：20 步照样走完，但只走噪声强度表的最后 30 %。
# 原图是一只黄色背景的猫，提示词改成「狗」：量一量图和原图还有多像，八张里有几张已经变成了狗。
# %% [markdown] lang="en"
# Tiny Kolors never learnt words such as "ugly" or "blurry" (the cell prints which), so this negative prompt does not point away from ugliness but in a direction without meaning: the pixels do change (last column), and whether the pictures are better is for distance and intervals to say.
# The full Kolors knows these words, and may well answer differently: only the same few lines, run on it, can tell.
#
# **Keep:** the negative prompt takes the place of the guess "without"; the higher the cfg, the harder it pushes, and at cfg 1 it does nothing. Before you copy settings, measure them on your own model.
#
# ## 6. `denoise`: how much is covered
#
# Start from a picture that is there (image to image): noise is added, then taken away. With `denoise` 1 the picture is covered wholly. With 0.3 far less noise is added at first: all 20 steps are taken, but on the last 30 % of the schedule alone.
# The source is a cat on yellow; the prompt asks for a dog: measure how close the result still is to the source, and how many of eight have become dogs.
# %%
source = generate(pipe, say("一只猫，扁平风格，黄色背景", "a cat, flat style, yellow background"), settings)
latent = encode_picture(pipe, source.image)
DENOISE = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
wanted = say("一只狗，扁平风格，黄色背景", "a dog, flat style, yellow background")
by_denoise, moved = {}, {}
for denoise in DENOISE:
    trials = [replace(settings, seed=seed, denoise=denoise) for seed in range(8)]
    by_denoise[denoise] = generate(pipe, wanted, trials, latent=latent)
    images = [one.image for one in by_denoise[denoise]]
    moved[denoise] = sum(distance(image, source.image) for image in images) / len(images)
    dogs = [seen.subject == "dog-face" for seen in judge(images)]
    print(f"denoise {denoise:.1f}   distance to source {moved[denoise]:.3f}   dogs {tell(dogs)}")
assert moved[1.0] > moved[0.1] + 0.01, "more denoise goes further from the source"
labelled = [Picture(by_denoise[denoise][0].image, f"denoise {denoise:g}") for denoise in DENOISE]
show_sheet([Picture(source.image, say("原图", "source")), *labelled], columns=7)
# %% [markdown] lang="zh"
# `denoise` 大，图离原图就远（单元格核对了 0.1 和 1 两头）。狗从哪一行开始来？那一行的 distance 到顶了没有？狗来了而 distance 还没到顶，原图的样子就还留着一些：图生图要找的就是这一段。八张图的区间很宽，别把相邻两行的一两张当成规律。
#
# **记住：** `denoise` 小，改得少；要改的东西刚好出现，就停在那里。
# %% [markdown] lang="en"
# A high `denoise` ends further from the source (the cell has checked the two ends, 0.1 and 1). In which row do dogs begin, and has distance reached its top there? Where the dog has come and distance has not, something of the source has stayed: that range is what image to image looks for. Eight pictures have wide intervals, so make no rule of one or two between neighbouring rows.
#
# **Keep:** a small `denoise` changes little; stop where the change you want has just appeared.
# %% [markdown] lang="zh"
# ## 7. `seed` 和 `control_after_generate`
#
# 种子决定开始的噪声，别的什么也不管：同样的种子，同样的图。八个种子的图有多不一样？`diversity` 是裁判眼里两两之间的平均距离（0 是全都一样）。
# 有一种说法：cfg 越高，图越像，这是「听话」的代价。三句提示词，每句三种 cfg，看它站不站得住：
# %% [markdown] lang="en"
# ## 7. `seed` and `control_after_generate`
#
# The seed decides the noise at the start and nothing else: the same seed, the same picture. How different are the pictures of eight seeds? `diversity` is the mean
# distance of each two of them in the judge's eyes (0 where all are the same). It is said that with a higher cfg pictures grow alike, the price of obedience. Three prompts with three cfg each: does it hold?
# %%
spread = {1: [], 5: [], 12: []}
words = [say("一只猫", "a cat"), say("一朵玫瑰", "a rose"), say("一辆汽车", "a car")]
for cfg, each in spread.items():
    for name in words:
        family = generate(pipe, name, [replace(settings, seed=seed, cfg=cfg, steps=12) for seed in range(8)])
        each.append(diversity([one.image for one in family]))
    print(f"cfg {cfg:2}  " + "   ".join(f"{name} {value:.3f}" for name, value in zip(words, each)))
for low, high in ((1, 5), (5, 12)):
    fell = sum(second < first for first, second in zip(spread[low], spread[high]))
    print(say(f"cfg {low} -> {high}：{len(words)} 句里有 {fell} 句变得更像", f"cfg {low} -> {high}: less diverse in {fell} of {len(words)} prompts"))
show_sheet(family, columns=8)
# %% [markdown] lang="zh"
# 三句都往一个方向走，才值得继续问下去；只有一两句，就是噪声。三句都变也只是线索，不是证明：要下结论，得再多几句。
#
# `control_after_generate` 不改变这一张图，只决定**下一张**用哪个种子：`fixed` 不变，`increment` 加一，`decrement` 减一，`randomize` 随机。
# 想比较别的参数，就用 `fixed`：一次只改一样。
# %% [markdown] lang="en"
# Only where all three go the same way is it worth asking on; one or two are noise. And three are a hint, no proof: a conclusion needs more prompts.
#
# `control_after_generate` does not change this picture; it decides the seed of the **next** one: `fixed` keeps it, `increment` adds one, `decrement` takes one away,
# `randomize` draws one. To compare another parameter use `fixed`: change one thing at a time.
# %%
import random

for control in ("fixed", "increment", "decrement", "randomize"):
    print(f"{control:10} 8 -> {next_seed(replace(settings, seed=8, control_after_generate=control), random.Random(0))}")
# %% [markdown] lang="zh"
# **记住：** 种子就是起始噪声的号码，比较时钉住它，找图时放开它。
#
# ## 8. `scheduler` 和 `sampler_name`
#
# **调度器**决定噪声强度 sigma 走哪些台阶；**采样器**决定每个台阶怎么走。先看九种调度器的 20 步台阶：
# %% [markdown] lang="en"
# **Keep:** the seed is the number of the start noise: pin it to compare, let it go to search.
#
# ## 8. `scheduler` and `sampler_name`
#
# The **scheduler** decides which levels of noise, sigma, the way goes through; the **sampler** decides how to go from one level to the next. First the nine schedulers'
# levels for 20 steps:
# %%
levels = model_sigmas(pipe.scheduler.config)
lines = {}
for name, schedule in SCHEDULERS.items():
    sigmas = schedule(20, levels)[:-1]
    lines[name] = (range(len(sigmas)), sigmas)
plot(lines, "step", "sigma", yscale="log")
# %% [markdown] lang="zh"
# 九条线都从高到低，20 步走完；差别在哪一段走得密。线在低处拉得长，就是把步子多花在细节上；在高处拉得长，就是多花在大形上。
#
# 再把采样器和调度器两两搭配，步数都是 20。行是采样器，列是调度器，图是种子 1 的；表里的数是六个种子离标准答案的平均距离（第 3 节那些图），括号里是最近到最远。
# 名字里有 ancestral 或 sde 的采样器每一步都添一点新噪声，画的是另一张图，所以离标准答案远，并不等于画得差。
# %% [markdown] lang="en"
# All nine go from high to low in 20 steps; they differ in where the steps are close together. A line that lingers low spends its steps on details, one that lingers high on the large shapes.
#
# Now samplers and schedulers in pairs, 20 steps each. Rows are samplers, columns schedulers, the pictures those of seed 1; the table holds the mean distance of six seeds to the references of section 3, with the nearest and the furthest in brackets.
# Samplers with ancestral or sde in their names add a little new noise in every step and so draw another picture: far from the reference is not the same as worse.
# %%
NAMES = ("euler", "dpmpp_2m", "euler_ancestral")
PLANS = ("normal", "karras", "beta")
grid = xy_grid(pipe, Trial(prompt, settings), ("scheduler", PLANS), ("sampler_name", NAMES))
away = {(name, plan): measure_far(draw_seeds(sampler_name=name, scheduler=plan)) for name in NAMES for plan in PLANS}
print(" " * 17 + "".join(f"{plan:22}" for plan in PLANS))
for name in NAMES:
    row = [away[name, plan] for plan in PLANS]
    print(f"{name:17}" + "".join(f"{sum(each) / 6:.3f} ({min(each):.3f}..{max(each):.3f})  " for each in row))
for plan in PLANS:
    nearer = sum(second < first for first, second in zip(away["euler", plan], away["dpmpp_2m", plan]))
    print(f"{plan}: dpmpp_2m < euler {nearer} / {len(SEEDS)}")
grid
# %% [markdown] lang="zh"
# 最后三行数的是：同样的台阶、同样的步数，六个种子里有几个 `dpmpp_2m` 比 `euler` 更近。6 个全是或者一个也没有，凭运气很少见（两边合起来约三十二分之一）；2、3、4 个就是不相上下。
# 如果三种台阶的结果不一样，那就是要记的：采样器和调度器要搭配着选。
#
# 为什么有的走法更准？看**收敛阶**：步数加倍，一阶方法（`euler`）的误差减半，二阶方法减到四分之一。
# 要量误差，得有准确答案，而 UNet 没有公式。所以换一个算得出来的世界：假如「图片」只是一个服从正态分布的数，从噪声走到图片的那条路就有公式解，采样器走到哪里，可以直接和公式比。采样器的代码一个字也不改。
# %% [markdown] lang="en"
# The last three lines count: on the same levels, with as many steps, for how many of the six seeds is `dpmpp_2m` nearer than `euler`? All six or none is rare by luck (about one in thirty-two, both ends together); 2, 3 or 4 is a draw.
# If the three schedulers disagree, that is the thing to remember: the two are chosen together.
#
# Why is one way more exact? Look at the **order of convergence**: with twice the steps a method of first order (`euler`) has half the error, one of second order a quarter.
# To measure an error one needs the exact answer, and a UNet has no formula. So go to a world that can be worked out: suppose that a "picture" were one number with a normal distribution. Then the way from noise to picture has a closed form, and where a sampler ends can be compared with it. Not a letter of the samplers' code changes.
# %%
import math

import torch

COUNTS = (8, 16, 32, 64, 128)
first, last = torch.tensor([14.0, 0.1], dtype=torch.float64)
noisy = torch.linspace(-20, 20, 9, dtype=torch.float64)
exact = gaussian_solution(noisy, first, last, mean=0.3, std=0.8)
lines = {}
for name in ("euler", "heun", "dpm_2", "dpmpp_2m", "lms"):
    errors = []
    for count in COUNTS:
        sigmas = torch.logspace(math.log10(first), math.log10(last), count + 1, dtype=torch.float64)
        reached = SAMPLERS[name](gaussian_denoiser(0.3, 0.8), noisy, sigmas, noise=None)
        errors.append(float((reached - exact).abs().max()))
    lines[name] = (COUNTS, errors)
    print(f"{name:10} order {math.log2(errors[-2] / errors[-1]):.1f}   error at 32 steps {errors[2]:.0e}")
assert lines["dpmpp_2m"][1][2] < lines["euler"][1][2] / 2, "second order is more exact at 32 steps"
plot(lines, "steps", "error", xscale="log", yscale="log")
# %% [markdown] lang="zh"
# 打印的 order 就是量出来的阶：约等于 1 的，步数加倍误差减半；约等于 2 的，减到四分之一。
# `heun` 和 `dpm_2` 每一步要问 UNet 两次；`dpmpp_2m` 和 `lms` 记住前几步，只问一次，时间省一半。
# 整个采样器就是一个短函数，可以直接读：
# %% [markdown] lang="en"
# The order printed is the one measured: near 1, twice the steps halve the error; near 2, they quarter it.
# `heun` and `dpm_2` ask the UNet twice in each step; `dpmpp_2m` and `lms` remember the steps before and ask once, in half the time.
# A whole sampler is one short function, and can be read:
# %%
import inspect

print(inspect.getsource(SAMPLERS["euler"]))
# %% [markdown] lang="zh"
# **记住：** 调度器选台阶，采样器选走法，两样一起选。不知道选什么，就从 `euler` 加 `normal` 开始。
#
# ## 9. 小结
#
# - `steps`：前几步最值钱，20 步左右挑图。
# - `cfg`：放大「看提示词」和「不看」的差；太高会伤颜色。
# - 反向提示词：顶替「不看」的那一次猜，cfg 等于 1 时没有用。
# - `denoise`：图生图改多少。`seed`：起始噪声的号码；`control_after_generate` 只管下一张。
# - `scheduler` 选台阶，`sampler_name` 选走法。
# - 十几张图的比例，上下能差几十个百分点：先看区间，再说高低。
#
# 接下来先做练习；然后是[第 4 课](04_lora_training.ipynb)：不再只调设置，而是训练一个 LoRA，教小可图一种它不会的画风。
# %% [markdown] lang="en"
# **Keep:** the scheduler chooses the levels, the sampler how to go, and the two are chosen together. When in doubt begin with `euler` and `normal`.
#
# ## 9. Recap
#
# - `steps`: the first are worth the most; choose pictures at 20 or so.
# - `cfg`: enlarges the difference between looking at the prompt and not; too high a value hurts colours.
# - Negative prompt: takes the place of the guess "without"; at cfg 1 it does nothing.
# - `denoise`: how much image to image changes. `seed`: the number of the start noise; `control_after_generate` is about the next picture alone.
# - `scheduler` chooses the levels, `sampler_name` how to go.
# - A share of a dozen pictures may be off by tens of points: look at the interval before you compare.
#
# Exercises come next; then [lesson 4](04_lora_training.ipynb): no longer settings alone, but training a LoRA that teaches Tiny Kolors a style it does not know.
# %% [markdown] lang="zh"
# ## 练习
#
# **练习 1**　起始种子是 41，`control_after_generate` 选 `increment`，连画三张。第三张画完后，种子栏里显示多少？
# %% [markdown] lang="en"
# ## Exercises
#
# **Exercise 1**　The seed starts at 41, `control_after_generate` is `increment`, and three pictures are drawn. What does the seed field show after the third?
# %%
from course_lib import exercises
from course_lib.messages import say

my_seed = 41
my_answer = exercises.check_seed(my_seed, start=41, control="increment", pictures=3)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
my_answer = exercises.check_seed(44, start=41, control="increment", pictures=3)
# %% [markdown] lang="zh"
# **练习 2**　只改 `denoise`：从上面那张猫出发，画一只狗，背景还是黄色。
# %% [markdown] lang="en"
# **Exercise 2**　Change `denoise` alone: from the cat above, draw a dog on a yellow background.
# %%
my_dog = generate(pipe, say("一只狗，扁平风格，黄色背景", "a dog, flat style, yellow background"), replace(settings, denoise=0.1), latent=latent)
exercises.check_shows(my_dog, "dog-face", "yellow")
my_dog
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
solution = generate(pipe, say("一只狗，扁平风格，黄色背景", "a dog, flat style, yellow background"), replace(settings, denoise=0.7), latent=latent)
exercises.check_shows(solution, "dog-face", "yellow")
solution
# %% [markdown] lang="zh"
# **练习 3**　`heun` 每一步要问 UNet 两次，只有最后一步问一次。20 步一共问几次？先算，再让下面这个单元格数一数。
# %% [markdown] lang="en"
# **Exercise 3**　`heun` asks the UNet twice in each step, and once in the last. How often in 20 steps? Work it out, then let the cell count.
# %%
my_count = 20
my_answer = exercises.check_calls(pipe, replace(settings, sampler_name="heun"), my_count)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
my_answer = exercises.check_calls(pipe, replace(settings, sampler_name="heun"), 39)
# %% [markdown] lang="zh"
# **练习 4（没有标准答案）**　画小可图，你会用多大的 `cfg`？看这一课量过的主体、背景、颜色和多样性，选一个数，再用一句话说为什么。单元格只看你答了没有。
# %% [markdown] lang="en"
# **Exercise 4 (no one right answer)**　Which `cfg` would you draw with on Tiny Kolors? Look at what this lesson measured of subject, background, colour and diversity, choose a number, and say in a sentence why. The cell checks only that you answered.
# %%
my_cfg = None  # 一个数 / a number
my_reason = ""  # 一句话 / one sentence
my_answer = exercises.check_reason(my_cfg, my_reason)
