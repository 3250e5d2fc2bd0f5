"""Workflows of both forms are read, converted as ComfyUI's own page does, and written without loss."""

import copy
import io
import json
import random
import sys

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from course_lib.files import COURSE
from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.pictures.picture import Picture
from course_lib.sampling.metadata import build_graph, write_chunks
from course_lib.sampling.settings import SamplerSettings
from course_lib.workflow import draw, read
from course_lib.workflow.graph import Workflow
from course_lib.workflow.known import list_known
from course_lib.workflow.node_types import NodeType, read_types
from course_lib.workflow.nodes.built_in import NODES
from course_lib.workflow.parts import Node

TESTS = COURSE / "tests"
sys.path.insert(0, str(TESTS / "by_hand"))
from check_templates import find_losses  # noqa: E402

FILES = sorted((TESTS.parent / "data" / "workflows").glob("*.json"))
RECORDED = json.loads((TESTS / "data" / "comfyui_pages.json").read_text(encoding="utf-8"))
CASES = RECORDED["cases"]
LORA, PLAIN = "kolors_with_lora_example", "kolors_example"


def open_file(name):
    return read(TESTS.parent / "data" / "workflows" / f"{name}.json")


def make_png(**chunks):
    """Return a small PNG's bytes with these text chunks."""
    info, content = PngInfo(), io.BytesIO()
    for name, value in chunks.items():
        info.add_text(name, value if isinstance(value, str) else json.dumps(value))
    Image.new("RGB", (8, 8)).save(content, format="PNG", pnginfo=info)
    return content.getvalue()


def strip(api):
    """Return the server's form without titles."""
    return {key: {"class_type": node["class_type"], "inputs": node["inputs"]} for key, node in api.items()}


def same(first, second):
    """Say whether two workflows have the same nodes, links, groups and subgraphs."""
    return all(getattr(first, key) == getattr(second, key) for key in ("nodes", "links", "groups")) \
        and all(first.subgraphs[key].nodes == second.subgraphs[key].nodes for key in first.subgraphs)


def test_the_camps_workflow_with_lora_as_its_node_table_says():
    assert strip(open_file(LORA).to_api()) == {
        "6": {"class_type": "DownloadAndLoadKolorsModel",
              "inputs": {"model": "Kwai-Kolors/Kolors", "precision": "fp16"}},
        "16": {"class_type": "LoadKolorsLoRA", "inputs": {
            "kolors_model": ["6", 0], "lora_alpha": 2,
            "lora_path": "models/lightning_logs/version_0/checkpoints/epoch=0-step=500.ckpt"}},
        "13": {"class_type": "DownloadAndLoadChatGLM3", "inputs": {"precision": "fp16"}},
        "12": {"class_type": "KolorsTextEncode", "inputs": {
            "chatglm3_model": ["13", 0], "prompt": "二次元，长发，少女，白色背景", "negative_prompt": "",
            "num_images_per_prompt": 1}},
        "14": {"class_type": "KolorsSampler", "inputs": {
            "kolors_model": ["16", 0], "kolors_embeds": ["12", 0], "width": 1024, "height": 1024, "seed": 0,
            "steps": 25, "cfg": 5, "scheduler": "EulerDiscreteScheduler", "denoise_strength": 1}},
        "11": {"class_type": "VAELoader", "inputs": {"vae_name": "sdxl.vae.safetensors"}},
        "10": {"class_type": "VAEDecode", "inputs": {"samples": ["14", 0], "vae": ["11", 0]}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["10", 0]}}}


def test_seven_sampler_values_and_an_open_latent():
    """The plain file has no denoise_strength and no latent; the one with a LoRA a latent that nothing is linked to."""
    plain, lora = open_file(PLAIN), open_file(LORA)
    assert list(plain.nodes["14"].widgets.values()) == [
        1024, 1024, 1000102404233412, "fixed", 25, 5, "EulerDiscreteScheduler"]
    assert plain.to_api()["14"]["inputs"]["denoise_strength"] == 1.0
    assert plain.to_api()["14"]["inputs"]["kolors_model"] == ["6", 0]
    assert lora.nodes["14"].inputs["latent"] is None and "latent" not in lora.to_api()["14"]["inputs"]
    assert {link.id: (link.source, link.output, link.target, link.input, link.kind) for link in lora.links} == {
        12: ("11", 0, "10", "vae", "VAE"), 13: ("10", 0, "3", "images", "IMAGE"),
        14: ("13", 0, "12", "chatglm3_model", "CHATGLM3MODEL"), 17: ("12", 0, "14", "kolors_embeds", "KOLORS_EMBEDS"),
        18: ("14", 0, "10", "samples", "LATENT"), 19: ("6", 0, "16", "kolors_model", "KOLORSMODEL"),
        20: ("16", 0, "14", "kolors_model", "KOLORSMODEL")}


