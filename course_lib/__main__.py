"""The course on the command line: `python -m course_lib draw PROMPT --out x.png` and `python -m course_lib doctor`."""

import argparse
import sys
from pathlib import Path

from course_lib import comfyui_command, hub, machine, plan, train_command
from course_lib.messages import LANGUAGES, LessonError, set_language, text

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, or 1 after a LessonError was shown."""
    options = build_parser().parse_args(arguments)
    if options.language:
        set_language(options.language)
    try:
        options.run(options)
    except LessonError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m course_lib", description=__doc__)
    parser.add_argument("--language", choices=LANGUAGES, help="zh or en (else the environment's COURSE_LANG, else zh)")
    commands = parser.add_subparsers(required=True)
    draw = commands.add_parser("draw", help="draw one picture with Tiny Kolors")
    draw.add_argument("prompt")
    draw.add_argument("--out", type=Path, required=True, help="where the PNG goes")
    draw.add_argument("--seed", type=int, default=0)
    draw.add_argument("--steps", type=int, default=25)
    draw.add_argument("--cfg", type=float, default=5.0)
    draw.add_argument("--negative", default="", help="what the picture should not show")
    draw.set_defaults(run=draw_picture)
    doctor = commands.add_parser("doctor", help="what this machine has, which lessons run on it, what to do next")
    doctor.set_defaults(run=lambda options: print("\n".join(describe_machine(machine.look(quota=True)))))
    train = commands.add_parser("train", help=text("train_help"))
    train_command.add_flags(train)
    train.set_defaults(run=train_command.run)
    comfyui = commands.add_parser("comfyui", help=text("comfy_help"))
    comfyui_command.add_flags(comfyui)
    comfyui.set_defaults(run=comfyui_command.run)
    return parser


def draw_picture(options: argparse.Namespace) -> None:
    """Draw one picture and save it."""
    from course_lib import pipeline  # here, so that `doctor` does not wait for diffusers

    pipeline.check_prompt(options.prompt)  # before the seconds that loading takes
    picture = pipeline.draw(pipeline.load("tiny"), options.prompt, seed=options.seed, steps=options.steps,
                            cfg=options.cfg, negative_prompt=options.negative)
    print(text("saved", path=picture.save(options.out), seconds=picture.seconds))


def describe_machine(found: machine.Machine) -> list[str]:
    """Say what the machine has, which lessons run on it, and what to do next, a line each."""
    gib = machine.GIB
    lines = [text("doctor_system", system=found.system, python=found.python, host=text(f"host_{found.host}")),
             text("doctor_cpu", cores=found.cores),
             text("doctor_ram", ram=found.ram / gib, free=found.ram_free / gib),
             text("doctor_disk", free=found.disk_free / gib), *describe_quota(found), *describe_gpu(found.gpu)]
    lines += [text("doctor_package", package=package, version=version or text("doctor_missing"))
              for package, version in found.versions.items()]
    lines += [text("doctor_model", state=describe_tiny()), text("doctor_lessons")]
    able, full = plan_full(found)
    yes = {True: text("yes"), False: text("no")}
    lines += [text("doctor_lesson", lesson=lesson, tiny=yes[machine.runs_tiny(found)], full=yes[able])
              for lesson in sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))]
    lines += full
    if not all(found.versions.values()):
        return [*lines, text("doctor_next_packages")]
    return [*lines, text("doctor_next_ok" if machine.runs_tiny(found) else "doctor_next_ram")]


def describe_quota(found: machine.Machine) -> list[str]:
    """Say how much of the host's quota is left, where one is known."""
    if found.quota_left is None:
        return []
    return [text("doctor_quota", left=found.quota_left / machine.GIB, limit=machine.QUOTAS[found.host] / 1e9)]


def describe_gpu(gpu: machine.Gpu | None) -> list[str]:
    """Say which GPU there is, its free memory and whether it computes in bf16 by itself."""
    if gpu is None:
        return [text("doctor_gpu", gpu=text("none"), vram=0)]
    return [text("doctor_gpu", gpu=gpu.name, vram=gpu.vram / machine.GIB),
            text("doctor_gpu_more", free=gpu.vram_free / machine.GIB, capability="{}.{}".format(*gpu.capability),
                 bf16=text("yes" if gpu.bf16 else "no"))]


def plan_full(found: machine.Machine) -> tuple[bool, list[str]]:
    """Say whether the full Kolors draws on this machine, and its plan, or why not, in a few lines."""
    try:
        return True, plan.describe(plan.plan("draw", "kolors", found=found))
    except LessonError as problem:
        return False, [problem.what, problem.why]


def describe_tiny() -> str:
    """Say whether the shipped model is whole, or what is wrong with it."""
    try:
        hub.fetch("tiny")
    except LessonError as problem:
        return problem.what
    sizes = [record["size"] for record in hub.read_manifest(hub.TINY).values()]
    return text("doctor_model_whole", count=len(sizes), size=sum(sizes) / 1e6)


if __name__ == "__main__":
    sys.exit(main())
