"""What `python -m course_lib doctor` says: what this machine has, which lessons run on it, and what to do next."""

from course_lib.files import COURSE
from course_lib.hub import fetching, manifest, repository
from course_lib.machine import hardware, planning, stages
from course_lib.messages import LessonError, text

NOTEBOOKS = COURSE / "notebooks"


def describe_machine(found: hardware.Machine) -> list[str]:
    """Say what the machine has, which lessons run on it, and what to do next, a line each."""
    gib = hardware.GIB
    lines = [text("doctor_system", system=found.system, python=found.python, host=text(f"host_{found.host}")),
             text("doctor_cpu", cores=found.cores),
             text("doctor_ram", ram=found.ram / gib, free=found.ram_free / gib),
             text("doctor_disk", free=found.disk_free / gib), *describe_quota(found), *describe_gpu(found)]
    lines += [text("doctor_package", package=package, version=version or text("doctor_missing"))
              for package, version in found.versions.items()]
    lines += [text("doctor_model", state=describe_tiny()), text("doctor_lessons")]
    able, full = plan_full(found)
    yes = {True: text("yes"), False: text("no")}
    lines += [text("doctor_lesson", lesson=lesson, tiny=yes[hardware.runs_tiny(found)], full=yes[able])
              for lesson in sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))]
    lines += full
    if not all(found.versions.values()):
        return [*lines, text("doctor_next_packages")]
    return [*lines, text("doctor_next_ok" if hardware.runs_tiny(found) else "doctor_next_ram")]


def describe_quota(found: hardware.Machine) -> list[str]:
    """Say how much of the host's quota is left, where one is known."""
    if found.quota_left is None:
        return []
    return [text("doctor_quota", left=found.quota_left / hardware.GIB, limit=hardware.QUOTAS[found.host] / 1e9)]


def describe_gpu(found: hardware.Machine) -> list[str]:
    """Say which GPU there is, its free memory and whether it computes in bf16 by itself, or why it cannot be used."""
    gpu = found.gpu
    if gpu is None:
        return [text("doctor_gpu", gpu=text("none"), vram=0)]
    lines = [text("doctor_gpu", gpu=gpu.name, vram=gpu.vram / hardware.GIB)]
    if not gpu.usable:
        return lines + [text("doctor_gpu_unusable", words=words) for words in planning.explain_gpu(found)]
    return [*lines, text("doctor_gpu_more", free=gpu.vram_free / hardware.GIB,
                         capability=gpu.architecture or "{}.{}".format(*gpu.capability),
                         bf16=text("yes" if gpu.bf16 else "no"))]


def plan_full(found: hardware.Machine) -> tuple[bool, list[str]]:
    """Say whether the full Kolors draws on this machine, and its plans for each task, or why not, in a few lines."""
    able, lines = [], []
    for task in planning.TASKS:
        try:
            lines += stages.describe(planning.plan(task, "kolors", found=found))
            able.append(task)
        except LessonError as problem:
            lines += [problem.what, problem.why]
    return "draw" in able, lines


def describe_tiny() -> str:
    """Say whether the shipped model is whole, or what is wrong with it."""
    try:
        fetching.fetch("tiny")
    except LessonError as problem:
        return problem.what
    sizes = [record["size"] for record in manifest.read_manifest(repository.TINY).values()]
    return text("doctor_model_whole", count=len(sizes), size=sum(sizes) / 1e6)