@pytest.mark.parametrize("name", CASES)
def test_converted_as_comfyui_itself_does(name):
    """Against what ComfyUI's page made of the same workflow (tests/by_hand/record_pages.py)."""
    workflow = read(CASES[name]["page"], RECORDED["definitions"])
    assert workflow.to_api() == CASES[name]["api"]
    assert workflow.problems == []


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_lost_when_written_again(name):
    page = CASES[name]["page"]
    workflow = read(page, RECORDED["definitions"])
    again = workflow.to_ui()
    assert find_losses(page, again) == []
    assert same(read(again, RECORDED["definitions"]), workflow)
    assert read(again, RECORDED["definitions"]).to_api() == CASES[name]["api"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_courses_files(path):
    page = json.loads(path.read_text(encoding="utf-8"))
    workflow = read(path)
    assert workflow.problems == [] and workflow.find_cycle() == []
    assert find_losses(page, workflow.to_ui()) == [] and same(read(workflow.to_ui()), workflow)
    api = workflow.to_api()
    assert strip(read(api).to_api()) == strip(api)
    assert strip(read(read(api).to_ui()).to_api()) == strip(api)  # laid out by columns, and read from there


def test_a_loss_is_found():
    page = CASES["lora"]["page"]
    written = read(page, RECORDED["definitions"]).to_ui()
    for part, change in (("values of node 10", lambda page: page["nodes"][7]["widgets_values"].pop()),
                         ("link", lambda page: page["nodes"][0]["outputs"][0]["links"] and page["links"].pop()),
                         ("look of node 4", lambda page: page["nodes"][0].update(mode=4)),
                         ("node 4", lambda page: page["nodes"].pop(0))):
        broken = copy.deepcopy(written)
        change(broken)
        assert any(loss.startswith(part) for loss in find_losses(page, broken)), part


def test_a_workflow_built_by_hand_opens_as_a_page():
    """The server's form, in Python, becomes a page: columns from left to right, numbered links, values in order."""
    api = {"a": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "kolors.safetensors"}},
           "b": {"class_type": "KSampler", "inputs": {"steps": 4, "seed": 7, "model": ["a", 0]}}}
    page = read(api).to_ui()
    loader, sampler = page["nodes"]
    assert sampler["widgets_values"] == [7, "fixed", 4, 8.0, "euler", "simple", 1.0]
    assert [socket["name"] for socket in sampler["inputs"]] == ["model", "positive", "negative", "latent_image"]
    assert page["links"] == [[1, "a", 0, "b", 0, "MODEL"]] and loader["outputs"][0]["links"] == [1]
    assert loader["pos"][0] + loader["size"][0] < sampler["pos"][0]
    boxes = [(*node["pos"], *node["size"]) for node in read(open_file(LORA).to_api()).to_ui()["nodes"]]
    for one in boxes:
        for other in boxes:
            assert one is other or one[0] + one[2] <= other[0] or other[0] + other[2] <= one[0] \
                or one[1] + one[3] <= other[1] - 30 or other[1] + other[3] <= one[1] - 30


def test_every_way_in_gives_the_same(tmp_path):
    page = json.loads((TESTS.parent / "data" / "workflows" / f"{LORA}.json").read_text(encoding="utf-8"))
    api = read(page).to_api()
    png = make_png(workflow=page, prompt=api)
    (tmp_path / "picture.png").write_bytes(png)
    (tmp_path / "page.json").write_text(json.dumps(page), encoding="utf-8-sig")
    for source in (png, tmp_path / "picture.png", tmp_path / "page.json", str(tmp_path / "page.json"), page,
                   json.dumps(page), {"prompt": api, "extra_data": {}}, make_png(workflow="junk", prompt=api), api):
        assert read(source).to_api() == api
    assert read(make_png(prompt=api)).form == "api" and read(png).form == "ui"


def test_the_picture_that_the_course_saves(tmp_path):
    settings = SamplerSettings(seed=3, steps=4)
    chunks = write_chunks(settings, "一只瓢虫", "", 96, 96)
    path = Picture(Image.new("RGB", (96, 96)), "", chunks=chunks).save(tmp_path / "p.png")
    assert strip(read(path).to_api()) == strip(build_graph(settings, "一只瓢虫", "", 96, 96))


