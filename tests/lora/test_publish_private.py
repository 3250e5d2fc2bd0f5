"""What is a learner's own does not become public with a LoRA: other files, places, folders, and the token."""

import io
import json
import threading
import traceback
from contextlib import redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy
import pytest
from loopback_hub import publishing_hub
from PIL import Image, PngImagePlugin
from safetensors.numpy import load_file, save_file

from course_lib.checks import check_secret, is_loopback
from course_lib.dataset.captions.backends import OpenAIBackend
from course_lib.dataset.collecting.sources import SERVICES, find_key
from course_lib.lora.publishing import TOKEN, escape_words, publish
from course_lib.messages import LANGUAGES, LessonError, set_language

REPO = "learner/line-art"
LORA = {f"unet.block.{part}.lora_{side}.weight": numpy.ones((4, 8) if side == "A" else (8, 4), numpy.float32)
        for part in ("to_q", "to_k") for side in "AB"}
HEADER = {"rank": "4", "alpha": "2", "trigger_word": "线稿", "base_model": "kolors"}
SECRET = "ms-SECRET-TOKEN-1234"


@pytest.fixture
def server(tmp_path, monkeypatch):
    with publishing_hub(monkeypatch, tmp_path, SECRET) as running:
        yield running


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "lora"
    place.mkdir()
    save_file(LORA, place / "lora.safetensors", HEADER)
    (place / "MODEL_LICENSE").write_text("the agreement")
    return place


def sent(server, name=None):
    files = server.repos.get(("models", REPO), {})
    return files if name is None else files[name]


# --- files ---

@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["key.png", "photo.JPG", "lora.safetensors", "MODEL_LICENSE"])
@pytest.mark.parametrize("inside", [True, False])
def test_a_link_is_not_followed(server, folder, tmp_path, language, name, inside):
    set_language(language)
    target = (folder if inside else tmp_path) / "target"
    target.write_bytes((folder / name).read_bytes() if (folder / name).exists() else b"secret")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(target)
    with pytest.raises(LessonError) as problem:
        publish(folder, REPO)
    assert name in problem.value.what and not sent(server)


@pytest.mark.parametrize("content", [
    b"API_KEY=abc", b"PK\3\4zip", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x89PNG\r\n\x1a\n", b""])
def test_what_only_is_called_a_picture_stays_here(server, folder, capsys, content):
    (folder / "secret.png").write_bytes(content)
    (folder / "folder.png").mkdir()
    publish(folder, REPO)
    assert sorted(sent(server)) == ["MODEL_LICENSE", "README.md", "lora.safetensors"]
    assert "secret.png" in capsys.readouterr().out


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".JPEG"])
def test_a_picture_is_sent_without_what_is_written_in_it(server, folder, ending):
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (31.0, 12.0, 30.0)}  # where it was taken
    exif[0x010F], exif[0x0112] = "a camera", 6  # its maker; turned by a quarter
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", "/home/learner/private")
    picture = Image.new("RGB", (8, 4), "red")
    picture.paste("blue", (0, 0, 4, 4))
    more = {"pnginfo": chunks} if ending == ".png" else {"comment": "private"} if ending != ".webp" else {}
    picture.save(folder / f"me{ending}", exif=exif, icc_profile=b"private profile", **more)
    publish(folder, REPO)
    content = sent(server, f"me{ending}")
    with Image.open(io.BytesIO(content)) as found:
        assert found.size == (4, 8) and not dict(found.getexif())  # upright, so that the tag is not missed
        assert not {"exif", "comment", "parameters", "icc_profile"} & set(found.info)
    assert b"private" not in content and b"a camera" not in content


@pytest.mark.parametrize("header", [
    {"settings": json.dumps({"prior_folder": "/home/learner/private", "lora_rank": 4, "precision": "32"})},
    {"ss_dataset_dirs": '{"/home/learner/private": 1}'}, {"ss_tag_frequency": "private"},
    {"base_model": "/home/learner/private"}, {"base_model": "C:\\Users\\learner\\private"}, {"base_model": "~/private"},
    {"summary": "private"}, {"note": "private"},
    {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 2, "unet.base_model_name_or_path": "/private"})},
    {"settings": "{private"}, {"settings": '["private"]'}, {"summary": json.dumps({"steps": 3, "who": "private"})}])
def test_a_header_is_cut_to_what_may_be_public(server, folder, tmp_path, header):
    save_file(LORA, folder / "lora.safetensors", {**HEADER, **header})
    publish(folder, REPO)
    content = sent(server, "lora.safetensors")
    assert b"private" not in content
    (tmp_path / "back.safetensors").write_bytes(content)
    assert all(numpy.array_equal(value, LORA[name]) for name, value in load_file(tmp_path / "back.safetensors").items())
    assert b'"alpha": "2"' in content or b'"alpha":"2"' in content
    if "prior_folder" in header.get("settings", ""):
        assert b"lora_rank" in content and b"precision" in content


