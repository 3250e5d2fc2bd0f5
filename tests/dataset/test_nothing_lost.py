"""Nothing of the learner's is lost: captions, edited pictures, notes, files of other hands, and full disks."""

import csv
import hashlib
import json

import pytest
from loopback_sources import Reply, serve
from PIL import Image
from test_encodings import make_set
from test_sources import CONTACT, png

from course_lib.dataset.captions.editor import edit_captions
from course_lib.dataset.captions.writing import Caption, caption_folder
from course_lib.dataset.collecting import crawler, rights, sources
from course_lib.dataset.collecting.rights import Candidate
from course_lib.dataset.example_sets import make_messy, write_style_set
from course_lib.dataset.making import augmentation, synthesis
from course_lib.dataset.table import merge_rows, read_table, write_table
from course_lib.messages import LessonError, set_language


@pytest.fixture
def site():
    with serve() as started:
        started.pages |= {f"/{number}.png": png(number) for number in range(4)}
        started.pages |= {"/": Reply(b"<img src=/1.png><img src=/2.png>", Content_Type="text/html"), "/robots.txt": b""}
        yield started


@pytest.fixture
def own(tmp_path):
    """A folder with three pictures and careful captions."""
    folder = tmp_path / "own"
    folder.mkdir()
    make_set(folder, 3)
    write_table(folder, [{"file_name": f"{number}.png", "text": f"my careful caption {number}", "mood": "calm"}
                         for number in range(3)])
    return folder


def offer(site, number):
    return Candidate("openverse", f"{site.address}/{number}.png", f"{site.address}/page{number}", f"pic {number}",
                     "Someone", licence="by")


def download(site, numbers, folder):
    return sources.download([offer(site, number) for number in numbers], folder, contact=CONTACT, pause=0,
                            trusted=[site.place])


def captions(folder, name=""):
    return {row["file_name"]: row["text"] for row in read_table(folder, name)}


def snapshot(folder):
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("numbers", [[], [1], [1, 2]])
def test_a_download_keeps_rows_that_it_did_not_write(site, own, numbers):
    before = captions(own)
    brought = download(site, numbers, own)
    assert captions(own) == before | dict.fromkeys(brought.saved, "")
    assert [row["mood"] for row in read_table(own)][:3] == ["calm"] * 3
    download(site, numbers, own)
    assert captions(own) == before | dict.fromkeys(brought.saved, "")


def test_a_crawl_keeps_rows_that_it_did_not_write(site, own):
    before = captions(own)
    brought = crawler.crawl(f"{site.address}/", own, contact=CONTACT, pause=0)
    assert len(brought.saved) == 2 and captions(own) == before
    assert sorted(captions(own, rights.NOT_FOR_TRAINING)) == sorted(brought.saved)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_notes_in_attribution_stay_and_what_was_written_is_renewed(site, own, language):
    (own / "ATTRIBUTION.txt").write_text("my own notes\n\nthanks to Ann\n", encoding="utf-8")
    download(site, [1], own)
    set_language(language)
    download(site, [1, 2], own)
    lines = (own / "ATTRIBUTION.txt").read_text(encoding="utf-8").splitlines()
    assert {"my own notes", "thanks to Ann"} <= set(lines)
    for number in (1, 2):
        assert sum(f"pic {number}" in line for line in lines) == 1
    assert sum("ATTRIBUTION" in line or "licences" in line or "许可证和出处" in line for line in lines) == 1


def test_a_cropped_picture_and_its_caption_stay(site, tmp_path):
    name = download(site, [1, 2], tmp_path).saved[0]
    editor = edit_captions(tmp_path)
    editor.words.value = "my caption of one"
    editor.save()
    Image.open(tmp_path / name).crop((0, 0, 30, 30)).save(tmp_path / name)
    cropped = (tmp_path / name).read_bytes()
    assert len(download(site, [1, 2], tmp_path).kept) == 2
    assert (tmp_path / name).read_bytes() == cropped and captions(tmp_path)[name] == "my caption of one"
    (tmp_path / name).unlink()  # fetched again; what was said of it stays
    assert download(site, [1, 2], tmp_path).saved == [name] and captions(tmp_path)[name] == "my caption of one"


def test_a_picture_of_somebody_under_the_same_name_stays(site, tmp_path):
    name = download(site, [1], tmp_path / "first").saved[0]
    (tmp_path / "second").mkdir()
    Image.new("RGB", (40, 40), "red").save(tmp_path / "second" / name)
    mine = (tmp_path / "second" / name).read_bytes()
    saved = download(site, [1], tmp_path / "second").saved
    assert (tmp_path / "second" / name).read_bytes() == mine and saved != [name]
    assert (tmp_path / "second" / saved[0]).read_bytes() == png(1)


