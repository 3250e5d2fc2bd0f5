"""Captions: each backend, the cache, what fails, and that a person's words stay."""

import base64
import io
import json
import shutil

import pytest
import torch
from loopback_sources import Reply, Several, answer_chat, serve
from PIL import Image
from safetensors.torch import load_file, save_file

from course_lib.dataset.captions import backends
from course_lib.dataset.captions.backends import read_name
from course_lib.dataset.captions.writing import add_trigger, caption, caption_folder
from course_lib.dataset.collecting import web
from course_lib.dataset.making import synthesis
from course_lib.dataset.table import read_table, write_table
from course_lib.messages import LessonError, error


@pytest.fixture
def pictures(tmp_path):
    """Three pictures of different colours, the second broken."""
    files = [tmp_path / name for name in ("dog-face_noto_blue.png", "broken.png", "IMG_2024.png")]
    for number, file in enumerate(files):
        Image.new("RGB", (40, 30), (80 * number, 9, 9)).save(file)
    files[1].write_bytes(files[1].read_bytes()[:-40])
    return files


@pytest.fixture
def service(monkeypatch):
    """A caption service on this machine, with a key."""
    with serve({"/v1/chat/completions": answer_chat("一只 狗\n")}) as site:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{site.address}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "a-secret-key")
        monkeypatch.setattr(web.Web.__init__, "__kwdefaults__", {**web.Web.__init__.__kwdefaults__, "first_wait": 0.01})
        yield site


@pytest.mark.parametrize("stem, zh, en", [
    ("dog-face_noto_blue", "一只小狗，卡通风格，蓝色背景", "dog, cartoon style, blue background"),
    ("001_red-apple_flat", "一个苹果，扁平风格", "apple, flat style"), ("一只瓢虫", "一只瓢虫", "ladybird"),
    ("old stone bridge (3)", "old stone bridge", "old stone bridge")])
def test_a_file_name_that_says_something_becomes_a_caption(stem, zh, en):
    assert read_name(stem, "zh") == zh and read_name(stem, "en") == en


@pytest.mark.parametrize("stem", ["IMG_2024", "DSC_0001", "微信图片_20240811", "Screenshot 3", "0af3b2c4d5e6f7", "12"])
def test_a_cameras_file_name_says_nothing(stem):
    with pytest.raises(LessonError):
        read_name(stem, "zh")


def test_one_failure_is_one_row_with_its_reason(pictures):
    found = caption(pictures)
    assert [result.text for result in found] == ["一只小狗，卡通风格，蓝色背景", "", ""]
    assert [bool(result.error) for result in found] == [False, True, True]
    assert {result.source for result in found} == {"rule"}


def test_a_synthesised_picture_is_captioned_by_its_scene(tmp_path):
    folder = synthesis.synthesise(tmp_path / "set", 5, size=48, most_things=3) / "train"
    rows = read_table(folder)
    found = caption([folder / row["file_name"] for row in rows], lang="zh")
    assert [result.text for result in found] == [row["text"] for row in rows]
    english = caption([folder / rows[0]["file_name"]], lang="en")[0].text
    assert english.isascii() and english


def test_a_table_gives_captions_and_says_which_are_missing(tmp_path, pictures):
    (tmp_path / "mine.csv").write_bytes("file_name,text\nIMG_2024.png,一块红布\nbroken.png,\n".encode("utf-8-sig"))
    found = caption([pictures[2], pictures[0]], backend="csv", table=tmp_path / "mine.csv")
    assert [result.text for result in found] == ["一块红布", ""] and found[1].error
    with pytest.raises(LessonError):
        caption(pictures, backend="csv", table=tmp_path / "none.csv")


def test_a_persons_caption_is_never_overwritten(tmp_path):
    for name in ("dog_blue.png", "cat_red.png", "owl.png", "IMG_1.png"):
        Image.new("RGB", (20, 20)).save(tmp_path / name)
    write_table(tmp_path, [{"file_name": "dog_blue.png", "text": "我家的狗", "creator": "小王"},
                           {"file_name": "cat_red.png", "text": "  "}, {"file_name": "IMG_1.png", "text": ""},
                           {"file_name": "../owl.png", "text": ""}, {"file_name": "owl.png", "text": ""}])
    found = caption_folder(tmp_path, trigger="二次元")
    rows = {row["file_name"]: row for row in read_table(tmp_path)}
    assert len(found) == 4 and sum(bool(result.error) for result in found) == 2
    assert (rows["dog_blue.png"]["text"], rows["dog_blue.png"]["creator"]) == ("我家的狗", "小王")
    assert rows["cat_red.png"]["text"] == "二次元，一只小猫，红色背景"
    assert rows["cat_red.png"]["caption_source"] == "rule:names"
    assert rows["IMG_1.png"]["text"] == rows["../owl.png"]["text"] == ""
    caption_folder(tmp_path, trigger="卡通", again=True)
    rows = {row["file_name"]: row["text"] for row in read_table(tmp_path)}
    assert rows["dog_blue.png"] == "我家的狗" and rows["owl.png"] == "卡通，一只猫头鹰"


