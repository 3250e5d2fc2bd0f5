"""Read the settings of pictures that are damaged at random: no traceback, no hang, nothing that the file does not say.

python tests/by_hand/fuzz_pictures.py [--count 1000] [--seed 0]

A PNG is cut, its bytes are flipped, its chunks are swapped, dropped or doubled: what is read from it must then be the
whole file's, None, or a LessonError. Workflows are changed inside too, with the right checksum: then only the kinds of
what is read are looked at.
"""

import argparse
import io
import json
import random
import time
import zlib
from collections import Counter
from dataclasses import asdict, fields
from numbers import Integral, Real
from pathlib import Path

from PIL import Image

from course_lib.messages import LessonError, set_language
from course_lib.pictures.picture import Picture
from course_lib.sampling.found import FoundSettings
from course_lib.sampling.metadata import write_chunks
from course_lib.sampling.settings import CONTROLS, SamplerSettings
from course_lib.workflow.picture_settings import read_settings

DATA = Path(__file__).parent.parent / "data" / "pictures"
SECONDS = 5.0  # of processor time for one file
START = len(b"\x89PNG\r\n\x1a\n")
KINDS = {"seed": Integral, "steps": Integral, "cfg": Real, "denoise": Real, "sampler_name": str, "scheduler": str,
         "control_after_generate": str}


def list_pictures():
    """Return PNG files by name: users' files, and one that the course has saved with all three of its texts."""
    settings = SamplerSettings(seed=2**53 + 1, control_after_generate="increment", steps=12, cfg=6.5,
                               sampler_name="dpmpp_2m", scheduler="karras", denoise=0.75)
    content = io.BytesIO()
    Picture(Image.effect_noise((96, 64), 80).convert("RGB"), "").image.save(
        content, format="PNG", pnginfo=write_chunks(settings, "一只瓢虫，蓝色背景", "flat, grey", 96, 64))
    return {"ours.png": content.getvalue(), **{path.name: path.read_bytes() for path in sorted(DATA.glob("*.png"))}}


def split(content):
    """Return a PNG's chunks as bytes."""
    chunks, place = [], START
    while place < len(content):
        end = place + 12 + int.from_bytes(content[place:place + 4], "big")
        chunks.append(content[place:end])
        place = end
    return chunks


def damage(content, pick):
    """Return a PNG with one to three things wrong in it, and what they are."""
    done = []
    for _ in range(pick.randint(1, 3)):
        way = pick.choice(("cut", "flip", "flip", "flip in a text", "swap", "drop", "double", "insert"))
        done.append(way)
        if way == "cut":
            content = content[:pick.randrange(len(content) + 1)]
        elif way.startswith("flip") and content:
            places = [at for at in range(len(content)) if content[at:at + 1].isalnum()] if way != "flip" else []
            for _ in range(pick.choice((1, 1, 2, 8))):
                at = pick.choice(places) if places else pick.randrange(len(content))
                content = content[:at] + bytes([content[at] ^ 1 << pick.randrange(8)]) + content[at + 1:]
        elif way == "insert":
            at = pick.randrange(len(content) + 1)
            content = content[:at] + pick.randbytes(pick.randint(1, 9)) + content[at:]
        elif len(chunks := split(content)) > 1:
            first, second = pick.randrange(len(chunks)), pick.randrange(len(chunks))
            if way == "swap":
                chunks[first], chunks[second] = chunks[second], chunks[first]
            elif way == "drop":
                del chunks[first]
            else:
                chunks.insert(second, chunks[first])
            content = content[:START] + b"".join(chunks)
    return content, "+".join(done)


def mutate(value, pick):
    """Return a value of JSON with one part of it replaced by junk, or by another part's value."""
    if pick.random() < 0.15 or not isinstance(value, (dict, list)) or not value:
        return pick.choice([None, -1, 0, 10**30, 10**400, "", "x" * 300, [], {}, [["3", 0]], ["3", 0], ["6", 0], True,
                            "3", 3, "SaveImage", "KSampler", "Reroute", "\ud800", {"0": {}}])
    value = dict(value) if isinstance(value, dict) else list(value)
    key = pick.choice(list(value)) if isinstance(value, dict) else pick.randrange(len(value))
    value[key] = mutate(value[key], pick)
    return value


