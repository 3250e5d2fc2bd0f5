"""The exercise of the lesson on stories: whether eight pictures show what they are to show, in one style."""

from collections.abc import Sequence

from course_lib.exercises.answers import check_number, say, show
from course_lib.messages import text
from course_lib.pictures import emoji, wording
from course_lib.pictures.classifier import judge
from course_lib.story.candidates import Candidate
from course_lib.story.scenes import Story

LEAST_STYLE = 7  # of eight pictures


def check_story(kept: Sequence[Candidate], story: Story, style: str) -> bool:
    """Check that each scene shows its subject on its ground, one style throughout, and that no two are one picture."""
    if not isinstance(story, Story):
        return say(False, "exercise_story_given", kind=type(story).__name__)
    if not isinstance(style, str) or style not in emoji.STYLES:
        return say(False, "exercise_story_no_style", style=show(style), styles=text("list_comma").join(emoji.STYLES))
    wanted = len(story.scenes)
    if not isinstance(kept, Sequence) or isinstance(kept, str) or len(kept) != wanted:
        given = len(kept) if isinstance(kept, (list, tuple)) else type(kept).__name__
        return say(False, "exercise_story_list", wanted=wanted, given=given)
    for number, each in enumerate(kept, 1):
        if not isinstance(each, Candidate):
            return say(False, "exercise_story_item", number=number, kind=type(each).__name__)
    images = [each.image for each in kept]
    first: dict[bytes, int] = {}
    for number, image in enumerate(images, 1):
        same = first.setdefault(image.tobytes(), number)
        if same != number:
            return say(False, "exercise_story_same", first=same, second=number)
    verdicts = judge(images)
    for number, (seen, scene) in enumerate(zip(verdicts, story.scenes), 1):
        if (seen.subject, seen.ground) != (scene.subject, scene.ground):
            return say(False, "exercise_story_scene", number=number, subject=wording.name_of(seen.subject),
                       ground=wording.name_of(seen.ground), wanted=wording.name_of(scene.subject),
                       wanted_ground=wording.name_of(scene.ground))
    others = [str(number) for number, seen in enumerate(verdicts, 1) if seen.style != style]
    right = len(verdicts) - len(others)
    return say(right >= LEAST_STYLE, "exercise_story_style", count=right, least=LEAST_STYLE,
               style=wording.name_of(style), others=text("list_comma").join(others))


def check_empty_scenes(share: float, candidates: int, scenes: int, answer: float) -> bool:
    """Check in how many scenes no candidate is right, on the average, where this share of all candidates is."""
    return check_number(answer, scenes * (1 - share) ** candidates, "exercise_scenes_again")
