"""Downloading, publishing, and what can go wrong on the way."""

TEXTS = {
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
    "download_aside": {"zh": "注意：{file} 和下载时不一样了；原来位置上的改名为 {aside}，重新下载一份。",
                       "en": "Note: {file} is not as it was downloaded; what was there is now called {aside}, and it comes anew."},
    "download_unverified": {"zh": "注意：仓库没有给出这些文件的校验和，只能核对大小：{files}",
                            "en": "Note: the repository gives no checksum for these files, so only their size was checked: {files}"},
    "download_changed": {"zh": "注意：{name} 在你上次下载之后改过这些文件：{files}",
                         "en": "Note: {name} has changed these files since you last downloaded it: {files}"},
    "publish_plan": {"zh": "发布到 {address}（公开，所有人可见）：{files}", "en": "Publishing to {address} (public, everyone can see it): {files}"},
    "publish_dry": {"zh": "试运行：下面这些会公开到 {address}，现在什么也没有发出去。", "en": "Dry run: this would become public at {address}; nothing has been sent."},
    "publish_dry_file": {"zh": "  {name}  {size:,.1f} kB", "en": "  {name}  {size:,.1f} kB"},
    "publish_dry_card": {"zh": "模型卡 README.md：\n\n{card}", "en": "The model card, README.md:\n\n{card}"},
    "publish_done": {"zh": "已发布并核对：{address}", "en": "Published and checked: {address}"},
    "proxy_of_system": {"zh": "系统设置", "en": "system settings"},
    "publish_no_picture": {"zh": "提示：{file} 没有发布，它不是能打开的图片（{cause}）。", "en": "Note: {file} is not published; it is no picture that can be opened ({cause})."},
    "publish_no_agreement": {
        "zh": "注意：没有找到 Kolors 的许可协议 MODEL_LICENSE。协议要求随 LoRA 附上一份：把它放进 {folder} 再发布一次。",
        "en": "Note: Kolors' agreement, MODEL_LICENSE, was not found. It asks to be passed on with a LoRA: put a copy into {folder} and publish again."},
    "lora_card": {
        "zh": "# {title}\n\n"
              "这是一个 LoRA：只含训练出的小矩阵，不含基础模型的权重。\n\n"
              "| | |\n|---|---|\n"
              "| 基础模型 | {base} |\n| rank | {rank} |\n| alpha | {alpha} |\n| 触发词 | {trigger} |\n\n{more}"
              "## 许可\n\n{origin}\n\n{licence}\n",
        "en": "# {title} (English)\n\n"
              "This is a LoRA: it holds the small trained matrices, not the base model's weights.\n\n"
              "| | |\n|---|---|\n"
              "| base model | {base} |\n| rank | {rank} |\n| alpha | {alpha} |\n| trigger word | {trigger} |\n\n{more}"
              "## Licence\n\n{origin}\n\n{licence}\n"},
    "lora_origin_kolors": {
        "zh": "它由 Kolors（快手可图，<https://modelscope.cn/models/Kwai-Kolors/Kolors>）的权重训练而来，改动只有这些 LoRA 矩阵；使用它要遵守 Kolors 的许可协议。",
        "en": "It was trained from the weights of Kolors (Kuaishou, <https://modelscope.cn/models/Kwai-Kolors/Kolors>); these LoRA matrices are the only change. Whoever uses it is bound by Kolors' agreement."},
    "lora_origin_tiny": {
        "zh": "它由课程自带的 Tiny Kolors（Apache-2.0）训练而来，没有用到 Kolors（<https://modelscope.cn/models/Kwai-Kolors/Kolors>）的权重。使用 Kolors 的权重要遵守它的协议：",
        "en": "It was trained from the course's Tiny Kolors (Apache-2.0), not from the weights of Kolors (<https://modelscope.cn/models/Kwai-Kolors/Kolors>). Whoever uses those is bound by their agreement:"},
}

