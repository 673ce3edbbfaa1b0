"""Building blocks without knowledge of findings: processes, git, files, text, errors."""
