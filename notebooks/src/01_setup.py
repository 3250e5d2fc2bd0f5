# %% [markdown] lang="zh"
# # 第 1 课　准备：这台机器、第一张图、模型里有什么
#
# 可图（Kolors）是快手开源的**文生图**模型：写一句中文或英文，它画一张图。这句话叫**提示词**。完整的 Kolors 有 17.8 GB，需要一块大显卡；
# 所以课程自带一个**小可图**（Tiny Kolors）：同样的 diffusers 组件、同样的用法，不到 30 MB，在两个 CPU 核上不联网也能画。
# 它画 96×96 像素的小图，认识 64 种主体、十种背景颜色。先用它弄懂每一步，以后换成完整的 Kolors，代码不变。
#
# **学完这一课，你会：**
#
# - 用一行代码画图，并且画出一模一样的第二张；
# - 用裁判和区间说一张图对不对、有多大把握；
# - 说出文本编码器、UNet、VAE 各做什么，用十几行把它们连成一次采样；
# - 算出完整的 Kolors 要多大的机器、下载多久。
#
# **需要：** 装好的环境（`make start`）；不联网，不要显卡，会一点 Python 就够。**时间：** 两个 CPU 核上，从头运行大约一分钟；读懂它大约四十分钟。
# 从上往下依次运行每个单元格（Shift+Enter）。
# %% [markdown] lang="en"
# # Lesson 1　Setting up: this machine, the first picture, what a model is made of
#
# Kolors (可图) is Kuaishou's open **text-to-image** model: write a sentence in Chinese or English, the **prompt**, and it draws a picture. The full
# Kolors is 17.8 GB and needs a large GPU; so the course ships a **Tiny Kolors**: the same diffusers parts, used in the same
# way, in less than 30 MB, that draws on two CPU cores without a network. Its pictures are 96 x 96 pixels, and it knows 64
# subjects and ten background colours. Understand each step on it first; the full Kolors later is the same code.
#
# **After this lesson you can:**
#
# - draw a picture in one line, and the very same picture again;
# - say with the judge and an interval whether a picture is right, and how sure that is;
# - say what text encoder, UNet and VAE do, and join them into a sampler of a dozen lines;
# - work out how large a machine the full Kolors needs, and how long its download takes.
#
# **You need** the environment (`make start`) and a little Python; no network, no GPU. **Time:** on two CPU cores about a minute to run it all; about forty minutes to understand it.
# Run the cells from top to bottom (Shift+Enter).
# %% lang="zh"
from course_lib.messages import LessonError, say, set_language

set_language("zh")
# %% lang="en"
from course_lib.messages import LessonError, say, set_language

set_language("en")
# %% [markdown] lang="zh"
# ## 1. 这台机器
#
# 下面这张表说明机器有什么、能运行哪些课（你看到的数字会和这里存下的不同）。
# 只要看两处：**小模型**写着「能」，课程就都能跑；**显存**是显卡自己的内存，没有显卡就是 0，那么完整的 Kolors 画不了，不影响上课。
# %% [markdown] lang="en"
# ## 1. This machine
#
# The table says what the machine has and which lessons run on it (your figures differ from those stored here).
# Two things matter: where it says that the tiny model can, the lesson runs; **GPU memory** is the GPU's own, 0 where there is none, and then the full Kolors cannot draw here, which does not matter to the course.
# %% tags=["nbval-ignore-output"]
from course_lib.machine import FOOTPRINTS, describe_machine, find_mount, look, plan, tabulate

print("\n".join(describe_machine(look())))
# %% [markdown] lang="zh"
# **记住：** 课程里的每一课都能在没有显卡的机器上跑完。
#
# ## 2. 第一张图
#
# `load` 打开模型，`draw` 画图。`prompt` 里是你的话，换成别的试试，例如「一只小猫，黄色背景」。（`say` 按你选的语言取其中一句。）
# %% [markdown] lang="en"
# **Keep:** every lesson of this course runs on a machine without a GPU.
#
# ## 2. The first picture
#
# `load` opens the model, `draw` draws. `prompt` holds your words; try others, such as "a cat, yellow background". (`say` takes the one of the two in your language.)
# %%
from course_lib.model import decode# %%
from course_lib.model import decode, encode_picture, encode_text, load, measure_truth
from course_lib.sampling import (
    SCHEDULERS, SamplerSettings, build_predictor, draw, generate, model_sigmas, start_noise, to_timestep,
)

