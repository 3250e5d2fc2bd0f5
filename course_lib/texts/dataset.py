"""Preparing a data set: verdicts, reasons, sources."""

TEXTS = {
    "make_synthesised": {"zh": "画好 {count} 张，连同说明一起放在 {folder}", "en": "{count} pictures and their captions are in {folder}"},
    "picture_none": {"zh": "里面的内容不是图片", "en": "its content is no picture"},
    "make_augmented": {"zh": "{before} 张变成了 {after} 张（其中 {mirrored} 张做了镜像），放在 {folder}", "en": "{before} pictures have become {after} ({mirrored} of them mirrored), in {folder}"},
    "caption_done": {"zh": "写了 {written} 条说明，失败 {failed} 条；原有的 {kept} 条没有动", "en": "{written} captions written, {failed} failed; {kept} that were there were left as they are"},
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
}
