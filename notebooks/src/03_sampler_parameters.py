# %% [markdown] lang="zh"
# # 第 3 课　KSampler 的七个参数：每一个都动手量一量
#
# ComfyUI 里真正画图的节点叫 **KSampler**（采样器）。它有七个参数：`seed`、`control_after_generate`、`steps`、`cfg`、`sampler_name`、`scheduler`、`denoise`。
# 夏令营的笔记说：步数越多越精确也越慢；cfg 越高越听提示词；denoise 决定有多少内容被噪声盖住；换采样器和调度器会改变质量和多样性。
#
# 这一课不背结论，而是一条一条去量：每句话都对应这里算出来的一条曲线或一个数，也会看到它从哪里开始不再成立。用的是小可图，几分钟内全部跑完；
# 课程自己的采样循环（`course_lib.sampling`）按论文写成，给出的数和 ComfyUI 一样。
# %% [markdown] lang="en"
# # Lesson 3　The seven parameters of the KSampler, each of them measured
#
# The node of ComfyUI that does the drawing is the **KSampler**. It has seven parameters: `seed`, `control_after_generate`, `steps`, `cfg`, `sampler_name`, `scheduler`, `denoise`.
# The camp's notes say: more steps are more exact and slower; a higher cfg follows the prompt more; denoise is how much of the content is covered by noise;
# other samplers and schedulers change quality and diversity.
#
# This lesson learns no sentence by heart. It measures each of them: every claim is a curve or a number computed here, and you will see where it stops
# being true. All of it runs on Tiny Kolors within minutes; the course's own sampling loop (`course_lib.sampling`) is written from the papers and gives
# ComfyUI's numbers.
# %% lang="zh"
from course_lib.messages import set_language

set_language("zh")
# %% lang="en"
from course_lib.messages import set_language

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
from course_lib.model import encode_picture, load, preview
from course_lib.sampling import (
    SAMPLERS, SCHEDULERS, SamplerSettings, Trial, gaussian_denoiser, gaussian_solution, generate, model_sigmas,
    next_seed, xy_grid,
)

pipe = load("tiny")
prompt = "一只瓢虫，卡通风格，蓝色背景"
settings = SamplerSettings(seed=1, control_after_generate="fixed", steps=20, cfg=5.0, sampler_name="euler", scheduler="normal", denoise=1.0)
picture = generate(pipe, prompt, settings)
print(picture.caption)
picture
# %% [markdown] lang="zh"
# 下面的面板和 ComfyUI 的 KSampler 一样，只是拖一下滑块图就跟着变：不用排队，新的数会打断还没画完的那一张。
# （没有运行的笔记本里看不到面板，后面每一节都会用普通的格子再画一遍。）
#
# 先玩几分钟：把 `cfg` 从 1 慢慢拖到 20；把 `steps` 从 1 拖到 30；换几个 `sampler_name`。
# %% [markdown] lang="en"
# The panel below is ComfyUI's KSampler, but the picture follows the slider: nothing queues, a new value interrupts the picture that is not
# finished yet. (A notebook that is not running shows no panel; every section below draws again in plain cells.)
#
# Play for a few minutes: drag `cfg` slowly from 1 to 20, `steps` from 1 to 30, and try some `sampler_name`.
# %%
from course_lib.widgets import explore

explorer = explore(pipe, prompt, settings=settings)
explorer
# %% [markdown] lang="zh"
# ## 2. 采样是什么：一步一步拿走噪声
#
# 开始是纯噪声。每一步，UNet 猜「去掉噪声后会是什么样」（预测的 x0），采样器朝那个方向走一小步，噪声的强度 sigma 从约 29 降到 0。
# 下面是第 1、3、5……步时预测的图和那时的 sigma：先定背景和位置，再定形状，最后是细节。
# %% [markdown] lang="en"
# ## 2. What sampling is: noise taken away step by step
#
# It starts as pure noise. In each step the UNet guesses what would be left without the noise (the predicted x0), the sampler takes a small step that way, and
# the strength of the noise, sigma, falls from about 29 to 0. Below, the predicted picture and sigma at steps 1, 3, 5 ...: ground and place come first, then
# the shape, then details.
# %%
from course_lib.pictures import (
    GROUNDS, Picture, clipped, distance, diversity, judge, plot, saturation, show_sheet, subjects,
)

