"""Where the course lies on this disk, and its files: read, copied, written whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path, PureWindowsPath

import psutil

from course_lib.messages import error

COURSE = Path(__file__).parent.parent
POINTER = b"version https://git-lfs.github.com/spec/"  # begins what stands in place of a file until `git lfs pull`
CAMP = COURSE / "outputs" / "camp"  # where the camp's workflows look for their files


def is_pointer(file: Path) -> bool:
    """Say whether a Git LFS pointer lies in a file's place: what `git clone` leaves where git-lfs is not installed."""
    try:
        with file.open("rb") as content:
            return content.read(len(POINTER)) == POINTER
    except (OSError, ValueError):  # ValueError: no file can have such a name
        return False


def refuse_pointer(file: Path) -> None:
    """Answer a Git LFS pointer in a file's place with a LessonError, whatever the file was to be."""
    if is_pointer(file):
        raise error("lfs_pointer", file=file)


def is_inside(path: str) -> bool:
    """Say whether a listed path stays inside the folder that it is joined to, on every system."""
    return (all(part not in ("", ".", "..") for part in path.split("/"))
            and "\\" not in path and not PureWindowsPath(path).drive and path.isprintable())


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that a folder lies on or will lie on."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


@contextmanager
def replaced(file: Path) -> Iterator[Path]:
    """Give a `with` block another place to write a file to; it takes the file's place when it is on the disk. OSError.

    The place holds the old content or the new one, whatever happens.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    remove_left(file)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())  # the name must not change before the bytes are on the disk
        os.replace(part, file)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def remove_left(file: Path) -> None:
    """Remove what programs that were killed had written of a file."""
    for part in file.parent.glob(f"{escape(file.name)}.*.part"):
        number = part.name.removeprefix(f"{file.name}.").removesuffix(".part")
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            with suppress(OSError):
                part.unlink()


def write_whole(file: Path, content: bytes) -> None:
    """Write a file such that its place holds the old content or the new one, whatever happens; OSError if it cannot."""
    with replaced(file) as part:
        part.write_bytes(content)


def write_new(places: Iterable[Path], content: bytes) -> Path:
    """Write a file to the first of several places where there is none, and return it; OSError if it cannot.

    The place is made and taken in one step, so that two programs never take the same.
    """
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with place.open("xb") as writing:
                try:
                    writing.write(content)
                    writing.flush()
                    os.fsync(writing.fileno())
                except BaseException:
                    place.unlink()
                    raise
            return place
        except FileExistsError:
            continue
    raise AssertionError("no place is left")


def write_json(file: Path, content: object) -> None:
    """Write a JSON file whole or not at all; OSError if it cannot."""
    write_whole(file, (json.dumps(content, indent=1) + "\n").encode())


def sha256(file: Path) -> str:
    """Return the sha256 of a file in hex."""
    with file.open("rb") as content:
        digest = hashlib.sha256()
        while block := content.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()
