"""Set the course up in `.venv` and open its first lesson in JupyterLab: what `make start` does.

    python -m course_lib.start [--language en] [--headless | --install-only | --kernel]

Standard library only, and syntax that Python 3.6 reads, so that too old a Python is told so in the learner's language.
"""

import argparse
import hashlib
import importlib.util
import io
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from course_lib.messages import LANGUAGES, LessonError, error, language, set_language, text

COURSE = Path(__file__).resolve().parent.parent
SUPPORTED = ((3, 10), (3, 14))  # from the first, below the second
DISK_NEEDED = 2500  # MB: the environment with the CPU build of torch takes 1700, and pip unpacks beside it
FIRST_LESSON = {"zh": "notebooks/01_setup.ipynb", "en": "notebooks/en/01_setup.ipynb"}
KERNEL = "kolors-course"
ELSEWHERE = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_DRY_RUN", "PIP_REQUIRE_VIRTUALENV", "PYTHONHOME")
TRACES = {  # what pip prints -> the error it means; the first that is found counts
    "start_disk_full": ("No space left on device", "Disk quota exceeded", "not enough space on the disk"),
    "start_no_network": ("Failed to establish a new connection", "name resolution", "ConnectTimeoutError",
                         "Read timed out", "ProxyError", "Connection reset", "Connection aborted"),
}


def check_python(version_info):
    """Refuse a Python that the course does not run on: LessonError."""
    if not SUPPORTED[0] <= tuple(version_info[:2]) < SUPPORTED[1]:
        raise error("python_version", found=".".join(str(part) for part in version_info[:3]))


def check_modules(names=("venv", "ensurepip")):
    """Refuse a Python without the modules that make an environment, as Debian ships it: LessonError."""
    if any(importlib.util.find_spec(name) is None for name in names):
        raise error("start_no_venv", version="{}.{}".format(*sys.version_info))


def check_disk(folder, needed=DISK_NEEDED):
    """Refuse to install where fewer than `needed` MB are free: LessonError."""
    free = shutil.disk_usage(str(folder)).free // 10**6
    if free < needed:
        raise error("start_disk_full", folder=folder, needed=needed, free=free)


