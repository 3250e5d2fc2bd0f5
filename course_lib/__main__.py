"""`python -m course_lib ...` with any Python: where the packages are missing, it goes on in the course's own `.venv`.

Standard library only, and syntax that Python 3.6 reads. From another folder: `python PATH/TO/course_lib ...`.
"""

import importlib.util
import os
import subprocess
import sys

if not __package__:  # run as a folder: what lies in it must not be taken for modules of their own
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from course_lib.messages import LessonError, error, language, set_language
from course_lib.start import COURSE, SUPPORTED, environment_python, say, use_utf8

NEEDED = ("psutil", "torch", "diffusers", "httpx", "lazy_loader", "filelock")  # some of them missing: not our place
MARK = "COURSE_OWN_PYTHON"  # environment variable: this is the course's own already, so there is no going on


def is_complete():
    """Say whether the running Python can run the course."""
    return sys.version_info[:2] >= SUPPORTED[0] and all(importlib.util.find_spec(name) for name in NEEDED)


def go_on(arguments):
    """Run the command again with the course's own Python and return its exit code; LessonError where there is none."""
    python = environment_python(COURSE / ".venv")
    if os.environ.get(MARK) or not python.is_file():
        raise error("course_not_installed", python=sys.executable, folder=COURSE)
    paths = [str(COURSE)] + [path for path in [os.environ.get("PYTHONPATH")] if path]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(paths), **{MARK: "1"})
    try:
        return subprocess.call([str(python), "-m", "course_lib"] + arguments, env=environment)
    except KeyboardInterrupt:  # the other has got it too
        return 130
    except OSError:
        raise error("course_not_installed", python=sys.executable, folder=COURSE)


def choose_language(arguments):
    """Take the language that the arguments name, so that help and errors are in it as well."""
    for place, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == "--language":
            value = value or "".join(arguments[place + 1:place + 2])
            set_language(value if value in ("zh", "en") else language())


def main(arguments=None):
    """Run one command, here or in the course's own environment; return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    use_utf8()
    choose_language(arguments)
    try:
        if not is_complete():
            return go_on(arguments)
    except LessonError as problem:
        say(str(problem), sys.stderr)
        return 1
    from course_lib.commands import main as run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
