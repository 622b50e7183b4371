"""A headless Chromium that can reach no other hosts, and the whole product to open in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from tests.patience import PATIENCE_SECONDS
from tests.product import Product

expect.set_options(timeout=PATIENCE_SECONDS * 1000)

_ROOT = Path(__file__).parents[2]
AXE = _ROOT / "node_modules" / "axe-core" / "axe.min.js"
_FLAGS = (
    "--no-sandbox",  # as root, Chromium does not start with its sandbox
    "--disable-gpu",
    "--disable-quic",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


Ask: TypeAlias = Callable[..., Awaitable[Any]]
"""Asks the API and gives the data of the answer."""


@dataclass
class Visit:
    """One visitor's browser, with all its requests and error messages."""

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
def pages() -> None:
    """The console and the playground, built from this checkout. Without the npm registry, tests are skipped, or fail if AUDIENCE_REQUIRE_BROWSER is set."""
    made = subprocess.run(
        [sys.executable, _ROOT / "dev", "pages"], capture_output=True, encoding="utf-8", check=False
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


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, product: Product, pages: None) -> AsyncIterator[Visit]:
    """Somebody who opens the playground."""
    del pages  # only built
    context = await browser.new_context(viewport={"width": 1600, "height": 1400})
    async with _visiting(context, Visit(context, product.origin)) as visit:
        yield visit


@pytest_asyncio.fixture(loop_scope="session")
async def console(browser: Browser, product: Product, pages: None) -> AsyncIterator[Visit]:
    """Somebody who opens the console, and prefers that nothing moves."""
    del pages  # only built
    context = await browser.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce")
    async with _visiting(context, Visit(context, product.origin, "/")) as visit:
        yield visit


@asynccontextmanager
async def _visiting(context: BrowserContext, visit: Visit) -> AsyncIterator[Visit]:
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    visit.listen()
    yield visit
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def ask(product: Product) -> AsyncIterator[Ask]:
    """What other clients ask the API meanwhile: a document, and the variable `input`."""
    headers = {"authorization": f"Bearer {product.token}"}
    async with httpx.AsyncClient(
        base_url=product.origin, headers=headers, timeout=PATIENCE_SECONDS
    ) as client:

        async def ask(document: str, given: object = None) -> Any:  # Any: JSON
            answer = await client.post("/graphql", json={"query": document, "variables": {"input": given}})
            assert "errors" not in answer.json(), answer.text
            return answer.json()["data"]

        yield ask
