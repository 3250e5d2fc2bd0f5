"""Workflows of ComfyUI: read, drawn."""

from course_lib.workflow_drawing import Drawing, draw
from course_lib.workflow_graph import Workflow, read

__all__ = ["Drawing", "Workflow", "draw", "read"]
