"""Load Kolors and draw: `load("tiny")` gives diffusers' own KolorsPipeline, `draw` a picture with its settings."""

import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from course_lib.files import write_whole
from course_lib.messages import error

SHOWN_BYTES = 30_000  # of one picture in a notebook
SHOWN_LETTERS = 120  # of a prompt
SHOWN_SIZE = 256  # px; smaller pictures are shown enlarged by a whole number, pixel by pixel


@dataclass(frozen=True)
class Picture:
    """A picture with what made it: prompt, seed, steps, cfg; a notebook shows it as one PNG and one line of text.

    One that `generate` made holds its settings and both prompts too, and `chunks` that carry them in its file.
    """

    image: Image.Image
    caption: str
    seconds: float = field(default=0.0, compare=False)
    settings: object = None  # a SamplerSettings
    prompt: str = ""
    negative_prompt: str = ""
    chunks: PngInfo | None = field(default=None, repr=False, compare=False)

    def save(self, path: str | Path) -> Path:
        """Write the picture as PNG and return its path; LessonError where that place cannot be written."""
        path = Path(path)
        try:
            write_whole(path, self.to_png())
        except OSError as cause:
            raise error("cannot_write", path=path, cause=cause.strerror or cause) from cause
        return path

    def to_png(self) -> bytes:
        """Return the picture as the bytes of a PNG file, with its chunks."""
        content = io.BytesIO()
        self.image.save(content, format="PNG", pnginfo=self.chunks)
        return content.getvalue()

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


def shorten(words: str) -> str:
    """Cut a text that is too long to be shown in one line."""
    return words if len(words) <= SHOWN_LETTERS else words[:SHOWN_LETTERS] + "…"