pipe = load("tiny")
prompt = say("一只瓢虫，蓝色背景", "a ladybird, blue background")
ladybird = draw(pipe, prompt, seed=1)
print(ladybird.caption)
ladybird
# %% [markdown] lang="zh"
# 图上面的一行字就是画这张图用的全部设置。同样的提示词、`seed`、`steps`、`cfg` 总是画出同样的图：
# %% [markdown] lang="en"
# The line above the picture holds all the settings behind it. The same prompt, `seed`, `steps` and `cfg` always draw the same
# picture:
# %%
again = draw(pipe, prompt, seed=1)
print(again.image.tobytes() == ladybird.image.tobytes())
# %% [markdown] lang="zh"
# `seed`（种子）决定起始的噪声；换一个，画出来的就是另一只瓢虫。中文和英文都听得懂，四列依次是两种语言的瓢虫和苹果，两行是两个种子：
# %% [markdown] lang="en"
# The `seed` decides the noise at the start; another one gives another ladybird. Both languages are understood: the columns are ladybirds and apples in Chinese and English, the rows are two seeds.
# %%
from course_lib.pictures import (
    STYLES, Picture, distance, interval, judge, kept_pairs, name_of, plot, score, show_sheet, subjects,
)

prompts = ["一只瓢虫，蓝色背景", "a ladybird on a blue background", "一个苹果，黄色背景", "an apple, white background"]
sheet = [draw(pipe, each, seed=seed) for seed in (2, 3) for each in prompts]
show_sheet([Picture(one.image, f"seed {seed}") for one, seed in zip(sheet, [2] * 4 + [3] * 4)], columns=4)
# %% [markdown] lang="zh"
# 小模型只认识它学过的 64 种主体，都在这里：
# %% [markdown] lang="en"
# The tiny model knows only the 64 subjects it was trained on. Here they all are:
# %%
names = [name_of(slug) for slug in subjects()]
for start in range(0, len(names), 8):
    print(say("、", ", ").join(names[start:start + 8]))
# %% [markdown] lang="zh"
# 问它没学过的，课程会直接告诉你，而不是悄悄画错：
# %% [markdown] lang="en"
# Asked for another, the course says so instead of quietly drawing something wrong:
# %%
try:
    draw(pipe, say("一条龙，红色背景", "a dragon, red background"))
except LessonError as problem:
    print(problem.what)
# %% [markdown] lang="zh"
# **记住：** 同样的提示词、种子、步数和 cfg，就是同样的图。
#
# ## 3. 画得对不对？让裁判来看
#
# 课程里的每个结论都要有数字。`judge` 是一个很小的分类器，它看一张图，说出画的是什么、哪种画风、什么背景，以及有多大把握（0 到 1）；
# 看不出是哪种主体，它就说「都不是」。它自己的准确率写在 `data/judge/README.md` 里。
# %% [markdown] lang="en"
# **Keep:** the same prompt, seed, steps and cfg are the same picture.
#
# ## 3. Is it right? Ask the judge
#
# Every claim in this course needs a number. `judge` is a small classifier: it looks at a picture and says which subject, which
# style and which background it sees, and how sure it is (0 to 1); where it can tell no subject, it says that it is none of them. Its own
# accuracy stands in `data/judge/README.md`.
# %%
seen = judge([ladybird.image])[0]
print(name_of(seen.subject), f"{seen.subject_confidence:.1f}")
print(name_of(seen.ground), f"{seen.ground_confidence:.1f}")
# %% [markdown] lang="zh"
# 八张图一起打分，得到「画对的比例」。八张太少了，全对也不等于永远对，所以后面跟着 **95 % 区间**：只看了这么多张，真正的比例大概就在这里面。
# 后面的课里，每个比例都这样写；两个区间碰在一起，就不能说谁高谁低。
# %% [markdown] lang="en"
# Scored together, the eight pictures above give the share that is right. Eight are few, and all right is not always right. So behind the share stands its **95 % interval**: from as many pictures as were seen, the true share is probably somewhere in there.
# All later lessons write shares this way; where two intervals touch, nobody can say which share is higher.
# %%
result = score([one.image for one in sheet], prompts * 2)
for name, share in (("subject", result.subject), ("background", result.ground)):
    low, high = interval(round(share * len(sheet)), len(sheet))
    print(f"{name:11}{share:.0%} [{low:.0%}, {high:.0%}]")
