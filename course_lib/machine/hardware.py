"""What this machine has, and which lessons run on it; the only module that asks torch for a GPU."""

import ctypes
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
NATIVE_BF16 = (8, 0)  # compute capability; older GPUs only imitate bfloat16, slowly
# Bytes that a host lets one account keep where the work folder lies, which no system call tells. ModelScope's notebook
# documentation, as of 2025; it changes, so it is an upper bound beside what the disk itself says.
QUOTAS = {"modelscope": 100 * 10**9}


@dataclass(frozen=True)
class Gpu:
    """The first CUDA GPU: total and free memory in bytes, compute capability, and whether this torch runs on it."""

    name: str
    vram: int
    vram_free: int
    capability: tuple[int, int]
    usable: bool = True

    @property
    def bf16(self) -> bool:
        """Say whether the GPU computes in bfloat16 by itself."""
        return self.capability >= NATIVE_BF16


@dataclass(frozen=True)
class Machine:
    """What was found: cores, RAM, disk and quota in bytes (quota_left None where none is known), GPU, versions."""

    system: str
    python: str
    host: str
    cores: int
    ram: int
    ram_free: int
    disk_free: int
    quota_left: int | None
    gpu: Gpu | None
    versions: dict[str, str | None]


def look(folder: Path | None = None, *, quota: bool = False) -> Machine:
    """Look at this machine; `folder` is where the disk is measured, the working folder if None.

    `quota` measures the quota too, by adding up every file of the disk, which can take seconds.
    """
    folder = folder or Path.cwd()
    memory = psutil.virtual_memory()
    host = name_host()
    return Machine(system=platform.system(), python=platform.python_version(), host=host, cores=count_cores(),
                   ram=memory.total, ram_free=memory.available, disk_free=shutil.disk_usage(folder).free,
                   quota_left=measure_quota(folder, QUOTAS.get(host) if quota else None), gpu=find_gpu(),
                   versions={package: find_version(package) for package in PACKAGES})


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


def measure_quota(folder: Path, limit: int | None) -> int | None:
    """Return how many bytes of a quota of `limit` bytes are left on the disk that holds `folder`, None without a limit.

    `df` does not show such a quota; a write beyond it fails with errno 122, "Disk quota exceeded".
    """
    mount = find_mount(folder)
    if limit is None or mount == Path(mount.anchor):  # the quota is that of the host's extra disk
        return None
    return limit - count_used(mount)


def find_mount(folder: Path) -> Path:
    """Return the top of the disk that holds a folder."""
    folder = folder.resolve()
    return next(place for place in (folder, *folder.parents) if os.path.ismount(place))


def count_used(folder: Path) -> int:
    """Add up the bytes on disk of a folder's files, without following links, without other disks inside it."""
    used = 0
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not os.path.ismount(os.path.join(place, name))]
        for name in files:
            try:
                found = os.lstat(os.path.join(place, name))
            except OSError:  # gone in the meantime
                continue
            used += getattr(found, "st_blocks", -(-found.st_size // 512)) * 512
    return used


def find_gpu() -> Gpu | None:
    """Return the first CUDA GPU, or None; its free memory is what no program uses at this moment."""
    if not may_have_gpu(find_version("torch")):
        return None
    import torch  # here, because it may be missing, and takes seconds

    if not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info(0)
    capability = torch.cuda.get_device_capability(0)
    return Gpu(torch.cuda.get_device_name(0), total, free, capability, runs_on(capability, torch.cuda.get_arch_list()))


def may_have_gpu(torch: str | None) -> bool:
    """Say whether a torch of this version could see a GPU here; only then is it worth its seconds to ask it."""
    if torch is None or "+cpu" in torch:
        return False
    return "rocm" in torch or has_driver()


def has_driver() -> bool:
    """Say whether NVIDIA's driver is here, by the library of it that torch opens too."""
    try:
        ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return False
    return True


def runs_on(capability: tuple[int, int], architectures: list[str]) -> bool:
    """Say whether a torch built for `architectures` ("sm_75", ...) has code for a GPU; a P100 (6, 0) can be too old."""
    oldest = min((int(name.split("_")[1].rstrip("af")) for name in architectures), default=0)
    return capability[0] * 10 + capability[1] >= oldest


def find_version(package: str) -> str | None:
    """Return an installed package's version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def runs_tiny(machine: Machine) -> bool:
    """Say whether the lessons on Tiny Kolors run: every package is there and 2 GiB of RAM are free."""
    return all(machine.versions.values()) and machine.ram_free >= TINY_RAM
