"""Workflows of ComfyUI: read, drawn, and run node by node."""

from course_lib.workflow.drawing import Drawing, draw
from course_lib.workflow.graph import Workflow, read
from course_lib.workflow.running import Cache, run

__all__ = ["Cache", "Drawing", "Workflow", "draw", "read", "run"]
