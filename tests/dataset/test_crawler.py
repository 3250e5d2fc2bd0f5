"""The polite fetcher on sites of this machine: robots.txt, pauses, traps, other hosts, private addresses."""

import contextlib
import time

import pytest
from loopback_sources import Reply, serve
from test_sources import CONTACT, png

from course_lib.dataset.collecting import crawler, rights, web
from course_lib.dataset.table import read_table
from course_lib.messages import LessonError


def page(body, head=""):
    content = f"<html><head>{head}</head><body>{body}</body></html>".encode()
    return Reply(content, Content_Type="text/html; charset=utf-8")


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(web.Web.__init__, "__kwdefaults__", {**web.Web.__init__.__kwdefaults__, "first_wait": 0.01})


@pytest.fixture
def site():
    with serve() as started:
        started.pages |= {
            "/": page('<a href="/more?x=1#part">more</a> <a href="/closed/">c</a>'
                      '<a rel="nofollow" href="/unwanted">n</a> <a href="mailto:a@b.c">m</a>'
                      '<a href="javascript:alert(1)">j</a> <img src="a.png" alt="一只猫">'
                      '<img src="/closed/b.png"> <img src="data:image/png;base64,xx">'),
            "/more": page('<a href="/">back</a> <img src="/c.png"> <img src="/a.png">'),
            "/closed/": page('<img src="/d.png">'), "/unwanted": page('<img src="/d.png">'),
            **{f"/{name}.png": png(number) for number, name in enumerate(("a", "closed/b", "c", "d"))},
            "/robots.txt": b"User-agent: *\nDisallow: /closed/\n"}
        yield started


def crawl(site, folder, start="/", **options):
    return crawler.crawl(site.address + start, folder, **{"contact": CONTACT, "pause": 0, **options})


def test_what_robots_may_read_is_fetched_and_nothing_else(site, tmp_path):
    brought = crawl(site, tmp_path)
    assert site.paths() == ["/robots.txt", "/", "/more", "/a.png", "/c.png"]
    assert all(CONTACT in headers["User-Agent"] for *_, headers, _ in site.requests)
    assert len(brought.saved) == 2 and len(brought.problems) == 2  # the closed one, and the one that is no address
    rows = read_table(tmp_path, rights.NOT_FOR_TRAINING)
    assert [(row["title"], row["source_url"]) for row in rows] == [("一只猫", site.address + "/"),
                                                                  ("", site.address + "/more?x=1")]
    assert {row["training"] for row in rows} == {"no"} and read_table(tmp_path) == []


def test_pictures_may_be_trained_on_once_their_owner_said_so(site, tmp_path):
    names = crawl(site, tmp_path).saved
    crawler.open_for_training(tmp_path, names[:1], "by, letter of 2026-11-23")
    assert [row["file_name"] for row in read_table(tmp_path)] == names[:1]
    for wrong in ((["other.png"], "by"), (names, " ")):
        with pytest.raises(LessonError):
            crawler.open_for_training(tmp_path, *wrong)
    site.requests.clear()
    assert len(crawl(site, tmp_path).kept) == 2
    assert not [path for path in site.paths() if path.endswith(".png")]
    assert [row["file_name"] for row in read_table(tmp_path)] == names[:1]


@pytest.mark.parametrize("robots", [
    b"User-agent: *\nDisallow: /", b"User-agent: kolorscourse\nDisallow: /\n\nUser-agent: *\nDisallow:",
    b"\xef\xbb\xbfUser-agent: *\nDisallow: /", b"User-agent: *\nDisallow: /*\n", b"User-agent: *\nDisallow: /$\n",
    b"User-agent: other\nUser-agent: *\nDisallow: /*x\nDisallow: /*\n",
    Reply(b"", 500), Reply(b"", 401), Reply(b"", 403), Reply(b"", 429, Retry_After=0), Reply(b"x" * 600_000),
    Reply(b"", 302, Location="http://127.0.0.2/robots.txt"), Reply(b"User-agent: *", cut=3),
    b"User-agent: *\nCrawl-delay: 9999", b"User-agent: *\nRequest-rate: 1/9999"])
