"""Self-checking exercises: each function looks at the learner's result and says whether it is right, or what to try.

An answer of the wrong type gets a hint like any other answer, never a traceback; asking twice gives the same verdict.
"""

import math
import random
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from numbers import Real

import torch
from diffusers import KolorsPipeline, UNet2DConditionModel
from PIL import Image

from course_lib.lora.verbs import ATTENTION
from course_lib.messages import LessonError, text
from course_lib.model.latents import empty_latent
from course_lib.model.text import encode_text
from course_lib.pictures import emoji, wording
from course_lib.pictures.classifier import judge
from course_lib.pictures.nearness import find_nearest
from course_lib.pictures.picture import Picture
from course_lib.sampling.drawing import generate
from course_lib.sampling.settings import SamplerSettings, next_seed
from course_lib.workflow.graph import Workflow
from course_lib.workflow.running import Cache, run

PARTS = ("unet", "vae", "text_encoder")
SAMPLERS = ("KSampler", "KSamplerAdvanced")  # what draws a latent
LEAST_TRACE = 0.1  # share of its distance to true pictures of a style that a picture has to lose
LEAST_LETTERS = 8  # of a reason: a Chinese character counts twice, as much as about two Latin letters


def say(right: bool, hint: str, /, **values: object) -> bool:
    """Print that the exercise is solved, or its hint; return which."""
    print(text("exercise_right") if right else text("exercise_not_yet", hint=text(hint, **values)))
    return right


def show(value: object) -> str:
    """Return an answer as it is repeated to the learner, shortened."""
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:59] + "…"


def find_image(picture: object) -> Image.Image | None:
    """Return the image of a Picture, an image itself, or None for anything else."""
    image = picture.image if isinstance(picture, Picture) else picture
    return image if isinstance(image, Image.Image) else None


def read_number(answer: object) -> float | None:
    """Return an answer that is a finite number, or None."""
    if isinstance(answer, bool) or not isinstance(answer, Real) or not math.isfinite(answer):
        return None
    return float(answer)


def check_number(answer: float, right: float, hint: str = "exercise_number_again") -> bool:
    """Check a number that the learner worked out; `hint` is the key of what to think of when it is not right."""
    number = read_number(answer)
    if number is None:
        return say(False, "exercise_no_number", answer=show(answer))
    if math.isclose(number, right, rel_tol=1e-9):
        return say(True, "")
    side = "exercise_too_small" if number < right else "exercise_too_large"
    return say(False, side, answer=answer, hint=text(hint))


def check_shows(picture: Picture, subject: str, ground: str) -> bool:
    """Check that the judge sees this subject on this ground."""
    image = find_image(picture)
    if image is None:
        return say(False, "exercise_no_picture_given", kind=type(picture).__name__)
    seen = judge([image])[0]
    if seen.subject != subject:
        return say(False, "exercise_subject", subject=wording.name_of(seen.subject), wanted=wording.name_of(subject))
    return say(seen.ground == ground, "exercise_ground", subject=wording.name_of(subject),
               ground=wording.name_of(seen.ground), wanted=wording.name_of(ground))


def check_same_thing(first: Picture, second: Picture) -> bool:
    """Check that two pictures differ in their pixels, but show the same subject on the same ground."""
    hint, values = compare(first, second)
    return say(not hint, hint, **values)


def compare(first: object, second: object) -> tuple[str, dict[str, str]]:
    """Return the hint of why two pictures are not two of the same, and its values; "" where they are."""
    one, other = find_image(first), find_image(second)
    for image, given in ((one, first), (other, second)):
        if image is None:
            return "exercise_no_picture_given", {"kind": type(given).__name__}
    if one.tobytes() == other.tobytes():
        return "exercise_same_picture", {}
    one, other = judge([one, other])
    for number, seen in ((1, one), (2, other)):
        if seen.subject is None:
            return "exercise_unrecognised", {"number": number}
    if one.subject != other.subject:
        return "exercise_other_thing", {"first": wording.name_of(one.subject), "second": wording.name_of(other.subject)}
    if one.ground != other.ground:
        return "exercise_other_ground", {"subject": wording.name_of(one.subject), "first": wording.name_of(one.ground),
                                         "second": wording.name_of(other.ground)}
    return "", {}


def check_trace(plain: Picture, picture: Picture, style: str) -> bool:
    """Check that a picture shows what the one without LoRA shows, and is measurably nearer to true ones of a style."""
    if not isinstance(style, str) or style not in emoji.STYLES:
        return say(False, "exercise_story_no_style", style=show(style), styles=text("list_comma").join(emoji.STYLES))
    hint, values = compare(plain, picture)
    if hint == "exercise_same_picture":
        hint = "exercise_no_trace"
        values = {"share": 0.0, "least": LEAST_TRACE, "style": wording.name_of(style)}
    if hint:
        return say(False, hint, **values)
    share = measure_trace(find_image(plain), find_image(picture), style)
    return say(share >= LEAST_TRACE, "exercise_no_trace", share=share, least=LEAST_TRACE, style=wording.name_of(style))


def measure_trace(plain: Image.Image, picture: Image.Image, style: str) -> float:
    """Return which share of the plain picture's distance to the nearest true one in a style is gone, 0 to 1.

    The subject is what the judge sees in the plain picture.
    """
    subject = judge([plain])[0].subject
    before, after = (find_nearest(image, subject, style).error for image in (plain, picture))
    return (before - after) / before if before else 0.0


def check_largest(pipe: KolorsPipeline, answer: str) -> bool:
    """Check which part of the pipeline has the most parameters: "unet", "vae" or "text_encoder"."""
    counts = {name: sum(weight.numel() for weight in getattr(pipe, name).parameters()) for name in PARTS}
    if not isinstance(answer, str) or answer not in counts:
        return say(False, "exercise_part", answer=show(answer), parts=text("list_comma").join(counts))
    return say(counts[answer] == max(counts.values()), "exercise_smaller", part=answer, count=counts[answer])


