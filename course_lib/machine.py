"""What this machine has, and which lessons run on it; the only module that asks torch for a GPU."""

import os
import platform
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

GIB = 2**30
PACKAGES = ("torch", "diffusers", "transformers", "peft", "modelscope", "ipywidgets", "jupyterlab", "pillow")
TINY_RAM = 2 * GIB  # bytes; a picture and its judging peak at 0.45 GiB; JupyterLab and a browser come on top
FULL_VRAM = 20 * GIB  # bytes; the full Kolors in fp16, 16.6 GiB of weights and room to work


@dataclass(frozen=True)
class Machine:
    """What was found: cores, RAM, disk and VRAM in bytes, the GPU's name or None, and versions by package or None."""

    system: str
    python: str
    host: str
    cores: int
    ram: int
    ram_free: int
    disk_free: int
    gpu: str | None
    vram: int
    versions: dict[str, str | None]


def look(folder: Path | None = None) -> Machine:
    """Look at this machine; `folder` is where the disk is measured (the working folder if None)."""
    memory = psutil.virtual_memory()
    gpu, vram = find_gpu()
    return Machine(system=platform.system(), python=platform.python_version(), host=name_host(), cores=count_cores(),
                   ram=memory.total, ram_free=memory.available, disk_free=shutil.disk_usage(folder or Path.cwd()).free,
                   gpu=gpu, vram=vram, versions={package: find_version(package) for package in PACKAGES})


def count_cores() -> int:
    """Count the CPU cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def name_host() -> str:
    """Name where this runs by what each host leaves in the environment: modelscope, colab, kaggle or local."""
    if "MODELSCOPE_ENVIRONMENT" in os.environ or "DSW_INSTANCE_ID" in os.environ or "dsw_instance_id" in os.environ:
        return "modelscope"
    if "COLAB_RELEASE_TAG" in os.environ:
        return "colab"
    return "kaggle" if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else "local"


def find_gpu() -> tuple[str | None, int]:
    """Return the first CUDA GPU's name and memory in bytes, or (None, 0)."""
    if find_version("torch") is None:
        return None, 0
    import torch  # here, because it may be missing

    if not torch.cuda.is_available():
        return None, 0
    return torch.cuda.get_device_name(0), torch.cuda.get_device_properties(0).total_memory


def find_version(package: str) -> str | None:
    """Return an installed package's version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def runs_tiny(machine: Machine) -> bool:
    """Say whether the lessons on Tiny Kolors run: every package is there and 2 GiB of RAM are free."""
    return all(machine.versions.values()) and machine.ram_free >= TINY_RAM


def runs_full(machine: Machine) -> bool:
    """Say whether the full Kolors fits the GPU whole in fp16 (20 GiB of VRAM)."""
    return machine.vram >= FULL_VRAM
