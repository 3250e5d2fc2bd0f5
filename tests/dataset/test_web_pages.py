"""Pages as people write them: encodings, base addresses, pictures that load late, and pages made to stall a reader."""

import time

import httpx
import pytest

from course_lib.dataset.collecting.pages import MOST_TAGS, decode, list_set, read_page
from course_lib.dataset.collecting.web import Answer

HERE = "http://a.example/folder/page.html"


def read(content, kind="text/html", url=HERE, **headers):
    content = content if isinstance(content, bytes) else content.encode()
    return read_page(Answer(200, content, "text/html", httpx.Headers({"content-type": kind, **headers}), url),
                     "KolorsCourse")


def pictures(body, **options):
    return [address for address, _ in read(body, **options).pictures]


@pytest.mark.parametrize("words, encoding, kind, head", [
    ("一只猫，镕", "gbk", "text/html", '<meta charset="gb2312">'),  # 镕 is not in GB2312: browsers read it as GB18030
    ("一只猫", "gb2312", "text/html; charset=gb2312", ""), ("一只猫", "gb18030", "text/html; charset=GBK", ""),
    ("一只猫", "gb2312", "text/html", '<meta http-equiv="Content-Type" content="text/html; charset=gb2312">'),
    ("一只猫坐着", "gb2312", "text/html; charset=utf-8", '<meta charset="gb2312">'),  # a server that is wrong
    ("一隻貓", "big5", "text/html", '<meta charset="big5">'),
    ("猫の絵", "shift_jis", "text/html; charset=Shift_JIS", ""),
    ("①髙", "cp932", "text/html", '<meta charset="shift_jis">'), ("猫の絵", "euc_jp", "text/html; charset=euc-jp", ""),
    ("고양이 똠", "cp949", "text/html", "<meta charset='euc-kr'>"),
    ("Кошка", "cp1251", "text/html; charset=windows-1251", ""),
    ("Кот", "koi8-r", 'text/html; charset="koi8-r"', ""), ("“café”", "cp1252", "text/html; charset=iso-8859-1", ""),
    ("一只猫", "utf-8", "text/html", ""), ("一只猫", "utf-8-sig", "text/html; charset=gb2312", ""),
    ("一只猫", "utf-16", "text/html", ""), ("一只猫", "utf-8", "text/html; charset=utf-16", ""),
    ("一只猫", "utf-8", "text/html; charset=nonsense", "<meta charset='zip'>"),
    ("一只猫坐在窗边看外面的小鸟，天气很好" * 4, "gb18030", "text/html", "")])
def test_words_are_read_in_the_encoding_of_the_page(words, encoding, kind, head):
    content = f'<html><head>{head}</head><body><img src="a.png" alt="{words}"></body></html>'.encode(encoding)
    assert read(content, kind).pictures == [("http://a.example/folder/a.png", words)]


@pytest.mark.parametrize("label", ["punycode", "idna", "utf-7", "unicode_escape", "rot13", "zip", "base64", "mbcs",
                                   "a\0b", "undefined", "x" * 9999, "utf_8_sig\n", ""])
def test_an_encoding_that_is_none_of_the_webs_is_not_used(label):
    assert decode("一只猫".encode(), f"text/html; charset={label}") == "一只猫"


def test_one_wrong_letter_does_not_turn_a_page_into_garbage():
    assert "一只猫" in decode("一只猫".encode("gbk") + b"\xff", "text/html; charset=gb2312")
    assert "一只猫" in decode("一只猫".encode() + b"\xff", "text/html; charset=utf-8")


@pytest.mark.parametrize("head, link", [
    ('<base href="/other/">', "http://a.example/other/b"), ('<base href="http://b.example/x/y">', "http://b.example/x/b"),
    ('<base target="_blank"><base href="../up/">', "http://a.example/up/b"),
    ('<base href="/one/"><base href="/two/">', "http://a.example/one/b"),
    ('<base href="http://[bad">', "http://a.example/folder/b"),
    ('<base href="javascript:x()">', "http://a.example/folder/b"),
    ('<BASE HREF=" /other/ ">', "http://a.example/other/b"), ("", "http://a.example/folder/b")])
def test_links_and_pictures_count_from_the_base_that_is_named(head, link):
    found = read(f'<html><head>{head}</head><body><a href="b#part">b</a><img srcset="b 2x"></body></html>')
    assert found.links == [link] and found.pictures == [(link, "")]


