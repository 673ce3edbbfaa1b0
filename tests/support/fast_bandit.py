"""A stand-in for bandit that runs in a few milliseconds: some of its rules, and its errors.

For tests of how scanagg handles findings, not of how bandit finds them. See `tools.fast_bandit`.
"""

import ast
import json
import sys
from pathlib import Path

CALLS = {"eval": "B307", "exec": "B102"}


def issues(tree: ast.AST) -> list[tuple[str, ast.stmt | ast.expr]]:
    """Yield the rule and the place of each issue, in bandit's order."""
    found: list[tuple[str, ast.stmt | ast.expr]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and node.names[0].name == "subprocess":
            found.append(("B404", node))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found += [(CALLS[node.func.id], node)] if node.func.id in CALLS else []
        if isinstance(node, ast.Call) and any(one.arg == "shell" for one in node.keywords):
            found.append(("B602", node))
    return found


def main(arguments: list[str]) -> None:
    if "--version" in arguments:
        sys.stdout.write("bandit 1.9.0\n")
        return
    options, files = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    skipped = ""
    if "--configfile" in options:
        skipped = Path(options[options.index("--configfile") + 1]).read_text()
    results, errors, metrics = [], [], {}
    for name in files:
        text = Path(name).read_text()
        lines = text.splitlines()
        try:
            tree = ast.parse(text)
        except SyntaxError:
            errors.append({"filename": name, "reason": "syntax error while parsing AST from file"})
            continue
        code = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        metrics[name] = {"loc": len(code), "nosec": 0, "skipped_tests": 0, "SEVERITY.LOW": 0}
        for rule, node in issues(tree):
            hidden = "# nosec" in lines[node.lineno - 1]
            metrics[name]["nosec"] += hidden
            if rule not in skipped and not hidden:
                place = {
                    "line_number": node.lineno,
                    "line_range": [node.lineno],
                    "col_offset": node.col_offset,
                    "end_col_offset": node.end_col_offset,
                }
                results.append(
                    {
                        "filename": name,
                        "test_id": rule,
                        "test_name": rule.lower(),
                        "issue_text": f"Found {rule}.",
                        "issue_severity": "MEDIUM",
                        "issue_confidence": "HIGH",
                        **place,
                    }
                )
    json.dump({"results": results, "errors": errors, "metrics": metrics}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
