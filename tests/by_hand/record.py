"""Record what the real ComfyUI answers into tests/data/comfyui_recorded.json, which tests/servers replays.

    python tests/by_hand/record.py PATH_OF_COMFYUI [--python PYTHON]
"""

import argparse
import base64
import json
import shutil
import sys
import tempfile
import time
import uuid
from pathlib import Path

import httpx
import websocket

COURSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(COURSE))

from course_lib.comfyui import server as comfyui_server  # noqa: E402 - found by the line above

FILE = COURSE / "tests" / "data" / "comfyui_recorded.json"
PAGE = {"nodes": [], "links": [], "version": 0.4}


def graph(**changes):
    """Return the prompt of a painter and a saver; None as a value leaves an input out."""
    inputs = {"steps": 3, "wait": 0.05, "seed": 7, "what": "ok", **changes}
    return {"1": {"class_type": "TrialPaint", "inputs": {name: value for name, value in inputs.items()
                                                         if value is not None}},
            "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "trial"}}}


def wrong(**changes):
    """Return the same prompt with nodes changed, added, or left out (None)."""
    prompt = {**graph(), **{node.removeprefix("node"): about for node, about in changes.items()}}
    return {node: about for node, about in prompt.items() if about is not None}


def save(images):
    """Return a saver whose picture comes from somewhere else."""
    return {"class_type": "SaveImage", "inputs": {"images": images, "filename_prefix": "x"}}


RUNS = {"plain": graph(), "cached": graph(), "failing": graph(what="fail"), "nan": graph(what="nan"),
        "interrupted": graph(steps=10, wait=0.3, seed=8)}
SCALE = {"class_type": "ImageScale", "inputs": {"image": ["1", 0], "upscale_method": "bilinear", "width": 96,
                                                "height": 96, "crop": "disabled"}}
REFUSED = {
    "unknown_class": wrong(node1={"class_type": "NobodysNode", "inputs": {}}),
    "no_class": wrong(node1={"inputs": {}}),
    "not_in_list": graph(what="x"), "missing": graph(seed=None), "no_number": graph(steps="abc"),
    "too_big": graph(steps=1000), "too_small": graph(steps=0),
    "wrong_link": wrong(node2=save(["3", 0]), node3={
        "class_type": "EmptyLatentImage", "inputs": {"width": 96, "height": 96, "batch_size": 1}}),
    "link_to_nothing": wrong(node2=save(["9", 0])), "half_a_link": wrong(node2=save(["1"])),
    "cycle_of_one": graph(image=["1", 0]),
    "cycle_of_two": {**graph(image=["3", 0]), "3": SCALE},
    "no_output": wrong(node2=None), "empty": {},
    "no_such_picture": {**graph(image=["5", 0]), "5": {"class_type": "LoadImage", "inputs": {"image": "nothere.png"}}},
    "page_as_prompt": PAGE,
}
PARTLY = {**graph(), "4": {"class_type": "SaveImage", "inputs": {"filename_prefix": "z"}}}


def run(address, port, prompt, interrupt):
    """Run a prompt and return its messages (previews as ["preview", base64]) and its entry in the history."""
    client, prompt_id = uuid.uuid4().hex, str(uuid.uuid4())
    line = websocket.create_connection(f"ws://127.0.0.1:{port}/ws?clientId={client}", timeout=30)
    answer = httpx.post(f"{address}/prompt", json={"prompt": prompt, "client_id": client, "prompt_id": prompt_id,
                                                      "extra_data": {"extra_pnginfo": {"workflow": PAGE}}})
    messages = []
    while not (messages and messages[-1].get("type") == "executing" and messages[-1]["data"]["node"] is None):
        content = line.recv()
        messages.append({"preview": base64.b64encode(content).decode()} if isinstance(content, bytes)
                        else json.loads(content))
        if interrupt and messages[-1].get("type") == "progress":
            httpx.post(f"{address}/interrupt", json={"prompt_id": prompt_id})
            interrupt = False
    line.close()
    time.sleep(0.2)
    entry = httpx.get(f"{address}/history/{prompt_id}").json()[prompt_id]
    return neutral({"prompt": prompt, "answer": answer.json(), "messages": messages, "history": entry},
                   {client: "CLIENT", prompt_id: "PROMPT"})


def neutral(found, names):
    """Return what was recorded without ids, moments, and whatever tells where this ran."""
    if isinstance(found, dict):
        return {key: [] if key == "traceback" else 0 if key == "timestamp" else neutral(value, names)
                for key, value in found.items()}
    if isinstance(found, list):
        return [neutral(value, names) for value in found]
    return names.get(found, found) if isinstance(found, str) else found


def record(address, port):
    """Return everything that the tests replay."""
    stats = httpx.get(f"{address}/system_stats").json()
    stats["system"]["argv"] = ["main.py"]
    found = {"system_stats": stats, "queue": httpx.get(f"{address}/queue").json(), "object_info": {}, "runs": {},
             "refused": {}, "pictures": {}, "headers": {}}
    for name in ("TrialPaint", "SaveImage", "PreviewImage", "EmptyLatentImage", "ImageScale", "LoadImage"):
        found["object_info"] |= httpx.get(f"{address}/object_info/{name}").json()
    found["history_unknown"] = httpx.get(f"{address}/history/unknown").json()
    for name, prompt in RUNS.items():
        found["runs"][name] = run(address, port, prompt, name == "interrupted")
        for output in found["runs"][name]["history"]["outputs"].values():
            for image in output["images"]:
                answer = httpx.get(f"{address}/view", params=image)
                found["pictures"][image["filename"]] = base64.b64encode(answer.content).decode()
                found["headers"]["view"] = answer.headers["Content-Type"]
    for name, prompt in REFUSED.items():
        answer = httpx.post(f"{address}/prompt", json={"prompt": prompt})
        found["refused"][name] = {"prompt": prompt, "status": answer.status_code,
                                  "body": body_of(answer)}
    found["partly"] = {"prompt": PARTLY, "body": httpx.post(f"{address}/prompt", json={"prompt": PARTLY}).json()}
    found["refused"]["no_json"] = answer_of(httpx.post(f"{address}/prompt", content=b"{broken"))
    found["refused"]["other_origin"] = answer_of(httpx.post(f"{address}/prompt", json={"prompt": graph()}, headers={
        "Origin": "http://localhost:1"}))
    found["no_picture"] = answer_of(httpx.get(f"{address}/view", params={"filename": "no.png", "type": "output"}))
    return found


def body_of(answer):
    """Return the JSON of an answer, or its text where it is none."""
    is_json = "json" in answer.headers.get("Content-Type", "")
    return neutral(answer.json(), {}) if is_json else answer.text


def answer_of(answer):
    """Return status and text of an answer that is no JSON."""
    return {"prompt": None, "status": answer.status_code, "body": answer.text}


def main():
    """Start the real one with the trial node in a folder of its own, record, stop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--python", type=Path, help="the Python that runs it, if not that of an environment in PATH")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        shutil.copytree(Path(__file__).parent / "trial_nodes", base / "custom_nodes" / "trial_nodes")
        server = comfyui_server.start(options.path, python=options.python, arguments=[
            "--base-directory", folder, "--database-url", "sqlite:///:memory:"])
        try:
            found = record(server.address, server.port)
        finally:
            comfyui_server.stop(options.path)
    FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(FILE, FILE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
