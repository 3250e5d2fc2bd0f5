"""Captions in other encodings: read right where it can be told, doubted where not, and never kept in silence."""

import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from course_lib.dataset.checking import check, prepare
from course_lib.dataset.table import read_table
from course_lib.dataset.text_encoding import decode, decode_all, mend_surrogates, say_again
from course_lib.messages import LessonError

CAPTIONS = json.loads((Path(__file__).parent.parent / "data" / "captions.json").read_text(encoding="utf-8"))
PAIRS = [("zh", "gb18030"), ("tw", "big5"), ("ja", "cp932"), ("ja", "euc_jp"), ("ko", "cp949"), ("latin", "cp1252"),
         ("ru", "cp1251"), ("ru", "koi8_r"), ("pl", "cp1250"),
         *((language, encoding) for language in CAPTIONS for encoding in ("utf-16-le", "utf-16-be", "utf-16"))]


def make_set(folder, count):
    for number in range(count):
        image = Image.effect_noise((64, 64), 90).convert("RGB")
        image.paste((30 * number % 256, 200, 10), (0, 0, 40, 8 + number))
        image.save(folder / f"{number}.png")
    return folder


def encode(language, encoding):
    """Return captions as their bytes, and as they should be read; plain ASCII is UTF-8 already."""
    pairs = [(words.encode(encoding, "ignore"), words) for words in CAPTIONS[language]]
    return [(content, content.decode(encoding)) for content, _ in pairs
            if encoding.startswith("utf") or not content.isascii()]


@pytest.mark.parametrize("language, encoding", PAIRS)
def test_a_caption_alone_is_read_right_or_doubted(language, encoding):
    found = Counter()
    for content, words in encode(language, encoding):
        read = decode(content)
        found[read.text == words, read.sure] += 1
    assert found[False, True] == 0
    share = 0.6 if language == "pl" else 0.88  # two letters of Poland are one of Korea
    assert found[True, True] + found[True, False] >= share * sum(found.values())


@pytest.mark.parametrize("language, encoding", PAIRS)
def test_a_folder_of_captions_helps_each_of_them(language, encoding):
    pairs = encode(language, encoding)
    read = decode_all([content for content, _ in pairs])
    right = sum(one.text == words for one, (_, words) in zip(read, pairs))
    assert right >= len(pairs) - (2 if language == "pl" else 1)
    assert sum(one.sure for one in read) >= 0.6 * len(pairs)


@pytest.mark.parametrize("words", ["一只猫", "a cat", "café", "แมว", "🐱", "", "\u3000", "naïve “style” – été", "狗🐕"])
def test_utf8_is_never_doubted(words):
    assert decode(words.encode()).text == decode(words.encode("utf-8-sig")).text == words
    assert decode(words.encode()).sure and decode(words.encode()).plain


@pytest.mark.parametrize("language", CAPTIONS)
def test_no_caption_and_no_word_in_utf8_is_taken_for_something_else(language):
    for words in {part for caption in CAPTIONS[language] for part in (caption, *caption.split())}:
        assert decode(words.encode()).text == words and decode(words.encode()).plain, words


def test_utf8_that_was_cut_within_a_letter_is_doubted():
    read = decode("一只猫坐在窗台上".encode()[:-1])
    assert read.text == "一只猫坐在窗台\ufffd" and not read.sure


def test_the_files_of_one_folder_in_three_encodings(tmp_path):
    make_set(tmp_path, 4)
    (tmp_path / "0.txt").write_bytes("a red house by a lake".encode("utf-16"))
    (tmp_path / "1.txt").write_bytes("\ufeff蓝色的小船".encode("utf-16-le"))
    (tmp_path / "2.txt").write_bytes("a café in Paris, naïve style".encode("cp1252"))
    (tmp_path / "3.txt").write_bytes("海边的灯塔，黄昏".encode("gb18030"))
    rows = check(tmp_path).rows
    assert [row.caption for row in rows] == ["a red house by a lake", "蓝色的小船", "a café in Paris, naïve style",
                                             "海边的灯塔，黄昏"]
    assert [row.codes for row in rows] == [("caption_encoding",)] * 4
    assert {row.reasons[0].verdict for row in rows} <= {"fix", "warn"}
    prepare(tmp_path, tmp_path.parent / "set")
    assert sorted(row["text"] for row in read_table(tmp_path.parent / "set" / "train")) == sorted(
        row.caption for row in rows)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\x00\x01\x02\xff\xfe\xfd", bytes(range(256)), b"\xff" * 40,
                                     b"PK\x03\x04\x14\x00\x00\x00\x08\x00\xe3\x8f"])
def test_what_is_no_text_in_any_encoding_is_no_caption(tmp_path, content):
    make_set(tmp_path, 2)
    (tmp_path / "0.txt").write_bytes(content)
    (tmp_path / "1.txt").write_text("一只猫", encoding="utf-8")
    row = check(tmp_path).rows[0]
    assert "caption_unreadable" in row.codes and row.verdict == "drop" and row.caption is None


@pytest.mark.parametrize("name, delimiter", [("metadata.csv", ","), ("metadata.csv", ";"), ("metadata.csv", "\t"),
                                             ("captions.tsv", "\t")])
