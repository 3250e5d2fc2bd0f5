"""What a learner has in a folder stays there whatever is fetched into it, and a proxy's failure is called a proxy's."""

import json
import os
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from loopback_hub import environment, running_hub

from course_lib.files import COURSE
from course_lib.hub import fetching, proxy, repository
from course_lib.messages import LANGUAGES, LessonError, set_language

SELF_SIGNED = COURSE / "tests" / "data" / "self_signed.pem"
MODEL = {"config.json": b"{}", "x.safetensors": b"1" * 100, "notes.txt": b"hello"}


@pytest.fixture
def server(tmp_path, monkeypatch):
    with running_hub({("models", "a/b"): dict(MODEL), ("datasets", "a/set"): {
            "metadata.csv": b"file_name,text\n", "1.png": b"x", "evil.py": b"x", "evil.PY": b"x",
            "e.CkPt": b"x"}}) as running:
        for name, value in {**environment(tmp_path), "MODELSCOPE_ENDPOINT": running.address}.items():
            monkeypatch.setenv(name, value)
        yield running


def read_all(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# --- a folder of the learner's ---

@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mine", [{"config.json": b"my own settings"}, {"photos/1.jpg": b"mine"}, {".hidden": b""},
                                  {"x.safetensors": b"2" * 100}, dict(MODEL)])
def test_a_folder_with_a_learners_files_is_left_alone(server, tmp_path, mine, language):
    set_language(language)
    folder = tmp_path / "mine"
    for name, content in mine.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with pytest.raises(LessonError) as problem:
        fetching.fetch("a/b", folder=folder)
    assert str(folder) in problem.value.what and "folder=" in problem.value.next_step
    assert read_all(folder) == mine and not server.requests


def test_a_link_in_it_is_left_alone_with_what_it_leads_to(server, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "victim.json").write_text("victim")
    (tmp_path / "mine" / "config.json").symlink_to(tmp_path / "victim.json")
    with pytest.raises(LessonError):
        fetching.fetch("a/b", folder=tmp_path / "mine")
    assert (tmp_path / "victim.json").read_text() == "victim"


