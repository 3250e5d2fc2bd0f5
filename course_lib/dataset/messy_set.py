"""The course's messy set, made when asked for: raw pictures with every defect planted that `dataset.check` knows."""

import subprocess
import sys
from pathlib import Path

from course_lib.files import COURSE

MESSY = COURSE / "outputs" / "messy"


def make_messy(folder: str | Path = MESSY) -> Path:
    """Make the messy set anew -> the folder of its raw pictures; beside it, truth.csv says what is wrong with each."""
    folder = Path(folder).absolute()
    subprocess.run([sys.executable, "-m", "data.messy", str(folder)], cwd=COURSE, check=True)
    return folder / "raw"
