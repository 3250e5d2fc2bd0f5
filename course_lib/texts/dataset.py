"""Preparing a data set: verdicts, reasons, sources."""

TEXTS = {
}

ERRORS = {
}
