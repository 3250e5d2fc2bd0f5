"""The real ComfyUI with the course's nodes, by hand: python tests/by_hand/check_nodes.py PATH_OF_CHECKOUT

Run it with the Python that has both ComfyUI's requirements and the course's. ComfyUI starts on the CPU at 127.0.0.1 in
a folder of its own, with course_lib/comfyui/custom_nodes linked into custom_nodes; the checkout is not
changed. Each picture is held against the notebook runner's. Exit status 1 if a check fails.
"""

import argparse
import asyncio
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import numpy as np
import requests
import torch
from PIL import Image

COURSE = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(COURSE))
RECORDED = COURSE / "tests" / "data" / "comfyui_validation.json"

from bad_workflows import BAD, GOOD_AFTER_ALL, digest  # noqa: E402

from course_lib.lora.conversion import convert  # noqa: E402
from course_lib.lora.verbs import add_lora, save_lora  # noqa: E402
from course_lib.model.loading import load  # noqa: E402
from course_lib.sampling.metadata import build_graph  # noqa: E402
from course_lib.sampling.settings import SamplerSettings  # noqa: E402
from course_lib.workflow.running import Cache, run  # noqa: E402

PROMPT = "一只瓢虫，蓝色背景"
RUNS = 20
OTHER_PACK = """
class LoadChatGLM3:
    RETURN_TYPES, FUNCTION, CATEGORY = ("CHATGLM3MODEL",), "load", "other"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"chatglm3_checkpoint": ("STRING",)}}

    def load(self, chatglm3_checkpoint):
        return (None,)


NODE_CLASS_MAPPINGS = {"LoadChatGLM3": LoadChatGLM3}
"""
failed = []


def say(name, good, numbers=""):
    """Print one check's result and keep a failure."""
    print(f"{'ok  ' if good else 'FAIL'} {name} {numbers}", flush=True)
    if not good:
        failed.append(name)


def camp(prompt=PROMPT, lora=None, alpha=2.0, seed=0, steps=8, size=1024, scheduler="EulerDiscreteScheduler", **more):
    """Return the camp's workflow in the API form, with a LoRA or without."""
    nodes = {
        "11": ("VAELoader", {"vae_name": "sdxl.vae.safetensors"}),
        "6": ("DownloadAndLoadKolorsModel", {"model": "Kwai-Kolors/Kolors", "precision": "fp16"}),
        "13": ("DownloadAndLoadChatGLM3", {"precision": "fp16"}),
        "12": ("KolorsTextEncode", {"chatglm3_model": ["13", 0], "prompt": prompt, "negative_prompt": "",
                                    "num_images_per_prompt": 1}),
        "14": ("KolorsSampler", {"kolors_model": ["16" if lora else "6", 0], "kolors_embeds": ["12", 0],
                                 "width": size, "height": size, "seed": seed, "steps": steps, "cfg": 5.0,
                                 "scheduler": scheduler, "denoise_strength": 1.0, **more}),
        "10": ("VAEDecode", {"samples": ["14", 0], "vae": ["11", 0]}),
        "3": ("PreviewImage", {"images": ["10", 0]}),
    }
    if lora:
        nodes["16"] = ("LoadKolorsLoRA", {"kolors_model": ["6", 0], "lora_path": str(lora), "lora_alpha": alpha})
    return {node: {"class_type": kind, "inputs": inputs} for node, (kind, inputs) in nodes.items()}


def ksampler(lora=None, image=None, batch=1, **settings):
    """Return ComfyUI's own text-to-image workflow with the course's checkpoint."""
    graph = build_graph(SamplerSettings(**{"seed": 7, "steps": 6, **settings}), PROMPT, "", 96, 96)
    graph["5"]["inputs"]["batch_size"] = batch
    if lora:
        graph["10"] = {"class_type": "LoraLoader", "inputs": {"model": ["4", 0], "clip": ["4", 1], "lora_name": lora,
                                                              "strength_model": 1.0, "strength_clip": 1.0}}
        graph["3"]["inputs"]["model"] = ["10", 0]
    if image:
        graph["11"] = {"class_type": "LoadImage", "inputs": {"image": image}}
        graph["12"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["11", 0], "vae": ["4", 2]}}
        graph["3"]["inputs"]["latent_image"] = ["12", 0]
    return graph


