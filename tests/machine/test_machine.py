"""What a machine has is measured where it can be, and told apart where a GPU or a host decides."""

import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from course_lib.machine import doctor, hardware, planning
from course_lib.messages import LANGUAGES, LessonError, set_language


def test_what_is_found_is_what_the_system_says(tmp_path):
    found = hardware.look(tmp_path)
    assert found.ram == psutil.virtual_memory().total and 0 < found.ram_free <= found.ram
    assert 1 <= found.cores <= os.cpu_count()
    assert found.versions["torch"] and found.quota_left is None
    assert (found.gpu is None) == (not has_gpu())


def has_gpu():
    import torch

    return torch.cuda.is_available()


@pytest.mark.parametrize("capability, bf16", [((6, 0), False), ((7, 5), False), ((8, 0), True), ((8, 6), True)])
def test_bf16_is_native_from_ampere_on(capability, bf16):
    assert hardware.Gpu("x", 1, 1, capability).bf16 is bf16


@pytest.mark.parametrize("capability, runs", [((6, 0), False), ((7, 0), False), ((7, 5), True), ((9, 0), True)])
def test_a_gpu_older_than_torchs_code_is_seen(capability, runs):
    assert hardware.runs_on(capability, ["sm_75", "sm_80", "sm_90", "sm_120", "compute_120"]) is runs
    assert hardware.runs_on((6, 0), ["sm_50", "sm_60", "sm_90a"])


@pytest.mark.parametrize("capability, built, runs", [
    ((12, 0), ["sm_50", "sm_80", "sm_86", "sm_90"], False), ((12, 0), ["sm_90", "compute_90"], True),
    ((12, 0), ["sm_90a", "compute_90a"], False), ((9, 0), ["sm_90a"], True), ((8, 9), ["sm_80", "sm_86"], True),
    ((8, 6), ["sm_87"], False), ((10, 3), ["sm_100f"], True), ((12, 0), ["sm_100f", "compute_100f"], False),
    ((6, 1), ["sm_50", "sm_70"], False), ((7, 5), ["sm_70"], True), ((7, 5), [], True), ((7, 5), ["native"], False)])
def test_code_runs_on_its_own_major_number_and_ptx_on_every_later_one(capability, built, runs):
    assert hardware.runs_on(capability, built) is runs


@pytest.mark.parametrize("name, built, runs", [
    ("gfx1100", ["gfx900", "gfx90a", "gfx1100"], True), ("gfx906", ["gfx900", "gfx90a", "gfx1100"], False),
    ("gfx90a", ["gfx90a:xnack-", "gfx1100"], True), ("gfx1036", ["gfx1030"], False),
    ("gfx1151", ["gfx11-generic"], True), ("gfx1201", ["gfx11-generic"], False),
    ("gfx942", ["gfx9-4-generic"], True), ("gfx110", ["gfx1100"], True)])
def test_amds_code_runs_on_the_gpu_that_it_names(name, built, runs):
    assert hardware.runs_on((9, 0), built, name) is runs


G = 2**30
BUSY = RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable\nCUDA kernel errors might be ...")


def simulate(monkeypatch, **answers):
    """Let torch.cuda answer as on another machine: by values, or by what it raises."""
    import torch

    plain = {"is_available": True, "get_device_name": "GPU", "get_device_capability": (8, 6),
             "mem_get_info": (23 * G, 24 * G), "get_arch_list": ["sm_80", "sm_86", "sm_90"]}
    for name, answer in (plain | answers).items():
        def give(*arguments, answer=answer):
            if isinstance(answer, Exception):
                raise answer
            return answer
        monkeypatch.setattr(torch.cuda, name, give)
    return hardware.look()


def test_an_amd_gpu_is_usable_by_its_own_name(monkeypatch):
    built = ["gfx900", "gfx906", "gfx90a", "gfx1030", "gfx1100"]
    found = simulate(monkeypatch, get_device_name="AMD Radeon RX 7900 XTX", get_device_capability=(11, 0),
                     get_arch_list=built)
    assert found.gpu.usable and found.gpu.bf16 and found.gpu.vram_free == 23 * G
    assert planning.plan("draw", found=replace(found, ram_free=32 * G)).device == "cuda"
    assert any("gfx11" in line for line in doctor.describe_machine(found))
    other = simulate(monkeypatch, get_device_name="AMD Radeon VII", get_arch_list=built,
                     get_device_capability=(9, 0), get_device_properties=SimpleNamespace(gcnArchName="gfx906:sramecc+"))
    assert other.gpu.architecture == "gfx906" and other.gpu.usable and not other.gpu.bf16
    assert not simulate(monkeypatch, get_arch_list=["gfx90a"], get_device_capability=(9, 0)).gpu.usable


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("question", ["is_available", "get_device_name", "get_device_capability", "mem_get_info",
                                      "get_arch_list"])
@pytest.mark.parametrize("problem", [
    BUSY, OSError("libcuda.so.1"), AssertionError("Invalid device id"), RuntimeError()])
