"""The stages of drawing and training with the bytes that each takes on a GPU and in RAM: a plan, counted.

All of it is arithmetic on footprints.json, which `footprint` counts from the models' own configs; nothing is allocated.
"""

from dataclasses import dataclass, field

from course_lib.machine.hardware import GIB, Machine
from course_lib.messages import text

TAKE = 1.1  # of the expected peak has to be free: room for gaps between tensors and for what is estimated
TAKE_STORED = 1.5  # the same for training that stores every activation, which is known less well
AUTOCAST = 2  # training computes some layers in float32 beside the 16-bit ones, so activations count twice
WHOLE_VAE = 2  # where memory is plentiful the fastest convolutions of the VAE take about as much room again
GPU_BASE = GIB // 16  # bytes on the GPU for the matrix library's own work
PROCESS = {"cpu": GIB // 2, "cuda": 3 * GIB}  # bytes of RAM of Python with torch; CUDA's libraries are large
QUANTISED = {8: 1.0, 4: 0.5625}  # bytes per weight; 4 bits and a 32-bit scale for each 64 of them (QLoRA, section 3)
KEPT = 2  # bytes per weight that quantising leaves in 16 bits: words, output, norms
BITS = {"int8": 8, "nf4": 4}  # of a frozen base's matrices while a LoRA is trained on it
LORA = 12  # bytes per trained weight: itself, its gradient, and the copy to fall back on, each in float32
# Bytes per trained weight that an optimizer keeps: two moments in float32; the same in 8 bits, with a scale for each
# 256 of them; Prodigy's two moments, start and sum; schedule-free's one moment and second set of weights.
OPTIMIZERS = {"adamw": 8, "adamw8bit": 2.03125, "prodigy": 16, "schedulefree": 8}


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
    4 bits, by bitsandbytes) or "cached" (not loaded: only prompts that were read before). unet: "whole", "stream" (one
    layer after another from RAM, the next on its way meanwhile), "fp8" (kept in 8 bits, each layer computed in 16), or
    for training "int8" and "nf4" (frozen matrices quantised by bitsandbytes). vae_alone: the UNet leaves the GPU while
    the VAE works. optimizer: one of `OPTIMIZERS`, for training.
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
    unet: str = "whole"
    vae_alone: bool = False
    optimizer: str = "adamw"
    stages: tuple[Stage, ...] = ()

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


def list_stages(one: Plan, prints: dict) -> tuple[Stage, ...]:
    """List the stages of a plan's task on a GPU with the bytes that each takes there and in RAM."""
    work, tiled = prints[str(one.size)], "_tiled" if one.vae_tiling else ""
    base, process = {"base": GPU_BASE}, {"process": PROCESS["cuda"]}
    unet, vae, words = weigh_unet(one, prints), weigh(prints, "vae"), weigh(prints, "text_encoder")
    resident = one.placement == "resident"
    kept = {**({"text_encoder": words} if resident else {}), "unet": unet, "vae": vae}  # while the UNet works
    waiting = {} if resident else {"unet": weigh_waiting(one, prints)}
    streamed = waiting if one.unet == "stream" else {}  # its copy in RAM stays there, whatever works
    reading = {"text_encoder": weigh_encoder(one, prints), **({"unet": unet} if resident else {}), "vae": vae}
    stages = [] if one.encoder == "cached" else [
        Stage("encode", {**reading, "activations": prints["encode"], **base}, {**process, **waiting})]
    picture = "latents" if one.task == "lora" else "decode"
    count = work[f"{picture}{tiled}"] * (WHOLE_VAE if one.size > 512 and not one.vae_tiling else 1)
    coding = Stage(picture, {**({"vae": vae} if one.vae_alone else kept), "activations": count, **base},
                   {**process, **(waiting if one.vae_alone else streamed)})
    if one.unet in ("fp8", *BITS):  # the layer that works is there in 16 bits beside its own fewer
        base = {"unpacked": prints["unet_largest"] * KEPT, **base}
    if one.task == "draw":
        denoising = Stage("denoise", {**kept, "activations": work["denoise"], **base}, {**process, **streamed})
        return (*stages, denoising, coding)
    activations = work["train_checkpointing" if one.checkpointing else "train"] * AUTOCAST
    training = {"unet": unet, "lora": prints["lora"] * LORA,  # the VAE waits in RAM meanwhile
                "optimizer": int(prints["lora"] * OPTIMIZERS[one.optimizer]), "activations": activations, **base}
    return (*stages, coding, Stage("train", training, {**process, "vae": vae}))


