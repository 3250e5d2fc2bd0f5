"""Openverse and Wikimedia Commons: search for pictures whose licence allows it, bring them here with their rights.

Unsplash and Pexels are here too, but not for training: their rules for programs forbid it.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

from course_lib.checks import check_secret, is_loopback
from course_lib.dataset.collecting.connection import read_address
from course_lib.dataset.collecting.rights import (
    FREE,
    LICENCES,
    PICTURE_BYTES,
    Brought,
    Candidate,
    clean,
    clean_url,
    find_contact,
    make_row,
    read_known,
    read_licence,
    save_picture,
    write_rows,
)
from course_lib.dataset.collecting.web import Busy, Web
from course_lib.dataset.table import Row
from course_lib.messages import LessonError, error, text

ANSWER_BYTES = 5_000_000
MOST = 240  # Openverse shows no more of one search without an account; more should not be taken at once anyway
PURPOSES = ("training", "display")  # "display": to be shown with the author's name, and never trained on
WIDTH = 1024  # px; Wikimedia makes pictures of this width, and wants the originals left alone


@dataclass(frozen=True)
class Service:
    """A source: its address, how its pages are asked for and read, its pause, its key, and whether one may train on it.

    `ask(query, licences, page)` gives path and values of a page; `read(content)` its candidates and the next page, None
    after the last.
    """

    base: str
    ask: Callable[[str, Collection[str], object], tuple[str, dict[str, object]]]
    read: Callable[[dict], tuple[list[Candidate], object]]
    pause: float
    key: str = ""  # environment variable
    key_form: str = ""
    training: bool = True
    needs_key: bool = False


def search(query: str, *, source: str = "openverse", count: int = 20, licences: Collection[str] = FREE,
           contact: str = "", base_url: str | None = None, purpose: str = "training",
           pause: float | None = None) -> list[Candidate]:
    """Ask "openverse", "commons", "unsplash" or "pexels" for up to `count` pictures with one of these `licences`.

    A picture without a licence is left out, and how many were is said. Unsplash and Pexels answer only a `purpose` that
    is not training. LessonError where the service gives no answer.
    """
    service = check_search(query, source, count, licences, purpose)
    headers = find_key(service)
    base = (base_url or service.base).rstrip("/")
    place = read_address(base).netloc
    if headers and base.startswith("http://") and not is_loopback(base):
        raise error("caption_key_open", base=base)
    found: list[Candidate] = []
    left_out = 0
    with Web(find_contact(contact), trusted=[place.decode("ascii")],
             pause=service.pause if pause is None else pause) as web:
        for candidates in turn_pages(web, service, base, query, licences, headers):
            for candidate in candidates:
                if not service.training or candidate.licence in licences:
                    # a key goes to the service alone, whatever address its answer names
                    home = candidate.notify and read_address(candidate.notify).netloc == place
                    found.append(candidate if home else replace(candidate, notify=""))
                else:
                    left_out += 1
            if len(found) >= count:
                break
    print(text("source_found", count=len(found[:count]), source=source, left_out=left_out))
    return found[:count]


def check_search(query: str, source: str, count: int, licences: Collection[str], purpose: str) -> Service:
    """Return the service of a name; LessonError for wrong arguments, or for training where it is forbidden."""
    if not isinstance(query, str) or not query.strip():
        raise error("make_scene", field="query", value=repr(query), allowed="…")
    for field, value, allowed in (("source", source, list(SERVICES)), ("purpose", purpose, PURPOSES)):
        if value not in allowed:
            raise error("make_scene", field=field, value=repr(value), allowed=text("list_comma").join(allowed))
    if isinstance(licences, str) or not licences or not set(licences) <= set(LICENCES):
        raise error("make_scene", field="licences", value=repr(licences), allowed=text("list_comma").join(LICENCES))
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise error("make_scene", field="count", value=repr(count), allowed=f"1 - {MOST}")
    service = SERVICES[source]
    if purpose == "training" and not service.training:
        raise error("source_purpose", source=source)
    return service


def find_key(service: Service) -> dict[str, str]:
    """Return the header that holds a service's key, from the environment alone; LessonError where one is needed."""
    key = check_secret(service.key, os.environ.get(service.key, "")) if service.key else ""
    if not key and service.needs_key:
        raise error("source_no_key", variable=service.key)
    return {"Authorization": service.key_form.format(key=key)} if key else {}


