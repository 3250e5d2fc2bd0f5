"""ModelScope's own client: what a repository holds, its files brought to this machine, and each failure in plain words.

The client is `modelscope_hub`, which `modelscope` itself calls; imported by this name it brings no torch along.
"""

import errno
import logging
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partialmethod
from json import JSONDecodeError
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from course_lib.messages import LessonError, error, text

if TYPE_CHECKING:
    from modelscope_hub import HubApi

INCOMPLETE = ".incomplete"  # what the client adds to the name of a file that is still coming
# Seconds for one file, and for a second process that waits for it. The client's own hour would cut a UNet of 5.16 GB
# on a line below 1.43 MB/s, and its ten minutes would fail the process that waits.
FILE_SECONDS = 48 * 3600
QUOTA = getattr(errno, "EDQUOT", 122)
OFFLINE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}
CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@dataclass(frozen=True)
class Repo:
    """A repository: kind "model" or "dataset", owner/name, revision; every one of `patterns` must fit a file in it."""

    kind: str
    name: str
    revision: str = "master"
    patterns: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()  # patterns of files that are taken where there are any


@dataclass(frozen=True)
class Listed:
    """A file as a repository lists it: path, size in bytes and sha256 in hex; None where the listing says nothing."""

    path: str
    size: int | None
    sha256: str | None


def connect(token: str = "") -> "HubApi":
    """Return ModelScope's client for the endpoint that MODELSCOPE_ENDPOINT names (modelscope.cn if none).

    It is told its token, "" for none: left alone it would unpickle the login that another program saved.
    """
    for limit in ("TOTAL_TIMEOUT", "FILE_LOCK_TIMEOUT_SECONDS"):  # read at the client's first import
        os.environ.setdefault(f"MODELSCOPE_DOWNLOAD_{limit}", str(FILE_SECONDS))
    from modelscope_hub import HubApi, HubConfig

    logging.getLogger("modelscope_hub").setLevel(logging.CRITICAL)  # it says in lines of a log what `explain` says
    return HubApi(HubConfig(token=token))  # a config of its own: the client's common one ignores later settings


def list_repo(repo: Repo, folder: Path) -> list[Listed]:
    """Ask the server what a repository holds; LessonError for no answer, a wrong name, or a path outside `folder`."""
    with explained(repo, folder):
        found = connect().list_repo_files(repo.name, repo.kind, revision=repo.revision)
        files = [Listed(file.path, file.size or None, read_hash(file.sha256)) for file in found if not file.is_dir]
        for file in files:
            if not is_inside(file.path):
                raise error("listing_unsafe", file=repr(file.path), name=repo.name)
    # Names with a dot in front are the servers' and the course's own; unfinished files belong to the client.
    return [file for file in files if not any(part.startswith(".") for part in PurePosixPath(file.path).parts)
            and not file.path.endswith(INCOMPLETE)]


def read_hash(listed: str | None) -> str | None:
    """Return a listed sha256 in small letters, None for anything else."""
    digest = (listed or "").lower()
    return digest if re.fullmatch("[0-9a-f]{64}", digest) else None


def is_inside(path: str) -> bool:
    """Say whether a listed path stays inside the folder that it is joined to, on every system."""
    return (all(part not in ("", ".", "..") for part in path.split("/"))
            and "\\" not in path and not PureWindowsPath(path).drive and path.isprintable())


def check_space(repo: Repo, files: list[Listed], folder: Path) -> None:
    """Compare what is still to come with the free disk: LessonError where it cannot fit (a quota is not seen here)."""
    missing = sum(max(0, (file.size or 0) - count_here(folder, file)) for file in files)
    free = free_bytes(folder)
    if missing > free:
        raise error("disk_small", name=repo.name, needed=show_size(missing), folder=folder, free=show_size(free))


