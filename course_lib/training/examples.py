"""From a data set to what the UNet trains on: latents and texts, computed once, kept, and held in memory.

Every picture becomes the latents of its variants (places it is cut at, mirrored or not), so that the VAE is no longer
needed, and every caption what the text encoder says of it.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from diffusers import KolorsPipeline
from PIL import Image, ImageOps
from torch import Tensor

from course_lib.lora.adapters import without_lora
from course_lib.messages import error, text
from course_lib.model.fingerprints import describe_change, fingerprint, hash_weights
from course_lib.model.latents import check_size, empty_latent, grid_of
from course_lib.model.text import Encoded, run_encoder
from course_lib.model.text_cache import MAKE, WEIGHTS, CachedEncoder, collect
from course_lib.pictures.buckets import choose_bucket
from course_lib.sampling.drawing import sample
from course_lib.sampling.settings import SamplerSettings
from course_lib.training.cache import Cache
from course_lib.training.config import TrainConfig
from course_lib.training.rows import METADATA, Row, read_rows

LEAST_PICTURES = 2
PRIOR_SETTINGS = SamplerSettings(steps=20, cfg=5.0)  # of the pictures that the base model draws for the prior

Say = Callable[[str], None]


@dataclass(frozen=True)
class Example:
    """A picture to learn from: its caption's text, and latents [variants, channels, height, width] as the UNet's."""

    text: Encoded
    latents: Tensor


@dataclass
class TrainSet:
    """All that a training needs of its data; `digest` tells two data sets apart.

    Of the latents and texts `found` were kept from before, and `made` were computed now.
    """

    examples: list[Example]
    empty: Encoded
    validation: list[Example] = field(default_factory=list)
    prior: list[Example] = field(default_factory=list)
    samples: list[Encoded] = field(default_factory=list)
    digest: str = ""
    found: int = 0
    made: int = 0


def encode_set(pipe: KolorsPipeline, dataset_path: str | Path, config: TrainConfig, *, cache: Path | None,
            say: Say = print) -> TrainSet:
    """Read a data set and compute what the training needs of it, then free the encoders; LessonError for bad data."""
    rows, held, prior = read_set(Path(dataset_path), config)
    check_size(pipe, *own_size(pipe, config))
    model = Path(pipe.name_or_path)
    kept = Cache(cache if (model / "unet").is_dir() else None)  # weights made in memory have no name to keep by
    captions = {row.caption for row in (*rows, *held, *prior)} | {
        "", *config.sample_prompts, *config.prior_prompts}
    texts = encode_captions(pipe, sorted(captions), kept)
    release_encoder(pipe)
    vae = f"{hash_weights(pipe.vae)} {pipe.vae.config.scaling_factor}"
    train, validation, class_pictures = (
        [Example(texts[row.caption], encode_row(pipe, row, config, kept, vae=vae, varied=varied)) for row in part]
        for part, varied in ((rows, True), (held, False), (prior, True)))
    if config.prior_weight and config.prior_prompts:
        class_pictures += draw_prior(pipe, config, texts, kept)
    say(text("train_set_ready", pictures=len(train), variants=sum(len(one.latents) for one in train),
             validation=len(validation), captions=len(captions)))
    if kept.problem:
        say(text("train_cache_full", folder=kept.folder, cause=kept.problem))
    known = [(row.digest, row.caption) for row in (*rows, *held, *prior)]
    return TrainSet(train, texts[""], validation, class_pictures, [texts[prompt] for prompt in config.sample_prompts],
                    hashlib.sha256(repr(known).encode()).hexdigest(), kept.found, kept.made)


def read_set(folder: Path, config: TrainConfig) -> tuple[list[Row], list[Row], list[Row]]:
    """Read the rows to train on, those held back, and those of the prior; LessonError for too few or bad ones."""
    folder = folder.expanduser()
    if not folder.is_dir():
        raise error("train_no_folder", folder=folder)
    rows, held, prior = read_rows(folder / "train", config.dataloader_num_workers), [], []
    if config.validation_every and (folder / "validation" / METADATA).is_file():
        held = read_rows(folder / "validation", config.dataloader_num_workers)
    elif config.validation_every and config.hold_back:
        random.Random(f"{config.seed} held back").shuffle(rows)
        rows, held = rows[config.hold_back:], rows[:config.hold_back]
    if len(rows) < LEAST_PICTURES:
        raise error("train_one_picture", folder=folder, count=len(rows), least=LEAST_PICTURES)
    if config.validation_every and not held:
        raise error("train_no_validation", folder=folder / "validation")
    if config.prior_weight and config.prior_folder:
        prior = read_rows(Path(config.prior_folder), config.dataloader_num_workers)
    return rows, held, prior


def own_size(pipe: KolorsPipeline, config: TrainConfig) -> tuple[int, int]:
    """Return width and height in pixels: the settings', else the model's own."""
    own = pipe.default_sample_size * pipe.vae_scale_factor
    return config.width or own, config.height or own


def find_device(pipe: KolorsPipeline) -> torch.device:
    """Return where the UNet is to work: what the plan says, for with one that takes turns it may wait in RAM."""
    plan = getattr(pipe, "plan", None)
    return torch.device(plan.device) if plan else pipe.unet.device


def encode_captions(pipe: KolorsPipeline, captions: list[str], kept: Cache) -> dict[str, Encoded]:
    """Return what the text encoder says of each caption."""
    source = fingerprint(Path(pipe.name_or_path), (*MAKE, *WEIGHTS)) + describe_change(pipe.text_encoder)
    texts = {}
    for caption in captions:
        key = ("text", source, str(pipe.unet.dtype), caption)
        found = kept.recall(key, partial(read_text, pipe, caption))
        texts[caption] = Encoded(found["words"], found["pad"], int(found["pads"]), found["pooled"],
                                 int(found["tokens"]))
    return texts


def read_text(pipe: KolorsPipeline, caption: str) -> dict[str, Tensor]:
    """Encode one caption, as tensors that can be kept; LessonError where the text encoder was dropped."""
    if pipe.text_encoder is None:
        raise error("encoder_gone")
    encoded = run_encoder(pipe, caption)
    return {"words": encoded.words, "pad": encoded.pad, "pooled": encoded.pooled,
            "pads": torch.tensor(encoded.pads), "tokens": torch.tensor(encoded.tokens)}


def release_encoder(pipe: KolorsPipeline) -> None:
    """Free a GPU of the text encoder: one that takes turns is dropped, another waits in RAM."""
    if isinstance(pipe.text_encoder, CachedEncoder):
        pipe.text_encoder.release()
    elif pipe.text_encoder is not None and pipe.text_encoder.device.type == "cuda":
        pipe.text_encoder.to("cpu")
        collect()


def encode_row(pipe: KolorsPipeline, row: Row, config: TrainConfig, kept: Cache, *, vae: str, varied: bool) -> Tensor:
    """Return the latents of a picture's variants, or of its middle alone, [variants, channels, height, width].

    `vae` tells the VAE from others.
    """
    size = own_size(pipe, config)
    if config.aspect_buckets:
        size = choose_bucket(row.size, size, grid_of(pipe))
    boxes = list_crops(row.size, size, config.crop_variants if varied and not config.center_crop else 1)
    flips = (False, True) if varied and config.random_flip else (False,)
    key = ("latents", vae, str(pipe.vae.dtype), row.digest, size, boxes, flips)
    return kept.recall(key, lambda: {"latents": encode_variants(pipe, row.picture, size, boxes, flips)})["latents"]


@torch.no_grad()
def encode_variants(pipe: KolorsPipeline, picture: Image.Image, size: tuple[int, int],
                    boxes: list[tuple[int, int, int, int]], flips: tuple[bool, ...]) -> Tensor:
    """Encode a picture cut at each box, plain and mirrored: the mean of what the VAE says, as in the camp's script."""
    cut = [picture.resize(size, Image.Resampling.LANCZOS, box) for box in boxes]
    cut = [ImageOps.mirror(each) if flip else each for each in cut for flip in flips]
    pixels = [pipe.image_processor.preprocess(each).to(pipe.vae.device, pipe.vae.dtype) for each in cut]
    latents = [pipe.vae.encode(each).latent_dist.mode().float().cpu() for each in pixels]  # one by one: memory
    return torch.cat(latents) * pipe.vae.config.scaling_factor


