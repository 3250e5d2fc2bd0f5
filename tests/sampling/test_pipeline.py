"""The shipped model through diffusers alone, and through `load` and `draw`."""

import numpy as np
import pytest
import torch
from diffusers import KolorsImg2ImgPipeline, KolorsPipeline
from PIL import Image

from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.model.loading import load
from course_lib.pictures.classifier import border_ground, judge
from course_lib.pictures.picture import Picture
from course_lib.pictures.sheet import show_sheet
from course_lib.sampling.drawing import draw, draw_batch

LADYBIRD = "一只瓢虫，蓝色背景"


def test_diffusers_alone_opens_the_folder_and_draws(pipe):
    plain = KolorsPipeline.from_pretrained("data/tiny_kolors")
    plain.set_progress_bar_config(disable=True)
    image = plain(LADYBIRD, num_inference_steps=25, guidance_scale=5.0,
                  generator=torch.Generator("cpu").manual_seed(0)).images[0]
    assert np.asarray(image).std() > 20
    assert (judge([image])[0].subject, judge([image])[0].ground) == ("lady-beetle", "blue")
    assert image.tobytes() == draw(pipe, LADYBIRD).image.tobytes()


def test_the_parts_are_kolors_own(pipe):
    assert type(pipe.text_encoder).__name__ == "ChatGLMModel"
    assert type(pipe.tokenizer).__name__ == "ChatGLMTokenizer"
    assert type(pipe.vae).__name__ == "AutoencoderKL"
    assert pipe.unet.config.addition_embed_type == "text_time"
    assert pipe.unet.encoder_hid_proj is not None
    config = pipe.scheduler.config
    assert (config.num_train_timesteps, config.beta_start, config.beta_end) == (1100, 0.00085, 0.014)
    assert all(torch.isfinite(weight).all() for part in (pipe.unet, pipe.vae, pipe.text_encoder)
               for weight in part.parameters())


def test_two_runs_give_equal_pictures_and_another_seed_another(pipe):
    assert draw(pipe, LADYBIRD).image.tobytes() == draw(pipe, LADYBIRD).image.tobytes()
    assert draw(pipe, LADYBIRD).image.tobytes() != draw(pipe, LADYBIRD, seed=1).image.tobytes()


@pytest.mark.parametrize("cfg, negative_prompt", [(5.0, ""), (5.0, "扁平风格"), (1.0, "")])
def test_a_picture_in_a_batch_is_the_pipelines_own(pipe, cfg, negative_prompt):
    settings = {"steps": 8, "cfg": cfg, "negative_prompt": negative_prompt}
    batch = draw_batch(pipe, ["a cat on a red background", LADYBIRD], seeds=[1, 5], **settings)
    alone = draw(pipe, LADYBIRD, seed=5, **settings).image
    assert np.abs(np.asarray(batch[1]).astype(int) - np.asarray(alone)).max() <= 2
    assert np.abs(np.asarray(batch[0]).astype(int) - np.asarray(alone)).mean() > 20


def test_the_negative_prompt_changes_the_picture(pipe):
    assert draw(pipe, LADYBIRD).image.tobytes() != draw(pipe, LADYBIRD, negative_prompt="扁平风格").image.tobytes()


def test_image_to_image_keeps_the_ground_it_starts_from(pipe):
    img2img = KolorsImg2ImgPipeline(**pipe.components)
    img2img.set_progress_bar_config(disable=True)
    start = draw(pipe, LADYBIRD).image
    image = img2img(LADYBIRD, image=start, strength=0.5, num_inference_steps=20,
                    generator=torch.Generator("cpu").manual_seed(1)).images[0]
    assert image.size == start.size
    assert border_ground(image) == "blue"
    assert judge([image])[0].subject == "lady-beetle"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("prompt, settings, named", [
    ("", {}, None), ("  ", {}, None), ("一条龙，红色背景", {}, "龙"), (LADYBIRD, {"steps": 0}, "steps"),
    (LADYBIRD, {"cfg": -1}, "cfg"), (LADYBIRD, {"seed": -1}, "seed"),
])
def test_what_cannot_be_drawn_is_answered(pipe, prompt, settings, named, language):
    set_language(language)
    with pytest.raises(LessonError) as problem:
        draw(pipe, prompt, **settings)
    assert named is None or named in str(problem.value)
    assert problem.value.next_step


def test_words_it_never_learnt_are_told(pipe, capsys):
    draw(pipe, "一只可爱的瓢虫", steps=2)
    assert "可爱" in capsys.readouterr().out


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_place_that_cannot_be_written_is_answered(tmp_path, language):
    set_language(language)
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    picture = Picture(Image.new("RGB", (96, 96)), "")
    with pytest.raises(LessonError, match="file"):
        picture.save(tmp_path / "file" / "x.png")
    assert picture.save(tmp_path / "new" / "x.png").is_file()


def test_a_notebook_shows_one_small_png_and_one_text(pipe):
    pictures = [draw(pipe, LADYBIRD, seed=seed) for seed in range(3)]
    for picture in (*pictures, show_sheet(pictures, columns=2)):
        bundle = picture._repr_mimebundle_()
        assert set(bundle) == {"image/png", "text/plain"}
        assert len(bundle["image/png"]) <= 40_000
        assert "seed" in bundle["text/plain"]


def test_an_unknown_model_is_answered():
    with pytest.raises(LessonError):
        load("sd15")
