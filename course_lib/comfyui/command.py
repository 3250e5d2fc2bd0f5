"""`python -m course_lib comfyui install | link | start | stop [PATH]`: ComfyUI without a notebook."""

import argparse
import time

from course_lib.comfyui import installing
from course_lib.comfyui import server as comfyui_server
from course_lib.messages import text


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes to its parser."""
    parser.add_argument("what", choices=("install", "link", "start", "stop"))
    parser.add_argument("path", nargs="?", help=text("comfy_help_path"))
    parser.add_argument("--port", type=int, default=comfyui_server.PORT)


def run(options: argparse.Namespace) -> None:
    """Do one of the four; `start` stays until Ctrl+C, since ComfyUI ends with what started it."""
    if options.what == "install":
        installing.install(options.path or installing.HOME)
    elif options.what == "link":
        installing.link(options.path)
    elif options.what == "stop":
        comfyui_server.stop(options.path)
    else:
        stay(comfyui_server.start(options.path, options.port))


def stay(server: comfyui_server.Server) -> None:
    """Show the link and wait until ComfyUI ends or Ctrl+C is pressed."""
    print(server._repr_mimebundle_()["text/plain"])
    print(text("comfy_wait"), flush=True)
    try:
        while server.alive:
            time.sleep(0.5)
    except KeyboardInterrupt:
        comfyui_server.end(server.process)
