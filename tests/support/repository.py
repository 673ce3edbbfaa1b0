"""Real git repositories for tests."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


def git(folder: Path, *argv: str, env: Mapping[str, str] | None = None) -> str:
    """Run git in `folder` as a test user, with these variables added; return its stdout."""
    variables = {
        **os.environ,
        **{
            f"GIT_{who}_{what}": "test@scanagg.invalid"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **(env or {}),
    }
    done = subprocess.run(
        ["git", *argv], cwd=folder, env=variables, check=True, capture_output=True, text=True
    )
    return done.stdout


def commit(root: Path, files: Mapping[str, str | bytes], *, git_: bool = True) -> Path:
    """Write files into a folder and commit them to a new repository; return the folder."""
    root.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    if git_:
        git(root, "init", "-q", "-b", "main")
        git(root, "add", "-A", "-f")
        git(root, "commit", "-q", "--allow-empty", "-m", "start")
    return root
