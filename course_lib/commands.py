"""The course on the command line: `python -m course_lib draw PROMPT --out x.png` and `python -m course_lib doctor`."""

import argparse
import re
import sys
from collections.abc import Collection
from pathlib import Path

from course_lib.comfyui import command as comfyui_command
from course_lib.dataset import command as dataset_command
from course_lib.machine import command as plan_command
from course_lib.machine import hardware
from course_lib.machine.doctor import describe_machine
from course_lib.messages import LANGUAGES, LessonError, error, set_language, text
from course_lib.training import command as train_command

VALUE = r'"[^"]*"|[\w/-]+(?:\.[\w/-]+)*'  # a word or number, without the full stop that ends a sentence
ARGUMENT = re.compile(rf"\b(\w+)=({VALUE})", re.ASCII)
COMFYUI = re.compile(rf'\bcomfyui\.(install|link|start|stop)\(((?:{VALUE}|\bport=\d+)?)\)', re.ASCII)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, or 1 after a LessonError was shown."""
    options = build_parser().parse_args(arguments)
    if options.language:
        set_language(options.language)
    try:
        options.run(options)
    except LessonError as problem:
        problem.next_step = to_shell(problem.next_step, vars(options))
        print(problem, file=sys.stderr)
        return 1
    return 0


def to_shell(words: str, options: Collection[str]) -> str:
    """Write what a notebook would type as the command line takes it: those of its arguments that are flags here."""
    words = COMFYUI.sub(lambda found: f"python -m course_lib comfyui {found[1]} {found[2]}".rstrip(), words)
    return ARGUMENT.sub(lambda found: write_flag(*found.groups()) if found[1] in options else found[0], words)


def write_flag(name: str, value: str) -> str:
    """Write one argument as a flag; a flag that is only on or off takes no value."""
    return f"--{name}" if value == "True" else f"--{name} {value}"


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m course_lib", description=__doc__)
    parser.add_argument("--language", choices=LANGUAGES, help="zh or en (else the environment's COURSE_LANG, else zh)")
    commands = parser.add_subparsers(required=True)
    draw = commands.add_parser("draw", help=text("draw_help"))
    draw.add_argument("prompt")
    draw.add_argument("--out", type=Path, required=True, help=text("draw_help_out"))
    draw.add_argument("--seed", type=int, default=0)
    draw.add_argument("--steps", type=int, default=25)
    draw.add_argument("--cfg", type=float, default=5.0)
    draw.add_argument("--negative", default="", help=text("draw_help_negative"))
    draw.add_argument("--lora", type=Path, help=text("draw_help_lora"))
    draw.add_argument("--strength", type=float, default=1.0, help=text("draw_help_strength"))
    draw.set_defaults(run=draw_picture)
    doctor = commands.add_parser("doctor", help=text("doctor_help"))
    doctor.set_defaults(run=lambda options: print("\n".join(describe_machine(hardware.look(quota=True)))))
    plan = commands.add_parser("plan", help=text("plan_help"))
    plan_command.add_flags(plan)
    plan.set_defaults(run=plan_command.run)
    dataset_command.add_commands(commands)
    train = commands.add_parser("train", help=text("train_help"))
    train_command.add_flags(train)
    train.set_defaults(run=train_command.run)
    comfyui = commands.add_parser("comfyui", help=text("comfy_help"))
    comfyui_command.add_flags(comfyui)
    comfyui.set_defaults(run=comfyui_command.run)
    return parser


def draw_picture(options: argparse.Namespace) -> None:
    """Draw one picture and save it."""
    # here, so that `doctor` does not wait for diffusers
    from course_lib.model.loading import load
    from course_lib.sampling.drawing import check_prompt, draw

    taught = ""
    if options.out.suffix.lower() != ".png":
        raise error("draw_out", path=options.out)
    if options.lora is not None:  # what is wrong with the file is told before the seconds that loading takes
        from course_lib.lora.alphas import read_lora
        from course_lib.lora.verbs import load_lora

        taught = read_lora(options.lora).header.get("trigger_word", "")
    check_prompt(options.prompt, taught)
    pipe = load("tiny")
    if options.lora is not None:
        print(load_lora(pipe.unet, options.lora, strength=options.strength))
    picture = draw(pipe, options.prompt, seed=options.seed, steps=options.steps, cfg=options.cfg,
                   negative_prompt=options.negative, taught=taught)
    print(text("saved", path=picture.save(options.out), seconds=picture.seconds))