# %% [markdown] lang="zh"
# 裁判也会看走眼，所以再请一位不用学习的证人。小可图是照着 `data/emoji` 里的图学的，所以可以拿一张图和它要画的主体的**真图**比：挪到每个位置、试过每种大小，
# 找最近的一张，量还差多少。`measure_truth` 把它变成一个数：0 是 VAE 能还原的最好，1 和一块空背景一样远。
# %% [markdown] lang="en"
# The judge can be mistaken too, so ask a second witness that never learnt anything. Tiny Kolors was trained on the pictures in `data/emoji`, so a drawing can be compared with the **true pictures**
# of what it was to show, in every place and size: what is left between it and the nearest is measured. `measure_truth` makes one number of it: 0 is the best that the VAE can turn back into pixels, 1
# is as far off as an empty background.
# %%
known = measure_truth(pipe, [one.image for one in sheet], prompts * 2).value
print(f"distance {known:.2f}")
# %% [markdown] lang="zh"
# 它是不是只会背图？训练时有 24 组「主体加画风」一次也没给它看过（主体见过别的画风，画风见过别的主体）。让它画其中八组：
# %% [markdown] lang="en"
# Does it only know pictures by heart? 24 pairs of a subject and a style were kept out of its training (it saw the subject in other styles, and the style on other subjects). Let it draw eight of them:
# %%
def ask(subject, style):
    """Ask for a subject in a style on white."""
    thing, (zh, en) = subjects()[subject], STYLES[style]
    return say(f"一{thing['measure']}{thing['zh'][0]}，{zh[0]}，白色背景", f"{thing['en'][0]}, {en[0]}, white background")


unseen = [ask(*pair) for pair in sorted(kept_pairs())[::3]]
combined = [draw(pipe, each, seed=1) for each in unseen]
new = measure_truth(pipe, [one.image for one in combined], unseen).value
assert new < 0.95, "nearer to the true pictures than an empty background"
print(f"distance {new:.2f}, of what it has seen {known:.2f}")
show_sheet([Picture(one.image, each) for one, each in zip(combined, unseen)], columns=4)
# %% [markdown] lang="zh"
# 两个数比一比：没见过的组合离空背景（1）有一段距离（单元格核对了），和见过的差多少，看你打印的。两边各只有八张，主体也不同，所以只看大概。
# 把学过的主体和画风**组合**起来，是文生图模型和图库的区别；完整的 Kolors 见过的图多得多，能组合的也多得多。
#
# **记住：** 一个结论要有数字，一个比例要有区间，一个裁判要有旁证。
#
# ## 4. 同一张图，不用课程的代码
#
# `load` 和 `draw` 里没有魔法：它们只是 diffusers 的 `KolorsPipeline`。下面直接用它，得到的是一模一样的图。
#
# `fetch` 负责把模型取到本地。夏令营的做法是先装 git-lfs（让 git 能取大文件的插件），再用 `git clone` 下载整个仓库。这里只要一句：它只取用得到的文件，断了能接着下，还核对校验和；小可图已经在课程里，连网都不用上。
# %% [markdown] lang="en"
# Compare the two: combinations it never saw are clearly nearer than an empty background (1; the cell checks that), and how much worse they are than what it has seen, your own numbers say. There are eight on each side, and of other subjects, so take it as a rough picture.
# To **combine** subjects and styles that were learnt is what sets a text-to-image model apart from an album of pictures; the full Kolors has seen far more, and can combine far more.
#
# **Keep:** a claim needs a number, a share needs an interval, a judge needs a witness.
#
# ## 4. The same picture without the course's code
#
# There is no magic in `load` and `draw`: they are diffusers' own `KolorsPipeline`. Used directly, it gives the very same picture.
#
# `fetch` brings a model to this machine. The camp did it in steps: install git-lfs (the extension by which git gets large files), then `git clone` the whole repository. Here it is one call, which gets only the files that are needed, goes on after a break and compares checksums; Tiny Kolors comes with the course, so that not even a network is needed.
# %%
import torch
from diffusers import KolorsPipeline# %%
import torch
from diffusers import KolorsPipeline

from course_lib.hub import cache_folder, fetch, find_repo

