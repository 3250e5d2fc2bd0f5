"""What tells two models apart: the sha256 of every byte of their files, and of the weights that are in memory."""

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch

from course_lib.files import COURSE, sha256, write_json
from course_lib.hub.fetching import read_record

KEPT = COURSE / "outputs" / "hashes.json"  # {file: [size, time of change, of its entry's change, sha256]}
SETTLED = 2  # seconds that a file has to be old before its hash is kept: a disk's clock may be as coarse
MOST_NOTED = 2**28  # bytes of weights that are hashed when they are loaded: a small model's, in milliseconds


def fingerprint(folder: Path, patterns: Sequence[str]) -> str:
    """Return a hash of all bytes of a folder's files that fit the patterns; "" if none does."""
    files = sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()})
    if not files:
        return ""
    recorded = read_record(folder)["files"]  # what was downloaded was hashed then
    parts = []
    for file in files:
        name, stat = file.relative_to(folder).as_posix(), file.stat()
        known = recorded.get(name, {})
        unchanged = (known.get("size"), known.get("mtime_ns")) == (stat.st_size, stat.st_mtime_ns)
        parts.append((name, known["sha256"] if unchanged else hash_file(file)))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def hash_file(file: Path) -> str:
    """Return a file's sha256, read again only where its size or a time of change is another than when it was read."""
    place, stat, kept = str(file.resolve()), file.stat(), read_kept()
    facts = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    if kept.get(place, [])[:3] == facts:
        return kept[place][3]
    digest = sha256(file)
    if time.time() - max(stat.st_mtime, stat.st_ctime) > SETTLED:
        with suppress(OSError):  # a disk that is full or may only be read costs the time to hash again
            KEPT.parent.mkdir(parents=True, exist_ok=True)
            write_json(KEPT, read_kept() | {place: [*facts, digest]})
    return digest


def read_kept() -> dict[str, list]:
    """Read the hashes that were kept; none where the file is broken."""
    with suppress(OSError, ValueError, RecursionError):
        kept = json.loads(KEPT.read_text(encoding="utf-8"))
        if isinstance(kept, dict):
            return {place: each for place, each in kept.items() if isinstance(each, list) and len(each) == 4
                    and isinstance(each[3], str)}
    return {}


def hash_weights(module: torch.nn.Module) -> str:
    """Return a hash of a module's own weights as they are in memory; what LoRAs add to it does not count."""
    digest = hashlib.sha256()
    for name, weight in sorted(module.state_dict().items()):
        if ".lora_" not in name:
            weight = weight.detach().cpu().contiguous()
            digest.update(f"{name.replace('.base_layer', '')} {weight.dtype} {tuple(weight.shape)} ".encode())
            digest.update(memoryview(weight.reshape(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()


def note_loaded(module: torch.nn.Module) -> None:
    """Note what a module's weights are when they come from their files, so that `describe_change` can tell later."""
    if sum(weight.numel() * weight.element_size() for weight in module.parameters()) <= MOST_NOTED:
        module.loaded_weights = hash_weights(module)


def describe_change(module: torch.nn.Module | None) -> str:
    """Return "" for a module whose weights are those of its files, as far as that was noted; else their hash."""
    loaded = getattr(module, "loaded_weights", None)
    if not loaded:
        return ""
    found = hash_weights(module)
    return "" if found == loaded else found
