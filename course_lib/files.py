"""Where the course lies on this disk."""

from pathlib import Path

COURSE = Path(__file__).parent.parent
