"""A story's LoRA on its way to ModelScope: the card's further sections, the picture and the page, then `publish`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from course_lib.lora import inspect, publish
from course_lib.lora.headers import find_lora
from course_lib.messages import LANGUAGES, TEXTS
from course_lib.story.candidates import Candidate
from course_lib.story.page import lay_out, write_page
from course_lib.story.scenes import Story
from course_lib.story.scores import StoryScore

SHEET, PAGE = "story.png", "story.html"
# Of the training's settings: those that a reader needs to train the same.
TOLD = ("steps_per_epoch", "max_epochs", "batch_size", "learning_rate", "lr_scheduler", "min_snr_gamma", "rank_dropout",
        "caption_dropout", "random_flip", "targets", "seed")
MARKDOWN = "\\`*_[]()#!|<>"


def publish_story(folder: str | Path, repo: str, story: Story, kept: Sequence[Candidate], score: StoryScore, *,
                  base: str = "tiny", data: str = "", dry_run: bool = True) -> str:
    """Write a story's picture and page beside its LoRA and publish the folder; return the address. LessonError.

    `data` says what the LoRA was trained on and under which licences; "" says the course's own pictures. A dry run, the
    default, shows every file and the card, and sends nothing.
    """
    folder = Path(folder).expanduser()
    lora = find_lora(folder)
    lay_out(story, kept).save(folder / SHEET)
    write_page(story, kept, folder / PAGE)
    return publish(folder, repo, base=base, dry_run=dry_run, more=describe_story(lora, story, kept, score, data=data),
                   pages=[PAGE], thumbnail=SHEET)


def describe_story(lora: str | Path, story: Story, kept: Sequence[Candidate], score: StoryScore, *,
                   data: str = "") -> dict[str, str]:
    """Return a card's sections on training, data, story and scores as Markdown, in each language."""
    settings = inspect(lora).settings
    settings = settings if isinstance(settings, Mapping) else {}
    sections = {}
    for place, spoken in enumerate(LANGUAGES):
        words = {key: TEXTS[f"story_card_{key}"][spoken] for key in ("training", "data", "story", "scores", "own_data")}
        trained = [f"| {name} | {plain(json.dumps(settings[name], ensure_ascii=False))} |"
                   for name in TOLD if name in settings]
        scenes = [f"{number}. {plain(scene.captions[place])} (`{each.prompt.replace('`', '')}`, "
                  f"seed {each.settings.seed}, steps {each.settings.steps}, cfg {each.settings.cfg:g})"
                  for number, (scene, each) in enumerate(zip(story.scenes, kept), 1)]
        scores = [f"| {TEXTS[f'story_score_{name}'][spoken]} | {value:.2f} | {TEXTS[f'story_meaning_{name}'][spoken]} |"
                  for name, value in asdict(score).items() if value is not None]
        sections[spoken] = "\n".join([
            f"## {words['training']}\n", "| | |\n|---|---|", *trained, "",
            f"## {words['data']}\n", plain(data) or words["own_data"], "",
            f"## {words['story']}: {plain(story.titles[place])}\n", f"![{plain(story.titles[place])}]({SHEET})\n",
            *scenes, "", f"## {words['scores']}\n", "| | | |\n|---|---|---|", *scores, "", ""])
    return sections


def plain(words: str) -> str:
    """Return words for a card: on one line, and nothing in them is Markdown or HTML."""
    return "".join(f"\\{letter}" if letter in MARKDOWN else letter for letter in " ".join(words.split()))
