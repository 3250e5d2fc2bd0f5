"""Train a LoRA: `train` is the loop, a generator that hands out a record of each step; `fit` runs it and shows it.

The order of a step is that of every diffusion training (Ho 2020, algorithm 1): latents, noise, a noise level each, the
UNet's prediction, its error, a step of AdamW on the LoRA's weights alone.
"""

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import torch
from diffusers import KolorsPipeline

from course_lib.files import COURSE
from course_lib.lora.adapters import make_plain
from course_lib.messages import error, text
from course_lib.model.parts import first_line
from course_lib.model.quantised import count_weights
from course_lib.pictures.picture import Picture
from course_lib.training.cache import CACHE
from course_lib.training.config import TrainConfig, check_config, rate_factor, tiny_config
from course_lib.training.examples import Order, Say, encode_set
from course_lib.training.log import recording
from course_lib.training.loss import make_generator, noise_batch, noise_loss
from course_lib.training.optimizers import effective_rate
from course_lib.training.place import claim
from course_lib.training.processes import Processes
from course_lib.training.report import StepRecord
from course_lib.training.run import Run
from course_lib.training.view import describe_end, draw_training, interrupts, open_view

OUTPUTS = COURSE / "outputs" / "lora"


@dataclass(frozen=True)
class TrainResult:
    """What came of a training: the LoRA's file, the records of all steps, and the LoRA counted beside the UNet."""

    path: Path
    records: tuple[StepRecord, ...] = field(repr=False)
    rank: int
    alpha: float
    layers: int
    parameters: int  # of the LoRA
    base_parameters: int  # of the UNet without any
    steps: int  # that were asked for

    @property
    def stopped(self) -> str:
        """Say why the training ended: "done", "asked" or "no_gain"."""
        return self.records[-1].stopped if self.records else "done"

    @property
    def step(self) -> int:
        """Return how many steps are done."""
        return self.records[-1].step if self.records else self.steps

    @property
    def seconds(self) -> float:
        """Return the seconds that the steps took."""
        return sum(record.seconds for record in self.records)

    @property
    def figure(self) -> Picture:
        """Return the curve with the sample pictures, for a cell of its own."""
        return Picture(draw_training(self.records), str(self))

    def __str__(self) -> str:
        counts = text("train_counts", rank=self.rank, alpha=self.alpha, layers=self.layers, count=self.parameters,
                      share=self.parameters / self.base_parameters)
        return "\n".join([*describe_end(self.records), counts, text("train_saved", path=show_path(self.path))])

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self)}


def show_path(path: Path) -> str:
    """Return a path as it reads best: within the course from its top."""
    return str(path.relative_to(COURSE) if path.is_absolute() and path.is_relative_to(COURSE) else path)


def train(pipe: KolorsPipeline, dataset_path: str | Path, config: TrainConfig | None = None, *,
          output_path: str | Path | None = None, resume: bool = False, name: str = "lora",
          stop: Callable[[], bool] = lambda: False, cache: str | Path | None = CACHE,
          say: Say = print) -> Generator[StepRecord, None, None]:
    """Train a LoRA of the UNet on dataset_path/train and yield a StepRecord after each step; it stays in the UNet.

    Writes output_path/name.safetensors, log.jsonl, samples/ and checkpoints to go on from with `resume`; nothing if it
    is None. An output_path that another training has used or is using is left alone, and a numbered one taken.
    Leaving the loop, or a `stop()` that returns True, ends it after a step with both written. LessonError: data,
    settings, a loss that explodes, a full disk. `cache` is where latents and texts are kept, None for nowhere.
    """
    config = config or choose_config(pipe)
    check_config(config)
    processes = Processes()
    say = say if processes.first else lambda words: None
    if resume and output_path is None:
        raise error("train_resume_where")
    if not name or Path(name).name != name or "\\" in name:
        raise error("train_name_wrong", name=name)
    try:
        with processes.first_alone():
            data = encode_set(pipe, dataset_path, config, cache=Path(cache) if cache else None, say=say)
        with ExitStack() as held:
            place = Path(output_path).expanduser() if output_path else None
            if place and processes.first:
                place = held.enter_context(claim(place, name, resume, say))
            run = Run(pipe, data, config, processes, place, name, say)
            held.callback(run.release)
            if place and resume:
                run.resume(place)
            written = recording(place if processes.first else None, name, run.counters.step, config, say)
            recorder = held.enter_context(written)
            steps = held.enter_context(closing(take_steps(run, stop)))  # leaving this loop has to end that one
            for record in steps:
                recorder.write(record)
                yield record
    except torch.OutOfMemoryError as cause:
        raise error("train_no_memory", cause=first_line(cause)) from cause


