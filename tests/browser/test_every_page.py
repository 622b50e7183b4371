"""Every page of the console, the same way for each: it opens by its address with few requests, everybody can use it on any screen and in both colours, and it outlives an API that is away."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, expect

from audience_gql.pages.addresses import CONSOLE_PATHS
from tests.browser.conftest import Visit
from tests.browser.console import barriers, document_of, enter, width
from tests.examples.test_listener import kill_web
from tests.patience import PATIENCE_SECONDS, until

pytestmark = pytest.mark.browser
SCREENSHOTS = os.environ.get("AUDIENCE_SCREENSHOTS")
"""A folder for pictures of every page: wide, narrow, light and dark. They are for people to look at."""

PEOPLE = """mutation ($input: UpsertSubscribersInput!) {
  upsertSubscribers(input: $input) { ... on UpsertSubscribersPayload { subscribers { id } rejects { message } } }
}"""
TRACK = "mutation ($input: TrackEventsInput!) { trackEvents(input: $input) { ... on TrackEventsPayload { accepted } } }"
GROUP = "mutation ($input: CreateGroupInput!) { createGroup(input: $input) { ... on Group { id } } }"
FIELD = "mutation ($input: DefineCustomFieldInput!) { defineCustomField(input: $input) { ... on CustomField { id } } }"
SEGMENT = "mutation ($input: CreateSegmentInput!) { createSegment(input: $input) { ... on Segment { id } } }"
ENDPOINT = """mutation ($input: CreateWebhookEndpointInput!) {
  createWebhookEndpoint(input: $input) { ... on CreateWebhookEndpointPayload { endpoint { id } } }
}"""
AUTOMATION = "mutation ($input: CreateAutomationInput!) { createAutomation(input: $input) { ... on Automation { id } ... on UserError { message } } }"
DELIVERIES = (
    "query ($input: ID!) { webhookEndpoint(by: { id: $input }) { deliveries { edges { node { id } } } } }"
)
IMPORT = "mutation ($input: StartImportInput!) { startImport(input: $input) { ... on StartImportPayload { import { id } uploadUrl } } }"
LIMITED = """mutation {
  createApiToken(input: { name: "visitor", scopes: [ADMIN], onlyTrustedDocuments: true, withConsoleDocuments: true }) {
    ... on CreateApiTokenPayload { secret }
  }
}"""
FILE = "email,first name\nona@every.example,Ona\nno address,Nobody\n"

MARK = """() => {
  const wanted = [...document.querySelectorAll("main :is(a[href], button, input, select, textarea, summary, [tabindex='0'])")];
  const there = wanted.filter((it) => !it.disabled && it.checkVisibility() && !(it.type === "radio" && !it.checked) && it.closest("[inert]") === null);
  for (const it of there) it.dataset.unreached = "";
  return there.length;
}"""
"""Marks what the keyboard has to reach. Of a group of radio buttons, Tab reaches the chosen one."""
REACHED = """() => {
  const there = document.activeElement;
  delete there.dataset.unreached;
  const ways = [there, there.closest("label"), there.parentElement].filter((it) => it !== null);
  const outline = ways.map((it) => getComputedStyle(it).outlineStyle).find((it) => it !== "none") ?? "none";
  return [there === document.body ? "body" : outline, document.querySelectorAll("[data-unreached]").length];
}"""
"""How the place of the keyboard is shown, and how much it has not reached yet."""

MOST_REQUESTS = {
    "/": 3,
    "/segments/{id}": 8,
    "/segments/{id}/edit": 7,
    "/automations/{id}/edit": 8,
    "/people/{id}": 8,
}
"""How many requests of the API a page may send until it is there, with those of the frame around it: the workspace, the segments, and the first changes."""
USUAL_REQUESTS = 5


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def furnished(product) -> dict[str, str]:
    """A workspace with one of everything that has a page: the id by the path of its page."""
    headers = {"authorization": f"Bearer {product.token}"}
    async with httpx.AsyncClient(
        base_url=product.origin, headers=headers, timeout=PATIENCE_SECONDS
    ) as client:
        return await _furnish(client)


async def _furnish(client: httpx.AsyncClient) -> dict[str, str]:
    async def ask(document: str, given: object) -> dict:
        answer = await client.post("/graphql", json={"query": document, "variables": {"input": given}})
        assert "errors" not in answer.json(), answer.text
        ((found,),) = [answer.json()["data"].values()]
        return found

    group = await ask(GROUP, {"name": "Guests of the opening"})
    await ask(FIELD, {"key": "plan", "label": "Plan", "type": "TEXT"})
    endpoint = (await ask(ENDPOINT, {"name": "Till", "url": "https://receiver.invalid/"}))["endpoint"]
    segment = await ask(
        SEGMENT,
        {
            "name": "Bought lately",
            "condition": {"event": {"name": "order_placed", "within": {"last": {"days": 3}}}},
        },
    )
    await ask(SEGMENT, {"name": "In Kaunas", "condition": {"city": {"is": "Kaunas"}}})
    automation = await ask(
        AUTOMATION,
        {
            "name": "Tell the till",
            "trigger": {"segment": segment["id"]},
            "actions": [{"webhook": {"endpoint": endpoint["id"], "fields": []}}],
        },
    )
    done = await ask(
        PEOPLE,
        {
            "subscribers": [
                {
                    "externalId": f"every-{number}",
                    "email": f"{first.lower()}@every.example",
                    "firstName": first,
                    "city": "Kaunas",
                    "fields": [{"key": "plan", "value": "gold"}],
                    "addToGroupIds": [group["id"]],
                    "channels": [{"channel": "EMAIL", "status": "ACTIVE", "reason": "asked at the till"}],
                }
                for number, first in enumerate(("Aldona", "Bronius", "Cecilija"))
            ]
        },
    )
    assert done["rejects"] == []
    for number in range(3):
        await ask(
            TRACK,
            {
                "events": [
                    {"subscriber": {"externalId": f"every-{number}"}, "name": "order_placed", "value": 12.5}
                ]
            },
        )
    started = await ask(
        IMPORT,
        {
            "columns": [
                {"header": "email", "to": {"profile": "EMAIL"}},
                {"header": "first name", "to": {"profile": "FIRST_NAME"}},
            ]
        },
    )
    sent = await client.put(started["uploadUrl"], content=FILE, headers={"content-type": "text/csv"})
    assert sent.status_code < 300, sent.text
    delivery = await _delivery(ask, endpoint["id"])
    return {
        "/segments/{id}": segment["id"],
        "/automations/{id}": automation["id"],
        "/imports/{id}": started["import"]["id"],
        "/people/{id}": done["subscribers"][0]["id"],
        "/groups/{id}": group["id"],
        "/administration/webhooks/{id}": endpoint["id"],
        "/administration/deliveries/{id}": delivery,
    }


async def _delivery(ask, endpoint: str) -> str:
    async def sent() -> list[dict]:
        return (await ask(DELIVERIES, endpoint))["deliveries"]["edges"]

    return (await until(sent))[0]["node"]["id"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def visit(browser: Browser, product, pages) -> AsyncIterator[Visit]:
    """One visitor who goes from page to page."""
    del pages  # only built
    context = await browser.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    visit = Visit(context, product.origin, "/")
    visit.listen()
    yield visit
    await context.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(visit, product) -> Page:
    """Their one tab, signed in with a token that runs no documents but the console's."""
    headers = {"authorization": f"Bearer {product.token}"}
    async with httpx.AsyncClient(
        base_url=product.origin, headers=headers, timeout=PATIENCE_SECONDS
    ) as client:
        made = await client.post("/graphql", json={"query": LIMITED})
    page = await visit.open()
    await enter(page, made.json()["data"]["createApiToken"]["secret"])
    return page


