# %% [markdown] lang="zh"
# # 第 2 课　ComfyUI：把画一张图拆成节点
#
# ComfyUI 是一个图形界面：画一张图要做的每件事是一个**节点**，节点用线连起来，就成了**工作流**。夏令营的笔记里有两个 Kolors 工作流；
# 这一课在笔记本里打开它们、画出来、一个节点一个节点地运行，再把同样的文件交给真正的 ComfyUI 运行。
#
# **学完这一课，你会：**
#
# - 读懂一个工作流：每个节点收什么、给什么，线里流的是什么；
# - 改一个值、换一个模型、加一个 LoRA，并且知道要重跑哪些节点；
# - 看懂报错说的是哪个节点、哪个输入；
# - 用 Python 搭一个工作流，存成 ComfyUI 页面能打开的文件。
#
# **需要：** 第 1 课（文本编码器、UNet、VAE 各做什么）；用的还是小可图，不联网，不要显卡，也不用先装 ComfyUI。**时间：** 两个 CPU 核上，从头运行一两分钟；读懂它大约四十分钟。
# %% [markdown] lang="en"
# # Lesson 2　ComfyUI: drawing a picture, node by node
#
# ComfyUI is a graphical interface: each thing that has to be done for a picture is a **node**, and nodes joined by wires are a **workflow**. The camp's notes come with
# two workflows for Kolors; this lesson opens them in the notebook, draws them, runs them node by node, and then hands the very same files to the real ComfyUI.
#
# **After this lesson you can:**
#
# - read a workflow: what each node takes and gives, and what flows along the wires;
# - change a value, another model, a LoRA, and say which nodes have to run again;
# - read from an error which node and which input it means;
# - build a workflow in Python and save it as a file that ComfyUI's page opens.
#
# **You need** lesson 1 (what text encoder, UNet and VAE do); the model is still Tiny Kolors: no network, no GPU, and no ComfyUI installed. **Time:** on two CPU cores one or two minutes to run it all; about forty minutes to understand it.
# %% lang="zh"
from course_lib.messages import LessonError, say, set_language

set_language("zh")
# %% lang="en"
from course_lib.messages import LessonError, say, set_language

set_language("en")
# %% [markdown] lang="zh"
# ## 1. 同一张图，三种做法
#
# 第一种是写代码，一行就够：
# %% [markdown] lang="en"
# ## 1. One picture, three ways
#
# The first is code; one line will do:
# %%
from course_lib.model import load# %%
from course_lib.model import load
from course_lib.sampling import SamplerSettings, generate

pipe = load("tiny")
prompt = say("一只瓢虫，蓝色背景", "a ladybird, blue background")
by_code = generate(pipe, prompt, SamplerSettings(seed=0, steps=25, cfg=5.0))
by_code
# %% [markdown] lang="zh"
# 第二种是填表单，第 3 课的面板就是：改得快，但只能改表单上有的东西。
#
# 第三种是把过程画成图。`read` 打开一个工作流文件，`draw` 把它画成 ComfyUI 画布上的样子（第 1 课的 `draw` 画的是图片，这里的画的是流程）。
# 文件里的提示词是中文的；读英文版时，下面有一行会换上英文的：
# %% [markdown] lang="en"
# The second is a form, as the panel of lesson 3: quick to change, but only what the form has fields for.
#
# The third is to lay the process out as a graph. `read` opens a workflow file, `draw` draws it as it looks on ComfyUI's canvas (the `draw` of lesson 1 drew pictures, this one draws the process).
# The prompt in the file is Chinese; in the English edition a line below puts in an English one:
# %%
from course_lib.files import CAMP, COURSE
from course_lib.workflow import Cache, VAEDecode, draw, read, run

WORKFLOWS = COURSE / "data" / "workflows"
core = read(WORKFLOWS / "core_text_to_image.json")
core.nodes["6"].widgets["text"] = prompt
draw(core)
# %% [markdown] lang="zh"
# 每个方块是一个节点：左边的圆点是输入，右边的是输出，颜色表示线里流过的是什么；下面的格子是可以改的值。
#
# `run` 按先后次序运行它们。图和用代码画的一模一样吗？
# %% [markdown] lang="en"
# Each box is a node: dots on its left are inputs, dots on its right are outputs, and the colour says what flows along the wire; below are the values you can change.
#
# `run` runs them in their order. Is the picture the one that the code drew?
# %%
from course_lib.pictures import Picture, distance, show_sheet, two_tone

