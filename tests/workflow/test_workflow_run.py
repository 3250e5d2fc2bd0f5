"""The notebook's runner: the same pictures as `generate`, ComfyUI's own errors, what is kept, folders, interruption."""

import gc
import importlib.util
import json
import weakref

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.files import COURSE
from course_lib.lora.verbs import add_lora, load_lora, save_lora
from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.model.loading import load
from course_lib.model.text import encode_text
from course_lib.pictures.emoji import PICTURE_SIZE
from course_lib.sampling.drawing import generate, sample
from course_lib.sampling.metadata import build_graph
from course_lib.sampling.settings import SamplerSettings
from course_lib.sampling.step import Cancelled
from course_lib.workflow.checking import WorkflowError, check
from course_lib.workflow.graph import read
from course_lib.workflow.nodes.built_in import NODES
from course_lib.workflow.nodes.host import surrounded
from course_lib.workflow.notebook_host import NotebookHost
from course_lib.workflow.picture_settings import read_settings
from course_lib.workflow.results import Results, describe_value
from course_lib.workflow.running import Cache, run

WORKFLOWS = sorted((COURSE / "data" / "workflows").glob("*.json"))
RECORDED = json.loads((COURSE / "tests" / "data" / "comfyui_validation.json").read_text(encoding="utf-8"))
PROMPT = "一只瓢虫，蓝色背景"
QUICK = SamplerSettings(seed=5, steps=2)
SQUARE = (PICTURE_SIZE, PICTURE_SIZE)
PLACES = PICTURE_SIZE // 8  # of a latent's side

spec = importlib.util.spec_from_file_location("bad_workflows", COURSE / "tests" / "by_hand" / "bad_workflows.py")
bad_workflows = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bad_workflows)
GOOD, change, digest = bad_workflows.GOOD, bad_workflows.change, bad_workflows.digest


def graph(settings=QUICK, prompt=PROMPT, width=PICTURE_SIZE, height=PICTURE_SIZE):
    """Return ComfyUI's text-to-image workflow, which shows its picture."""
    found = build_graph(settings, prompt, "", width, height)
    return {**found, "9": {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}}


def camp(prompt=PROMPT, lora=None, steps=2, size=1024):
    """Return the camp's workflow."""
    nodes = {
        "11": ("VAELoader", {"vae_name": "sdxl.vae.safetensors"}),
        "6": ("DownloadAndLoadKolorsModel", {"model": "Kwai-Kolors/Kolors", "precision": "fp16"}),
        "13": ("DownloadAndLoadChatGLM3", {"precision": "fp16"}),
        "12": ("KolorsTextEncode", {"chatglm3_model": ["13", 0], "prompt": prompt, "negative_prompt": "",
                                    "num_images_per_prompt": 1}),
        "14": ("KolorsSampler", {"kolors_model": ["16" if lora else "6", 0], "kolors_embeds": ["12", 0],
                                 "width": size, "height": size, "seed": 0, "steps": steps, "cfg": 5.0,
                                 "scheduler": "EulerDiscreteScheduler"}),
        "10": ("VAEDecode", {"samples": ["14", 0], "vae": ["11", 0]}),
        "3": ("PreviewImage", {"images": ["10", 0]}),
    }
    if lora:
        nodes["16"] = ("LoadKolorsLoRA", {"kolors_model": ["6", 0], "lora_path": str(lora), "lora_alpha": 2.0})
    return {node: {"class_type": kind, "inputs": inputs} for node, (kind, inputs) in nodes.items()}


def pixels(picture):
    return np.asarray(picture).astype(int)


def ran(results):
    """Return the nodes that really ran."""
    return [node for node, result in results.items() if not result.cached]


@pytest.fixture
def lora(tmp_path):
    """Return a LoRA's file that changes pictures."""
    unet = load("tiny").unet
    weights = add_lora(unet, rank=2, alpha=2.0)
    generator = torch.Generator().manual_seed(0)
    for weight in weights:
        weight.data = torch.randn(weight.shape, generator=generator) * 0.3
    return save_lora(unet, tmp_path / "style.safetensors", base_model="tiny")


