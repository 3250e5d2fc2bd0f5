"""Web sites on 127.0.0.1: a site whose pages a test writes, and stand-ins for picture services and a caption service.

The services' answers are written from their documentation; the real ones may hold more fields and were not asked.
"""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Site:
    """Pages {path: reply}, and the requests that came.

    A reply is bytes, JSON, a `Reply`, `Several` of them, or a function of the request's values that returns one.
    """

    def __init__(self, pages=None):
        self.pages = dict(pages or {})
        self.requests = []  # (method, path, query, headers, body)
        self.lock = threading.Lock()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def place(self):
        return f"127.0.0.1:{self.server.server_port}"

    def paths(self):
        """Return the paths that were asked for."""
        return [path for _, path, *_ in self.requests]

    def find(self, path, query):
        """Return the reply of a path."""
        with self.lock:
            page = self.pages.get(path, self.pages.get("*"))
            if isinstance(page, Several):
                page = page.replies.pop(0) if len(page.replies) > 1 else page.replies[0]
        return page(query) if callable(page) else page


class Several:
    """Replies that are given one after another, the last of them again and again."""

    def __init__(self, *replies):
        self.replies = list(replies)


class Reply:
    """An answer with its status and headers; `cut` ends it before the promised length; `length` False promises none."""

    def __init__(self, content=b"", status=200, cut=None, length=None, **headers):
        self.content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.status, self.cut, self.length, self.headers = status, cut, length, headers


class Handler(BaseHTTPRequestHandler):
    """Answers as its site says."""

    site = None
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Keep the test's output clean."""

    def do_GET(self):
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.site.lock:
            self.site.requests.append((self.command, parts.path, query, dict(self.headers), body))
        reply = self.site.find(parts.path, query)
        if reply is None:
            reply = Reply(b"no such page", 404)
        elif not isinstance(reply, Reply):
            reply = Reply(reply)
        self.send_response(reply.status)
        length = len(reply.content) if reply.length is None else reply.length
        headers = {"Connection": "close"} if length is False else {"Content-Length": length}
        for name, value in {**headers, **reply.headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        try:
            self.wfile.write(reply.content[:reply.cut])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        if reply.cut is not None or reply.length is not None:
            self.close_connection = True

    do_POST = do_GET


@contextmanager
def serve(pages=None):
    """Run a site on a free port while the block runs."""
    site = Site(pages)
    site.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"site": site}))
    site.server.daemon_threads = True
    threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()


def answer_chat(words):
    """Return what OpenAI's chat interface answers."""
    return {"id": "x", "object": "chat.completion", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": "stop"}]}


def list_openverse(address, count, per_page=20):
    """Return a function that answers Openverse's search with `count` pictures of which every fifth has no licence."""
    def answer(query):
        page = int(query["page"])
        if int(query["page_size"]) > 20:
            return Reply({"detail": "unauthorized"}, 401)
        rows = [{"id": f"id-{number}", "title": f"Picture {number}", "url": f"{address}/pictures/{number}.png",
                 "foreign_landing_url": f"{address}/pages/{number}", "creator": f"Author {number}",
                 "creator_url": f"{address}/people/{number}", "license": None if number % 5 == 4 else "by",
                 "license_version": "4.0", "license_url": "https://creativecommons.org/licenses/by/4.0/",
                 "attribution": f'"Picture {number}" by Author {number} is licensed under CC BY 4.0.',
                 "width": 64, "height": 48, "mature": False} for number in range(count)]
        return {"result_count": count, "page_count": -(-count // per_page), "page_size": per_page, "page": page,
                "results": rows[(page - 1) * per_page:page * per_page]}
    return answer


def list_commons(address, names):
    """Return a function that answers MediaWiki's search, 20 at a time, with what goes on after it; licences by name."""
    def answer(query):
        start = int(query.get("gsroffset", 0))
        pages = [{"pageid": number, "ns": 6, "title": f"File:{number}.png", "index": number + 1, "imageinfo": [{
            "url": f"{address}/full/{number}.png", "thumburl": f"{address}/pictures/{number}.png", "thumbwidth": 64,
            "thumbheight": 48, "width": 6400, "height": 4800, "user": "Uploader",
            "descriptionurl": f"{address}/wiki/File:{number}.png",
            "extmetadata": {"Artist": {"value": f'<a href="//x">Ann &amp; <b>Bob {number}</b></a>'},
                            **({"LicenseShortName": {"value": licence}} if licence else {}),
                            "LicenseUrl": {"value": "https://creativecommons.org/licenses/by-sa/4.0"}}}]}
                 for number, licence in list(enumerate(names))[start:start + 20]]
        more = {"continue": {"gsroffset": start + 20, "continue": "gsroffset||"}} if start + 20 < len(names) else {}
        return {"batchcomplete": True, **more, "query": {"pages": pages[::-1]}}
    return answer
