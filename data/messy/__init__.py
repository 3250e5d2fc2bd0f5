"""The messy set: about 70 raw pictures with every defect that `course_lib.dataset.check` knows planted in them.

    python -m data.messy [folder]        # about two seconds; the same pictures every time

truth.csv beside the folder says what is wrong with each file, truth_rows.csv with which rows of metadata.
"""

import csv
import io
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

FOLDER = Path(__file__).parent
NEEDED = 60  # pictures: 27 stay as they are, the others get a defect each
GOOD = 27


@dataclass
class Raw:
    """One raw picture: the name it goes by, its caption, and the picture in RGBA or RGB."""

    name: str
    caption: str
    image: Image.Image

    def flat(self) -> Image.Image:
        """Return the picture in RGB, on white where it is transparent."""
        whole = self.image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")


@dataclass
class Messy:
    """A messy folder while it is being made: rows of metadata.jsonl, and the truth of files and rows."""

    folder: Path
    lines: list[str] = field(default_factory=list)
    # file, verdict ("eyes" is what no program can tell), code, the one to be kept
    truth: list[tuple[str, str, str, str]] = field(default_factory=list)
    row_truth: list[tuple[str, int, str]] = field(default_factory=list)  # file, line, code

    def put(self, name: str, content: Image.Image | bytes, caption: str | None, verdict: str = "keep", code: str = "",
            of: str = "", **options: object) -> str:
        """Write one file, its row, and its truth; a caption of None leaves the row out."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.save(path, **options)
        self.truth.append((name, verdict, code, of))
        if caption is not None:
            self.lines.append(json.dumps({"file_name": name, "text": caption}, ensure_ascii=False))
        return name

    def spoil_row(self, line: str, code: str) -> None:
        """Write a row that cannot be used."""
        self.lines.append(line)
        self.row_truth.append(("metadata.jsonl", len(self.lines), code))


def plant(pictures: Sequence[Raw], photos: Sequence[Raw], folder: Path) -> Messy:
    """Write the messy set from NEEDED different pictures and at least four photographs into an empty folder."""
    messy = Messy(folder)
    folder.mkdir(parents=True)
    good, rest = pictures[:GOOD], iter(pictures[GOOD:NEEDED])
    for raw in good:
        messy.put(f"{raw.name}.png", raw.flat(), raw.caption)
    for raw in photos:
        messy.put(f"{raw.name}.jpg", raw.flat(), raw.caption, quality=90)
    plant_broken(messy, rest)
    plant_unfit(messy, rest, photos)
    plant_copies(messy, good, photos)
    plant_fixable(messy, rest)
    plant_captions(messy, rest, good)
    plant_rows(messy, good, rest)
    write_truth(messy)
    return messy


def plant_broken(messy: Messy, rest: Sequence[Raw]) -> None:
    """Plant files that give no picture."""
    raw = next(rest)
    whole = encode(raw.flat(), "JPEG", quality=90)
    messy.put(f"{raw.name}.jpg", whole[:len(whole) * 55 // 100], raw.caption, "drop", "truncated")
    raw = next(rest)
    png = bytearray(encode(raw.flat(), "PNG"))
    start = png.index(b"IDAT") + 200
    png[start:start + 40] = bytes(40)
    messy.put(f"{raw.name}.png", bytes(png), raw.caption, "drop", "corrupt")
    raw = next(rest)
    messy.put(f"{raw.name}.jpg", b"<!DOCTYPE html><html><body>404 Not Found</body></html>", raw.caption, "drop",
              "not_an_image")
    raw = next(rest)
    messy.put(f"{raw.name}.png", b"", raw.caption, "drop", "empty_file")
    raw = next(rest)
    messy.put(f"{raw.name}_large.png", make_bomb(30_000), raw.caption, "drop", "too_many_pixels")


def plant_unfit(messy: Messy, rest: Sequence[Raw], photos: Sequence[Raw]) -> None:
    """Plant pictures that are whole but not fit to train on."""
    raw = next(rest)
    small = raw.flat().resize((48, 48), Image.Resampling.LANCZOS)
    messy.put(f"{raw.name}.png", small, raw.caption, "drop", "too_small")
    for size in ((1280, 120), (120, 1000)):
        raw = next(rest)
        messy.put(f"{raw.name}.png", raw.flat().resize(size, Image.Resampling.LANCZOS), raw.caption, "drop",
                  "extreme_aspect")
    raw = next(rest)
    messy.put(f"{raw.name}.png", enlarge(raw.flat(), 10, Image.Resampling.BICUBIC), raw.caption, "drop", "blurry")
    raw = next(rest)
    messy.put(f"{raw.name}.png", enlarge(raw.flat(), 8, Image.Resampling.NEAREST), raw.caption, "drop", "upscaled")
    raw = next(rest)
    messy.put(f"{raw.name}.png", raw.flat().filter(ImageFilter.GaussianBlur(6)), raw.caption, "drop", "blurry")
    photo = turn(photos[0]).filter(ImageFilter.GaussianBlur(5))
    messy.put(f"{photos[0].name}_2.jpg", photo, photos[0].caption + "，倒着", "drop", "blurry", quality=85)
    raw = next(rest)
    messy.put(f"{raw.name}.jpg", raw.flat(), raw.caption, "warn", "jpeg_artefacts", quality=5)
    for raw in (next(rest), Raw(f"{photos[1].name}_night", photos[1].caption + "，夜里", turn(photos[1]))):
        messy.put(f"{raw.name}.png", ImageEnhance.Brightness(raw.flat()).enhance(0.08), raw.caption, "warn", "dark")
    messy.put("blank.png", Image.new("RGB", (512, 512), (250, 250, 250)), "一张白纸", "drop", "blank")
    raw = next(rest)
    messy.put(f"{raw.name}.png", watermark(raw.flat()), raw.caption, "eyes", "watermark")


def plant_copies(messy: Messy, good: Sequence[Raw], photos: Sequence[Raw]) -> None:
    """Plant copies of good pictures, each made in another way."""
    first = good[1]
    messy.put(f"{first.name} (1).png", encode(first.flat(), "PNG"), first.caption, "drop", "exact_duplicate",
              f"{first.name}.png")
    (messy.folder / f"{first.name} (1).png").write_bytes((messy.folder / f"{first.name}.png").read_bytes())
    ways = {"web": lambda image: image,
            "small": lambda image: image.reduce(2),
            "tinted": lambda image: ImageEnhance.Brightness(image).enhance(0.88),
            "cut": lambda image: crop(image, 12)}
    for raw, (way, change) in zip(good[3:], ways.items()):
        name = f"{raw.name}_{way}.{'jpg' if way == 'web' else 'png'}"
        options = {"quality": 70} if way == "web" else {}
        messy.put(name, change(raw.flat()), raw.caption, "drop", "near_duplicate", f"{raw.name}.png", **options)
    messy.put(f"{photos[2].name}_cut.jpg", crop(photos[2].flat(), 14), photos[2].caption, "drop", "near_duplicate",
              f"{photos[2].name}.jpg", quality=80)
    raw = good[9]
    mirrored = raw.flat().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    messy.put(f"{raw.name}_mirrored.png", mirrored, raw.caption + "，朝另一边", "warn", "mirror_duplicate",
              f"{raw.name}.png")


def plant_fixable(messy: Messy, rest: Sequence[Raw]) -> None:
    """Plant pictures that `prepare` can put right."""
    raw = next(rest)
    messy.put(f"{raw.name}.png", cut_out(raw.flat()), raw.caption, "fix", "alpha_flattened")
    raw = next(rest)
    palette = cut_out(raw.flat()).quantize(64)
    messy.put(f"{raw.name}.png", palette, raw.caption, "fix", "converted_mode", optimize=True)
    raw = next(rest)
    messy.put(f"{raw.name}.jpg", raw.flat().convert("CMYK"), raw.caption, "fix", "converted_mode", quality=90)
    raw = next(rest)
    deep = np.asarray(raw.flat().convert("L"), dtype=np.uint16) * 257
    messy.put(f"{raw.name}.png", Image.fromarray(deep), raw.caption, "fix", "converted_mode")
    raw = next(rest)
    exif = Image.Exif()
    exif[0x0112] = 6
    messy.put(f"{raw.name}.jpg", raw.flat().transpose(Image.Transpose.ROTATE_90), raw.caption, "fix", "exif_rotated",
              quality=90, exif=exif)
    raw = next(rest)
    messy.put(f"{raw.name}.jpg", encode(raw.flat(), "PNG"), raw.caption, "fix", "wrong_extension")
    raw = next(rest)
    frames = [raw.flat().rotate(5 * number, fillcolor="white") for number in range(4)]
    messy.put(f"{raw.name}.gif", frames[0], raw.caption, "warn", "animated", save_all=True, append_images=frames[1:])
    raw = next(rest)
    messy.put("我的 图片.JPG", raw.flat(), raw.caption, format="JPEG", quality=92)


def plant_captions(messy: Messy, rest: Sequence[Raw], good: Sequence[Raw]) -> None:
    """Plant captions that are missing, empty, no caption at all, or another picture's."""
    raw = next(rest)
    messy.put(f"{raw.name}.png", raw.flat(), None, "drop", "caption_missing")
    for code, verdict, words in (
            ("caption_empty", "drop", "   "), ("caption_boilerplate", "warn", "IMG_20240811_174502.jpg"),
            ("caption_too_long", "warn", "很长很长的一句话，" * 80),
            ("caption_markup", "fix", "<b>{}</b>&nbsp;，见 https://example.com/p?id=7"),
            ("caption_repeated", "warn", good[0].caption)):
        raw = next(rest)
        messy.put(f"{raw.name}.png" if code != "caption_repeated" else f"z_{raw.name}.png", raw.flat(),
                  words.format(raw.caption), verdict, code)


