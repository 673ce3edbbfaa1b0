"""Upgrades: the lowest versions that clear vulnerabilities, and how to install them."""
