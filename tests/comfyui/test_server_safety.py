"""ComfyUI's process: it ends with what started it, is one, listens to this machine, and knows no secrets."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
from loopback_comfyui import make_folder, running
from test_comfyui import PLAIN, free_port, told

from course_lib import start
from course_lib.comfyui import page_guard, server
from course_lib.messages import LessonError

COURSE = Path(__file__).parent.parent.parent
TOKEN = "a-secret-token"
ORIGINS = [{"Origin": "http://127.0.0.1:1"}, {"Origin": "http://localhost:1"}, {"Origin": "https://evil.example"},
           {"Origin": "null"}, {"Origin": "null", "Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
           {"Origin": "http://127.0.0.1.evil.example"}, {"Origin": ""}, {"Sec-Fetch-Site": "cross-site"}]


@pytest.fixture
def folder(tmp_path):
    """A folder like ComfyUI's whose main.py is the stand-in; whatever runs from it is stopped."""
    folder = make_folder(tmp_path / "ComfyUI")
    yield folder
    found = server.find_running(folder)
    if found:
        server.end(found.process)


def start_kernel(folder, port, more="time.sleep(60)"):
    """Start a program that starts ComfyUI and then does something more; return it."""
    code = (f"import os, subprocess, sys, time\nfrom course_lib.comfyui.server import start\n"
            f"s = start({str(folder)!r}, {port})\nprint('up', s.process.pid, s.port, flush=True)\n{more}")
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "PYTHONPATH": str(COURSE)})


def read_line(kernel, word="up"):
    """Return the numbers that a program printed after a word."""
    return [int(each) for each in next(line for line in kernel.stdout if line.startswith(word)).split()[1:]]


def has_ended(pid, seconds=10):
    """Wait until a process has ended; one that nobody has collected counts."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


HOLDERS = {
    "forked worker": "import multiprocessing as m\nw = m.get_context('fork').Process(target=time.sleep, args=(60,))\n"
                     "w.start()\nprint('holder', w.pid, flush=True)\ntime.sleep(60)",
    "os.fork": "w = os.fork()\nif w == 0: time.sleep(60); os._exit(0)\nprint('holder', w, flush=True)\ntime.sleep(60)",
    "open handles": "w = subprocess.Popen(['sleep', '60'], close_fds=False, start_new_session=True)\n"
                    "print('holder', w.pid, flush=True)\ntime.sleep(60)",
    "grandchild": "w = os.fork()\nif w == 0:\n    if os.fork(): os._exit(0)\n    time.sleep(20)\n    os._exit(0)\n"
                  "print('holder', 0, flush=True)\ntime.sleep(20)"}


@pytest.mark.parametrize("holder", HOLDERS)
def test_it_ends_with_its_parent_whoever_still_holds_its_standard_input(folder, holder):
    kernel = start_kernel(folder, free_port(), HOLDERS[holder])
    pid, _ = read_line(kernel)
    held, = read_line(kernel, "holder")
    try:
        kernel.kill()
        kernel.wait(10)
        assert has_ended(pid)
    finally:
        if held:
            os.kill(held, 9)


def test_it_ends_when_a_program_in_between_started_it(folder, tmp_path):
    """A script that is named as Python: its number is not the parent's, so the end of standard input has to tell."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\n')
    script.chmod(0o755)
    code = (f"import time\nfrom course_lib.comfyui.server import start, list_places\n"
            f"s = start({str(folder)!r}, {free_port()}, python={str(script)!r})\n"
            "print('up', *[each.pid for each in s.process.children(recursive=True)], flush=True)\ntime.sleep(60)")
    kernel = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "PYTHONPATH": str(COURSE)})
    children = read_line(kernel)
    time.sleep(1.5)
    assert not has_ended(children[-1], 0.1)
    kernel.kill()
    kernel.wait(10)
    assert has_ended(children[-1])


def test_two_programs_that_start_it_at_once_get_the_same_one(folder):
    port = free_port()
    kernels = [start_kernel(folder, port) for _ in range(3)]
    try:
        found = [read_line(kernel) for kernel in kernels]
        assert found[0] == found[1] == found[2]
        assert json.loads((folder / server.RECORD).read_text())["pid"] == found[0][0]
        mains = [each for each in psutil.process_iter(["cmdline"])
                 if str(folder / "main.py") in (each.info["cmdline"] or ())]
        assert len(mains) == 1
    finally:
        for kernel in kernels:
            kernel.kill()
            kernel.wait(10)