def turn_pages(web: Web, service: Service, base: str, query: str, licences: Collection[str],
               headers: dict[str, str]) -> Iterator[list[Candidate]]:
    """Yield one page of candidates after another until the source has no more; LessonError for what is no answer."""
    page: object = 1
    for _ in range(MOST):  # a service that always names another page is not followed for ever
        path, values = service.ask(query, licences, page)
        url = f"{base}{path}?{urlencode(values)}"
        answer = web.get(url, most_bytes=ANSWER_BYTES, headers=headers, stay=True)
        try:
            told = json.loads(answer.content)
            if "error" in told:  # Wikimedia says so with status 200
                raise error("source_said", source=base, words=clean(told["error"])[:200])
            candidates, page = service.read(told)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as cause:
            raise error("source_strange", source=base, kind=answer.kind or "-") from cause
        yield candidates
        if page is None:
            return


def ask_openverse(query: str, licences: Collection[str], page: object) -> tuple[str, dict[str, object]]:
    """Ask for a page of Openverse: 20 pictures, as many as it gives without an account."""
    return "/v1/images/", {"q": query, "license": ",".join(sorted(licences)), "page": page, "page_size": 20,
                           "mature": "false"}


def read_openverse(told: dict) -> tuple[list[Candidate], object]:
    """Read a page of Openverse."""
    found = [Candidate(
        "openverse", clean_url(row["url"]), clean_url(row.get("foreign_landing_url")), clean(row.get("title")),
        clean(row.get("creator")), clean_url(row.get("creator_url")), read_licence(row.get("license")),
        clean_url(row.get("license_url")), clean(row.get("attribution")), number(row.get("width")),
        number(row.get("height"))) for row in told["results"] if not row.get("mature")]
    page, pages = int(told["page"]), int(told["page_count"])
    return [each for each in found if each.url], page + 1 if page < min(pages, MOST // 20) else None


def ask_commons(query: str, licences: Collection[str], page: object) -> tuple[str, dict[str, object]]:
    """Ask for a page of Wikimedia Commons; `page` is 1, then what its last answer said to go on with."""
    onwards = page if isinstance(page, dict) else {}
    return "/w/api.php", {"action": "query", "format": "json", "formatversion": 2, "generator": "search",
                          "gsrsearch": f"filetype:bitmap {query}", "gsrnamespace": 6, "gsrlimit": 20,
                          "prop": "imageinfo", "iiprop": "url|size|user|extmetadata", "iiurlwidth": WIDTH, **onwards}


def read_commons(told: dict) -> tuple[list[Candidate], object]:
    """Read a page of Wikimedia Commons; the authors' names come as HTML."""
    pages = sorted(told.get("query", {}).get("pages", []), key=lambda page: page.get("index", 0))
    found = []
    for info, title in ((page["imageinfo"][0], page["title"]) for page in pages if page.get("imageinfo")):
        facts = {name: value.get("value", "") for name, value in info.get("extmetadata", {}).items()}
        found.append(Candidate(
            "commons", clean_url(info.get("thumburl") or info.get("url")), clean_url(info.get("descriptionurl")),
            clean(title.removeprefix("File:")), clean(facts.get("Artist")) or clean(info.get("user")), "",
            read_licence(facts.get("LicenseShortName")), clean_url(facts.get("LicenseUrl")),
            clean(facts.get("Attribution")), number(info.get("thumbwidth") or info.get("width")),
            number(info.get("thumbheight") or info.get("height"))))
    onwards = {str(key): str(value) for key, value in told.get("continue", {}).items()}
    return [each for each in found if each.url], onwards or None


def ask_unsplash(query: str, licences: Collection[str], page: object) -> tuple[str, dict[str, object]]:
    """Ask for a page of Unsplash."""
    return "/search/photos", {"query": query, "page": page, "per_page": 30}


def read_unsplash(told: dict) -> tuple[list[Candidate], object]:
    """Read Unsplash's first page; its answer does not say which page it is, and 30 pictures are enough to look at."""
    found = [Candidate(
        "unsplash", clean_url(row["urls"]["regular"]), clean_url(row["links"]["html"]),
        clean(row.get("alt_description")), clean(row["user"]["name"]), clean_url(row["user"]["links"]["html"]),
        licence_url="https://unsplash.com/license", width=number(row.get("width")), height=number(row.get("height")),
        training=False, notify=clean_url(row["links"].get("download_location"))) for row in told["results"]]
    return found, None


def ask_pexels(query: str, licences: Collection[str], page: object) -> tuple[str, dict[str, object]]:
    """Ask for a page of Pexels."""
    return "/v1/search", {"query": query, "page": page, "per_page": 80}


def read_pexels(told: dict) -> tuple[list[Candidate], object]:
    """Read a page of Pexels."""
    found = [Candidate(
        "pexels", clean_url(row["src"]["large"]), clean_url(row["url"]), clean(row.get("alt")),
        clean(row["photographer"]), clean_url(row.get("photographer_url")),
        licence_url="https://www.pexels.com/license/", width=number(row.get("width")),
        height=number(row.get("height")), training=False) for row in told["photos"]]
    return found, int(told["page"]) + 1 if told.get("next_page") else None


def number(value: object) -> int:
    """Return a width or height as a source tells it, 0 where it does not."""
    return int(value) if isinstance(value, (int, float)) and 0 < value < 1e6 else 0


def download(candidates: Sequence[Candidate], folder: str | Path, *, contact: str = "", purpose: str = "training",
             pause: float = 1.0, trusted: Collection[str] = ()) -> Brought:
    """Bring pictures into a folder with metadata.csv and ATTRIBUTION.txt; run again, it goes on where it stopped.

    One that fails costs its row and is named with the reason. LessonError, before anything is fetched, for pictures
    that may not be used for this purpose. `trusted` are hosts inside this network that may be asked.
    """
    folder = Path(folder)
    if purpose not in PURPOSES:
        raise error("make_scene", field="purpose", value=repr(purpose), allowed=text("list_comma").join(PURPOSES))
    if purpose == "training" and (closed := {each.source for each in candidates if not each.training}):
        raise error("source_purpose", source=text("list_comma").join(sorted(closed)))
    contact = find_contact(contact)
    folder.mkdir(parents=True, exist_ok=True)
    known = read_known(folder)
    brought = Brought([], [], [])
    busy_hosts: set[str] = set()
    with Web(contact, trusted=trusted, pause=pause) as web:
        for candidate in {each.url: each for each in candidates}.values():
            if candidate.url in known:
                brought.kept.append(known[candidate.url]["file_name"])
                continue
            host = candidate.url
            try:
                host = read_address(candidate.url).host
                if host in busy_hosts:
                    raise error("source_busy", url=host, status=429)
                row = bring(web, candidate, folder)
            except LessonError as problem:
                busy_hosts |= {host} if isinstance(problem, Busy) else set()
                brought.problems.append((candidate.url, f"{problem.what} {problem.why}"))
                continue
            brought.saved.append(row["file_name"])
            write_rows(folder, [row])
    print(text("source_brought", saved=len(brought.saved), kept=len(brought.kept), failed=len(brought.problems),
               folder=folder.name))
    return brought


def bring(web: Web, candidate: Candidate, folder: Path) -> Row:
    """Fetch and save one picture; return its row. LessonError for anything that is no whole picture."""
    if candidate.notify:  # Unsplash counts downloads at an address of its own, with the key
        web.get(candidate.notify, most_bytes=ANSWER_BYTES, headers=find_key(SERVICES["unsplash"]), stay=True)
    answer = web.get(candidate.url, most_bytes=PICTURE_BYTES)
    if answer.kind in ("text/html", "application/xhtml+xml", "application/json"):
        raise error("source_no_picture", kind=answer.kind)
    name, width, height = save_picture(answer.content, folder, candidate.url)
    return make_row(candidate, name, width, height, folder)


SERVICES = {
    "openverse": Service("https://api.openverse.org", ask_openverse, read_openverse, pause=3.0,  # 20 a minute
                         key="OPENVERSE_TOKEN", key_form="Bearer {key}"),
    "commons": Service("https://commons.wikimedia.org", ask_commons, read_commons, pause=1.0),
    "unsplash": Service("https://api.unsplash.com", ask_unsplash, read_unsplash, pause=1.0, training=False,
                        key="UNSPLASH_ACCESS_KEY", key_form="Client-ID {key}", needs_key=True),
    "pexels": Service("https://api.pexels.com", ask_pexels, read_pexels, pause=1.0, training=False,
                      key="PEXELS_API_KEY", key_form="{key}", needs_key=True),
}
