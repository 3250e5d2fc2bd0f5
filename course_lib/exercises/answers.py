"""Self-checking exercises: each function looks at the learner's result and says whether it is right, or what to try."""

import torch
from diffusers import KolorsPipeline

from course_lib.messages import LessonError, text
from course_lib.model.text import encode_text
from course_lib.pictures import wording
from course_lib.pictures.classifier import judge
from course_lib.pictures.picture import Picture
from course_lib.sampling.drawing import generate
from course_lib.sampling.settings import SamplerSettings
from course_lib.workflow.graph import Workflow
from course_lib.workflow.running import run


def say(right: bool, hint: str, **values: object) -> bool:
    """Print that the exercise is solved, or its hint; return which."""
    print(text("exercise_right") if right else text("exercise_not_yet", hint=text(hint, **values)))
    return right


def check_shows(picture: Picture, subject: str, ground: str) -> bool:
    """Check that the judge sees this subject on this ground."""
    seen = judge([picture.image])[0]
    return say((seen.subject, seen.ground) == (subject, ground), "exercise_shows",
               subject=wording.name_of(seen.subject), ground=wording.name_of(seen.ground))


def check_same_thing(first: Picture, second: Picture) -> bool:
    """Check that two pictures differ in their pixels, but show the same subject on the same ground."""
    if first.image.tobytes() == second.image.tobytes():
        return say(False, "exercise_same_picture")
    one, other = judge([first.image, second.image])
    return say((one.subject, one.ground) == (other.subject, other.ground), "exercise_other_thing",
               first=wording.name_of(one.subject), second=wording.name_of(other.subject))


def check_largest(pipe: KolorsPipeline, answer: str) -> bool:
    """Check which part of the pipeline has the most parameters: "unet", "vae" or "text_encoder"."""
    counts = {name: sum(weight.numel() for weight in getattr(pipe, name).parameters())
              for name in ("unet", "vae", "text_encoder")}
    if answer not in counts:
        return say(False, "exercise_part", parts=text("list_comma").join(counts))
    return say(counts[answer] == max(counts.values()), "exercise_smaller", part=answer, count=counts[answer])


def check_number(answer: float, right: float) -> bool:
    """Check a number that the learner worked out."""
    return say(answer == right, "exercise_too_small" if answer < right else "exercise_too_large", answer=answer)


def check_likeness(pipe: KolorsPipeline, sentence: str, model: str, least: float = 0.9) -> bool:
    """Check that a sentence without Chinese characters means the same as the model sentence: cosine of the pooled."""
    if any("\u4e00" <= letter <= "\u9fff" for letter in sentence):
        return say(False, "exercise_no_chinese")
    own, wanted = (encode_text(pipe, words).pooled for words in (sentence, model))
    likeness = float(torch.cosine_similarity(own, wanted, dim=0))
    return say(likeness >= least, "exercise_unlike", likeness=likeness, least=least)


def check_runs(workflow: Workflow | dict) -> bool:
    """Check that a workflow runs to its pictures; the hint is what it says where it stops."""
    try:
        return say(len(run(workflow).pictures) > 0, "exercise_no_picture")
    except LessonError as problem:
        return say(False, "exercise_stopped", what=problem.what)


def count_calls(pipe: KolorsPipeline, settings: SamplerSettings) -> int:
    """Draw a picture and return how often the UNet was asked for it."""
    calls = []
    hook = pipe.unet.conv_in.register_forward_hook(lambda *_: calls.append(1))  # its first layer
    try:
        generate(pipe, "一只瓢虫", settings)
    finally:
        hook.remove()
    return len(calls)