plain = KolorsPipeline.from_pretrained(fetch("tiny"))
plain.set_progress_bar_config(disable=True)
noise = torch.Generator("cpu").manual_seed(1)
by_hand = plain(prompt, num_inference_steps=25, guidance_scale=5.0, generator=noise).images[0]
print(by_hand.size, by_hand.tobytes() == ladybird.image.tobytes())
# %% [markdown] lang="zh"
# **记住：** 课程的代码只是让 diffusers 用起来短一点。
#
# ## 5. 模型文件夹里有什么
#
# 画图从一团**噪声**（随机的数）开始，一步步去掉噪声，露出画面。这件事不在像素上做，而在 VAE 压缩过的小图上做：这张小图叫**潜变量**，所有这样的小图合起来叫**潜空间**。
# 一个文生图模型由几个部分合作：
#
# - **分词器和文本编码器**（`tokenizer`、`text_encoder`）把提示词变成一串向量。Kolors 用的是 ChatGLM3，不是 CLIP。
# - **UNet**（`unet`）看着带噪声的小图（潜变量）、时间和文字向量，猜出其中的噪声。
# - **VAE**（`vae`）把潜变量变成看得见的像素，也能反过来。
# - **调度器**（`scheduler`）规定分多少步、每一步去掉多少噪声。
# %% [markdown] lang="en"
# **Keep:** the course's code only makes diffusers shorter to use.
#
# ## 5. What lies in the model's folder
#
# Drawing begins with **noise** (random numbers), takes it away step by step, and uncovers a picture. It does not happen on pixels but on a small picture that the VAE has compressed, the **latent**; all such small pictures together are **latent space**.
# A text-to-image model is several parts at work together:
#
# - **Tokenizer and text encoder** (`tokenizer`, `text_encoder`) turn the prompt into a row of vectors. Kolors uses ChatGLM3 here, not CLIP.
# - **UNet** (`unet`) looks at the noisy small picture (the latent), the time and the text vectors, and guesses the noise in it.
# - **VAE** (`vae`) turns the latent into visible pixels, and back.
# - **Scheduler** (`scheduler`) says how many steps there are and how much noise each one takes away.
# %%
for name in ("tokenizer", "text_encoder", "unet", "vae", "scheduler"):
    part = getattr(plain, name)
    size = sum(file.stat().st_size for file in (fetch("tiny") / name).rglob("*") if file.is_file())
    count = sum(weight.numel() for weight in part.parameters()) if hasattr(part, "parameters") else 0
    print(f"{name:<13}{type(part).__name__:<24}{count:>10,}{size / 1e6:>8.1f} MB")
# %% [markdown] lang="zh"
# 看看这些部分之间传的是什么：提示词变成的向量、开始时的噪声、画好的潜变量、最后的像素。
# %% [markdown] lang="en"
# And what goes between the parts: the prompt as vectors, the noise at the start, the finished latent, the pixels at the end.
# %%
states, _, pooled, _ = plain.encode_prompt(prompt, num_images_per_prompt=1, do_classifier_free_guidance=True)
noise = torch.Generator("cpu").manual_seed(1)
latent = plain(prompt, num_inference_steps=25, generator=noise, output_type="latent").images
with torch.no_grad():
    pixels = plain.vae.decode(latent / plain.vae.config.scaling_factor).sample
print("text   ", tuple(states.shape), tuple(pooled.shape))
print("latent ", tuple(latent.shape))
print("pixels ", tuple(pixels.shape))
# %% [markdown] lang="zh"
# **记住：** 提示词变成向量，噪声变成潜变量，潜变量变成像素。
#
# ## 6. 三个部分各知道什么
#
# **文本编码器**先把提示词切成词元（token，常常是一个词或半个词），再给每个词元一串数，最后一串数代表整句话。意思相近的两句话，这串数的方向也相近；
# 下面用**余弦相似度**来量（1 表示方向相同，0 表示毫不相干），从近到远排好：
# %% [markdown] lang="en"
# **Keep:** the prompt becomes vectors, noise becomes a latent, the latent becomes pixels.
#
# ## 6. What each of the three knows
#
# The **text encoder** cuts the prompt into tokens (often a word or a part of one) and gives each a row of numbers; the last row stands for the whole sentence. Two sentences that mean much
# the same point much the same way. Measured with the **cosine** of the angle between them (1 is the same direction, 0 is unrelated), the nearest first:
# %%
print(pipe.tokenizer.tokenize(prompt))
sentences = [prompt, say("a ladybird on a blue background", "一只瓢虫，蓝色背景"),
             say("一个苹果，蓝色背景", "an apple, blue background"), say("一只瓢虫，红色背景", "a ladybird, red background")]
directions = torch.nn.functional.normalize(torch.stack([encode_text(pipe, sentence).pooled for sentence in sentences]))
for likeness, sentence in sorted(zip((directions @ directions[0]).tolist(), sentences), reverse=True):
    print(f"{likeness:.2f}  {sentence}")
