"""Run the full-size Kolors with random weights on a CUDA GPU and compare the memory it takes with the plan.

    python tests/by_hand/check_full_kolors.py                    caps of 22, 16 and 8 GiB; 18 GB of disk, 20 GB of RAM
    python tests/by_hand/check_full_kolors.py --small            the same steps with Tiny Kolors' sizes on the CPU

It writes a model in Kolors' layout, fp16 and random, then for each cap starts a process of its own that is allowed no
more of the GPU, plans with that much, reads prompts, frees the text encoder, samples at 1024 px and decodes. It ends
with 1 where the highest peak is not within 10 % of the plan, a number is not finite, or the cap is passed.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

COURSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(COURSE))

import torch  # noqa: E402
from diffusers import AutoencoderKL, UNet2DConditionModel  # noqa: E402
from diffusers.pipelines.kolors import ChatGLMModel  # noqa: E402

from course_lib.hub import repository  # noqa: E402
from course_lib.machine import footprint, hardware  # noqa: E402
from course_lib.machine.configs import CONFIGS  # noqa: E402
from course_lib.machine.hardware import GIB  # noqa: E402
from course_lib.machine.planning import Plan, plan  # noqa: E402
from course_lib.model.loading import open_folder  # noqa: E402

CAPS = (22, 16, 8)  # GiB
PROMPTS = ["一只瓢虫，蓝色背景", ""]
STEPS = 5
WITHIN = 0.10
KINDS = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": ChatGLMModel}


def write_model(folder: Path, configs: dict[str, dict], device: str) -> None:
    """Write a model of these configs with random fp16 weights, in diffusers' layout."""
    for part in KINDS:
        model = footprint.build_part(part, configs[part], torch.float16).to_empty(device=device)
        set_weights(model)
        model.save_pretrained(folder / part, variant="fp16", max_shard_size="5GB")
        del model
        if device == "cuda":
            torch.cuda.empty_cache()
    for part in ("tokenizer", "scheduler"):  # a small vocabulary will do
        shutil.copytree(repository.TINY / part, folder / part, dirs_exist_ok=True)


@torch.no_grad()
def set_weights(model: torch.nn.Module) -> None:
    """Set every number of a model: ChatGLM's own constructor leaves what happened to lie in the memory."""
    generator = torch.Generator(next(model.parameters()).device).manual_seed(0)
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            weight.normal_(0, 0.02, generator=generator)
        else:
            weight.fill_(0 if name.endswith("bias") else 1)  # of one dimension: biases, and the norms' scales
    for buffer in model.buffers():
        buffer.fill_(1)  # only its dtype is used


def run_stages(folder: Path, one: Plan) -> dict[str, dict]:
    """Run the stages of drawing one after the other and return bytes, seconds and a check of the numbers of each."""
    started = time.perf_counter()
    pipe = open_folder(folder, one)
    found = {"load": measure(one, started)}
    with tempfile.TemporaryDirectory() as kept:
        pipe.text_encoder.folder = Path(kept)
        started = begin(one)
        with torch.no_grad():
            words, no_words, pooled, no_pooled = pipe.encode_prompt(PROMPTS[0], negative_prompt=PROMPTS[1])
        found["encode"] = measure(one, started, words)
        if one.placement == "turns":
            pipe.text_encoder.release()
            found["freed"] = measure(one, begin(one))
        started, ends = begin(one), []
        latents = pipe(prompt_embeds=words, pooled_prompt_embeds=pooled, negative_prompt_embeds=no_words,
                       negative_pooled_prompt_embeds=no_pooled, height=one.size, width=one.size,
                       num_inference_steps=STEPS, callback_on_step_end=partial(note_end, ends),
                       output_type="latent").images
        seconds = statistics.median(after - before for before, after in zip(ends, ends[1:]))
        found["denoise"] = {**measure(one, started, latents), "seconds_per_step": seconds}
    started = begin(one)
    with torch.no_grad():
        picture = pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0]
    found["decode"] = {**measure(one, started, picture), "shape": list(picture.shape)}
    return found


def note_end(ends: list[float], pipe, step: int, timestep, values: dict) -> dict:
    """Note when a step ends; the first, which also sets things up, begins no measured one."""
    if pipe.unet.device.type == "cuda":
        torch.cuda.synchronize()  # the GPU works on while Python already asks for the next step
    ends.append(time.perf_counter())
    return values


