"""Workflows of ComfyUI: read and drawn."""

from course_lib.workflow_graph import Workflow, read

__all__ = ["Workflow", "read"]
