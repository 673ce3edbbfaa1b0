"""Test cases for verdicts on licence expressions: expression, allowed, denied, verdict."""

CLASSPATH = "GPL-2.0-only WITH Classpath-exception-2.0"

VECTORS = [
    ("MIT", ["MIT"], [], "allow"),
    ("MIT OR Apache-2.0", ["MIT"], [], "allow"),
    ("MIT OR GPL-3.0-only", ["MIT"], [], "allow"),
    ("MIT AND GPL-3.0-only", ["MIT"], [], "deny"),
    ("MIT AND Apache-2.0", ["MIT", "Apache-2.0"], [], "allow"),
    ("MIT OR BSD-3-Clause AND GPL-3.0-only", ["BSD-3-Clause"], [], "deny"),
    ("(MIT OR BSD-3-Clause) AND GPL-3.0-only", ["MIT", "BSD-3-Clause"], [], "deny"),
    ("(MIT OR GPL-3.0-only) AND Apache-2.0", ["MIT", "Apache-2.0"], [], "allow"),
    ("CC0-1.0 OR MIT OR (CC0-1.0 AND MIT)", ["CC0-1.0"], [], "allow"),
    ("mit or apache-2.0", ["Apache-2.0"], [], "allow"),
    ("Apache-2.0 WITH LLVM-exception", ["Apache-2.0"], [], "allow"),
    ("Apache-2.0 WITH LLVM-exception", ["Apache-2.0 WITH LLVM-exception"], [], "allow"),
    ("Apache-2.0", ["Apache-2.0 WITH LLVM-exception"], [], "deny"),
    (CLASSPATH, [CLASSPATH], ["GPL-2.0-only"], "allow"),
    (CLASSPATH, ["MIT"], ["GPL-2.0-only"], "deny"),
    ("Apache-2.0 WITH LicenseRef-Foo-exception", ["Apache-2.0"], [], "unknown"),
    ("GPL-2.0+", ["GPL-2.0-or-later"], [], "allow"),
    ("GPL-2.0", ["GPL-2.0-only"], [], "allow"),
    ("GPL-2.0-or-later", ["GPL-3.0-only"], [], "allow"),
    ("GPL-2.0-only", ["GPL-3.0-or-later"], [], "deny"),
    ("GPL-3.0-only", ["GPL-2.0-or-later"], [], "allow"),
    ("MIT OR GPL-3.0-only", [], ["GPL-3.0-only"], "allow"),
    ("MIT AND GPL-3.0-only", [], ["GPL-3.0-only"], "deny"),
    ("GPL-2.0-or-later", [], ["GPL-3.0-only"], "allow"),
    ("GPL-2.0-or-later", [], ["GPL-2.0-or-later"], "deny"),
]
