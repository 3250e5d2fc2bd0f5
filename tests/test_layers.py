"""course_lib stays readable from the bottom up: imports run down the list of areas, and each module keeps its own."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

COURSE = Path(__file__).parent.parent
PACKAGE = COURSE / "course_lib"
# Lowest first: each area may import those before it.
AREAS = ["texts", "messages", "files", "checks", "hub", "machine", "pictures", "model", "sampling", "widgets", "lora",
         "dataset", "training", "story", "workflow", "comfyui", "exercises", "start", "commands", "__main__"]
# What one part of an area must not reach, although the area as a whole may: part -> modules or packages
CLOSED = {"course_lib.lora": ("course_lib.hub.client",), "course_lib.workflow": ("httpx",)}
UPLOADER = "course_lib.lora.publishing"  # the one part of lora that may
LINES = 350
MODULES = {".".join(path.relative_to(COURSE).with_suffix("").parts).removesuffix(".__init__"): path
           for path in sorted(PACKAGE.rglob("*.py"))}
SOURCES = [*MODULES.values(), *(path for folder in ("data", "notebooks") for path in (COURSE / folder).rglob("*.py"))]


def read(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree):
    """Return what a syntax tree imports, also inside functions: (module, name or None)."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [("." * node.level + (node.module or ""), alias.name) for alias in node.names]
    return found


def modules_of(tree):
    """Return the course's modules that a syntax tree imports."""
    found = {f"{module}.{name}" if f"{module}.{name}" in MODULES else module for module, name in imported(tree)}
    return {module for module in found if module in MODULES}


def area_of(module):
    return module.split(".")[1] if "." in module else ""


def backward(module, tree):
    """Say which imports of a module do not run down the list of areas."""
    own = area_of(module)
    if not own:
        return [f"{module} imports {name}" for name, _ in imported(tree) if name.startswith("course_lib")]
    if own not in AREAS:
        return [f"{own} has no place in AREAS"]
    problems = [f"{module} imports {other}" for other, _ in imported(tree) if other.startswith(".")]
    for other in modules_of(tree):
        if other == "course_lib" or area_of(other) not in AREAS[:AREAS.index(own) + 1]:
            problems.append(f"{module} imports {other}")
    for part, closed in CLOSED.items():
        if module.startswith(part + ".") and module != UPLOADER:
            problems += [f"{module} imports {name}" for name, _ in imported(tree) if name.startswith(closed)]
    if module != UPLOADER and UPLOADER in modules_of(tree):
        problems.append(f"{module} imports {UPLOADER}")
    return problems


def forbidden(tree):
    """Say which lines import everything, take another module's private name, or hand a string to a shell."""
    found, ours = [], {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                       and (node.module or "").startswith("course_lib") for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found += [f"{node.lineno}: imports {alias.name}" for alias in node.names
                      if alias.name == "*" or private(alias.name) and node.module != "__future__"]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if private(node.attr) and node.value.id in ours:
                found.append(f"{node.lineno}: uses {node.value.id}.{node.attr}")
            elif (node.value.id, node.attr) in {("os", "system"), ("os", "popen")}:
                found.append(f"{node.lineno}: uses os.{node.attr}")
        elif isinstance(node, ast.keyword) and node.arg == "shell":
            found.append(f"{node.value.lineno}: shell=")
    return found


def private(name):
    return name.startswith("_") and not name.endswith("_")  # "_repr_mimebundle_" is Jupyter's, "__name__" Python's


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_down_the_list_of_areas(module):
    assert backward(module, read(MODULES[module])) == []


def test_no_module_needs_itself():
    """Raises CycleError, which names the circle."""
    list(TopologicalSorter({module: modules_of(read(path)) - {module} for module, path in MODULES.items()})
         .static_order())


def test_every_area_exists():
    assert {area_of(module) for module in MODULES} == {"", *AREAS}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(COURSE)))
def test_no_private_names_and_no_shell(path):
    assert forbidden(read(path)) == []


@pytest.mark.parametrize("module", [module for module in MODULES if area_of(module) != "texts"])
def test_a_module_is_read_in_one_go(module):
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= LINES


