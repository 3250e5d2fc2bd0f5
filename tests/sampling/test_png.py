"""Settings come back from a PNG's chunks, ours and others', and junk in them is answered."""

import io
import json
from dataclasses import replace

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.pictures.picture import Picture
from course_lib.sampling.a1111 import read_parameters, write_parameters
from course_lib.sampling.metadata import build_graph, write_chunks
from course_lib.sampling.samplers import SAMPLERS, check_names
from course_lib.sampling.settings import MOST_SEED, SamplerSettings
from course_lib.sampling.sigmas import SCHEDULERS
from course_lib.workflow.picture_settings import read_settings

LADYBIRD = "一只瓢虫，蓝色背景"
OURS = SamplerSettings(seed=2**53 + 1, control_after_generate="increment", steps=12, cfg=6.5, sampler_name="dpmpp_2m",
                       scheduler="karras", denoise=0.75)


def make_png(**chunks):
    """Return a small PNG's bytes with these text chunks; what is no text is written as JSON."""
    info, content = PngInfo(), io.BytesIO()
    for name, value in chunks.items():
        info.add_text(name, value if isinstance(value, str) else json.dumps(value))
    Image.new("RGB", (96, 96)).save(content, format="PNG", pnginfo=info)
    return content.getvalue()


def graph_of(settings=OURS, prompt=LADYBIRD, negative_prompt="flat"):
    """Return our own graph as a dict that a test may change."""
    return json.loads(json.dumps(build_graph(settings, prompt, negative_prompt, 96, 96)))


@pytest.fixture
def saved(tmp_path):
    """Return the text chunks of a picture that was saved."""
    chunks = write_chunks(OURS, LADYBIRD, "flat", 64, 96)
    path = Picture(Image.new("RGB", (64, 96)), "", chunks=chunks).save(tmp_path / "picture.png")
    with Image.open(path) as image:
        return dict(image.text)


def test_a_saved_picture_gives_its_settings_back(tmp_path):
    picture = Picture(Image.new("RGB", (96, 96)), "", chunks=write_chunks(OURS, LADYBIRD, "flat", 96, 96))
    path = picture.save(tmp_path / "picture.png")
    assert read_settings(path) == read_settings(str(path)) == read_settings(path.read_bytes()) \
        == (OURS, LADYBIRD, "flat")


@pytest.mark.parametrize("key", ["prompt", "workflow", "parameters"])
@pytest.mark.parametrize("settings", [
    OURS, SamplerSettings(seed=MOST_SEED, cfg=0.125, sampler_name="heunpp2", scheduler="linear_quadratic"),
])
def test_each_chunk_alone_is_enough(key, settings):
    settings = replace(settings, cfg=round(settings.cfg, 3))
    Picture(Image.new("RGB", (96, 96)), "", settings=settings).image.save(
        content := io.BytesIO(), format="PNG", pnginfo=write_chunks(settings, LADYBIRD, "flat\nlines", 96, 96))
    chunk = Image.open(content).text[key]
    found, prompt, negative_prompt = read_settings(make_png(**{key: chunk}))
    control = settings.control_after_generate if key == "workflow" else "fixed"  # the others do not hold it
    assert found == replace(settings, control_after_generate=control)
    assert (prompt, negative_prompt) == (LADYBIRD, "flat\nlines")


def test_a_picture_without_settings_has_no_chunks(tmp_path):
    path = Picture(Image.new("RGB", (96, 96)), "").save(tmp_path / "plain.png")
    with Image.open(path) as image:
        assert image.text == {}
    with pytest.raises(LessonError, match="KSampler"):
        read_settings(path)


def test_the_graph_is_whole(saved):
    """Every link of the page's graph begins and ends where the nodes say, and agrees with the server's graph."""
    page, server = json.loads(saved["workflow"]), json.loads(saved["prompt"])
    nodes = {node["id"]: node for node in page["nodes"]}
    assert {node["type"] for node in page["nodes"]} == {node["class_type"] for node in server.values()}
    assert len(page["links"]) == page["last_link_id"] == 9 and max(nodes) == page["last_node_id"]
    for number, start, output, end, socket, kind in page["links"]:
        assert number in nodes[start]["outputs"][output]["links"]
        assert nodes[start]["outputs"][output]["type"] == nodes[end]["inputs"][socket]["type"] == kind
        assert nodes[end]["inputs"][socket]["link"] == number
        assert server[str(end)]["inputs"][nodes[end]["inputs"][socket]["name"]] == [str(start), output]
    assert nodes[3]["widgets_values"] == [2**53 + 1, "increment", 12, 6.5, "dpmpp_2m", "karras", 0.75]
    assert server["5"]["inputs"] == {"width": 64, "height": 96, "batch_size": 1}


