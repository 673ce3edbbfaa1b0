"""The reports: a package for each format, and what they share."""
