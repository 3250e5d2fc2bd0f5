"""`make start`."""

TEXTS = {
    "draw_help": {"zh": "用 Tiny Kolors 画一张图", "en": "draw one picture with Tiny Kolors"},
    "draw_help_out": {"zh": "图片存到哪里（.png）", "en": "where the picture goes (.png)"},
    "draw_help_negative": {"zh": "图里不要有什么", "en": "what the picture should not show"},
    "draw_help_lora": {"zh": "用这个 LoRA 文件来画；它的触发词可以写进提示词", "en": "draw with this LoRA file; the prompt may hold its trigger word"},
    "draw_help_strength": {"zh": "LoRA 的强度（默认 1）", "en": "the LoRA's strength (1 unless said)"},
    "doctor_help": {"zh": "这台机器有什么、哪些课能跑、下一步做什么", "en": "what this machine has, which lessons run on it, what to do next"},
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

ERRORS = {
    "course_not_installed": {
        "zh": ("这个 Python 没有课程需要的软件包：{python}。", "课程自己的环境是 {folder} 里的 .venv，那里还没有，或者坏了。",
               "先进入 {folder} 运行 make install（没有 make：python -m course_lib.start --install-only），再运行这条命令。"),
        "en": ("This Python lacks the packages that the course needs: {python}.", "The course's own environment is .venv in {folder}; it is not there, or broken.",
               "Go into {folder} and run make install (without make: python -m course_lib.start --install-only), then this command again."),
    },
    "draw_out": {
        "zh": ("不能存成 {path}。", "图片只存成 PNG，这样一个像素也不会变。", "把文件名的结尾写成 .png。"),
        "en": ("The picture is not saved as {path}.", "Pictures are saved as PNG alone, which changes no pixel.", "Let the name end in .png."),
    },
    "python_version": {
        "zh": ("本课程不能在 Python {found} 上运行。", "需要 Python 3.10、3.11、3.12 或 3.13。",
               "安装 Python 3.11，然后运行：make start PYTHON=python3.11"),
        "en": ("The course does not run on Python {found}.", "It needs Python 3.10, 3.11, 3.12 or 3.13.",
               "Install Python 3.11, then run: make start PYTHON=python3.11"),
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
