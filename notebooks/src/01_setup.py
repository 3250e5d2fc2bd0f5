# %% [markdown] lang="zh"
# # 第 1 课　准备：这台机器、第一张图、模型里有什么
#
# 可图（Kolors）是快手开源的文生图模型：写一句中文或英文，它画一张图。完整的 Kolors 有 17.8 GB，需要一块大显卡；
# 所以课程自带一个**小可图**（Tiny Kolors）：同样的 diffusers 组件、同样的用法，只有二十来 MB，在两个 CPU 核上不联网也能画。
# 它画 64×64 像素的小图，认识 64 种东西、十种背景颜色。先用它弄懂每一步，以后换成完整的 Kolors，代码不变。
#
# 这一课要做四件事：看看机器、画第一张图、不用课程的代码再画一次、打开模型文件夹看一看。从上往下依次运行每个格子（Shift+Enter）。
# %% [markdown] lang="en"
# # Lesson 1　Setting up: this machine, the first picture, what a model is made of
#
# Kolors (可图) is Kuaishou's open text-to-image model: write a sentence in Chinese or English and it draws a picture. The full
# Kolors is 17.8 GB and wants a large GPU; so the course ships a **Tiny Kolors**: the same diffusers parts, used in the same
# way, in some twenty MB, that draws on two CPU cores without a network. Its pictures are 64 x 64 pixels, and it knows 64
# subjects and ten ground colours. Understand each step on it first; the full Kolors later is the same code.
#
# This lesson does four things: look at the machine, draw the first picture, draw it again without the course's code, and open
# the model's folder. Run the cells from top to bottom (Shift+Enter).
# %% lang="zh"
from course_lib.messages import set_language

set_language("zh")
# %% lang="en"
from course_lib.messages import set_language

set_language("en")
# %% [markdown] lang="zh"
# ## 1. 这台机器
#
# 下面这张表说明机器有什么、能运行哪些课（你看到的数字会和这里存下的不同）。
# %% [markdown] lang="en"
# ## 1. This machine
#
# The table says what the machine has and which lessons run on it (your figures differ from those stored here).
# %% tags=["nbval-ignore-output"]
from course_lib import machine
from course_lib.__main__ import describe_machine

print("\n".join(describe_machine(machine.look())))
# %% [markdown] lang="zh"
# ## 2. 第一张图
#
# `load` 打开模型，`draw` 画图。把引号里的话换成你自己的试试，例如「一只小猫，黄色背景」。
# %% [markdown] lang="en"
# ## 2. The first picture
#
# `load` opens the model, `draw` draws. Put your own words between the quotes, such as "a cat, yellow background".
# %%
from course_lib.pipeline import draw, load

pipe = load("tiny")
ladybird = draw(pipe, "一只瓢虫，蓝色背景", seed=1)
print(ladybird.caption)
ladybird
# %% [markdown] lang="zh"
# 图上面的一行字就是画这张图用的全部设置。同样的提示词、`seed`、`steps`、`cfg` 总是画出同样的图：
# %% [markdown] lang="en"
# The line above the picture holds all the settings behind it. The same prompt, `seed`, `steps` and `cfg` always draw the same
# picture:
# %%
again = draw(pipe, "一只瓢虫，蓝色背景", seed=1)
print(again.image.tobytes() == ladybird.image.tobytes())
# %% [markdown] lang="zh"
# 换一个 `seed`（种子），就换了一份起始噪声，画出来的是另一只瓢虫。中文和英文都听得懂：
# %% [markdown] lang="en"
# Another `seed` is another start noise, and so another ladybird. Both languages are understood:
# %%
from course_lib.pipeline import show_sheet

prompts = ["一只瓢虫，蓝色背景", "a ladybird on a blue background", "一个苹果，黄色背景", "an apple, white background"]
sheet = [draw(pipe, prompt, seed=seed) for seed in (2, 3) for prompt in prompts]
show_sheet(sheet, columns=4)
# %% [markdown] lang="zh"
# 小模型只认识它学过的 64 种东西。问它没学过的，课程会直接告诉你，而不是悄悄画错：
# %% [markdown] lang="en"
# The tiny model knows only the 64 subjects it was trained on. Asked for another, the course says so instead of quietly drawing
# something wrong:
# %%
from course_lib.messages import LessonError

try:
    draw(pipe, "一条龙，红色背景")
except LessonError as problem:
    print(problem.what)