def test_links_as_objects_and_values_as_a_dict():
    page = copy.deepcopy(CASES["plain"]["page"])
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    page["links"] = [dict(zip(names, link, strict=True)) for link in page["links"]]
    page["version"] = 1
    sampler = next(node for node in page["nodes"] if node["type"] == "KSampler")
    sampler["widgets_values"] = dict(zip(list_known()["KSampler"].list_widgets(), sampler["widgets_values"],
                                         strict=True))
    workflow = read(page)
    assert workflow.to_api() == CASES["plain"]["api"]
    assert next(node for node in workflow.to_ui()["nodes"] if node["type"] == "KSampler")["widgets_values"] \
        == sampler["widgets_values"]


def test_an_unknown_node_is_kept_named_and_converted_once_it_is_defined():
    page = copy.deepcopy(CASES["plain"]["page"])
    page["nodes"].append({"id": 50, "type": "Stranger", "pos": [0, 0], "size": [200, 80], "mode": 0,
                          "widgets_values": [1, [2, 3]], "outputs": [], "inputs": []})
    workflow = read(page)
    assert workflow.nodes["50"].widgets == {"0": 1, "1": [2, 3]}
    with pytest.raises(LessonError, match="Stranger.*50"):
        workflow.to_api()
    definition = {"Stranger": {"input": {"required": {"count": ["INT", {}], "points": ["STRING", {}]}}, "output": []}}
    expected = {"count": 1, "points": {"__value__": [2, 3]}}
    assert workflow.to_api(definition)["50"]["inputs"] == read(page, definition).to_api()["50"]["inputs"] == expected
    assert read(read(page, definition).to_api(), definition).nodes["50"].widgets == {"count": 1, "points": [2, 3]}
    page["nodes"][-1]["widgets_values_named"] = {"count": 1, "points": [2, 3]}  # newer pages tell the names
    assert read(page).to_api()["50"]["inputs"] == expected
    assert read(page).to_ui()["nodes"][-1]["widgets_values_named"] == {"count": 1, "points": [2, 3]}


def test_choices_in_a_prompt_are_made_as_the_page_makes_them():
    page = copy.deepcopy(CASES["plain"]["page"])
    text = next(node for node in page["nodes"] if node["id"] == 6)
    text["widgets_values"] = ["a {red|{dark|light} blue} cat \\{1\\} // not this\nend /* nor this */"]
    found = {read(page).to_api()["6"]["inputs"]["text"] for _ in range(60)}
    assert found == {f"a {colour} cat {{1}} \nend " for colour in ("red", "dark blue", "light blue")}


def test_a_circle_is_named_and_ends():
    page = copy.deepcopy(CASES["reroutes"]["page"])
    page["links"][0][1:3] = [21, 0]  # the first reroute now takes from the second
    workflow = read(page)
    assert workflow.find_cycle() in (["20", "21"], ["21", "20"])
    assert "20" in workflow.problems[-1] and "21" in workflow.problems[-1]
    with pytest.raises(LessonError, match="model"):
        workflow.to_api()
    assert draw(workflow).svg
    api = {"1": {"class_type": "VAEDecode", "inputs": {"samples": ["1", 0]}}}
    assert read(api).find_cycle() == ["1"] and read(read(api).to_ui()).find_cycle() == ["1"]


def test_a_subgraph_that_holds_itself_is_refused():
    page = copy.deepcopy(CASES["subgraph"]["page"])
    inside = page["definitions"]["subgraphs"][0]
    inside["nodes"][0]["type"] = inside["id"]
    workflow = read(page)
    assert draw(workflow).svg and draw(workflow, "Write").svg
    with pytest.raises(LessonError, match="Write"):
        workflow.to_api()


def test_what_does_not_fit_is_told_and_left_out():
    page = copy.deepcopy(CASES["plain"]["page"])
    page["nodes"] += [page["nodes"][0], 7, {"id": 60}, {"id": 61, "type": "VAEDecode", "inputs": [
        {"name": "samples", "type": "LATENT", "link": 900}, {"name": "vae", "type": "VAE", "link": "x"}, 3]}]
    page["links"] += [[900, 999, 0, 61, 0, "LATENT"], "junk", [1], None, [True] * 6]
    workflow = read(page)
    assert len(workflow.problems) == 4  # two entries that are no nodes, one id twice, two links to nowhere
    assert len(workflow.nodes) == 9 and workflow.nodes["61"].inputs == {"samples": None, "vae": None}
    assert len({node["id"] for node in workflow.to_ui()["nodes"]}) == 9
    assert read({"1": {"class_type": "VAEDecode", "inputs": {"samples": ["9", 0], "vae": ["1", 10**9]}},
                 "2": {}}).problems


