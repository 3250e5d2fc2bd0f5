"""The Kolors nodes that ComfyUI and the notebook share: prompts, schedulers, LoRA, sizes; the real ComfyUI is by hand
(tests/by_hand/check_nodes.py)."""

import ast
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from diffusers import KolorsImg2ImgPipeline, KolorsPipeline

from course_lib.files import COURSE
from course_lib.lora.adapters import list_names
from course_lib.lora.verbs import add_lora, save_lora
from course_lib.messages import LessonError
from course_lib.model.loading import load
from course_lib.model.text import encode_text
from course_lib.pictures.emoji import PICTURE_SIZE
from course_lib.sampling.step import Cancelled
from course_lib.workflow.nodes import wires
from course_lib.workflow.nodes.host import Host, here, surrounded
from course_lib.workflow.nodes.kolors import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
from course_lib.workflow.nodes.kolors_sampling import KOLORS_SCHEDULERS, Asked, draw_latents, make_solver
from course_lib.workflow.nodes.prompt_syntax import read_prompts

PROMPT = "一只瓢虫，蓝色背景"


class Notes(Host):
    """Surroundings that keep what is noted, with the test's own model."""

    def __init__(self, pipe, folder=None, callback=None):
        self.pipe, self.notes, self.callback, self.lora_folders = pipe, [], callback, (folder,) if folder else ()

    def find_pipe(self, name=None):
        return self.pipe

    def watch(self, pipe):
        return self.callback

    def note(self, words):
        self.notes.append(words)


def make(name, **inputs):
    """Run one node as ComfyUI does and return its first output."""
    kind = NODE_CLASS_MAPPINGS[name]
    return getattr(kind(), kind.FUNCTION)(**inputs)[0]


def nodes_draw(pipe, prompt=PROMPT, *, lora=None, negative="", latent=None, callback=None, **settings):
    """Draw latents by the nodes; return them and the notes."""
    settings = {"width": PICTURE_SIZE, "height": PICTURE_SIZE, "seed": 3, "steps": 3, "cfg": 5.0,
                "scheduler": "EulerDiscreteScheduler", **settings}
    with surrounded(Notes(pipe, lora and lora.parent, callback)) as host:
        model = make("DownloadAndLoadKolorsModel", model="Kwai-Kolors/Kolors", precision="fp16")
        if lora:
            model = make("LoadKolorsLoRA", kolors_model=model, lora_path=lora.name, lora_alpha=2.0)
        reader = make("DownloadAndLoadChatGLM3", precision="fp16")
        embeds = make("KolorsTextEncode", chatglm3_model=reader, prompt=prompt, negative_prompt=negative,
                      num_images_per_prompt=1)
        drawn = make("KolorsSampler", kolors_model=model, kolors_embeds=embeds, latent=latent, **settings)
    return drawn["samples"], host.notes


@pytest.fixture
def lora(tmp_path):
    """Return a LoRA's file that changes pictures."""
    unet = load("tiny").unet
    weights = add_lora(unet, rank=2, alpha=2.0)
    generator = torch.Generator().manual_seed(0)
    for weight in weights:
        weight.data = torch.randn(weight.shape, generator=generator) * 0.3
    return save_lora(unet, tmp_path / "style.safetensors", base_model="tiny")


@pytest.mark.parametrize("prompt, texts", [
    ("a cat", ["a cat"]), (" a | b |c ", ["a", "b", "c"]), ("", [""]), (" | ", [""]), ("a {x} b", ["a x b"]),
    ("a { b | c", ["a { b", "c"]), ("}a{", ["}a{"]),
])
def test_prompts_are_split_at_bare_bars(prompt, texts):
    assert read_prompts(prompt) == texts


def test_choices_are_chosen_by_seed():
    prompt = "a {red|blue|{dark|light} green} cat | {one|two} dogs"
    chosen = {tuple(read_prompts(prompt, seed)) for seed in range(60)}
    assert chosen == {(f"a {colour} cat", f"{count} dogs") for colour in ("red", "blue", "dark green", "light green")
                      for count in ("one", "two")}
    assert read_prompts(prompt, 5) == read_prompts(prompt, 5)


@pytest.mark.parametrize("name", KOLORS_SCHEDULERS)
def test_each_scheduler_draws_what_diffusers_own_pipeline_draws(pipe, name):
    solver = make_solver(pipe, name)
    theirs = KolorsPipeline(pipe.vae, pipe.text_encoder, pipe.tokenizer, pipe.unet, solver)
    theirs.set_progress_bar_config(disable=True)
    wanted = theirs(PROMPT, negative_prompt="flat", num_inference_steps=4, guidance_scale=4.0, output_type="latent",
                    generator=torch.Generator().manual_seed(3)).images
    drawn, _ = nodes_draw(pipe, negative="flat", steps=4, cfg=4.0, scheduler=name)
    drawn *= pipe.vae.config.scaling_factor
    assert wanted.isfinite().all() and drawn.isfinite().all()
    assert (drawn - wanted).abs().max() < 2e-3 * wanted.abs().max()