# %% [markdown] lang="zh"
# ## 3. 画得对不对？让裁判来看
#
# 课程里的每个结论都要有数字。`judge` 是一个很小的分类器，它看一张图，说出画的是什么、哪种画风、什么背景，以及有多大把握（0 到 1）。
# 它自己的准确率写在 `data/judge/README.md` 里。
# %% [markdown] lang="en"
# ## 3. Is it right? Ask the judge
#
# Every claim in this course needs a number. `judge` is a small classifier: it looks at a picture and says which subject, which
# style and which ground it sees, and how sure it is (0 to 1). Its own accuracy stands in `data/judge/README.md`.
# %%
from course_lib.emoji import name_of
from course_lib.judge import judge, score

seen = judge([ladybird.image])[0]
print(name_of(seen.subject), f"{seen.subject_confidence:.1f}")
print(name_of(seen.ground), f"{seen.ground_confidence:.1f}")
# %% [markdown] lang="zh"
# 八张图一起打分，得到「画对的比例」：
# %% [markdown] lang="en"
# Scored together, the eight pictures above give the share that is right:
# %%
result = score([picture.image for picture in sheet], prompts * 2)
print(f"subject {result.subject:.0%}, ground {result.ground:.0%}")
# %% [markdown] lang="zh"
# ## 4. 同一张图，不用课程的代码
#
# `load` 和 `draw` 里没有魔法：它们只是 diffusers 的 `KolorsPipeline`。下面直接用它，得到的是一模一样的图。
# %% [markdown] lang="en"
# ## 4. The same picture without the course's code
#
# There is no magic in `load` and `draw`: they are diffusers' own `KolorsPipeline`. Used directly, it gives the very same picture.
# %%
import torch
from diffusers import KolorsPipeline

from course_lib.hub import fetch

plain = KolorsPipeline.from_pretrained(fetch("tiny"))
plain.set_progress_bar_config(disable=True)
by_hand = plain("一只瓢虫，蓝色背景", num_inference_steps=25, guidance_scale=5.0, generator=torch.Generator("cpu").manual_seed(1)).images[0]
print(by_hand.size, by_hand.tobytes() == ladybird.image.tobytes())
# %% [markdown] lang="zh"
# ## 5. 模型文件夹里有什么
#
# 一个文生图模型由几个部分合作：
#
# - **分词器和文本编码器**（`tokenizer`、`text_encoder`）把提示词变成一串向量。Kolors 用的是 ChatGLM3，不是 CLIP。
# - **UNet**（`unet`）看着带噪声的小图（潜变量）、时间和文字向量，猜出其中的噪声。
# - **VAE**（`vae`）把潜变量变成看得见的像素，也能反过来。
# - **调度器**（`scheduler`）规定分多少步、每一步去掉多少噪声。
# %% [markdown] lang="en"
# ## 5. What lies in the model's folder
#
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
states, _, pooled, _ = plain.encode_prompt("一只瓢虫，蓝色背景", num_images_per_prompt=1, do_classifier_free_guidance=True)
latent = plain("一只瓢虫，蓝色背景", num_inference_steps=25, generator=torch.Generator("cpu").manual_seed(1), output_type="latent").images
with torch.no_grad():
    pixels = plain.vae.decode(latent / plain.vae.config.scaling_factor).sample
print("text   ", tuple(states.shape), tuple(pooled.shape))
print("latent ", tuple(latent.shape))
print("pixels ", tuple(pixels.shape))
# %% [markdown] lang="zh"
# ## 练习
#
# 每道题改一行，运行，格子会告诉你对不对。答案折叠在每道题后面，点一下三个点就能看到。
#
# **练习 1**　画一只黄色背景上的熊猫。
# %% [markdown] lang="en"
# ## Exercises
#
# Change one line, run it, and the cell tells you whether it is right. Each answer is folded after its exercise: click
# the three dots.
#
# **Exercise 1**　Draw a panda on a yellow ground.
# %%
from course_lib import exercises

my_picture = draw(pipe, "一只瓢虫，黄色背景")
exercises.check_shows(my_picture, "panda", "yellow")
my_picture
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
solution = draw(pipe, "一只熊猫，黄色背景")
exercises.check_shows(solution, "panda", "yellow")
solution
# %% [markdown] lang="zh"
# **练习 2**　再画一张不一样的瓢虫，蓝色背景：只改 `seed`。
# %% [markdown] lang="en"
# **Exercise 2**　Draw another ladybird on blue that looks different: change `seed` alone.
# %%
my_second = draw(pipe, "一只瓢虫，蓝色背景", seed=1)
my_answer = exercises.check_same_thing(ladybird, my_second)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
solution = draw(pipe, "一只瓢虫，蓝色背景", seed=3)
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