def environment_python(environment):
    """Return the path of an environment's own Python."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def installed_torch():
    """Return the version of the torch that a new environment would see in the running Python, or None."""
    if sys.prefix != sys.base_prefix:  # an environment made from within another does not see the other's packages
        return None
    from importlib import metadata  # not there before Python 3.8

    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return None


def keeps_torch(version, requirements):
    """Say whether an installed torch lies in the range that requirements.txt (its text) gives."""
    if version is None:
        return False
    low, high = re.search(r"^torch>=([\d.]+),<([\d.]+)", requirements, re.MULTILINE).groups()
    return _numbers(low) <= _numbers(version) < _numbers(high)


def _numbers(version):
    return [int(number) for number in re.match(r"\d+(\.\d+)*", version).group().split(".")]


def shares_packages(environment):
    """Say whether an environment also sees the packages of the Python that made it."""
    settings = environment / "pyvenv.cfg"
    return settings.is_file() and "include-system-site-packages = true" in settings.read_text(encoding="utf-8")


def works(python):
    """Say whether an environment's Python runs, is of a supported version and has pip."""
    code = "import sys, pip; sys.exit(not {} <= sys.version_info[:2] < {})".format(*SUPPORTED)
    try:
        return subprocess.call([str(python), "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def make_environment(environment, share):
    """Make an environment, anew where there is one already; `share` lets it see the packages of the running Python."""
    command = [sys.executable, "-m", "venv", "--clear"] + (["--system-site-packages"] if share else []) + [
        str(environment)]
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if made.returncode:
        lines = made.stdout.strip().splitlines() or [str(made.returncode)]
        raise error("start_venv_failed", folder=environment, reason=lines[-1])


def constraints_text(course, share):
    """Return the exact versions to install; without torch where the environment keeps the one that is there."""
    lines = (course / "tests" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not (share and line.startswith("torch=="))) + "\n"


def fingerprint(course, constraints):
    """Return a hash of everything that an installation depends on; another folder is another installation."""
    parts = [str(course), constraints] + [(course / name).read_text(encoding="utf-8")
                                          for name in ("requirements.txt", "pyproject.toml")]
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()


def diagnose(log):
    """Return the key of the error that pip's output (its text) shows."""
    return next((key for key, traces in TRACES.items() if any(trace in log for trace in traces)), "start_pip_failed")


def run_pip(python, arguments, log, folder=None):
    """Run pip in a folder, its output going to the file `log`, its downloads to the screen; LessonError if it fails."""
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check"] + arguments
    # settings of this account that would put the packages elsewhere, or nowhere
    environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    with log.open("w", encoding="utf-8", errors="replace") as file, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, env=environment,
            cwd=None if folder is None else str(folder)) as pip:
        for line in pip.stdout:
            file.write(line)
            if line.strip().startswith(("Downloading ", "Installing collected")):
                say("  " + line.strip()[:100])
    if pip.returncode:
        output = log.read_text(encoding="utf-8")
        reasons = [line.strip() for line in output.splitlines() if "ERROR:" in line] or output.splitlines()[-1:]
        free = shutil.disk_usage(str(log.parent)).free // 10**6
        raise error(diagnose(output), folder=log.parent, needed=DISK_NEEDED, free=free, reason=reasons[0], log=log)


def install(course=COURSE):
    """Make `.venv` and install the course in it, unless nothing has changed since; return its Python."""
    environment = course / ".venv"
    python, done = environment_python(environment), environment / "course_installed.txt"
    whole = works(python)  # else gone with an upgrade of the system, cut off half-way, or another Python's
    if not (whole and done.is_file()):
        check_modules()
        check_disk(course)
        torch = installed_torch()
        share = keeps_torch(torch, (course / "requirements.txt").read_text(encoding="utf-8"))
        say(text("start_keeps_torch", version=torch) if share else text("start_plan", needed=DISK_NEEDED))
        if not whole:
            make_environment(environment, share)
    constraints = constraints_text(course, shares_packages(environment))
    wanted = fingerprint(course, constraints)
    if done.is_file() and done.read_text(encoding="utf-8") == wanted:
        say(text("start_unchanged"))
        return python
    say(text("start_installing", folder=environment))
    pins = environment / "constraints.txt"  # `make test` installs its tools with the same
    pins.write_text(constraints, encoding="utf-8")
    run_pip(python, ["--requirement", str(course / "requirements.txt"), "--constraint", str(pins),
                     "--editable", "."], environment / "install.log", course)  # a path with [x] would be an extra
    done.write_text(wanted, encoding="utf-8")
    say(text("start_installed"))
    return python


def free_port(first=8888):
    """Return the first port from `first` on that nothing listens to on this machine."""
    for port in range(first, first + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise error("start_no_port", first=first, last=first + 99)


def lab_command(python, course, port, browser):
    """Return the list that starts JupyterLab on the first lesson, reachable from this machine alone."""
    command = [str(python), "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", "--ServerApp.port={}".format(port),
               "--ServerApp.port_retries=0", "--ServerApp.root_dir={}".format(course), "--ServerApp.answer_yes=True",
               # pages of other sites cannot send anything to what runs behind the proxy, such as ComfyUI
               "--ServerApp.jpserver_extensions=course_lib.comfyui.page_guard=True",
               "--LabApp.default_url=/lab/tree/" + FIRST_LESSON[language()], "--log-level=WARN"]
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # hosted notebooks run as root, which Jupyter refuses unasked
        command.append("--allow-root")
    return command


def open_lab(python, course=COURSE, browser=True):
    """Run JupyterLab until it is stopped and return its exit code; the address is printed first."""
    port, token = free_port(), secrets.token_hex(24)
    say(text("start_lab", address="http://127.0.0.1:{}/lab/tree/{}?token={}".format(
        port, FIRST_LESSON[language()], token)))
    # not in the arguments, which every account on this machine can read
    environment = dict(os.environ, JUPYTER_TOKEN=token, COURSE_LANG=language())
    server = subprocess.Popen(lab_command(python, course, port, browser), env=environment, cwd=str(course))
    while True:
        try:
            return server.wait()
        except KeyboardInterrupt:  # Jupyter has got the Ctrl+C too: wait while it stops its kernels
            continue


def add_kernel(python):
    """Offer `.venv` as a kernel to the Jupyter this account already uses, such as a hosted notebook's."""
    name = text("start_kernel_name")
    subprocess.run([str(python), "-m", "ipykernel", "install", "--user", "--name", KERNEL, "--display-name", name],
                   stdout=subprocess.DEVNULL, check=True)
    say(text("start_kernel", name=name, lesson=FIRST_LESSON[language()]))


def say(words, stream=None):
    """Print to the screen (or another stream) at once."""
    print(words, file=stream or sys.stdout, flush=True)


def use_utf8():
    """Let the screen show Chinese where Python believes that it cannot: an unset locale, a redirected console."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            "\u4e2d".encode(stream.encoding)
        except UnicodeEncodeError:  # reconfigure() is not there before Python 3.7
            setattr(sys, name, io.TextIOWrapper(stream.buffer, encoding="utf-8", line_buffering=True))


def main(arguments=None):
    """Read the command line, set up and open the first lesson; return the exit code."""
    use_utf8()
    parser = argparse.ArgumentParser(prog="python -m course_lib.start", description=text("start_help"))
    parser.add_argument("--language", choices=LANGUAGES, default=language(), help=text("start_help_language"))
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--headless", action="store_true", help=text("start_help_headless"))
    only.add_argument("--install-only", action="store_true", help=text("start_help_install_only"))
    only.add_argument("--kernel", action="store_true", help=text("start_help_kernel"))
    options = parser.parse_args(arguments)
    set_language(options.language)
    try:
        check_python(sys.version_info)
        python = install()
        if options.kernel:
            add_kernel(python)
        elif not options.install_only:
            return open_lab(python, browser=not options.headless)
    except LessonError as problem:
        say(str(problem), sys.stderr)
        return 1
    except OSError as cause:  # another account's folder
        say(str(error("folder_closed", folder=COURSE, cause=cause.strerror or cause)), sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