def test_a_trigger_word_is_put_in_front_once():
    assert add_trigger("一只狗", "二次元") == "二次元，一只狗"
    assert add_trigger("二次元，一只狗", "二次元") == "二次元，一只狗"
    assert add_trigger("a dog", "sks", "{caption} {trigger}") == "a dog sks"
    assert add_trigger("{trigger} braces", "sks", "{trigger}: {caption}") == "sks: {trigger} braces"
    with pytest.raises(LessonError):
        caption_folder("nowhere", trigger="sks", template="{caption}")


def test_a_service_is_asked_once_a_picture_and_its_answers_are_kept(tmp_path, pictures, service):
    options = {"backend": "openai", "model": "qwen-vl", "cache": tmp_path / "cache"}
    first = caption([pictures[0], pictures[2]], "说一说", **options)
    assert [(result.text, result.source, result.model) for result in first] == [("一只 狗", "openai", "qwen-vl")] * 2
    assert caption([pictures[2], pictures[0]], "说一说", **options) == first
    assert len(service.requests) == 2
    _, _, _, headers, body = service.requests[0]
    asked = json.loads(body)
    assert headers["Authorization"] == "Bearer a-secret-key"
    assert asked["messages"][0]["content"][1]["text"] == "说一说"
    sent = base64.b64decode(asked["messages"][0]["content"][0]["image_url"]["url"].split(",")[1])
    assert Image.open(io.BytesIO(sent)).tobytes() == Image.open(pictures[0]).tobytes()
    for changed in ({"prompt": "别的"}, {"lang": "en"}, {"seed": 1}, {"model": "other"}, {"temperature": 1.0}):
        caption([pictures[0]], **{"prompt": "说一说", **options, **changed})
    assert len(service.requests) == 7
    assert "a-secret-key" not in "".join(file.read_text() for file in (tmp_path / "cache").iterdir())


@pytest.mark.parametrize("reply, asked", [
    (Reply(b"<html>login</html>"), 1), (Reply({"choices": []}), 1), (answer_chat(None), 1), (answer_chat(" "), 1),
    (answer_chat("长" * 3000), 1), (Reply({}, 401), 1), (Reply({}, 429, Retry_After=0), 4), (Reply({}, 503), 4),
    (Reply(answer_chat("狗"), cut=9), 4), (Reply(b"x" * 1_100_000), 1), (Reply({}, 302, Location="/elsewhere"), 1)])
def test_a_service_that_fails_costs_the_row_and_is_not_kept(tmp_path, pictures, service, reply, asked):
    service.pages["/v1/chat/completions"] = reply
    options = {"backend": "openai", "model": "m", "cache": tmp_path / "cache"}
    found = caption([pictures[0]], **options)[0]
    assert found.text == "" and found.error and "a-secret-key" not in found.error
    assert len(service.requests) == asked
    service.pages["/v1/chat/completions"] = answer_chat("一只狗")
    assert caption([pictures[0]], **options)[0].text == "一只狗"


def test_a_busy_service_is_asked_again(tmp_path, pictures, service):
    service.pages["/v1/chat/completions"] = Several(Reply({}, 429, Retry_After=0), Reply({}, 500), answer_chat("狗"))
    assert caption([pictures[0]], backend="openai", model="m", cache=None)[0].text == "狗"
    assert len(service.requests) == 3


@pytest.mark.parametrize("base", ["http://example.org/v1", "http://192.168.0.9", "http://127.0.0.1.example.org", "",
                                  "file:///x"])
