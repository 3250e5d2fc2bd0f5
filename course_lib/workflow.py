"""Workflows of ComfyUI: read, drawn, and run node by node."""

from course_lib.workflow_drawing import Drawing, draw
from course_lib.workflow_graph import Workflow, read
from course_lib.workflow_picture_settings import read_settings
from course_lib.workflow_run import Cache, run

__all__ = ["Cache", "Drawing", "Workflow", "draw", "read", "read_settings", "run"]
