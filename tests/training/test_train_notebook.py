"""The stop button in a real kernel: a click that arrives while the cell still trains ends it, with everything saved."""

import queue
import time

import pytest
from jupyter_client.manager import start_new_kernel

from course_lib.dataset.example_sets import write_style_set
from course_lib.messages import TEXTS

CELL = """
from course_lib.model.loading import load
from course_lib.training.loop import fit, tiny_config
result = fit(load("tiny"), {folder!r}, tiny_config(batch_size=1, steps_per_epoch=100000), output_path={output!r},
             cache={cache!r})
print("ended", result.stopped, result.step, result.path.is_file())
"""


@pytest.fixture
def client():
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def next_message(client, kinds, seconds=600):
    """Return the next message of these kinds that the kernel broadcasts; what the cell raises ends the test."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            message = client.get_iopub_msg(timeout=5)
        except queue.Empty:
            continue
        if message["msg_type"] == "error":
            raise AssertionError("\n".join(message["content"]["traceback"]))
        if message["msg_type"] in kinds:
            return message
    raise TimeoutError(kinds)


def test_a_click_while_the_cell_runs_ends_the_training(client, tmp_path):
    write_style_set(tmp_path / "set", subjects=2, validation=0)
    client.execute(CELL.format(folder=str(tmp_path / "set"), output=str(tmp_path / "out"), cache=str(tmp_path / "c")))
    button = None
    while button is None:
        content = next_message(client, {"comm_open"})["content"]
        if content["data"]["state"].get("description") == TEXTS["train_stop"]["zh"]:
            button = content["comm_id"]
    while "第" not in str(next_message(client, {"comm_msg"})["content"]):  # the first steps are shown
        pass
    # what JupyterLab does for a widget's messages since 4.4
    client.control_channel.send(client.session.msg("create_subshell_request"))
    subshell = client.get_control_msg(timeout=60)["content"]["subshell_id"]
    click = client.session.msg("comm_msg", {"comm_id": button,
                                            "data": {"method": "custom", "content": {"event": "click"}}})
    click["header"]["subshell_id"] = subshell
    client.shell_channel.send(click)
    outputs = []
    while not any("ended" in str(one) for one in outputs):
        outputs.append(next_message(client, {"stream", "display_data"})["content"])
    assert "ended asked" in str(outputs[-1]) and "True" in str(outputs[-1])
    assert (tmp_path / "out" / "lora.safetensors").is_file()
    pictures = [one["data"] for one in outputs if "image/png" in one.get("data", {})]
    assert len(pictures) == 1 and "停在第" in pictures[0]["text/plain"]  # what a notebook keeps without a kernel
