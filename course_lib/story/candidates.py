"""Candidates: several pictures for each scene, by seed, each in a file of its own from the moment it is drawn.

A file's name holds the scene, the seed and a hash of all that made the picture, the LoRA included. So a second run
draws only what is missing, and other settings never replace a picture that was drawn before.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path

import torch
from diffusers import KolorsPipeline, UNet2DConditionModel
from PIL import Image

from course_lib.checks import check_range
from course_lib.lora.adapters import list_names, list_weights, read_strengths
from course_lib.messages import error, text
from course_lib.model.fingerprints import MOST_NOTED, hash_weights
from course_lib.model.latents import encode_picture
from course_lib.pictures.opening import open_picture
from course_lib.pictures.picture import Picture
from course_lib.pictures.text_chunks import read_texts
from course_lib.sampling.drawing import generate
from course_lib.sampling.metadata import write_chunks
from course_lib.sampling.settings import SamplerSettings, check_settings
from course_lib.story.scenes import Story, check_story

FOLDER = "candidates"
PLAIN = SamplerSettings(steps=20, cfg=7.0)  # Tiny Kolors keeps a subject and a style best at about 7
MOST_SEEDS = 64
MOST_STEPS = 10_000  # in a picture's file


@dataclass(frozen=True)
class Candidate:
    """One picture for one scene (from 1): its file, and what made it; a notebook shows it with its settings."""

    scene: int
    file: Path
    prompt: str
    negative_prompt: str
    settings: SamplerSettings

    @property
    def image(self) -> Image.Image:
        """Read the picture; LessonError where its file is gone or broken."""
        return open_picture(self.file)

    @property
    def picture(self) -> Picture:
        """Return the picture with what made it."""
        image, settings = self.image, self.settings
        caption = text("story_candidate", scene=self.scene, seed=settings.seed, file=self.file.name)
        return Picture(image, caption, settings=settings, prompt=self.prompt, negative_prompt=self.negative_prompt,
                       chunks=write_chunks(settings, self.prompt, self.negative_prompt, *image.size))


def draw_candidates(pipe: KolorsPipeline, story: Story, style: str, folder: str | Path, *,
                    seeds: Sequence[int] = range(4), settings: SamplerSettings = PLAIN,
                    negative_prompt: str = "") -> list[Candidate]:
    """Draw each scene with each seed into folder/candidates, and return all of them, scene by scene.

    Pictures that are there from an earlier run are not drawn again. LessonError.
    """
    check_story(story, style)
    seeds = check_seeds(seeds)
    made_by = hash_model(pipe)
    drawn = []
    for number, prompt in enumerate(story.words(style), 1):
        wanted = [place(Path(folder), number, prompt, negative_prompt, replace(settings, seed=seed), made_by)
                  for seed in seeds]
        draw_missing(pipe, [each for each in wanted if not each.file.is_file()])
        drawn += wanted
    return drawn


def repair(pipe: KolorsPipeline, candidate: Candidate, *, denoise: float = 0.6,
           seeds: Sequence[int] = range(4)) -> list[Candidate]:
    """Draw a candidate anew from itself (image-to-image) with each seed, beside it; denoise is how much may change."""
    seeds = check_seeds(seeds)
    image = candidate.image
    made_by = hash_model(pipe) + hashlib.sha256(image.tobytes()).hexdigest()
    wanted = [place(candidate.file.parents[1], candidate.scene, candidate.prompt, candidate.negative_prompt,
                    replace(candidate.settings, seed=seed, denoise=denoise), made_by) for seed in seeds]
    draw_missing(pipe, [each for each in wanted if not each.file.is_file()], encode_picture(pipe, image))
    return wanted


def read_candidate(file: Path, scene: int) -> Candidate:
    """Return the candidate that lies in a file, by the settings in it; LessonError for a picture that has none."""
    try:
        graph = json.loads(read_texts(file, file.name).texts["prompt"])
        values = {name: graph["3"]["inputs"][name] for name in
                  ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")}
        prompt, negative_prompt = (str(graph[node]["inputs"]["text"]) for node in ("6", "7"))
        settings = SamplerSettings(**values)
        check_settings(settings, MOST_STEPS)
        return Candidate(scene, file, prompt, negative_prompt, settings)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as cause:
        raise error("story_no_settings", file=file.name, cause=str(cause)[:200]) from cause


def check_seeds(seeds: Sequence[int]) -> list[int]:
    """Return seeds as a list; LessonError for none, too many, or one that is given twice."""
    seeds = list(seeds)
    if not 1 <= len(seeds) <= MOST_SEEDS or len(set(seeds)) < len(seeds):
        raise error("story_seeds", count=len(seeds), most=MOST_SEEDS)
    for seed in seeds:
        check_range("seed", seed, 0, 2**64 - 1, kind=Integral)
    return seeds


def place(folder: Path, scene: int, prompt: str, negative_prompt: str, settings: SamplerSettings,
          made_by: str) -> Candidate:
    """Return the candidate of these settings, its file named by all of them."""
    told = repr((prompt, negative_prompt, settings, made_by)).encode()
    name = f"scene{scene}_seed{settings.seed}_{hashlib.sha256(told).hexdigest()[:10]}.png"
    return Candidate(scene, folder / FOLDER / name, prompt, negative_prompt, settings)


def draw_missing(pipe: KolorsPipeline, wanted: Sequence[Candidate], latent: torch.Tensor | None = None) -> None:
    """Draw candidates of one prompt in one batch and write each to its file."""
    if not wanted:
        return
    first = wanted[0]
    pictures = generate(pipe, first.prompt, [each.settings for each in wanted], latent=latent,
                        negative_prompt=first.negative_prompt, any_subject=is_large(pipe))
    for each, picture in zip(wanted, pictures):
        picture.save(each.file)


def is_large(pipe: KolorsPipeline) -> bool:
    """Say whether a pipeline is another model than Tiny Kolors, which knows 64 subjects and nothing else."""
    plan = getattr(pipe, "plan", None)
    return plan is not None and plan.model != "tiny"


def hash_model(pipe: KolorsPipeline) -> str:
    """Return what tells this model with its LoRAs from another: a small one by its weights, a large one by its name."""
    unet = pipe.unet
    size = sum(weight.nbytes for weight in unet.parameters())
    base = hash_weights(unet) if size <= MOST_NOTED else f"{pipe.name_or_path} {size}"
    return hashlib.sha256(repr((base, sorted(hash_loras(unet)))).encode()).hexdigest()


def hash_loras(unet: UNet2DConditionModel) -> list[tuple[str, float]]:
    """Return a hash of each LoRA's weights with its strength, whatever it is called."""
    found = []
    strengths = read_strengths(unet)
    for name in list_names(unet):
        digest = hashlib.sha256()
        for weight in list_weights(unet, name):
            digest.update(weight.detach().float().cpu().contiguous().numpy().tobytes())
        if strengths[name]:
            found.append((f"{digest.hexdigest()} {unet.peft_config[name].lora_alpha}", strengths[name]))
    return found