cache = Cache()
results = run(core, cache=cache)
picture = results.pictures[0]
assert distance(picture, by_code.image) < 0.002
print(f"{distance(picture, by_code.image):.3f}")
Picture(picture, "core_text_to_image.json")
# %% [markdown] lang="zh"
# **记住：** 工作流就是程序，只是画成了图。
#
# ## 2. 四个核心模块，看看线里流的是什么
#
# **模型加载器**（Load Checkpoint）给出三样东西：`MODEL`（UNet）、`CLIP`（文本编码器，名字沿用了老模型的叫法，Kolors 里其实是 ChatGLM3）和 `VAE`。
# 下面列出每个节点收到什么、给出什么、用了几秒：
# %% [markdown] lang="en"
# **Keep:** a workflow is a program, drawn as a graph.
#
# ## 2. The four core modules, and what flows along the wires
#
# The **model loader** (Load Checkpoint) gives three things: `MODEL` (the UNet), `CLIP` (the text encoder; the name comes from older models, in Kolors it is ChatGLM3) and `VAE`.
# What each node got, what it gave, and how long it took:
# %%
for node in results.values():
    if node.pictures == ():
        print(node.describe())
# %% [markdown] lang="zh"
# **提示词编码**（CLIP Text Encode）把一句话变成 256 个词元、每个 128 个数。**采样器**（KSampler）从噪声出发，一步一步得到潜变量；
# **解码器**（VAE Decode）把潜变量变成像素。
#
# 表里的潜变量是 12 × 12：VAE 把边长缩小到八分之一，96 像素就是 12 个位置，完整的 Kolors 画 1024 像素就是 128 个。`EmptyLatentImage` 给出的是空的潜变量，全是 0，只定了大小；采样器才往里加噪声。
# 潜变量有四个通道，各看一眼（放大了八倍，一格就是一个位置），再看解码后的样子：
# %% [markdown] lang="en"
# The **prompt encoder** (CLIP Text Encode) turns a sentence into 256 tokens of 128 numbers each. The **sampler** (KSampler) starts from noise and arrives at a latent, step by step;
# the **decoder** (VAE Decode) turns the latent into pixels.
#
# The latents in the table are 12 x 12: the VAE makes each side eight times smaller, so that 96 pixels are 12 places, and the 1024 pixels of the full Kolors are 128. What `EmptyLatentImage` gives is empty, all zeros, and only sets the size; the sampler adds the noise.
# A latent has four channels; here they are (enlarged eight times, one square for each place), and what they decode to:
# %%
from PIL import Image

channels = results["3"].previews()[0][1]  # the four side by side, with a gap between
width = (channels.width + 4) // 4  # px, of a channel and its gap
tiles = []
for number in range(4):
    left = number * width
    channel = channels.crop((left, 0, left + width - 4, channels.height))
    tiles.append(Picture(channel.resize((96, 96), Image.Resampling.NEAREST), f"LATENT {number + 1}"))
show_sheet([*tiles, Picture(results["8"].previews()[0][1], "IMAGE")], columns=5)
# %% [markdown] lang="zh"
# 采样的过程也能看见：`callback` 每一步都会调用，报告进度；`preview()` 给出模型这时以为的样子。
# %% [markdown] lang="en"
# The sampling can be watched too: `callback` is told each step, and `preview()` gives what the model believes at that moment.
# %%
frames = []

def watch(progress):
    if progress.step in (1, 3, 5, 8, 12, 18, 25):
        frames.append(Picture(progress.preview(), f"step {progress.step}"))

