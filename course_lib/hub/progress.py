"""A download as one sees it: a line for each file that is whole, and one for all that are coming."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path
from unicodedata import east_asian_width

from course_lib.hub.repository import Listed, count_here
from course_lib.messages import text


@contextmanager
def silent_bars() -> Iterator[None]:
    """Keep the client's bars off the screen: one per file, all at once, and the total counted in files."""
    from tqdm.auto import tqdm

    original = tqdm.__init__
    tqdm.__init__ = partialmethod(original, disable=True)
    try:
        yield
    finally:
        tqdm.__init__ = original


class Progress:
    """Show a download: a line for each file that is whole, below them one for all (bytes, speed, minutes left)."""

    def __init__(self, files: list[Listed], folder: Path) -> None:
        self.sizes = {file.path: file.size or 0 for file in files}
        self.here = {file.path: count_here(folder, file) for file in files}
        self.began_with, self.began_at = sum(self.here.values()), time.monotonic()
        self.shown_at, self.width = self.began_at, 0
        self.lock = threading.Lock()  # the client brings four files at a time

    def start(self, path: str, size: int) -> "Meter":
        """Begin to count a file, from nothing again when the client starts it over."""
        self.here[path] = 0
        return Meter(self, path)

    def add(self, path: str, count: int) -> None:
        """Count bytes of a file; the client takes some back (a negative count) when it starts over."""
        with self.lock:
            self.here[path] += count
            if time.monotonic() - self.shown_at >= 1:
                self.shown_at = time.monotonic()
                self.show(self.describe(path), "\r")

    def finish(self, path: str) -> None:
        """Give a file that is whole its own line; the client also ends a file that failed, which gets none."""
        with self.lock:
            if self.here[path] >= self.sizes[path]:
                self.show(text("download_file_done", file=path, size=show_size(self.here[path])), "\n")

    def describe(self, path: str) -> str:
        """Say how far all files and this one are."""
        here, size = sum(self.here.values()), sum(self.sizes.values())
        speed = max(here - self.began_with, 0) / max(time.monotonic() - self.began_at, 1e-3)
        minutes = max(1, round((size - here) / speed / 60)) if speed else "?"
        return text("download_progress", here=show_size(here), size=show_size(size),
                    percent=100 * here // max(size, 1), speed=show_size(speed), minutes=minutes,
                    file=path[-20:], part=100 * self.here[path] // max(self.sizes[path], 1))

    def show(self, line: str, end: str) -> None:
        """Write over the line before: a carriage return does so in a terminal and in a notebook."""
        width = sum(2 if east_asian_width(letter) in "WF" else 1 for letter in line)
        print("\r" + line + " " * max(0, self.width - width), end=end, flush=True)
        self.width = width if end == "\r" else 0

    def close(self) -> None:
        """Leave the line, so that what is said next gets its own."""
        if self.width:
            print()


class Meter:
    """What the client calls for one file: `update` with the bytes that came, `end` when it is over."""

    def __init__(self, progress: Progress, path: str) -> None:
        self.progress, self.path = progress, path

    def update(self, count: int) -> None:
        """Count bytes."""
        self.progress.add(self.path, count)

    def end(self) -> None:
        """End the file, whole or failed."""
        self.progress.finish(self.path)


def show_size(count: float) -> str:
    """Return a number of bytes as GB, MB or kB (10**9, 10**6, 10**3 bytes), as hubs and disks count."""
    if count >= 1e9:
        return f"{count / 1e9:.2f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
