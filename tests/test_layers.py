"""course_lib stays readable from the bottom up: imports run one way, and each module keeps its private names."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

COURSE = Path(__file__).parent.parent
# Each module may import those before it.
ORDER = ["texts", "messages", "machine", "download", "hub", "publish",
         "kolors_configs", "footprint", "plan", "embeddings", "loading",
         "emoji", "settings", "a1111", "png", "pipeline",
         "prompts", "unet_layers", "unet_steps", "noise",
         "sigmas", "sampler_step", "one_step", "multistep", "stochastic", "exponential_stages",
         "stochastic_adams", "cfg_pp", "samplers",
         "generate",
         "judge", "measure", "trial", "figures", "look",
         # preparing a data set
         "caption_table", "raw_picture", "scenes", "synthesis", "augment",
         "web", "vision_model", "caption_backends", "captions", "found_pictures", "sources", "crawler",
         "picture_files", "signals", "near_duplicates", "set_rows", "set_report", "set_captions", "set_pictures",
         "set_split", "set_figures", "set_writer", "messy_set", "scale_operator", "scale_out", "dataset",
         # LoRA: files, then training
         "lora_keys", "lora_files", "lora_match", "lora_adapters", "lora_convert", "lora_inspect", "lora",
         "style_sets", "train_config", "train_rows", "train_cache", "train_data", "train_loss", "train_processes",
         "train_state", "train_run", "train_record", "train_view", "train", "train_command",
         # workflows, then ComfyUI
         "comfy_nodes",
         "node_types", "node_table", "workflow_parts", "workflow_files", "workflow_reading", "workflow_layout",
         "workflow_forms", "workflow_graph", "workflow_marks", "workflow_drawing",
         "comfyui_answers", "workflow_host", "workflow_nodes", "workflow_check", "workflow_results", "workflow_run",
         "workflow",
         "comfyui_child", "comfyui_install", "comfyui_link", "comfyui_server", "comfyui_socket",
         "comfyui_view", "comfyui", "comfyui_command",
         "worker", "sweep", "controls", "panels", "prediction", "widgets", "caption_editor",
         "exercises", "set_exercises", "lesson_rules", "lessons", "start", "__main__"]
PACKAGE = COURSE / "course_lib"
MODULES = sorted(PACKAGE.rglob("*.py"))  # those of a folder in it count as the folder: texts/hub.py as texts
SOURCES = MODULES + sorted((COURSE / "data").rglob("*.py")) + sorted((COURSE / "notebooks" / "src").glob("*.py"))


def imported(tree):
    """Return the course_lib modules that a syntax tree imports, also inside functions."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = "course_lib" if node.level else ""
            source = ".".join(part for part in (package, node.module) if part)
            names += [source, *(f"{source}.{alias.name}" for alias in node.names)]
    return {name.split(".")[1] for name in names if name.startswith("course_lib.") and name.split(".")[1] in ORDER}


def place(path):
    """Return the name in ORDER of a module's file."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def backward(name, tree):
    """Say which imports of the module `name` do not run towards `messages`."""
    if name == "__init__":
        allowed = []
    elif name in ORDER:
        allowed = ORDER[:ORDER.index(name) + (PACKAGE / name).is_dir()]
    else:
        return [f"{name} has no place in ORDER"]
    return [f"{name} imports {other}" for other in sorted(imported(tree)) if other not in allowed]


def forbidden(tree):
    """Say which lines import everything, take another module's private name, or hand a string to a shell."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found += [f"{node.lineno}: imports {alias.name}" for alias in node.names
                      if alias.name == "*" or private(alias.name) and node.module != "__future__"]
        elif isinstance(node, ast.Attribute) and private(node.attr) and isinstance(node.value, ast.Name) \
                and node.value.id in ORDER:
            found.append(f"{node.lineno}: uses {node.value.id}.{node.attr}")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) \
                and (node.value.id, node.attr) in {("os", "system"), ("os", "popen")}:
            found.append(f"{node.lineno}: uses os.{node.attr}")
        elif isinstance(node, ast.keyword) and node.arg == "shell":
            found.append(f"{node.value.lineno}: shell=")
    return found


def private(name):
    return name.startswith("_") and not name.startswith("__")


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_imports_run_one_way(path):
    assert backward(place(path), ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(COURSE)))
def test_no_private_names_and_no_shell(path):
    assert forbidden(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_every_module_in_the_order_exists():
    assert set(ORDER) <= {place(path) for path in MODULES}


@pytest.mark.parametrize("name, code", [
    ("hub", "from . import judge"), ("hub", "from course_lib.judge import judge"), ("hub", "import course_lib.judge"),
    ("hub", "def late():\n    from .pipeline import load"), ("newcomer", ""),
    ("__init__", "from .messages import text"),
])
def test_a_backward_import_is_seen(name, code):
    assert backward(name, ast.parse(code))


@pytest.mark.parametrize("code", [
    "from course_lib.messages import *", "from course_lib.start import _numbers",
    "from course_lib import hub\nhub._read()",
    "import os\nos.system('ls')", "import os\nos.popen('ls')", "run('ls', shell=True)",
])
def test_a_forbidden_line_is_seen(code):
    assert forbidden(ast.parse(code))


def test_start_needs_nothing_but_the_standard_library():
    """-S leaves out every installed package."""
    subprocess.run([sys.executable, "-S", "-c", "import course_lib, course_lib.start"], cwd=COURSE, check=True)
