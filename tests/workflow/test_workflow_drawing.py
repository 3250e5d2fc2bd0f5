"""A workflow's drawing shows what is in it, is bounded, and carries nothing but shapes and escaped text."""

import base64
import io
import json
import re
from xml.etree import ElementTree

import pytest

from course_lib.files import COURSE
from course_lib.messages import LessonError, set_language
from course_lib.workflow import draw, read
from course_lib.workflow.svg import KINDS, measure
from notebooks.tools.rules import DRAWING_BYTES, drawing_problems

TESTS = COURSE / "tests"
FOLDER = TESTS.parent / "data" / "workflows"
CASES = json.loads((TESTS / "data" / "comfyui_pages.json").read_text(encoding="utf-8"))["cases"]
SVG = "{http://www.w3.org/2000/svg}"
NASTY = "</text><script>alert(1)</script><foreignObject/>&\"' onload=x javascript: \x00\x08\ud800 ]]>"


def parse(drawing):
    return ElementTree.fromstring(drawing.svg)


def words(drawing):
    return [mark.text or "" for mark in parse(drawing).iter(f"{SVG}text")]


def curves(drawing):
    """Return the links as (colour, x and y of the start, x and y of the end)."""
    found = []
    for mark in parse(drawing).iter(f"{SVG}path"):
        if mark.get("fill") == "none":
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", mark.get("d"))]
            found.append((mark.get("stroke"), *numbers[:2], *numbers[-2:]))
    return found


def test_the_camps_workflow():
    workflow = read(FOLDER / "kolors_with_lora_example.json")
    drawing = draw(workflow)
    shown = words(drawing)
    assert {"Kolors Sampler", "Load Kolors LoRA", "(Down)load ChatGLM3 Model", "#14", "二次元，长发，少女，白色背景",
            "lora_alpha", "EulerDiscreteScheduler", "control_after_generate", "fixed", "latent"} <= set(shown)
    assert any(line.startswith("文本编码最占显存") for line in shown)  # the note
    assert drawing.caption == "工作流：9 个节点，7 条连线"
    dots = {(float(mark.get("cx")), float(mark.get("cy"))): mark for mark in parse(drawing).iter(f"{SVG}circle")}
    assert len(curves(drawing)) == 7
    for colour, *ends in curves(drawing):
        assert dots[tuple(ends[:2])].get("fill") == dots[tuple(ends[2:])].get("fill") == colour
    assert {colour for colour, *_ in curves(drawing)} == {KINDS["LATENT"], KINDS["IMAGE"], KINDS["VAE"], "#99aa99"}


def test_a_notebook_and_a_file_get_the_svg(tmp_path):
    drawing = draw(read(FOLDER / "kolors_example.json"))
    bundle = drawing._repr_mimebundle_()
    assert bundle["image/svg+xml"] == drawing.svg == drawing._repr_svg_() and bundle["text/plain"] == drawing.caption
    shown = base64.b64decode(bundle["text/html"].split("base64,")[1].split('"')[0])
    assert shown.decode() == drawing.svg
    assert drawing.save(tmp_path / "a" / "drawing.svg").read_text(encoding="utf-8") == drawing.svg
    with pytest.raises(LessonError, match="a"):
        drawing.save(tmp_path / "a" / "drawing.svg" / "below")
    assert drawing_problems(drawing.svg) == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_the_courses_drawings_are_readable(path):
    """No text runs out of its node, and at a notebook's width a letter is at least 7 px high."""
    drawing = draw(read(path))
    root = parse(drawing)
    left, top, width, height = map(float, root.get("viewBox").split())
    assert 13 * min(1, 960 / width) >= 7 and len(drawing.svg) < DRAWING_BYTES
    for mark in root.iter(f"{SVG}text"):
        wide = measure(mark.text or "", int(mark.get("font-size", 13)))
        start = float(mark.get("x")) - (wide if mark.get("text-anchor") == "end" else 0)
        assert left < start and start + wide < left + width and top < float(mark.get("y")) < top + height