def test_a1111_names_come_back():
    for sampler_name in SAMPLERS:
        for scheduler in SCHEDULERS:
            settings = SamplerSettings(sampler_name=sampler_name, scheduler=scheduler)
            assert read_parameters(write_parameters(settings, "a cat", "", 96, 96)) == (settings, "a cat", "")


def test_a_file_of_a1111():
    """The form of the web UI's documentation, and what versions before 1.9 wrote: sampler and schedule in one name."""
    settings, prompt, negative_prompt = read_settings(make_png(parameters=(
        "a cat, <lora:x:0.8>,\n(blue:1.2) ground\nNegative prompt: flat,\nugly\n"
        "Steps: 25, Sampler: DPM++ 2M SDE Karras, CFG scale: 6.5, Seed: 4294967295, Size: 512x768, "
        'Model hash: 6ce0161689, Denoising strength: 0.4, Lora hashes: "x: 01, y: 02", Version: v1.6.0')))
    assert settings == SamplerSettings(seed=4294967295, steps=25, cfg=6.5, sampler_name="dpmpp_2m_sde",
                                       scheduler="karras", denoise=0.4)
    assert (prompt, negative_prompt) == ("a cat, <lora:x:0.8>,\n(blue:1.2) ground", "flat,\nugly")
    assert read_parameters("Steps: 1, Sampler: Euler a, CFG scale: 7, Seed: 1")[1:] == ("", "")
    new = read_parameters("cat\nSteps: 9, Sampler: DPM++ 2M, Schedule type: SGM Uniform, CFG scale: 7, Seed: 1")
    assert (new[0].sampler_name, new[0].scheduler) == ("dpmpp_2m", "sgm_uniform")
    restart = read_parameters("cat\nSteps: 9, Sampler: Restart, CFG scale: 7, Seed: 1")[0]
    with pytest.raises(LessonError, match="restart"):
        check_names(restart.sampler_name, restart.scheduler)


def test_links_are_followed_through_other_nodes():
    """A seed from a primitive, a prompt from a text node, a ControlNet between text and sampler, a decoy KSampler."""
    graph = graph_of()
    graph["3"]["inputs"] |= {"seed": ["20", 0], "positive": ["21", 0], "negative": ["21", 1]}
    graph["20"] = {"class_type": "PrimitiveInt", "inputs": {"value": 77}}
    graph["21"] = {"class_type": "ControlNetApplyAdvanced",
                   "inputs": {"positive": ["6", 0], "negative": ["22", 0], "control_net": ["23", 0], "strength": 1.0}}
    graph["22"] = {"class_type": "Reroute", "inputs": {"": ["7", 0]}}
    graph["6"]["inputs"]["text"] = ["24", 0]
    graph["24"] = {"class_type": "StringConstant", "inputs": {"string": "a dog"}}
    decoy = {"class_type": "KSampler", "inputs": dict(graph["3"]["inputs"], seed=1)}
    found = read_settings(make_png(prompt={"1": decoy, **graph, "99": decoy}))
    assert found == (replace(OURS, seed=77, control_after_generate="fixed"), "a dog", "flat")


def test_a_page_where_a_widget_became_an_input():
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, format="PNG", pnginfo=write_chunks(OURS, LADYBIRD, "", 96, 96))
    page = json.loads(Image.open(content).text["workflow"])
    sampler = next(node for node in page["nodes"] if node["type"] == "KSampler")
    sampler["inputs"] += [{"name": "steps", "type": "INT", "link": 50, "widget": {"name": "steps"}},
                          {"name": "cfg", "type": "FLOAT", "link": None}]
    page["links"].append([50, 40, 0, 3, 4, "INT"])
    page["nodes"].append({"id": 40, "type": "PrimitiveNode", "widgets_values": [33, "fixed"]})
    page["nodes"].append({"id": 41, "type": "Note", "widgets_values": None})
    assert read_settings(make_png(workflow=page))[0] == replace(OURS, steps=33)


