"""The exercises of lessons 1 to 4: right, wrong and ill-typed answers, each asked twice, in both languages."""

import pytest
from PIL import Image

from course_lib.exercises import answers
from course_lib.files import COURSE
from course_lib.lora.verbs import add_lora, remove_lora
from course_lib.messages import LANGUAGES, set_language
from course_lib.pictures import emoji
from course_lib.pictures.picture import Picture
from course_lib.sampling.settings import SamplerSettings
from course_lib.workflow.graph import read

ODD = (None, "3", [], {}, True, float("nan"), object())  # none of these is a number


def compose(subject, ground, style="flat", size=78):
    return emoji.compose(emoji.Scene(subject, style, ground, size, 9, 9, False))


def ask(capsys, function, *given, **named):
    """Ask twice and return the verdict with what was said; the second time has to say the same."""
    first, said = function(*given, **named), capsys.readouterr().out
    assert (function(*given, **named), capsys.readouterr().out) == (first, said)
    assert said.strip() and isinstance(first, bool) and "None" not in said.replace("NoneType", "").replace(
        repr(given[-1]) if given else "", "")
    return first, said


@pytest.fixture(params=LANGUAGES)
def spoken(request):
    set_language(request.param)
    return request.param


@pytest.fixture(scope="module")
def core():
    workflow = read(COURSE / "data" / "workflows" / "core_text_to_image.json")
    workflow.nodes["3"].widgets["steps"] = 2
    return workflow


