"""Where ComfyUI is, how a copy of one fixed commit is installed, and how the course's nodes get into it.

The copy has an environment of its own, so that nothing it needs can change the course's packages. That environment
sees the course's packages (torch among them, which is never installed twice nor replaced) and adds what it lacks.
"""

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from course_lib.files import COURSE
from course_lib.machine import hardware
from course_lib.messages import LessonError, error, text

HOME = COURSE / "outputs" / "comfyui"  # on a host that keeps one folder, the course lies in it
SOURCE = "https://github.com/comfyanonymous/ComfyUI"
# git names a commit by the hash of all it holds: whatever mirror it comes from, it is this or nothing.
COMMIT = "a125cd84b054a57729b5eecab930ca9408719832"
VERSION = (0, 3, 64)  # of COMMIT; nothing older was tried
PINS = Path(__file__).parent / "pins.txt"
NODES = Path(__file__).parent / "custom_nodes"
CLASSES = COURSE / "course_lib" / "workflow" / "nodes"  # where the sources map the names of their classes
LINK = "kolors_course"  # the name of the nodes' folder in custom_nodes/
DONE = "course_installed.txt"
DOWNLOAD, NEEDED = 230, 900  # MB; measured: 215 MB come, 640 MB lie there in the end, pip unpacks beside it
SECONDS = 1800  # for one command
# git's or pip's words -> the error they mean; the first that is found counts
TRACES = {
    "comfy_disk_full": ("No space left on device", "Disk quota exceeded", "not enough space on the disk"),
    "comfy_no_network": ("Could not resolve host", "Failed to connect", "Connection timed out", "unable to access",
                         "Failed to establish a new connection", "name resolution", "ConnectTimeoutError",
                         "Read timed out", "ProxyError", "Connection reset", "Connection aborted", "early EOF"),
    "comfy_wrong_commit": ("not our ref", "unadvertised object", "couldn't find remote ref"),
}
IMPORTS = "import torch, torchvision.transforms, aiohttp, scipy, alembic, av, torchsde, kornia, spandrel, einops"
# torchvision built for CUDA beside a torch built for the CPU: its compiled operators do not load, and this module,
# which only registers them, ends its import. ComfyUI's core uses the transforms, which are plain Python.
MEND = ("import sys, types; "
        "sys.modules.setdefault(*[f('torchvision._meta_registrations') for f in (str, types.ModuleType)])\n")


def find(path: str | Path | None = None) -> Path:
    """Return ComfyUI's folder: `path`, else COMFYUI_PATH, else the installed one, else ComfyUI beside the course.

    LessonError where there is none, where the folder named is not ComfyUI, or where it is older than was tested.
    """
    named = path or os.environ.get("COMFYUI_PATH")
    places = [Path(named).expanduser()] if named else [HOME, COURSE.parent / "ComfyUI", Path.cwd() / "ComfyUI"]
    for place in places:
        version = read_version(place)
        if version is not None:
            if version < VERSION:
                raise error("comfy_old", folder=place, found=show_version(version), wanted=show_version(VERSION))
            return place.resolve()
    if named:
        raise error("comfy_no_folder", folder=places[0])
    raise error("comfy_not_here", places="\n".join(map(str, places)))


def read_version(folder: Path) -> tuple[int, ...] | None:
    """Return the version of the ComfyUI in a folder, None where there is none."""
    if not all((folder / name).exists() for name in ("main.py", "custom_nodes", "comfyui_version.py")):
        return None
    with (folder / "comfyui_version.py").open(encoding="utf-8", errors="replace") as file:
        match = re.search(r'__version__ = "(\d{1,6}(?:\.\d{1,6}){1,3})', file.read(10_000))
    return tuple(map(int, match[1].split("."))) if match else None


def show_version(version: tuple[int, ...]) -> str:
    """Write a version with its dots."""
    return ".".join(map(str, version))


def find_python(folder: Path) -> Path:
    """Return the Python that runs the ComfyUI in a folder: that of the environment in it, else the course's own."""
    pythons = (environment_python(folder / name) for name in (".venv", "venv"))
    return next((python for python in pythons if python.exists()), Path(sys.executable))