def test_a_start_that_was_cut_off_does_not_hold_up_the_next(folder, monkeypatch):
    monkeypatch.setenv("LOOPBACK_FAULTS", '{"never": 1}')
    kernel = start_kernel(folder, free_port())
    until = time.monotonic() + 30
    while not (folder / server.LOG).exists() and time.monotonic() < until:
        time.sleep(0.1)
    with pytest.raises(LessonError) as problem:  # it waits, and says so after a while
        server.start(folder, free_port(), seconds=1)
    assert told("comfy_slow", problem)
    kernel.kill()
    kernel.wait(10)
    monkeypatch.delenv("LOOPBACK_FAULTS")
    assert server.start(folder, free_port()).version


def other_records(victim, port):
    """Return records that name what the course has not started."""
    created = psutil.Process(victim).create_time()
    return [{"pid": victim, "created": created, "port": port}, {"pid": 1, "created": psutil.Process(1).create_time(),
                                                                "port": port},
            {"pid": os.getpid(), "created": psutil.Process().create_time(), "port": port},
            {"pid": os.getppid(), "created": psutil.Process(os.getppid()).create_time(), "port": port},
            {"pid": float("inf"), "created": 1, "port": 1}, {"pid": 10**30, "created": 1, "port": 1},
            {"pid": -1, "created": 0, "port": -1}, {"pid": victim, "created": float("nan"), "port": port},
            {"pid": victim, "created": created, "port": 10**9}, [1], "x", None, {}]


def test_a_record_that_names_something_else_stops_nothing(folder):
    code = "import sys, time; time.sleep(60)"
    victims = [subprocess.Popen([sys.executable, "-c", code]),
               subprocess.Popen([sys.executable, "-c", code, str(folder / "main.py")]),  # talks of it only
               subprocess.Popen([sys.executable, "-c", code, str(server.CHILD), str(folder / "main.py")])]
    try:
        with running() as stand:
            for victim in victims:
                for record in other_records(victim.pid, stand.port):
                    (folder / server.RECORD).write_text(json.dumps(record))
                    assert server.find_running(folder) is None
                    assert not server.stop(folder) and victim.poll() is None
    finally:
        for victim in victims:
            victim.kill()
            victim.wait(10)


def test_a_record_with_another_port_is_not_believed(folder):
    found = server.start(folder, free_port())
    record = json.loads((folder / server.RECORD).read_text())
    with running() as stand:
        (folder / server.RECORD).write_text(json.dumps({**record, "port": stand.port}))
        assert server.find_running(folder) is None
    (folder / server.RECORD).write_text(json.dumps(record))
    assert server.find_running(folder).port == found.port


@pytest.mark.parametrize("argument", ["--lis", "--l", "--list=0.0.0.0", "--liste", "--po", "--port=1", "--p",
                                      "--enable-c", "--enable-cors=*", "--tls", "--tls-k=x", "--tls-cert", "--", "--t"])
def test_the_beginning_of_a_closed_argument_is_refused(folder, argument):
    with pytest.raises(LessonError) as problem:
        server.start(folder, arguments=[argument, "0.0.0.0"])
    assert told("comfy_argument", problem)


@pytest.mark.parametrize("argument", ["--preview-size", "--lowvram", "--enable-manager", "-l", "listen", " --listen",
                                      "--max-upload-size=100", "--Listen", "--cache-lru"])
def test_other_arguments_are_not(argument):
    assert not server.opens_it(argument)


@pytest.mark.parametrize("fault", [{"also": "0.0.0.0"}, {"also": "::"}, {"instead": "0.0.0.0"}, {"child": "0.0.0.0"}])
def test_one_that_listens_to_others_is_ended(folder, monkeypatch, fault):
    monkeypatch.setenv("LOOPBACK_FAULTS", json.dumps(fault))
    with pytest.raises(LessonError) as problem:
        server.start(folder, free_port(), seconds=20)
    assert told("comfy_open", problem)
    assert not [each for each in psutil.Process().children(recursive=True) if "main.py" in " ".join(each.cmdline())]


SECRETS = ["JUPYTER_TOKEN", "JPY_API_TOKEN", "MODELSCOPE_API_TOKEN", "OPENAI_API_KEY", "UNSPLASH_ACCESS_KEY",
           "AWS_SECRET_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "MYSQL_PWD", "DB_PASSWORD", "PGPASSFILE",
           "GITHUB_PAT", "SSH_AUTH_SOCK", "my_session_cookie", "Some_Credentials", "PRIVATE_THING"]
