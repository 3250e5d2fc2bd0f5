"""The real ComfyUI from a notebook: `start` it, `queue` a workflow and get its pictures, `interrupt`, `stop`.

    from course_lib import comfyui
    comfyui.start()
    comfyui.queue("kolors_example.json")
"""

import re
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from course_lib.comfyui.answers import ask, ask_json, explain_failure, explain_refusal, parse
from course_lib.comfyui.line import Line
from course_lib.comfyui.server import Server, ask_version, find_running
from course_lib.comfyui.view import View, choose_view, open_picture, tell
from course_lib.files import write_whole
from course_lib.messages import LessonError, error, text
from course_lib.pictures.picture import Picture
from course_lib.workflow.explaining import clean, dig, list_errors, name_node
from course_lib.workflow.graph import Workflow, read

MOST_FILE = 64 * 2**20  # bytes of one picture
MOST_PICTURES = 128
QUIET = 1.0  # seconds of silence on the websocket after which the history is asked
FOLDERS = ("output", "temp", "input")  # of a picture, as ComfyUI names them
OVER = ("execution_success", "execution_error", "execution_interrupted")


@dataclass(frozen=True)
class ComfyPicture(Picture):
    """A picture that ComfyUI made; its file holds the workflow, and `save` writes that very file."""

    content: bytes = field(default=b"", repr=False)

    def save(self, path: str | Path) -> Path:
        """Write ComfyUI's own file, which opens as a workflow again; LessonError where it cannot be written."""
        path = Path(path)
        try:
            write_whole(path, self.content)
        except OSError as cause:
            raise error("cannot_write", path=path, cause=cause.strerror or cause) from cause
        return path


def queue(workflow: Workflow | str | Path | Mapping[str, object], *, server: Server | int | None = None,
          seconds: float = 1800.0, show: bool = True) -> list[ComfyPicture]:
    """Run a workflow (as `read` takes it, in either form) in ComfyUI and return its pictures as they were made.

    `server`: what `start` returned or a port of this machine, the running one if None. LessonError names the node
    that is wrong or fails; it comes too when the run is interrupted or takes more than `seconds`.
    """
    began = time.monotonic()
    server = reach(server)
    api, page = write_forms(workflow, server)
    view = choose_view(api, show)
    with closing(Line(server.port, uuid.uuid4().hex)) as line, closing(view):
        line.open()  # before the prompt goes, so that nothing that is said of it is missed
        prompt_id = send(server, api, page, line.client)
        entry = follow(server, prompt_id, line, view, seconds)
    return read_entry(server, entry, api, time.monotonic() - began)


def reach(server: Server | int | None) -> Server:
    """Return the server meant, if it answers; LessonError where none runs."""
    if isinstance(server, int):
        server = Server(None, server)
    elif server is None:
        server = find_running()
    if server is None or not server.alive or ask_version(server.address) is None:
        raise error("comfy_not_running", lines=server.tail() if server else "")
    return server


def write_forms(workflow: Workflow | str | Path | Mapping[str, object], server: Server) -> tuple[dict, dict]:
    """Return a workflow as the server runs it and as its page shows it, by the server's own node definitions."""
    workflow = workflow if isinstance(workflow, Workflow) else read(workflow)
    used = {node.type for _, graph in workflow.walk() for node in graph.nodes.values()}
    definitions = ask_types(server, used)
    return workflow.to_api(definitions), workflow.to_ui(definitions)


def ask_types(server: Server, names: Iterable[str]) -> dict[str, object]:
    """Return what a server says of the node classes that it has among these."""
    found = {}
    for name in sorted(names):
        status, content = ask(server.address, f"/object_info/{quote(name, safe='')}", tail=server.tail)
        about = parse(content).get(name) if status == 200 else None
        if about is not None:
            found[name] = about
    return found


def send(server: Server, api: dict, page: dict, client: str) -> str:
    """Post a prompt and return its id; LessonError where ComfyUI refuses it, a printed line for parts it leaves out."""
    body = {"prompt": api, "client_id": client, "prompt_id": str(uuid.uuid4()),
            "extra_data": {"extra_pnginfo": {"workflow": page}}}  # this writes the page's form into the PNG
    status, content = ask(server.address, "/prompt", body=body, tail=server.tail)
    if status != 200:
        raise explain_refusal(status, content, api)
    answer = parse(content)
    given = answer.get("prompt_id")
    if not isinstance(given, str) or not re.fullmatch(r"[\w-]{1,64}", given):
        raise error("comfy_junk", what=clean(content[:60]))
    left_out = list_errors(answer.get("node_errors"), api)
    if left_out:
        print(text("comfy_partly", lines="\n".join(left_out)))
    return given