run(core, callback=watch)
show_sheet(frames, columns=7)
# %% [markdown] lang="zh"
# **记住：** 四个核心模块就是第 1 课的三个部分，加上采样的循环。
#
# ## 3. 夏令营的两个工作流
#
# 夏令营用 git-lfs 一步步下载工作流、节点和模型（git-lfs 是让 git 能取大文件的插件）。这里不用：工作流在 `data/workflows`，节点在课程里，模型由 `load` 一句取来，大文件不走 git，还核对校验和。
#
# 文件 `kolors_example.json` 用的不只是 ComfyUI 自带的节点，也有专用节点，是一组为 Kolors 写的：加载 UNet 和加载 ChatGLM3 是分开的，编码和采样也换成了自己的。
# （原来那组节点在现在的 transformers 上会报错；课程重写了同名的节点，文件不用改。）
# %% [markdown] lang="en"
# **Keep:** the four core modules are the three parts of lesson 1 and the loop of the sampling.
#
# ## 3. The camp's two workflows
#
# The camp fetched workflows, nodes and models step by step with git-lfs (the extension by which git gets large files). Not here: the workflows lie in `data/workflows`, the nodes come with the course, and the model is one call of `load`; large files do not go through git, and their checksums are compared.
#
# The file `kolors_example.json` uses not only ComfyUI's own nodes but also a set made for Kolors: the UNet and ChatGLM3 are loaded apart, and encoding and sampling have nodes of their own.
# (The original nodes fail on today's transformers; the course has written nodes of the same names, so the file need not change.)
# %%
camp = read(WORKFLOWS / "kolors_example.json")
draw(camp)
# %% [markdown] lang="zh"
# 提示词里有四段，用 `|` 隔开，会一次画四张。原来写的宇航员和金鱼，小可图没有学过，换成它认识的；尺寸和种子也可以改。
# 工作流就是普通的数据，改一个值只要一行：
# %% [markdown] lang="en"
# Its prompt has four parts with `|` between them, so it draws four pictures at once. Tiny Kolors never learnt the astronaut and the goldfish in it, so put in what it knows; size and seed
# can be changed as well. A workflow is plain data, and a change is one line:
# %%
camp.nodes["12"].widgets["prompt"] = say(
    "一只瓢虫，蓝色背景 | 一个苹果，黄色背景 | a panda, green background | 一只{小猫|小狗}，红色背景",
    "a ladybird, blue background | an apple, yellow background | a panda, green background | a {cat|dog}, red background")
camp.nodes["14"].widgets["seed"] = 3
camp_results = run(camp, cache=cache)
for note in (*camp_results["12"].notes, *camp_results["14"].notes):
    print(note)
show_sheet([Picture(image, f"{number + 1}") for number, image in enumerate(camp_results.pictures)], columns=4)
# %% [markdown] lang="zh"
# 工作流里写的是 1024×1024，小可图按比例画 96×96；换成完整的 Kolors 就是 `run(camp, models="kolors")`，别的都不用改。
# 花括号里是几种说法，用哪一种由种子决定。
#
# 第二个工作流多了一个 LoRA 节点。**LoRA** 是一小份训练得来的改动，加在模型旁边，教它一样新东西。它要找夏令营训练脚本存下的文件 `epoch=0-step=500.ckpt`。我们先造一个这样的文件：
# 拿课程自带的「线稿」小 LoRA（第 4 课教你怎么训练它），存成夏令营的格式，放到工作流要找的地方。
# %% [markdown] lang="en"
# The workflow says 1024 x 1024; Tiny Kolors draws 96 x 96 in proportion. For the full Kolors it is `run(camp, models="kolors")` and nothing else. Between braces stand
# alternatives, and the seed decides which is taken.
#
# The second workflow has a LoRA node more. A **LoRA** is a small change that was trained, put beside the model to teach it one more thing. The node looks for the file that the camp's training script left, `epoch=0-step=500.ckpt`. Let us make such a file first: take the small "line art" LoRA that
# comes with the course (lesson 4 teaches how to train it), write it in the camp's format, and put it where the workflow looks.
# %%
from course_lib.lora import convert

with_lora = read(WORKFLOWS / "kolors_with_lora_example.json")
wanted = with_lora.nodes["16"].widgets["lora_path"]
print(wanted)
convert(COURSE / "data" / "lora" / "line_art.safetensors", CAMP / wanted, to="diffsynth")
with_lora.nodes["12"].widgets["prompt"] = say("一只瓢虫，线稿，蓝色背景", "a ladybird, line art, blue background")
draw(with_lora)
# %%
strips = []
for alpha in (0.0, 1.0, 2.0, 4.0):
    with_lora.nodes["16"].widgets["lora_alpha"] = alpha
    strips.append(Picture(run(with_lora, cache=cache).pictures[0], f"lora_alpha {alpha:g}"))