def test_a_site_that_says_no_or_nothing_clear_is_left_alone(site, tmp_path, robots):
    site.pages["/robots.txt"] = robots
    with pytest.raises(LessonError):
        crawl(site, tmp_path / "set")
    assert set(site.paths()) == {"/robots.txt"} and not (tmp_path / "set").exists()


@pytest.mark.parametrize("robots", [Reply(b"", 404), b"", b"User-agent: other\nDisallow: /\n", b"\xff\xfe garbage",
                                    b"User-agent: other\nDisallow: /*\n\nUser-agent: *\nDisallow: /*.gif$\n"])
def test_a_site_without_rules_for_us_is_read(site, tmp_path, robots):
    site.pages["/robots.txt"] = robots
    assert len(crawl(site, tmp_path, depth=0).saved) == 2


@pytest.mark.parametrize("rules, url, allowed", [
    ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),  # the longest rule counts, wherever it stands
    ("User-agent: *\nAllow: /a\nDisallow: /a/b", "/a/b", False), ("User-agent: *\nAllow: /\nDisallow: /x", "/x", False),
    ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),  # as long: the friendlier one
    ("User-agent: *\nDisallow: /x\n\nUser-agent: *\nDisallow: /y", "/x", False),  # groups of one robot are one
    ("User-agent: KolorsCourse\nDisallow: /x\n\nUser-agent: kolorscourse\nDisallow: /y", "/x", False),
    ("User-agent: KolorsCourse/0.1\nDisallow: /", "/x", False),
    ("User-agent: *\nDisallow: /\n\nUser-agent: KolorsCourse\nDisallow: /y", "/x", True),  # our own group alone
    ("User-agent: other\nUser-agent: KolorsCourse\nDisallow: /x", "/x", False),
    ("User-agent: *\nDisallow: /%E5%9B%BE", "/图", False), ("User-agent: *\nDisallow: /图", "/%e5%9b%be", False),
    ("User-agent: *\nDisallow: /a%2Db", "/a-b", False), ("User-agent: *\nDisallow: /x$", "/xy", True),
    ("User-agent: *\nDisallow: /*?", "/x?a", False), ("User-agent: *\nDisallow: /*?", "/x", True),
    ("User-agent: *\nDisallow: *.png", "/a/b.png", False), ("User-agent: *\rDisallow: /x\r", "/x", False),
    ("useragent : *\ndisallow : /x", "/x", False), ("USER-AGENT: *\nDISALLOW: /x", "/x", False),
    ("User-agent: *\nDisallow: /X", "/x", True), ("User-agent: *\nSitemap: /s\nDisallow: /x", "/x", False),
    ("User-agent: *\nCrawl-delay: 1\nDisallow: /x # not this", "/x", False),
    ("User-agent: other\nDisallow: /x\nUser-agent: *\nDisallow:", "/x", True),
    ("User-agent: *\nDisallow: /a*b*c$", "/a1b2c", False), ("User-agent: *\nDisallow: /a*b*c$", "/a1b2cd", True),
    ("User-agent: *\nDisallow: /x\nNoindex: /y\nDisallow: /z", "/z", False)])
def test_rules_mean_what_the_standard_says(rules, url, allowed):
    assert crawler.parse_rules(rules).can_fetch(f"http://a.example{url}", crawler.AGENT) is allowed