@pytest.mark.parametrize("settings, size", [
    (SamplerSettings(seed=5, steps=3), PICTURE_SIZE), (SamplerSettings(seed=2**64 - 1, steps=3, cfg=1.0), 32),
    (SamplerSettings(steps=3, sampler_name="euler_ancestral", scheduler="karras", denoise=0.9), PICTURE_SIZE),
    (SamplerSettings(steps=3, sampler_name="uni_pc", scheduler="simple"), PICTURE_SIZE),
])
def test_a_ksampler_draws_the_very_picture_of_generate(pipe, settings, size):
    latent = torch.zeros(1, 4, size // 8, size // 8)
    wanted = generate(pipe, PROMPT, settings, latent=latent).image
    assert (pixels(run(graph(settings, width=size, height=size), models=pipe).pictures[0]) == pixels(wanted)).all()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_workflow_that_comes_with_the_course_runs(pipe, tmp_path, path, lora):
    workflow = read(path)
    for node in workflow.nodes.values():  # their values are read from the file; fewer steps are enough here
        for name, value in {"steps": 2, "lora_path": str(lora), "lora_name": str(lora)}.items():
            if name in node.widgets:
                node.widgets[name] = value
        if node.type == "LoadImage":
            Image.new("RGB", SQUARE, "red").save(tmp_path / node.widgets["image"])
    results = run(workflow, models=pipe, output=tmp_path, input=tmp_path)
    assert results.pictures and all(picture.size == SQUARE for picture in results.pictures)


def test_a_path_a_dict_and_a_png_are_the_same_workflow(pipe, tmp_path):
    (tmp_path / "api.json").write_text(json.dumps(graph()), encoding="utf-8")
    first = run(tmp_path / "api.json", models=pipe).pictures[0]
    path = generate(pipe, PROMPT, QUICK).save(tmp_path / "made.png")
    again = run(path, models=pipe, output=tmp_path)
    assert (pixels(first) == pixels(again.pictures[0])).all() and again["9"].files[0].parent == tmp_path


def test_only_what_changed_runs_again(pipe):
    cache = Cache()
    first = run(graph(), models=pipe, cache=cache)
    assert ran(first) == list(first)
    again = run(graph(), models=pipe, cache=cache)
    assert ran(again) == [] and again.pictures == first.pictures and again.seconds == 0
    assert ran(run(graph(SamplerSettings(seed=6, steps=2)), models=pipe, cache=cache)) == ["3", "8", "9"]
    assert "6" in ran(run(graph(prompt="一只熊猫"), models=pipe, cache=cache))
    renumbered = {f"1{node}": {**about, "inputs": {
        name: [f"1{value[0]}", value[1]] if isinstance(value, list) else value
        for name, value in about["inputs"].items()}} for node, about in graph(prompt="一只熊猫").items()}
    assert ran(run(renumbered, models=pipe, cache=cache)) == []  # a node's number does not count
    assert len(cache.outputs) == 7


def test_another_model_behind_the_same_name_is_a_change(pipe):
    cache = Cache()
    run(graph(), models=pipe, cache=cache)
    assert "4" in ran(run(graph(), models={"kolors.safetensors": load("tiny")}, cache=cache))


def test_a_failed_run_keeps_what_was_done(pipe, lora):
    cache = Cache()
    with pytest.raises(WorkflowError):
        run(camp(lora="none.ckpt"), models=pipe, cache=cache)
    assert not {"6", "11"} & set(ran(run(camp(lora=lora), models=pipe, cache=cache)))


def test_a_changed_picture_and_a_changed_lora_run_again(pipe, tmp_path, lora):
    def from_picture():
        nodes = graph(SamplerSettings(seed=5, steps=2, denoise=0.5))
        nodes["20"] = {"class_type": "LoadImage", "inputs": {"image": "start.png"}}
        nodes["21"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["20", 0], "vae": ["4", 2]}}
        nodes["3"]["inputs"]["latent_image"] = ["21", 0]
        return run(nodes, models=pipe, cache=cache, input=tmp_path)

    cache = Cache()
    Image.new("RGB", SQUARE, "red").save(tmp_path / "start.png")
    red = from_picture()
    assert ran(from_picture()) == []
    Image.new("RGB", SQUARE, "blue").save(tmp_path / "start.png")
    (tmp_path / "start.png").touch()
    blue = from_picture()
    assert "20" in ran(blue) and np.abs(pixels(red.pictures[0]) - pixels(blue.pictures[0])).max() > 20


def test_a_lora_changes_one_run_and_not_the_next(pipe, lora):
    cache = Cache()
    before = run(camp(), models=pipe, cache=cache)
    worn = run(camp(lora=lora), models=pipe, cache=cache)
    assert ran(worn) == ["16", "14", "10", "3"]
    after = run(camp(), models=pipe)
    assert np.abs(pixels(before.pictures[0]) - pixels(worn.pictures[0])).max() > 20
    assert (pixels(before.pictures[0]) == pixels(after.pictures[0])).all()
    assert any(lora.name in note for note in worn["14"].notes)