@pytest.mark.parametrize("language, encoding", [("tw", "big5"), ("ja", "cp932"), ("ko", "cp949"), ("zh", "gb18030"),
                                                ("zh", "utf-16"), ("zh", "utf-16-le"), ("latin", "cp1252")])
def test_a_table_in_each_encoding(tmp_path, name, delimiter, language, encoding):
    make_set(tmp_path, 5)
    words = [each.replace(delimiter, " ").replace(",", " ").encode(encoding, "ignore").decode(encoding)
             for each in CAPTIONS[language][:5]]
    rows = [("file_name", "text"), *((f"{number}.png", each) for number, each in enumerate(words))]
    lines = [delimiter.join(row) for row in rows]
    (tmp_path / name).write_bytes("\r\n".join(lines).encode(encoding))
    report = check(tmp_path)
    assert [row.caption for row in report.rows] == words
    assert report.row_problems or all("caption_encoding" in row.codes for row in report.rows)


def test_lines_that_another_program_added_in_its_own_encoding_are_named(tmp_path):
    make_set(tmp_path, 4)
    table = "file_name,text\n0.png,一只猫坐在窗台上\n1.png,蓝色的小船\n2.png,红色的房子在湖边\n".encode()
    (tmp_path / "metadata.csv").write_bytes(table + "3.png,海边的灯塔，黄昏\n".encode("gb18030"))
    report = check(tmp_path)
    assert [row.caption for row in report.rows] == [
        "一只猫坐在窗台上", "蓝色的小船", "红色的房子在湖边", "海边的灯塔，黄昏"]
    assert [row.verdict for row in report.rows] == ["keep", "keep", "keep", "warn"]
    assert [(problem.line, problem.code) for problem in report.row_problems] == [(5, "row_not_utf8")]


def test_jsonl_in_another_encoding_and_half_an_emoji(tmp_path):
    make_set(tmp_path, 3)
    rows = [{"file_name": f"{number}.png", "text": words} for number, words in
            enumerate(("창가에 앉아 있는 고양이", "파란 작은 배", "호숫가의 빨간 집"))]
    (tmp_path / "metadata.jsonl").write_bytes("\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
                                              .encode("cp949"))
    assert [row.caption for row in check(tmp_path).rows] == [row["text"] for row in rows]
    (tmp_path / "metadata.jsonl").write_text(r'{"file_name": "0.png", "text": "一只猫\ud83d"}' + "\n"
                                             r'{"file_name": "1\udc00.png", "text": "狗"}' + "\n")
    report = prepare(tmp_path, tmp_path.parent / "set")
    assert report.rows[0].codes == ("caption_garbled",) and report.rows[0].verdict == "warn"
    assert str(report) and report.to_html().encode() and report.to_csv(tmp_path / "report.csv").is_file()
    assert [problem.code for problem in report.row_problems] == ["file_missing"]


@pytest.mark.parametrize("words", ["蓝色的小船在湖上", "a café in Paris", "un été à la plage", "Größe"])
def test_a_text_that_was_read_wrongly_and_saved_is_warned_of(tmp_path, words):
    garbled = words.encode().decode("gb18030" if "色" in words else "cp1252", "replace")
    make_set(tmp_path, 1)
    (tmp_path / "0.txt").write_text(garbled, encoding="utf-8")
    row = check(tmp_path).rows[0]
    assert row.codes == ("caption_garbled",) and row.reasons[0].value in (words, garbled)
    assert say_again(words) == say_again(words.upper()) == ""


def test_a_table_that_is_written_again_is_only_read_where_its_encoding_is_certain(tmp_path):
    table = tmp_path / "metadata.csv"
    for number, (encoding, words) in enumerate([("gb18030", "一只猫坐在窗台上，阳光照进来"), ("utf-16", "一只猫"),
                                                ("big5", "可愛的小狗在草地上奔跑")]):
        table.write_bytes(f"file_name,text\n{number}.png,{words}\n".encode(encoding))
        assert [row["text"] for row in read_table(tmp_path)] == [words]
    table.write_bytes("file_name,text\n1.png,a café\n".encode("cp1252"))  # as well of Poland: é is the same there
    assert read_table(tmp_path)[0]["text"] == "a café"
    table.write_bytes("file_name,text\n1.png,개\n".encode("cp949"))
    with pytest.raises(LessonError):
        read_table(tmp_path)


def test_half_letters_are_replaced_and_whole_ones_kept():
    assert mend_surrogates("猫\ud83d") == "猫\ufffd" and mend_surrogates("猫🐱") == "猫🐱"
    assert mend_surrogates("\ud83d\udc31") == "🐱"


@pytest.mark.parametrize("size, code", [(1_000_001, "caption_huge"), (120_000, "caption_huge")])
def test_far_too_long_a_caption_is_not_written_where_no_training_could_read_it(tmp_path, size, code):
    make_set(tmp_path, 2)
    (tmp_path / "0.txt").write_text("x" * size)
    (tmp_path / "1.txt").write_text("一只猫", encoding="utf-8")
    report = check(tmp_path)
    assert code in report.rows[0].codes and report.rows[0].verdict == "drop"
