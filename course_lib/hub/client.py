"""ModelScope's own client: what a repository holds, its files brought to this machine, and each failure in plain words.

The client is `modelscope_hub`, which `modelscope` itself calls; imported by this name it brings no torch along.
"""

import logging
import os
import re
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from course_lib.files import free_bytes, is_inside
from course_lib.hub.failures import explained
from course_lib.hub.progress import Progress, show_size, silent_bars
from course_lib.hub.repository import INCOMPLETE, Listed, Repo, count_here
from course_lib.messages import error

if TYPE_CHECKING:
    from modelscope_hub import HubApi

# Seconds for one file, and for a second process that waits for it. The client's own hour would cut a UNet of 5.16 GB
# on a line below 1.43 MB/s, and its ten minutes would fail the process that waits.
FILE_SECONDS = 48 * 3600


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


def check_space(repo: Repo, files: list[Listed], folder: Path) -> None:
    """Compare what is still to come with the free disk: LessonError where it cannot fit (a quota is not seen here)."""
    missing = sum(max(0, (file.size or 0) - count_here(folder, file)) for file in files)
    free = free_bytes(folder)
    if missing > free:
        raise error("disk_small", name=repo.name, needed=show_size(missing), folder=folder, free=show_size(free))


def bring(repo: Repo, files: list[Listed], folder: Path) -> None:
    """Download the listed files that are not here, resuming what an earlier run began; LessonError where it fails.

    The client compares each file with its listed size and sha256, those already here too, and tries again by itself.
    """
    wanted = [{"Path": file.path, "Size": file.size, "Sha256": file.sha256, "Type": "blob"} for file in files]
    with explained(repo, folder), silent_bars(), closing(Progress(files, folder)) as progress:
        connect().download_repo(repo.name, repo.kind, revision=repo.revision, local_dir=folder, file_list=wanted,
                                progress_callbacks=[progress.start])
