"""The answers of the exercises."""

TEXTS = {
    "exercise_right": {"zh": "✔ 做对了！", "en": "✔ Right!"},
    "exercise_not_yet": {"zh": "还差一点：{hint}", "en": "Not yet: {hint}"},
    "exercise_shows": {"zh": "裁判在图里看到的是「{subject}」，背景是{ground}。",
                       "en": "the judge sees \"{subject}\" on a {ground} ground."},
    "exercise_same_picture": {"zh": "两张图一模一样，换一个种子再画。", "en": "both pictures are the same; draw with another seed."},
    "exercise_other_thing": {"zh": "裁判看到的不是同一种东西：{first} 和 {second}。",
                             "en": "the judge sees two different things: {first} and {second}."},
    "exercise_too_small": {"zh": "{answer} 太小了。", "en": "{answer} is too small."},
    "exercise_too_large": {"zh": "{answer} 太大了。", "en": "{answer} is too large."},
    "exercise_no_chinese": {"zh": "句子里有汉字，换成英文试试。", "en": "There are Chinese characters in it; use English."},
    "exercise_unlike": {"zh": "相似度 {likeness:.2f}，要到 {least:.1f}。", "en": "The likeness is {likeness:.2f}; it has to reach {least:.1f}."},
    "exercise_story_same": {"zh": "场景 {first} 和 {second} 是同一张图。", "en": "scenes {first} and {second} are one picture."},
    "exercise_story_scene": {"zh": "场景 {number}：裁判看到的是「{subject}」，背景是{ground}。",
                             "en": "scene {number}: the judge sees \"{subject}\" on a {ground} ground."},
    "exercise_story_style": {"zh": "八张里只有 {count} 张是{style}。", "en": "only {count} of eight are {style}."},
    "exercise_no_picture": {"zh": "运行完了，但没有图：工作流最后要有 SaveImage 或 PreviewImage。",
                            "en": "It ran, but gave no picture: a workflow ends in SaveImage or PreviewImage."},
    "exercise_stopped": {"zh": "{what}", "en": "{what}"},
    "exercise_part": {"zh": "答案是这几个名字之一：{parts}。", "en": "the answer is one of: {parts}."},
    "exercise_smaller": {"zh": "{part} 有 {count:,} 个参数，还有比它大的。", "en": "{part} has {count:,} parameters; another has more."},
}

ERRORS: dict[str, dict[str, tuple[str, str, str]]] = {}