def follow(server: Server, prompt_id: str, line: Line, view: View, seconds: float) -> dict:
    """Wait until ComfyUI has run a prompt and return its entry in the history; LessonError where that does not come.

    The websocket only shows how far it is; that it is over, the history says. So a cut line costs nothing.
    """
    began = looked = time.monotonic()
    messages = line.hear(QUIET)  # without end
    try:
        while True:
            message = next(messages)
            if isinstance(message, bytes):
                view.preview(message)
            elif message is not None:
                tell(view, message, prompt_id)
            if not is_over(message, prompt_id) and time.monotonic() - looked < QUIET:
                continue
            looked = time.monotonic()
            entry = find_entry(server, prompt_id)
            if entry is not None:
                return entry
            if time.monotonic() - began > seconds:
                raise error("comfy_too_long", seconds=seconds)
    except (KeyboardInterrupt, LessonError):
        cancel(server, prompt_id)
        raise


def is_over(message: object, prompt_id: str) -> bool:
    """Say whether a message tells that our prompt has ended; the last, executing nothing, follows the history."""
    if dig(message, "data", "prompt_id") != prompt_id:
        return False
    kind = dig(message, "type")
    return kind in OVER or kind == "executing" and dig(message, "data", "node") is None


def find_entry(server: Server, prompt_id: str) -> dict | None:
    """Return a prompt's entry in the history, None while it waits or runs; LessonError where ComfyUI has lost it."""
    entry = ask_history(server, prompt_id)
    if entry is None and not is_waiting(server, prompt_id):
        entry = ask_history(server, prompt_id)  # it may have ended between the two questions
        if entry is None:
            raise error("comfy_lost")
    return entry


def ask_history(server: Server, prompt_id: str) -> dict | None:
    """Return what the history says of a prompt, None where it is not in it."""
    entry = get(server, f"/history/{prompt_id}").get(prompt_id)
    return entry if isinstance(entry, dict) else None


def is_waiting(server: Server, prompt_id: str) -> bool:
    """Say whether a prompt waits or runs; the queue lists them as [number, id, ...]."""
    found = get(server, "/queue")
    return any(isinstance(item, list) and prompt_id in item[1:2]
               for part in ("queue_running", "queue_pending") if isinstance(found.get(part), list)
               for item in found[part])


def get(server: Server, path: str) -> dict:
    """Return the JSON object that a server answers."""
    return ask_json(server.address, path, tail=server.tail)


def cancel(server: Server, prompt_id: str) -> None:
    """Take a prompt out of the queue or break it off, as far as the server still hears."""
    with suppress(LessonError):
        ask(server.address, "/queue", body={"delete": [prompt_id]}, seconds=5.0)
        ask(server.address, "/interrupt", body={"prompt_id": prompt_id}, seconds=5.0)


def read_entry(server: Server, entry: dict, api: dict, seconds: float) -> list[ComfyPicture]:
    """Return the pictures of a prompt that has ended; LessonError for one that failed or was interrupted."""
    for kind, about in list_messages(entry):
        if kind == "execution_error":
            raise explain_failure(about, api)
        if kind == "execution_interrupted":
            raise error("comfy_interrupted", node=name_node(dig(about, "node_id"), api))
    if dig(entry, "status", "status_str") != "success":
        raise error("comfy_junk", what=clean(dig(entry, "status", "status_str")))
    pictures = [fetch(server, node, about, api, seconds) for node, about in list_pictures(entry)]
    if not pictures:
        print(text("comfy_no_picture"))
    return pictures


def list_messages(entry: dict) -> list[tuple[str, object]]:
    """Return the messages of a history entry, (type, data)."""
    found = dig(entry, "status", "messages")
    return [(each[0], each[1]) for each in (found if isinstance(found, list) else ())
            if isinstance(each, list) and len(each) == 2 and isinstance(each[0], str)]


def list_pictures(entry: dict) -> list[tuple[str, dict]]:
    """Return node and description of the pictures in a history entry; it has them for cached nodes too."""
    outputs = entry.get("outputs")
    found = [(node, about) for node, output in (outputs if isinstance(outputs, dict) else {}).items()
             for about in (dig(output, "images") if isinstance(dig(output, "images"), list) else ())
             if all(isinstance(dig(about, part), str) and len(about[part]) < 300 for part in ("filename", "subfolder"))
             and dig(about, "type") in FOLDERS]
    return found[:MOST_PICTURES]


def fetch(server: Server, node: str, about: dict, api: dict, seconds: float) -> ComfyPicture:
    """Fetch one picture; LessonError where none comes. Its name on the server is no name of a file here."""
    params = {part: about[part] for part in ("filename", "subfolder", "type")}
    status, content = ask(server.address, "/view", params=params, most=MOST_FILE, tail=server.tail)
    image = open_picture(content) if status == 200 else None
    if image is None:
        raise error("comfy_no_view", status=status, name=clean(about["filename"], 80), node=name_node(node, api))
    if not any(high for _, high in image.convert("RGB").getextrema()):
        print(text("comfy_black", node=name_node(node, api)))  # how ComfyUI writes NaN
    caption = text("comfy_caption", node=name_node(node, api), width=image.width, height=image.height)
    return ComfyPicture(image.convert("RGB"), caption, seconds, content=content)
