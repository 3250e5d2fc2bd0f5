"""ComfyUI from the notebook against a stand-in that answers as the real one was recorded, and every way it can fail."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import httpx
import loopback_comfyui
import psutil
import pytest
import torch
from loopback_comfyui import RECORDED, make_folder, running
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from course_lib.comfyui import answers, client, installing, page_link
from course_lib.comfyui import server as comfyui_server
from course_lib.comfyui.answers import explain_refusal
from course_lib.comfyui.view import Widgets, open_picture, tell
from course_lib.files import COURSE
from course_lib.messages import LessonError, error, set_language
from course_lib.texts import ERRORS
from course_lib.workflow.graph import read

PLAIN, SLOW = (RECORDED["runs"][name]["prompt"] for name in ("plain", "interrupted"))


def told(key, problem):
    """Say whether a LessonError is the one of a key, whatever its values."""
    what, _, step = ERRORS[key]["zh"]
    return all(re.fullmatch(re.sub(r"\\\{[^}]*\\\}", ".*", re.escape(wanted)), said, re.DOTALL)
               for wanted, said in ((what, problem.value.what), (step, problem.value.next_step)))


@pytest.fixture
def stand():
    with running() as stand:
        yield stand


@pytest.fixture
def folder(tmp_path):
    """A folder like ComfyUI's whose main.py is the stand-in; whatever runs from it is stopped."""
    folder = make_folder(tmp_path / "ComfyUI")
    yield folder
    found = comfyui_server.find_running(folder)
    if found:
        comfyui_server.end(found.process)


# --- queue


def test_a_picture_comes_with_both_chunks(stand, tmp_path, capsys):
    picture, = client.queue(PLAIN, server=stand.port)
    assert picture.image.size == (32, 32) and picture.image.getpixel((3, 3)) == (7, 127, 127)
    assert "SaveImage" in picture.caption and picture.seconds > 0
    saved = picture.save(tmp_path / "new" / "x.png")
    assert json.loads(read_text(saved, "prompt")) == PLAIN and "workflow" in open_picture(saved.read_bytes()).text
    assert "TrialPaint" in capsys.readouterr().out  # the view of a terminal


def read_text(path, key):
    return open_picture(path.read_bytes()).text[key]


def test_what_is_posted(stand):
    client.queue(PLAIN, server=stand.port, show=False)
    (number, prompt_id, prompt, extra, _), = [entry["prompt"] for entry in stand.history.values()]
    assert loopback_comfyui.plain(prompt) == PLAIN and len(prompt_id) == 36
    page = extra["extra_pnginfo"]["workflow"]
    assert read(page).to_api(RECORDED["object_info"])["1"]["inputs"] == PLAIN["1"]["inputs"]
    assert not any("Origin" in headers for _, _, headers in stand.requests)


def test_the_same_prompt_again_is_cached_and_answered_from_the_history(stand):
    first = client.queue(PLAIN, server=stand.port, show=False)
    again = client.queue(PLAIN, server=stand.port, show=False)
    assert first[0].content == again[0].content
    assert any(each[0] == "execution_cached" and each[1]["nodes"] == ["1", "2"]
               for each in list(stand.history.values())[-1]["status"]["messages"])


@pytest.mark.parametrize("form", ["api", "page", "file", "workflow", "png"])
def test_every_form_of_a_workflow_runs(stand, tmp_path, form):
    page = read(PLAIN).to_ui(RECORDED["object_info"])
    (tmp_path / "x.json").write_text(json.dumps(page), encoding="utf-8")
    forms = {"api": PLAIN, "page": page, "file": tmp_path / "x.json", "workflow": read(page)}
    chunks = PngInfo()
    chunks.add_text("workflow", json.dumps(page))
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png", pnginfo=chunks)
    forms["png"] = tmp_path / "x.png"
    assert len(client.queue(forms[form], server=stand.port, show=False)) == 1


def test_widgets_show_node_bar_and_preview():
    view = Widgets(PLAIN)
    run = RECORDED["runs"]["plain"]
    seen = []
    for message in run["messages"]:
        if "preview" in message:
            view.preview(base64.b64decode(message["preview"])[8:])
        else:
            tell(view, message, "PROMPT")
        seen.append((view.words.value, view.bar.value))
    assert any("TrialPaint" in words and value == 1 for words, value in seen) and "SaveImage" in seen[-1][0]
    assert open_picture(view.image.value).size == (16, 16) and view.image.layout.display == ""
    view.preview(b"no picture")
    assert open_picture(view.image.value).size == (16, 16)
    tell(view, {"type": "progress", "data": {"prompt_id": "PROMPT", "value": 5, "max": 0}}, "PROMPT")
    tell(view, {"type": "executing", "data": {"prompt_id": "another", "node": "1"}}, "PROMPT")
    assert "SaveImage" in view.words.value


