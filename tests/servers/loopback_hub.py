"""A hub on 127.0.0.1 that speaks what ModelScope's real client asks for, with faults that can be switched on.

Written from what the client sends and reads (modelscope_hub 0.5.1); the real site's answers may hold more fields.
"""

import base64
import hashlib
import json
import os
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ALWAYS = 10**9
# The client reads these when it is first imported: short waits, so that a fault that stays is over in seconds.
FAST = {"MODELSCOPE_DOWNLOAD_MAX_RETRIES": "3", "MODELSCOPE_DOWNLOAD_RETRY_MAX_DELAY_SECONDS": "1",
        "MODELSCOPE_DOWNLOAD_TIMEOUT": "2", "MODELSCOPE_REPO_TREE_PAGE_MAX_ATTEMPTS": "3",
        "MODELSCOPE_REPO_TREE_PAGE_RETRY_MAX_DELAY_SECONDS": "1", "MODELSCOPE_REPO_TREE_PAGE_TIMEOUT_SECONDS": "2",
        "MODELSCOPE_API_MAX_RETRIES": "1", "MODELSCOPE_UPLOAD_COMMIT_MAX_ATTEMPTS": "2",
        "MODELSCOPE_UPLOAD_FAILED_FILE_MAX_RETRY_ROUNDS": "1", "MODELSCOPE_UPLOAD_RECOVERY_ENABLED": "false",
        "MODELSCOPE_UPLOAD_BLOB_MAX_ATTEMPTS": "1"}
os.environ.update(FAST)


def environment(cache):
    """Return the environment of a learner whose hub is on this machine and whose home is `cache`."""
    return {**FAST, "MODELSCOPE_CACHE": str(cache / "cache"), "MODELSCOPE_HOME": str(cache / "home"),
            "NO_PROXY": "*", "no_proxy": "*"}


@dataclass
class Fault:
    """What goes wrong with a target ("list", or a file's path), and how often; `value` depends on the kind."""

    kind: str
    target: str
    value: object = None
    times: int = ALWAYS


