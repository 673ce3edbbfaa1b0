"""Policies looked at: what they say of a finding, where they are wrong, how two differ."""
