"""Which picture of a folder a table means by a name: spelt as it is, spelt otherwise, or a path of another machine."""

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from course_lib.dataset.table import is_file, stays_inside


class Names:
    """The pictures of a folder by their names, to find the one that a row means."""

    def __init__(self, folder: Path, pictures: Iterable[str]):
        self.folder = folder
        self.paths = {plain(path): path for path in pictures}
        self.names: dict[str, list[str]] = {}
        for path in pictures:
            for name in {plain(PurePosixPath(path).name), plain(PurePosixPath(path).stem)}:
                self.names.setdefault(name, []).append(path)

    def find(self, base: Path, wanted: str, by_name: bool) -> tuple[str, str]:
        """Return the path in the folder that a file name in a table in `base` means, and "" or what is wrong with it.

        `by_name` allows a path of another machine, or a name without its ending: the one picture of that name is meant.
        """
        name = wanted.strip().replace("\\", "/")
        parts = PurePosixPath(name).parts
        if not name:
            return "", "row_without_file"
        leaves = name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in parts or "\0" in name
        path = None if leaves else self.find_path(base / name)
        if path is None and by_name and (alike := self.find_alike(parts)):
            return alike, ""
        if path is None:
            return "", "path_escape" if leaves else "file_missing"
        if not stays_inside(self.folder, path):
            return "", "path_escape"
        return path.relative_to(self.folder).as_posix(), "" if is_file(path) else "file_missing"

    def find_path(self, path: Path) -> Path | None:
        """Return a path as it is, or spelt otherwise: macOS takes é for e and an accent, Windows A for a."""
        if os.path.lexists(path):
            return path
        spelt = self.paths.get(plain(path.relative_to(self.folder).as_posix()))
        return self.folder / spelt if spelt else None

    def find_alike(self, parts: tuple[str, ...]) -> str:
        """Return the picture that shares most of a path's end, "" where there is none or more than one."""
        def shared(path: str) -> int:
            pairs = zip(reversed(PurePosixPath(path).parts[:-1]), reversed(parts[:-1]))
            return next((count for count, (one, other) in enumerate(pairs) if plain(one) != plain(other)), len(parts))

        found = self.names.get(plain(parts[-1]), []) if parts else []
        best = max(map(shared, found), default=0)
        found = [path for path in found if shared(path) == best]
        return found[0] if len(found) == 1 else ""


def plain(name: str) -> str:
    """Return a name as names are compared."""
    return unicodedata.normalize("NFC", name).casefold()
