"""How a model runs on this machine: precision, what lies where, the picture's size, and the memory that it takes.

All of it is arithmetic on footprints.json, which `footprint` counts from the models' own configs; nothing is allocated.
"""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

from course_lib.checks import check_choice
from course_lib.machine import hardware
from course_lib.machine.hardware import GIB, Gpu, Machine
from course_lib.machine.stages import (
    OPTIMIZERS,
    TAKE,
    Plan,
    list_stages,
    list_stages_on_cpu,
    say_choices,
    summarise,
    weigh,
)
from course_lib.messages import LessonError, error, text

FOOTPRINTS = json.loads((Path(__file__).parent / "footprints.json").read_text(encoding="utf-8"))
TASKS = ("draw", "lora")
# The ways to hold the UNet, as (unet, vae_alone), the most convenient first. A layer that comes from RAM computes the
# same picture, so it goes before fp8, which changes it a little and takes less RAM.
UNETS = {"draw": (("whole", False), ("whole", True), ("stream", True), ("fp8", True)),
         "lora": (("whole", True), ("int8", True), ("nf4", True))}  # pictures become latents before the UNet comes


def plan(task: str = "draw", model: str = "kolors", *, found: Machine | None = None, cached: bool = False,
         folder: Path | None = None, unet: str | None = None, size: int | None = None,
         optimizer: str = "adamw") -> Plan:
    """Plan a task ("draw" or "lora") with a model on this machine, or on `found`; LessonError where it does not fit.

    `cached` leaves the text encoder out, for prompts that were read before. `folder` is where the model lies if it is
    another than the course's own: then its own configs are counted, which takes some seconds. `unet` and `size` (px)
    ask for one way and one size of picture; `optimizer` is the training's.
    """
    if task not in TASKS:
        raise error("setting_no_choice", name="task", value=repr(task), choices=", ".join(TASKS))
    if unet is not None:
        check_choice("unet", unet, tuple(dict(UNETS[task])))
    check_choice("optimizer", optimizer, tuple(OPTIMIZERS))
    found = found or hardware.look()
    prints = count_folder(folder) if folder else FOOTPRINTS.get(model, FOOTPRINTS["kolors"])
    if size is not None:
        check_choice("size", str(size), tuple(map(str, list_sizes(prints))))
    if model == "tiny" or folder and prints["bytes_per_weight"] == 4:
        return check_ram(plan_on_cpu(task, model, prints, cached, optimizer), found)
    dtype = "bfloat16" if task == "lora" and found.gpu and found.gpu.bf16 else "float16"
    readings = list_readings(prints, found, task, cached)
    plans = [one for one in list_plans(task, model, prints, dtype, readings, optimizer)
             if unet in (None, one.unet) and size in (None, one.size)]
    fitting = [one for one in plans if one.fits(found)]
    if not fitting:
        raise refuse(task, model, min(plans, key=lambda one: one.peak_vram), found)
    return fitting[0]


def count_folder(folder: Path) -> dict:
    """Count the footprints of a model in a folder from its configs."""
    from course_lib.machine import footprint  # here, because torch and diffusers take seconds to load

    return footprint.measure_folder(folder)


def list_readings(prints: dict, found: Machine, task: str, cached: bool) -> list[tuple[str, str, int]]:
    """List the ways to read prompts that can work here, as (placement, encoder, bits), the most convenient first."""
    if cached:
        return [("turns", "cached", 16)]
    readings = [("turns", "whole", 16)]
    if task == "draw":  # a training reads its captions once, before it starts, so the encoder need not stay
        readings = [("resident", "whole", 16), *readings]
    if found.ram_free < weigh(prints, "text_encoder") and found.quantises:
        readings += [("turns", "quantised", 8), ("turns", "quantised", 4)]  # streaming would read the disk every time
    return [*readings, ("turns", "stream", 16)]


def list_sizes(prints: dict) -> list[int]:
    """List the picture sizes in pixels that footprints are known of, the largest first."""
    return sorted((int(key) for key in prints if key.isdigit()), reverse=True)


def list_plans(task: str, model: str, prints: dict, dtype: str, readings: list[tuple[str, str, int]],
               optimizer: str = "adamw") -> list[Plan]:
    """List the plans for a GPU in the order in which a learner would want them."""
    plans = []
    for size, (unet, alone), checkpointing, (placement, encoder, bits), tiling in product(
            list_sizes(prints), UNETS[task], (False, True) if task == "lora" else (False,), readings, (False, True)):
        if placement == "resident" and alone:
            continue  # what stays on the GPU does not leave it
        one = Plan(task, model, "cuda", dtype, placement, encoder, bits, tiling, size, checkpointing, unet, alone,
                   optimizer)
        plans.append(replace(one, stages=list_stages(one, prints)))
    return plans


