"""The way from what scanners report to findings: normalise, correlate, fingerprint."""
