"""Workflows, nodes, and the real ComfyUI."""

TEXTS = {
    "graph_no_class": {"zh": "节点 {id} 没有写 class_type，已跳过。", "en": "Node {id} names no class_type and is left out."},
    "graph_no_nodes": {"zh": "有 {count} 项不是节点（没有 type），已跳过。", "en": "{count} entries are no nodes (without a type) and are left out."},
    "graph_same_id": {"zh": "编号 {id} 出现了两次，或者没有编号：后一个节点（{type}）换了新编号。",
                      "en": "The id {id} is there twice, or missing: the later node ({type}) gets a new one."},
    "graph_link_nowhere": {"zh": "节点 {id}（{type}）的输入 {input} 连到了节点 {source} 上不存在的输出，这条连线已去掉。",
                           "en": "Input {input} of node {id} ({type}) is linked to an output that node {source} does not have; that link is left out."},
    "graph_host_values": {"zh": "节点 {id}（{type}）有 {count} 个值，和它里面节点的控件数目对不上：不知道哪个值属于哪个节点。",
                          "en": "Node {id} ({type}) has {count} values, and not as many widgets inside: which belongs where cannot be told."},
    "graph_circle": {"zh": "连线绕成了一个圈：{ids}。", "en": "The links form a circle: {ids}."},
    "graph_caption": {"zh": "工作流：{nodes} 个节点，{links} 条连线", "en": "Workflow: {nodes} nodes, {links} links"},
    "graph_not_drawn": {"zh": "另有 {count} 个节点没有画出来。", "en": "{count} more nodes are not drawn."},
    "graph_inputs": {"zh": "子图的输入", "en": "Inputs"},
    "graph_outputs": {"zh": "子图的输出", "en": "Outputs"},
    "graph_muted": {"zh": "已静音", "en": "muted"},
    "graph_bypassed": {"zh": "已绕过", "en": "bypassed"},
    "graph_more": {"zh": "另外还有 {count} 个问题。", "en": "And {count} more problems."},
    # comfyui: the real one
    "comfy_installed": {"zh": "ComfyUI 已经装好：{folder}", "en": "ComfyUI is installed: {folder}"},
    "comfy_install_plan": {
        "zh": "将安装 ComfyUI {version} 到 {folder}：下载约 {download} MB，需要 {disk} MB 空闲磁盘，用时约 2 到 10 分钟。\n"
              "它有自己的 Python 环境，不会改动课程的软件包，也不会重装 torch。",
        "en": "Installing ComfyUI {version} into {folder}: about {download} MB to download, {disk} MB of free disk, 2 to 10 minutes.\n"
              "It gets a Python environment of its own: the course's packages are not changed, torch is not installed again."},
    "comfy_install_packages": {"zh": "代码到位，正在安装它需要的软件包 ……", "en": "The code is here; installing the packages it needs ..."},
    "comfy_not_kept": {"zh": "注意：{folder} 不在会保留的磁盘上，实例关闭后会消失。把课程放到会保留的文件夹里再安装，就不用每次重装。",
                       "en": "Note: {folder} is not on the disk that is kept and is gone when the instance ends. Move the course to the folder that is kept, and this is needed once."},
    "comfy_torchvision_mended": {
        "zh": "这里的 torch 是 CPU 版，装上的 torchvision 是 GPU 版：已停用它的编译算子，ComfyUI 用到的其余部分不受影响。",
        "en": "This torch is built for the CPU, the torchvision that came for a GPU: its compiled operators are left out, the rest, which ComfyUI uses, works."},
    "comfy_linked": {"zh": "课程的节点已链接到 ComfyUI：{target}。正在运行的 ComfyUI 重启后才能看到它们。",
                     "en": "The course's nodes are linked into ComfyUI: {target}. A ComfyUI that runs sees them after a restart."},
    "comfy_linked_already": {"zh": "课程的节点早已链接，没有变化：{target}", "en": "The course's nodes were linked already, nothing has changed: {target}"},
    "comfy_clash": {
        "zh": "注意：节点包「{pack}」里有同名的节点：{names}。ComfyUI 只保留最后加载的那一个，所以用到的可能不是课程的节点。"
              "要用课程的节点，请把文件夹改名为「{pack}.disabled」，再重启 ComfyUI。",
        "en": "Note: the node pack \"{pack}\" has nodes of the same names: {names}. ComfyUI keeps those it loads last, which need not be the course's. "
              "To use the course's, rename its folder to \"{pack}.disabled\" and restart ComfyUI."},
    "comfy_open": {"zh": "打开 ComfyUI {version}", "en": "Open ComfyUI {version}"},
    "comfy_found": {"zh": "ComfyUI 已在运行，端口 {port}。", "en": "ComfyUI runs already, on port {port}."},
    "comfy_port_taken": {"zh": "端口 {port} 被别的程序占用，改用 {chosen}。", "en": "Another program uses port {port}; using {chosen}."},
    "comfy_starting": {"zh": "正在启动 ComfyUI（{folder}），第一次可能要一两分钟 ……", "en": "Starting ComfyUI ({folder}); the first time can take a minute or two ..."},
    "comfy_running": {"zh": "ComfyUI {version} 已启动，端口 {port}，只有这台机器能访问。", "en": "ComfyUI {version} runs on port {port}; only this machine can reach it."},
    "comfy_none_running": {"zh": "没有课程启动的 ComfyUI 在运行。", "en": "No ComfyUI that the course has started is running."},
    "comfy_stopped": {"zh": "ComfyUI 已停止（端口 {port}）。", "en": "ComfyUI has stopped (port {port})."},
    "comfy_help": {"zh": "安装 ComfyUI，链接课程的节点，启动或停止它",
                   "en": "install ComfyUI, link the course's nodes into it, start or stop it"},
    "comfy_help_path": {"zh": "ComfyUI 的文件夹（默认：COMFYUI_PATH，或 install 安装的地方）",
                        "en": "ComfyUI's folder (else COMFYUI_PATH, else where install puts it)"},
    "comfy_wait": {"zh": "按 Ctrl+C 结束 ComfyUI。", "en": "Ctrl+C ends ComfyUI."},
    "comfy_link_proxy": {
        "zh": "链接经由你的 Jupyter（jupyter-server-proxy），要有登录这个 Jupyter 的权限才能打开。",
        "en": "The link leads through your Jupyter (jupyter-server-proxy): it opens for whoever may use this Jupyter, and for nobody else."},
    "comfy_link_gateway": {
        "zh": "PAI-DSW 网关的地址形式，没有验证过：{href}（接在浏览器地址栏的域名后面）。打不开的话，仍可用 comfyui.queue(...) 在笔记本里运行工作流。",
        "en": "The form of PAI-DSW's gateway, not verified: {href} (after the domain in your browser's address bar). If it does not open, comfyui.queue(...) still runs workflows in the notebook."},
    "comfy_link_none": {
        "zh": "这里的 Jupyter 不转发端口，所以浏览器打不开 ComfyUI 的页面；comfyui.queue(...) 照样能在笔记本里运行工作流。"
              "安装 jupyter-server-proxy 并重启 Jupyter 后会有链接。不要用公网隧道：拿到网址的人都能操作这台机器。",
        "en": "The Jupyter here passes no ports on, so a browser cannot open ComfyUI's page; comfyui.queue(...) runs workflows in the notebook all the same. "
              "With jupyter-server-proxy installed and Jupyter restarted there is a link. Use no public tunnel: whoever has its address can use this machine."},
    "comfy_link_local": {"zh": "浏览器和 ComfyUI 要在同一台机器上。", "en": "For a browser on the machine that runs ComfyUI."},
    "comfy_node": {"zh": "节点 {node}（{kind}）", "en": "node {node} ({kind})"},
    "comfy_node_begins": {"zh": "运行 {node}", "en": "Running {node}"},
    "comfy_waiting": {"zh": "排队中 ……", "en": "Waiting ..."},
    "comfy_list": {"zh": "列表中的一项", "en": "one of a list"},
    "comfy_more_than": {"zh": "超过 {size:.0f} MB", "en": "more than {size:.0f} MB"},
    "comfy_problem": {"zh": "· {node}：{problem}", "en": "- {node}: {problem}"},
    "comfy_problem_required_input_missing": {"zh": "缺少必需的输入 {input}", "en": "the required input {input} is missing"},
    "comfy_problem_value_not_in_list": {"zh": "输入 {input} 的值 {value} 不在可选项里，可选：{choices}", "en": "{input} is {value}, which is none of: {choices}"},
    "comfy_problem_value_bigger_than_max": {"zh": "输入 {input} 的值 {value} 太大，最大 {most}", "en": "{input} is {value}, at most {most} is allowed"},
    "comfy_problem_value_smaller_than_min": {"zh": "输入 {input} 的值 {value} 太小，最小 {least}", "en": "{input} is {value}, at least {least} is allowed"},
    "comfy_problem_invalid_input_type": {"zh": "输入 {input} 的值 {value} 不能变成 {kind}", "en": "{input} is {value}, which cannot be made a value of {kind}"},
    "comfy_problem_return_type_mismatch": {"zh": "输入 {input} 要 {kind}，连过来的是 {received}", "en": "{input} takes {kind}, but {received} is linked to it"},
    "comfy_problem_bad_linked_input": {"zh": "输入 {input} 的连线写错了：{value}，应为 [节点编号, 输出序号]", "en": "the link of {input} is wrong: {value} instead of [node, output slot]"},
    "comfy_problem_custom_validation_failed": {"zh": "输入 {input} 没有通过节点自己的检查：{details}", "en": "{input} does not pass the node's own check: {details}"},
    "comfy_problem_link_to_nothing": {"zh": "它的一条连线来自不存在的节点 {details}", "en": "one of its links comes from node {details}, which does not exist"},
    "comfy_problem_other": {"zh": "{message} {details}", "en": "{message} {details}"},
    "comfy_partly": {"zh": "ComfyUI 略过了工作流里有错的部分，其余照常运行：\n{lines}", "en": "ComfyUI leaves out what is wrong and runs the rest:\n{lines}"},
    "comfy_no_picture": {"zh": "工作流运行完了，但没有产生图片。", "en": "The workflow has run, but made no picture."},
    "comfy_black": {
        "zh": "注意：{node} 的图片全黑。多半是计算中出现了 NaN（例如 VAE 用 fp16 时溢出），ComfyUI 会把 NaN 写成黑色。",
        "en": "Note: the picture of {node} is all black. Most often a calculation gave NaN (a VAE that overflows in fp16, say), which ComfyUI writes as black."},
    "comfy_caption": {"zh": "ComfyUI · {node} · {width}×{height}", "en": "ComfyUI · {node} · {width}×{height}"},
    "node_no_subject": {"zh": "Tiny Kolors 只学过 {count} 样东西，「{prompt}」里一样也没有：画出来的会是随便什么。",
                        "en": "Tiny Kolors learnt {count} subjects, and \"{prompt}\" names none: the picture can be anything."},
    "node_size_shrunk": {"zh": "工作流按 Kolors 的尺寸写的是 {asked}；Kolors 画 {full} 的地方 Tiny Kolors 画 {own}，实际画 {drawn}。",
                         "en": "The workflow asks for {asked}, a size of Kolors; where that draws {full} px, Tiny Kolors draws {own}: {drawn}."},
    "node_precision": {"zh": "节点上写的是 {asked}；这台机器上这个模型用 {used}。", "en": "The node says {asked}; on this machine this model runs in {used}."},
    "node_encoder_file": {"zh": "{file} 不会被读取：课程用自己的文本编码器，精度 {precision}。",
                          "en": "{file} is not read: the course takes its own text encoder, in {precision}."},
    "node_quantised_cpu": {"zh": "{precision} 需要 NVIDIA GPU；这里用的是没有量化的文本编码器。",
                           "en": "{precision} needs an NVIDIA GPU; here the text encoder is not quantised."},
    "node_prompts": {"zh": "提示词展开为：{prompts}", "en": "The prompt stands for: {prompts}"},
    "node_quoted": {"zh": "「{words}」", "en": "\"{words}\""},
    "node_denoise_unused": {"zh": "没有连接 latent，denoise_strength 不起作用。", "en": "Nothing is linked to latent, so denoise_strength does nothing."},
    "node_lora_worn": {"zh": "LoRA {file}：{report}", "en": "LoRA {file}: {report}"},
    "node_model_loading": {"zh": "[kolors-course] 正在加载模型 {name}（用环境变量 {variable} 选择 tiny 或 kolors）",
                           "en": "[kolors-course] loading the model {name} (the environment variable {variable} chooses tiny or kolors)"},
    "node_vae_ours": {"zh": "[kolors-course] models/vae 里没有 {name}，改用课程模型自己的 VAE",
                      "en": "[kolors-course] there is no {name} in models/vae: the VAE of the course's model is used"},
    "node_checkpoint_ours": {"zh": "[kolors-course] models/checkpoints 里没有 {name}，改用课程的模型",
                             "en": "[kolors-course] there is no {name} in models/checkpoints: the course's model is used"},
    "node_clash_before": {"zh": "[kolors-course] 节点 {name} 已由 {pack} 提供，现在由课程的节点替换；如果想用原来的，请移除课程的链接",
                          "en": "[kolors-course] the node {name} of {pack} is now the course's; remove the course's link to have that pack's again"},
    "node_clash_after": {"zh": "[kolors-course] 节点 {name} 被 {pack} 替换了，运行的不是课程的节点；请在 custom_nodes 里停用其中一个",
                         "en": "[kolors-course] the node {name} now comes from {pack} and is not the course's; disable one of the two in custom_nodes"},
    "node_cached": {"zh": "{name}：没有变化，沿用上次的结果", "en": "{name}: unchanged, kept from the run before"},
    "node_took": {"zh": "{name}：{seconds} 秒", "en": "{name}: {seconds} s"},
    "node_kept": {"zh": "沿用", "en": "kept"},
    "node_table": {"zh": "节点|输入|输出|用时", "en": "node|inputs|outputs|time"},
    "node_module": {"zh": "{kind}，{count:,} 个参数", "en": "{kind}, {count:,} weights"},
    "node_left_out": {"zh": "这些节点有错，它们后面的输出没有运行：{nodes}", "en": "These nodes are wrong, and the outputs behind them did not run: {nodes}"},
    "node_stopped": {"zh": "节点 {node} 停下了：{what}", "en": "Node {node} stopped: {what}"},
}

