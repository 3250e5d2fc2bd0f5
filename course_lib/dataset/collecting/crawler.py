"""A polite fetcher of a site's pictures: robots.txt obeyed, one request a second, its name given, its own host only.

What a site lets robots read is not what it lets anybody use: the rights of every picture still have to be asked for.
"""

import re
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from course_lib.dataset.collecting.rights import (
    PICTURE_BYTES,
    Brought,
    Candidate,
    clean,
    find_contact,
    make_row,
    read_known,
    save_picture,
    write_rows,
)
from course_lib.dataset.collecting.web import Answer, Busy, Web, is_loopback
from course_lib.messages import LessonError, error, text

ROBOT = "KolorsCourse"  # the name that robots.txt may speak to
ROBOTS_BYTES = 500_000  # as much of robots.txt as RFC 9309 asks a robot to read
PAGE_BYTES = 2_000_000
LONGEST_URL = 500  # letters; a trap of links makes ever longer ones
FASTEST = 1.0  # seconds between two requests to a site that is not on this machine, whatever the learner asks for
SLOWEST = 60.0  # seconds between two requests; a site that asks for more does not want robots
CLOSED = ("noindex", "none", "noai", "noimageai", "noimageindex")  # what a page says of its pictures


@dataclass(frozen=True)
class Rules:
    """What a site's robots.txt says: which addresses may be read, and how many seconds apart.

    `patterns` are the disallowed paths with `*` and `$`, which Python's own parser does not understand.
    """

    parser: RobotFileParser
    pause: float
    patterns: tuple[re.Pattern, ...] = ()

    def allow(self, url: str) -> bool:
        """Say whether this robot may read an address."""
        parts = urlsplit(url)
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        return self.parser.can_fetch(ROBOT, url) and not any(pattern.match(path) for pattern in self.patterns)


class Page(HTMLParser):
    """Collects a page's links and pictures (address, words beside it), and what it says to robots."""

    def __init__(self, url: str):
        super().__init__()
        self.base = url
        self.links: list[str] = []
        self.pictures: list[tuple[str, str]] = []
        self.said: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Take links, pictures and what a page says to robots."""
        given = {name: value or "" for name, value in attributes}
        if tag == "a" and given.get("href") and "nofollow" not in given.get("rel", "").lower().split():
            self.links.append(self.full(given["href"]))
        elif tag == "img" and given.get("src"):
            self.pictures.append((self.full(given["src"]), given.get("alt", "")))
        elif tag == "meta" and given.get("name", "").lower() in ("robots", ROBOT.lower()):
            self.said |= read_words(given.get("content", ""))

    def full(self, link: str) -> str:
        """Return a link as a whole address without its fragment, "" for one that is none."""
        try:
            return urldefrag(urljoin(self.base, link.strip())).url
        except ValueError:
            return ""


def crawl(start: str, folder: str | Path, *, contact: str = "", most_pages: int = 20, most_pictures: int = 50,
          depth: int = 2, pause: float = 1.0) -> Brought:
    """Bring the pictures of a site's pages, from `start` up to `depth` links away, into a folder, with where they were.

    Only the host of `start` is visited, only what its robots.txt allows, no faster than it asks, and once a second at
    most. No licence is known, so the rows say `training: no` until the learner has asked. LessonError for a site's no.
    """
    for field, value, high in (("most_pages", most_pages, 1000), ("most_pictures", most_pictures, 1000),
                               ("depth", depth, 10)):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= high:
            raise error("make_scene", field=field, value=repr(value), allowed=f"0 - {high}")
    contact, folder = find_contact(contact), Path(folder)
    home = urlsplit(start)
    pause = choose_pause(start, pause)
    with Web(contact, trusted=[home.netloc], pause=pause) as web:
        rules = read_rules(web, f"{home.scheme}://{home.netloc}", pause)
        web.pause = rules.pause
        if not rules.allow(start):
            raise error("source_robots", url=start)
        folder.mkdir(parents=True, exist_ok=True)
        offered = walk(web, rules, start, most_pages, depth)
        return bring_all(web, rules, offered, folder, most_pictures)


def choose_pause(start: str, pause: float) -> float:
    """Return the seconds between two requests: as asked for on this machine, and never under FASTEST elsewhere."""
    return max(pause, 0 if is_loopback(start) else FASTEST)


def read_rules(web: Web, site: str, pause: float) -> Rules:
    """Read a site's robots.txt: none means that all is allowed, an error of the server that nothing is (RFC 9309)."""
    parser = RobotFileParser()
    try:
        answer = web.get(f"{site}/robots.txt", most_bytes=ROBOTS_BYTES, stay=True, accepted=(200, 404, 410))
    except LessonError as cause:
        raise error("source_robots_unread", site=site, cause=cause.what) from cause
    lines = answer.content.decode("utf-8", "replace").lstrip("\ufeff").splitlines() if answer.status == 200 else []
    parser.parse(lines)
    rate = parser.request_rate(ROBOT)
    wanted = max(float(parser.crawl_delay(ROBOT) or 0), rate.seconds / rate.requests if rate and rate.requests else 0)
    if wanted > SLOWEST:
        raise error("source_slow", site=site, seconds=round(wanted))
    return Rules(parser, max(pause, wanted), read_patterns(lines))


