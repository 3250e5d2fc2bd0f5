"""Every tool's LoRA file is recognised, converted without a changed bit, and refused where it does not fit."""

import copy
import itertools
import json
import math
import pickle
import re
import struct

import pytest
import torch
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from course_lib.files import COURSE
from course_lib.lora.alphas import read_lora
from course_lib.lora.conversion import convert, write_lora
from course_lib.lora.files import Matrices
from course_lib.lora.inspection import inspect
from course_lib.lora.matching import find_base
from course_lib.lora.names import find_layers, known_layers, split_key
from course_lib.lora.verbs import ATTENTION, load_lora, remove_lora, set_strength
from course_lib.machine.configs import UNET
from course_lib.machine.footprint import build_part
from course_lib.messages import LessonError

COMFYUI = json.loads((COURSE / "tests" / "data" / "comfyui_lora_keys.json").read_text(encoding="utf-8"))
# ComfyUI also knows a name that layers have in other models of diffusers.
ACCEPTED = {key: [name for name in names if "class_embedding" not in name.replace(".", "_")]
            for key, names in COMFYUI["accepted"].items()}
RANK, ALPHA = 4, 2.0
# Which numbers DiffSynth-Studio's file gives to the attentions of Kolors, as found by comparing both models' answers.
KOLORS_BLOCKS = {"down_blocks.1.attentions.0": 7, "down_blocks.1.attentions.1": 10, "down_blocks.2.attentions.0": 15,
                 "down_blocks.2.attentions.1": 18, "mid_block.attentions.0": 21, "up_blocks.0.attentions.0": 25,
                 "up_blocks.0.attentions.1": 28, "up_blocks.0.attentions.2": 31, "up_blocks.1.attentions.0": 35,
                 "up_blocks.1.attentions.1": 38, "up_blocks.1.attentions.2": 41}
# The same by hand for Tiny Kolors: resnet, push, sampler, push; resnet, attention, push, sampler, push; resnet,
# attention, push; mid: three; pop, resnet, attention; sampler.
TINY_BLOCKS = {"down_blocks.1.attentions.0": 5, "down_blocks.2.attentions.0": 10, "mid_block.attentions.0": 13,
               "up_blocks.0.attentions.0": 17, "up_blocks.0.attentions.1": 20, "up_blocks.1.attentions.0": 24,
               "up_blocks.1.attentions.1": 27}
# The original code's names for Tiny Kolors: input block 0 is conv_in; a sampler is an input block of its own.
TINY_SGM = {"down_blocks.1.attentions.0": "input_blocks.3.1", "down_blocks.2.attentions.0": "input_blocks.5.1",
            "mid_block.attentions.0": "middle_block.1", "up_blocks.0.attentions.0": "output_blocks.0.1",
            "up_blocks.0.attentions.1": "output_blocks.1.1", "up_blocks.1.attentions.0": "output_blocks.2.1",
            "up_blocks.1.attentions.1": "output_blocks.3.1"}
TINY_LAYERS = 56  # of attention: seven blocks, to the picture itself and to the words, four matrices each


def make_matrices(base="tiny", rank=RANK, alpha=ALPHA, size=0.1):
    generator = torch.manual_seed(7)
    return {name: Matrices(torch.randn(rank, layer.shape[1], generator=generator) * size,
                           torch.randn(layer.shape[0], rank, generator=generator) * size, alpha)
            for name, layer in known_layers(base).items() if name.endswith(ATTENTION)}


TINY = make_matrices()


def rename_blocks(name, blocks):
    block = next(block for block in blocks if name.startswith(block))
    return f"{blocks[block]}{name[len(block):]}"


def kohya(name):
    return "lora_unet_" + name.replace(".", "_")


def processor(name):
    return "unet." + name.replace(".to_out.0", ".to_out").replace(".to_", ".processor.to_")


def diffsynth(name):
    return "blocks." + rename_blocks(name, TINY_BLOCKS).replace(".to_out.0", ".to_out")


