"""The checked project: its files, their text, and the files with its rules."""
