"""Installs npm packages for tests that run JavaScript: those of a folder's lock file, by hash, without running their scripts."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any, Final

_CI: Final = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def install(node: Any, folder: Path) -> None:  # Any: see the fixture
    """Install a folder's packages unless they already match its lock file, once for all tests that need them."""
    lock, stamp = folder / "package-lock.json", folder / "node_modules" / ".locked"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    with lock.open("rb") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
            run(node, folder, *_CI)
            stamp.write_text(digest, encoding="utf-8")


def run(node: Any, folder: Path, *words: str) -> None:  # Any: see the fixture
    """Run npm in a folder."""
    path = os.pathsep.join((str(node.program.parent), os.environ.get("PATH", os.defpath)))
    done = subprocess.run(
        (*node.npm, *words),
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
