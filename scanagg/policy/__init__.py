"""The policy: its file, the verdict on each finding, the outcome of a run."""