class Comfy:
    """A ComfyUI that runs in a folder of its own."""

    def __init__(self, checkout, base):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address, self.base, self.log = f"http://127.0.0.1:{self.port}", base, base / "comfyui.log"
        (base / "custom_nodes").mkdir()
        (base / "custom_nodes" / "kolors-course").symlink_to(COURSE / "course_lib" / "comfyui" / "custom_nodes")
        (base / "custom_nodes" / "other-pack").mkdir()
        (base / "custom_nodes" / "other-pack" / "__init__.py").write_text(OTHER_PACK)
        for folder in ("input", "output", "models/loras", "user"):
            (base / folder).mkdir(parents=True)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(self.port),
                 "--base-directory", str(base), "--disable-auto-launch", "--disable-all-custom-nodes",
                 "--whitelist-custom-nodes", "kolors-course", "other-pack", "--database-url", f"sqlite:///{base}/comfyui.db"],
                cwd=checkout, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "COURSE_LANG": "en", "COURSE_KOLORS": "tiny"})

    def wait(self):
        """Wait until it answers."""
        started = time.monotonic()
        while time.monotonic() - started < 300:
            if self.process.poll() is not None:
                sys.exit(f"ComfyUI ended:\n{self.log.read_text()[-3000:]}")
            try:
                return requests.get(f"{self.address}/object_info", timeout=60).json(), time.monotonic() - started
            except requests.ConnectionError:
                time.sleep(0.5)
        sys.exit(f"ComfyUI does not answer:\n{self.log.read_text()[-3000:]}")

    def post(self, graph, client="check"):
        """Queue a workflow and return the answer's status and content."""
        answer = requests.post(f"{self.address}/prompt", json={"prompt": graph, "client_id": client}, timeout=60)
        return answer.status_code, answer.json()

    def finish(self, number):
        """Wait until a workflow has run; return its status and its messages by name."""
        while True:
            told = requests.get(f"{self.address}/history/{number}", timeout=60).json()
            if number in told:
                return told[number], dict(told[number]["status"]["messages"])
            time.sleep(0.05)

    def draw(self, graph):
        """Run a workflow and return its pictures [pictures, height, width, 3]."""
        status, answer = self.post(graph)
        if status != 200 or answer["node_errors"]:
            raise RuntimeError(json.dumps(answer))
        told, messages = self.finish(answer["prompt_id"])
        if "execution_error" in messages:
            raise RuntimeError(messages["execution_error"]["exception_message"])
        found = [image for node in told["outputs"].values() for image in node["images"]]
        return np.stack([self.view(image) for image in found])

    def view(self, image):
        """Return one picture as an array."""
        content = requests.get(f"{self.address}/view", params=image, timeout=60).content
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)

    def memory(self):
        """Return the process' resident memory in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

    async def follow(self, graph, interrupt_at=None):
        """Run a workflow and return what the websocket told; press stop after a step if asked."""
        told, previews = [], 0
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{self.address}/ws?clientId=follow") as ws:
            number = self.post(graph, "follow")[1]["prompt_id"]
            async for message in ws:
                if message.type == aiohttp.WSMsgType.BINARY:
                    previews += 1
                    continue
                said = json.loads(message.data)
                told.append((said["type"], said["data"]))
                if said["type"] == "progress" and said["data"]["value"] == interrupt_at:
                    await session.post(f"{self.address}/interrupt")
                if said["type"] in ("execution_success", "execution_error", "execution_interrupted") \
                        and said["data"]["prompt_id"] == number:
                    return told, previews


def difference(first, second):
    """Return the largest difference between two sets of pictures, 0 to 255; of another shape, 255."""
    return int(np.abs(first - second).max()) if first.shape == second.shape else 255


def check(comfy, base):
    """Run all checks."""
    pipe = load("tiny")
    lora = base / "models" / "loras" / "style.safetensors"
    add_lora(pipe.unet, rank=4, alpha=4.0, name="made")
    generator = torch.Generator().manual_seed(0)
    for name, weight in pipe.unet.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.05
    save_lora(pipe.unet, lora, base_model="tiny", name="made")
    del pipe
    kohya, camps = (lora.with_name(f"{kind}.safetensors") for kind in ("kohya", "diffsynth"))
    convert(lora, kohya, to="kohya")
    convert(lora, camps, to="diffsynth")
    cache = Cache()

    def ours(graph):
        return np.stack([np.asarray(one).astype(int) for one in run(
            graph, cache=cache, output=base / "ours", input=base / "input").pictures])

    def compare(name, graph, most=1):
        theirs = comfy.draw(graph)
        say(name, (off := difference(theirs, ours(graph))) <= most, f"shape {theirs.shape}, off by {off} of 255")
        return theirs

    plain = compare("camp's workflow", camp())
    compare("two prompts by |", camp(prompt=f"{PROMPT} | 一只熊猫，红色背景", steps=4))
    worn = compare("camp's LoRA workflow", camp(lora=lora))
    say("the LoRA shows", difference(plain, worn) > 20, f"off by {difference(plain, worn)}")
    for file in (kohya, camps):
        off = difference(worn, comfy.draw(camp(lora=file)))
        say(f"the same LoRA as {file.stem}", off <= 1, f"off by {off}")
    again = comfy.draw(camp(seed=0, steps=9))
    comfy.draw(camp(lora=lora, steps=9))
    back = comfy.draw(camp(seed=0, steps=9, cfg=5.0, denoise_strength=0.99))
    say("after a LoRA the base is the base", difference(again, back) == 0)
    for scheduler in ("EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler_SDE_karras",
                      "UniPCMultistepScheduler", "DEISMultistepScheduler", "DPMSolverMultistepScheduler"):
        compare(scheduler, camp(scheduler=scheduler, steps=4))
    drawn = compare("KSampler", ksampler())
    for name in ("dpmpp_2m", "heun", "uni_pc", "ddim"):
        compare(f"KSampler {name} karras", ksampler(sampler_name=name, scheduler="karras", steps=5))
    compare("KSampler batch of 2", ksampler(batch=2))
    Image.fromarray(drawn[0].astype(np.uint8)).save(base / "input" / "start.png")
    compare("KSampler from a picture", ksampler(image="start.png", denoise=0.6, seed=9))
    worn = comfy.draw(ksampler(lora="style.safetensors"))
    off = difference(worn, ours(ksampler(lora=str(lora))))
    say("KSampler with LoraLoader", off <= 1 and difference(worn, drawn) > 20, f"off by {off}")

    told, previews = asyncio.run(comfy.follow(camp(seed=99)))
    steps = [data["value"] for kind, data in told if kind == "progress" and data["node"] == "14"]
    say("progress and previews", steps == list(range(1, 9)) and previews >= 8, f"steps {steps}, {previews} previews")
    told, previews = asyncio.run(comfy.follow(ksampler(seed=99)))
    say("KSampler's previews", previews >= 6, f"{previews} previews")
    for name, graph in (("KolorsSampler", camp(seed=98, steps=200)), ("KSampler", ksampler(seed=98, steps=500))):
        told, _ = asyncio.run(comfy.follow(graph, interrupt_at=3))
        last = max(data["value"] for kind, data in told if kind == "progress")
        say(f"{name} stopped", told[-1][0] == "execution_interrupted" and last < 20, f"after step {last}")
    told, _ = asyncio.run(comfy.follow(camp(lora=base / "none.safetensors")))
    say("missing LoRA", told[-1][0] == "execution_error" and told[-1][1]["node_id"] == "16",
        told[-1][1].get("exception_message", "").splitlines()[0])
    status, answer = comfy.post(camp(size=3000))
    say("size out of bounds", status == 400, answer["node_errors"]["14"]["errors"][0]["type"])

    pack = {"20": {"class_type": "LoadChatGLM3", "inputs": {"chatglm3_checkpoint": "chatglm3-fp16.safetensors"}}}
    comfy.draw({**camp(steps=2), **pack})
    log = comfy.log.read_text()
    say("a clash of names is told", log.count("LoadChatGLM3 ") >= 1 and "other-pack" in log)
    said = {name: digest(*comfy.post(graph)) for name, graph in {**BAD, **GOOD_AFTER_ALL}.items()}
    RECORDED.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
    say("answers to bad workflows recorded", len(said) > 20, f"{len(said)}")
    requests.post(f"{comfy.address}/queue", json={"clear": True}, timeout=60)

    sizes = []
    for number in range(RUNS):
        comfy.draw(camp(lora=lora if number % 2 else None, seed=1000 + number, steps=2))
        comfy.draw(ksampler(lora="style.safetensors" if number % 2 else None, seed=1000 + number, steps=2))
        sizes.append(comfy.memory())
    grown = np.mean(sizes[-5:]) - np.mean(sizes[3:8])
    say(f"{RUNS} runs of both", grown < 25,
        f"RSS {sizes[0]:.0f} MB first, {sizes[-1]:.0f} MB last, grown {grown:.1f} MB")


def main():
    """Start ComfyUI, check, stop it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path, help="a git checkout of ComfyUI, 0.3.64 or newer")
    checkout = parser.parse_args().checkout.resolve()
    with tempfile.TemporaryDirectory() as folder:
        comfy = Comfy(checkout, Path(folder))
        try:
            types, seconds = comfy.wait()
            say("ComfyUI starts", "KolorsSampler" in types, f"{len(types)} node types, {seconds:.0f} s")
            log = comfy.log.read_text()
            say("nodes import", "IMPORT FAILED" not in log, log[-2000:] if "IMPORT FAILED" in log else "")
            check(comfy, Path(folder))
        finally:
            comfy.process.terminate()
            comfy.process.wait(30)
            if failed:
                print(comfy.log.read_text()[-3000:])
    sys.exit(f"{len(failed)} failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
