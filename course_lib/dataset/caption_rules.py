"""What can be wrong with captions, told without the pictures: missing, empty, a file name, markup, too long."""

import html
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from course_lib.dataset.report import Row
from course_lib.dataset.text_encoding import say_again
from course_lib.hub.repository import TINY
from course_lib.messages import error

PLACES = ("tokenizer.model", "tokenizer/tokenizer.model", "text_encoder/tokenizer.model")
MOST_TOKENS = 256  # of a prompt, [gMASK] and sop among them; KolorsPipeline cuts off what comes after
MOST_LETTERS = 100_000  # a table's cell may hold no more than 131,072 to be read again
SPECIAL = 2  # [gMASK] and sop, which ChatGLM puts before every prompt
SHARED = 0.6  # of the captions that begin with one word, for it to seem a trigger word

# A tag is HTML's only if its name is; <sks> and <cat-toy> are words that a training teaches. "<lora:name:0.8>" is how
# web pages for drawing name a LoRA.
TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)((?:[\s/][^<>]{0,500})?)>|<!--.{0,2000}?-->|<!doctype[^<>]{0,200}>"
                 r"|<(?:lora|lyco|hypernet):[^<>]{1,200}>", re.DOTALL | re.IGNORECASE)
NEED_NO_END = frozenset({
    "br", "hr", "wbr", "img", "p", "li", "td", "th", "tr", "dt", "dd", "input", "link", "meta", "option", "source"})
ELEMENTS = NEED_NO_END | {
    "a", "abbr", "article", "aside", "b", "big", "blockquote", "body", "button", "caption", "center", "cite", "code",
    "dfn", "del", "details", "div", "dl", "em", "figcaption", "figure", "font", "footer", "form", "h1", "h2", "h3",
    "h4", "h5", "h6", "head", "header", "html", "i", "iframe", "ins", "kbd", "label", "main", "map", "mark", "nav",
    "noscript", "object", "ol", "picture", "pre", "q", "s", "samp", "script", "section", "select", "small", "span",
    "strike", "strong", "style", "sub", "summary", "sup", "svg", "table", "tbody", "textarea", "tfoot", "thead",
    "title", "tt", "u", "ul", "var", "video"}
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
    if len(row.caption) > MOST_LETTERS:
        row.add("caption_huge", "drop", len(row.caption), MOST_LETTERS)
        return
    before = say_again(row.caption)
    if before:
        row.add("caption_garbled", "warn", before)
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
    ended = {tag[2].lower() for tag in TAG.finditer(caption) if tag[1]}
    plain = TAG.sub(lambda tag: " " if is_markup(tag, ended) else tag[0], caption)
    if plain == caption and not ENTITY.search(caption) and not ADDRESS.search(caption):
        return caption
    return re.sub(r"\s+", " ", ADDRESS.sub(" ", html.unescape(plain))).strip(" ,，;；")


def is_markup(tag: re.Match, ended: Collection[str]) -> bool:
    """Tell whether a tag is HTML's: its name is, and it ends, has attributes, is ended elsewhere, or needs no end."""
    name = (tag[2] or "").lower()
    return not name or name in ELEMENTS and bool(
        tag[1] or "=" in tag[3] or tag[3].endswith("/") or name in NEED_NO_END or name in ended)


def is_boilerplate(caption: str, file: str) -> bool:
    """Tell whether a caption is what a camera or program named a file, and says nothing of the picture."""
    words = caption.strip()
    named = words in (Path(file).name, Path(file).stem) and bool(re.search(r"\d{3}|_", words))
    return named or any(pattern.fullmatch(words) for pattern in (CAMERA, FILE_NAME, DIGITS))


def judge_repeated(rows: Sequence[Row], remark: Callable[..., None]) -> None:
    """Warn of each caption that an earlier picture has too; pictures that are dropped do not count.

    One that more than half of them have was meant for all, as a style's one word is, and is remarked on instead.
    """
    judged = [(row, row.caption) for row in rows
              if row.verdict != "drop" and row.caption and "caption_from_folder" not in row.codes]
    counts = Counter(normalise(caption) for _, caption in judged)
    common = {words for words, count in counts.items() if 2 * count > len(judged) and count > 2}
    first: dict[str, str] = {}
    for row, caption in judged:
        words = normalise(caption)
        if words in first and words not in common:
            row.add("caption_repeated", "warn", first[words])
        elif words not in first and words in common:
            remark("one_caption", words=caption[:80], count=counts[words])
        first.setdefault(words, row.file)


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
