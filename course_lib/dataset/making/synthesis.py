"""Pictures made from scenes by a graphics engine: any number, each with a caption that is certainly right.

resvg draws the shipped vector pictures (data/emoji/svg). Blender is another engine, in a Python of its own: its module
`bpy` is large, GPL-3.0, and needs an older numpy, so that it is never a part of this course's environment.
"""

import io
import json
import os
import random
import re
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import resvg_py
from PIL import Image

from course_lib.dataset.journal import begin, publish
from course_lib.dataset.making.scenes import Scene, Thing, check_scene, describe, need, random_scene, to_json
from course_lib.dataset.table import FILE, SOURCE, TEXT, write_table
from course_lib.messages import error, text
from course_lib.pictures.emoji import FOLDER, GROUNDS, OUTLINE, OUTLINE_COLOUR

ENGINES = ("resvg", "blender")
JOURNAL = ".synthesised.json"
SCENES = "scenes.jsonl"  # beside train/: what each picture shows, the truth that its caption was made from
LARGEST = 4096  # px
MOST = 1_000_000
BLENDER_PYTHON = "COURSE_BLENDER_PYTHON"  # environment variable: the Python in which `import bpy` works
BLENDER_SECONDS = 600  # for one picture
BOX = re.compile(r'<svg [^>]*viewBox="([^"]+)"[^>]*>(.*)</svg>', re.DOTALL)


def synthesise(folder: str | Path, count: int, seed: int = 0, *, lang: str = "zh", size: int = 512,
               engine: str = "resvg", **choices: Any) -> Path:
    """Draw `count` random scenes into folder/train with metadata.csv, and their descriptions into scenes.jsonl.

    `choices` are those of `scenes.random_scene`; the same arguments give the same set. A second run replaces what the
    first wrote; LessonError if the folder holds another set, or one that was edited since. Returns the folder.
    """
    folder = Path(folder)
    check_number("count", count, 1, MOST)
    check_number("size", size, 16, LARGEST)
    need("lang", lang, ("zh", "en"))
    need("engine", engine, ENGINES)
    rng = random.Random(seed)
    scenes = [random_scene(rng, **choices) for _ in range(count)]
    try:
        work, before = begin(folder, JOURNAL, [SCENES])
        write_scenes(work, scenes, lang, size, engine)
        publish(folder, before, JOURNAL)
    except OSError as cause:
        raise error("cannot_write", path=folder, cause=cause.strerror or cause) from cause
    print(text("make_synthesised", count=count, folder=folder.name))
    return folder


def write_scenes(folder: Path, scenes: Sequence[Scene], lang: str, size: int, engine: str) -> None:
    """Draw scenes into folder/train, with its table, and write their descriptions beside it."""
    rows, lines = [], []
    (folder / "train").mkdir()
    for number, scene in enumerate(scenes):
        name = f"{number:05}.png"
        render(scene, size, engine).save(folder / "train" / name)
        rows.append({FILE: name, TEXT: describe(scene, lang), SOURCE: "scene"})
        lines.append(json.dumps({FILE: name, "zh": describe(scene, "zh"), "en": describe(scene, "en"),
                                 "scene": json.loads(to_json(scene))}, ensure_ascii=False))
    (folder / SCENES).write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_table(folder / "train", rows)


