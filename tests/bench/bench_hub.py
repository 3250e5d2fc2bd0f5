"""Measure a second start with 2 GB on disk and no server: seconds before loading begins, and what a re-hash would cost.

    PYTHONPATH=.:tests/servers python tests/bench/bench_hub.py
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from loopback_hub import environment, running_hub

from course_lib import files
from course_lib.hub import fetching, repository

SIZE = 2 << 30  # bytes
START = "from course_lib.hub.fetching import fetch; fetch('kolors')"
FILES = ("model_index.json", "scheduler/a.json", "tokenizer/a.json", "text_encoder/config.json", "unet/config.json",
         "text_encoder/model.fp16.safetensors", "vae/config.json", "vae/diffusion_pytorch_model.fp16.safetensors")


def main():
    """Download a dummy Kolors of 2 GB once, take the server away, start again in a fresh process, and print."""
    repo = dict.fromkeys(FILES, b"{}") | {"unet/diffusion_pytorch_model.fp16.safetensors": bytes(SIZE)}
    with tempfile.TemporaryDirectory() as place:
        os.environ.update(environment(Path(place)))
        with running_hub({("models", repository.KOLORS.name): repo}) as server:
            os.environ["MODELSCOPE_ENDPOINT"] = server.address
            server.fail("no_hash", "list")  # or the listing itself would take seconds
            started = time.perf_counter()
            folder = fetching.fetch("kolors")
            print(f"download and check       {time.perf_counter() - started:7.2f} s")
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", START], check=True)
        second = time.perf_counter() - started
        started = time.perf_counter()
        fetching.fetch("kolors")
        print(f"second start, new Python {second:7.2f} s, of which fetch {time.perf_counter() - started:.4f} s")
        started = time.perf_counter()
        files.sha256(folder / "unet/diffusion_pytorch_model.fp16.safetensors")
        hashing = time.perf_counter() - started
        print(f"a re-hash would take     {hashing:7.2f} s, {hashing / second:.0f} times the second start")


if __name__ == "__main__":
    main()