def check_ratio(pipe: KolorsPipeline, answer: float) -> bool:
    """Check how many times as many numbers a picture's pixels are as its latent, at the model's own size."""
    latent = empty_latent(pipe)
    pixels = 3 * latent.shape[-1] * latent.shape[-2] * pipe.vae_scale_factor ** 2
    return check_number(answer, pixels / latent.numel(), "exercise_ratio_again")


def check_likeness(pipe: KolorsPipeline, sentence: str, model: str, least: float = 0.9) -> bool:
    """Check that a sentence means the same as the model sentence (cosine of the pooled), in other words.

    To a Chinese model sentence it must hold no Chinese character, to another not the word for its subject.
    """
    if not isinstance(sentence, str) or not sentence.strip():
        return say(False, "exercise_no_sentence", answer=show(sentence))
    if has_chinese(model) and has_chinese(sentence):
        return say(False, "exercise_no_chinese")
    if not has_chinese(model):
        names = emoji.subjects().get(wording.read_prompt(model).subject or "", {"en": []})["en"]
        used = [name for name in names if name in model.lower() and name in sentence.lower()]
        if used:
            return say(False, "exercise_same_word", word=used[0])
    own, wanted = (encode_text(pipe, words).pooled for words in (sentence, model))
    likeness = float(torch.cosine_similarity(own, wanted, dim=0))
    return say(likeness >= least, "exercise_unlike", likeness=likeness, least=least)


def has_chinese(words: str) -> bool:
    """Say whether there is a Chinese character in a text."""
    return any("\u4e00" <= letter <= "\u9fff" for letter in words)


def check_reruns(workflow: Workflow, node: str, widget: str, value: object, answer: int) -> bool:
    """Check how many nodes run again when this one widget changes; both runs have a cache of their own.

    The learner's workflow is left as it is.
    """
    if read_number(answer) is None:
        return say(False, "exercise_no_number", answer=show(answer))
    mine, cache = deepcopy(workflow), Cache()
    run(mine, cache=cache)
    mine.nodes[node].widgets[widget] = value
    again = sum(not result.cached for result in run(mine, cache=cache).values())
    return check_number(answer, again, "exercise_reruns_again")


def check_runs(workflow: Workflow | dict) -> bool:
    """Check that a workflow runs to pictures that a sampler drew; the hint names the node and input that stop it."""
    if not isinstance(workflow, (Workflow, Mapping)):
        return say(False, "exercise_no_workflow", kind=type(workflow).__name__)
    try:
        results = run(workflow)
    except LessonError as problem:
        return say(False, "exercise_stopped", what=problem.what, why=problem.why, next_step=problem.next_step)
    if not results.pictures:
        return say(False, "exercise_no_picture")
    for node in results.values():
        source = re.match(r"← #(\S+)", node.links.get("samples", ""))
        if node.class_type == "VAEDecode" and source and results[source[1]].class_type not in SAMPLERS:
            return say(False, "exercise_not_drawn", node=node.name, source=results[source[1]].name)
    return say(True, "")


def check_seed(answer: int, start: int, control: str, pictures: int) -> bool:
    """Check what the seed field shows after so many pictures under this control_after_generate."""
    settings = SamplerSettings(seed=start, control_after_generate=control)
    for _ in range(pictures):
        settings = replace(settings, seed=next_seed(settings, random.Random(0)))
    return check_number(answer, settings.seed, "exercise_seed_again")


def check_calls(pipe: KolorsPipeline, settings: SamplerSettings, answer: int) -> bool:
    """Check how often these settings ask the UNet; only a number is worth drawing the picture for."""
    if read_number(answer) is None:
        return say(False, "exercise_no_number", answer=show(answer))
    return check_number(answer, count_calls(pipe, settings), "exercise_calls_again")


def count_calls(pipe: KolorsPipeline, settings: SamplerSettings) -> int:
    """Draw a picture and return how often the UNet was asked for it."""
    calls = []
    hook = pipe.unet.conv_in.register_forward_hook(lambda *_: calls.append(1))  # its first layer
    try:
        generate(pipe, "一只瓢虫", settings)
    finally:
        hook.remove()
    return len(calls)


def check_lora_size(unet: UNet2DConditionModel, rank: int, answer: int) -> bool:
    """Check how many parameters a LoRA of this rank on the four attention matrices has."""
    right = sum(rank * (layer.in_features + layer.out_features) for name, layer in unet.named_modules()
                if name.endswith(tuple(f".{matrix}" for matrix in ATTENTION)))
    return check_number(answer, right, "exercise_lora_size_again")


def check_strength(rank: int, trained: float, loaded: float, answer: float) -> bool:
    """Check which strength it is to load a LoRA of this rank with another alpha than it was trained with."""
    return check_number(answer, (loaded / rank) / (trained / rank), "exercise_strength_again")


def check_reason(choice: object, reason: str) -> bool:
    """Check an open question by its form alone: something was chosen, and a reason is given in words.

    The choice itself is never judged.
    """
    if choice is None or choice == "" or choice is Ellipsis:
        return say(False, "exercise_no_choice")
    if not isinstance(reason, str):
        return say(False, "exercise_no_reason", kind=type(reason).__name__)
    letters = sum(1 + ("\u4e00" <= letter <= "\u9fff") for letter in reason if letter.isalnum())
    if letters < LEAST_LETTERS:
        return say(False, "exercise_short_reason")
    print(text("exercise_noted", choice=show(choice), reason=reason.strip()))
    return True
