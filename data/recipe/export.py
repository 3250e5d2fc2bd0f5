"""Stage 4: write what was trained as a diffusers folder, and measure it: scores, contact sheet, curve, model card."""

import json
import random
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import torch
from diffusers import AutoencoderKL, KolorsPipeline, UNet2DConditionModel
from diffusers.pipelines.kolors import ChatGLMModel, ChatGLMTokenizer
from PIL import Image
from safetensors.torch import save_file

from course_lib.hub import manifest
from course_lib.pictures import emoji, nearness, wording
from course_lib.pictures.classifier import border_ground, judge, to_tensor
from course_lib.sampling.drawing import draw_batch
from data.recipe import judge as judging
from data.recipe import unet
from data.recipe.common import HERE
from data.recipe.nearest import name_nearest
from data.recipe.prompts import choose_kept, choose_prompts, write_prompt

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402 - the backend is chosen first

CARDS = HERE / "cards"  # the texts of the model cards, their figures left open
CARD = "card"  # folder of the model folder with the scores, the contact sheet and the curve
COUNT = 400  # prompts
KEPT_BITS = 6  # of a weight's digits: an error of 0.6 %
SCORED_BATCH = 50
SAME = 1.0  # mean difference of 255 under which two pictures are one to any eye; the nearest others differ by 1.5
DRAWN = tuple(style for style in emoji.BASE_STYLES if style not in emoji.RENDERED)  # cartoon and flat, as drawn


def export_model(coder: AutoencoderKL, tokenizer: ChatGLMTokenizer, encoder: ChatGLMModel,
                 denoiser: UNet2DConditionModel, folder: Path) -> None:
    """Save the pipeline as KolorsPipeline.from_pretrained opens it; UNet and VAE as float16, half the size.

    The text encoder stays float32: transformers loads it in the type it was saved in, while diffusers loads the rest in
    float32, and the two must agree.
    """
    pipe = KolorsPipeline(vae=coder.cpu().half(), text_encoder=encoder.cpu(), tokenizer=tokenizer,
                          unet=round_weights(denoiser.cpu()).half(), scheduler=unet.build_scheduler(),
                          force_zeros_for_empty_prompt=False)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:  # the tokenizer copies a file of the old folder
        pipe.save_pretrained(scratch, safe_serialization=True)
        forget_origin(Path(scratch))
        folder.mkdir(exist_ok=True)
        for part in Path(scratch).iterdir():
            shutil.rmtree(folder / part.name, ignore_errors=True)
            part.replace(folder / part.name)


@torch.no_grad()
def round_weights(denoiser: UNet2DConditionModel, bits: int = KEPT_BITS) -> UNet2DConditionModel:
    """Round the matrices' numbers to `bits` binary digits: an archive, and so each clone, is a quarter smaller."""
    for weight in denoiser.parameters():
        if weight.ndim > 1:
            fractions, exponents = torch.frexp(weight)
            weight.copy_(torch.ldexp((fractions * 2**bits).round() / 2**bits, exponents))
    return denoiser


