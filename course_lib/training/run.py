"""One training from its start to its file: the UNet with its LoRA, its optimizer, what is remembered and where."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import NoReturn

import psutil
import torch
from diffusers import KolorsPipeline, UNet2DConditionModel
from torch import Tensor

from course_lib.lora.adapters import list_names, make_plain
from course_lib.lora.headers import BASES
from course_lib.lora.verbs import add_lora, remove_lora, save_lora
from course_lib.machine.stages import BITS
from course_lib.messages import LessonError, error, text
from course_lib.model.fingerprints import hash_weights
from course_lib.model.latents import empty_latent, to_images
from course_lib.model.quantised import find_kind, quantise
from course_lib.model.text_cache import collect
from course_lib.pictures.picture import Picture
from course_lib.sampling.drawing import sample
from course_lib.sampling.settings import SamplerSettings
from course_lib.training.checkpoint import Counters, read_state, write_state
from course_lib.training.config import TrainConfig
from course_lib.training.examples import Say, TrainSet, find_device, own_size
from course_lib.training.loss import fix_batches, make_generator, noise_loss
from course_lib.training.optimizers import build_optimizer, use_average
from course_lib.training.processes import Processes

EXPLODED = 5.0  # times the first error, or the noise's own variance: predicting nothing at all has an error of 1
KEPT_EVERY = 10  # steps between two copies of the weights in memory, for when the loss explodes
SAMPLES = "samples"  # the folder of the sample pictures
CHECKPOINTS = "checkpoints"  # a folder of its own: `publish` wants one .safetensors beside its pictures
DTYPES = {"32": torch.float32, "16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}
FP16_CPU = ("avx512_fp16", "amx_fp16")  # what a CPU has that computes in fp16 by itself


class Run:
    """What the loop of `train` works on; `name` is that of its file, `adapter` that of the LoRA in the UNet."""

    def __init__(self, pipe: KolorsPipeline, data: TrainSet, config: TrainConfig, processes: Processes,
                 output_path: Path | None, name: str, say: Say) -> None:
        self.pipe, self.unet, self.data, self.config, self.processes = pipe, pipe.unet, data, config, processes
        self.output_path, self.name, self.adapter, self.say = output_path, name, make_plain(name), say
        self.device = find_device(pipe)
        self.precision = choose_precision(config, self.device, say)
        self.alphas_bar = pipe.scheduler.alphas_cumprod.to(self.device)
        self.parameters = self.add_weights()
        self.base = hash_weights(self.unet)
        self.validation = fix_batches(pipe, data.validation, config)
        self.weights = list(self.parameters.values())
        self.optimizer = build_optimizer(self.weights, config)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "16-mixed")
        self.average = [weight.detach().clone() for weight in self.weights] if config.ema_decay else None
        self.best: list[Tensor] | None = None
        self.good = (0, [weight.detach().clone() for weight in self.weights])  # step, weights that gave a sound loss
        self.counters = Counters()
        self.started = time.perf_counter()
        self.path: Path | None = None

    def add_weights(self) -> dict[str, torch.nn.Parameter]:
        """Add the LoRA to the UNet, in place of those it had, and return its weights by name.

        What is learnt on top of another LoRA would be wrong without it, and the file says that it belongs to the base.
        """
        unet, config = self.unet, self.config
        for other in remove_lora(unet) if list_names(unet) else ():
            if other != self.adapter:
                self.say(text("train_lora_removed", name=other))
        if self.device.type == "cuda" and unet.dtype != DTYPES[self.precision]:
            unet.to(DTYPES[self.precision])  # the frozen weights; on a CPU float32 is the fastest anyway
        self.quantise_base()
        unet.to(self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            weights = add_lora(unet, rank=config.lora_rank, alpha=config.lora_alpha, targets=config.targets,
                               name=self.adapter, dora=config.dora)
        if config.rank_dropout:
            drop_ranks(unet, self.adapter, config.rank_dropout)
        plan = getattr(self.pipe, "plan", None)
        checkpointing = config.use_gradient_checkpointing
        self.checkpointing = bool(plan and plan.checkpointing) if checkpointing is None else checkpointing
        self.pipe.vae.to("cpu")
        known = {id(weight) for weight in weights}
        named = {name: weight for name, weight in unet.named_parameters() if id(weight) in known}
        for weight in named.values():
            weight.data = weight.data.float()  # in 16 bits AdamW's small steps would be lost
        self.compile_blocks()
        self.set_training(True)
        return named

    def compile_blocks(self) -> None:
        """Compile the attention blocks where the settings say so and there is a GPU: one is compiled, and 70 run it."""
        if self.config.torch_compile and self.device.type == "cuda":
            self.unet.compile_repeated_blocks()
        elif self.config.torch_compile:
            self.say(text("train_compile_cpu"))

    def quantise_base(self) -> None:
        """Quantise the frozen UNet where settings or plan say so; LessonError for one that is quantised otherwise."""
        plan, found = getattr(self.pipe, "plan", None), find_kind(self.unet)
        planned = plan.unet if plan and plan.unet in BITS else found or "off"
        wanted = self.config.quantised_base or planned
        if wanted == (found or "off"):
            return
        if found:
            raise error("train_base_other", found=found, wanted=wanted)
        quantise(self.unet, wanted, self.device)
        self.say(text("train_quantised", kind=wanted))

    def set_training(self, on: bool) -> None:
        """Switch between training and drawing."""
        self.unet.train(on)
        if on and self.checkpointing:
            self.unet.enable_gradient_checkpointing()
        else:
            self.unet.disable_gradient_checkpointing()

    def autocast(self) -> torch.autocast:
        """Compute in 16 bits what bears it, where the precision is mixed."""
        return torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "32")

    def resume(self, folder: Path) -> None:
        """Go on from the checkpoint in the output folder, where there is one."""
        found = read_state(folder / CHECKPOINTS, self.parameters, self.optimizer, self.config, self.about())
        if found is None:
            self.say(text("train_resume_none", folder=folder))
            return
        self.counters, extras = found
        names = list(self.parameters)
        if self.counters.scaler:
            self.scaler.load_state_dict(self.counters.scaler)
        if "average" in extras:
            self.average = [extras["average"][name].to(self.device) for name in names]
        if "best" in extras:
            self.best = [extras["best"][name].to(self.device) for name in names]
        self.good = (self.counters.step, [weight.detach().clone() for weight in self.weights])
        self.say(text("train_resumed", step=self.counters.step, steps=self.config.steps))

    def about(self) -> dict[str, object]:
        """Return what tells this training from another."""
        return {"settings": self.config.to_json(), "data": self.data.digest, "processes": self.processes.count,
                "precision_used": self.precision, "base": self.base}

    def checkpoint(self) -> None:
        """Write all that is needed to go on; the first process alone does. LessonError for weights that are none."""
        self.check_weights()
        if self.output_path is None or not self.processes.first:
            return
        counters = replace(self.counters, scaler=self.scaler.state_dict(), seconds=self.seconds)
        extras = {kind: dict(zip(self.parameters, weights))
                  for kind, weights in (("average", self.average), ("best", self.best)) if weights}
        write_state(self.output_path / CHECKPOINTS, self.parameters, self.optimizer, extras, counters,
                    self.about())

    def check_error(self, value: float, step: int) -> None:
        """Keep a copy of sound weights now and then; LessonError, with them saved, for a loss that is none any more."""
        counters = self.counters
        if counters.first_error is None:
            counters.first_error = value
        if not value <= EXPLODED * max(counters.first_error, 1.0):  # NaN is not
            self.fall_back(value, step + 1)
        if step % KEPT_EVERY == 0:
            self.good = (step, [weight.detach().clone() for weight in self.weights])

    def check_weights(self) -> None:
        """Answer weights that a step has made NaN or infinite with a LessonError, before they replace sound ones."""
        if not all(bool(weight.isfinite().all()) for weight in self.weights):
            self.fall_back(math.nan, self.counters.step)

    def fall_back(self, value: float, step: int) -> NoReturn:
        """Save the last sound weights, and raise the LessonError for an error of this value at a step from 1."""
        good, weights = self.good
        self.put(weights)
        self.counters.step = good
        file = self.save() if good else None
        raise error("train_exploded", step=step, loss=f"{value:.3g}", good=good, file=file or text("none"),
                    rate=f"{self.config.learning_rate:g}", lower=f"{self.config.learning_rate / 3:.1g}",
                    precision=self.precision)

    @torch.no_grad()
    def put(self, weights: list[Tensor]) -> None:
        """Give the LoRA other weights."""
        for weight, value in zip(self.weights, weights):
            weight.copy_(value)

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Move the average of the weights towards them; at first faster, for it starts from nothing learnt."""
        if self.average:
            torch._foreach_lerp_(self.average, [weight.detach() for weight in self.weights],
                                 1 - min(self.config.ema_decay, (step + 1) / (step + 10)))

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Use the weights that would be saved, the average where there is one, without training."""
        use_average(self.optimizer, True)
        kept = [weight.detach().clone() for weight in self.weights] if self.average else None
        self.set_training(False)
        if self.average:
            self.put(self.average)
        try:
            yield
        finally:
            if kept:
                self.put(kept)
            use_average(self.optimizer, False)
            self.set_training(True)

    @torch.no_grad()
    def validate(self) -> float:
        """Return the error on the pictures held back, and note whether it is the best one so far."""
        with self.drawing(), self.autocast():
            losses = [noise_loss(self.unet, batch, self.alphas_bar, self.config)[1] for batch in self.validation]
            loss = float(torch.stack(losses).mean())
            if self.counters.best_loss is None or loss < self.counters.best_loss:
                self.counters.best_loss, self.counters.waited = loss, 0
                if self.config.patience:
                    self.best = [weight.detach().clone() for weight in self.weights]
            else:
                self.counters.waited += 1
        return loss

    def draw_samples(self) -> tuple[Picture, ...]:
        """Draw the sample prompts with their one seed, which are kept as files too (`keep_samples`)."""
        config, pipe = self.config, self.pipe
        settings = SamplerSettings(seed=config.sample_seed, steps=config.sample_steps, cfg=config.sample_cfg)
        latent = empty_latent(pipe, *own_size(pipe, config))
        with self.drawing():
            drawn = [sample(pipe, (words, self.data.empty), [settings], latent) for words in self.data.samples]
            pipe.vae.to(self.device)
            images = [to_images(pipe, latents)[0] for latents in drawn]
            pipe.vae.to("cpu")
        pictures = tuple(Picture(image, text("train_sample", prompt=prompt, step=self.counters.step,
                                             seed=settings.seed), settings=settings, prompt=prompt)
                         for image, prompt in zip(images, config.sample_prompts))
        self.keep_samples(pictures)
        return pictures

    def keep_samples(self, pictures: Sequence[Picture]) -> None:
        """Write sample pictures into the output folder; where that fails it is told, and the training goes on."""
        if self.output_path is None:
            return
        try:
            for number, picture in enumerate(pictures, 1):
                picture.save(self.output_path / SAMPLES / f"step{self.counters.step:06}_{number}.png")
        except LessonError as problem:
            self.say(str(problem))

    def seed_step(self, step: int) -> None:
        """Let the dropout inside the UNet, too, depend on nothing but the step."""
        if self.config.rank_dropout:
            torch.manual_seed(make_generator("dropout", self.config.seed, step, self.processes.number).initial_seed())

    def finish(self) -> None:
        """Write the last checkpoint, then the LoRA: with the best weights, or their average, where they are kept."""
        self.checkpoint()
        use_average(self.optimizer, True)
        chosen = self.best or self.average
        if chosen:
            self.put(chosen)
            self.average = None  # the LoRA's own weights are those to draw with now
        self.path = self.save()

    def save(self) -> Path | None:
        """Write the LoRA's file and return its place; None where nothing is to be written."""
        if self.output_path is None or not self.processes.first:
            return None
        summary = {"steps": self.counters.step, "pictures": len(self.data.examples), "precision": self.precision,
                   "seconds": round(self.seconds, 1), "validation_loss": self.counters.best_loss}
        plan = getattr(self.pipe, "plan", None)
        base = BASES.get(plan.model, plan.model) if plan else Path(self.pipe.name_or_path).name
        return save_lora(self.unet, self.output_path / f"{self.name}.safetensors", base_model=base, name=self.adapter,
                         trigger_word=self.config.trigger_word, settings=asdict(self.config), summary=summary)

    def release(self) -> None:
        """Give the pipeline back as something that draws."""
        self.set_training(False)
        for weight in self.weights:
            weight.requires_grad_(False)
            weight.grad = None
        self.pipe.vae.to(self.device)
        collect()

    @property
    def seconds(self) -> float:
        """Return the seconds that the training took, those before it was resumed included."""
        return self.counters.seconds + time.perf_counter() - self.started

    def memory(self) -> int:
        """Return the most bytes on the GPU so far, or without one the bytes of this process now."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        return psutil.Process().memory_info().rss


def choose_precision(config: TrainConfig, device: torch.device, say: Say) -> str:
    """Return the precision to compute in; LessonError for 16-mixed on a CPU that has no fp16, unless 32 is allowed."""
    if config.precision is None:
        if device.type == "cpu":
            return "32"
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    if config.precision == "16-mixed" and device.type == "cpu" and not has_fp16():
        if not config.precision_fallback:
            raise error("train_no_fp16")
        say(text("train_fp16_fallback"))
        return "32"
    return config.precision


def has_fp16() -> bool:
    """Say whether this CPU computes in fp16 by itself; others imitate it, several times slower than float32."""
    read: Callable[[], Mapping[str, object]] = getattr(torch.cpu, "get_capabilities", dict)  # older torch cannot say
    return any(read().get(name) for name in FP16_CPU)


def drop_ranks(unet: UNet2DConditionModel, name: str, share: float) -> None:
    """Leave out a share of each layer's rank at random while it trains, as dropout does with neurons."""
    def drop(module: torch.nn.Module, arguments: tuple, answer: Tensor) -> Tensor:
        if not unet.training:
            return answer
        shape = (len(answer), *[1] * (answer.ndim - 2), answer.shape[-1])  # of each picture, the same for all places
        return answer * (torch.rand(shape, device=answer.device) >= share) / (1 - share)

    for part, module in unet.named_modules():
        if part.endswith(f"lora_A.{name}"):
            module.register_forward_hook(drop)
