"""Everything the course says to a learner, in Chinese and English, and the one error type it says it with.

Standard library only and old syntax, so that even a Python that is too old can be told so in the learner's language.
"""

import os

LANGUAGES = ("zh", "en")

_chosen = None


class LessonError(Exception):
    """Tell a learner what happened, why, and what to do next; notebooks and the command line show no traceback for it."""

    def __init__(self, what, why, next_step):
        super().__init__(what)
        self.what, self.why, self.next_step = what, why, next_step

    def __str__(self):
        label_what, label_why, label_next = text("error_labels").split("|")
        return "{}{}\n{}{}\n{}{}".format(label_what, self.what, label_why, self.why, label_next, self.next_step)

    def _render_traceback_(self):  # the name IPython looks for
        return str(self).splitlines()


def language():
    """Return "zh" or "en": what `set_language` chose, else the environment's COURSE_LANG, else "zh"."""
    wanted = _chosen or os.environ.get("COURSE_LANG", "zh")
    return wanted if wanted in LANGUAGES else "zh"


def set_language(name):
    """Choose the language of everything that is said from now on, "zh" or "en"; ValueError for another."""
    global _chosen
    if name not in LANGUAGES:
        raise ValueError("language {!r}: one of {}".format(name, ", ".join(LANGUAGES)))
    _chosen = name


def text(key, **values):
    """Return one text in the learner's language with its {values} filled in; KeyError for an unknown key."""
    return TEXTS[key][language()].format(**values)


def error(key, **values):
    """Build the LessonError of a key: its what, why and next step, with their {values} filled in."""
    return LessonError(*(part.format(**values) for part in ERRORS[key][language()]))


