"""What writes captions: the file's name or its scene, a table, a vision model on this machine, a service on the web."""

import base64
import io
import json
import os
import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from course_lib.checks import check_secret, is_loopback
from course_lib.dataset.captions.vision_model import ask, load_vision_model, shrink
from course_lib.dataset.collecting.connection import read_address
from course_lib.dataset.collecting.web import Web
from course_lib.dataset.making.scenes import describe, from_json
from course_lib.dataset.making.synthesis import SCENES
from course_lib.dataset.table import FILE, TEXT, read_rows
from course_lib.hub import fetching
from course_lib.messages import error, text
from course_lib.pictures.emoji import GROUNDS, STYLES, subjects
from course_lib.pictures.wording import read_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

MODEL = "Qwen/Qwen2.5-VL-3B-Instruct"  # on ModelScope; 7.5 GB, answers in Chinese and English
MOST_TOKENS = 120
ANSWER_BYTES = 1_000_000
ANSWER_SECONDS = 300.0  # a model on a CPU thinks for minutes before its first word
# Names that cameras, phones and programs give: they say nothing about the picture.
EMPTY_NAMES = re.compile(r"img|dscn?|dscf|pxl|image|photo|picture|pic|screenshot|untitled|download|wechat|"
                         r"微信图片|屏幕截图|截图|图片|照片|未命名|下载|[0-9a-f]{12,}|p?\d+", re.IGNORECASE)


class Backend(Protocol):
    """What `caption` asks: `write` gives the words for one picture; `cached` says whether they are worth keeping."""

    name: str
    model: str
    settings: tuple  # what else the words depend on
    cached: bool

    def ready(self) -> None:
        """Make ready for the first picture; a LessonError ends the run before it."""

    def write(self, picture: Image.Image, origin: object, prompt: str, lang: str, seed: int) -> str:
        """Caption one picture (RGB); `origin` is the file it was read from, or the picture itself."""


def find_backend(backend: str | Backend, **options: Any) -> Backend:
    """Return the backend of a name, with its options; LessonError for a name or an option that there is not."""
    if not isinstance(backend, str):
        return backend
    if backend not in BACKENDS:
        raise error("make_scene", field="backend", value=repr(backend), allowed=text("list_comma").join(BACKENDS))
    try:
        return BACKENDS[backend](**options)
    except TypeError as cause:
        raise error("make_scene", field="options", value=", ".join(options), allowed=str(cause)) from cause


class AlwaysReady:
    """A backend with nothing to load."""

    def ready(self) -> None:
        """Do nothing."""


class RuleBackend(AlwaysReady):
    """Writes what a picture's scene says (scenes.jsonl beside its folder), else what its file name says."""

    name, model, settings, cached = "rule", "names", (), False

    def write(self, picture: Image.Image, origin: object, prompt: str, lang: str, seed: int) -> str:
        """Caption a file by its scene or its name; LessonError where neither says anything."""
        if not isinstance(origin, (str, Path)):
            raise error("caption_no_name", name="PIL.Image")
        file = Path(origin)
        for line in read_lines(file.parent.parent / SCENES):
            told = json.loads(line)
            if told.get(FILE) == file.name:
                return describe(from_json(json.dumps(told["scene"])), lang)
        return read_name(file.stem, lang)


def read_lines(file: Path) -> list[str]:
    """Return a file's lines, none where there is no such file."""
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def read_name(stem: str, lang: str) -> str:
    """Caption by a file name without its ending ("dog-face_noto_blue", "red car 2"); LessonError for IMG_1."""
    words = [word for word in re.split(r"[_\s.,，、()（）]+", stem) if word and not EMPTY_NAMES.fullmatch(word)]
    if not words:
        raise error("caption_no_name", name=stem)
    slug = next((word.lower() for word in words if word.lower() in subjects()), None)
    named = read_prompt(" ".join(words).replace("-", " "))
    subject = slug or named.subject
    if subject is None:
        return " ".join(words).replace("-", " ")
    style = next((word for word in words if word in STYLES), named.style)
    row = subjects()[subject]
    if lang == "zh":
        return "，".join([f"一{row['measure']}{row['zh'][0]}", *([STYLES[style][0][0]] if style else []),
                         *([f"{GROUNDS[named.ground][0][0]}背景"] if named.ground else [])])
    return ", ".join([row["en"][0], *([STYLES[style][1][0]] if style else []),
                      *([f"{named.ground} background"] if named.ground else [])])


