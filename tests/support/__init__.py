"""Helpers for tests: stand-ins for services, samples of values."""
