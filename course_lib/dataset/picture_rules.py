"""What can be wrong with the pictures of a set: each by itself first, then each against the others."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from statistics import median

from PIL import Image

from course_lib.dataset.folder import Found
from course_lib.dataset.near_duplicates import find_alike, find_same, is_enlarged
from course_lib.dataset.report import Row
from course_lib.dataset.signals import Signals, measure
from course_lib.pictures.picture_files import LOSSY, Opened, Unreadable, open_picture

LEAST_SHARPNESS = 0.34  # good pictures of two icon sets and six photographs: 0.6 and more; blurred by 3 px: to 0.29
LEAST_SPREAD = 2.0  # of 255
LEAST_MEAN, LEAST_BRIGHT = 40.0, 90.0  # of 255; a night photograph is dark too, but not its lights
MOST_ASPECT, WIDE_ASPECT = 3.0, 2.0  # long to short edge; above the second a crop loses half of the picture
MOST_BLOCKINESS = 2.8  # good pictures up to 1.1, JPEG of quality 60 up to 2.1, of quality 5 from 2.5 on
LEAST_QUALITY = 20  # of a JPEG
MOST_STEP = 2  # pictures enlarged pixel by pixel more than so many times are dropped
SMALL_SHARE, SMALL = 1 / 3, 256  # of the set's middle size, and px: smaller than both stands out
CHUNK = 64  # pictures in work at once
KEPT = 64  # pictures in memory while they are compared
LOOKED_AT = 768  # px, the longer side at which they are
ROUGH, BLOCKS = 50, 1.8  # of a JPEG's quality, and of blockiness: of two copies, one beyond these is the worse
DRAWN = 0.5  # of a picture's pixels that are as the one beside them; in a drawing so clean, fewer mean a JPEG's noise
ENLARGED_FROM = 1.5  # times the pixels of a copy, for a picture to be suspected of having been enlarged


def judge_files(folder: Path, pictures: Sequence[Found], size: int) -> Iterator[Row]:
    """Yield a row for each picture, in order; the files are read by as many threads as there are cores."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        for start in range(0, len(pictures), CHUNK):
            yield from threads.map(lambda found: judge_file(folder, found, size), pictures[start:start + CHUNK])


def judge_file(folder: Path, found: Found, size: int) -> Row:
    """Read, measure and judge one picture."""
    row, opened = read_file(folder, found)
    if opened:
        judge_signals(row, opened, measure(opened.image), size)
    return row


def read_file(folder: Path, found: Found) -> tuple[Row, Opened | None]:
    """Read one picture -> its row, with what has to be fixed, and the picture; None, and why, where there is none."""
    row = Row(found.file, caption=found.caption, group=found.group, extra=found.extra)
    if found.refused:
        row.add(found.refused, "drop", found.file)
        return row, None
    try:
        opened = open_picture(folder / found.file)
    except Unreadable as problem:
        row.add(problem.code, "drop", problem.value, problem.limit)
        return row, None
    row.width, row.height = opened.image.size
    row.format, row.sha256 = opened.format, opened.sha256
    for code, was in opened.fixes:
        row.add(code, "fix", was)
    return row, opened


def judge_signals(row: Row, opened: Opened, signals: Signals, size: int) -> None:
    """Add what the numbers of one picture say; of `opened`, the picture itself is not looked at."""
    row.signals, row.quality = signals, opened.quality
    short, long = sorted((row.width, row.height))
    if short < size:
        row.add("too_small", "drop", short, size)
    if long / short > WIDE_ASPECT:
        limit = MOST_ASPECT if long / short > MOST_ASPECT else WIDE_ASPECT
        row.add("extreme_aspect", "drop" if limit == MOST_ASPECT else "warn", round(long / short, 2), limit)
    if signals.spread < LEAST_SPREAD:
        row.add("blank", "drop", round(signals.spread, 2), LEAST_SPREAD)
        return
    if signals.step > 1:
        row.add("upscaled", "drop" if signals.step > MOST_STEP else "warn", signals.step, 1)
    elif signals.sharpness < LEAST_SHARPNESS:
        row.add("blurry", "drop", round(signals.sharpness, 3), LEAST_SHARPNESS)
    if signals.mean < LEAST_MEAN and signals.bright < LEAST_BRIGHT:
        row.add("dark", "warn", round(signals.mean, 1), LEAST_MEAN)
    if opened.quality < LEAST_QUALITY:
        row.add("jpeg_artefacts", "warn", f"quality {opened.quality}", f"quality {LEAST_QUALITY}")
    elif signals.step == 1 and signals.blockiness > MOST_BLOCKINESS:
        row.add("jpeg_artefacts", "warn", f"8 px: {signals.blockiness:.1f}", f"8 px: {MOST_BLOCKINESS}")
    if opened.frames > 1:
        row.add("animated", "warn", opened.frames, 1)


