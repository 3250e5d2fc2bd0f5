"""ComfyUI's page through jupyter-server-proxy in a real browser, by hand: python tests/by_hand/check_proxy.py PATH

PATH is a checkout of ComfyUI. Starts it with a trial node, and a Jupyter server of its own with a token; opens
ComfyUI's page in Chromium by the link that the course shows, runs a workflow on it and waits for its picture; then
tries the same without the token, which has to be refused. Exit status 1 if a check fails.
"""

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import websocket
from playwright.sync_api import sync_playwright

COURSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(COURSE), str(COURSE / "tests" / "servers")]

from course_lib.comfyui import page_link  # noqa: E402
from course_lib.comfyui import server as comfyui_server  # noqa: E402
from course_lib.workflow.graph import read  # noqa: E402

PROMPT = {"1": {"class_type": "TrialPaint", "inputs": {"steps": 4, "wait": 0.2, "seed": 200, "what": "ok"}},
          "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}
failed = []


def say(name, good, more=""):
    """Print one check."""
    print("ok  " if good else "FAIL", name, more, flush=True)
    if not good:
        failed.append(name)


def start_jupyter(folder, token):
    """Start a Jupyter server under a base path and return its process."""
    environment = {**os.environ, "JUPYTER_TOKEN": token, **{
        f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("RUNTIME", "CONFIG", "DATA")}}
    os.environ["JUPYTER_RUNTIME_DIR"] = environment["JUPYTER_RUNTIME_DIR"]
    return subprocess.Popen([sys.executable, "-m", "jupyter_server", "--ServerApp.ip=127.0.0.1", "--no-browser",
                             "--ServerApp.base_url=/user/me/", "--ServerApp.port=8897", "--allow-root",
                             f"--ServerApp.root_dir={folder}"], env=environment,
                            stdout=(folder / "jupyter.log").open("wb"), stderr=subprocess.STDOUT)


def find_link(port):
    """Return the link as a kernel of that Jupyter finds it."""
    until = time.monotonic() + 60
    while (found := page_link.find_link(port)).kind != "proxy" and time.monotonic() < until:
        time.sleep(0.5)
    return found


def run_on_page(address, token, shot):
    """Open the page with the token, load and run the workflow, and wait for its picture in the page."""
    page_form = read(PROMPT).to_ui(httpx.get(f"{address}object_info", headers=key(token)).json())
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        answers = []
        page.on("response", lambda answer: answers.append((answer.request.method, answer.url, answer.status)))
        page.goto(f"{address}?token={token}", timeout=120_000)
        page.wait_for_function("() => window.app?.graph && window.app.extensionManager?.workflow?.activeWorkflow",
                               timeout=180_000)
        page.keyboard.press("Escape")
        page.evaluate("form => app.loadGraphData(form)", page_form)
        page.evaluate("() => app.queuePrompt(0, 1)")
        try:
            page.wait_for_function("() => app.graph.getNodeById(2)?.imgs?.[0]?.naturalWidth > 0", timeout=60_000)
            size = page.evaluate("() => app.graph.getNodeById(2).imgs[0].naturalWidth")
        finally:
            page.screenshot(path=shot)
        browser.close()
    return size, answers


def key(token):
    """Return the header that shows the token."""
    return {"Authorization": f"token {token}"}


def check(server, token, shot):
    """Do every check against a running ComfyUI and Jupyter."""
    link = find_link(server.port)
    say("the link is that of the proxy", link.kind == "proxy", link.full)
    size, answers = run_on_page(link.full, token, shot)
    say("the workflow ran on the page, its picture is there", size == 32, f"{size} px")
    say("POST /prompt through the proxy", any(method == "POST" and url.endswith("prompt") and status == 200
                                              for method, url, status in answers))
    bad = sorted({(status, url.split("?")[0]) for _, url, status in answers if status >= 400})
    say("nothing refused but files that are optional", not [each for each in bad if each[0] != 404], str(bad))
    for path in ("", "object_info", "system_stats"):
        status = httpx.get(link.full + path).status_code
        say(f"without the token: GET /{path}", status in (302, 403), str(status))
    status = httpx.post(f"{link.full}prompt", json={"prompt": PROMPT}).status_code
    say("without the token: POST /prompt", status in (302, 403), str(status))
    try:
        websocket.create_connection(f"{link.full.replace('http', 'ws', 1)}ws").close()
        say("without the token: websocket", False)
    except websocket.WebSocketBadStatusException as refused:
        say("without the token: websocket", refused.status_code in (302, 403), str(refused.status_code))


def main():
    """Start both, check, stop both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--python", type=Path, help="the Python that runs it, if not that of an environment in PATH")
    parser.add_argument("--shot", type=Path, default=Path("comfyui_proxy.png"), help="where a screenshot goes")
    options = parser.parse_args()
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(Path(__file__).parent / "trial_nodes", folder / "custom_nodes" / "trial_nodes")
        jupyter = start_jupyter(folder, token)
        os.environ["JPY_PARENT_PID"] = str(jupyter.pid)
        server = comfyui_server.start(options.path, python=options.python, arguments=[
            "--base-directory", name, "--database-url", "sqlite:///:memory:"])
        try:
            check(server, token, options.shot)
        finally:
            comfyui_server.stop(options.path)
            jupyter.terminate()
            jupyter.wait(20)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