ERRORS = {
    "graph_source": {
        "zh": ("这里读不了工作流。", "read 要的是文件路径、PNG 图片、JSON 文字或字典，得到的是 {kind}。", "例如：read(\"kolors_example.json\")"),
        "en": ("No workflow can be read from this.", "read takes a file's path, a PNG, JSON text or a dict, and got a value of the type {kind}.",
               "For example: read(\"kolors_example.json\")"),
    },
    "graph_no_file": {
        "zh": ("打不开工作流文件 {name}。", "系统的回答：{cause}", "检查文件名和文件夹；课程自带的工作流在 data/workflows 里。"),
        "en": ("The workflow file {name} cannot be opened.", "The system says: {cause}",
               "Check its name and folder; the course's own workflows are in data/workflows."),
    },
    "graph_no_json": {
        "zh": ("{name} 不是工作流文件。", "它不是完整的 JSON：{cause}", "在 ComfyUI 里重新保存（Save 或 Export），或者打开 ComfyUI 生成的 PNG 原图。"),
        "en": ("{name} is no workflow file.", "It is no whole JSON: {cause}",
               "Save it again in ComfyUI (Save or Export), or open the original PNG that ComfyUI made."),
    },
    "graph_no_object": {
        "zh": ("{name} 不是工作流文件。", "工作流是一个 JSON 对象（写在花括号里），这里却是 {kind}。", "在 ComfyUI 里重新保存（Save 或 Export）。"),
        "en": ("{name} is no workflow file.", "A workflow is a JSON object (in braces), and this is of the type {kind}.",
               "Save it again in ComfyUI (Save or Export)."),
    },
    "graph_too_large": {
        "zh": ("{name} 太大，不像是工作流。", "它的大小是 {what}，这里最多读 {most}。", "确认打开的是不是正确的文件；真正的工作流通常不到 1 MB。"),
        "en": ("{name} is too large for a workflow.", "Its size is {what}; at most {most} are read.",
               "Check that it is the right file; real workflows mostly have less than 1 MB."),
    },
    "graph_too_many": {
        "zh": ("这个工作流的节点太多。", "它有 {count} 个以上的节点，这里最多处理 {most} 个。", "把它拆成几个小的工作流。"),
        "en": ("This workflow has too many nodes.", "It has {count} or more; at most {most} are handled.", "Split it into smaller workflows."),
    },
    "graph_neither": {
        "zh": ("{name} 里没有工作流。", "界面格式应有节点列表 nodes，API 格式的每个节点应有 class_type；这里最外层只有：{keys}。",
               "在 ComfyUI 里用 Save 或 Export (API) 重新保存。"),
        "en": ("There is no workflow in {name}.", "The page's form has a list `nodes`, in the API form each node has a class_type; at the top of this one stand: {keys}.",
               "Save it again in ComfyUI with Save or Export (API)."),
    },
    "graph_png_empty": {
        "zh": ("图片 {name} 里没有工作流。", "ComfyUI 把工作流写在 PNG 的文字块（workflow 和 prompt）或 WEBP、JPEG 的 EXIF 里；截图、转换格式或在聊天软件里发送后，它们就丢了。",
               "找到 ComfyUI 保存的原图，或者直接打开工作流的 JSON 文件。"),
        "en": ("The picture {name} holds no workflow.", "ComfyUI writes it to a PNG's text chunks workflow and prompt, or to the EXIF of a WEBP or JPEG; a screenshot, a conversion or a chat program drops them.",
               "Find the original picture that ComfyUI saved, or open the workflow's JSON file."),
    },
    "graph_definitions": {
        "zh": ("节点的定义不能用。", "这里要的是一个字典（类名到定义），得到的是 {kind}。", "给出 ComfyUI 的 /object_info 返回的内容，或 NODE_CLASS_MAPPINGS。"),
        "en": ("These definitions of nodes cannot be used.", "They have to be a dict, class name to definition, and are of the type {kind}.",
               "Give what ComfyUI answers to /object_info, or NODE_CLASS_MAPPINGS."),
    },
    "graph_definition": {
        "zh": ("节点 {name} 的定义读不懂。", "原因：{cause}", "它应有 input、output（或 INPUT_TYPES、RETURN_TYPES），写法同 ComfyUI 的 /object_info。"),
        "en": ("The definition of the node {name} cannot be read.", "The reason: {cause}",
               "It needs input and output (or INPUT_TYPES and RETURN_TYPES), as ComfyUI's /object_info writes them."),
    },
    "graph_unnamed": {
        "zh": ("这个工作流还不能转换成 API 格式。", "有 {count} 个节点的类在这里没有定义，不知道它们的各个值叫什么：{nodes}。",
               "传入定义：to_api(definitions)，definitions 是装有这些节点的 ComfyUI 的 /object_info；或者在那里用 Export (API) 导出。"),
        "en": ("This workflow cannot be turned into the API form yet.", "{count} nodes are of classes without a definition here, so their values have no known names: {nodes}.",
               "Give definitions: to_api(definitions) with /object_info of a ComfyUI that has these nodes; or use Export (API) there."),
    },
    "graph_no_subgraph": {
        "zh": ("工作流里没有子图「{name}」。", "它有这些子图：{names}。", "从上面的名字里选一个；不写名字就画整个工作流。"),
        "en": ("The workflow has no subgraph \"{name}\".", "It has these: {names}.", "Choose one of them; without a name the whole workflow is drawn."),
    },
    "graph_reroute_circle": {
        "zh": ("节点 {id}（{type}）的输入 {input} 没有来源。", "它的连线经过转接点（Reroute）或被绕过的节点，又回到了原处，绕成一个圈。", "在 ComfyUI 里把这个圈断开，重新连线。"),
        "en": ("Input {input} of node {id} ({type}) comes from nowhere.", "Its link runs through reroutes or bypassed nodes back to where it was: a circle.",
               "Break the circle in ComfyUI and link it again."),
    },
    "graph_subgraph_circle": {
        "zh": ("子图「{name}」包含它自己。", "节点 {id} 展开后又是同一个子图，永远展不完。", "在 ComfyUI 里把它从自己里面删掉。"),
        "en": ("The subgraph \"{name}\" holds itself.", "Node {id} unfolds to the same subgraph again, without an end.", "Take it out of itself in ComfyUI."),
    },
    # comfyui: the real one
    "comfy_no_folder": {
        "zh": ("{folder} 不是 ComfyUI 的文件夹。", "里面没有 main.py、custom_nodes 和 comfyui_version.py。", "检查路径（或环境变量 COMFYUI_PATH）；还没有 ComfyUI 的话，运行 comfyui.install()"),
        "en": ("{folder} is no folder of ComfyUI.", "It lacks main.py, custom_nodes or comfyui_version.py.", "Check the path (or the variable COMFYUI_PATH); without a ComfyUI yet, run comfyui.install()"),
    },
    "comfy_not_here": {
        "zh": ("这台机器上没有找到 ComfyUI。", "找过这些地方：\n{places}", "运行 comfyui.install() 安装，或用环境变量 COMFYUI_PATH 指出它在哪里"),
        "en": ("No ComfyUI was found on this machine.", "These places were searched:\n{places}", "Run comfyui.install(), or say in the variable COMFYUI_PATH where it is"),
    },
    "comfy_old": {
        "zh": ("{folder} 里的 ComfyUI 太旧。", "它是 {found}，课程在 {wanted} 上测试过，更旧的没有试过。", "运行 comfyui.install() 另装一份测试过的版本，或更新你的 ComfyUI"),
        "en": ("The ComfyUI in {folder} is too old.", "It is {found}; the course was tested with {wanted}, nothing older was tried.", "Run comfyui.install() for a copy of the tested version, or update yours"),
    },
    "comfy_no_git": {
        "zh": ("没有安装 ComfyUI：找不到 git。", "ComfyUI 的代码用 git 取一个固定的版本。", "安装 git（Debian、Ubuntu：apt install git），然后再运行 comfyui.install()"),
        "en": ("ComfyUI was not installed: there is no git.", "git brings one fixed version of its code.", "Install git (Debian, Ubuntu: apt install git), then run comfyui.install() again"),
    },
    "comfy_folder_taken": {
        "zh": ("不能把 ComfyUI 装到 {folder}。", "这个文件夹里已经有别的东西。", "换一个文件夹：comfyui.install(\"新的路径\")，或先把里面的东西移走"),
        "en": ("ComfyUI cannot be installed into {folder}.", "There is something else in it.", "Name another folder, comfyui.install(\"a new path\"), or move away what is in it"),
    },
    "comfy_disk_full": {
        "zh": ("磁盘空间不够，没有安装 ComfyUI。", "{folder} 所在的磁盘空闲 {free} MB，需要 {needed} MB；也可能是账号的配额用完了。{reason}", "删除不用的文件，或换到更大的磁盘：comfyui.install(\"路径\")"),
        "en": ("The disk is too full: ComfyUI was not installed.", "The disk of {folder} has {free} MB free, {needed} MB are needed; or your account's quota is used up. {reason}", "Delete what you no longer need, or choose a larger disk: comfyui.install(\"path\")"),
    },
    "comfy_no_write": {
        "zh": ("不能写 {folder}。", "系统的回答：{cause}", "换一个可以写的文件夹：comfyui.install(\"路径\")"),
        "en": ("{folder} cannot be written.", "The system says: {cause}", "Choose a folder that you may write: comfyui.install(\"path\")"),
    },
    "comfy_no_network": {
        "zh": ("没有装好 ComfyUI：下载中断。", "连不上 {source}：{reason}", "检查网络和代理后再运行 comfyui.install()。代码的网站连不上时可以换镜像：comfyui.install(source=\"镜像的 git 地址\")；代码按哈希核对，镜像改不了内容"),
        "en": ("ComfyUI is not installed: a download failed.", "{source} cannot be reached: {reason}", "Check network and proxy, then run comfyui.install() again. A mirror can take the place of the code's site, comfyui.install(source=\"git address\"): the code is checked by its hash"),
    },
    "comfy_wrong_commit": {
        "zh": ("{source} 里不是课程测试过的 ComfyUI。", "要的是提交 {wanted}，这里没有：{reason}", "换一个来源（默认的就可以），或把这个文件夹移走再安装"),
        "en": ("{source} is not the ComfyUI that was tested.", "The commit {wanted} is wanted and is not there: {reason}", "Use another source (the default one has it), or move this folder away and install again"),
    },
    "comfy_install_failed": {
        "zh": ("没有装好 ComfyUI。", "最后的消息：{reason}", "再运行一次 comfyui.install()；还不行就删除 {folder} 里的 .venv 文件夹再试"),
        "en": ("ComfyUI is not installed.", "The last words were: {reason}", "Run comfyui.install() again; if it fails again, delete the folder .venv in {folder} first"),
    },
    "comfy_link_taken": {
        "zh": ("不能链接课程的节点。", "{target} 已经存在，而且不是链接。", "把它移走或改名，然后再试"),
        "en": ("The course's nodes cannot be linked.", "{target} exists and is no link.", "Move or rename it, then try again"),
    },
    "comfy_no_link": {
        "zh": ("不能建立链接 {target}。", "系统的回答：{cause}", "确认可以写这个文件夹；Windows 要打开「开发人员模式」才能建立链接。也可以手工把 {nodes} 复制过去"),
        "en": ("The link {target} cannot be made.", "The system says: {cause}", "Check that you may write there; Windows makes links in its developer mode only. Copying {nodes} there by hand works too"),
    },
    "comfy_argument": {
        "zh": ("不能用参数 {argument} 启动 ComfyUI。", "它会让别的机器或网站连进来，或者改掉端口；课程只在本机打开 ComfyUI。", "去掉这个参数；端口用 comfyui.start(port=...)"),
        "en": ("ComfyUI is not started with {argument}.", "It would let other machines or web sites in, or change the port; the course opens ComfyUI to this machine alone.", "Leave it out; for the port there is comfyui.start(port=...)"),
    },
    "comfy_no_port": {
        "zh": ("ComfyUI 没有可用的端口。", "从 {first} 到 {last} 的端口都被占用了。", "关闭不用的程序，或换一个：comfyui.start(port=9000)"),
        "en": ("There is no port for ComfyUI.", "Every port from {first} to {last} is in use.", "Close programs that you no longer use, or choose another: comfyui.start(port=9000)"),
    },
    "comfy_no_start": {
        "zh": ("启动不了 {folder} 里的 ComfyUI。", "{python}：{cause}", "检查这个 Python 和文件夹；或运行 comfyui.install() 另装一份"),
        "en": ("The ComfyUI in {folder} does not start.", "{python}: {cause}", "Check this Python and folder, or run comfyui.install() for a copy of its own"),
    },
    "comfy_open": {
        "zh": ("ComfyUI 对外打开了 {places}，已经把它停掉。", "别的机器也能连到那里。可能是某个参数，也可能是 custom_nodes 里的某个节点包自己开的。", "去掉那个参数；要是节点包开的，把它从 custom_nodes 移走再启动。"),
        "en": ("ComfyUI opened {places} to others; it was stopped.", "Other machines could connect there. An argument may have done it, or a node pack in custom_nodes that opens a server of its own.", "Leave the argument out; if it is a node pack, move it out of custom_nodes and start again."),
    },
    "comfy_died": {
        "zh": ("ComfyUI 一启动就退出了（代码 {code}）。", "它最后说：\n{lines}", "看最后几行。No module named ... 表示缺软件包：运行 comfyui.install() 另装一份完整的。全部记录：{log}"),
        "en": ("ComfyUI ended while it started (code {code}).", "Its last lines:\n{lines}", "Read them. \"No module named ...\" means that a package is missing: comfyui.install() makes a complete copy. All of it: {log}"),
    },
    "comfy_slow": {
        "zh": ("ComfyUI 在 {seconds:.0f} 秒内没有启动完，已经结束它。", "它最后说：\n{lines}", "机器慢的话给它更多时间：comfyui.start(seconds=600)。全部记录：{log}"),
        "en": ("ComfyUI did not answer within {seconds:.0f} seconds and was ended.", "Its last lines:\n{lines}", "A slow machine needs longer: comfyui.start(seconds=600). All of it: {log}"),
    },
    "comfy_not_running": {
        "zh": ("没有 ComfyUI 在运行。", "没有启动过，或者它已经退出。{lines}", "先运行 comfyui.start()"),
        "en": ("No ComfyUI is running.", "None was started, or it has ended. {lines}", "Run comfyui.start() first"),
    },
    "comfy_gone": {
        "zh": ("ComfyUI 不再回答（{address}）。", "连接断了，它可能已经退出（例如内存用完，被系统结束）。{lines}", "重新运行 comfyui.start()，再试一次；图片可以先画小一点"),
        "en": ("ComfyUI no longer answers ({address}).", "The connection is gone; it may have ended (killed for its memory, say). {lines}", "Run comfyui.start() and try again, with a smaller picture perhaps"),
    },
    "comfy_silent": {
        "zh": ("ComfyUI 没有在 {seconds:.0f} 秒内回答（{address}{path}）。", "它可能卡住了，或者机器太忙。", "等一会儿再试；还不行就 comfyui.stop()，再 comfyui.start()"),
        "en": ("ComfyUI did not answer within {seconds:.0f} seconds ({address}{path}).", "It may hang, or the machine is too busy.", "Wait and try again; else comfyui.stop(), then comfyui.start()"),
    },
    "comfy_junk": {
        "zh": ("这个端口上的回答不像 ComfyUI。", "收到的内容：{what}", "可能是别的程序占了这个端口：用 comfyui.start() 启动课程的 ComfyUI"),
        "en": ("What answers on this port does not speak like ComfyUI.", "It said: {what}", "Another program may use the port: start the course's ComfyUI with comfyui.start()"),
    },
    "comfy_status": {
        "zh": ("ComfyUI 没有接受这个工作流（HTTP {status}）。", "它说：{said}", "检查工作流文件是否完整；用 workflow.read(...) 打开可以看到里面有什么"),
        "en": ("ComfyUI did not take this workflow (HTTP {status}).", "It says: {said}", "Check that the workflow's file is whole; workflow.read(...) shows what is in it"),
    },
    "comfy_403": {
        "zh": ("ComfyUI 拒绝了请求（403）。", "网页的地址（Origin）和它收到的主机名（Host）不一致：它这样防止别的网站操作它。", "只用 comfyui.start() 给出的链接打开页面，不要混用 localhost 和 127.0.0.1"),
        "en": ("ComfyUI refused the request (403).", "The page's address (Origin) differs from the host it was asked as (Host): so it keeps other web sites out.", "Open the page by the link of comfyui.start() only, and do not mix localhost and 127.0.0.1"),
    },
    "comfy_missing_class": {
        "zh": ("ComfyUI 里没有 {kind} 这种节点（节点 {node}）。", "它来自一个没有安装、或加载失败的节点包。", "课程的节点：运行 comfyui.link()，再 comfyui.stop()、comfyui.start()。别的节点要先安装它的节点包"),
        "en": ("ComfyUI has no node of the class {kind} (node {node}).", "It belongs to a node pack that is not installed, or failed to load.", "For the course's nodes: comfyui.link(), then comfyui.stop() and comfyui.start(). Others need their node pack"),
    },
    "comfy_no_class": {
        "zh": ("工作流里的 {node} 不是节点。", "它没有 class_type：这不是 API 形式的工作流。", "用 comfyui.queue(文件) 运行，它会认出两种形式并转换"),
        "en": ("{node} in this workflow is no node.", "It has no class_type: this is no workflow in API form.", "Run the file with comfyui.queue(file), which tells both forms apart and converts"),
    },
    "comfy_no_output": {
        "zh": ("工作流没有输出，ComfyUI 不会运行它。", "没有任何节点保存或显示结果。", "加上 SaveImage 或 PreviewImage 节点，并连到要看的图片"),
        "en": ("The workflow has no output, so ComfyUI does not run it.", "No node saves or shows anything.", "Add a SaveImage or PreviewImage node and link it to the picture"),
    },
    "comfy_refused": {
        "zh": ("ComfyUI 没有运行工作流：有 {count} 处错误。", "{lines}", "改好上面的节点，再运行一次"),
        "en": ("ComfyUI did not run the workflow: problems found: {count}.", "{lines}", "Mend these nodes, then run it again"),
    },
    "comfy_cycle": {
        "zh": ("工作流里有一个环，没有起点。", "{nodes}", "断开环上的一条连线"),
        "en": ("The workflow goes round in a circle and has no beginning.", "{nodes}", "Take one link of the circle away"),
    },
    "comfy_failed": {
        "zh": ("{node} 运行时出错。", "{kind}：{said}", "检查这个节点的输入（文件名、尺寸、连线），再运行一次；详细记录在启动 ComfyUI 的文件夹的 course_comfyui.log 里"),
        "en": ("{node} failed while it ran.", "{kind}: {said}", "Check the inputs of this node (file names, sizes, links) and run it again; all of it is in course_comfyui.log in ComfyUI's folder"),
    },
    "comfy_interrupted": {
        "zh": ("运行被中断了。", "中断时正在运行：{node}。", "想要结果的话，再运行一次；已经算完的节点会用缓存"),
        "en": ("The run was interrupted.", "It was at work on {node}.", "Run it again for a result; nodes that were done come from the cache"),
    },
    "comfy_too_long": {
        "zh": ("运行超过了 {seconds:.0f} 秒，已经中断。", "给它的时间不够，或者前面还有别的任务。", "给更多时间：comfyui.queue(..., seconds=7200)，或减少步数、缩小图片"),
        "en": ("The run took more than {seconds:.0f} seconds and was broken off.", "It needs more time, or other runs came first.", "Give it longer, comfyui.queue(..., seconds=7200), or fewer steps and a smaller picture"),
    },
    "comfy_lost": {
        "zh": ("ComfyUI 不知道这次运行了。", "队列和历史里都没有它：有人清空了队列，或 ComfyUI 重启过。", "再运行一次"),
        "en": ("ComfyUI no longer knows of this run.", "It is neither in the queue nor in the history: somebody emptied them, or ComfyUI was restarted.", "Run it again"),
    },
    "comfy_no_view": {
        "zh": ("取不到 {node} 的图片 {name}。", "ComfyUI 的回答（{status}）不是能打开的图片。", "看 ComfyUI 的 output 文件夹里有没有它；再运行一次"),
        "en": ("The picture {name} of {node} does not come.", "ComfyUI's answer ({status}) is no picture that can be opened.", "Look for it in ComfyUI's folder output, or run it again"),
    },
    "node_lora_missing": {
        "zh": ("找不到 LoRA 文件 {path}。", "在这些文件夹里都没有：{folders}", "把文件放进其中一个文件夹，或者在节点的 lora_path 里写它的完整路径。"),
        "en": ("The LoRA file {path} is not there.", "It is in none of these folders: {folders}",
               "Put it into one of them, or write its full path into the node's lora_path."),
    },
    "node_batches": {
        "zh": ("latent 的张数和提示词的张数对不上。", "latent 里有 {latents} 张，提示词要画 {prompts} 张。", "给 1 张 latent（每个提示词都从它开始），或者和提示词一样多。"),
        "en": ("There are not as many latents as prompts.", "The latent holds {latents}, and {prompts} pictures are asked for.",
               "Give one latent, which every prompt then starts from, or one for each."),
    },
    "node_picture_nan": {
        "zh": ("画坏了：图里有 {count} 个数不是数（NaN 或无穷大）。", "计算中有数字超出了范围；在 ComfyUI 里这样的图会是全黑的。常见原因：fp16 的 VAE 溢出、cfg 太大、LoRA 的 alpha 太大。",
               "依次试试：把 cfg 调到 7 以下，去掉 LoRA，换用 float32 的 VAE（sdxl-vae-fp16-fix）。"),
        "en": ("The picture is broken: {count} of its numbers are none (NaN or infinite).",
               "Numbers ran out of their range; ComfyUI would save a black picture. Mostly it is a VAE that overflows in fp16, a very large cfg, or a LoRA's large alpha.",
               "Try in turn: a cfg below 7, no LoRA, a VAE in float32 (sdxl-vae-fp16-fix)."),
    },
    "node_picture_large": {
        "zh": ("图片 {name} 太大。", "它有 {pixels} 百万像素。", "先缩小它；Tiny Kolors 用 {tiny} × {tiny}，Kolors 用 1024 × 1024 左右。"),
        "en": ("The picture {name} is too large.", "It has {pixels} million pixels.",
               "Make it smaller first: {tiny} x {tiny} for Tiny Kolors, about 1024 x 1024 for Kolors."),
    },
    "node_picture_broken": {
        "zh": ("读不了图片 {name}。", "原因：{cause}", "用看图软件打开它，另存为 PNG，再试一次。"),
        "en": ("The picture {name} cannot be read.", "The reason: {cause}", "Open it in a picture viewer, save it as PNG, and try again."),
    },
    "node_save_outside": {
        "zh": ("图片没有保存。", "filename_prefix 写的是 {prefix}，它会把文件写到输出文件夹 {folder} 之外。", "只写文件名，或者输出文件夹里的子文件夹，例如 story/kolors。"),
        "en": ("The picture was not saved.", "The filename_prefix {prefix} leads out of the output folder {folder}.",
               "Write a name alone, or a folder inside it, such as story/kolors."),
    },
    "node_latent_large": {
        "zh": ("空的 latent 太大了。", "{count} 张 {width} × {height} 的图放不进内存。", "把 width、height 或 batch_size 改小。"),
        "en": ("The empty latent is too large.", "{count} pictures of {width} x {height} do not fit into memory.", "Choose a smaller width, height or batch_size."),
    },
    "node_prompts_many": {
        "zh": ("一次要画的图太多。", "提示词和 num_images_per_prompt 合起来是 {count} 张，这里最多 {most} 张。", "减少用 | 分开的提示词，或者把 num_images_per_prompt 改小。"),
        "en": ("Too many pictures at once.", "The prompts and num_images_per_prompt ask for {count}; at most {most} are drawn.",
               "Put fewer prompts between the |, or make num_images_per_prompt smaller."),
    },
    "node_no_class": {
        "zh": ("节点 #{node} 没有写 class_type。", "API 格式的每个节点都要有 class_type（它是哪一类节点）和 inputs。", "补上 class_type；或者在 ComfyUI 里用 Export (API) 重新导出。"),
        "en": ("Node #{node} has no class_type.", "In the API form each node has a class_type, which says what it is, and inputs.",
               "Add it, or export the workflow again in ComfyUI with Export (API)."),
    },
    "node_class_unknown": {
        "zh": ("这里没有节点 #{node} 的类 {kind}。", "笔记本里能运行的有：{known}。", "检查拼写；要用其他节点，请在真正的 ComfyUI 里运行这个工作流：comfyui.start()"),
        "en": ("There is no class {kind} here, which node #{node} is of.", "The notebook runs these: {known}.",
               "Check the spelling; for other nodes run the workflow in the real ComfyUI: comfyui.start()"),
    },
    "node_no_output": {
        "zh": ("这个工作流没有输出节点。", "ComfyUI 只运行输出节点需要的部分；没有 SaveImage 或 PreviewImage，就什么也不用运行。", "加一个 PreviewImage，把图连到它的 images。"),
        "en": ("This workflow has no output node.", "ComfyUI runs only what output nodes need; without a SaveImage or PreviewImage there is nothing to run.",
               "Add a PreviewImage and link a picture to its images."),
    },
    "node_refused": {
        "zh": ("工作流有 {count} 处错误，没有运行。", "{lines}", "按上面写的节点和输入逐个改正，再运行一次。"),
        "en": ("The workflow was not run: {count} things in it are wrong.", "{lines}", "Put right each node and input named above, and run it again."),
    },
    "node_cycle": {
        "zh": ("工作流绕成了一个圈，没有运行。", "数据从这些节点又流回了自己：{nodes}", "断开其中一条连线。"),
        "en": ("The workflow runs in a circle and was not run.", "The data of these nodes leads back to themselves: {nodes}", "Take away one of these links."),
    },
    "node_failed": {
        "zh": ("节点 {node} 运行出错。", "{kind}：{said}", "看看这个节点的输入：在结果里前面的节点各给出了什么形状和范围。"),
        "en": ("Node {node} failed.", "{kind}: {said}", "Look at its inputs: the results of the nodes before it tell their shapes and ranges."),
    },
}