def count_here(folder: Path, file: Listed) -> int:
    """Count the bytes of a file that need not come again: all of a file of the right size, or its unfinished part."""
    whole = folder / file.path
    if whole.is_file() and whole.stat().st_size == file.size:
        return file.size
    part = folder / (file.path + INCOMPLETE)
    return part.stat().st_size if part.is_file() else 0


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that a folder lies on or will lie on."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def bring(repo: Repo, files: list[Listed], folder: Path) -> None:
    """Download the listed files that are not here, resuming what an earlier run began; LessonError where it fails.

    The client compares each file with its listed size and sha256, those already here too, and tries again by itself.
    """
    wanted = [{"Path": file.path, "Size": file.size, "Sha256": file.sha256, "Type": "blob"} for file in files]
    with explained(repo, folder), silent_bars(), closing(Progress(files, folder)) as progress:
        connect().download_repo(repo.name, repo.kind, revision=repo.revision, local_dir=folder, file_list=wanted,
                                progress_callbacks=[progress.start])


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


@contextmanager
def explained(repo: Repo, folder: Path) -> Iterator[None]:
    """Turn whatever the client or the disk raises into one LessonError; its errors have three unrelated roots."""
    from modelscope_hub.errors import HubError

    try:
        yield
    except (HubError, OSError, ValueError, TypeError, AttributeError) as cause:  # the last three: no listing at all
        raise explain(cause, repo, folder) from cause


def explain(cause: BaseException, repo: Repo, folder: Path) -> LessonError:
    """Say what a failed download failed of: the disk first, then the files, the server's answers, and the line."""
    from modelscope_hub.errors import FileIntegrityError, HubError, RequestTimeoutError

    causes = list(unfold(cause))
    numbers = {each.errno for each in causes if isinstance(each, OSError)}
    status = next((code for code in map(find_status, causes) if code), None)
    file = next(iter(getattr(cause, "failed_files", {})), None)
    place = {"name": repo.name, "endpoint": find_endpoint()}
    if not isinstance(cause, (HubError, OSError)) or isinstance(cause, JSONDecodeError):
        return error("answer_strange", cause=type(cause).__name__, **place)
    if errno.ENOSPC in numbers:
        return error("disk_full", folder=folder, free=show_size(free_bytes(folder)))
    if QUOTA in numbers:
        return error("quota_full", folder=folder)
    if numbers & CLOSED:
        return error("folder_closed", folder=folder, cause=next(each.strerror for each in causes
                                                                if isinstance(each, OSError) and each.errno in CLOSED))
    if any(isinstance(each, FileIntegrityError) for each in causes):
        return error("download_corrupt", name=repo.name, file=file)
    if status in (401, 403):
        return error("repo_forbidden", status=status, **place)
    if status == 404 and file:
        return error("file_gone", file=file, **place)
    if status == 404:
        return error("repo_unknown", revision=repo.revision, **place)
    if status == 429:
        return error("server_busy", endpoint=place["endpoint"])
    if status:
        return error("server_error", endpoint=place["endpoint"], status=status)
    if any(isinstance(each, socket.gaierror) for each in causes) or numbers & OFFLINE:
        return error("no_network", **place)
    if any(isinstance(each, RequestTimeoutError) for each in causes):
        return error("server_silent", endpoint=place["endpoint"])
    if file:
        return error("download_cut", name=repo.name, file=file, cause=type(causes[-1]).__name__)
    return error("endpoint_unreachable", cause=type(causes[-1]).__name__, **place)


def unfold(cause: BaseException | None, seen: frozenset[int] = frozenset()) -> Iterator[BaseException]:
    """Yield an exception, those of the files that it failed with, and what caused each of them."""
    if cause is None or id(cause) in seen:
        return
    yield cause
    for deeper in (*getattr(cause, "failed_files", {}).values(), cause.__cause__ or cause.__context__):
        yield from unfold(deeper, seen | {id(cause)})


def find_status(cause: BaseException) -> int | None:
    """Return the HTTP status that an exception carries, or None."""
    return getattr(cause, "status_code", None) or getattr(getattr(cause, "response", None), "status_code", None)


def find_endpoint() -> str:
    """Return the address that the client asks."""
    from modelscope_hub import HubConfig

    return str(HubConfig(token="").endpoint)