class CsvBackend(AlwaysReady):
    """Takes the captions that stand in a table (file_name, text), such as one that a colleague filled in."""

    name, settings, cached = "csv", (), False

    def __init__(self, table: str | Path):
        self.model = Path(table).name
        self.words = {row[FILE]: row[TEXT] for row in read_rows(Path(table))}

    def write(self, picture: Image.Image, origin: object, prompt: str, lang: str, seed: int) -> str:
        """Return the table's words for a file; LessonError where it has none."""
        name = Path(origin).name if isinstance(origin, (str, Path)) else ""
        if not self.words.get(name, "").strip():
            raise error("caption_not_listed", name=name, table=self.model)
        return self.words[name]


class TransformersBackend:
    """Asks a vision model of the Qwen-VL kind on this machine: a folder, or a repository on ModelScope.

    `temperature` 0 takes the likeliest words; above it they are drawn by chance, the same for one seed.
    """

    name, cached = "transformers", True

    def __init__(self, model: str = MODEL, temperature: float = 0.0):
        self.model, self.temperature, self.settings = str(model), temperature, (temperature, MOST_TOKENS)

    @cached_property
    def parts(self) -> "tuple[ProcessorMixin, PreTrainedModel]":
        """Load the model, once; LessonError where it cannot be."""
        folder = Path(self.model)
        return load_vision_model(folder if folder.is_dir() else fetching.fetch(self.model))

    def ready(self) -> None:
        """Load the model; LessonError where it cannot be."""
        _ = self.parts

    def write(self, picture: Image.Image, origin: object, prompt: str, lang: str, seed: int) -> str:
        """Caption one picture."""
        processor, model = self.parts
        return ask(processor, model, picture, prompt, tokens=MOST_TOKENS, temperature=self.temperature, seed=seed)


class OpenAIBackend(AlwaysReady):
    """Asks a service that speaks OpenAI's chat interface, DashScope and local servers among them.

    Address and key come from the environment, OPENAI_BASE_URL and OPENAI_API_KEY, so that no notebook holds a key.
    """

    name, cached = "openai", True

    def __init__(self, model: str, temperature: float = 0.0):
        self.model, self.temperature = model, temperature
        self.base = os.environ.get("OPENAI_BASE_URL", "").strip().rstrip("/")
        self.settings = (self.base, temperature, MOST_TOKENS)
        key = check_secret("OPENAI_API_KEY", os.environ.get("OPENAI_API_KEY", ""))
        if not self.base.startswith(("http://", "https://")):
            raise error("caption_no_service")
        if key and self.base.startswith("http://") and not is_loopback(self.base):
            raise error("caption_key_open", base=self.base)
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    def write(self, picture: Image.Image, origin: object, prompt: str, lang: str, seed: int) -> str:
        """Caption one picture; LessonError for an answer that is none."""
        address = "data:image/png;base64," + base64.b64encode(to_png(shrink(picture))).decode()
        question = {"model": self.model, "temperature": self.temperature, "seed": seed, "max_tokens": MOST_TOKENS,
                    "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": address}},
                                                              {"type": "text", "text": prompt}]}]}
        # The address is the learner's own, in this network too, and no redirect is followed.
        with Web(pause=0, trusted=[read_address(self.base).netloc.decode()], seconds=ANSWER_SECONDS) as web:
            answer = web.ask("POST", f"{self.base}/chat/completions", most_bytes=ANSWER_BYTES, headers=self.headers,
                             json=question)
        if answer.status != 200:
            raise error("caption_refused", base=self.base, status=answer.status)
        try:
            words = json.loads(answer.content)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as cause:
            raise error("caption_no_answer", base=self.base) from cause
        if not isinstance(words, str):
            raise error("caption_no_answer", base=self.base)
        return words


def to_png(picture: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG file."""
    content = io.BytesIO()
    picture.save(content, format="PNG")
    return content.getvalue()


BACKENDS: dict[str, Callable[..., Backend]] = {
    "rule": RuleBackend, "csv": CsvBackend, "transformers": TransformersBackend, "openai": OpenAIBackend}
