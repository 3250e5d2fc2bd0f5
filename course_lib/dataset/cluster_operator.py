"""The measuring of pictures as an operator of Data-Juicer, which loads this file in its own environment.

The numbers are the course's own (`signals.measure`), so they are the same on a cluster as on one machine. The rest of
the course never imports this module.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_juicer.ops.base_op import OPERATORS, Mapper

from course_lib.dataset.signals import measure
from course_lib.pictures.picture_files import open_picture

NAME = "course_measure_mapper"


@OPERATORS.register_module(NAME)
class CourseMeasureMapper(Mapper):
    """Writes what was measured of the picture at `path` into `measured`, as JSON."""

    def process_single(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Measure one row's picture."""
        sample["measured"] = json.dumps(asdict(measure(open_picture(Path(sample["path"])).image)))
        return sample