def test_loraloader_draws_the_same_as_load_lora(lora):
    nodes = graph()
    nodes["10"] = {"class_type": "LoraLoader", "inputs": {"model": ["4", 0], "clip": ["4", 1], "lora_name": str(lora),
                                                          "strength_model": 0.5, "strength_clip": 1.0}}
    nodes["3"]["inputs"]["model"] = ["10", 0]
    drawn = run(nodes).pictures[0]
    own = load("tiny")
    load_lora(own.unet, lora, strength=0.5)
    assert np.abs(pixels(drawn) - pixels(generate(own, PROMPT, QUICK).image)).max() <= 1
    nodes["10"]["inputs"]["lora_name"] = "none.safetensors"
    with pytest.raises(WorkflowError, match="lora_name"):
        run(nodes)


def test_a_batch_has_comfyuis_noise(pipe):
    """ComfyUI draws the noise of all pictures of a batch from the one seed; the first is the picture alone."""
    nodes = graph()
    nodes["5"]["inputs"]["batch_size"] = 2
    both = run(nodes, models=pipe)
    alone = run(graph(), models=pipe).pictures[0]
    assert np.abs(pixels(both.pictures[0]) - pixels(alone)).max() <= 1  # one CPU or another rounds a batch differently
    noise = torch.randn(2, 4, PLACES, PLACES, generator=torch.Generator().manual_seed(QUICK.seed))[1:]
    second = sample(pipe, [encode_text(pipe, PROMPT), encode_text(pipe, "")], [QUICK],
                    torch.zeros(1, 4, PLACES, PLACES), noise=noise)
    found = both["3"].outputs["LATENT"]["samples"][1:] * pipe.vae.config.scaling_factor
    assert torch.allclose(found, second, atol=1e-4)


# ComfyUI's own answers, recorded by tests/by_hand/check_nodes.py; where the course knows better it stands here.
BETTER = {
    "to nothing": {"3": [["exception_during_inner_validation", "latent_image"]]},  # ComfyUI names the node behind it
    "no such output": {"8": [["exception_during_inner_validation", "samples"]]},
    "output to nothing": {"9": [["exception_during_inner_validation", "images"]]},  # and here no input
    "one output of two": {"9": [["exception_during_inner_validation", "images"]]},
    "picture outside": {"20": [["custom_validation_failed", "image"]]},  # ComfyUI lets it pass
}


class ComfyNames(NotebookHost):
    """Surroundings that offer the names that the recorded ComfyUI had."""

    def list_names(self, kind):
        return ["sdxl.vae.safetensors"] if kind == "vae" else super().list_names(kind)


@pytest.mark.parametrize("name", [*bad_workflows.BAD, *bad_workflows.GOOD_AFTER_ALL])
def test_what_is_refused_is_what_comfyui_refuses(name, tmp_path):
    prompt = {**bad_workflows.BAD, **bad_workflows.GOOD_AFTER_ALL}[name]
    models = {"kolors.safetensors": "tiny", "Kwai-Kolors/Kolors": "tiny"}
    with surrounded(ComfyNames(prompt, models, {}, tmp_path, tmp_path, None, None)):
        try:
            found = digest(200, {"node_errors": check(prompt, NODES).node_errors})
        except WorkflowError as refused:
            found = digest(400, refused.answer)
    wanted = dict(RECORDED[name])
    if name in BETTER:
        assert {node: about["errors"] for node, about in found["nodes"].items()} == BETTER[name]
    else:
        assert found == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_error_names_node_input_and_what_was_expected(language):
    set_language(language)
    with pytest.raises(WorkflowError) as caught:
        run(change("3", steps=0, cfg="x", positive=["5", 0], latent_image=["99", 0], model=None))
    said = str(caught.value)
    for part in ("KSampler", "steps", "1", "cfg", "FLOAT", "positive", "CONDITIONING", "LATENT", "99", "latent_image",
                 "model"):
        assert part in said, part


def test_a_cycle_is_named():
    prompt = change("5", width=["8", 0])
    prompt["3"]["inputs"]["latent_image"] = ["5", 0]
    with pytest.raises(WorkflowError) as caught:
        run(prompt)
    assert all(node in str(caught.value) for node in ("KSampler", "VAEDecode", "EmptyLatentImage"))
    assert "CLIPTextEncode" not in str(caught.value)
    assert set(caught.value.answer["error"]["extra_info"]["cycle"]) == {"3", "8", "5"}