TEXTS = {
    "error_labels": {"zh": "出了什么事：|为什么：|下一步：", "en": "What happened: |Why: |Next step: "},
    "list_comma": {"zh": "、", "en": ", "},
    "yes": {"zh": "能", "en": "yes"},
    "no": {"zh": "不能", "en": "no"},
    "none": {"zh": "没有", "en": "none"},
    "picture_caption": {"zh": "「{prompt}」 {width}×{height} 像素  seed {seed}  steps {steps}  cfg {cfg:g}",
                        "en": "\"{prompt}\"  {width} x {height} px  seed {seed}  steps {steps}  cfg {cfg:g}"},
    "words_unknown": {"zh": "提示：小模型没有学过这些词，画的时候只能忽略：{words}",
                      "en": "Note: the tiny model never learnt these words and cannot draw them: {words}"},
    "sampler_caption": {"zh": "「{prompt}」 {width}×{height} 像素  seed {seed}  steps {steps}  cfg {cfg:g}  {sampler_name}"
                              " / {scheduler}  denoise {denoise:g}",
                        "en": "\"{prompt}\"  {width} x {height} px  seed {seed}  steps {steps}  cfg {cfg:g}  {sampler_name}"
                              " / {scheduler}  denoise {denoise:g}"},
    "prompt_cut": {"zh": "提示：提示词太长，共 {tokens} 个词元（token），模型只读前 {most} 个。",
                   "en": "Note: the prompt has {tokens} tokens; the model reads only the first {most}."},
    "negative_prompt_cut": {"zh": "提示：负面提示词太长，共 {tokens} 个词元（token），模型只读前 {most} 个。",
                            "en": "Note: the negative prompt has {tokens} tokens; the model reads only the first {most}."},
    "saved": {"zh": "已保存：{path}（{seconds:.2f} 秒）", "en": "Saved: {path} ({seconds:.2f} s)"},
    "doctor_system": {"zh": "系统        {system}，Python {python}，{host}", "en": "System      {system}, Python {python}, {host}"},
    "doctor_cpu": {"zh": "处理器      {cores} 个核心", "en": "Processor   {cores} cores"},
    "doctor_ram": {"zh": "内存        共 {ram:.1f} GiB，空闲 {free:.1f} GiB", "en": "Memory      {ram:.1f} GiB, {free:.1f} GiB free"},
    "doctor_disk": {"zh": "磁盘        空闲 {free:.1f} GiB", "en": "Disk        {free:.1f} GiB free"},
    "doctor_gpu": {"zh": "显卡        {gpu}，显存 {vram:.1f} GiB", "en": "GPU         {gpu}, {vram:.1f} GiB"},
    "doctor_package": {"zh": "  {package:<14}{version}", "en": "  {package:<14}{version}"},
    "doctor_missing": {"zh": "没有安装", "en": "not installed"},
    "doctor_model": {"zh": "小模型      {state}", "en": "Tiny model  {state}"},
    "doctor_model_whole": {"zh": "完好（{count} 个文件，{size:.1f} MB）", "en": "whole ({count} files, {size:.1f} MB)"},
    "doctor_lessons": {"zh": "这台机器能运行的课：", "en": "Lessons that run on this machine:"},
    "doctor_lesson": {"zh": "  {lesson:<12}小模型：{tiny}    完整 Kolors：{full}",
                      "en": "  {lesson:<12}tiny model: {tiny}    full Kolors: {full}"},
    "doctor_next_ok": {"zh": "下一步：make start，然后打开 notebooks/01_setup.ipynb",
                       "en": "Next: make start LANGUAGE=en, then open notebooks/en/01_setup.ipynb"},
    "doctor_next_packages": {"zh": "下一步：安装缺少的包：make start（或 pip install -r requirements.txt）",
                             "en": "Next: install what is missing: make start (or pip install -r requirements.txt)"},
    "doctor_next_ram": {"zh": "下一步：关闭其他程序，至少空出 2 GiB 内存", "en": "Next: close other programs until 2 GiB of memory are free"},
    "doctor_quota": {"zh": "配额        还剩 {left:.1f} GiB（按 {limit:.0f} GB 估计，以平台公布的为准）",
                     "en": "Quota       {left:.1f} GiB left (of an assumed {limit:.0f} GB; the host's own figure counts)"},
    "doctor_gpu_more": {"zh": "            空闲显存 {free:.1f} GiB，计算能力 {capability}，原生 bf16：{bf16}",
                        "en": "            {free:.1f} GiB free, compute capability {capability}, native bf16: {bf16}"},
    "on": {"zh": "开", "en": "on"},
    "off": {"zh": "关", "en": "off"},
    "task_draw": {"zh": "画图", "en": "drawing"},
    "task_lora": {"zh": "训练 LoRA", "en": "LoRA training"},
    "placement_resident": {"zh": "各部件一直留着不动", "en": "all parts stay where they are"},
    "placement_turns": {"zh": "文本编码器先读完提示词，让出显存，再轮到 UNet", "en": "the text encoder reads first and leaves, then the UNet comes"},
    "encoder_whole": {"zh": "文本编码器 {bits} 位，整个载入", "en": "text encoder in {bits} bits, whole"},
    "encoder_stream": {"zh": "文本编码器 {bits} 位，逐层送上显卡", "en": "text encoder in {bits} bits, layer by layer from RAM"},
    "encoder_quantised": {"zh": "文本编码器压缩成 {bits} 位", "en": "text encoder in {bits} bits"},
    "encoder_cached": {"zh": "不载入文本编码器，只用读过的提示词（{bits} 位）", "en": "no text encoder: only prompts read before ({bits} bits)"},
    "stage_encode": {"zh": "读提示词", "en": "read prompts"},
    "stage_denoise": {"zh": "去噪", "en": "denoise"},
    "stage_decode": {"zh": "解码成图", "en": "decode"},
    "stage_latents": {"zh": "图片变成潜变量", "en": "pictures to latents"},
    "stage_train": {"zh": "训练一步", "en": "one training step"},
    "bytes_text_encoder": {"zh": "文本编码器", "en": "text encoder"},
    "bytes_unet": {"zh": "UNet", "en": "UNet"},
    "bytes_vae": {"zh": "VAE", "en": "VAE"},
    "bytes_lora": {"zh": "LoRA 与优化器", "en": "LoRA and optimizer"},
    "bytes_activations": {"zh": "中间结果", "en": "activations"},
    "bytes_base": {"zh": "矩阵库", "en": "matrix library"},
    "bytes_process": {"zh": "Python 与 torch", "en": "Python and torch"},
    "plan_head": {"zh": "计划：用 {model} {task}，在 {device} 上，{settings}", "en": "Plan: {task} with {model} on {device}, {settings}"},
    "plan_placement": {"zh": "  {placement}；{encoder}；VAE 分块：{tiling}；梯度检查点：{checkpointing}",
                       "en": "  {placement}; {encoder}; VAE tiling: {tiling}; gradient checkpointing: {checkpointing}"},
    "plan_stage": {"zh": "  {stage}：{total:.2f} GiB = {parts}", "en": "  {stage}: {total:.2f} GiB = {parts}"},
    "plan_table_head": {"zh": "常见机器上的计划（空闲显存和内存按常见值估计，以自己机器的 doctor 为准）",
                        "en": "Plans for usual machines (with usual free memory; `doctor` tells your machine's own)"},
    "plan_row": {"zh": "{machine} · {task}：{plan}", "en": "{machine} · {task}: {plan}"},
    "plan_summary": {"zh": "{dtype}，{size} 像素，预计最多用显存 {vram:.1f} GiB、内存 {ram:.1f} GiB。",
                     "en": "{dtype}, {size} px; {vram:.1f} GiB of VRAM and {ram:.1f} GiB of RAM expected at most."},
    "plan_next_modelscope": {"zh": "在魔搭的「我的 Notebook」里改选 GPU 环境（24 GB 显存）再启动；在这之前用 load(\"tiny\")。",
                             "en": "Choose the GPU environment (24 GB) under \"My Notebook\" on ModelScope and start again; until then use load(\"tiny\")."},
    "plan_next_colab": {"zh": "菜单「代码执行程序」→「更改运行时类型」→ T4 GPU；已经是 T4 的话重启运行时，让出显存。",
                        "en": "Menu Runtime, Change runtime type, T4 GPU; if it is a T4 already, restart the runtime to free its memory."},
    "plan_next_kaggle": {"zh": "在右侧 Settings → Accelerator 里选 GPU T4 ×2；已经选了的话重启会话，让出显存。",
                         "en": "Choose GPU T4 x2 under Settings, Accelerator; if it is chosen already, restart the session to free its memory."},
    "plan_next_local": {"zh": "关闭占用显存和内存的程序再试；或者用 load(\"tiny\")，或到魔搭申请免费的 GPU 笔记本。",
                        "en": "Close the programs that hold the memory and try again; or use load(\"tiny\"), or ModelScope's free GPU notebook."},
    "step_seconds": {"zh": "每步 {seconds:.2f} 秒，还有 {left} 步，约需 {rest:.0f} 秒", "en": "{seconds:.2f} s per step, {left} steps to go: about {rest:.0f} s"},
    "exercise_right": {"zh": "✔ 做对了！", "en": "✔ Right!"},
    "exercise_not_yet": {"zh": "还差一点：{hint}", "en": "Not yet: {hint}"},
    "exercise_shows": {"zh": "裁判在图里看到的是「{subject}」，背景是{ground}。",
                       "en": "the judge sees \"{subject}\" on a {ground} ground."},
    "exercise_same_picture": {"zh": "两张图一模一样，换一个种子再画。", "en": "both pictures are the same; draw with another seed."},
    "exercise_other_thing": {"zh": "裁判看到的不是同一种东西：{first} 和 {second}。",
                             "en": "the judge sees two different things: {first} and {second}."},
    "exercise_too_small": {"zh": "{answer} 太小了。", "en": "{answer} is too small."},
    "exercise_too_large": {"zh": "{answer} 太大了。", "en": "{answer} is too large."},
    "exercise_part": {"zh": "答案是这几个名字之一：{parts}。", "en": "the answer is one of: {parts}."},
    "exercise_smaller": {"zh": "{part} 有 {count:,} 个参数，还有比它大的。", "en": "{part} has {count:,} parameters; another has more."},
    "control_prompt": {"zh": "提示词", "en": "prompt"},
    "control_negative_prompt": {"zh": "反向提示词（不想要的）", "en": "negative prompt"},
    "control_seed": {"zh": "seed 种子", "en": "seed"},
    "control_steps": {"zh": "steps 步数", "en": "steps"},
    "control_cfg": {"zh": "cfg 引导强度", "en": "cfg"},
    "control_denoise": {"zh": "denoise 重绘幅度", "en": "denoise"},
    "control_lora_strength": {"zh": "LoRA 强度", "en": "LoRA strength"},
    "control_sampler_name": {"zh": "sampler_name 采样器", "en": "sampler_name"},
    "control_scheduler": {"zh": "scheduler 调度器", "en": "scheduler"},
    "control_control_after_generate": {"zh": "control_after_generate", "en": "control_after_generate"},
    "explorer_preview": {"zh": "预览：第 {step} 步，共 {steps} 步", "en": "Preview: step {step} of {steps}"},
    "explorer_seeds": {"zh": "这张图的种子 {used}　→　下一张的种子 {next}", "en": "seed used {used}  →  seed next {next}"},
    "explorer_saved": {"zh": "已保存：{path}（设置也写在图里）", "en": "Saved: {path} (with its settings inside)"},
    "problem": {"zh": "没有画成。{kind}：{words}", "en": "Not drawn. {kind}: {words}"},
    "draw_next": {"zh": "画下一张", "en": "Draw next"},
    "save_png": {"zh": "保存 PNG", "en": "Save PNG"},
    "panel_compare": {"zh": "对比", "en": "Compare"},
    "panel_strip": {"zh": "胶片条", "en": "Film strip"},
    "panel_grid": {"zh": "X/Y 表", "en": "X/Y grid"},
    "panel_steps": {"zh": "逐步", "en": "Steps"},
    "panel_history": {"zh": "历史", "en": "History"},
    "panel_code": {"zh": "代码", "en": "Code"},
    "pin": {"zh": "把这张钉为 A", "en": "Pin as A"},
    "restore_a": {"zh": "恢复 A 的设置", "en": "Restore A's settings"},
    "compare_empty": {"zh": "先把一张图钉为 A，再改一个参数，新图就是 B。", "en": "Pin a picture as A, then change one parameter: the new picture is B."},
    "compare_a": {"zh": "A：{caption}", "en": "A: {caption}"},
    "compare_b": {"zh": "B：{caption}", "en": "B: {caption}"},
    "compare_map": {"zh": "差别：平均 {distance:.3f}（0 到 1）。黑处相同，越亮差别越大。",
                    "en": "Difference: {distance:.3f} on average (0 to 1). Black is equal; the brighter, the more different."},
    "guard_same": {"zh": "A 和 B 的设置完全一样。", "en": "A and B have the same settings."},
    "guard_one": {"zh": "只变了 {name}：{before} → {after}。看到的差别就是它造成的。",
                  "en": "Only {name} changed: {before} → {after}. It alone makes the difference you see."},
    "guard_source": {"zh": "只变了起始图。看到的差别就是它造成的。", "en": "Only the source picture changed. It alone makes the difference you see."},
    "guard_many": {"zh": "同时变了 {count} 样：{names}。这样比不出是谁造成的差别；请只改一样。",
                   "en": "{count} things changed: {names}. Nobody can tell which one made the difference; change one alone."},
    "axis_values": {"zh": "取值", "en": "values"},
    "strip_parameter": {"zh": "参数", "en": "parameter"},
    "strip_measure": {"zh": "测量", "en": "measure"},
    "strip_seeds": {"zh": "每个值画几个种子", "en": "seeds per value"},
    "grid_x": {"zh": "X 轴（列）", "en": "X (columns)"},
    "grid_y": {"zh": "Y 轴（行）", "en": "Y (rows)"},
    "measure_adherence": {"zh": "画对的把握", "en": "adherence to the prompt"},
    "measure_distance": {"zh": "与第一张的差别", "en": "distance from the first"},
    "measure_saturation": {"zh": "饱和度", "en": "saturation"},
    "measure_clipped": {"zh": "过曝和死黑的比例", "en": "share of clipped values"},
    "cost": {"zh": "要画 {pictures} 张图，调用模型 {calls} 次", "en": "{pictures} pictures, {calls} model calls"},
    "cost_seconds": {"zh": "要画 {pictures} 张图，调用模型 {calls} 次，最多约 {seconds:.0f} 秒",
                     "en": "{pictures} pictures, {calls} model calls, about {seconds:.0f} s at most"},
    "sweep_draw": {"zh": "开始画", "en": "Draw"},
    "sweep_stop": {"zh": "停止", "en": "Stop"},
    "sweep_drawing": {"zh": "正在画……动一下滑块也会停止。", "en": "Drawing ... moving a slider stops it too."},
    "sweep_stopped": {"zh": "已停止，没有画完。", "en": "Stopped before the end."},
    "strip_caption": {"zh": "{parameter} 各取值的{measure}（{seeds} 号种子的平均）：{numbers}。\n"
                            "换 {parameter} 带来的变化 {change:.2f}，只换种子带来的变化 {spread:.2f}。",
                      "en": "{parameter}, {measure} (mean over seeds {seeds}): {numbers}.\n"
                            "Change over {parameter}: {change:.2f}. Change over the seeds alone: {spread:.2f}."},
    "grid_caption": {"zh": "「{prompt}」 列 {x}：{x_values}；行 {y}：{y_values}",
                     "en": "\"{prompt}\"  columns {x}: {x_values}; rows {y}: {y_values}"},
    "steps_scrub": {"zh": "步", "en": "step"},
    "steps_empty": {"zh": "画完一张图后，这里可以一步一步地看它是怎么出现的。", "en": "Once a picture is drawn, look here at how it came to be, step by step."},
    "steps_frame": {"zh": "第 {step} 步，共 {steps} 步，噪声强度 sigma 为 {sigma:.2f}。左边是模型在这一步猜的最终画面。",
                    "en": "Step {step} of {steps}, noise level sigma {sigma:.2f}. Left, the final picture as the model guesses it here."},
    "history_empty": {"zh": "还没有画过图。", "en": "No pictures yet."},
    "history_first": {"zh": "第一张", "en": "the first"},
    "history_restore": {"zh": "恢复 {number}", "en": "Restore {number}"},
    "predict_on": {"zh": "先猜后看", "en": "Predict first"},
    "predict_question": {"zh": "新图已经画好，先猜一猜：和上面这张比，它会有什么变化？", "en": "The new picture is ready. Guess first: compared with the one above, what will change?"},
    "predict_reveal": {"zh": "揭晓", "en": "Reveal"},
    "predict_right": {"zh": "✔ 猜对了：{effect}（平均差 {distance:.3f}）。", "en": "✔ Right: {effect} (mean difference {distance:.3f})."},
    "predict_wrong": {"zh": "你猜「{guess}」，实际是「{effect}」（平均差 {distance:.3f}）。想一想为什么。",
                      "en": "You guessed \"{guess}\"; it is \"{effect}\" (mean difference {distance:.3f}). Why might that be?"},
    "effect_same": {"zh": "完全一样", "en": "exactly the same"},
    "effect_details": {"zh": "细节变了", "en": "details"},
    "effect_composition": {"zh": "构图变了", "en": "composition"},
    "effect_content": {"zh": "画的东西变了", "en": "what it shows"},
    "host_modelscope": {"zh": "魔搭 ModelScope 笔记本", "en": "ModelScope notebook"},
    "host_colab": {"zh": "Google Colab", "en": "Google Colab"},
    "host_kaggle": {"zh": "Kaggle", "en": "Kaggle"},
    "host_local": {"zh": "自己的电脑", "en": "own computer"},
    "kolors_licence": {
        "zh": "Kolors（可图）权重的许可：代码是 Apache-2.0，权重另有《Kolors 模型许可协议》（仓库里的 MODEL_LICENSE）。\n"
              "学术研究可以使用；商用要先按问卷发邮件到 kwai-kolors@kuaishou.com 登记，月活超过 3 亿还要另外申请。\n"
              "发布由它训练出的 LoRA 时：写明来源，附上协议，注明改动，并把使用限制一并转达。\n"
              "模型和它画的图都不能拿去改进别的模型。以协议原文为准，这里只是提要。",
        "en": "The licence of Kolors' weights: the code is Apache-2.0, the weights have an agreement of their own (MODEL_LICENSE in the repository).\n"
              "Academic use is open; for commercial use register first by the questionnaire, mailed to kwai-kolors@kuaishou.com; above 300 million monthly users, ask.\n"
              "Who publishes a LoRA trained from it names the source, passes on the agreement and its limits of use, and marks what was changed.\n"
              "Neither the model nor its pictures may be used to improve another model. This is a summary; the agreement decides."},
    "download_plan": {"zh": "下载 {name}：{count} 个文件，共 {size}，已有 {here}。存放在 {folder}",
                      "en": "Downloading {name}: {count} files, {size} in all, {here} already here. They go to {folder}"},
    "download_file_done": {"zh": "  ✔ {file}  {size}", "en": "  ✔ {file}  {size}"},
    "download_progress": {"zh": "共 {here} / {size}  {percent}%  {speed}/秒  约 {minutes} 分钟  {file} {part}%",
                          "en": "{here} of {size}  {percent}%  {speed}/s  {minutes} min left  {file} {part}%"},
    "download_checking": {"zh": "正在逐个核对文件的校验和……", "en": "Comparing each file with its checksum ..."},
    "download_damaged": {"zh": "{folder} 里的副本不完整（{file}），现在补上。", "en": "The copy in {folder} is not whole ({file}); mending it now."},
    "download_unverified": {"zh": "注意：仓库没有给出这些文件的校验和，只能核对大小：{files}",
                            "en": "Note: the repository gives no checksum for these files, so only their size was checked: {files}"},
    "download_changed": {"zh": "注意：{name} 在你上次下载之后改过这些文件：{files}",
                         "en": "Note: {name} has changed these files since you last downloaded it: {files}"},
    "camp_ready": {"zh": "夏令营的文件已放好：{folder}\n{files}", "en": "The camp's files are in place: {folder}\n{files}"},
    "publish_plan": {"zh": "发布到 {address}（公开，所有人可见）：{files}", "en": "Publishing to {address} (public, everyone can see it): {files}"},
    "publish_done": {"zh": "已发布并核对：{address}", "en": "Published and checked: {address}"},
    "publish_no_agreement": {
        "zh": "注意：没有找到 Kolors 的许可协议 MODEL_LICENSE。协议要求随 LoRA 附上一份：把它放进 {folder} 再发布一次。",
        "en": "Note: Kolors' agreement, MODEL_LICENSE, was not found. It asks to be passed on with a LoRA: put a copy into {folder} and publish again."},
    "lora_card": {
        "zh": "# {title}\n\n"
              "这是一个 LoRA：只含训练出的小矩阵，不含基础模型的权重。\n\n"
              "| | |\n|---|---|\n"
              "| 基础模型 | {base} |\n| rank | {rank} |\n| alpha | {alpha} |\n| 触发词 | {trigger} |\n\n"
              "## 许可\n\n{origin}\n\n{licence}\n",
        "en": "# {title} (English)\n\n"
              "This is a LoRA: it holds the small trained matrices, not the base model's weights.\n\n"
              "| | |\n|---|---|\n"
              "| base model | {base} |\n| rank | {rank} |\n| alpha | {alpha} |\n| trigger word | {trigger} |\n\n"
              "## Licence\n\n{origin}\n\n{licence}\n"},
    "lora_origin_kolors": {
        "zh": "它由 Kolors（快手可图，<https://modelscope.cn/models/Kwai-Kolors/Kolors>）的权重训练而来，改动只有这些 LoRA 矩阵；使用它要遵守 Kolors 的许可协议。",
        "en": "It was trained from the weights of Kolors (Kuaishou, <https://modelscope.cn/models/Kwai-Kolors/Kolors>); these LoRA matrices are the only change. Whoever uses it is bound by Kolors' agreement."},
    "lora_origin_tiny": {
        "zh": "它由课程自带的 Tiny Kolors（Apache-2.0）训练而来，没有用到 Kolors（<https://modelscope.cn/models/Kwai-Kolors/Kolors>）的权重。使用 Kolors 的权重要遵守它的协议：",
        "en": "It was trained from the course's Tiny Kolors (Apache-2.0), not from the weights of Kolors (<https://modelscope.cn/models/Kwai-Kolors/Kolors>). Whoever uses those is bound by their agreement:"},
    "start_help": {"zh": "安装课程并打开第一课。", "en": "Install the course and open its first lesson."},
    "start_help_language": {"zh": "课程的语言：zh 或 en", "en": "language of the course: zh or en"},
    "start_help_headless": {"zh": "不打开浏览器，只显示网址", "en": "open no browser, only print the address"},
    "start_help_install_only": {"zh": "只安装，不打开", "en": "install and open nothing"},
    "start_help_kernel": {"zh": "安装，并登记为已有 Jupyter（例如魔搭笔记本）的内核",
                          "en": "install, and offer it as a kernel to a Jupyter that already runs (a hosted notebook)"},
    "start_plan": {"zh": "第一次安装：约需 2 到 15 分钟（看网速），装好后约占 1600 MB，安装时需要 {needed} MB 空闲磁盘。\n"
                         "没有 torch 的 Linux 会下载带 GPU 支持的 torch，再多几 GB。",
                   "en": "First installation: 2 to 15 minutes, depending on the network; it takes 1600 MB in the end, {needed} MB on the way.\n"
                         "A Linux without torch downloads the one with GPU support: several GB more."},
    "start_keeps_torch": {"zh": "已有 torch {version}，直接使用它。第一次安装约需 2 到 10 分钟。",
                          "en": "Keeping the torch {version} that is here. The first installation takes 2 to 10 minutes."},
    "start_installing": {"zh": "正在安装到 {folder} ……", "en": "Installing into {folder} ..."},
    "start_installed": {"zh": "安装完成。", "en": "Installed."},
    "start_unchanged": {"zh": "已经安装好了，没有变化。", "en": "Already installed, nothing has changed."},
    "start_lab": {"zh": "正在打开 JupyterLab，按 Ctrl+C 结束。浏览器没有打开的话，把这个网址粘贴进去：\n{address}",
                  "en": "Opening JupyterLab; Ctrl+C ends it. If no browser opens, paste this address into one:\n{address}"},
    "start_kernel_name": {"zh": "Kolors 课程", "en": "Kolors course"},
    "start_kernel": {"zh": "已登记内核「{name}」。打开 {lesson}，在右上角选择这个内核。",
                     "en": "The kernel \"{name}\" is there. Open {lesson} and choose it at the top right."},
}