def environment_python(environment: Path) -> Path:
    """Return the path of an environment's own Python."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(folder: str | Path = HOME, *, source: str = SOURCE, pins: Path = PINS) -> Path:
    """Install ComfyUI at the fixed commit into a folder with an environment of its own, and link the course's nodes.

    Says its size first; LessonError where git, network, disk or packages fail. A complete copy is left as it is.
    """
    folder = Path(folder).expanduser().absolute()
    wanted = f"{COMMIT}\n{torch_version()}\n{pins.read_text(encoding='utf-8')}"
    done = folder / ".venv" / DONE
    if done.is_file() and done.read_text(encoding="utf-8") == wanted and read_commit(folder) == COMMIT:
        print(text("comfy_installed", folder=folder))
        return folder
    check_place(folder)
    print(text("comfy_install_plan", version=show_version(VERSION), folder=folder, download=DOWNLOAD, disk=NEEDED))
    if read_commit(folder) is None:
        bring(folder, source)
    if read_commit(folder) != COMMIT:
        raise error("comfy_wrong_commit", source=folder, wanted=COMMIT, reason=read_commit(folder) or "")
    print(text("comfy_install_packages"))
    make_environment(folder, pins)
    done.write_text(wanted, encoding="utf-8")
    print(text("comfy_installed", folder=folder))
    return folder


def check_place(folder: Path) -> None:
    """Refuse to install without git, on too small a disk, or into a folder of something else; warn of one not kept."""
    if shutil.which("git") is None:
        raise error("comfy_no_git")
    if folder.exists() and any(folder.iterdir()) and read_version(folder) is None:
        raise error("comfy_folder_taken", folder=folder)
    above = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(above).free // 10**6
    if free < NEEDED:
        raise error("comfy_disk_full", folder=folder, free=free, needed=NEEDED, reason="")
    if hardware.name_host() == "modelscope" and hardware.find_mount(above) == Path(above.anchor):
        print(text("comfy_not_kept", folder=folder))


def bring(folder: Path, source: str) -> None:
    """Fetch the one commit into a folder beside, and move it into place when it is whole."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
    except OSError as cause:
        raise error("comfy_no_write", folder=folder, cause=cause.strerror or cause) from cause
    slow = ["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60"]  # bytes per second, for this many seconds
    try:
        run_tool(["git", "init", "--quiet", str(part)], folder, source)
        run_tool(["git", "-C", str(part), *slow, "fetch", "--depth", "1", "--no-tags", "--", source, COMMIT],
                 folder, source)
        run_tool(["git", "-C", str(part), "checkout", "--quiet", "--detach", COMMIT], folder, source)
        if folder.exists():
            folder.rmdir()  # it is empty: check_place has seen it
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def read_commit(folder: Path) -> str | None:
    """Return the commit that is checked out in a folder, None where there is no checkout."""
    if not (folder / ".git").exists():
        return None
    found = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=60)
    return found.stdout.strip() or None