def begin(one: Plan) -> float:
    """Start to measure a stage."""
    if one.device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    return time.perf_counter()


def measure(one: Plan, started: float, result: torch.Tensor | None = None) -> dict[str, object]:
    """Return a stage's peak bytes on the GPU (0 on the CPU) and in RAM, its seconds, and whether it is finite."""
    peak = reserved = 0
    if one.device == "cuda":
        torch.cuda.synchronize()
        peak, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
    return {"peak": peak, "reserved": reserved, "seconds": time.perf_counter() - started,
            "ram": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "finite": result is None or bool(result.isfinite().all())}


def compare(one: Plan, found: dict[str, dict], cap: int) -> list[str]:
    """Print measured beside planned, and return what is wrong."""
    print(one)
    for stage in one.stages:
        planned, got = sum(stage.vram.values()), found[stage.name]
        ratio = f"{got['peak'] / planned:.3f}" if planned else "-"
        print(f"{stage.name:<8} planned {planned / GIB:6.2f} GiB  measured {got['peak'] / GIB:6.2f}  ratio {ratio}"
              f"  reserved {got['reserved'] / GIB:6.2f}  RAM {got['ram'] / GIB:6.2f}  {got['seconds']:.1f} s")
    print(json.dumps(found))
    wrong = [f"{name}: not finite" for name, got in found.items() if not got["finite"]]
    if found["decode"]["shape"] != [1, 3, one.size, one.size]:
        wrong.append(f"picture {found['decode']['shape']}")
    if one.device == "cuda":
        peak = max(found[stage.name]["peak"] for stage in one.stages)
        if abs(peak / one.peak_vram - 1) > WITHIN:
            wrong.append(f"peak {peak / GIB:.2f} GiB, planned {one.peak_vram / GIB:.2f}")
        if max(got["reserved"] for got in found.values()) > cap * GIB:
            wrong.append(f"more than {cap} GiB reserved")
    return wrong


def check_cap(folder: Path, cap: int) -> list[str]:
    """Check the plan for `cap` GiB on a GPU that gives this process no more."""
    total = torch.cuda.mem_get_info()[1]
    torch.cuda.set_per_process_memory_fraction(min(cap * GIB / total, 1.0))
    here = hardware.look()
    one = plan("draw", "kolors", found=replace(here, gpu=replace(here.gpu, vram_free=cap * GIB)))
    return compare(one, run_stages(folder, one), cap)


def check_small(folder: Path) -> list[str]:
    """Run the same steps with Tiny Kolors' sizes on the CPU, once for each way that needs no GPU."""
    one = plan("draw", "random", folder=folder)
    ways = (one, replace(one, placement="turns"), replace(one, placement="turns", encoder="stream"))
    return [problem for way in ways for problem in compare(way, run_stages(folder, way), 0)]


def main() -> int:
    """Write the model, check every cap in a process of its own, and return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="Tiny Kolors' sizes on the CPU")
    parser.add_argument("--folder", type=Path, help="where the model goes (else a temporary folder)")
    parser.add_argument("--caps", type=int, nargs="+", default=CAPS, help="GiB")
    parser.add_argument("--run", type=int, help="check one cap on a model that was written before")
    options = parser.parse_args()
    if options.run:
        return report(check_cap(options.folder, options.run))
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if options.small:
            write_model(folder, footprint.read_configs(repository.TINY), "cpu")
            return report(check_small(folder))
        if not torch.cuda.is_available():
            return report(["no CUDA GPU: nothing was checked (--small runs the same steps on the CPU)"])
        if not (folder / "scheduler").is_dir():  # the last that is written
            write_model(folder, CONFIGS, "cuda")
            torch.cuda.empty_cache()
        failed = 0
        for cap in options.caps:
            print(f"\n== {cap} GiB", flush=True)
            command = [sys.executable, __file__, "--run", str(cap), "--folder", str(folder)]
            failed += subprocess.run(command, check=False).returncode != 0
        return failed


def report(problems: list[str]) -> int:
    """Print what is wrong and return 1, or 0 where nothing is."""
    print("\n".join(problems) or "ok")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