toned = [f"{two_tone(one.image):.2f}" for one in strips]
moved = [f"{distance(one.image, strips[0].image):.3f}" for one in strips]
print("two-tone", toned, "  distance to lora_alpha 0", moved)
show_sheet(strips, columns=4)
# %% [markdown] lang="zh"
# 夏令营的文件里没有存 alpha，所以节点上有一个 `lora_alpha`：实际强度是 alpha 除以秩（LoRA 的一个尺寸，第 4 课讲）。0 就是没有 LoRA；越大，改动越大。
# two-tone 是只有背景色和墨色的像素占多少，线稿接近 1；四个强度各只有一张图，只看方向，不当结论。
#
# **记住：** 文件不用改，换节点里的值就够了。
#
# ## 4. 六个优点，一个一个试
#
# 笔记说 ComfyUI 有六个优点。不听介绍，直接试。
#
# **模块化**：只改一个节点，别的不动。**缓存**让这件事很便宜：没有变的节点不会再跑。改种子、改提示词、改尺寸，各要重跑几个节点？
# %% [markdown] lang="en"
# The camp's file stores no alpha, which is why the node has a `lora_alpha`: the strength that counts is alpha divided by the rank (a size of the LoRA, see lesson 4). 0 is no LoRA at all; the larger, the larger the change.
# two-tone is the share of pixels that are nothing but background and ink, near 1 in line art; with one picture for each strength it shows a direction, not a result.
#
# **Keep:** the file stays as it is, values in its nodes are enough.
#
# ## 4. Six advantages, each one tried
#
# The notes list six advantages of ComfyUI. Rather than read about them, try them.
#
# **Modularity**: change one node and leave the others. The **cache** makes that cheap: nodes that did not change do not run again. How many have to run after a change of the seed, the prompt, the
# size?
# %%
run(core, cache=cache)
changes = {"nothing": ("3", "seed", 0), "seed": ("3", "seed", 7), "cfg": ("3", "cfg", 3.0), "size": ("5", "width", 128),
           "prompt": ("6", "text", say("一个苹果，黄色背景", "an apple, yellow background"))}
for name, (node, widget, value) in changes.items():
    core.nodes[node].widgets[widget] = value
    again = run(core, cache=cache)
    ran = [one.class_type for one in again.values() if not one.cached]
    print(f"{name:<8}{len(ran)} / {len(again)}  {', '.join(ran)}")
# %% [markdown] lang="zh"
# **可视化**：第 2 节的表就是，每根线里的形状、类型和范围都看得见。
#
# **多模型**：名字换掉，工作流不变。`models` 说明工作流里的名字各指哪个模型，可以是小可图、完整的 Kolors，也可以是你自己改过的：
# 下面把 UNet 的每个数都舍入到 bfloat16（一种 16 位的写法，只留八位精度），同一个工作流换上它，看图差多少（0 是一样，1 是黑白相反）。
# %% [markdown] lang="en"
# **Visibility**: that was the table in section 2, with shape, type and range on each wire.
#
# **Many models**: change the name, keep the graph. `models` says which model each name stands for: Tiny Kolors, the full one, or one that you changed yourself. Here the same workflow runs with a
# model whose UNet has every number rounded to bfloat16 (16 bits, of which eight are precision); how different is the picture (0 is the same, 1 is black for white)?
# %%
import copy

import torch

rounded = copy.copy(pipe)
rounded.unet = copy.deepcopy(pipe.unet)
for weight in rounded.unet.parameters():
    weight.data = weight.data.to(torch.bfloat16).to(torch.float32)
core = read(WORKFLOWS / "core_text_to_image.json")
core.nodes["6"].widgets["text"] = prompt
other = run(core, models=rounded).pictures[0]
print(f"{distance(picture, other):.3f}")
# %% [markdown] lang="zh"
# **好调试**：哪里错了，它告诉你是哪个节点、哪个输入、要的是什么。故意弄坏三处：
# %% [markdown] lang="en"
# **Debugging**: where something is wrong, you are told which node, which input, and what was expected. Three things broken on purpose:
# %%
def try_it(node, name, value):
    broken = core.to_api()
    broken[node]["inputs"][name] = value
    try:
        run(broken)
    except LessonError as problem:
        print(problem.what)
        print(problem.why)

try_it("3", "sampler_name", "eular")
try_it("3", "steps", 0)
try_it("8", "samples", ["6", 0])
# %% [markdown] lang="zh"
# **开放**：节点只是一个 Python 类，写明要什么、给什么、怎么算。这是 `VAEDecode` 的全部代码：
# %% [markdown] lang="en"
# **Openness**: a node is just a Python class that says what it takes, what it gives, and how. This is all of `VAEDecode`:
# %%
import inspect

