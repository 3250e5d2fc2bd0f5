"""Pages with nodes that stand for others: subgraphs' hosts and their values, group nodes, wires by name, labels."""

import copy
import json

import pytest

from course_lib.files import COURSE
from course_lib.messages import LessonError
from course_lib.workflow.drawing import draw
from course_lib.workflow.graph import read

PAGES = COURSE / "tests" / "data" / "pages"
INSIDE = "aaaaaaaa-0000-4000-8000-000000000001"  # the subgraph of two_hosts.json: a CLIPTextEncode


def open_page(name):
    """Return one of the pages as a dict that a test may change."""
    return json.loads((PAGES / name).read_text(encoding="utf-8"))


def node_of(page, number):
    """Return a page's node by its id."""
    return next(node for node in page["nodes"] if node["id"] == number)


def sent(page):
    """Return what the server gets, without titles: {id: (class, inputs)}."""
    return {number: (node["class_type"], node["inputs"]) for number, node in read(page).to_api().items()}


def is_kept(page):
    """Say whether a page that is written again is read as the same."""
    workflow = read(page)
    again = workflow.to_ui()
    values = [[node.get("widgets_values") or [] for node in some["nodes"]] for some in (page, again)]
    return values[0] == values[1] and read(again).to_api() == workflow.to_api()


# --- files of users


def test_a_group_node_is_unfolded():
    page = open_page("group_node.json")
    found = sent(page)
    assert found["70:0"] == ("VAEDecode", {"samples": ["3", 0], "vae": ["4", 2]})
    assert found["9"][1]["images"] == ["70:0", 0] and set(found) == {"3", "4", "5", "6", "7", "9", "70:0"}
    assert is_kept(page) and "definitions" not in read(page).to_ui()
    assert "dec" in draw(read(page)).svg and "VAE Decode" in draw(read(page), "dec").svg


def test_nodes_of_the_page_alone_are_not_sent():
    page = open_page("rgthree.json")
    found = sent(page)
    assert set(found) == {str(number) for number in range(3, 10)} and found["3"][1]["model"] == ["4", 0]
    assert is_kept(page)
    known = {"Label (rgthree)": {"input": {"required": {}}, "output": []}}
    assert "61" in read(page).to_api(known)  # a server that has such a class gets it


def test_two_hosts_of_one_subgraph_keep_their_own_values():
    page = open_page("two_hosts.json")
    found = sent(page)
    assert found["6:10"] == ("CLIPTextEncode", {"text": "a red fox", "clip": ["4", 1]})
    assert found["7:10"] == ("CLIPTextEncode", {"text": "blurry", "clip": ["4", 1]})
    assert is_kept(page)
    assert read(page).nodes["6"].widgets == {"text": "a red fox"}


# --- hosts


def with_sampler(values, proxies=None, named=None, promoted=("seed", "steps", "cfg")):
    """Return a page whose KSampler stands in a subgraph that shows some of its widgets, with a host's values."""
    page = open_page("two_hosts.json")
    sampler = node_of(page, 3)
    host = copy.deepcopy(sampler)
    host |= {"type": "sub", "widgets_values": values, "properties": {}}
    if named is not None:
        host["widgets_values_named"] = named
    if proxies is not None:
        host["properties"] = {"proxyWidgets": proxies}
    plain = [socket["name"] for socket in sampler["inputs"]]
    takes = [*plain, *promoted]
    links = [{"id": slot + 1, "origin_id": -10, "origin_slot": slot, "target_id": 30, "target_slot": slot}
             for slot in range(len(takes))]
    links.append({"id": 50, "origin_id": 30, "origin_slot": 0, "target_id": -20, "target_slot": 0})
    inner = {**sampler, "id": 30, "inputs": [
        {"name": name, "type": "*", "link": slot + 1, **({"widget": {"name": name}} if name in promoted else {})}
        for slot, name in enumerate(takes)]}
    page["nodes"][page["nodes"].index(sampler)] = host
    page["definitions"]["subgraphs"].append({
        "id": "sub", "name": "Draw", "nodes": [inner], "links": links,
        "inputNode": {"id": -10, "bounding": [0, 0, 120, 80]}, "outputNode": {"id": -20, "bounding": [500, 0, 120, 60]},
        "inputs": [{"name": name, "type": "INT"} for name in takes], "outputs": [{"name": "LATENT", "type": "LATENT"}]})
    return page


