"""What to upgrade: the lowest versions that clear vulnerabilities, and how to get there."""

from scanagg.upgrades.plan import plan as plan
