"""Build the lessons and check them; for maintainers, no part of what a learner reads."""