seen = []
generate(pipe, prompt, settings, callback=seen.append)
show_sheet([Picture(preview(pipe, step.denoised), f"step {step.index + 1}  sigma {step.sigma:.2f}") for step in seen[::2]], columns=5)
# %% [markdown] lang="zh"
# ## 3. `steps`：步数越多越好吗？
#
# 说法：步数越多，结果越精确，时间也越长。怎么量「精确」？同一个种子用 200 步画一张当作标准答案，看不同步数的图离它有多远（逐像素的平均差，0 到 1）。
# %% [markdown] lang="en"
# ## 3. `steps`: is more better?
#
# The claim: more steps are more exact and take longer. How to measure "exact"? Draw with 200 steps and the same seed as the reference, and see how far the
# pictures of fewer steps are from it (mean difference of the pixels, 0 to 1).
# %% tags=["nbval-ignore-output"]
from dataclasses import replace

STEPS = (2, 4, 7, 10, 15, 20, 30, 50)
SEEDS = (1, 2)


def draw_seeds(**changes):
    """Draw one picture a seed with these changes to the settings."""
    return generate(pipe, prompt, [replace(settings, seed=seed, **changes) for seed in SEEDS])


reference = draw_seeds(steps=200)
by_steps = {steps: draw_seeds(steps=steps) for steps in STEPS}
seconds = [sum(picture.seconds for picture in by_steps[steps]) / len(SEEDS) for steps in STEPS]
print(f"2 steps {seconds[0]:.2f} s, 50 steps {seconds[-1]:.2f} s")
# %%
far = [sum(distance(a.image, b.image) for a, b in zip(by_steps[steps], reference)) / len(SEEDS) for steps in STEPS]
enough = next(steps for steps, value in zip(STEPS, far) if value < far[0] / 10)
for steps, value in zip(STEPS, far):
    print(f"steps {steps:3}  {value:.3f}")
print(enough)
plot({"seeds 1, 2": (STEPS, far)}, "steps", "distance to 200 steps", xscale="log", yscale="log")
# %% [markdown] lang="zh"
# 说法只对一半：一开始每加一步都近得多，之后越来越不划算；最后打印的数是「差距降到 2 步时的十分之一」所需要的步数。时间却一直按步数增长（上一格的秒数）。
# 所以先用 20 步左右挑图，挑中了再加步数。
# %% [markdown] lang="en"
# The claim is half true: at first each step brings it much closer, later less and less; the number printed last is the steps it takes to be ten times
# closer than with 2. Time, though, keeps growing with the steps (the seconds one cell up). So choose pictures at 20 steps or so, and spend more on the one you chose.
# %% [markdown] lang="zh"
# ## 4. `cfg`：越高越听话？
#
# 每一步，UNet 其实猜两次：一次看提示词，一次不看。`cfg` 把两次的差放大：x0 = 不看 + cfg ×（看 − 不看）。cfg 等于 1 时只猜一次，所以快一倍。
# 说法：cfg 越高，越体现提示词。让裁判给 8 句提示词的图打分，同时量三样东西：饱和度、顶到头的像素（0 或 255）、离 cfg 5 有多远。
# %% [markdown] lang="en"
# ## 4. `cfg`: the higher, the more obedient?
#
# In each step the UNet really guesses twice, with the prompt and without. `cfg` enlarges the difference: x0 = without + cfg x (with - without). At cfg 1 there is
# one guess only, and it is twice as fast. The claim: a higher cfg shows more of the prompt. Let the judge score pictures of 8 prompts, and measure saturation and the share
# of clipped values (0 or 255) beside it.
# %%
CFGS = (0, 1, 2, 3, 5, 8, 12, 20)
grounds = list(GROUNDS)
scenes = [(subject, grounds[number % 10]) for number, subject in enumerate(list(subjects())[::8])]
rows = {cfg: [] for cfg in CFGS}
for subject, ground in scenes:
    words = f"{subjects()[subject]['zh'][0]}，{GROUNDS[ground][0][0]}背景"
    pictures = generate(pipe, words, [replace(settings, cfg=cfg, steps=12) for cfg in CFGS])
    for cfg, picture, seen in zip(CFGS, pictures, judge([picture.image for picture in pictures])):
        rows[cfg].append((seen.subject == subject, seen.ground == ground, saturation(picture.image), clipped(picture.image)))
