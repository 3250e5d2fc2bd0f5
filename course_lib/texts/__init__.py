"""Every text of the course, a module for each part.

TEXTS is key -> language -> text, ERRORS is key -> language -> (what, why, next step).
Only `course_lib.messages` reads these tables; a key stands in one of them only.
"""

from course_lib.texts import (
    comfyui,
    dataset,
    drawing,
    explorer,
    general,
    hub,
    lessons,
    lora,
    machine,
    samplers,
    start,
    story,
    training,
)

TABLES = (general, start, machine, hub, drawing, samplers, explorer, dataset, lora, training, comfyui, story, lessons)
TEXTS = {key: value for table in TABLES for key, value in table.TEXTS.items()}
ERRORS = {key: value for table in TABLES for key, value in table.ERRORS.items()}
