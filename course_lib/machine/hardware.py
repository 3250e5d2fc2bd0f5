"""What this machine has, and which lessons run on it; the only module that asks torch for a GPU."""

import ctypes
import os
import platform
import re
import sys
import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType

import psutil

from course_lib.files import COURSE, free_bytes

GIB = 2**30
PACKAGES = ("torch", "diffusers", "transformers", "peft", "modelscope", "ipywidgets", "jupyterlab", "pillow")
TINY_RAM = 2 * GIB  # bytes; a picture and its judging peak at 0.45 GiB; JupyterLab and a browser come on top
NATIVE_BF16 = (8, 0)  # compute capability; older GPUs only imitate bfloat16, slowly
AMD_BF16 = ("gfx908", "gfx90a", "gfx94", "gfx95", "gfx11", "gfx12")  # with instructions for it (AMD's ISA guides)
TROUBLES = ("driver", "too_old", "too_new", "no_gpu_torch")  # why a GPU is not usable; too new: newer than torch
SAID = 300  # letters of what a driver said
BUILT_FOR = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)")
# Bytes that a host lets one account keep where the work folder lies, which no system call tells. ModelScope's notebook
# documentation, as of 2025; it changes, so it is an upper bound beside what the disk itself says.
QUOTAS = {"modelscope": 100 * 10**9}


@dataclass(frozen=True)
class Gpu:
    """The first GPU: total and free memory in bytes, compute capability, and whether this torch runs on it.

    `architecture` is AMD's name of it. Of one that is not usable `trouble` says why (TROUBLES), and `said` is what the
    driver said, or what torch was built for.
    """

    name: str
    vram: int
    vram_free: int
    capability: tuple[int, int]
    usable: bool = True
    architecture: str = ""
    trouble: str = ""
    said: str = ""

    @property
    def bf16(self) -> bool:
        """Say whether the GPU computes in bfloat16 by itself."""
        if self.architecture:
            return self.architecture.startswith(AMD_BF16)
        return self.capability >= NATIVE_BF16


@dataclass(frozen=True)
class Machine:
    """What was found: cores, RAM, disk and quota in bytes (quota_left None where none is known), GPU, versions.

    quantises: bitsandbytes is there, which no lesson needs.
    """

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
    quantises: bool = False


def look(folder: Path | None = None, *, quota: bool = False) -> Machine:
    """Look at this machine; `folder` is where the disk is measured, the working folder if None.

    `quota` measures the quota too, by adding up every file of the disk, which can take seconds. What a driver raises is
    no error here: it is told in `gpu`.
    """
    folder = folder or find_working_folder()
    memory = psutil.virtual_memory()
    host = name_host()
    return Machine(system=platform.system(), python=platform.python_version(), host=host, cores=count_cores(),
                   ram=memory.total, ram_free=memory.available, disk_free=free_bytes(folder),
                   quota_left=measure_quota(folder, QUOTAS.get(host) if quota else None), gpu=find_gpu(),
                   versions={package: find_version(package) for package in PACKAGES},
                   quantises=find_version("bitsandbytes") is not None)


def find_working_folder() -> Path:
    """Return the working folder; where someone has deleted it, the course's."""
    try:
        return Path.cwd()
    except OSError:
        return COURSE


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
    """Return the first GPU, or None where none is seen; its free memory is what no program uses at this moment."""
    version = find_version("torch")
    if version is None:
        return None
    if "torch" not in sys.modules and not may_have_gpu(version):  # one that is loaded already is asked
        return make_unusable("no_gpu_torch", version, "NVIDIA") if has_driver() else None
    try:
        with warnings.catch_warnings(record=True) as told:  # a driver that is too old is told as a warning
            warnings.simplefilter("always")
            import torch  # here, because it takes seconds

            available = torch.cuda.is_available()
    except Exception as cause:  # torch's own libraries, or the driver's, raise what they like
        return make_unusable("driver", cause)
    if available:
        return ask_gpu(torch)
    about = [str(each.message) for each in told if re.search("cuda|nvidia|hip|rocm", str(each.message), re.IGNORECASE)]
    if about:
        return make_unusable("driver", about[0])
    if not (torch.version.cuda or torch.version.hip) and has_driver():
        return make_unusable("no_gpu_torch", version, "NVIDIA")
    return None


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


def ask_gpu(torch: ModuleType) -> Gpu:
    """Ask the first GPU for what there is to know of it; one whose driver fails at a question is not usable."""
    name, capability = "?", (0, 0)
    try:
        name, capability = torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0)
        free, total = torch.cuda.mem_get_info(0)
        built = torch.cuda.get_arch_list()
    except Exception as cause:  # busy, lost, another program's alone, without its management library, ...
        return make_unusable("driver", cause, name, capability)
    architecture = read_architecture(torch, capability) if any(one.startswith("gfx") for one in built) else ""
    if runs_on(capability, built, architecture):
        return Gpu(name, total, free, capability, architecture=architecture)
    numbers = [(int(major), int(minor)) for _, major, minor, _ in BUILT_FOR.findall(" ".join(built))]
    trouble = "too_new" if architecture or capability > max(numbers, default=(0, 0)) else "too_old"
    return Gpu(name, total, free, capability, False, architecture, trouble, " ".join(built))


def make_unusable(trouble: str, said: object, name: str = "?", capability: tuple[int, int] = (0, 0)) -> Gpu:
    """Return a GPU that cannot be used, with the first line of what was said."""
    words = str(said).strip().splitlines() or [type(said).__name__]
    return Gpu(name, 0, 0, capability, False, "", trouble, words[0][:SAID])


def read_architecture(torch: ModuleType, capability: tuple[int, int]) -> str:
    """Return AMD's name of the first GPU, such as gfx90a; as much of it as its capability tells where it has none."""
    try:
        return torch.cuda.get_device_properties(0).gcnArchName.split(":")[0]  # ":sramecc+" and the like are switches
    except Exception:  # an older torch, or a driver
        return f"gfx{capability[0]}{capability[1]:x}"


def runs_on(capability: tuple[int, int], built: list[str], architecture: str = "") -> bool:
    """Say whether a torch built for some GPUs ("sm_75", "compute_90", "gfx1100") has code for a GPU.

    Machine code (sm) runs on its own major number from its minor one on, with an "a" only on that very GPU; what
    "compute" names (PTX) is compiled by the driver for every later GPU (CUDA C++ Programming Guide, "Compute
    Capabilities"). AMD's code runs on the GPU that it names, or on those of a generic name such as gfx11-generic.
    """
    return not built or any(has_code(one, capability, architecture) for one in built)


def has_code(built: str, capability: tuple[int, int], architecture: str) -> bool:
    """Say whether one of the GPUs that a torch was built for has the code of this one."""
    if architecture:
        family = built.split(":")[0]
        if family.endswith("-generic"):
            return architecture.startswith(family.removesuffix("-generic").replace("-", ""))
        return family == architecture or len(architecture) < len(family) and family.startswith(architecture)
    found = BUILT_FOR.fullmatch(built)
    if found is None:
        return False
    kind, exact, number = found[1], found[4] == "a", (int(found[2]), int(found[3]))
    if exact:
        return number == capability
    if kind == "sm" or found[4]:
        return number[0] == capability[0] and number[1] <= capability[1]
    return number <= capability


def find_version(package: str) -> str | None:
    """Return an installed package's version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def runs_tiny(machine: Machine) -> bool:
    """Say whether the lessons on Tiny Kolors run: every package is there and 2 GiB of RAM are free."""
    return all(machine.versions.values()) and machine.ram_free >= TINY_RAM