def test_opening_for_training_moves_a_row_with_its_caption_and_keeps_the_others(site, own):
    names = crawler.crawl(f"{site.address}/", own, contact=CONTACT, pause=0).saved
    merge_rows(own, [{"file_name": names[0], "text": "typed"}], rights.NOT_FOR_TRAINING)
    before = captions(own)
    crawler.open_for_training(own, names[:1], "CC BY")
    assert captions(own) == before | {names[0]: "typed"}
    assert list(captions(own, rights.NOT_FOR_TRAINING)) == names[1:]


class Slow:
    """A backend that writes; while it does, a person edits the table."""

    name, model, settings, cached = "slow", "m", (), False

    def __init__(self, meanwhile):
        self.meanwhile, self.count = meanwhile, 0

    def ready(self):
        pass

    def write(self, *_):
        self.count += 1
        if self.count == 5:
            self.meanwhile()
        return f"machine {self.count}"


def test_captions_typed_meanwhile_and_rows_deleted_meanwhile_are_kept_so(tmp_path):
    make_set(tmp_path, 24)
    write_table(tmp_path, [{"file_name": f"{number}.png", "text": ""} for number in range(24)])

    def edit():
        rows = [row for row in read_table(tmp_path) if row["file_name"] != "22.png"]
        rows[-1]["text"], rows[-2]["mood"] = "typed by a person", "calm"
        write_table(tmp_path, rows)

    caption_folder(tmp_path, backend=Slow(edit))
    found = captions(tmp_path)
    assert found["23.png"] == "typed by a person" and "22.png" not in found
    assert found["0.png"] == "machine 1" and found["21.png"] == "machine 22"
    assert [row["mood"] for row in read_table(tmp_path) if row["file_name"] == "21.png"] == ["calm"]


def test_a_run_that_is_stopped_has_written_what_it_had(tmp_path):
    make_set(tmp_path, 25)

    def stop(number, total):
        if number == 22:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        caption_folder(tmp_path, backend=Slow(lambda: None), progress=stop)
    assert sum(bool(words) for words in captions(tmp_path).values()) == 20


def test_half_an_emoji_from_a_service_can_be_written(tmp_path, monkeypatch):
    make_set(tmp_path, 1)
    monkeypatch.setattr(Slow, "write", lambda *_: json.loads(r'"一只猫\ud83d"'))
    assert isinstance(caption_folder(tmp_path, backend=Slow(lambda: None))[0], Caption)
    assert captions(tmp_path) == {"0.png": "一只猫\ufffd"}


def test_synthesis_again_keeps_what_was_edited_and_files_of_others(tmp_path):
    synthesis.synthesise(tmp_path, 3, size=32)
    (tmp_path / "train" / "12345.png").write_bytes(png(9))
    (tmp_path / "train" / "notes.md").write_text("mine")
    synthesis.synthesise(tmp_path, 2, size=32, seed=1)
    assert (tmp_path / "train" / "12345.png").read_bytes() == png(9) and (tmp_path / "train" / "notes.md").exists()
    assert len(captions(tmp_path / "train")) == 2 and not (tmp_path / "train" / "00002.png").exists()
    editor = edit_captions(tmp_path)
    editor.show(0)
    editor.words.value = "edited by hand"
    editor.save()
    before = snapshot(tmp_path)
    with pytest.raises(LessonError, match="metadata.csv"):
        synthesis.synthesise(tmp_path, 3, size=32)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("spoil", [
    lambda folder: Image.new("RGB", (32, 32)).save(folder / "train" / "00001.png"),
    lambda folder: (folder / "scenes.jsonl").write_text("mine"),
    lambda folder: (folder / ".synthesised.json").unlink()])
