"""Connections to public addresses alone, each of them ended in time: what httpcore connects with for `web`.

A name is looked up once and what was looked up is connected to, so that a name cannot mean a public address when it is
checked and an inner one when it is reached.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from course_lib.checks import is_loopback
from course_lib.messages import error

PORTS = {"http": 80, "https": 443}
WEB = ipaddress.ip_network("2000::/3")  # all that the internet's IPv6 uses so far
# Ways to write an IPv4 address as an IPv6 one; it reaches what the former reaches. The offset is in bytes.
WRAPPED = {ipaddress.ip_network("::ffff:0:0/96"): 12, ipaddress.ip_network("64:ff9b::/96"): 12,  # mapped, NAT64
           ipaddress.ip_network("2002::/16"): 2}  # 6to4
CLOSED = [ipaddress.ip_network(each) for each in (
    "192.0.0.0/24", "192.88.99.0/24",  # protocols' own, relays of 6to4
    "2001::/23", "2001:db8::/32", "3fff::/20")]  # Teredo and other special uses, documentation


class Guard(httpcore.NetworkBackend):
    """Looks names up once, refuses those that lead inside, and connects to what it found, until `until` at most.

    `trusted` are hosts ("host" or "host:port") that the learner named and that may be inside. `until` is a moment of
    time.monotonic() after which whatever still comes or goes raises httpcore's timeouts.
    """

    def __init__(self, trusted: Collection[str] = ()):
        self.until = float("inf")
        self._trusted = {split_place(place) for place in trusted}
        self._found: dict[str, list[tuple]] = {}

    def find(self, host: str, port: int) -> list[tuple]:
        """Return (family, address) of a host, [] for a name not known here; LessonError where one is not public."""
        if not self._found.get(host):
            self._found[host] = look_up(host)
        found = self._found[host]
        if not {(host, None), (host, port)} & self._trusted and any(is_private(address) for _, address in found):
            raise error("source_private", url=host)
        return found

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                    socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None) -> "Stream":
        """Connect to the first address of a host that answers; httpcore's errors where none does."""
        problem: Exception = httpcore.ConnectError("unknown name")
        for family, address in self.find(host, port):
            line = socket.socket(family, socket.SOCK_STREAM)
            try:
                with explained(httpcore.ConnectTimeout, httpcore.ConnectError):
                    line.settimeout(self.count_left(timeout))
                    line.connect((address, port))
                    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return Stream(line, self)
            except (httpcore.ConnectTimeout, httpcore.ConnectError) as cause:
                line.close()
                problem = cause
        raise problem

    def count_left(self, timeout: float | None) -> float:
        """Return the seconds that may still be waited; TimeoutError when there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(left, left if timeout is None else timeout)


class Stream(httpcore.NetworkStream):
    """A connection whose every read and write keeps to its guard's time."""

    def __init__(self, line: socket.socket, guard: Guard):
        self._line, self._guard = line, guard

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has come, b"" at the end."""
        with explained(httpcore.ReadTimeout, httpcore.ReadError):
            self._line.settimeout(self._guard.count_left(timeout))
            return self._line.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        with explained(httpcore.WriteTimeout, httpcore.WriteError):
            self._line.settimeout(self._guard.count_left(timeout))
            self._line.sendall(buffer)

    def close(self) -> None:
        """End the connection."""
        self._line.close()

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
                  timeout: float | None = None) -> "Stream":
        """Go on encrypted, with a server that proves that name."""
        try:
            with explained(httpcore.ConnectTimeout, httpcore.ConnectError):
                self._line.settimeout(self._guard.count_left(timeout))
                return Stream(ssl_context.wrap_socket(self._line, server_hostname=server_hostname), self._guard)
        except BaseException:
            self.close()
            raise


@contextmanager
def explained(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    """Turn a socket's errors into httpcore's."""
    try:
        yield
    except TimeoutError as cause:
        raise late(str(cause)) from cause
    except OSError as cause:
        raise broken(str(cause)) from cause


def look_up(host: str) -> list[tuple]:
    """Return (family, address) of a host's addresses; none where its name is not known here."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys((family, about[0]) for family, _, _, _, about in found))


def is_private(address: str) -> bool:
    """Say whether an IP address is not one of the public internet: this machine, its network, or reserved."""
    found = ipaddress.ip_address(address.split("%")[0])
    for network, offset in WRAPPED.items():
        if found in network:
            return is_private(str(ipaddress.IPv4Address(found.packed[offset:offset + 4])))
    return (not found.is_global or found.is_multicast or found.version == 6 and found not in WEB
            or any(found in network for network in CLOSED))


def read_address(url: str) -> httpx.URL:
    """Read a web address, names and paths written as the web does; LessonError for what is none, or holds a login."""
    try:
        found = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError) as cause:
        raise error("source_address", url=shown(url)) from cause
    if found.scheme not in PORTS or found.userinfo or not found.host or "%" in found.host:
        raise error("source_address", url=shown(url))
    if not 0 < find_port(found) < 2**16:
        raise error("source_address", url=shown(url))
    return found


def find_port(address: httpx.URL) -> int:
    """Return an address's port, its scheme's own where it names none."""
    return PORTS[address.scheme] if address.port is None else address.port


def split_place(place: str) -> tuple[str, int | None]:
    """Return host and port of "host:port", no port for "host"; LessonError for what is neither."""
    found = read_address(f"http://{place}")
    return found.raw_host.decode("ascii"), found.port


def find_proxy(address: httpx.URL) -> httpx.URL | None:
    """Return the proxy that this machine's settings name for an address, None for a direct connection.

    What a name means is then looked up by the proxy, and is not checked by a `Guard`. LessonError for a SOCKS proxy.
    """
    if is_loopback(str(address)) or proxy_bypass(address.host):
        return None
    named = getproxies()
    place = named.get(address.scheme) or named.get("all") or ""
    if not place:
        return None
    try:
        found = httpx.URL(place if "://" in place else f"http://{place}")
    except (httpx.InvalidURL, ValueError) as cause:
        raise error("source_proxy", proxy="?") from cause
    if found.scheme not in PORTS or not found.host or "%" in found.host:
        raise error("source_proxy", proxy=f"{found.scheme}://{found.host}")  # without a password in it
    return found


def shown(url: object) -> str:
    """Return an address without its query, which may hold a key, and not too long to be read."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(url).split("?")[0].split("#")[0][:150])