def test_no_two_schedulers_are_the_same(pipe):
    drawn = [nodes_draw(pipe, steps=4, scheduler=name)[0] for name in KOLORS_SCHEDULERS]
    assert all((first - second).abs().max() > 0.01 for number, first in enumerate(drawn)
               for second in drawn[:number])


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "DPMSolverMultistepScheduler_SDE_karras",
                                  "UniPCMultistepScheduler"])
def test_a_latent_is_drawn_over_as_diffusers_image_to_image_does(pipe, name):
    start, _ = nodes_draw(pipe, "一只熊猫，红色背景", steps=4)
    scale = pipe.vae.config.scaling_factor
    theirs = KolorsImg2ImgPipeline(pipe.vae, pipe.text_encoder, pipe.tokenizer, pipe.unet,
                                   make_solver(pipe, name))
    theirs.set_progress_bar_config(disable=True)
    wanted = theirs(PROMPT, image=start * scale, strength=0.5, num_inference_steps=6, guidance_scale=5.0,
                    output_type="latent", generator=torch.Generator().manual_seed(3)).images
    drawn, _ = nodes_draw(pipe, steps=6, latent={"samples": start}, denoise_strength=0.5, scheduler=name)
    assert (drawn * scale - wanted).abs().max() < 2e-3 * wanted.abs().max()
    kept, _ = nodes_draw(pipe, steps=6, latent={"samples": start}, denoise_strength=0.0)
    assert torch.allclose(kept, start, atol=1e-5)


def test_a_batch_begins_with_the_picture_alone(pipe, monkeypatch):
    alone, _ = nodes_draw(pipe)
    both, notes = nodes_draw(pipe, f"{PROMPT} | 一只熊猫")
    assert both.shape == (2, 4, 12, 12) and torch.allclose(both[:1], alone, atol=1e-3)
    assert any("一只熊猫" in note for note in notes)
    steps = []
    monkeypatch.setattr("course_lib.workflow.nodes.kolors_sampling.MOST_PLACES", 144)  # one picture at a time
    parted, _ = nodes_draw(pipe, f"{PROMPT} | 一只熊猫", callback=lambda step: steps.append((step.index, step.steps)))
    assert torch.allclose(parted, both, atol=1e-3) and steps == [(index, 6) for index in range(6)]


def test_a_step_shows_the_picture_that_the_model_sees(pipe):
    """At the last step of Euler, which ends at sigma 0, the guess is the picture; also where x is kept otherwise."""
    for name in ("EulerDiscreteScheduler", "DPMSolverMultistepScheduler"):
        seen = []
        drawn, _ = nodes_draw(pipe, scheduler=name, callback=seen.append)
        assert torch.allclose(seen[-1].denoised, drawn * pipe.vae.config.scaling_factor, atol=0.02)
        assert [step.index for step in seen] == [0, 1, 2] and seen[0].sigma > seen[1].sigma > seen[2].sigma


def test_a_callback_stops_it_and_takes_the_lora_off(pipe, lora):
    with pytest.raises(Cancelled):
        nodes_draw(pipe, lora=lora, callback=lambda step: step.index == 1)
    assert not list_names(pipe.unet)


def test_a_lora_is_worn_only_while_its_sampler_draws(pipe, lora):
    before, _ = nodes_draw(pipe)
    worn, notes = nodes_draw(pipe, lora=lora)
    after, _ = nodes_draw(pipe)
    assert (worn - before).abs().max() > 0.1 and torch.equal(before, after)
    assert any(lora.name in note for note in notes)


def test_a_missing_lora_is_told(pipe, tmp_path):
    with pytest.raises(LessonError, match="epoch=0-step=500.ckpt"):
        nodes_draw(pipe, lora=tmp_path / "epoch=0-step=500.ckpt")
    with surrounded(Notes(pipe, tmp_path)) as host:
        for name in ("", "x" * 5000, "a\0b", "/"):
            with pytest.raises(LessonError):
                host.find_lora(name)


def test_a_new_lora_file_of_the_same_name_is_a_change(pipe, lora):
    kind = NODE_CLASS_MAPPINGS["LoadKolorsLoRA"]
    with surrounded(Notes(pipe, lora.parent)):
        first = kind.IS_CHANGED(lora_path=lora.name, lora_alpha=2.0)
        lora.write_bytes(lora.read_bytes() + b" ")
        assert first and kind.IS_CHANGED(lora_path=lora.name, lora_alpha=2.0) != first
        assert kind.IS_CHANGED(lora_path="none.ckpt", lora_alpha=2.0) == ""


@pytest.mark.parametrize("asked, drawn", [((1024, 1024), (96, 96)), ((1280, 768), (120, 72)), ((64, 128), (64, 128)),
                                          ((384, 384), (384, 384)), ((2048, 384), (192, 32))])
