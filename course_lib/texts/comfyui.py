"""Workflows, nodes, and the real ComfyUI."""

TEXTS = {
}

ERRORS = {
}
