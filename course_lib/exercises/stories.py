"""The exercise of the lesson on stories: whether eight pictures show what they are to show, in one style."""

from collections.abc import Sequence

from course_lib.exercises.answers import say
from course_lib.pictures import wording
from course_lib.pictures.classifier import judge
from course_lib.story.candidates import Candidate
from course_lib.story.scenes import Story

LEAST_STYLE = 7  # of eight pictures


def check_story(kept: Sequence[Candidate], story: Story, style: str) -> bool:
    """Check that each scene shows its subject on its ground, one style throughout, and that no two are one picture."""
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
                       ground=wording.name_of(seen.ground))
    right = sum(seen.style == style for seen in verdicts)
    return say(right >= LEAST_STYLE, "exercise_story_style", count=right, style=wording.name_of(style))
