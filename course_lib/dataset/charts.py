"""What a learner looks at before trusting a set: its pictures with their verdicts, sizes, captions and classes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image, ImageDraw

from course_lib.dataset.caption_rules import MOST_TOKENS, open_tokenizer
from course_lib.dataset.report import COLOURS, VERDICTS, Report, Row
from course_lib.hub.repository import TINY
from course_lib.messages import text
from course_lib.pictures.buckets import GRID, choose_bucket, crop_loss
from course_lib.pictures.picture import Picture
from course_lib.pictures.picture_files import Unreadable, open_picture

CELL, FRAME, GAP = 44, 3, 2  # px of a picture on the sheet, of its frame, and between two
COLUMNS = 15
MOST_SHOWN = 96  # pictures on a sheet
COLOURS_SHOWN = 64  # of a sheet, so that a notebook stays small
BAR = 40  # letters of the longest bar
MOST_WORDS = 20
SPACE = "\u2581"  # what SentencePiece writes for a space
LIGHT = "#9ab8e0"


@dataclass(frozen=True)
class Bars:
    """Named numbers as bars: HTML in a notebook, letters elsewhere."""

    title: str
    values: Mapping[str, float]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        most = max(self.values.values(), default=0) or 1
        lines = [f"{name}  {'█' * max(1, round(BAR * value / most)) if value else ''} {value:g}"
                 for name, value in self.values.items()]
        return "\n".join([self.title, *lines, *self.notes])

    def to_html(self) -> str:
        """Return the bars as an HTML table."""
        most = max(self.values.values(), default=0) or 1
        lines = "".join(
            f"<tr><td style='text-align:right'>{escape(name)}</td><td style='text-align:left;width:22em'><div style="
            f"'background:{LIGHT};height:0.9em;width:{100 * value / most:.0f}%'></div></td><td>{value:g}</td></tr>"
            for name, value in self.values.items())
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"<p>{escape(self.title)}</p><table>{lines}</table>{notes}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.to_html(), "text/plain": str(self)}


def contact_sheet(report: Report, verdicts: tuple[str, ...] = VERDICTS) -> Picture:
    """Lay the pictures of these verdicts side by side, numbered, each in a frame of its verdict's colour.

    Its text lists number, file and what is wrong; a file that gives no picture is a crossed cell.
    """
    rows = [row for row in report.rows if row.verdict in verdicts][:MOST_SHOWN]
    step = CELL + 2 * FRAME + GAP
    sheet = Image.new("RGB", (COLUMNS * step, max(1, -(-len(rows) // COLUMNS)) * step), "white")
    draw = ImageDraw.Draw(sheet)
    lines = [text("set_sheet", shown=len(rows), total=len(report.rows))]
    for number, row in enumerate(rows, 1):
        x, y = (number - 1) % COLUMNS * step, (number - 1) // COLUMNS * step
        draw.rectangle((x, y, x + CELL + 2 * FRAME - 1, y + CELL + 2 * FRAME - 1), fill=COLOURS[row.verdict])
        paste(sheet, draw, report.folder, row, x + FRAME, y + FRAME)
        width = draw.textlength(str(number))
        draw.rectangle((x, y, x + width + 3, y + 11), fill=COLOURS[row.verdict])
        draw.text((x + 2, y), str(number), fill="white")
        lines.append(f"{number} {row.file}  {' '.join(row.codes)}".rstrip())
    return Picture(sheet.quantize(COLOURS_SHOWN, dither=Image.Dither.NONE).convert("RGB"), "\n".join(lines))


def paste(sheet: Image.Image, draw: ImageDraw.ImageDraw, folder: Path, row: Row, x: int, y: int) -> None:
    """Put one picture into its cell, made to fit, or a cross where there is none."""
    draw.rectangle((x, y, x + CELL - 1, y + CELL - 1), fill="#eeeeee")
    image = open_small(folder / row.file) if row.signals else None
    if image is None:
        draw.line((x, y, x + CELL, y + CELL), fill="#b0b0b0", width=2)
        draw.line((x + CELL, y, x, y + CELL), fill="#b0b0b0", width=2)
        return
    sheet.paste(image, (x + (CELL - image.width) // 2, y + (CELL - image.height) // 2))


def open_small(file: Path) -> Image.Image | None:
    """Return a picture as large as a cell; None where it cannot be read any more."""
    try:
        image = open_picture(file).image
    except Unreadable:
        return None
    image.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
    return image


def show_sizes(report: Report) -> Bars:
    """Count the kept pictures in each bucket (width x height px) of a training with buckets, and what crops cost."""
    pictures = [(row.width, row.height) for row in report.kept if row.width]
    square = (report.size, report.size)
    buckets = [choose_bucket(picture, square, GRID) for picture in pictures]
    lost = [crop_loss(picture, bucket) for picture, bucket in zip(pictures, buckets)]
    lost_square = [crop_loss(picture, square) for picture in pictures]
    edges = sorted(map(min, pictures))
    notes = (text("set_sizes_note", least=edges[0], middle=edges[len(edges) // 2], most=edges[-1],
                  lost=100 * sum(lost) / len(lost), square=100 * sum(lost_square) / len(lost)),) if pictures else ()
    return Bars(text("set_sizes_title", size=report.size),
                {f"{width} x {height}": count for (width, height), count in sorted(Counter(buckets).items())}, notes)


def show_captions(report: Report, tokenizer: str | Path = TINY) -> tuple[Bars, Bars]:
    """Count the captions by their length in tokens, and the pieces of words that occur most often in them."""
    captions = [row for row in report.kept if row.caption]
    limits = (8, 16, 32, 64, 128, MOST_TOKENS)
    lengths = Counter(next((f"≤ {limit}" for limit in limits if row.tokens <= limit), f"> {MOST_TOKENS}")
                      for row in captions)
    names = [*(f"≤ {limit}" for limit in limits), f"> {MOST_TOKENS}"]
    words = open_tokenizer(Path(tokenizer))
    pieces = Counter(piece.strip(SPACE) for row in captions for piece in set(words.encode(row.caption, out_type=str)))
    ordered = sorted(pieces.items(), key=lambda each: (-each[1], each[0]))  # a set's own order changes with each start
    common = {piece: count for piece, count in ordered if len(piece) > 1 and not piece.startswith("<0x")}
    distinct = len({row.caption for row in captions})
    return (Bars(text("set_lengths_title"), {name: lengths[name] for name in names},
                 (text("set_distinct", distinct=distinct, total=len(captions)),)),
            Bars(text("set_words_title"), dict(list(common.items())[:MOST_WORDS])))
