"""`python -m course_lib caption | check | prepare FOLDER`: from a folder of pictures to a set, without a notebook."""

import argparse
from pathlib import Path

from course_lib.messages import text
from course_lib.pictures import emoji


def add_commands(commands: "argparse._SubParsersAction") -> None:
    """Add the three commands, in the order in which a folder goes through them."""
    caption = commands.add_parser("caption", help=text("set_help_caption"))
    caption.add_argument("folder", type=Path)
    caption.add_argument("--backend", default="rule", choices=("rule", "csv", "transformers", "openai"))
    caption.add_argument("--model", help=text("set_help_model"))
    caption.add_argument("--table", type=Path, help=text("set_help_table"))
    caption.add_argument("--lang", default="zh", choices=("zh", "en"))
    caption.add_argument("--trigger", default="", help=text("set_help_trigger"))
    caption.add_argument("--again", action="store_true", help=text("set_help_again"))
    caption.set_defaults(run=write_captions)
    check = commands.add_parser("check", help=text("set_help_check"))
    add_flags(check)
    check.add_argument("--csv", type=Path, help=text("set_help_csv"))
    check.set_defaults(run=look_through)
    prepare = commands.add_parser("prepare", help=text("set_help_prepare"))
    add_flags(prepare)
    prepare.add_argument("out", type=Path, help=text("set_help_out"))
    prepare.add_argument("--validation", type=float, default=0.0, help=text("set_help_validation"))
    prepare.add_argument("--seed", type=int, default=0)
    prepare.set_defaults(run=write_set)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add what check and prepare both take."""
    parser.add_argument("folder", type=Path)
    tiny = emoji.PICTURE_SIZE
    parser.add_argument("--size", type=int, default=tiny, help=text("set_help_size", tiny=tiny))
    parser.add_argument("--trigger_word", default="", help=text("set_help_trigger"))
    parser.add_argument("--default_caption", help=text("set_help_default"))


def write_captions(options: argparse.Namespace) -> None:
    """Write the captions that a folder lacks, and name the pictures that got none."""
    from course_lib.dataset.captions.writing import caption_folder

    given = {name: value for name, value in (("model", options.model), ("table", options.table)) if value}
    caption_folder(options.folder, lang=options.lang, trigger=options.trigger, again=options.again,
                   backend=options.backend, **given)


def look_through(options: argparse.Namespace) -> None:
    """Print what is found in a folder, and write it as a table where one is asked for."""
    from course_lib.dataset.checking import check

    report = check(options.folder, size=options.size, trigger_word=options.trigger_word,
                   default_caption=options.default_caption)
    print(report)
    if options.csv:
        print(report.to_csv(options.csv))


def write_set(options: argparse.Namespace) -> None:
    """Write a folder's good pictures as a set, and print what became of each."""
    from course_lib.dataset.checking import prepare

    print(prepare(options.folder, options.out, size=options.size, validation=options.validation, seed=options.seed,
                  trigger_word=options.trigger_word, default_caption=options.default_caption))