def plant_rows(messy: Messy, good: Sequence[Raw], rest: Sequence[Raw]) -> None:
    """Plant rows that belong to no picture, a table that Excel wrote, a .txt file, a link, and files to pass over."""
    messy.spoil_row('{"file_name": "half.png", "text": "只写了一', "row_bad_json")
    messy.spoil_row('{"file_name": "../../secret.png", "text": "外面"}', "path_escape")
    messy.spoil_row('{"file_name": "/etc/secret.png", "text": "外面"}', "path_escape")
    messy.spoil_row('{"file_name": "not_here.png", "text": "没有这张图"}', "file_missing")
    messy.spoil_row(f'{{"file_name": "{good[2].name}.png", "text": "第二次"}}', "row_duplicate")
    messy.spoil_row('{"text": "没有文件名"}', "row_without_file")
    (messy.folder / "metadata.jsonl").write_text("\n".join(messy.lines) + "\n", encoding="utf-8")
    table, beside = next(rest), next(rest)
    messy.put(f"more/{table.name}.png", table.flat(), None)
    with (messy.folder / "more/metadata.csv").open("w", encoding="utf-8-sig", newline="") as content:
        csv.writer(content).writerows([["file_name", "text"], [f"{table.name}.png", table.caption], ["", "没有文件名"]])
    messy.row_truth.append(("more/metadata.csv", 3, "row_without_file"))
    messy.put(f"more/{beside.name}.png", beside.flat(), None)
    (messy.folder / f"more/{beside.name}.txt").write_text(beside.caption, encoding="utf-8")
    for name in (".DS_Store", "Thumbs.db", "readme.txt"):
        (messy.folder / name).write_bytes(b"x")
    try:
        (messy.folder / "link.png").symlink_to(FOLDER / "__init__.py")
        messy.truth.append(("link.png", "drop", "path_escape", ""))
    except OSError:
        pass  # Windows asks for a right that most people lack