OWN = {"seed": 11, "steps": 20, "cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": 1}


@pytest.mark.parametrize(("page", "changes"), [
    (with_sampler([5, 9, 3.5]), {"seed": 5, "steps": 9, "cfg": 3.5}), (with_sampler([5]), {"seed": 5}),
    (with_sampler([5, "randomize", 9, 3.5]), {"seed": 5, "steps": 9, "cfg": 3.5}),  # the seed's control has a place
    (with_sampler([None, 9, None]), {"steps": 9}), (with_sampler([]), {}), (with_sampler(None), {}),
    (with_sampler([5, 9, 3.5], named={"seed": 5, "steps": 9, "cfg": 3.5}), {"seed": 5, "steps": 9, "cfg": 3.5}),
    (with_sampler(None, named={"cfg": 3.5, "seed": 5}), {"seed": 5, "cfg": 3.5}),
    (with_sampler([9, 5], proxies=[["30", "steps"], ["30", "seed"]]), {"seed": 5, "steps": 9}),
    (with_sampler([9, 5], proxies='[["-1", "steps"], ["-1", "seed"]]'), {"seed": 5, "steps": 9}),
    (with_sampler([None, 4], proxies=[["30", "$$canvas-image-preview"], ["30", "steps"]]), {"steps": 4}),
    (with_sampler(["karras", 9], proxies=[["30", "scheduler"], ["30", "steps"]], promoted=()),
     {"scheduler": "karras", "steps": 9}),
    (with_sampler([1, 2], proxies=[["404", "steps"], ["30", "steps"]]), {"steps": 2}),
], ids=range(13))
def test_a_hosts_values_go_to_the_widgets_they_show(page, changes):
    found = sent(page)["3:30"][1]
    assert {name: found[name] for name in OWN} == {**OWN, **changes}
    assert found["positive"] == ["6:10", 0] and is_kept(page)


def test_a_link_to_a_host_wins_over_its_value():
    page = with_sampler([5, 9, 3.5])
    node_of(page, 3)["inputs"].append({"name": "steps", "type": "INT", "link": 90, "widget": {"name": "steps"}})
    page["nodes"].append({"id": 80, "type": "PrimitiveInt", "widgets_values": [33, "fixed"], "inputs": [],
                          "outputs": [{"name": "INT", "type": "INT", "links": [90]}]})
    page["links"].append([90, 80, 0, 3, 4, "INT"])
    known = {"PrimitiveInt": {"input": {"required": {"value": ["INT", {"control_after_generate": True}]}},
                              "output": ["INT"]}}
    assert read(page, known).to_api()["3:30"]["inputs"]["steps"] == ["80", 0]


def nest(page, values):
    """Return the page with the host of "sub" in a subgraph of its own, which shows the same widgets."""
    host = node_of(page, 3)
    part = next(part for part in page["definitions"]["subgraphs"] if part["id"] == "sub")
    takes = [socket["name"] for socket in part["inputs"]]
    inner = {**host, "id": 40, "inputs": [{"name": name, "type": "*", "link": slot + 1}
                                          for slot, name in enumerate(takes)]}
    links = [{"id": slot + 1, "origin_id": -10, "origin_slot": slot, "target_id": 40, "target_slot": slot}
             for slot in range(len(takes))]
    links.append({"id": 50, "origin_id": 40, "origin_slot": 0, "target_id": -20, "target_slot": 0})
    page["definitions"]["subgraphs"].append({**part, "id": "outer", "name": "Outer", "nodes": [inner], "links": links})
    host.update(type="outer", widgets_values=values)
    return page


