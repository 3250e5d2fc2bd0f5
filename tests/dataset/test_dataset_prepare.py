"""prepare: what training reads comes out, the raw folder stays as it was, and a killed run leaves nothing half-done."""

import csv
import os
import shutil
import signal
import sys

import numpy as np
import pytest
from PIL import Image
from test_dataset import make_messy_once, make_set, noise, snapshot

from course_lib.dataset.checking import check, prepare
from course_lib.dataset.writing import JOURNAL, WORK
from course_lib.messages import LessonError
from course_lib.training.rows import read_rows

# What Python announces (sys.audit) before it touches a file.
TOUCHES = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.copyfile", "shutil.rmtree")


@pytest.fixture(scope="module")
def messy(tmp_path_factory):
    return make_messy_once(tmp_path_factory.getbasetemp()) / "raw"


@pytest.fixture
def raw(tmp_path):
    """Return a folder of six good pictures, one of them to be redrawn."""
    return make_set(tmp_path / "raw", 6)


def rows_of(part):
    with (part / "metadata.csv").open(encoding="utf-8-sig", newline="") as content:
        return list(csv.DictReader(content))


def test_the_messy_set_becomes_one_that_training_reads(messy, tmp_path):
    before = snapshot(messy)
    report = prepare(messy, tmp_path / "set", validation=0.1)
    assert snapshot(messy) == before
    parts = [tmp_path / "set" / name for name in ("train", "validation")]
    read = [read_rows(part) for part in parts]
    assert sum(map(len, read)) == len(report.kept) and len(read[1]) > 3
    for part in parts:
        for row in rows_of(part):
            twin = (part / row["file_name"]).with_suffix(".txt")
            assert twin.read_text(encoding="utf-8") == row["text"]
    for part in parts:
        cleaned = check(part)
        assert [row for row in cleaned.rows if row.verdict in ("drop", "fix")] == [] == cleaned.row_problems


def test_a_second_run_changes_no_byte(raw, tmp_path):
    prepare(raw, tmp_path / "set", validation=0.3)
    first = snapshot(tmp_path / "set")
    prepare(raw, tmp_path / "set", validation=0.3)
    assert snapshot(tmp_path / "set") == first
    assert WORK not in os.listdir(tmp_path / "set")


def test_a_good_file_is_copied_and_a_fixed_one_redrawn(raw, tmp_path):
    (raw / "0.png").rename(raw / "0.jpg")
    (raw / "0.txt").unlink()
    (raw / "metadata.csv").write_text("file_name,text\n0.jpg,图\n", encoding="utf-8")
    prepare(raw, tmp_path / "set")
    train = tmp_path / "set" / "train"
    assert (train / "1.png").read_bytes() == (raw / "1.png").read_bytes()
    assert (train / "0.png").read_bytes() == (raw / "0.jpg").read_bytes()
    flat = Image.open(train / "3.png")
    assert flat.mode == "RGB" and flat.getpixel((5, 5)) == (255, 255, 255)


def test_deep_pictures_keep_their_values(tmp_path):
    (tmp_path / "raw").mkdir()
    values = np.asarray(noise(1).convert("L"))
    Image.fromarray(values.astype(np.uint16) * 257).save(tmp_path / "raw" / "a.tif")
    prepare(tmp_path / "raw", tmp_path / "set", default_caption="二次元")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "set" / "train" / "a.png"))[..., 0], values)


def test_names_that_would_share_a_txt_are_told_apart(tmp_path):
    (tmp_path / "raw" / "sub").mkdir(parents=True)
    for number, name in enumerate(["a.png", "a.webp", "A.bmp", "sub/a.png"]):
        noise(number).save(tmp_path / "raw" / name, **({"lossless": True} if name.endswith("webp") else {}))
    (tmp_path / "raw" / "metadata.csv").write_text(
        "file_name,text\na.png,1\na.webp,2\nA.bmp,3\nsub/a.png,4\n", encoding="utf-8")
    prepare(tmp_path / "raw", tmp_path / "set")
    rows = rows_of(tmp_path / "set" / "train")
    stems = [row["file_name"].rsplit(".", 1)[0].casefold() for row in rows]
    assert len(set(stems)) == 4 and sorted(row["text"] for row in rows) == list("1234")


def test_captions_and_columns_survive(tmp_path):
    (tmp_path / "raw").mkdir()
    captions = {"a": "=SUM(A1)", "b": "第一行\n第二行，\"引号\"", "c": "\t+1", "d": "末尾空格 "}
    with (tmp_path / "raw" / "metadata.csv").open("w", encoding="utf-8", newline="") as content:
        table = csv.writer(content)
        table.writerow(["file_name", "text", "creator", "licence_url"])
        for name, words in captions.items():
            noise(ord(name)).save(tmp_path / "raw" / f"{name}.png")
            table.writerow([f"{name}.png", words, "Ann", "https://example.com/by"])
    (tmp_path / "raw" / "ATTRIBUTION.txt").write_text("Ann")
    prepare(tmp_path / "raw", tmp_path / "set")
    train = tmp_path / "set" / "train"
    assert {row["file_name"][0]: row["text"] for row in rows_of(train)} == captions
    assert {(row["creator"], row["licence_url"]) for row in rows_of(train)} == {("Ann", "https://example.com/by")}
    assert {name: (train / f"{name}.txt").read_bytes().decode() for name in captions} == captions
    assert (train / "ATTRIBUTION.txt").read_text() == "Ann"


def test_what_a_learner_leaves_out_is_left_out(raw, tmp_path):
    prepare(raw, tmp_path / "set", drop=["2.png"])
    assert "2.png" not in [row["file_name"] for row in rows_of(tmp_path / "set" / "train")]
    with pytest.raises(LessonError):
        prepare(raw, tmp_path / "set", drop=["7.png"])


