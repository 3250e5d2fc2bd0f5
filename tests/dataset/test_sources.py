"""Openverse, Wikimedia Commons and the closed ones against stand-ins on this machine: paging, rights, every failure."""

import io
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from loopback_sources import Reply, Several, list_commons, list_openverse, serve
from PIL import Image

from course_lib.dataset.collecting import rights, sources, web
from course_lib.dataset.collecting.rights import Candidate, clean, clean_url, read_licence
from course_lib.dataset.table import read_table
from course_lib.messages import LessonError

CONTACT = "learner@example.org"


def png(number=0, size=(64, 48)):
    content = io.BytesIO()
    Image.new("RGB", size, (number % 256, 90, 30)).save(content, format="PNG")
    return content.getvalue()


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Wait hundredths of a second where the course waits seconds, and have no keys."""
    defaults = web.Web.__init__.__kwdefaults__
    monkeypatch.setattr(web.Web.__init__, "__kwdefaults__", {**defaults, "first_wait": 0.01})
    for name in ("OPENVERSE_TOKEN", "UNSPLASH_ACCESS_KEY", "PEXELS_API_KEY", "COURSE_CONTACT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site():
    with serve() as started:
        started.pages |= {"/v1/images/": list_openverse(started.address, 50),
                          **{f"/pictures/{number}.png": png(number) for number in range(50)}}
        yield started


def search(site, **options):
    return sources.search("cat", **{"base_url": site.address, "contact": CONTACT, "pause": 0, **options})


def download(site, candidates, folder, **options):
    return sources.download(candidates, folder, **{"contact": CONTACT, "pause": 0, "trusted": [site.place], **options})


def test_openverse_is_paged_and_pictures_without_a_licence_are_left_out(site, capsys):
    found = search(site, count=30, licences=("cc0", "by"))
    assert [each.title for each in found] == [f"Picture {n}" for n in range(50) if n % 5 != 4][:30]
    assert [query["page"] for _, _, query, _, _ in site.requests] == ["1", "2"]
    _, _, query, headers, _ = site.requests[0]
    assert query["license"] == "by,cc0" and query["q"] == "cat" and query["page_size"] == "20"
    assert CONTACT in headers["User-Agent"] and "Authorization" not in headers
    assert "8" in capsys.readouterr().out  # left out on two pages


def test_a_search_ends_with_the_sources_last_page(site):
    assert len(search(site, count=200)) == 40 and len(site.requests) == 3


def test_only_wanted_licences_come_through_whatever_the_service_sends(site):
    assert search(site, licences=("cc0",)) == []


def test_commons_is_continued_and_its_html_becomes_words(site):
    names = ["CC BY-SA 4.0", "CC0", None, "Fair use", "CC BY 2.0", "Public domain"] * 5
    site.pages["/w/api.php"] = list_commons(site.address, names)
    found = search(site, source="commons", count=30, licences=("cc0", "by", "by-sa"))
    assert len(found) == 15 and {each.licence for each in found} == {"by-sa", "cc0", "by"}
    assert found[0].creator == "Ann & Bob 0" and found[0].title == "0.png"
    assert found[0].url.endswith("/pictures/0.png")  # the small one, not the original
    assert [query.get("gsroffset") for _, _, query, _, _ in site.requests] == [None, "20"]


def test_rights_are_kept_beside_each_picture(site, tmp_path):
    brought = download(site, search(site, count=3), tmp_path)
    rows = read_table(tmp_path)
    assert sorted(brought.saved) == sorted(row["file_name"] for row in rows) and len(rows) == 3
    assert rows[1]["creator"] == "Author 1" and rows[1]["licence"] == "by" and rows[1]["text"] == ""
    assert rows[1]["licence_url"] == "https://creativecommons.org/licenses/by/4.0/"
    assert rows[1]["source_url"] == f"{site.address}/pages/1" and rows[1]["source"] == "openverse"
    attribution = (tmp_path / "ATTRIBUTION.txt").read_text(encoding="utf-8")
    for row in rows:
        assert row["file_name"] in attribution and row["attribution"] in attribution
        assert (tmp_path / row["file_name"]).read_bytes() == png(int(row["title"].split()[1]))


def test_a_download_goes_on_where_it_stopped_and_a_damaged_picture_comes_again(site, tmp_path):
    candidates = search(site, count=6)
    first = download(site, candidates[:4], tmp_path)
    site.requests.clear()
    (tmp_path / first.saved[0]).write_bytes(b"damaged")
    second = download(site, candidates, tmp_path)
    assert (len(second.saved), len(second.kept)) == (3, 3) and len(site.requests) == 3
    assert len(read_table(tmp_path)) == 6


def test_each_kind_of_bad_picture_costs_its_own_row(site, tmp_path):
    site.pages |= {
        "/pictures/0.png": Reply(b"<html>log in</html>", Content_Type="text/html"),
        "/pictures/1.png": Reply(png(), cut=40), "/pictures/2.png": png()[:-30], "/pictures/3.png": Reply(b"", 404),
        "/pictures/5.png": Reply(b"", length=rights.PICTURE_BYTES + 1),
        "/pictures/6.png": Reply(png(), Content_Encoding="gzip"), "/pictures/7.png": Reply(b"", 500),
        "/pictures/8.png": b"MZ not a picture", "/pictures/10.png": Reply(b"", 302, Location="/pictures/10.png"),
        "/pictures/11.png": Reply(b"", 302, Location="http://127.0.0.1:1/secret"),
        "/pictures/12.png": Reply(b"", 302, Location="file:///etc/passwd")}
    brought = download(site, search(site, count=12), tmp_path)
    assert len(brought.problems) == 11 and len(brought.saved) == 1
    assert all(reason for _, reason in brought.problems)
    assert [row["title"] for row in read_table(tmp_path)] == ["Picture 13"]
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".csv", ".png", ".txt"]  # and nothing half done
    assert site.paths().count("/pictures/1.png") == site.paths().count("/pictures/7.png") == web.TRIES


def test_a_body_that_never_ends_is_cut_off(site, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "PICTURE_BYTES", 100_000)
    site.pages["/pictures/0.png"] = Reply(b"x" * 3_000_000, length=False)
    brought = download(site, search(site, count=1), tmp_path)
    assert brought.saved == [] and "100" in brought.problems[0][1]


def test_busy_is_waited_out_and_its_wish_respected(site, tmp_path):
    site.pages["/pictures/0.png"] = Several(Reply(b"", 429, Retry_After=1), Reply(b"", 503), png())
    started = time.monotonic()
    assert len(download(site, search(site, count=1), tmp_path).saved) == 1
    assert time.monotonic() - started >= 1
    site.pages["/pictures/1.png"] = Reply(b"", 429, Retry_After=3600)
    site.requests.clear()
    brought = download(site, search(site, count=4), tmp_path / "busy")
    assert len(brought.saved) == 1 and len(brought.problems) == 3 and "3600" in brought.problems[0][1]
    assert site.paths().count("/pictures/1.png") == 1 and "/pictures/2.png" not in site.paths()


def test_retry_after_may_be_a_date():
    soon = datetime.now(timezone.utc) + timedelta(seconds=30)
    assert 25 < web.read_wait(format_datetime(soon)) <= 30
    assert web.read_wait("5") == 5 and web.read_wait("soon") is None and web.read_wait("") is None
    assert web.read_wait(format_datetime(datetime(2000, 1, 1))) == 0


@pytest.mark.parametrize("reply", [
    Reply({"detail": "no"}, 401), Reply({}, 403), Reply({}, 429, Retry_After=0), Reply({}, 500), Reply({}, 404),
    Reply(b"<html>maintenance</html>", Content_Type="text/html"), Reply([]), Reply({"results": 1}), Reply(b'"x"'),
    Reply({"error": {"code": "ratelimited", "info": "slow down"}}), Reply(b"{" * 100000), Reply(b"x" * 6_000_000),
    Reply({"results": []}, cut=3), Reply({}, 302, Location="http://127.0.0.2/v1/images/")])
def test_a_service_that_gives_no_answer_is_explained(site, reply):
    site.pages["/v1/images/"] = reply
    with pytest.raises(LessonError) as problem:
        search(site)
    assert "?" not in problem.value.what  # no query, which may hold a key


def test_a_service_that_cannot_be_reached_is_explained():
    with pytest.raises(LessonError):
        sources.search("cat", base_url="http://127.0.0.1:9", contact=CONTACT, pause=0)


def test_pictures_may_move_to_another_host_but_a_key_does_not(site, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENVERSE_TOKEN", "a-secret-token")
    with serve({"/there.png": png(7)}) as other:
        site.pages["/pictures/0.png"] = Reply(b"", 301, Location=f"{other.address}/there.png")
        found = search(site, count=1)
        assert site.requests[0][3]["Authorization"] == "Bearer a-secret-token"
        assert len(download(site, found, tmp_path, trusted=[site.place, other.place]).saved) == 1
        assert all("Authorization" not in headers for *_, headers, _ in site.requests[1:] + other.requests)
        site.pages["/v1/images/"] = Reply(b"", 302, Location=f"{other.address}/v1/images/")
        with pytest.raises(LessonError):
            search(site)
        assert len(other.requests) == 1
    with pytest.raises(LessonError):
        sources.search("cat", base_url="http://example.org", contact=CONTACT)


@pytest.mark.parametrize("source", ["unsplash", "pexels"])
def test_closed_sources_send_nothing_before_another_purpose_is_confirmed(site, tmp_path, monkeypatch, source):
    monkeypatch.setenv("UNSPLASH_ACCESS_KEY", "u-key")
    monkeypatch.setenv("PEXELS_API_KEY", "p-key")
    author = {"name": "Ann", "links": {"html": "https://unsplash.com/@ann"}}
    site.pages |= {
        "/search/photos": {"total": 1, "total_pages": 1, "results": [{
            "id": "a", "width": 64, "height": 48, "alt_description": "a cat", "user": author,
            "urls": {"regular": f"{site.address}/pictures/3.png"},
            "links": {"html": "https://unsplash.com/photos/a", "download_location": f"{site.address}/counted"}}]},
        "/counted": {"url": "x"},
        "/v1/search": {"page": 1, "per_page": 80, "photos": [{
            "id": 1, "width": 64, "height": 48, "url": "https://www.pexels.com/photo/1", "photographer": "Ann",
            "photographer_url": "https://www.pexels.com/@ann", "alt": "a cat",
            "src": {"large": f"{site.address}/pictures/3.png"}}]}}
    with pytest.raises(LessonError, match=source):
        search(site, source=source)
    assert site.requests == []
    found = search(site, source=source, purpose="display")
    assert [each.creator for each in found] == ["Ann"]
    before = len(site.requests)
    with pytest.raises(LessonError, match=source):
        download(site, found, tmp_path)
    assert len(site.requests) == before and not list(tmp_path.iterdir())
    assert len(download(site, found, tmp_path, purpose="display").saved) == 1
    assert read_table(tmp_path) == []  # what a training reads stays empty
    assert [row["training"] for row in read_table(tmp_path, rights.NOT_FOR_TRAINING)] == ["no"]
    assert "不能用于训练" in (tmp_path / "ATTRIBUTION.txt").read_text(encoding="utf-8")
    assert ("/counted" in site.paths()) == (source == "unsplash")
    assert {headers.get("Authorization") for *_, headers, _ in site.requests[:1]} <= {"Client-ID u-key", "p-key"}
    assert len(download(site, found, tmp_path, purpose="display").kept) == 1


def test_a_closed_source_needs_its_key(site):
    with pytest.raises(LessonError, match="PEXELS_API_KEY"):
        search(site, source="pexels", purpose="display")


@pytest.mark.parametrize("wrong", [{"source": "google"}, {"count": 0}, {"count": 1000}, {"licences": ("mit",)},
                                   {"licences": "by"}, {"contact": ""}, {"contact": "me"}, {"contact": "我@例子.中国"},
                                   {"purpose": "anything"}, {"contact": "a@b.c\r\nX-Evil: 1"}])
def test_wrong_arguments_send_nothing(site, wrong):
    with pytest.raises(LessonError):
        search(site, **wrong)
    assert site.requests == []


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data", "http://[::1]/",
                                 "http://localhost/", "http://0.0.0.0/", "http://[::ffff:127.0.0.1]/",
                                 "ftp://example.org", "http://user:word@example.org/", "file:///etc/passwd",
                                 "http://127.1/", "http:///x", "", "http://224.0.0.1/", "http://example.org:port/"])
def test_addresses_inside_this_network_and_odd_ones_are_refused(url):
    with pytest.raises(LessonError), web.Web() as asking:
        asking.check_address(url)


@pytest.mark.parametrize("name, licence", [
    ("CC BY 4.0", "by"), ("by-sa", "by-sa"), ("CC0", "cc0"), ("cc0", "cc0"), ("Public domain", "pdm"), ("pdm", "pdm"),
    ("CC BY-NC-ND 3.0 de", "by-nc-nd"), ("CC-BY-SA-3.0,2.5", "by-sa"), ("GFDL", ""), (None, ""), ("Fair use", ""),
    ("bye", ""), ("CC BYE 4.0", "")])
def test_licences_are_read_strictly(name, licence):
    assert read_licence(name) == licence


def test_what_a_source_says_becomes_plain_words():
    assert clean("<a href='x'>A &amp; B</a>\n\x1b[31m\tC") == "A & B [31m C"
    assert clean("=HYPERLINK(1)") == "'=HYPERLINK(1)" and clean(None) == "" and len(clean("x" * 9999)) == 500
    assert clean_url("https://a.org/x") and not clean_url("javascript:alert(1)") and not clean_url("https://a b")


def test_file_names_are_the_courses_own(site, tmp_path):
    odd = Candidate("openverse", f"{site.address}/../../../../tmp/evil.png?a=%00", "", "../../evil", licence="by")
    site.pages["*"] = png(3)
    brought = download(site, [odd], tmp_path / "set")
    assert [file.name for file in tmp_path.iterdir()] == ["set"]
    assert len(brought.saved) == 1 and brought.saved[0].replace(".png", "").isalnum()
