"""Record what the real ComfyUI tells of its nodes into course_lib/workflow/known_nodes.json, which `known` reads.

    python tests/by_hand/record_nodes.py PATH_OF_COMFYUI [--python PYTHON]

The recorded one is 0.29.0 (Comfy-Org/ComfyUI@4f874c5e) with the course's nodes in its custom_nodes. Kept are the nodes
of ComfyUI itself and the course's, without texts for the page. Left out are partner nodes, which a service runs, and
nodes with inputs whose number or kind only the page's own code knows.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import httpx

COURSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(COURSE))

from course_lib.comfyui import server as comfyui_server  # noqa: E402 - found by the line above
from course_lib.comfyui.installing import LINK, NODES  # noqa: E402

FILE = COURSE / "course_lib" / "workflow" / "known_nodes.json"
SOURCES = ("nodes", "comfy_extras", f"custom_nodes.{LINK}")  # of ComfyUI, and of the course
MADE_BY_THE_PAGE = "COMFY_"
HERE = "a_file_of_this_machine"  # lies in every folder of ComfyUI, so that a list with it is a list of files
# What `node_types` reads of an input; the rest is for the page's eyes.
KEPT = ("default", "min", "max", "step", "multiline", "dynamicPrompts", "forceInput", "rawLink", "widgetType",
        "control_after_generate", "image_upload", "animated_image_upload", "video_upload", "audio_upload",
        "file_upload")


def lay_files(base, models):
    """Put one file into each folder that ComfyUI lists, and link the course's nodes."""
    (base / "input").mkdir()
    for ending in ("png", "wav", "mp4", "glb"):
        (base / "input" / f"{HERE}.{ending}").touch()
    for folder in models:
        (base / "models" / folder).mkdir(parents=True)
        (base / "models" / folder / f"{HERE}.safetensors").touch()
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / LINK).symlink_to(NODES.resolve(), target_is_directory=True)


def trim_input(described):
    """Return one input as (kind, {bounds}) or (choices, {bounds}); a list of a machine's files has no choices left."""
    kind, about = described[0], described[1] if len(described) > 1 else {}
    choices = kind if isinstance(kind, list) else about.get("options")
    kept = {key: about[key] for key in KEPT if key in about}
    if isinstance(choices, list) and (not choices or any(HERE in str(choice) for choice in choices)):
        kept.pop("default", None)
        choices, kind = None, "COMBO"
    return [choices if isinstance(choices, list) else kind, *([kept] if kept else [])]


def trim(found):
    """Return of a node what `node_types.read_type` reads."""
    return {"input": {part: {name: trim_input(described) for name, described in found["input"][part].items()}
                      for part in ("required", "optional") if found["input"].get(part)},
            "output": [kind if isinstance(kind, str) else "COMBO" for kind in found["output"]],
            "output_name": found["output_name"], "category": found["category"],
            "display_name": found["display_name"] or found["name"], "output_node": found["output_node"]}


def is_plain(found):
    """Tell whether all inputs and outputs of a node stand in what it tells."""
    inputs = [described[0] for part in ("required", "optional")
              for described in (found["input"].get(part) or {}).values()]
    return not any(str(kind).startswith(MADE_BY_THE_PAGE) for kind in (*inputs, *found["output"]))


def main():
    """Start the real one in a folder of its own, record, stop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--python", type=Path, help="the Python that runs it, if not that of an environment in PATH")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lay_files(Path(folder), [place.name for place in (options.path / "models").iterdir() if place.is_dir()])
        server = comfyui_server.start(options.path, python=options.python, arguments=[
            "--base-directory", folder, "--database-url", "sqlite:///:memory:"])
        try:
            told = httpx.get(f"{server.address}/object_info", timeout=120).json()
        finally:
            comfyui_server.stop(options.path)
    nodes = {name: trim(found) for name, found in sorted(told.items())
             if found["python_module"].startswith(SOURCES) and is_plain(found)}
    lines = [f"{json.dumps(name)}: {json.dumps(about, ensure_ascii=False)}" for name, about in nodes.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(FILE, len(nodes), "nodes,", FILE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
