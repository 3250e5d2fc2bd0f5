"""`make start`: an old Python is refused kindly, installing happens once, JupyterLab is reachable from here alone."""

import ast
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from course_lib import messages, start, texts
from course_lib.messages import LessonError

COURSE = Path(__file__).parent.parent
NO_INDEX = {  # an index that refuses every connection at once, and none of this machine's pip settings
    "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple/", "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "", "PIP_RETRIES": "1",
}


@pytest.fixture(autouse=True)
def chinese(monkeypatch):
    monkeypatch.setattr(messages, "_chosen", "zh")


@pytest.fixture
def course(tmp_path):
    """The files of the course that an installation reads."""
    shutil.copytree(COURSE / "course_lib", tmp_path / "course_lib", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests").mkdir()
    for name in ("requirements.txt", "pyproject.toml", "LICENSE", "tests/constraints.txt"):
        shutil.copy(COURSE / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def offline(monkeypatch):
    for name, value in NO_INDEX.items():
        monkeypatch.setenv(name, value)


# ---- the Python version

@pytest.mark.parametrize("version", [(3, 6, 15), (3, 9, 18), (3, 14, 0), (4, 0, 0), (2, 7, 18)])
@pytest.mark.parametrize("language, word", [("zh", "运行"), ("en", "does not run")])
def test_another_python_is_refused(version, language, word):
    messages.set_language(language)
    with pytest.raises(LessonError, match=word) as refused:
        start.check_python(version)
    assert "Python " + ".".join(map(str, version)) in refused.value.what


@pytest.mark.parametrize("version", [(3, 10, 0), (3, 11, 7), (3, 12, 9), (3, 13, 0)])
def test_these_pythons_are_accepted(version):
    start.check_python(version)


def test_supported_versions_are_those_of_pyproject():
    low, high = (".".join(map(str, version)) for version in start.SUPPORTED)
    assert f'requires-python = ">={low},<{high}"' in (COURSE / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments, language", [([], "zh"), (["--language", "en"], "en")])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_no_traceback_for_an_old_python(arguments, language, encoding):
    """The real command, in a process that says it is Python 3.9; also on a screen that claims to know ASCII only."""
    code = "import sys; sys.version_info = (3, 9, 18)\nfrom course_lib.start import main\nsys.exit(main())"
    environment = dict(os.environ, PYTHONIOENCODING=encoding, COURSE_LANG="zh")
    ran = subprocess.run([sys.executable, "-c", code, *arguments], cwd=COURSE, env=environment, capture_output=True)
    assert ran.returncode == 1 and ran.stdout == b""
    assert ran.stderr.decode("utf-8").splitlines() == str_in(language, "python_version", found="3.9.18").splitlines()


def str_in(language, key, **values):
    messages.set_language(language)
    return str(messages.error(key, **values))


@pytest.mark.parametrize("name", ["__init__", "__main__", "messages", "start"])
def test_an_old_python_can_read_it(name):
    ast.parse((COURSE / "course_lib" / f"{name}.py").read_text(encoding="utf-8"), feature_version=(3, 6))


# ---- what is installed

def test_an_installed_torch_in_range_is_kept():
    requirements = (COURSE / "requirements.txt").read_text(encoding="utf-8")
    kept = {version: start.keeps_torch(version, requirements)
            for version in (None, "2.3.0", "2.5.1+cu121", "2.6.0", "2.9.1+cu128", "2.10.0a0+git1", "2.13.0", "3.0.0")}
    assert [version for version, keep in kept.items() if keep] == ["2.6.0", "2.9.1+cu128", "2.10.0a0+git1", "2.13.0"]


def test_only_the_pin_of_a_kept_torch_is_left_out(course):
    alone, shared = (start.constraints_text(course, share).splitlines() for share in (False, True))
    assert [line for line in alone if line not in shared] == ["torch==2.13.0"]
    assert [line for line in alone if line in shared] == shared


def test_every_requirement_has_a_pin():
    pins = {re.split("[=;]", line)[0] for line in start.constraints_text(COURSE, False).splitlines()}
    for file in ("requirements.txt", "tests/requirements.txt"):
        wanted = re.findall(r"^[\w-]+", (COURSE / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert wanted and set(wanted) <= pins


def test_the_lock_holds_the_same_versions_each_with_its_hashes():
    pins = [line for line in (COURSE / "tests" / "constraints.txt").read_text(encoding="utf-8").splitlines()
            if not line.startswith("#")]
    entries = re.split(r"\n(?! )", (COURSE / "tests" / "lock.txt").read_text(encoding="utf-8").strip())
    locked = [entry for entry in entries if not entry.startswith("#")]
    assert [entry.split(" \\\n")[0] for entry in locked] == pins and len(pins) > 200
    assert all(re.fullmatch(r".+( \\\n    --hash=sha256:[0-9a-f]{64})+", entry) for entry in locked)


def test_a_change_of_what_is_installed_is_seen(course):
    before = start.fingerprint(course, "pins")
    assert start.fingerprint(course, "pins") == before != start.fingerprint(course, "other pins")
    with (course / "requirements.txt").open("a") as file:
        file.write("six\n")
    assert start.fingerprint(course, "pins") != before


def test_an_environment_that_shares_packages_is_known_as_such(tmp_path):
    for share in (True, False):
        start.make_environment(tmp_path / str(share), share)
        assert start.environment_python(tmp_path / str(share)).exists()
        assert start.shares_packages(tmp_path / str(share)) == share


def test_install_without_network_then_unchanged(course, offline, capsys):
    with pytest.raises(LessonError, match="下载中断") as failed:
        start.install(course)
    log = course / ".venv" / "install.log"
    assert str(log) in failed.value.why
    assert not (course / ".venv" / "course_installed.txt").exists()

    pins = start.constraints_text(course, False)  # as if pip had succeeded
    (course / ".venv" / "course_installed.txt").write_text(start.fingerprint(course, pins), encoding="utf-8")
    log.unlink()
    assert start.install(course) == start.environment_python(course / ".venv")
    assert messages.text("start_unchanged") in capsys.readouterr().out and not log.exists()

    (course / "requirements.txt").write_text("six\n")
    with pytest.raises(LessonError):
        start.install(course)


@pytest.mark.parametrize("broken", ["dead", "half", "no pip", "nothing"])
def test_an_environment_that_does_not_work_is_made_anew(tmp_path, broken):
    environment = tmp_path / ".venv"
    python = start.environment_python(environment)
    if broken == "half":
        environment.mkdir()
        (environment / "pyvenv.cfg").write_text("home = /nowhere\n")
    elif broken != "nothing":
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
        if broken == "dead":
            for link in python.parent.glob("python*"):
                link.unlink()
                link.symlink_to("/nowhere/python")
    assert not start.works(python)
    start.make_environment(environment, False)
    assert start.works(python)


@pytest.mark.parametrize("name", start.ELSEWHERE)
def test_settings_that_put_packages_elsewhere_are_not_pips(tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\ntest -z \"${name}\"\n")
    script.chmod(0o755)
    start.run_pip(script, [], tmp_path / "log")


@pytest.mark.parametrize("output, key", [
    ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "start_disk_full"),
    ("OSError: [Errno 122] Disk quota exceeded: 'x'", "start_disk_full"),
    ("ReadTimeoutError(... Read timed out. (read timeout=15))", "start_no_network"),
    ("Temporary failure in name resolution", "start_no_network"),
    ("ERROR: Could not find a version that satisfies the requirement x", "start_pip_failed"),
])
def test_what_pip_says_is_understood(output, key):
    assert start.diagnose(output) == key


def test_pips_own_reason_is_passed_on(tmp_path, offline, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(LessonError, match="no-such-package"):
        start.run_pip(sys.executable, ["--dry-run", "no-such-package"], tmp_path / "log")


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_what_a_machine_lacks_is_said(language, tmp_path):
    messages.set_language(language)
    (tmp_path / "file").touch()
    for check, key in [(lambda: start.check_modules(["venv", "no_such_module"]), "start_no_venv"),
                       (lambda: start.check_disk(tmp_path, needed=10**9), "start_disk_full"),
                       (lambda: start.make_environment(tmp_path / "file" / ".venv", False), "start_venv_failed")]:
        with pytest.raises(LessonError) as problem:
            check()
        assert problem.value.what == texts.ERRORS[key][language][0].format(folder=tmp_path / "file" / ".venv")
    start.check_modules()
    start.check_disk(tmp_path, needed=1)


# ---- JupyterLab

def test_a_port_in_use_is_passed_over():
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        assert start.free_port(taken) > taken


@pytest.mark.parametrize("language, lesson", [
    ("zh", "notebooks/01_setup.ipynb"), ("en", "notebooks/en/01_setup.ipynb")])
def test_the_arguments_bind_loopback_and_open_the_lesson(language, lesson):
    messages.set_language(language)
    command = start.lab_command("python", COURSE, 8888, browser=True)
    assert "--ServerApp.ip=127.0.0.1" in command and f"--LabApp.default_url=/lab/tree/{lesson}" in command
    assert not any("token" in word for word in command)
    assert set(start.lab_command("python", COURSE, 8888, browser=False)) - set(command) == {"--no-browser"}


def test_the_real_server_listens_to_this_machine_alone(tmp_path):
    """Even for a learner whose own settings open Jupyter to everyone; the lesson needs the token; Ctrl+C ends it."""
    (tmp_path / "jupyter_server_config.py").write_text("c.ServerApp.ip = '0.0.0.0'\n")
    environment = dict(os.environ, JUPYTER_CONFIG_DIR=str(tmp_path), JUPYTER_RUNTIME_DIR=str(tmp_path),
                       COURSE_LANG="en")
    code = "import sys; from course_lib import start; sys.exit(start.open_lab(sys.executable, browser=False))"
    with (tmp_path / "screen").open("wb") as screen:
        server = subprocess.Popen([sys.executable, "-c", code], cwd=COURSE, env=environment, stdout=screen,
                                  stderr=subprocess.STDOUT, start_new_session=True)
    try:
        address = wait_for(lambda: re.search(r"http://\S+", (tmp_path / "screen").read_text("utf-8"))).group()
        page = wait_for(lambda: answer(address))
        assert "notebooks/en/01_setup.ipynb" in address and b"JupyterLab" in page
        base = re.match(r"http://127\.0\.0\.1:\d+", address).group()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(base + "/api/contents")
        assert listening_addresses(psutil.Process(server.pid)) == {"127.0.0.1"}
        token = address.partition("token=")[2]
        assert json.loads(urllib.request.urlopen(f"{base}/api/contents/notebooks?token={token}").read())["content"]
    finally:
        press_ctrl_c(server)


def listening_addresses(server):
    """Return the addresses that a process and its children listen on; helpers of Jupyter come and go meanwhile."""
    addresses = set()
    for process in server.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            addresses |= {connection.laddr.ip for connection in process.net_connections("inet")
                          if connection.status == psutil.CONN_LISTEN}
    return addresses


def press_ctrl_c(server):
    """Interrupt a server and its children until they end; Jupyter overhears a Ctrl+C while it runs another program."""
    for _ in range(8):
        os.killpg(server.pid, signal.SIGINT)
        try:
            return server.wait(timeout=8)
        except subprocess.TimeoutExpired:
            continue
    os.killpg(server.pid, signal.SIGKILL)
    raise AssertionError("Ctrl+C does not end it")


def answer(address):
    try:
        return urllib.request.urlopen(address, timeout=5).read()
    except (urllib.error.URLError, TimeoutError):
        return None


def wait_for(found, seconds=90):
    """Ask again until there is an answer; the machine may be busy."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.3)
    raise AssertionError("no answer in time")


# ---- make

def test_make_takes_the_language_from_its_own_command_line_only():
    def command(*arguments):
        environment = dict(os.environ, LANGUAGE="en_US:en")
        return subprocess.run(["make", "-n", "start", *arguments], cwd=COURSE, env=environment, check=True,
                              capture_output=True, text=True).stdout
    assert "--language en\n" in command("LANGUAGE=en") and "--language" not in command()
