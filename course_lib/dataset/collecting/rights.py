"""Pictures from the web with the rights they came with: saved under names of our own, their authors written down.

A folder that pictures were brought to holds them, metadata.csv (one row each, with creator, licence and where it came
from) and ATTRIBUTION.txt, which goes along wherever the pictures go.
"""

import hashlib
import os
import re
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from course_lib.dataset.table import FILE, NAME, TEXT, find_file, read_table, write_table
from course_lib.messages import LessonError, error, text
from course_lib.pictures.opening import ENDINGS, open_picture, read_header

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


# The columns of a row, for a table from which somebody has taken some.
COLUMNS = ("title", "creator", "creator_url", "licence", "licence_url", "attribution", "source", "source_url",
           "picture_url", "training", "width", "height", "sha256")
BLANK = dict.fromkeys(COLUMNS, "")


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

    A file of that name that holds something else is the learner's: the picture then gets a number.
    """
    kind, _, _ = read_header(content)
    width, height = open_picture(content).size
    stem, number = hashlib.sha256(url.encode()).hexdigest()[:16], 1
    name = stem + ENDINGS[kind]
    while (folder / name).exists() and (folder / name).read_bytes() != content:
        number += 1
        name = f"{stem}-{number}{ENDINGS[kind]}"
    replace_file(folder / name, content)
    return name, width, height


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in one step, so that what was there is whole until the new one is; LessonError where it fails."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as cause:
        part.unlink(missing_ok=True)
        raise error("cannot_write", path=path, cause=cause.strerror or cause) from cause


def read_known(folder: Path) -> dict[str, dict[str, str]]:
    """Return the rows of an earlier download by their pictures' addresses, of those that are still there and whole.

    A picture that the learner has cropped since is whole too, and is not fetched again.
    """
    rows = {}
    for row in [*read_table(folder), *read_table(folder, NOT_FOR_TRAINING)]:
        if row.get("picture_url") and is_whole(find_file(folder, row[FILE]), row.get("sha256", "")):
            rows[row["picture_url"]] = {**BLANK, **row}
    return rows


def is_whole(file: Path, digest: str) -> bool:
    """Say whether a file has this sha256, or is another picture that can be opened."""
    if not file.is_file():
        return False
    if sum_of(file) == digest:
        return True
    try:
        return bool(open_picture(file))
    except LessonError:
        return False


def sum_of(file: Path) -> str:
    """Return a file's sha256."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def make_row(candidate: Candidate, name: str, width: int, height: int, folder: Path) -> dict[str, str]:
    """Return a picture's row of metadata.csv; its caption is left for a person or for `caption_folder`."""
    told = asdict(candidate)
    kept = {key: told[key] for key in ("title", "creator", "creator_url", "licence", "licence_url", "attribution",
                                       "source")}
    return {FILE: name, TEXT: "", **kept, "source_url": candidate.page, "picture_url": candidate.url,
            "training": "yes" if candidate.training else "no", "width": str(width), "height": str(height),
            "sha256": sum_of(folder / name)}


def write_rows(folder: Path, changed: list[dict[str, str]]) -> None:
    """Put rows into metadata.csv and their authors into ATTRIBUTION.txt; every other row and line stays as it is.

    Rows that may not be trained on go to a table that no training reads.
    """
    old = {}
    for name, allowed in ((NAME, True), (NOT_FOR_TRAINING, False)):
        before = read_table(folder, name)
        old |= {row[FILE]: {**BLANK, **row} for row in before}
        after = merge_rows(before, changed, [row for row in changed if (row["training"] == "yes") == allowed])
        if after != before:
            write_table(folder, after, name)
    write_attribution(folder, changed, old)


def merge_rows(before: list[dict[str, str]], changed: list[dict[str, str]],
               wanted: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return a table's rows with the `wanted` in place of their old selves; those of `changed` alone leave it.

    A row's old self has its file's name, or its picture's address. A caption and columns of the learner's stay.
    """
    def is_of(row: dict[str, str], other: dict[str, str]) -> bool:
        return row[FILE] == other[FILE] or bool(other["picture_url"]) and row.get("picture_url") == other["picture_url"]

    after = [row for row in before if not any(is_of(row, other) for other in changed)]
    for row in wanted:
        old = next((each for each in before if is_of(each, row)), {})
        after.append({**old, **row, TEXT: row[TEXT] or old.get(TEXT, "")})
    return after


def write_attribution(folder: Path, rows: list[dict[str, str]], old: dict[str, dict[str, str]]) -> None:
    """Name the authors of these rows in ATTRIBUTION.txt, in place of what was written there of their old selves."""
    path = folder / ATTRIBUTION
    words = path.read_bytes().decode("utf-8-sig", "surrogateescape") if path.is_file() else ""
    lines = words.splitlines() or [text("source_attribution_head")]
    for row in rows:
        said, before = describe_rights(row), describe_rights(old.get(row[FILE], row))
        places = [number for number in range(len(lines)) if lines[number:number + len(before)] == before]
        if places:
            lines[places[0]:places[0] + len(before)] = said
        elif said[0] not in lines:
            lines += said
    if "\n".join(lines) != words.rstrip("\n") and rows:
        replace_file(path, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))


def describe_rights(row: dict[str, str]) -> list[str]:
    """Say whose a picture is and under which licence, with the addresses of both below."""
    words = row["attribution"] or text("source_attribution", title=row["title"] or row[FILE],
                                       creator=row["creator"] or text("source_no_creator"),
                                       licence=row["licence"] or text("source_no_licence"))
    marked = words if row["training"] == "yes" else f"{words} {text('source_no_training')}"
    return [f"{row[FILE]}: {marked}", *(f"    {row[key]}" for key in ("licence_url", "source_url") if row[key])]