def make_environment(folder: Path, pins: Path) -> None:
    """Make the environment in a checkout and install the pinned packages; LessonError where that fails."""
    environment = folder / ".venv"
    python = environment_python(environment)
    if not python.exists():
        run_tool([sys.executable, "-m", "venv", str(environment)], folder, sys.executable)
    where = run_tool([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder, str(python))
    packages = Path(where.strip().splitlines()[-1])
    shared = [place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
    (packages / "kolors_course.pth").write_text("\n".join([*shared, str(COURSE)]) + "\n", encoding="utf-8")
    wanted = ["-r", str(pins)]
    if pins == PINS and hardware.find_version("torchvision") is None:
        wanted.append(f"torchvision=={pair_torchvision(torch_version())}")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps"]
    run_tool([*pip, *wanted], folder, "pip")
    if pins == PINS:
        check_environment(python, packages, folder)


def check_environment(python: Path, packages: Path, folder: Path) -> None:
    """Import what ComfyUI needs: mend a torchvision of another build than torch, LessonError for anything else."""
    tried = subprocess.run([str(python), "-c", IMPORTS], capture_output=True, text=True, timeout=SECONDS)
    if "operator torchvision::" in tried.stderr or "_C.so" in tried.stderr:
        (packages / "kolors_course_torchvision.pth").write_text(MEND, encoding="utf-8")
        print(text("comfy_torchvision_mended"))
        tried = subprocess.run([str(python), "-c", IMPORTS], capture_output=True, text=True, timeout=SECONDS)
    if tried.returncode:
        raise error("comfy_install_failed", folder=folder, reason=last_line(tried.stderr))


def torch_version() -> str:
    """Return the version of the course's torch."""
    return metadata.version("torch")


def pair_torchvision(torch: str) -> str:
    """Return the torchvision made for a torch: both count in step, 2.N.p and 0.(N + 15).p."""
    _, minor, patch = torch.partition("+")[0].split(".")[:3]
    return f"0.{int(minor) + 15}.{patch}"


def run_tool(command: list[str], folder: Path, source: str) -> str:
    """Run git, venv or pip and return its output; LessonError that tells what stopped it."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                             text=True, errors="replace", timeout=SECONDS, env=environment)
    except subprocess.TimeoutExpired as cause:
        raise error("comfy_no_network", source=source, reason=f"{SECONDS} s", folder=folder) from cause
    if run.returncode == 0:
        return run.stdout
    raise explain_tool(run.stdout, folder, source)


def explain_tool(output: str, folder: Path, source: str) -> LessonError:
    """Build the LessonError that a failed command's output means."""
    key = next((key for key, traces in TRACES.items() if any(trace in output for trace in traces)),
               "comfy_install_failed")
    reasons = [line for line in output.splitlines() if "ERROR:" in line or line.startswith("fatal:")]
    above = next(place for place in (folder, *folder.parents) if place.exists())
    return error(key, folder=folder, source=source, wanted=COMMIT, needed=NEEDED,
                 free=shutil.disk_usage(above).free // 10**6, reason=(reasons or [last_line(output)])[0][:300])


def last_line(output: str) -> str:
    """Return the last line that says something."""
    return ([line.strip() for line in output.splitlines() if line.strip()] or [""])[-1][:300]


def link(path: str | Path | None = None, *, nodes: Path = NODES) -> Path:
    """Link the course's nodes into the custom_nodes/ of a ComfyUI and return the link; doing it again changes nothing.

    LessonError for a folder that is no ComfyUI; prints which installed node packs use the same class names.
    """
    folder = find(path)
    target = folder / "custom_nodes" / LINK
    if target.is_symlink() and target.resolve() == nodes.resolve():
        print(text("comfy_linked_already", target=target))
    else:
        make_link(nodes, target)
        print(text("comfy_linked", target=target))
    for pack, names in find_clashes(folder / "custom_nodes", read_names(CLASSES)).items():
        print(text("comfy_clash", pack=pack, names=text("list_comma").join(names)))
    return target


def make_link(nodes: Path, target: Path) -> None:
    """Make the link, in place of an old one that led elsewhere; LessonError where something else has its name."""
    if target.is_symlink():
        target.unlink()
    if target.exists():
        raise error("comfy_link_taken", target=target)
    try:
        target.symlink_to(nodes.resolve(), target_is_directory=True)
    except OSError as cause:
        raise error("comfy_no_link", target=target, nodes=nodes, cause=cause.strerror or cause) from cause


def read_names(nodes: Path) -> set[str]:
    """Return the class names that a node pack's sources map: the keys of literal dicts like {"KolorsSampler": ...}."""
    names = set()
    for file in sorted(nodes.rglob("*.py"))[:300]:
        if file.is_file() and file.stat().st_size < 2**20:
            source = file.read_text(encoding="utf-8", errors="replace")
            for block in re.findall(r"NODE_CLASS_MAPPINGS[^{}=]*=\s*\{([^{}]*)\}", source):
                names.update(re.findall(r"""["']([\w .+-]{1,100})["']\s*:""", block))
    return names


def find_clashes(packs: Path, ours: set[str]) -> dict[str, list[str]]:
    """Return node packs in custom_nodes/ that have class names of ours; ComfyUI keeps those of the last it loads."""
    clashes = {}
    for pack in sorted(packs.iterdir()):
        if pack.is_dir() and pack.name != LINK and not pack.name.endswith(".disabled"):
            common = sorted(ours & read_names(pack))
            if common:
                clashes[pack.name] = common
    return clashes