@pytest.fixture(params=[path for path in CONSOLE_PATHS if path != "/sign-in"])
def address(request, furnished) -> str:
    begins = max((it for it in furnished if request.param.startswith(it)), key=len, default="")
    return request.param.replace("{id}", furnished.get(begins, ""))


async def settled(page: Page) -> None:
    """When the page shows what its address names."""
    main = page.get_by_role("main")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await expect(main.get_by_role("heading").first).to_be_visible()
    await expect(main.locator("[aria-busy=true]")).to_have_count(0)
    await expect(main.get_by_text(re.compile("^Loading"))).to_have_count(0)
    await expect(main.get_by_role("alert").filter(has_text=re.compile(r"\S"))).to_have_count(0)
    await page.wait_for_load_state("networkidle")


async def go(page: Page, address: str) -> None:
    """Follow a link to an address of the console."""
    await page.evaluate(
        "to => { const link = document.createElement('a'); link.href = to; document.body.append(link); link.click(); link.remove(); }",
        address,
    )


async def picture(page: Page, address: str, how: str) -> None:
    if SCREENSHOTS:
        name = re.sub(r"\w+_\w{3,}", "id", address.strip("/")).replace("/", "-") or "home"
        await page.screenshot(path=Path(SCREENSHOTS) / f"{name}.{how}.png", full_page=True)