@pytest.mark.parametrize(("outer", "inner", "expected"), [
    ([5, 9, 3.5], [1, 2, 3], (5, 9, 3.5)), ([], [1, 2, 3], (1, 2, 3)), ([None, 9], [1, 2, 3], (1, 9, 3)),
    ([], [], (11, 20, 7))])
def test_the_outermost_host_wins(outer, inner, expected):
    page = nest(with_sampler(inner), outer)
    found = sent(page)["3:40:30"][1]
    assert (found["seed"], found["steps"], found["cfg"]) == expected and is_kept(page)


# --- values with names


@pytest.mark.parametrize(("values", "named"), [
    ([1, "fixed", 2, 3, "euler", "karras", 1], {"seed": 1, "control_after_generate": "fixed", "steps": 2, "cfg": 3,
                                                "sampler_name": "euler", "scheduler": "karras", "denoise": 1}),
    (None, {"denoise": 1, "seed": 1, "steps": 2, "cfg": 3, "scheduler": "karras", "sampler_name": "euler"}),
    ([2, 1, 3], {"seed": 1, "steps": 2, "cfg": 3, "sampler_name": "euler", "scheduler": "karras", "denoise": 1}),
])
@pytest.mark.parametrize("kind", ["KSampler", "SomeSampler"])
def test_names_beside_the_values_win(values, named, kind):
    page = open_page("rgthree.json")
    sampler = node_of(page, 3)
    sampler.update(type=kind, widgets_values_named=named, widgets_values=values)
    found = sent(page)["3"][1]
    assert {name: found[name] for name in OWN} == {"seed": 1, "steps": 2, "cfg": 3, "sampler_name": "euler",
                                                   "scheduler": "karras", "denoise": 1}
    assert {name for name in found if name.isdecimal()} == set()


def test_values_without_a_name_keep_their_places():
    """A button, which has a value in some files and no name in any."""
    page = open_page("rgthree.json")
    node_of(page, 5).update(type="SomeLatent", widgets_values=["press", 512, 768, 1],
                            widgets_values_named={"width": 512, "height": 768, "batch_size": 1})
    assert sent(page)["5"][1] == {"width": 512, "height": 768, "batch_size": 1} and is_kept(page)


# --- group nodes


def with_group(nodes, links, host, **more):
    """Return a page with a group node "pair" of these nodes inside, the page's own nodes linked to it by the host."""
    page = open_page("group_node.json")
    page["extra"]["groupNodes"] = {"pair": {"nodes": nodes, "links": links, **more}}
    node_of(page, 70).update(type="workflow>pair", **host)
    return page


def inner(kind, inputs, outputs, values=None, **more):
    """Return a node inside a group node."""
    return {"id": -1, "type": kind, "inputs": [{"name": name, "type": socket, "link": None, **(
        {"widget": {"name": name}} if socket in ("INT", "STRING") else {})} for name, socket in inputs],
            "outputs": [{"name": name, "type": name, "links": None} for name in outputs],
            "widgets_values": values, **more}


DECODE = inner("VAEDecode", [("samples", "LATENT"), ("vae", "VAE")], ["IMAGE"])
SCALE = inner("ImageScaleBy", [("image", "IMAGE")], ["IMAGE"], ["bicubic", 2.0])
HOSTS_INPUTS = [{"name": "samples", "type": "LATENT", "link": 7}, {"name": "vae", "type": "VAE", "link": 8}]


def test_a_chain_in_a_group_node():
    page = with_group([DECODE, SCALE], [[0, 0, 1, 0, 8, "IMAGE"]],
                      {"inputs": HOSTS_INPUTS, "widgets_values": ["lanczos", 1.5]}, external=[[1, 0, "IMAGE"]])
    found = sent(page)
    assert found["70:1"] == ("ImageScaleBy", {"image": ["70:0", 0], "upscale_method": "lanczos", "scale_by": 1.5})
    assert found["9"][1]["images"] == ["70:1", 0] and found["70:0"][1] == {"samples": ["3", 0], "vae": ["4", 2]}
    assert is_kept(page)


