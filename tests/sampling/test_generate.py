"""`generate` against diffusers' own pipeline, and what it promises about seeds, batches, latents and wrong inputs."""

import copy
import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.model import text as model_text
from course_lib.model.latents import decode, empty_latent, encode_picture, preview
from course_lib.model.text import Condition, encode_text, join_texts, pad_texts, run_encoder
from course_lib.model.unet import prepare_unet
from course_lib.pictures.classifier import judge
from course_lib.pictures.emoji import PICTURE_SIZE
from course_lib.sampling import noise
from course_lib.sampling.drawing import draw, generate, split_batches
from course_lib.sampling.guidance import build_both, build_denoiser, build_predictor
from course_lib.sampling.noise import fresh_noise, path_noise, start_noise
from course_lib.sampling.settings import SamplerSettings
from course_lib.sampling.sigmas import model_sigmas
from course_lib.sampling.step import Cancelled

LADYBIRD = "一只瓢虫，蓝色背景"
QUICK = SamplerSettings(steps=3)
SQUARE = (PICTURE_SIZE, PICTURE_SIZE)
LATENT = (4, PICTURE_SIZE // 8, PICTURE_SIZE // 8)


def pixels(picture):
    return np.asarray(picture.image).astype(int)


def difference(first, second):
    """Return the largest difference between two pictures, 0 to 255."""
    return np.abs(pixels(first) - pixels(second)).max()


def test_it_draws_what_is_asked_for(pipe):
    picture = generate(pipe, LADYBIRD, SamplerSettings())
    assert judge([picture.image])[0].subject == "lady-beetle"
    assert picture.settings == SamplerSettings() and picture.prompt == LADYBIRD
    assert picture.seconds > 0 and "euler / normal" in picture.caption


def test_it_equals_diffusers_where_both_take_the_same_sigmas(pipe):
    """ddim_uniform at 20 steps are Kolors' own scheduler's sigmas; ComfyUI scales the start noise by sigma alone."""
    pipe.scheduler.set_timesteps(20)
    scale = pipe.scheduler.sigmas[0] / pipe.scheduler.init_noise_sigma
    theirs = pipe(LADYBIRD, negative_prompt="扁平风格", num_inference_steps=20, guidance_scale=4.0,
                  latents=start_noise([7], LATENT) * scale).images[0]
    settings = SamplerSettings(seed=7, cfg=4.0, scheduler="ddim_uniform")
    ours = generate(pipe, LADYBIRD, settings, negative_prompt="扁平风格")
    assert np.abs(pixels(ours) - np.asarray(theirs).astype(int)).max() <= 2


def test_few_pads_stand_for_all(pipe):
    """The UNet with merged pads against diffusers' own call with all 256 tokens."""
    texts, model = (encode_text(pipe, LADYBIRD), encode_text(pipe, "flat")), model_sigmas(pipe.scheduler.config)
    whole = pipe.encode_prompt([LADYBIRD, "flat"], do_classifier_free_guidance=False)
    merged = join_texts(texts, torch.float32, "cpu")
    assert merged.states.shape[1] < 20
    x = torch.randn(2, *LATENT, generator=torch.Generator().manual_seed(0))
    size = torch.tensor([[*SQUARE, 0, 0, *SQUARE]]).expand(2, -1)
    with torch.no_grad():
        wanted = pipe.unet(x, 500, whole[0], added_cond_kwargs={"text_embeds": whole[2], "time_ids": size}).sample
        seen = prepare_unet(pipe.unet, merged, size)(x, torch.tensor(500))
        unweighted = prepare_unet(pipe.unet, replace(merged, bias=None), size)(x, torch.tensor(500))
    assert torch.allclose(seen, wanted, atol=1e-5)
    assert not torch.allclose(unweighted, wanted, atol=1e-2)
    assert build_denoiser(pipe, texts, [3.0], model, SQUARE)(x[:1], torch.tensor(2.0)).shape == (1, *LATENT)


def test_padded_texts_are_what_diffusers_reads(pipe):
    whole = pad_texts([encode_text(pipe, LADYBIRD)], 256, torch.float16, "cpu")
    assert whole.bias is None and whole.states.dtype == torch.float16
    wanted = pipe.encode_prompt(LADYBIRD, do_classifier_free_guidance=False)
    assert torch.equal(whole.states, wanted[0].half()) and torch.equal(whole.pooled, wanted[2].half())


def test_a_unet_that_takes_turns_is_called_whole(pipe):
    """Only its own call brings it to the GPU; the picture is the same."""
    texts, calls = [encode_text(pipe, LADYBIRD)], []
    x = torch.randn(1, *LATENT, generator=torch.Generator().manual_seed(0))
    hook = pipe.unet.register_forward_pre_hook(lambda *asked: calls.append(asked))
    turns = copy.copy(pipe)
    turns.plan = replace(pipe.plan, placement="turns")
    with torch.no_grad():
        own, whole = (build_predictor(one, texts, SQUARE)(x, torch.tensor(300)) for one in (pipe, turns))
    hook.remove()
    assert len(calls) == 1 and torch.allclose(own, whole, atol=1e-5)


def test_a_long_text_beside_a_short_one(pipe):
    """A text without pads, and one with many, in one batch."""
    long, short = encode_text(pipe, LADYBIRD * 60), encode_text(pipe, "")
    joined = join_texts([long, short], torch.float32, "cpu")
    assert long.pads == 0 and joined.states.shape[1] == 256
    assert torch.isfinite(joined.bias).all() and joined.bias[0].unique().tolist() == [0.0]


def test_guidance_is_a_line_through_both_predictions(pipe):
    """cfg 1 takes the prompt alone, cfg 0 the negative prompt alone, cfg 3 goes three times as far."""
    texts, model = (encode_text(pipe, LADYBIRD), encode_text(pipe, "")), model_sigmas(pipe.scheduler.config)
    x = torch.randn(1, *LATENT, generator=torch.Generator().manual_seed(0)) * 3
    with torch.no_grad():
        zero, one, three = (build_denoiser(pipe, texts, [cfg], model, SQUARE)(x, torch.tensor(3.0))
                            for cfg in (0.0, 1.0, 3.0))
        swapped = build_denoiser(pipe, texts[::-1], [1.0], model, SQUARE)(x, torch.tensor(3.0))
    assert torch.allclose(zero, swapped, atol=1e-4)
    assert torch.allclose(three, zero + 3 * (one - zero), atol=1e-3) and not torch.allclose(zero, one, atol=1e-2)


def test_cfg_1_asks_the_model_for_one_picture(pipe):
    rows = []
    hook = pipe.unet.conv_in.register_forward_pre_hook(lambda _, asked: rows.append(len(asked[0])))
    generate(pipe, LADYBIRD, [replace(QUICK, cfg=1.0), replace(QUICK, cfg=5.0)])
    generate(pipe, LADYBIRD, replace(QUICK, cfg=1.0))
    hook.remove()
    assert rows == [3] * 3 + [1] * 3


@pytest.mark.parametrize("sampler_name, rows", [("euler", [1]), ("euler_cfg_pp", [2]), ("cfgpp_ud10_ab", [1])])
def test_cfg_pp_looks_without_the_prompt_at_cfg_1_too(pipe, sampler_name, rows):
    """As in ComfyUI, whose one experiment does not."""
    seen = []
    hook = pipe.unet.conv_in.register_forward_pre_hook(lambda _, asked: seen.append(len(asked[0])))
    picture = generate(pipe, LADYBIRD, replace(QUICK, cfg=1.0, sampler_name=sampler_name, steps=12))
    hook.remove()
    assert seen == rows * 12
    if sampler_name == "euler_cfg_pp":  # which is guided at cfg 1, where the others are not
        assert judge([picture.image])[0].subject == "lady-beetle"


def test_cfg_pp_is_told_the_picture_without_the_prompt(pipe):
    texts, model = (encode_text(pipe, LADYBIRD), encode_text(pipe, "")), model_sigmas(pipe.scheduler.config)
    x = torch.randn(2, *LATENT, generator=torch.Generator().manual_seed(0)) * 3
    with torch.no_grad():
        zero, three = (build_denoiser(pipe, texts, [cfg] * 2, model, SQUARE)(x, torch.tensor(3.0))
                       for cfg in (0.0, 3.0))
        guided, unguided = build_both(pipe, texts, [3.0, 1.0], model, SQUARE)(x, torch.tensor(3.0))
        _, always = build_both(pipe, texts, [3.0, 1.0], model, SQUARE, always=True)(x, torch.tensor(3.0))
    assert torch.allclose(guided[0], three[0], atol=1e-4) and torch.allclose(unguided[0], zero[0], atol=1e-4)
    assert torch.equal(unguided[1], guided[1]) and torch.allclose(always, zero, atol=1e-4)


@pytest.mark.parametrize("installed", [True, False])
def test_noise_that_is_not_comfyuis_is_told(pipe, installed, monkeypatch):
    monkeypatch.setattr(noise, "has_torchsde", lambda: installed)
    monkeypatch.setattr(noise, "tree_noise", lambda seeds, shape, sigmas: fresh_noise(seeds, shape))
    for sampler_name in ("dpmpp_2m_sde", "dpmpp_2m_sde_gpu"):
        caption = generate(pipe, LADYBIRD, replace(QUICK, sampler_name=sampler_name)).caption
        assert ("torchsde" in caption) == (not installed)
    assert "torchsde" not in generate(pipe, LADYBIRD, replace(QUICK, sampler_name="seeds_2")).caption


@pytest.mark.parametrize("sampler_name", ["euler", "euler_ancestral", "dpmpp_sde", "dpm_adaptive", "euler_cfg_pp"])
def test_a_picture_in_a_batch_is_what_it_is_alone(pipe, sampler_name):
    steps = 2 if sampler_name == "dpm_adaptive" else 4
    batch = [SamplerSettings(seed=seed, cfg=cfg, steps=steps, sampler_name=sampler_name, denoise=0.6)
             for seed, cfg in ((3, 1.0), (4, 5.0), (4, 1.5))]
    latent = encode_picture(pipe, draw(pipe, LADYBIRD, steps=3).image)
    together = generate(pipe, LADYBIRD, batch, latent=latent)
    alone = [generate(pipe, LADYBIRD, settings, latent=latent) for settings in batch]
    assert [picture.settings for picture in together] == batch
    assert max(difference(*pair) for pair in zip(together, alone)) <= 2
    assert difference(alone[0], alone[1]) > 20


def test_a_mixed_list_keeps_its_order(pipe):
    wanted = [QUICK, replace(QUICK, steps=2), replace(QUICK, seed=1), replace(QUICK, sampler_name="heun"),
              replace(QUICK, scheduler="karras")]
    pictures = generate(pipe, LADYBIRD, wanted)
    assert [picture.settings for picture in pictures] == wanted
    for picture, settings in zip(pictures, wanted):
        assert difference(picture, generate(pipe, LADYBIRD, settings)) <= 2
    assert generate(pipe, LADYBIRD, []) == []


def test_how_batches_are_split():
    samplings = [("euler", "normal", 20, 1.0), ("dpm_adaptive", "normal", 20, 1.0)] * 3
    assert split_batches(samplings, 2) == [[1], [3], [5], [0, 2], [4]]
    assert split_batches(samplings, 0) == [[1], [3], [5], [0], [2], [4]]


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_the_same_seed_gives_the_same_picture(pipe, seed):
    settings = replace(QUICK, seed=seed, sampler_name="euler_ancestral")
    first, again = generate(pipe, LADYBIRD, settings), generate(pipe, LADYBIRD, settings)
    assert first.image.tobytes() == again.image.tobytes()
    assert difference(first, generate(pipe, LADYBIRD, replace(settings, seed=5))) > 20


def test_start_noise_is_comfyuis():
    """ComfyUI draws torch.randn of the whole latent after torch.manual_seed(seed)."""
    torch.manual_seed(2**40)
    assert torch.equal(torch.randn(1, *LATENT), start_noise([2**40], LATENT))


@pytest.mark.parametrize("changes, full", [
    ({}, True), ({"scheduler": "ddim_uniform", "steps": 4}, False), ({"denoise": 0.5}, False),
])
def test_what_x_starts_from(pipe, changes, full):
    """ComfyUI: at the model's highest sigma the noise is scaled to sqrt(1 + sigma^2), below it to sigma."""
    seen = []
    latent = torch.full((1, *LATENT), 0.25)
    generate(pipe, LADYBIRD, replace(QUICK, seed=9, **changes), latent=latent, callback=seen.append)
    sigma = seen[0].sigma
    scale = (1 + sigma ** 2) ** 0.5 if full else sigma
    assert torch.allclose(seen[0].x, latent + scale * start_noise([9], LATENT), rtol=1e-5, atol=1e-5)


def test_added_noise_is_not_the_start_noise_again():
    assert not torch.allclose(fresh_noise([3], (4, 8, 8))(None, None), start_noise([3], (4, 8, 8)))
    assert fresh_noise([2**64 - 1], (4, 8, 8))(None, None).isfinite().all()


def test_a_path_is_one_brownian_motion():
    """Unit variance on every interval; disjoint intervals are independent; two halves make up the whole."""
    noise = path_noise([1, 2], (4, 32, 32), 14.6)
    high, middle, low = torch.tensor(9.0), torch.tensor(2.0), torch.tensor(0.03)
    first, second, whole = noise(high, middle), noise(middle, low), noise(high, low)
    for part in (first, second, whole, noise(torch.tensor(0.031), low)):
        assert part.dtype == torch.float32 and part.shape == (2, 4, 32, 32)
        assert abs(float(part.std()) - 1) < 0.05 and abs(float(part.mean())) < 0.05
    assert abs(float((first * second).mean())) < 0.05
    assert torch.allclose(first * 7.0 ** 0.5 + second * 1.97 ** 0.5, whole * 8.97 ** 0.5, atol=1e-5)
    assert torch.equal(path_noise([2], (4, 32, 32), 14.6)(high, middle)[0], first[1])


def test_more_steps_of_an_sde_come_closer_to_one_picture(pipe):
    """The noise of a seed is one path, so 12 and 24 steps walk along the same one."""
    some, more, other = generate(pipe, LADYBIRD, [
        SamplerSettings(seed=seed, steps=steps, sampler_name="dpmpp_2m_sde", scheduler="karras")
        for seed, steps in ((0, 24), (0, 48), (1, 48))])
    assert np.abs(pixels(some) - pixels(more)).mean() < np.abs(pixels(more) - pixels(other)).mean() / 2


def test_denoise_0_gives_the_latent_back(pipe):
    source = draw(pipe, LADYBIRD, steps=3).image
    latent = encode_picture(pipe, source)
    picture = generate(pipe, "a cat", replace(QUICK, denoise=0), latent=latent)
    assert picture.image.tobytes() == decode(pipe, latent).tobytes() == preview(pipe, latent).tobytes()
    assert np.abs(pixels(picture) - np.asarray(source).astype(int)).mean() < 20


def test_less_denoise_keeps_more_of_the_source(pipe):
    source = draw(pipe, LADYBIRD).image
    settings = [SamplerSettings(denoise=denoise) for denoise in (0.2, 0.6, 1)]
    pictures = generate(pipe, "a cat on a red background", settings, latent=encode_picture(pipe, source))
    distances = [np.abs(pixels(picture) - np.asarray(source).astype(int)).mean() for picture in pictures]
    assert distances == sorted(distances) and distances[0] < distances[2] / 2


def test_other_sizes(pipe):
    picture = generate(pipe, LADYBIRD, QUICK, latent=empty_latent(pipe, 128, 72))
    assert picture.image.size == (128, 72)
    assert encode_picture(pipe, picture.image).shape == (1, 4, 9, 16)


def test_a_callback_sees_each_step_and_can_cancel(pipe):
    seen = []
    picture = generate(pipe, LADYBIRD, QUICK, callback=seen.append)
    assert [(step.index, step.steps) for step in seen] == [(0, 3), (1, 3), (2, 3)]
    assert decode(pipe, seen[-1].denoised).tobytes() == picture.image.tobytes()  # the last step ends at its denoised
    cancelled = []
    with pytest.raises(Cancelled):
        generate(pipe, LADYBIRD, QUICK, callback=lambda step: cancelled.append(step) or step.index == 1)
    assert len(cancelled) == 2


def test_a_text_is_encoded_once_and_goes_with_its_model(pipe, monkeypatch):
    class Encoder(torch.nn.Module):
        pass

    calls = []
    monkeypatch.setattr(model_text, "run_encoder", lambda pipe, text: calls.append(text) or run_encoder(pipe, text))
    text = "a cat, never encoded before"
    assert encode_text(pipe, text) is encode_text(pipe, text) and calls == [text]
    for number in range(model_text.MOST_TEXTS):
        monkeypatch.setattr(model_text, "run_encoder", lambda pipe, text: None)
        encode_text(pipe, f"filler {number}")
    monkeypatch.setattr(model_text, "run_encoder", lambda pipe, text: "again")
    assert encode_text(pipe, text) == "again"
    del model_text._encoded[pipe.text_encoder]

    class Pipe:
        text_encoder = Encoder()

    encode_text(Pipe, text)
    gone = weakref.ref(Pipe.text_encoder)
    del Pipe.text_encoder
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_cut_prompt_is_told(pipe, language):
    set_language(language)
    long = LADYBIRD + "，" * 3991  # 4,000 characters
    picture = generate(pipe, long, QUICK, negative_prompt=long)
    tokens = len(pipe.tokenizer(long)["input_ids"])
    notes = picture.caption.splitlines()[1:]
    assert len(notes) == 2 and all(str(tokens) in note and "256" in note for note in notes) and tokens > 1000
    assert len(picture.caption) < 600
    assert "256" not in generate(pipe, LADYBIRD, QUICK).caption


def test_words_it_never_learnt_are_told_in_the_caption(pipe, capsys):
    assert "可爱" in generate(pipe, "一只可爱的瓢虫", QUICK).caption
    assert capsys.readouterr().out == ""  # a slider would print it with every movement


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("changes, named", [
    ({"steps": 0}, "steps"), ({"steps": 10000}, "1100"), ({"cfg": float("nan")}, "cfg"), ({"seed": -1}, "seed"),
    ({"seed": 2**64}, "seed"), ({"denoise": 1.5}, "denoise"), ({"sampler_name": "eular"}, "euler"),
    ({"sampler_name": "dpmpp_9m"}, "dpmpp"), ({"scheduler": "karas"}, "karras"), ({"scheduler": None}, "scheduler"),
])
def test_wrong_settings_are_answered(pipe, changes, named, language):
    set_language(language)
    for settings in (replace(QUICK, **changes), [QUICK, replace(QUICK, **changes)]):
        with pytest.raises(LessonError, match=named):
            generate(pipe, LADYBIRD, settings)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("prompt, negative_prompt", [("", ""), (" \n", ""), (None, ""), (3, ""), ("一条龙", ""),
                                                     ("x" * 4000, ""), (LADYBIRD, None)])
def test_wrong_prompts_are_answered(pipe, prompt, negative_prompt, language):
    set_language(language)
    with pytest.raises(LessonError) as problem:
        generate(pipe, prompt, QUICK, negative_prompt=negative_prompt)
    assert len(problem.value.what) < 300


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("latent, named", [
    (torch.zeros(1, 3, 12, 12), "1, 3"), (torch.zeros(2, 4, 12, 12), "2, 4"), (torch.zeros(4, 12, 12), "4, 12, 12"),
    (torch.zeros(1, 4, 0, 12), "0"), (torch.zeros(1, 4, 12, 2000), "16000"), (torch.zeros(1, 4, 12, 12).int(), "int32"),
    (np.zeros((1, 4, 12, 12)), "ndarray"), (torch.full((1, 4, 12, 12), float("nan")), "576"),
    (torch.full((1, 4, 12, 12), float("inf")), "576"),
])
def test_wrong_latents_are_answered(pipe, latent, named, language):
    set_language(language)
    with pytest.raises(LessonError, match=named):
        generate(pipe, LADYBIRD, QUICK, latent=latent)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [
    (96, 100), (95, 96), (0, 96), (24, 96), (96, 392), (96.0, 96), ("96", 96), (True, 96)])
def test_wrong_sizes_are_answered(pipe, size, language):
    set_language(language)
    with pytest.raises(LessonError, match=str(size[1])):
        empty_latent(pipe, *size)


@pytest.mark.parametrize("language", LANGUAGES)
def test_wrong_pictures_are_answered(pipe, language):
    set_language(language)
    with pytest.raises(LessonError, match="97"):
        encode_picture(pipe, Image.new("RGB", (97, 96)))
    with pytest.raises(LessonError, match="Picture"):
        encode_picture(pipe, draw(pipe, LADYBIRD, steps=2))
    assert encode_picture(pipe, Image.new("RGBA", SQUARE)).shape == (1, *LATENT)


def test_a_condition_holds_what_the_unet_takes(pipe):
    joined = join_texts([encode_text(pipe, LADYBIRD)] * 2, torch.float32, "cpu")
    assert isinstance(joined, Condition) and len(joined.states) == len(joined.pooled) == len(joined.bias) == 2