def plan_on_cpu(task: str, model: str, prints: dict, cached: bool, optimizer: str = "adamw") -> Plan:
    """Plan a small model in float32 on the CPU, every part in RAM."""
    placement, encoder = ("turns", "cached") if cached else ("resident", "whole")
    one = Plan(task, model, "cpu", "float32", placement, encoder, 32, False, list_sizes(prints)[0], False,
               optimizer=optimizer)
    stages = list_stages_on_cpu(one, prints)
    return replace(one, stages=stages)


def check_ram(one: Plan, found: Machine) -> Plan:
    """Return a plan for the CPU; LessonError where the RAM is too small."""
    if one.peak_ram > found.ram_free:
        raise refuse(one.task, one.model, one, found)
    return one


def refuse(task: str, model: str, smallest: Plan, found: Machine) -> LessonError:
    """Build the LessonError for a task that does not fit: what the smallest plan needs, what is there, what to do."""
    gpu = found.gpu
    values = {"task": text(f"task_{task}"), "model": model, "next_step": text(f"plan_next_{found.host}")}
    if smallest.device != "cpu" and gpu is not None and not gpu.usable:
        why, next_step = explain_gpu(found)
        return error("plan_gpu_unusable", why=why, **{**values, "next_step": next_step})
    vram, free = smallest.peak_vram * TAKE, gpu.vram_free if gpu else 0
    if vram > free:
        name = gpu.name if gpu else text("none")
        return error("plan_no_vram", needed=vram / GIB, free=free / GIB, gpu=name, **values)
    return error("plan_no_ram", needed=smallest.peak_ram / GIB, free=found.ram_free / GIB, **values)


def explain_gpu(found: Machine) -> tuple[str, str]:
    """Say why a machine's GPU cannot be used, in the driver's words where it has some, and what to do about it."""
    gpu = found.gpu
    assert gpu is not None  # there is one, or nobody asks
    trouble = gpu.trouble or "too_old"
    about = {"gpu": gpu.name, "said": gpu.said, "torch": found.versions.get("torch"),
             "capability": gpu.architecture or "{}.{}".format(*gpu.capability)}
    return text(f"gpu_why_{trouble}", **about), text(f"gpu_next_{trouble}", other=text(f"plan_next_{found.host}"))


def example(ram: float, name: str | None = None, vram: float = 0, capability: tuple[int, int] = (8, 6),
            host: str = "local") -> Machine:
    """Describe a machine by its free RAM and its GPU's free memory, both in GiB, for the table of `tabulate`."""
    gpu = Gpu(name, int(vram * GIB), int(vram * GIB), capability) if name else None
    return Machine("Linux", "3.11", host, 2, int(ram * GIB), int(ram * GIB), 0, None, gpu, {})


EXAMPLES = {  # what is free on a machine that does nothing else
    "CPU": example(6), "4 GB": example(13, "4 GB", 3.5), "6 GB": example(13, "6 GB", 5.4),
    "8 GB": example(13, "8 GB", 7.4), "12 GB": example(13, "12 GB", 11.3),
    "16 GB (T4, Colab)": example(10.8, "Tesla T4", 14.6, (7, 5), "colab"),
    "24 GB (A10, ModelScope)": example(26, "NVIDIA A10", 22.0, (8, 6), "modelscope"),
}
SHOWN = (1024, 512)  # px; the sizes of the table


def tabulate(model: str = "kolors") -> list[str]:
    """Say for each of seven usual machines how a model would draw and train there at two sizes, a line each.

    A machine without a GPU has lines for the tiny model, which runs on its CPU.
    """
    lines = [text("plan_table_head")]
    for name, found in EXAMPLES.items():
        for task, size in product(TASKS, SHOWN if found.gpu else (None,)):
            try:
                one = plan(task, model if found.gpu else "tiny", found=found, size=size)
                said = [summarise(one), say_choices(one)]
            except LessonError as problem:
                said = [text("plan_at", size=size), problem.why]
            lines.append(text("plan_row", machine=name, task=text(f"task_{task}"), plan=" ".join(said)))
    return lines