def test_two_outputs_of_a_group_node():
    page = with_group([DECODE, SCALE], [[0, 0, 1, 0, 8, "IMAGE"]], {
        "inputs": HOSTS_INPUTS, "widgets_values": ["lanczos", 1.5],
        "outputs": [{"name": name, "type": "IMAGE", "links": []} for name in ("IMAGE", "ImageScaleBy IMAGE")]},
        external=[[0, 0, "IMAGE"], [1, 0, "IMAGE"]])
    next(link for link in page["links"] if link[0] == 9)[2] = 1
    assert sent(page)["9"][1]["images"] == ["70:1", 0]


def test_two_alike_with_hidden_inputs():
    page = with_group([DECODE, DECODE], [], {"inputs": HOSTS_INPUTS, "outputs": [
        {"name": "IMAGE", "type": "IMAGE", "links": [9]}, {"name": "VAEDecode IMAGE", "type": "IMAGE", "links": None}]},
        external=[], config={"1": {"input": {"samples": {"visible": False}, "vae": {"visible": False}}}})
    found = sent(page)
    assert found["70:0"][1] == {"samples": ["3", 0], "vae": ["4", 2]} and found["70:1"][1] == {}
    more = [{"name": "VAEDecode samples", "type": "LATENT", "link": 77},
            {"name": "VAEDecode vae", "type": "VAE", "link": None}]
    shown = with_group([DECODE, DECODE], [], {"inputs": [*HOSTS_INPUTS, *more]})
    shown["links"].append([77, 5, 0, 70, 2, "LATENT"])
    assert sent(shown)["70:1"][1] == {"samples": ["5", 0]}


def test_a_widget_that_became_an_input_before_it_was_grouped():
    text = inner("CLIPTextEncode", [("clip", "CLIP"), ("text", "STRING")], ["CONDITIONING"], ["an old text"])
    page = with_group([text, DECODE], [], {"inputs": [{"name": "clip", "type": "CLIP", "link": 2}, *HOSTS_INPUTS, {
        "name": "text", "type": "STRING", "link": 95, "widget": {"name": "text"}}], "widgets_values": [],
        "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING", "links": []},
                    {"name": "IMAGE", "type": "IMAGE", "links": [9]}]})
    next(link for link in page["links"] if link[0] == 9)[2] = 1
    page["nodes"].append({"id": 95, "type": "PrimitiveNode", "widgets_values": ["a red fox"], "inputs": [],
                          "outputs": [{"name": "STRING", "type": "STRING", "links": [95]}]})
    page["links"].append([95, 95, 0, 70, 3, "STRING"])
    found = sent(page)
    assert found["70:0"] == ("CLIPTextEncode", {"clip": ["4", 1], "text": "a red fox"})
    assert found["9"][1]["images"] == ["70:1", 0]


def test_a_primitive_and_a_reroute_in_a_group_node():
    primitive = inner("PrimitiveNode", [], ["STRING"], ["an old text"])
    text = inner("CLIPTextEncode", [("clip", "CLIP"), ("text", "STRING")], ["CONDITIONING"], ["an older text"])
    reroute = inner("Reroute", [("", "*")], [""])
    page = with_group([primitive, reroute, text], [[0, 0, 2, 1, 1, "STRING"], [1, 0, 2, 0, 1, "CLIP"]], {
        "inputs": [{"name": "CLIP", "type": "CLIP", "link": 2}], "widgets_values": ["a red fox"],
        "outputs": [{"name": "CONDITIONING", "type": "CONDITIONING", "links": [5]}]})
    page["links"] = [[5, 70, 0, 3, 1, "CONDITIONING"], *(link for link in page["links"] if link[0] not in (5, 2, 9)),
                     [2, 4, 1, 70, 0, "CLIP"]]
    assert sent(page)["70:2"] == ("CLIPTextEncode", {"clip": ["4", 1], "text": "a red fox"})
    assert sent(page)["3"][1]["positive"] == ["70:2", 0]