def list_stages_on_cpu(one: Plan, prints: dict) -> tuple[Stage, ...]:
    """List the stages of a small model's task in float32 on the CPU, every part in RAM."""
    parts = {part: weigh(prints, part) for part in prints["parameters"]} | {"process": PROCESS["cpu"]}
    work = prints[str(one.size)]
    counts = {"encode": prints["encode"]} | {
        name: work[name] for name in (("denoise", "decode") if one.task == "draw" else ("latents", "train"))}
    if one.task == "lora":
        parts |= {"lora": prints["lora"] * LORA, "optimizer": int(prints["lora"] * OPTIMIZERS[one.optimizer])}
    return tuple(Stage(name, {}, {**parts, "activations": count}) for name, count in counts.items())


def weigh(prints: dict, part: str) -> int:
    """Return the bytes of a part's weights; the VAE stays in float32."""
    return prints["parameters"][part] * (4 if part == "vae" else prints["bytes_per_weight"])


def weigh_unet(one: Plan, prints: dict) -> int:
    """Return the bytes of the UNet's weights on the GPU while it works."""
    if one.unet == "stream":  # the layer that works and the one that is on its way
        return 2 * prints["unet_largest"] * prints["bytes_per_weight"]
    if one.unet == "fp8":
        return prints["unet_fp8"]
    if one.unet in BITS:
        matrices = prints["unet_matrices"]
        return int(matrices * QUANTISED[BITS[one.unet]]) + (prints["parameters"]["unet"] - matrices) * KEPT
    return weigh(prints, "unet")


def weigh_waiting(one: Plan, prints: dict) -> int:
    """Return the bytes that the UNet takes in RAM where it waits; in fewer bits it is read in 16 first."""
    return prints["unet_pinned"] if one.unet == "stream" else weigh(prints, "unet")


def weigh_encoder(one: Plan, prints: dict) -> int:
    """Return the bytes of the text encoder on the GPU while it reads."""
    if one.encoder == "stream":  # one weight after another
        return prints["encoder_largest"] * prints["bytes_per_weight"]
    if one.encoder == "quantised":
        layers = prints["encoder_layers"]
        return int(layers * QUANTISED[one.encoder_bits]) + (prints["parameters"]["text_encoder"] - layers) * KEPT
    return weigh(prints, "text_encoder")


def describe(one: Plan) -> list[str]:
    """Say in a few lines what a plan decided and the memory of each stage with what it is made of."""
    lines = [text("plan_head", task=text(f"task_{one.task}"), model=one.model, device=one.device,
                  settings=summarise(one)), "  " + say_choices(one)]
    for stage in one.stages:
        place = stage.ram if one.device == "cpu" else stage.vram
        parts = [f"{text(f'bytes_{name}')} {count / GIB:.2f}" for name, count in place.items()]
        lines.append(text("plan_stage", stage=text(f"stage_{stage.name}"), total=sum(place.values()) / GIB,
                          parts=text("list_comma").join(parts)))
    return lines


def summarise(one: Plan) -> str:
    """Say a plan's precision, size and peaks in a few words."""
    return text("plan_summary", dtype=one.dtype, size=one.size, vram=one.peak_vram / GIB, ram=one.peak_ram / GIB)


def say_choices(one: Plan) -> str:
    """Say where the parts of a plan lie and what is switched on."""
    words = [text(f"placement_{one.placement}"), text(f"encoder_{one.encoder}", bits=one.encoder_bits)]
    if one.unet != "whole":
        words.append(text(f"unet_{one.unet}"))
    if one.vae_alone and one.unet not in ("stream", "int8", "nf4"):
        words.append(text("plan_alone"))
    words += [text(f"plan_{name}") for name, on in (("tiling", one.vae_tiling), ("checkpointing", one.checkpointing))
              if on]
    if one.task == "lora":
        words.append(text("plan_optimizer", name=one.optimizer))
    return text("list_semicolon").join(words)
