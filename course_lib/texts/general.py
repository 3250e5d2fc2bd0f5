"""Words that every part of the course uses."""

TEXTS = {
    "error_labels": {"zh": "出了什么事：|为什么：|下一步：", "en": "What happened: |Why: |Next step: "},
    "list_comma": {"zh": "、", "en": ", "},
    "yes": {"zh": "能", "en": "yes"},
    "no": {"zh": "不能", "en": "no"},
    "none": {"zh": "没有", "en": "none"},
    "none_of_these": {"zh": "都不是", "en": "none of them"},
    "cost_seconds": {"zh": "要画 {pictures} 张图，调用模型 {calls} 次，最多约 {seconds:.0f} 秒",
                     "en": "{pictures} pictures, {calls} model calls, about {seconds:.0f} s at most"},
}

ERRORS: dict[str, dict[str, tuple[str, str, str]]] = {}
