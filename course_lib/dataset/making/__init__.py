"""Pictures made: changed copies of those there are, and new ones from scenes."""