def test_a_group_node_in_a_group_node():
    page = with_group([{**inner("workflow>dec", [("samples", "LATENT"), ("vae", "VAE")], ["IMAGE"])}, SCALE],
                      [[0, 0, 1, 0, 8, "IMAGE"]], {"inputs": HOSTS_INPUTS, "widgets_values": ["lanczos", 1.5]})
    page["extra"]["groupNodes"]["dec"] = {"nodes": [DECODE], "links": [], "external": [[0, 0, "IMAGE"]]}
    found = sent(page)
    assert found["70:0:0"][1] == {"samples": ["3", 0], "vae": ["4", 2]} and found["70:1"][1]["image"] == ["70:0:0", 0]


def test_a_group_node_whose_values_fit_nothing_is_refused():
    page = with_group([DECODE, SCALE], [[0, 0, 1, 0, 8, "IMAGE"]],
                      {"inputs": HOSTS_INPUTS, "widgets_values": ["lanczos", 1.5, 3]})
    workflow = read(page)
    assert len(workflow.problems) == 1 and "70" in workflow.problems[0] and draw(workflow).svg
    with pytest.raises(LessonError, match="pair.*70"):
        workflow.to_api()


def test_a_group_node_that_holds_itself_is_refused():
    page = with_group([inner("workflow>pair", [], ["IMAGE"])], [], {"inputs": []})
    with pytest.raises(LessonError, match="pair"):
        read(page).to_api()
    page["extra"]["groupNodes"] = {"pair": {"nodes": [7, {"type": ["x"]}], "links": ["x", [1], [0, 0, 9, 9]],
                                            "external": [[[1], 2]], "config": [3]}}
    read(page)  # junk inside is left out


# --- nodes of the page alone


def add(page, number, kind, inputs=(), outputs=(), values=None, **more):
    """Add a node to a page, its inputs linked as (name, kind, source, slot)."""
    sockets = []
    for at, (name, socket, source, slot) in enumerate(inputs):
        link = max(row[0] for row in page["links"]) + 1
        page["links"].append([link, source, slot, number, at, socket])
        sockets.append({"name": name, "type": socket, "link": link})
    page["nodes"].append({"id": number, "type": kind, "inputs": sockets, "widgets_values": values, "properties": {},
                          "outputs": [{"name": name, "type": name, "links": []} for name in outputs], **more})


def relink(page, number, name, source, slot=0):
    """Let an input of a page's node come from another node."""
    node = node_of(page, number)
    link = next(socket["link"] for socket in node["inputs"] if socket["name"] == name)
    next(row for row in page["links"] if row[0] == link)[1:3] = [source, slot]


@pytest.mark.parametrize(("setter", "getter"), [("SetNode", "GetNode"), ("easy setNode", "easy getNode")])
def test_wires_by_name(setter, getter):
    page = open_page("rgthree.json")
    add(page, 100, setter, [("MODEL", "MODEL", 64, 0)], ["*"], ["model"])
    add(page, 101, getter, outputs=["MODEL"], values=["model"])
    add(page, 102, setter, [("CLIP", "CLIP", 4, 1)], ["*"], ["clip"])
    relink(page, 3, "model", 101)
    relink(page, 6, "clip", 102)  # a setter hands on what it is given
    found = sent(page)
    assert found["3"][1]["model"] == ["4", 0] and found["6"][1]["clip"] == ["4", 1]
    assert set(found) == {str(number) for number in range(3, 10)} and is_kept(page)
    add(page, 103, setter, [("MODEL", "MODEL", 4, 0)], ["*"], ["model"])  # two of one name: which is meant?
    assert "model" not in sent(page)["3"][1]


