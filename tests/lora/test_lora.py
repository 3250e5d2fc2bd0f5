"""A LoRA is added, saved, loaded, mixed and removed; the base is exactly the base whenever none counts."""

import copy
import json
import warnings

import pytest
import torch
from safetensors import safe_open

from course_lib.lora.adapters import read_strengths
from course_lib.lora.conversion import convert
from course_lib.lora.inspection import inspect
from course_lib.lora.names import list_layers
from course_lib.lora.publishing import read_facts
from course_lib.lora.verbs import ATTENTION, add_lora, load_lora, remove_lora, save_lora, set_strength
from course_lib.messages import LessonError, set_language
from course_lib.model.loading import load
from course_lib.sampling.drawing import draw
from course_lib.sampling.settings import SamplerSettings
from course_lib.sampling.trials import Trial, draw_trial, list_loras
from course_lib.widgets.worker import share_weights

LADYBIRD = "一只瓢虫，蓝色背景"
WORDS = {"encoder_hidden_states": torch.randn(2, 24, 128, generator=torch.manual_seed(1)),
         "added_cond_kwargs": {"text_embeds": torch.randn(2, 128, generator=torch.manual_seed(2)),
                               "time_ids": torch.ones(2, 6)}}
NOISE = torch.randn(2, 4, 12, 12, generator=torch.manual_seed(3))


@pytest.fixture
def unet(pipe):
    return copy.deepcopy(pipe.unet)


def run(unet):
    with torch.no_grad():
        words = {"encoder_hidden_states": WORDS["encoder_hidden_states"].to(unet.dtype),
                 "added_cond_kwargs": {name: value.to(unet.dtype)
                                       for name, value in WORDS["added_cond_kwargs"].items()}}
        return unet(NOISE.to(unet.dtype), torch.tensor(500), **words).sample


def tune(unet, seed=0, size=0.1, **options):
    """Add a LoRA and give it random weights, as if it had been trained."""
    generator = torch.manual_seed(seed)
    for weight in add_lora(unet, **options):
        weight.data.copy_(torch.randn(weight.shape, generator=generator) * size)
    return unet


@pytest.fixture
def saved(unet, tmp_path):
    """A LoRA file of rank 4 and alpha 2, and what the UNet says with it."""
    path = save_lora(tune(unet, rank=4, alpha=2.0), tmp_path / "style.safetensors", base_model="tiny",
                     trigger_word="线稿", settings={"rank": 4, "steps": 10}, summary={"loss": 0.5})
    answer = run(unet)
    remove_lora(unet)
    return path, answer


def refused(call, *arguments, **options):
    with pytest.raises(LessonError) as problem:
        call(*arguments, **options)
    assert problem.value.what and problem.value.why and problem.value.next_step
    return str(problem.value)


# --- add ---

def test_a_new_lora_changes_nothing_and_only_it_is_trained(unet):
    before = run(unet)
    weights = add_lora(unet, rank=8, alpha=2.0)
    assert torch.equal(run(unet), before)
    assert {id(weight) for weight in weights} == {id(weight) for weight in unet.parameters() if weight.requires_grad}
    layers = [name for name in list_layers(unet) if name.endswith(ATTENTION)]
    assert len(weights) == 2 * len(layers) == 112
    assert sum(weight.numel() for weight in weights) == sum(
        8 * sum(list_layers(unet)[name].shape) for name in layers)


def test_training_moves_the_lora_alone(unet):
    weights = add_lora(unet, rank=2)
    base = [weight.clone() for weight in unet.parameters() if not weight.requires_grad]
    optimiser = torch.optim.SGD(weights, lr=1.0)
    unet(NOISE, torch.tensor(500), **WORDS).sample.square().mean().backward()
    optimiser.step()
    assert any(weight.abs().sum() > 0 for weight in weights[1::2])  # B began as zeros
    assert all(map(torch.equal, base, [weight for weight in unet.parameters() if not weight.requires_grad]))


