"""Pictures from the web, with the rights they came with."""
