"""Stories in eight pictures: scenes, scores, choosing, the page, publishing, the demo."""

TEXTS = {
    "story_birthday": {  # the title, then a caption a line
        "zh": "小猫的生日\n"
              "七点钟，闹钟响了。今天是小猫的生日！\n"
              "小猫醒来，家里静悄悄的，一个人也没有。\n"
              "外面下着雨。它撑起伞，去找朋友们。\n"
              "公交车带着它穿过整座城市。\n"
              "街角的房子亮着灯，门没有锁。\n"
              "“生日快乐！”原来大家都躲在蛋糕后面。\n"
              "还有一份礼物，系着大大的蝴蝶结。\n"
              "里面只有一张卡片：我们爱你。",
        "en": "The cat's birthday\n"
              "Seven o'clock: the alarm rings. It is the cat's birthday!\n"
              "The cat wakes up. The house is quiet; nobody is there.\n"
              "It rains. The cat takes an umbrella and goes to look for its friends.\n"
              "A bus carries it through the whole town.\n"
              "There is light in the house at the corner, and the door is open.\n"
              "\"Happy birthday!\" They were all hiding behind a cake.\n"
              "And there is a present with a large bow.\n"
              "In it is nothing but a card: we love you."},
    "story_moon": {  # the title, then a caption a line
        "zh": "去月亮的路\n"
              "小兔子每天晚上都望着天空。\n"
              "它想：月亮上住着谁呢？\n"
              "有一天，它在草丛里捡到一把钥匙。\n"
              "钥匙打开的，是一枚真正的火箭！\n"
              "星星一颗一颗从窗外飞过。\n"
              "住在月亮上的，是一只老猫头鹰。\n"
              "它在那里种满了胡萝卜，正愁没人吃。\n"
              "吃饱了，小兔子坐着彩虹滑回了家。",
        "en": "The way to the moon\n"
              "Every night the rabbit looks up at the sky.\n"
              "Who lives on the moon, it wonders?\n"
              "One day it finds a key in the grass.\n"
              "And what does it open? A real rocket!\n"
              "One star after another flies past the window.\n"
              "On the moon there lives an old owl.\n"
              "It grows carrots there, and nobody to eat them.\n"
              "When it has eaten its fill, the rabbit slides home on a rainbow."},
    "story_camp": {  # the title, then a caption a line
        "zh": "紫发女孩的歌手梦\n"
              "无聊的下午，她坐在沙发上发呆。\n"
              "那天晚上，她去听了一场演唱会。\n"
              "台上的光照进了她的眼睛。\n"
              "流星划过，她许了一个愿。\n"
              "从此她每天练习。\n"
              "一年又一年，头发长长了。\n"
              "试衣间里，她的心怦怦直跳。\n"
              "灯亮了，轮到她唱了。",
        "en": "The girl who wanted to sing\n"
              "A dull afternoon on the sofa.\n"
              "That evening she went to a concert.\n"
              "The light of the stage shone in her eyes.\n"
              "A star fell, and she made a wish.\n"
              "From then on she practised every day.\n"
              "Year after year; her hair grew long.\n"
              "In the dressing room her heart beat fast.\n"
              "The lights went on, and it was her turn to sing."},
    "story_score_row": {"zh": "{name}　{value}　{meaning}", "en": "{name:12} {value:>5}   {meaning}"},
    "story_score_style": {"zh": "画风", "en": "style"},
    "story_score_subject": {"zh": "东西", "en": "subject"},
    "story_score_ground": {"zh": "背景", "en": "ground"},
    "story_score_distance": {"zh": "距离", "en": "distance"},
    "story_score_consistency": {"zh": "统一", "en": "consistency"},
    "story_score_variety": {"zh": "变化", "en": "variety"},
    "story_meaning_style": {"zh": "几成是要的画风", "en": "share in the wanted style"},
    "story_meaning_subject": {"zh": "几成画出了要的东西", "en": "share with the wanted subject"},
    "story_meaning_ground": {"zh": "几成是要的背景", "en": "share on the wanted ground"},
    "story_meaning_distance": {"zh": "离最近的真图多远：0 最好，1 等于没画", "en": "to the nearest true picture: 0 best, 1 nothing drawn"},
    "story_meaning_consistency": {"zh": "八张的画风有多一致：1 最一致", "en": "how alike the styles are: 1 is one style"},
    "story_meaning_variety": {"zh": "八个场景差多少：0 是同一张图", "en": "how different the scenes are: 0 is one picture"},
    "story_candidate": {"zh": "场景 {scene}，seed {seed}：{file}", "en": "scene {scene}, seed {seed}: {file}"},
    "story_scene": {"zh": "{number}. {caption}", "en": "{number}. {caption}"},
    "story_note": {"zh": "为什么选它？（可以不写）", "en": "Why this one? (optional)"},
    "story_keep": {"zh": "留下这一张", "en": "keep this one"},
    "story_gone": {"zh": "文件不见了", "en": "its file is gone"},
    "story_chosen": {"zh": "选好了 {done}/{count} 个场景；都已经存盘。", "en": "{done} of {count} scenes have their picture; everything is on the disk."},
    "story_how": {"zh": "每张图是怎么画的", "en": "How each picture was made"},
    "story_letters": {"zh": "提示：图上的字体里没有这些字，会显示成空框，换个说法吧：{letters}",
                      "en": "Note: the font lacks these letters, which would be empty boxes; say it in other words: {letters}"},
    "story_card_training": {"zh": "训练", "en": "Training"},
    "story_card_data": {"zh": "数据和许可", "en": "Data and licences"},
    "story_card_story": {"zh": "故事", "en": "Story"},
    "story_card_scores": {"zh": "得分", "en": "Scores"},
    "story_card_own_data": {
        "zh": "课程自带的图：Fluent Emoji（Microsoft，MIT）和 Noto Emoji（Google，Apache-2.0）的矢量图，按规则拼在纯色背景上。",
        "en": "The course's own pictures: vector drawings of Fluent Emoji (Microsoft, MIT) and Noto Emoji (Google, Apache-2.0), composed by rule on plain grounds."},
    "demo_title": {"zh": "小可图 + {name}", "en": "Tiny Kolors + {name}"},
    "demo_words": {"zh": "一个 LoRA 的演示。触发词：{trigger}。小可图只会画 64 种东西、十种背景；写法照着下面的例子。",
                   "en": "A demo of a LoRA. Trigger word: {trigger}. Tiny Kolors draws 64 subjects on ten grounds; write like the examples below."},
    "story_choose_help": {"zh": "（运行这一格，就能给每个场景点一张图留下来。）", "en": "(Run this cell to choose a picture for each scene by a click.)"},
}