# %% [markdown] lang="zh"
# 看顺序：换一种语言，换一种主体，换一种背景颜色，哪一种偏得最远？偏得远，就是小可图的文本编码器觉得差别大。这是它自己学来的看法，换一个模型会不同。
#
# **VAE** 把 96×96 像素、每个像素三个数，压成 12×12 个位置、每个位置四个数，再还原回来：
# %% [markdown] lang="en"
# Look at the order: another language, another subject, another background colour, which turns furthest away? What turns far is a great difference to Tiny Kolors' text encoder. That is its own view, as it was trained; another model has another.
#
# The **VAE** squeezes 96 x 96 pixels of three numbers into 12 x 12 places of four numbers, and turns them back:
#
# %%
small = encode_picture(pipe, ladybird.image)
back = decode(pipe, small)
only_noise = decode(pipe, start_noise([1], (4, 12, 12)))
pixels_count, latent_count = 3 * ladybird.image.width * ladybird.image.height, small.numel()
print(f"{pixels_count} -> {latent_count}, from {small.min():.1f} to {small.max():.1f}, mean error {distance(ladybird.image, back):.1%}")
assert distance(ladybird.image, back) < 0.05, "the VAE loses little"
show_sheet([Picture(ladybird.image, "pixels"), Picture(back, "pixels -> latent -> pixels"), Picture(only_noise, "noise -> pixels")], columns=3)
# %% [markdown] lang="zh"
# 误差不到百分之五（上面打印的就是），所以 UNet 可以只在小小的潜变量上工作。但 VAE 不懂提示词，也不会画画：给它一团噪声，它还你一团颜色。
#
# **UNet** 会猜噪声。给八张图（瓢虫和苹果）的潜变量加上强弱不同的噪声，让它猜加了什么，看猜错多少。每种噪声问三遍：告诉它对的提示词、什么也不说、告诉它错的提示词。
# %% [markdown] lang="en"
# The error is below five percent (printed above), so the UNet may work on the small latent alone. But the VAE knows nothing of prompts and cannot draw: give it noise and it gives
# colours back.
#
# The **UNet** guesses noise. Add noise of different strengths to the latents of eight pictures (ladybirds and apples), let it guess what was added, and see how far
# off it is. Each strength is asked three times: with the right prompt, with none, and with the wrong one.
# %%
two = [prompt, say("一个苹果，黄色背景", "an apple, yellow background")]
latents = torch.cat([encode_picture(pipe, draw(pipe, name, seed=seed).image) for seed in range(1, 5) for name in two])
told = {"right prompt": two * 4, "no prompt": [""] * 8, "wrong prompt": two[::-1] * 4}
timesteps = [50, 150, 300, 500, 700, 900, 1000]
errors = {}
for name, texts in told.items():
    guess = build_predictor(pipe, [encode_text(pipe, words) for words in texts], (96, 96))
    errors[name] = []
    for timestep in timesteps:
        kept = pipe.scheduler.alphas_cumprod[timestep]  # the share of the picture that is left
        noise = start_noise(range(8), (4, 12, 12))
        with torch.no_grad():
            guessed = guess(kept.sqrt() * latents + (1 - kept).sqrt() * noise, torch.tensor(timestep))
        errors[name].append(float((guessed - noise).square().mean()))
right, none, wrong = errors.values()
assert right[2] * 1.2 < wrong[2] and right[-1] < right[0] / 2
print(f"timestep 300: right {right[2]:.2f}, none {none[2]:.2f}, wrong {wrong[2]:.2f}")
print(f"right < none < wrong: {sum(a < b < c for a, b, c in zip(right, none, wrong))} / {len(timesteps)}")
plot({name: (timesteps, values) for name, values in errors.items()}, "timestep", "error of the guess", yscale="log")
# %% [markdown] lang="zh"
# 横轴是时间步：右边几乎全是噪声，左边几乎没有。噪声越多越容易猜（它看到的几乎就是答案），噪声少时反而难。
# 时间步 300 处，对的提示词让它猜得比错的准得多（单元格核对了）；七个强度里有几个是「对的最准，错的最差」，打印在最后一行：**提示词就是这样控制画面的**。
#
# 三个部分合起来，就是画一张图的全部过程，一共十几行：
# %% [markdown] lang="en"
# The axis is the timestep: on the right there is almost nothing but noise, on the left almost none. Much noise is easy to guess (what it sees is nearly the answer),
# little noise is hard. At timestep 300 the guess with the right prompt is far better than with the wrong one (the cell checks that); at how many of the seven strengths the right one is best and the wrong one worst, the last line says: **that is how a prompt steers a picture**.
#
# The three together are all there is to drawing, in a dozen lines:
# %%
schedule = model_sigmas(pipe.scheduler.config)
sigmas = SCHEDULERS["normal"](20, schedule)                                     # 噪声从强到弱 / the noise, from strong to weak
words, no_words, pooled, no_pooled = pipe.encode_prompt(prompt)                 # 文本编码器 / text encoder
conditions = {"text_embeds": torch.cat([pooled, no_pooled]), "time_ids": torch.tensor([[96, 96, 0, 0, 96, 96]] * 2)}
x = start_noise([1], (4, 12, 12)) * (1 + sigmas[0] ** 2).sqrt()
with torch.no_grad():
    for sigma, sigma_next in zip(sigmas, sigmas[1:]):
        seen = (x / (1 + sigma ** 2).sqrt()).repeat(2, 1, 1, 1)
        guess, guess_without = pipe.unet(seen, to_timestep(sigma, schedule), torch.cat([words, no_words]), added_cond_kwargs=conditions).sample
        x = x + (guess_without + 5.0 * (guess - guess_without)) * (sigma_next - sigma)   # UNet, cfg 5
