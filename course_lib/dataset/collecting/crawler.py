"""A polite fetcher of a site's pictures: robots.txt obeyed, one request a second, its name given, its own host only.

What a site lets robots read is not what it lets anybody use: the rights of every picture still have to be asked for.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from protego import Protego

from course_lib.checks import is_loopback
from course_lib.dataset.collecting.connection import read_address
from course_lib.dataset.collecting.pages import read_page, read_words
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
from course_lib.dataset.collecting.web import Busy, Web
from course_lib.messages import LessonError, error, text

ROBOT = "KolorsCourse"  # the name that robots.txt and pages may speak to
ROBOTS_BYTES = 500_000  # as much of robots.txt as RFC 9309 asks a robot to read
PAGE_BYTES = 2_000_000
LONGEST_URL = 500  # letters; a trap of links makes ever longer ones
FASTEST = 1.0  # seconds between two requests to a site that is not on this machine, whatever the learner asks for
AGENT = "KolorsCourse/0.1"  # both forms of it: robots.txt may give either
A_YEAR = 365 * 24 * 3600  # seconds
MOST_RULES = 2_000_000
SLOWEST = 60.0  # seconds between two requests; a site that asks for more does not want robots
LOOKS, TRIES = 20, 10  # addresses looked at for a page that is read, pictures tried for one that is wanted
MOST_OFFERED = 20_000  # pictures of all pages
CLOSED = ("noindex", "none", "noai", "noimageai", "noimageindex")  # what a page says of its pictures


@dataclass(frozen=True)
class Rules:
    """What a site's robots.txt says: which addresses may be read, and how many seconds apart."""

    parser: Protego
    pause: float

    def allow(self, url: str) -> bool:
        """Say whether this robot may read an address."""
        try:
            return self.parser.can_fetch(url, AGENT)
        except ValueError:  # no address at all
            return False


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
    home = read_address(start)
    start, place = str(home), home.netloc.decode("ascii")
    pause = choose_pause(start, pause)
    with Web(contact, trusted=[place], pause=pause) as web:
        rules = read_rules(web, f"{home.scheme}://{place}", pause)
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
    try:
        answer = web.get(f"{site}/robots.txt", most_bytes=ROBOTS_BYTES, stay=True, accepted=(200, 404, 410))
    except LessonError as cause:
        raise error("source_robots_unread", site=site, cause=cause.what) from cause
    try:
        parser = parse_rules(answer.content.decode("utf-8-sig", "replace") if answer.status == 200 else "")
    except ValueError as cause:
        raise error("source_robots_unread", site=site, cause=text("source_rules_many", most=MOST_RULES)) from cause
    rate = parser.request_rate(AGENT)
    wanted = max(min(parser.crawl_delay(AGENT) or 0, A_YEAR), min(rate.seconds, A_YEAR) / rate.requests if rate else 0)
    if wanted > SLOWEST:
        raise error("source_slow", site=site, seconds=round(wanted))
    return Rules(parser, max(pause, wanted))


def parse_rules(rules: str) -> Protego:
    """Parse a robots.txt; ValueError for one that would fill the memory: each rule counts for each robot before it."""
    if rules.lower().count("agent") * len(rules.splitlines()) > MOST_RULES:
        raise ValueError(f"more than {MOST_RULES} rules")
    return Protego.parse(rules)


def walk(web: Web, rules: Rules, start: str, most_pages: int, depth: int) -> dict[str, tuple[str, str]]:
    """Read pages breadth-first; return the pictures that they show: address -> (page, words beside it)."""
    waiting, seen = deque([(start, 0)]), {start}
    offered: dict[str, tuple[str, str]] = {}
    read = looked = 0
    while waiting and read < most_pages and looked < LOOKS * most_pages:
        url, far = waiting.popleft()
        looked += 1
        if not rules.allow(url):  # asked when its turn comes: a page may hold more links than rules can be asked about
            continue
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
        page = read_page(answer, ROBOT)
        if not page.said & set(CLOSED):
            for picture, words in page.pictures[:MOST_OFFERED - len(offered)]:
                offered.setdefault(picture[:LONGEST_URL + 1], (answer.url, words[:LONGEST_URL]))
        if far < depth and not page.said & {"nofollow", "none"}:
            for link in page.links:
                if len(seen) < LOOKS * most_pages and link not in seen and is_near(link, start):
                    seen.add(link)
                    waiting.append((link, far + 1))
    return offered


def is_near(url: str, start: str) -> bool:
    """Say whether an address is on the same site and not too long to be true."""
    try:
        there, home = urlsplit(url), urlsplit(start)
    except ValueError:
        return False
    return (there.scheme, there.netloc) == (home.scheme, home.netloc) and len(url) <= LONGEST_URL


def bring_all(web: Web, rules: Rules, offered: dict[str, tuple[str, str]], folder: Path, most: int) -> Brought:
    """Fetch the pictures that were found, those on the same site that robots may read; the others are named."""
    known, brought = read_known(folder), Brought([], [], [])
    for url, (page, words) in offered.items():
        if url in known:
            brought.kept.append(known[url]["file_name"])
            continue
        if len(brought.saved) >= most or len(brought.problems) >= TRIES * most:
            break
        try:
            if not is_near(url, page) or not rules.allow(url):
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
        brought.saved.append(name)
        write_rows(folder, [make_row(candidate, name, width, height, folder)])
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
    write_rows(folder, [{**row, "training": "yes", "licence": clean(licence)} for row in rows.values()
                        if row["file_name"] in names])
