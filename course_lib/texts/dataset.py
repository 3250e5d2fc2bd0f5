"""Preparing a data set: verdicts, reasons, sources."""

TEXTS = {
    "make_synthesised": {"zh": "画好 {count} 张，连同说明一起放在 {folder}", "en": "{count} pictures and their captions are in {folder}"},
    "picture_none": {"zh": "里面的内容不是图片", "en": "its content is no picture"},
    "make_augmented": {"zh": "{before} 张变成了 {after} 张（其中 {mirrored} 张做了镜像），放在 {folder}", "en": "{before} pictures have become {after} ({mirrored} of them mirrored), in {folder}"},
}

ERRORS = {
    "caption_table": {
        "zh": ("{path} 读不成一张说明表。", "读到的问题：{cause}。",
               "它应该是 UTF-8 的 CSV 文件，第一行是 file_name,text，以后每行一张图。用 Excel 改过的话，请另存为「CSV UTF-8」。"),
        "en": ("{path} cannot be read as a table of captions.", "What was wrong: {cause}.",
               "It has to be a CSV file in UTF-8 whose first line is file_name,text, with one line for each picture. If you edited it in Excel, save it as \"CSV UTF-8\".")},
    "caption_outside": {
        "zh": ("说明表里的 {name} 指到了 {folder} 外面。", "图片必须放在数据集自己的文件夹里，换一台电脑才找得到；指到外面的路径也可能是恶意写进来的。",
               "把图片放进 {folder}，file_name 只写文件名。"),
        "en": ("The table of captions names {name}, which lies outside {folder}.", "Pictures have to lie in the set's own folder, or another machine will not find them; a path that leads out may also be an attack.",
               "Put the picture into {folder} and write its bare name under file_name.")},
    "make_scene": {
        "zh": ("场景里的 {field} 不能是 {value}。", "可以用的是：{allowed}。", "改好 {field} 再画。"),
        "en": ("A scene's {field} cannot be {value}.", "What it can be: {allowed}.", "Correct {field} and draw again.")},
    "make_no_scene": {
        "zh": ("这段内容不是场景。", "读到的问题：{cause}。", "场景是 scenes.jsonl 里 \"scene\" 后面的那种 JSON；先用 scenes.to_json 写一个出来照着改。"),
        "en": ("This is no scene.", "What was wrong: {cause}.", "A scene is JSON of the kind that stands after \"scene\" in scenes.jsonl; write one with scenes.to_json and change that.")},
    "make_not_empty": {
        "zh": ("{folder} 里已经有别的文件。", "合成和增强只往空文件夹里写，免得盖掉你自己的图。", "换一个新的文件夹名，或者先把里面的文件移走。"),
        "en": ("{folder} already holds other files.", "Synthesis and augmentation write into an empty folder only, so that nothing of yours is overwritten.", "Name a new folder, or move those files away first.")},
    "make_no_blender": {
        "zh": ("没有找到 Blender。", "它不在课程的环境里：它有近 1 GB，要用旧版 numpy，许可证是 GPL-3.0，所以要有自己的环境。",
               "不用它也能合成：engine=\"resvg\"。想试的话，另建一个 Python 3.11 环境，在里面 pip install bpy，再把环境变量 {variable} 设成那个环境的 python。"),
        "en": ("Blender was not found.", "It is not in the course's environment: it takes almost 1 GB, needs an older numpy, and its licence is GPL-3.0; so it lives in an environment of its own.",
               "Pictures can be made without it: engine=\"resvg\". To try it, make another environment with Python 3.11, pip install bpy there, and set the environment variable {variable} to that environment's python.")},
    "make_blender_failed": {
        "zh": ("Blender 没有画出来。", "{python} 说：{cause}。", "在那个环境里试一下 python -c \"import bpy\"；不行的话改用 engine=\"resvg\"。"),
        "en": ("Blender did not draw the picture.", "{python} said: {cause}.", "Try python -c \"import bpy\" in that environment; failing that, use engine=\"resvg\".")},
    "make_no_train": {
        "zh": ("{folder} 里没有可以增强的训练集。", "增强只用训练的那一份：要有 train 文件夹，里面有 metadata.csv。验证集不增强，不然考题就混进了练习题。", "先用 prepare 整理出训练集，再来增强。"),
        "en": ("{folder} holds no training set to enlarge.", "Augmentation takes the training part alone, a folder train with a metadata.csv; were validation enlarged too, it would no longer measure anything new.", "Make a training set with prepare first.")},
    "picture_unreadable": {
        "zh": ("{name} 不是一张完整的图片。", "读到的问题：{cause}。", "用看图软件打开它确认一下；打不开就重新下载或者删掉。能用的格式：PNG、JPEG、WebP、GIF、BMP。"),
        "en": ("{name} is no whole picture.", "What was wrong: {cause}.", "Try it in a picture viewer; if that cannot open it, download it again or delete it. What can be used: PNG, JPEG, WebP, GIF, BMP.")},
    "picture_too_large": {
        "zh": ("{name} 自称有 {pixels} 百万像素，太大了，没有打开。", "很小的文件也可以自称有几亿像素，一打开内存就满了。上限是 {most} 百万像素。", "如果真是一张大图，先用别的软件缩小。"),
        "en": ("{name} claims {pixels} million pixels; that is too large, and it was not opened.", "Even a small file can claim hundreds of millions of pixels and fill the memory when it is opened. The limit is {most} million.", "If it really is a large picture, make it smaller with another program first.")},
}
