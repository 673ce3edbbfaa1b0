"""Building blocks that know nothing of findings: processes, git, files, text, errors."""