def test_a_long_chain_is_no_recursion():
    prompt = {"0": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}}
    for number in range(1, 3000):
        prompt[str(number)] = {"class_type": "VAEDecode", "inputs": {"samples": [str(number - 1), 0]}}
    prompt["3000"] = {"class_type": "PreviewImage", "inputs": {"images": ["2999", 0]}}
    with pytest.raises(WorkflowError) as caught:
        check(prompt, NODES)
    assert len(caught.value.answer["node_errors"]) == 2999 and len(str(caught.value)) < 10_000


@pytest.mark.parametrize("junk", [{}, {"3": {}}, {"nodes": 5}, [1, 2], 7, None, "no such file.json",
                                  {"3": {"class_type": 5}, "4": {"class_type": "PreviewImage"}},
                                  {"9": {"class_type": "PreviewImage", "inputs": [1]}}])
def test_what_is_no_workflow_is_told(junk):
    with pytest.raises(LessonError):
        run(junk)


def test_a_good_output_runs_beside_a_bad_one(pipe):
    nodes = {**graph(), "20": {"class_type": "PreviewImage", "inputs": {"images": ["5", 0]}}}
    results = run(nodes, models=pipe)
    assert results["9"].pictures and "20" not in results and "20" in results.node_errors
    assert any("20" in note for note in results.notes)


def test_models_that_are_not_offered_are_told(pipe):
    with pytest.raises(WorkflowError, match="kolors.safetensors") as caught:
        run(graph(), models={"other.safetensors": pipe})
    assert "other.safetensors" in str(caught.value)
    with pytest.raises(LessonError, match="no-such-model"):
        run(graph(), models="no-such-model")


def test_a_failing_node_is_named_and_its_lesson_kept(pipe):
    with pytest.raises(WorkflowError) as caught:
        run(graph(width=1024, height=64), models=pipe)
    assert "KSampler" in str(caught.value) and caught.value.answer["node_id"] == "3"


def test_a_picture_of_nan_is_told(pipe, tmp_path):
    unet = load("tiny").unet
    for weight in add_lora(unet, rank=2, alpha=2.0):
        weight.data.fill_(1e25)
    path = save_lora(unet, tmp_path / "wild.safetensors", base_model="tiny")
    with pytest.raises(WorkflowError, match="KolorsSampler"):
        run(camp(lora=path), models=pipe)


@pytest.mark.parametrize("name", ["../secret.png", "sub/../../secret.png", "link.png", "folder/secret.png", "none.png",
                                  "secret.png [output]", "a\0b", "x" * 5000, 5, "", "."])
def test_load_image_stays_in_its_folder(pipe, tmp_path, name):
    inside = tmp_path / "input"
    inside.mkdir()
    Image.new("RGB", SQUARE).save(tmp_path / "secret.png")
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    (inside / "folder").symlink_to(tmp_path)
    for wanted in (name, str(tmp_path / "secret.png")):
        prompt = {"1": {"class_type": "LoadImage", "inputs": {"image": wanted}},
                  "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}
        with pytest.raises(WorkflowError) as caught:
            run(prompt, models=pipe, input=inside, output=tmp_path / "output")
        assert caught.value.answer["node_errors"]["1"]["errors"][0]["type"] == "custom_validation_failed"


@pytest.mark.parametrize("prefix", ["../out", "a/../../out", "link/out", "a\0b", "x" * 300])
def test_save_image_stays_in_its_folder(tmp_path, prefix):
    outside, output = tmp_path / "outside", tmp_path / "output"
    outside.mkdir()
    output.mkdir()
    (output / "link").symlink_to(outside)
    for wanted in (prefix, str(outside / "x")):
        with pytest.raises(WorkflowError):
            run(saving(wanted), output=output, input=write_red(tmp_path))
    assert not list(outside.iterdir()) and sorted(path.name for path in output.iterdir()) == ["link"]


def saving(prefix):
    """Return a workflow that saves a picture that is there."""
    return {"1": {"class_type": "LoadImage", "inputs": {"image": "red.png"}},
            "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": prefix}}}


def write_red(folder):
    """Write a red picture, and return its folder."""
    (folder / "in").mkdir(exist_ok=True)
    Image.new("RGB", (8, 8), "red").save(folder / "in" / "red.png")
    return folder / "in"


