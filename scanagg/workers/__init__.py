"""Programs of our own that adapters start, where a scanner's own command line will not do."""
