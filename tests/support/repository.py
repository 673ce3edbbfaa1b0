"""Real git repositories for tests."""

import os
import subprocess
from pathlib import Path


def git(folder: Path, *argv: str) -> str:
    """Run git in `folder` as nobody in particular; its stdout."""
    env = {
        **os.environ,
        **{
            f"GIT_{who}_{what}": "test@scanagg.invalid"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    done = subprocess.run(
        ["git", *argv], cwd=folder, env=env, check=True, capture_output=True, text=True
    )
    return done.stdout
