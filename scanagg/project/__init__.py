"""The checked project: its git-aware file set, its source text, and the files with its rules."""