def test_an_empty_and_a_new_folder_are_filled(server, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new/deep"):
        assert MODEL.items() <= read_all(fetching.fetch("a/b", folder=tmp_path / name)).items()


def test_a_download_that_broke_off_goes_on_in_the_same_folder(server, tmp_path):
    server.fail("status", "x.safetensors", 500)
    with pytest.raises(LessonError):
        fetching.fetch("a/b", folder=tmp_path / "one")
    server.faults.clear()
    assert MODEL.items() <= read_all(fetching.fetch("a/b", folder=tmp_path / "one")).items()


def test_what_a_learner_edits_after_the_download_is_kept_beside_it(server, tmp_path, capsys):
    folder = fetching.fetch("datasets/a/set", folder=tmp_path / "set")
    for number in (1, 2):
        (folder / "metadata.csv").write_text(f"file_name,text\n1.png,my caption {number}\n")
        fetching.fetch("datasets/a/set", folder=folder)
        assert f"metadata.changed{number}.csv" in capsys.readouterr().out
    assert (folder / "metadata.csv").read_bytes() == b"file_name,text\n"
    assert [(folder / f"metadata.changed{number}.csv").read_text().splitlines()[1] for number in (1, 2)] == [
        "1.png,my caption 1", "1.png,my caption 2"]


def test_a_file_that_the_learner_put_where_one_is_to_come_is_not_replaced(server, tmp_path):
    folder = fetching.fetch("a/b", patterns=["config.json"], folder=tmp_path / "one")
    (folder / "notes.txt").write_text("mine")
    (folder / "x.safetensors").write_bytes(MODEL["x.safetensors"])  # the same as listed: nothing is lost
    with pytest.raises(LessonError, match="notes.txt"):
        fetching.fetch("a/b", folder=folder)
    assert (folder / "notes.txt").read_text() == "mine"
    (folder / "notes.txt").unlink()
    fetching.fetch("a/b", folder=folder)
    assert (folder / "notes.txt").read_bytes() == b"hello"


@pytest.mark.parametrize("record", [
    {"source": 5, "selections": [], "files": {}}, {"source": None, "selections": 5, "files": {}},
    {"source": None, "selections": [], "files": []}, {"source": [], "selections": [], "files": {"a": 5}},
    {"source": [], "selections": [], "files": {"a": {"size": "1", "sha256": "", "mtime_ns": 1}}},
    {"source": [], "selections": [], "files": {"../a": {"size": 1, "sha256": "", "mtime_ns": 1}}}])
def test_a_crafted_record_is_no_record(server, record):
    folder = fetching.fetch("a/b")
    (folder / fetching.RECORD).write_text(json.dumps(record))
    assert fetching.find_damage(folder, repository.find_repo("a/b")) == fetching.RECORD
    fetching.fetch("a/b")
    assert fetching.find_damage(folder, repository.find_repo("a/b")) is None


def test_code_is_known_by_its_ending_however_it_is_written(server):
    assert sorted(read_all(fetching.fetch("datasets/a/set"))) == [fetching.RECORD, "1.png", "metadata.csv"]


# --- proxies ---

@contextmanager
def a_proxy(status):
    """A proxy on this machine that answers everything with one status."""
    class Answer(BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_CONNECT(self):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_CONNECT

    running = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


@pytest.fixture
def proxied(tmp_path, monkeypatch):
    """Set proxies, and fetch from a hub that does not exist."""
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)

    def fetch(endpoint="https://hub.example.invalid", **variables):
        for name, value in {"MODELSCOPE_ENDPOINT": endpoint, **variables}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(LessonError) as problem:
            fetching.fetch("a/b", folder=tmp_path / "nowhere")
        assert "secret" not in str(problem.value)
        return problem.value

    return fetch


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("endpoint", ["https://hub.example.invalid", "http://hub.example.invalid"])
@pytest.mark.parametrize("value, words", [
    ("socks5://127.0.0.1:1", "pip install pysocks"), ("socks5h://user:secret@127.0.0.1:1", "pip install pysocks"),
    ("http://127.0.0.1:1", "unset"), ("http://user:secret@127.0.0.1:1", "***@127.0.0.1:1"),
    ("http://proxy.example.invalid:3128", "unset"), ("htp://127.0.0.1:1", "http://host:port"),
    ("http://", "http://host:port"), ("127.0.0.1:1", "127.0.0.1:1")])
def test_a_proxys_failure_names_its_variable(proxied, language, endpoint, value, words):
    set_language(language)
    said = str(proxied(endpoint, ALL_PROXY=value)).replace("主机:端口", "host:port")
    assert f"ALL_PROXY={proxy.hide(value)}" in said and words in said and "MODELSCOPE_ENDPOINT" not in said


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "all_proxy"])
def test_whichever_variable_it_is(proxied, name):
    assert f"{name}=http://127.0.0.1:1" in proxied(**{name: "http://127.0.0.1:1"}).why


@pytest.mark.parametrize("status, words", [(407, "407"), (403, "403"), (502, "502")])
def test_a_proxy_that_answers_no(proxied, status, words):
    with a_proxy(status) as place:
        problem = proxied(HTTPS_PROXY=f"http://{place}")
    assert words in problem.why and f"HTTPS_PROXY=http://{place}" in problem.why
    assert ("登录" in problem.what) == (status == 407)


def test_without_a_proxy_nothing_of_one_is_said(proxied):
    assert "没有网络" in proxied().what
    assert "代理" not in proxied("http://127.0.0.1:1").why


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_certificate_of_the_networks_own_is_told(proxied, language):
    """As in companies whose network puts its own certificate in place of the hub's."""
    set_language(language)
    running = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    running.socket = context.wrap_socket(running.socket, server_side=True)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    problem = proxied(f"https://127.0.0.1:{running.server_port}")
    running.shutdown()
    running.server_close()
    assert "self-signed" in problem.why and "REQUESTS_CA_BUNDLE" in problem.next_step