def test_a_key_is_not_sent_in_the_open_and_an_address_is_needed(monkeypatch, pictures, base):
    monkeypatch.setenv("OPENAI_BASE_URL", base)
    monkeypatch.setenv("OPENAI_API_KEY", "a-secret-key")
    with pytest.raises(LessonError) as problem:
        caption(pictures, backend="openai", model="m")
    assert "a-secret-key" not in str(problem.value)


@pytest.mark.parametrize("wrong", [{"backend": "blip"}, {"lang": "fr"}, {"backend": "csv"},
                                   {"backend": "rule", "model": "x"}, {"backend": "transformers", "model": "no/such"}])
def test_wrong_arguments_are_answered(monkeypatch, tmp_path, pictures, wrong):
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # ModelScope's client waits before it tries again
    with pytest.raises(LessonError):
        caption(pictures, **wrong, cache=None)


@pytest.fixture(scope="module")
def tiny_vision_model(tmp_path_factory):
    """A Qwen2-VL of 100,000 random weights, in the files that a real one has: it answers nonsense, by the same way."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import Qwen2TokenizerFast, Qwen2VLConfig, Qwen2VLForConditionalGeneration

    folder = tmp_path_factory.mktemp("tiny_vision")
    signs = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
             "<|video_pad|>"]
    bytes_known = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    cutter = Tokenizer(models.BPE(vocab=bytes_known, merges=[]))
    cutter.pre_tokenizer, cutter.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    cutter.add_special_tokens(signs)
    tokenizer = Qwen2TokenizerFast(tokenizer_object=cutter, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    number = dict(zip(signs, tokenizer.convert_tokens_to_ids(signs)))
    config = Qwen2VLConfig(
        text_config={"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
                     "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": None,
                     "eos_token_id": number["<|im_end|>"], "pad_token_id": number["<|endoftext|>"],
                     "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}},
        vision_config={"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 4, "mlp_ratio": 2,
                       "patch_size": 14},
        image_token_id=number["<|image_pad|>"], video_token_id=number["<|video_pad|>"],
        vision_start_token_id=number["<|vision_start|>"], vision_end_token_id=number["<|vision_end|>"])
    torch.manual_seed(0)
    Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2,
        "min_pixels": 784, "max_pixels": 50176, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}))
    (folder / "chat_template.json").write_text(json.dumps({"chat_template":
        "{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<|vision_start|><|image_pad|>"
        "<|vision_end|>{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endfor %}<|im_start|>"}))
    return folder


def test_a_vision_model_of_the_qwen_kind_answers(tmp_path, pictures, tiny_vision_model, monkeypatch):
    monkeypatch.setattr(backends, "MOST_TOKENS", 8)
    backend = backends.TransformersBackend(tiny_vision_model, temperature=5.0)
    options = {"backend": backend, "cache": tmp_path / "cache"}
    found = caption(pictures, "说一说", **options)
    assert found[0].text and found[1].error and found[0].model == str(tiny_vision_model)
    assert caption(pictures[:1], "说一说", backend=backend, cache=None) == found[:1]
    assert caption(pictures[:1], "说一说", seed=3, **options)[0].text != found[0].text
    backend.parts = ()  # the model is gone; what it wrote is kept
    assert caption(pictures[:1], "说一说", **options) == found[:1]


def lose(file):
    return lambda folder: (folder / file).unlink()


def hold(file, content):
    return lambda folder: (folder / file).write_bytes(content)


def cut(file):
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:-99])


def configure(**values):
    def write(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **values}))
    return write


def lose_weights(folder):
    weights = load_file(folder / "model.safetensors")
    save_file(dict(sorted(weights.items())[:-2]), folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("spoil", [
    lose("model.safetensors"), cut("model.safetensors"), hold("model.safetensors", b""), lose_weights,
    lose("config.json"), cut("config.json"), hold("config.json", b"[1]"), hold("config.json", b"{}"),
    configure(model_type="nosuch"), configure(model_type=5), configure(text_config=[]), configure(vision_config="x"),
    cut("tokenizer.json"), hold("tokenizer.json", b"[1]"), lose("preprocessor_config.json"),
    cut("preprocessor_config.json"),
])
def test_a_folder_that_is_no_vision_model_ends_the_run(tmp_path, pictures, tiny_vision_model, spoil):
    folder = shutil.copytree(tiny_vision_model, tmp_path / "model")
    spoil(folder)
    with pytest.raises(LessonError) as problem:
        caption(pictures[:1], backend="transformers", model=folder, cache=None)
    assert problem.value.what == error("caption_model", folder=folder, cause="").what
