"""Captions of pictures, and what cannot be drawn."""

TEXTS = {
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
    "noise_own_path": {
        "zh": "提示：没有装 torchsde，{sampler_name} 用课程自己的噪声，同一个种子和 ComfyUI 画的不是同一张图。想要一样："
              "pip install --no-deps torchsde trampoline",
        "en": "Note: torchsde is not installed, so {sampler_name} takes the course's own noise: ComfyUI draws another picture with this "
              "seed. For the same one: pip install --no-deps torchsde trampoline"},
    "saved": {"zh": "已保存：{path}（{seconds:.2f} 秒）", "en": "Saved: {path} ({seconds:.2f} s)"},
    # what a picture's file tells of how it was made
    "found_unknown": {"zh": "不知道（{reason}）", "en": "not told ({reason})"},
    "found_not_written": {"zh": "文件里没有写 {name}", "en": "the file does not say {name}"},
    "found_twice": {"zh": "{name} 在文件里出现了两次，而且不一样", "en": "{name} is there twice, and differs"},
    "found_computed": {"zh": "由节点 {node} 得出，结果没有写进文件", "en": "the node {node} makes it, and its result is not in the file"},
    "found_choice": {"zh": "页面会从「{words}」里随机选一个，选了哪个没有写进文件",
                     "en": "the page chooses at random from \"{words}\"; which it chose is not in the file"},
    "found_no_text": {"zh": "这里不是文字", "en": "what stands there is no text"},
    "found_broken": {"zh": "连线断了或绕成一个圈，或者没有连", "en": "its link is missing, broken or a circle"},
    "found_texts": {"zh": "有 {count} 段不同的文字一起作用：{texts}", "en": "{count} different texts work together: {texts}"},
    "found_several": {"zh": "有几个采样器（{nodes}），各不相同，看不出图片是哪一个画的",
                      "en": "there are several samplers ({nodes}), which differ, and the file does not tell which drew it"},
    "found_part": {"zh": "采样器只画了一部分步数：从第 {start} 步到第 {end} 步，add_noise {noise}",
                   "en": "the sampler drew a part of its steps: {start} to {end}, add_noise {noise}"},
    "found_kolors": {"zh": "KolorsSampler 用的是 diffusers 自己的 {kind}，和 ComfyUI 的任何一个 scheduler 都不完全一样",
                     "en": "KolorsSampler draws with diffusers' own {kind}, which is exactly none of ComfyUI's schedulers"},
    "found_typed": {"zh": "提示：取自节点 {node} 里写的值；课程不认识这种节点，假定它原样输出。",
                    "en": "Note: taken as it stands in the node {node}, a class that the course does not know and takes to hand it on."},
    "found_passed": {"zh": "提示：中间有节点 {node}，课程不认识它，不知道它对提示词做了什么。",
                     "en": "Note: the node {node} stands between; the course does not know what it does to the prompt."},
    "found_zeroed": {"zh": "提示：节点 {node} 把这一边清零了，和空的提示词接近，但不完全一样。",
                     "en": "Note: the node {node} sets this side to zero, which is near an empty prompt, but not the same."},
    "found_ends": {"zh": "提示：这个采样器画到第 {end} 步就停了（共 {steps} 步），后面由别的采样器接着画。",
                   "en": "Note: this sampler stops after step {end} of {steps}; another one goes on."},
    "found_second_pass": {"zh": "提示：后面还有一遍采样（{node}：{values}），这里是第一遍的设置。",
                          "en": "Note: a second pass follows ({node}: {values}); these are the settings of the first."},
    "found_others": {"zh": "提示：工作流里还有 {count} 个采样器，它们画的是别的图：{nodes}。",
                     "en": "Note: other samplers in this workflow draw other pictures ({count}): {nodes}."},
    "found_undrawn": {"zh": "提示：这些节点也存图或显示图，但课程认不出是什么画的：{nodes}。",
                      "en": "Note: these nodes save or show a picture too, which was drawn by nothing that the course knows: {nodes}."},
    "found_damaged": {"zh": "提示：这些文字块损坏了，没有采用：{keys}。", "en": "Note: these text chunks are damaged and were not used: {keys}."},
    "found_doubled": {"zh": "提示：这些文字块出现了两次，而且不一样，采用后一个：{keys}。",
                      "en": "Note: these text chunks are there twice and differ, the later one was used: {keys}."},
}

ERRORS = {
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
        "zh": ("读不了这个图片文件：{name}。", "系统的回答：{cause}", "确认它是一个 PNG、JPEG 或 WEBP 图片，没有损坏，也不大于 {most} MB。"),
        "en": ("This picture file cannot be read: {name}.", "The system says: {cause}",
               "Check that it is a PNG, JPEG or WEBP picture, whole, and not larger than {most} MB."),
    },
    "png_damaged": {
        "zh": ("这个 PNG 文件损坏了，里面的设置不能用：{name}。", "这些文字块和它们的校验和对不上，或者被截断了：{keys}。其中的数字可能已经变了。",
               "重新下载或复制原图；设置也可能写在另一份副本里。"),
        "en": ("This PNG file is damaged, and the settings in it cannot be used: {name}.",
               "These text chunks do not fit their checksums, or are cut: {keys}. Numbers in them may have changed.",
               "Download or copy the original again; another copy of it may be whole."),
    },
    "png_no_settings": {
        "zh": ("这个图片文件里没有能用的设置：{name}。",
               "设置写在 PNG 的 prompt、workflow（ComfyUI）或 parameters（A1111）文字块里，JPEG 和 WEBP 则写在 EXIF 里；这个文件的文字块：{found}，"
               "从中读不出一个采样器（如 KSampler）的设置。",
               "换一个由 ComfyUI、A1111 或 Picture.save 存下的原图；聊天软件和网页常常会把文字块删掉。"),
        "en": ("This picture file holds no settings that can be used: {name}.",
               "They stand in a PNG's text chunks prompt, workflow (ComfyUI) or parameters (A1111), in the EXIF of a JPEG or WEBP;"
               " this file's text chunks: {found}; no sampler's settings (a KSampler's, say) can be read from them.",
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
}
