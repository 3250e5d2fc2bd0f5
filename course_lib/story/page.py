"""The story to show: one picture of eight panels with captions, and one page of HTML that needs no server.

Everything that made the panels goes along: in the picture's own text chunks, and in the page as a list.
"""

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from course_lib.files import write_whole
from course_lib.messages import error, language, text
from course_lib.pictures.lettering import find_lacking, font, wrap
from course_lib.pictures.picture import Picture, encode_png
from course_lib.story.candidates import Candidate, read_candidate
from course_lib.story.notes import read_choices
from course_lib.story.scenes import Story

COLUMNS = 4
PANEL = 256  # px, least side of a panel; a small picture is enlarged by a whole number, a large one made smaller
MOST_PANEL = 512
MARGIN, GAP = 40, 24  # px
LETTER, TITLE = 18, 36  # px
LINES = 3  # of a caption
PAPER, INK, QUIET = (252, 250, 245), (40, 40, 44), (120, 118, 112)
CHUNK = "story"  # the PNG's text chunk that holds everything as JSON


def chosen(folder: str | Path, story: Story, candidates: Sequence[Candidate] = ()) -> list[Candidate]:
    """Return the candidate that is kept for each scene; LessonError that names the scenes without one.

    One that is not among `candidates`, from a run before, is read from its file.
    """
    choices = read_choices(folder)
    numbers = range(1, len(story.scenes) + 1)
    files = [(Path(folder) / choices[number].file).absolute() if number in choices and choices[number].file else None
             for number in numbers]
    missing = [str(number) for number, file in zip(numbers, files) if file is None or not file.is_file()]
    if missing:
        raise error("story_unchosen", scenes=text("list_comma").join(missing))
    known = {(each.scene, each.file.absolute()): each for each in candidates}
    return [known.get((number, file)) or read_candidate(file, number)
            for number, file in zip(numbers, files) if file]


def lay_out(story: Story, kept: Sequence[Candidate]) -> Picture:
    """Lay eight candidates out as one picture: title, four panels a row, a numbered caption under each. LessonError."""
    if len(kept) != len(story.scenes):
        raise error("story_pictures", wanted=len(story.scenes), count=len(kept))
    warn_of_letters(story)
    panels = [fit(each.image) for each in kept]
    side = max(max(panel.size) for panel in panels)
    line = round(LETTER * 1.45)
    step = side + LINES * line + GAP + 8
    rows = -(-len(panels) // COLUMNS)
    top = MARGIN + TITLE + GAP
    sheet = Image.new("RGB", (2 * MARGIN + COLUMNS * (side + GAP) - GAP, top + rows * step + MARGIN - GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN - 10), story.title, INK, font(TITLE))
    for place, (panel, scene) in enumerate(zip(panels, story.scenes)):
        x, y = MARGIN + place % COLUMNS * (side + GAP), top + place // COLUMNS * step
        sheet.paste(panel, (x + (side - panel.width) // 2, y + (side - panel.height) // 2))
        for number, words in enumerate(wrap(f"{place + 1}  {scene.caption}", side, LETTER, LINES)):
            pen.text((x, y + side + 8 + number * line), words, INK, font(LETTER))
    chunks = PngInfo()
    chunks.add_text(CHUNK, json.dumps(describe(story, kept)))  # ASCII: a chunk without a language of its own
    return Picture(sheet, "\n".join([story.title, *(scene.caption for scene in story.scenes)]), chunks=chunks)


def describe(story: Story, kept: Sequence[Candidate]) -> dict[str, Any]:
    """Return what made a story's panels, as it goes into the picture and onto the page."""
    return {"title": story.title, "scenes": [
        {"caption": scene.caption, "prompt": each.prompt, "negative_prompt": each.negative_prompt,
         **vars(each.settings), "file": each.file.name} for scene, each in zip(story.scenes, kept)]}


def fit(image: Image.Image) -> Image.Image:
    """Return a panel's picture: a small one enlarged pixel by pixel, a large one made smaller."""
    longer = max(image.size)
    if longer > MOST_PANEL:
        small = image.copy()
        small.thumbnail((MOST_PANEL, MOST_PANEL), Image.Resampling.LANCZOS)
        return small
    times = -(-PANEL // longer)
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def warn_of_letters(story: Story) -> None:
    """Print which letters of a story the font does not have: they would be empty boxes."""
    lacking = find_lacking(story.title + "".join(scene.caption for scene in story.scenes))
    if lacking:
        print(text("story_letters", letters=" ".join(lacking)))


PAGE = """<!DOCTYPE html>
<html lang="{lang}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --paper: #fcfaf5; --ink: #28282c; --quiet: #6b6964; }}
@media (prefers-color-scheme: dark) {{ :root {{ --paper: #1d1d20; --ink: #ececea; --quiet: #a3a19b; }} }}
body {{ margin: 0 auto; max-width: 1180px; padding: 32px 24px 48px; background: var(--paper); color: var(--ink);
  font: 18px/1.5 "Noto Sans SC", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", system-ui, sans-serif; }}
h1 {{ font-size: 36px; margin: 0 0 24px; }}
ol {{ list-style: none; margin: 0; padding: 0; display: grid; gap: 28px 24px;
  grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); }}
figure {{ margin: 0; }}
img {{ width: 100%; height: auto; display: block; border-radius: 4px; image-rendering: pixelated; }}
figcaption {{ margin-top: 8px; }}
figcaption b {{ margin-right: .5em; }}
details {{ margin-top: 36px; color: var(--quiet); font-size: 15px; }}
td, th {{ padding: 2px 14px 2px 0; text-align: left; vertical-align: top; }}
</style>
<h1>{title}</h1>
<ol>
{panels}
</ol>
<details><summary>{how}</summary>
<table>
{rows}
</table></details>
</html>
"""
PANELS = """<li><figure><img alt="{caption}" src="data:image/png;base64,{png}"><figcaption><b>{number}</b>{caption}\
</figcaption></figure></li>"""
SHOWN = ("prompt", "seed", "steps", "cfg", "sampler_name", "scheduler", "denoise")


def write_page(story: Story, kept: Sequence[Candidate], file: str | Path) -> Path:
    """Write the story as one HTML file that holds its pictures and loads nothing, and return its path; LessonError."""
    if len(kept) != len(story.scenes):
        raise error("story_pictures", wanted=len(story.scenes), count=len(kept))
    file = Path(file)
    panels = [PANELS.format(caption=html.escape(scene.caption), number=number,
                            png=base64.b64encode(encode_png(each.image)).decode())
              for number, (scene, each) in enumerate(zip(story.scenes, kept), 1)]
    rows = ["".join(f"<th>{name}</th>" for name in ("", *SHOWN))]
    rows += ["".join(f"<td>{html.escape(str(value))}</td>" for value in (number, *(table[name] for name in SHOWN)))
             for number, table in enumerate(describe(story, kept)["scenes"], 1)]
    page = PAGE.format(lang={"zh": "zh-CN", "en": "en"}[language()], title=html.escape(story.title),
                       panels="\n".join(panels), how=html.escape(text("story_how")),
                       rows="\n".join(f"<tr>{row}</tr>" for row in rows))
    try:
        write_whole(file, page.encode())
    except OSError as cause:
        raise error("cannot_write", path=file, cause=cause.strerror or cause) from cause
    return file