def read_patterns(lines: list[str]) -> tuple[re.Pattern, ...]:
    """Read the disallowed paths with `*` or `$` that speak to this robot or to all; what is allowed again is not."""
    patterns, names, in_rules = [], set(), False
    for line in lines:
        field, _, value = (part.strip() for part in line.split("#")[0].partition(":"))
        if field.lower() == "user-agent":
            names = {value.lower()} if in_rules else names | {value.lower()}
            in_rules = False
        elif field:
            in_rules = True
            if field.lower() == "disallow" and names & {"*", ROBOT.lower()} and set("*$") & set(value):
                path = ".*".join(re.escape(part) for part in value.removesuffix("$").split("*"))
                patterns.append(re.compile(path + ("$" if value.endswith("$") else "")))
    return tuple(patterns)


def walk(web: Web, rules: Rules, start: str, most_pages: int, depth: int) -> dict[str, tuple[str, str]]:
    """Read pages breadth-first; return the pictures that they show: address -> (page, words beside it)."""
    waiting, seen = deque([(start, 0)]), {start}
    offered: dict[str, tuple[str, str]] = {}
    read = 0
    while waiting and read < most_pages:
        url, far = waiting.popleft()
        try:
            answer = web.get(url, most_bytes=PAGE_BYTES, stay=True)
        except Busy:
            break  # the site has had enough
        except LessonError:
            if far == 0:
                raise
            continue
        read += 1
        if answer.kind not in ("text/html", "application/xhtml+xml") or not rules.allow(answer.url):
            continue
        page = read_page(answer)
        if not page.said & set(CLOSED):
            for picture, words in page.pictures:
                offered.setdefault(picture, (answer.url, words))
        if far < depth and not page.said & {"nofollow", "none"}:
            for link in page.links:
                if link not in seen and may_visit(link, start, rules):
                    seen.add(link)
                    waiting.append((link, far + 1))
    return offered


def read_page(answer: Answer) -> Page:
    """Read a page's links, pictures, and what it and its headers say to robots."""
    page = Page(answer.url)
    page.feed(answer.content.decode("utf-8", "replace"))
    page.close()
    page.said |= read_words(answer.headers.get("x-robots-tag", ""))
    return page


def read_words(said: str) -> set[str]:
    """Return the words of a robots rule: "NoIndex, noai" -> {"noindex", "noai"}."""
    return set(said.lower().replace(",", " ").replace(":", " ").split())


def may_visit(url: str, start: str, rules: Rules) -> bool:
    """Say whether an address is on the same site, not too long to be true, and open to robots."""
    try:
        there, home = urlsplit(url), urlsplit(start)
    except ValueError:
        return False
    return (there.scheme, there.netloc) == (home.scheme, home.netloc) and len(url) <= LONGEST_URL and rules.allow(url)


def bring_all(web: Web, rules: Rules, offered: dict[str, tuple[str, str]], folder: Path, most: int) -> Brought:
    """Fetch the pictures that were found, those on the same site that robots may read; the others are named."""
    known = read_known(folder)
    rows, brought = dict(known), Brought([], [], [])
    for url, (page, words) in offered.items():
        if url in known:
            brought.kept.append(known[url]["file_name"])
            continue
        if len(brought.saved) >= most:
            break
        try:
            if not may_visit(url, page, rules):
                raise error("source_robots", url=url[:150])
            answer = web.get(url, most_bytes=PICTURE_BYTES, stay=True)
            if not rules.allow(answer.url) or read_words(answer.headers.get("x-robots-tag", "")) & set(CLOSED):
                raise error("source_robots", url=url[:150])
            name, width, height = save_picture(answer.content, folder, url)
        except LessonError as problem:
            brought.problems.append((url[:LONGEST_URL], f"{problem.what} {problem.why}"))
            if isinstance(problem, Busy):
                break
            continue
        candidate = Candidate("crawler", url, page, clean(words), training=False)
        rows[url] = make_row(candidate, name, width, height, folder)
        brought.saved.append(name)
        write_rows(folder, list(rows.values()))
    print(text("source_crawled", saved=len(brought.saved), kept=len(brought.kept), failed=len(brought.problems),
               folder=folder.name))
    return brought


def open_for_training(folder: str | Path, names: Collection[str], licence: str) -> None:
    """Write down that these pictures may be trained on, under the licence that their owner has told the learner."""
    folder = Path(folder)
    rows = read_known(folder)
    unknown = set(names) - {row["file_name"] for row in rows.values()}
    if unknown or not licence.strip():
        raise error("make_scene", field="names", value=text("list_comma").join(sorted(unknown)) or repr(licence),
                    allowed=text("list_comma").join(row["file_name"] for row in rows.values()))
    for row in rows.values():
        if row["file_name"] in names:
            row.update(training="yes", licence=clean(licence))
    write_rows(folder, list(rows.values()))