def test_a_failing_node_is_named(stand):
    with pytest.raises(LessonError) as problem:
        client.queue(RECORDED["runs"]["failing"]["prompt"], server=stand.port, show=False)
    assert "节点 1（TrialPaint）" in problem.value.what
    assert "FileNotFoundError" in problem.value.why and "lora.safetensors" in problem.value.why


def test_a_black_picture_is_told(stand, capsys):
    client.queue(RECORDED["runs"]["nan"]["prompt"], server=stand.port, show=False)
    assert "NaN" in capsys.readouterr().out


def test_what_is_left_out_is_told(stand, capsys):
    assert client.queue(RECORDED["partly"]["prompt"], server=stand.port, show=False)
    said = capsys.readouterr().out
    assert "节点 4（SaveImage）" in said and "images" in said


EXPECTED = {
    "unknown_class": ("NobodysNode", "comfyui.link()"), "no_class": ("1", "class_type"),
    "not_in_list": ("节点 1（TrialPaint）", "what", "'x'", "ok、fail"), "missing": ("节点 1", "seed", "缺少"),
    "too_big": ("steps", "1000", "100"), "too_small": ("steps", "0", "最小 1"), "no_number": ("steps", "'abc'", "INT"),
    "wrong_link": ("节点 2（SaveImage）", "images", "IMAGE", "LATENT"), "link_to_nothing": ("节点 2", "'9'"),
    "half_a_link": ("节点 2", "images", "['1']"), "cycle_of_one": ("节点 1（TrialPaint） → 节点 1",),
    "cycle_of_two": ("节点 1（TrialPaint）", "节点 3（ImageScale）"), "no_output": ("SaveImage",),
    "empty": ("SaveImage",),
    "no_such_picture": ("节点 5（LoadImage）", "image", "nothere.png"), "page_as_prompt": ("nodes", "API"),
    "no_json": ("500", "500 Internal Server Error"), "other_origin": ("403", "Origin"),
}


def test_every_recorded_refusal_is_expected():
    assert EXPECTED.keys() == RECORDED["refused"].keys()


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_recorded_refusal_names_node_and_input(name, language):
    set_language(language)
    refused = RECORDED["refused"][name]
    body = refused["body"] if isinstance(refused["body"], str) else json.dumps(refused["body"])
    said = str(explain_refusal(refused["status"], body.encode(), refused["prompt"] or {}))
    if language == "zh":
        assert all(word in said for word in EXPECTED[name]), said
    assert "{" not in said and "None" not in said.replace("'None'", "")


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_newer_comfyui_says_is_understood_too(name):
    """The same prompts to 0.29.0: it has words of its own for a class that is missing and for a circle."""
    newer = json.loads((COURSE / "tests" / "data" / "comfyui_refused_029.json").read_text(encoding="utf-8"))[name]
    body = newer["body"] if isinstance(newer["body"], str) else json.dumps(newer["body"])
    said = str(explain_refusal(newer["status"], body.encode(), RECORDED["refused"][name]["prompt"] or {}))
    wanted = ("500", "Internal Server Error") if name == "page_as_prompt" else EXPECTED[name]
    assert all(word in said for word in wanted), said


@pytest.mark.parametrize("name", ["not_in_list", "too_big", "wrong_link", "cycle_of_two", "unknown_class",
                                  "no_output", "no_such_picture"])
def test_a_refused_workflow_is_a_lesson_error(stand, name):
    with pytest.raises(LessonError) as problem:
        client.queue(RECORDED["refused"][name]["prompt"], server=stand.port, show=False)
    assert all(word in str(problem.value) for word in EXPECTED[name])


