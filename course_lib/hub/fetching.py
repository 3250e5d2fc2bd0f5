"""From a model's name to a folder on this machine whose every file is known to be whole."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from course_lib.files import COURSE
from course_lib.hub import client
from course_lib.hub.client import Listed, Repo
from course_lib.messages import error, text

TINY = COURSE / "data" / "tiny_kolors"
MANIFEST = "manifest.json"  # {path: {"size": bytes, "sha256": hex}} of every other file in the folder
RECORD = ".course_record.json"  # what was fetched into a folder; with a dot in front, where no listed file can come

# fp16 alone: 17.8 GB, with the fp32 copies beside it more than 50. That this repository is on ModelScope too, under
# the name it has on Hugging Face, and what its files are called, could not be confirmed offline; what it lacks of
# these is said by name. No commit of it is known either: "master" is asked for, and RECORD pins what came.
KOLORS = Repo("model", "Kwai-Kolors/Kolors-diffusers", patterns=(
    "model_index.json", "scheduler/*.json", "tokenizer/*", "text_encoder/*.json", "text_encoder/*.fp16*.safetensors",
    "unet/config.json", "unet/*.fp16.safetensors", "vae/config.json", "vae/*.fp16.safetensors"), extras=("*LICENSE*",))
NAMES = {
    "kolors": KOLORS,
    # The SDXL VAE that Kolors uses, its weights changed so that fp16 does not overflow.
    "sdxl-vae-fp16-fix": Repo("model", "AI-ModelScope/sdxl-vae-fp16-fix", extras=("config.json",),
                              patterns=("diffusion_pytorch_model.safetensors",)),
}
MODEL_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "*LICENSE*")  # of a model that is no name of the course
CODE = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".py")  # run when opened; taken only where a pattern says so

# The camp's data repositories: pattern -> the place, inside the camp's folder, where its workflows look for the file.
# The file names are those of learners' notes; what else the repositories hold could not be confirmed offline.
CAMP = COURSE / "outputs" / "camp"
CAMP_FILES = {
    "datasets/maochase/kolors_test_comfyui": {
        "*kolors_example.json": ".", "*kolors_with_lora_example.json": ".",
        "*epoch=0-step=500.ckpt": "models/lightning_logs/version_0/checkpoints"},
    "datasets/maochase/kolors": {"*.ipynb": "."},
}


def fetch(name: str, *, revision: str | None = None, patterns: Sequence[str] | None = None,
          folder: str | Path | None = None) -> Path:
    """Return a folder that holds a model ("tiny", "kolors", owner/name) or data set (datasets/owner/name) whole.

    A complete copy is used without a request; else what is missing is downloaded: all of it, or a LessonError.
    """
    if name == "tiny":
        check_folder(TINY)
        return TINY
    repo = find_repo(name, revision, patterns)
    folder = Path(folder).expanduser() if folder else cache_folder(repo)
    if find_damage(folder, repo) is not None:
        bring(repo, folder)
    return folder


def find_repo(name: str, revision: str | None = None, patterns: Sequence[str] | None = None) -> Repo:
    """Return the repository behind a name, with another revision or other file patterns if given."""
    if name in NAMES:
        repo = NAMES[name]
    elif match := re.fullmatch(r"(datasets/)?(\w[\w.-]*/\w[\w.-]*)", str(name), re.ASCII):
        kind, extras = ("dataset", ("*",)) if match[1] else ("model", MODEL_FILES)
        repo = Repo(kind, match[2], extras=extras)
    else:
        raise error("unknown_model", name=name, known=text("list_comma").join(["tiny", *NAMES]))
    if revision and not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", revision, re.ASCII):
        raise error("revision_wrong", revision=revision)
    if patterns:
        given = (patterns,) if isinstance(patterns, str) else tuple(patterns)
        repo = replace(repo, patterns=given, extras=())
    return replace(repo, revision=revision or repo.revision)


def cache_folder(repo: Repo) -> Path:
    """Return the folder where ModelScope's client keeps a repository, so that a copy it made is found and completed."""
    cache = Path(os.environ.get("MODELSCOPE_CACHE") or "~/.cache/modelscope").expanduser()
    return cache / f"{repo.kind}s" / repo.name.replace("/", "--") / "snapshots" / repo.revision


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