def judge_sizes(rows: Sequence[Row]) -> None:
    """Warn of pictures that are far smaller than the rest of their set."""
    read = [row for row in rows if row.signals and row.verdict != "drop"]
    limit = min(SMALL, SMALL_SHARE * median(min(row.width, row.height) for row in read)) if read else 0
    for row in read:
        if min(row.width, row.height) < limit:
            row.add("too_small", "warn", min(row.width, row.height), round(limit))


def judge_duplicates(folder: Path, rows: Sequence[Row]) -> None:
    """Drop every picture that another one shows too, the best one is kept, and warn of mirrored ones."""
    judged = sorted((row for row in rows if row.signals and row.verdict != "drop"), key=rank)
    first: dict[str, Row] = {}
    for row in judged:
        earlier = first.setdefault(row.sha256, row)
        if earlier is not row:
            row.add("exact_duplicate", "drop", earlier.file)
    judged = list(first.values())

    @lru_cache(KEPT)
    def picture(number: int) -> Image.Image:
        image = open_picture(folder / judged[number].file).image
        image.thumbnail((LOOKED_AT, LOOKED_AT), Image.Resampling.LANCZOS)
        return image

    measured = [signals_of(row) for row in judged]
    groups: dict[int, int] = {}
    mirrored = []
    for number, alike in find_alike([signals.hashes for signals in measured], [signals.grid for signals in measured]):
        same = find_same(number, alike, picture)
        if same and same[1]:
            mirrored.append((number, same[0]))
        elif same:
            groups[number] = groups.get(same[0], same[0])
    best = keep_best(folder, judged, groups)
    for number in groups:
        kept = best[groups[number]]
        if kept != number:
            judged[number].add("near_duplicate", "drop", judged[kept].file)
    for number, kept in best.items():
        if kept != number:
            judged[number].add("near_duplicate", "drop", judged[kept].file)
    for number, other in mirrored:
        judged[number].add("mirror_duplicate", "warn", judged[best.get(groups.get(other, other), other)].file)


def keep_best(folder: Path, judged: Sequence[Row], groups: Mapping[int, int]) -> dict[int, int]:
    """Return for the first of each group which of its pictures is to stay: the largest that was not enlarged."""
    best = {}
    for first in sorted(set(groups.values())):
        members = [first, *(number for number in sorted(groups) if groups[number] == first)]
        best[first] = members[0]
        for number in members[1:]:
            large, small = judged[best[first]], judged[number]
            larger = large.width * large.height > ENLARGED_FROM * small.width * small.height
            if larger and is_enlarged(open_picture(folder / large.file).image, (small.width, small.height)):
                best[first] = number
    return best


def signals_of(row: Row) -> Signals:
    """Return what was measured of a picture that could be read."""
    assert row.signals, row.file
    return row.signals


def rank(row: Row) -> tuple[object, ...]:
    """Return what orders pictures from good to less good: no JPEG's blocks, large, sharp, clean, of contrast."""
    signals = signals_of(row)
    blocks = "jpeg_artefacts" in row.codes or row.quality < ROUGH or signals.blockiness > BLOCKS
    drawn = -round(20 * signals.flat) if signals.flat > DRAWN else 0
    return (blocks, -row.width * row.height, -round(5 * signals.sharpness), drawn, row.format in LOSSY,
            -round(signals.spread), len(row.file), row.file)