def change_inside(content, pick):
    """Return a PNG whose texts are changed, their checksums right; None where it has no texts."""
    chunks = split(content)
    texts = [at for at, chunk in enumerate(chunks) if chunk[4:8] == b"tEXt"]
    if not texts:
        return None
    at = pick.choice(texts)
    key, _, words = chunks[at][8:-4].partition(b"\0")
    if words.startswith(b"{"):
        tree = json.loads(words)
        for _ in range(pick.randint(1, 4)):
            tree = mutate(tree, pick)
        words = json.dumps(tree).encode()
    else:
        for _ in range(pick.randint(1, 4)):
            place = pick.randrange(len(words) + 1)
            words = words[:place] + pick.choice((b"", b",", b"\n", b": ", b'"', b"Steps: 3, ", b"Seed: 9")) + words[
                place + pick.randint(0, 3):]
    body = b"tEXt" + key + b"\0" + words
    chunks[at] = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return content[:START] + b"".join(chunks)


def list_guesses(found, whole):
    """Say what was read from a damaged file that the whole one does not say; what becomes of a seed may be lost."""
    values = {**asdict(found.settings), "prompt": found.prompt, "negative_prompt": found.negative_prompt}
    true = {**asdict(whole.settings), "prompt": whole.prompt, "negative_prompt": whole.negative_prompt}
    return [f"{name}: {value!r}" for name, value in values.items() if value is not None and value != true[name]
            and (name, value) != ("control_after_generate", "fixed")]


def list_wrong_kinds(found):
    """Say what is neither None with a reason nor of its kind."""
    wrong = [field.name for field in fields(SamplerSettings)
             if (value := getattr(found.settings, field.name)) is None and field.name not in found.unknown
             or value is not None and (not isinstance(value, KINDS[field.name]) or isinstance(value, bool))]
    wrong += [name for name in ("prompt", "negative_prompt") if (found.tell(name) is None) != (name in found.unknown)
              or not isinstance(found.tell(name), (str, type(None)))]
    return wrong + ([] if found.settings.control_after_generate in CONTROLS else ["control"])


def fuzz(count, seed=0):
    """Read `count` damaged pictures and as many changed inside; return what happened by way, and the faults."""
    pick, pictures = random.Random(seed), list_pictures()
    whole = {name: read_settings(content) for name, content in pictures.items()}
    tally, faults = Counter(), []
    for number in range(2 * count):
        name = pick.choice(list(pictures))
        damaged = number < count
        content, way = damage(pictures[name], pick) if damaged else (change_inside(pictures[name], pick), "inside")
        if content is None:
            continue
        began = time.process_time()
        try:
            found = read_settings(content)
            assert isinstance(found, FoundSettings) and str(found)
            wrong = list_guesses(found, whole[name]) if damaged else list_wrong_kinds(found)
            faults += [f"{number} {name} {way}: {problem}" for problem in wrong]
            tally["damaged" if damaged else "inside", "read"] += 1
        except LessonError as answer:
            assert len(str(answer)) < 2_000
            tally["damaged" if damaged else "inside", "refused"] += 1
        except Exception as cause:  # whatever comes is a fault
            faults.append(f"{number} {name} {way}: {type(cause).__name__} {cause}"[:300])
        if time.process_time() - began > SECONDS:
            faults.append(f"{number} {name} {way}: {time.process_time() - began:.1f} s")
    return tally, faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    set_language("en")
    tally, faults = fuzz(chosen.count, chosen.seed)
    print(*(f"{' '.join(key)}: {count}" for key, count in sorted(tally.items())), *faults, sep="\n")
    print(f"{len(faults)} faults")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