@pytest.mark.parametrize("module, code", [
    ("course_lib.hub.client", "from course_lib.pictures import emoji"),
    ("course_lib.hub.client", "import course_lib.pictures.emoji"),
    ("course_lib.hub.client", "def late():\n    from course_lib.model.loading import load"),
    ("course_lib.hub.client", "from . import failures"),
    ("course_lib.pictures.picture", "from course_lib.sampling.metadata import write_chunks"),
    ("course_lib.dataset.table", "from course_lib.training.rows import read_rows"),
    ("course_lib.lora.files", "from course_lib.lora.publishing import publish"),
    ("course_lib.lora.files", "from course_lib.hub.client import connect"),
    ("course_lib.workflow.files", "import httpx"),
    ("course_lib.newcomer", ""),
    ("course_lib", "from course_lib.messages import text"),
])
def test_a_backward_import_is_seen(module, code):
    assert backward(module, ast.parse(code))


@pytest.mark.parametrize("code", [
    "from course_lib.messages import *", "from course_lib.start import _numbers",
    "from course_lib.hub import client\nclient._read()",
    "import os\nos.system('ls')", "import os\nos.popen('ls')", "run('ls', shell=True)",
])
def test_a_forbidden_line_is_seen(code):
    assert forbidden(ast.parse(code))


def test_start_needs_nothing_but_the_standard_library():
    """-S leaves out every installed package."""
    subprocess.run([sys.executable, "-S", "-c", "import course_lib, course_lib.start"], cwd=COURSE, check=True)


def tracked(*endings):
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=COURSE, capture_output=True, text=True, check=True).stdout
    return [COURSE / name for name in listed.split("\0") if name.endswith(endings) and (COURSE / name).is_file()]


def leads_nowhere(words):
    """Say which dotted names and paths of the course in a text lead to no module."""
    found = []
    for dotted in re.findall(r"\bcourse_lib((?:\.\w+)+)", words):
        parts = dotted.strip(".").split(".")
        if parts[0] != "py" and not (PACKAGE / parts[0]).is_dir() and not (PACKAGE / f"{parts[0]}.py").is_file():
            found.append(f"course_lib{dotted}")
    for module, names in re.findall(r"\bfrom (course_lib[\w.]*) import (\([^)]*\)|[\w, ]+)", words):
        found += [f"{module}.{name}" for name in re.findall(r"(?:^|[,(])\s*(?!as\b)(\w+)", without_marks(names))
                  if not holds(module, name)]
    return found + [path for path in re.findall(r"\bcourse_lib/[\w/]+\.(?:py|txt|json)\b", words)
                    if not (COURSE / path).is_file()]


def without_marks(names):
    """Return imported names without what ends a line in a notebook's file, a string or a document."""
    return re.sub(r"\\n|#.*|[\"'`\\]", " ", names)


def holds(module, name):
    """Say whether a module of the course has a name of its own, hands on an imported one, or is the folder of one."""
    if module not in MODULES or f"{module}.{name}" in MODULES:
        return f"{module}.{name}" in MODULES
    tree, area = read(MODULES[module]), area_of(module)
    if module == f"course_lib.{area}" and area in FACES:
        return name in face_of(area)
    known = {other for node in ast.walk(tree) if isinstance(node, ast.stmt) for other in defined(node)}
    return name in known | {other for _, other in imported(tree)}


@pytest.mark.parametrize("path", tracked(".py", ".md", ".ipynb", ".toml", ".txt", "Makefile"),
                         ids=lambda path: str(path.relative_to(COURSE)))
def test_no_old_name_is_left(path):
    if path.name not in ("CHANGES.md", Path(__file__).name):
        assert leads_nowhere(path.read_text(encoding="utf-8")) == []


def test_an_old_name_is_seen():
    assert leads_nowhere("see `course_lib.pipeline`") and leads_nowhere("in course_lib/judge.py")
    assert leads_nowhere("from course_lib.pictures.picture import load")  # in a child's script, say
    assert leads_nowhere("from course_lib.model import (draw,\n    load)") == ["course_lib.model.draw"]
    assert leads_nowhere('"from course_lib.model import load, draw\\n",') == ["course_lib.model.draw"]
    assert not leads_nowhere("from course_lib import files, machine\nfrom course_lib.model.loading import load as open")
    assert not leads_nowhere("`course_lib.pictures`, course_lib/start.py and course_lib.sampling.drawing")