@pytest.mark.parametrize("image, names", [
    ('<img src="s.png" srcset="s.png 480w, l.png 1024w, m.png 800w">', ["l.png"]),
    ('<img src="s.png" srcset="m.png 1.5x, l.png 2x">', ["l.png"]), ('<img srcset="a.png">', ["a.png"]),
    ('<img srcset="a,b.png 1x,c.png 2x">', ["c.png"]), ('<img srcset="a,b.png, c.png 2x">', ["c.png"]),
    ('<img srcset=" , a.png 1x 30h , b.png 3x, ">', ["b.png"]),
    ('<img src="placeholder.gif" data-src="r.png">', ["r.png"]),
    ('<img src="data:image/gif;base64,R0lGOD" data-srcset="s.png 1x, l.png 2x">', ["l.png"]),
    ('<img data-original="o.png" src="blank.gif">', ["o.png"]), ('<img data-lazy-src="o.png">', ["o.png"]),
    ('<picture><source srcset="w.webp 2x"><img src="j.jpg"></picture>', ["j.jpg"]),
    ('<picture><source data-srcset="w.webp 1x, v.webp 2x"><img alt="x"></picture>', ["v.webp"]),
    ('<picture><source srcset="w.webp 3x"/><source srcset="v.webp 2x"></source><img></picture>', ["v.webp"]),
    ('<picture><source srcset="v.webp"><source media="x"><img></picture><picture><img></picture>', ["v.webp"]),
    ('<picture><source srcset="w.webp"><img src="data:image/gif;base64,xx"></picture>', ["w.webp"]),
    ('<a href="x"><img src="a.png"></a><noscript><img src="b.png"></noscript>', ["a.png", "b.png"]),
    ('<img src="">', []), ("<img>", []), ('<img src=" a.png\n">', ["a.png"]), ('<img src="http://[bad">', []),
    ('<img srcset="x.png nanw, y.png -5w, z.png 9999999999w, u.png ²x">', ["x.png"])])
def test_the_best_form_of_a_picture_is_taken(image, names):
    assert pictures(image) == [f"http://a.example/folder/{name}" for name in names]


def test_a_picture_inside_the_page_comes_as_it_is():
    assert pictures('<img src="data:image/png;base64,xx">') == ["data:image/png;base64,xx"]


@pytest.mark.parametrize("head, headers, said", [
    ('<meta name="ROBOTS" content="NoIndex, Follow">', {}, {"noindex", "follow"}),
    ('<meta name="kolorscourse" content="noai">', {}, {"noai"}), ('<meta name="other" content="noai">', {}, set()),
    ("", {"X-Robots-Tag": "noai, noimageai"}, {"noai", "noimageai"}), ("<meta content=none name=robots", {}, set()),
    ('<meta name=robots content=none />', {}, {"none"})])
def test_what_a_page_says_to_robots(head, headers, said):
    assert read(f"<head>{head}</head>", **headers).said == said


def test_links_that_ask_not_to_be_followed_are_left():
    assert read('<a rel="external NoFollow" href="a"></a><a href="b"></a><a href="http://[x"></a><a></a>').links == [
        "http://a.example/folder/b"]


def test_the_sizes_of_a_set():
    from bs4 import BeautifulSoup

    tag = BeautifulSoup('<img srcset="a 1w, b 20w, c" data-srcset="d 30w">', "lxml").img
    assert [name for name in list_set(tag) if name][:2] == ["d", "b"]


@pytest.mark.parametrize("piece", ["<!", "</", "<?", "<!--", "<![CDATA[", "<a b=", "<a href='", "&#", "<b><i><a>",
                                   "<picture><source srcset=a><img>", "<script>", "\0", "<a\n"])
def test_a_page_made_to_stall_is_read_in_time(piece):
    began = time.process_time()
    found = read((piece * 2_000_000)[:2_000_000])
    assert time.process_time() - began < 15 and len(found.links) + len(found.pictures) <= MOST_TAGS


@pytest.mark.parametrize("image", ["<img srcset='" + "a 1x, " * 300_000 + "'>",
                                   "<img srcset='" + "," * 1_900_000 + "'>",
                                   "<img srcset='" + "a" * 1_900_000 + "'>", "<img " + "src=a " * 300_000 + ">"])
def test_a_picture_made_to_stall_is_read_in_time(image):
    began = time.process_time()
    assert len(read(image).pictures) <= 1 and time.process_time() - began < 10
