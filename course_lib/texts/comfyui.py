"""Workflows, nodes, and the real ComfyUI."""

TEXTS = {
    "graph_no_class": {"zh": "节点 {id} 没有写 class_type，已跳过。", "en": "Node {id} names no class_type and is left out."},
    "graph_no_nodes": {"zh": "有 {count} 项不是节点（没有 type），已跳过。", "en": "{count} entries are no nodes (without a type) and are left out."},
    "graph_same_id": {"zh": "编号 {id} 出现了两次，或者没有编号：后一个节点（{type}）换了新编号。",
                      "en": "The id {id} is there twice, or missing: the later node ({type}) gets a new one."},
    "graph_link_nowhere": {"zh": "节点 {id}（{type}）的输入 {input} 连到了节点 {source} 上不存在的输出，这条连线已去掉。",
                           "en": "Input {input} of node {id} ({type}) is linked to an output that node {source} does not have; that link is left out."},
    "graph_circle": {"zh": "连线绕成了一个圈：{ids}。", "en": "The links form a circle: {ids}."},
    "graph_more": {"zh": "另外还有 {count} 个问题。", "en": "And {count} more problems."},
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
        "zh": ("图片 {name} 里没有工作流。", "ComfyUI 把工作流写在 PNG 的 workflow 和 prompt 文字块里；截图、转换格式或在聊天软件里发送后，它们就丢了。",
               "找到 ComfyUI 保存的 PNG 原图，或者直接打开工作流的 JSON 文件。"),
        "en": ("The picture {name} holds no workflow.", "ComfyUI writes it to the PNG's text chunks workflow and prompt; a screenshot, a conversion or a chat program drops them.",
               "Find the original PNG that ComfyUI saved, or open the workflow's JSON file."),
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
    "graph_reroute_circle": {
        "zh": ("节点 {id}（{type}）的输入 {input} 没有来源。", "它的连线经过转接点（Reroute）或被绕过的节点，又回到了原处，绕成一个圈。", "在 ComfyUI 里把这个圈断开，重新连线。"),
        "en": ("Input {input} of node {id} ({type}) comes from nowhere.", "Its link runs through reroutes or bypassed nodes back to where it was: a circle.",
               "Break the circle in ComfyUI and link it again."),
    },
    "graph_subgraph_circle": {
        "zh": ("子图「{name}」包含它自己。", "节点 {id} 展开后又是同一个子图，永远展不完。", "在 ComfyUI 里把它从自己里面删掉。"),
        "en": ("The subgraph \"{name}\" holds itself.", "Node {id} unfolds to the same subgraph again, without an end.", "Take it out of itself in ComfyUI."),
    },
}
