"""Builds the live dashboard of examples/ as its README says, and serves it beside the API."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from tests import npm

FOLDER: Final = Path(__file__).parents[1] / "examples" / "live-dashboard"
AXE: Final = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
_PATIENCE_SECONDS: Final = 30.0


def install(node: Any) -> None:  # Any: see the fixture
    """Install its packages."""
    npm.install(node, FOLDER)


def build(node: Any) -> None:  # Any: see the fixture
    """Check its types, and build its page."""
    install(node)
    npm.run(node, FOLDER, "run", "build")


@asynccontextmanager
async def served(node: Any, api: str) -> AsyncIterator[str]:  # Any: see the fixture
    """Serve it during the context, and forward its requests to the API. Yields its origin."""
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