def write_truth(messy: Messy) -> None:
    """Write truth.csv and truth_rows.csv beside the folder."""
    for name, head, rows in (("truth.csv", ("file", "verdict", "code", "of"), messy.truth),
                             ("truth_rows.csv", ("file", "line", "code"), messy.row_truth)):
        with (messy.folder.parent / name).open("w", encoding="utf-8", newline="") as content:
            csv.writer(content, lineterminator="\n").writerows([head, *rows])


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return a picture as a file's bytes."""
    content = io.BytesIO()
    image.save(content, format=kind, **options)
    return content.getvalue()


def make_bomb(edge: int) -> bytes:
    """Return a PNG of a few kilobytes that claims edge x edge pixels."""
    line = zlib.compress(bytes((edge + 7) // 8 + 1) * 64, 9)
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", edge, edge, 1, 0, 0, 0, 0)), (b"IDAT", line), (b"IEND", b""))
    packed = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
              for kind, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def enlarge(image: Image.Image, times: int, method: Image.Resampling) -> Image.Image:
    """Make a picture so many times smaller and as large as it was again."""
    small = image.resize((image.width // times, image.height // times), Image.Resampling.LANCZOS)
    return small.resize(image.size, method)


def crop(image: Image.Image, border: int) -> Image.Image:
    """Cut a border off."""
    return image.crop((border, border, image.width - border, image.height - border))


def turn(raw: Raw) -> Image.Image:
    """Return a picture upside down, so that it is no copy of the one that stays."""
    return raw.flat().transpose(Image.Transpose.ROTATE_180)


def watermark(image: Image.Image) -> Image.Image:
    """Write over a picture as sellers of pictures do."""
    layer = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(layer)
    for y in range(20, image.height, 90):
        draw.text((20 + y % 60, y), "stockphoto   " * 6, fill=(90, 90, 90, 120))
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def cut_out(image: Image.Image) -> Image.Image:
    """Make a picture transparent outside a circle."""
    mask = Image.new("L", image.size)
    ImageDraw.Draw(mask).ellipse((0, 0, *image.size), fill=255)
    whole = image.convert("RGBA")
    whole.putalpha(mask)
    return whole