def list_crops(picture: tuple[int, int], size: tuple[int, int], most: int) -> list[tuple[int, int, int, int]]:
    """List boxes of the shape of `size`, as large as the picture allows: its middle, or `most` places from end to end.

    A picture of the same shape has one box, itself.
    """
    scale = min(picture[0] / size[0], picture[1] / size[1])
    width, height = round(size[0] * scale), round(size[1] * scale)
    across, down = picture[0] - width, picture[1] - height  # one of them is 0, up to rounding
    shares = [0.5] if most == 1 else [number / (most - 1) for number in range(most)]
    corners = sorted({(round(across * share), round(down * share)) for share in shares})
    return [(left, top, left + width, top + height) for left, top in corners]


def draw_prior(pipe: KolorsPipeline, config: TrainConfig, texts: dict[str, Encoded], kept: Cache) -> list[Example]:
    """Let the base model draw what it would without the LoRA; the latents alone are needed."""
    source = (hash_weights(pipe.unet),  # as they are now: a LoRA may have been merged into them
              fingerprint(Path(pipe.name_or_path), (*MAKE, *WEIGHTS)), describe_change(pipe.text_encoder))
    width, height = own_size(pipe, config)
    pipe.unet.to(find_device(pipe))
    examples = []
    for number in range(config.prior_pictures):
        prompt = config.prior_prompts[number % len(config.prior_prompts)]
        settings = SamplerSettings(seed=number, steps=PRIOR_SETTINGS.steps, cfg=PRIOR_SETTINGS.cfg)
        key = ("prior", source, prompt, settings, width, height)
        draw = partial(draw_one, pipe, (texts[prompt], texts[""]), settings, empty_latent(pipe, width, height))
        with without_lora(pipe.unet):
            latents = kept.recall(key, draw)["latents"]
        examples.append(Example(texts[prompt], latents))
    return examples