def test_a_synthesised_set_that_was_changed_is_not_replaced(tmp_path, spoil):
    synthesis.synthesise(tmp_path, 2, size=32)
    spoil(tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(LessonError):
        synthesis.synthesise(tmp_path, 2, size=32)
    assert snapshot(tmp_path) == before


def test_a_new_picture_does_not_overwrite_a_strangers_of_its_name(tmp_path):
    synthesis.synthesise(tmp_path, 2, size=32)
    (tmp_path / "train" / "00003.png").write_bytes(png(9))
    with pytest.raises(LessonError, match="00003"):
        synthesis.synthesise(tmp_path, 5, size=32)
    assert (tmp_path / "train" / "00003.png").read_bytes() == png(9)


def test_a_set_of_one_style_again(tmp_path):
    for count in (3, 2):
        write_style_set(tmp_path, subjects=count, validation=1, seed=count)
        assert len(read_table(tmp_path / "train")) == len(list((tmp_path / "train").glob("*.png"))) == count
    write_table(tmp_path / "train", [{**row, "text": "mine"} for row in read_table(tmp_path / "train")])
    with pytest.raises(LessonError):
        write_style_set(tmp_path, subjects=2)
    assert set(captions(tmp_path / "train").values()) == {"mine"}


def test_a_folder_of_photographs_is_not_taken_for_a_set_of_one_style(own):
    (own / "train").mkdir()
    (own / "train" / "mine.png").write_bytes(png(3))
    before = snapshot(own)
    with pytest.raises(LessonError):
        write_style_set(own, subjects=2)
    assert snapshot(own) == before


@pytest.mark.parametrize("truth", [None, "my own table"])
def test_the_messy_set_removes_no_folder_of_others(tmp_path, truth):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "mine.txt").write_text("x")
    if truth:
        (tmp_path / "truth.csv").write_text(truth)
    before = snapshot(tmp_path)
    with pytest.raises(LessonError):
        make_messy(tmp_path)
    assert snapshot(tmp_path) == before


def test_the_messy_set_is_made_again_unless_something_was_added_or_changed(tmp_path):
    raw = make_messy(tmp_path)
    before = snapshot(tmp_path)
    make_messy(tmp_path)
    assert snapshot(tmp_path) == before
    (raw / "mine.txt").write_text("x")
    with pytest.raises(LessonError, match="mine.txt"):
        make_messy(tmp_path)
    (raw / "mine.txt").unlink()
    (tmp_path / "truth.csv").write_text("changed")
    with pytest.raises(LessonError, match="truth.csv"):
        make_messy(tmp_path)


FULL = OSError(28, "No space left on device")


def fill_disk(monkeypatch, after):
    """Let the disk be full after so many pictures."""
    left, save = [after], Image.Image.save

    def write(image, *arguments, **options):
        left[0] -= 1
        if left[0] < 0:
            raise FULL
        return save(image, *arguments, **options)

    monkeypatch.setattr(Image.Image, "save", write)


@pytest.mark.parametrize("make", [
    lambda folder: synthesis.synthesise(folder / "new", 5, size=32),
    lambda folder: augmentation.augment(folder / "set", folder / "new"),
    lambda folder: write_style_set(folder / "new", subjects=5)])
def test_a_full_disk_is_answered_and_leaves_nothing_that_looks_finished(tmp_path, monkeypatch, make):
    synthesis.synthesise(tmp_path / "set", 4, size=32)
    with monkeypatch.context() as full:
        fill_disk(full, 2)
        with pytest.raises(LessonError, match="No space left"):
            make(tmp_path)
    assert not list((tmp_path / "new").rglob("train/metadata.csv"))
    make(tmp_path)  # and once there is room, it goes on
    assert read_table(tmp_path / "new" / "train")


def test_a_full_disk_leaves_the_older_set_whole(tmp_path, monkeypatch):
    synthesis.synthesise(tmp_path, 4, size=32)
    before = snapshot(tmp_path)
    with monkeypatch.context() as full:
        fill_disk(full, 2)
        with pytest.raises(LessonError):
            synthesis.synthesise(tmp_path, 4, size=32, seed=1)
    assert before.items() <= snapshot(tmp_path).items()
    synthesis.synthesise(tmp_path, 4, size=32)
    assert snapshot(tmp_path) == before


def test_merging_keeps_order_other_columns_and_rows_that_are_not_named(own):
    merge_rows(own, [{"file_name": "1.png", "text": "", "licence": "by"}, {"file_name": "new.png", "text": "neu"}],
               drop=["0.png"])
    rows = read_table(own)
    assert [row["file_name"] for row in rows] == ["1.png", "2.png", "new.png"]
    assert rows[0] == {"file_name": "1.png", "text": "my careful caption 1", "mood": "calm", "licence": "by"}


def test_a_table_with_a_broken_row_is_not_rewritten_without_it(own):
    with (own / "metadata.csv").open("a", encoding="utf-8", newline="") as content:
        csv.writer(content).writerow(["9.png", "x", "calm", "one cell too many"])
    before = (own / "metadata.csv").read_bytes()
    for write in (lambda: merge_rows(own, [{"file_name": "1.png", "text": "y"}]), lambda: caption_folder(own),
                  lambda: edit_captions(own)):
        with pytest.raises(LessonError):
            write()
    assert (own / "metadata.csv").read_bytes() == before


def test_the_twins_of_a_picture_are_written_in_one_step(own, monkeypatch):
    (own / "1.caption").write_text("old")
    editor = edit_captions(own)
    editor.show(1)
    editor.words.value = "new"
    assert editor.save() and (own / "1.caption").read_text() == "new"
    assert captions(own)["1.png"] == "new"