def test_answers_that_could_be_anything_do_not_break_the_explanation():
    for body in ({}, {"error": 3}, {"error": {"type": []}}, {"node_errors": []}, {"node_errors": {"1": 5}},
                 {"node_errors": {"1": {"errors": [None, 3, {}, {"extra_info": 4}, {"type": {}}]}}},
                 {"node_errors": {"1": {"errors": [{"type": "value_bigger_than_max", "extra_info": {
                     "input_config": [{}, None], "input_name": ["x"]}}]}}},
                 {"error": {"type": "invalid_prompt", "details": None}}):
        for prompt in ({}, {"1": {}}, {"1": {"inputs": {"a": [[], 0]}}}):
            assert isinstance(explain_refusal(400, json.dumps(body).encode(), prompt), LessonError)


def once_it_runs(stand, do, *given):
    """Call `do` from another thread a little after a prompt has arrived, however long it takes to be sent."""
    def watch():
        until = time.monotonic() + 60
        while time.monotonic() < until and ("POST", "/prompt") not in [request[:2] for request in stand.requests]:
            time.sleep(0.02)
        time.sleep(0.3)
        do(*given)

    threading.Thread(target=watch, daemon=True).start()


def test_interruption(stand):
    once_it_runs(stand, httpx.post, f"http://127.0.0.1:{stand.port}/interrupt")  # as its page does
    with pytest.raises(LessonError) as problem:
        client.queue(SLOW, server=stand.port, show=False)
    assert told("comfy_interrupted", problem) and "TrialPaint" in problem.value.why


