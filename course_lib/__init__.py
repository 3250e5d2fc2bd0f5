"""The Kolors course kit: a thin package over diffusers' Kolors, for lessons that run on any machine."""

import os

# Without torchvision, which the course does not need, transformers prints two lines at import that a learner would take
# for an error; errors are still shown.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