def test_a_driver_that_fails_at_any_question_is_quoted(monkeypatch, language, question, problem):
    set_language(language)
    found = simulate(monkeypatch, **{question: problem})
    said = str(problem).splitlines()[0] if str(problem) else "RuntimeError"
    assert not found.gpu.usable and found.gpu.said == said
    with pytest.raises(LessonError) as refusal:
        planning.plan("draw", "kolors", found=found)
    assert said in refusal.value.why and "nvidia-smi" in refusal.value.next_step
    lines = doctor.describe_machine(found)
    assert any(said in line for line in lines) and any("nvidia-smi" in line for line in lines)
    assert planning.plan("draw", "tiny", found=replace(found, ram_free=4 * G)).device == "cpu"


def test_a_driver_that_is_too_old_is_quoted_though_it_only_warns(monkeypatch):
    import torch

    def warn():
        warnings.warn("CUDA initialization: The NVIDIA driver on your system is too old (found version 11040).",
                      stacklevel=1)
        warnings.warn("The pynvml package is deprecated.", FutureWarning, stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", warn)
    found = hardware.look()
    assert "11040" in found.gpu.said and not found.gpu.usable
    monkeypatch.setattr(torch.cuda, "is_available", lambda: warnings.warn("something else", stacklevel=1))
    assert hardware.look().gpu is None


def test_a_torch_that_cannot_be_imported_or_is_for_cpus_is_told(monkeypatch):
    monkeypatch.setattr("torch.version.cuda", None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(hardware, "find_version", lambda package: "2.13.0+cpu")
    monkeypatch.setattr(hardware, "has_driver", lambda: False)
    assert hardware.look().gpu is None
    monkeypatch.setattr(hardware, "has_driver", lambda: True)
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "torch")  # then it is not loaded to be asked
        found = hardware.look()
        assert "torch" not in sys.modules
    assert found == replace(hardware.look(), ram_free=found.ram_free, disk_free=found.disk_free)
    assert not found.gpu.usable and any("CUDA" in line for line in doctor.describe_machine(found))
    monkeypatch.setitem(sys.modules, "torch", None)  # then its import fails
    assert "torch" in hardware.look().gpu.said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name, capability, built, words", [
    ("NVIDIA GeForce RTX 5090", (12, 0), ["sm_50", "sm_80", "sm_86", "sm_90"], ("太旧", "is too old for")),
    ("Tesla P100", (6, 0), ["sm_75", "sm_80", "compute_90"], ("6.0 太旧", "6.0, is too old"))])
def test_a_gpu_without_code_is_told_from_both_ends(monkeypatch, language, name, capability, built, words):
    set_language(language)
    found = simulate(monkeypatch, get_device_name=name, get_device_capability=capability, get_arch_list=built)
    with pytest.raises(LessonError) as refusal:
        planning.plan("draw", "kolors", found=found)
    assert name in refusal.value.why and words[LANGUAGES.index(language)] in refusal.value.why
    assert "pytorch.org" in refusal.value.next_step
    assert any("pytorch.org" in line for line in doctor.describe_machine(found))


def test_too_little_ram_for_the_tiny_model_is_not_the_gpus_fault(monkeypatch):
    found = simulate(monkeypatch, mem_get_info=BUSY)
    with pytest.raises(LessonError) as refusal:
        planning.plan("draw", "tiny", found=replace(found, ram_free=G // 10))
    assert "0.1 GiB" in refusal.value.why


def test_a_working_folder_that_is_gone_is_no_error(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert hardware.look().disk_free > 0 and hardware.look(gone / "deeper").disk_free > 0


@pytest.mark.parametrize("torch, driver, asked", [
    (None, True, False), ("2.13.0+cpu", True, False), ("2.13.0", False, False), ("2.13.0", True, True),
    ("2.13.0+cu128", True, True), ("2.13.0+rocm6.4", False, True)])
def test_torch_is_asked_only_where_it_could_see_a_gpu(monkeypatch, torch, driver, asked):
    monkeypatch.setattr(hardware, "has_driver", lambda: driver)
    assert hardware.may_have_gpu(torch) is asked


@pytest.mark.parametrize("variable, host", [
    ("MODELSCOPE_ENVIRONMENT", "modelscope"), ("COLAB_RELEASE_TAG", "colab"), ("KAGGLE_KERNEL_RUN_TYPE", "kaggle"),
    (None, "local")])
def test_each_host_is_told_by_its_environment(monkeypatch, variable, host):
    for name in ("MODELSCOPE_ENVIRONMENT", "DSW_INSTANCE_ID", "dsw_instance_id", "COLAB_RELEASE_TAG",
                 "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "1")
    assert hardware.name_host() == host


def test_a_quota_is_what_the_files_leave_of_it(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_bytes(b"x" * 100_000)
    (tmp_path / "b").write_bytes(b"x" * 50_000)
    (tmp_path / "link").symlink_to(tmp_path / "inner" / "a")
    assert 150_000 <= hardware.count_used(tmp_path) < 190_000  # whole blocks, and the link itself
    monkeypatch.setattr(hardware, "find_mount", lambda folder: tmp_path)
    assert hardware.measure_quota(tmp_path / "inner", 10**6) == 10**6 - hardware.count_used(tmp_path)


def test_without_a_limit_or_a_disk_of_its_own_there_is_no_quota(tmp_path):
    assert hardware.measure_quota(tmp_path, None) is None
    assert hardware.measure_quota(Path(tmp_path.anchor), 10**9) is None
    assert os.path.ismount(hardware.find_mount(tmp_path))