def test_saved_pictures_are_counted_and_hold_the_workflow(pipe, tmp_path):
    for number in (1, 2):
        saved = run(saving("story/one"), output=tmp_path, input=write_red(tmp_path))["2"].files
        assert saved == (tmp_path / "story" / f"one_{number:05}_.png",)
    assert json.loads(Image.open(saved[0]).text["prompt"]) == saving("story/one")
    assert pixels(Image.open(saved[0]))[0, 0].tolist() == [255, 0, 0]
    nodes = {**graph(), "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "k"}}}
    path = run(nodes, models=pipe, output=tmp_path)["9"].files[0]
    assert read_settings(path)[0].seed == QUICK.seed and read_settings(path)[1] == PROMPT


def test_a_broken_picture_is_told(tmp_path):
    (tmp_path / "red.png").write_bytes(b"no picture")
    with pytest.raises(WorkflowError, match="red.png"):
        run(saving("x"), output=tmp_path, input=tmp_path)


def test_transparent_parts_are_a_mask(tmp_path):
    picture = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    picture.putpixel((1, 0), (0, 255, 0, 51))
    picture.save(tmp_path / "red.png")
    outputs = run(saving("x"), output=tmp_path, input=tmp_path)["1"].outputs
    assert outputs["IMAGE"][0, 0].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert torch.allclose(outputs["MASK"], torch.tensor([[[0, 0.8]]]))


def test_the_callback_is_told_of_nodes_and_steps(pipe):
    told = []
    run(graph(), models=pipe, callback=lambda progress: told.append(progress))
    assert {one.node for one in told if not one.steps} == set(graph())
    steps = [one for one in told if one.steps]
    assert [(one.node, one.step, one.steps) for one in steps] == [("3", 1, 2), ("3", 2, 2)]
    assert steps[-1].preview().size == SQUARE and told[0].preview() is None


def test_the_callback_stops_the_run_and_what_was_done_is_kept(pipe):
    cache, seen = Cache(), []

    def stop(progress):
        seen.append(progress)
        return progress.step == 1

    with pytest.raises(Cancelled):
        run(graph(), models=pipe, cache=cache, callback=stop)
    assert seen[-1].step == 1
    assert ran(run(graph(), models=pipe, cache=cache)) == ["3", "8", "9"]


def test_a_result_tells_what_went_in_and_came_out(pipe):
    results = run(graph(), models=pipe)
    latent = results[3].outputs["LATENT"]["samples"]
    assert isinstance(results, Results) and latent.shape == (1, 4, PLACES, PLACES)
    said = results["3"].describe()
    assert "steps: 2" in said and f"1 × 4 × {PLACES} × {PLACES}" in said and "float32" in said
    assert f"{latent.max():.2g}" in said
    assert results["3"].previews()[0][1].size == (4 * PLACES + 3 * 4, PLACES)
    assert results["8"].previews()[0][1].size == SQUARE
    assert "positive: ← #6 CONDITIONING" in said
    assert describe_value(results["4"].outputs["MODEL"])[0].startswith("UNet2DConditionModel")
    assert results["6"].inputs["text"] == PROMPT


def test_a_notebook_shows_table_and_pictures(pipe, monkeypatch):
    shown = []
    monkeypatch.setattr("course_lib.workflow.results.display", shown.append)
    results = run(graph(prompt="<b>一只瓢虫</b>"), models=pipe)
    results._ipython_display_()
    bundle = shown[0]._repr_mimebundle_()
    assert bundle["text/html"].count("<tr>") == 8 and "&lt;b&gt;" in bundle["text/html"]
    assert "<b>一" not in bundle["text/html"] and "KSampler" in bundle["text/plain"]
    assert "image/png" in shown[1]._repr_mimebundle_() and len(shown) == 2


def test_twenty_runs_leave_nothing_behind(pipe):
    cache, latents = Cache(), []
    for seed in range(20):
        results = run(graph(SamplerSettings(seed=seed, steps=1)), models=pipe, cache=cache)
        latents.append(weakref.ref(results["3"].outputs["LATENT"]["samples"]))
    del results
    gc.collect()
    assert sum(latent() is not None for latent in latents) == 1 and len(cache.outputs) == 7


def test_prompts_of_several_pictures_run(pipe):
    results = run(camp(prompt=f"{PROMPT} | 一只{{熊猫|企鹅}}"), models=pipe)
    assert len(results.pictures) == 2 and results["12"].outputs["kolors_embeds"]["prompt_embeds"].shape[0] == 2
    assert any("1024" in note for note in results["14"].notes)


def test_default_models_are_the_tiny_one():
    cache = Cache()
    run(camp(), cache=cache)
    assert list(cache.pipes) == ["tiny"]
    first = cache.pipes["tiny"]
    run(camp(prompt="一只熊猫"), cache=cache)
    assert cache.pipes["tiny"] is first


def test_good_stays_good():
    """The workflow from which the bad ones are made runs."""
    assert run(GOOD).pictures
