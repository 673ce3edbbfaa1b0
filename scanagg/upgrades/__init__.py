"""Upgrades: the lowest versions that clear vulnerabilities, and the way to get them."""

from scanagg.upgrades.plan import plan as plan
