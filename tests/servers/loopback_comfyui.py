"""A stand-in for ComfyUI on 127.0.0.1 that answers as the real one was recorded, with faults that can be switched on.

What it says stands in tests/data/comfyui_recorded.json, which tests/by_hand/record.py writes from the real one. It is
used in a test's own process (`running`), and as the main.py of a folder that looks like ComfyUI (`make_folder`).
"""

import argparse
import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "comfyui_recorded.json").read_text(encoding="utf-8"))
PAGE = "<!doctype html><title>ComfyUI</title>"
JUNK = b"x" * 10_000_000


class Stand:
    """What is known, what runs, and which faults are on: {"cut": messages before the websocket breaks, ...}."""

    def __init__(self, **faults):
        self.faults, self.history, self.running, self.waiting = faults, {}, {}, {}
        self.sockets, self.requests, self.connects = {}, [], 0
        self.interrupted = asyncio.Event()

    def find_run(self, prompt):
        """Return what was recorded for a prompt: the second time what a cached one answers."""
        names = [name for name, run in RECORDED["runs"].items() if run["prompt"] == prompt]
        again = any(entry["prompt"][2] == prompt for entry in self.history.values())
        return RECORDED["runs"][names[-1] if again else names[0]] if names else None

    async def run(self, run, prompt_id, client, extra):
        """Replay a run; its entry is in the history before the last message, as in the real one."""
        fill = {"PROMPT": prompt_id, "CLIENT": client}
        self.running[prompt_id] = run["prompt"]
        self.interrupted.clear()
        for number, message in enumerate(run["messages"][1:]):  # the first came when the websocket opened
            await asyncio.sleep(self.faults.get("pace", 0.005))
            if message.get("type") == "execution_interrupted":
                await self.interrupted.wait()
            if self.faults.get("die") == number:
                os._exit(3)
            if message.get("type") == "executing" and message["data"]["node"] is None:
                self.running.pop(prompt_id)
                if self.faults.get("forget"):
                    return
                entry = refill(run["history"], fill)
                entry["prompt"][3] = extra
                self.history[prompt_id] = entry
            if self.faults.get("cut") == number:
                self.faults.pop("cut")
                for socket in list(self.sockets.values()):
                    socket.close_hard()
                self.sockets.clear()
            if client in self.sockets and not self.faults.get("mute"):
                await self.sockets[client].tell(refill(message, fill))


def refill(found, names):
    """Return a recorded answer with the ids of this run."""
    if isinstance(found, dict):
        return {key: refill(value, names) for key, value in found.items()}
    if isinstance(found, list):
        return [refill(value, names) for value in found]
    return names.get(found, found) if isinstance(found, str) else found


