"""Stories as data: eight scenes, each a subject on a ground with a caption; or each a prompt, for a model that can more.

Tiny Kolors draws one subject on a plain ground and no action, so the captions tell what happens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from course_lib.checks import check_choice, check_text
from course_lib.messages import error, language, text
from course_lib.pictures import emoji, wording

SCENES = 8  # what the contest asks for
MOST_LETTERS = 200  # of a caption or a title


@dataclass(frozen=True)
class StoryScene:
    """One scene: subject and ground by their names in `emoji`, its caption in zh and en.

    A scene with a `prompt` of its own is drawn by that; subject and ground are then "" and are not judged.
    """

    subject: str
    ground: str
    captions: tuple[str, str]
    prompt: str = ""

    @property
    def caption(self) -> str:
        """Return the caption in the learner's language."""
        return self.captions[language() == "en"]

    def word(self, style: str) -> str:
        """Return the Chinese prompt of this scene in a style of `emoji.STYLES`; its own one if it has one."""
        if self.prompt:
            return self.prompt
        thing = emoji.subjects()[self.subject]
        return f"一{thing['measure']}{thing['zh'][0]}，{emoji.STYLES[style][0][0]}，{emoji.GROUNDS[self.ground][0][0]}背景"


@dataclass(frozen=True)
class Story:
    """A title in zh and en and eight scenes."""

    titles: tuple[str, str]
    scenes: tuple[StoryScene, ...]

    @property
    def title(self) -> str:
        """Return the title in the learner's language."""
        return self.titles[language() == "en"]

    def words(self, style: str) -> list[str]:
        """Return the prompts of all scenes in a style."""
        return [scene.word(style) for scene in self.scenes]


def make_story(title: str, rows: Sequence[tuple[str, str, str]]) -> Story:
    """Make a story of your own from eight rows of (subject, ground, caption), named in Chinese or English; LessonError.

    A subject is one of the 64 that Tiny Kolors can draw, a ground one of its ten.
    """
    check_words("title", title)
    if isinstance(rows, str) or len(rows) != SCENES:
        raise error("story_not_eight", wanted=SCENES, count=1 if isinstance(rows, str) else len(rows))
    scenes = []
    for number, row in enumerate(rows, 1):
        if isinstance(row, str) or len(row) != 3:
            raise error("story_row", number=number, row=repr(row)[:MOST_LETTERS])
        subject, ground, caption = row
        for name, words in zip(("subject", "ground", "caption"), row):
            check_words(name, words)
        scenes.append(StoryScene(find_name(number, subject, "subject"), find_name(number, ground, "ground"),
                                 (caption.strip(), caption.strip())))
    check_different(scenes)
    return Story((title.strip(), title.strip()), tuple(scenes))


def check_words(name: str, words: object) -> None:
    """Answer what is no text, empty, or too long for a panel, with a LessonError."""
    check_text(name, words)
    if not words.strip() or len(words) > MOST_LETTERS:
        raise error("story_words", name=name, count=len(words.strip()), most=MOST_LETTERS)


def find_name(number: int, words: str, part: str) -> str:
    """Return the name in `emoji` of a subject or ground that a learner named in any of its words; LessonError."""
    known = emoji.subjects() if part == "subject" else emoji.GROUNDS
    if words in known:
        return words
    found = getattr(wording.read_prompt(words), part)
    if found is None:
        names = [wording.name_of(name) for name in known]
        raise error("story_unknown", number=number, words=words, known=text("list_comma").join(names))
    return found


def check_different(scenes: Sequence[StoryScene]) -> None:
    """Answer two scenes that would be the same picture, subject and ground alike, with a LessonError."""
    seen: dict[tuple[str, str], int] = {}
    for number, scene in enumerate(scenes, 1):
        first = seen.setdefault((scene.subject, scene.ground), number)
        if first != number:
            raise error("story_twice", first=first, second=number)


def check_story(story: Story, style: str) -> None:
    """Answer what is no story, or a style that there is not, with a LessonError."""
    if not isinstance(story, Story):
        raise error("story_none", kind=type(story).__name__)
    check_choice("style", style, tuple(emoji.STYLES))