drawn = decode(pipe, x)                                                         # VAE
same = generate(pipe, prompt, SamplerSettings(seed=1, steps=20, cfg=5.0))
assert distance(drawn, same.image) < 0.002
print(f"{distance(drawn, same.image):.3f}")
same
# %% [markdown] lang="zh"
# 差别是 0（至多是浮点数的零头）：课程的 `generate` 做的就是这些。第 3 课会把这里的每个数字都变成可以拖动的滑块。
#
# **记住：** 画一张图就是一个循环：UNet 看着提示词猜噪声，拿走一点，再猜。
#
# ## 7. 完整的 Kolors
#
# 完整的 Kolors 用的是同样的代码，只把名字换成 `load("kolors")`。它要多少内存，可以不下载就从配置文件里算出来。下面只列 1024 像素的方案，从 4 GB 到 24 GB 的显卡，每张显卡两行：画图，和训练 LoRA（第 4 课）。
#
# 先认几个词，够看表就行：
#
# - **显存**：显卡自己的内存。模型的数要放进去才算得快，所以它常常最先不够用。
# - **float16 / bfloat16**：每个数用 16 位存，占两个字节，是 float32 的一半。
# - **压缩成 8 位或 4 位**（int8、nf4）：存得更小，精度也更低；只压缩不训练的那些数。
# - **逐层送上显卡**：显存放不下整个 UNet，就算到哪一层送哪一层，省显存，费时间。
# - **VAE 分块**：一大张图分成小块来解码。
# - **梯度检查点**、**优化器 AdamW**：训练时用的，第 4 课会讲。前一样用时间换显存；后一样是按误差改参数的办法。
# %% [markdown] lang="en"
# The difference is 0 (or a rounding error at most): this is what the course's `generate` does. Lesson 3 turns each of these numbers into a slider.
#
# **Keep:** drawing is a loop: the UNet looks at the prompt and guesses the noise, some of it is taken away, and it guesses again.
#
# ## 7. The full Kolors
#
# The full Kolors is the same code with another name, `load("kolors")`. How much memory it takes can be counted from its configs without downloading it. Listed here are the plans at 1024 pixels alone, on GPUs of 4 to 24 GB, with two lines each: drawing, and training a LoRA (lesson 4).
#
# A few words first, as far as the table needs them:
#
# - **GPU memory** (VRAM in the table): the GPU's own. A model's numbers have to be there to be fast, so it is often what runs out first.
# - **float16 / bfloat16**: 16 bits for each number, two bytes, half of float32.
# - **Compressed to 8 or 4 bits** (int8, nf4): smaller still, and less exact; only numbers that are not trained are compressed.
# - **Layer by layer**: where the whole UNet does not fit, each layer is sent to the GPU when its turn comes, which saves memory and costs time.
# - **VAE in tiles**: a large picture is decoded in pieces.
# - **Gradient checkpointing** and the **optimiser AdamW** belong to training, see lesson 4: the first spends time to save memory, the second is the rule by which errors change parameters.
# %%
print("\n".join(line for line in tabulate("kolors") if "1024" in line))
# %% [markdown] lang="zh"
# 那你眼前的这台机器呢？放得下，就列出每一步要多少内存；放不下，就说差多少、下一步怎么办（你看到的和这里存下的不同）：
# %% [markdown] lang="en"
# And the machine in front of you? If it fits, the plan lists what each stage takes; if not, it says what is missing and what to do next (yours differs from what is
# stored here):
# %% tags=["nbval-ignore-output"]
try:
    print(plan("draw", "kolors"))
except LessonError as problem:
    print(problem)
# %% [markdown] lang="zh"
# 要下载多少、多久？fp16 的权重大小可以从参数个数算出来，每个参数两个字节；时间取决于你的网速：
# %% [markdown] lang="en"
# How large is the download, and how long does it take? The fp16 weights follow from the number of parameters, two bytes each; the time depends on your line:
# %%
counts = FOOTPRINTS["kolors"]["parameters"]
for name, count in counts.items():
    print(f"{name:<13}{count:>15,}{count * 2 / 1e9:>7.2f} GB")
