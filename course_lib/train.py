"""Train a LoRA: `train` is the loop, a generator that hands out a record of each step; `fit` runs it and shows it.

The order of a step is that of every diffusion training (Ho 2020, algorithm 1): latents, noise, a noise level each, the
UNet's prediction, its error, a step of AdamW on the LoRA's weights alone.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import KolorsPipeline

from course_lib.loading import first_line
from course_lib.messages import error
from course_lib.pipeline import Picture
from course_lib.train_cache import CACHE
from course_lib.train_config import TrainConfig as TrainConfig
from course_lib.train_config import check_config, rate_factor, tiny_config
from course_lib.train_data import Order, Say, prepare
from course_lib.train_loss import draw_batch, make_generator, noise_loss
from course_lib.train_processes import Processes
from course_lib.train_run import Run


@dataclass(frozen=True)
class StepRecord:
    """What is known after a step: `loss` as it was weighted, `error` unweighted, `rate` the learning rate.

    `seconds` are this step's, `memory` is in bytes. `stopped` says why it is the last one: "done", "asked", "no_gain".
    """

    step: int  # steps that are done, of `steps`
    steps: int
    loss: float
    error: float
    rate: float
    gradient: float  # the gradient's norm, before it is cut to max_grad_norm
    seconds: float
    seconds_left: float
    memory: int
    validation_loss: float | None = None
    samples: tuple[Picture, ...] = ()
    stopped: str = ""
    path: Path | None = None  # the LoRA's file, in the last record


def train(pipe: KolorsPipeline, dataset_path: str | Path, config: TrainConfig | None = None, *,
          output_path: str | Path | None = None, resume: bool = False, name: str = "lora",
          stop: Callable[[], bool] = lambda: False, cache: str | Path | None = CACHE,
          say: Say = print) -> Iterator[StepRecord]:
    """Train a LoRA of the UNet on dataset_path/train and yield a StepRecord after each step; it stays in the UNet.

    Writes output_path/name.safetensors and checkpoints to go on from with `resume`; nothing where output_path is None.
    Leaving the loop, or a `stop()` that returns True, ends it after a step with both written. LessonError: data,
    settings, a loss that explodes, a full disk. `cache` is where latents and texts are kept, None for nowhere.
    """
    config = config or choose_config(pipe)
    check_config(config)
    processes = Processes()
    say = say if processes.first else lambda words: None
    if resume and output_path is None:
        raise error("train_resume_where")
    with processes.first_alone():
        data = prepare(pipe, dataset_path, config, cache=cache and Path(cache), say=say)
    run = Run(pipe, data, config, processes, output_path and Path(output_path).expanduser(), name, say)
    try:
        if resume:
            run.resume()
        yield from take_steps(run, stop)
    except torch.OutOfMemoryError as cause:
        raise error("train_no_memory", cause=first_line(cause)) from cause
    finally:
        run.release()


def take_steps(run: Run, stop: Callable[[], bool]) -> Iterator[StepRecord]:
    """Take the steps that are left, and yield a record of each."""
    pipe, config, data, processes, counters = run.pipe, run.config, run.data, run.processes, run.counters
    orders = [Order(part, config.batch_size, config.seed) for part in (data.examples, data.prior) if part]
    shares = [1.0, config.prior_weight]  # of the set and of the prior in the loss
    parts = config.accumulate_grad_batches
    first, began, saved = counters.step, time.perf_counter(), counters.step
    for step in range(first, config.steps):
        started = time.perf_counter()
        run.seed_step(step)
        sums = torch.zeros(2, device=run.device)  # loss, error
        for part in range(parts):
            number = (step * parts + part) * processes.count + processes.number
            for order, share, examples in zip(orders, shares, (data.examples, data.prior)):
                generator = make_generator(config.seed, number, share)
                batch = draw_batch(pipe, [examples[each] for each in order.batch(number)], data.empty, config, generator)
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
        drawn = data.samples and processes.first and (stopped or is_due(config.sample_every, counters.step, 0))
        samples = run.draw_samples() if drawn else ()
        if stopped:
            run.finish()
        elif is_due(config.checkpoint_every, counters.step, 0):
            run.checkpoint()
            saved = counters.step
        done = counters.step - first
        left = (time.perf_counter() - began) / done * (config.steps - counters.step)
        try:
            yield StepRecord(counters.step, config.steps, loss, wrong, rate, float(norm),
                             time.perf_counter() - started, left, run.memory(), validation_loss, samples, stopped,
                             run.path)
        except GeneratorExit:  # whoever reads the records has left the loop
            if not stopped:
                run.finish()
            raise
        if stopped:
            return
    run.finish()  # resumed after its last step


def is_due(every: int, step: int, last: int) -> bool:
    """Say whether something that is done every so many steps, and at the last one, is due after a step."""
    return every > 0 and (step % every == 0 or step == last)


def choose_config(pipe: KolorsPipeline) -> TrainConfig:
    """Return the settings that suit a model: the camp's for Kolors, those of a small model for Tiny Kolors."""
    plan = getattr(pipe, "plan", None)
    return tiny_config() if plan and plan.model == "tiny" else TrainConfig()
