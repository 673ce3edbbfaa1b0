"""The origin of each finding: this change, a newer advisory, or before."""
