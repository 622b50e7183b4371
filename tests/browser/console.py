"""What the tests of the console's pages do in common: sign in, find things, and look whether everybody can use a page."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from playwright.async_api import BrowserContext, Locator, Page, Route, WebSocketRoute, expect

from audience_gql.pages.documents import ConsoleDocuments
from tests.browser.conftest import AXE, Visit
from tests.patience import until
from tests.product import Product

_MOST_STOPS = 60
_SETTLED = """
Promise.all(document.getAnimations()
  .filter((animation) => Number.isFinite(animation.effect.getComputedTiming().endTime))
  .map((animation) => animation.finished.catch(() => null)))
"""
"""Waits for the transitions that end."""


async def opened(visit: Visit, product: Product, path: str) -> Page:
    """The page at this path, signed in."""
    visit.path = path
    page = await visit.open()
    await enter(page, product.token)
    return page


async def enter(page: Page, token: str) -> None:
    await page.get_by_label("API token").fill(token)
    await page.get_by_role("button", name="Open").click()
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()


def document_of(sent: str | bytes | None) -> str:
    """The text of the document that a request, or a message on a socket, names by its hash. Empty if it has none. It never has a text itself."""
    if sent is None:
        return ""
    whole = json.loads(sent)
    given = whole["payload"] if whole.get("type") == "subscribe" else whole
    assert not given.get("query")
    if "documentId" not in given:
        return ""
    text = ConsoleDocuments().text_of(given["documentId"].removeprefix("sha256:"))
    assert text is not None
    return text


class Held:
    """Subscriptions that a slow network has not carried yet, while the page's queries are answered."""

    def __init__(self) -> None:
        self._waiting: list[tuple[WebSocketRoute, str | bytes]] = []
        self._is_over = False

    async def hold(self, context: BrowserContext, words: str) -> None:
        """From now on, every subscription of this context whose document contains these words."""

        def through(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()

            def pass_on(sent: str | bytes) -> None:
                if words in document_of(sent) and not self._is_over:
                    self._waiting.append((server, sent))
                else:
                    server.send(sent)

            socket.on_message(pass_on)

        await context.route_web_socket("**/graphql", through)

    async def begin(self) -> None:
        """Let them begin now, and all later ones at once."""
        self._is_over = True

        async def waiting() -> bool:
            return bool(self._waiting)

        await until(waiting)
        for server, sent in self._waiting:
            server.send(sent)


async def hold_back(page: Page, words: str) -> asyncio.Event:
    """From now on, the API gets the page's queries whose document contains these words when the event is set."""
    let_go = asyncio.Event()

    async def wait(route: Route) -> None:
        if words in document_of(route.request.post_data):
            await let_go.wait()
        await route.continue_()

    await page.route("**/graphql", wait)
    return let_go


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("navigation").get_by_role("link", name=re.compile(f"^{name}"))


def changes(page: Page) -> Locator:
    return page.get_by_role("list", name="The latest changes").get_by_role("listitem")


def part(page: Page, title: str) -> Locator:
    """The section of a page with this title."""
    return page.get_by_role("region", name=title, exact=True)


async def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus; every stop on the way can be seen."""
    for _ in range(_MOST_STOPS):
        if await wanted.evaluate("it => it === document.activeElement"):
            return
        await page.keyboard.press("Tab")
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", await page.evaluate("document.activeElement.outerHTML")
    pytest.fail(f"{wanted} is not reached")


async def barriers(page: Page) -> list[str]:
    """What axe finds that keeps somebody out. It looks when nothing fades any more."""
    await page.evaluate(f"{_SETTLED.strip()}.then(() => null)")
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    violations = (await page.evaluate("axe.run()"))["violations"]
    return [f"{it['id']}: {node['html']}" for it in violations for node in it["nodes"]]


async def width(page: Page) -> int:
    return await page.evaluate("document.documentElement.scrollWidth")
