"""Pictures from the web with the rights they came with: saved under names of our own, their authors written down.

A folder that pictures were brought to holds them, metadata.csv (one row each, with creator, licence and where it came
from) and ATTRIBUTION.txt, which goes along wherever the pictures go.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from course_lib.dataset.table import FILE, TEXT, Row, find_file, is_file, merge_rows, read_table
from course_lib.files import sha256, write_whole
from course_lib.messages import LANGUAGES, LessonError, error, language
from course_lib.pictures.opening import ENDINGS, decode, open_picture, read_header
from course_lib.texts import TEXTS

ATTRIBUTION = "ATTRIBUTION.txt"
NOT_FOR_TRAINING = "not_for_training.csv"
PICTURE_BYTES = 30_000_000
CONTACT = "COURSE_CONTACT"  # environment variable: a mail address or page
LONGEST = 500  # letters of a title or name that is kept
LICENCES = ("cc0", "pdm", "by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd")
FREE = ("cc0", "pdm", "by")  # may be changed, sold and shared; by asks for the author's name


@dataclass(frozen=True)
class Candidate:
    """A picture that a source offers: where it is, who made it, and what may be done with it.

    `licence` is one of LICENCES, or "" where the source names none; `training` says whether its rules allow training.
    """

    source: str
    url: str
    page: str
    title: str = ""
    creator: str = ""
    creator_url: str = ""
    licence: str = ""
    licence_url: str = ""
    attribution: str = ""
    width: int = 0
    height: int = 0
    training: bool = True
    notify: str = ""  # an address that Unsplash wants to be told of a download


@dataclass(frozen=True)
class Brought:
    """What a download did: names of pictures saved and of those already here, and (address, reason) of the rest."""

    saved: list[str]
    kept: list[str]
    problems: list[tuple[str, str]]


class Words(HTMLParser):
    """Collects the words of a piece of HTML, as Wikimedia wraps its authors in it."""

    def __init__(self):
        super().__init__()
        self.words = []

    def handle_data(self, data: str) -> None:
        """Take what stands between the tags."""
        self.words.append(data)


def find_contact(contact: str) -> str:
    """Return how the learner can be reached, given or from the environment; LessonError without."""
    contact = (contact or os.environ.get(CONTACT, "")).strip()
    if "@" not in contact and not contact.startswith(("http://", "https://")):
        raise error("source_contact", contact=contact)
    return contact


def clean(value: object) -> str:
    """Return what a source says as one line of plain words: no markup, no control characters, not too long.

    A line that a table program would run as a formula gets an apostrophe in front.
    """
    parser = Words()
    parser.feed(str(value or "")[:20 * LONGEST])
    parser.close()
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in "".join(parser.words)).split())
    return ("'" if line.startswith(("=", "+", "-", "@")) else "") + line[:LONGEST]


def clean_url(value: object) -> str:
    """Return a web address as it is, "" for anything else."""
    url = str(value or "")
    try:
        fine = urlsplit(url).scheme in ("http", "https") and url.isprintable() and " " not in url and len(url) < 2000
    except ValueError:
        return ""
    return url if fine else ""


def read_licence(name: object) -> str:
    """Return a licence as Creative Commons abbreviates it ("CC BY-SA 4.0" -> "by-sa"), "" for one not known."""
    plain = re.sub(r"[^a-z0-9]+", "-", str(name or "").lower()).strip("-")
    if plain.startswith("cc0") or plain.startswith("cc-zero"):
        return "cc0"
    if plain in ("pdm", "public-domain", "public-domain-mark", "pd", "cc-pdm") or plain.startswith("pdm-"):
        return "pdm"
    found = re.fullmatch(r"(?:cc-)?(by(?:-nc)?(?:-nd|-sa)?)(?:-\d.*)?", plain)
    return found[1] if found else ""


def save_picture(content: bytes, folder: Path, url: str) -> tuple[str, int, int]:
    """Save a picture under a name made from its address; return name, width, height. LessonError for a broken one.

    A file of that name that holds something else stays: the picture then gets a number.
    """
    kind, _, _ = read_header(content)
    width, height = open_picture(content).size
    stem, number = hashlib.sha256(url.encode()).hexdigest()[:16], 1
    place = folder / f"{stem}{ENDINGS[kind]}"
    while os.path.lexists(place) and not (is_file(place) and place.read_bytes() == content):
        number += 1
        place = folder / f"{stem}_{number}{ENDINGS[kind]}"
    try:
        write_whole(place, content)
    except OSError as cause:
        raise error("cannot_write", path=place, cause=cause.strerror or cause) from cause
    return place.name, width, height


def is_whole(place: Path) -> bool:
    """Tell whether a file is a picture that can be read to its end."""
    try:
        decode(place)
    except LessonError:
        return False
    return True


def read_known(folder: Path) -> dict[str, Row]:
    """Return the rows of an earlier download by their pictures' addresses, of those that are still there and whole.

    A picture that was changed since, such as one that the learner cropped, is there too.
    """
    rows = {}
    for row in read_brought(folder):
        file = find_file(folder, row[FILE])
        if row["picture_url"] and is_file(file) and (sha256(file) == row.get("sha256") or is_whole(file)):
            rows[row["picture_url"]] = row
    return rows


def read_brought(folder: Path) -> list[Row]:
    """Return the rows that a download wrote, of both tables; the learner's own are not among them."""
    return [row for row in [*read_table(folder), *read_table(folder, NOT_FOR_TRAINING)] if row.get("picture_url")]


