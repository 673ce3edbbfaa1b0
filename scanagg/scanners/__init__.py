"""The scanners: a package for each, and what they share."""
