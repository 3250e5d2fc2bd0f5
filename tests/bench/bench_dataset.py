"""Check 500 and then 20,000 pictures: pictures per second, and how much memory grows; prints the ratio of the peaks.

    PYTHONPATH=. python tests/bench/bench_dataset.py [count ...]
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from course_lib.dataset.checking import check

COUNTS = (500, 20_000)
SIZE = 128  # px


def draw(number):
    """Return a picture that is like no other: soft noise cut into areas of a few colours."""
    rng = np.random.default_rng(number)
    small = Image.fromarray((rng.random((12, 12, 3)) * 255).astype(np.uint8))
    return small.resize((SIZE, SIZE), Image.Resampling.BICUBIC).point(lambda value: value // 86 * 120)


def measure(folder, answer):
    """Check a folder and answer seconds, CPU seconds, peak memory in MB, and how many pictures were kept."""
    started, worked = time.perf_counter(), time.process_time()
    report = check(folder)
    answer.put((time.perf_counter() - started, time.process_time() - worked,
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, report.counts["keep"]))


def main():
    """Draw each set, check it in a fresh process, and print what that took."""
    peaks = []
    context = multiprocessing.get_context("spawn")
    for count in map(int, sys.argv[1:]) if len(sys.argv) > 1 else COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(count):
                draw(number).save(Path(folder) / f"{number:06}.png", compress_level=1)
            table = ["file_name,text", *(f"{number:06}.png,第 {number} 张" for number in range(count))]
            (Path(folder) / "metadata.csv").write_text("\n".join(table), encoding="utf-8")
            answer = context.Queue()
            process = context.Process(target=measure, args=(folder, answer))
            process.start()
            seconds, worked, peak, kept = answer.get()
            process.join()
        peaks.append(peak)
        print(f"{count:6} pictures of {SIZE} px: {count / seconds:6.0f} a second, {worked / count * 1000:.1f} ms of "
              f"CPU each, peak {peak:.0f} MB, {kept} kept")
    print(f"peak of the last / peak of the first  {peaks[-1] / peaks[0]:.2f}  (goal: at most 1.2)")


if __name__ == "__main__":
    main()