@dataclass
class Hub:
    """Repositories {("models" | "datasets" | "studios", "owner/name"): {path: bytes}}, faults, requests that came."""

    repos: dict = field(default_factory=dict)
    faults: list = field(default_factory=list)
    requests: list = field(default_factory=list)  # (method, path without query, query, headers)
    token: str = "a-secret-token"
    blobs: dict = field(default_factory=dict)
    commits: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self):
        """Listen on a free port."""
        handler = type("Handler", (Answer,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        """Go down: every later connection is refused."""
        self.server.shutdown()
        self.server.server_close()

    def fail(self, kind, target, value=None, times=ALWAYS):
        """Switch a fault on."""
        self.faults.append(Fault(kind, target, value, times))

    def take(self, kind, target):
        """Return the fault of this kind for this target if one is still on, and count it."""
        with self.lock:
            for fault in self.faults:
                if fault.kind == kind and fault.target == target and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def asked_for(self, file):
        """Return the Range headers (or None) of the requests for a file."""
        return [headers.get("Range") for method, _, query, headers in self.requests
                if method == "GET" and query.get("FilePath") == file]

    def listings(self):
        """Count the listings that were asked for."""
        return sum(path.endswith(("/repo/files", "/repo/tree")) for _, path, _, _ in self.requests)


class Answer(BaseHTTPRequestHandler):
    """Answers one request as the hub would, or as its faults say."""

    hub = None
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Keep the test's output clean."""

    def handle_one_request(self):
        """Let a client that goes away go in peace."""
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def read(self):
        """Note the request; return its path and the values of its query."""
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self.hub.lock:
            self.hub.requests.append((self.command, parts.path, query, dict(self.headers)))
        return parts.path, query

    def reply(self, content, status=200, **headers):
        """Send a whole answer: bytes as they are, anything else as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status, **headers):
        """Answer with an error as the hub words it."""
        self.reply({"Code": status, "Success": False, "Message": f"refused with {status}"}, status, **headers)

    def goes_wrong(self, target):
        """Answer as a status, hang or html fault of this target says; return whether one did."""
        if fault := self.hub.take("hang", target):
            time.sleep(fault.value)
            self.close_connection = True
            return True
        if fault := self.hub.take("status", target):
            self.refuse(fault.value, **({"Retry_After": 1} if fault.value == 429 else {}))
            return True
        if self.hub.take("html", target):
            self.reply(b"<html>Please log in to this network</html>", Content_Type="text/html")
            return True
        return False

    def do_GET(self):
        """List a repository, send a file, or say that there is none."""
        path, query = self.read()
        match = re.fullmatch(r"/api/v1/(models|datasets|studios)/([^/]+/[^/]+)/repo(/files|/tree)?", path)
        if not match or (match[1], match[2]) not in self.hub.repos or query.get("Revision") != "master":
            self.refuse(404)
            return
        files = self.hub.repos[match[1], match[2]]
        if match[3]:
            if not self.goes_wrong("list"):
                self.list_files(files, query)
        elif not self.goes_wrong(query["FilePath"]):
            self.send_file(query["FilePath"], files)

    def list_files(self, files, query):
        """Send the listing: all of it, or of a data set the page that was asked for."""
        listed = [{"Path": path, "Name": path.split("/")[-1], "Type": "blob", "Size": len(content)}
                  for path, content in files.items()]
        if not self.hub.take("no_hash", "list"):
            listed = [{**file, "Sha256": hashlib.sha256(files[file["Path"]]).hexdigest()} for file in listed]
        listed += [{"Path": path, "Name": path, "Type": "tree"}
                   for path in sorted({path.split("/")[0] for path in files if "/" in path})]
        if "PageNumber" in query:
            size, number = int(query["PageSize"]), int(query["PageNumber"])
            listed = listed[size * (number - 1):size * number]
        self.reply({"Code": 200, "Success": True, "Data": {"Files": listed}})

    def send_file(self, path, files):
        """Send a file or the rest of it from Range on, cut, corrupt, short or slow where a fault says so."""
        if path not in files:
            self.refuse(404)
            return
        content = files[path]
        first = int(match[1]) if (match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))) else 0
        if self.hub.take("corrupt", path):
            content = content[:-1] + bytes([content[-1] ^ 1])
        if self.hub.take("short", path):
            content = content[:-100]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content) - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        cut = self.hub.take("cut", path)
        self.wfile.write(content[first:cut.value if cut else None])
        if cut:
            self.close_connection = True
        if call := self.hub.take("then", path):  # something happens on the machine while the file comes
            call.value()

    def is_known(self):
        """Say whether the request carries the right token."""
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def do_POST(self):
        """Create a repository, say which blobs are missing, or take a commit."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path, _ = self.read()
        if not self.is_known():
            self.refuse(401)
        elif self.goes_wrong("post"):
            pass
        elif path == "/api/v1/models":
            self.create(f"{body['Path']}/{body['Name']}", body)
        elif path == "/openapi/v1/studios":
            self.hub.repos.setdefault(("studios", f"{body['owner']}/{body['repo_name']}"), {})
            self.reply({"success": True, "data": body})
        elif path.endswith("/info/lfs/objects/batch"):
            self.reply({"Code": 200, "Data": {"objects": [
                {"oid": each["oid"], "actions": {"upload": {"href": f"{self.hub.address}/blob/{each['oid']}"}}}
                for each in body["objects"] if each["oid"] not in self.hub.blobs]}})
        elif match := re.fullmatch(r"/api/v1/repos/(models|studios)/([^/]+/[^/]+)/commit/master", path):
            self.commit((match[1], match[2]), body)
        else:
            self.refuse(404)

    def create(self, name, body):
        """Make an empty repository, unless there is one."""
        if ("models", name) in self.hub.repos:
            self.reply({"Code": 10010101001, "Success": False, "Message": "model already exists"}, 400)
        else:
            self.hub.repos["models", name] = {}
            self.reply({"Code": 200, "Success": True, "Data": body})

    def commit(self, name, body):
        """Put the files of a commit into a repository."""
        self.hub.commits.append(body)
        for action in body["actions"]:
            content = base64.b64decode(action["content"]) if action["type"] == "normal" \
                else self.hub.blobs[action["sha256"]]
            if not self.hub.take("lose", action["path"]):
                self.hub.repos[name][action["path"]] = content
        self.reply({"Code": 200, "Success": True, "Data": {}})

    def do_PUT(self):
        """Take a blob."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        path, _ = self.read()
        if not self.is_known():
            self.refuse(401)
        elif not self.goes_wrong("put"):
            self.hub.blobs[path.split("/")[-1]] = content
            self.reply({"Code": 200})


@contextmanager
def running_hub(repos):
    """Run a hub that holds these repositories while the block runs."""
    hub = Hub(repos=repos)
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()


@contextmanager
def publishing_hub(monkeypatch, home, token=None):
    """Run a hub with someone else's model, to which this process is a learner with a token, whose home is `home`."""
    with running_hub({("models", "someone/else"): {}}) as hub:
        hub.token = token or hub.token
        for name, value in {**environment(home), "MODELSCOPE_ENDPOINT": hub.address,
                            "MODELSCOPE_API_TOKEN": hub.token}.items():
            monkeypatch.setenv(name, value)
        yield hub


def kolors_layout(size=1 << 20):
    """Return Kolors' layout in diffusers' form: fp16 beside fp32 and pickles, random bytes as weights."""
    random = os.urandom(size)
    weights = {"unet/diffusion_pytorch_model": random, "vae/diffusion_pytorch_model": random[::-1],
               "text_encoder/model": random[: size // 2]}
    files = {"model_index.json": b'{"_class_name": "KolorsPipeline"}', "scheduler/scheduler_config.json": b"{}",
             "tokenizer/tokenizer.model": random[:1000], "tokenizer/tokenizer_config.json": b"{}",
             "tokenizer/tokenization_chatglm.py": b"print('code')", "unet/config.json": b"{}", "vae/config.json": b"{}",
             "text_encoder/config.json": b"{}", "text_encoder/model.safetensors.index.fp16.json": b"{}",
             "MODEL_LICENSE": b"the agreement", "README.md": b"# Kolors", ".gitattributes": b"*.bin lfs"}
    for name, content in weights.items():
        files[f"{name}.fp16.safetensors"] = content
        files[f"{name}.safetensors"] = content * 2
        files[f"{name}.bin"] = b"a pickle"
    return files


def wanted_of_kolors(files):
    """Return those of `kolors_layout` that a learner needs."""
    return {path: content for path, content in files.items()
            if path != "README.md" and not path.startswith(".") and not path.endswith((".bin", ".py"))
            and (not path.endswith(".safetensors") or ".fp16" in path)}


def read_tree(folder):
    """Return {path: bytes} of a folder's files, without those that begin with a dot."""
    folder = Path(folder)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*"))
            if file.is_file() and not file.name.startswith(".")}