@pytest.mark.parametrize("source", [
    b"", b"{", b"[1, 2]", b"null", b"\xff\xfe\x00", b'{"a": 1}', b'{"nodes": 3}', b"[" * 100_000,
    b'{"nodes": ' + b"[" * 2_000 + b"]" * 2_000 + b"}", b'{"n": "' + b"x" * (17 * 2**20) + b'"}',
    b'{"nodes": [' + b"1," * 3_000_000 + b"1]}", b'{"nodes": [' + b'{"type": "A"},' * 6_000 + b'{"type": "A"}]}',
    json.dumps({"nodes": [], "n": [[1] * 1000] * 1100}).encode(), 7, None, "no/such/file.json", "a\0b",
    make_png(), make_png(workflow="{", prompt="[]"), make_png(workflow={"a": 1}), b"\x89PNG\r\n\x1a\n" + b"x" * 100,
    {"nodes": {1, 2}}, {"1": {"class_type": "A", "inputs": float}},
], ids=range(23))
@pytest.mark.parametrize("spoken", LANGUAGES)
def test_junk_is_answered(source, spoken):
    set_language(spoken)
    with pytest.raises(LessonError) as answer:
        read(source)
    assert len(str(answer.value)) < 1_000


def test_no_folder_of_the_machine_is_told(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    for name in ("broken.json", "absent.json"):
        with pytest.raises(LessonError) as answer:
            read(tmp_path / name)
        assert name in str(answer.value) and str(tmp_path) not in str(answer.value)


def mutate(value, pick):
    """Return the value with one part of it replaced by junk."""
    if pick.random() < 0.12 or not isinstance(value, (dict, list)) or not value:
        return pick.choice([None, -1, 1e999, 10**30, "", "x" * 300, "<script>", [], {}, [[]], True, {"0": {}},
                            "\ud800", 10**400, -10**400])
    value = copy.copy(value)
    key = pick.choice(list(value)) if isinstance(value, dict) else pick.randrange(len(value))
    value[key] = mutate(value[key], pick)
    return value


def test_wrong_types_anywhere_end_in_no_traceback():
    """Each recorded page with up to four parts replaced by junk is read, drawn and converted, or answered."""
    pick, done = random.Random(0), 0
    for name in [*CASES] * 8:
        page = CASES[name]["page"]
        for _ in range(pick.randint(1, 4)):
            page = mutate(page, pick)
        try:
            workflow = read(page)
            draw(workflow)
            for part in workflow.subgraphs:
                draw(workflow, part)
            read(workflow.to_ui())
            done += 1
            read(workflow.to_api())
        except LessonError:
            continue
    assert done > 100


def test_definitions_of_every_form_agree():
    """The table, the node classes of the runner, and /object_info say the same of a node."""
    recorded = read_types({**RECORDED["definitions"]})
    assert recorded["StringConcatenate"].list_widgets() == ("string_a", "string_b", "delimiter")
    assert read_types(recorded) == recorded and isinstance(recorded["StringConcatenate"], NodeType)
    known = list_known()
    for name, described in read_types(NODES).items():
        ours = known[name]
        assert {key: value.kind for key, value in ours.inputs.items()} \
            == {key: value.kind for key, value in described.inputs.items()}, name
        assert ours.outputs == described.outputs and ours.output_node == described.output_node, name
        for key, value in described.inputs.items():
            mine = ours.inputs[key]
            assert (mine.min, mine.max, mine.required, mine.is_widget, mine.control) \
                == (value.min, value.max, value.required, value.is_widget, value.control), (name, key)


@pytest.mark.parametrize("definitions", [7, {"A": 7}, {"A": {}}, {"A": {"input": 3, "output": []}}])
def test_wrong_definitions_are_answered(definitions):
    with pytest.raises(LessonError):
        read(CASES["plain"]["page"], definitions)


def test_a_workflow_made_of_parts():
    workflow = Workflow({"1": Node("1", "SaveImage", widgets={"filename_prefix": "x"})})
    assert strip(workflow.to_api()) == {"1": {"class_type": "SaveImage", "inputs": {"filename_prefix": "x"}}}
    assert read(workflow.to_ui()).to_api() == workflow.to_api()