def test_sizes_of_kolors_shrink_for_the_tiny_model(pipe, asked, drawn):
    with surrounded(Notes(pipe)) as host:
        assert wires.fit_size(pipe, *asked) == drawn
    assert bool(host.notes) == (asked != drawn)


def test_a_size_too_small_when_shrunk_is_told(pipe):
    with surrounded(Notes(pipe)), pytest.raises(LessonError):
        wires.fit_size(pipe, 2048, 64)


def test_an_unknown_subject_is_drawn_and_told(pipe):
    drawn, notes = nodes_draw(pipe, "二次元，长发，少女，白色背景")
    assert drawn.isfinite().all() and any("二次元" in note for note in notes)


def test_numbers_that_are_none_are_told(pipe):
    samples = torch.zeros(1, 4, 12, 12)
    samples[0, 0, 0, 0] = math.nan
    with pytest.raises(LessonError):
        wires.CourseVae(pipe).decode(samples)
    with pytest.raises(LessonError):
        nodes_draw(pipe, latent={"samples": samples}, denoise_strength=0.5)


def test_the_vae_goes_there_and_back(pipe):
    drawn, _ = nodes_draw(pipe, steps=6)
    vae = wires.CourseVae(pipe)
    image = vae.decode(drawn)
    assert image.shape == (1, PICTURE_SIZE, PICTURE_SIZE, 3) and image.min() >= 0 and image.max() <= 1
    assert (vae.decode(vae.encode(image)) - image).abs().mean() < 0.05
    assert vae.encode(torch.rand(2, 99, 107, 4)).shape == (2, 4, 12, 13)


def test_quantised_text_encoders_need_a_gpu_and_say_so(pipe):
    with surrounded(Notes(pipe)) as host:
        assert make("DownloadAndLoadChatGLM3", precision="quant4").text_encoder is pipe.text_encoder
        assert make("LoadChatGLM3", chatglm3_checkpoint="chatglm3-8bit.safetensors").text_encoder is pipe.text_encoder
    assert any("quant4" in note for note in host.notes) and any("quant8" in note for note in host.notes)


def test_every_node_has_the_form_that_comfyui_reads():
    assert NODE_CLASS_MAPPINGS.keys() == NODE_DISPLAY_NAME_MAPPINGS.keys()
    for kind in NODE_CLASS_MAPPINGS.values():
        types = kind.INPUT_TYPES()
        assert set(types) <= {"required", "optional"} and callable(getattr(kind, kind.FUNCTION))
        assert len(kind.RETURN_NAMES) == len(kind.RETURN_TYPES) and isinstance(kind.CATEGORY, str)


def test_surroundings_end_with_their_block(pipe):
    outside = here()
    with pytest.raises(KeyError), surrounded(Notes(pipe)):
        raise KeyError
    assert here() is outside


def test_the_folder_is_found_through_a_link_by_its_real_place(tmp_path):
    """ComfyUI loads the file by its path under another name; without ComfyUI's own modules the last import fails."""
    (tmp_path / "custom_nodes").mkdir()
    link = tmp_path / "custom_nodes" / "kolors-course"
    link.symlink_to(COURSE / "course_lib" / "comfyui" / "custom_nodes", target_is_directory=True)
    code = ("import importlib.util, sys; spec = importlib.util.spec_from_file_location('linked', sys.argv[1]);"
            "module = importlib.util.module_from_spec(spec); sys.modules['linked'] = module;"
            "spec.loader.exec_module(module)")
    ran = subprocess.run([sys.executable, "-c", code, str(link / "__init__.py")], cwd=tmp_path, capture_output=True,
                         text=True, env={"PATH": "", "OMP_NUM_THREADS": "1"})
    assert "course_lib/comfyui/custom_nodes/inside_comfyui.py" in ran.stderr and "No module named 'comfy" in ran.stderr


def test_comfyuis_modules_are_asked_for_in_two_files_only():
    """The notebook's runner must not need ComfyUI."""
    own = {"comfy", "nodes", "folder_paths", "latent_preview", "server", "execution"}
    found = set()
    for path in (COURSE / "course_lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            found |= {path.name for name in names if name.split(".")[0] in own}
    assert found == {"comfy_model.py", "inside_comfyui.py"}


def test_draw_latents_takes_steps_of_its_own_scheduler(pipe):
    """The pipeline's own scheduler is not touched, so a run changes nothing for the next."""
    config = dict(pipe.scheduler.config)
    text = encode_text(pipe, PROMPT)
    draw_latents(pipe, [text], text, Asked(PICTURE_SIZE, PICTURE_SIZE, 0, 2, 1.0, "UniPCMultistepScheduler"))
    assert dict(pipe.scheduler.config) == config and type(pipe.scheduler).__name__ == "EulerDiscreteScheduler"
    assert np.isfinite(float(pipe.scheduler.sigmas[0]))
