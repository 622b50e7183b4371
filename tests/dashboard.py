"""The live dashboard of examples/, built as its README says and served beside the API."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[1] / "examples" / "live-dashboard"
AXE: Final = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
_NPM_CI: Final = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
_PATIENCE_SECONDS: Final = 30.0


def install(node: Any) -> None:  # Any: see the fixture
    """Have its packages, where they are not those of the lock file already; once for all tests that need them."""
    lock, stamp = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".locked"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    with lock.open("rb") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
            _run(node, *_NPM_CI)
            stamp.write_text(digest, encoding="utf-8")


def build(node: Any) -> None:  # Any: see the fixture
    """Have its types checked, and its page built."""
    install(node)
    _run(node, "run", "build")


@asynccontextmanager
async def served(node: Any, api: str) -> AsyncIterator[str]:  # Any: see the fixture
    """Its origin, while it is served: what it asks of the API goes through."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        node.program, "node_modules/vite/bin/vite.js", "preview", "--host", "127.0.0.1", "--port", str(port), "--strictPort",
        cwd=FOLDER, env={**os.environ, "AUDIENCE_URL": f"{api}/graphql"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _until_listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


def _run(node: Any, *words: str) -> None:  # Any: see the fixture
    path = os.pathsep.join((str(node.program.parent), os.environ.get("PATH", os.defpath)))
    done = subprocess.run(
        (*node.npm, *words),
        cwd=FOLDER,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
