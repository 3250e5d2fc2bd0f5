"""Training a LoRA: progress, and what stops it."""

TEXTS = {
    "train_set_ready": {
        "zh": "数据集：{pictures} 张图片，{variants} 个变体，验证 {validation} 张，{captions} 条描述。",
        "en": "Data set: {pictures} pictures, {variants} variants, {validation} for validation, {captions} captions."},
    "train_cache_full": {
        "zh": "提示：缓存写不进 {folder}（{cause}）。训练照常进行，只是下次要重新计算。",
        "en": "Note: nothing can be kept in {folder} ({cause}). The training goes on; next time it is computed again."},
    "train_fp16_fallback": {
        "zh": "提示：这个 CPU 不支持 fp16 运算，改用 32 位（precision=\"32\"）。",
        "en": "Note: this CPU does not compute in fp16; computing in 32 bits instead (precision=\"32\")."},
    "train_compile_cpu": {
        "zh": "提示：torch_compile 只用在显卡上，这次不编译。",
        "en": "Note: torch_compile is for GPUs; nothing is compiled this time."},
    "train_quantised": {
        "zh": "底模的矩阵压缩成了 {kind}：训练省显存，画图略有不同。想要原来的底模，重新 load。",
        "en": "The base's matrices are now {kind}: less memory for the training, and slightly other pictures. To have the base as it was, load it again."},
    "train_lora_removed": {
        "zh": "提示：UNet 里原来的 LoRA「{name}」已取下：新的 LoRA 要在底模上学，不能靠着别的 LoRA。",
        "en": "Note: the LoRA \"{name}\" was taken out of the UNet: a new one has to learn on the base, not on another LoRA."},
    "train_resume_none": {
        "zh": "提示：{folder} 里没有可以继续的检查点，从头开始训练。",
        "en": "Note: {folder} holds no checkpoint to go on from; the training starts from the beginning."},
    "train_numbered": {
        "zh": "提示：{folder} 里已经有一次训练的文件，或另一个训练正在用它；为了不覆盖，这次写到 {place}。想接着那次训练，用 resume=True。",
        "en": "Note: {folder} already holds a training's files, or another training is using it; so that nothing is overwritten, this one writes to {place}. To go on with that training, use resume=True."},
    "train_base": {"zh": "底模的权重", "en": "the base model's weights"},
    "train_resumed": {"zh": "从第 {step} 步继续，共 {steps} 步。", "en": "Going on after step {step} of {steps}."},
    "train_sample": {"zh": "「{prompt}」 第 {step} 步  seed {seed}", "en": "\"{prompt}\"  step {step}  seed {seed}"},
    "train_line": {
        "zh": "第 {step}/{steps} 步  损失 {loss:.3f}  学习率 {rate:.2g}  还需 {left:.0f} 秒",
        "en": "step {step}/{steps}  loss {loss:.3f}  learning rate {rate:.2g}  {left:.0f} s to go"},
    "train_validation": {"zh": "验证损失 {loss:.3f}", "en": "validation loss {loss:.3f}"},
    "train_memory": {"zh": "内存 {size:.2f} GiB", "en": "memory {size:.2f} GiB"},
    "train_memory_gpu": {"zh": "显存峰值 {size:.2f} GiB", "en": "GPU memory, peak {size:.2f} GiB"},
    "train_stop": {"zh": "停止并保存", "en": "Stop and save"},
    "train_stop_hint": {
        "zh": "按钮没有反应时，用笔记本的「中断」（■）：效果相同。",
        "en": "Where the button does not answer, the notebook's interrupt (■) does the same."},
    "train_stopping": {"zh": "做完这一步就停，并保存。", "en": "Stopping after this step, and saving."},
    "train_ended_done": {"zh": "训练完成：{steps} 步，用时 {seconds:.0f} 秒。", "en": "Trained: {steps} steps in {seconds:.0f} s."},
    "train_ended_asked": {"zh": "已按要求停在第 {step} 步（共 {steps} 步），用时 {seconds:.0f} 秒；用 resume=True 可以继续。",
                          "en": "Stopped as asked after step {step} of {steps}, {seconds:.0f} s; resume=True goes on."},
    "train_ended_no_gain": {
        "zh": "验证损失不再下降，停在第 {step} 步（共 {steps} 步），用时 {seconds:.0f} 秒；保存的是验证损失最低的权重。",
        "en": "No gain on the pictures held back: stopped after step {step} of {steps}, {seconds:.0f} s; "
              "the weights with the lowest validation loss are saved."},
    "train_counts": {
        "zh": "LoRA：rank {rank}，alpha {alpha:g}，{layers} 层，{count} 个参数，是 UNet 的 {share:.2%}",
        "en": "LoRA: rank {rank}, alpha {alpha:g}, {layers} layers, {count} parameters, {share:.2%} of the UNet's"},
    "train_saved": {"zh": "已保存：{path}", "en": "Saved: {path}"},
    "train_not_saved": {"zh": "没有写文件：LoRA 只在 pipe.unet 里。", "en": "No file was written: the LoRA is in pipe.unet only."},
    "train_help": {"zh": "训练 LoRA（参数与训练营的命令相同）", "en": "train a LoRA (with the flags of the camp's command)"},
    "train_flag_model": {
        "zh": "tiny（自带的小模型）、kolors（下载完整模型），或 diffusers 格式的模型文件夹；不写则用下面三个路径",
        "en": "tiny (shipped), kolors (downloaded), or a model's folder in diffusers' layout; else the three paths below"},
    "train_flag_pretrained_unet_path": {"zh": "UNet 的 safetensors 文件", "en": "the UNet's safetensors file"},
    "train_flag_pretrained_text_encoder_path": {"zh": "文本编码器 ChatGLM3 的文件夹", "en": "the folder of the text encoder, ChatGLM3"},
    "train_flag_pretrained_fp16_vae_path": {"zh": "VAE 的 safetensors 文件", "en": "the VAE's safetensors file"},
    "train_flag_dataset_path": {"zh": "数据集文件夹，里面有 train/metadata.csv", "en": "the data set's folder, which holds train/metadata.csv"},
    "train_flag_output_path": {"zh": "LoRA、检查点和样图写到哪个文件夹（默认 {default}）", "en": "where the LoRA, checkpoints and sample pictures go (default {default})"},
    "train_flag_lora_rank": {"zh": "两个小矩阵的秩（默认 {default}）", "en": "the rank of the two small matrices (default {default})"},
    "train_flag_lora_alpha": {"zh": "强度：实际乘以 alpha/rank（默认 {default}）", "en": "strength: what counts is alpha/rank (default {default})"},
    "train_flag_lora_target_modules": {"zh": "给哪些层加 LoRA，用逗号分开", "en": "the layers that get a LoRA, with commas between"},
    "train_flag_max_epochs": {"zh": "轮数，每轮 steps_per_epoch 批（默认 {default}）", "en": "epochs of steps_per_epoch batches each (default {default})"},
    "train_flag_steps_per_epoch": {"zh": "每轮看几批图（默认 {default}）", "en": "batches in an epoch (default {default})"},
    "train_flag_center_crop": {"zh": "只裁图片中间；不写则在几个位置裁", "en": "cut pictures in their middle; else at several places"},
    "train_flag_random_flip": {"zh": "随机左右翻转图片", "en": "mirror pictures at random"},
    "train_flag_use_gradient_checkpointing": {"zh": "梯度检查点：省显存，约慢三分之一", "en": "gradient checkpointing: less memory, about a third slower"},
    "train_flag_precision": {"zh": "32、16-mixed（或 16）、bf16-mixed（默认：看机器）", "en": "32, 16-mixed (or 16), bf16-mixed (default: what suits the machine)"},
    "train_flag_optimizer": {
        "zh": "优化器：adamw；adamw8bit（状态只占四分之一，要装 bitsandbytes）；prodigy（自己找学习率，learning_rate 写 1，要装 prodigyopt）；schedulefree（不用定终点，要装 schedulefree）（默认 {default}）",
        "en": "adamw; adamw8bit (a quarter of its memory, needs bitsandbytes); prodigy (finds the rate by itself, with learning_rate 1, needs prodigyopt); schedulefree (no end to be planned, needs schedulefree) (default {default})"},
    "train_flag_quantised_base": {
        "zh": "冻结的底模：int8 或 nf4（省显存，稍慢，要装 bitsandbytes），off 不压缩（默认：看计划）",
        "en": "the frozen base in int8 or nf4 (less memory, somewhat slower, needs bitsandbytes), or off (default: as the plan says)"},
    "train_flag_torch_compile": {
        "zh": "显卡上先编译每个注意力块：开头多等一会儿，之后每步更快",
        "en": "on a GPU compile each attention block: a wait at first, then faster steps"},
    "train_flag_batch_size": {"zh": "每批图片数（默认 {default}）", "en": "pictures in a batch (default {default})"},
    "train_flag_learning_rate": {"zh": "学习率（默认 {default}）", "en": "learning rate (default {default})"},
    "train_flag_accumulate_grad_batches": {"zh": "攒几批的梯度再走一步（默认 {default}）", "en": "batches whose gradients make one step (default {default})"},
    "train_flag_height": {"zh": "训练图片的高，像素（默认：模型自己的尺寸）", "en": "height of the training pictures, px (default: the model's own)"},
    "train_flag_width": {"zh": "训练图片的宽，像素（默认：模型自己的尺寸）", "en": "width of the training pictures, px (default: the model's own)"},
    "train_flag_dataloader_num_workers": {"zh": "训练开始前读图片的线程数（默认 {default}）", "en": "threads that read pictures before the training (default {default})"},
    "train_flag_lightning_ckpt": {
        "zh": "另外写一份训练营格式的文件：lightning_logs/version_0/checkpoints/epoch=0-step=500.ckpt（步数随训练而定）",
        "en": "also write the camp's file, lightning_logs/version_0/checkpoints/epoch=0-step=500.ckpt (with the steps taken)"},
    "train_flag_resume": {"zh": "从 output_path 里的检查点继续", "en": "go on from the checkpoint in output_path"},
    "train_flag_precision_fallback": {"zh": "不支持 16-mixed 时改用 32", "en": "compute in 32 where 16-mixed cannot be had"},
    "train_flag_seed": {"zh": "随机种子（默认 {default}）", "en": "the seed of everything that is drawn (default {default})"},
    "train_flag_lr_scheduler": {"zh": "学习率的变化：cosine 或 constant（默认 {default}）", "en": "how the learning rate goes: cosine or constant (default {default})"},
    "train_flag_checkpoint_every": {"zh": "每多少步写一次检查点（默认 {default}）", "en": "steps between two checkpoints (default {default})"},
    "train_flag_validation_every": {"zh": "每多少步算一次验证损失，0 为不算（默认 {default}）", "en": "steps between two validations, 0 for none (default {default})"},
    "train_flag_sample_prompt": {"zh": "训练中反复画的提示词，可以写多次", "en": "a prompt that is drawn during the training; may be given more than once"},
    "train_flag_sample_every": {"zh": "每多少步画一次，0 为只在结束时画（默认 {default}）", "en": "steps between two drawings, 0 for the end only (default {default})"},
    "train_flag_trigger_word": {"zh": "触发词，写进文件里", "en": "the trigger word, written into the file"},
    "train_flag_report_to": {"zh": "除了 log.jsonl，还把曲线交给这个工具（要另外安装）", "en": "a tool that gets the curves beside log.jsonl; it has to be installed"},
    "train_log_failed": {"zh": "提示：训练记录 {file} 写不进去（{cause}），训练照常继续。", "en": "Note: the record {file} cannot be written ({cause}); the training goes on."},
    "train_paths_ignored": {"zh": "提示：用的是 --model {model}，三个 --pretrained_... 路径不起作用。",
                            "en": "Note: --model {model} is used; the three --pretrained_... paths do nothing."},
}