def test_no_two_tests_share_a_name():
    """Pytest takes them for one module, and helpers are imported from tests by their names alone."""
    names = [path.name for path in tracked("") if path.suffix == ".py" and (COURSE / "tests") in path.parents]
    assert sorted(names) == sorted(set(names))


# ---- faces

FACES = [area for area in AREAS if (PACKAGE / area).is_dir() and area != "texts"]
LESSONS = sorted((COURSE / "notebooks" / "src").glob("[0-9]*.py"))
MOST_IMPORTS = 8  # lines that open an area, before a lesson's first exercise


def face_of(area):
    """Return what an area's face names: {name: module}."""
    call = next(node for node in ast.walk(read(PACKAGE / area / "__init__.py")) if isinstance(node, ast.keyword))
    return {name: module for module, names in ast.literal_eval(call.value).items() for name in names}


def foreign_imports(tree):
    """Say which imports of a lesson are not from the face of an area."""
    found = []
    for module, name in imported(tree):
        if module.split(".")[0] == "course_lib":
            area = module.removeprefix("course_lib").strip(".") or name
            known = face_of(area) if area in FACES else [name] if area in AREAS[:4] else []
            whole = module == "course_lib" and name in (*FACES, *AREAS[:4])
            if name not in known and not whole:
                found.append(f"{module}.{name}")
    return found


@pytest.mark.parametrize("area", FACES)
def test_a_face_is_lazy_and_names_what_is_there(area):
    """No module bears the name of a function: the function would hide it."""
    tree, face = read(PACKAGE / area / "__init__.py"), face_of(area)
    assert [module for module, _ in imported(tree)] == ["lazy_loader"]
    for name, module in face.items():
        assert f"course_lib.{area}.{module}" in MODULES
        assert f"course_lib.{area}.{name}" not in MODULES
        assert name in {other for node in read(MODULES[f"course_lib.{area}.{module}"]).body for other in defined(node)}


def defined(node):
    """Return the names that a top-level statement defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_lessons_import_from_faces(lesson):
    assert foreign_imports(read(lesson)) == []


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_opens_few_areas_before_its_first_exercise(lesson):
    tree = read(lesson)
    lines = [ast.unparse(node) for node in tree.body if isinstance(node, ast.ImportFrom)
             and (node.module or "").startswith("course_lib") and "exercises" not in ast.unparse(node)]
    assert len(set(lines)) <= MOST_IMPORTS


def test_faces_name_nothing_that_no_lesson_uses():
    words = "\n".join(path.read_text(encoding="utf-8") for path in LESSONS)
    unused = [f"{area}.{name}" for area in FACES for name in face_of(area) if not re.search(rf"\b{name}\b", words)]
    assert unused == []


@pytest.mark.parametrize("code", ["from course_lib.sampling.drawing import draw", "from course_lib import start",
                                  "from course_lib.pictures import encode_png", "import course_lib.pictures.picture"])
def test_a_lesson_that_reaches_behind_a_face_is_seen(code):
    assert foreign_imports(ast.parse(code))
    assert foreign_imports(ast.parse("from course_lib import machine\nfrom course_lib.pictures import judge")) == []


@pytest.mark.parametrize("arguments", [["--help"], ["doctor"]], ids=str)
def test_the_command_line_answers_without_torch(arguments):
    """Torch alone takes seconds to open."""
    code = (f"import sys; sys.argv = ['course_lib', *{arguments!r}]\nimport runpy\n"
            "try:\n    runpy.run_module('course_lib', run_name='__main__')\nexcept SystemExit:\n    pass\n"
            "sys.exit(', '.join({'torch', 'diffusers', 'transformers', 'matplotlib'} & set(sys.modules)) or 0)")
    ran = subprocess.run([sys.executable, "-c", code], cwd=COURSE, capture_output=True, text=True)
    assert ran.stderr == "" and ran.returncode == 0