# %%
means = {cfg: [sum(column) / len(column) for column in zip(*rows[cfg])] for cfg in CFGS}
print("cfg   subject  ground  saturation  clipped")
for cfg, (subject, ground, colour, ends) in means.items():
    print(f"{cfg:3}   {subject:7.0%}  {ground:6.0%}  {colour:10.2f}  {ends:7.1%}")
plot({name: (CFGS, [means[cfg][number] for cfg in CFGS]) for number, name in enumerate(("subject", "ground", "saturation", "clipped"))}, "cfg", "share")
# %% [markdown] lang="zh"
# 读表：cfg 0 根本不看提示词，什么都不对；从 1 到 2、3 明显更听话；再往上，东西和背景已经全对，不会更对，顶到头的像素（clipped）却一路变多，颜色糊成一片。
# 所以「越高越好」只在开头成立，拐点就是 subject 不再上升的那个 cfg。看一句提示词从 0 到 20 的样子：
# %% [markdown] lang="en"
# Read the table: at cfg 0 the prompt is not looked at and nothing is right; from 1 to 2 or 3 it is followed clearly better; above that subject and ground are right
# already and cannot become more so, while clipped values only grow and colours run into each other. So "the higher the better" holds at the beginning, and
# the turn is the cfg where subject stops rising. One prompt from 0 to 20:
# %%
show_sheet(generate(pipe, prompt, [replace(settings, cfg=cfg) for cfg in CFGS]), columns=8)
# %% [markdown] lang="zh"
# ## 5. `denoise`：盖住多少内容
#
# 从一张已有的图出发（图生图）：先加噪声，再采样。`denoise` 等于 1 时原图全被盖住，等于 0.3 时只重画最后 30 % 的步骤。
# 原图是一只黄色背景的猫，提示词改成「狗」：量一量图和原图还有多像、有多少张已经变成了狗。
# %% [markdown] lang="en"
# ## 5. `denoise`: how much is covered
#
# Start from a picture that is there (image to image): noise is added, then taken away. With `denoise` 1 the picture is covered wholly; with 0.3 only the last
# 30 % of the schedule is drawn anew. The source is a cat on yellow; the prompt asks for a dog: measure how close the result still is to the source, and how many
# results have become dogs.
# %%
source = generate(pipe, "一只猫，扁平风格，黄色背景", settings)
latent = encode_picture(pipe, source.image)
DENOISE = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
by_denoise = {}
for denoise in DENOISE:
    trials = [replace(settings, seed=seed, denoise=denoise) for seed in range(4)]
    by_denoise[denoise] = generate(pipe, "一只狗，扁平风格，黄色背景", trials, latent=latent)
for denoise, pictures in by_denoise.items():
    close = sum(distance(picture.image, source.image) for picture in pictures) / len(pictures)
    dogs = sum(seen.subject == "dog-face" for seen in judge([picture.image for picture in pictures])) / len(pictures)
    print(f"denoise {denoise:.1f}   distance to source {close:.3f}   dogs {dogs:4.0%}")
show_sheet([source, *(by_denoise[denoise][0] for denoise in DENOISE)], columns=8)
# %% [markdown] lang="zh"
# `denoise` 越大，离原图越远（distance 上升），新内容越多（dogs 上升）。两条线不是同时动的：中间有一段，狗已经来了，背景和位置还留着，图生图要找的就是这一段。
# %% [markdown] lang="en"
# A higher `denoise` goes further from the source (distance rises) and brings more new content (dogs rise). The two do not move together: in between there is a range where the
# dog has come and ground and place have stayed. That range is what image to image looks for.
# %% [markdown] lang="zh"
# ## 6. `seed` 和 `control_after_generate`
#
# 种子决定开始的噪声，别的什么也不管：同样的种子，同样的图。八个种子的图有多不一样？`diversity` 是裁判眼里两两之间的平均距离（0 到 1）。
# 顺便看看 cfg 对它的影响：cfg 越高，八张图越像，这是「听话」的代价。
# %% [markdown] lang="en"
# ## 6. `seed` and `control_after_generate`
#
# The seed decides the noise at the start and nothing else: the same seed, the same picture. How different are the pictures of eight seeds? `diversity` is the mean
# distance of each two of them in the judge's eyes (0 to 1). See also what cfg does to it: the higher the cfg, the more the eight pictures are alike. That is the price of obedience.
# %%
for cfg in (1, 5, 12):
    family = generate(pipe, "一只猫", [replace(settings, seed=seed, cfg=cfg) for seed in range(8)])
    print(f"cfg {cfg:2}  diversity {diversity([picture.image for picture in family]):.3f}")