def test_the_stop_button_breaks_off_the_run_itself(stand):
    main = threading.main_thread().ident
    once_it_runs(stand, signal.pthread_kill, main, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        client.queue(SLOW, server=stand.port, show=False)
    assert [path for method, path, _ in stand.requests if method == "POST"][1:] == ["/queue", "/interrupt"]


def test_a_run_that_takes_too_long_is_broken_off(stand):
    with pytest.raises(LessonError) as problem:
        client.queue(SLOW, server=stand.port, show=False, seconds=0.5)
    assert told("comfy_too_long", problem) and stand.interrupted.is_set()


@pytest.mark.parametrize("at", [0, 6, 15])
def test_a_websocket_cut_in_the_middle_costs_nothing(at):
    with running(cut=at, pace=0.05) as stand:
        assert len(client.queue(PLAIN, server=stand.port, show=False)) == 1
        assert stand.connects == 2


def test_without_any_websocket_the_history_is_asked():
    with running(refuse=range(99)) as stand:
        assert len(client.queue(PLAIN, server=stand.port, show=False)) == 1
        assert stand.connects > 1


def test_a_websocket_that_says_nothing_costs_nothing():
    with running(mute=True) as stand:
        assert len(client.queue(PLAIN, server=stand.port, show=False)) == 1


def test_too_large_a_message_on_the_websocket_is_no_reason_to_fail():
    with running(flood=20 * 2**20) as stand:
        assert len(client.queue(PLAIN, server=stand.port, show=False)) == 1
        assert stand.connects > 1


def test_a_run_that_the_server_forgot():
    with running(forget=True) as stand, pytest.raises(LessonError) as problem:
        client.queue(PLAIN, server=stand.port, show=False)
    assert told("comfy_lost", problem)


def test_a_server_gone_in_the_middle(stand):
    once_it_runs(stand, stand.stop)
    with pytest.raises(LessonError) as problem:
        client.queue(SLOW, server=stand.port, show=False)
    assert told("comfy_gone", problem)


def test_a_process_that_dies_in_the_middle_shows_its_last_lines(folder, monkeypatch):
    monkeypatch.setenv("LOOPBACK_FAULTS", json.dumps({"die": 8}))
    server = comfyui_server.start(folder, free_port())
    with pytest.raises(LessonError) as problem:
        client.queue(PLAIN, server=server, show=False)
    assert told("comfy_gone", problem) and "Checkpoint files" in problem.value.why
    with pytest.raises(LessonError) as problem:
        client.queue(PLAIN, server=server, show=False)
    assert told("comfy_not_running", problem)


@pytest.mark.parametrize("path", ["/object_info", "/prompt", "/history", "/queue", "/view"])
@pytest.mark.parametrize("content", [loopback_comfyui.JUNK, b"<html>log in</html>", b"[1]", b"[" * 100_000, b""],
                         ids=["10 MB", "html", "list", "deep", "empty"])
def test_junk_answers(path, content):
    with running(junk=path, content=content, pace=0.2 if path == "/queue" else 0.005) as stand, \
            pytest.raises(LessonError) as problem:
        client.queue(SLOW if path == "/queue" else PLAIN, server=stand.port, show=False, seconds=20)
    assert told("comfy_no_view" if path == "/view" else "comfy_junk", problem)
    assert path == "/view" or content != loopback_comfyui.JUNK or "8 MB" in problem.value.why  # not read to its end


@pytest.mark.parametrize("path, status", [("/prompt", 500), ("/prompt", 403), ("/prompt", 404),
                                          ("/system_stats", 500), ("/view", 500), ("/queue", 302)])
def test_other_statuses(path, status):
    with running(statuses={path: (status, "No.")}) as stand, pytest.raises(LessonError) as problem:
        client.queue(SLOW if path == "/queue" else PLAIN, server=stand.port, show=False)
    key = {"/system_stats": "comfy_not_running", "/view": "comfy_no_view"}.get(path, "comfy_status")
    assert told("comfy_403" if status == 403 else key, problem)


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_a_server_that_does_not_come_to_an_end(fault, monkeypatch):
    monkeypatch.setattr(answers.ask, "__kwdefaults__", {**answers.ask.__kwdefaults__, "seconds": 1.0})
    began = time.monotonic()
    with running(**{fault: "/prompt"}) as stand, pytest.raises(LessonError) as problem:
        client.queue(PLAIN, server=stand.port, show=False)
    assert told("comfy_silent", problem) and time.monotonic() - began < 8


def test_pictures_are_asked_for_by_known_folders_only(stand, tmp_path):
    strange = {"filename": "../../x", "subfolder": "", "type": "/etc"}
    entry = {"outputs": {"2": {"images": [strange, 3, {}, {"filename": 5, "subfolder": "", "type": "temp"}]},
                         "3": [], "4": {"images": "x"}}, "status": {"status_str": "success"}}
    assert client.list_pictures(entry) == []


def test_nothing_runs(monkeypatch, folder):
    monkeypatch.setenv("COMFYUI_PATH", str(folder))
    for server in (None, free_port()):
        with pytest.raises(LessonError) as problem:
            client.queue(PLAIN, server=server)
        assert told("comfy_not_running", problem)


def test_no_proxy_of_the_environment_is_asked(stand, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert len(client.queue(PLAIN, server=stand.port, show=False)) == 1 and stand.connects == 1


# --- start, stop


def free_port():
    """Return a port that is free, at a place where ports after it most often are."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_start_find_again_stop(folder, capsys, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(folder))
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    port = free_port()
    server = comfyui_server.start(port=port)
    assert server.version == "0.3.64" and server.port == port
    argv = httpx.get(f"{server.address}/system_stats").json()["system"]["argv"]
    assert argv[argv.index("--listen") + 1] == "127.0.0.1" and not any("cors" in word for word in argv)
    assert {place.laddr.ip for place in server.process.net_connections() if place.status == "LISTEN"} == {"127.0.0.1"}
    assert len(client.queue(PLAIN, show=False)) == 1  # the one that runs
    assert f"http://127.0.0.1:{port}/" in server._repr_mimebundle_()["text/html"]
    assert comfyui_server.start().port == port and "已在运行" in capsys.readouterr().out
    assert comfyui_server.stop() and not psutil.pid_exists(server.process.pid)
    assert not comfyui_server.stop()
    again = comfyui_server.start(port=port)  # the port is free at once
    assert again.port == port


def test_another_program_finds_and_stops_it(folder):
    server = comfyui_server.start(folder, free_port())
    environment = {**os.environ, "PYTHONPATH": str(COURSE), "COURSE_LANG": "zh"}
    command = [sys.executable, "-m", "course_lib", "comfyui"]
    told = subprocess.run([*command, "stop", str(folder)], env=environment, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0 and str(server.port) in told.stdout
    assert not server.alive


def test_a_taken_port_gives_way_to_the_next(folder, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = comfyui_server.start(folder, port)
        assert port < server.port < port + comfyui_server.PORTS
        assert str(port) in capsys.readouterr().out


def test_no_port_at_all(monkeypatch):
    monkeypatch.setattr(comfyui_server, "PORTS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LessonError) as problem:
            comfyui_server.find_port(taken.getsockname()[1])
    assert told("comfy_no_port", problem)


def test_dying_at_start_shows_the_last_lines(folder, monkeypatch):
    monkeypatch.setenv("LOOPBACK_FAULTS", '{"dies": 1}')
    with pytest.raises(LessonError) as problem:
        comfyui_server.start(folder, free_port())
    assert told("comfy_died", problem) and "No module named 'torchsde'" in problem.value.why
    assert "\x1b" not in problem.value.why


def test_one_that_never_answers_is_ended(folder, monkeypatch):
    monkeypatch.setenv("LOOPBACK_FAULTS", '{"never": 1}')
    with pytest.raises(LessonError) as problem:
        comfyui_server.start(folder, free_port(), seconds=2)
    assert told("comfy_slow", problem)
    assert not [each for each in psutil.Process().children(recursive=True) if "main.py" in " ".join(each.cmdline())]


@pytest.mark.parametrize("argument", ["--listen", "--listen=0.0.0.0", "--enable-cors-header", "--enable-cors-header=*"])
def test_arguments_that_open_it_are_refused(folder, argument):
    with pytest.raises(LessonError) as problem:
        comfyui_server.start(folder, arguments=[argument])
    assert told("comfy_argument", problem)


def test_no_such_python(folder):
    with pytest.raises(LessonError) as problem:
        comfyui_server.start(folder, free_port(), python=folder / "python")
    assert told("comfy_no_start", problem)


def test_no_orphan_when_the_parent_is_killed(folder):
    code = (f"from course_lib.comfyui.server import start; import time; s = start({str(folder)!r}, {free_port()});"
            "print('pid', s.process.pid, flush=True); time.sleep(60)")
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "PYTHONPATH": str(COURSE)})
    pid = next(int(line.split()[1]) for line in parent.stdout if line.startswith("pid"))
    assert psutil.pid_exists(pid)
    parent.kill()  # kill -9: no chance to tidy up
    parent.wait(10)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


# --- find, install, link


def test_find(tmp_path, monkeypatch, folder):
    monkeypatch.setattr(installing, "HOME", tmp_path / "none")
    monkeypatch.setattr(installing, "COURSE", tmp_path / "course")
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.chdir(tmp_path / "ComfyUI")
    assert installing.find(folder) == folder
    assert installing.find() == folder  # beside the course
    monkeypatch.setattr(installing, "COURSE", tmp_path)
    for path, key in ((None, "comfy_not_here"), (tmp_path, "comfy_no_folder"),
                      (make_folder(tmp_path / "old", "0.3.9"), "comfy_old")):
        with pytest.raises(LessonError) as problem:
            installing.find(path)
        assert told(key, problem)
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(LessonError) as problem:
        installing.find()
    assert told("comfy_no_folder", problem)


def git(*arguments):
    """Run git as somebody."""
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments], check=True,
                   capture_output=True)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A repository of the stand-in, its commit taken for ComfyUI's, and a pin that is a wheel on this disk."""
    made = make_folder(tmp_path / "source")
    (made / "custom_nodes" / "kept.py").touch()
    git("init", "--quiet", str(made))
    git("-C", str(made), "add", "-A")
    git("-C", str(made), "commit", "-qm", "x")
    head = subprocess.run(["git", "-C", str(made), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    monkeypatch.setattr(installing, "COMMIT", head.stdout.strip())
    return str(made)


@pytest.fixture
def pins(tmp_path):
    """Pins that need no network: a wheel on this disk."""
    about = {"METADATA": "Metadata-Version: 2.1\nName: pinned\nVersion: 1\n",
             "WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n", "RECORD": ""}
    with zipfile.ZipFile(tmp_path / "pinned-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("pinned.py", "here = 1\n")
        for name, content in about.items():
            wheel.writestr(f"pinned-1.dist-info/{name}", content)
    file = tmp_path / "pins.txt"
    file.write_text(f"--no-index\n--find-links {tmp_path}\npinned==1\n", encoding="utf-8")
    return file


def test_install_start_and_install_again(source, pins, tmp_path, capsys):
    folder = installing.install(tmp_path / "here", source=source, pins=pins)
    assert "MB" in capsys.readouterr().out and installing.find(folder) == folder
    python = installing.find_python(folder)
    assert python.is_relative_to(folder)
    code = "import pinned, torch, course_lib; print(torch.__version__, pinned.__file__)"
    run = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    found = run.stdout.split()
    assert found[0] == torch.__version__ and Path(found[1]).is_relative_to(folder)
    server = comfyui_server.start(folder, free_port())
    assert Path(server.process.cmdline()[0]) == python
    comfyui_server.stop(folder)
    inode = python.parent.stat().st_ino
    assert installing.install(folder, source="nowhere", pins=pins) == folder and python.parent.stat().st_ino == inode
    pins.write_text("--no-index\nnot-a-package==1\n", encoding="utf-8")
    with pytest.raises(LessonError) as problem:
        installing.install(folder, source="nowhere", pins=pins)
    assert told("comfy_install_failed", problem) and "not-a-package" in problem.value.why


@pytest.mark.parametrize("case", ["no git", "no network", "wrong commit", "taken", "disk", "changed", "closed"])
def test_install_failures(case, source, pins, tmp_path, monkeypatch):
    folder, key = tmp_path / "here", f"comfy_{case.replace(' ', '_')}"
    if case == "no git":
        monkeypatch.setattr(installing.shutil, "which", lambda name: None)
    elif case == "no network":
        source = "http://127.0.0.1:9/comfyui"
    elif case == "wrong commit":
        monkeypatch.setattr(installing, "COMMIT", "0" * 40)
    elif case == "taken":
        folder.mkdir()
        (folder / "thesis.txt").touch()
        key = "comfy_folder_taken"
    elif case == "disk":
        monkeypatch.setattr(installing, "NEEDED", 10**9)
        key = "comfy_disk_full"
    elif case == "changed":  # a checkout of something else is not installed over
        shutil.copytree(source, folder)
        (folder / "main.py").write_text("")
        git("-C", str(folder), "commit", "-qam", "y")
        key = "comfy_wrong_commit"
    else:
        folder = tmp_path / "pins.txt" / "below"
        key = "comfy_no_write"
    before = sorted(folder.rglob("*")) if case in ("taken", "changed") else None
    with pytest.raises(LessonError) as problem:
        installing.install(folder, source=source, pins=pins)
    assert told(key, problem), problem.value
    assert before is None or before == sorted(folder.rglob("*"))
    assert not folder.with_name(folder.name + ".part").exists()


def test_a_disk_that_is_not_kept_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(installing.hardware, "name_host", lambda: "modelscope")
    monkeypatch.setattr(installing.hardware, "find_mount", lambda folder: Path(folder.anchor))
    installing.check_place(tmp_path / "x")
    assert "注意" in capsys.readouterr().out
    monkeypatch.setattr(installing.hardware, "find_mount", lambda folder: tmp_path)
    installing.check_place(tmp_path / "x")
    assert not capsys.readouterr().out


@pytest.mark.parametrize("output, key", [
    ("fatal: unable to access 'x': Could not resolve host: x", "comfy_no_network"),
    ("error: Server does not allow request for unadvertised object 0", "comfy_wrong_commit"),
    ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "comfy_disk_full"),
    ("OSError: [Errno 122] Disk quota exceeded", "comfy_disk_full"), ("", "comfy_install_failed"),
])
def test_what_git_and_pip_say(output, key, tmp_path):
    problem = installing.explain_tool(output, tmp_path / "x", "source")
    assert problem.what == error(key, folder=tmp_path / "x", source="source", free=0, needed=0, wanted="",
                                 reason="").what


@pytest.mark.parametrize("torch, vision", [("2.13.0+cpu", "0.28.0"), ("2.9.1", "0.24.1"), ("2.6.0+cu124", "0.21.0")])
def test_torchvision_follows_torch(torch, vision):
    assert installing.pair_torchvision(torch) == vision


def test_every_package_is_pinned():
    lines = [line for line in installing.PINS.read_text(encoding="utf-8").splitlines() if line[:1] not in "#"]
    assert len(lines) > 20 and all("==" in line.split(";")[0] for line in lines)
    assert not [line for line in lines if line.startswith(("torch==", "diffusers", "transformers", "numpy"))]


def test_link_twice_moved_taken_refused(folder, tmp_path, capsys):
    target = installing.link(folder)
    assert target.is_symlink() and (target / "__init__.py").is_file() and target.parent == folder / "custom_nodes"
    assert installing.link(folder) == target and "没有变化" in capsys.readouterr().out
    target.unlink()
    target.symlink_to(tmp_path / "gone")  # the course has moved
    assert (installing.link(folder) / "__init__.py").is_file()
    target.unlink()
    target.mkdir()
    with pytest.raises(LessonError) as problem:
        installing.link(folder)
    assert told("comfy_link_taken", problem) and target.is_dir()
    with pytest.raises(LessonError) as problem:
        installing.link(tmp_path)
    assert told("comfy_no_folder", problem) and not (tmp_path / "custom_nodes").exists()


def test_a_clash_of_class_names_is_told(folder, capsys):
    packs = folder / "custom_nodes"
    for name in ("ComfyUI-KwaiKolorsWrapper", "Other", "Off.disabled"):
        (packs / name).mkdir()
    source = 'NODE_CLASS_MAPPINGS = {\n    "KolorsSampler": Sampler,\n    "Mine": Mine,\n}\n'
    (packs / "ComfyUI-KwaiKolorsWrapper" / "nodes.py").write_text(source, encoding="utf-8")
    (packs / "Off.disabled" / "nodes.py").write_text(source, encoding="utf-8")
    (packs / "Other" / "__init__.py").write_text('NODE_CLASS_MAPPINGS = {"Mine": 1}\nx = {"KolorsSampler": 2}\n')
    installing.link(folder)
    said = capsys.readouterr().out
    assert "ComfyUI-KwaiKolorsWrapper" in said and "KolorsSampler" in said and "Mine" not in said
    assert "Other" not in said and "Off" not in said


def test_the_command_links(folder):
    run = subprocess.run([sys.executable, "-m", "course_lib", "--language", "en", "comfyui", "link", str(folder)],
                         cwd=COURSE, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and "linked" in run.stdout and (folder / "custom_nodes" / "kolors_course").is_symlink()


# --- the link that opens it


def test_links(monkeypatch):
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    monkeypatch.delenv("JUPYTER_NAME", raising=False)
    for name in ("MODELSCOPE_ENVIRONMENT", "DSW_INSTANCE_ID", "dsw_instance_id"):
        monkeypatch.delenv(name, raising=False)
    assert page_link.find_link(8188).full == "http://127.0.0.1:8188/"
    monkeypatch.setenv("DSW_INSTANCE_ID", "1")
    none = page_link.find_link(8188)
    assert none.kind == "none" and "queue" in none.note and not none.href
    monkeypatch.setenv("JUPYTER_NAME", "dsw-123")
    assert page_link.find_link(8188).href == "/dsw-123/proxy/8188/"
    monkeypatch.setenv("JUPYTER_NAME", "x/../<b>")
    assert page_link.find_link(8188).kind == "none"


def test_through_jupyter_with_the_token_and_not_without(tmp_path, monkeypatch):
    """A real Jupyter server with jupyter-server-proxy, under a base path as hosts have it."""
    pytest.importorskip("jupyter_server_proxy")
    port, token = free_port(), "a-secret-token"
    environment = {**os.environ, "JUPYTER_TOKEN": token, "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
                   "JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "JUPYTER_DATA_DIR": str(tmp_path / "data")}
    jupyter = subprocess.Popen([sys.executable, "-m", "jupyter_server", f"--ServerApp.port={port}", "--allow-root",
                                "--ServerApp.ip=127.0.0.1", "--ServerApp.base_url=/user/me/", "--no-browser",
                                f"--ServerApp.root_dir={tmp_path}"], env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("JPY_PARENT_PID", str(jupyter.pid))
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
        with running() as stand:
            until = time.monotonic() + 60
            while (found := page_link.find_link(stand.port)).kind != "proxy" and time.monotonic() < until:
                time.sleep(0.3)
            assert found.href == f"/user/me/proxy/{stand.port}/"
            assert found.full == f"http://127.0.0.1:{port}/user/me/proxy/{stand.port}/"
            key = {"Authorization": f"token {token}"}
            assert "ComfyUI" in httpx.get(found.full, headers=key).text
            assert httpx.post(f"{found.full}prompt", json={"prompt": PLAIN}, headers=key).json()["prompt_id"]
            before = len(stand.requests)
            assert httpx.get(found.full).status_code in (302, 403)
            assert httpx.post(f"{found.full}prompt", json={"prompt": PLAIN}).status_code in (302, 403)
            assert len(stand.requests) == before  # nothing came through
    finally:
        jupyter.terminate()
        jupyter.wait(20)


def test_nothing_is_let_through_for_another_origin(stand):
    headers = {"Origin": "http://localhost:1"}
    assert httpx.post(f"http://127.0.0.1:{stand.port}/prompt", json={"prompt": PLAIN},
                         headers=headers).status_code == RECORDED["refused"]["other_origin"]["status"]
