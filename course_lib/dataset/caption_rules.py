"""What can be wrong with captions, told without the pictures: missing, empty, a file name, markup, too long."""

import html
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from course_lib.dataset.report import Row
from course_lib.hub.repository import TINY
from course_lib.messages import error

PLACES = ("tokenizer.model", "tokenizer/tokenizer.model", "text_encoder/tokenizer.model")
MOST_TOKENS = 256  # of a prompt, [gMASK] and sop among them; KolorsPipeline cuts off what comes after
SPECIAL = 2  # [gMASK] and sop, which ChatGLM puts before every prompt
SHARED = 0.6  # of the captions that begin with one word, for it to seem a trigger word

TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|<!--.*?-->", re.DOTALL)
ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,6});")
ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>，。；）)]+")
CAMERA = re.compile(
    r"(?:img|image|dsc[nf]?|dcim|pxl|p|mvimg|vid|photo|pic|picture|screenshot|screen shot|untitled|download|scan"
    r"|wx_camera|微信图片|微信截图|截图|截屏|屏幕截图|照片|图片|无标题|未命名|新建)"
    r"[\s_\-.()（）]*[\d\s_\-.()（）TZ]*", re.IGNORECASE)
FILE_NAME = re.compile(r"\S+\.(?:jpe?g|png|webp|gif|bmp|tiff?|heic|avif)", re.IGNORECASE)
DIGITS = re.compile(r"[\d\s_\-.()]+|[0-9a-f]{16,}|[0-9a-f]{8}-[0-9a-f\-]{27}", re.IGNORECASE)


@cache
def open_tokenizer(place: Path = TINY) -> SentencePieceProcessor:
    """Open Kolors' tokenizer: a tokenizer.model, or the folder of a model that holds one; LessonError for neither."""
    files = [place, *(place / name for name in PLACES)]
    found = next((file for file in files if file.is_file()), None)
    try:
        return SentencePieceProcessor(model_file=str(found))
    except (OSError, RuntimeError) as cause:
        raise error("set_no_tokenizer", place=place) from cause


def count_tokens(caption: str, tokenizer: SentencePieceProcessor) -> int:
    """Return how many tokens a caption is for Kolors' text encoder."""
    return len(tokenizer.encode(caption)) + SPECIAL


def judge_caption(row: Row, tokenizer: SentencePieceProcessor) -> None:
    """Add what is wrong with one picture's caption to its row, and take markup out of it."""
    if row.caption is None:
        row.add("caption_missing", "drop")
        return
    if not row.caption.strip():
        row.add("caption_empty", "drop")
        return
    plain = clean(row.caption)
    if plain != row.caption:
        row.add("caption_markup", "fix", row.caption)
        row.caption = plain
        if not plain:
            row.add("caption_empty", "drop")
            return
    if is_boilerplate(plain, row.file):
        row.add("caption_boilerplate", "warn", plain)
    row.tokens = count_tokens(plain, tokenizer)
    if row.tokens > MOST_TOKENS:
        row.add("caption_too_long", "warn", row.tokens, MOST_TOKENS)


def clean(caption: str) -> str:
    """Return a caption without HTML tags, entities and web addresses; one without any is returned as it is."""
    if not (TAG.search(caption) or ENTITY.search(caption) or ADDRESS.search(caption)):
        return caption
    plain = ADDRESS.sub(" ", html.unescape(TAG.sub(" ", caption)))
    return re.sub(r"\s+", " ", plain).strip(" ,，;；")


def is_boilerplate(caption: str, file: str) -> bool:
    """Tell whether a caption is what a camera or program named a file, and says nothing of the picture."""
    words = caption.strip()
    named = words in (Path(file).name, Path(file).stem) and bool(re.search(r"\d{3}|_", words))
    return named or any(pattern.fullmatch(words) for pattern in (CAMERA, FILE_NAME, DIGITS))


def judge_repeated(rows: Sequence[Row]) -> None:
    """Warn of each caption that an earlier picture has too; pictures that are dropped do not count."""
    first = {}
    for row in rows:
        if row.verdict == "drop" or not row.caption or "caption_from_folder" in row.codes:
            continue
        words = normalise(row.caption)
        if words in first:
            row.add("caption_repeated", "warn", first[words])
        else:
            first[words] = row.file


def normalise(caption: str) -> str:
    """Return a caption in lower case, one space between words."""
    return " ".join(caption.lower().split())


def judge_trigger(rows: Sequence[Row], trigger: str, remark: Callable[..., None]) -> None:
    """Warn of each caption without the trigger word that others have; with no word given, remark on a likely one."""
    captions = [row.caption for row in rows if row.verdict != "drop" and row.caption]
    if not trigger:
        word = guess_trigger(captions)
        if word:
            share = sum(word in caption for caption in captions)
            remark("trigger_guess", word=word, count=share, total=len(captions))
        return
    having = sum(trigger in caption for caption in captions)
    remark("trigger_share", word=trigger, count=having, total=len(captions))
    if having:
        for row in rows:
            if row.caption and trigger not in row.caption:
                row.add("trigger_missing", "warn", trigger)


def guess_trigger(captions: Sequence[str]) -> str:
    """Return the beginning, up to the first comma, that most but not all captions share, or ""."""
    beginnings = Counter(re.split(r"[,，]", caption.strip(), maxsplit=1)[0].strip() for caption in captions)
    word, count = beginnings.most_common(1)[0] if beginnings else ("", 0)
    return word if count > 4 and SHARED * len(captions) <= count < len(captions) else ""