whole = sum(counts.values()) * 2
print(f"{'':<13}{sum(counts.values()):>15,}{whole / 1e9:>7.2f} GB")
for speed in (2, 10, 100):
    print(f"{speed:>4} MB/s: {whole / speed / 1e6 / 60:.0f} min")
# %% [markdown] lang="zh"
# 下面的单元格默认什么也不下载。想用完整的 Kolors，就把 `DOWNLOAD` 改成 `True` 再运行：它先检查显存、内存和磁盘，放不下就在下载之前告诉你；
# 断了可以接着下，每个文件都核对校验和，第二次启动不再联网。第一次下载前会显示 Kolors 权重的许可协议：学术研究可以直接用，商用要先登记。
# %% [markdown] lang="en"
# The cell below downloads nothing unless you ask it to. For the full Kolors set `DOWNLOAD` to `True` and run it: it looks at GPU memory, RAM and disk first and tells
# you before the download what does not fit; an interrupted download goes on where it stopped, every file is compared with its checksum, and the next start needs no
# network. The licence of Kolors' weights is shown before the first download: research is free, commercial use has to be registered first.
# %%
DOWNLOAD = False

if DOWNLOAD:
    big = load("kolors")
    big_picture = generate(big, prompt, SamplerSettings(seed=1, steps=25))
# %% [markdown] lang="zh"
# **记住：** 先算放不放得下，再下载。
#
# ## 8. 魔搭（ModelScope）的免费 GPU 机器
#
# 以下数字来自魔搭的文档和用户的记录（2024 至 2025 年，不同页面互相有出入，以你打开的页面为准）：
#
# | | 免费 GPU 实例 | 免费 CPU 实例 |
# |---|---|---|
# | 显卡 | 24 GB 的 A10，实际可用约 22 GiB | 没有 |
# | 内存 | 标称 32 GB，实际约 29 GB | 32 GB |
# | 时间 | 共 36 小时（有的页面写 32），一次最多 10 小时 | 长期 |
# | 空闲 | 一小时没有操作就关机 | 同左 |
# | 留得住的 | 只有工作区文件夹，100 GB | 同左 |
# | 网络 | 魔搭自己的模型下载很快，外网受限制 | 同左 |
#
# 所以：**课程、模型、训练结果都放在工作区文件夹里**；用 pip 装的包关机就没了，重新运行 `make start` 即可；训练要存检查点，关机后能接着练（第 4 课）。
# 磁盘写满时报的错是 `Disk quota exceeded`，而 `df` 看不出来。下面看看模型缓存和课程是不是在同一块盘上，如果不是，就设置环境变量 `MODELSCOPE_CACHE`：
# %% [markdown] lang="en"
# **Keep:** work out whether it fits before you download.
#
# ## 8. ModelScope's free GPU machine
#
# These figures come from ModelScope's documentation and users' records (2024 to 2025; pages differ from each other, so trust the page you opened):
#
# | | free GPU machine | free CPU machine |
# |---|---|---|
# | GPU | an A10 of 24 GB, about 22 GiB of it usable | none |
# | RAM | 32 GB by name, about 29 GB in fact | 32 GB |
# | time | 36 hours in all (some pages say 32), at most 10 in one go | long term |
# | idle | switched off after an hour without input | the same |
# | what stays | the workspace folder alone, 100 GB | the same |
# | network | models from ModelScope are fast, the rest of the world is restricted | the same |
#
# So: **keep the course, the models and what you train in the workspace folder**; packages installed with pip are gone after a shutdown, `make start` brings them back;
# a training has to save checkpoints so that it can go on (lesson 4). A full quota says `Disk quota exceeded`, and `df` does not show it. Below: is the cache of models
# on the same disk as the course? If not, set the environment variable `MODELSCOPE_CACHE`:
# %% tags=["nbval-ignore-output"]
from pathlib import Path

