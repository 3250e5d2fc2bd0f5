"""Captions for pictures: from a rule, a table, a vision model on this machine, or a service; never over a person's own.

Every result says which backend and model wrote it; a picture that fails costs one row, not the run.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from course_lib.dataset.captions.backends import Backend, find_backend
from course_lib.dataset.folder import find_set, list_rows
from course_lib.dataset.table import FILE, SOURCE, TEXT, Row, choose_table, find_file, merge_rows, read_table
from course_lib.dataset.text_encoding import mend_surrogates
from course_lib.files import COURSE, write_whole
from course_lib.messages import LessonError, error, text
from course_lib.pictures.opening import open_picture

CACHE = COURSE / "outputs" / "captions"
PROMPTS = {  # what a model is asked where the learner asks nothing else
    "zh": "用一句不超过 40 个字的中文描述这张图：画的是什么，是什么风格，背景是什么颜色。"
          "只写描述本身，不要写「这张图」。",
    "en": "Describe this picture in one English sentence of at most 30 words: what it shows, in which style, on which "
          "background. Write the description alone, without \"this picture\".",
}
TEMPLATE = {"zh": "{trigger}，{caption}", "en": "{trigger}, {caption}"}
LONGEST = 2000  # letters of a caption that is believed; a model that runs on says nothing useful


@dataclass(frozen=True)
class Caption:
    """What was written of one picture: the text, its backend and model, or in `error` why there is none."""

    text: str
    source: str
    model: str
    error: str = ""


def caption(images: Sequence[Image.Image | str | Path], prompt: str | None = None, lang: str = "zh", seed: int = 0, *,
            backend: str | Backend = "rule", cache: str | Path | None = CACHE, **options: object) -> list[Caption]:
    """Caption pictures (files or PIL pictures), in "zh" or "en": one `Caption` each, in their order.

    `backend` is "rule", "csv", "transformers", "openai" or a `caption_backends.Backend`; `options` are its own. What a
    model wrote is kept in `cache` by picture, model and prompt. LessonError for wrong arguments.
    """
    if lang not in TEMPLATE:
        raise error("make_scene", field="lang", value=repr(lang), allowed="zh, en")
    writer = find_backend(backend, **options)
    prompt = prompt or PROMPTS[lang]
    return [write_one(image, prompt, lang, seed, writer, Path(cache) if cache and writer.cached else None)
            for image in images]


def write_one(image: Image.Image | str | Path, prompt: str, lang: str, seed: int, writer: Backend,
              cache: Path | None) -> Caption:
    """Caption one picture, from the cache if it was done before; whatever goes wrong becomes the result's `error`."""
    try:
        picture = image.convert("RGB") if isinstance(image, Image.Image) else open_picture(Path(image))
    except LessonError as problem:
        return Caption("", writer.name, writer.model, problem.why)
    kept = cache and cache / f"{find_key(picture, prompt, lang, seed, writer)}.json"
    if kept and (known := read_cached(kept)):
        return known
    writer.ready()
    try:
        words = " ".join(mend_surrogates(writer.write(picture, image, prompt, lang, seed)).split())
        if not words or len(words) > LONGEST:
            raise error("caption_strange", letters=len(words))
    except LessonError as problem:
        return Caption("", writer.name, writer.model, f"{problem.what} {problem.why}")
    except (OSError, ValueError, RuntimeError, TypeError, LookupError) as problem:  # models fail in ways of their own
        return Caption("", writer.name, writer.model, f"{type(problem).__name__}: {problem}"[:300])
    found = Caption(words, writer.name, writer.model)
    if kept:
        keep(found, kept)
    return found


def find_key(picture: Image.Image, prompt: str, lang: str, seed: int, writer: Backend) -> str:
    """Return what a caption depends on as one sha256: the picture's pixels, model, prompt, language and seed."""
    digest = hashlib.sha256(f"{picture.mode}{picture.size}".encode() + picture.tobytes())
    digest.update(json.dumps([writer.name, writer.model, writer.settings, prompt, lang, seed]).encode())
    return digest.hexdigest()


def read_cached(file: Path) -> Caption | None:
    """Read a kept caption; None where there is none or it was cut."""
    try:
        return Caption(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def keep(found: Caption, file: Path) -> None:
    """Keep a caption, in one step."""
    write_whole(file, json.dumps(asdict(found), ensure_ascii=False).encode())


def caption_folder(folder: str | Path, prompt: str | None = None, lang: str = "zh", seed: int = 0, *,
                   trigger: str = "", template: str | None = None, again: bool = False,
                   backend: str | Backend = "rule", progress: Callable[[int, int], None] | None = None,
                   **options: object) -> list[Caption]:
    """Write the captions that a folder's pictures lack into its metadata.csv; one result for each that was looked at.

    A picture without a row gets one, blank if the backend knows nothing to say. A caption without a `caption_source` is
    a person's and stays, also one typed meanwhile; one that a backend wrote is renewed only with `again`. `trigger` is
    put before each by `template` ("{trigger}，{caption}"). The table is written every 20 pictures.
    """
    folder = find_set(folder)
    writer = find_backend(backend, **options)
    pattern = template or TEMPLATE.get(lang, "")
    if trigger and ("{trigger}" not in pattern or "{caption}" not in pattern):
        raise error("caption_template", template=pattern)
    rows = list_rows(folder)
    listed = {row[FILE] for row in read_table(folder)}
    before = {row[FILE]: row[TEXT] for row in rows}
    waiting = [row for row in rows if not row[TEXT].strip() or again and row.get(SOURCE)]
    results, written = [], []
    for number, row in enumerate(waiting, start=1):
        found = caption_row(folder, row, prompt, lang, seed, writer)
        results.append(found)
        written.append({FILE: row[FILE], TEXT: ""} if found.error else
                       {FILE: row[FILE], TEXT: add_trigger(found.text, trigger, pattern),
                        SOURCE: f"{found.source}:{found.model}"})
        if number % 20 == 0 or number == len(waiting):
            put_captions(folder, written, before, listed)
            written = []
        if progress:
            progress(number, len(waiting))
    failed = sum(bool(result.error) for result in results)
    print(text("caption_done", written=len(results) - failed, failed=failed, kept=len(rows) - len(waiting)))
    if failed:
        print(text("caption_fill_in", failed=failed, table=choose_table(folder)))
    return results


def caption_row(folder: Path, row: Row, prompt: str | None, lang: str, seed: int, writer: Backend) -> Caption:
    """Caption the picture of one row; what is wrong with its name becomes the result's `error`."""
    try:
        image = find_file(folder, row[FILE])
    except LessonError as problem:
        return Caption("", writer.name, writer.model, problem.what)
    return caption([image], prompt, lang, seed, backend=writer)[0]


def put_captions(folder: Path, written: Sequence[Row], before: Mapping[str, str], listed: Collection[str]) -> None:
    """Put captions into the table as it is by now; one that was typed meanwhile stays, and no deleted row returns."""
    there = {row[FILE] for row in read_table(folder)}
    wanted = [row for row in written if row[FILE] in there or row[FILE] not in listed]
    merge_rows(folder, wanted, keep=lambda old, new: old[TEXT].strip() not in ("", before[new[FILE]].strip()))


def add_trigger(words: str, trigger: str, template: str = TEMPLATE["zh"]) -> str:
    """Put a trigger word before a caption, unless it begins with it."""
    if not trigger or words.startswith(trigger):
        return words
    return template.replace("{trigger}", trigger).replace("{caption}", words)
