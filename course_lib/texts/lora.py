"""LoRA files: formats, reports, what does not fit."""

TEXTS = {
    "lora_loaded": {
        "zh": "已加载 LoRA「{name}」：{format} 格式，{matched}/{held} 层，rank {rank}，alpha {alpha}，强度 {strength}",
        "en": "Loaded the LoRA \"{name}\": {format} format, {matched} of {held} layers, rank {rank}, alpha {alpha}, strength {strength}"},
    "lora_trigger": {"zh": "触发词：{word}", "en": "trigger word: {word}"},
    "lora_base_untold": {
        "zh": "文件没有写明它是在哪个基础模型上训练的。只改注意力层的 SDXL LoRA 和 Kolors 的形状完全一样，效果不对时先查这一点。",
        "en": "The file does not say which base model it was trained on. An SDXL LoRA of the attention layers has the very same shapes as one of Kolors; if it looks wrong, check that first."},
    "lora_row": {"zh": "{name}：{value}", "en": "{name}: {value}"},
    "lora_row_file": {"zh": "文件", "en": "file"},
    "lora_row_format": {"zh": "格式", "en": "format"},
    "lora_row_layers": {"zh": "层", "en": "layers"},
    "lora_row_rank": {"zh": "rank", "en": "rank"},
    "lora_row_alpha": {"zh": "alpha", "en": "alpha"},
    "lora_row_weights": {"zh": "权重", "en": "weights"},
    "lora_row_base": {"zh": "基础模型", "en": "base model"},
    "lora_row_trigger": {"zh": "触发词", "en": "trigger word"},
    "lora_row_settings": {"zh": "训练设置", "en": "settings"},
    "lora_row_summary": {"zh": "训练结果", "en": "summary"},
    "lora_file_size": {"zh": "{name}，{size} MB", "en": "{name}, {size} MB"},
    "lora_layers_fit": {"zh": "{count} 层，都是 {base} 有的层", "en": "{count}, all of which {base} has"},
    "lora_layers_other": {"zh": "{count} 层，是 {base} 的 LoRA", "en": "{count}, a LoRA of {base}"},
    "lora_layers_unfit": {"zh": "{count} 层，不全是 Kolors 或 Tiny Kolors 的层", "en": "{count}, not all of them of Kolors or of Tiny Kolors"},
    "lora_alpha_scale": {"zh": "{alpha}（倍率 alpha/rank = {scale}）", "en": "{alpha} (scale alpha/rank = {scale})"},
    "lora_alpha_unknown": {"zh": "没有记录，加载时要写 alpha=", "en": "not recorded: loading asks for alpha="},
    "lora_alpha_contradicts": {
        "zh": "提示：文件头写的 alpha 是 {header}，权重旁边存的是 {tensor}；用的是权重旁边的（ComfyUI 和 diffusers 也这样）。想用另一个就写 alpha={header}。",
        "en": "Note: the header's alpha is {header}, the one beside the weights {tensor}; the latter counts, as in ComfyUI and diffusers. For the other write alpha={header}."},
    "lora_weights": {"zh": "{count} 个数，{kind}", "en": "{count} numbers, {kind}"},
    "lora_untold": {"zh": "没有写", "en": "not told"},
}

