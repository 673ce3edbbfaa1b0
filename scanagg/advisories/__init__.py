"""The advisory store: published vulnerabilities, and what they add to observations."""
