"""Where the course lies on this disk, and how a file is written."""

import os
from contextlib import suppress
from pathlib import Path

COURSE = Path(__file__).parent.parent


def write_whole(file: Path, content: bytes) -> None:
    """Write a file such that its place holds the old content or the new one, whatever happens; OSError if it cannot."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as writing:
            writing.write(content)
            writing.flush()
            os.fsync(writing.fileno())  # the name must not change before the bytes are on the disk
        os.replace(part, file)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