def test_targets_are_chosen_by_the_ends_of_names(unet):
    add_lora(unet, rank=2, targets=("attn2.to_k", "ff.net.2"))
    named = {name.split(".lora_A")[0] for name, _ in unet.named_parameters() if ".lora_A" in name}
    assert named == {name for name in list_layers(unet) if name.endswith(("attn2.to_k", "ff.net.2"))} and named
    assert "to_x" in refused(add_lora, unet, targets=("to_q", "to_x"))
    assert refused(add_lora, unet, targets=()) and refused(add_lora, unet, targets=("to_q", ""))
    assert list(unet.peft_config) == ["lora"]
    assert len(add_lora(unet, rank=1, targets="0", name="other")) == 2 * 14  # to_out.0, not down_blocks.0


@pytest.mark.parametrize("options", [{"rank": 0}, {"rank": -1}, {"rank": 2.5}, {"rank": True}, {"alpha": 0},
                                     {"alpha": -1.0}, {"alpha": float("nan")}, {"alpha": "4"}, {"dropout": 2}])
def test_numbers_that_mean_nothing_are_refused(unet, options):
    refused(add_lora, unet, **options)
    assert not hasattr(unet, "peft_config")


# --- save and load ---

def test_what_was_saved_is_what_is_loaded(unet, saved):
    path, answer = saved
    base = run(unet)
    report = load_lora(unet, path)
    assert torch.equal(run(unet), answer) and (answer - base).abs().max() > 0.01
    assert (report.format, report.rank, report.alpha, report.matched, report.held) == ("diffusers", 4, 2.0, 56, 56)
    assert (report.base, report.trigger_word, report.dora, report.strength) == ("tiny", "线稿", False, 1.0)
    assert not any(weight.requires_grad for name, weight in unet.named_parameters() if "lora" in name)


def test_the_header_keeps_everything(saved):
    with safe_open(saved[0], "pt") as content:
        header = content.metadata()
    assert header["rank"] == "4" and header["alpha"] == "2" and header["base_model"] == "tiny"
    assert header["trigger_word"] == "线稿"
    assert json.loads(header["settings"]) == {"rank": 4, "steps": 10} and json.loads(header["summary"]) == {"loss": 0.5}
    facts = read_facts(saved[0], alpha=None, trigger=None, base="tiny")
    assert (facts.rank, facts.alpha, facts.trigger) == ("4", 2.0, "线稿")


def test_diffusers_opens_it_with_the_right_alpha(pipe, saved):
    other = share_weights(pipe)
    other.load_lora_weights(str(saved[0]))
    assert torch.equal(run(other.unet), saved[1])
    assert next(module.scaling for module in other.unet.modules() if hasattr(module, "scaling")) == {"default_0": 0.5}


def test_a_given_alpha_goes_first(unet, saved):
    report = load_lora(unet, saved[0], alpha=4)
    assert report.alpha == 4 and not torch.equal(run(unet), saved[1])
    set_strength(unet, 0.5)
    torch.testing.assert_close(run(unet), saved[1])


def test_weights_that_are_not_finite_are_not_saved(unet, saved, tmp_path):
    before = saved[0].read_bytes()
    tune(unet, rank=4)
    next(weight for weight in unet.parameters() if weight.requires_grad).data[0] = float("nan")
    assert "NaN" in refused(save_lora, unet, saved[0], base_model="tiny")
    assert saved[0].read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["style.safetensors"]


def test_a_full_disk_leaves_the_last_file_whole(unet, saved):
    resource = pytest.importorskip("resource")  # not on Windows
    before, folder = saved[0].read_bytes(), saved[0].parent
    tune(unet, seed=9, rank=4)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        said = refused(save_lora, unet, saved[0], base_model="tiny")
        refused(convert, saved[0], folder / "d.ckpt", to="diffsynth")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "没有动" in said and saved[0].read_bytes() == before
    assert [file.name for file in folder.iterdir()] == ["style.safetensors"]


def test_a_file_is_replaced_and_never_written_over(unet, saved):
    before, link = saved[0].read_bytes(), saved[0].with_name("link")
    link.hardlink_to(saved[0])  # would change if the same file were written to
    save_lora(tune(unet, seed=9, rank=4), saved[0], base_model="tiny")
    assert link.read_bytes() == before != saved[0].read_bytes()