@pytest.mark.parametrize("robots", [
    b"User-agent: *\nCrawl-delay: \xc2\xb2", b"User-agent: *\nCrawl-delay: " + b"9" * 5000,
    b"User-agent: *\nCrawl-delay: nan", b"User-agent: *\nCrawl-delay: -5", b"User-agent: *\nCrawl-delay: 1e999",
    b"User-agent: *\nRequest-rate: 1/\xc2\xb2", b"User-agent: *\nRequest-rate: 1/" + b"9" * 4000,
    b"User-agent: *\nRequest-rate: " + b"9" * 4000 + b"/1", b"User-agent: *\nRequest-rate: 0/0", b"\x00" * 5000,
    b"User-agent: *\nDisallow: /" + b"*a" * 200_000, b"User-agent: *\n" + b"Disallow: /*a*b*c$\n" * 25_000,
    b"User-agent: *\nDisallow: /z" + b"*" * 400_000 + b"$", b"User-agent: a\n" * 30_000, b"%" * 400_000,
    b"".join(b"User-agent: %d\n" % number for number in range(12_000)) + b"Disallow: /x\n" * 12_000,
    b"User-agent: *\nDisallow: http://[bad\n" * 5_000, b"Disallow: /\xff\xfe%zz%\n" * 10_000])
def test_no_robots_txt_breaks_or_stalls_us(site, tmp_path, robots):
    began = time.process_time()
    with contextlib.suppress(LessonError):
        crawl(site, tmp_path, "/?" + "a" * 450, depth=0)
    assert time.process_time() - began < 10 and set(site.paths()) >= {"/robots.txt"}


def test_many_links_and_many_rules_take_no_longer_than_the_pages_do(site, tmp_path):
    links = "".join(f'<a href="/x{number}">' for number in range(29_000))
    pictures = "".join(f'<img src="/y{number}.png">' for number in range(29_000))
    rules = "".join(f"Disallow: /*{number}*x\n" for number in range(20_000)) + "Disallow: /x\nDisallow: /y"
    site.pages |= {"/robots.txt": f"User-agent: *\n{rules}".encode(), "/": page(links), "/links": page(pictures)}
    for start in ("/", "/links"):
        began = time.process_time()
        brought = crawl(site, tmp_path, start, most_pages=5, most_pictures=5)
        assert time.process_time() - began < 20 and brought.saved == [] and len(brought.problems) <= 50
    assert len(site.paths()) == 4


def test_pictures_that_are_not_there_are_not_asked_for_without_end(site, tmp_path):
    site.pages["/"] = page("".join(f'<img src="/none{number}.png">' for number in range(500)))
    assert len(crawl(site, tmp_path, most_pictures=3).problems) == 30
    assert len([path for path in site.paths() if "none" in path]) == 30


def test_a_pattern_closes_pictures(site, tmp_path):
    site.pages["/robots.txt"] = b"User-agent: *\nDisallow: /*.png$  # pictures\nAllow: /"
    assert crawl(site, tmp_path).saved == [] and not [path for path in site.paths() if path.endswith(".png")]


def test_requests_are_as_far_apart_as_was_asked(site, tmp_path):
    site.pages["/robots.txt"] = b"User-agent: *\nCrawl-delay: 1\nDisallow: /closed/"
    started = time.monotonic()
    crawl(site, tmp_path, depth=0)
    assert len(site.requests) == 3 and time.monotonic() - started >= 1  # the first comes before the wish is known


@pytest.mark.parametrize("start, asked, kept", [
    ("https://example.org/", 0, 1), ("http://127.0.0.1.example.org/", 0.2, 1), ("https://example.org/", 5, 5),
    ("http://127.0.0.1:80/", 0.2, 0.2), ("http://localhost/", -1, 0)])
def test_only_a_site_on_this_machine_is_asked_more_than_once_a_second(start, asked, kept):
    assert crawler.choose_pause(start, asked) == kept


