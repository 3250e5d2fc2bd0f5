"""Run ComfyUI's main.py in this process, and end when the program that started it ends, however it ends.

Run as a file by ComfyUI's own Python, which need not know the course: standard library only.
"""

import os
import runpy
import sys
import threading
from pathlib import Path


def end_with_parent() -> None:
    """End this process when standard input ends: the other end is held by the program that started it, and by it alone.

    A system closes a dead program's files, so this also holds after kill -9, on every system.
    """
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # so that no node can read the lifeline away
    os.close(nothing)

    def wait() -> None:
        while os.read(lifeline, 1024):
            pass
        os._exit(1)  # no clean-up that could hang: nothing of a half-done picture is worth keeping

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: list[str]) -> None:
    """Run a Python file with its arguments as if it had been started by itself."""
    end_with_parent()
    sys.argv = arguments
    sys.path[0] = str(Path(arguments[0]).parent)
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
