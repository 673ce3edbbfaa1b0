"""Protection of the gate from the change that it judges."""
