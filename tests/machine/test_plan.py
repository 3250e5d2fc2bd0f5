"""A plan is arithmetic from the models' own configs, fits what is there, and says what is missing where it does not."""

from dataclasses import replace

import pytest
import torch

from course_lib import messages
from course_lib.hub import repository
from course_lib.machine import footprint, hardware, planning
from course_lib.machine.configs import CONFIGS
from course_lib.machine.hardware import GIB
from course_lib.machine.planning import EXAMPLES, FOOTPRINTS, example
from course_lib.messages import LANGUAGES, LessonError, set_language

PARAMETERS = {"unet": 2_579_458_820, "vae": 83_653_863, "text_encoder": 6_243_584_000}


@pytest.fixture(scope="module")
def parts():
    return {part: footprint.build_part(part, config, torch.float32 if part == "vae" else torch.float16)
            for part, config in CONFIGS.items()}


# ---- the arithmetic

@pytest.mark.parametrize("part", PARAMETERS)
def test_the_full_kolors_has_its_known_size_and_takes_no_memory(parts, part):
    weights = list(parts[part].parameters())
    assert sum(weight.numel() for weight in weights) == PARAMETERS[part] == FOOTPRINTS["kolors"]["parameters"][part]
    assert {weight.device.type for weight in weights} == {"meta"}
    exact = sum(footprint.count_bytes(weight) for weight in weights)
    assert abs(planning.weigh(FOOTPRINTS["kolors"], part) / exact - 1) < 0.05


def test_the_shipped_footprints_are_those_of_the_configs(parts):
    """The large one by its two shortest counts; `python -m course_lib.machine.footprint` counts all of it anew."""
    assert same(footprint.measure_folder(repository.TINY), FOOTPRINTS["tiny"])
    with torch.no_grad():
        kolors = FOOTPRINTS["kolors"]
        drawn = footprint.count_peak(parts["unet"], lambda: footprint.denoise(parts["unet"], 128, 2))
        read = footprint.count_peak(parts["text_encoder"], lambda: footprint.encode(parts["text_encoder"]))
        assert same({"denoise": drawn}, {"denoise": kolors["1024"]["denoise"]})
        assert same({"encode": read}, {"encode": kolors["encode"]})


def same(found, kept):
    """Compare counts, table by table; another diffusers may hold a tensor longer, so bytes may differ by 5 %."""
    tables = [key for key in kept if isinstance(kept[key], dict)]
    return found.keys() == kept.keys() and all(same(found[key], kept[key]) for key in tables) and all(
        found[key] == pytest.approx(kept[key], rel=0.05) for key in kept if key not in tables)


def test_the_ledger_counts_what_lives_at_the_same_time():
    layer = torch.nn.Linear(256, 256, bias=False, device="meta")  # its weights are not counted

    def work():
        first = layer(torch.empty(64, 256, device="meta"))  # 64 KiB of input, and as much of output
        second = first + 1
        del first
        return second * second  # the input went when the layer was done

    with torch.no_grad():
        assert footprint.count_peak(layer, work) == 2 * 64 * 1024


def test_a_convolution_takes_room_for_a_copy_of_what_goes_in_and_comes_out():
    layer = torch.nn.Conv2d(1, 2, 3, padding=1, bias=False, device="meta")
    with torch.no_grad():
        peak = footprint.count_peak(layer, lambda: layer(torch.empty(1, 1, 128, 128, device="meta")))
    assert peak == 2 * (1 + 2) * 128 * 128 * 4


def test_tiles_of_512_px_cut_a_picture_of_1024_px():
    work = FOOTPRINTS["kolors"]["1024"]
    assert work["decode_tiled"] < work["decode"] / 3
    vae = footprint.build_part("vae", CONFIGS["vae"])
    footprint.set_tiles(vae)
    assert (vae.tile_sample_min_size, vae.tile_latent_min_size) == (512, 64)


# ---- what is decided