# spelling -> (format, a layer's name there, the endings of A and B, whether it stores alpha)
SPELLINGS = {
    "diffusers, lora_A": ("diffusers", "unet.{}".format, ".lora_A.weight", ".lora_B.weight"),
    "diffusers, lora.down": ("diffusers", "unet.{}".format, ".lora.down.weight", ".lora.up.weight"),
    "peft": ("diffusers", "base_model.model.{}".format, ".lora_A.weight", ".lora_B.weight"),
    "peft of a pipeline": ("diffusers", "base_model.model.unet.{}".format, ".lora_A.weight", ".lora_B.weight"),
    "peft, named": ("diffusers", "{}".format, ".lora_A.style.weight", ".lora_B.style.weight"),
    "no prefix": ("diffusers", "{}".format, ".lora_A.weight", ".lora_B.weight"),
    "no prefix, down": ("diffusers", "{}".format, ".lora.down.weight", ".lora.up.weight"),
    "linear layer": ("diffusers", "unet.{}".format, ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"),
    "processor": ("diffusers", processor, "_lora.down.weight", "_lora.up.weight"),
    "kohya": ("kohya", kohya, ".lora_down.weight", ".lora_up.weight"),
    "lycoris": ("kohya", lambda name: "lycoris_" + name.replace(".", "_"), ".lora_down.weight", ".lora_up.weight"),
    "kohya, SGM": ("kohya", lambda name: kohya(rename_blocks(name, TINY_SGM)), ".lora_down.weight", ".lora_up.weight"),
    "ComfyUI": ("comfyui", lambda name: f"diffusion_model.{rename_blocks(name, TINY_SGM)}",
                ".lora_A.weight", ".lora_B.weight"),
    "ComfyUI, default": ("comfyui", lambda name: f"diffusion_model.{rename_blocks(name, TINY_SGM)}",
                         ".lora_A.default.weight", ".lora_B.default.weight"),
    "DiffSynth": ("diffsynth", diffsynth, ".lora_A.default.weight", ".lora_B.default.weight"),
}


def spell(spelling, matrices=TINY, alpha=None):
    """Write matrices as a tool does, from names made by hand."""
    form, name_layer, down, up = SPELLINGS[spelling]
    tensors = {}
    for name, values in matrices.items():
        tensors |= {name_layer(name) + down: values.down, name_layer(name) + up: values.up}
        if alpha is not None:
            tensors[name_layer(name) + ".alpha"] = torch.tensor(alpha)
    return tensors


@pytest.fixture
def unet(pipe):
    return copy.deepcopy(pipe.unet)


@pytest.fixture(scope="module")
def words():
    generator = torch.manual_seed(1)
    return (torch.randn(2, 4, 12, 12, generator=generator), torch.tensor(500),
            torch.randn(2, 24, 128, generator=generator)), {
        "added_cond_kwargs": {"text_embeds": torch.randn(2, 128, generator=generator), "time_ids": torch.ones(2, 6)}}


def run(unet, words):
    with torch.no_grad():
        return unet(*words[0], **words[1]).sample


@pytest.fixture(scope="module")
def tuned(pipe, words):
    """What the UNet says when alpha/rank B A is added to its weights by plain arithmetic, without peft."""
    unet = copy.deepcopy(pipe.unet)
    for name, values in TINY.items():
        unet.get_submodule(name).weight.data += ALPHA / RANK * values.up @ values.down
    return run(unet, words)


def refused(call, *arguments, **options):
    with pytest.raises(LessonError) as problem:
        call(*arguments, **options)
    return str(problem.value)


# --- names ---

def test_the_block_numbers_are_diffsynths():
    found = {name.split(".transformer_blocks")[0]: int(layer.diffsynth.split(".")[1])
             for name, layer in known_layers("kolors").items() if name.endswith("attn1.to_q")}
    assert found == KOLORS_BLOCKS
    for name, layer in known_layers("kolors").items():
        if name.endswith(ATTENTION):
            expected = "blocks." + rename_blocks(name, KOLORS_BLOCKS).replace(".to_out.0", ".to_out")
            assert layer.diffsynth == expected


def test_comfyui_reads_what_is_written_for_it():
    layers = {f"diffusion_model.{layer.sgm}.weight": layer for layer in known_layers("kolors").values()}
    assert len(ACCEPTED) > 50
    for key, accepted in ACCEPTED.items():
        assert layers[key].spell("kohya") in accepted
    assert [".lora_down.weight", ".lora_up.weight"] in COMFYUI["endings"]


def test_what_comfyui_reads_is_read_here_too():
    layers = known_layers("kolors")
    found = find_layers([spelling for accepted in ACCEPTED.values() for spelling in accepted], layers)
    for key, accepted in ACCEPTED.items():
        for spelling in accepted:
            assert f"diffusion_model.{layers[found[spelling]].sgm}.weight" == key
            for down, up in COMFYUI["endings"]:
                assert split_key(spelling + down) == (spelling, "down")
                assert split_key(spelling + up) == (spelling, "up")


@pytest.mark.parametrize("base", ["kolors", "tiny"])
def test_no_name_stands_for_two_layers(base):
    layers = known_layers(base)
    spellings = [spelling for layer in layers.values() for spelling in layer.spellings()]
    assert len(set(spellings)) == len(spellings)
    assert len([name for name in layers if name.endswith(ATTENTION)]) == {"kolors": 560, "tiny": TINY_LAYERS}[base]


# --- every format is recognised ---

@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_recognised_and_asks_for_alpha(unet, words, tuned, tmp_path, spelling):
    save_file(spell(spelling), tmp_path / "a.safetensors")
    before = dict(unet.named_parameters())
    said = refused(load_lora, unet, tmp_path / "a.safetensors")
    assert "alpha/rank" in said and "4/4" in said and "2/4" in said and SPELLINGS[spelling][0] in said
    assert dict(unet.named_parameters()).keys() == before.keys()
    report = load_lora(unet, tmp_path / "a.safetensors", alpha=ALPHA)
    assert (report.format, report.rank, report.alpha, report.matched, report.held) == (
        SPELLINGS[spelling][0], RANK, ALPHA, TINY_LAYERS, TINY_LAYERS)
    torch.testing.assert_close(run(unet, words), tuned, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("spelling", ["kohya", "kohya, SGM", "lycoris", "processor", "ComfyUI"])
def test_an_alpha_beside_the_weights_counts(unet, words, tuned, tmp_path, spelling):
    save_file(spell(spelling, alpha=ALPHA), tmp_path / "a.safetensors")
    assert load_lora(unet, tmp_path / "a.safetensors").alpha == ALPHA
    torch.testing.assert_close(run(unet, words), tuned, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("header", [
    {"alpha": "2.0"}, {"ss_network_alpha": "2"}, {"lora_adapter_metadata": '{"unet.r": 4, "unet.lora_alpha": 2}'},
    {"lora_adapter_metadata": '{"r": 4, "lora_alpha": 1.0, "use_rslora": true}'},
    {"lora_adapter_metadata": '{"unet.lora_alpha": 5, "unet.alpha_pattern": '
                              '{"^down_blocks\\\\.9.*": 9, "to_q": 2, "to_k": 2, "to_v": 2, "to_out.0": 2}}'}])
def test_an_alpha_in_the_header_counts(unet, words, tuned, tmp_path, header):
    save_file(spell("diffusers, lora_A"), tmp_path / "a.safetensors", header)
    assert load_lora(unet, tmp_path / "a.safetensors").alpha == ALPHA
    torch.testing.assert_close(run(unet, words), tuned, atol=1e-5, rtol=1e-5)


def test_an_alpha_that_differs_by_layer_is_each_layers_own(unet, words, tuned, tmp_path):
    """kohya's tools write "Dynamic" into the header then; every layer has its alpha beside it."""
    save_file(spell("kohya", alpha=float(ALPHA)), tmp_path / "a.safetensors", {"ss_network_alpha": "Dynamic"})
    assert load_lora(unet, tmp_path / "a.safetensors").alpha == ALPHA
    torch.testing.assert_close(run(unet, words), tuned, atol=1e-5, rtol=1e-5)


def test_the_alpha_in_pefts_own_config_counts(pipe, words, tuned, tmp_path):
    model = get_peft_model(copy.deepcopy(pipe.unet), LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=[*ATTENTION]))
    for name, values in TINY.items():
        layer = model.base_model.model.get_submodule(name)
        layer.lora_A["default"].weight.data, layer.lora_B["default"].weight.data = values.down, values.up
    model.save_pretrained(tmp_path / "out")
    unet = copy.deepcopy(pipe.unet)
    report = load_lora(unet, tmp_path / "out" / "adapter_model.safetensors")
    assert (report.format, report.alpha, report.matched) == ("diffusers", ALPHA, TINY_LAYERS)
    torch.testing.assert_close(run(unet, words), tuned, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rename", [lambda layers: layers, convert_state_dict_to_diffusers])
def test_what_diffusers_saves_is_loaded(pipe, words, tuned, tmp_path, rename):
    unet = copy.deepcopy(pipe.unet)
    unet.add_adapter(LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=[*ATTENTION]))
    for name, values in TINY.items():
        layer = unet.get_submodule(name)
        layer.lora_A["default"].weight.data, layer.lora_B["default"].weight.data = values.down, values.up
    config = {key: sorted(value) if isinstance(value, set) else value
              for key, value in unet.peft_config["default"].to_dict().items()}
    layers = rename(get_peft_model_state_dict(unet))
    type(pipe).save_lora_weights(tmp_path, unet_lora_layers=layers, unet_lora_adapter_metadata=config)
    remove_lora(unet)
    assert load_lora(unet, tmp_path).alpha == ALPHA
    torch.testing.assert_close(run(unet, words), tuned, atol=1e-5, rtol=1e-5)
    remove_lora(unet)
    type(pipe).save_lora_weights(tmp_path, unet_lora_layers=layers)
    assert "alpha/rank" in unchanged(unet, tmp_path)


def test_a_lightning_checkpoint_made_by_hand_gives_the_same_answer(unet, words, tuned, tmp_path):
    path = tmp_path / "epoch=0-step=500.ckpt"
    for content in (spell("DiffSynth"), {"state_dict": spell("DiffSynth"), "epoch": 0}):
        torch.save(content, path)
        assert load_lora(unet, path, alpha=ALPHA).format == "diffsynth"
        torch.testing.assert_close(run(unet, words), tuned, atol=1e-5, rtol=1e-5)
        remove_lora(unet)


def test_a_files_kind_is_read_from_its_bytes(unet, tmp_path):
    save_file(spell("kohya", alpha=ALPHA), tmp_path / "renamed.ckpt")
    torch.save(spell("DiffSynth"), tmp_path / "renamed.safetensors")
    torch.save(spell("DiffSynth"), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert load_lora(unet, tmp_path / "renamed.ckpt").format == "kohya"
    assert load_lora(unet, tmp_path / "renamed.safetensors", alpha=4).format == "diffsynth"
    assert load_lora(unet, tmp_path / "old.pt", alpha=4).format == "diffsynth"


def test_a_folder_with_one_file_stands_for_it(unet, tmp_path):
    assert ".safetensors" in refused(load_lora, unet, tmp_path)
    save_file(spell("kohya", alpha=ALPHA), tmp_path / "style.safetensors")
    assert load_lora(unet, tmp_path).name == "style"


def test_ranks_and_alphas_may_differ_from_layer_to_layer(unet, words, tmp_path):
    matrices = {name: Matrices(values.down[:2] if "attn2" in name else values.down,
                               values.up[:, :2] if "attn2" in name else values.up, 1.0 if "to_q" in name else 3.0)
                for name, values in TINY.items()}
    expected = copy.deepcopy(unet)
    for name, values in matrices.items():
        expected.get_submodule(name).weight.data += values.alpha / values.rank * values.up @ values.down
    layers = known_layers("tiny")
    source = write_lora(tmp_path / "a.safetensors", "diffusers", matrices, layers, {})
    for file in (source, convert(source, tmp_path / "k.safetensors", to="kohya")):
        report = load_lora(unet, file)
        assert (report.rank, report.alpha) == ("2-4", "1-3")
        torch.testing.assert_close(run(unet, words), run(expected, words), atol=1e-5, rtol=1e-5)
        remove_lora(unet)
    assert "1-3" in refused(convert, source, tmp_path / "d.ckpt", to="diffsynth")
    assert "2-4" in str(inspect(source))


def test_convolutions_and_every_other_layer(unet, words, tmp_path):
    generator = torch.manual_seed(3)
    matrices = {}
    for name, layer in known_layers("tiny").items():
        out, *rest = layer.shape
        matrices[name] = Matrices(torch.randn(2, *rest, generator=generator) * 0.05,
                                  torch.randn(out, 2, *[1] * (len(rest) - 1), generator=generator) * 0.05, 1.0)
    expected = copy.deepcopy(unet)
    for name, values in matrices.items():
        weight = expected.get_submodule(name).weight
        weight.data += 0.5 * (values.up.flatten(1) @ values.down.flatten(1)).reshape(weight.shape)
    source = write_lora(tmp_path / "a.safetensors", "diffusers", matrices, known_layers("tiny"), {})
    for form, name in (("diffusers", "b.safetensors"), ("kohya", "k.safetensors"), ("diffsynth", "d.ckpt")):
        load_lora(unet, convert(source, tmp_path / name, to=form), alpha=1.0)
        torch.testing.assert_close(run(unet, words), run(expected, words), atol=1e-4, rtol=1e-4)
        remove_lora(unet)


# --- convert ---

FORMS = {"diffusers": "a.safetensors", "kohya": "k.safetensors", "diffsynth": "d.ckpt"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("first, second", list(itertools.product(FORMS, FORMS)))
def test_every_format_to_every_other_and_back(tmp_path, first, second, dtype):
    matrices = {name: Matrices(values.down.to(dtype), values.up.to(dtype), ALPHA) for name, values in TINY.items()}
    header = {"trigger_word": "线稿", "base_model": "tiny", "settings": "{}"}
    source = write_lora(tmp_path / FORMS[first], first, matrices, known_layers("tiny"), header)
    there = convert(source, tmp_path / f"there_{FORMS[second]}", to=second, alpha=ALPHA)
    back = convert(there, tmp_path / f"back_{FORMS[first]}", to=first, alpha=ALPHA)
    for file in (there, back):
        found = read_lora(file, alpha=None if file.suffix == ".safetensors" else ALPHA)
        names = find_layers(found.layers, known_layers("tiny"))
        assert len(names) == found.held == TINY_LAYERS
        for name, layer in names.items():
            values = found.layers[name]
            assert torch.equal(values.down, matrices[layer].down) and values.down.dtype == dtype
            assert torch.equal(values.up, matrices[layer].up) and values.alpha == ALPHA
    if "diffsynth" not in (first, second):
        with safe_open(back, "pt") as content:
            assert header.items() <= content.metadata().items() and content.metadata()["alpha"] == "2"


def test_kohyas_alpha_is_alpha_and_not_the_rank(tmp_path):
    save_file(spell("diffusers, lora_A"), tmp_path / "a.safetensors")
    refused(convert, tmp_path / "a.safetensors", tmp_path / "k.safetensors", to="kohya")
    assert not (tmp_path / "k.safetensors").exists()
    tensors = load_file(convert(tmp_path / "a.safetensors", tmp_path / "k.safetensors", to="kohya", alpha=ALPHA))
    assert {value.item() for key, value in tensors.items() if key.endswith(".alpha")} == {ALPHA}
    assert len([key for key in tensors if key.endswith(".alpha")]) == TINY_LAYERS and len(tensors) == 3 * TINY_LAYERS


def test_the_camps_file_is_written_as_diffsynth_writes_it(tmp_path):
    save_file(spell("kohya", alpha=ALPHA), tmp_path / "k.safetensors")
    path = convert(tmp_path / "k.safetensors", tmp_path / "epoch=0-step=500.ckpt", to="diffsynth")
    content = torch.load(path, weights_only=True)
    expected = spell("DiffSynth")
    assert content.keys() == expected.keys() and all(torch.equal(content[key], expected[key]) for key in content)
    newer = convert(path, tmp_path / "epoch-0.safetensors", to="diffsynth", alpha=ALPHA)
    assert load_file(newer).keys() == expected.keys()
    back = load_file(convert(newer, tmp_path / "back.safetensors", to="kohya"))
    assert back.keys() == spell("kohya", alpha=ALPHA).keys()


@pytest.mark.parametrize("alpha", [0.1, 1 / 3, 4.0, 1e-3])
def test_a_fractional_alpha_comes_back(tmp_path, alpha):
    save_file(spell("diffusers, lora_A"), tmp_path / "a.safetensors")
    path = convert(tmp_path / "a.safetensors", tmp_path / "k.safetensors", to="kohya", alpha=alpha)
    assert read_lora(path).list_alphas() == [pytest.approx(alpha, rel=1e-7)]


def test_only_what_can_be_written_is_asked_for(tmp_path):
    save_file(spell("kohya", alpha=ALPHA), tmp_path / "k.safetensors")
    assert "comfyui" in refused(convert, tmp_path / "k.safetensors", tmp_path / "x.safetensors", to="comfyui")
    assert ".safetensors" in refused(convert, tmp_path / "k.safetensors", tmp_path / "x.ckpt", to="kohya")


def test_the_full_size_lora_keeps_all_560_layers(tmp_path):
    matrices = make_matrices("kolors", rank=1)
    assert len(matrices) == 560
    by_hand = {}
    for name, values in matrices.items():
        stem = "blocks." + rename_blocks(name, KOLORS_BLOCKS).replace(".to_out.0", ".to_out")
        by_hand |= {f"{stem}.lora_A.default.weight": values.down, f"{stem}.lora_B.default.weight": values.up}
    torch.save(by_hand, tmp_path / "epoch=0-step=500.ckpt")
    unet = build_part("unet", UNET)
    report = load_lora(unet, tmp_path / "epoch=0-step=500.ckpt", alpha=ALPHA)
    assert (report.matched, report.held, report.rank) == (560, 560, 1)
    again = convert(tmp_path / "epoch=0-step=500.ckpt", tmp_path / "k.safetensors", to="kohya", alpha=ALPHA)
    tensors = load_file(again)
    assert len(tensors) == 3 * 560
    for name, values in matrices.items():
        assert torch.equal(tensors[f"{kohya(name)}.lora_down.weight"], values.down)
        assert torch.equal(tensors[f"{kohya(name)}.lora_up.weight"], values.up)
        assert tensors[f"{kohya(name)}.alpha"] == ALPHA
    assert find_base(read_lora(again)) == "kolors" and "560" in str(inspect(again))


# --- files that do not belong here ---

def unchanged(unet, path, **options):
    """Answer of a refused file, with a look at whether the UNet is as it was."""
    before = {name: id(module) for name, module in unet.named_modules()}
    said = refused(load_lora, unet, path, **options)
    assert {name: id(module) for name, module in unet.named_modules()} == before
    assert not getattr(unet, "peft_config", {})
    return said


def test_a_file_of_other_layers_says_how_many_match(unet, tmp_path):
    tensors = spell("kohya", alpha=ALPHA)
    extra = {f"lora_unet_down_blocks_9_attn_to_q.lora_{side}.weight": torch.ones(4, 4) for side in ("down", "up")}
    save_file({**tensors, **extra}, tmp_path / "a.safetensors")
    said = unchanged(unet, tmp_path / "a.safetensors", alpha=1)
    assert "57 层里只有 56 层" in said and "lora_unet_down_blocks_9_attn_to_q" in said
    save_file(extra, tmp_path / "b.safetensors")
    assert "1 层里 0 层" in unchanged(unet, tmp_path / "b.safetensors", alpha=1)
    save_file({**tensors, "lora_unet_x.hada_w1_a": torch.ones(4, 4)}, tmp_path / "c.safetensors")
    assert "57 层里只有 56 层" in unchanged(unet, tmp_path / "c.safetensors")


def test_a_lora_of_kolors_does_not_enter_the_tiny_unet(unet, tmp_path):
    matrices = make_matrices("kolors", rank=1)
    path = write_lora(tmp_path / "a.safetensors", "kohya", matrices, known_layers("kolors"), {})
    said = unchanged(unet, path)
    assert "Kolors 的 LoRA" in said and "560 层" in said and re.search(r"有 \d+ 层名字对得上", said)


@pytest.mark.parametrize("header, extra, base", [
    ({"ss_base_model_version": "sdxl_base_v1-0"}, {}, "SDXL"),
    ({"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, {}, "SDXL"),
    ({"ss_base_model_version": "sd_v1"}, {}, "SD 1.5"), ({"base_model": "black-forest-labs/FLUX.1-dev"}, {}, "FLUX"),
    ({}, {"lora_te1_text_model_encoder_layers_0_mlp_fc1": (4, 8)}, "SDXL"),
    ({}, {"lora_te_text_model_encoder_layers_0_mlp_fc1": (4, 8)}, "SD 1.5 / SD 2"),
    ({}, {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_9_attn2_to_k": (4, 768)}, "SD 1.5"),
    ({}, {"lora_unet_double_blocks_0_img_attn_qkv": (4, 3072)}, "FLUX"),
    ({}, {"lora_unet_add_embedding_linear_1": (4, 2816)}, "SDXL")])
def test_a_lora_of_another_base_is_named(unet, tmp_path, header, extra, base):
    tensors = spell("kohya", alpha=ALPHA)
    for name, shape in extra.items():
        tensors |= {f"{name}.lora_down.weight": torch.ones(shape), f"{name}.lora_up.weight": torch.ones(8, 4)}
    save_file(tensors, tmp_path / "a.safetensors", header)
    said = unchanged(unet, tmp_path / "a.safetensors", alpha=1)
    known = TINY_LAYERS + 1 if base == "SDXL" and "lora_unet_add_embedding_linear_1" in extra else TINY_LAYERS
    assert f"{base} 的 LoRA" in said and f"{TINY_LAYERS + len(extra)} 层里有 {known} 层" in said
    assert base in str(inspect(tmp_path / "a.safetensors", alpha=1))


@pytest.mark.parametrize("base", ["sdxl/Kolors-diffusers", "/mnt/ssd3/mine", "tiny", "influx/model"])
def test_names_that_only_look_like_another_bases(unet, tmp_path, base):
    save_file(spell("kohya", alpha=ALPHA), tmp_path / "a.safetensors", {"base_model": base})
    assert load_lora(unet, tmp_path / "a.safetensors").base == base


PLAIN = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
NAME = kohya(PLAIN)


@pytest.mark.parametrize("change, words", [
    ({f"{NAME}.lora_up.weight": torch.ones(128, 3)}, "rank 不一致"),
    ({f"{NAME}.lora_down.weight": torch.ones(0, 128), f"{NAME}.lora_up.weight": torch.ones(128, 0)}, "空"),
    ({f"{NAME}.lora_down.weight": torch.ones(4, 64)}, "[128, 128]"),
    ({f"{NAME}.lora_up.weight": torch.ones(64, 4)}, "[128, 128]"),
    ({f"{NAME}.lora_up.weight": torch.full((128, 4), math.nan)}, "NaN"),
    ({f"{NAME}.lora_down.weight": torch.full((4, 128), math.inf)}, "NaN"),
    ({f"{NAME}.lora_down.weight": torch.ones(4, 128, dtype=torch.int8)}, "int8"),
    ({f"{NAME}.lora_down.weight": torch.ones(4, 128, 1, 1)}, "rank 不一致"),
    ({f"{NAME}.lora_up.weight": None}, "down"),
    ({f"{NAME}.alpha": torch.tensor(0.0)}, "alpha"), ({f"{NAME}.alpha": torch.tensor(math.nan)}, "alpha"),
    ({f"{NAME}.alpha": torch.tensor(-1.0)}, "alpha"), ({f"{NAME}.dora_scale": torch.ones(128, 1)}, "magnitude"),
    ({f"{PLAIN}.lora_A.weight": torch.ones(4, 128), f"{PLAIN}.lora_B.weight": torch.ones(128, 4)}, "写了两次")])
def test_weights_that_cannot_be_right_are_refused(unet, tmp_path, change, words):
    tensors = {**spell("kohya", alpha=ALPHA), **change}
    save_file({key: value for key, value in tensors.items() if value is not None}, tmp_path / "a.safetensors")
    assert words in unchanged(unet, tmp_path / "a.safetensors", alpha=None if "alpha" in words else ALPHA)


@pytest.mark.parametrize("alpha", [0, -2, math.nan, math.inf, "4", True])
def test_an_alpha_that_means_nothing_is_refused(unet, tmp_path, alpha):
    save_file(spell("kohya", alpha=ALPHA), tmp_path / "a.safetensors")
    assert "alpha" in unchanged(unet, tmp_path / "a.safetensors", alpha=alpha)


def test_two_alphas_in_one_file_are_told(unet, tmp_path):
    """The one beside the weights counts, as in ComfyUI and diffusers."""
    save_file(spell("kohya", alpha=float(RANK)), tmp_path / "a.safetensors", {"alpha": "2"})
    report = load_lora(unet, tmp_path / "a.safetensors")
    assert report.alpha == RANK and "文件头写的 alpha 是 2" in str(report) and "旁边存的是 4" in str(report)
    assert load_lora(unet, tmp_path / "a.safetensors", alpha=2).alpha == 2


@pytest.mark.parametrize("header", [
    {"alpha": "much"}, {"alpha": "nan"}, {"alpha": "0"}, {"alpha": "-1"}, {"lora_adapter_metadata": "[1]"},
    {"lora_adapter_metadata": "{"}, {"lora_adapter_metadata": '{"unet.lora_alpha": [4]}'},
    {"lora_adapter_metadata": '{"unet.lora_alpha": 2, "unet.alpha_pattern": 7}'},
    {"lora_adapter_metadata": "[" * 100_000}])
def test_a_header_that_makes_no_sense_is_told(unet, tmp_path, header):
    save_file(spell("diffusers, lora_A"), tmp_path / "a.safetensors", header)
    assert "alpha" in unchanged(unet, tmp_path / "a.safetensors")
    assert load_lora(unet, tmp_path / "a.safetensors", alpha=2).matched == TINY_LAYERS


# --- files that lie ---

class Trap:
    """Unpickling this creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def open_trusting(path):
    return torch.load(path, weights_only=False)


@pytest.mark.parametrize("write, open_it", [
    (lambda content, path: torch.save(content, path), open_trusting),
    (lambda content, path: torch.save(content, path, _use_new_zipfile_serialization=False), open_trusting),
    (lambda content, path: path.write_bytes(pickle.dumps(content)), lambda path: pickle.loads(path.read_bytes()))])
def test_a_pickle_that_would_run_code_does_not(unet, tmp_path, write, open_it):
    trap = tmp_path / "trap"
    path = tmp_path / "epoch=0-step=500.ckpt"
    write({**spell("DiffSynth"), "x": Trap(trap)}, path)
    said = unchanged(unet, path, alpha=4)
    assert "代码一行也没有运行" in said and not trap.exists()
    assert "代码一行也没有运行" in refused(convert, path, tmp_path / "x.safetensors", to="kohya", alpha=4)
    assert "代码一行也没有运行" in refused(inspect, path) and not trap.exists()
    open_it(path)
    assert trap.exists()  # so it was a real one


def lie(entries, data=b"", length=None):
    """Write a safetensors file's bytes: the length of the header, the header, the data."""
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


ONE = {"dtype": "F32", "shape": [4, 128], "data_offsets": [0, 2048]}
UP = f"{NAME}.lora_up.weight"


@pytest.mark.parametrize("content", [
    b"", b"{}", b"\x00" * 7, b"hello, this is no model at all", lie({}, length=10 * 2**30), lie({}, length=2**63),
    lie({UP: {**ONE, "shape": [4, 128], "data_offsets": [0, 10 * 2**30]}}, bytes(2048)),
    lie({UP: {**ONE, "shape": [10 * 2**28]}}, bytes(2048)), lie({UP: {**ONE, "shape": [2**40, 2**40]}}, bytes(2048)),
    lie({UP: {**ONE, "data_offsets": [2048, 0]}}, bytes(2048)), lie({UP: {**ONE, "data_offsets": [-1, 2047]}}),
    lie({UP: ONE, f"{NAME}.lora_down.weight": ONE}, bytes(2048)), lie({UP: ONE}, bytes(2047)),
    lie({UP: {**ONE, "dtype": "F99"}}, bytes(2048)), lie({UP: {**ONE, "shape": "all"}}, bytes(2048)),
    lie({"__metadata__": {"alpha": 4}, UP: ONE}, bytes(2048)), lie([1, 2]), b"PK\x03\x04 and no archive", b"\x80\x02.",
    b"\x80\x02}q\x00."])
def test_a_lying_file_is_told(unet, tmp_path, content):
    (tmp_path / "a.safetensors").write_bytes(content)
    unchanged(unet, tmp_path / "a.safetensors", alpha=4)
    refused(inspect, tmp_path / "a.safetensors")


@pytest.mark.parametrize("tensor", [
    torch.zeros(1).expand(10**12).reshape(4, -1), torch.zeros(4, 128, device="meta"), torch.zeros(4, 128).to_sparse()])
def test_a_checkpoint_whose_tensors_are_not_there_is_told(unet, tmp_path, tensor):
    torch.save({**spell("DiffSynth"), "blocks.9.a.lora_A.default.weight": tensor}, tmp_path / "a.ckpt")
    assert "打不开" in unchanged(unet, tmp_path / "a.ckpt", alpha=4)


def test_a_file_cut_short_is_told(unet, tmp_path):
    save_file(spell("kohya", alpha=ALPHA), tmp_path / "a.safetensors")
    torch.save(spell("DiffSynth"), tmp_path / "a.ckpt")
    for name in ("a.safetensors", "a.ckpt"):
        whole = (tmp_path / name).read_bytes()
        for size in (10, len(whole) // 2, len(whole) - 1):
            (tmp_path / name).write_bytes(whole[:size])
            unchanged(unet, tmp_path / name, alpha=4)


def test_a_missing_file_and_a_model_are_told(unet, tmp_path):
    assert "lightning_logs" in unchanged(unet, tmp_path / "none.ckpt")
    save_file({"conv_in.weight": torch.ones(3), "conv_in.bias": torch.ones(3)}, tmp_path / "model.safetensors")
    assert "conv_in" in unchanged(unet, tmp_path / "model.safetensors")
    torch.save([1, 2], tmp_path / "list.pt")
    unchanged(unet, tmp_path / "list.pt")


def test_words_in_a_header_stay_words(tmp_path):
    save_file(spell("kohya", alpha=ALPHA), tmp_path / "a.safetensors",
              {"trigger_word": "<img src=x onerror=alert(1)> | a\nb", "settings": "{" * 9, "base_model": "tiny"})
    shown = inspect(tmp_path / "a.safetensors")._repr_mimebundle_()
    assert "text/markdown" not in shown  # there "![](http://...)" would fetch a picture
    assert "<img" not in shown["text/html"] and "| a b</td>" in shown["text/html"]


def test_a_strength_is_checked_before_the_file_is_read(unet, tmp_path):
    assert "strength" in refused(load_lora, unet, tmp_path / "none", strength="much")
    with pytest.raises(LessonError):
        set_strength(unet, 99)


def test_a_header_whose_length_begins_as_a_pickle_does_is_still_safetensors(tmp_path):
    path = tmp_path / "a.safetensors"
    tensors = {f"{NAME}.lora_down.weight": torch.ones(1, 1), f"{NAME}.lora_up.weight": torch.ones(1, 1)}
    for count in range(0, 256, 8):
        save_file(tensors, path, {"note": "x" * count})
        if path.read_bytes()[:1] == b"\x80":
            break
    assert path.read_bytes()[:1] == b"\x80" and read_lora(path).held == 1
