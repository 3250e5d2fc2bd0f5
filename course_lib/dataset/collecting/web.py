"""Ask a web server politely: say who asks, wait one's turn, try again with longer pauses, believe nothing."""

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import httpcore
import httpx

from course_lib.dataset.collecting.connection import Guard, find_port, find_proxy, read_address, shown
from course_lib.messages import LessonError, error

AGENT = "KolorsCourse/0.1 (+{contact}) httpx"  # Wikimedia and polite crawling want an address that can be written to
TRIES = 4
BUSY = (429, 500, 502, 503, 504)  # answers after which it is worth asking again
LONGEST_WAIT = 60.0  # seconds; a server that asks for a longer pause is left alone, and the learner told
MOST_REDIRECTS = 5
SECONDS = 20.0  # until an answer has begun; after that the next figure counts
SLOWEST = 5_000  # bytes a second; a server that sends fewer holds us for nothing
LONGEST = 300.0  # seconds for one answer however fast it comes, and after which nothing is tried again
MOST_SECONDS = 365 * 24 * 3600  # a pause that a server may ask for and that is told as it is
BROKEN = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, OSError)


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
                 first_wait: float = 1.0, seconds: float = SECONDS):
        self.pause, self.first_wait, self.seconds = pause, first_wait, seconds
        self._last = -1e9
        self._guard = Guard(trusted)
        self._lines: dict[httpx.URL | None, tuple[httpcore.ConnectionPool, Guard]] = {}  # by the proxy they use
        agent = AGENT.format(contact=contact) if contact else "KolorsCourse/0.1"
        self._headers = {"User-Agent": check_letters(agent), "Accept": "*/*",
                         "Accept-Encoding": "identity"}  # a small body may unpack to a huge one

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *problem: object) -> None:
        for pool, _ in self._lines.values():
            pool.close()

    def get(self, url: str, *, most_bytes: int, headers: Mapping[str, str] | None = None, stay: bool = False,
            accepted: Collection[int] = (200,)) -> Answer:
        """Get an address, redirects followed by hand; `headers` go to its own host alone, `stay` forbids another host.

        LessonError for an address or redirect that is refused, a status not in `accepted`, or more than `most_bytes`.
        """
        home = here = read_address(url)
        for _ in range(MOST_REDIRECTS + 1):
            self.check_address(str(here))
            answer = self.ask("GET", str(here), most_bytes=most_bytes,
                              headers=headers if here.netloc == home.netloc else None)
            if answer.status not in (301, 302, 303, 307, 308) or not answer.headers.get("location"):
                break
            target = join(here, answer.headers["location"])
            if here.scheme == "https" and target.scheme != "https":
                raise error("source_downgrade", url=shown(here), target=shown(target))
            if stay and target.netloc != home.netloc:
                raise error("source_other_host", url=shown(here), target=shown(target))
            here = target
        else:
            raise error("source_redirects", url=shown(here), most=MOST_REDIRECTS)
        if answer.status not in accepted:
            raise refused(answer.status, url)
        return answer

    def ask(self, method: str, url: str, *, most_bytes: int, headers: Mapping[str, str] | None = None,
            json: object = None) -> Answer:
        """Send one request, again after a pause where the server is busy or the line breaks; no redirects."""
        began = time.monotonic()
        for attempt in range(TRIES):
            last = attempt == TRIES - 1 or time.monotonic() - began > LONGEST
            self.wait_turn()
            try:
                answer = self.receive(method, url, most_bytes, headers, json)
            except httpcore.TimeoutException as cause:  # asked again, it would hold us as long again
                raise error("source_late", url=shown(url), seconds=round(time.monotonic() - self._last)) from cause
            except BROKEN as cause:
                if last:
                    raise error("source_silent", url=shown(url), cause=type(cause).__name__) from cause
                time.sleep(2 ** attempt * self.first_wait)
                continue
            if answer.status not in BUSY or last:
                return answer
            wait = read_wait(answer.headers.get("retry-after", ""))
            if wait is not None and wait > LONGEST_WAIT:
                raise busy("source_wait", url=shown(url), seconds=round(wait))
            time.sleep(2 ** attempt * self.first_wait if wait is None else wait)
        raise AssertionError("unreachable")

    def receive(self, method: str, url: str, most_bytes: int, headers: Mapping[str, str] | None,
                json: object) -> Answer:
        """Receive one answer, no more than `most_bytes` of it whatever its headers promise, and not for ever."""
        target = read_address(url)
        pool, guard = self.choose_line(target)
        began = time.monotonic()
        guard.until = began + self.seconds
        address = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
        with pool.stream(method, address, content=write_body(json),
                         headers=self.write_headers(target, headers, json)) as response:
            said = httpx.Headers(response.headers)
            check_said(said, url, most_bytes)
            content = bytearray()
            for block in response.iter_stream():
                content += block
                if len(content) > most_bytes:
                    raise error("source_too_large", url=shown(url), most=most_bytes // 1000)
                guard.until = began + min(self.seconds + len(content) / SLOWEST, max(LONGEST, self.seconds))
            kind = said.get("content-type", "").split(";")[0].strip().lower()
            return Answer(response.status, bytes(content), kind, said, url)

    def choose_line(self, target: httpx.URL) -> tuple[httpcore.ConnectionPool, Guard]:
        """Return what connects to an address: directly, or through the proxy that this machine's settings name."""
        proxy = find_proxy(target)
        if proxy not in self._lines:
            guard = self._guard if proxy is None else Guard([proxy.netloc.decode()])
            self._lines[proxy] = open_pool(proxy, guard), guard
        return self._lines[proxy]

    def write_headers(self, target: httpx.URL, headers: Mapping[str, str] | None, json: object) -> list:
        """Return what stands at the head of a request; keys come through `checks.check_secret`."""
        own = {"Host": target.netloc.decode("ascii"), **({} if json is None else {"Content-Type": "application/json"})}
        return list({**self._headers, **own, **(headers or {})}.items())

    def wait_turn(self) -> None:
        """Wait until `pause` seconds have passed since the last request."""
        left = self._last + self.pause - time.monotonic()
        if left > 0:
            time.sleep(left)
        self._last = time.monotonic()

    def check_address(self, url: str) -> None:
        """Refuse what is no web address, and a private one that the learner did not name: LessonError."""
        address = read_address(url)
        self._guard.find(address.raw_host.decode("ascii"), find_port(address))


def open_pool(proxy: httpx.URL | None, guard: Guard) -> httpcore.ConnectionPool:
    """Return httpcore's client, which connects by a guard alone and keeps no connection open between requests."""
    options = {"ssl_context": httpx.create_ssl_context(), "network_backend": guard, "max_keepalive_connections": 0}
    if proxy is None:
        return httpcore.ConnectionPool(**options)
    address = httpcore.URL(scheme=proxy.raw_scheme, host=proxy.raw_host, port=proxy.port, target=b"/")
    login = (proxy.username.encode(), proxy.password.encode()) if proxy.username else None
    return httpcore.HTTPProxy(address, proxy_auth=login, **options)


def write_body(json_value: object) -> bytes | None:
    """Return what a request carries."""
    return None if json_value is None else json.dumps(json_value, ensure_ascii=False, allow_nan=False).encode()


def check_said(said: httpx.Headers, url: str, most_bytes: int) -> None:
    """Refuse an answer that says of itself that it is too large or packed: LessonError."""
    length = said.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > most_bytes):
        raise error("source_too_large", url=shown(url), most=most_bytes // 1000)
    if said.get("content-encoding", "identity").lower() != "identity":
        raise error("source_packed", url=shown(url))


def join(here: httpx.URL, location: str) -> httpx.URL:
    """Return where a redirect leads; LessonError for what is no address."""
    try:
        return read_address(str(here.join(location)))
    except (httpx.InvalidURL, ValueError) as cause:
        raise error("source_address", url=shown(location)) from cause


def read_wait(value: str) -> float | None:
    """Read a Retry-After header, seconds or a date, as seconds from now; None for neither."""
    if value.strip().isdecimal():
        return min(float(value), MOST_SECONDS)
    try:
        until = parsedate_to_datetime(value)
        until = until if until.tzinfo else until.replace(tzinfo=timezone.utc)
        return min(max(0.0, (until - datetime.now(timezone.utc)).total_seconds()), MOST_SECONDS)
    except (TypeError, ValueError, OverflowError):
        return None


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


def check_letters(agent: str) -> str:
    """Answer a contact that no header can hold with a LessonError."""
    if not agent.isascii() or not agent.isprintable():
        raise error("source_contact", contact=agent)
    return agent