WITH_LOGIN = {"DATABASE_URL": "postgres://me:word@host/x", "HTTPS_PROXY": "http://me:word@127.0.0.1:9",
              "PIP_INDEX_URL": "https://token@host/simple"}
NEEDED = {"PATH": os.environ["PATH"], "HTTP_PROXY": "http://127.0.0.1:9", "CUDA_VISIBLE_DEVICES": "",
          "LC_ALL": "C.UTF-8", "COMFYUI_PATH": "x", "HF_ENDPOINT": "https://example.org"}


def test_it_is_told_no_secret(folder, monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, "very-secret")
    for name, value in {**WITH_LOGIN, **NEEDED}.items():
        monkeypatch.setenv(name, value)
    found = server.start(folder, free_port()).process.environ()
    assert not set(found) & {*SECRETS, *WITH_LOGIN} and "very-secret" not in found.values()
    assert {name: found.get(name) for name in NEEDED} == NEEDED


# --- pages of other sites

@pytest.mark.parametrize("headers", ORIGINS)
def test_what_another_site_sends_is_not_our_own(headers):
    assert page_guard.is_own("GET", headers)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert not page_guard.is_own(method, {"Host": "127.0.0.1:8888", **headers})


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://127.0.0.1:8888"}, {"Sec-Fetch-Site": "none"},
                                     {"Origin": "https://hub.example", "Sec-Fetch-Site": "same-origin"}])
def test_what_the_page_itself_and_programs_send_is(headers):
    assert page_guard.is_own("POST", {"Host": "127.0.0.1:8888", **headers})


AIOHTTP = """
import argparse
from aiohttp import web
parser = argparse.ArgumentParser()
parser.add_argument("--listen")
parser.add_argument("--port", type=int)
options, _ = parser.parse_known_args()
async def stats(request):
    return web.json_response({"system": {"comfyui_version": "0.3.64"}})
async def prompt(request):
    return web.json_response({"prompt_id": "1"})
@web.middleware
async def mark(request, handler):
    answer = await handler(request)
    answer.headers["X-Mark"] = "1"
    return answer
app = web.Application(middlewares=[mark])
app.add_routes([web.get("/system_stats", stats), web.post("/prompt", prompt)])
web.run_app(app, host=options.listen, port=options.port)
"""


def test_comfyui_itself_refuses_pages_of_other_sites(folder):
    (folder / "main.py").write_text(AIOHTTP, encoding="utf-8")
    found = server.start(folder, free_port())
    for headers in ORIGINS:
        assert httpx.post(f"{found.address}/prompt", json={}, headers=headers).status_code == 403
        assert httpx.get(f"{found.address}/system_stats", headers=headers).status_code == 200
    for headers in ({}, {"Origin": found.address}, {"Sec-Fetch-Site": "same-origin"}):
        answer = httpx.post(f"{found.address}/prompt", json={}, headers=headers)
        assert answer.json() == {"prompt_id": "1"} and answer.headers["X-Mark"] == "1"


def test_the_courses_jupyter_hands_on_nothing_from_pages_of_other_sites(tmp_path, monkeypatch):
    port = free_port()
    environment = {**os.environ, "JUPYTER_TOKEN": TOKEN, "PYTHONPATH": str(COURSE),
                   **{f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("RUNTIME", "CONFIG", "DATA")}}
    (tmp_path / "CONFIG").mkdir()
    command = start.lab_command(sys.executable, tmp_path, port, browser=False)
    lab = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with running() as stand, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as browser:
            until = time.monotonic() + 120
            while time.monotonic() < until:
                try:
                    if browser.get("/api/status", params={"token": TOKEN}).status_code == 200:
                        break
                except httpx.HTTPError:
                    time.sleep(0.5)
            browser.get("/lab", params={"token": TOKEN})  # logs in: a cookie comes
            assert browser.get(f"/proxy/{stand.port}/system_stats").status_code == 200
            before = len(stand.requests)
            for headers in ORIGINS:
                for way in ("proxy", "proxy/absolute"):
                    said = browser.post(f"/{way}/{stand.port}/prompt", json={"prompt": PLAIN}, headers=headers)
                    assert said.status_code == 403
            assert len(stand.requests) == before
            own = {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}
            assert browser.post(f"/proxy/{stand.port}/prompt", json={"prompt": PLAIN}, headers=own).json()["prompt_id"]
            key = {"Authorization": f"token {TOKEN}"}
            assert httpx.post(f"http://127.0.0.1:{port}/proxy/{stand.port}/prompt", json={"prompt": PLAIN},
                              headers=key).json()["prompt_id"]
    finally:
        lab.terminate()
        lab.wait(20)
