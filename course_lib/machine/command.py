"""`python -m course_lib plan`: how the full Kolors draws and trains on this machine, or on the usual ones."""

import argparse

from course_lib.machine import planning
from course_lib.machine.stages import OPTIMIZERS
from course_lib.messages import text


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give a parser the flags of the plan."""
    ways = tuple(dict.fromkeys(unet for task in planning.TASKS for unet, _ in planning.UNETS[task]))
    comma = text("list_comma")
    parser.add_argument("task", nargs="?", choices=planning.TASKS, default="draw")
    parser.add_argument("--unet", choices=ways, help=text("plan_help_unet", choices=comma.join(ways)))
    parser.add_argument("--size", type=int, help=text("plan_help_size"))
    parser.add_argument("--optimizer", choices=tuple(OPTIMIZERS), default="adamw",
                        help=text("plan_help_optimizer", choices=comma.join(OPTIMIZERS)))
    parser.add_argument("--table", action="store_true", help=text("plan_help_table"))


def run(options: argparse.Namespace) -> None:
    """Print the plan, or the table; LessonError where it does not fit."""
    if options.table:
        print("\n".join(planning.tabulate()))
    else:
        print(planning.plan(options.task, unet=options.unet, size=options.size, optimizer=options.optimizer))