@pytest.mark.parametrize("words", [
    "a|b\n# x", "<script>alert(1)</script>", "![x](http://evil/x.png)", "[a](javascript:alert(1))",
    "---\nlicense: mit", "**bold** `code` ~~x~~", "<img src=x onerror=alert(1)>", "&lt;b&gt;", "# title\n\n## more",
    "\\[x\\](y)"])
def test_words_in_a_card_stay_words(server, folder, words):
    publish(folder, REPO, trigger=words)
    card = sent(server, "README.md").decode()
    row, = [line for line in card.splitlines() if line.startswith("| 触发词 |")]
    assert "<" not in row and "](" not in row and "**" not in row and card.count("\n---") == 1
    assert row.count("|") == 3 and "license: mit" not in [line.strip() for line in card.splitlines()]


def test_plain_words_are_as_they_are():
    assert escape_words("线稿, xian 2.0 - Kwai-Kolors/Kolors") == "线稿, xian 2.0 - Kwai-Kolors/Kolors"
    assert escape_words("a_b") == r"a\_b"


# --- the token ---

def run(folder):
    """Publish, and return the kind of the answer and everything that a plain Python would show."""
    shown = io.StringIO()
    try:
        with redirect_stdout(shown), redirect_stderr(shown):
            publish(folder, REPO)
        return "ok", shown.getvalue()
    except Exception as problem:
        return type(problem).__name__, "".join(traceback.format_exception(problem)) + shown.getvalue()


class Echo(BaseHTTPRequestHandler):
    """Answers everything by repeating the headers, the token among them."""

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps({"Code": 500, "Message": f"bad token {dict(self.headers)}"}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_a_server_that_repeats_the_token_does_not_make_it_shown(server, folder, monkeypatch, status):
    echo = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    echo.status = status
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", f"http://127.0.0.1:{echo.server_port}")
    kind, shown = run(folder)
    echo.shutdown()
    echo.server_close()
    assert kind == "LessonError" and SECRET not in shown


@pytest.mark.parametrize("odd", [SECRET + end for end in ("\nX: y", "\u200b", "\x07", "\xa0x", " x", "\r")] + [
    "令牌" + SECRET, "\ufeff" + SECRET])
def test_a_token_that_no_header_can_hold_is_told_without_it(server, folder, monkeypatch, odd):
    monkeypatch.setenv(TOKEN, odd)
    kind, shown = run(folder)
    assert (kind == "ok") == (odd.strip() == SECRET) and SECRET not in shown
    if kind != "ok":
        assert kind == "LessonError" and TOKEN in shown and not server.requests


@pytest.mark.parametrize("variable, call", [
    ("OPENAI_API_KEY", lambda: OpenAIBackend("a-model")),
    ("UNSPLASH_ACCESS_KEY", lambda: find_key(SERVICES["unsplash"])),
    ("PEXELS_API_KEY", lambda: find_key(SERVICES["pexels"]))])
def test_every_key_is_checked(monkeypatch, variable, call):
    monkeypatch.setenv("OPENAI_BASE_URL", "https://captions.example.invalid/v1")
    for odd in (SECRET + "\nX: y", SECRET + "\u200b", "密钥"):
        monkeypatch.setenv(variable, odd)
        with pytest.raises(LessonError) as problem:
            call()
        assert variable in problem.value.what and SECRET not in str(problem.value)
    monkeypatch.setenv(variable, f" {SECRET}\n")
    call()


@pytest.mark.parametrize("endpoint", ["http://modelscope.example", "http://192.168.1.5:8080", "ftp://127.0.0.1",
                                      "http://127.0.0.1.example.com", "http://localhost.example.com", "http://[bad"])
def test_the_token_goes_over_https_alone(server, folder, monkeypatch, endpoint):
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", endpoint)
    kind, shown = run(folder)
    assert kind == "LessonError" and SECRET not in shown and not server.requests
    if not endpoint.startswith("ftp"):
        assert "https" in shown


def test_this_machine_is_this_machine():
    assert all(map(is_loopback, ("http://127.0.0.1:1", "http://localhost", "http://[::1]:8", "http://127.9.9.9")))
    assert not any(map(is_loopback, ("http://10.0.0.1", "http://example.com", "http://127.0.0.1@example.com", "x", "")))
    assert check_secret("x", "") == ""
