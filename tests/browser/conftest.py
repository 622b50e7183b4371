"""A headless Chromium that knows no host but ours, and the whole product to open in it."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from audience_gql.embedded import Servers

_ROOT = Path(__file__).parents[2]
_PATIENCE_SECONDS = 60.0
_FLAGS = (
    "--no-sandbox",  # Chromium refuses to start as root with it
    "--disable-gpu",
    "--disable-quic",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@dataclass(frozen=True, slots=True)
class Product:
    """A started `audience-gql up`, on servers of its own."""

    origin: str
    token: str


@dataclass
class Visit:
    """One visitor's browser, with all that it asked for and complained of."""

    context: BrowserContext
    origin: str
    path: str = "/graphiql"
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def open(self) -> Page:
        page = await self.context.new_page()
        await page.goto(f"{self.origin}{self.path}")
        return page

    def listen(self) -> None:
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.context.on("console", self._note)
        self.context.on("weberror", lambda found: self.complaints.append(str(found.error)))
        self.context.on("page", self._listen_to_sockets)

    def _listen_to_sockets(self, page: Page) -> None:
        page.on("websocket", lambda opened: self.requests.append(opened.url))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.complaints.append(f"{message.type}: {message.text} {message.location}")


@pytest.fixture(scope="session")
def playground() -> None:
    """The page, built from what is here. Without the npm registry tests do not run, or fail where AUDIENCE_REQUIRE_BROWSER=1 wants them."""
    made = subprocess.run(
        [sys.executable, _ROOT / "dev", "playground"], capture_output=True, encoding="utf-8", check=False
    )
    if made.returncode != 0:
        (pytest.fail if os.environ.get("AUDIENCE_REQUIRE_BROWSER") else pytest.skip)(
            made.stdout + made.stderr
        )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as driver:
        launched = await driver.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def product(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("product")
    state, log = folder / "state", folder / "up.log"
    with Servers.throwaway() as servers, log.open("wb") as output:
        addresses = servers.addresses
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "audience_gql.cli", "up", "--port", str(port), "--state", state,
            env={**os.environ, "DATABASE_URL": addresses.database_url, "REDIS_URL": addresses.redis_url},
            stdout=output, stderr=output,
        )  # fmt: skip
        try:
            await _until_greeted(log)
            settings = (state / "connection.env").read_text(encoding="utf-8")
            token = re.search(r"AUDIENCE_TOKEN=(.*)", settings)
            assert token is not None
            yield Product(f"http://127.0.0.1:{port}", shlex.split(token[1])[0])
        finally:
            process.terminate()
            await process.wait()


async def _until_greeted(log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while "Ctrl-C stops everything" not in log.read_text(encoding="utf-8"):
        assert asyncio.get_running_loop().time() < deadline, log.read_text(encoding="utf-8")
        await asyncio.sleep(0.1)


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, product: Product, playground: None) -> AsyncIterator[Visit]:
    del playground  # only built
    context = await browser.new_context(viewport={"width": 1600, "height": 1400})
    context.set_default_timeout(30_000)
    visit = Visit(context, product.origin)
    visit.listen()
    yield visit
    await context.close()
