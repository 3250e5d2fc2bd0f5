"""What a LoRA file of another trainer does to the weights is what that trainer meant, or it is said why it is not read.

The files in data/lora are small ones of users' reports, for Tiny Kolors; the right values are plain arithmetic here.
"""

import copy
import json
import pickle
import zipfile

import pytest
import torch
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from course_lib.files import COURSE
from course_lib.lora.alphas import match_patterns
from course_lib.lora.conversion import convert
from course_lib.lora.inspection import inspect
from course_lib.lora.names import known_layers
from course_lib.lora.publishing import read_facts
from course_lib.lora.verbs import load_lora, remove_lora, save_lora, set_strength
from course_lib.messages import LANGUAGES, LessonError, set_language

FILES = COURSE / "tests" / "data" / "lora"
LAYERS = known_layers("tiny")
TO_Q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
TO_K = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"  # from the words
RESNET = "down_blocks.0.resnets.0.conv1"


def kohya(layer):
    return "lora_unet_" + layer.replace(".", "_")


@pytest.fixture
def unet(pipe):
    return copy.deepcopy(pipe.unet)


def refused(call, *arguments, **options):
    with pytest.raises(LessonError) as problem:
        call(*arguments, **options)
    return str(problem.value)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.manual_seed(seed)) * 0.1


def merge_lora(unet):
    """Add what a LoRA does to the weights themselves, as diffusers' fuse_lora does."""
    for module in [module for module in unet.modules() if isinstance(module, LoraLayer)]:
        module.merge()
    unet.unload_lora()


def answer(module, *places):
    """What a layer makes of a fixed input."""
    width = getattr(module, "in_features", None) or module.in_channels
    with torch.no_grad():
        return module(random(2, *places, width) if not places else random(2, width, *places))


# --- DoRA of columns ---

