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
    "exercise_part": {"zh": "答案是这几个名字之一：{parts}。", "en": "the answer is one of: {parts}."},
    "exercise_smaller": {"zh": "{part} 有 {count:,} 个参数，还有比它大的。", "en": "{part} has {count:,} parameters; another has more."},
}

ERRORS = {}