def put_inside(page, kept, outputs, kind="inside"):
    """Return a page whose nodes are in a subgraph, all but the kept end; outputs: the links to its ends."""
    nodes = [node for node in page["nodes"] if node["type"] not in kept]
    links = [dict(zip(("id", "origin_id", "origin_slot", "target_id", "target_slot", "type"), link))
             for link in page["links"] if link[0] not in outputs]
    links += [{"id": 90 + slot, "origin_id": origin, "origin_slot": 0, "target_id": -20, "target_slot": slot}
              for slot, origin in enumerate(outputs.values())]
    inside = {"id": kind, "name": "Draw", "nodes": nodes, "links": links, "inputs": [], "outputs": []}
    host = {"id": 70, "type": kind, "inputs": [], "outputs": []}
    last = [node for node in page["nodes"] if node["type"] in kept]
    outer = [[number, 70, slot, link[3], link[4], "IMAGE"] for slot, number in enumerate(outputs)
             for link in page["links"] if link[0] == number]
    return {"nodes": [host, *last], "links": outer, "definitions": {"subgraphs": [inside]}}


def test_a_sampler_in_a_subgraph_is_read(saved):
    page = json.loads(saved["workflow"])
    decode, save = (next(node for node in page["nodes"] if node["type"] == kind) for kind in ("VAEDecode", "SaveImage"))
    folded = put_inside(page, ("SaveImage",), {save["inputs"][0]["link"]: decode["id"]})
    assert read_settings(make_png(workflow=folded)) == (OURS, LADYBIRD, "flat")
    inside, host = folded["definitions"]["subgraphs"][0], folded["nodes"][0]
    sampler = next(node for node in inside["nodes"] if node["type"] == "KSampler")
    inside["inputs"] = [{"name": "steps", "type": "INT"}]  # a widget shown on the outside
    inside["links"].append({"id": 80, "origin_id": -10, "origin_slot": 0, "target_id": 3, "target_slot": 4})
    sampler["inputs"].append({"name": "steps", "type": "INT", "link": 80, "widget": {"name": "steps"}})
    assert read_settings(make_png(workflow=folded))[0] == OURS  # the outside says nothing: the inside's counts
    host["inputs"].append({"name": "steps", "type": "INT", "link": None, "widget": {"name": "steps"}})
    host["widgets_values"] = [7]
    assert read_settings(make_png(workflow=folded))[0] == replace(OURS, steps=7)
    folded["nodes"].append({"id": 71, "type": "PrimitiveNode", "widgets_values": [9, "fixed"]})
    folded["links"].append([60, 71, 0, 70, 0, "INT"])
    host["inputs"][0]["link"] = 60
    assert read_settings(make_png(workflow=folded))[0] == replace(OURS, steps=9)
    twice = put_inside(folded, ("SaveImage",), {folded["links"][0][0]: 70}, kind="outside")
    twice["definitions"]["subgraphs"][0]["definitions"] = folded["definitions"]  # one inside another
    assert read_settings(make_png(workflow=twice))[0] == replace(OURS, steps=9)


@pytest.mark.parametrize("hosts", [1, 2])
def test_a_subgraph_that_holds_itself_is_junk(hosts, saved):
    page = json.loads(saved["workflow"])
    folded = put_inside(page, ("SaveImage",), {9: 8})
    inside = folded["definitions"]["subgraphs"][0]
    inside["nodes"] = [dict(folded["nodes"][0], id=70 + number) for number in range(hosts)]
    with pytest.raises(LessonError, match="KSampler"):
        read_settings(make_png(workflow=folded))


def test_many_nested_subgraphs_are_junk():
    """Forty levels of two are a million million nodes."""
    parts = [{"id": f"level{level}", "inputs": [], "outputs": [], "links": [],
              "nodes": [{"id": number, "type": f"level{level + 1}"} for number in (1, 2)]} for level in range(40)]
    parts.append({"id": "level40", "nodes": [], "links": []})  # and no node inside counts
    page = {"nodes": [{"id": 1, "type": "level0"}], "links": [], "definitions": {"subgraphs": parts}}
    with pytest.raises(LessonError, match="KSampler"):
        read_settings(make_png(workflow=page))