def draw_one(pipe: KolorsPipeline, texts: Sequence[Encoded], settings: SamplerSettings, latent: Tensor
             ) -> dict[str, Tensor]:
    """Draw one picture's latents, as a cache keeps them."""
    return {"latents": sample(pipe, texts, [settings], latent).cpu()}


class Order:
    """Which examples each batch holds: each once an epoch, in an order that the seed and the epoch alone decide.

    All of a batch have one shape; a bucket's last batch is filled up from its beginning.
    """

    def __init__(self, examples: list[Example], batch_size: int, seed: int) -> None:
        self.batch_size, self.seed, self.epoch = batch_size, seed, -1
        self.batches: list[list[int]] = []
        self.shapes: dict[torch.Size, list[int]] = {}
        for number, example in enumerate(examples):
            self.shapes.setdefault(example.latents.shape[1:], []).append(number)
        self.per_epoch = sum(-(-len(numbers) // batch_size) for numbers in self.shapes.values())

    def batch(self, number: int) -> list[int]:
        """Return the examples of the batch with this number, counted from 0 over all epochs."""
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self.epoch:
            self.epoch, self.batches = epoch, self.shuffle(random.Random(f"{self.seed} epoch {epoch}"))
        return self.batches[place]

    def shuffle(self, rng: random.Random) -> list[list[int]]:
        """Return the batches of one epoch."""
        batches = []
        for numbers in self.shapes.values():
            order = rng.sample(numbers, len(numbers))
            for start in range(0, len(order), self.batch_size):
                batches.append([order[place % len(order)] for place in range(start, start + self.batch_size)])
        rng.shuffle(batches)
        return batches
