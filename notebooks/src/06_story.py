# %% [markdown] lang="zh"
# # 第 6 课　大作业：从第一张图到发布一个故事
#
# 夏令营最后是一场比赛：在 Kolors 上训练一种画风的 LoRA，发布到 ModelScope，再用它画**八张图讲一个故事**，由美学打分模型和人来评。
#
# 这一课把前五课的工具连成一条线。**学完这一课，你会：**
#
# - 用少量步数比较两组设置，再让好的那个接着练；
# - 每个场景多画几张，挑选、补救，排成一张图和一个网页；
# - 说出每个分数奖励什么、看不见什么；
# - 发布 LoRA 和演示，并且在发出去之前看清楚会公开什么。
#
# **需要：** 第 3 课（图生图）、第 4 课（训练 LoRA）、第 5 课（数据集）。小可图不联网，不要显卡；同样的单元格，换成完整的 Kolors 也能跑。**时间：** 两个 CPU 核上，从头运行三四分钟；慢慢挑图、写自己的故事，半天也不嫌多。
#
# 随时可以停：画好的图、选好的图、训练好的 LoRA 都在磁盘上。重启之后从头运行，只会补上还缺的。
# %% [markdown] lang="en"
# # Lesson 6　The contest: from the first picture to a published story
#
# The camp ends in a contest: train a LoRA of a style on Kolors, publish it on ModelScope, and with it draw **eight pictures that tell one story**, judged by an aesthetics predictor and by people.
#
# This lesson joins the tools of the other five. **After it you can:**
#
# - compare two settings in a few steps, and let the better one go on;
# - draw several pictures for each scene, choose, repair, and lay them out as one picture and one page;
# - say what each score rewards, and what it does not see;
# - publish a LoRA and a demo, and see beforehand what becomes public.
#
# **You need** lesson 3 (image-to-image), lesson 4 (training a LoRA) and lesson 5 (data sets). Tiny Kolors needs no network and no GPU; the same cells run with the full Kolors. **Time:** on two CPU cores three or four minutes to run it all; choosing with care and writing a story of your own may well take half a day.
#
# Stop whenever you like: what was drawn, chosen and trained is on the disk. Run everything again after a restart, and only what is missing is done.
# %% lang="zh"
from course_lib.messages import LessonError, language, say, set_language

set_language("zh")
# %% lang="en"
from course_lib.messages import LessonError, language, say, set_language

set_language("en")
# %% [markdown] lang="zh"
# ## 1. 选一种画风，选一个故事
#
# 故事就是数据：八个场景，每个有主体、背景和一句说明。小可图一张图只会画一个主体，没有动作，所以**情节写在说明里**，画面负责认得出、画风统一。
# 有两个现成的故事：`STORIES["birthday"]` 和 `STORIES["moon"]`；练习里再写你自己的。
# 提示词也由这份数据写出来，每个场景一句，句式都一样：画风统一，先要说法统一。
# %% [markdown] lang="en"
# ## 1. Choose a style and a story
#
# A story is data: eight scenes, each with a subject, a ground and a caption. Tiny Kolors draws one subject in a picture and no action, so **what happens stands in the captions**; the pictures have to be recognised and to be of one style.
# Two stories are ready, `STORIES["birthday"]` and `STORIES["moon"]`; the exercises ask for your own.
# The prompts are written from the same data, one for each scene, in one form: to keep one style, ask in one way.
# %%
import shutil
from dataclasses import replace
from pathlib import Path

from course_lib import files, machine
from course_lib.dataset import Scene, Thing, describe, write_style_set
from course_lib.lora import load_lora, remove_lora
from course_lib.model import load
from course_lib.story import (
    CAMP_NEGATIVE, CAMP_STORY, STORIES, choose, chosen, demo, draw_candidates, keep, lay_out, make_story, open_aesthetics,
    publish_story, read_choices, repair, score_story, suggest, write_page,
)

style, trigger = "lineart", say("线稿", "line art")
story = STORIES["birthday"]
pipe = load("tiny")
WORK = files.COURSE / "outputs" / "lesson06" / language() / files.sha256(Path(pipe.name_or_path) / "manifest.json")[:8]
print(story.title)
for number, scene in enumerate(story.scenes, 1):
    prompt = describe(Scene((Thing(scene.subject),), style, scene.ground), language())
    print(f"{number}  {prompt}\n   {scene.caption}")
