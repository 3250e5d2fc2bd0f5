"""Run ComfyUI's main.py in this process, and end when the program that started it ends, however it ends.

Run as a file by ComfyUI's own Python, which need not know the course: standard library only.
"""

import os
import runpy
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

SECONDS = 0.5  # between two looks


def end_with_parent() -> None:
    """End this process when the program that started it is gone: its end of standard input, or itself.

    A system closes a dead program's files, so this also holds after kill -9, on every system. But a process that it has
    forked holds them on; then the parent's number tells, which changes as soon as the parent has ended.
    """
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # so that no node can read the lifeline away
    os.close(nothing)

    def wait() -> None:
        while os.read(lifeline, 1024):
            pass
        os._exit(1)  # no clean-up that could hang: nothing of a half-done picture is worth keeping

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    parent = os.getppid()
    if str(parent) == os.environ.get("COURSE_PARENT"):  # else a script in between, whose end means nothing
        threading.Thread(target=watch, daemon=True).start()


def refuse_other_pages(is_own: Callable) -> None:
    """Have web servers of this process refuse what pages of other sites send; ComfyUI's own check knows fewer cases."""
    from aiohttp import web

    make = web.Application.__init__

    @web.middleware
    async def guard(request: web.Request, handler: Callable) -> web.StreamResponse:
        return await handler(request) if is_own(request.method, request.headers) else web.Response(status=403)

    def make_guarded(self: web.Application, *values: object, middlewares: Sequence = (), **options: object) -> None:
        make(self, *values, middlewares=[guard, *middlewares], **options)

    web.Application.__init__ = make_guarded


def main(arguments: list[str]) -> None:
    """Run a Python file with its arguments as if it had been started by itself."""
    from page_guard import is_own  # lies beside this file

    end_with_parent()
    sys.argv = arguments
    sys.path[0] = str(Path(arguments[0]).parent)
    with suppress(ImportError):  # then main.py says what is missing
        refuse_other_pages(is_own)
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