ERRORS = {
    "unknown_model": {
        "zh": ("没有叫「{name}」的模型。", "课程自己的名字是：{known}。ModelScope 上的其他模型写成「所有者/名字」，数据集写成「datasets/所有者/名字」。",
               "改成 tiny（load(\"tiny\")），或把名字写完整，例如 Kwai-Kolors/Kolors-diffusers。"),
        "en": ("There is no model called \"{name}\".",
               "The course's own names are: {known}. Another model on ModelScope is owner/name, a data set is datasets/owner/name.",
               "Use tiny, as in load(\"tiny\"), or the whole name, such as Kwai-Kolors/Kolors-diffusers."),
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
    "proxy_no_socks": {
        "zh": ("代理用不了：缺少 SOCKS 的支持。", "环境里写着 {proxy}，而 requests 要有 PySocks 这个包才能走 SOCKS 代理。",
               "运行 pip install pysocks，重启笔记本；或改用 http:// 开头的代理，或去掉这个变量。"),
        "en": ("The proxy cannot be used: support for SOCKS is missing.", "The environment says {proxy}, and requests needs the package PySocks for a SOCKS proxy.",
               "Run pip install pysocks and restart the notebook; or name a proxy that begins with http://, or unset the variable."),
    },
    "proxy_malformed": {
        "zh": ("代理的地址写错了。", "环境里写着 {proxy}：{cause}", "写成 http://主机:端口，或去掉这个变量。"),
        "en": ("The proxy's address is wrong.", "The environment says {proxy}: {cause}", "Write http://host:port, or unset the variable."),
    },
    "proxy_login": {
        "zh": ("代理要求登录。", "{proxy} 回答 407：用户名或密码没有写，或不对。", "写成 http://用户名:密码@主机:端口；或换一个代理。"),
        "en": ("The proxy wants a login.", "{proxy} answers 407: user name and password are missing or wrong.",
               "Write http://user:password@host:port, or take another proxy."),
    },
    "proxy_fails": {
        "zh": ("代理不通，连不上 {endpoint}。", "请求要经过 {proxy}，它没有接通：{cause}", "检查代理程序是否开着、地址和端口对不对；不需要代理的话，去掉这个变量（unset）再运行。"),
        "en": ("The proxy fails, so {endpoint} cannot be reached.", "Requests go through {proxy}, which does not connect: {cause}",
               "See whether the proxy's program runs and its address and port are right; if no proxy is needed, unset the variable and run this again."),
    },
    "no_network": {
        "zh": ("没有网络，不能下载「{name}」。", "这台机器找不到 {endpoint}：没有联网，或者需要设置代理。",
               "连上网络再运行一次（已下载的会保留）；没有网络时可以先用 load(\"tiny\")。"),
        "en": ("There is no network to download \"{name}\" by.", "This machine cannot find {endpoint}: it is offline, or needs a proxy.",
               "Connect it and run this again (what is here stays); without a network, load(\"tiny\") works."),
    },
    "certificate_refused": {
        "zh": ("不能确认 {endpoint} 的身份，没有下载。", "它的证书通不过检查（{cause}）。常见的原因：单位的网络或代理换上了自己的证书，或电脑的时间不对。",
               "先看电脑的日期和时间；在单位的网络里，向管理员要根证书文件，设置环境变量 REQUESTS_CA_BUNDLE=证书文件。"),
        "en": ("Nothing was downloaded: {endpoint} cannot be told to be what it says.",
               "Its certificate does not pass ({cause}). Often a company's network or proxy puts its own in place, or the computer's clock is wrong.",
               "See whether date and time are right; in a company's network ask for its root certificate and set REQUESTS_CA_BUNDLE to that file."),
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
    "folder_not_ours": {
        "zh": ("没有下载到 {folder}。", "这个文件夹里已经有别的文件，下载会覆盖同名的文件。", "换一个空文件夹：fetch(..., folder=\"新文件夹\")；不写 folder 则放进缓存。"),
        "en": ("Nothing was downloaded to {folder}.", "Other files are in this folder, and a download would replace those of the same names.",
               "Choose an empty folder, fetch(..., folder=\"a new folder\"), or leave folder out to use the cache."),
    },
    "file_not_ours": {
        "zh": ("没有下载：{folder} 里已经有一个不同的 {file}。", "它不是 fetch 下载的，下载会覆盖它。", "把它移走或改名，或换一个空文件夹。"),
        "en": ("Nothing was downloaded: {folder} holds another {file}.", "It is none that fetch downloaded, and would be replaced.",
               "Move or rename it, or choose an empty folder."),
    },
    "lfs_pointer": {
        "zh": ("{file} 只是 Git LFS 的指针，不是文件本身。", "它只有一百多个字节，记着真正文件的校验和；克隆仓库时没有装 git-lfs，真正的内容就没有下载。",
               "安装 git-lfs，在那个仓库里运行 git lfs pull；或到网页上下载这个文件，放到原来的位置。"),
        "en": ("{file} is only a Git LFS pointer, not the file itself.",
               "It has some hundred bytes with the real file's checksum: the repository was cloned without git-lfs, so the content never came.",
               "Install git-lfs and run git lfs pull in that repository; or download the file from its page and put it here."),
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
    "secret_odd": {
        "zh": ("{name} 里有不能用的字符。", "密钥和令牌只含看得见的英文字母、数字和符号；复制时混进了中文、换行或看不见的字符。", "重新复制一次，只粘贴密钥本身。"),
        "en": ("{name} holds letters that cannot be sent.", "Keys and tokens are made of visible ASCII letters; a line break, an invisible or another letter came along when it was copied.",
               "Copy it once more, and paste the key alone."),
    },
    "token_open": {
        "zh": ("没有发布：令牌会不加密地送出去。", "{endpoint} 不是 https，路上的人都能读到令牌。", "把 MODELSCOPE_ENDPOINT 改成 https:// 开头的地址，或去掉它。"),
        "en": ("Nothing was published: the token would be sent in the open.", "{endpoint} is no https address; whoever is on the way could read it.",
               "Set MODELSCOPE_ENDPOINT to an address that begins with https://, or unset it."),
    },
    "publish_link": {
        "zh": ("没有发布：{file} 是一个链接。", "链接可能指向这个文件夹之外的文件，那个文件就会公开。", "要发布它，就把文件本身复制进来；否则删掉这个链接。"),
        "en": ("Nothing was published: {file} is a link.", "It may lead to a file outside this folder, which would become public.",
               "Copy the file itself here to publish it, or delete the link."),
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
    "publish_no_demo": {
        "zh": ("{folder} 不是演示文件夹。", "里面没有 {file}。", "先用 demo(...) 写出来，再发布那个文件夹。"),
        "en": ("{folder} is no folder of a demo.", "It has no {file}.", "Write it with demo(...) first, and publish that folder."),
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
}
