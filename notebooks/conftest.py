"""What nbval leaves out when it tests the lessons: each cell it has run is also held against these rules.

Stored outputs must come from one run from top to bottom (a cleared notebook fails), without stderr, the pictures a cell
draws now must look like the stored ones, and no cell may take too long. Learners need not look at this file.
"""

import base64
import io

import numpy as np
import pytest
from nbval.plugin import IPyNbCell
from PIL import Image

from notebooks.tools.rules import stored_problems

MEAN_DIFFERENCE = 2  # of 255, over all pixels: another CPU rounds differently
FAR_OFF = 24  # of 255: a pixel that a person sees to be different
FAR_OFF_SHARE = 0.02


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Judge a lesson's cell right after nbval has run and compared it, with the outputs nbval has got."""
    result = yield
    if isinstance(item, IPyNbCell):
        problems = stored_problems(item.cell, item.cell_num + 1)
        if item.parent.timed_out:  # nbval interrupts the kernel, and a training then ends like one that was stopped
            problems.append(f"took longer than {item.config.option.nbval_cell_timeout:.0f} s")
        if item.options["check"]:
            problems += picture_problems(pictures(item.cell.outputs), pictures(item.test_outputs))
        if problems:
            item.raise_cell_error("; ".join(problems))
    return result


def pictures(outputs):
    """Return the PNGs among a cell's outputs as arrays of 0..255, shape (height, width, 4)."""
    found = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA"), np.int16) for png in found]


def picture_problems(stored, drawn):
    """Say which stored pictures do not look like the ones drawn now."""
    if [picture.shape for picture in stored] != [picture.shape for picture in drawn]:
        return [f"pictures stored: {[p.shape for p in stored]}, drawn now: {[p.shape for p in drawn]}"]
    problems = []
    for number, (old, new) in enumerate(zip(stored, drawn, strict=True), 1):
        difference = np.abs(old - new)
        mean, share = difference.mean(), (difference.max(axis=2) > FAR_OFF).mean()
        if mean > MEAN_DIFFERENCE or share > FAR_OFF_SHARE:
            problems.append(f"picture {number} is stale: {mean:.1f} of 255 off, {share:.1%} of its pixels far off")
    return problems