def test_a_place_that_cannot_be_written_is_told(unet, tmp_path):
    tune(unet, rank=1)
    (tmp_path / "file").write_text("")
    refused(save_lora, unet, tmp_path / "file" / "a.safetensors", base_model="tiny")
    assert ".safetensors" in refused(save_lora, unet, tmp_path / "a.ckpt", base_model="tiny")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_base_of_16_bits_keeps_a_lora_of_32(unet, saved, tmp_path, dtype):
    unet.to(dtype)
    base = run(unet)
    load_lora(unet, saved[0])
    answer = run(unet)
    assert answer.dtype == dtype and answer.isfinite().all()
    assert {weight.dtype for name, weight in unet.named_parameters() if "lora" in name} == {torch.float32}
    assert (answer.float() - saved[1]).abs().max() < 0.05 < (answer - base).abs().max() * 10
    again = save_lora(unet, tmp_path / "again.safetensors", base_model="tiny")
    assert_same_tensors(again, saved[0])
    added = add_lora(unet, rank=2, name="new")
    assert {weight.dtype for weight in added} == {torch.float32}


def assert_same_tensors(first, second):
    with safe_open(first, "pt") as one, safe_open(second, "pt") as other:
        assert sorted(one.keys()) == sorted(other.keys())
        assert all(torch.equal(one.get_tensor(key), other.get_tensor(key)) for key in one.keys())  # noqa: SIM118


def test_a_dora_survives(unet, tmp_path):
    base = run(unet)
    tune(unet, rank=4, alpha=2.0, dora=True, size=0.05)
    for name, weight in unet.named_parameters():
        if "magnitude" in name:
            weight.data.add_(1.0)
    answer = run(unet)
    path = save_lora(unet, tmp_path / "dora.safetensors", base_model="tiny")
    kohya = convert(path, tmp_path / "kohya.safetensors", to="kohya")
    back = convert(kohya, tmp_path / "back.safetensors", to="diffusers")
    assert_same_tensors(path, back)
    with safe_open(kohya, "pt") as content:  # a column: ComfyUI divides it by the norms of the weight's rows
        assert {tuple(content.get_tensor(key).shape[1:]) for key in content.keys()  # noqa: SIM118
                if key.endswith("dora_scale")} == {(1,)}
    remove_lora(unet)
    assert torch.equal(run(unet), base)
    for file in (path, kohya, back):
        assert load_lora(unet, file).dora
        assert torch.equal(run(unet), answer)
        set_strength(unet, 0)
        assert torch.equal(run(unet), base)
        remove_lora(unet)
    assert "magnitude" in refused(convert, path, tmp_path / "x.ckpt", to="diffsynth")


# --- several, strength, remove ---

def test_strength_zero_is_exactly_the_base(unet, saved):
    base = run(unet)
    load_lora(unet, saved[0])
    set_strength(unet, 0)
    assert torch.equal(run(unet), base) and read_strengths(unet) == {"style": 0.0}
    set_strength(unet, 1)
    assert torch.equal(run(unet), saved[1])
    refused(set_strength, unet, float("nan"))
    assert read_strengths(unet) == {"style": 1.0}


def test_strength_scales_each_layer_linearly(unet, saved):
    load_lora(unet, saved[0], strength=0.5)
    module = next(module for module in unet.modules() if hasattr(module, "scaling"))
    assert module.scaling == {"style": 0.25}  # 0.5 x alpha/rank


def test_two_loras_are_mixed_and_taken_out_one_by_one(unet, saved, tmp_path):
    base = run(unet)
    other = save_lora(tune(unet, seed=5, rank=2, alpha=8.0), tmp_path / "other.safetensors", base_model="tiny")
    remove_lora(unet)
    load_lora(unet, saved[0], strength=0.7)
    first = run(unet)
    load_lora(unet, other, strength=-0.4)
    both = run(unet)
    assert read_strengths(unet) == {"style": 0.7, "other": -0.4}
    assert not torch.equal(first, both)
    set_strength(unet, 0, "other")
    assert torch.equal(run(unet), first)
    set_strength(unet, -0.4, "other")
    assert torch.equal(run(unet), both)
    assert "other" in refused(save_lora, unet, tmp_path / "x.safetensors", base_model="tiny")
    assert remove_lora(unet, "other") == ["other"]
    assert torch.equal(run(unet), first) and read_strengths(unet) == {"style": 0.7}
    assert remove_lora(unet) == ["style"]
    assert torch.equal(run(unet), base) and read_strengths(unet) == {}