print(inspect.getsource(VAEDecode))
# %% [markdown] lang="zh"
# **容易上手**：图本身就是说明书，甚至存在图片里。ComfyUI（和课程）存下的 PNG 带着整个工作流，把图片拖进 ComfyUI 就能接着改；这里用 `read` 读它：
# %% [markdown] lang="en"
# **Ease**: the graph is its own manual, and it even travels inside the picture. A PNG that ComfyUI (or the course) saved carries the whole workflow: drag it into ComfyUI and go on from there; here `read` reads it:
# %%
saved = run(core, cache=cache)["9"].files[0]
found = read(saved)
print(saved.suffix, len(found.nodes), found.nodes["6"].widgets["text"])
# %% [markdown] lang="zh"
# **记住：** 缓存、检查和自带工作流的图片，都是因为流程写成了数据。
#
# ## 5. 用 Python 搭一个工作流
#
# 服务器真正执行的是 API 格式：每个节点写明类名和输入，连线写成「来自哪个节点的第几个输出」。手写一个，存成 ComfyUI 页面能打开的文件：
# %% [markdown] lang="en"
# **Keep:** the cache, the checks and the pictures that carry their workflow all come from one thing: the process is data.
#
# ## 5. Build a workflow in Python
#
# What the server really runs is the API form: each node has a class and inputs, and a wire is "from which node, which output". Write one by hand, and save it as a file that ComfyUI's page opens:
# %%
import json

mine = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "kolors.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": say("一只熊猫，绿色背景", "a panda, green background"), "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 96, "height": 96, "batch_size": 2}},
    "5": {"class_type": "KSampler", "inputs": {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0], "seed": 5,
                                              "steps": 20, "cfg": 5.0, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1.0}},
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "mine"}},
}
for_comfyui = COURSE / "outputs" / "comfyui" / "mine.json"
for_comfyui.parent.mkdir(parents=True, exist_ok=True)
for_comfyui.write_text(json.dumps(read(mine).to_ui(), ensure_ascii=False), encoding="utf-8")
draw(read(for_comfyui))
# %%
show_sheet([Picture(image, f"{number + 1}") for number, image in enumerate(run(mine).pictures)], columns=2)
# %% [markdown] lang="zh"
# **记住：** API 格式给服务器，页面格式给人看，`read` 两种都认。
#
# ## 6. 真正的 ComfyUI
#
# 同样的文件，现在交给真正的 ComfyUI。`comfyui.find` 找它；没有的话下面会说怎么装：`comfyui.install()` 按固定的版本装进自己的环境，不动课程的包。
# `link` 把课程的节点挂进去，`start` 只在本机（127.0.0.1）打开它，`queue` 把工作流交给它并取回图片。
#
# **在页面里怎么打开工作流？** 把 JSON 文件（例如刚存的 `mine.json`），或者 ComfyUI 存下的 PNG，直接拖到画布上，节点就摆好了；改完值，按运行。
#
# **为什么不用夏令营的公网隧道？** 那个链接谁拿到都能打开，能在你的机器上运行任何节点、读写文件。课程走 Jupyter 自己的代理（`/proxy/PORT/`），要登录才能进；
# 如果平台的网关不让走，就用 `queue` 在笔记本里画，一样能用。
# %% [markdown] lang="en"
# **Keep:** the API form is for the server, the page's form for people, and `read` knows both.
#
# ## 6. The real ComfyUI
#
# Now hand the same files to the real ComfyUI. `comfyui.find` looks for it; where there is none, the cell says how to get it: `comfyui.install()` installs a fixed version into an environment of its
# own and leaves the course's packages alone. `link` hooks the course's nodes into it, `start` opens it on this machine alone (127.0.0.1), `queue` hands it a workflow and brings the picture back.
#
# **How does a workflow get into the page?** Drag the JSON file (such as the `mine.json` just written), or a PNG that ComfyUI saved, onto the canvas, and the nodes lie there; change a value and press run.
#
# **Why not the camp's public tunnel?** Anyone who has that link can open it, run any node on your machine, and read and write files. The course goes through Jupyter's own proxy (`/proxy/PORT/`), which
# asks for a login; and where a platform's gateway does not let that through, `queue` draws from the notebook just the same.
# %% tags=["nbval-ignore-output"]
from course_lib import comfyui

server = None
try:
    place = comfyui.find()
    comfyui.link(place)
    server = comfyui.start(place)
except LessonError as problem:
    print(problem.what)
    print(problem.next_step)
# %% tags=["nbval-ignore-output"]
if server is None:
    print("ComfyUI: -")
