"""Preparing a data set: verdicts, reasons, sources."""

TEXTS = {
    # check and prepare: {value} is what was measured, {limit} what is asked for
    "set_help_caption": {"zh": "给文件夹里没有说明的图片写说明（metadata.csv）", "en": "write captions for a folder's pictures that have none (metadata.csv)"},
    "set_help_check": {"zh": "逐张看一个文件夹，什么也不改", "en": "look at every picture of a folder; nothing is changed"},
    "set_help_prepare": {"zh": "把一个文件夹整理成 train 能用的数据集", "en": "make a folder into a set that train can use"},
    "set_help_model": {"zh": "transformers、openai 用的模型", "en": "the model of transformers or openai"},
    "set_help_table": {"zh": "csv 用的表（file_name,text）", "en": "the table of csv (file_name,text)"},
    "set_help_trigger": {"zh": "触发词", "en": "the trigger word"},
    "set_help_again": {"zh": "程序写过的说明重写；人写的不动", "en": "renew captions that a program wrote; a person's stay"},
    "set_help_csv": {"zh": "把结果写成表格", "en": "write the findings as a table"},
    "set_help_out": {"zh": "数据集的文件夹，交给 train --dataset_path", "en": "the set's folder, for train --dataset_path"},
    "set_help_validation": {"zh": "留作验证的比例，0 到 1", "en": "the share that is kept back to validate with, 0 to 1"},
    "set_help_size": {"zh": "训练用的边长，像素：Tiny Kolors {tiny}，Kolors 1024", "en": "the edge that is trained with, in px: {tiny} for Tiny Kolors, 1024 for Kolors"},
    "set_help_default": {"zh": "没有说明的图片都用这一句", "en": "the caption of all pictures that have none"},
    "list_semicolon": {"zh": "；", "en": "; "},
    "set_verdict_keep": {"zh": "保留", "en": "keep"},
    "set_verdict_fix": {"zh": "可修", "en": "fix"},
    "set_verdict_warn": {"zh": "留意", "en": "warn"},
    "set_verdict_drop": {"zh": "不要", "en": "drop"},
    "set_column_verdict": {"zh": "结论", "en": "Verdict"},
    "set_column_file": {"zh": "文件", "en": "File"},
    "set_column_reason": {"zh": "原因", "en": "Reason"},
    "set_summary": {"zh": "{folder}：共 {total} 张，保留 {keep}，可修 {fix}，留意 {warn}，不要 {drop}；元数据里有 {rows} 行有问题",
                    "en": "{folder}: {total} pictures, keep {keep}, fix {fix}, warn {warn}, drop {drop}; {rows} rows of metadata have problems"},
    "set_more": {"zh": "还有 {count} 行没有显示，to_csv 会全部写出", "en": "{count} more are not shown; to_csv writes them all"},
    "set_unreadable": {"zh": "文件读不了：{value}", "en": "the file cannot be read: {value}"},
    "set_empty_file": {"zh": "空文件，0 字节", "en": "an empty file, 0 bytes"},
    "set_not_an_image": {"zh": "不是能读的图片（看起来是 {value}）", "en": "not a picture that can be read (it seems to be: {value})"},
    "set_too_many_bytes": {"zh": "文件太大：{value} MiB，最多 {limit} MiB", "en": "too large a file: {value} MiB, at most {limit} MiB"},
    "set_truncated": {"zh": "只有前半截，后面缺了（{value}），多半是没下载完", "en": "cut off ({value}); the download probably stopped half-way"},
    "set_corrupt": {"zh": "内容损坏（{value}）", "en": "damaged ({value})"},
    "set_too_many_pixels": {"zh": "像素太多：{value}，最多 {limit}；没有解码，解码会占满内存",
                            "en": "too many pixels: {value}, at most {limit}; it was not decoded, which could fill the memory"},
    "set_path_escape": {"zh": "指向文件夹外面（{value}），没有去读", "en": "leads out of the folder ({value}) and was not read"},
    "set_not_for_training": {"zh": "来源的规定不许拿来训练，见 not_for_training.csv", "en": "its source does not allow training, see not_for_training.csv"},
    "set_bad_name": {"zh": "文件名不是 UTF-8（{value}），多半是解压时编码不对；改个名字就能用", "en": "the file's name is not UTF-8 ({value}), perhaps from an archive of another encoding; rename it"},
    "set_too_small": {"zh": "太小：短边 {value} px，至少要 {limit} px；放大只会变糊", "en": "too small: the short edge is {value} px, at least {limit} px are wanted; enlarging only blurs"},
    "set_extreme_aspect": {"zh": "太扁或太长：长边是短边的 {value} 倍，超过 {limit} 倍就会裁掉大半", "en": "too long: one edge is {value} times the other; above {limit} most is cut off"},
    "set_blank": {"zh": "几乎是一整片同样的颜色：标准差 {value}，至少要 {limit}", "en": "almost one colour all over: standard deviation {value}, at least {limit} is wanted"},
    "set_blurry": {"zh": "模糊，或者是由小图放大的：边缘锐度 {value}，至少要 {limit}", "en": "blurred, or enlarged from a small picture: sharpness of edges {value}, at least {limit} is wanted"},
    "set_upscaled": {"zh": "由小图逐像素放大：每 {value} 个像素重复一次", "en": "enlarged pixel by pixel: every pixel is there {value} times"},
    "set_dark": {"zh": "太暗：平均亮度 {value}，一般不低于 {limit}（最亮 255）", "en": "dark: mean brightness {value}, usually at least {limit} of 255"},
    "set_jpeg_artefacts": {"zh": "JPEG 压得太狠，有方块痕迹（{value}，界限 {limit}）", "en": "compressed so hard that JPEG's blocks show ({value}, limit {limit})"},
    "set_animated": {"zh": "动图，共 {value} 帧，只用第一帧", "en": "animated, {value} frames; only the first is used"},
    "set_exact_duplicate": {"zh": "和 {value} 是同一个文件", "en": "the same file as {value}"},
    "set_near_duplicate": {"zh": "和 {value} 是同一张图，只是另存、缩放、调色或裁过边；留 {value}", "en": "the same picture as {value}, saved again, scaled, recoloured or cropped; {value} is kept"},
    "set_mirror_duplicate": {"zh": "是 {value} 的镜像", "en": "the mirror image of {value}"},
    "set_alpha_flattened": {"zh": "有透明部分（{value}），铺在白底上", "en": "partly transparent ({value}); laid on white"},
    "set_converted_mode": {"zh": "颜色模式 {value}，转成 RGB", "en": "colour mode {value}, converted to RGB"},
    "set_exif_rotated": {"zh": "EXIF 里写着要旋转（方向 {value}），现在转正", "en": "EXIF says it is to be turned (orientation {value}); turned upright"},
    "set_wrong_extension": {"zh": "扩展名和内容不符：{value}，改成对的", "en": "the extension does not fit the content: {value}; renamed"},
    "set_caption_missing": {"zh": "没有说明", "en": "no caption"},
    "set_caption_empty": {"zh": "说明是空的", "en": "the caption is empty"},
    "set_caption_boilerplate": {"zh": "说明只是一个文件名，没说图里是什么：{value}", "en": "the caption is a file's name and says nothing of the picture: {value}"},
    "set_caption_too_long": {"zh": "说明太长：{value} 个 token，超过 {limit} 的部分模型看不到", "en": "the caption is too long: {value} tokens; the model sees no more than {limit}"},
    "set_caption_markup": {"zh": "说明里有网页标记或网址，去掉：{value}", "en": "the caption holds markup or a web address, taken out: {value}"},
    "set_caption_repeated": {"zh": "说明和 {value} 的一字不差，可能是贴错了", "en": "the caption is word for word that of {value}; perhaps pasted by mistake"},
    "set_caption_from_folder": {"zh": "没有说明，用文件夹的名字「{value}」", "en": "no caption; the folder's name \"{value}\" is taken"},
    "set_trigger_missing": {"zh": "说明里没有触发词「{value}」，别的图片有", "en": "the caption lacks the trigger word \"{value}\", which others have"},
    "set_row_bad_json": {"zh": "这一行不是 JSON 对象：{value}", "en": "this line is no JSON object: {value}"},
    "set_row_bad_csv": {"zh": "这一行的格子和表头对不上：{value}", "en": "the cells of this row do not fit the header: {value}"},
    "set_row_no_header": {"zh": "第一行应当是列名 file_name,text，现在是：{value}", "en": "the first line should name the columns, file_name,text; it is: {value}"},
    "set_row_not_utf8": {"zh": "从这里起有不是 UTF-8 的文字，按 {value} 读了；请看一看说明对不对，再另存为「CSV UTF-8」", "en": "from here on there is text that is not UTF-8, read as {value}; look whether the captions are right, and save it as \"CSV UTF-8\""},
    "set_row_no_text": {"zh": "这个表里的内容不是文字，读不出来", "en": "the content of this table is no text that could be read"},
    "set_line": {"zh": "第 {line} 行：{words}", "en": "line {line}: {words}"},
    "set_lfs_pointer": {"zh": "这只是 Git LFS 的指针，真正的文件没有下载；在那个仓库里运行 git lfs pull", "en": "only a Git LFS pointer: the file itself was not downloaded; run git lfs pull in its repository"},
    "set_caption_encoding": {"zh": "说明不是 UTF-8，按 {value} 读了；看看对不对", "en": "the caption is not UTF-8 and was read as {value}; see whether it is right"},
    "set_caption_unreadable": {"zh": "说明文件里的内容不是文字，哪种编码都读不通", "en": "the caption's file holds no text: no encoding makes sense of it"},
    "set_caption_garbled": {"zh": "说明里有乱码，原来可能是：{value}", "en": "the caption is garbled; perhaps it was: {value}"},
    "set_caption_huge": {"zh": "说明太大了（{value}），不会是一句说明", "en": "too much for a caption ({value})"},
    "set_default_given": {"zh": "{count} 张没有说明，用了 default_caption。", "en": "{count} pictures had no caption and got the default_caption."},
    "set_one_caption": {"zh": "{count} 张用的是同一句说明：「{words}」。只学一种画风时可以这样；每张各写各的，以后更听话。",
                        "en": "{count} pictures have one caption: \"{words}\". For a style alone that will do; a caption for each makes a LoRA that listens better."},
    "set_repeat_folders": {"zh": "{folders}：文件夹名前面的数字是 kohya 的重复次数，不算说明；这里每张只用一次，要多学几遍就增加训练步数。",
                           "en": "{folders}: the number before a folder's name is kohya's count of repeats and no part of the caption; each picture is used once here, and more steps make up for it."},
    "set_data_juicer": {"zh": "{table} 是 Data-Juicer 的格式（图片写在列表里），按文件名找到了图片。", "en": "{table} is in Data-Juicer's form (pictures in lists); the pictures were found by their file names."},
    "set_other_table": {"zh": "{count} 条说明取自 {table}。", "en": "{count} captions were taken from {table}."},
    "set_not_read": {"zh": "有 {count} 个文件看起来像说明，没有读：{files}。要用的话，把内容写进 metadata.csv（file_name,text）或者和图片同名的 .txt。",
                     "en": "{count} files look like captions and were not read: {files}. To use them, write their content into metadata.csv (file_name,text) or into .txt files named like the pictures."},
    "set_row_without_file": {"zh": "没有写文件名", "en": "no file name"},
    "set_row_duplicate": {"zh": "{value} 前面已经有一行，用前面那行", "en": "{value} has a row above, which is used"},
    "set_file_missing": {"zh": "没有 {value} 这个文件", "en": "there is no file {value}"},
    "set_no_captions": {"zh": "整个文件夹都没有说明。先用 caption_folder 写，或者给 prepare 一个 default_caption。",
                        "en": "No picture of the folder has a caption. Write them with caption_folder, or give prepare a default_caption."},
    "set_few": {"zh": "能用的只有 {count} 张，一般至少要 {least} 张。", "en": "{count} pictures can be used; customarily at least {least} are wanted."},
    "set_very_few": {"zh": "能用的只有 {count} 张，太少了，模型很容易死记（一般至少要 {least} 张）。", "en": "Only {count} pictures can be used; a model soon knows so few by heart (customarily at least {least} are wanted)."},
    "set_needs_eyes": {"zh": "水印、写错内容的说明、有没有权使用，程序看不出来，要自己看一遍。", "en": "Watermarks, captions of something else, and rights of use cannot be told by a program: look for yourself."},
    "set_trigger_share": {"zh": "触发词「{word}」：{total} 条说明里有 {count} 条含有。要么全有，要么全没有。", "en": "Trigger word \"{word}\": in {count} of {total} captions. It should be in all or in none."},
    "set_trigger_guess": {"zh": "{total} 条说明里有 {count} 条以「{word}」开头。如果它是触发词，每一条都要有：check(..., trigger_word=\"{word}\")。",
                          "en": "{count} of {total} captions begin with \"{word}\". If that is the trigger word, all should have it: check(..., trigger_word=\"{word}\")."},
    "set_split": {"zh": "训练 {train} 张，验证 {validation} 张", "en": "{train} to train with, {validation} to validate with"},
    "set_prepared": {"zh": "写好了 {out}：训练 {train} 张，验证 {validation} 张", "en": "{out} is written: {train} pictures to train with, {validation} to validate with"},
    "set_scaled": {"zh": "交给 Data-Juicer {asked} 张，量好的有 {back} 张；没有回来、在这里补量的：{lost}",
                   "en": "{asked} pictures were given to Data-Juicer, {back} came back measured; not come back, and measured here: {lost}"},
    "set_sheet": {"zh": "{total} 张中的 {shown} 张；边框：绿 保留，蓝 可修，黄 留意，红 不要", "en": "{shown} of {total}; frames: green keep, blue fix, yellow warn, red drop"},
    "set_sizes_title": {"zh": "各分桶（宽 x 高，训练尺寸 {size} px）里的张数", "en": "Pictures in each bucket (width x height, training at {size} px)"},
    "set_sizes_note": {"zh": "短边 {least} 到 {most} px，居中的是 {middle} px；裁进分桶平均损失面积 {lost:.0f} %，裁成正方形损失 {square:.0f} %",
                       "en": "Short edges from {least} to {most} px, the middle one {middle} px; cropping to buckets costs {lost:.0f} % of the area, cropping to squares {square:.0f} %"},
    "set_lengths_title": {"zh": "说明的长度（token）", "en": "Length of captions (tokens)"},
    "set_distinct": {"zh": "{total} 条说明，{distinct} 种", "en": "{total} captions, {distinct} different ones"},
    "set_words_title": {"zh": "说明里最常见的词（按模型的分词）", "en": "The commonest words of captions (as the model cuts them)"},
    "make_synthesised": {"zh": "画好 {count} 张，连同说明一起放在 {folder}", "en": "{count} pictures and their captions are in {folder}"},
    "make_augmented": {"zh": "{before} 张变成了 {after} 张（其中 {mirrored} 张做了镜像），放在 {folder}", "en": "{before} pictures have become {after} ({mirrored} of them mirrored), in {folder}"},
    "caption_done": {"zh": "写了 {written} 条说明，失败 {failed} 条；原有的 {kept} 条没有动", "en": "{written} captions written, {failed} failed; {kept} that were there were left as they are"},
    "caption_fill_in": {"zh": "有 {failed} 张没写成：在 {table} 的 text 一列里自己写（用 Excel 打开也行），或者用 edit_captions 一张一张写，或者换一个 backend。写好以后用 prepare 整理。",
                        "en": "{failed} could not be written: fill in the column text of {table} yourself (Excel opens it), or write them one by one with edit_captions, or take another backend. After that, prepare makes a set of them."},
    "source_found": {"zh": "{source}：找到 {count} 张；另有 {left_out} 张没有写明许可证，或者许可证不合要求，没有要", "en": "{source}: {count} found; {left_out} more were left out, because they name no licence or another one"},
    "source_brought": {"zh": "下载了 {saved} 张，原来就有 {kept} 张，失败 {failed} 张；作者和许可证写在 {folder} 的 metadata.csv 和 ATTRIBUTION.txt 里",
                       "en": "{saved} downloaded, {kept} were here already, {failed} failed; authors and licences are in metadata.csv and ATTRIBUTION.txt in {folder}"},
    "source_crawled": {"zh": "抓到 {saved} 张，原来就有 {kept} 张，没有要 {failed} 张，放在 {folder}。能抓到不等于能拿来训练：许可证要自己去问",
                       "en": "{saved} pictures fetched, {kept} were here already, {failed} left out, in {folder}. That they could be fetched does not mean that they may be trained on: ask for the licence"},
    "source_rules_many": {"zh": "里面的规则太多（超过 {most} 条）。", "en": "It holds too many rules (more than {most})."},
    "source_attribution_head": {"zh": "这些图片的作者、许可证和出处。分享图片或者用它们训练的模型时，请一并附上。", "en": "Authors, licences and origins of these pictures. Keep this file with them, and with a model trained on them."},
    "source_attribution": {"zh": "《{title}》，作者 {creator}，许可证 {licence}", "en": "\"{title}\" by {creator}, licence {licence}"},
    "source_no_creator": {"zh": "不详", "en": "unknown"},
    "source_no_licence": {"zh": "不详", "en": "unknown"},
    "source_no_training": {"zh": "【不能用于训练】", "en": "[not for training]"},
    "caption_before": {"zh": "上一张", "en": "Previous"},
    "caption_next": {"zh": "保存并看下一张", "en": "Save and next"},
    "caption_save": {"zh": "保存", "en": "Save"},
    "caption_blank": {"zh": "下一张没写说明的", "en": "Next without a caption"},
    "caption_mine": {"zh": "用我写的", "en": "Keep mine"},
    "caption_theirs": {"zh": "用文件里的", "en": "Take the file's"},
    "caption_keys": {"zh": "写完按回车：保存并看下一张。按 Tab 可以走到按钮，按空格按下。", "en": "Press Enter to save and go on. Tab reaches the buttons, the space bar presses them."},
    "caption_place": {"zh": "第 {number} 张，共 {count} 张：{name}（还有 {blank} 张没写）", "en": "{number} of {count}: {name} ({blank} still without a caption)"},
    "caption_saved": {"zh": "{name} 的说明已经写进 metadata.csv", "en": "The caption of {name} is in metadata.csv"},
    "caption_end": {"zh": "已经到头了，写的都保存了", "en": "That was the last one; everything is saved"},
    "caption_none_blank": {"zh": "每一张都有说明了", "en": "Every picture has a caption"},
    "caption_changed": {"zh": "这条说明刚刚被别的程序改过，文件里现在是：{there}。你写的还在上面的框里，用哪一个？", "en": "Another program has just changed this caption; the file now says: {there}. Yours is still in the field above. Which one is to stay?"},
    "make_exercise_unknown": {"zh": "这份数据里没有 {file}。", "en": "there is no {file} in this set."},
    "make_exercise_too_few": {"zh": "删得太多了，只剩 {count} 张；能改的就改，别删。", "en": "too much was dropped, {count} are left; what can be corrected should be."},
    "make_exercise_verdict": {"zh": "{file}：{reason}", "en": "{file}: {reason}"},
    "make_exercise_caption": {"zh": "{file} 的说明和图对不上，裁判看到的是「{subject}」。", "en": "the caption of {file} does not fit its picture; the judge sees \"{subject}\"."},
    "make_exercise_mirror": {"zh": "再想想「{caption}」：镜像以后，这句话还对吗？", "en": "think again about \"{caption}\": is it still true of the mirrored picture?"},
    "make_exercise_licence": {"zh": "{name} 的许可证是「{licence}」，不能随便改、分享和商用。", "en": "{name} has the licence \"{licence}\": it may not freely be changed, shared and sold."},
    "make_exercise_licence_missed": {"zh": "漏了 {name}：它的许可证是「{licence}」，可以用。", "en": "{name} is missing: its licence, \"{licence}\", allows it."},
    "make_exercise_scene": {"zh": "这个场景的说明是「{words}」。", "en": "this scene's description is \"{words}\"."},
}

