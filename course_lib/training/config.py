"""What a LoRA training is set to: one value per line with the reason of its default, and the check of the bounds.

Where the camp's command has a parameter for it, it stands here under the camp's name.
"""

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral
from pathlib import Path
from typing import Any

from course_lib.checks import check_choice, check_range
from course_lib.machine.stages import BITS, OPTIMIZERS
from course_lib.messages import error
from course_lib.sampling.settings import MOST_SEED

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
PRECISIONS = ("32", "16-mixed", "bf16-mixed")
SCHEDULES = ("constant", "cosine")
SNR_FORMS = ("epsilon", "v")
BASES = ("off", *BITS)
LEAST_PRODIGY = 0.1  # its learning rate multiplies what it finds by itself, so it belongs near 1
TRACKERS = ("tensorboard", "swanlab", "wandb", "trackio")
LEAST_RATE = 0.02  # of the learning rate: where a cosine ends; at 0 its last steps would do nothing
# What may differ between a training and the one that goes on with it: none of it changes the steps that are done.
FREE_TO_CHANGE = ("max_epochs", "steps_per_epoch", "checkpoint_every", "validation_every", "patience", "sample_prompts",
                  "sample_every", "sample_steps", "sample_cfg", "sample_seed", "dataloader_num_workers", "trigger_word",
                  "torch_compile", "report_to")


@dataclass(frozen=True)
class TrainConfig:
    """What a training is set to; sizes in pixels, steps counted as the optimizer's; `check_config` holds the bounds."""

    # The LoRA. Its effect is scaled by lora_alpha / lora_rank.
    lora_rank: int = 16  # the camp's; 93 MB of weights for Kolors, 0.9 % of the UNet
    lora_alpha: float = 4.0  # the camp's: a scale of 0.25, which goes with its learning rate
    targets: tuple[str, ...] = ATTENTION  # the camp's: every attention layer, where a picture and a prompt meet
    rank_dropout: float = 0.0  # the share of the rank that is left out, anew each step; for few pictures, 0.1 to 0.3
    dora: bool = False  # direction and length apart (Liu 2024, arXiv 2402.09353); a third slower, seldom needed

    # The pictures.
    height: int | None = None  # None: what the model was trained at (Kolors 1024, Tiny Kolors 96)
    width: int | None = None
    center_crop: bool = False  # off: a long picture is cut at several places, so that its ends are seen too
    random_flip: bool = False  # off: letters and faces are not the same in a mirror
    crop_variants: int = 4  # places at which a long picture is cut, kept as latents each: its ends and two between
    aspect_buckets: bool = False  # on: a long picture keeps its shape instead of being cut to height x width
    dataloader_num_workers: int = 0  # threads that read pictures before the training; none read during it
    hold_back: int = 0  # pictures kept out of the training for the validation, where there is no validation folder

    # The steps.
    max_epochs: int = 1  # the camp's; an epoch here is steps_per_epoch steps, however many pictures there are
    steps_per_epoch: int = 500  # the camp's
    batch_size: int = 1  # the camp's: what fits into 24 GB at 1024 px
    accumulate_grad_batches: int = 1  # batches whose gradients are averaged before a step: a larger batch, no memory
    optimizer: str = "adamw"  # or adamw8bit: less memory; prodigy: finds the rate, given 1; schedulefree: no cosine
    learning_rate: float = 1e-4  # the camp's; LoRA takes ten times what the full UNet would
    lr_scheduler: str = "cosine"  # the last steps become small, so that it does not matter which one is the last
    lr_warmup_steps: int = 10  # AdamW's first steps know little about the gradient's size
    weight_decay: float = 0.01  # AdamW's own
    max_grad_norm: float = 1.0  # one odd batch must not undo a hundred good ones
    ema_decay: float = 0.0  # 0: off; 0.99 averages about the last hundred steps, which helps small batches
    seed: int = 0  # of everything that is drawn: start weights, order, noise, noise levels

    # The loss.
    min_snr_gamma: float = 0.0  # 0: every noise level counts the same; 5 is usual (Hang 2023, arXiv 2303.09556)
    min_snr_form: str = "epsilon"  # "v": 1 more, so that the noisiest levels count (Salimans 2022, 2202.00512)
    offset_noise: float = 0.0  # 0.05 to 0.1 for very dark or bright pictures (Guttenberg 2023)
    caption_dropout: float = 0.0  # captions replaced by none; 0.1 keeps guidance strong when much is learnt
    prior_weight: float = 0.0  # 0: off; 1 weighs pictures of the base model's own as much (Ruiz 2022, 2208.12242)
    prior_folder: str | Path | None = None  # of such pictures, with a metadata.csv
    prior_prompts: tuple[str, ...] = ()  # or what the base model is to draw
    prior_pictures: int = 16  # how many it draws: about as many as a small set holds

    # The computer.
    precision: str | None = None  # None: 32 on a CPU; on a GPU bf16-mixed, on one without bf16 16-mixed
    precision_fallback: bool = False  # on: where 16-mixed cannot be had, compute in 32
    use_gradient_checkpointing: bool | None = None  # None: as the plan says; saves memory, costs a third of the time
    quantised_base: str | None = None  # the frozen UNet in "int8" or "nf4", or "off"; None: as the plan says
    torch_compile: bool = False  # on a GPU: each attention block compiled; a minute first, then fewer seconds a step
    checkpoint_every: int = 100  # steps that are lost at most when the power goes

    # What one sees.
    validation_every: int = 0  # 0: never; steps between two looks at the pictures held back
    validation_levels: int = 4  # noise levels per picture held back, the same each time: one a quarter of the schedule
    patience: int = 0  # 0: off; validations without a gain after which the training ends with its best weights
    sample_prompts: tuple[str, ...] = ()  # pictures that are drawn again and again with the same seed
    sample_every: int = 0  # 0: only at the end
    sample_steps: int = 20  # of KSampler's settings: its own
    sample_cfg: float = 5.0  # KolorsPipeline's own
    sample_seed: int = 0  # one seed throughout, so that only the training changes a picture
    trigger_word: str = ""  # written into the file, for whoever uses it later
    report_to: str = ""  # "": log.jsonl alone; or one of TRACKERS as well, which has to be installed

    @property
    def steps(self) -> int:
        """Return how many steps the optimizer takes."""
        return self.max_epochs * self.steps_per_epoch

    def but(self, **changes: Any) -> "TrainConfig":
        """Return the same settings with some changed."""
        return replace(self, **changes)

    def to_json(self) -> str:
        """Return the settings as JSON."""
        return json.dumps(asdict(self), default=str, ensure_ascii=False)