def bring(repo: Repo, folder: Path) -> None:
    """Make a folder whole from the network and record what came; LessonError where that fails, what came is kept."""
    record = read_record(folder)
    if record["source"] == describe(repo):
        print(text("download_damaged", folder=folder, file=find_damage(folder, repo)))
    files = choose(client.list_repo(repo, folder), repo)
    begin(repo, files, folder, record)
    client.bring(repo, files, folder)
    print(text("download_checking"))  # by our own eyes, once: whatever the client took on trust
    with client.explained(repo, folder):
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
               size=client.show_size(sum(file.size or 0 for file in files)),
               here=client.show_size(sum(client.count_here(folder, file) for file in files))))


def choose(listed: list[Listed], repo: Repo) -> list[Listed]:
    """Choose the files that a repository's patterns name; LessonError for a pattern that fits none."""
    for pattern in repo.patterns:
        if not any(fits(file.path, pattern) for file in listed):
            raise no_file(listed, repo, pattern)
    chosen = {file.path: file for file in listed if takes(repo, file.path)}
    if not repo.patterns:  # nobody named the precision
        halves = {PurePosixPath(path).parent for path in chosen if ".fp16" in path and path.endswith(".safetensors")}
        chosen = {path: file for path, file in chosen.items() if not path.endswith(".safetensors")
                  or ".fp16" in path or PurePosixPath(path).parent not in halves}
    if not chosen:
        raise no_file(listed, repo, text("list_comma").join(repo.extras))
    return list(chosen.values())


def no_file(listed: list[Listed], repo: Repo, pattern: str) -> Exception:
    """Build the LessonError of a pattern that fits no file, with the first names that the repository holds."""
    found = text("list_comma").join(file.path for file in listed[:20]) or text("none")
    return error("pattern_empty", name=repo.name, revision=repo.revision, pattern=pattern, found=found)


def takes(repo: Repo, path: str) -> bool:
    """Say whether one of a repository's patterns names a file."""
    return any(fits(path, pattern) for pattern in (*repo.patterns, *repo.extras))


def fits(path: str, pattern: str) -> bool:
    """Say whether a pattern names a file (`*` crosses `/`); a file that runs code needs a pattern with its ending."""
    return fnmatchcase(path, pattern) and (not path.endswith(CODE) or pattern.endswith(PurePosixPath(path).suffix))


def measure(folder: Path, file: Listed, repo: Repo) -> dict[str, object]:
    """Read a downloaded file once: its entry in RECORD; LessonError where size or sha256 is not the listed one."""
    stat = (folder / file.path).stat()
    digest = sha256(folder / file.path)
    if file.size not in (None, stat.st_size) or file.sha256 not in (None, digest):
        raise error("download_corrupt", name=repo.name, file=file.path)
    return {"size": stat.st_size, "sha256": digest, "mtime_ns": stat.st_mtime_ns, "verified": file.sha256 is not None}


def read_record(folder: Path) -> dict:
    """Read what was fetched into a folder; an empty record where there is none or it is no record."""
    with suppress(OSError, ValueError):
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if isinstance(record, dict) and record.keys() == {"source", "selections", "files"}:
            return record
    return {"source": None, "selections": [], "files": {}}


def describe(repo: Repo) -> list[str]:
    """Return what a record says of where its files came from."""
    return [repo.kind, repo.name, repo.revision]


def select(repo: Repo) -> list[str]:
    """Return what a record says of which files were asked for."""
    return [*repo.patterns, "|", *repo.extras]


def write_json(file: Path, content: object) -> None:
    """Write a JSON file in one step, so that a process that ends half-way leaves the old one."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(part, file)


def fetch_camp(folder: str | Path = CAMP) -> Path:
    """Put the camp's workflows, notebooks and LoRA where its workflows look for them; a file already there is kept."""
    folder = Path(folder).expanduser()
    placed = []
    for name, places in CAMP_FILES.items():
        source = fetch(name, patterns=list(places))
        for path in sorted(read_record(source)["files"]):
            for place in (places[pattern] for pattern in places if fits(path, pattern)):
                target = folder / place / Path(path).name
                with client.explained(find_repo(name), folder):
                    copy_whole(source / path, target)
                placed.append(str(target.relative_to(folder)))
    print(text("camp_ready", folder=folder, files="\n".join(placed)))
    return folder


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file unless there is one, in one step, so that a copy that was cut is never taken for the file."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        shutil.copyfile(source, part)
        os.replace(part, target)


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


def sha256(file: Path) -> str:
    """Return the sha256 of a file in hex."""
    with file.open("rb") as content:
        digest = hashlib.sha256()
        while block := content.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()
