"""A folder that pictures are brought to is the learner's: captions, rows, notes and cropped pictures stay."""

import io

import pytest
from loopback_sources import Reply, serve
from PIL import Image
from test_sources import CONTACT, png

from course_lib.dataset.collecting import crawler, rights, sources, web
from course_lib.dataset.collecting.rights import NOT_FOR_TRAINING, Candidate
from course_lib.dataset.table import read_table, write_table
from course_lib.messages import LANGUAGES, LessonError, set_language

NOTES = "我的笔记 / my own notes\r\nnot utf-8: "


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(web.Web.__init__, "__kwdefaults__", {**web.Web.__init__.__kwdefaults__, "first_wait": 0.01})


@pytest.fixture
def site():
    with serve({f"/{number}.png": png(number) for number in range(9)}) as started:
        shown = b"".join(b'<img src="/%d.png">' % number for number in range(4))
        started.pages |= {"/robots.txt": b"", "/": Reply(shown, Content_Type="text/html")}
        yield started


@pytest.fixture
def own(tmp_path):
    """A folder with two pictures of the learner's, captions and a column of theirs."""
    for number in range(2):
        (tmp_path / f"mine{number}.png").write_bytes(png(100 + number))
    write_table(tmp_path, [{"file_name": f"mine{number}.png", "text": f"我写的 {number}", "label": "x"}
                           for number in range(2)])
    return tmp_path


def download(site, numbers, folder, **options):
    candidates = [Candidate("openverse", f"{site.address}/{number}.png", "", f"Picture {number}", licence="by")
                  for number in numbers]
    return sources.download(candidates, folder, contact=CONTACT, pause=0, trusted=[site.place], **options)


def write_caption(folder, name, words, table="metadata.csv"):
    write_table(folder, [{**row, "text": words, "label": "mine"} if row["file_name"] == name else row
                         for row in read_table(folder, table)], table)


def find_row(folder, name, table="metadata.csv"):
    return next(row for row in read_table(folder, table) if row["file_name"] == name)


def crop(path):
    with Image.open(path) as picture:
        content = io.BytesIO()
        picture.crop((0, 0, 32, 32)).save(content, "PNG")
    path.write_bytes(content.getvalue())
    return content.getvalue()


@pytest.mark.parametrize("bring", [
    lambda site, folder: download(site, [1], folder), lambda site, folder: download(site, [], folder),
    lambda site, folder: download(site, [99], folder),
    lambda site, folder: crawler.crawl(f"{site.address}/", folder, contact=CONTACT, pause=0),
    lambda site, folder: crawler.crawl(f"{site.address}/", folder, contact=CONTACT, pause=0, most_pictures=0)],
    ids=["one", "none", "one that fails", "crawl", "crawl none"])
def test_rows_and_captions_of_the_learner_stay(site, own, bring):
    before = read_table(own)
    bring(site, own)
    bring(site, own)
    assert [{name: row[name] for name in before[0]} for row in read_table(own)][:2] == before
    assert (own / "mine0.png").read_bytes() == png(100)


def test_nothing_to_bring_changes_no_byte(site, own):
    content = (own / "metadata.csv").read_bytes()
    download(site, [], own)
    assert (own / "metadata.csv").read_bytes() == content and not (own / "ATTRIBUTION.txt").exists()


@pytest.mark.parametrize("language", LANGUAGES)
def test_own_lines_in_the_list_of_authors_stay(site, own, language):
    notes = NOTES.encode() + b"\xff\xfe\n"
    (own / "ATTRIBUTION.txt").write_bytes(notes)
    name, = download(site, [1], own).saved
    set_language(language)
    download(site, [1, 2], own)
    content = (own / "ATTRIBUTION.txt").read_bytes()
    assert b"my own notes" in content and b"\xff\xfe" in content and content.count(name.encode()) == 1


def test_an_authors_line_that_the_learner_changed_stays(site, tmp_path):
    crawler.crawl(f"{site.address}/", tmp_path, contact=CONTACT, pause=0)
    path = tmp_path / "ATTRIBUTION.txt"
    first, second = [row["file_name"] for row in read_table(tmp_path, NOT_FOR_TRAINING)][:2]
    words = path.read_text(encoding="utf-8").replace(f"{first}: ", f"{first}: 小明，口头同意；")
    path.write_text(words, encoding="utf-8")
    crawler.open_for_training(tmp_path, [first, second], "by")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "小明" in line] and len([line for line in lines if line.startswith(first)]) == 2
    assert [line for line in lines if line.startswith(second)] == [line for line in lines if line.startswith(second)
                                                                   and "不能用于训练" not in line]