# %% [markdown] lang="zh"
# （文件夹的名字里有模型的指纹，换了底模，旧的图和 LoRA 不会混进来。）
#
# **记住：** 先定画风和故事，把八个场景写成数据。
#
# ## 2. 教材
#
# 第 5 课讲过怎样准备数据集。这里用课程自带的线稿：两个现成的故事要画的 16 个主体，每个两张，各配一句说明。
# %% [markdown] lang="en"
# (The folder's name holds the model's fingerprint, so that nothing of another base is mixed in.)
#
# **Keep:** settle style and story first, and write the eight scenes as data.
#
# ## 2. What to learn from
#
# Lesson 5 is about preparing a data set. Here we take the course's own line drawings: the 16 subjects of the two ready stories, two pictures of each, with a caption.
# %%
from course_lib.pictures import Picture, find_nearest, interval, name_of, plot, read_prompt, show_sheet
from course_lib.training import ATTENTION, fit, read_log, read_rows, tiny_config

things = sorted({scene.subject for each in STORIES.values() for scene in each.scenes})
data = write_style_set(WORK / "data", style=style, subjects=things, per_subject=2, validation=0, seed=5)
rows = read_rows(data / "train")
show_sheet([Picture(row.picture, name_of(read_prompt(row.caption).subject)) for row in rows], columns=8)
# %% [markdown] lang="zh"
# ## 3. 两组设置，比一比
#
# 比赛里没有人告诉你参数该填多少。做法是：先用同样少的步数各训练一个，用同样的种子画同一个故事，再比得分；只让好的那个接着练下去。这里比的是第 4 课里最要紧的两样：学习率，和只改注意力层还是连卷积层一起改。
# 两组各训练一次，一次就是抽一次签；每组只看八张图，差两三张也可能是碰巧。所以这是挑一个先用，不是证明谁更好。
#
# 练到一半断了也不要紧：`resume` 从存档接着练；练完了的不会再练。
# %% [markdown] lang="en"
# ## 3. Two settings compared
#
# Nobody in a contest tells you what to set. So train one LoRA of each for the same few steps, draw the same story with the same seed, and compare scores; only the better one goes on. What is compared here mattered most in lesson 4: the learning rate, and whether only the attention layers learn, or the convolutions too.
# Each is trained once, which is one draw, and judged on eight pictures, of which two or three more may be chance. So this is choosing one to go on with, not proving which is better.
#
# A training that broke off is no loss: `resume` goes on from its checkpoint, and one that is finished takes no further step.
# %% tags=["nbval-ignore-output"]
WIDE = (*ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2")
recipe = tiny_config(lora_rank=16, lora_alpha=16.0, batch_size=8, steps_per_epoch=100, min_snr_gamma=5.0, random_flip=False,
                     trigger_word=trigger, caption_dropout=0.0)
SETTINGS = {"careful": recipe.but(learning_rate=5e-4), "bold": recipe.but(learning_rate=4e-3, targets=WIDE)}

for name, settings in SETTINGS.items():
    print(fit(pipe, data, settings, output_path=WORK / name, resume=(WORK / name).is_dir()))
# %% [markdown] lang="zh"
# 每一步的损失都记在 LoRA 旁边的 `log.jsonl` 里，一步一行，断电也在。把两次训练画在一张图上：
# %% [markdown] lang="en"
# The loss of each step stands in `log.jsonl` beside the LoRA, a line a step, and survives a crash. Both trainings in one figure:
# %% tags=["nbval-ignore-output"]
def smooth(values, width=6):
    """Return the means of `width` neighbours each."""
    return [sum(values[place:place + width]) / width for place in range(0, len(values) - width + 1, width)]


logs = {name: read_log(WORK / name) for name in SETTINGS}
for name, log in logs.items():
    print(name, say("最后 20 步的平均损失", "mean loss of the last 20 steps"), f"{sum(line['loss'] for line in log[-20:]) / 20:.3f}")
plot({name: (smooth([line["step"] for line in log]), smooth([line["loss"] for line in log])) for name, log in logs.items()}, "step", "loss")
# %% [markdown] lang="zh"
# 谁的损失低，低多少？可是低到多少画风才算学会，损失不说（第 4 课）。所以各画一遍故事，再打分。
# %% [markdown] lang="en"
# Whose loss is lower, and by how much? But how low is low enough for the style, it does not say (lesson 4). So draw the story with each, and score it.
# %% tags=["nbval-ignore-output"]
scores, tries = {}, {}
for name in SETTINGS:
    remove_lora(pipe.unet)
    load_lora(pipe.unet, WORK / name / "lora.safetensors")
    tries[name] = draw_candidates(pipe, story, style, WORK / name, seeds=[0])
    scores[name] = score_story(pipe, [each.image for each in tries[name]], story, style)
    print(f"\n{name}\n{scores[name]}\n")
show_sheet([Picture(each.image, f"{name} {each.scene}") for name in SETTINGS for each in tries[name]], columns=8)
# %% [markdown] lang="zh"
# 上面一排是 careful，下面一排是 bold。怎么选？画风和主体都要，还要统一。把三样加起来只是**一种**办法：权重是你定的，所以先看图，再信数。
# %% [markdown] lang="en"
# The upper row is careful, the lower one bold. Which one? We want the style, the subjects, and one style throughout. Adding the three up is **one** way: the weights are your own, so look at the pictures before you trust the number.
# %%
best = max(SETTINGS, key=lambda name: scores[name].style + scores[name].subject + scores[name].consistency)
for name, score in scores.items():
    low, high = interval(round(8 * score.style), 8)
    print(f"{name:8} style {score.style:4.0%} [{low:.0%}, {high:.0%}]")
print("best:", best)
# %% [markdown] lang="zh"
# 好的那个接着练到 300 步。先把它的文件夹抄一份：练了 100 步的那个留着，比过的图和分数才对得上。
#
# **记住：** 先花小钱比设置，再花大钱练一个。
# %% [markdown] lang="en"
# Let the better one go on to 300 steps, in a copy of its folder: the one of 100 steps stays as it was compared, with its pictures.
#
# **Keep:** compare settings cheaply first, then spend on one.
# %% tags=["nbval-ignore-output"]
final = WORK / "final"
if not final.is_dir():
    shutil.copytree(WORK / best, WORK / "part", ignore=shutil.ignore_patterns("lora.safetensors", "candidates"), dirs_exist_ok=True)
    (WORK / "part").rename(final)  # whole, or not there at all
print(fit(pipe, data, SETTINGS[best].but(steps_per_epoch=300), output_path=final, resume=True))
# %% [markdown] lang="zh"
# ## 4. 每个场景多画几张
#
# 同一句话，换一个种子就是另一张图。每个场景画四张，挑最好的。每张图一画好就存成一个文件，设置也写在文件里。下面是种子 0 和 1（图下的字是种子和场景），全部四张在第 5 节的小工具里。
# %% [markdown] lang="en"
# ## 4. Several pictures for each scene
#
# The same words with another seed are another picture. Draw four for each scene and take the best. Each picture is a file as soon as it is drawn, with its settings inside. Below are seeds 0 and 1 (under each picture stand seed and scene); all four are in section 5's widget.
# %% tags=["nbval-ignore-output"]
candidates = draw_candidates(pipe, story, style, final, seeds=range(4))
by_seed = [each for seed in range(4) for each in candidates if each.settings.seed == seed]
show_sheet([Picture(each.image, f"seed {each.settings.seed}  {each.scene}") for each in by_seed[:16]], columns=8)
# %% [markdown] lang="zh"
# 多练和多挑各值多少？三行都是同一个故事：练 100 步、种子 0；练 300 步、种子 0；练 300 步、每个场景由 `suggest` 按得分从四张里挑。
# %% [markdown] lang="en"
# What does more training gain, and what choosing? Three rows of the same story: 100 steps, seed 0; 300 steps, seed 0; 300 steps, and for each scene the one of four that `suggest` takes by the scores.
# %% tags=["nbval-ignore-output"]
suggested = suggest(candidates, story, style)
longer, picked = (score_story(pipe, [each.image for each in row], story, style) for row in (by_seed[:8], suggested))
for steps, row in (("100", scores[best]), ("300", longer), ("300, best of four", picked)):
    print(f"{steps:18} style {row.style:.2f}   subject {row.subject:.2f}   consistency {row.consistency:.2f}   distance {row.distance:.2f}")
# %% [markdown] lang="zh"
# 每行只有八张图：`style` 和 `subject` 差一张就是 12.5 个百分点，差一两张不算数。第三行还占了便宜：挑图看的就是这几样分，分数当然不会低。所以它说明挑图有用，不说明画得更好；这要人来看。
#
# **记住：** 多画几张再挑，常常比多练更便宜。
# %% [markdown] lang="en"
# Each row is eight pictures: one picture is 12.5 points of `style` or `subject`, and one or two mean nothing. The third row has an advantage besides: the pictures were chosen by these very scores. So it says that choosing works, not that the drawings are better; for that, people have to look.
#
# **Keep:** to draw more and choose is often cheaper than to train more.
# %% [markdown] lang="zh"
# ## 5. 选
#
# 先把 `suggest` 挑的记下来；下面的小工具里点一张就换成它，还可以写下为什么。每点一下都立刻写进 `choices.json`，关掉、重启都不会丢。先前选过的场景，这里不会动。
#
# **记住：** 分数只做初选，定稿的是你。
# %% [markdown] lang="en"
# ## 5. Choose
#
# What `suggest` took is noted first; in the widget below a click takes another one, and you can note why. Every click is written into `choices.json` at once and survives a restart. Scenes that were chosen before are left alone.
#
# **Keep:** scores make the first choice, you make the last.
# %%
for each in suggested:
    if each.scene not in read_choices(final):
        keep(final, each)
print(len(read_choices(final)))
# %%
choose(final, story, candidates)
# %% tags=["nbval-ignore-output"]
kept = chosen(final, story, candidates)
show_sheet([Picture(each.image, f"{each.scene}  seed {each.settings.seed}") for each in kept], columns=8)
# %% [markdown] lang="zh"
# ## 6. 补救一个场景
#
# 有一张总是不满意？不必从头再画：**图生图**从这张图开始，`denoise` 0.6 只改六成，构图还在，细节重来（第 3 课）。补出来的也是候选，旧的不会被盖掉；补的不一定更好，这里还是由得分来挑，你可以另选。
# 这里补的是建议里离真图最远的那一张；你自己另选过的场景不动。想补别的，就把 `worst` 换成你的，例如 `kept[3]`。下面最左边是原图。
#
# **记住：** 只坏一处，就从这张图改起，不必重画。
# %% [markdown] lang="en"
# ## 6. Repair one scene
#
# One picture will not come right? Do not begin anew: **image-to-image** starts from it, and a `denoise` of 0.6 changes six tenths; the composition stays, the details are drawn again (lesson 3). What comes of it are candidates too, and the old one is still there; a repair is not always better, and here the scores decide, until you choose another.
# Repaired here is the suggested picture that is farthest from a true one; a scene where you chose another stays yours. To repair another, set `worst` to it, to `kept[3]` for instance. Leftmost below is the picture before the repair.
#
# **Keep:** where one thing is wrong, begin from the picture, not anew.
# %% tags=["nbval-ignore-output"]
worst = max(suggested, key=lambda each: find_nearest(each.image, story.scenes[each.scene - 1].subject, style).error)
repaired = repair(pipe, worst, denoise=0.6, seeds=range(3))
if worst in kept:  # where you chose another one, yours stays
    keep(final, suggest([*candidates, *repaired], story, style)[worst.scene - 1])
kept = chosen(final, story, [*candidates, *repaired])
show_sheet([Picture(worst.image, say("补救前", "before")),
            *(Picture(each.image, f"denoise 0.6  seed {each.settings.seed}") for each in repaired)], columns=4)
# %% [markdown] lang="zh"
# ## 7. 打分，和分数看不见的东西
#
# **画风、主体、背景**是裁判看到的比例；**距离**是和最近的真图差多少，不靠裁判；**统一**是八张的画风有多一致；**变化**是八个场景差多少。
# 距离一个像素一个像素地比，0 最好，1 等于一块空背景。线稿吃亏：线条粗一点、偏一点，就和没画差不多，一张人一眼认得出的图，距离也可能很大。所以可以拿它比两组图，单看一个数说明不了什么。
# %% [markdown] lang="en"
# ## 7. Scores, and what they do not see
#
# **style, subject, ground** are shares that the judge sees; **distance** is how far the pictures are from the nearest true ones, without the judge; **consistency** is how alike the eight styles are; **variety** is how different the eight scenes are.
# The distance compares pixel by pixel; 0 is best, 1 an empty ground. Line art suffers from that: a line that is too thick or a little off costs about as much as none, so that a picture which anybody recognises may have a large distance. It can compare two sets of pictures; one number alone says little.
# %% tags=["nbval-ignore-output"]
score = score_story(pipe, [each.image for each in kept], story, style)
print(score)
print(say("场景 1 到 8 离真线稿的误差", "error to the true drawing, scenes 1 to 8"),
      *(f"{find_nearest(each.image, scene.subject, style).error:.2f}" for each, scene in zip(kept, story.scenes)))
# %% [markdown] lang="zh"
# 分数奖励什么，就会漏掉什么。看两张图：左边是一张真的线稿，转了 30 度，人人都认得出、画得也好；右边是同一张图，糊了。距离只认识没有转过的图，它说哪一张好？
# %% [markdown] lang="en"
# What a score rewards also says what it misses. Two pictures: left a true line drawing turned by 30 degrees, which anybody recognises and which is well drawn; right the same drawing, blurred. The distance knows upright drawings alone. Which one does it prefer?
# %%
from PIL import ImageFilter

row = next(row for row in rows if read_prompt(row.caption).subject == "bus")
corner = row.picture.getpixel((1, 1))
turned = row.picture.rotate(30, fillcolor=corner)
blurred = row.picture.filter(ImageFilter.GaussianBlur(1.5))
wrong = [find_nearest(picture, "bus", style).error for picture in (turned, blurred)]
assert wrong[0] > 1.5 * wrong[1]
print(f"turned {wrong[0]:.3f}   blurred {wrong[1]:.3f}")
show_sheet([Picture(turned, f"turned {wrong[0]:.3f}"), Picture(blurred, f"blurred {wrong[1]:.3f}")])
# %% [markdown] lang="zh"
# 它说糊的那张好。裁判也一样有盲区：它只见过 64 个主体，有时你认不出的涂鸦，它也给满分。比赛用的美学模型（CLIP 加五层，人打的分教出来的）也不例外：它喜欢光影漂亮、构图饱满的照片，
# 不看提示词，不看故事，也不管八张是不是同一个人画的。所以比赛还要人来评。
#
# **记住：** 每个分数都有盲区；几个不同的一起看，最后看图。
#
# 想知道它给你打几分，把 `fetch_predictor` 改成 `True`（要下载约 1.2 GB；它在 ModelScope 上的文件名没能在离线时核对，缺什么会说出来）：
# %% [markdown] lang="en"
# It prefers the blurred one. The judge has blind spots too: it has seen 64 subjects, and at times a scribble that you would not recognise gets full marks. The contest's aesthetics predictor (CLIP and five layers, taught by people's ratings) is no exception: it likes photographs with beautiful light and a full composition, and knows neither prompt nor story, nor whether one hand drew all eight. That is why people judge as well.
#
# **Keep:** every score has blind spots; use several of different kinds, and look at the pictures last.
#
# To see how it rates you, set `fetch_predictor` to `True` (about 1.2 GB to download; its file names on ModelScope could not be checked offline, and what is missing is said):
# %%
fetch_predictor = False
if fetch_predictor:
    marks = open_aesthetics().score([each.image for each in kept])
    print([round(mark, 2) for mark in marks], sum(marks) / len(marks))
# %% [markdown] lang="zh"
# ## 8. 一张图，一个网页
#
# `lay_out` 排成一张图：标题、八幅画、说明，每一幅的设置都写在 PNG 里。`write_page` 写成一个网页文件：图都在里面，不用服务器，发给谁都打得开。
# %% [markdown] lang="en"
# ## 8. One picture, one page
#
# `lay_out` makes one picture of it: the title, eight panels, captions, and every panel's settings inside the PNG. `write_page` writes one file of HTML that holds its pictures and needs no server: whoever gets it can open it.
# %% tags=["nbval-ignore-output"]
sheet = lay_out(story, kept)
page = write_page(story, kept, WORK / "story.html")
print(page.name, f"{page.stat().st_size / 1000:.0f} kB")
sheet
# %% [markdown] lang="zh"
# ## 9. 发布：先试运行
#
# 发布只有三步：拿一个令牌，放进环境变量 `MODELSCOPE_API_TOKEN`（**不要写进代码**），调用 `publish_story`。默认只是**试运行**：把要公开的每个文件和整张模型卡打印出来，什么也不发。看仔细了，再写 `dry_run=False`。
# 模型卡上有底模、许可、rank、alpha、触发词、训练设置、数据和它们的许可、故事和得分。文件头里的路径、文件夹里的其他东西都不会跟着上去。
#
# **记住：** 先试运行，看清会公开什么；令牌不进代码。
# %% [markdown] lang="en"
# ## 9. Publish: dry first
#
# Publishing is three steps: get a token, put it into the environment variable `MODELSCOPE_API_TOKEN` (**never into code**), call `publish_story`. By default it is a **dry run**: it prints each file that would become public and the whole model card, and sends nothing. Read it, then write `dry_run=False`.
# The card holds base, licence, rank, alpha, trigger word, training settings, data and their licences, the story and the scores. Paths in the file's header and other things in the folder stay here.
#
# **Keep:** run dry first and see what becomes public; a token never goes into code.
# %% tags=["nbval-ignore-output"]
address = publish_story(final, "your-name/birthday-story", story, kept, score)
# %% [markdown] lang="zh"
# ## 10. 让别人也能玩：创空间
#
# `demo` 写出一个 ModelScope 创空间的文件夹：`app.py`（Gradio）、依赖、小可图和你的 LoRA。免费的两核机器就能跑。它不用课程的代码；在自己的机器上，给它单独一个环境就能试：
#
# ```bash
# python -m venv demo-env && demo-env/bin/pip install -r requirements.txt && demo-env/bin/python app.py
# ```
#
# 上传用同一个函数：`publish(folder, "your-name/demo", kind="studio")`；先加 `dry_run=True` 看看。
# %% [markdown] lang="en"
# ## 10. A demo for others: a Studio
#
# `demo` writes the folder of a ModelScope Studio: `app.py` (Gradio), what it needs, Tiny Kolors and your LoRA. The free machine with two cores runs it. It uses none of the course's code; try it in an environment of its own:
#
# ```bash
# python -m venv demo-env && demo-env/bin/pip install -r requirements.txt && demo-env/bin/python app.py
# ```
#
# The same function uploads it: `publish(folder, "your-name/demo", kind="studio")`; add `dry_run=True` first.
# %%
studio = demo(WORK / "studio", final)
print(sorted(file.name for file in studio.iterdir()))
# %% [markdown] lang="zh"
# ## 11. 换成完整的 Kolors
#
# 夏令营自己的故事也在这里：八句提示词（紫色短发的女孩，二次元），cfg 4，50 步，还有它的反向提示词（写着不想要什么）。有合适的显卡才会真的画；LoRA 用第 4 课在 Kolors 上训练的那个。
# %% [markdown] lang="en"
# ## 11. The full Kolors
#
# The camp's own story is here as well: eight prompts (a girl with short purple hair, in anime style), cfg 4, 50 steps, and its negative prompt (what is not wanted). It is drawn only where there is such a GPU, with the LoRA that lesson 4 trained on Kolors.
# %% tags=["nbval-ignore-output"]
camp = replace(kept[0].settings, steps=50, cfg=4.0, denoise=1.0)
gpu = machine.look().gpu
if gpu and gpu.usable:
    kolors = load("kolors", machine.plan("draw", "kolors"))
    load_lora(kolors.unet, files.COURSE / "outputs" / "lora" / "my_pictures")
    draw_candidates(kolors, CAMP_STORY, "noto", WORK / "camp", settings=camp, negative_prompt=CAMP_NEGATIVE)
else:
    print(CAMP_STORY.title, *(scene.caption for scene in CAMP_STORY.scenes), sep="\n")
    print(CAMP_STORY.scenes[0].prompt, "|", CAMP_NEGATIVE)  # the camp asked in Chinese
# %% [markdown] lang="zh"
# ## 12. 小结
#
# - 故事是数据：八个场景，一种句式，一种画风。
# - 用少量步数比设置，再让一个接着练；八张图分不出小差别。
# - 多画几张再挑，坏一处就补救一处；分数做初选，人定稿。
# - 每个分数都有盲区：裁判会认出你认不出的，距离嫌线条偏了一点，美学模型不看故事。
# - 发布之前先试运行，看清会公开什么。
#
# 接下来做练习：自检，再写一个你自己的故事。这是最后一课；想回头查，[第 1 课](01_setup.ipynb)讲模型的三个部分，[第 4 课](04_lora_training.ipynb)有训练的参数表。有了合适的显卡，就用完整的 Kolors 把这一课再走一遍。
# %% [markdown] lang="en"
# ## 12. Recap
#
# - A story is data: eight scenes, one form of words, one style.
# - Compare settings in a few steps, then let one go on; eight pictures cannot show small differences.
# - Draw more and choose, repair what is wrong; scores make the first choice, people the last.
# - Every score has blind spots: the judge recognises what you would not, the distance minds a line that is a little off, the aesthetics predictor knows no story.
# - Run dry before you publish, and see what becomes public.
#
# Exercises come next: check yourself, then write a story of your own. This is the last lesson; to look things up, [lesson 1](01_setup.ipynb) has the model's three parts and [lesson 4](04_lora_training.ipynb) the table of flags. When you have a GPU for it, go through this lesson again with the full Kolors.
# %% [markdown] lang="zh"
# ## 练习
#
# **练习 1**　自检：每个场景的主体和背景都对，画风统一，八张都不一样。哪一张没过，就在第 5 节另选一张，或者在第 6 节补救它。
# %% [markdown] lang="en"
# ## Exercises
#
# **Exercise 1**　Check yourself: each scene has its subject and its background, one style throughout, eight different pictures. Where one fails, choose another in section 5, or repair it in section 6.
# %% tags=["nbval-ignore-output"]
from course_lib import exercises

passed = exercises.check_story(kept, story, style)
# %% [markdown] lang="zh"
# **练习 2**　写你自己的故事：八行，每行写主体、背景、说明（中文英文都行）。下面只有一行，`make_story` 会告诉你缺什么。补齐以后，从第 1 节用它再走一遍。
# %% [markdown] lang="en"
# **Exercise 2**　Write your own story: eight rows of subject, background and caption, in Chinese or English. Below is one row; `make_story` says what is missing. When it is whole, go through the lesson again with it.
# %%
my_rows = [(say("青蛙", "frog"), say("蓝色", "blue"), "……")]
try:
    my_story = make_story("……", my_rows)
except LessonError as problem:
    print(problem)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案的一个例子 / one possible answer
names = ["青蛙", "苹果", "帆船", "岛上的棕榈树", "菠萝", "皇冠", "月亮", "爱心"]
colours = ["绿色", "红色", "蓝色", "黄色", "橙色", "紫色", "灰色", "白色"]
my_story = make_story("……", [(name, colour, "……") for name, colour in zip(names, colours)])
print(len(my_story.scenes), my_story.words(style)[3])
# %% [markdown] lang="zh"
# **练习 3**　假如每张候选图有一半的机会是对的，一张的对错不影响另一张。八个场景，每个画 4 张候选图：平均有几个场景一张对的都没有？
# %% [markdown] lang="en"
# **Exercise 3**　Say that each candidate has an even chance to be right, whatever the others are. For eight scenes with 4 candidates each: how many scenes have not a single right one, on the average?
# %%
my_count = 2
my_answer = exercises.check_empty_scenes(0.5, 4, 8, my_count)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer：四张都不对的机会是 0.5 的 4 次方 / all four are wrong with a chance of 0.5 to the 4th power
my_answer = exercises.check_empty_scenes(0.5, 4, 8, 8 * 0.5 ** 4)
# %% [markdown] lang="zh"
# **练习 4（没有标准答案）**　八张里你最想重画哪一张？把场景的号码写进 `my_scene`，再用一句话说哪里不满意，打算怎么改。单元格只看你答了没有。
# %% [markdown] lang="en"
# **Exercise 4 (no one right answer)**　Which of the eight would you most like to draw again? Write the scene's number into `my_scene`, and say in a sentence what is wrong with it and how you would change it. The cell checks only that you answered.
# %%
my_scene = None  # 1 到 8 / 1 to 8
my_reason = ""  # 一句话 / one sentence
my_answer = exercises.check_reason(my_scene, my_reason)
