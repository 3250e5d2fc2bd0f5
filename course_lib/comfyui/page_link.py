"""The link that opens a port of this machine in the browser that shows the notebook; no tunnel through a third party.

A page opened by the link has one name for host and origin, as ComfyUI demands of everything that changes something.
"""

import json
import os
from dataclasses import dataclass

from jupyter_core.paths import jupyter_runtime_dir

from course_lib.comfyui.answers import ask
from course_lib.machine import hardware
from course_lib.messages import LessonError, text


@dataclass(frozen=True)
class Link:
    """A link: kind (proxy, gateway, local or none), href for the notebook's page, the full address, what to know."""

    kind: str
    href: str
    full: str
    note: str


def find_link(port: int) -> Link:
    """Return the link to a port: jupyter-server-proxy where it answers, the host's gateway, or this machine itself.

    The first was tried when it is returned; of PAI-DSW's gateway only the form is known, and the note says so.
    """
    server = find_jupyter()
    if server:
        status = try_proxy(server, port)
        href = f"{server['base_url']}proxy/{port}/"
        if status == 200:
            full = server["url"].removesuffix(server["base_url"]) + href
            return Link("proxy", href, full, text("comfy_link_proxy"))
    name = os.environ.get("JUPYTER_NAME", "")
    if name.replace("-", "").isalnum():  # PAI-DSW, which ModelScope's notebooks are
        return Link("gateway", f"/{name}/proxy/{port}/", "", text("comfy_link_gateway", href=f"/{name}/proxy/{port}/"))
    if hardware.name_host() != "local":
        return Link("none", "", "", text("comfy_link_none"))
    address = f"http://127.0.0.1:{port}/"
    return Link("local", address, address, text("comfy_link_local"))


def find_jupyter() -> dict[str, str] | None:
    """Return url, base_url and token of the Jupyter server that runs this kernel, None outside one."""
    parent = os.environ.get("JPY_PARENT_PID", "")
    if not parent.isdecimal():
        return None
    try:
        with open(os.path.join(jupyter_runtime_dir(), f"jpserver-{parent}.json"), encoding="utf-8") as file:
            about = json.load(file)
        return {name: str(about[name]) for name in ("url", "base_url", "token")}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def try_proxy(server: dict[str, str], port: int) -> int:
    """Return the status with which the Jupyter server hands a request on to a port, 0 without an answer."""
    headers = {"Authorization": f"token {server['token']}"} if server["token"] else {}
    try:
        return ask(server["url"].removesuffix("/"), f"/proxy/{port}/system_stats", headers=headers, seconds=10.0)[0]
    except LessonError:
        return 0
