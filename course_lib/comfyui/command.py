"""`python -m course_lib comfyui install | link | start | stop [PATH]`: ComfyUI without a notebook."""

import argparse
import time
from typing import TYPE_CHECKING

from course_lib.messages import text

if TYPE_CHECKING:
    from course_lib.comfyui.server import Server


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes to its parser."""
    parser.add_argument("what", choices=("install", "link", "start", "stop"))
    parser.add_argument("path", nargs="?", help=text("comfy_help_path"))
    parser.add_argument("--port", type=int)


def run(options: argparse.Namespace) -> None:
    """Do one of the four; `start` stays until Ctrl+C, since ComfyUI ends with what started it."""
    from course_lib.comfyui import installing, server  # here, so that `--help` does not wait for what talks to a server

    if options.what == "install":
        installing.install(options.path or installing.HOME)
    elif options.what == "link":
        installing.link(options.path)
    elif options.what == "stop":
        server.stop(options.path)
    else:
        stay(server.start(options.path, options.port or server.PORT))


def stay(server: "Server") -> None:
    """Show the link and wait until ComfyUI ends or Ctrl+C is pressed."""
    from course_lib.comfyui.server import end

    print(server._repr_mimebundle_()["text/plain"])
    print(text("comfy_wait"), flush=True)
    try:
        while server.alive:
            time.sleep(0.5)
    except KeyboardInterrupt:
        end(server.process)
