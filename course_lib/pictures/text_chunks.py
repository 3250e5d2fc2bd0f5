"""The texts that programs put into a picture file beside its pixels: text chunks of a PNG, EXIF of a JPEG or WEBP.

Only bytes are read, never pixels, so a file that is cut still gives what stands before the cut. PNG: the W3C
specification, third edition; EXIF: Pillow. A PNG's chunk has a checksum: what does not fit it is not used.
"""

import io
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from course_lib.files import refuse_pointer
from course_lib.messages import error

MOST_BYTES = 64 * 2**20  # of a file
MOST_TEXT = 16 * 2**20  # of one text, unpacked
MOST_CHUNKS = 100_000
PNG = b"\x89PNG\r\n\x1a\n"
SIGNATURE_BYTES = 12  # at the beginning of a file, which tell what it is
OTHERS = {"JPEG": re.compile(rb"\xff\xd8\xff"), "WEBP": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
          "AVIF": re.compile(rb".{4}ftypavi[fs]", re.DOTALL)}
WANTED = ("prompt", "workflow", "parameters")  # ComfyUI's two, A1111's one
LABELLED = re.compile(rf"({'|'.join(WANTED)})\s*:\s*(?=\S)", re.IGNORECASE)  # how ComfyUI marks them in EXIF
EXIF_IFD, USER_COMMENT = 0x8769, 0x9286  # EXIF 2.32, where A1111 writes


@dataclass(frozen=True)
class PictureTexts:
    """What a picture file says beside its pixels: `texts` by "prompt", "workflow" and "parameters".

    `names` are the keys of all its text chunks, `damaged` those of chunks that do not fit their checksum or are cut,
    `doubled` those that stand there twice and differ, of which the later one counts, as in ComfyUI's page.
    """

    kind: str
    texts: dict[str, str]
    names: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()


def name_kind(head: bytes) -> str | None:
    """Return "PNG", "JPEG", "WEBP" or "AVIF" by a file's first 12 bytes, None for anything else."""
    if head.startswith(PNG):
        return "PNG"
    return next((kind for kind, pattern in OTHERS.items() if pattern.match(head)), None)


