"""Settings in pictures that others made: right, or said that they cannot be told; files of users first, then kinds."""

import io
import json
import struct
import sys
import time
import zlib
from dataclasses import replace

import pytest
from PIL import Image

from course_lib.files import COURSE
from course_lib.messages import LANGUAGES, LessonError, set_language
from course_lib.sampling.settings import SamplerSettings
from course_lib.workflow.graph import read
from course_lib.workflow.picture_settings import read_settings

sys.path.insert(0, str(COURSE / "tests" / "by_hand"))
from fuzz_pictures import fuzz  # noqa: E402

DATA = COURSE / "tests" / "data" / "pictures"
WORKFLOWS = COURSE / "data" / "workflows"
FOX = SamplerSettings(seed=11, steps=20, cfg=7, sampler_name="euler", scheduler="normal", denoise=1)
A1111 = SamplerSettings(seed=1234567, steps=24, cfg=6.5, sampler_name="dpmpp_2m", scheduler="karras")
LINE = "Steps: 24, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 1234567, Size: 832x1216"
# What users' files hold: settings, prompt, negative prompt; what is None is unknown.
FILES = {
    "workflow_utf8.png": (FOX, "一只红狐狸，雪地，高清", "模糊，低质量"),
    "zero_out.png": (FOX, "a red fox", ""),
    "hires.png": (SamplerSettings(seed=42, steps=24, cfg=7, sampler_name="euler_ancestral"), "a red fox", "blurry"),
    "concat.png": (FOX, "a red fox, in snow", "blurry"),
    "was_concat.png": (FOX, "a red fox, in snow", "blurry"),
    "flux.png": (FOX, "a red fox in snow", "blurry"),
    "math.png": (replace(FOX, cfg=None), "a red fox", "blurry"),
    "switch.png": (replace(FOX, seed=600), "a red fox", "blurry"),
    "preview_later.png": (FOX, "a red fox", "blurry"),
    "bypassed_second_pass.png": (FOX, "a red fox", "blurry"),
    "controlnet_between.png": (FOX, "a red fox", "blurry"),
    "old.png": (replace(FOX, sampler_name="dpmpp_2m", control_after_generate="randomize"), "a red fox", "blurry"),
    "template.png": (A1111, "a red fox", "blurry"),
    "one_line.png": (SamplerSettings(seed=77, steps=20, cfg=1, scheduler="simple"), "a red fox in the snow.", ""),
    "ztxt_after_idat.png": (A1111, "a red fox", "blurry"),
    "a1111.jpg": (A1111, "a red fox", "blurry"),
    "comfyui.webp": (FOX, "a red fox", "blurry"),
    "escaped.png": (A1111, "a red fox", "blurry"),
    "kolors.png": (SamplerSettings(seed=11, steps=25, cfg=5, scheduler=None), "二次元，红狐狸", ""),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_users(name):
    found = read_settings(DATA / name)
    assert found == FILES[name] == read_settings((DATA / name).read_bytes())
    told = {name: found.tell(name) for name in (*vars(FOX), "prompt", "negative_prompt")}
    assert set(found.unknown) == {name for name, value in told.items() if value is None}
    assert all(reason and reason in str(found) for reason in (*found.unknown.values(), *found.notes))


def test_every_file_is_expected():
    assert {path.name for path in DATA.iterdir()} == set(FILES)


# --- builders


def chunk(kind, body):
    """Return one chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def make_png(before=(), after=()):
    """Return a PNG of 4 x 4 pixels with chunks before and after its pixels."""
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)), *before,
                     chunk(b"IDAT", zlib.compress(bytes(13 * 4))), *after, chunk(b"IEND", b"")])


def to_text(value):
    """Return a text as a tEXt chunk holds it, what is no text as JSON in UTF-8."""
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()


def png_of(**texts):
    """Return a PNG with these tEXt chunks."""
    return make_png([chunk(b"tEXt", key.encode() + b"\0" + to_text(value)) for key, value in texts.items()])


def graph_of(sampler=None, **nodes):
    """Return ComfyUI's text-to-image graph with these inputs of its KSampler, and nodes n20=(class, inputs) or None."""
    graph = {"4": ("CheckpointLoaderSimple", {"ckpt_name": "m.safetensors"}),
             "5": ("EmptyLatentImage", {"width": 512, "height": 512, "batch_size": 1}),
             "6": ("CLIPTextEncode", {"text": "a red fox", "clip": ["4", 1]}),
             "7": ("CLIPTextEncode", {"text": "blurry", "clip": ["4", 1]}),
             "3": ("KSampler", ksampler(**(sampler or {}))),
             "8": ("VAEDecode", {"samples": ["3", 0], "vae": ["4", 2]}),
             "9": ("SaveImage", {"filename_prefix": "x", "images": ["8", 0]})}
    graph |= {name[1:]: node for name, node in nodes.items()}
    return {number: {"class_type": node[0], "inputs": node[1]} for number, node in graph.items() if node}


def ksampler(**inputs):
    """Return the inputs of a KSampler."""
    return {"seed": 11, "steps": 20, "cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": 1,
            "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0], **inputs}


def settings_of(sampler=None, **nodes):
    """Return what is read from a PNG with `graph_of` as its prompt."""
    return read_settings(png_of(prompt=graph_of(sampler, **nodes)))


def page_of(graph, **more):
    """Return a graph of the server's form as a page; `more` changes nodes: n3={"mode": 4}."""
    page = read(graph).to_ui()
    for node in page["nodes"]:
        node.update(more.get(f"n{node['id']}", {}))
    return page


# --- texts in the file


@pytest.mark.parametrize(("words", "body"), [
    ("一只红狐狸", "一只红狐狸".encode()), ("café, über", "café, über".encode("latin-1")), ("a fox", b"a fox"),
    ("🦊 fox", "🦊 fox".encode())])
@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_text_chunks_in_utf8_and_latin1_before_and_after_the_pixels(words, body, kind, place):
    body += b"\nNegative prompt: \nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1"
    packed = b"parameters\0" + (b"\0" + zlib.compress(body) if kind == b"zTXt" else body)
    assert read_settings(make_png(**{place: [chunk(kind, packed)]})).prompt == words


def test_international_text_chunks():
    body = "一只红狐狸\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1".encode()
    for packed in (b"\0\0zh\0\0" + body, b"\1\0\0\xe5\x8f\x82\0" + zlib.compress(body)):
        assert read_settings(make_png(after=[chunk(b"iTXt", b"Parameters\0" + packed)])).prompt == "一只红狐狸"
    words = "红狐狸\nSteps: 1, Sampler: Euler, CFG scale: 7, Seed: 1".encode("gbk")
    with pytest.raises(LessonError):  # GBK is no UTF-8: not read as something else
        read_settings(make_png([chunk(b"iTXt", b"parameters\0\0\0\0\0" + words)]))


def test_a_chunk_that_does_not_fit_its_checksum_is_not_used():
    whole = png_of(prompt=graph_of(), parameters=f"a dog\n{LINE}")
    damaged = whole.replace(b'"seed": 11', b'"seed": 17')
    assert damaged != whole and read_settings(whole).settings.seed == 11
    found = read_settings(damaged)
    assert found.settings.seed == 1234567 and "prompt" in found.notes[-1]
    with pytest.raises(LessonError, match="prompt"):
        read_settings(png_of(prompt=graph_of()).replace(b'"seed": 11', b'"seed": 17'))
    twice = make_png([chunk(b"tEXt", b"parameters\0a fox\n" + LINE.encode())],
                     [chunk(b"tEXt", b"parameters\0a dog\n" + LINE.encode())])
    assert read_settings(twice).prompt == "a dog" and "parameters" in read_settings(twice).notes[-1]


def make_exif(kind, tags, comment=None):
    """Return a JPEG or WEBP whose EXIF holds tags and a UserComment."""
    exif, content = Image.Exif(), io.BytesIO()
    for tag, value in tags.items():
        exif[tag] = value
    if comment is not None:
        exif.get_ifd(0x8769)[0x9286] = comment
    Image.new("RGB", (8, 8)).save(content, format=kind, exif=exif)
    return content.getvalue()


PARAMETERS = f"a red fox\nNegative prompt: blurry\n{LINE}"


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize(("tags", "comment", "expected"), [
    ({}, b"UNICODE\0" + PARAMETERS.encode("utf-16-be"), A1111),
    ({}, b"UNICODE\0" + PARAMETERS.encode("utf-16-le"), A1111), ({}, b"ASCII\0\0\0" + PARAMETERS.encode(), A1111),
    ({}, bytes(8) + PARAMETERS.encode(), A1111), ({}, b"UNICODE\0" + json.dumps(graph_of()).encode("utf-16-be"), FOX),
    ({}, b"ASCII\0\0\0" + json.dumps({"prompt": graph_of(), "workflow": {}}).encode(), FOX),
    ({0x010E: "Workflow:" + json.dumps(page_of(graph_of())), 0x010F: "Prompt:" + json.dumps(graph_of())}, None, FOX),
    ({0x0110: "prompt:" + json.dumps(graph_of())}, None, FOX), ({0x010E: PARAMETERS}, None, A1111)], ids=range(9))
def test_jpeg_and_webp(kind, tags, comment, expected):
    found = read_settings(make_exif(kind, tags, comment))
    assert found == (expected, "a red fox", "blurry")


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_a_jpeg_or_webp_without_settings_or_damaged_is_answered(kind):
    for content in (make_exif(kind, {}), make_exif(kind, {}, b"UNICODE\0x"), make_exif(kind, {0x010E: "a holiday"}),
                    make_exif(kind, {}, b"UNICODE\0" + PARAMETERS.encode("utf-16-be"))[:40]):
        with pytest.raises(LessonError, match="PNG"):
            read_settings(content)


def test_a_workflow_is_read_from_a_webp():
    graph = graph_of()
    found = read(make_exif("WEBP", {0x0110: "prompt:" + json.dumps(graph),
                                    0x010F: "workflow:" + json.dumps(page_of(graph))}))
    assert found.form == "ui" and found.to_api()["6"]["inputs"]["text"] == "a red fox"


# --- prompts


TYPED = ("PrimitiveStringMultiline", {"value": "a red fox"})


@pytest.mark.parametrize(("prompt", "nodes"), [
    ("a red fox", {"n6": ("CLIPTextEncode", {"text": ["20", 0]}), "n20": TYPED}),
    ("a red fox", {"n6": ("CLIPTextEncode", {"text": ["21", 0]}), "n20": TYPED,
                   "n21": ("ShowText|pysssss", {"text": ["20", 0], "text_0": "an old text"})}),
    ("a red fox", {"n6": ("CLIPTextEncode", {"text": ["21", 0]}), "n20": ("ttN text", {"text": "a red fox"}),
                   "n21": ("Reroute", {"": ["20", 0]})}),
    ("a red fox at night, in snow", {
        "n6": ("CLIPTextEncode", {"text": ["21", 0]}), "n20": ("JoinStrings", {
            "string1": ["22", 0], "string2": "at night", "delimiter": " "}), "n22": TYPED,
        "n21": ("StringConcatenate", {"string_a": ["20", 0], "string_b": "in snow", "delimiter": ", "})}),
    ("a red fox\nin snow", {"n6": ("CLIPTextEncode", {"text": ["20", 0]}), "n20": ("Text Concatenate", {
        "text_a": " a red fox ", "text_b": "", "text_c": "in snow", "delimiter": "\\n", "clean_whitespace": "true"})}),
    ("a red fox", {"n6": ("CLIPTextEncodeSDXL", {"text_g": "a red fox", "text_l": "a red fox", "width": 1024})}),
    ("a red fox", {"n6": ("CLIPTextEncodeSD3", {"clip_l": "", "clip_g": "", "t5xxl": "a red fox"})}),
    ("a red fox", {"n6": ("MZ_ChatGLM3_V2", {"text": "a red fox", "chatglm3_model": ["4", 0]})}),
    ("a red fox", {"n6": ("SomePackTextEncode", {"prompt": ["20", 0], "clip": ["4", 1], "mode": "x"}), "n20": TYPED}),
    (None, {"n6": ("CLIPTextEncodeSDXL", {"text_g": "a red fox", "text_l": "a photograph"})}),
    (None, {"n6": ("CLIPTextEncode", {"text": ["20", 0]}), "n20": ("StringConcatenate", {
        "string_a": "a red fox", "string_b": ["21", 0], "delimiter": ", "}), "n21": ("Random Line", {"text": "x\ny"})}),
    (None, {"n6": ("CLIPTextEncode", {"text": ["20", 0]}), "n20": ("LoadTextFile", {"text": "prompts.txt"})}),
    (None, {"n6": ("CLIPTextEncode", {"text": ["20", 0]}), "n20": ("Text Find and Replace", {
        "text": "a red cat", "find": "cat", "replace": "fox"})}),
    (None, {"n6": ("CLIPTextEncode", {"text": ["20", 0]}), "n20": ("ImpactWildcardProcessor", {"text": "__animal__"})}),
    (None, {"n6": ("CLIPTextEncode", {"text": ["20", 0]}), "n20": ("Florence2Run", {"image": ["4", 0], "text": "x"})}),
    (None, {"n6": ("CLIPTextEncode", {"text": ["20", 0]}), "n20": ("Reroute", {"": ["21", 0]}),
            "n21": ("Reroute", {"": ["20", 0]})}),
    (None, {"n6": ("CLIPTextEncode", {"text": 7})}), (None, {"n6": ("Stranger", {"text": "a cat", "model": ["4", 0]})}),
])
def test_prompts_that_are_typed_elsewhere(prompt, nodes):
    found = settings_of(**nodes)
    assert found == (FOX, prompt, "blurry")
    assert ("prompt" in found.unknown) == (prompt is None)


@pytest.mark.parametrize(("prompt", "nodes"), [
    ("a red fox", {"n20": ("ControlNetApply", {"conditioning": ["6", 0], "strength": 0.9})}),
    ("a red fox", {"n20": ("ControlNetApplyAdvanced", {"positive": ["6", 0], "negative": ["7", 0], "strength": 0.5})}),
    ("a red fox", {"n20": ("GLIGENTextBoxApply", {"conditioning_to": ["6", 0], "text": "a barn", "width": 64})}),
    ("a red fox", {"n20": ("FluxGuidance", {"conditioning": ["21", 0], "guidance": 3.5}),
                   "n21": ("ConditioningSetTimestepRange", {"conditioning": ["6", 0], "start": 0.0, "end": 1.0})}),
    ("a red fox", {"n20": ("Stranger", {"conditioning": ["6", 0], "text": "its own words"})}),
    ("a red fox", {"n20": ("ConditioningCombine", {"conditioning_1": ["6", 0], "conditioning_2": ["6", 0]})}),
    ("a red fox", {"n20": ("ConditioningConcat", {"conditioning_to": ["6", 0], "conditioning_from": ["21", 0]}),
                   "n21": ("ConditioningZeroOut", {"conditioning": ["7", 0]})}),
    ("", {"n20": ("ConditioningZeroOut", {"conditioning": ["6", 0]})}),
    (None, {"n20": ("ConditioningCombine", {"conditioning_1": ["6", 0], "conditioning_2": ["7", 0]})}),
    (None, {"n20": ("ConditioningAverage", {"conditioning_to": ["6", 0], "conditioning_from": ["7", 0]})}),
    (None, {"n20": ("Stranger", {"conditioning_1": ["6", 0], "conditioning_2": ["7", 0]})}),
    (None, {"n20": ("Zero Conditioning", {"conditioning": ["6", 0]})}),
    (None, {"n20": ("Stranger", {"pipe": ["6", 0]})}), (None, {"n20": ("ControlNetApply", {"strength": 0.9})}),
])
def test_nodes_between_text_and_sampler(prompt, nodes):
    found = settings_of({"positive": ["20", 0]}, **nodes)
    assert found == (FOX, prompt, "blurry")
    assert ("prompt" in found.unknown) == (prompt is None)


def test_both_sides_of_a_node_between():
    both = ("ControlNetApplyAdvanced", {"positive": ["6", 0], "negative": ["21", 0], "strength": 0.5})
    zero = ("ConditioningZeroOut", {"conditioning": ["6", 0]})
    found = settings_of({"positive": ["20", 0], "negative": ["20", 1]}, n20=both, n21=zero)
    assert found == (FOX, "a red fox", "") and len(found.notes) == 1
    crossed = settings_of({"positive": ["20", 1], "negative": ["20", 0]}, n20=both, n21=zero)
    assert crossed == (FOX, "", "a red fox")


# --- numbers


@pytest.mark.parametrize(("field", "value", "nodes"), [
    ("seed", 77, {"n20": ("PrimitiveInt", {"value": 77})}), ("seed", 77, {"n20": ("Seed (rgthree)", {"seed": 77})}),
    ("cfg", 4.5, {"n20": ("Reroute", {"": ["21", 0]}), "n21": ("PrimitiveFloat", {"value": 4.5})}),
    ("steps", 30, {"n20": ("Any Switch (rgthree)", {"any_01": ["21", 0], "any_02": ["22", 0]}),
                   "n21": ("INTConstant", {"value": 30}), "n22": ("INTConstant", {"value": 40})}),
    ("sampler_name", "dpmpp_2m", {"n20": ("Sampler Selector", {"sampler_name": "dpmpp_2m"})}),
    ("seed", 5, {"n20": ("ImpactSwitch", {"select": 1, "input1": ["21", 0], "input2": ["22", 0]}),
                 "n21": ("PrimitiveInt", {"value": 5}), "n22": ("PrimitiveInt", {"value": 6})}),
    ("seed", None, {"n20": ("ImpactSwitch", {"select": ["21", 0], "input1": ["21", 0], "input2": ["22", 0]}),
                    "n21": ("PrimitiveInt", {"value": 1}), "n22": ("PrimitiveInt", {"value": 6})}),
    ("seed", None, {"n20": ("Random Number", {"seed": 6})}), ("seed", None, {"n20": ("Two Seeds", {"a": 1, "b": 2})}),
    ("cfg", None, {"n20": ("MathExpression|pysssss", {"expression": "3*2"})}),
    ("cfg", None, {"n20": ("PrimitiveString", {"value": "3*2"})}),
    ("cfg", None, {"n20": ("FloatToInt", {"value": 3.7})}), ("steps", None, {"n20": ("Stranger", {"value": 3})}),
    ("steps", None, {"n20": ("CR Index Increment", {"value": 3})}),
    ("denoise", None, {"n20": ("easy mathFloat", {"a": 0.5, "b": 0.25, "operation": "add"})}),
    ("scheduler", None, {"n20": ("SwitchByIndex", {"scheduler": "karras"})}),
])
def test_numbers_that_come_from_nodes(field, value, nodes):
    found = settings_of({field: ["20", 0]}, **nodes)
    assert found == (replace(FOX, **{field: value}), "a red fox", "blurry")
    assert ([*found.unknown] == [field]) == (value is None)


def test_what_a_graph_does_not_tell_is_taken_from_the_line_of_the_same_picture():
    graph = graph_of({"cfg": ["20", 0]}, n20=("easy mathFloat", {"a": 3.0, "b": 2.0, "operation": "multiply"}))
    line = "a red fox\nSteps: {steps}, Sampler: Euler, Schedule type: Normal, CFG scale: 6, Seed: 11"
    found = read_settings(png_of(prompt=graph, parameters=line.format(steps=20)))
    assert found == (replace(FOX, cfg=6), "a red fox", "blurry") and not found.unknown
    assert read_settings(png_of(prompt=graph, parameters=line.format(steps=9))).settings.cfg is None  # another one's


# --- samplers


OTHER = {"n30": ("KSampler", ksampler(seed=77)), "n31": ("VAEDecode", {"samples": ["30", 0], "vae": ["4", 2]})}


@pytest.mark.parametrize(("seed", "file_name", "end"), [
    (11, "x.png", ("PreviewImage", {"images": ["31", 0]})),
    (11, "x.png", ("Image Comparer (rgthree)", {"image_a": ["31", 0]})),
    (11, "x_00001_.png", ("SaveImage", {"images": ["31", 0], "filename_prefix": "y"})),
    (77, "y_00001_.png", ("SaveImage", {"images": ["31", 0], "filename_prefix": "out/y"})),
    (77, "ComfyUI_temp_abcde_00001_.png", ("PreviewImage", {"images": ["31", 0]})),
    (None, "z.png", ("SaveImage", {"images": ["31", 0], "filename_prefix": "y"})),
    (None, "z.png", ("SomePackImageWriter", {"images": ["31", 0]})),
    (None, "z.png", ("Image Save", {"images": ["31", 0], "output_path": "y"})),
])
def test_the_sampler_of_the_picture_that_was_saved(tmp_path, seed, file_name, end):
    path = tmp_path / file_name
    path.write_bytes(png_of(prompt=graph_of(**OTHER, n32=end)))
    found = read_settings(path)
    assert found == (replace(FOX, seed=seed), "a red fox", "blurry")
    assert ("seed" in found.unknown) == (seed is None)


@pytest.mark.parametrize(("seed", "nodes"), [
    (11, {"n9": ("PreviewImage", {"images": ["8", 0]})}), (11, {"n9": ("MysteryWriter", {"images": ["8", 0]})}),
    (11, {"n9": None}), (11, {"n9": None, "n8": None}),
    (77, {**OTHER, "n9": ("SaveImage", {"images": ["31", 0]}), "n8": None, "n3": None}),
    (None, {**OTHER, "n9": ("SaveImage", {"images": ["33", 0]}),
            "n33": ("ImageBatch", {"image1": ["8", 0], "image2": ["31", 0]})}),
    (11, {**OTHER, "n9": ("SaveImage", {"images": ["33", 0]}),
          "n33": ("ImpactSwitch", {"select": 1, "input1": ["8", 0], "input2": ["31", 0]})}),
])
def test_other_ends(seed, nodes):
    assert settings_of(**nodes).settings == replace(FOX, seed=seed)


def test_a_sampler_that_is_not_known():
    """The picture that was saved comes from a node that is no sampler here: another branch's sampler is not its own."""
    mystery = ("MysteryDiffusion", {"prompt": "a red fox", "model": ["4", 0]})
    shown = graph_of(n8=("VAEDecode", {"samples": ["40", 0]}), n40=mystery, n31=("VAEDecode", {"samples": ["3", 0]}),
                     n32=("PreviewImage", {"images": ["31", 0]}))
    with pytest.raises(LessonError, match="KSampler"):
        read_settings(png_of(prompt=shown))
    saved = {**shown, "32": {"class_type": "SaveImage", "inputs": {"images": ["31", 0]}}}
    assert read_settings(png_of(prompt=saved)).settings == FOX and "#9" in read_settings(png_of(prompt=saved)).notes[0]
    piped = settings_of(n3=("easy kSampler", {"pipe": ["40", 0]}), n8=None, n9=("SaveImage", {"images": ["3", 1]}),
                        n40=("easy preSampling", ksampler()))
    assert piped.settings == FOX


@pytest.mark.parametrize("nodes", [
    {"n20": ("KSampler", ksampler(seed=22, denoise=0.5, latent_image=["21", 0])),
     "n21": ("LatentUpscaleBy", {"samples": ["3", 0], "scale_by": 1.5}), "n8": ("VAEDecode", {"samples": ["20", 0]})},
    {"n20": ("KSampler", ksampler(seed=22, denoise=0.5, latent_image=["21", 0])),
     "n21": ("VAEEncode", {"pixels": ["22", 0]}), "n22": ("ImageScaleBy", {"image": ["23", 0], "scale_by": 2}),
     "n23": ("VAEDecode", {"samples": ["3", 0]}), "n8": ("VAEDecode", {"samples": ["20", 0]})},
    {"n9": ("SaveImage", {"images": ["20", 0]}), "n20": ("FaceDetailer", {**ksampler(seed=22, denoise=0.5),
                                                                        "image": ["8", 0], "latent_image": 0})},
    {"n9": ("SaveImage", {"images": ["20", 0]}), "n20": ("UltimateSDUpscale", {**ksampler(seed=22), "image": ["8", 0],
                                                                             "latent_image": 0})},
])
def test_the_first_of_two_passes_with_a_word_on_the_second(nodes):
    found = settings_of(**nodes)
    assert found == (FOX, "a red fox", "blurry") and not found.unknown
    assert len(found.notes) == 1 and "#20" in found.notes[0] and "22" in found.notes[0]


def advanced(**inputs):
    """Return a KSamplerAdvanced."""
    given = ksampler(**{"add_noise": "enable", "noise_seed": 11, "start_at_step": 0, "end_at_step": 10000,
                        "return_with_leftover_noise": "disable", **inputs})
    return "KSamplerAdvanced", {name: value for name, value in given.items() if name not in ("seed", "denoise")}


def test_ksampler_advanced():
    assert settings_of(n3=advanced()) == (FOX, "a red fox", "blurry")
    refined = settings_of(n3=advanced(end_at_step=16, return_with_leftover_noise="enable"),
                          n20=advanced(add_noise="disable", start_at_step=16, latent_image=["3", 0], noise_seed=22),
                          n8=("VAEDecode", {"samples": ["20", 0]}))
    assert refined == (FOX, "a red fox", "blurry") and len(refined.notes) == 2
    part = settings_of(n3=advanced(start_at_step=8, latent_image=["20", 0]), n20=("VAEEncode", {"pixels": ["21", 0]}),
                       n21=("LoadImage", {"image": "fox.png"}))
    assert part.settings == replace(FOX, denoise=None) and "8" in part.unknown["denoise"]


def custom(**nodes):
    """Return the nodes of a SamplerCustomAdvanced."""
    return {"n3": ("SamplerCustomAdvanced", {"noise": ["40", 0], "guider": ["41", 0], "sampler": ["42", 0],
                                             "sigmas": ["43", 0], "latent_image": ["5", 0]}),
            "n40": ("RandomNoise", {"noise_seed": 11}),
            "n41": ("CFGGuider", {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "cfg": 7}),
            "n42": ("KSamplerSelect", {"sampler_name": "euler"}),
            "n43": ("BasicScheduler", {"model": ["4", 0], "scheduler": "normal", "steps": 20, "denoise": 1}), **nodes}


def test_samplers_made_of_parts():
    assert settings_of(**custom()) == (FOX, "a red fox", "blurry")
    alone = settings_of(**custom(n41=("BasicGuider", {"model": ["4", 0], "conditioning": ["6", 0]})))
    assert alone == (replace(FOX, cfg=1.0), "a red fox", "")
    odd = settings_of(**custom(n40=("DisableNoise", {}), n43=("SplitSigmas", {"sigmas": ["44", 0], "step": 4}),
                               n41=("DualCFGGuider", {"cond1": ["6", 0], "cond2": ["7", 0], "cfg_conds": 4})))
    assert odd == (SamplerSettings(seed=None, steps=None, cfg=None, scheduler=None, denoise=None), None, None)
    own = ("SamplerCustom", {"add_noise": True, "noise_seed": 11, "cfg": 7, "positive": ["6", 0], "negative": ["7", 0],
                             "sampler": ["42", 0], "sigmas": ["43", 0], "latent_image": ["5", 0]})
    assert settings_of(**custom(n3=own)) == (FOX, "a red fox", "blurry")
    with pytest.raises(LessonError):
        settings_of(**custom(n42=None))


@pytest.mark.parametrize(("scheduler", "sampler"), [
    ("EulerAncestralDiscreteScheduler", "euler_ancestral"), ("DPMSolverMultistepScheduler", "dpmpp_2m"),
    ("DPMSolverMultistepScheduler_SDE_karras", "dpmpp_2m_sde"), ("SomethingNew", None)])
@pytest.mark.parametrize("name", ["kolors_example.json", "kolors_with_lora_example.json"])
def test_the_camps_own_nodes_on_a_page(name, scheduler, sampler):
    page = json.loads((WORKFLOWS / name).read_text(encoding="utf-8"))
    values = next(node["widgets_values"] for node in page["nodes"] if node["type"] == "KolorsSampler")
    values[6] = scheduler
    found = read_settings(png_of(workflow=page))
    assert found.settings == SamplerSettings(seed=values[2], steps=25, cfg=5, sampler_name=sampler, scheduler=None)
    assert scheduler in found.unknown["scheduler"] and (sampler is None) == ("sampler_name" in found.unknown)
    encoder = next(node for node in page["nodes"] if node["type"] == "KolorsTextEncode")
    assert found[1:] == tuple(encoder["widgets_values"][:2])


def test_kolors_sampler_with_a_latent():
    nodes = {"n6": ("KolorsTextEncode", {"prompt": ["20", 0], "negative_prompt": "blurry"}), "n20": TYPED,
             "n3": ("KolorsSampler", {"seed": 11, "steps": 20, "cfg": 7, "scheduler": "EulerDiscreteScheduler",
                                      "denoise_strength": 0.6, "kolors_embeds": ["6", 0], "latent": ["5", 0]})}
    assert settings_of(**nodes) == (replace(FOX, scheduler=None, denoise=0.6), "a red fox", "blurry")
    nodes["n6"] = ("SomeKolorsEncode", {"words": "a red fox"})
    assert settings_of(**nodes)[1:] == (None, None)


# --- pages


def test_a_page_alone_with_wires_by_name():
    graph = graph_of({"positive": ["21", 0]}, n20=("SetNode", {"CONDITIONING": ["6", 0]}), n21=("GetNode", {}))
    page = page_of(graph, n20={"widgets_values": ["words"]}, n21={"widgets_values": ["words"]})
    assert read_settings(png_of(workflow=page)) == (FOX, "a red fox", "blurry")
    page["nodes"][-1]["widgets_values"] = ["another name"]
    assert read_settings(png_of(workflow=page))[1:] == (None, "blurry")


@pytest.mark.parametrize("mode", [2, 4])
def test_a_page_alone_with_nodes_that_do_not_run(mode):
    graph = graph_of({"positive": ["20", 0], "negative": ["20", 1]}, n20=(
        "ControlNetApplyAdvanced", {"positive": ["6", 0], "negative": ["7", 0], "strength": 1.0}))
    found = read_settings(png_of(workflow=page_of(graph, n20={"mode": mode})))
    assert found == (FOX, *(("a red fox", "blurry") if mode == 4 else (None, None)))  # muted: nothing comes


def test_a_choice_on_a_page_is_not_made_here():
    page = page_of(graph_of(n6=("CLIPTextEncode", {"text": "a {red|grey} fox", "clip": ["4", 1]})))
    found = read_settings(png_of(workflow=page))
    assert found == (FOX, None, "blurry") and "{red|grey}" in found.unknown["prompt"]
    sent = settings_of(n6=("CLIPTextEncode", {"text": "a {red|grey} fox"}))  # what was sent has no choices left
    assert sent.prompt == "a {red|grey} fox"


@pytest.mark.parametrize("prefix", ["workflow>", "workflow/"])
def test_a_sampler_in_a_group_node(prefix):
    page = json.loads((COURSE / "tests" / "data" / "pages" / "group_sampler.json").read_text(encoding="utf-8"))
    page["nodes"][0]["type"] = prefix + "draw"
    found = read_settings(png_of(workflow=page))
    assert found == (SamplerSettings(seed=42424242, steps=17, cfg=6.5, sampler_name="dpmpp_2m", scheduler="karras",
                                     denoise=0.87), "a red fox", "blurry")
    page["nodes"][0]["widgets_values"].pop(3)  # nobody knows now which value belongs where
    with pytest.raises(LessonError):
        read_settings(png_of(workflow=page))


def test_old_names_in_what_was_sent():
    assert settings_of({"sampler_name": "sample_dpmpp_2m"}).settings.sampler_name == "dpmpp_2m"


# --- A1111


@pytest.mark.parametrize(("parameters", "changes"), [
    (PARAMETERS, {}), (PARAMETERS.replace("\n", "\r\n"), {}), (PARAMETERS.replace(", ", ",\n"), {}),
    (f"a red fox\nNegative prompt: blurry\n{LINE.replace(', ', chr(10))}", {}),
    (f"a red fox Negative prompt: blurry {LINE}", {}), (f"a red fox\nNegative prompt:\nblurry\n{LINE}", {}),
    (f"{PARAMETERS}, Denoising strength: 0.55, Mask blur: 4", {"denoise": 0.55}),
    (f"{PARAMETERS}, Denoising strength: 0.4, Hires upscale: 2, Hires upscaler: Latent", {}),
    (f"{PARAMETERS}, Denoising strength: 0.7, First pass size: 0x0", {}),
    (f'{PARAMETERS}, ADetailer prompt: "Steps: 3, Sampler: LMS, CFG scale: 1, Seed: 9"', {}),
    (f'{PARAMETERS}, Lora hashes: "x: 01, y: 02", Note: "a \\"quoted\\" word, Seed: 4"', {}),
    (f'{PARAMETERS}, Civitai resources: [{{"type":"lora","weight":0.8,"name":"Seed: 3"}}], Version: x', {}),
    (f"{PARAMETERS}\nTemplate: a red {{fox|cat}},\nSeed: 9\nNegative Template: blurry", {}),
    (f"{PARAMETERS}\n\nmade by me, Seed: 9", {}),
    (PARAMETERS.replace("Sampler: DPM++ 2M, Schedule type: Karras", "Sampler: DPM++ 2M Karras"), {}),
    (PARAMETERS.replace("Schedule type: Karras", "Schedule type: Automatic"), {}),
    (PARAMETERS.replace("Sampler: DPM++ 2M, ", ""), {"sampler_name": None}),
    (PARAMETERS.replace("Sampler: DPM++ 2M, Schedule type: Karras, ", ""), {"sampler_name": None, "scheduler": None}),
    (f"{PARAMETERS}, Seed: 9", {"seed": None}), (f"{PARAMETERS}, Steps: 9, CFG scale: 1", {"steps": None, "cfg": None}),
], ids=range(20))
def test_lines_of_a1111(parameters, changes):
    found = read_settings(png_of(parameters=parameters))
    assert found == (replace(A1111, **changes), "a red fox", "blurry")
    assert set(found.unknown) == {name for name, value in changes.items() if value is None}
    assert (len(found.notes) == 1) == ("Hires" in parameters or "First pass" in parameters)


def test_a_prompt_that_quotes_another_picture():
    quoting = f"Steps: 9, Sampler: Euler, CFG scale: 1, Seed: 5 of the first try, a red fox\n{LINE}"
    assert read_settings(png_of(parameters=quoting)) == (A1111, quoting.split("\n")[0], "")
    with pytest.raises(LessonError):  # two whole lines: which is the picture's cannot be told
        read_settings(png_of(parameters=f"Steps: 9, Sampler: Euler, CFG scale: 1, Seed: 5\na red fox\n{LINE}"))


# --- damage


def test_damaged_pictures_give_no_traceback_and_no_guess():
    """A part of tests/by_hand/fuzz_pictures.py, which reads a thousand."""
    tally, faults = fuzz(150)
    assert faults == []
    assert min(tally["damaged", "read"], tally["damaged", "refused"], tally["inside", "read"]) > 15


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("texts", [
    {"parameters": "a\n" + "A" * 40_000}, {"parameters": "a\n" + "A a" * 100_000}, {"parameters": 'A: "' * 200_000},
    {"parameters": f"a\n{LINE}" + "\n" * 300_000}, {"parameters": f"a\n{LINE}, " + "A: " * 100_000},
    {"parameters": "Steps: 1, " * 100_000}, {"parameters": f"{LINE} " * 3_000}, {"parameters": " " * 500_000 + LINE},
    {"parameters": f'{LINE}, Note: "' + "\\" * 300_000}, {"parameters": "Negative prompt: " * 50_000},
    {"workflow": page_of(graph_of(n6=("CLIPTextEncode", {"text": "/*" * 200_000})))},
    {"workflow": page_of(graph_of(n6=("CLIPTextEncode", {"text": "{a|b}" * 100_000})))},
    {"workflow": page_of(graph_of(n6=("CLIPTextEncode", {"text": "{" * 300_000})))},
    {"prompt": graph_of(**{f"n{number}": ("SaveImage", {"images": [str(number - 1), 0]})
                           for number in range(9, 3000)})},
    {"prompt": graph_of(**{f"n{number}": ("KSampler", ksampler(latent_image=[str(number - 1), 0]))
                           for number in range(9, 3000)})},
    {"prompt": graph_of({"positive": ["300", 0]}, **{f"n{number}": ("StringConcatenate", {
        "string_a": [str(number + 1), 0], "string_b": [str(number + 1), 0], "delimiter": ""})
        for number in range(300, 340)}, n340=TYPED)},
    {"prompt": graph_of({"positive": ["300", 0]}, **{f"n{number}": ("ConditioningCombine", {
        "conditioning_1": [str(number + 1), 0], "conditioning_2": [str(number + 1), 0]})
        for number in range(300, 340)}, n340=("CLIPTextEncode", {"text": "a"}))},
], ids=range(17))
def test_no_text_takes_long(texts, language):
    set_language(language)
    began = time.process_time()
    try:
        assert len(str(read_settings(png_of(**texts)))) < 2**22
    except LessonError as answer:
        assert len(str(answer)) < 2_000
    assert time.process_time() - began < 3