def test_a_trap_of_endless_links_is_left_after_so_many_pages(site, tmp_path):
    def endless(query):
        number = int(query.get("n", 0))
        links = "".join(f'<a href="/trap?n={number * 10 + each}&pad={"x" * number}">t</a>' for each in range(1, 10))
        return page(f'<img src="/a.png">{links}')

    site.pages |= {"/trap": endless, "/robots.txt": b""}
    brought = crawl(site, tmp_path, "/trap?n=1", most_pages=15, depth=10)
    assert site.paths().count("/trap") == 15 and len(brought.saved) == 1
    site.requests.clear()
    crawl(site, tmp_path, "/trap?n=1", most_pages=1000, depth=1)
    assert site.paths().count("/trap") == 10


def test_other_hosts_are_not_visited_by_link_picture_or_redirect(site, tmp_path):
    with serve({"*": page("secret")}) as other:
        site.pages |= {
            "/": page(f'<a href="{other.address}/">o</a> <a href="/moved">m</a> <img src="{other.address}/x.png">'
                      f'<img src="/moved.png"> <a href="//127.0.0.1:1/x">p</a> <a href="http://[">b</a>'),
            "/moved": Reply(b"", 302, Location=other.address),
            "/moved.png": Reply(b"", 302, Location=f"{other.address}/x"),
            "/inside": Reply(b"", 302, Location="/closed/")}
        brought = crawl(site, tmp_path)
        assert other.requests == [] and brought.saved == [] and len(brought.problems) == 2
    with pytest.raises(LessonError):
        crawl(site, tmp_path, "/moved")


def test_a_page_that_asks_robots_not_to_take_its_pictures_is_obeyed(site, tmp_path):
    for number, said in enumerate((page('<img src="/d.png">', '<meta name="robots" content="NOINDEX, follow">'),
                                   page('<img src="/d.png">', '<meta name="robots" content="noai">'),
                                   Reply(page('<img src="/d.png">').content, Content_Type="text/html",
                                         X_Robots_Tag="noimageai"))):
        site.pages["/"] = said
        assert crawl(site, tmp_path / str(number)).saved == []
    site.pages |= {"/": page('<img src="/d.png">'), "/d.png": Reply(png(), X_Robots_Tag="noimageindex")}
    assert crawl(site, tmp_path / "last").saved == []
    site.pages["/"] = page('<a href="/more">m</a>', '<meta name="robots" content="nofollow">')
    site.requests.clear()
    crawl(site, tmp_path / "links")
    assert "/more" not in site.paths()


def test_a_busy_site_is_left_alone_at_once(site, tmp_path):
    site.pages["/a.png"] = Reply(b"", 429, Retry_After=7200)
    brought = crawl(site, tmp_path)
    assert brought.saved == [] and site.paths()[-1] == "/a.png" and site.paths().count("/a.png") == 1


def test_large_pages_and_false_pictures_are_left_out(site, tmp_path):
    site.pages |= {"/": page('<a href="/huge">h</a><img src="/a.png"><img src="/c.png">'),
                   "/huge": Reply(b"x" * 2_100_000, length=False, Content_Type="text/html"), "/a.png": b"<svg></svg>",
                   "/robots.txt": b""}
    brought = crawl(site, tmp_path)
    assert len(brought.saved) == 1 and len(brought.problems) == 1


@pytest.mark.parametrize("start", ["http://10.0.0.1.:99999/", "ftp://127.0.0.1/", "", "http://a@127.0.0.1/",
                                   "http://[bad", "http://a:b/", "http://x\x00y/"])
def test_a_start_that_is_no_address_is_answered(tmp_path, start):
    with pytest.raises(LessonError):
        crawler.crawl(start, tmp_path, contact=CONTACT, pause=0)


def test_without_a_contact_or_with_wrong_limits_nothing_is_asked(site, tmp_path, monkeypatch):
    monkeypatch.delenv(rights.CONTACT, raising=False)
    for wrong in ({"contact": ""}, {"depth": 11}, {"most_pages": -1}, {"most_pictures": True}):
        with pytest.raises(LessonError):
            crawl(site, tmp_path, **wrong)
    assert site.requests == []