def read_texts(source: str | Path | bytes, name: str) -> PictureTexts:
    """Return the texts in a PNG, JPEG, WEBP or AVIF file, given as path or bytes; LessonError for any other file."""
    if not isinstance(source, bytes):
        refuse_pointer(Path(source))
    try:
        content = source if isinstance(source, bytes) else read_file(Path(source))
        if len(content) > MOST_BYTES:
            raise ValueError(f"> {MOST_BYTES // 2**20} MB")
        kind = name_kind(content[:SIGNATURE_BYTES])
        if kind is None:
            raise ValueError("PNG, JPEG, WEBP: no")
        return read_png(content) if kind == "PNG" else read_exif_file(content, kind)
    except (OSError, ValueError) as cause:
        raise error("png_unreadable", name=name, cause=getattr(cause, "strerror", None) or cause,
                    most=MOST_BYTES // 2**20) from cause


def read_file(path: Path) -> bytes:
    """Return a file's bytes, no more than one above the bound."""
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def read_png(content: bytes) -> PictureTexts:
    """Return the texts in a PNG's chunks, before its pixels or after them; ValueError where it has no header."""
    chunks = walk_chunks(content)
    kind, body, whole = next(chunks, (b"", b"", False))
    if kind != b"IHDR" or len(body) != 13 or not whole:
        raise ValueError("IHDR")
    texts: dict[str, str] = {}
    names, damaged, doubled = (dict[str, None]() for _ in range(3))  # in the order they come in
    for kind, body, whole in chunks:
        key, text = read_chunk(kind, body, whole)
        if key is None:
            continue
        names[key] = None
        if text is None:
            damaged[key] = None
        elif key in WANTED:
            if texts.get(key, text) != text:
                doubled[key] = None
            texts[key] = text
        if kind == b"eXIf" and whole:
            texts = {**read_exif(body), **texts}
    return PictureTexts("PNG", texts, tuple(names), tuple(damaged), tuple(doubled))


def walk_chunks(content: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield kind, body and whether it is whole of each chunk, the pixels' unread; ends where no chunk can begin."""
    place = len(PNG)
    for _ in range(MOST_CHUNKS):
        length, kind = int.from_bytes(content[place:place + 4], "big"), content[place + 4:place + 8]
        if len(kind) < 4 or not kind.isalpha() or kind == b"IEND":
            return
        end = place + 8 + length
        if kind == b"IDAT":
            yield kind, b"", True
        else:
            body = content[place + 8:end]
            yield kind, body, content[end:end + 4] == zlib.crc32(kind + body).to_bytes(4, "big")
        place = end + 4


def read_chunk(kind: bytes, body: bytes, whole: bool) -> tuple[str | None, str | None]:
    """Return a text chunk's key, in small letters, and its text; None for another chunk, None for a damaged text."""
    if kind not in (b"tEXt", b"zTXt", b"iTXt"):
        return None, None
    name, _, rest = body.partition(b"\0")
    key = name[:79].decode("latin-1").lower()
    if not whole or key not in WANTED:  # what nobody asks for is not unpacked
        return key, "" if whole else None
    try:
        if kind == b"zTXt":
            rest = unpack(rest[1:])
        elif kind == b"iTXt":
            packed, rest = rest[:1] == b"\x01", rest[2:].split(b"\0", 2)[-1]
            rest = unpack(rest) if packed else rest
            return key, rest[:MOST_TEXT + 1].decode("utf-8")
        return key, decode(rest)
    except (ValueError, zlib.error):
        return key, None


def unpack(packed: bytes) -> bytes:
    """Unpack a chunk; ValueError where it grows beyond the bound or is cut."""
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(packed, MOST_TEXT)
    if not unpacker.eof:
        raise ValueError("too large, or cut")
    return content


def decode(content: bytes) -> str:
    """Return a text as UTF-8, which ComfyUI's page writes although a tEXt chunk is Latin-1, or else as Latin-1."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def read_exif_file(content: bytes, kind: str) -> PictureTexts:
    """Return the texts in the EXIF of a JPEG, WEBP or AVIF file, and in a JPEG's comment."""
    try:
        with Image.open(io.BytesIO(content), formats=[kind, "MPO"] if kind == "JPEG" else [kind]) as image:
            exif, comment = image.info.get("exif", b""), image.info.get("comment", b"")
    except Exception as cause:  # Pillow's decoders answer broken bytes with errors of a dozen kinds
        raise ValueError(f"{kind}: {type(cause).__name__}") from cause
    texts = read_exif(exif)
    if comment and not texts:
        texts = sort_out(decode(comment) if isinstance(comment, bytes) else str(comment))
    return PictureTexts(kind, texts, tuple(texts))


def read_exif(content: bytes) -> dict[str, str]:
    """Return the texts in EXIF data: {} where it holds none, or is damaged."""
    try:
        exif = Image.Exif()
        exif.load(content)
        values = [*exif.values(), exif.get_ifd(EXIF_IFD).get(USER_COMMENT)]
    except Exception:  # as above; EXIF has no checksum, so what is read must still be whole JSON or A1111's form
        return {}
    texts: dict[str, str] = {}
    for value in values:
        words = read_comment(value) if isinstance(value, bytes) else repair(value) if isinstance(value, str) else ""
        if len(words) <= MOST_TEXT:
            texts = {**sort_out(words), **texts}
    return texts


def repair(words: str) -> str:
    """Return a text of EXIF, which Pillow reads as Latin-1, as the UTF-8 that it may be."""
    try:
        return words.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return words


def read_comment(content: bytes) -> str:
    """Return a UserComment as text: eight bytes name its code; programs disagree about the order of UTF-16's bytes."""
    code, rest = content[:8], content[8:]
    if code != b"UNICODE\0":
        return decode(rest).strip("\0") if code in (b"ASCII\0\0\0", bytes(8)) else decode(content).strip("\0")
    order = "utf-16-be" if rest[0::2].count(0) >= rest[1::2].count(0) else "utf-16-le"
    return rest.decode("utf-16" if rest[:2] in (b"\xff\xfe", b"\xfe\xff") else order, "replace").strip("\0")


def sort_out(words: str) -> dict[str, str]:
    """Return a text of EXIF under the key that it belongs to: named in front of it, told by its JSON, or A1111's."""
    words = words.strip("\0 \r\n\t")
    if label := LABELLED.match(words):
        return {label[1].lower(): words[label.end():]}
    if not words.startswith("{"):
        return {"parameters": words} if "Steps:" in words else {}
    try:
        tree = json.loads(words)
    except (ValueError, RecursionError):
        return {}
    named = {key: value if isinstance(value, str) else json.dumps(value)
             for key, value in tree.items() if key in WANTED and isinstance(value, (str, dict))}
    if named:
        return named
    return {"workflow" if isinstance(tree.get("nodes"), list) else "prompt": words}