ERRORS = {
    "lora_dora_streamed": {
        "zh": ("这个 UNet 上不能用 DoRA。", "它的权重逐层送上显卡，平时在内存里；DoRA 每一步都要用到全部权重的长度。",
               "换一个普通的 LoRA；或者用 plan(\"draw\", unet=\"whole\") 的计划重新 load。"),
        "en": ("This UNet takes no DoRA.", "Its layers come from RAM one by one, and DoRA measures their weights in every step.",
               "Use a plain LoRA, or load the model again by plan(\"draw\", unet=\"whole\")."),
    },
    "lora_file_missing": {
        "zh": ("找不到 LoRA 文件 {path}。", "这个位置没有文件。", "检查路径；训练的输出在 output_path 里，DiffSynth 的在 lightning_logs/version_N/checkpoints 里，N 取最大的那个。"),
        "en": ("There is no LoRA file {path}.", "Nothing lies at this place.",
               "Check the path; a training writes into its output_path, DiffSynth into lightning_logs/version_N/checkpoints, with the highest N."),
    },
    "lora_file_broken": {
        "zh": ("{file} 打不开，不是完整的 LoRA 文件。", "读取时的回答：{cause}", "重新下载或重新保存这个文件；下载中断的文件要先删掉。"),
        "en": ("{file} cannot be opened; it is no whole LoRA file.", "What reading it said: {cause}",
               "Download or save it again; delete one whose download broke off first."),
    },
    "lora_pickle_refused": {
        "zh": ("{file} 不只是权重，没有打开。", "它是 pickle 文件，里面要求运行代码（或者已经损坏）；课程只从 pickle 里读权重，代码一行也没有运行。",
               "不要用别的办法打开它。请作者提供 .safetensors，或换一个来源。"),
        "en": ("{file} holds more than weights and was not opened.",
               "It is a pickle that asks for code to be run (or is damaged); the course reads nothing but weights from a pickle, and no code in it was run.",
               "Do not open it in another way. Ask its author for a .safetensors, or take another source."),
    },
    "lora_header_broken": {
        "zh": ("{file} 的文件头读不懂。", "里面记录的 alpha 不是数字：{cause}", "写上训练时用的值：alpha=4。"),
        "en": ("The header of {file} cannot be understood.", "The alpha recorded there is no number: {cause}",
               "Give the value it was trained with: alpha=4."),
    },
    "lora_none": {
        "zh": ("{file} 里没有 LoRA 的矩阵。", "{count} 个名字里没有一个像 LoRA，例如 {example}。LoRA 每层有两个矩阵，叫 lora_A 和 lora_B，或 lora_down 和 lora_up。",
               "确认它是 LoRA，而不是整个模型；LoKr、LoHa 等其他方法的文件这里不读。"),
        "en": ("There are no matrices of a LoRA in {file}.",
               "None of its {count} names looks like a LoRA's, for example {example}. A LoRA has two matrices for each layer, lora_A and lora_B or lora_down and lora_up.",
               "Make sure that it is a LoRA and not a whole model; files of other methods, such as LoKr and LoHa, are not read here."),
    },
    "lora_method": {
        "zh": ("{file} 是 {method} 文件，不是 LoRA，没有加载。", "文件没有坏：{method} 用别的方法改动权重，每一层不是 LoRA 的那两个矩阵，课程不读它。",
               "在 ComfyUI 里用它；或换一个 LoRA。自己训练时选 LoRA（LyCORIS 写 algo=lora 或 locon）。"),
        "en": ("{file} is a {method} file, no LoRA, and was not loaded.",
               "It is not damaged: {method} changes weights in another way than by a LoRA's two matrices for each layer, and the course does not read it.",
               "Use it in ComfyUI, or take a LoRA; when you train, choose LoRA (in LyCORIS algo=lora or locon)."),
    },
    "lora_dora_bias": {
        "zh": ("{file} 没有加载。", "它是 DoRA，又带偏置（lora_B.bias）；peft 不能同时用这两样。", "换一个不带偏置的文件。"),
        "en": ("{file} was not loaded.", "It is a DoRA with biases (lora_B.bias); peft cannot use the two together.",
               "Take a file without biases."),
    },
    "lora_columns_untold": {
        "zh": ("这个 DoRA 不能写成 diffusers 格式。", "它的 magnitude 是按列（输入）的，diffusers 只认按行（输出）的。", "转换成 kohya 格式。"),
        "en": ("This DoRA cannot be written in the diffusers format.", "Its magnitude is one of columns (inputs); diffusers knows only one of rows (outputs).",
               "Convert to kohya."),
    },
    "lora_bias_untold": {
        "zh": ("这个 LoRA 不能写成 {format} 格式。", "它带偏置（lora_B.bias），这种格式存不下。", "转换成 diffusers 格式。"),
        "en": ("This LoRA cannot be written in the {format} format.", "It has biases (lora_B.bias), which that format cannot hold.",
               "Convert to diffusers."),
    },
    "lora_half": {
        "zh": ("{file} 不完整：{layer} 只有 {found}。", "每一层都要有成对的两个矩阵（DoRA 的每一层还要有 magnitude）。", "重新下载或重新保存这个文件。"),
        "en": ("{file} is not whole: {layer} has only {found}.", "Each layer needs both matrices (in a DoRA also its magnitude).",
               "Download or save the file again."),
    },
    "lora_rank_mismatch": {
        "zh": ("{file} 里 {layer} 的两个矩阵 rank 不一致。", "A 的形状是 {down}，B 的形状是 {up}；A 的行数和 B 的列数都是 rank，必须相等。", "文件已损坏或拼错了，换一个文件。"),
        "en": ("The two matrices of {layer} in {file} differ in rank.",
               "A has the shape {down}, B {up}; the rows of A and the columns of B are both the rank and must be equal.",
               "The file is damaged or put together wrongly; take another."),
    },
    "lora_rank_zero": {
        "zh": ("{file} 里 {layer} 的矩阵是空的。", "A 的形状是 {down}，B 的形状是 {up}；rank 至少是 1。", "文件已损坏，换一个文件。"),
        "en": ("The matrices of {layer} in {file} are empty.", "A has the shape {down}, B {up}; a rank is at least 1.",
               "The file is damaged; take another."),
    },
    "lora_no_weights": {
        "zh": ("{file} 里 {layer} 的数不是权重。", "它们的类型是 {kind}；权重是 float32、float16 或 bfloat16。", "换一个没有量化的文件。"),
        "en": ("The numbers of {layer} in {file} are no weights.", "Their type is {kind}; weights are float32, float16 or bfloat16.",
               "Take a file that was not quantised."),
    },
    "lora_not_finite": {
        "zh": ("{file} 里 {layer} 的权重有 NaN 或无穷大。", "训练时数值溢出了；用它画出来只会是黑图。", "用更早的检查点；重新训练时降低学习率，或不用纯 float16。"),
        "en": ("The weights of {layer} in {file} hold NaN or infinity.", "Numbers overflowed in training; pictures drawn with it would be black.",
               "Take an earlier checkpoint; when training again, lower the learning rate or leave pure float16."),
    },
    "lora_alpha_wrong": {
        "zh": ("alpha 不能是 {value}。", "LoRA 的倍率是 alpha/rank；alpha 是 0 时它什么也不做，负数和非数字没有意义。", "写训练时用的正数，例如 alpha=4。"),
        "en": ("alpha cannot be {value}.", "A LoRA is scaled by alpha/rank: with alpha 0 it does nothing, and a negative or no number means nothing.",
               "Give the number above 0 it was trained with, such as alpha=4."),
    },
    "lora_alpha_needed": {
        "zh": ("不知道 {file} 的 alpha。",
               "这个文件（{format} 格式）没有存 alpha。LoRA 的倍率是 alpha/rank：这里 rank 是 {rank}，alpha=4 时是 4/{rank} = {quarter}，alpha=2 时是 2/{rank} = {eighth}，猜错了强度就差几倍。",
               "写上训练时用的值（训练命令里的 --lora_alpha，夏令营的是 4.0）：alpha=4。"),
        "en": ("The alpha of {file} is unknown.",
               "This file ({format} format) stores no alpha. A LoRA is scaled by alpha/rank: the rank is {rank}, so alpha=4 gives 4/{rank} = {quarter} and alpha=2 gives 2/{rank} = {eighth}; a wrong guess makes it several times too strong or too weak.",
               "Give the value it was trained with (--lora_alpha of the training command; the camp's is 4.0): alpha=4."),
    },
    "lora_other_base": {
        "zh": ("{file} 是 {base} 的 LoRA，不属于这个 UNet。", "它的文件头、层名或形状说明了这一点；{held} 层里有 {matched} 层名字对得上，例如 {example}。",
               "换一个用这个模型训练的 LoRA，或加载它所属的模型。"),
        "en": ("{file} is a LoRA of {base} and does not belong to this UNet.",
               "Its header, names or shapes say so; {matched} of its {held} layers have a name found here, for example {example}.",
               "Take a LoRA that was trained on this model, or load the model it belongs to."),
    },
    "lora_no_match": {
        "zh": ("{file} 没有加载：{held} 层里 {matched} 层对得上。", "UNet 里没有它写的层，例如 {example}（{format} 格式）。", "确认它是这个模型的 LoRA；用 inspect(path) 看它里面有什么。"),
        "en": ("{file} was not loaded: {matched} of its {held} layers match.", "The UNet has none of the layers it names, for example {example} ({format} format).",
               "Make sure that it is a LoRA of this model; inspect(path) shows what is in it."),
    },
    "lora_part_match": {
        "zh": ("{file} 没有加载：{held} 层里只有 {matched} 层对得上。", "UNet 里没有这一层：{example}（{format} 格式）。只加载一部分，效果会和训练时不一样。",
               "确认它是这个模型的 LoRA，里面也没有文本编码器的层；用 inspect(path) 看它里面有什么。"),
        "en": ("{file} was not loaded: only {matched} of its {held} layers match.",
               "The UNet has no such layer: {example} ({format} format). With a part of it loaded the result would not be what was trained.",
               "Make sure that it is a LoRA of this model without layers of a text encoder; inspect(path) shows what is in it."),
    },
    "lora_shape_mismatch": {
        "zh": ("{file} 没有加载：{layer} 的形状对不上。", "{held} 层里有 {matched} 层名字对得上，但这一层的权重是 {weight}，文件里 A 是 {down}，B 是 {up}。",
               "它是另一个模型的 LoRA；加载它所属的模型，或换一个文件。"),
        "en": ("{file} was not loaded: {layer} has another shape.",
               "{matched} of its {held} layers have a name found here, but this layer's weight is {weight}, and in the file A is {down} and B {up}.",
               "It is a LoRA of another model; load the model it belongs to, or take another file."),
    },
    "lora_twice": {
        "zh": ("{file} 里有 {count} 层写了两次。", "同一层用了两种名字，不知道该用哪一个。", "这是两个文件拼成的；换一个没有拼过的。"),
        "en": ("{file} names {count} layers twice.", "The same layer stands there under two names, and which one counts is unknown.",
               "It was put together from two files; take one that was not."),
    },
    "lora_target_unknown": {
        "zh": ("UNet 里没有名字以 {target} 结尾的层。", "targets 写的是要加 LoRA 的层的名字结尾。", "注意力层是：{example}。"),
        "en": ("The UNet has no layer whose name ends in {target}.", "targets names the ends of the names of layers that get a LoRA.",
               "The attention layers are: {example}."),
    },
    "lora_nothing_loaded": {
        "zh": ("UNet 里没有 LoRA。", "还没有加载或添加过，或已经合并、移除了。", "先用 load_lora(pipe.unet, path) 或 add_lora(pipe.unet)。"),
        "en": ("The UNet has no LoRA.", "None was loaded or added, or it was merged or removed.",
               "First call load_lora(pipe.unet, path) or add_lora(pipe.unet)."),
    },
    "lora_which": {
        "zh": ("UNet 里有好几个 LoRA，不知道是哪一个。", "它们是：{names}。", "写上名字：name=\"...\"。"),
        "en": ("The UNet has several LoRAs, and which one is meant is unknown.", "They are: {names}.", "Give one: name=\"...\"."),
    },
    "lora_name_unknown": {
        "zh": ("UNet 里没有叫「{name}」的 LoRA。", "现有的是：{names}。", "换成其中一个名字。"),
        "en": ("The UNet has no LoRA called \"{name}\".", "There are: {names}.", "Use one of these names."),
    },
    "lora_suffix": {
        "zh": ("不能把 {format} 格式写成 {path}。", "这种格式的文件是 safetensors，名字以 .safetensors 结尾。", "把名字改成 .safetensors。"),
        "en": ("The {format} format cannot be written as {path}.", "Its files are safetensors and end in .safetensors.",
               "Change the name to end in .safetensors."),
    },
    "lora_layer_untold": {
        "zh": ("{format} 格式里没有 {layer} 这一层的名字。", "这个工具的 UNet 没有对应的层。", "转换成 diffusers 或 kohya 格式。"),
        "en": ("The {format} format has no name for the layer {layer}.", "That tool's UNet has no such layer.",
               "Convert to diffusers or kohya."),
    },
    "lora_not_in_diffsynth": {
        "zh": ("这个 LoRA 不能写成 diffsynth 格式。", "那种文件只有两个矩阵，所有层共用一个 alpha（这里是 {alphas}），也没有 DoRA 的 magnitude。", "转换成 diffusers 或 kohya 格式。"),
        "en": ("This LoRA cannot be written in the diffsynth format.",
               "Its files hold the two matrices alone: one alpha for all layers (here {alphas}), and no magnitude of a DoRA.",
               "Convert to diffusers or kohya."),
    },
    "lora_cannot_write": {
        "zh": ("不能把 LoRA 写到 {path}。", "系统的回答：{cause}。原来的文件没有动。", "换一个可以写、空间足够的文件夹。"),
        "en": ("The LoRA cannot be written to {path}.", "The system says: {cause}. A file that was there is untouched.",
               "Choose a folder that you may write to and that has room."),
    },
}