else:
    real = comfyui.queue(camp, server=server)
    print([f"{distance(one.image, ours):.3f}" for one, ours in zip(real, camp_results.pictures)])
    comfyui.stop()
# %% [markdown] lang="zh"
# **记住：** 界面只在本机打开；同一个文件，笔记本里和页面里都能跑。
#
# ## 7. 小结
#
# - 节点做一件事，线传一样东西，工作流就是它们连成的程序。
# - 模型加载器、提示词编码、采样器、解码器是四个核心模块。
# - 没有变的节点不重跑；报错会指出节点和输入。
# - 工作流是数据：存成 JSON，藏在 PNG 里，也能用 Python 写。
#
# 接下来先做练习；然后是[第 3 课](03_sampler_parameters.ipynb)：采样器上的七个参数，一个一个地量。
# %% [markdown] lang="en"
# **Keep:** the page opens on this machine alone; one file runs in the notebook and in the page.
#
# ## 7. Recap
#
# - A node does one thing, a wire carries one thing, and a workflow is the program that they make.
# - Model loader, prompt encoder, sampler and decoder are the four core modules.
# - Nodes that did not change do not run again; an error names the node and the input.
# - A workflow is data: saved as JSON, carried inside a PNG, or written in Python.
#
# Exercises come next; then [lesson 3](03_sampler_parameters.ipynb): the seven parameters of the sampler, measured one by one.
# %% [markdown] lang="zh"
# ## 练习
#
# **练习 1**　改工作流里的一个值，让它画一只熊猫，黄色背景。
# %% [markdown] lang="en"
# ## Exercises
#
# **Exercise 1**　Change one value of the workflow so that it draws a panda on a yellow background.
# %%
from course_lib import exercises
from course_lib.messages import say

exercise = read(WORKFLOWS / "core_text_to_image.json")
exercise.nodes["6"].widgets["text"] = say("一只瓢虫，蓝色背景", "a ladybird, blue background")
my_answer = exercises.check_shows(run(exercise).pictures[0], "panda", "yellow")
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
exercise.nodes["6"].widgets["text"] = say("一只熊猫，黄色背景", "a panda, yellow background")
my_answer = exercises.check_shows(run(exercise).pictures[0], "panda", "yellow")
# %% [markdown] lang="zh"
# **练习 2**　只改 KSampler 的 `denoise`，有几个节点要重新运行？先猜，再运行。单元格自己从头跑两遍，所以运行几次结果都一样。
# %% [markdown] lang="en"
# **Exercise 2**　Change nothing but KSampler's `denoise`: how many nodes have to run again? Guess first, then run. The cell runs the workflow twice from scratch, so it says the same however often you run it.
# %%
my_count = 7
my_answer = exercises.check_reruns(core, "3", "denoise", 0.9, my_count)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
my_answer = exercises.check_reruns(core, "3", "denoise", 0.9, 3)
# %% [markdown] lang="zh"
# **练习 3**　这个工作流坏了：解码器的输入接错了线。看错误说的是哪个节点、哪个输入，把它接对。接上了还要真的有画：运行完会查，解码的是不是采样器画的。
# %% [markdown] lang="en"
# **Exercise 3**　This workflow is broken: the decoder's input hangs on the wrong wire. Read which node and which input the error names, and put it right. Running is not enough: the check also looks whether what is decoded is what the sampler drew.
# %%
broken = copy.deepcopy(mine)
broken["6"]["inputs"]["samples"] = ["4", 1]
my_repair = exercises.check_runs(broken)
# %% tags=["solution"] jupyter={"source_hidden": true, "outputs_hidden": true}
# 答案 / answer
broken["6"]["inputs"]["samples"] = ["5", 0]
my_repair = exercises.check_runs(broken)
# %% [markdown] lang="zh"
# **练习 4（没有标准答案）**　你要把一个工作流发给一位没学过这门课的朋友，只让他改一个值。你会留哪一个（比如 `text`、`seed`、`steps`、`cfg`）？为什么？单元格只看你答了没有。
# %% [markdown] lang="en"
# **Exercise 4 (no one right answer)**　You send a workflow to a friend who has not taken this course, and let them change one value only. Which one would you leave to them (`text`, `seed`, `steps`, `cfg`, say), and why? The cell checks only that you answered.
# %%
my_choice = ""
my_reason = ""  # 一句话 / one sentence
my_answer = exercises.check_reason(my_choice, my_reason)