def take_steps(run: Run, stop: Callable[[], bool]) -> Generator[StepRecord, None, None]:
    """Take the steps that are left, and yield a record of each."""
    pipe, config, data, processes, counters = run.pipe, run.config, run.data, run.processes, run.counters
    orders = [Order(part, config.batch_size, config.seed) for part in (data.examples, data.prior) if part]
    shares = [1.0, config.prior_weight]  # of the set and of the prior in the loss
    parts = config.accumulate_grad_batches
    first, began = counters.step, time.perf_counter()
    for step in range(first, config.steps):
        started = time.perf_counter()
        run.seed_step(step)
        sums = torch.zeros(2, device=run.device)  # loss, error
        for part in range(parts):
            number = (step * parts + part) * processes.count + processes.number
            for order, share, examples in zip(orders, shares, (data.examples, data.prior)):
                generator = make_generator(config.seed, number, share)
                chosen = [examples[each] for each in order.batch(number)]
                batch = noise_batch(pipe, chosen, data.empty, config, generator)
                with run.autocast():
                    loss, wrong = noise_loss(run.unet, batch, run.alphas_bar, config)
                run.scaler.scale(share * loss / parts).backward()
                sums += torch.stack([share * loss.detach(), wrong / len(orders)]) / parts
        processes.average([*(weight.grad for weight in run.weights), sums])
        loss, wrong = sums.tolist()
        run.check_error(wrong, step)
        run.scaler.unscale_(run.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(run.weights, config.max_grad_norm)
        rate = config.learning_rate * rate_factor(config, step)
        for group in run.optimizer.param_groups:
            group["lr"] = rate
        run.scaler.step(run.optimizer)
        run.scaler.update()
        run.optimizer.zero_grad()
        run.follow(step)
        counters.step = step + 1

        looks = run.validation and is_due(config.validation_every, counters.step, config.steps)
        validation_loss = run.validate() if looks and processes.first else None
        stopped = ""
        if processes.decide(stop(), run.device):
            stopped = "asked"
        elif config.patience and processes.decide(counters.waited >= config.patience, run.device):
            stopped = "no_gain"
        elif counters.step == config.steps:
            stopped = "done"
        if stopped:
            run.finish()
        elif is_due(config.checkpoint_every, counters.step, 0):
            run.checkpoint()
        drawn = data.samples and processes.first and (stopped or is_due(config.sample_every, counters.step, 0))
        samples = run.draw_samples() if drawn else ()
        done = counters.step - first
        left = (time.perf_counter() - began) / done * (config.steps - counters.step)
        try:
            yield StepRecord(counters.step, config.steps, loss, wrong, effective_rate(run.optimizer), float(norm),
                             time.perf_counter() - started, left, run.memory(), run.device.type == "cuda",
                             validation_loss, samples, stopped, run.path)
        except GeneratorExit:  # whoever reads the records has left the loop
            if not stopped:
                run.finish()
            raise
        if stopped:
            return
    run.finish()  # resumed after its last step


def fit(pipe: KolorsPipeline, dataset_path: str | Path, config: TrainConfig | None = None, *,
        output_path: str | Path | None = None, resume: bool = False, name: str = "lora",
        cache: str | Path | None = CACHE) -> TrainResult:
    """Train as `train` does, show it while it runs, and return what came of it; the LoRA stays in the UNet.

    The stop button, an interrupt (Ctrl+C), SIGTERM and a closed terminal end it after a step with everything saved, or
    before its first step at once. Where output_path is None the file goes to outputs/lora/ and the data set's name.
    """
    output_path = Path(output_path or OUTPUTS / Path(dataset_path).name)
    config = config or choose_config(pipe)
    processes = Processes()
    records: list[StepRecord] = []
    view = open_view(processes.first)
    try:
        # several processes stop together after a step; alone, what comes before the first step is left at once
        with interrupts(lambda: bool(records) or processes.count > 1) as interrupted:
            steps = train(pipe, dataset_path, config, output_path=output_path, resume=resume, name=name,
                          stop=lambda: view.stop_asked or interrupted(), cache=cache)
            with closing(steps):  # so that all is saved, even where nothing can be shown any more: a closed terminal
                for record in steps:
                    records.append(record)
                    view.show(records)
    finally:
        view.end(records)
    path = records[-1].path if records else None
    return describe_result(pipe, make_plain(name), tuple(records), path or output_path / f"{name}.safetensors",
                           config.steps)


def describe_result(pipe: KolorsPipeline, name: str, records: tuple[StepRecord, ...], path: Path,
                    steps: int) -> TrainResult:
    """Count what was trained."""
    lora = pipe.unet.peft_config[name]
    pairs = [(key, weight) for key, weight in pipe.unet.named_parameters()]
    added = [(key, weight) for key, weight in pairs if f".{name}." in key]
    every_lora = sum(weight.numel() for key, weight in pairs if ".lora_" in key)
    return TrainResult(path, records, lora.r, lora.lora_alpha, sum(".lora_A." in key for key, _ in added),
                       sum(weight.numel() for _, weight in added),
                       sum(count_weights(weight) for _, weight in pairs) - every_lora, steps)


def is_due(every: int, step: int, last: int) -> bool:
    """Say whether something that is done every so many steps, and at the last one, is due after a step."""
    return every > 0 and (step % every == 0 or step == last)


def choose_config(pipe: KolorsPipeline) -> TrainConfig:
    """Return the settings that suit a model: the camp's for Kolors, those of a small model for Tiny Kolors."""
    plan = getattr(pipe, "plan", None)
    return tiny_config() if plan and plan.model == "tiny" else TrainConfig()