def test_wires_by_name_into_a_subgraph():
    page = with_sampler([5, 9, 3.5])
    add(page, 100, "SetNode", [("MODEL", "MODEL", 4, 0)], ["*"], ["model"])
    part = page["definitions"]["subgraphs"][-1]
    part["nodes"].append({"id": 31, "type": "GetNode", "inputs": [], "widgets_values": ["model"],
                          "outputs": [{"name": "MODEL", "type": "MODEL", "links": [1]}]})
    part["links"][0].update(origin_id=31, origin_slot=0)
    assert sent(page)["3:30"][1]["model"] == ["4", 0]


def test_chains_of_nodes_of_the_page_alone():
    page = open_page("rgthree.json")
    add(page, 100, "Reroute (rgthree)", [("", "*", 64, 0)], ["MODEL"])
    add(page, 101, "Reroute", [("", "*", 100, 0)], ["MODEL"])
    relink(page, 3, "model", 101)
    add(page, 102, "Fast Muter (rgthree)", [("", "*", 3, 0)], ["OPT_CONNECTION"])
    add(page, 103, "Fast Groups Bypasser (rgthree)", outputs=["OPT_CONNECTION"])
    add(page, 104, "Mute / Bypass Repeater (rgthree)", [("", "*", 102, 0)], ["OPT_CONNECTION"])
    add(page, 105, "MarkdownNote", values=["# words"])
    add(page, 106, "Note Plus (mtb)", values=["words"])
    found = sent(page)
    assert found["3"][1]["model"] == ["4", 0] and set(found) == {str(number) for number in range(3, 10)}


def test_circles_of_nodes_of_the_page_alone_are_told():
    page = open_page("rgthree.json")
    add(page, 100, "SetNode", [("MODEL", "MODEL", 101, 0)], ["*"], ["model"])
    add(page, 101, "GetNode", outputs=["MODEL"], values=["model"])
    relink(page, 3, "model", 101)
    with pytest.raises(LessonError, match="model"):
        read(page).to_api()


@pytest.mark.parametrize("width", [0, 1, 12, 30, 47, 60, 200])
@pytest.mark.parametrize("name", ["", "a name that is longer", "模型"])
def test_narrow_nodes_are_drawn(width, name):
    page = {"nodes": [{"id": 1, "type": "Reroute (rgthree)", "pos": [0, 0], "size": [width, 30], "title": name,
                       "inputs": [{"name": name, "type": "*", "link": None}], "widgets_values": [name, 10**400],
                       "outputs": [{"name": name, "type": "MODEL", "links": []}]}], "links": []}
    assert draw(read(page)).svg.startswith("<svg")


def test_a_part_of_many_nodes_far_apart_is_drawn():
    nodes = [{"id": number, "type": "A", "pos": [number * 1000, 0],
              "inputs": [{"name": "x", "type": "*", "link": number}],
              "outputs": [{"name": "o", "type": "*", "links": []}]} for number in range(400)]
    page = {"nodes": nodes, "links": [[number, 399 - number, 0, number, 0, "*"] for number in range(400)]}
    assert "150" in draw(read(page)).caption


def test_old_names_are_sent_by_todays():
    page = open_page("rgthree.json")
    node_of(page, 3)["widgets_values"][1:5] = [True, 20, 7, "sample_dpmpp_2m"]
    assert sent(page)["3"][1]["sampler_name"] == "dpmpp_2m" and is_kept(page)


def test_subgraphs_with_long_ids_do_not_fill_the_memory():
    """A ring ends where it closes; a row of nested ones with ids of a kilobyte is refused while it is unfolded."""
    name = "x" * 10_000
    ring = {"nodes": [{"id": name, "type": "s"}], "links": [], "definitions": {"subgraphs": [
        {"id": "s", "nodes": [{"id": name, "type": "s"}], "links": []}]}}
    with pytest.raises(LessonError):
        read(ring).to_api()
    parts = [{"id": f"s{level}", "links": [], "nodes": [
        {"id": f"{number}{name[:900]}", "type": f"s{level + 1}"} for number in range(2)]} for level in range(19)]
    with pytest.raises(LessonError, match="太多"):
        read({"nodes": [{"id": 1, "type": "s0"}], "links": [], "definitions": {"subgraphs": parts}}).to_api()