def test_warned_pictures_can_be_left_out(raw, tmp_path):
    (raw / "5.txt").write_text("第4张", encoding="utf-8")
    prepare(raw, tmp_path / "with")
    prepare(raw, tmp_path / "without", warned=False)
    assert len(rows_of(tmp_path / "with" / "train")) == 6 and len(rows_of(tmp_path / "without" / "train")) == 5


@pytest.mark.parametrize("out", ["raw", "raw/set", "raw/../raw/x"])
def test_the_raw_folder_is_never_written_to(raw, out):
    before = snapshot(raw)
    with pytest.raises(LessonError):
        prepare(raw, raw.parent / out)
    assert snapshot(raw) == before


def test_the_raw_folder_may_not_be_where_the_set_goes(raw):
    folder = raw.parent / "set" / "train"
    folder.parent.mkdir()
    raw.rename(folder)
    with pytest.raises(LessonError):
        prepare(folder, folder.parent)


def test_a_link_to_elsewhere_is_not_written_through(raw, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(LessonError):
        prepare(raw, tmp_path / "set")
    assert os.listdir(tmp_path / "elsewhere") == []


def test_other_peoples_files_stay(raw, tmp_path):
    out = tmp_path / "set"
    (out / "train").mkdir(parents=True)
    (out / "notes.txt").write_text("mine")
    (out / "train" / "mine.png").write_text("mine")
    with pytest.raises(LessonError):
        prepare(raw, out)
    (out / "train" / "mine.png").unlink()
    prepare(raw, out)
    (out / "train" / "cache").mkdir()
    (out / "train" / "cache" / "mine.safetensors").write_text("mine")
    (raw / "0.png").unlink()
    prepare(raw, out)
    assert (out / "notes.txt").read_text() == (out / "train" / "cache" / "mine.safetensors").read_text() == "mine"
    assert len(rows_of(out / "train")) == 5 and not (out / "train" / "0.png").exists()


def test_a_file_of_the_set_that_was_changed_is_not_overwritten(raw, tmp_path):
    prepare(raw, tmp_path / "set")
    (tmp_path / "set" / "train" / "1.txt").write_text("我改过", encoding="utf-8")
    with pytest.raises(LessonError):
        prepare(raw, tmp_path / "set")
    assert (tmp_path / "set" / "train" / "1.txt").read_text(encoding="utf-8") == "我改过"


@pytest.mark.parametrize("journal", ["", "[]", '{"files": {"../../a": ["x"]}}', '{"files": {"/etc/passwd": ["x"]}}',
                                     '{"files": {"notes.txt": ["x"]}}', '{"files": 3}'])
def test_a_journal_that_is_none_is_refused(raw, tmp_path, journal):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / JOURNAL).write_text(journal)
    with pytest.raises(LessonError):
        prepare(raw, tmp_path / "set")


@pytest.mark.parametrize("spoil, options", [
    (lambda raw: [file.unlink() for file in raw.glob("*.txt")], {}), (lambda raw: None, {"size": 500}),
    (lambda raw: None, {"validation": 1.0})])
def test_a_set_of_nothing_is_not_written(raw, tmp_path, spoil, options):
    spoil(raw)
    with pytest.raises(LessonError):
        prepare(raw, tmp_path / "set", **options)
    assert not (tmp_path / "set" / "train").exists()


def prepare_until(raw, out, steps):
    """Run prepare in a process that is killed at its `steps`-th touch of `out`; True if it came to its end."""
    child = os.fork()
    if child == 0:
        left = [steps]

        def watch(event, arguments):
            paths = [str(argument) for argument in arguments if isinstance(argument, (str, os.PathLike))]
            if event in TOUCHES and any(path.startswith(str(out)) for path in paths):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        try:
            prepare(raw, out, validation=0.3)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def looks_finished(out):
    """Tell whether somebody could take the folder for a whole set."""
    return any((out / part / "metadata.csv").exists() for part in ("train", "validation"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("again", [False, True], ids=["first run", "over an older set"])
def test_killed_at_any_step_it_leaves_nothing_that_looks_finished(raw, tmp_path, again):
    prepare(raw, tmp_path / "whole", validation=0.3)
    whole = snapshot(tmp_path / "whole")
    older = {}
    if again:
        (raw / "0.txt").rename(raw / "kept")
        (raw / "0.txt").write_text("以前的说明", encoding="utf-8")
        prepare(raw, tmp_path / "older", validation=0.3)
        (raw / "kept").replace(raw / "0.txt")
        older = {name: digest for name, digest in snapshot(tmp_path / "older").items() if name != JOURNAL}
    for steps in range(1, 400, 3):  # every third, to save time; with 1 for 3 it passes too
        out = tmp_path / f"out{steps}"
        if again:
            shutil.copytree(tmp_path / "older", out)
        ended = prepare_until(raw, out, steps)
        found = {name: digest for name, digest in snapshot(out).items()
                 if name != JOURNAL and not name.startswith(WORK)} if out.exists() else {}
        if looks_finished(out):
            parts = {name.split("/")[0] for name in found if name.endswith("metadata.csv")}
            for part in parts:
                own = {name: digest for name, digest in found.items() if name.startswith(f"{part}/")}
                assert own in [{name: digest for name, digest in each.items() if name.startswith(f"{part}/")}
                               for each in (older, whole)], steps
        if ended:
            assert steps > 20
            return
        prepare(raw, out, validation=0.3)
        assert snapshot(out) == whole, steps
    raise AssertionError("prepare never came to its end")
