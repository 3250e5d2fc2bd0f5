"""What a machine has is measured where it can be, and told apart where a GPU or a host decides."""

import os
from pathlib import Path

import psutil
import pytest

from course_lib.machine import hardware


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
