"""Stories as data: eight scenes, each a subject on a ground with a caption; or each a prompt, for a larger model.

Tiny Kolors draws one subject on a plain ground and no action, so the captions tell what happens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from course_lib.checks import check_choice, check_text
from course_lib.messages import LANGUAGES, TEXTS, error, language, text
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
        style, ground = emoji.STYLES[style][0][0], emoji.GROUNDS[self.ground][0][0]
        return f"一{thing['measure']}{thing['zh'][0]}，{style}，{ground}背景"


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


def check_words(name: str, words: str) -> None:
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


def make_ready(key: str, rows: Sequence[tuple[str, str]], prompts: Sequence[str] = ("",) * SCENES) -> Story:
    """Make a story of the course from its rows of (subject, ground) and its words in the texts."""
    titles, *captions = zip(*(TEXTS[key][spoken].splitlines() for spoken in LANGUAGES), strict=True)
    scenes = (StoryScene(*row, said, prompt) for row, said, prompt in zip(rows, captions, prompts, strict=True))
    return Story(titles, tuple(scenes))


STORIES = {
    "birthday": make_ready("story_birthday", (
        ("alarm-clock", "yellow"), ("cat-face", "orange"), ("umbrella", "blue"), ("bus", "grey"),
        ("house", "green"), ("birthday-cake", "pink"), ("wrapped-gift", "purple"), ("red-heart", "white"))),
    "moon": make_ready("story_moon", (
        ("rabbit-face", "green"), ("crescent-moon", "blue"), ("key", "yellow"), ("rocket", "purple"),
        ("star", "grey"), ("owl", "orange"), ("carrot", "white"), ("rainbow", "cyan"))),
}

# The camp's own eight prompts and negative prompt (cfg 4, 50 steps, 1024 px), for the full Kolors.
CAMP_NEGATIVE = "丑陋、变形、嘈杂、模糊、低对比度"
CAMP_STORY = make_ready("story_camp", [("", "")] * SCENES, (
    "二次元，一个紫色短发小女孩，在家中沙发上坐着，双手托着腮，很无聊，全身，粉色连衣裙",
    "二次元，日系动漫，演唱会的观众席，人山人海，一个紫色短发小女孩穿着粉色吊带漏肩连衣裙坐在演唱会的观众席，"
    "舞台上衣着华丽的歌星们在唱歌",
    "二次元，一个紫色短发小女孩穿着粉色吊带漏肩连衣裙坐在演唱会的观众席，露出憧憬的神情",
    "二次元，一个紫色短发小女孩穿着粉色吊带漏肩连衣裙，对着流星许愿，闭着眼睛，十指交叉，侧面",
    "二次元，一个紫色中等长度头发小女孩穿着粉色吊带漏肩连衣裙，在练习室练习唱歌",
    "二次元，一个紫色长发小女孩穿着粉色吊带漏肩连衣裙，在练习室练习唱歌，手持话筒",
    "二次元，紫色长发少女，穿着黑色连衣裙，试衣间，心情忐忑",
    "二次元，紫色长发少女，穿着黑色礼服，连衣裙，在台上唱歌"))
