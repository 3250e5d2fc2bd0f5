"""How a model runs on this machine: precision, what lies where, the picture's size, and the memory that it takes.

All of it is arithmetic on footprints.json, which `footprint` counts from the models' own configs; nothing is allocated.
"""

import json
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from course_lib.machine import hardware
from course_lib.machine.hardware import GIB, Gpu, Machine
from course_lib.messages import LessonError, error, text

FOOTPRINTS = json.loads((Path(__file__).parent / "footprints.json").read_text(encoding="utf-8"))
TASKS = ("draw", "lora")
TAKE = 1.1  # of the expected peak has to be free: room for gaps between tensors and for what is estimated
TAKE_STORED = 1.5  # the same for training that stores every activation, which is known less well
AUTOCAST = 2  # training computes some layers in float32 beside the 16-bit ones, so activations count twice
OPTIMIZER = 16  # bytes per trained weight: the weight, its gradient and AdamW's two moments, each in float32
WHOLE_VAE = 2  # where memory is plentiful the fastest convolutions of the VAE take about as much room again
GPU_BASE = GIB // 16  # bytes on the GPU for the matrix library's own work
PROCESS = {"cpu": GIB // 2, "cuda": 3 * GIB}  # bytes of RAM of Python with torch; CUDA's libraries are large
QUANTISED = {8: 1.0, 4: 0.5625}  # bytes per weight; 4 bits and a 32-bit scale for each 64 of them (QLoRA, section 3)
KEPT = 2  # bytes per weight that quantising leaves in 16 bits: words, output, norms


@dataclass(frozen=True)
class Stage:
    """One stage of the work and the bytes it takes on the GPU and in RAM, by what they are for."""

    name: str
    vram: dict[str, int] = field(default_factory=dict)
    ram: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What `plan` decided; peaks are in bytes, `size` is the picture's side in pixels.

    placement: "resident" (all parts stay on the device) or "turns" (the text encoder is there only while it reads, and
    the UNet waits in RAM meanwhile). encoder: "whole", "stream" (one weight after another from RAM), "quantised" (8 or
    4 bits, by bitsandbytes) or "cached" (not loaded: only prompts that were read before).
    """

    task: str
    model: str
    device: str
    dtype: str
    placement: str
    encoder: str
    encoder_bits: int
    vae_tiling: bool
    size: int
    checkpointing: bool
    stages: tuple[Stage, ...]

    @property
    def peak_vram(self) -> int:
        """Return the most bytes on the GPU of all stages."""
        return max(sum(stage.vram.values()) for stage in self.stages)

    @property
    def peak_ram(self) -> int:
        """Return the most bytes in RAM of all stages; files that stay mapped do not count, the system reuses them."""
        return max(sum(stage.ram.values()) for stage in self.stages)

    def fits(self, found: Machine) -> bool:
        """Say whether the machine has the memory that this plan takes, with room to spare."""
        stored = self.task == "lora" and not self.checkpointing
        vram = found.gpu.vram_free if found.gpu and found.gpu.usable else 0
        return self.peak_vram * (TAKE_STORED if stored else TAKE) <= vram and self.peak_ram <= found.ram_free

    def __str__(self) -> str:
        return "\n".join(describe(self))


def plan(task: str = "draw", model: str = "kolors", *, found: Machine | None = None, cached: bool = False,
         folder: Path | None = None) -> Plan:
    """Plan a task ("draw" or "lora") with a model on this machine, or on `found`; LessonError where it does not fit.

    `cached` leaves the text encoder out, for prompts that were read before. `folder` is where the model lies if it is
    another than the course's own: then its own configs are counted, which takes some seconds.
    """
    if task not in TASKS:
        raise error("setting_no_choice", name="task", value=repr(task), choices=", ".join(TASKS))
    found = found or hardware.look()
    prints = count_folder(folder) if folder else FOOTPRINTS.get(model, FOOTPRINTS["kolors"])
    if model == "tiny" or folder and prints["bytes_per_weight"] == 4:
        return check_ram(plan_on_cpu(task, model, prints, cached), found)
    dtype = "bfloat16" if task == "lora" and found.gpu and found.gpu.bf16 else "float16"
    plans = list_plans(task, model, prints, dtype, list_readings(prints, found, task, cached))
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
    if found.ram_free < weigh(prints, "text_encoder") and hardware.find_version("bitsandbytes") is not None:
        readings += [("turns", "quantised", 8), ("turns", "quantised", 4)]  # streaming would read the disk every time
    return [*readings, ("turns", "stream", 16)]


def weigh(prints: dict, part: str) -> int:
    """Return the bytes of a part's weights; the VAE stays in float32."""
    return prints["parameters"][part] * (4 if part == "vae" else prints["bytes_per_weight"])


def list_sizes(prints: dict) -> list[int]:
    """List the picture sizes in pixels that footprints are known of, the largest first."""
    return sorted((int(key) for key in prints if key.isdigit()), reverse=True)


def list_plans(task: str, model: str, prints: dict, dtype: str, readings: list[tuple[str, str, int]]) -> list[Plan]:
    """List the plans for a GPU in the order in which a learner would want them."""
    choices = product(list_sizes(prints), (False, True) if task == "lora" else (False,), readings, (False, True))
    return [Plan(task, model, "cuda", dtype, placement, encoder, bits, tiling, size, checkpointing,
                 list_stages(task, prints, placement, encoder, bits, tiling, size, checkpointing))
            for size, checkpointing, (placement, encoder, bits), tiling in choices]


def list_stages(task: str, prints: dict, placement: str, encoder: str, bits: int, tiling: bool, size: int,
                checkpointing: bool) -> tuple[Stage, ...]:
    """List the stages of a task on a GPU with the bytes that each takes there and in RAM."""
    unet, vae, words = (weigh(prints, part) for part in ("unet", "vae", "text_encoder"))
    work, resident = prints[str(size)], placement == "resident"
    reading = {"text_encoder": weigh_encoder(prints, encoder, bits), **({"unet": unet} if resident else {}), "vae": vae}
    drawing = {**({"text_encoder": words} if resident else {}), "unet": unet, "vae": vae}
    base, process = {"base": GPU_BASE}, {"process": PROCESS["cuda"]}
    waiting = {} if resident else {"unet": unet}
    first = [] if encoder == "cached" else [
        Stage("encode", {**reading, "activations": prints["encode"], **base}, {**process, **waiting})]
    picture = "latents" if task == "lora" else "decode"
    count = work[f"{picture}_tiled"] if tiling else work[picture] * (WHOLE_VAE if size > 512 else 1)
    coding = Stage(picture, {**drawing, "activations": count, **base}, process)
    if task == "draw":
        return (*first, Stage("denoise", {**drawing, "activations": work["denoise"], **base}, process), coding)
    activations = work["train_checkpointing" if checkpointing else "train"] * AUTOCAST
    training = {**drawing, "lora": prints["lora"] * OPTIMIZER, "activations": activations, **base}
    return (*first, coding, Stage("train", training, process))


def weigh_encoder(prints: dict, encoder: str, bits: int) -> int:
    """Return the bytes of the text encoder on the GPU while it reads."""
    if encoder == "stream":  # one weight after another
        return prints["encoder_largest"] * prints["bytes_per_weight"]
    if encoder == "quantised":
        layers = prints["encoder_layers"]
        return int(layers * QUANTISED[bits]) + (prints["parameters"]["text_encoder"] - layers) * KEPT
    return weigh(prints, "text_encoder")


def plan_on_cpu(task: str, model: str, prints: dict, cached: bool) -> Plan:
    """Plan a small model in float32 on the CPU, every part in RAM."""
    size = list_sizes(prints)[0]
    parts = {part: weigh(prints, part) for part in prints["parameters"]} | {"process": PROCESS["cpu"]}
    work = {"encode": prints["encode"]}
    if task == "draw":
        work |= {"denoise": prints[str(size)]["denoise"], "decode": prints[str(size)]["decode"]}
    else:
        work |= {"latents": prints[str(size)]["latents"], "train": prints[str(size)]["train"]}
        parts["lora"] = prints["lora"] * OPTIMIZER
    stages = tuple(Stage(name, {}, {**parts, "activations": count}) for name, count in work.items())
    placement, encoder = ("turns", "cached") if cached else ("resident", "whole")
    return Plan(task, model, "cpu", "float32", placement, encoder, 32, False, size, False, stages)


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
    gpu, trouble = found.gpu, found.gpu.trouble or "too_old"
    about = {"gpu": gpu.name, "said": gpu.said, "torch": found.versions.get("torch"),
             "capability": gpu.architecture or "{}.{}".format(*gpu.capability)}
    return text(f"gpu_why_{trouble}", **about), text(f"gpu_next_{trouble}", other=text(f"plan_next_{found.host}"))


def describe(one: Plan) -> list[str]:
    """Say in a few lines what a plan decided and the memory of each stage with what it is made of."""
    lines = [text("plan_head", task=text(f"task_{one.task}"), model=one.model, device=one.device,
                  settings=summarise(one)), text("plan_placement", **say_choices(one))]
    for stage in one.stages:
        place = stage.ram if one.device == "cpu" else stage.vram
        parts = [f"{text(f'bytes_{name}')} {count / GIB:.2f}" for name, count in place.items()]
        lines.append(text("plan_stage", stage=text(f"stage_{stage.name}"), total=sum(place.values()) / GIB,
                          parts=text("list_comma").join(parts)))
    return lines


def summarise(one: Plan) -> str:
    """Say a plan's precision, size and peaks in a few words."""
    return text("plan_summary", dtype=one.dtype, size=one.size, vram=one.peak_vram / GIB, ram=one.peak_ram / GIB)


def say_choices(one: Plan) -> dict[str, str]:
    """Return the words for where the parts of a plan lie and what is switched on."""
    return {"placement": text(f"placement_{one.placement}"),
            "encoder": text(f"encoder_{one.encoder}", bits=one.encoder_bits),
            "tiling": text("on" if one.vae_tiling else "off"),
            "checkpointing": text("on" if one.checkpointing else "off")}


def example(ram: float, name: str | None = None, vram: float = 0, capability: tuple[int, int] = (8, 6),
            host: str = "local") -> Machine:
    """Describe a machine by its free RAM and its GPU's free memory, both in GiB, for the table of `tabulate`."""
    gpu = Gpu(name, int(vram * GIB), int(vram * GIB), capability) if name else None
    return Machine("Linux", "3.11", host, 2, int(ram * GIB), int(ram * GIB), 0, None, gpu, {})


EXAMPLES = {  # what is free on a machine that does nothing else
    "CPU": example(6),
    "8 GB": example(13, "8 GB", 7.4), "12 GB": example(13, "12 GB", 11.3),
    "16 GB (T4, Colab)": example(10.8, "Tesla T4", 14.6, (7, 5), "colab"),
    "24 GB (A10, ModelScope)": example(26, "NVIDIA A10", 22.0, (8, 6), "modelscope"),
}


def tabulate(model: str = "kolors") -> list[str]:
    """Say for each of five usual machines how a model would draw and train there, a line each."""
    lines = [text("plan_table_head")]
    for name, found in EXAMPLES.items():
        for task in TASKS:
            try:
                one = plan(task, model, found=found)
                said = [summarise(one), text("plan_placement", **say_choices(one)).strip()]
            except LessonError as problem:
                said = [problem.why]
            lines.append(text("plan_row", machine=name, task=text(f"task_{task}"), plan=" ".join(said)))
    return lines
