"""The front end to start from, in examples/starter: it is built as its README says, and opened in Chromium beside the API."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests import npm
from tests.browser.conftest import Visit
from tests.patience import PATIENCE_SECONDS, until

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parents[2] / "examples" / "starter"
MOST_LINES = 150
CREATE = 'mutation { createSegment(input: {name: "Starters", condition: {event: {name: "started"}}}) { ... on Segment { id } } }'
UPSERT = 'mutation { upsertSubscribers(input: {subscribers: [{externalId: "starter"}]}) { ... on UpsertSubscribersPayload { created } } }'
TRACK = 'mutation { trackEvents(input: {events: [{subscriber: {externalId: "starter"}, name: "started"}]}) { ... on TrackEventsPayload { accepted } } }'


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def origin(node, product):
    npm.install(node, FOLDER)
    npm.run(node, FOLDER, "run", "build")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        node.program, "node_modules/vite/bin/vite.js", "preview", "--host", "127.0.0.1", "--port", str(port), "--strictPort",
        cwd=FOLDER, env={**os.environ, "AUDIENCE_URL": f"{product.origin}/graphql"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await until_listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def until_listening(port: int) -> None:
    async def is_listening() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await until(is_listening)


async def test_a_size_moves_by_itself(browser, origin, product):
    headers = {"authorization": f"Bearer {product.token}"}
    async with httpx.AsyncClient(
        base_url=product.origin, headers=headers, timeout=PATIENCE_SECONDS
    ) as client:

        async def ask(query: str) -> None:
            answer = await client.post("/graphql", json={"query": query})
            assert "errors" not in answer.json(), answer.text

        await ask(CREATE)
        await ask(UPSERT)
        context = await browser.new_context()
        visit = Visit(context, origin, "/")
        visit.listen()
        page = await visit.open()
        await page.get_by_label("API token").fill(product.token)
        await page.get_by_role("button", name="Open").click()
        row = page.get_by_role("row", name="Starters")
        await expect(row.get_by_role("cell")).to_have_text("0")

        await ask(TRACK)

        await expect(row.get_by_role("cell")).to_have_text("1")
        assert visit.complaints == []
        await context.close()


def test_it_is_small_enough_to_be_read():
    sources = [*FOLDER.glob("src/*.ts*")]

    assert 0 < sum(len(it.read_text(encoding="utf-8").splitlines()) for it in sources) <= MOST_LINES


def test_its_packages_are_locked_by_hash_and_without_addresses():
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: it for name, it in lock["packages"].items() if name}

    assert packages
    assert [name for name, it in packages.items() if not it.get("integrity") or "resolved" in it] == []
