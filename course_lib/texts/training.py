"""Training a LoRA: progress, and what stops it."""

TEXTS = {
}

ERRORS = {
}