def test_muted_bypassed_and_collapsed_look_so():
    set_language("en")
    texts = {name: words(draw(read(CASES[name]["page"]))) for name in ("lora", "muted", "bypassed")}
    assert "#10" in texts["lora"] and "muted #10" in texts["muted"] and "bypassed #10" in texts["bypassed"]
    opacities = {name: draw(read(CASES[name]["page"])).svg.count("<g opacity") for name in texts}
    assert opacities == {"lora": 0, "muted": 1, "bypassed": 1}
    page = json.loads(json.dumps(CASES["lora"]["page"]))
    page["nodes"][-1]["flags"] = {"collapsed": True}
    folded = draw(read(page))
    assert "lora_name" not in words(folded) and len(curves(folded)) == len(curves(draw(read(CASES["lora"]["page"]))))


def test_the_inside_of_a_subgraph_is_drawn():
    workflow = read(CASES["subgraph"]["page"])
    outside, inside = draw(workflow), draw(workflow, "Write")
    assert "Write" in words(outside) and any(line.startswith("CLIP Text Encode") for line in words(inside))
    assert {"inputNode", "outputNode"}.isdisjoint(words(inside))  # how the file names the two ends
    assert len(curves(inside)) == 3
    with pytest.raises(LessonError, match="Write"):
        draw(workflow, "Read")


def test_nothing_of_a_hostile_file_gets_out_of_its_text():
    page = {"nodes": [{"id": NASTY, "type": NASTY, "title": NASTY, "pos": [0, 0], "size": [300, 100], "mode": 4,
                       "color": "red\"/><script/>", "bgcolor": "url(http://x)", "widgets_values": [NASTY, {"a": NASTY}],
                       "inputs": [{"name": NASTY, "type": NASTY, "link": None}],
                       "outputs": [{"name": NASTY, "type": NASTY}]},
                      {"id": 2, "type": "Note", "pos": [0, 200], "widgets_values": [NASTY]}],
            "links": [], "groups": [{"title": NASTY, "bounding": [0, 0, 9, 9], "color": "#fff;" + NASTY}]}
    workflow = read(page)
    for drawing in (draw(workflow), draw(read(workflow.to_ui()))):
        tags = {mark.tag.removeprefix(SVG) for mark in parse(drawing).iter()}
        assert tags <= {"svg", "rect", "circle", "path", "text", "g"}
        assert drawing_problems(drawing.svg) == []
        assert any("<script>" in line for line in words(drawing))  # shown as the words that they are
        drawing.svg.encode("utf-8")


@pytest.mark.parametrize("bad", ["<svg><script/></svg>", "<svg onload='x'/>", "<svg><image href='http://x'/></svg>",
                                 "<svg><foreignObject/></svg>", "<svg><style>a{}</style></svg>", "<svg", "<html/>",
                                 f"<svg>{' ' * 100_000}</svg>"])
def test_a_drawing_that_a_lesson_may_not_store_is_seen(bad):
    assert drawing_problems(bad)


def test_monsters_are_bounded():
    nodes = [{"id": number, "type": "KSampler", "pos": [number * 10**7, -1e300 if number % 2 else 1e300],
              "size": [1e18, -5], "title": "很" * 10_000, "widgets_values": ["x" * 10_000] * 40}
             for number in range(260)]
    drawing = draw(read({"nodes": nodes, "links": []}))
    root = parse(drawing)
    assert float(root.get("width")) <= 1200 and len(drawing.svg) < 8 * 2**20
    assert "10 个" in drawing.caption
    sides = [float(number) for number in root.get("viewBox").split()]
    assert max(map(abs, sides)) < 10**7


def test_an_empty_workflow_is_drawn():
    assert parse(draw(read({"nodes": [], "links": []}))).get("width")


def test_chromium_draws_it_in_light_and_dark(tmp_path):
    """As an image, as JupyterLab shows it, the canvas has its own dark ground and bright letters on any page."""
    playwright = pytest.importorskip("playwright.sync_api")
    from shutil import which

    import numpy as np
    from PIL import Image
    if which("chromium") is None:
        pytest.skip("no Chromium here")
    svg = draw(read(FOLDER / "kolors_with_lora_example.json")).svg
    address = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    shots = []
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 980, "height": 500})
        for ground in ("white", "#111"):
            tab.set_content(f'<body style="margin:0;background:{ground}"><img style="max-width:100%" src="{address}">')
            tab.wait_for_function("document.images[0].complete && document.images[0].naturalWidth > 0")
            shots.append(np.asarray(Image.open(io.BytesIO(tab.screenshot())).convert("L"), int)[40:360, 40:900])
        browser.close()
    assert abs(shots[0] - shots[1]).max() <= 2
    assert np.median(shots[0]) < 70 and shots[0].max() > 180