@pytest.mark.parametrize("name, task, expected", [
    ("8 GB", "draw", ("float16", "turns", "stream", 1024, True, False)),
    ("12 GB", "draw", ("float16", "turns", "stream", 1024, True, False)),
    ("16 GB (T4, Colab)", "draw", ("float16", "turns", "whole", 1024, True, False)),
    ("24 GB (A10, ModelScope)", "draw", ("float16", "resident", "whole", 1024, True, False)),
    ("8 GB", "lora", ("bfloat16", "turns", "stream", 1024, True, True)),
    ("16 GB (T4, Colab)", "lora", ("float16", "turns", "whole", 1024, False, True)),
    ("24 GB (A10, ModelScope)", "lora", ("bfloat16", "turns", "whole", 1024, False, True)),
])
def test_the_plans_of_usual_machines(name, task, expected):
    found = EXAMPLES[name]
    one = planning.plan(task, "kolors", found=found)
    assert (one.dtype, one.placement, one.encoder, one.size, one.vae_tiling, one.checkpointing) == expected
    assert one.peak_vram < found.gpu.vram_free and one.peak_ram < found.ram_free


@pytest.mark.parametrize("task", planning.TASKS)
def test_every_plan_fits_whatever_the_memory(task):
    for tenths in range(40, 500, 7):
        found = example(20, "GPU", tenths / 10)
        try:
            one = planning.plan(task, "kolors", found=found)
        except LessonError:
            assert tenths / 10 < 8  # GiB
        else:
            assert one.peak_vram * 1.1 <= found.gpu.vram_free


def test_a_small_ram_makes_the_encoder_smaller_where_bitsandbytes_is(monkeypatch):
    small, larger = example(9, "8 GB", 7.4), example(9, "12 GB", 11.3)
    assert planning.plan("draw", found=small).encoder == "stream"
    monkeypatch.setattr(hardware, "find_version", lambda package: "1.0")
    assert [(one.encoder, one.encoder_bits, one.size) for one in (planning.plan("draw", found=small),
                                                                  planning.plan("draw", found=larger))] \
        == [("quantised", 4, 1024), ("quantised", 8, 1024)]


def test_read_prompts_need_no_encoder():
    one = planning.plan("draw", found=EXAMPLES["8 GB"], cached=True)
    assert one.encoder == "cached" and [stage.name for stage in one.stages] == ["denoise", "decode"]


def test_tiny_kolors_runs_on_the_cpu_even_where_a_gpu_is():
    one = planning.plan("draw", "tiny", found=EXAMPLES["24 GB (A10, ModelScope)"])
    assert (one.device, one.dtype, one.size, one.peak_vram) == ("cpu", "float32", 64, 0)
    assert 0.4 * GIB < one.peak_ram < GIB


# ---- what is said

@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("host", ["modelscope", "colab", "kaggle", "local"])
def test_what_does_not_fit_is_told_with_numbers_and_the_hosts_next_step(language, host):
    set_language(language)
    steps = set()
    for gpu, number in ((None, "0.0"), ("GPU", "3.0")):
        with pytest.raises(LessonError, match="kolors") as problem:
            planning.plan("draw", "kolors", found=example(20, gpu, 3, host=host))
        assert f"{number} GiB" in problem.value.why and "7.0 GiB" in problem.value.why
        steps.add(problem.value.next_step)
    assert steps == {messages.text(f"plan_next_{host}")}


@pytest.mark.parametrize("language", LANGUAGES)
def test_too_little_ram_and_too_old_a_gpu_are_told_apart(language):
    set_language(language)
    with pytest.raises(LessonError) as problem:
        planning.plan("draw", "tiny", found=example(0.1))
    assert "0.1 GiB" in problem.value.why
    with pytest.raises(LessonError) as problem:
        planning.plan("draw", found=example(2, "GPU", 15))
    assert "2.0 GiB" in problem.value.why
    old = example(20, "Tesla P100", 15, (6, 0))
    with pytest.raises(LessonError) as problem:
        planning.plan("draw", found=replace(old, gpu=replace(old.gpu, usable=False)))
    assert "Tesla P100" in problem.value.why
    with pytest.raises(LessonError, match="dance"):
        planning.plan("dance")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_plan_says_what_its_memory_is_made_of(language):
    set_language(language)
    one = planning.plan("draw", found=EXAMPLES["16 GB (T4, Colab)"])
    said = str(one)
    assert f"{one.peak_vram / GIB:.1f} GiB" in said and "float16" in said
    assert all(f"UNet {4.80:.2f}" in line for line in said.splitlines()[3:])
    assert len(planning.tabulate()) == 1 + 2 * len(EXAMPLES)
