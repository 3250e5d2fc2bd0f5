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
    "exercise_right": {"zh": "✔ 做对了！", "en": "✔ Right!"},
    "exercise_not_yet": {"zh": "还差一点：{hint}", "en": "Not yet: {hint}"},
    "exercise_shows": {"zh": "裁判在图里看到的是「{subject}」，背景是{ground}。",
                       "en": "the judge sees \"{subject}\" on a {ground} ground."},
    "exercise_same_picture": {"zh": "两张图一模一样，换一个种子再画。", "en": "both pictures are the same; draw with another seed."},
    "exercise_other_thing": {"zh": "裁判看到的不是同一种东西：{first} 和 {second}。",
                             "en": "the judge sees two different things: {first} and {second}."},
    "exercise_part": {"zh": "答案是这几个名字之一：{parts}。", "en": "the answer is one of: {parts}."},
    "exercise_smaller": {"zh": "{part} 有 {count:,} 个参数，还有比它大的。", "en": "{part} has {count:,} parameters; another has more."},
    "host_modelscope": {"zh": "魔搭 ModelScope 笔记本", "en": "ModelScope notebook"},
    "host_colab": {"zh": "Google Colab", "en": "Google Colab"},
    "host_kaggle": {"zh": "Kaggle", "en": "Kaggle"},
    "host_local": {"zh": "自己的电脑", "en": "own computer"},
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
        "zh": ("没有叫「{name}」的模型。", "目前课程只带了一个模型：tiny。", "改成 load(\"tiny\")。"),
        "en": ("There is no model called \"{name}\".", "The course ships one model so far: tiny.",
               "Use load(\"tiny\")."),
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