class Answer(tornado.web.RequestHandler):
    """Notes the request, applies the faults of its path, and refuses another Origin as ComfyUI does."""

    def initialize(self, stand):
        self.stand = stand

    async def prepare(self):
        path = self.request.path
        self.stand.requests.append((self.request.method, path, dict(self.request.headers)))
        origin, host = self.request.headers.get("Origin"), self.request.headers.get("Host", "")
        if origin and host.split(":")[0] in ("127.0.0.1", "localhost") and urlsplit(origin).netloc != host:
            self.set_status(403)
            self.finish()
        elif path.startswith(self.stand.faults.get("hang", "-")):
            await asyncio.sleep(self.stand.faults.get("seconds", 3))
        elif path.startswith(self.stand.faults.get("junk", "-")):
            self.finish(self.stand.faults.get("content", JUNK))
        elif path.startswith(self.stand.faults.get("drip", "-")):
            for _ in range(100):
                self.write(b" ")
                await self.flush()
                await asyncio.sleep(0.1)
        elif path in self.stand.faults.get("statuses", {}):
            status, content = self.stand.faults["statuses"][path]
            self.set_status(status)
            self.finish(content)

    def say(self, content, status=200):
        """Answer with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(content))


class Page(Answer):
    """The page."""

    def get(self):
        self.finish(PAGE)


class Known(Answer):
    """What never changes: /system_stats and /object_info."""

    def get(self, name, node=None):
        if name == "system_stats":
            self.say({**RECORDED["system_stats"], "system": {**RECORDED["system_stats"]["system"], "argv": sys.argv}})
        else:
            found = RECORDED["object_info"]
            self.say(found if node is None else {node: found[node]} if node in found else {})


class Prompt(Answer):
    """Takes a prompt that was recorded, or refuses it as it was recorded."""

    def post(self):
        try:
            body = json.loads(self.request.body)
        except ValueError:
            refused = RECORDED["refused"]["no_json"]
            self.set_status(refused["status"])
            self.finish(refused["body"])
            return
        for refused in RECORDED["refused"].values():
            if refused["prompt"] is not None and plain(body.get("prompt")) == refused["prompt"]:
                self.say(refused["body"], refused["status"])
                return
        partly = plain(body["prompt"]) == RECORDED["partly"]["prompt"]
        run = self.stand.find_run(RECORDED["runs"]["plain"]["prompt"] if partly else plain(body["prompt"]))
        prompt_id = body.get("prompt_id") or "chosen-here"
        self.say({**(RECORDED["partly"]["body"] if partly else run["answer"]), "prompt_id": prompt_id})
        asyncio.create_task(self.stand.run(run, prompt_id, body.get("client_id"), body.get("extra_data")))


def plain(prompt):
    """Return a prompt without the titles that a client adds for its readers."""
    if not isinstance(prompt, dict):
        return prompt
    return {node: {key: value for key, value in about.items() if key != "_meta"} if isinstance(about, dict) else about
            for node, about in prompt.items()}


class History(Answer):
    """The entry of a prompt, {} for an unknown one."""

    def get(self, prompt_id):
        found = self.stand.history
        self.say({prompt_id: found[prompt_id]} if prompt_id in found else RECORDED["history_unknown"])


class Queue(Answer):
    """What runs and waits; taking out of it is noted only."""

    def get(self):
        self.say({"queue_running": [[0, *each, {}, ["2"]] for each in self.stand.running.items()], "queue_pending": []})

    def post(self):
        self.finish()


class Interrupt(Answer):
    """Breaks off what runs."""

    def post(self):
        self.stand.interrupted.set()
        self.finish()


class View(Answer):
    """A recorded picture by its name."""

    def get(self):
        content = RECORDED["pictures"].get(self.get_query_argument("filename"))
        if content is None or self.get_query_argument("subfolder") or self.get_query_argument("type") != "output":
            self.set_status(RECORDED["no_picture"]["status"])
            self.finish()
            return
        self.set_header("Content-Type", RECORDED["headers"]["view"])
        self.finish(base64.b64decode(content))


class Socket(tornado.websocket.WebSocketHandler):
    """The websocket of one client."""

    def initialize(self, stand):
        self.stand = stand

    def check_origin(self, origin):
        return urlsplit(origin).netloc == self.request.headers.get("Host")

    async def open(self):
        self.stand.connects += 1
        if self.stand.connects in self.stand.faults.get("refuse", ()):
            self.close_hard()
            return
        client = self.get_query_argument("clientId", "somebody")
        self.stand.sockets[client] = self
        await self.tell(refill(RECORDED["runs"]["plain"]["messages"][0], {"CLIENT": client}))
        if "flood" in self.stand.faults:
            await self.write_message(b"\0\0\0\1\0\0\0\1" + b"x" * self.stand.faults["flood"], binary=True)

    async def tell(self, message):
        """Send a recorded message."""
        try:
            if "preview" in message:
                await self.write_message(base64.b64decode(message["preview"]), binary=True)
            else:
                await self.write_message(json.dumps(message))
        except tornado.websocket.WebSocketClosedError:
            pass

    def on_close(self):
        if self in self.stand.sockets.values():
            self.stand.sockets.pop(self.get_query_argument("clientId", "somebody"))

    def close_hard(self):
        """Break the line as a lost network does: no word of it."""
        if self.ws_connection is not None:
            self.ws_connection.stream.close()


def make_application(stand):
    """Return everything that listens, around one stand."""
    known = {"stand": stand}
    return tornado.web.Application([
        (r"/", Page, known), (r"/(system_stats|object_info)(?:/(.+))?", Known, known), (r"/prompt", Prompt, known),
        (r"/history/(.+)", History, known), (r"/queue", Queue, known), (r"/interrupt", Interrupt, known),
        (r"/view", View, known), (r"/ws", Socket, known)])


@contextmanager
def running(**faults):
    """Run a stand-in with faults in this process while the block runs; the stand's `port` is where."""
    stand, ready = Stand(**faults), threading.Event()

    async def serve():
        stand.interrupted, stop = asyncio.Event(), asyncio.Event()
        sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server = tornado.httpserver.HTTPServer(make_application(stand))
        server.add_sockets(sockets)
        stand.port, loop = sockets[0].getsockname()[1], asyncio.get_running_loop()
        stand.stop = lambda: loop.call_soon_threadsafe(stop.set)
        ready.set()
        await stop.wait()
        server.stop()
        for socket in list(stand.sockets.values()):
            socket.close_hard()
        await server.close_all_connections()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield stand
    finally:
        if thread.is_alive():  # a test may have stopped it
            stand.stop()
        thread.join(10)


def make_folder(folder, version="0.3.64"):
    """Make a folder that looks like ComfyUI and whose main.py is this file; return it."""
    (folder / "custom_nodes").mkdir(parents=True)
    (folder / "comfyui_version.py").write_text(f'__version__ = "{version}"\n', encoding="utf-8")
    (folder / "main.py").write_text(
        f"import runpy, sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"runpy.run_path({str(Path(__file__).resolve())!r}, run_name='__main__')\n", encoding="utf-8")
    return folder


def main():
    """Listen as ComfyUI's main.py does, with its arguments; LOOPBACK_FAULTS holds faults as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen")
    parser.add_argument("--port", type=int)
    options, _ = parser.parse_known_args()
    faults = json.loads(os.environ.get("LOOPBACK_FAULTS", "{}"))
    print("Checkpoint files will always be loaded safely.", file=sys.stderr)
    if "dies" in faults:
        print("\x1b[31mModuleNotFoundError: No module named 'torchsde'\x1b[0m", file=sys.stderr)
        sys.exit(1)
    if "never" in faults:
        time.sleep(60)

    if "child" in faults:  # a node pack that starts a server of its own
        subprocess.Popen([sys.executable, "-m", "http.server", "0", "--bind", faults["child"]])
        time.sleep(2)

    async def serve():
        make_application(Stand(**faults)).listen(options.port, faults.get("instead", options.listen))
        if "also" in faults:
            make_application(Stand()).listen(0, faults["also"])
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