NUMBERS = {  # name -> the function with everything but the answer, right, too small, too large
    "seed": (lambda pipe, core, n: answers.check_seed(n, start=41, control="increment", pictures=3), 44, 41, 47),
    "strength": (lambda pipe, core, n: answers.check_strength(16, 4, 2, n), 0.5, 0.1, 2),
    "ratio": (lambda pipe, core, n: answers.check_ratio(pipe, n), 48, 8, 192),
    "calls": (lambda pipe, core, n: answers.check_calls(pipe, SamplerSettings(steps=3, sampler_name="heun"), n),
              5, 3, 6),
    "reruns": (lambda pipe, core, n: answers.check_reruns(core, "3", "denoise", 0.9, n), 3, 0, 7),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number(name, pipe, core, capsys, spoken):
    function, right, small, large = NUMBERS[name]
    assert ask(capsys, function, pipe, core, right)[0]
    told = [ask(capsys, function, pipe, core, number) for number in (small, large)]
    assert not told[0][0] and not told[1][0] and told[0][1] != told[1][1]
    for odd in ODD:
        assert not ask(capsys, function, pipe, core, odd)[0]


def test_the_workflow_of_the_question_stays_as_it_is(core):
    before = core.to_api()
    answers.check_reruns(core, "3", "denoise", 0.9, 3)
    assert core.to_api() == before


def test_the_size_of_a_lora(pipe, capsys):
    assert not ask(capsys, answers.check_lora_size, pipe.unet, 8, 1)[0]
    weights = add_lora(pipe.unet, rank=8, alpha=4.0, name="counted")
    size = sum(weight.numel() for weight in weights)
    try:
        assert ask(capsys, answers.check_lora_size, pipe.unet, 8, size)[0]  # whether one is loaded or not
    finally:
        remove_lora(pipe.unet)
    assert ask(capsys, answers.check_lora_size, pipe.unet, 8, size)[0]
    for odd in ODD:
        assert not ask(capsys, answers.check_lora_size, pipe.unet, 8, odd)[0]


def test_the_largest_part(pipe, capsys, spoken):
    assert ask(capsys, answers.check_largest, pipe, "unet")[0]
    for wrong in ("vae", "text_encoder", "UNet", *ODD):
        assert not ask(capsys, answers.check_largest, pipe, wrong)[0]


def test_other_words_for_the_same(pipe, capsys, spoken):
    zh, en = "一只瓢虫，蓝色背景", "a ladybird on a blue background"
    assert ask(capsys, answers.check_likeness, pipe, en, zh)[0]
    assert ask(capsys, answers.check_likeness, pipe, "a ladybug on a blue background", en)[0]
    for sentence, model in ((zh, zh), (en, en), ("a blue apple", zh), ("a ladybug on a red background", en)):
        assert not ask(capsys, answers.check_likeness, pipe, sentence, model)[0]
    for odd in (*ODD[:1], *ODD[2:], "", "  "):
        assert not ask(capsys, answers.check_likeness, pipe, odd, zh)[0]


def small_workflow(source):
    return {"1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "kolors.safetensors"}},
            "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "一只熊猫", "clip": ["1", 1]}},
            "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 96, "height": 96, "batch_size": 1}},
            "5": {"class_type": "KSampler", "inputs": {
                "model": ["1", 0], "positive": ["2", 0], "negative": ["2", 0], "latent_image": ["4", 0], "seed": 5,
                "steps": 1, "cfg": 5.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}},
            "6": {"class_type": "VAEDecode", "inputs": {"samples": source, "vae": ["1", 2]}},
            "7": {"class_type": "PreviewImage", "inputs": {"images": ["6", 0]}}}


def test_a_workflow_that_runs(capsys, spoken):
    assert ask(capsys, answers.check_runs, small_workflow(["5", 0]))[0]
    for source, named in ((["4", 1], "samples"), (["2", 0], "samples"), (["4", 0], "#4")):
        right, said = ask(capsys, answers.check_runs, small_workflow(source))
        assert not right and "6" in said and named in said  # the node and the input
    for odd in (None, "3", [], {}, {"1": None}, 5):
        assert not ask(capsys, answers.check_runs, odd)[0]


def test_a_reason_is_judged_by_its_form_alone(capsys, spoken):
    for choice, reason in ((5, "背景最干净"), ("seed", "it changes the picture alone"), (0, "主体看得最清楚")):
        right, said = ask(capsys, answers.check_reason, choice, reason)
        assert right and reason in said
    for choice, reason in ((None, "背景最干净"), ("", "背景最干净"), (5, ""), (5, "  "), (5, "好"), (5, "……"),
                           (5, None), (5, 7), (5, ["背景最干净"])):
        assert not ask(capsys, answers.check_reason, choice, reason)[0]


def test_odd_pictures_are_answered(capsys, spoken):
    picture = compose("panda", "yellow")
    for odd in (None, "panda.png", 3, [picture]):
        assert not ask(capsys, answers.check_shows, odd, "panda", "yellow")[0]
        assert not ask(capsys, answers.check_same_thing, odd, picture)[0]
        assert not ask(capsys, answers.check_same_thing, picture, odd)[0]
        assert not ask(capsys, answers.check_trace, picture, odd, "lineart")[0]
    for style in (None, "线稿", []):
        assert not ask(capsys, answers.check_trace, picture, picture, style)[0]
    assert not ask(capsys, answers.check_same_thing, picture, picture.copy())[0]


# ---- these ask the judge

def test_what_a_picture_shows(capsys, spoken):
    assert ask(capsys, answers.check_shows, Picture(compose("panda", "yellow"), ""), "panda", "yellow")[0]
    told = [ask(capsys, answers.check_shows, compose(*wrong), "panda", "yellow")
            for wrong in (("panda", "blue"), ("lion", "yellow"))]
    assert not told[0][0] and not told[1][0] and told[0][1] != told[1][1]


def test_two_of_the_same(capsys, spoken):
    rabbit = compose("rabbit-face", "blue")
    assert ask(capsys, answers.check_same_thing, rabbit, compose("rabbit-face", "blue", size=70))[0]
    right, said = ask(capsys, answers.check_same_thing, rabbit, compose("rabbit-face", "red"))
    blue, red = ("蓝色", "红色") if spoken == "zh" else ("blue", "red")
    assert not right and blue in said and red in said
    assert not ask(capsys, answers.check_same_thing, rabbit, compose("lion", "blue"))[0]
    assert not ask(capsys, answers.check_same_thing, rabbit, Image.new("RGB", (96, 96), "blue"))[0]


def test_the_trace_of_a_style_is_measured(capsys, spoken):
    plain, lines = compose("rabbit-face", "blue"), compose("rabbit-face", "blue", "lineart")
    assert ask(capsys, answers.check_trace, plain, lines, "lineart")[0]
    assert ask(capsys, answers.check_trace, plain, Image.blend(plain, lines, 0.5), "lineart")[0]
    for share in (0.0, 0.01):  # as a LoRA at a strength of 0.01
        assert not ask(capsys, answers.check_trace, plain, Image.blend(plain, lines, share), "lineart")[0]
    assert not ask(capsys, answers.check_trace, plain, compose("rabbit-face", "red", "lineart"), "lineart")[0]
