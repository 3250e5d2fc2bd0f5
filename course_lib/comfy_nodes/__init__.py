"""A folder of nodes that ComfyUI loads when it is linked into custom_nodes/, and the notebook's runner imports.

ComfyUI loads this file by its path, under a name of its own. Then the link's real place tells where the course is, and
the classes are taken from there, so that they exist once.
"""

import sys
from pathlib import Path

INSIDE_COMFYUI = __name__ != "course_lib.comfy_nodes"
if INSIDE_COMFYUI:
    sys.path.append(str(Path(__file__).resolve().parent.parent.parent))

from course_lib.comfy_nodes.kolors_nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS  # noqa: E402

if INSIDE_COMFYUI:
    from course_lib.comfy_nodes.inside_comfyui import settle_in

    settle_in(NODE_CLASS_MAPPINGS)

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