ERRORS = {
    "set_no_folder": {
        "zh": ("没有 {folder} 这个文件夹。", "要检查的是一个放着原始图片的文件夹。", "核对路径；笔记本里的路径从笔记本所在的文件夹算起。"),
        "en": ("There is no folder {folder}.", "What is checked is a folder of raw pictures.", "Look at the path again; in a notebook it starts at the notebook's own folder.")},
    "set_no_pictures": {
        "zh": ("{folder} 里没有图片。", "看了所有子文件夹，没有 png、jpg、webp 这类文件。", "先把图片放进去；压缩包要先解开。"),
        "en": ("There are no pictures in {folder}.", "All its folders were searched for png, jpg, webp and the like.", "Put pictures there first; an archive has to be unpacked.")},
    "set_cannot_read": {
        "zh": ("{place} 读不了。", "系统的回答是：{cause}。", "核对权限，或者把它移出文件夹。"),
        "en": ("{place} cannot be read.", "The system says: {cause}.", "Look at its permissions, or move it out of the folder.")},
    "set_size": {
        "zh": ("size={size} 不能用。", "size 是训练用的边长，单位像素，8 到 8192 的整数。", "Tiny Kolors 用 {tiny}，完整的 Kolors 用 1024。"),
        "en": ("size={size} cannot be used.", "size is the edge, in pixels, that is trained with: a whole number from 8 to 8192.", "Use {tiny} for Tiny Kolors, 1024 for the full Kolors.")},
    "set_share": {
        "zh": ("validation={share} 不能用。", "它是留作验证的比例，0 到 1 之间，不含 1。", "一般留 0.1；不留就写 0。"),
        "en": ("validation={share} cannot be used.", "It is the share that is kept back: from 0 to below 1.", "0.1 is usual; 0 keeps none back.")},
    "set_no_tokenizer": {
        "zh": ("{place} 里没有能用的分词器。", "说明的长度要用 Kolors 自己的分词器数，文件叫 tokenizer.model。", "去掉 tokenizer，或者写下载好的 Kolors 所在的文件夹。"),
        "en": ("No tokenizer that can be used is in {place}.", "Captions are counted with Kolors' own, a file called tokenizer.model.", "Leave tokenizer out, or give the folder that Kolors was downloaded to.")},
    "set_no_such_file": {
        "zh": ("报告里没有 {file}。", "图片按它在 {folder} 里的路径来叫。", "从 report.rows 里抄一个 file。"),
        "en": ("The report has no {file}.", "A picture goes by its path in {folder}.", "Take a file from report.rows.")},
    "set_no_captions": {
        "zh": ("{folder} 里一条说明都没有，没有写。", "训练要一张图配一条说明。", "先写说明：caption_folder(\"{folder}\")，命令行是 python -m course_lib caption {folder}；或者给 prepare 一个 default_caption（命令行 --default_caption），所有图片用同一句。"),
        "en": ("{folder} holds no captions at all; nothing was written.", "Training takes a picture with a caption.", "Write captions first: caption_folder(\"{folder}\"), or python -m course_lib caption {folder}; or give prepare a default_caption (--default_caption), the same for all.")},
    "set_nothing_left": {
        "zh": ("{folder} 的 {total} 张图片一张也没留下，没有写。", "每一张都有不能用的原因。", "用 check 看原因；训练尺寸 size 是不是写大了？"),
        "en": ("None of the {total} pictures of {folder} is left; nothing was written.", "Each has a reason why it cannot be used.", "Read the reasons with check; is the training size too large?")},
    "set_scale_missing": {
        "zh": ("没有找到装着 Data-Juicer 的 Python：{place}。", "它装的包和课程的版本冲突，所以要放在单独的环境里。",
               "在课程文件夹里运行：python -m venv outputs/scale，再运行 outputs/scale/bin/python -m pip install -r course_lib/dataset/cluster_requirements.txt；别处的环境用环境变量 {variable} 指出。"),
        "en": ("There is no Python with Data-Juicer at {place}.", "Its packages clash with the course's, so it needs an environment of its own.",
               "In the course's folder run: python -m venv outputs/scale, then outputs/scale/bin/python -m pip install -r course_lib/dataset/cluster_requirements.txt; an environment elsewhere is named by the variable {variable}.")},
    "set_scale_engine": {
        "zh": ("engine={engine} 不能用。", "它是 Data-Juicer 里的名字：{known}。", "一台机器或集群都可以用 ray；不要 Ray 就写 default。"),
        "en": ("engine={engine} cannot be used.", "It is one of Data-Juicer's names: {known}.", "Use ray on one machine or a cluster; default does without Ray.")},
    "set_scale_failed": {
        "zh": ("Data-Juicer 没有做完，什么都没有写。", "它最后说的是：{cause}", "核对它的环境（cluster_requirements.txt）和 Ray 的地址；图片不多时 prepare 就够了，结果相同。"),
        "en": ("Data-Juicer did not finish; nothing was written.", "The last it said: {cause}", "Check its environment (cluster_requirements.txt) and Ray's address; for fewer pictures prepare will do, with the same result.")},
    "set_out_inside": {
        "zh": ("{out} 不能用来放结果。", "结果和原始图片 {folder} 不能一个在另一个里面：原始图片不会被改动。", "换一个在原始文件夹外面的位置。"),
        "en": ("{out} cannot take the result.", "The result and the raw pictures in {folder} may not lie in one another: the raw ones are never changed.", "Choose a place outside the raw folder.")},
    "set_out_taken": {
        "zh": ("{out} 里已经有别的东西：{file}。", "它不是课程写的，不会去删。", "换一个新的文件夹，或者自己把它移走。"),
        "en": ("{out} already holds something else: {file}.", "The course did not write it and will not delete it.", "Choose a new folder, or move it away yourself.")},
    "set_out_changed": {
        "zh": ("{out} 里的 {file} 在课程写好之后改过。", "重写会丢掉这些改动，所以没有写。", "要保留改动就换一个文件夹；不要了就删掉这个文件夹。"),
        "en": ("{file} in {out} was changed after the course wrote it.", "Writing again would lose the change, so nothing was written.", "To keep it, choose another folder; if it is not wanted, delete the folder.")},
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
    "make_not_own": {
        "zh": ("没有动 {folder}。", "里面的 {file} 不是 make_messy 写的，或者后来改过；重做这份数据会把它删掉。", "换一个新的文件夹名，或者先把里面的文件移走。"),
        "en": ("{folder} was left alone.", "{file} in it was not written by make_messy, or has been changed since; making the set anew would delete it.", "Name a new folder, or move those files away first.")},
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
        "zh": ("{name} 不是一张完整的图片。", "读到的问题：{cause}。", "用看图软件打开它确认一下；打不开就重新下载或者删掉。能用的格式：PNG、JPEG、WebP、GIF、BMP、TIFF、AVIF。"),
        "en": ("{name} is no whole picture.", "What was wrong: {cause}.", "Try it in a picture viewer; if that cannot open it, download it again or delete it. What can be used: PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF.")},
    "picture_too_large": {
        "zh": ("{name} 自称有 {pixels} 百万像素，太大了，没有打开。", "很小的文件也可以自称有几亿像素，一打开内存就满了。上限是 {most} 百万像素。", "如果真是一张大图，先用别的软件缩小。"),
        "en": ("{name} claims {pixels} million pixels; that is too large, and it was not opened.", "Even a small file can claim hundreds of millions of pixels and fill the memory when it is opened. The limit is {most} million.", "If it really is a large picture, make it smaller with another program first.")},
    "caption_strange": {
        "zh": ("模型没有给出能用的说明。", "它写了 {letters} 个字。", "换一个提示词或者换一个模型，再试这一张。"),
        "en": ("The model gave no usable caption.", "It wrote {letters} letters.", "Try this picture again with another prompt or another model.")},
    "caption_template": {
        "zh": ("模板 {template!r} 用不了。", "触发词和说明都要有位置。", "模板里要写 {{trigger}} 和 {{caption}}，例如 \"{{trigger}}，{{caption}}\"。"),
        "en": ("The template {template!r} cannot be used.", "Trigger word and caption each need a place in it.", "A template holds {{trigger}} and {{caption}}, for example \"{{trigger}}, {{caption}}\".")},
    "caption_no_name": {
        "zh": ("{name} 这个文件名没有说图里是什么。", "相机和软件起的名字（IMG_0001、截图 3）不含内容。", "按内容改名，例如 dog_blue.png；或者换一种写说明的办法：csv、transformers、openai。"),
        "en": ("The file name {name} does not say what the picture shows.", "Names that cameras and programs give (IMG_0001, screenshot 3) hold nothing of the content.", "Rename it by its content, such as dog_blue.png; or use another backend: csv, transformers, openai.")},
    "caption_not_listed": {
        "zh": ("{table} 里没有 {name} 的说明。", "按文件名找，没有找到这一行，或者这一行是空的。", "在表里补上这一行。"),
        "en": ("{table} holds no caption for {name}.", "No row has this file name, or its text is blank.", "Add the row to the table.")},
    "caption_model": {
        "zh": ("{folder} 里的模型打不开。", "读到的问题：{cause}。", "它要是能看图回答的模型（Qwen-VL 这一类），权重是 safetensors；文件不全就重新下载。"),
        "en": ("The model in {folder} cannot be opened.", "What was wrong: {cause}.", "It has to be a model that looks at pictures and answers (Qwen-VL and its like) with weights in safetensors; if files are missing, download it again.")},
    "caption_no_service": {
        "zh": ("不知道要问哪个服务。", "地址和密钥只从环境变量里读，这样密钥不会留在笔记本里。", "启动 Jupyter 之前设好 OPENAI_BASE_URL（以 https:// 开头）和 OPENAI_API_KEY。"),
        "en": ("There is no service to ask.", "Its address and key are read from the environment alone, so that no key stays in a notebook.", "Before starting Jupyter, set OPENAI_BASE_URL (it begins with https://) and OPENAI_API_KEY.")},
    "caption_key_open": {
        "zh": ("没有把密钥发给 {base}。", "这个地址是 http，不加密，路上的任何一台机器都能看到密钥。", "换成 https 的地址；本机的服务用 http://127.0.0.1 可以。"),
        "en": ("The key was not sent to {base}.", "That address is http, which is not encrypted: every machine on the way could read the key.", "Use an https address; a service on this machine may be http://127.0.0.1.")},
    "caption_refused": {
        "zh": ("{base} 拒绝了，状态 {status}。", "401 或 403 是密钥不对或没有权限，404 是模型名不对，429 是问得太多，3xx 是地址写错了。", "核对 OPENAI_BASE_URL、OPENAI_API_KEY 和模型名，过一会儿再试；已经写好的说明都在缓存里，不会重新收费。"),
        "en": ("{base} refused with status {status}.", "401 or 403: the key is wrong or not allowed; 404: no such model; 429: too many questions; 3xx: the address is wrong.", "Check OPENAI_BASE_URL, OPENAI_API_KEY and the model's name, and try again later; captions already written are in the cache and cost nothing again.")},
    "caption_no_answer": {
        "zh": ("{base} 的回答读不懂。", "它不是 OpenAI 聊天接口的格式。", "核对 OPENAI_BASE_URL：通常以 /v1 结尾。"),
        "en": ("The answer of {base} cannot be understood.", "It is not of the form of OpenAI's chat interface.", "Check OPENAI_BASE_URL: it usually ends in /v1.")},
    "source_address": {
        "zh": ("{url} 不是能用的网址。", "只用 http 和 https，网址里不能带用户名和密码。", "核对网址。"),
        "en": ("{url} is no address that can be used.", "Only http and https are, without a user name or password inside.", "Check the address.")},
    "source_private": {
        "zh": ("没有去访问 {url}。", "它指向本机或内网。网上来的链接不该指到那里，这可能是攻击。", "如果真要访问自己的服务器，把它的网址直接写成起始地址。"),
        "en": ("{url} was not visited.", "It leads to this machine or into its network. Links from the web have no business there; it may be an attack.", "If you mean a server of your own, give its address as the starting point yourself.")},
    "source_other_host": {
        "zh": ("{url} 转到了别的网站：{target}。", "密钥和请求只该发给你要问的那个网站。", "核对网址；网站搬家了就用新地址。"),
        "en": ("{url} redirects to another host: {target}.", "Keys and requests are only for the site you meant.", "Check the address; if the site has moved, use the new one.")},
    "source_downgrade": {
        "zh": ("{url} 要转到不加密的 {target}，没有跟过去。", "从 https 退回 http，内容可能在路上被换掉。", "跳过这一张，或者换一个来源。"),
        "en": ("{url} redirects to {target}, which is not encrypted; it was not followed.", "Going back from https to http would let anyone on the way change what arrives.", "Leave this one out, or use another source.")},
    "source_redirects": {
        "zh": ("{url} 转来转去，超过 {most} 次，停了。", "网站设置有问题，或者要求先登录。", "在浏览器里打开看看。"),
        "en": ("{url} redirected more than {most} times; given up.", "The site is misconfigured, or wants a login first.", "Open it in a browser and see.")},
    "source_silent": {
        "zh": ("{url} 没有回答（{cause}）。", "试了几次，等的时间一次比一次长，都没有连上，或者传到一半断了。", "检查网络和代理，过一会儿再试；已经下载好的不会重新下载。"),
        "en": ("{url} did not answer ({cause}).", "It was tried several times with longer and longer pauses; each time the connection failed or broke half-way.", "Check network and proxy, and try again later; what is here already is not downloaded again.")},
    "source_late": {
        "zh": ("{url} 太慢，等了 {seconds} 秒没有收完，不再等。", "它一直不回答，或者每秒只发来几个字节：这样等不到头。", "检查网络和代理，过一会儿再试；还是这样就跳过它。"),
        "en": ("{url} is too slow; after {seconds} seconds it had not answered, and was given up.", "It says nothing, or sends only a few bytes a second: that has no end.", "Check network and proxy and try again later; if it stays so, leave it out.")},
    "source_proxy": {
        "zh": ("这种代理用不了：{proxy}。", "环境变量（HTTP_PROXY、HTTPS_PROXY、ALL_PROXY）或系统设置里的代理不是 http 代理，多半是 socks5。", "代理软件一般同时提供 http 端口：把变量改成 http://127.0.0.1:端口，或者取消这个变量。"),
        "en": ("This kind of proxy cannot be used: {proxy}.", "What the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) or the system's settings name is no http proxy; most often it is socks5.", "Proxy programs usually offer an http port too: set the variable to http://127.0.0.1:PORT, or unset it.")},
    "source_wait": {
        "zh": ("{url} 请我们等 {seconds} 秒再来。", "问得太频繁了，它有次数限制。", "过了这段时间再运行一次，会接着下载。"),
        "en": ("{url} asks us to come back in {seconds} seconds.", "There were too many requests; it has a limit.", "Run this again after that time; it goes on where it stopped.")},
    "source_busy": {
        "zh": ("{url} 说请求太多（状态 {status}）。", "每个网站都有次数限制：Openverse 不登录是每分钟 20 次、每天 200 次。", "过一会儿再运行，会接着下载；一次少要一些。"),
        "en": ("{url} says there were too many requests (status {status}).", "Every site has limits; Openverse's, without an account, are 20 a minute and 200 a day.", "Run this again later; it goes on where it stopped. Ask for fewer at a time.")},
    "source_key": {
        "zh": ("{url} 不让访问（状态 {status}）。", "密钥不对、过期了，或者这样的请求要登录（Openverse 不登录时一页最多 20 张）。", "核对密钥；没有密钥就少要一些。"),
        "en": ("{url} does not let us in (status {status}).", "The key is wrong or has expired, or such a request needs an account (Openverse without one: at most 20 a page).", "Check the key; without one, ask for less.")},
    "source_gone": {
        "zh": ("{url} 没有了（状态 {status}）。", "作者删掉了，或者网址变了。", "跳过它，用别的。"),
        "en": ("{url} is gone (status {status}).", "Its author has deleted it, or the address has changed.", "Leave it out and use another.")},
    "source_status": {
        "zh": ("{url} 回答了状态 {status}。", "服务器出了问题，或者不接受这样的请求。", "过一会儿再试。"),
        "en": ("{url} answered with status {status}.", "The server has a problem, or does not take such a request.", "Try again later.")},
    "source_too_large": {
        "zh": ("{url} 超过了 {most} kB，没有收完。", "太大的内容会占满内存和磁盘。", "跳过它；确实需要的话自己在浏览器里下载。"),
        "en": ("{url} is larger than {most} kB; it was not received to the end.", "What is too large fills memory and disk.", "Leave it out; if you do need it, download it in a browser yourself.")},
    "source_packed": {
        "zh": ("{url} 发来的是压缩过的内容，没有收。", "我们要的是不压缩的；很小的压缩包可以解出极大的内容。", "跳过它，或者换一个来源。"),
        "en": ("{url} sent packed content, which was not taken.", "It was asked for as it is; a small packed body can unpack to a huge one.", "Leave it out, or use another source.")},
    "source_contact": {
        "zh": ("没有能用的联系方式：{contact!r}。", "维基共享资源和有礼貌的爬虫都要说明自己是谁，网站有意见时才找得到人；请求头里只能用英文字母。", "写上你的邮箱或主页：contact=\"name@example.org\"，或者设环境变量 COURSE_CONTACT。"),
        "en": ("There is no usable contact: {contact!r}.", "Wikimedia Commons, and every polite crawler, says who it is, so that a site can complain to someone; a request's head can hold only ASCII letters.", "Give your mail address or page: contact=\"name@example.org\", or set the environment variable COURSE_CONTACT.")},
    "source_purpose": {
        "zh": ("{source} 的图片没有下载。", "它的接口规则写明不许用来做训练数据：Unsplash 把「训练 AI 模型」列在禁止之列，Pexels 要求不要用接口建数据集或训练模型，除非另有书面许可。",
               "训练用的图请换 openverse 或 commons。如果只是展示、附上作者名、不拿去训练，写 purpose=\"display\" 确认。"),
        "en": ("Nothing was downloaded from {source}.", "The rules of its interface forbid training: Unsplash lists \"training AI models\" among what must not be done, Pexels says not to build datasets or train models through it without written permission.",
               "For training take openverse or commons. If the pictures are only to be shown, with their authors' names, and never trained on, confirm that with purpose=\"display\".")},
    "source_no_key": {
        "zh": ("没有密钥，没法问这个网站。", "密钥只从环境变量 {variable} 里读，这样它不会留在笔记本里。", "到它的开发者页面申请一个，启动 Jupyter 之前设好 {variable}。"),
        "en": ("This site cannot be asked without a key.", "The key is read from the environment variable {variable} alone, so that it does not stay in a notebook.", "Get one from its page for developers and set {variable} before starting Jupyter.")},
    "source_said": {
        "zh": ("{source} 没有给结果。", "它说：{words}。", "照它说的改；如果是请求太多，过一会儿再来。"),
        "en": ("{source} gave no result.", "It said: {words}.", "Do as it says; if there were too many requests, come back later.")},
    "source_strange": {
        "zh": ("{source} 的回答读不懂（{kind}）。", "收到的不是说好的 JSON，多半是登录页、维护页，或者接口变了。", "在浏览器里打开这个网站看看；连着公共无线网的话先登录。"),
        "en": ("The answer of {source} cannot be understood ({kind}).", "It is not the JSON that was agreed on: most likely a login or maintenance page, or its interface has changed.", "Open the site in a browser; on a public network, log in first.")},
    "source_no_picture": {
        "zh": ("收到的不是图片，而是 {kind}。", "网站回了一个网页：可能要登录，也可能图已经删了。", "跳过这一张，或者在浏览器里打开看看。"),
        "en": ("What came is no picture but {kind}.", "The site sent a page: it may want a login, or the picture is gone.", "Leave it out, or open it in a browser.")},
    "source_robots": {
        "zh": ("没有抓 {url}。", "网站的 robots.txt 或页面上的声明不许程序读它，或者它在别的网站上。", "尊重它。确实需要的话，直接写信向网站要。"),
        "en": ("{url} was not fetched.", "The site's robots.txt, or a note on the page, asks robots not to read it; or it is on another host.", "Respect that. If you do need it, write to the site and ask.")},
    "source_robots_unread": {
        "zh": ("读不到 {site} 的 robots.txt，所以什么也没有抓。", "{cause} 不知道网站允不允许，就当作不允许。", "过一会儿再试。"),
        "en": ("The robots.txt of {site} could not be read, so nothing was fetched.", "{cause} As long as it is unknown what the site allows, nothing is taken to be allowed.", "Try again later.")},
    "source_slow": {
        "zh": ("{site} 要求每次隔 {seconds} 秒，没有抓。", "隔这么久，等于说它不欢迎程序。", "换一个来源，或者写信向网站要。"),
        "en": ("{site} wants {seconds} seconds between requests; nothing was fetched.", "A pause that long says that robots are not welcome.", "Use another source, or write to the site and ask.")},
}
