"""Start ComfyUI on this machine for this machine alone, find it again, show where to open it, and stop it."""

import ipaddress
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from course_lib.comfyui import installing, page_link
from course_lib.comfyui.answers import ask_json
from course_lib.machine import hardware
from course_lib.messages import LessonError, error, text
from course_lib.workflow.explaining import clean, dig

HOST = "127.0.0.1"
PORT = 8188  # ComfyUI's own
PORTS = 20  # tried one after the other
CHILD = Path(__file__).parent / "child.py"
LOG, RECORD = "course_comfyui.log", ".course_running.json"  # in ComfyUI's folder
LOCK = ".course_starting.lock"  # held while one program starts it, so that another waits and then finds it
LAST_LINES = 12
# What would let others than this machine in; argparse takes the beginning of a name for the name.
CLOSED = ("--listen", "--port", "--enable-cors-header", "--tls-keyfile", "--tls-certfile")
# Names of environment variables whose values are nobody's business but the learner's.
SECRET = re.compile(r"TOKEN|KEY|SECRET|PASS|_PWD$|CREDENTIAL|AUTH|COOKIE|SESSION|PRIVATE|(^|_)PAT($|_)", re.IGNORECASE)
LOGIN = re.compile(r"://[^/\s]*@")  # an address with a name or password in it


@dataclass
class Server:
    """A ComfyUI that runs: its folder, port and process; a notebook shows the link that opens it."""

    folder: Path | None
    port: int
    version: str = ""
    process: psutil.Process | None = None

    @property
    def address(self) -> str:
        """Return where programs on this machine reach it."""
        return f"http://{HOST}:{self.port}"

    @property
    def alive(self) -> bool:
        """Say whether its process still runs, as far as is known."""
        return self.process is None or is_running(self.process)

    def tail(self) -> str:
        """Return the last lines it wrote, "" where its log is not known."""
        return read_tail(self.folder / LOG) if self.folder else ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        where = page_link.find_link(self.port)
        title = text("comfy_open", version=self.version)
        href, shown, note = escape(where.href), escape(where.href), escape(where.note)
        page = f'<p><a href="{href}" target="_blank" rel="noopener">{escape(title)}</a> ({shown})</p><p>{note}</p>'
        return {"text/html": page if where.href else f"<p>{note}</p>",
                "text/plain": "\n".join(filter(None, (f"{title}: {where.full}" if where.full else "", where.note)))}


def start(path: str | Path | None = None, port: int = PORT, *, python: str | Path | None = None,
          arguments: Sequence[str] = (), seconds: float = 300.0) -> Server:
    """Start ComfyUI on 127.0.0.1 and return it when it answers; one that this course has started is found again.

    It ends when this program ends. A taken port gives way to the next; LessonError where it dies or does not answer
    within `seconds`, with its last lines. `arguments` go to ComfyUI's main.py, except those that would open it.
    """
    folder = installing.find(path)
    for argument in arguments:
        if opens_it(str(argument)):
            raise error("comfy_argument", argument=clean(argument, 80))
    with starting(folder, seconds):
        found = find_running(folder)
        if found:
            print(text("comfy_found", port=found.port))
            return found
        chosen = find_port(port)
        if chosen != port:
            print(text("comfy_port_taken", port=port, chosen=chosen))
        print(text("comfy_starting", folder=folder))
        process = launch(folder, Path(python or installing.find_python(folder)), chosen, arguments)
        server = wait_for(folder, process, chosen, seconds)
        write_record(folder, psutil.Process(process.pid), chosen)
    print(text("comfy_running", version=server.version, port=chosen))
    return server


def opens_it(argument: str) -> bool:
    """Say whether an argument of ComfyUI's would let others in: one of CLOSED, or the beginning of one."""
    name = argument.split("=")[0]
    return name.startswith("--") and any(closed.startswith(name) for closed in CLOSED)


@contextmanager
def starting(folder: Path, seconds: float) -> Iterator[None]:
    """Let one program at a time start ComfyUI from a folder; LessonError where another takes longer than `seconds`."""
    lock = FileLock(folder / LOCK, timeout=seconds)
    try:
        lock.acquire()
    except Timeout as cause:
        raise error("comfy_slow", seconds=seconds, lines=read_tail(folder / LOG), log=folder / LOG) from cause
    except OSError as cause:
        raise error("comfy_no_start", folder=folder, python=sys.executable, cause=cause.strerror or cause) from cause
    try:
        yield
    finally:
        lock.release()


def find_port(first: int) -> int:
    """Return the first port from `first` on that nothing here listens to; LessonError where all are taken."""
    for port in range(first, min(first + PORTS, 2**16)):
        with socket.socket() as probe:
            if os.name == "posix":  # as ComfyUI binds; else a port just given back would count as taken for a minute
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                return port
            except OSError:
                continue
    raise error("comfy_no_port", first=first, last=first + PORTS - 1)


