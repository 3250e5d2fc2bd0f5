"""Which repository a name of a model stands for, and which of its files are taken."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from course_lib.files import COURSE
from course_lib.messages import error, text

TINY = COURSE / "data" / "tiny_kolors"
INCOMPLETE = ".incomplete"  # what the client adds to the name of a file that is still coming


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
    # The contest's own judge, CLIP included. Which of the two forms its weights have could not be confirmed offline.
    "aesthetics": Repo("model", "AI-ModelScope/aesthetics-predictor-v2-sac-logos-ava1-l14-linearMSE",
                       patterns=("config.json", "preprocessor_config.json"),
                       extras=("model.safetensors", "pytorch_model.bin")),
}
MODEL_FILES = ("*.json", "*.txt", "*.model", "*.safetensors", "*LICENSE*")  # of a model that is no name of the course
CODE = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".py")  # run when opened; taken only where a pattern says so

def count_here(folder: Path, file: Listed) -> int:
    """Count the bytes of a file that need not come again: all of a file of the right size, or its unfinished part."""
    whole = folder / file.path
    if whole.is_file() and whole.stat().st_size == file.size:
        return file.size
    part = folder / (file.path + INCOMPLETE)
    return part.stat().st_size if part.is_file() else 0


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
    runs = path.lower().endswith(CODE)  # "evil.PY" too
    return fnmatchcase(path, pattern) and (not runs or pattern.endswith(PurePosixPath(path).suffix))