print(find_mount(cache_folder(find_repo("kolors"))) == find_mount(Path.cwd()))
# %% [markdown] lang="zh"
# **记住：** 云上的机器会关机，要留的都放工作区。
#
# ## 9. 小结
#
# - `draw` 一行画一张图；提示词、种子、步数、cfg 全一样，图就一样。
# - 裁判说画的是什么，`measure_truth` 说离真图多远；比例后面跟着区间。
# - 文本编码器读提示词，UNet 在潜空间里猜噪声，VAE 把潜变量变成像素，调度器管步子。
# - 完整的 Kolors 是同样的代码，只是更大：先算放不放得下。
#
# 接下来先做练习；然后是[第 2 课](02_comfyui_tour.ipynb)：把这一课的循环拆成节点，在 ComfyUI 的工作流里看每根线上流过什么。
# %% [markdown] lang="en"
# **Keep:** machines in the cloud are switched off; what has to stay goes into the workspace.
#
# ## 9. Recap
#
# - `draw` draws in one line; the same prompt, seed, steps and cfg are the same picture.
# - The judge says what a picture shows, `measure_truth` how far it is from a true one; a share has an interval behind it.
# - The text encoder reads the prompt, the UNet guesses noise in latent space, the VAE turns the latent into pixels, the scheduler sets the steps.
# - The full Kolors is the same code, only larger: work out whether it fits.
#
# Exercises come next; then [lesson 2](02_comfyui_tour.ipynb): the loop of this lesson taken apart into nodes, where a ComfyUI workflow shows what flows along each wire.
# %% [markdown] lang="zh"
# ## 练习
#
# 每道题改一行，运行，单元格会告诉你对不对。答案折叠在每道题后面，点一下三个点就能看到。
#
# **练习 1**　画一只黄色背景上的熊猫。
# %% [markdown] lang="en"
# ## Exercises
#
# Change one line, run it, and the cell tells you whether it is right. Each answer is folded after its exercise: click
# the three dots.
#
# **Exercise 1**　Draw a panda on a yellow background.
# %%
from course_lib import exercises
from course_lib.messages import say

my_picture = draw(pipe, say("一只瓢虫，黄色背景", "a ladybird, yellow background"))
exercises.check_shows(my_picture, "panda", "yellow")
my_picture
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
solution = draw(pipe, say("一只熊猫，黄色背景", "a panda, yellow background"))
exercises.check_shows(solution, "panda", "yellow")
solution
# %% [markdown] lang="zh"
# **练习 2**　再画一张不一样的瓢虫，蓝色背景：只改 `seed`。
# %% [markdown] lang="en"
# **Exercise 2**　Draw another ladybird on blue that looks different: change `seed` alone.
# %%
my_second = draw(pipe, say("一只瓢虫，蓝色背景", "a ladybird, blue background"), seed=1)
my_answer = exercises.check_same_thing(ladybird, my_second)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
solution = draw(pipe, say("一只瓢虫，蓝色背景", "a ladybird, blue background"), seed=3)
my_answer = exercises.check_same_thing(ladybird, solution)
# %% [markdown] lang="zh"
# **练习 3**　哪个部分的参数最多？`unet`、`vae` 还是 `text_encoder`？
# %% [markdown] lang="en"
# **Exercise 3**　Which part has the most parameters: `unet`, `vae` or `text_encoder`?
# %%
my_part = "vae"
my_answer = exercises.check_largest(pipe, my_part)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
my_answer = exercises.check_largest(pipe, "unet")
# %% [markdown] lang="zh"
# **练习 4**　一张图的像素里，数的个数是它的潜变量的多少倍？（看第 6 节）
# %% [markdown] lang="en"
# **Exercise 4**　How many times as many numbers are there in a picture's pixels as in its latent? (See section 6.)
# %%
my_ratio = 8
my_answer = exercises.check_ratio(pipe, my_ratio)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
my_answer = exercises.check_ratio(pipe, 96 * 96 * 3 / (12 * 12 * 4))
# %% [markdown] lang="zh"
# **练习 5**　换一种说法，意思和 `target` 一样，但一个汉字也不用。两句话向量的余弦相似度要不低于 0.9。
# %% [markdown] lang="en"
# **Exercise 5**　Say what `target` says, but without the word ladybird. The cosine similarity of the two sentences has to reach 0.9.
# %%
target = say("一只瓢虫，蓝色背景", "a ladybird on a blue background")
my_sentence = "a blue apple"
my_answer = exercises.check_likeness(pipe, my_sentence, target)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
my_answer = exercises.check_likeness(pipe, say("a ladybird on a blue background", "a ladybug on a blue background"), target)
# %% [markdown] lang="zh"
# **练习 6（没有标准答案）**　前面的图里，你觉得哪一张最像、哪一张最不像它的提示词？选一张写进 `my_choice`，再用一句话说为什么。单元格只看你答了没有。
# %% [markdown] lang="en"
# **Exercise 6 (no one right answer)**　Of the pictures above, which fits its prompt best, or worst? Write one into `my_choice`, and say in a sentence why. The cell checks only that you answered.
# %%
my_choice = ""  # 哪一张 / which one
my_reason = ""  # 一句话 / one sentence
my_answer = exercises.check_reason(my_choice, my_reason)
