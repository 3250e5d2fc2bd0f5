"""Ask a web server politely: say who asks, wait one's turn, try again with longer pauses, believe nothing."""

import ipaddress
import socket
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import httpx

from course_lib.messages import LessonError, error

AGENT = "KolorsCourse/0.1 (+{contact}) httpx"  # Wikimedia and polite crawling want an address that can be written to
TRIES = 4
BUSY = (429, 500, 502, 503, 504)  # answers after which it is worth asking again
LONGEST_WAIT = 60.0  # seconds; a server that asks for a longer pause is left alone, and the learner told
MOST_REDIRECTS = 5
SECONDS = 30.0  # without a byte


@dataclass(frozen=True)
class Answer:
    """A server's whole answer: status, body, content type without parameters, headers, and the address it came from."""

    status: int
    content: bytes
    kind: str
    headers: Mapping[str, str]
    url: str


class Busy(LessonError):
    """A server that wants to be left alone for now."""


class Web:
    """Asks one request after another, `pause` seconds apart, and after a failure waits 1, 2, 4 times `first_wait`.

    `trusted` are hosts (host or host:port) that the learner named; addresses inside this network are refused elsewhere.
    LessonError for every answer that is none.
    """

    def __init__(self, contact: str = "", *, trusted: Collection[str] = (), pause: float = 1.0,
                 first_wait: float = 1.0):
        self.trusted, self.pause, self.first_wait = set(trusted), pause, first_wait
        self._last = -1e9
        agent = AGENT.format(contact=contact) if contact else "KolorsCourse/0.1"
        self._client = httpx.Client(timeout=SECONDS, follow_redirects=False, headers={
            "User-Agent": check_letters(agent), "Accept-Encoding": "identity"})  # a small body may unpack to a huge one

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *problem: object) -> None:
        self._client.close()

    def get(self, url: str, *, most_bytes: int, headers: Mapping[str, str] | None = None, stay: bool = False,
            accepted: Collection[int] = (200,)) -> Answer:
        """Get an address, redirects followed by hand; `headers` go to its own host alone, `stay` forbids another host.

        LessonError for an address or redirect that is refused, a status not in `accepted`, or more than `most_bytes`.
        """
        first = urlsplit(url).netloc
        for _ in range(MOST_REDIRECTS + 1):
            self.check_address(url)
            at_home = urlsplit(url).netloc == first
            answer = self.ask("GET", url, most_bytes=most_bytes, headers=headers if at_home else None)
            if answer.status not in (301, 302, 303, 307, 308) or not answer.headers.get("location"):
                break
            target = urljoin(url, answer.headers["location"])
            if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                raise error("source_downgrade", url=shown(url), target=shown(target))
            if stay and urlsplit(target).netloc != first:
                raise error("source_other_host", url=shown(url), target=shown(target))
            url = target
        else:
            raise error("source_redirects", url=shown(url), most=MOST_REDIRECTS)
        if answer.status not in accepted:
            raise refused(answer.status, url)
        return answer

    def ask(self, method: str, url: str, *, most_bytes: int, headers: Mapping[str, str] | None = None,
            json: object = None) -> Answer:
        """Send one request, again after a pause where the server is busy or the line breaks; no redirects."""
        for attempt in range(TRIES):
            self.wait_turn()
            try:
                answer = self.receive(method, url, most_bytes, headers, json)
            except (httpx.TransportError, httpx.InvalidURL, OSError) as cause:
                if attempt == TRIES - 1 or isinstance(cause, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
                    raise error("source_silent", url=shown(url), cause=type(cause).__name__) from cause
                time.sleep(2 ** attempt * self.first_wait)
                continue
            if answer.status not in BUSY or attempt == TRIES - 1:
                return answer
            wait = read_wait(answer.headers.get("retry-after", ""))
            if wait is not None and wait > LONGEST_WAIT:
                raise busy("source_wait", url=shown(url), seconds=round(wait))
            time.sleep(2 ** attempt * self.first_wait if wait is None else wait)
        raise AssertionError("unreachable")

    def receive(self, method: str, url: str, most_bytes: int, headers: Mapping[str, str] | None,
                json: object) -> Answer:
        """Receive one answer, no more than `most_bytes` of it whatever its headers promise."""
        with self._client.stream(method, url, headers=headers, json=json) as response:
            length = response.headers.get("content-length", "")
            if length.isdecimal() and int(length) > most_bytes:
                raise error("source_too_large", url=shown(url), most=most_bytes // 1000)
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise error("source_packed", url=shown(url))
            content = bytearray()
            for block in response.iter_raw():
                content += block
                if len(content) > most_bytes:
                    raise error("source_too_large", url=shown(url), most=most_bytes // 1000)
            kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
            return Answer(response.status_code, bytes(content), kind, response.headers, url)

    def wait_turn(self) -> None:
        """Wait until `pause` seconds have passed since the last request."""
        left = self._last + self.pause - time.monotonic()
        if left > 0:
            time.sleep(left)
        self._last = time.monotonic()

    def check_address(self, url: str) -> None:
        """Refuse what is no web address, and a private one that the learner did not name: LessonError."""
        try:
            parts = urlsplit(url)
            host, place = parts.hostname, parts.netloc
            parts.port  # noqa: B018 - raises ValueError where it is no number
        except ValueError as cause:
            raise error("source_address", url=shown(url)) from cause
        if parts.scheme not in ("http", "https") or not host or "@" in place:
            raise error("source_address", url=shown(url))
        if not {host, place} & self.trusted and any(is_private(address) for address in resolve(host)):
            raise error("source_private", url=shown(url))


def resolve(host: str) -> list[str]:
    """Return a host's addresses; none where its name is not known here, since then nothing is reached either."""
    try:
        return sorted({found[4][0] for found in socket.getaddrinfo(host, None)})
    except (OSError, UnicodeError):
        return []


def is_private(address: str) -> bool:
    """Say whether an IP address is not one of the public internet: this machine, its network, or reserved."""
    found = ipaddress.ip_address(address.split("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return not (mapped or found).is_global or found.is_multicast


def read_wait(value: str) -> float | None:
    """Read a Retry-After header, seconds or a date, as seconds from now; None for neither."""
    if value.strip().isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=timezone.utc)
    return max(0.0, (until - datetime.now(timezone.utc)).total_seconds())


def refused(status: int, url: str) -> LessonError:
    """Build the LessonError of a status that is no answer."""
    if status in (429, 503):
        return busy("source_busy", url=shown(url), status=status)
    key = {401: "source_key", 403: "source_key", 404: "source_gone", 410: "source_gone"}.get(status)
    return error(key or "source_status", url=shown(url), status=status)


def busy(key: str, **values: object) -> Busy:
    """Build the error of a server that has had enough."""
    told = error(key, **values)
    return Busy(told.what, told.why, told.next_step)


def shown(url: str) -> str:
    """Return an address without its query, which may hold a key, and not too long to be read."""
    return url.split("?")[0].split("#")[0][:150]


def check_letters(agent: str) -> str:
    """Answer a contact that no header can hold with a LessonError."""
    if not agent.isascii() or not agent.isprintable():
        raise error("source_contact", contact=agent)
    return agent


def is_loopback(url: str) -> bool:
    """Say whether an address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