def forget_origin(folder: Path) -> None:
    """Take the folder that a model was read from, a path of this machine, out of the configs that diffusers wrote."""
    for path in folder.rglob("*.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(config, dict) and config.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def export_judge(net: torch.nn.Module, folder: Path) -> None:
    """Save the judge's weights as float16 safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.half().contiguous() if tensor.is_floating_point() else tensor
               for name, tensor in net.cpu().state_dict().items()}
    save_file(weights, folder / "judge.safetensors")


@cache
def same_styles(subject: str, style: str) -> set[str]:
    """Name the styles in which this subject's picture is the same, `style` among them: a star is its block."""
    scenes = {name: emoji.Scene(subject, name, "grey", *emoji.PLACES[0], False) for name in emoji.BASE_STYLES}
    pictures = {name: np.asarray(emoji.compose(scene), dtype=float) for name, scene in scenes.items()}
    return {name for name, picture in pictures.items() if np.abs(picture - pictures[style]).mean() < SAME}


def score_model(pipe: KolorsPipeline, prompts: list[tuple[str, str, wording.Named]], cfg: float = 5.0,
                steps: int = 25, nearest: bool = False) -> dict[str, float]:
    """Draw prompts with fixed seeds -> distance, and shares (0 to 1) of what judge and border pixels find right.

    `nearest` also asks which of all true pictures lies nearest.
    """
    pictures = []
    for start in range(0, len(prompts), SCORED_BATCH):
        part = [prompt for _, prompt, _ in prompts[start:start + SCORED_BATCH]]
        pictures += draw_batch(pipe, part, seeds=range(start, start + len(part)), steps=steps, cfg=cfg)
    verdicts = judge(pictures)
    hits = {"subject": [], "style": [], "style_or_same": [], "ground": [], "ground_by_border": []}
    for (_, _, named), verdict, picture in zip(prompts, verdicts, pictures):
        for part in ("subject", "style", "ground"):
            hits[part].append(getattr(verdict, part) == getattr(named, part))
        hits["style_or_same"].append(verdict.style in same_styles(named.subject, named.style))
        hits["ground_by_border"].append(border_ground(picture) == named.ground)
    scores = {part: round(float(np.mean(values)), 4) for part, values in hits.items()}
    scores["distance"] = round(measure_drawn(pipe.vae, pictures, [named for _, _, named in prompts]).value, 4)
    if nearest:
        found = [name_nearest(picture) for picture in pictures]
        scores["nearest"] = round(float(np.mean([
            subject == named.subject and style in same_styles(named.subject, named.style)
            for (subject, style), (_, _, named) in zip(found, prompts)])), 4)
    for language in ("zh", "en"):
        chosen = [number for number, (spoken, _, _) in enumerate(prompts) if spoken == language]
        scores[f"subject_{language}"] = round(float(np.mean([hits["subject"][number] for number in chosen])), 4)
    return scores


@torch.no_grad()
def measure_drawn(coder: AutoencoderKL, pictures: list[Image.Image], named: list[wording.Named]) -> nearness.Distance:
    """Measure drawn pictures against the nearest true ones; the floor is what the VAE makes of true pictures."""
    rng = random.Random("7 floor")
    true = [emoji.compose(replace(emoji.random_scene(rng), subject=each.subject, style=each.style, ground=each.ground))
            for each in named]
    decoded = []
    for start in range(0, len(true), SCORED_BATCH):
        latents = coder.encode(to_tensor(true[start:start + SCORED_BATCH]).to(coder.device)).latent_dist.mean
        made = (coder.decode(latents).sample.clamp(-1, 1).float().cpu() + 1) * 127.5
        decoded += [Image.fromarray(each) for each in made.round().byte().permute(0, 2, 3, 1).numpy()]
    return nearness.measure_distance(pictures, [(each.subject, each.style) for each in named], decoded)


def draw_sheet(pipe: KolorsPipeline, columns: int = 16) -> Image.Image:
    """Draw every subject in each base style, one below the other, grounds in turn, seed 0: one contact sheet."""
    subjects, grounds = list(emoji.subjects()), list(emoji.GROUNDS)
    size = emoji.PICTURE_SIZE
    sheet = Image.new("RGB", (columns * size, len(emoji.BASE_STYLES) * len(subjects) // columns * size))
    for row, start in enumerate(range(0, len(subjects), columns)):
        for line, style in enumerate(emoji.BASE_STYLES):
            prompts = [write_prompt(subject, style, grounds[(start + number) * 3 % 10], "zh", random.Random(0))
                       for number, subject in enumerate(subjects[start:start + columns])]
            for number, picture in enumerate(draw_batch(pipe, prompts, seeds=[0] * len(prompts))):
                sheet.paste(picture, (number * size, (len(emoji.BASE_STYLES) * row + line) * size))
    return sheet


def draw_curve(runs: Path, path: Path) -> None:
    """Plot the UNet's training log: its loss against the step."""
    figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
    records = [json.loads(line) for line in (runs / "unet.jsonl").read_text(encoding="utf-8").splitlines()]
    axis.plot([record["step"] for record in records], [record["loss"] for record in records])
    axis.set(xlabel=f"step ({unet.BATCH['cpu']} pictures each)", ylabel="loss", yscale="log")
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def write_card(pipe: KolorsPipeline, runs: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Measure the exported model, put scores, contact sheet, curve and logs in its card folder, renew the manifest."""
    card = folder / CARD
    card.mkdir(exist_ok=True)
    drawn = choose_prompts(COUNT, DRAWN)
    scores = {"cfg 5": score_model(pipe, drawn), "cfg 1": score_model(pipe, drawn, cfg=1.0),
              "five styles": score_model(pipe, choose_prompts(COUNT, emoji.BASE_STYLES)),
              "kept pairs": score_model(pipe, choose_kept(), nearest=True)}
    (card / "scores.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    draw_sheet(pipe).quantize(256).save(card / "contact_sheet.png", optimize=True)
    draw_curve(runs, card / "curve.png")
    shutil.copyfile(runs / "unet.jsonl", card / "unet.jsonl")
    write_readme(pipe, scores, folder)
    manifest.write_manifest(folder)
    return scores


def write_readme(pipe: KolorsPipeline, scores: dict[str, dict[str, float]], folder: Path) -> None:
    """Write the model card, its figures filled in."""
    table = "\n".join(f"| {part} | " + " | ".join(
        f"{values[part]:{'.2f' if part == 'distance' else '.1%'}}" if part in values else ""
        for values in scores.values()) + " |" for part in scores["kept pairs"])
    parts = {name: sum(weight.numel() for weight in getattr(pipe, name).parameters())
             for name in ("vae", "text_encoder", "unet")}
    size = sum(file.stat().st_size for name in (*parts, "tokenizer", "scheduler") for file in (folder / name).iterdir())
    text = (CARDS / "tiny_kolors.md").read_text(encoding="utf-8").format(
        size=size / 1e6, subjects=len(emoji.subjects()), count=COUNT, table=table, vocabulary=pipe.tokenizer.vocab_size,
        unet_steps=unet.STEPS, batch=unet.BATCH["cpu"], **parts)
    (folder / "README.md").write_text(text, encoding="utf-8")


def write_judge_readme(figures: dict[str, dict[str, float]], folder: Path) -> None:
    """Write the judge's card, its figures filled in."""
    table = "\n".join(f"| {name} | " + " | ".join(f"{value:.1%}" for value in values.values()) + " |"
                      for name, values in figures.items() if name != "drawn")
    drawn = figures["drawn"]
    refused = "\n".join(f"| {words} | {drawn[name]:.1%} | {drawn[f'{name}_count']} |" for name, words in (
        ("within_0.2", "<= 0.2"), ("within_0.5", "0.2 - 0.5"), ("beyond_0.5", "> 0.5")) if name in drawn)
    text = (CARDS / "judge.md").read_text(encoding="utf-8").format(
        size=(folder / "judge.safetensors").stat().st_size / 1e6, table=table, refused=refused, steps=judging.STEPS)
    (folder / "README.md").write_text(text, encoding="utf-8")