STORIES = {
    "birthday": Story(("小猫的生日", "The cat's birthday"), (
        StoryScene("alarm-clock", "yellow", ("七点钟，闹钟响了。今天是小猫的生日！", "Seven o'clock: the alarm rings. It is the cat's birthday!")),
        StoryScene("cat-face", "orange", ("小猫醒来，家里静悄悄的，一个人也没有。", "The cat wakes up. The house is quiet; nobody is there.")),
        StoryScene("umbrella", "blue", ("外面下着雨。它撑起伞，去找朋友们。", "It rains. The cat takes an umbrella and goes to look for its friends.")),
        StoryScene("bus", "grey", ("公交车带着它穿过整座城市。", "A bus carries it through the whole town.")),
        StoryScene("house", "green", ("街角的房子亮着灯，门没有锁。", "There is light in the house at the corner, and the door is open.")),
        StoryScene("birthday-cake", "pink", ("“生日快乐！”原来大家都躲在蛋糕后面。", "\"Happy birthday!\" They were all hiding behind a cake.")),
        StoryScene("wrapped-gift", "purple", ("还有一份礼物，系着大大的蝴蝶结。", "And there is a present with a large bow.")),
        StoryScene("red-heart", "white", ("里面只有一张卡片：我们爱你。", "In it is nothing but a card: we love you.")))),
    "moon": Story(("去月亮的路", "The way to the moon"), (
        StoryScene("rabbit-face", "green", ("小兔子每天晚上都望着天空。", "Every night the rabbit looks up at the sky.")),
        StoryScene("crescent-moon", "blue", ("它想：月亮上住着谁呢？", "Who lives on the moon, it wonders?")),
        StoryScene("key", "yellow", ("有一天，它在草丛里捡到一把钥匙。", "One day it finds a key in the grass.")),
        StoryScene("rocket", "purple", ("钥匙打开的，是一枚真正的火箭！", "And what does it open? A real rocket!")),
        StoryScene("star", "grey", ("星星一颗一颗从窗外飞过。", "One star after another flies past the window.")),
        StoryScene("owl", "orange", ("住在月亮上的，是一只老猫头鹰。", "On the moon there lives an old owl.")),
        StoryScene("carrot", "white", ("它在那里种满了胡萝卜，正愁没人吃。", "It grows carrots there, and nobody to eat them.")),
        StoryScene("rainbow", "cyan", ("吃饱了，小兔子坐着彩虹滑回了家。", "When it has eaten its fill, the rabbit slides home on a rainbow.")))),
}

# The camp's own eight prompts and negative prompt (cfg 4, 50 steps, 1024 px), for the full Kolors.
CAMP_NEGATIVE = "丑陋、变形、嘈杂、模糊、低对比度"
CAMP_STORY = Story(("紫发女孩的歌手梦", "The girl who wanted to sing"), tuple(
    StoryScene("", "", captions, prompt) for captions, prompt in (
        (("无聊的下午，她坐在沙发上发呆。", "A dull afternoon on the sofa."),
         "二次元，一个紫色短发小女孩，在家中沙发上坐着，双手托着腮，很无聊，全身，粉色连衣裙"),
        (("那天晚上，她去听了一场演唱会。", "That evening she went to a concert."),
         "二次元，日系动漫，演唱会的观众席，人山人海，一个紫色短发小女孩穿着粉色吊带漏肩连衣裙坐在演唱会的观众席，舞台上衣着华丽的歌星们在唱歌"),
        (("台上的光照进了她的眼睛。", "The light of the stage shone in her eyes."),
         "二次元，一个紫色短发小女孩穿着粉色吊带漏肩连衣裙坐在演唱会的观众席，露出憧憬的神情"),
        (("流星划过，她许了一个愿。", "A star fell, and she made a wish."),
         "二次元，一个紫色短发小女孩穿着粉色吊带漏肩连衣裙，对着流星许愿，闭着眼睛，十指交叉，侧面"),
        (("从此她每天练习。", "From then on she practised every day."),
         "二次元，一个紫色中等长度头发小女孩穿着粉色吊带漏肩连衣裙，在练习室练习唱歌"),
        (("一年又一年，头发长长了。", "Year after year; her hair grew long."),
         "二次元，一个紫色长发小女孩穿着粉色吊带漏肩连衣裙，在练习室练习唱歌，手持话筒"),
        (("试衣间里，她的心怦怦直跳。", "In the dressing room her heart beat fast."),
         "二次元，紫色长发少女，穿着黑色连衣裙，试衣间，心情忐忑"),
        (("灯亮了，轮到她唱了。", "The lights went on, and it was her turn to sing."),
         "二次元，紫色长发少女，穿着黑色礼服，连衣裙，在台上唱歌"))))