def test_names_never_collide(unet, saved):
    names = [load_lora(unet, saved[0], name=name).name for name in (None, None, "my style!", "keys", "水墨")]
    assert names == ["style", "style_2", "my_style_", "keys_lora", "水墨"]
    assert list(read_strengths(unet)) == names
    assert "nobody" in refused(set_strength, unet, 1, "nobody") and "nobody" in refused(remove_lora, unet, "nobody")


def test_without_a_lora_the_verbs_say_so(unet, tmp_path):
    for call in (lambda: set_strength(unet, 1), lambda: remove_lora(unet, "style"),
                 lambda: save_lora(unet, tmp_path / "a.safetensors", base_model="tiny")):
        refused(call)
    assert remove_lora(unet) == []


def test_removing_gives_back_the_very_layers(unet, saved):
    before = dict(unet.named_modules())
    load_lora(unet, saved[0])
    remove_lora(unet)
    assert all(module is before[name] for name, module in unet.named_modules())


def test_loading_leaves_what_is_trained_alone(unet, saved):
    full = {name for name, weight in unet.named_parameters() if weight.requires_grad}
    load_lora(unet, saved[0])
    assert {name.replace(".base_layer", "") for name, weight in unet.named_parameters() if weight.requires_grad} == full
    remove_lora(unet)
    weights = add_lora(unet, rank=2, name="new")
    load_lora(unet, saved[0])
    set_strength(unet, 0.5)
    assert {id(weight) for weight in unet.parameters() if weight.requires_grad} == {id(weight) for weight in weights}


# --- the rest of the course ---

def test_the_explorers_dial_and_trials_know_it(saved):
    pipe = load("tiny")
    settings = SamplerSettings(steps=2)
    before = draw_trial(pipe, Trial(LADYBIRD, settings)).image.tobytes()
    load_lora(pipe.unet, saved[0])
    assert list_loras(pipe) == ["style"]
    pictures = [draw_trial(pipe, Trial(LADYBIRD, settings, lora_strength=strength)).image.tobytes()
                for strength in (0.0, 1.0)]
    assert pictures[0] == before != pictures[1]
    other = share_weights(pipe)
    set_strength(other.unet, 0)
    assert draw_trial(other, Trial(LADYBIRD, settings)).image.tobytes() == before
    assert draw_trial(pipe, Trial(LADYBIRD, settings)).image.tobytes() == pictures[1]


def test_a_converted_files_picture_equals_the_originals(saved, tmp_path):
    pipe = load("tiny")
    load_lora(pipe.unet, saved[0])
    expected = draw(pipe, LADYBIRD, steps=4).image.tobytes()
    for form, name in (("kohya", "k.safetensors"), ("diffsynth", "epoch=0-step=500.ckpt")):
        remove_lora(pipe.unet)
        load_lora(pipe.unet, convert(saved[0], tmp_path / name, to=form), alpha=2.0)
        assert draw(pipe, LADYBIRD, steps=4).image.tobytes() == expected


def test_nothing_is_said_by_the_libraries(unet, saved, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_lora(unet, saved[0])
        load_lora(unet, saved[0])
        add_lora(unet, rank=2, name="new")
        set_strength(unet, 0.5)
        remove_lora(unet, "style")
    assert capfd.readouterr() == ("", "")


def test_the_report_speaks_both_languages(unet, saved):
    report = load_lora(unet, saved[0])
    assert "56/56" in str(report) and "线稿" in str(report)
    set_language("en")
    assert "56 of 56 layers" in str(report) and report._repr_mimebundle_() == {"text/plain": str(report)}


def test_inspect_shows_what_a_file_holds(saved, unet):
    found = inspect(saved[0])
    assert found.settings == {"rank": 4, "steps": 10} and "Tiny Kolors" in str(found) and "线稿" in str(found)
    assert "<th>alpha</th><td>2（倍率 alpha/rank = 0.5）</td>" in found._repr_mimebundle_()["text/html"]
    load_lora(unet, saved[0])
    norms = {name: (module.get_delta_weight("style")).norm().item() for name, module in unet.named_modules()
             if hasattr(module, "get_delta_weight")}
    assert set(norms) == set(found.norms)
    assert all(abs(norms[name] - norm) < 1e-4 * norm for name, norm in found.norms.items())
    parts = [name.split("_")[0] for name in found.norms]
    assert parts == sorted(parts, key=["down", "mid", "up"].index)
    assert found.plot().image.width > 300
