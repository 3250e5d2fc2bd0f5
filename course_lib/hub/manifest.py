"""The manifest of a folder: size and sha256 of each of its files, so that a changed one is seen."""

import json
from pathlib import Path

from course_lib.files import sha256
from course_lib.messages import error

MANIFEST = "manifest.json"  # {path: {"size": bytes, "sha256": hex}} of every other file in the folder


def check_folder(folder: Path) -> None:
    """Compare a folder with its manifest: LessonError for a missing, truncated, changed or foreign file."""
    manifest = read_manifest(folder)
    for path, record in manifest.items():
        file = folder / path
        if not file.is_file():
            raise error("file_missing", file=path, folder=folder)
        if file.stat().st_size != record["size"]:
            raise error("file_truncated", file=path, folder=folder, size=file.stat().st_size, wanted=record["size"])
        if sha256(file) != record["sha256"]:
            raise error("file_changed", file=path, folder=folder)
    foreign = sorted(set(list_files(folder)) - set(manifest))
    if foreign:
        raise error("file_foreign", file=foreign[0], folder=folder)


def read_manifest(folder: Path) -> dict[str, dict]:
    """Read a folder's manifest; LessonError where it is missing or no JSON table."""
    try:
        return dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as cause:
        raise error("file_missing", file=MANIFEST, folder=folder) from cause


def write_manifest(folder: Path) -> None:
    """Record size and sha256 of every file of a folder in its manifest."""
    records = {path: {"size": (folder / path).stat().st_size, "sha256": sha256(folder / path)}
               for path in list_files(folder)}
    (folder / MANIFEST).write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def list_files(folder: Path) -> list[str]:
    """List a folder's files by their path inside it, without the manifest and the droppings of editors and systems."""
    paths = (file.relative_to(folder) for file in sorted(folder.rglob("*")) if file.is_file())
    return [path.as_posix() for path in paths
            if path.as_posix() != MANIFEST and not any(part.startswith(".") for part in path.parts)]
