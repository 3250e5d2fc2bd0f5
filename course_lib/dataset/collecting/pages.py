"""What a page links to and shows, and what it says to robots, in whatever encoding it was written."""

import codecs
import re
import warnings
from dataclasses import dataclass
from itertools import chain, islice
from urllib.parse import urldefrag, urljoin

from bs4 import BeautifulSoup, SoupStrainer, Tag
from bs4.dammit import EncodingDetector, UnicodeDammit

from course_lib.dataset.collecting.web import Answer

MOST_TAGS = 30_000  # of a page; what comes after them is not read (10,000 take about a second)
MOST_SET = 10_000  # letters of one srcset
MOST_SOURCES = 20  # of one picture
SAMPLE = 20_000  # bytes by which an encoding is guessed that nobody names
TAGS = ("base", "meta", "a", "img", "picture", "source")
# Where a page keeps a picture's address, the best first: `src` may be a small one, or a placeholder that a script
# replaces as soon as the picture is scrolled to.
SETS, SINGLE = ("srcset", "data-srcset"), ("data-src", "data-original", "data-lazy-src", "src")
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Encodings a page may name, as Python calls them; the wider one is what browsers read for it.
WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "hz": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949",
         "big5": "big5hkscs", "cp950": "big5hkscs", "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254",
         "tis-620": "cp874", "utf-16": "utf-8", "utf-16-le": "utf-8", "utf-16-be": "utf-8"}
KNOWN = re.compile(r"utf-8|gb18030|big5hkscs|cp(125\d|874|866|932|949)|iso8859-\d+|euc_jp|iso2022_jp|koi8-[ru]")


@dataclass(frozen=True)
class Page:
    """A page's links, its pictures (address, words beside it), and its words to robots by their names, "*" for all."""

    links: list[str]
    pictures: list[tuple[str, str]]
    said: frozenset[str]


def read_page(answer: Answer, robot: str) -> Page:
    """Read a page as a browser would; `robot` is the name by which it may speak to us."""
    words = decode(answer.content, answer.headers.get("content-type", ""))
    words = "<".join(words.replace("\0", "").split("<", MOST_TAGS + 1)[:MOST_TAGS + 1])
    with warnings.catch_warnings():  # that it looks like XML, or like a file's name
        warnings.simplefilter("ignore")
        found = BeautifulSoup(words, "lxml", parse_only=SoupStrainer(list(TAGS)))
    base = find_base(found, answer.url)
    links = [full(base, link["href"]) for link in found.find_all("a", href=True)
             if "nofollow" not in [word.lower() for word in link.get_attribute_list("rel") if word]]
    pictures = [(find_picture(image, base), str(image.get("alt", ""))) for image in found.find_all("img")]
    said = [read_words(str(meta.get("content", ""))) for meta in found.find_all("meta")
            if str(meta.get("name", "")).lower() in ("robots", robot.lower())]
    said.append(read_words(answer.headers.get("x-robots-tag", "")))
    return Page([link for link in links if link], [each for each in pictures if each[0]], frozenset().union(*said))


def decode(content: bytes, kind: str) -> str:
    """Return a page's words: by its mark, its head (`kind`, a content type), its own word, or as most likely."""
    for mark, name in MARKS.items():
        if content.startswith(mark):
            return content.decode(name, "replace")
    named = re.search(r"""charset\s*=\s*["']?([\w.:-]+)""", kind, re.IGNORECASE)
    declared = [named and named[1], EncodingDetector.find_declared_encoding(content, is_html=True)]
    names = [name for name in map(find_encoding, declared) if name]
    for name in [*names, "utf-8"]:
        try:
            return content.decode(name)
        except UnicodeDecodeError:
            continue
    guessed = names or [find_encoding(UnicodeDammit(content[:SAMPLE], is_html=True).original_encoding)]
    return content.decode(guessed[0] or "utf-8", "replace")


def find_encoding(label: str | None) -> str:
    """Return Python's name of an encoding that a page may have, "" for anything else."""
    try:
        name = codecs.lookup(label or "").name
    except (LookupError, ValueError):
        return ""
    name = WIDER.get(name, name)
    return name if KNOWN.fullmatch(name) else ""


def find_base(found: BeautifulSoup, url: str) -> str:
    """Return the address that a page's links count from: its own, or the one that it names."""
    named = found.find("base", href=True)
    base = full(url, named["href"]) if named else ""
    return base if base.startswith(("http://", "https://")) else url


def find_picture(image: Tag, base: str) -> str:
    """Return the address of the best form of a picture, "" where there is none; one inline comes as it is."""
    offered = chain(list_set(image), (str(image.get(name, "")) for name in SINGLE),
                    *map(list_set, find_sources(image)))
    inline = ""
    for address in (full(base, each) for each in offered if each.strip()):
        if address.startswith(("http://", "https://")):
            return address
        inline = inline or address
    return inline


def find_sources(image: Tag) -> list[Tag]:
    """Return the other forms that a <picture> offers; the parser puts an image into the <source> before it."""
    found, place = [], image
    for _ in range(MOST_SOURCES):
        before = [tag for tag in islice(place.previous_siblings, MOST_SOURCES) if tag.name == "source"]
        found += before + [place] * (place.name == "source")
        place = place.parent
        if place is None or place.name == "picture":
            break
    return found if place is not None and place.name == "picture" else []


def list_set(tag: Tag) -> list[str]:
    """Return the addresses in a tag's srcset ("a.png 480w, b.png 2x": with width or times), the largest first."""
    found: list[tuple[float, str]] = []
    for value in (str(tag.get(name, ""))[:MOST_SET] for name in SETS):
        address = ""
        for word in value.split():
            if address:
                size, comma, word = word.partition(",")
                found.append((read_size(size), address))
                if not comma:
                    continue  # a height may follow a width
            ended = word.endswith(",")
            address = "" if ended else word
            if ended:
                found.append((1.0, word.rstrip(",")))
        found.append((1.0, address))
    return [address for _, address in sorted(found, key=lambda each: -each[0])]


def read_size(size: str) -> float:
    """Return what stands before w or x, 1 for anything else."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)[wx]", size)
    return float(found[1]) if found else 1.0


def full(base: str, link: str) -> str:
    """Return a link as a whole address without its fragment, "" for one that is none."""
    try:
        return urldefrag(urljoin(base, link.strip())).url
    except ValueError:
        return ""


def read_words(said: str) -> frozenset[str]:
    """Return the words of a robots rule: "NoIndex, noai" -> {"noindex", "noai"}."""
    return frozenset(said.lower().replace(",", " ").replace(":", " ").split())
