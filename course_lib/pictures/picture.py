"""Load Kolors and draw: `load("tiny")` gives diffusers' own KolorsPipeline, `draw` a picture with its settings."""

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path

import torch
from diffusers import KolorsPipeline
from PIL import Image

from course_lib.hub import fetching
from course_lib.machine.planning import Plan
from course_lib.machine.planning import plan as make_plan
from course_lib.messages import error, text
from course_lib.model.loading import list_files, open_folder
from course_lib.pictures import emoji
from course_lib.sampling.metadata import write_chunks
from course_lib.sampling.settings import MOST_SEED, SamplerSettings, check_range

SHOWN_BYTES = 30_000  # of one picture in a notebook
SHOWN_LETTERS = 120  # of a prompt
SHOWN_SIZE = 256  # px; smaller pictures are shown enlarged by a whole number, pixel by pixel


@dataclass(frozen=True)
class Picture:
    """A picture with what made it: prompt, seed, steps, cfg; a notebook shows it as one PNG and one line of text.

    One that `generate` made holds its settings and both prompts too, and its file carries them (`png.write_chunks`).
    """

    image: Image.Image
    caption: str
    seconds: float = field(default=0.0, compare=False)
    settings: SamplerSettings | None = None
    prompt: str = ""
    negative_prompt: str = ""

    def save(self, path: str | Path) -> Path:
        """Write the picture as PNG and return its path; LessonError where that place cannot be written."""
        path = Path(path)
        chunks = self.settings and write_chunks(self.settings, self.prompt, self.negative_prompt, *self.image.size)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.image.save(path, format="PNG", pnginfo=chunks)
        except OSError as cause:
            raise error("cannot_write", path=path, cause=cause.strerror or cause) from cause
        return path

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        return {"image/png": to_png(enlarge(self.image)), "text/plain": self.caption}


def enlarge(image: Image.Image) -> Image.Image:
    """Enlarge a small picture by a whole number of times, so that every pixel stays one sharp square."""
    times = max(1 if image.width > 2 * SHOWN_SIZE else 2, SHOWN_SIZE // max(image.size))
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def to_png(image: Image.Image) -> bytes:
    """Return a picture as a PNG file's bytes, in 128 colours where full colour is too much for a notebook."""
    content = encode_png(image)
    return content if len(content) <= SHOWN_BYTES else encode_png(image.quantize(128))


def encode_png(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG file."""
    content = io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return content.getvalue()


def load(name: str = "tiny", plan: Plan | None = None) -> KolorsPipeline:
    """Load a model as a KolorsPipeline, as the plan says or as fits this machine; LessonError for what cannot be."""
    if name == "tiny":
        folder = fetching.fetch(name)
        return open_folder(folder, plan or make_plan("draw", name))
    fetching.find_repo(name)  # a wrong name is told before the machine's memory is
    plan = plan or make_plan("draw", name)  # and what does not fit before it is downloaded
    return open_folder(fetching.fetch(name, patterns=list_files(name, plan)), plan)


def draw(pipe: KolorsPipeline, prompt: str, *, seed: int = 0, steps: int = 25, cfg: float = 5.0,
         negative_prompt: str = "") -> Picture:
    """Draw one picture, always the same for one prompt, seed, steps and cfg; LessonError for what cannot be drawn."""
    check_prompt(prompt)
    check_range("seed", seed, 0, MOST_SEED, kind=Integral)
    check_range("steps", steps, 1, pipe.scheduler.config.num_train_timesteps, kind=Integral)
    check_range("cfg", cfg, 0, 100)
    started = time.perf_counter()
    image = pipe(prompt, negative_prompt=negative_prompt, num_inference_steps=steps, guidance_scale=cfg,
                 generator=torch.Generator("cpu").manual_seed(seed)).images[0]
    caption = text("picture_caption", prompt=prompt.strip(), width=image.width, height=image.height,
                   seed=seed, steps=steps, cfg=cfg)
    return Picture(image, caption, time.perf_counter() - started)


def check_prompt(prompt: str) -> None:
    """Answer a prompt that Tiny Kolors cannot draw with a LessonError, and print which words it does not know."""
    unknown = find_unknown_words(prompt)
    if unknown:
        print(text("words_unknown", words=shorten(text("list_comma").join(unknown))))


def find_unknown_words(prompt: str) -> tuple[str, ...]:
    """Return a prompt's words that Tiny Kolors never learnt; LessonError if it names none of its 64 subjects."""
    check_text("prompt", prompt)
    if not prompt.strip():
        raise error("prompt_empty")
    named = emoji.read_prompt(prompt)
    if named.subject is None:
        known = emoji.list_names()
        raise error("subject_unknown", prompt=shorten(prompt.strip()), count=len(known),
                    known=text("list_comma").join(known))
    return named.unknown


def check_text(name: str, value: str) -> None:
    """Answer a prompt that is no text with a LessonError."""
    if not isinstance(value, str):
        raise error("prompt_no_text", name=name, kind=type(value).__name__)


def shorten(words: str) -> str:
    """Cut a text that is too long to be shown in one line."""
    return words if len(words) <= SHOWN_LETTERS else words[:SHOWN_LETTERS] + "…"


def show_sheet(pictures: Sequence[Picture], columns: int = 5) -> Picture:
    """Lay pictures side by side into one, with the caption of each on a line of its own."""
    width, height = pictures[0].image.size
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (width + 2) - 2, rows * (height + 2) - 2), "white")
    for number, picture in enumerate(pictures):
        sheet.paste(picture.image, (number % columns * (width + 2), number // columns * (height + 2)))
    return Picture(sheet, "\n".join(picture.caption for picture in pictures))
