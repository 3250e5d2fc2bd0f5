"""Hostile servers and names on this machine: answers that do not end, addresses that lie, names that change."""

import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest
from loopback_sources import Reply, serve
from test_sources import CONTACT, png

from course_lib.dataset.collecting import connection, sources, web
from course_lib.dataset.collecting.rights import Candidate
from course_lib.messages import LessonError
from course_lib.texts import ERRORS

SECONDS = 1.5


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Give up sooner, and ask no proxy."""
    defaults = web.Web.__init__.__kwdefaults__
    monkeypatch.setattr(web.Web.__init__, "__kwdefaults__", {**defaults, "first_wait": 0.01, "seconds": SECONDS})
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def listening(answer, seen=None):
    """Run a server that hands each connection to a function of it; yield "127.0.0.1:port"."""
    over = threading.Event()

    def run():
        while not over.is_set():
            try:
                line, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(line,), daemon=True).start()

    def talk(line):
        with line:
            try:
                line.settimeout(20)
                asked = line.recv(65536)
                if seen is not None:
                    seen.append(asked)
                answer(line, over)
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=run, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()


def drip(head, forever, pause=0.05):
    """Return an answer that begins with `head` and goes on with one piece after another without end."""
    def answer(line, over):
        line.sendall(head)
        while not over.is_set():
            line.sendall(forever)
            time.sleep(pause)
    return answer


def get(place, **options):
    with web.Web(trusted=[place], pause=0, **options) as asking:
        return asking.get(f"http://{place}/", most_bytes=100_000)


def is_key(problem, *keys):
    """Say whether a LessonError is that of one of these texts."""
    return problem.next_step in {ERRORS[key]["zh"][2] for key in keys}


@pytest.mark.parametrize("head, forever", [
    (b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 10000\r\n\r\n", b"x"),
    (b"HTTP/1.1 200 OK\r\nX: ", b"x"), (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), (b"", b"H"), (b"", b"\r\n"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
    (b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"HTTP/1.1 200 OK\r\n\r\n", b""), (b"", b"")],
    ids=["body", "one header", "headers", "status line", "empty lines", "chunks", "chunk's end", "continue",
         "no body", "nothing"])
def test_an_answer_that_drips_is_given_up(head, forever):
    began = time.monotonic()
    with listening(drip(head, forever)) as place, pytest.raises(LessonError) as problem:
        get(place)
    assert time.monotonic() - began < 4 * SECONDS
    assert is_key(problem.value, "source_late", "source_silent")


def test_a_slow_answer_that_comes_on_is_waited_for():
    def answer(line, over):
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
        for _ in range(12):
            line.sendall(b"x" * 5000)
            time.sleep(0.2)

    with listening(answer) as place:
        assert len(get(place).content) == 60_000  # 2.4 seconds, at 25 kB a second


def test_an_answer_that_comes_fast_for_ever_ends_too(monkeypatch):
    monkeypatch.setattr(web, "LONGEST", 2.0)
    began = time.monotonic()
    with listening(drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 2000)) as place, pytest.raises(LessonError) as problem, \
            web.Web(trusted=[place], pause=0) as asking:
        asking.get(f"http://{place}/", most_bytes=10**9)
    assert is_key(problem.value, "source_late") and time.monotonic() - began < 8


def test_a_handshake_that_never_comes_is_given_up():
    with listening(lambda line, over: over.wait(20)) as place, pytest.raises(LessonError) as problem, \
            web.Web(trusted=[place], pause=0) as asking:
        asking.get(f"https://{place}/", most_bytes=1000)
    assert is_key(problem.value, "source_late")


@pytest.mark.parametrize("location", ["http://[bad", "http://[::1", "http://example.org:99999999/", "http://a\x00b/",
                                      "http://x:port/", "/" + "a" * 70_000, "\xe9\xff://", "http://①②⑦.⓪.⓪.①/",
                                      "http://user:word@example.org/", "file:///etc/passwd", "data:image/png,x", "//"])
def test_a_redirect_to_what_is_no_address_is_answered(location):
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    with listening(lambda line, over: line.sendall(head)) as place, pytest.raises(LessonError):
        get(place)


@pytest.mark.parametrize("url", ["http://[bad", "http://a:b:c/", "http://\x00", "x", "http://" + "a" * 70_000, "//a",
                                 "http://例子 .中国/"])
def test_an_address_that_is_none_is_answered_wherever_it_comes_in(tmp_path, url):
    with pytest.raises(LessonError):
        sources.search("cat", base_url=url, contact=CONTACT, pause=0)
    brought = sources.download([Candidate("openverse", url, "")], tmp_path, contact=CONTACT, pause=0)
    assert len(brought.problems) == 1


@pytest.mark.parametrize("wait, told", [
    ("9" * 400, 365 * 24 * 3600), ("9" * 5000, 365 * 24 * 3600), ("²", None), ("-5", None), ("nan", None),
    ("1e9", None), ("Fri, 31 Dec 9999 23:59:59 GMT", 365 * 24 * 3600), ("Mon, 01 Jan 0001 00:00:00 -2359", None),
    ("Mon, 01 Jan 0001 00:00:00 +2359", None), ("٣", 3), ("Mon, 99 Jan 2026 00:00:00 GMT", None), ("120", 120)])
def test_a_strange_wish_to_wait_is_read_or_left(wait, told):
    assert web.read_wait(wait) in ({told, 0.0} if "0001" in wait else {told})


def test_a_wish_to_wait_for_ever_is_told(tmp_path):
    with serve({"/": Reply(b"", 503, Retry_After="9" * 400)}) as site, pytest.raises(LessonError) as problem:
        get(site.place)
    assert is_key(problem.value, "source_wait")


@pytest.mark.parametrize("length", ["9" * 30, "9" * 5000, "-5", "²", "1e3", "3\r\nContent-Length: 5"])
def test_a_strange_length_is_answered(length):
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nabc".encode()
    with listening(lambda line, over: line.sendall(head)) as place, pytest.raises(LessonError):
        get(place)


# --- names and addresses

INSIDE = ["127.0.0.1", "127.255.0.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
          "0.0.0.0", "0.1.2.3", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.7", "224.0.0.1",
          "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1", "::1", "::", "::7f00:1", "::ffff:127.0.0.1",
          "::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "64:ff9b:1::808:808", "2002:7f00:1::",
          "2002:a9fe:a9fe::1", "2002:c0a8:101::5", "2001:0:7f00:1::", "2001:0:808:808::f5ff:fffe", "2001:db8::1",
          "2001:10::1", "2001:20::1", "3fff::1", "fec0::1", "feff::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1",
          "ff02::1", "100::1", "5f00::1", "400::1", "2002::"]
OUTSIDE = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "223.5.5.5", "2606:4700:4700::1111", "2001:4860:4860::8888",
           "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8", "2400:3200::1", "2a00:1450:4001:831::200e"]


def test_which_addresses_are_inside():
    assert [address for address in INSIDE if not connection.is_private(address)] == []
    assert [address for address in OUTSIDE if connection.is_private(address)] == []


@pytest.mark.parametrize("address", ["64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1", "fec0::1", "127.0.0.1", "::1",
                                     "::ffff:0:127.0.0.1"])
def test_an_inner_address_is_not_reached_by_redirect_or_start(address, tmp_path):
    place = f"[{address}]:9" if ":" in address else f"{address}:9"
    with serve({"/a.png": Reply(b"", 302, Location=f"http://{place}/secret")}) as site:
        for url in (f"http://{place}/secret", f"{site.address}/a.png"):
            brought = sources.download([Candidate("openverse", url, "")], tmp_path, contact=CONTACT, pause=0,
                                       trusted=[site.place])
            assert ERRORS["source_private"]["zh"][1] in brought.problems[0][1]


class Names:
    """Stands for the system's look-up: each name's answers one after another, and how often it was asked."""

    def __init__(self, monkeypatch, **answers):
        self.answers, self.asked = {name: list(found) for name, found in answers.items()}, []
        self.real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self.look_up)

    def look_up(self, host, port, *more, **options):
        name = host.decode() if isinstance(host, bytes) else host
        if name.partition(".")[0] not in self.answers:
            return self.real(host, port, *more, **options)
        self.asked.append(name)
        found = self.answers[name.partition(".")[0]]
        answer = found.pop(0) if len(found) > 1 else found[0]
        return [entry for address in answer for entry in self.real(address, port, *more, **options)]


@pytest.fixture
def reached(monkeypatch):
    """Collect the addresses that a connection is made to; none outside this machine is."""
    found, real = [], socket.socket.connect

    def connect(line, address):
        found.append(address[0])
        if not address[0].startswith("127."):
            raise ConnectionRefusedError
        return real(line, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return found


@pytest.mark.parametrize("answers", [
    [["93.184.216.34"], ["127.0.0.1"]],  # public when it is checked, inner when it is reached
    [["93.184.216.34"], ["93.184.216.34"], ["127.0.0.1"]],
    [["127.0.0.1"], ["93.184.216.34"]], [["93.184.216.34", "127.0.0.1"]], [["::1", "93.184.216.34"]], [["10.0.0.1"]]])
def test_a_name_that_changes_under_the_check_reaches_nothing_inside(monkeypatch, reached, tmp_path, answers):
    with serve({"*": png()}) as site:
        port = site.server.server_port
        Names(monkeypatch, turning=answers)
        brought = sources.download([Candidate("openverse", f"http://turning.example:{port}/{number}.png", "")
                                    for number in range(3)], tmp_path, contact=CONTACT, pause=0)
        assert len(brought.problems) == 3 and site.requests == []
    assert {address for address in reached if address != "93.184.216.34"} == set()


def test_a_name_is_looked_up_once_and_its_next_address_tried(monkeypatch, reached):
    with serve({"*": b"hello"}) as site:
        names = Names(monkeypatch, two=[["127.0.0.2", "127.0.0.1"], ["10.0.0.1"]])
        monkeypatch.setattr(connection, "is_private", lambda address: not address.startswith("127."))
        with web.Web(pause=0) as asking:
            for _ in range(3):
                url = f"http://two.example:{site.server.server_port}/"
                assert asking.get(url, most_bytes=100).content == b"hello"
    assert names.asked == ["two.example"] and reached == ["127.0.0.2", "127.0.0.1"] * 3
    assert [headers["Host"] for *_, headers, _ in site.requests] == [f"two.example:{site.server.server_port}"] * 3


def test_a_certificate_is_compared_with_the_name_not_with_the_address(tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                           certificate, "-days", "2", "-subj", "/CN=right.example", "-addext",
                           "subjectAltName=DNS:right.example"], capture_output=True)
    if made.returncode:
        pytest.skip("no openssl here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    Names(monkeypatch, right=[["127.0.0.1"]], wrong=[["127.0.0.1"]])
    with serve({"*": b"hello"}) as site:
        site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
        port = site.server.server_port
        with web.Web(pause=0, trusted=["right.example", "wrong.example"]) as asking:
            assert asking.get(f"https://right.example:{port}/", most_bytes=100).content == b"hello"
            with pytest.raises(LessonError):
                asking.get(f"https://wrong.example:{port}/", most_bytes=100)


# --- proxies and keys

def test_a_proxy_of_the_environment_is_used_for_others_and_not_for_this_machine(monkeypatch, reached):
    with serve({"*": b"hello"}) as proxy, serve({"*": b"direct"}) as site:
        monkeypatch.setenv("http_proxy", f"http://me:pass%20word@{proxy.place}")
        Names(monkeypatch, site=[["93.184.216.34"]])
        with web.Web(pause=0, trusted=[site.place]) as asking:
            assert asking.get("http://site.example/x", most_bytes=100).content == b"hello"
            assert asking.get(f"{site.address}/", most_bytes=100).content == b"direct"
            for inner in ("http://10.0.0.1/", f"http://{proxy.place}/"):
                with pytest.raises(LessonError):
                    asking.get(inner, most_bytes=100)
        (_, path, _, headers, _), = proxy.requests
        assert headers["Host"] == "site.example" and headers["Proxy-Authorization"].startswith("Basic ")
        monkeypatch.setenv("no_proxy", "site.example")
        with web.Web(pause=0) as asking, pytest.raises(LessonError):
            asking.get("http://site.example/x", most_bytes=100)
        assert reached[-1] == "93.184.216.34" and len(proxy.requests) == 1


@pytest.mark.parametrize("proxy", ["socks5://me:secret@127.0.0.1:1080", "http://[bad", "ftp://x", "http://"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(monkeypatch, proxy):
    monkeypatch.setenv("all_proxy", proxy)
    with web.Web(pause=0) as asking, pytest.raises(LessonError) as problem:
        asking.get("http://8.8.8.8/", most_bytes=100)
    assert is_key(problem.value, "source_proxy") and "secret" not in str(problem.value)


@pytest.mark.parametrize("key", ["密钥", "a\r\nX-Evil: 1", "a\x7fb", "a\u200bb"])
def test_a_key_that_cannot_be_sent_is_not_shown(monkeypatch, key):
    monkeypatch.setenv("OPENVERSE_TOKEN", f"SECRET{key}")
    with serve({"*": b"{}"}) as site, pytest.raises(LessonError) as problem:
        sources.search("cat", base_url=site.address, contact=CONTACT, pause=0)
    assert is_key(problem.value, "secret_odd") and site.requests == []
    chain = problem.value
    while chain is not None:
        assert "SECRET" not in str(chain)
        chain = chain.__cause__ or chain.__context__
