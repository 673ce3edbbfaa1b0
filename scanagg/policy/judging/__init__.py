"""Findings and runs judged by a policy: severities, rules, waivers, the gate."""