ERRORS = {
    "train_optimizer_missing": {
        "zh": ("不能用优化器 {name}。", "没有安装 {package} 这个包。", "运行：pip install {package}，再重启内核；或者用 optimizer=\"adamw\"。"),
        "en": ("The optimizer {name} cannot be used.", "The package {package} is not installed.",
               "Run: pip install {package}, then restart the kernel; or use optimizer=\"adamw\"."),
    },
    "train_prodigy_rate": {
        "zh": ("prodigy 的学习率不能是 {rate}。", "prodigy 自己找步长，learning_rate 只是乘在上面的倍数，太小就学不动。", "写 learning_rate=1.0。"),
        "en": ("Prodigy cannot use a learning rate of {rate}.", "It finds its steps by itself, and learning_rate only multiplies them: so small, it would learn nothing.",
               "Write learning_rate=1.0."),
    },
    "train_base_other": {
        "zh": ("底模已经是 {found}，不能换成 {wanted}。", "压缩过的权重不能还原。", "重新 load 模型，再训练。"),
        "en": ("The base is {found} already and cannot become {wanted}.", "What was quantised cannot be undone.", "Load the model again, then train."),
    },
    "train_log_broken": {
        "zh": ("训练记录读不了：{file}", "{cause}", "训练的输出文件夹里有 log.jsonl，一步一行；检查路径。"),
        "en": ("The record of a training cannot be read: {file}", "{cause}",
               "A training's output folder holds log.jsonl, a line for each step; check the path.")},
    "train_tracker_missing": {
        "zh": ("没有安装 {name}。", "report_to 要用它画曲线。", "pip install {name}（tensorboard 也可以装 tensorboardX）；或者不写 report_to，曲线照样在 log.jsonl 里。"),
        "en": ("{name} is not installed.", "report_to wants it to draw the curves.",
               "pip install {name} (or tensorboardX); or leave report_to out: the curves are in log.jsonl anyway.")},
    "train_no_folder": {
        "zh": ("找不到数据集文件夹 {folder}。", "训练要从这里读图片和 metadata.csv。",
               "检查路径；数据集文件夹里要有 train/metadata.csv 和图片。"),
        "en": ("There is no folder {folder}.", "The training reads its pictures and metadata.csv there.",
               "Check the path; the data set's folder has to hold train/metadata.csv and the pictures."),
    },
    "train_no_metadata": {
        "zh": ("找不到 {file}。", "训练要从这个表里读每张图片的文件名和描述。",
               "写一个 metadata.csv，第一行是 file_name,text，之后每张图片一行。"),
        "en": ("There is no {file}.", "The training reads the name and the caption of each picture from this table.",
               "Write a metadata.csv: first the line file_name,text, then a line for each picture."),
    },
    "train_metadata_encoding": {
        "zh": ("读不懂 {file}。", "它不是 UTF-8 编码，看起来是 {encoding}（中文 Excel 默认存成 GBK，也就是 GB18030）。", "另存为「CSV UTF-8」，再试一次。"),
        "en": ("{file} cannot be read.", "It is not written in UTF-8 but, it seems, in {encoding} (Excel writes another encoding unless told).",
               "Save it as \"CSV UTF-8\" and try again."),
    },
    "train_metadata_broken": {
        "zh": ("读不懂 {file}。", "它不是正确的 CSV：{cause}", "检查引号和换行，或重新生成这个文件。"),
        "en": ("{file} cannot be read.", "It is no proper CSV: {cause}", "Check quotation marks and line breaks, or write the file anew."),
    },
    "train_metadata_header": {
        "zh": ("{file} 的表头不对。", "第一行是「{found}」，里面要有 file_name 和 text 这两列。",
               "把第一行改成 file_name,text（图片文件名，描述）。"),
        "en": ("The header of {file} is wrong.", "Its first line is \"{found}\" and has to name the columns file_name and text.",
               "Make the first line file_name,text (the picture's file, its caption)."),
    },
    "train_metadata_empty": {
        "zh": ("{file} 里没有图片。", "表头下面一行也没有，没有图片就没有可学的。", "每张图片写一行：文件名,描述"),
        "en": ("{file} names no picture.", "There is no line under its header, and nothing to learn from.",
               "Write a line for each picture: its file name, its caption."),
    },
    "train_name_missing": {
        "zh": ("{file} 里有 {count} 行没有文件名。", "第 {lines} 行的 file_name 是空的。", "补上文件名，或删掉这些行。"),
        "en": ("{count} lines of {file} name no file.", "file_name is empty in line {lines}.", "Fill it in, or delete these lines."),
    },
    "train_caption_missing": {
        "zh": ("{file} 里有 {count} 行没有描述。", "第 {lines} 行的 text 是空的；没有描述，LoRA 不知道图片和哪些词有关。",
               "给这些图片写一句描述，或删掉这些行。"),
        "en": ("{count} lines of {file} have no caption.",
               "text is empty in line {lines}; without words the LoRA cannot learn what they stand for.",
               "Write a caption for these pictures, or delete these lines."),
    },
    "train_picture_outside": {
        "zh": ("没有读图片 {name}。", "第 {line} 行的路径指向 {folder} 之外；数据集只能用自己文件夹里的图片。",
               "把图片复制到这个文件夹里，file_name 只写文件名。"),
        "en": ("The picture {name} was not read.", "Its path (line {line}) leads out of {folder}; a data set may only use pictures inside its folder.",
               "Copy the picture into that folder and write its bare name as file_name."),
    },
    "train_picture_missing": {
        "zh": ("找不到图片 {name}。", "metadata.csv 第 {line} 行写了它，{folder} 里却没有这个文件。",
               "补上这张图片，或删掉这一行；注意大小写和扩展名。"),
        "en": ("There is no picture {name}.", "metadata.csv names it in line {line}, and {folder} has no such file.",
               "Add the picture, or delete the line; mind upper and lower case and the ending."),
    },
    "train_picture_broken": {
        "zh": ("打不开图片 {file}。", "读到的问题：{cause}", "换一张完好的图片，或从 metadata.csv 里删掉这一行。"),
        "en": ("The picture {file} cannot be opened.", "What was wrong: {cause}",
               "Put a whole one in its place, or delete its line in metadata.csv."),
    },
    "train_picture_huge": {
        "zh": ("没有打开图片 {file}。", "它有 {pixels} 百万像素，超过 {most} 百万像素的上限，打开会占满内存。",
               "先把它缩小；训练用的图片 2000 像素就够了。"),
        "en": ("The picture {file} was not opened.", "It claims {pixels} million pixels, more than {most} million, which would fill the memory.",
               "Make it smaller first; 2000 px are plenty for a training."),
    },
    "train_one_picture": {
        "zh": ("{folder} 里只有 {count} 张可训练的图片。", "至少要 {least} 张：只看一张图，LoRA 学到的是这张图，不是风格。",
               "再加一些图片；学一种风格，20 张左右是好的开始。"),
        "en": ("{folder} has only {count} picture(s) to train on.",
               "At least {least} are needed: from a single one a LoRA learns that picture and no style.",
               "Add pictures; about 20 are a good start for a style."),
    },
    "train_no_validation": {
        "zh": ("没有验证图片。", "设置了 validation_every，但没有 {folder}，hold_back 也是 0。",
               "写 hold_back=4，从训练图片里留出几张；或建立这个文件夹；或 validation_every=0。"),
        "en": ("There are no pictures for the validation.", "validation_every is set, there is no {folder}, and hold_back is 0.",
               "Write hold_back=4 to hold some of the pictures back, or make that folder, or set validation_every=0."),
    },
    "train_no_subject": {
        "zh": ("没有叫 {name} 的东西。", "小模型的图片只由这些东西组成：{known}。", "从中选一个名字。"),
        "en": ("There is no subject {name}.", "The tiny model's pictures are made of these: {known}.", "Choose one of these names."),
    },
    "train_rank_zero": {
        "zh": ("lora_rank 不能是 0。", "rank 是两个小矩阵的宽度，宽度为 0 就什么也学不了。", "常用 4 到 64，例如 lora_rank=16。"),
        "en": ("lora_rank cannot be 0.", "The rank is the width of the two small matrices; without width they learn nothing.",
               "4 to 64 are usual, such as lora_rank=16."),
    },
    "train_alpha_zero": {
        "zh": ("lora_alpha 不能是 0。", "LoRA 的作用要乘以 alpha/rank，乘以 0 就没有作用了。", "写一个大于 0 的数，例如 lora_alpha=4.0。"),
        "en": ("lora_alpha cannot be 0.", "A LoRA's effect is multiplied by alpha/rank, and times 0 there is none.",
               "Write a number above 0, such as lora_alpha=4.0."),
    },
    "train_no_list": {
        "zh": ("设置 {name} 不能是 {value}。", "{name} 要是一组文字，不能是空的。", "写成列表，例如 {name}=[\"...\"]。"),
        "en": ("The setting {name} cannot be {value}.", "{name} has to be a list of texts that are not empty.",
               "Write a list, such as {name}=[\"...\"]."),
    },
    "train_prior_empty": {
        "zh": ("prior_weight 大于 0，却没有先验图片。", "先验保持要用模型原来就会画的图片来对照。",
               "写 prior_prompts=[...]，让原模型自己画；或用 prior_folder 指定一个带 metadata.csv 的文件夹。"),
        "en": ("prior_weight is above 0 and there are no pictures for it.", "Prior preservation compares with pictures that the base model could draw before.",
               "Write prior_prompts=[...] to let the base model draw them, or name a folder with a metadata.csv as prior_folder."),
    },
    "train_no_fp16": {
        "zh": ("不能用 precision=\"16-mixed\"。", "这台机器在 CPU 上训练，而这个 CPU 不支持 fp16 运算，硬算要慢好几倍。",
               "写 precision=\"32\"；或写 precision_fallback=True（命令行 --precision_fallback），让它自动改用 32。"),
        "en": ("precision=\"16-mixed\" cannot be used.", "The training runs on a CPU that does not compute in fp16; imitated, it takes several times as long.",
               "Write precision=\"32\", or precision_fallback=True (--precision_fallback) to let it choose 32 by itself."),
    },
    "train_picture_changed": {
        "zh": ("图片 {file} 在训练准备期间被改动了。", "描述和检查结果属于原来的那张图。", "等图片不再变动，重新运行一次。"),
        "en": ("The picture {file} was changed while the training was being prepared.", "What was checked was the picture before.",
               "Run it again when the pictures stay as they are."),
    },
    "train_name_wrong": {
        "zh": ("name 不能写成 {name!r}。", "LoRA 的文件就叫这个名字，所以里面不能有文件夹（/ 或 \\）。",
               "写一个单独的名字，例如 name=\"line_art\"；文件夹写在 output_path 里。"),
        "en": ("name cannot be {name!r}.", "It becomes the name of the LoRA's file, so it holds no folders (/ or \\).",
               "Give a plain name, such as name=\"line_art\", and the folder as output_path."),
    },
    "train_exploded": {
        "zh": ("训练在第 {step} 步失控，已停止：损失是 {loss}。",
               "步子太大，权重越走越偏（学习率 {rate}，precision {precision}）。已退回第 {good} 步的权重；文件：{file}",
               "把学习率降到 {lower} 左右再训练；用 16-mixed 时还可以换成 bf16-mixed 或 32。"),
        "en": ("The training went out of control at step {step} and was stopped: its loss is {loss}.",
               "The steps were too large (learning rate {rate}, precision {precision}). The weights of step {good} are back; file: {file}",
               "Train again with a learning rate of about {lower}; with 16-mixed, bf16-mixed or 32 helps too."),
    },
    "train_no_memory": {
        "zh": ("显存不够，训练停止。", "{cause}",
               "按顺序试：use_gradient_checkpointing=True；batch_size=1，改用 accumulate_grad_batches；更小的 height 和 width。"),
        "en": ("The GPU's memory is full: the training stopped.", "{cause}",
               "Try in this order: use_gradient_checkpointing=True; batch_size=1 with accumulate_grad_batches; a smaller height and width."),
    },
    "train_resume_where": {
        "zh": ("不知道从哪里继续。", "resume=True 要从 output_path 里的检查点继续，这里没有写 output_path。", "写上之前训练用的 output_path。"),
        "en": ("There is nothing to go on from.", "resume=True needs the checkpoint in output_path, and no output_path is given.",
               "Name the output_path of the earlier training."),
    },
    "train_in_use": {
        "zh": ("不能在 {folder} 里继续训练。", "另一个训练正在这个文件夹里写。", "等它结束或停下它；或者换一个 output_path，从头训练。"),
        "en": ("The training in {folder} cannot be gone on with.", "Another training is writing to this folder.",
               "Wait for it to end, or stop it; or train from the beginning in another output_path."),
    },
    "train_no_place": {
        "zh": ("不能把训练写到 {folder}。", "系统的回答：{cause}", "换一个可以写的 output_path。"),
        "en": ("The training cannot be written to {folder}.", "The system says: {cause}", "Choose an output_path that can be written to."),
    },
    "train_cannot_save": {
        "zh": ("检查点写不进 {file}。", "系统的回答：{cause}（需要 {size:.1f} MB）。上一个检查点还完好。",
               "腾出磁盘空间，再用 resume=True 继续。"),
        "en": ("The checkpoint {file} cannot be written.", "The system says: {cause} ({size:.1f} MB are needed). The last checkpoint is still whole.",
               "Free some disk space, then go on with resume=True."),
    },
    "train_state_broken": {
        "zh": ("不能从 {file} 继续。", "检查点读不出来：{cause}", "删除它，不写 resume，从头训练。"),
        "en": ("The training cannot go on from {file}.", "The checkpoint cannot be read: {cause}",
               "Delete it and train from the beginning, without resume."),
    },
    "train_state_other": {
        "zh": ("不能从 {file} 继续。", "它属于另一次训练：这些不一样：{names}。", "改回原来的设置和数据再继续；或换一个 output_path，从头训练。"),
        "en": ("The training cannot go on from {file}.", "It belongs to another training: these differ: {names}.",
               "Go back to its settings and data, or train from the beginning in another output_path."),
    },
    "train_paths_missing": {
        "zh": ("找不到模型文件：{files}。", "没有写 --model，就要用这三个参数指出完整模型的文件：{flags}。",
               "检查路径；或写 --model kolors 下载完整模型；或写 --model tiny 用自带的小模型。"),
        "en": ("Files of the model are missing: {files}.", "Without --model these three flags have to name the full model's files: {flags}.",
               "Check the paths; or write --model kolors, which downloads the full model; or --model tiny, which is shipped."),
    },
    "train_model_folder": {
        "zh": ("{folder} 里没有模型。", "这里要有 diffusers 格式的 unet、vae、text_encoder 和 scheduler。",
               "检查路径；或写 --model kolors，或 --model tiny。"),
        "en": ("{folder} holds no model.", "There have to be unet, vae, text_encoder and scheduler in diffusers' layout.",
               "Check the path; or write --model kolors, or --model tiny."),
    },
}
