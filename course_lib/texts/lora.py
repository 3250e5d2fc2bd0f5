"""LoRA files: formats, reports, what does not fit."""

TEXTS = {
}

ERRORS = {
}