def make_row(candidate: Candidate, name: str, width: int, height: int, folder: Path) -> Row:
    """Return a picture's row of metadata.csv; its caption is left for a person or for `caption_folder`."""
    told = asdict(candidate)
    kept = {key: told[key] for key in ("title", "creator", "creator_url", "licence", "licence_url", "attribution",
                                       "source")}
    return {FILE: name, TEXT: "", **kept, "source_url": candidate.page, "picture_url": candidate.url,
            "training": "yes" if candidate.training else "no", "width": str(width), "height": str(height),
            "sha256": sha256(folder / name)}


def write_rows(folder: Path, rows: Sequence[Row]) -> None:
    """Add rows to metadata.csv and to ATTRIBUTION.txt; what may not be trained on goes to a table of its own.

    Rows and lines that others wrote stay, and so does a caption that a row has by then.
    """
    before = read_brought(folder)
    old = {row["picture_url"]: row for row in before}  # of a picture that was damaged, and now has another file
    rows = [{**row, TEXT: row[TEXT] or old.get(row["picture_url"], row)[TEXT]} for row in rows]
    gone = {old[row["picture_url"]][FILE] for row in rows if row["picture_url"] in old} - {row[FILE] for row in rows}
    allowed = [row for row in rows if row["training"] == "yes"]
    barred = [row for row in rows if row["training"] != "yes"]
    merge_rows(folder, allowed, drop=gone)
    merge_rows(folder, barred, NOT_FOR_TRAINING, drop=gone | {row[FILE] for row in allowed})
    write_attribution(folder, before, read_brought(folder))


def write_attribution(folder: Path, before: Sequence[Row], rows: Sequence[Row]) -> None:
    """Write the authors of all rows into ATTRIBUTION.txt, and keep every line there that no row gave."""
    path = folder / ATTRIBUTION
    try:
        there = path.read_bytes().decode("utf-8-sig", "surrogateescape").splitlines() if is_file(path) else []
        given = {line for spoken in LANGUAGES for line in attribute([*before, *rows], spoken)}
        own = [line for line in there if line.strip() and line not in given]
        if rows or there:
            write_whole(path, "\n".join([*attribute(rows, language()), *own, ""]).encode("utf-8", "surrogateescape"))
    except OSError as cause:
        raise error("cannot_write", path=path, cause=cause.strerror or cause) from cause


def attribute(rows: Sequence[Row], spoken: str) -> list[str]:
    """Return the lines that name the pictures' authors and licences, in a language."""
    def say(key: str, **values: object) -> str:
        return TEXTS[key][spoken].format(**values)

    lines = [say("source_attribution_head")] if rows else []
    for row in sorted(rows, key=lambda row: row[FILE]):
        words = row.get("attribution") or say("source_attribution", title=row.get("title") or row[FILE],
                                              creator=row.get("creator") or say("source_no_creator"),
                                              licence=row.get("licence") or say("source_no_licence"))
        marked = words if row.get("training") == "yes" else f"{words} {say('source_no_training')}"
        lines.append(f"{row[FILE]}: {marked}")
        lines += [f"    {row[key]}" for key in ("licence_url", "source_url") if row.get(key)]
    return lines
