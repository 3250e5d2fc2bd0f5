"""Many pictures as one, each with its label under it: what changed from one to the next."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from course_lib.pictures.lettering import font, wrap
from course_lib.pictures.picture import SHOWN_SIZE, Picture, to_png

WIDTH = 900  # px, the most that a notebook shows beside its margins
TILE = 96  # px, the least width of a picture
GAP = 6  # px
LETTER, LINE, LINES = 12, 16, 2  # px, px, and lines of a label
INK = (40, 40, 44)


class Sheet(Picture):
    """A picture that is shown as large as it is."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        return {"image/png": to_png(self.image), "text/plain": self.caption}


def show_sheet(pictures: Sequence[Picture], columns: int = 5) -> Picture:
    """Lay pictures out in rows, each enlarged by a whole number where it is small, with its label under it.

    The labels are drawn into the sheet (`list_labels`); its caption holds the captions of all, a line each.
    """
    widest = max(picture.image.width for picture in pictures)
    least = -(-TILE // widest) * widest if widest < TILE else TILE  # px, after whole times
    columns = max(1, min(columns, len(pictures), (WIDTH + GAP) // (least + GAP)))
    room = (WIDTH + GAP) // columns - GAP
    tiles = [scale(picture.image, min(room, SHOWN_SIZE) / widest) for picture in pictures]
    width, height = (max(tile.size[side] for tile in tiles) for side in (0, 1))
    labels = [wrap(label, width - GAP, LETTER, LINES) for label in list_labels(pictures)]
    under = LINE * max(len(lines) if any(lines) else 0 for lines in labels)
    step = height + under + GAP
    sheet = Image.new("RGB", (columns * (width + GAP) - GAP, -(-len(tiles) // columns) * step - GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (tile, lines) in enumerate(zip(tiles, labels)):
        left, top = number % columns * (width + GAP), number // columns * step
        sheet.paste(tile, (left, top))
        for line, words in enumerate(lines):
            pen.text((left, top + height + line * LINE), words, INK, font(LETTER))
    return Sheet(sheet, "\n".join(picture.caption for picture in pictures))


def scale(image: Image.Image, times: float) -> Image.Image:
    """Enlarge a picture by a whole number of times, every pixel one sharp square, or make it smaller, smoothly."""
    if times >= 1:
        return image.resize((image.width * int(times), image.height * int(times)), Image.Resampling.NEAREST)
    return image.resize((round(image.width * times), round(image.height * times)), Image.Resampling.LANCZOS)


def list_labels(pictures: Sequence[Picture]) -> list[str]:
    """Say of each picture what is its own: the settings and the prompt in which they differ, else its caption."""
    if any(picture.settings is None for picture in pictures):
        return [picture.caption for picture in pictures]
    rows = [{**vars(picture.settings), "prompt": picture.prompt} for picture in pictures]
    differing = [name for name in rows[0] if any(row[name] != rows[0][name] for row in rows)]
    return ["  ".join(str(row[name]) if name == "prompt" else f"{name} {row[name]}" for name in differing)
            for row in rows]