# key -> language -> (what, why, next step)
ERRORS = {
    "python_version": {
        "zh": ("本课程不能在 Python {found} 上运行。", "需要 Python 3.10、3.11 或 3.12。",
               "安装 Python 3.11，然后运行：make start PYTHON=python3.11"),
        "en": ("The course does not run on Python {found}.", "It needs Python 3.10, 3.11 or 3.12.",
               "Install Python 3.11, then run: make start PYTHON=python3.11"),
    },
    "unknown_model": {
        "zh": ("没有叫「{name}」的模型。", "课程自己的名字是：{known}。ModelScope 上的其他模型写成「所有者/名字」，数据集写成「datasets/所有者/名字」。",
               "改成 load(\"tiny\")，或把名字写完整，例如 Kwai-Kolors/Kolors-diffusers。"),
        "en": ("There is no model called \"{name}\".",
               "The course's own names are: {known}. Another model on ModelScope is owner/name, a data set is datasets/owner/name.",
               "Use load(\"tiny\"), or the whole name, such as Kwai-Kolors/Kolors-diffusers."),
    },
    "revision_wrong": {
        "zh": ("「{revision}」不能作版本名。", "版本是仓库的分支、标签或提交号，只含字母、数字、点、横线和斜线。", "去掉 revision，或写成 master。"),
        "en": ("\"{revision}\" cannot be a revision.",
               "A revision is a branch, tag or commit of a repository: letters, digits, dots, dashes and slashes.",
               "Leave revision out, or use master."),
    },
    "repo_unknown": {
        "zh": ("ModelScope 上找不到「{name}」（版本 {revision}）。", "{endpoint} 回答 404：名字或版本写错了，或者仓库已被删除、设为私有。",
               "在网站上搜索它，照抄「所有者/名字」；大小写也要一样。"),
        "en": ("ModelScope has no \"{name}\" (revision {revision}).",
               "{endpoint} answers 404: the name or revision is misspelt, or the repository was deleted or made private.",
               "Search for it on the site and copy owner/name, capitals included."),
    },
    "repo_forbidden": {
        "zh": ("没有权限访问「{name}」。", "{endpoint} 回答 {status}：这个仓库需要登录，或要先在网页上申请。",
               "在网页上登录并打开它；如果它属于你，先设置环境变量 MODELSCOPE_API_TOKEN。"),
        "en": ("You may not open \"{name}\".", "{endpoint} answers {status}: it wants a login, or access has to be asked for on its page.",
               "Log in and open its page; if it is yours, set the environment variable MODELSCOPE_API_TOKEN first."),
    },
    "server_busy": {
        "zh": ("ModelScope 说请求太多，下载停止。", "{endpoint} 一直回答 429。", "等几分钟再运行一次；已下载的会保留，接着下载。"),
        "en": ("ModelScope says that there are too many requests; the download stopped.", "{endpoint} keeps answering 429.",
               "Wait a few minutes and run this again; what is here stays and the rest is fetched."),
    },
    "server_error": {
        "zh": ("ModelScope 的服务器出错，下载停止。", "重试几次后 {endpoint} 仍然回答 {status}。", "过一会儿再运行一次；已下载的会保留，接着下载。"),
        "en": ("ModelScope's server failed and the download stopped.", "{endpoint} still answers {status} after several tries.",
               "Run this again later; what is here stays and the rest is fetched."),
    },
    "server_silent": {
        "zh": ("ModelScope 没有回答，下载停止。", "{endpoint} 连得上，但等了很久没有数据。", "检查网络，过一会儿再运行一次；已下载的会保留，接着下载。"),
        "en": ("ModelScope does not answer; the download stopped.", "{endpoint} can be reached, but no data came for a long time.",
               "Check the network and run this again later; what is here stays and the rest is fetched."),
    },
    "no_network": {
        "zh": ("没有网络，不能下载「{name}」。", "这台机器找不到 {endpoint}：没有联网，或者需要设置代理。",
               "连上网络再运行一次（已下载的会保留）；没有网络时可以先用 load(\"tiny\")。"),
        "en": ("There is no network to download \"{name}\" by.", "This machine cannot find {endpoint}: it is offline, or needs a proxy.",
               "Connect it and run this again (what is here stays); without a network, load(\"tiny\") works."),
    },
    "endpoint_unreachable": {
        "zh": ("连不上 ModelScope，不能下载「{name}」。", "{endpoint} 没有接受连接（{cause}）：服务器停机，被防火墙拦住，或者 MODELSCOPE_ENDPOINT 写错了。",
               "用浏览器打开这个网址试试；如果设置过 MODELSCOPE_ENDPOINT，先去掉它。已下载的会保留。"),
        "en": ("ModelScope cannot be reached to download \"{name}\".",
               "{endpoint} accepts no connection ({cause}): the server is down, a firewall blocks it, or MODELSCOPE_ENDPOINT is wrong.",
               "Try this address in a browser; if MODELSCOPE_ENDPOINT is set, unset it. What is here stays."),
    },
    "answer_strange": {
        "zh": ("下载「{name}」时得到了看不懂的回答。", "{endpoint} 的回答不是 ModelScope 的文件列表（{cause}）；常见的原因是网络要求先在网页上登录。",
               "用浏览器打开任意网页，完成登录后再运行一次。"),
        "en": ("The answer to the request for \"{name}\" makes no sense.",
               "{endpoint} answers with something that is no file list of ModelScope's ({cause}); often a network wants a login page first.",
               "Open any page in a browser, log in there, and run this again."),
    },
    "listing_unsafe": {
        "zh": ("仓库「{name}」的文件列表不安全，没有下载任何文件。", "它列出的 {file} 会写到模型文件夹之外。", "不要使用这个仓库；可以到它的网页上反映。"),
        "en": ("The file list of \"{name}\" is not safe; nothing was downloaded.", "It lists {file}, which would be written outside the model's folder.",
               "Do not use this repository; report it on its page."),
    },
    "pattern_empty": {
        "zh": ("「{name}」里没有符合 {pattern} 的文件。", "这个仓库（版本 {revision}）有：{found}", "改用符合这些文件名的 patterns，或换一个版本。"),
        "en": ("\"{name}\" has no file that fits {pattern}.", "The repository (revision {revision}) holds: {found}",
               "Use patterns that fit these names, or another revision."),
    },
    "disk_small": {
        "zh": ("磁盘放不下「{name}」，没有开始下载。", "还要下载 {needed}，{folder} 所在的磁盘只空闲 {free}。",
               "删除不用的文件，或换一个文件夹：fetch(..., folder=\"大磁盘上的文件夹\")，也可以设置 MODELSCOPE_CACHE。"),
        "en": ("The disk is too small for \"{name}\"; nothing was downloaded.",
               "{needed} are still to come and the disk of {folder} has {free} free.",
               "Delete what you do not need, or choose another folder: fetch(..., folder=\"a folder on a larger disk\"), or MODELSCOPE_CACHE."),
    },
    "disk_full": {
        "zh": ("磁盘满了，下载停止。", "{folder} 所在的磁盘只剩 {free}。", "删除不用的文件再运行一次；已下载的会保留，接着下载。"),
        "en": ("The disk is full; the download stopped.", "The disk of {folder} has {free} left.",
               "Delete what you do not need and run this again; what is here stays and the rest is fetched."),
    },
    "quota_full": {
        "zh": ("账号的磁盘配额用完了，下载停止。", "系统不让再往 {folder} 写文件（Disk quota exceeded）；df 显示的空闲空间不包括配额。",
               "用 du -sh 找出占地方的文件夹（常见的是 ~/.cache），删除后再运行一次；或设置 MODELSCOPE_CACHE 到别的磁盘。已下载的会保留。"),
        "en": ("Your account's disk quota is used up; the download stopped.",
               "The system lets nothing more be written to {folder} (Disk quota exceeded); the free space that df shows knows no quota.",
               "Find what takes the space with du -sh (often ~/.cache), delete it and run this again; or set MODELSCOPE_CACHE to another disk. What is here stays."),
    },
    "folder_closed": {
        "zh": ("不能往 {folder} 写文件。", "系统的回答：{cause}", "换一个可以写的文件夹：fetch(..., folder=\"文件夹\")，或设置 MODELSCOPE_CACHE。"),
        "en": ("Nothing can be written to {folder}.", "The system says: {cause}",
               "Choose a folder that you may write to: fetch(..., folder=\"a folder\"), or set MODELSCOPE_CACHE."),
    },
    "download_cut": {
        "zh": ("「{name}」没有下载完。", "连接一再中断（{file}：{cause}）。", "再运行一次：已下载的会保留，从断开的地方接着下载。"),
        "en": ("\"{name}\" did not come through whole.", "The connection was cut again and again ({file}: {cause}).",
               "Run this again: what is here stays, and the rest is fetched from where it was cut."),
    },
    "download_corrupt": {
        "zh": ("下载的 {file} 是坏的。", "它的大小或校验和（sha256）与「{name}」登记的不一样，重试后仍然如此；课程不会使用它。",
               "过一会儿再运行一次，只会重新下载这个文件；如果总是这样，是仓库或网络中途改动了文件。"),
        "en": ("The downloaded {file} is damaged.",
               "Its size or checksum (sha256) is not the one that \"{name}\" lists, also after more tries; the course does not use it.",
               "Run this again later; only this file is fetched anew. If it stays so, the repository or something on the way alters the file."),
    },
    "file_gone": {
        "zh": ("「{name}」列出了 {file}，却下载不到。", "{endpoint} 对这个文件回答 404，仓库可能正在更新。", "过一会儿再运行一次；其他文件已保留。"),
        "en": ("\"{name}\" lists {file} but does not have it.", "{endpoint} answers 404 for this file; the repository may just be changing.",
               "Run this again later; the other files stay."),
    },
    "token_missing": {
        "zh": ("发布需要 ModelScope 的访问令牌。", "环境变量 MODELSCOPE_API_TOKEN 没有设置。",
               "在 https://modelscope.cn/my/myaccesstoken 复制令牌，在笔记本里运行 import os, getpass; "
               "os.environ[\"MODELSCOPE_API_TOKEN\"] = getpass.getpass()，粘贴进输入框；不要写进代码。"),
        "en": ("Publishing needs your ModelScope access token.", "The environment variable MODELSCOPE_API_TOKEN is not set.",
               "Copy the token from https://modelscope.cn/my/myaccesstoken, run import os, getpass; "
               "os.environ[\"MODELSCOPE_API_TOKEN\"] = getpass.getpass() in the notebook and paste it there; never write it into code."),
    },
    "publish_name": {
        "zh": ("「{repo}」不能作仓库名。", "仓库名是「所有者/名字」，只含字母、数字、点、横线和下划线。", "写成 publish(folder, \"你的用户名/名字\")。"),
        "en": ("\"{repo}\" cannot be the name of a repository.", "It is owner/name: letters, digits, dots, dashes and underscores.",
               "Write publish(folder, \"your-user-name/name\")."),
    },
    "publish_refused": {
        "zh": ("不能发布到「{repo}」。", "{endpoint} 回答 {status}：令牌无效、已过期或没有写权限，或者「{repo}」不属于你。",
               "仓库名写成「你的用户名/名字」，并换一个有写权限的新令牌。"),
        "en": ("\"{repo}\" cannot be published.",
               "{endpoint} answers {status}: the token is invalid, expired or may not write, or \"{repo}\" is not yours.",
               "Name the repository your-user-name/name, and take a new token that may write."),
    },
    "publish_failed": {
        "zh": ("「{repo}」没有发布成功。", "{endpoint}：{cause}", "检查网络，再运行一次；已上传的文件不会重传。"),
        "en": ("\"{repo}\" was not published.", "{endpoint}: {cause}", "Check the network and run this again; files already there are not sent twice."),
    },
    "publish_incomplete": {
        "zh": ("「{repo}」上的 {file} 与本地的不一样。", "上传之后核对，网站登记的大小或校验和不对。", "再发布一次。"),
        "en": ("{file} in \"{repo}\" is not the one on this machine.", "A check after the upload found another size or checksum there.",
               "Publish it again."),
    },
    "lora_missing": {
        "zh": ("{folder} 里没有 LoRA。", "发布只上传 .safetensors 文件，这里一个也没有（.ckpt 是 pickle，打开它会运行里面的代码，不发布）。",
               "先训练，或把 .ckpt 转换成 .safetensors。"),
        "en": ("There is no LoRA in {folder}.",
               "Only .safetensors files are published and there is none (a .ckpt is a pickle: opening one runs the code in it).",
               "Train first, or convert the .ckpt to .safetensors."),
    },
    "lora_several": {
        "zh": ("{folder} 里不止一个 LoRA。", "有这些：{files}。一个仓库放一个 LoRA，卡片才说得清它是什么。", "把要发布的那个单独放进一个文件夹。"),
        "en": ("{folder} holds more than one LoRA.", "There are: {files}. One repository holds one, so that its card can say what it is.",
               "Put the one to publish into a folder of its own."),
    },
    "lora_unreadable": {
        "zh": ("{file} 不是可用的 LoRA 文件。", "{cause}", "重新保存或重新训练后再发布。"),
        "en": ("{file} is no usable LoRA file.", "{cause}", "Save or train it again, then publish."),
    },
    "lora_no_matrices": {
        "zh": ("{file} 不是可用的 LoRA 文件。", "里面没有 LoRA 的矩阵（lora_A、lora_down 一类的名字）。", "确认文件夹里放的是 LoRA，而不是整个模型。"),
        "en": ("{file} is no usable LoRA file.", "It holds no matrices of a LoRA (names such as lora_A or lora_down).",
               "Make sure that the folder holds a LoRA and not a whole model."),
    },
    "lora_no_alpha": {
        "zh": ("不知道 {file} 的 alpha。", "文件里没有记录；猜错的话，别人用它时强度会差几倍。", "写上训练时用的值：publish(..., alpha=4)。"),
        "en": ("The alpha of {file} is unknown.", "The file does not record it; a wrong guess makes the LoRA several times too strong or too weak.",
               "Give the value it was trained with: publish(..., alpha=4)."),
    },
    "file_missing": {
        "zh": ("模型文件夹里缺少文件 {file}。", "{folder} 里没有这个文件，可能没有下载完整，或被删除了。",
               "重新取得课程的文件：git checkout -- data"),
        "en": ("The model folder lacks the file {file}.", "It is not in {folder}: an incomplete download, or it was deleted.",
               "Get the course's files again: git checkout -- data"),
    },
    "file_truncated": {
        "zh": ("模型文件 {file} 不完整。", "{folder} 里的这个文件有 {size} 字节，应该是 {wanted} 字节。",
               "重新取得课程的文件：git checkout -- data"),
        "en": ("The model file {file} is not whole.", "In {folder} it has {size} bytes and should have {wanted}.",
               "Get the course's files again: git checkout -- data"),
    },
    "file_changed": {
        "zh": ("模型文件 {file} 的内容被改动过。", "{folder} 里这个文件的 sha256 与 manifest.json 记录的不一样。",
               "重新取得课程的文件：git checkout -- data"),
        "en": ("The model file {file} was changed.", "Its sha256 in {folder} is not the one that manifest.json records.",
               "Get the course's files again: git checkout -- data"),
    },
    "file_foreign": {
        "zh": ("模型文件夹里有一个不认识的文件 {file}。", "{folder} 的 manifest.json 没有列出它，课程不打开来历不明的文件。",
               "如果是你放的，把它移到别的文件夹；否则删除它。"),
        "en": ("The model folder holds a foreign file, {file}.",
               "manifest.json in {folder} does not list it, and the course opens no file of unknown origin.",
               "If it is yours, move it to another folder; else delete it."),
    },
    "cannot_write": {
        "zh": ("不能把图片写到 {path}。", "系统的回答：{cause}", "换一个可以写的文件夹，例如 --out outputs/picture.png"),
        "en": ("The picture cannot be written to {path}.", "The system says: {cause}",
               "Choose a folder that you may write to, such as --out outputs/picture.png"),
    },
    "prompt_empty": {
        "zh": ("提示词是空的。", "没有文字，模型不知道画什么。", "写一句话，例如：一只瓢虫，蓝色背景"),
        "en": ("The prompt is empty.", "Without words the model cannot know what to draw.",
               "Write a sentence, such as: a ladybird on a blue background"),
    },
    "subject_unknown": {
        "zh": ("小模型画不了「{prompt}」。", "它只学过 {count} 种东西，这句话里一种也没有；硬画只会画错。",
               "换成它学过的东西：{known}。"),
        "en": ("The tiny model cannot draw \"{prompt}\".",
               "It has learnt {count} subjects and this prompt names none of them; it would only draw something wrong.",
               "Use one that it knows: {known}."),
    },
    "prompt_no_text": {
        "zh": ("{name} 不是文字。", "这里要的是一段加引号的文字，得到的是 {kind}。", "写成文字，例如：\"一只瓢虫，蓝色背景\""),
        "en": ("{name} is no text.", "It has to be a text in quotation marks and is of the type {kind}.",
               "Write a text, such as: \"a ladybird on a blue background\""),
    },
    "no_image": {
        "zh": ("这不是一张图片。", "这里要的是 PIL 的图片（Image），得到的是 {kind}。",
               "用 picture.image 取出一张画好的图，或用 PIL 的 Image.open 打开一个文件。"),
        "en": ("This is no picture.", "It has to be PIL's Image and is of the type {kind}.",
               "Take picture.image of one that was drawn, or open a file with PIL's Image.open."),
    },
    "size_wrong": {
        "zh": ("画不了 {width}×{height} 像素的图。", "宽和高都要是 {factor} 的整数倍（VAE 把每 {factor} 个像素压成一格），在 {low} 到 {high} 之间。",
               "换一个这样的尺寸；已有的图可以先用 image.resize((宽, 高)) 缩放。"),
        "en": ("A picture of {width} x {height} px cannot be made.",
               "Both sides must be whole multiples of {factor} (the VAE turns {factor} pixels into one place), {low} to {high}.",
               "Choose such a size; a picture that you have can be scaled first with image.resize((width, height))."),
    },
    "latent_wrong": {
        "zh": ("这个 latent 不能用。", "它是 {found}；这里要的是浮点张量 [1, {channels}, 高, 宽]。",
               "用 encode_picture(pipe, image) 或 empty_latent(pipe) 得到一个。"),
        "en": ("This latent cannot be used.", "It is {found}, and has to be a floating-point tensor [1, {channels}, height, width].",
               "Get one with encode_picture(pipe, image) or empty_latent(pipe)."),
    },
    "latent_not_finite": {
        "zh": ("这个 latent 不能用。", "里面有 {count} 个值不是有限的数（NaN 或无穷大）。", "检查它是怎么算出来的，或用 encode_picture(pipe, image) 重新得到一个。"),
        "en": ("This latent cannot be used.", "{count} of its values are not finite (NaN or infinity).",
               "Look at how it was computed, or get one anew with encode_picture(pipe, image)."),
    },
    "png_unreadable": {
        "zh": ("读不了这个 PNG 文件：{name}。", "系统的回答：{cause}", "确认它是一个 PNG 图片，没有损坏，也不大于 {most} MB。"),
        "en": ("This PNG file cannot be read: {name}.", "The system says: {cause}",
               "Check that it is a PNG picture, whole, and not larger than {most} MB."),
    },
    "png_no_settings": {
        "zh": ("这个 PNG 文件里没有能用的设置：{name}。",
               "设置写在 prompt、workflow（ComfyUI）或 parameters（A1111）文字块里；这个文件的文字块：{found}，从中读不出一个 KSampler 的设置。",
               "换一个由 ComfyUI、A1111 或 Picture.save 存下的原图；聊天软件和网页常常会把文字块删掉。"),
        "en": ("This PNG file holds no settings that can be used: {name}.",
               "They stand in the text chunks prompt, workflow (ComfyUI) or parameters (A1111); this file's text chunks: {found};"
               " no KSampler's settings can be read from them.",
               "Take the original file that ComfyUI, A1111 or Picture.save wrote; chats and web pages often strip the chunks."),
    },
    "setting_wrong": {
        "zh": ("设置 {name} 不能是 {value}。", "{name} 要在 {low} 到 {high} 之间。", "改一个这个范围里的数。"),
        "en": ("The setting {name} cannot be {value}.", "{name} must lie between {low} and {high}.",
               "Choose a number within these bounds."),
    },
    "setting_no_number": {
        "zh": ("设置 {name} 不能是 {value}。", "{name} 要是一个数，在 {low} 到 {high} 之间。", "改一个这个范围里的数，不加引号。"),
        "en": ("The setting {name} cannot be {value}.", "{name} is a number between {low} and {high}.",
               "Choose a number within these bounds, without quotation marks."),
    },
    "setting_no_whole_number": {
        "zh": ("设置 {name} 不能是 {value}。", "{name} 要是一个整数，在 {low} 到 {high} 之间。", "改一个这个范围里的整数，不加引号和小数点。"),
        "en": ("The setting {name} cannot be {value}.", "{name} is a whole number between {low} and {high}.",
               "Choose a whole number within these bounds, without quotation marks and decimal point."),
    },
    "setting_no_choice": {
        "zh": ("设置 {name} 不能是 {value}。", "{name} 只能是这几个名字之一：{choices}。", "从中选一个。"),
        "en": ("The setting {name} cannot be {value}.", "{name} is one of these names: {choices}.", "Choose one of them."),
    },
    "sampler_lacking": {
        "zh": ("课程里没有采样器「{name}」。", "ComfyUI 有它，课程没有实现；最接近的是 {nearest}。", "改成 sampler_name=\"{nearest}\"。"),
        "en": ("The course lacks the sampler \"{name}\".", "ComfyUI has it, the course does not; the nearest one here is {nearest}.",
               "Use sampler_name=\"{nearest}\"."),
    },
    "sampler_name_unknown": {
        "zh": ("设置 {setting} 不能是 {name}。", "没有这个名字；和它最像的是 {nearest}。", "改成 {setting}=\"{nearest}\"。"),
        "en": ("The setting {setting} cannot be {name}.", "There is no such name; the one most like it is {nearest}.",
               "Use {setting}=\"{nearest}\"."),
    },
    "values_wrong": {
        "zh": ("看不懂 {parameter} 的取值「{words}」。", "这里要写几个不同的值，用逗号隔开，数字参数只写数字。", "例如：1, 3, 5"),
        "en": ("\"{words}\" are no values of {parameter}.", "They are different values with commas between them; numbers where it is a number.",
               "Write for example: 1, 3, 5"),
    },
    "plan_no_vram": {
        "zh": ("这台机器的显存不够用 {model} {task}。", "至少要 {needed:.1f} GiB 空闲显存，这里有 {free:.1f} GiB（显卡：{gpu}）。", "{next_step}"),
        "en": ("{model} does not fit this machine's GPU for {task}.",
               "At least {needed:.1f} GiB of free VRAM are needed and {free:.1f} GiB are there (GPU: {gpu}).", "{next_step}"),
    },
    "plan_no_ram": {
        "zh": ("这台机器的内存不够用 {model} {task}。", "至少要 {needed:.1f} GiB 空闲内存，这里有 {free:.1f} GiB。", "{next_step}"),
        "en": ("{model} does not fit this machine's memory for {task}.",
               "At least {needed:.1f} GiB of free RAM are needed and {free:.1f} GiB are there.", "{next_step}"),
    },
    "plan_gpu_old": {
        "zh": ("这块显卡用不了：不能用 {model} {task}。", "已安装的 torch 不支持 {gpu}：它的计算能力太低。", "{next_step}"),
        "en": ("This GPU cannot be used for {task} with {model}.",
               "The installed torch has no code for {gpu}: its compute capability is too low.", "{next_step}"),
    },
    "weights_unsafe": {
        "zh": ("没有打开权重文件夹 {folder}。", "里面的文件不只是权重，打开它会运行别人的代码：{cause}", "删除这个文件夹，换一个可信的来源重新下载。"),
        "en": ("The weights in {folder} were not opened.", "They hold more than weights, and opening them would run someone's code: {cause}",
               "Delete this folder and download it again from a source that you trust."),
    },
    "weights_broken": {
        "zh": ("不能载入 {folder} 里的模型。", "{part} 读不出来：{cause}", "重新下载这个模型；已经完好的文件不会重下。"),
        "en": ("The model in {folder} cannot be loaded.", "{part} cannot be read: {cause}",
               "Download the model again; files that are whole are kept."),
    },
    "bitsandbytes_missing": {
        "zh": ("不能把文本编码器压缩成 {bits} 位。", "没有安装 bitsandbytes 这个包。", "运行：pip install bitsandbytes"),
        "en": ("The text encoder cannot be read in {bits} bits.", "The package bitsandbytes is not installed.", "Run: pip install bitsandbytes"),
    },
    "encoder_gone": {
        "zh": ("有一句提示词还没有读过，现在读不了。", "文本编码器没有载入，缓存里也没有这句提示词。",
               "换成读过的提示词，或重新 load，把要用的提示词一次交给 encode。"),
        "en": ("A prompt has not been read before and cannot be read now.",
               "The text encoder is not loaded, and the cache does not hold this prompt.",
               "Use a prompt that was read before, or load again and give encode all your prompts at once."),
    },
    "embeddings_cannot_write": {
        "zh": ("读过的提示词不能存到 {folder}。", "系统的回答：{cause}", "腾出磁盘空间，或用 encode(..., folder=别的文件夹)。"),
        "en": ("What was read cannot be kept in {folder}.", "The system says: {cause}",
               "Free some disk space, or use encode(..., folder=another folder)."),
    },
    "start_no_venv": {
        "zh": ("无法创建 Python 环境。", "这个 Python {version} 缺少 venv 模块（Debian 和 Ubuntu 把它单独打包）。",
               "运行：sudo apt install python{version}-venv，然后再运行 make start"),
        "en": ("No Python environment can be made.",
               "This Python {version} lacks the venv module (Debian and Ubuntu package it separately).",
               "Run: sudo apt install python{version}-venv, then make start again"),
    },
    "start_venv_failed": {
        "zh": ("无法在 {folder} 创建 Python 环境。", "系统的回答：{reason}",
               "确认可以写这个文件夹；如果里面有损坏的旧环境，删除它再运行 make start"),
        "en": ("No Python environment can be made in {folder}.", "The system says: {reason}",
               "Check that you may write there; delete a broken old environment, then make start again"),
    },
    "start_disk_full": {
        "zh": ("磁盘空间不够，安装停止。", "{folder} 所在的磁盘空闲 {free} MB，安装需要约 {needed} MB；也可能是账号的配额用完了。",
               "删除不用的文件，或把课程放到更大的磁盘上，然后再运行 make start"),
        "en": ("The disk is too full: the installation stopped.",
               "The disk of {folder} has {free} MB free and about {needed} MB are needed; or your account's quota is used up.",
               "Delete what you no longer need or move the course to a larger disk, then make start again"),
    },
    "start_no_network": {
        "zh": ("安装没有完成：下载中断。", "pip 连不上软件包的服务器：{reason}\n详细记录：{log}",
               "检查网络（公司或学校可能要设置代理或 pip 镜像），然后再运行 make start；已下载的不会重来"),
        "en": ("The installation is not complete: a download failed.",
               "pip cannot reach the package index: {reason}\nAll of it: {log}",
               "Check the network (you may need a proxy or a pip mirror), then make start again; finished downloads are kept"),
    },
    "start_pip_failed": {
        "zh": ("安装没有完成。", "pip 的回答：{reason}\n详细记录：{log}",
               "再运行一次 make start；如果还不行，删除 .venv 文件夹后重试，或带上这份记录提问"),
        "en": ("The installation is not complete.", "pip says: {reason}\nAll of it: {log}",
               "Run make start again; if it fails again, delete the folder .venv first, or ask with this log"),
    },
    "start_no_port": {
        "zh": ("JupyterLab 打不开。", "从 {first} 到 {last} 的端口都被别的程序占用了。", "关闭不用的 Jupyter，然后再运行 make start"),
        "en": ("JupyterLab cannot open.", "Other programs use every port from {first} to {last}.",
               "Close the Jupyters that you no longer use, then make start again"),
    },
}