def test_junk_in_one_chunk_leaves_the_others():
    chunk = write_parameters(OURS, LADYBIRD, "", 96, 96)
    for junk in ("{", "[]", "null", "[" * 100_000, '{"3": 5}', '{"3": {"class_type": "KSampler"}}', "1" * 5000):
        assert read_settings(make_png(prompt=junk, workflow=junk, parameters=chunk))[0].seed == OURS.seed


def without(graph, *path):
    inside = graph
    for name in path[:-1]:
        inside = inside[name]
    del inside[path[-1]]
    return graph


def changed(**inputs):
    graph = graph_of()
    graph["3"]["inputs"] |= inputs
    return graph


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("prompt", [
    "", "not JSON", "{", "{}", "[]", "null", "7", '"text"', "NaN", "[" * 100_000, "{\"a\":" * 100_000, "9" * 5000,
    {"3": None}, {"3": {"class_type": "KSampler", "inputs": None}}, {"3": {"class_type": ["KSampler"], "inputs": {}}},
    without(graph_of(), "3"), without(graph_of(), "3", "inputs", "seed"),
    without(graph_of(), "3", "inputs", "scheduler"), changed(sampler_name={"name": "euler"}), changed(scheduler=None),
    changed(seed=["3", 0]), changed(seed=["404", 0]), changed(seed=-1), changed(seed=2**64), changed(seed=True),
    changed(seed=1e300), changed(steps="20"), changed(steps=0), changed(cfg=float("nan")), changed(cfg=None),
    changed(denoise=[1, 2, 3]),
])
def test_junk_is_answered(prompt, language):
    set_language(language)
    with pytest.raises(LessonError) as problem:
        read_settings(make_png(prompt=prompt))
    assert problem.value.next_step and len(str(problem.value)) < 1500


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("parameters", [
    "", "a cat", "Steps: 20", "Steps: x, Sampler: Euler, CFG scale: 7, Seed: 1",
    "a\nSteps: 20, Sampler: Euler, Seed: 1",
    "a\nSteps: 20, Sampler: Euler, CFG scale: nan, Seed: 1", "a" * 500_000, ":" * 500_000, 'A: "' * 100_000,
])
def test_junk_parameters_are_answered(parameters, language):
    set_language(language)
    with pytest.raises(LessonError):
        read_settings(make_png(parameters=parameters))


def test_missing_texts_are_told():
    """A KSampler whose texts cannot be found still gives its numbers; an empty text would be a guess."""
    for graph in (without(graph_of(), "6"), without(graph_of(), "3", "inputs", "positive"), changed(positive=["3", 0])):
        found = read_settings(make_png(prompt=graph))
        assert (found.settings.seed, found.prompt, found.negative_prompt) == (OURS.seed, None, "flat")
        assert [*found.unknown] == ["prompt"] and found.unknown["prompt"] in str(found)


def test_half_a_surrogate_pair_is_replaced():
    assert read_settings(make_png(prompt=graph_of(prompt="a cat \ud800")))[1] == "a cat ?"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_that_is_no_png_is_answered(tmp_path, language):
    set_language(language)
    whole = make_png(prompt=graph_of())
    jpeg = io.BytesIO()
    Image.new("RGB", (8, 8)).save(jpeg, format="JPEG")
    bomb = whole[:16] + (50_000).to_bytes(4, "big") * 2 + whole[24:]  # 50,000 x 50,000 pixels, its checksum wrong too
    for content in (b"", b"\x89PNG\r\n\x1a\n", b"text", whole[:60], jpeg.getvalue(), bomb, whole[8:]):
        with pytest.raises(LessonError, match="PNG"):
            read_settings(content)
    with pytest.raises(LessonError, match="missing.png"):
        read_settings(tmp_path / "missing.png")
    with pytest.raises(LessonError):
        read_settings(tmp_path)


def test_a_huge_chunk_is_answered():
    info, content = PngInfo(), io.BytesIO()
    info.add_text("prompt", "a" * 2**24, zip=True)  # Pillow's own limit for what is packed
    Image.new("RGB", (8, 8)).save(content, format="PNG", pnginfo=info)
    with pytest.raises(LessonError):
        read_settings(content.getvalue())
    with pytest.raises(LessonError):
        read_settings(make_png(prompt="[0," * 2**20))
    with pytest.raises(LessonError):
        read_settings(b"\x89PNG\r\n\x1a\n" + bytes(2**26))