def tiny_config(**changes: Any) -> TrainConfig:
    """Return settings that teach Tiny Kolors a style in about two minutes on two CPU cores, with changes by name."""
    recipe = TrainConfig(
        lora_alpha=16.0, learning_rate=1e-3,  # a small model bears large steps
        batch_size=16, steps_per_epoch=400, random_flip=True, caption_dropout=0.1)
    return replace(recipe, **changes)


def rate_factor(config: TrainConfig, step: int) -> float:
    """Return the factor of the learning rate at a step from 0: a linear warm-up, then constant or half a cosine."""
    if step < config.lr_warmup_steps:
        return (step + 1) / (config.lr_warmup_steps + 1)
    if config.lr_scheduler == "constant" or config.optimizer == "schedulefree":  # which averages instead
        return 1.0
    done = (step - config.lr_warmup_steps) / max(config.steps - config.lr_warmup_steps, 1)
    return LEAST_RATE + (1 - LEAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(done, 1)))


def check_config(config: TrainConfig) -> None:
    """Answer settings outside their bounds with a LessonError."""
    if config.lora_rank == 0 or config.lora_alpha == 0:
        raise error("train_rank_zero" if config.lora_rank == 0 else "train_alpha_zero")
    for name, low, high in (("lora_rank", 1, 1024), ("max_epochs", 1, 10**5), ("steps_per_epoch", 1, 10**7),
                            ("batch_size", 1, 4096), ("accumulate_grad_batches", 1, 4096), ("crop_variants", 1, 64),
                            ("dataloader_num_workers", 0, 64), ("lr_warmup_steps", 0, 10**7), ("hold_back", 0, 10**6),
                            ("prior_pictures", 1, 10**4), ("checkpoint_every", 1, 10**7), ("patience", 0, 10**6),
                            ("validation_every", 0, 10**7), ("validation_levels", 1, 100), ("sample_every", 0, 10**7),
                            ("sample_steps", 1, 1000), ("seed", 0, 2**63), ("sample_seed", 0, MOST_SEED)):
        check_range(name, getattr(config, name), low, high, kind=Integral)
    for name, least, most in (("lora_alpha", 1e-4, 1e4), ("learning_rate", 1e-10, 10), ("weight_decay", 0, 1),
                              ("max_grad_norm", 1e-6, 1e6), ("ema_decay", 0, 0.99999), ("rank_dropout", 0, 0.9),
                              ("min_snr_gamma", 0, 1000), ("offset_noise", 0, 1), ("caption_dropout", 0, 1),
                              ("prior_weight", 0, 100), ("sample_cfg", 0, 100)):
        check_range(name, getattr(config, name), least, most)
    check_choice("lr_scheduler", config.lr_scheduler, SCHEDULES)
    check_choice("min_snr_form", config.min_snr_form, SNR_FORMS)
    check_choice("optimizer", config.optimizer, tuple(OPTIMIZERS))
    if config.optimizer == "prodigy" and config.learning_rate < LEAST_PRODIGY:
        raise error("train_prodigy_rate", rate=f"{config.learning_rate:g}")
    check_choice("report_to", config.report_to, ("", *TRACKERS))
    for name, choices in (("precision", PRECISIONS), ("quantised_base", BASES)):
        if getattr(config, name) is not None:
            check_choice(name, getattr(config, name), choices)
    check_words(config)


def check_words(config: TrainConfig) -> None:
    """Answer lists of words that are no lists, and a weight without what it weighs, with a LessonError."""
    for name in ("targets", "sample_prompts", "prior_prompts"):
        value = getattr(config, name)
        if isinstance(value, str) or not all(isinstance(each, str) and each.strip() for each in value):
            raise error("train_no_list", name=name, value=repr(value))
    if not config.targets:
        raise error("train_no_list", name="targets", value=repr(config.targets))
    if config.prior_weight and not (config.prior_folder or config.prior_prompts):
        raise error("train_prior_empty")


def list_differences(config: TrainConfig, other: dict[str, object]) -> list[str]:
    """List the names of settings that differ from those of another training, as its JSON has them, and that matter.

    What an older version had no setting for was done as the default says.
    """
    own, plain = json.loads(config.to_json()), json.loads(TrainConfig().to_json())
    return [each.name for each in fields(config)
            if each.name not in FREE_TO_CHANGE and own[each.name] != other.get(each.name, plain[each.name])]
