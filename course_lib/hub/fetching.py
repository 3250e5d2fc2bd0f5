"""From a model's name to a folder on this machine whose every file is known to be whole."""

import json
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from course_lib.files import is_inside, sha256, write_json
from course_lib.hub import client, failures, progress
from course_lib.hub.manifest import check_folder
from course_lib.hub.repository import TINY, Listed, Repo, cache_folder, choose, count_here, find_repo, takes
from course_lib.messages import error, text

FACTS = {"size": int, "sha256": str, "mtime_ns": int}  # of each file in a record
RECORD = ".course_record.json"  # what was fetched into a folder; with a dot in front, where no listed file can come


def fetch(name: str, *, revision: str | None = None, patterns: Sequence[str] | None = None,
          folder: str | Path | None = None) -> Path:
    """Return a folder that holds a model ("tiny", "kolors", owner/name) or data set (datasets/owner/name) whole.

    A complete copy is used without a request; else what is missing is downloaded: all of it, or a LessonError. A
    `folder` has to be empty or one that `fetch` filled: no file of the learner's is ever replaced.
    """
    if name == "tiny":
        check_folder(TINY)
        return TINY
    repo = find_repo(name, revision, patterns)
    place = Path(folder).expanduser() if folder else cache_folder(repo)
    if find_damage(place, repo) is not None:
        bring(repo, place, learners=bool(folder))
    return place


def find_damage(folder: Path, repo: Repo) -> str | None:
    """Name the first file that a folder lacks or that was changed, RECORD if it was never whole, None if it is whole.

    A file with the recorded size and time of change is not read again; one with another time is hashed once.
    """
    record = read_record(folder)
    if record["source"] != describe(repo) or select(repo) not in record["selections"]:
        return RECORD
    retimed = False
    for path, known in record["files"].items():
        if not takes(repo, path):
            continue
        file = folder / path
        if not file.is_file() or file.stat().st_size != known["size"]:
            return path
        if file.stat().st_mtime_ns != known["mtime_ns"]:
            if not retimed:
                print(text("download_checking"))
            if sha256(file) != known["sha256"]:
                return path
            known["mtime_ns"], retimed = file.stat().st_mtime_ns, True
    if retimed:
        with suppress(OSError):  # a folder that may only be read is hashed each time
            write_json(folder / RECORD, record)
    return None


def bring(repo: Repo, folder: Path, learners: bool = False) -> None:
    """Make a folder whole from the network and record what came; LessonError where that fails, what came is kept.

    In a folder that a learner named, what the learner put or changed there stays.
    """
    record = read_record(folder)
    if learners and record["source"] is None and folder.is_dir() and any(folder.iterdir()):
        raise error("folder_not_ours", folder=folder)
    if record["selections"] and record["source"] == describe(repo):
        print(text("download_damaged", folder=folder, file=find_damage(folder, repo)))
    files = choose(client.list_repo(repo, folder), repo)
    begin(repo, files, folder, record)
    with failures.explained(repo, folder):
        if learners:
            keep_learners(folder, files, record["files"])
        if record["source"] is None:  # from now on the folder is known as ours, whatever happens
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / RECORD, {"source": describe(repo), "selections": [], "files": {}})
    client.bring(repo, files, folder)
    print(text("download_checking"))  # by our own eyes, once: whatever the client took on trust
    with failures.explained(repo, folder):
        came = {file.path: measure(folder, file, repo) for file in files}
        record = read_record(folder)
        if record["source"] != describe(repo):
            record = {"source": describe(repo), "selections": [], "files": {}}
        record["files"] = {path: known for path, known in record["files"].items() if not takes(repo, path)} | came
        record["selections"] = [each for each in record["selections"] if each != select(repo)] + [select(repo)]
        write_json(folder / RECORD, record)
    unverified = [file.path for file in files if file.sha256 is None]
    if unverified:
        print(text("download_unverified", files=text("list_comma").join(unverified)))


def keep_learners(folder: Path, files: list[Listed], known: dict[str, dict]) -> None:
    """Keep what a learner has in the way of files to come: LessonError for a file of the learner's own.

    One that was fetched and then changed gets another name beside it: it may be damaged, and it may be edited.
    """
    for file in files:
        there = folder / file.path
        if not there.is_file() or count_here(folder, file) == file.size and sha256(there) == (
                file.sha256 or known.get(file.path, {}).get("sha256")):
            continue
        if file.path not in known:
            raise error("file_not_ours", folder=folder, file=file.path)
        if sha256(there) != known[file.path]["sha256"]:
            aside = next(place for number in count(1) if not (place := there.with_name(
                f"{there.stem}.changed{number}{there.suffix}")).exists())
            there.rename(aside)
            print(text("download_aside", file=file.path, aside=aside.name))


def begin(repo: Repo, files: list[Listed], folder: Path, record: dict) -> None:
    """Say what is about to come, the licence of Kolors before its first byte; LessonError where the disk is too small.

    Also says which files the repository has changed since they were recorded.
    """
    client.check_space(repo, files, folder)
    if repo.name.startswith("Kwai-Kolors/") and not (folder.is_dir() and any(folder.iterdir())):
        print(text("kolors_licence"))
    known = record["files"] if record["source"] == describe(repo) else {}
    changed = [file.path for file in files if file.sha256 and known.get(file.path, {}).get("sha256") not in
               (None, file.sha256)]
    if changed:
        print(text("download_changed", name=repo.name, files=text("list_comma").join(changed)))
    print(text("download_plan", name=repo.name, count=len(files), folder=folder,
               size=progress.show_size(sum(file.size or 0 for file in files)),
               here=progress.show_size(sum(count_here(folder, file) for file in files))))


def measure(folder: Path, file: Listed, repo: Repo) -> dict[str, object]:
    """Read a downloaded file once: its entry in RECORD; LessonError where size or sha256 is not the listed one."""
    stat = (folder / file.path).stat()
    digest = sha256(folder / file.path)
    if file.size not in (None, stat.st_size) or file.sha256 not in (None, digest):
        raise error("download_corrupt", name=repo.name, file=file.path)
    return {"size": stat.st_size, "sha256": digest, "mtime_ns": stat.st_mtime_ns, "verified": file.sha256 is not None}


def read_record(folder: Path) -> dict:
    """Read what was fetched into a folder; an empty record where there is none or it is no record."""
    with suppress(OSError, ValueError, RecursionError):
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if is_record(record):
            return record
    return {"source": None, "selections": [], "files": {}}


def is_record(record: object) -> bool:
    """Say whether what was read is a record: {source: texts or None, selections: lists, files: {path: facts}}."""
    return (isinstance(record, dict) and record.keys() == {"source", "selections", "files"}
            and isinstance(record["source"], list | None) and isinstance(record["selections"], list)
            and isinstance(record["files"], dict) and all(
                is_inside(path) and isinstance(known, dict) and FACTS.items() <= {
                    name: type(value) for name, value in known.items()}.items()
                for path, known in record["files"].items()))


def describe(repo: Repo) -> list[str]:
    """Return what a record says of where its files came from."""
    return [repo.kind, repo.name, repo.revision]


def select(repo: Repo) -> list[str]:
    """Return what a record says of which files were asked for."""
    return [*repo.patterns, "|", *repo.extras]