def check_number(field: str, value: object, low: int, high: int) -> None:
    """Answer a number that is no whole one from low to high with a LessonError."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise error("make_scene", field=field, value=repr(value), allowed=f"{low} - {high}")


def render(scene: Scene, size: int = 512, engine: str = "resvg") -> Image.Image:
    """Draw a scene as RGB, size x size px, with "resvg" or "blender"; LessonError where it cannot be drawn."""
    check_scene(scene)
    need("engine", engine, ENGINES)
    return render_blender(scene, size) if engine == "blender" else draw_svg(write_svg(scene), size).convert("RGB")


def draw_svg(svg: str, size: int) -> Image.Image:
    """Draw an SVG, RGBA, size x size px; fonts are not looked for, since no picture of the course holds letters."""
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True))
    return Image.open(io.BytesIO(png)).convert("RGBA")


def write_svg(scene: Scene, ground: bool = True) -> str:
    """Write a scene as one SVG of 1000 x 1000 units, without its ground if that is not wanted."""
    parts = [draw_ground(scene)] if ground else []
    parts += [draw_thing(thing, scene, number) for number, thing in enumerate(scene.things)]
    return ('<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 1000 1000">{"".join(parts)}</svg>')


def draw_ground(scene: Scene) -> str:
    """Draw the ground: one colour, or stripes or dots of the second colour on it."""
    plain = f'<rect width="1000" height="1000" fill="{hex_of(scene.ground)}"/>'
    if scene.second is None:
        return plain
    height, shape = ((1000, '<rect width="50" height="1000"/>') if scene.pattern == "stripes"
                     else (100, '<circle cx="50" cy="50" r="22"/>'))
    return (f'<defs><pattern id="ground" width="100" height="{height}" patternUnits="userSpaceOnUse">'
            f'<g fill="{hex_of(scene.second)}">{shape}</g></pattern></defs>'
            f'{plain}<rect width="1000" height="1000" fill="url(#ground)"/>')


def draw_thing(thing: Thing, scene: Scene, number: int) -> str:
    """Draw one thing in its place; ids are renamed, since two pictures may use the same."""
    box, body = read_vector(thing.subject, scene.style)
    body = re.sub(r"\bSVG(\w+)", rf"SVG{number}x\1", body)
    if scene.ink:
        body = body.replace("#000", hex_of(scene.ink))
    side = 1000 * thing.size
    line, outlined = "", ""
    if scene.style == "noto":  # a cartoon has a dark line around its subject, as `emoji.outline` draws it
        width = side * OUTLINE
        side -= 2 * width
        outlined = f' filter="url(#outline{number})"'
        line = (f'<defs><filter id="outline{number}" x="-20%" y="-20%" width="140%" height="140%">'
                f'<feMorphology in="SourceAlpha" operator="dilate" radius="{width:.2f}" result="grown"/>'
                f'<feFlood flood-color="rgb{OUTLINE_COLOUR}"/><feComposite in2="grown" operator="in" result="line"/>'
                f'<feMerge><feMergeNode in="line"/><feMergeNode in="SourceGraphic"/></feMerge></filter></defs>')
    place = f"translate({1000 * thing.x:.2f} {1000 * thing.y:.2f}) rotate({thing.turn:g})"
    if thing.flip:
        place += " scale(-1 1)"
    return (f'{line}<g{outlined}><g transform="{place}"><svg x="{-side / 2:.2f}" y="{-side / 2:.2f}" '
            f'width="{side:.2f}" height="{side:.2f}" viewBox="{box}">{body}</svg></g></g>')


@cache
def read_vector(subject: str, style: str) -> tuple[str, str]:
    """Read one shipped vector picture: its view box and what is drawn in it."""
    box, drawn = BOX.findall((FOLDER / "svg" / style / f"{subject}.svg").read_text(encoding="utf-8"))[0]
    return box, drawn


def hex_of(ground: str) -> str:
    """Return a colour as SVG writes it."""
    return "#{:02x}{:02x}{:02x}".format(*GROUNDS[ground][2])


def render_blender(scene: Scene, size: int) -> Image.Image:
    """Draw a scene with Blender: each thing stands as a cut-out in front of a wall, in light that throws shadows.

    The program that `COURSE_BLENDER_PYTHON` names runs data/blender_scene.py: scene in, PNG out. LessonError.
    """
    need("pattern", scene.pattern, ("plain",))  # the wall has one colour, and the caption has to be true
    python = os.environ.get(BLENDER_PYTHON, "")
    if not python:
        raise error("make_no_blender", variable=BLENDER_PYTHON)
    script = FOLDER.parent / "blender_scene.py"
    with tempfile.TemporaryDirectory() as place:
        things = []
        for number, thing in enumerate(scene.things):
            cut_out = Path(place, f"{number}.png")
            alone = Scene((Thing(thing.subject, flip=thing.flip, size=1.0),), scene.style, scene.ground, ink=scene.ink)
            draw_svg(write_svg(alone, ground=False), 512).save(cut_out)
            things.append({"picture": str(cut_out), "x": thing.x, "y": thing.y, "size": thing.size, "turn": thing.turn})
        plan = {"size": size, "ground": [channel / 255 for channel in GROUNDS[scene.ground][2]], "things": things}
        plan_file, drawn = Path(place, "plan.json"), Path(place, "drawn.png")
        plan_file.write_text(json.dumps(plan), encoding="utf-8")
        try:
            result = subprocess.run([python, script, plan_file, drawn], capture_output=True, text=True,
                                    timeout=BLENDER_SECONDS, env=bare_environment())
        except (OSError, subprocess.TimeoutExpired) as cause:
            raise error("make_blender_failed", python=python, cause=cause) from cause
        if result.returncode or not drawn.is_file():
            last = (result.stderr.strip() or result.stdout.strip() or str(result.returncode)).splitlines()[-1]
            raise error("make_blender_failed", python=python, cause=last[:300])
        return Image.open(drawn).convert("RGB")


def bare_environment() -> dict[str, str]:
    """Return this environment without what would lead the other Python to this one's packages."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
