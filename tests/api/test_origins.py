"""A page of another origin, in Chromium: what AUDIENCE_ALLOWED_ORIGINS lets it do, and that it can do nothing without."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright

from tests.api.conftest import CREATE_GROUP, served_by
from tests.api.test_csrf import GROUPS
from tests.api.test_imports import COLUMNS, START

pytestmark = pytest.mark.browser
ASK = """async ([url, token, query, variables]) => {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  return [answer.status, answer.headers.get("x-request-id") !== null, await answer.json()];
}"""
STREAM = """async ([url, token, query]) => {
  const headers = { authorization: `Bearer ${token}`, accept: "text/event-stream", "last-event-id": "" };
  const answer = await fetch(`${url}?query=${encodeURIComponent(query)}`, { headers });
  const { value } = await answer.body.pipeThrough(new TextDecoderStream()).getReader().read();
  return value;
}"""
FORGE = """async ([url, socketUrl, mutation]) => {
  const simple = (type) => fetch(url, { method: "POST", mode: "no-cors", credentials: "include", headers: { "content-type": type }, body: mutation });
  const name = async (asking) => { try { return (await asking()).type; } catch (error) { return error.name; } };
  const json = { method: "POST", headers: { "content-type": "application/json" }, body: mutation };
  const { query, variables } = JSON.parse(mutation);
  const address = `${url}?query=${encodeURIComponent(query)}&variables=${encodeURIComponent(JSON.stringify(variables))}`;
  const submitted = (enctype) => new Promise((done) => {
    const frame = Object.assign(document.createElement("iframe"), { name: enctype });
    const form = Object.assign(document.createElement("form"), { action: url, method: "POST", enctype, target: enctype });
    const field = Object.assign(document.createElement("input"), { name: mutation.slice(0, -1) + ', "x": "', value: '"}' });
    form.append(field);
    document.body.append(frame, form);
    frame.addEventListener("load", () => done("sent"));
    form.submit();
  });
  const opened = () => new Promise((done) => {
    const socket = new WebSocket(socketUrl, "graphql-transport-ws");
    socket.addEventListener("open", () => done("opened"));
    socket.addEventListener("error", () => done("refused"));
  });
  const image = (src) => new Promise((done) => {
    const made = document.createElement("img");
    made.addEventListener("load", () => done("loaded"));
    made.addEventListener("error", () => done("blocked"));
    made.src = src;
  });
  return [
    await name(() => simple("text/plain")),
    await name(() => fetch(url, json)),
    await name(() => fetch(address, { mode: "no-cors", credentials: "include" })),
    await image(address),
    await submitted("text/plain"),
    await opened(),
    document.cookie,
  ];
}"""
PUT = """async ([url, file]) => (await fetch(url, { method: "PUT", headers: { "content-type": "text/csv" }, body: file })).status"""


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium) -> AsyncIterator[Page]:
    """An empty page of an origin that is nobody's API."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<!doctype html>"
        )
        writer.close()

    elsewhere = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = elsewhere.sockets[0].getsockname()[1]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = await browser.new_page()
        await opened.goto(f"http://127.0.0.1:{port}/")
        yield opened
        await browser.close()
    elsewhere.close()


async def test_a_page_of_an_allowed_origin_asks_listens_and_uploads(
    page, database_url, redis_url, api, tmp_path
):
    token, origin = await api.token(), page.url.rstrip("/")
    async with served_by(
        database_url, redis_url, tmp_path / "web.log", AUDIENCE_ALLOWED_ORIGINS=origin
    ) as server:
        url = f"{server.url}/graphql"
        status, has_id, started = await page.evaluate(
            ASK, [url, token, START, {"input": {"columns": COLUMNS}}]
        )
        path = started["data"]["startImport"]["uploadUrl"]
        told = await page.evaluate(STREAM, [url, token, "subscription { membershipChanges { cursor } }"])
        uploaded = await page.evaluate(PUT, [server.url + path, "id,mail\n1,a@x.org\n"])

    assert (status, has_id, uploaded) == (200, True, 202)
    assert told.startswith("event: next\nid: ")


async def test_a_page_of_another_origin_reads_nothing(page, server, api):
    asked = [f"{server.url}/graphql", await api.token(), "{ __typename }", {}]

    refused = await page.evaluate(
        f"(given) => ({ASK})(given).then(() => 'answered', (error) => error.name)", asked
    )

    assert refused == "TypeError"


async def test_a_page_of_another_origin_changes_nothing(page, server, api):
    mutation = json.dumps({"query": CREATE_GROUP, "variables": {"name": "forged"}})

    told = await page.evaluate(FORGE, [f"{server.url}/graphql", server.socket_url, mutation])

    # The resource policy keeps even the opaque answers from the page, and the preflight of application/json fails.
    assert told == ["TypeError", "TypeError", "TypeError", "blocked", "sent", "refused", ""]
    assert (await api.data(GROUPS))["groups"]["edges"] == []