def turn_columns(weight, up, down, scale, magnitude):
    """W' = m V / |V|, the lengths over all outputs."""
    turned = weight + scale * (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
    lengths = turned.transpose(0, 1).flatten(1).norm(dim=1)
    return turned * (magnitude.flatten() / lengths).view(1, -1, *[1] * (weight.ndim - 2))


def read_kohya(file):
    """Return {layer: (up, down, alpha, dora_scale)} of a file with kohya's names, read by hand."""
    tensors = load_file(file)
    return {layer: tuple(tensors[f"{kohya(layer)}.{end}"] for end in (
        "lora_up.weight", "lora_down.weight", "alpha", "dora_scale")) for layer in LAYERS
        if f"{kohya(layer)}.alpha" in tensors}


def test_a_dora_of_columns_is_merged_as_it_was_meant(unet):
    before = {name: weight.clone() for name, weight in unet.named_parameters()}
    report = load_lora(unet, FILES / "dora_of_columns.safetensors")
    assert report.dora and report.matched == 5
    layers = read_kohya(FILES / "dora_of_columns.safetensors")
    expected = {layer: turn_columns(before[f"{layer}.weight"], up, down, alpha / len(down), scale)
                for layer, (up, down, alpha, scale) in layers.items()}
    for layer, weight in expected.items():  # before it is merged a layer answers as after it
        module = unet.get_submodule(layer)
        bias = module.get_base_layer().bias
        torch.testing.assert_close(answer(module), torch.nn.functional.linear(
            random(2, module.in_features), weight, bias), atol=1e-5, rtol=1e-5)
    merge_lora(unet)
    for name, weight in unet.named_parameters():
        wanted = expected.get(name.removesuffix(".weight"), before[name])
        torch.testing.assert_close(weight, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", [TO_K, "down_blocks.1.attentions.0.transformer_blocks.0.ff.net.2", RESNET])
def test_columns_are_told_by_the_shape_whatever_the_layer(unet, tmp_path, layer):
    """Square or not, linear or a convolution, at half its scale; and rows stay rows."""
    weight = unet.get_submodule(layer).weight.detach().clone()
    out, width, *kernel = weight.shape
    up, down = random(out, 2, *[1] * len(kernel)), random(2, width, *kernel, seed=1)
    places = [1] * len(kernel)
    tensors = {f"{kohya(layer)}.lora_up.weight": up, f"{kohya(layer)}.lora_down.weight": down,
               f"{kohya(layer)}.alpha": torch.tensor(1.0)}
    columns, rows = random(1, width, *places, seed=2).abs() + 1, random(out, 1, *places, seed=3).abs() + 1
    for magnitude in (columns, rows):
        save_file({**tensors, f"{kohya(layer)}.dora_scale": magnitude}, tmp_path / "a.safetensors")
        load_lora(unet, tmp_path / "a.safetensors")
        module = unet.get_submodule(layer)
        if magnitude is columns:
            wanted = turn_columns(weight, up, down, 0.5, columns)
        else:
            turned = weight + 0.5 * (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
            wanted = turned * (rows.flatten() / turned.flatten(1).norm(dim=1)).view(-1, 1, *places)
        if kernel:
            bias = module.get_base_layer().bias
            expected = torch.nn.functional.conv2d(random(2, width, 8, 8), wanted, bias, padding=1)
            found = answer(module, 8, 8)
        else:
            expected = torch.nn.functional.linear(random(2, width), wanted, module.get_base_layer().bias)
            found = answer(module)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        remove_lora(unet)


def test_a_dora_of_columns_is_kept_and_never_written_as_one_of_rows(unet, tmp_path):
    source = FILES / "dora_of_columns.safetensors"
    again = convert(source, tmp_path / "k.safetensors", to="kohya")
    assert all(torch.equal(value, load_file(source)[key]) for key, value in load_file(again).items())
    assert "kohya" in refused(convert, source, tmp_path / "d.safetensors", to="diffusers")
    load_lora(unet, source)
    assert "kohya" in refused(save_lora, unet, tmp_path / "d.safetensors", base_model="tiny")
    assert not (tmp_path / "d.safetensors").exists()


def test_strength_and_other_loras_go_with_a_dora_of_columns(unet):
    base = answer(unet.get_submodule(TO_Q))
    load_lora(unet, FILES / "dora_of_columns.safetensors")
    worn = answer(unet.get_submodule(TO_Q))
    assert not torch.equal(worn, base)
    set_strength(unet, 0)
    assert torch.equal(answer(unet.get_submodule(TO_Q)), base)
    set_strength(unet, 1)
    load_lora(copied := copy.deepcopy(unet), FILES / "alpha_none.safetensors")
    assert torch.equal(answer(unet.get_submodule(TO_Q)), worn) and len(copied.peft_config) == 2


# --- alpha ---

@pytest.mark.parametrize("patterns", [
    {".*attn2.to_k": 4}, {r"down_blocks\.\d+\..*to_(q|k)": 8, "to_k": 1}, {r"^down_blocks\..*": 9, "to_q": 5},
    {"to_out.0": 3}, {r"(attn1|attn2)\.to_out\.0": 3, "attn[12].to_q": 7}])
def test_a_pattern_gives_the_alpha_that_peft_gives(unet, tmp_path, patterns):
    """peft itself is asked what each layer's scale is."""
    table = {"r": 2, "lora_alpha": 2, "alpha_pattern": patterns}
    other = copy.deepcopy(unet)
    other.add_adapter(LoraConfig(target_modules=["to_q", "to_k", "to_v", "to_out.0"], **table), "style")
    tensors = {}
    for name in (name for name in LAYERS if name.endswith(("to_q", "to_k", "to_v", "to_out.0"))):
        out, width = LAYERS[name].shape
        tensors |= {f"unet.{name}.lora_A.weight": random(2, width), f"unet.{name}.lora_B.weight": random(out, 2)}
    save_file(tensors, tmp_path / "a.safetensors", {"lora_adapter_metadata": json.dumps(
        {f"unet.{key}": value for key, value in table.items()})})
    load_lora(unet, tmp_path / "a.safetensors", name="style")
    scales = [{name: module.scaling["style"] for name, module in each.named_modules() if hasattr(module, "scaling")}
              for each in (unet, other)]
    assert len(set(scales[1].values())) > 1 and scales[0] == scales[1]


def test_the_reported_pattern_counts(unet):
    report = load_lora(unet, FILES / "alpha_pattern.safetensors")
    assert report.alpha == "2-4"
    scales = {name: module.scaling["alpha_pattern"] for name, module in unet.named_modules()
              if hasattr(module, "scaling") and "alpha_pattern" in module.scaling}
    assert {scale for name, scale in scales.items() if "attn2.to_k" in name} == {2.0}
    assert {scale for name, scale in scales.items() if "attn2.to_k" not in name} == {1.0}


@pytest.mark.parametrize("pattern", ["(a+)+$", "((", "(x+x+)+y", "[" * 1000, "(?P<a>x)(?P<a>y)"])
def test_a_pattern_that_would_run_for_ever_or_is_none_is_told(unet, tmp_path, pattern, monkeypatch):
    monkeypatch.setattr("course_lib.lora.alphas.MATCH_SECONDS", 2)
    save_file({f"unet.{TO_Q}{'.x' * 0}.lora_A.weight": random(2, 128), f"unet.{TO_Q}.lora_B.weight": random(128, 2)},
              tmp_path / "a.safetensors", {"lora_adapter_metadata": json.dumps(
                  {"lora_alpha": 2, "alpha_pattern": {pattern: 4}})})
    if pattern in ("(a+)+$", "(x+x+)+y"):
        with pytest.raises(ValueError, match="alpha_pattern"):
            match_patterns([pattern], ["a" * 60 + "!" if "a" in pattern else "x" * 60])
    else:
        assert "alpha" in refused(load_lora, unet, tmp_path / "a.safetensors")
        assert load_lora(unet, tmp_path / "a.safetensors", alpha=2).alpha == 2


def write_kohya(path, header, alpha=2.0):
    tensors = {f"{kohya(TO_Q)}.lora_down.weight": random(4, 128), f"{kohya(TO_Q)}.lora_up.weight": random(128, 4)}
    if alpha is not None:
        tensors[f"{kohya(TO_Q)}.alpha"] = torch.tensor(alpha)
    save_file(tensors, path, header)
    return path


@pytest.mark.parametrize("header", [{"ss_network_alpha": "None"}, {"ss_network_alpha": "Dynamic"}, {"alpha": "much"},
                                    {"lora_adapter_metadata": "[1]"}, {"lora_adapter_metadata": "{"}])
def test_alphas_beside_the_weights_need_no_header(unet, tmp_path, header):
    report = load_lora(unet, write_kohya(tmp_path / "a.safetensors", header))
    assert (report.alpha, report.notes) == (2.0, ())


def test_the_reported_header_of_none_is_no_fault(unet):
    assert load_lora(unet, FILES / "alpha_none.safetensors").alpha == 2.0
    assert read_facts(FILES / "alpha_none.safetensors", alpha=None, trigger=None, base="tiny").alpha == 2.0


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("header", [
    {"alpha": "1"}, {"ss_network_alpha": "16.0"}, {"ss_network_alpha": "1", "alpha": "8"}])
def test_an_alpha_beside_the_weights_goes_before_the_header_with_a_word(unet, tmp_path, header, language):
    set_language(language)
    path = write_kohya(tmp_path / "a.safetensors", header)
    report = load_lora(unet, path)
    told = f"{float(header.get('alpha', header.get('ss_network_alpha'))):g}"
    assert report.alpha == 2.0 and f"alpha={told}" in str(report) and "alpha=" in str(inspect(path))
    assert read_facts(path, alpha=None, trigger=None, base="tiny").alpha == 2.0
    assert load_lora(unet, path, alpha=float(told)).alpha == float(told)


@pytest.mark.parametrize("header", [{"ss_network_alpha": "None"}, {}])
def test_without_any_alpha_it_is_asked_for(unet, tmp_path, header):
    path = write_kohya(tmp_path / "a.safetensors", header, alpha=None)
    assert "alpha=4" in refused(load_lora, unet, path)
    assert load_lora(unet, path, alpha=4).alpha == 4


# --- names ---

@pytest.mark.parametrize("prefix", ["diffusion_model.", "model.diffusion_model.", "unet.", "pipe.unet.", ""])
def test_diffsynths_names_are_read_behind_any_prefix(unet, tmp_path, prefix):
    tensors = {key.replace("diffusion_model.", prefix): value
               for key, value in load_file(FILES / "diffsynth_renamed.safetensors").items()}
    save_file(tensors, tmp_path / "a.safetensors")
    report = load_lora(unet, tmp_path / "a.safetensors", alpha=2)
    assert (report.format, report.matched, report.held) == ("diffsynth", 6, 6)


@pytest.mark.parametrize("prefix", ["diffusion_model.", "model.diffusion_model."])
def test_diffusers_names_are_read_behind_comfyuis_prefix(unet, tmp_path, prefix):
    save_file({f"{prefix}{TO_Q}.lora_A.weight": random(2, 128), f"{prefix}{TO_Q}.lora_B.weight": random(128, 2)},
              tmp_path / "a.safetensors")
    assert load_lora(unet, tmp_path / "a.safetensors", alpha=2).matched == 1


# --- more than two matrices ---

@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name, method", [("loha", "LoHa"), ("lokr", "LoKr")])
def test_other_methods_are_named(unet, language, name, method):
    set_language(language)
    for call in (inspect, lambda path: load_lora(unet, path), lambda path: load_lora(unet, path, alpha=1),
                 lambda path: convert(path, path.with_name("x.safetensors"), to="kohya")):
        said = refused(call, FILES / f"{name}.safetensors")
        assert method in said.splitlines()[0] and ("没有坏" in said or "not damaged" in said)


@pytest.mark.parametrize("parts, method", [
    ({"hada_w1_a": (128, 2), "hada_w1_b": (2, 128), "hada_w2_a": (128, 2), "hada_w2_b": (2, 128),
      "hada_t1": (2, 2, 3, 3)}, "LoHa"),
    ({"lokr_w1": (8, 8), "lokr_w2_a": (16, 2), "lokr_w2_b": (2, 16), "dora_scale": (128, 1)}, "LoKr"),
    ({"oft_blocks": (8, 16, 16)}, "OFT"), ({"on_input": (1,), "weight": (128,)}, "IA3"), ({"diff": (128, 128)}, "diff"),
    ({"a1.weight": (2, 128), "b1.weight": (128, 2)}, "GLoRA")])
@pytest.mark.parametrize("alpha", [True, False])
def test_methods_of_other_shapes_are_named(unet, tmp_path, parts, method, alpha):
    tensors = {f"{kohya(TO_Q)}.{part}": random(*shape) for part, shape in parts.items()}
    if alpha:
        tensors[f"{kohya(TO_Q)}.alpha"] = torch.tensor(1.0)
    save_file(tensors, tmp_path / "a.safetensors")
    assert f" {method} " in refused(load_lora, unet, tmp_path / "a.safetensors")


def test_half_a_lora_is_still_called_half(unet, tmp_path):
    save_file({f"{kohya(TO_Q)}.lora_down.weight": random(2, 128)}, tmp_path / "a.safetensors")
    assert "不完整" in refused(load_lora, unet, tmp_path / "a.safetensors")


def test_locons_third_matrix_is_multiplied_in(unet, tmp_path):
    """up (out, r, 1, 1), mid (r, r, 3, 3), down (r, in, 1, 1): CP decomposition, as LyCORIS writes it."""
    weight = unet.get_submodule(RESNET).weight.detach().clone()
    up, mid, down = random(64, 3, 1, 1), random(3, 3, 3, 3, seed=1), random(3, 64, 1, 1, seed=2)
    name = kohya(RESNET)
    tensors = {f"{name}.lora_up.weight": up, f"{name}.lora_mid.weight": mid, f"{name}.lora_down.weight": down,
               f"{name}.alpha": torch.tensor(1.5)}
    save_file(tensors, tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", tmp_path / "k.safetensors", to="kohya")
    for file in (tmp_path / "a.safetensors", tmp_path / "k.safetensors"):
        other = copy.deepcopy(unet)
        load_lora(other, file)
        merge_lora(other)
        wanted = weight + 0.5 * torch.einsum("or,rskl,si->oikl", up[:, :, 0, 0], mid, down[:, :, 0, 0])
        torch.testing.assert_close(other.get_submodule(RESNET).weight, wanted, atol=1e-6, rtol=1e-5)
    save_file({**tensors, f"{name}.lora_mid.weight": random(3, 2, 3, 3)}, tmp_path / "b.safetensors")
    assert "rank" in refused(load_lora, unet, tmp_path / "b.safetensors")
    save_file({**tensors, f"{name}.lora_mid.weight": random(3, 3, 40, 40)}, tmp_path / "b.safetensors")
    assert "rank" in refused(load_lora, unet, tmp_path / "b.safetensors")


# --- bias ---

def with_bias(path, layer=TO_Q, ending="lora_B.bias", **more):
    out, width = LAYERS[layer].shape
    save_file({f"unet.{layer}.lora_A.weight": random(2, width), f"unet.{layer}.lora_B.weight": random(out, 2, seed=1),
               f"unet.{layer}.{ending}": random(out, seed=2), **more}, path, {"alpha": "4"})
    return path


@pytest.mark.parametrize("layer", [TO_Q, "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0"])
def test_a_bias_is_added_at_the_loras_scale(unet, tmp_path, layer):
    """As peft has it: (alpha/rank) (B A x + b), whether the layer itself has a bias (to_out) or none (to_q)."""
    base = unet.get_submodule(layer)
    down, up, bias = random(2, 128), random(128, 2, seed=1), random(128, seed=2)
    wanted = answer(base) + 2 * (random(2, 128) @ down.T @ up.T + bias)
    for file in (with_bias(tmp_path / "a.safetensors", layer),
                 convert(tmp_path / "a.safetensors", tmp_path / "d.safetensors", to="diffusers")):
        other = copy.deepcopy(unet)
        load_lora(other, file)
        torch.testing.assert_close(answer(other.get_submodule(layer)), wanted, atol=1e-5, rtol=1e-5)
    load_lora(unet, tmp_path / "a.safetensors")
    again = save_lora(unet, tmp_path / "again.safetensors", base_model="tiny")
    assert torch.equal(load_file(again)[f"unet.{layer}.lora_B.bias"], bias)
    for form, name in (("kohya", "k.safetensors"), ("diffsynth", "d.ckpt")):
        assert "lora_B.bias" in refused(convert, tmp_path / "a.safetensors", tmp_path / name, to=form)


def test_diffusers_reads_the_bias_that_is_written(pipe, unet, tmp_path):
    path = convert(with_bias(tmp_path / "a.safetensors"), tmp_path / "d.safetensors", to="diffusers")
    load_lora(unet, path)
    expected = answer(unet.get_submodule(TO_Q))
    other = copy.deepcopy(pipe.unet)
    parts = {**pipe.components, "unet": other}
    type(pipe)(**parts, force_zeros_for_empty_prompt=True).load_lora_weights(str(path))
    torch.testing.assert_close(answer(other.get_submodule(TO_Q)), expected)


def test_a_bias_of_another_size_or_with_dora_is_told(unet, tmp_path):
    with_bias(tmp_path / "a.safetensors", **{f"unet.{TO_Q}.lora_magnitude_vector": random(128)})
    assert "DoRA" in refused(load_lora, unet, tmp_path / "a.safetensors")
    with_bias(tmp_path / "b.safetensors", **{f"unet.{TO_Q}.lora_B.bias": random(7)})
    assert "形状" in refused(load_lora, unet, tmp_path / "b.safetensors")
    with_bias(tmp_path / "c.safetensors", ending="lora_A.bias")
    assert "lora_A.bias" in refused(load_lora, unet, tmp_path / "c.safetensors")
    assert not getattr(unet, "peft_config", {})


# --- pickles that take too much ---

def write_archive(path, content, **parts):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for name, part in parts.items():
            archive.writestr(f"archive/{name}", part)


ENDLESS = b"\x80\x02}q\x00K\x01" + b"q\x01h\x01\x86" * 60 + b"K\x01s."  # {t60: 1}, each t twice the one before
KEYS = [pickle.dumps(number * (2**61 - 1), 2)[2:-1] for number in range(1, 20_000)]  # all hash to 0
ALIKE = b"\x80\x02}(" + b"".join(key + b"K\x01" for key in KEYS) + b"u."
DEEP = b"\x80\x02}K\x01" + b"\x85" * 100_000 + b"K\x01s."


@pytest.mark.parametrize("content", [ENDLESS, ALIKE, DEEP], ids=["endless", "alike", "deep"])
def test_a_pickles_keys_are_counted_before_they_are_hashed(unet, tmp_path, content):
    write_archive(tmp_path / "a.ckpt", content, version="3\n")
    old = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    (tmp_path / "b.pt").write_bytes(b"".join(old) + content)
    (tmp_path / "c.pt").write_bytes(content)
    for name in ("a.ckpt", "b.pt", "c.pt"):
        assert "for ever" in refused(load_lora, unet, tmp_path / name, alpha=4)


@pytest.mark.parametrize("pack", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packed_archive_is_not_unpacked(unet, tmp_path, pack):
    torch.save({"blocks.1.to_q.lora_A.default.weight": torch.zeros(4000, 1000)}, tmp_path / "a.ckpt")
    with zipfile.ZipFile(tmp_path / "a.ckpt") as source, zipfile.ZipFile(tmp_path / "b.ckpt", "w", pack) as target:
        for part in source.infolist():
            target.writestr(part.filename, source.read(part))
    assert (tmp_path / "b.ckpt").stat().st_size < 100_000
    assert "16.0 MB" in refused(load_lora, unet, tmp_path / "b.ckpt", alpha=4)


def test_an_archive_that_two_readers_read_differently_is_not_read(unet, tmp_path):
    torch.save({"blocks.1.to_q.lora_A.default.weight": torch.zeros(4, 4)}, tmp_path / "a.ckpt")
    with zipfile.ZipFile(tmp_path / "a.ckpt", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a/data.pkl", ENDLESS)
    assert "no archive that torch writes" in refused(load_lora, unet, tmp_path / "a.ckpt", alpha=4)


def test_a_checkpoint_with_an_optimizer_is_still_read(unet, tmp_path):
    tensors = {key.removeprefix("diffusion_model.").replace("weight", "default.weight"): value
               for key, value in load_file(FILES / "diffsynth_renamed.safetensors").items()}
    state = {number: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(2, 3)} for number in range(1120)}
    content = {"state_dict": tensors, "epoch": 0, "optimizer_states": [
        {"state": state, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.99), "params": [*range(1120)]}]}]}
    for name, new in (("a.ckpt", True), ("b.ckpt", False)):
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=new)
        assert load_lora(unet, tmp_path / name, alpha=2).matched == 6


def test_all_files_here_are_small_and_hold_no_header_of_ours():
    assert sum(file.stat().st_size for file in FILES.iterdir()) < 60_000
    with safe_open(FILES / "alpha_none.safetensors", "pt") as content:
        assert content.metadata()["ss_network_alpha"] == "None"