show_sheet(family, columns=8)
# %% [markdown] lang="zh"
# `control_after_generate` 不改变这一张图，只决定**下一张**用哪个种子：`fixed` 不变，`increment` 加一，`decrement` 减一，`randomize` 随机。
# 想比较别的参数，就用 `fixed`：一次只改一样。
# %% [markdown] lang="en"
# `control_after_generate` does not change this picture; it decides the seed of the **next** one: `fixed` keeps it, `increment` adds one, `decrement` takes one away,
# `randomize` draws one. To compare another parameter use `fixed`: change one thing at a time.
# %%
import random

for control in ("fixed", "increment", "decrement", "randomize"):
    print(f"{control:10} 8 -> {next_seed(replace(settings, seed=8, control_after_generate=control), random.Random(0))}")
# %% [markdown] lang="zh"
# ## 7. `scheduler` 和 `sampler_name`
#
# **调度器**决定噪声强度 sigma 走哪些台阶；**采样器**决定每个台阶怎么走。先看九种调度器的 20 步台阶：
# %% [markdown] lang="en"
# ## 7. `scheduler` and `sampler_name`
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
# 再把采样器和调度器两两搭配，种子和步数（20 步）都不变。行是采样器，列是调度器；下面的数是每张图离 200 步标准答案的距离。
# 名字里有 ancestral 或 sde 的采样器每一步都添一点新噪声，画的是另一张图，所以离标准答案远，并不等于画得差。
# %% [markdown] lang="en"
# Now samplers and schedulers in pairs, with one seed and 20 steps. Rows are samplers, columns schedulers; the numbers are each picture's distance to the reference
# of 200 steps. Samplers with ancestral or sde in their names add a little new noise in every step and so draw another picture: far from the reference is not the
# same as worse.
# %%
NAMES = ("euler", "dpmpp_2m", "euler_ancestral")
PLANS = ("normal", "karras", "beta")
grid = xy_grid(pipe, Trial(prompt, settings), ("scheduler", PLANS), ("sampler_name", NAMES))
print(" " * 17 + "".join(f"{scheduler:>8}" for scheduler in PLANS))
for name, row in zip(NAMES, grid.pictures):
    print(f"{name:17}" + "".join(f"{distance(picture.image, reference[0].image):8.3f}" for picture in row))
grid
# %% [markdown] lang="zh"
# 配 `karras` 或 `beta` 的台阶，`dpmpp_2m` 用同样多的步数就更近；配 `normal` 却没有，台阶和采样器要搭配着选。为什么更近？看**收敛阶**：步数加倍，一阶方法（`euler`）的误差减半，二阶方法减到四分之一。
# 要量误差得有准确答案。如果「图片」服从高斯分布，从噪声走到图片的那条路有公式解，不需要 UNet，采样器走出来的结果直接和公式比：
# %% [markdown] lang="en"
# On the levels of `karras` or `beta`, `dpmpp_2m` is closer with as many steps; on those of `normal` it is not, so the two are chosen together. Why closer? Look at the **order of convergence**: with twice the steps a method of first order (`euler`) has half the error, one of second
# order a quarter. To measure an error one needs the exact answer. If "pictures" are Gaussian, the way from noise to picture has a closed form, without any UNet; compare
# what a sampler reaches with it:
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
plot(lines, "steps", "error", xscale="log", yscale="log")
# %% [markdown] lang="zh"
# `heun` 和 `dpm_2` 每一步要问 UNet 两次，`dpmpp_2m` 和 `lms` 记住前几步，只问一次：同样的时间里走得更准。
# 整个采样器就是一个短函数，可以直接读：
# %% [markdown] lang="en"
# `heun` and `dpm_2` ask the UNet twice in each step; `dpmpp_2m` and `lms` remember the steps before and ask once: more exact in the same time.
# A whole sampler is one short function, and can be read:
# %%
import inspect

print(inspect.getsource(SAMPLERS["euler"]))
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