def launch(folder: Path, python: Path, port: int, arguments: Sequence[str]) -> subprocess.Popen:
    """Start ComfyUI's process, its words going to the log; it lives as long as this one holds its standard input."""
    command = [str(python), str(CHILD), str(folder / "main.py"), "--listen", HOST, "--port", str(port),
               "--disable-auto-launch", "--disable-api-nodes", "--preview-method", "auto"]
    gpu = hardware.find_gpu()
    if gpu is None or not gpu.usable:
        command.append("--cpu")
    try:
        with (folder / LOG).open("wb") as log:
            # In a session of its own, so that the notebook's stop button, which signals a whole group, spares it.
            return subprocess.Popen([*command, *map(str, arguments)], stdin=subprocess.PIPE, stdout=log, stderr=log,
                                    cwd=folder, start_new_session=True,
                                    env=choose_environment())
    except OSError as cause:
        raise error("comfy_no_start", folder=folder, python=python, cause=cause.strerror or cause) from cause


def choose_environment() -> dict[str, str]:
    """Return the environment that ComfyUI and its node packs, which others have written, get: without any secrets."""
    kept = {name: value for name, value in os.environ.items()
            if name != "MPLBACKEND" and not SECRET.search(name) and not LOGIN.search(value)}  # that one is a notebook's
    return {**kept, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "COURSE_PARENT": str(os.getpid())}


def wait_for(folder: Path, process: subprocess.Popen, port: int, seconds: float) -> Server:
    """Wait until ComfyUI answers and return it; LessonError with its last lines where it ends or takes too long."""
    server = Server(folder, port, process=process)
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            if process.poll() is not None:
                raise error("comfy_died", code=process.returncode, lines=server.tail(), log=folder / LOG)
            version = ask_version(server.address)
            places = list_places(psutil.Process(process.pid)) if version is not None else set()
            if any(not ipaddress.ip_address(host).is_loopback for host, _ in places):
                raise error("comfy_open", places=text("list_comma").join(f"{host}:{at}" for host, at in sorted(places)))
            if version is not None and (HOST, port) in places:  # and not another program's ComfyUI
                server.version, server.process = version, psutil.Process(process.pid)
                _started[process.pid] = process
                return server
            time.sleep(0.2)
        raise error("comfy_slow", seconds=seconds, lines=server.tail(), log=folder / LOG)
    except BaseException:  # also the notebook's stop button
        end(process)
        raise


_started: dict[int, subprocess.Popen] = {}  # holds the standard inputs by which they live


def list_places(process: psutil.Process) -> set[tuple[str, int]]:
    """Return the (address, port) pairs that a process and what it has started listen on."""
    places = set()
    with suppress(psutil.Error):
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                places |= {(line.laddr.ip, line.laddr.port) for line in each.net_connections("inet")
                           if line.status == psutil.CONN_LISTEN}
    return places


def is_ours(process: psutil.Process, folder: Path, port: int) -> bool:
    """Say whether a process is the ComfyUI of a folder as the course starts it, and listens on that port alone."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return CHILD.name in [Path(word).name for word in words] and str(folder / "main.py") in words and (
        HOST, port) in list_places(process)


def ask_version(address: str) -> str | None:
    """Return the version of the ComfyUI that answers at an address, None where none does."""
    try:
        version = dig(ask_json(address, "/system_stats", seconds=5.0), "system", "comfyui_version")
    except LessonError:
        return None
    return clean(version, 20) if isinstance(version, str) else None


def write_record(folder: Path, process: psutil.Process, port: int) -> None:
    """Note in ComfyUI's folder what was started, so that another program of the course finds it."""
    record = {"pid": process.pid, "created": process.create_time(), "port": port}
    (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")


def find_running(path: str | Path | None = None) -> Server | None:
    """Return the ComfyUI of a folder that the course has started and that still answers, else None."""
    folder = installing.find(path)
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        process = psutil.Process(int(record["pid"]))
        port = int(record["port"])
        # A number of a process is given again, and anything can stand in a file.
        if abs(process.create_time() - float(record["created"])) > 1 or not is_running(process):
            return None
        if not is_ours(process, folder, port):
            return None
    except (OSError, ValueError, TypeError, KeyError, OverflowError, psutil.Error):
        return None
    version = ask_version(f"http://{HOST}:{port}")
    return None if version is None else Server(folder, port, version, process)


def is_running(process: psutil.Process | subprocess.Popen) -> bool:
    """Say whether a process runs; one that has ended and waits to be collected does not."""
    if isinstance(process, subprocess.Popen):
        return process.poll() is None
    child = _started.get(process.pid)
    if child is not None:
        return child.poll() is None
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def stop(path: str | Path | None = None) -> bool:
    """Stop the ComfyUI that the course has started from a folder and return whether there was one."""
    folder = installing.find(path)
    found = find_running(folder)
    if found is None or found.process is None:
        print(text("comfy_none_running"))
        return False
    end(_started.pop(found.process.pid, found.process))
    (folder / RECORD).unlink(missing_ok=True)
    print(text("comfy_stopped", port=found.port))
    return True


def end(process: psutil.Process | subprocess.Popen, seconds: float = 10.0) -> None:
    """End a process: asked first, then made to."""
    for make in (process.terminate, process.kill):
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            make()
        until = time.monotonic() + seconds
        while is_running(process):
            if time.monotonic() > until:
                break
            time.sleep(0.05)
        else:
            return


def read_tail(log: Path) -> str:
    """Return the last lines of a log without colours and control letters."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8000))
            content = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [clean(re.sub(r"\x1b\[[\d;]*[A-Za-z]", "", line)) for line in content.splitlines()]
    return "\n".join([line for line in lines if line][-LAST_LINES:])