ERRORS = {
    "story_not_eight": {
        "zh": ("故事要有 {wanted} 个场景。", "这里有 {count} 个。", "写成 {wanted} 行，每行三样：画的东西、背景、说明。"),
        "en": ("A story has {wanted} scenes.", "There are {count} here.", "Write {wanted} rows of three: subject, ground, caption.")},
    "story_row": {
        "zh": ("第 {number} 个场景写得不对。", "它是 {row}，不是三样东西。", "写成 (\"小猫\", \"蓝色\", \"说明\") 这样。"),
        "en": ("Scene {number} is not written right.", "It is {row}, not three things.", "Write it like (\"cat\", \"blue\", \"caption\").")},
    "story_words": {
        "zh": ("{name} 不能用。", "它有 {count} 个字；要有 1 到 {most} 个。", "写短一点，也不要空着。"),
        "en": ("This {name} cannot be used.", "It has {count} letters; 1 to {most} are allowed.", "Write less, and do not leave it empty.")},
    "story_unknown": {
        "zh": ("第 {number} 个场景：「{words}」小可图不会画。", "能用的是：{known}。", "换成其中一个。"),
        "en": ("Scene {number}: Tiny Kolors cannot draw \"{words}\".", "It knows: {known}.", "Take one of these.")},
    "story_twice": {
        "zh": ("第 {first} 个和第 {second} 个场景是同一张图。", "东西和背景都一样，看的人分不出来。", "换掉其中一个的东西或背景。"),
        "en": ("Scenes {first} and {second} would be the same picture.", "Subject and ground are alike; nobody could tell them apart.",
               "Change the subject or the ground of one.")},
    "story_none": {
        "zh": ("这不是一个故事。", "它是 {kind}。", "用 STORIES[\"birthday\"]、STORIES[\"moon\"]，或 make_story(...) 自己写一个。"),
        "en": ("This is no story.", "It is a {kind}.", "Use STORIES[\"birthday\"], STORIES[\"moon\"], or write one with make_story(...).")},
    "story_pictures": {
        "zh": ("故事有 {wanted} 个场景，图有 {count} 张。", "每个场景要正好一张图。", "先用 choose(...) 给每个场景选好一张。"),
        "en": ("The story has {wanted} scenes, and there are {count} pictures.", "Every scene needs exactly one.",
               "Choose one for each scene first: choose(...).")},
    "aesthetics_broken": {
        "zh": ("美学打分模型打不开。", "{folder}：{cause}", "里面要有 config.json、preprocessor_config.json 和 model.safetensors（或 pytorch_model.bin）；不全就删掉这个文件夹，重新下载。"),
        "en": ("The aesthetics predictor cannot be opened.", "{folder}: {cause}",
               "It needs config.json, preprocessor_config.json and model.safetensors (or pytorch_model.bin); if not, delete the folder and fetch it again.")},
    "story_seeds": {
        "zh": ("种子不对。", "有 {count} 个；要 1 到 {most} 个，不能重复。", "例如 seeds=range(4)。"),
        "en": ("These seeds cannot be used.", "There are {count}; 1 to {most} are allowed, each once.", "Write seeds=range(4), say.")},
    "story_notes_broken": {
        "zh": ("选图的记录读不懂，没有动它。", "{file}：{cause}", "用文本编辑器改好；或者给它改个名字，再选一遍（图都还在）。"),
        "en": ("The notes of your choice cannot be read; they were left as they are.", "{file}: {cause}",
               "Mend the file in a text editor, or rename it and choose again; all pictures are still there.")},
    "story_candidate_elsewhere": {
        "zh": ("这张图不能留下。", "{file} 不在 {folder} 里，或者已经不见了。", "先用 draw_candidates(...) 画到这个文件夹里。"),
        "en": ("This picture cannot be kept.", "{file} is not in {folder}, or is gone.", "Draw it into this folder first: draw_candidates(...).")},
    "story_unchosen": {
        "zh": ("还有场景没有选图：{scenes}。", "每个场景都要留下一张，而且文件还在。", "在 choose(...) 里给它们各点一张。"),
        "en": ("These scenes have no picture yet: {scenes}.", "Each scene needs one that is kept and whose file is there.",
               "Click one for each in choose(...).")},
    "demo_taken": {
        "zh": ("没有写演示：{folder} 里已经有别的文件。", "演示要一个空文件夹，或者它自己以前写的那个。", "换一个文件夹名。"),
        "en": ("The demo was not written: {folder} holds other files.", "It needs an empty folder, or one that it wrote before.",
               "Name another folder.")},
    "story_no_settings": {
        "zh": ("{file} 里读不出设置。", "{cause}", "留下由 draw_candidates(...) 画的图；被别的程序重新存过的图，设置会丢。"),
        "en": ("The settings cannot be read from {file}.", "{cause}",
               "Keep a picture that draw_candidates(...) drew; one that another program saved anew has lost its settings.")},
}