async def test_it_opens_with_few_requests_and_everybody_can_use_it(page, visit, product, address):
    asked: list[Request] = []

    def note(request: Request) -> None:
        asked.append(request)

    await page.goto("about:blank")  # what the page before asks again and again is not counted
    page.on("request", note)
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": 1440, "height": 1000})

    await page.goto(f"{product.origin}{address}")
    await settled(page)
    page.remove_listener("request", note)

    requests = [it for it in asked if it.url == f"{product.origin}/graphql"]
    path = next(path for path in CONSOLE_PATHS if re.fullmatch(path.replace("{id}", "[^/]+"), address))
    first = {
        it.post_data for it in requests
    }  # once the feed has begun, some read again what they have read before
    names = [document_of(it).split("(")[0].split("{")[0] for it in first]
    assert len(names) <= MOST_REQUESTS.get(path, USUAL_REQUESTS), names
    assert await barriers(page) == []
    await picture(page, address, "light")
    await page.emulate_media(color_scheme="dark")
    await picture(page, address, "dark")
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await width(page) == 390
    assert await barriers(page) == []
    await picture(page, address, "narrow-dark")
    assert visit.complaints == []


async def test_the_keyboard_reaches_everything_and_shows_where_it_is(page, product, address):
    await page.set_viewport_size({"width": 1440, "height": 1000})
    await page.goto(f"{product.origin}{address}")
    await settled(page)
    await page.evaluate("document.activeElement.blur()")
    missing = await page.evaluate(MARK)
    assert missing > 0

    for _ in range(3 * missing + 60):
        await page.keyboard.press("Tab")
        outline, missing = await page.evaluate(REACHED)
        assert outline != "none", await page.evaluate("document.activeElement.outerHTML")
        if missing == 0:
            break

    assert missing == 0, await page.evaluate("document.querySelector('[data-unreached]').outerHTML")


async def test_it_comes_back_by_itself_from_an_api_that_was_away(page, visit, product, address):
    await page.set_viewport_size({"width": 1440, "height": 1000})
    await page.goto(
        f"{product.origin}/people/new" if address != "/people/new" else f"{product.origin}/groups/new"
    )
    await settled(page)
    await page.route("**/graphql", lambda route: route.abort())
    await go(page, address)
    await expect(page.get_by_role("main")).not_to_contain_text("Loading")

    await page.unroute_all()
    await page.evaluate("dispatchEvent(new Event('online'))")

    await settled(page)
    visit.complaints.clear()  # the browser's own, about requests that were cut off


async def test_a_page_outlives_the_web_process(page, visit, product, furnished):
    person = furnished["/people/{id}"]
    await page.goto(f"{product.origin}/")
    await settled(page)
    await page.unroute_all()
    kill_web(product.process_id)

    await go(page, f"/people/{person}")

    await settled(page)
    await expect(page.get_by_role("heading", name="Aldona", exact=True)).to_be_visible()
    visit.complaints.clear()  # the browser's own, about requests that found no server
