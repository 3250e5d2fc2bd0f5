"""Where the course lies on this disk, and its files: read, copied, written whole or not at all."""

import hashlib
import json
import os
import shutil
from pathlib import Path, PureWindowsPath

COURSE = Path(__file__).parent.parent
CAMP = COURSE / "outputs" / "camp"  # where the camp's workflows look for their files


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


def write_json(file: Path, content: object) -> None:
    """Write a JSON file in one step, so that a process that ends half-way leaves the old one."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(part, file)


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file unless there is one, in one step, so that a copy that was cut is never taken for the file."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        shutil.copyfile(source, part)
        os.replace(part, target)


def sha256(file: Path) -> str:
    """Return the sha256 of a file in hex."""
    with file.open("rb") as content:
        digest = hashlib.sha256()
        while block := content.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()