def test_a_cropped_picture_and_its_caption_stay(site, tmp_path):
    first, second = download(site, [1, 2], tmp_path).saved
    cropped = crop(tmp_path / first)
    write_caption(tmp_path, first, "我写的")
    write_caption(tmp_path, second, "也是我写的")
    site.requests.clear()
    brought = download(site, [1, 2, 3], tmp_path)
    assert (len(brought.kept), len(brought.saved), site.paths()) == (2, 1, ["/3.png"])
    assert (tmp_path / first).read_bytes() == cropped
    assert [find_row(tmp_path, name)["text"] for name in (first, second)] == ["我写的", "也是我写的"]
    assert find_row(tmp_path, first)["label"] == "mine"


def test_a_picture_that_was_removed_comes_again_under_its_caption(site, tmp_path):
    name, = download(site, [1], tmp_path).saved
    write_caption(tmp_path, name, "我写的")
    (tmp_path / name).unlink()
    assert download(site, [1], tmp_path).saved == [name]
    assert (find_row(tmp_path, name)["text"], len(read_table(tmp_path))) == ("我写的", 1)


@pytest.mark.parametrize("left", [b"damaged", b"", png(50)], ids=["damaged", "empty", "another picture, no row"])
def test_a_file_of_the_name_that_is_not_ours_is_not_written_over(site, tmp_path, left):
    name, = download(site, [1], tmp_path).saved
    (tmp_path / name).write_bytes(left)
    if left == png(50):
        (tmp_path / "metadata.csv").unlink()
    again, = download(site, [1], tmp_path).saved
    assert (tmp_path / name).read_bytes() == left and (tmp_path / again).read_bytes() == png(1)
    assert [row["file_name"] for row in read_table(tmp_path)] == [again]
    assert download(site, [1], tmp_path).kept == [again]


def test_pictures_opened_for_training_take_their_captions_along(site, own):
    crawler.crawl(f"{site.address}/", own, contact=CONTACT, pause=0)
    names = [row["file_name"] for row in read_table(own, NOT_FOR_TRAINING)]
    write_caption(own, names[0], "我写的", NOT_FOR_TRAINING)
    write_caption(own, names[1], "留在那边", NOT_FOR_TRAINING)
    cropped = crop(own / names[0])
    crawler.open_for_training(own, names[:1], "by")
    assert [row["text"] for row in read_table(own)] == ["我写的 0", "我写的 1", "我写的"]
    assert find_row(own, names[0])["licence"] == "by" and (own / names[0]).read_bytes() == cropped
    assert find_row(own, names[1], NOT_FOR_TRAINING)["text"] == "留在那边"
    assert len(read_table(own, NOT_FOR_TRAINING)) == 3


def test_a_table_from_which_columns_were_taken_still_works(site, tmp_path):
    crawler.crawl(f"{site.address}/", tmp_path, contact=CONTACT, pause=0)
    rows = [{name: row[name] for name in ("file_name", "text", "picture_url", "sha256")}
            for row in read_table(tmp_path, NOT_FOR_TRAINING)]
    write_table(tmp_path, rows, NOT_FOR_TRAINING)
    crawler.open_for_training(tmp_path, [rows[0]["file_name"]], "by")
    assert len(crawler.crawl(f"{site.address}/", tmp_path, contact=CONTACT, pause=0).kept) == 4
    assert len(read_table(tmp_path)) == 1 and len(read_table(tmp_path, NOT_FOR_TRAINING)) == 3


def test_two_crops_of_one_picture_are_both_kept(site, tmp_path):
    name, = download(site, [1], tmp_path).saved
    (tmp_path / "part.png").write_bytes(png(77))
    part = {**find_row(tmp_path, name), "file_name": "part.png", "text": "半边"}
    write_table(tmp_path, [*read_table(tmp_path), part])
    download(site, [1, 2], tmp_path)
    assert [row["text"] for row in read_table(tmp_path)] == ["", "半边", ""]


def test_a_table_that_cannot_be_read_is_not_replaced(site, own):
    (own / "metadata.csv").write_bytes(b"\xff\xfe\xfd no table")
    with pytest.raises(LessonError):
        download(site, [1], own)
    assert (own / "metadata.csv").read_bytes() == b"\xff\xfe\xfd no table" and site.requests == []


def test_a_full_disk_leaves_table_and_authors_as_they_were(site, own, monkeypatch):
    download(site, [1], own)
    before = {path.name: path.read_bytes() for path in own.iterdir()}

    def fail(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rights.os, "replace", fail)
    assert len(download(site, [2], own).problems) == 1
    assert {path.name: path.read_bytes() for path in own.iterdir()} == before
