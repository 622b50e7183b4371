"""The console as a visitor meets it, in Chromium against the whole product: what moves by itself, the builder, automations, the keyboard, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect
from starlette.requests import Request

from audience_gql.client import sign_in_link
from audience_gql.config import Client
from audience_gql.pages import serving
from tests.browser.console import barriers, changes, document_of, enter, hold_back, row, tab_to, width
from tests.patience import PATIENCE_SECONDS, until

pytestmark = pytest.mark.browser

CREATE_SEGMENT = (
    "mutation ($input: CreateSegmentInput!) { createSegment(input: $input) { ... on Segment { id } } }"
)
CREATE_GROUP = "mutation ($input: CreateGroupInput!) { createGroup(input: $input) { ... on Group { id } } }"
UPSERT = "mutation ($input: UpsertSubscribersInput!) { upsertSubscribers(input: $input) { ... on UpsertSubscribersPayload { rejects { message } } } }"
CREATE_ENDPOINT = "mutation ($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) { ... on CreateWebhookEndpointPayload { endpoint { id } } } }"
CREATE_AUTOMATION = "mutation ($input: CreateAutomationInput!) { createAutomation(input: $input) { ... on Automation { id } ... on UserError { message } } }"
UPDATE_AUTOMATION = "mutation ($input: UpdateAutomationInput!) { updateAutomation(input: $input) { ... on Automation { id } ... on UserError { message } } }"
TRACK = "mutation ($input: TrackEventsInput!) { trackEvents(input: $input) { ... on TrackEventsPayload { accepted } } }"
TRACKED = {"trackEvent": {"name": "greeted"}}
SUMMARY = 'When somebody enters or leaves "Bought {name}" and it stays so for 2 hours: track the event thanked_{name}.'
_numbers = count(1)


class Api:
    """What other clients do meanwhile."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def person(self, name: str, country: str = "LT") -> None:
        person = {"externalId": name, "email": f"{name}@console.example", "country": country}
        done = await self._ask(UPSERT, {"subscribers": [person]})
        assert done == {"upsertSubscribers": {"rejects": []}}

    async def segment(self, name: str, event: str, *, within_days: int | None = None) -> str:
        within = {} if within_days is None else {"within": {"last": {"days": within_days}}}
        made = await self._ask(
            CREATE_SEGMENT, {"name": name, "condition": {"event": {"name": event, **within}}}
        )
        return made["createSegment"]["id"]

    async def until_size(self, segment: str, people: int) -> None:
        """Wait until the segment has so many members."""
        document = "query ($input: ID!) { segment(by: { id: $input }) { memberCount } }"

        async def is_so() -> bool:
            return (await self._ask(document, segment))["segment"]["memberCount"] == people

        await until(is_so)

    async def group(self, name: str) -> str:
        return (await self._ask(CREATE_GROUP, {"name": name}))["createGroup"]["id"]

    async def endpoint(self, name: str) -> None:
        given = {"name": name, "url": "https://receiver.example/"}
        assert (await self._ask(CREATE_ENDPOINT, given))["createWebhookEndpoint"]["endpoint"]

    async def automation(self, name: str, **rules: object) -> str:
        made = await self._ask(CREATE_AUTOMATION, {"name": name, **rules})
        return made["createAutomation"]["id"]

    async def edit_automation(self, automation_id: str, **rules: object) -> None:
        done = await self._ask(UPDATE_AUTOMATION, {"id": automation_id, **rules})
        assert done["updateAutomation"] == {"id": automation_id}

    async def track(self, person: str, event: str) -> None:
        done = await self._ask(TRACK, {"events": [{"subscriber": {"externalId": person}, "name": event}]})
        assert done == {"trackEvents": {"accepted": 1}}

    async def _ask(self, query: str, given: object) -> Any:  # Any: JSON
        answer = await self._client.post("/graphql", json={"query": query, "variables": {"input": given}})
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]


@pytest_asyncio.fixture(loop_scope="session")
async def api(product):
    headers = {"authorization": f"Bearer {product.token}"}
    async with httpx.AsyncClient(
        base_url=product.origin, headers=headers, timeout=PATIENCE_SECONDS
    ) as client:
        yield Api(client)


@pytest.fixture
def visit(console):
    return console


@pytest.fixture
def name():
    """One that no other test uses."""
    return f"kin{next(_numbers)}"


async def test_who_enters_is_seen_everywhere_at_once(visit, product, api, name):
    await api.person(name)
    await api.segment(f"Buyers {name}", f"bought_{name}")
    page = await visit.open()
    await enter(page, product.token)
    await row(page, f"Buyers {name}").click()
    await expect(page.get_by_text("This segment has no members at present.")).to_be_visible()

    await api.track(name, f"bought_{name}")

    await expect(changes(page).first).to_contain_text(f"{name}@console.example entered Buyers {name}")
    await expect(changes(page).first).to_contain_text("an event")
    await expect(row(page, f"Buyers {name}").locator("strong")).to_have_text("1")
    await expect(page.get_by_role("main").locator("strong")).to_have_text("1")
    await page.get_by_role("button", name=f"Why is {name}@console.example a member?").click()
    await expect(page.get_by_role("main")).to_contain_text(f"who did bought_{name} at least once")
    assert visit.complaints == []
    assert {urlsplit(url).netloc for url in visit.requests} == {urlsplit(visit.origin).netloc}
    assert [url for url in visit.requests if product.token in url] == []


async def test_members_come_in_pages(visit, product, api, name):
    await api.segment(f"Many {name}", f"came_{name}")
    for number in range(12):
        await api.person(f"{name}-{number}")
        await api.track(f"{name}-{number}", f"came_{name}")
    page = await visit.open()
    await enter(page, product.token)
    await row(page, f"Many {name}").click()
    rows = page.get_by_role("region", name="Members").locator("tbody tr")

    await expect(rows).to_have_count(10)
    await page.get_by_role("button", name="Next").click()
    await expect(rows).to_have_count(2)
    await expect(page.get_by_role("button", name="Next")).to_be_disabled()
    await page.get_by_role("button", name="Previous").click()
    await expect(rows).to_have_count(10)


async def test_what_happened_while_the_socket_was_away_comes_once(visit, product, api, name):
    await api.person(name)
    await api.segment(f"Away {name}", f"left_{name}")
    sockets = []
    is_away = False

    async def through(socket):
        if is_away:
            await socket.close(code=1012, reason="Restarting")
        else:
            socket.connect_to_server()
            sockets.append(socket)

    await visit.context.route_web_socket("**/graphql", through)
    page = await visit.open()
    await enter(page, product.token)
    await expect(page.get_by_text("No changes yet.")).to_be_visible()  # the feed has its first cursor

    is_away = True
    await sockets[-1].close(code=1012, reason="Restarting")
    await expect(page.get_by_text("Reconnecting")).to_be_visible()
    await api.track(name, f"left_{name}")
    is_away = False

    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await expect(changes(page).filter(has_text=f"entered Away {name}")).to_have_count(1)
    await expect(page.get_by_text("Something was missed")).to_have_count(0)


async def test_a_feed_that_the_server_ends_for_now_goes_on(visit, product, api, name):
    await api.person(name)
    await api.segment(f"Slow {name}", f"read_{name}")
    feeds = []

    def through(socket):
        server = socket.connect_to_server()

        def pass_on(text):
            message = json.loads(text)
            if "membershipChanges" in document_of(text):
                feeds.append((socket, server, message["id"]))
            server.send(text)

        socket.on_message(pass_on)

    await visit.context.route_web_socket("**/graphql", through)
    page = await visit.open()
    await enter(page, product.token)
    await expect(page.get_by_text("No changes yet.")).to_be_visible()

    socket, server, feed = feeds[0]
    server.send(json.dumps({"type": "complete", "id": feed}))
    await api.track(name, f"read_{name}")
    error = {"message": "Too slow", "extensions": {"code": "SLOW_CLIENT"}}
    socket.send(json.dumps({"type": "error", "id": feed, "payload": [error]}))

    await expect(changes(page).filter(has_text=f"entered Slow {name}")).to_have_count(1)
    assert len(feeds) == 2
    await expect(page.get_by_text("Something was missed")).to_have_count(0)


async def test_what_happens_can_be_held_to_be_read(visit, product, api, name):
    await api.person(name)
    await api.segment(f"Held {name}", f"rang_{name}")
    page = await visit.open()
    await enter(page, product.token)
    await expect(page.get_by_text("No changes yet.")).to_be_visible()

    await page.get_by_role("button", name="Hold").click()
    await api.track(name, f"rang_{name}")
    await expect(row(page, f"Held {name}").locator("strong")).to_have_text("1")
    await expect(changes(page)).to_have_count(0)
    await page.get_by_role("button", name="Go on (1 new)").click()

    await expect(changes(page)).to_have_count(1)


async def test_the_preview_follows_what_is_typed_and_drops_what_is_stale(visit, product, api, name):
    await api.person(f"{name}-1", "LV")
    await api.person(f"{name}-2", "EE")
    await api.person(f"{name}-3", "EE")
    held = []

    async def hold(route):
        asked = json.loads(route.request.post_data or "{}")
        if asked.get("variables", {}).get("condition") == {"all": [{"country": {"is": "LV"}}]}:
            held.append(route)
        else:
            await route.continue_()

    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("link", name="New segment").click()
    await page.get_by_label("Kind of condition").select_option("country")
    preview = page.get_by_role("region", name="Preview")
    await expect(preview).to_contain_text("Not finished")

    await page.get_by_label("country is").fill("EE")
    await expect(preview).to_contain_text("2 people")
    await expect(preview).to_contain_text('whose country is "EE"')
    await page.route("**/graphql", hold)
    await page.get_by_label("country is").fill("LV")
    await expect(preview).to_contain_text("Counting…")
    while not held:
        await page.wait_for_timeout(20)
    await page.get_by_label("country: comparison").select_option("startsWith")
    await expect(preview).to_contain_text('starts with "LV"')
    await held[0].fulfill(
        json={"data": {"previewSegment": {"__typename": "NotFound", "message": "stale", "path": []}}}
    )
    await page.wait_for_timeout(200)  # time enough for an answer that is there to be shown

    await expect(preview).to_contain_text('starts with "LV"')
    await expect(preview).not_to_contain_text("stale")


async def test_a_condition_is_nested_and_what_is_wrong_is_said_where_it_is(visit, product, api, name):
    await api.person(name, "FI")
    await api.track(name, f"saw_{name}")
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("link", name="New segment").click()
    preview = page.get_by_role("region", name="Preview")

    await page.get_by_label("Kind of condition").select_option("event")
    await page.get_by_label("did name").fill(f"saw_{name}")
    await page.get_by_role("button", name="+ within").click()
    await expect(preview).to_contain_text(f"did saw_{name} at least once in the last 30 days")
    await page.get_by_role("button", name="+ Bracket").click()
    await page.get_by_label("Bracket at level 2: how many must hold").select_option("none")
    await page.get_by_label("Kind of condition").nth(1).select_option("age")
    await page.get_by_label("age eq").fill("20")
    await expect(preview).to_contain_text("1 person")
    leaf = page.get_by_role("group", name="did", exact=True)
    await page.get_by_label("did within last: how many").fill("0")

    await expect(leaf.get_by_role("listitem")).to_have_text(
        "must be between 1 and 3,653 days, which is ten years"
    )
    await page.get_by_label("Kind of condition").nth(1).select_option("later")
    await page.get_by_label("later condition: comparison").select_option("event")
    await page.get_by_label("later condition did name").fill(f"saw_{name}")
    await page.get_by_label("did within last: how many").fill("30")
    await expect(preview).to_contain_text(
        f"30 days from now, if nothing happens, will be among those who did saw_{name}"
    )
    await page.get_by_role("button", name="Remove bracket at level 2").click()
    await expect(page.get_by_role("button", name="+ Condition")).to_be_focused()


async def test_what_the_workspace_knows_is_offered(visit, product, api, name):
    await api.person(name, "IS")
    await api.track(name, f"paid_{name}")
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("link", name="New segment").click()
    kind = page.get_by_label("Kind of condition")

    await kind.select_option("event")
    await expect(page.locator(f"datalist option[value=paid_{name}]")).to_have_count(1)
    await kind.select_option("country")
    await expect(page.locator("datalist option[value=IS]")).to_have_attribute("label", "IS, 1 person")


async def test_the_keyboard_keeps_its_place(visit, product, api, name):
    await api.person(name)
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("link", name="New segment").click()
    await page.get_by_label("Kind of condition").select_option("event")
    keyboard = page.keyboard

    await page.get_by_role("button", name="+ where").press("Enter")
    await page.get_by_role("button", name="+ one").press("Enter")
    await expect(page.get_by_label("did where 1: which property")).to_be_focused()
    await page.get_by_role("button", name="Remove did where 1").press("Enter")
    await expect(page.get_by_role("button", name="+ one")).to_be_focused()
    await page.get_by_role("button", name="Remove: did where").press("Enter")
    await expect(page.get_by_role("button", name="+ where")).to_be_focused()
    await page.get_by_role("button", name="+ Condition").press("Enter")
    await expect(page.get_by_label("Kind of condition").nth(1)).to_be_focused()
    await keyboard.type("city")
    await page.get_by_label("city: comparison").select_option("in")
    await page.get_by_label("city in: add one").press_sequentially("Riga,Oslo")
    await keyboard.press("Enter")
    await page.get_by_role("button", name="Remove Riga from city in").press("Enter")
    await expect(page.get_by_label("city in: add one")).to_be_focused()
    await expect(page.get_by_role("button", name="Remove Oslo from city in")).to_be_visible()


async def test_a_segment_is_made_without_a_mouse(visit, product, api, name):
    await api.person(name, "PT")
    page = await visit.open()
    keyboard = page.keyboard

    await expect(page.get_by_label("API token")).to_be_focused()
    await keyboard.type(product.token)
    await keyboard.press("Enter")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await tab_to(page, page.get_by_role("link", name="New segment"))
    await keyboard.press("Enter")
    kind = page.get_by_label("Kind of condition")
    await expect(kind).to_be_visible()
    await tab_to(page, kind)
    await keyboard.type("country")
    await tab_to(page, page.get_by_label("country is"))
    await keyboard.type("PT")
    await expect(page.get_by_role("region", name="Preview")).to_contain_text("1 person")
    await tab_to(page, page.get_by_label("Name", exact=True))
    await keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("Give it a name first.")
    await keyboard.type(f"Lisbon {name}")
    await keyboard.press("Enter")

    await expect(page.get_by_role("heading", name=f"Lisbon {name}")).to_be_focused()
    await expect(page.get_by_role("main")).to_contain_text(f"{name}@console.example")
    await expect(row(page, f"Lisbon {name}")).to_have_attribute("aria-current", "page")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_use_it(visit, product, api, name, scheme):
    await api.person(name)
    await api.segment(f"Open {name}", f"used_{name}")
    page = await visit.open()
    await page.emulate_media(color_scheme=scheme)
    found = {"door": await barriers(page)}
    await enter(page, product.token)
    await row(page, f"Open {name}").click()
    await api.track(name, f"used_{name}")
    await expect(changes(page).first).to_contain_text(name)
    await page.get_by_role("button", name=re.compile("^Why is")).click()
    await expect(page.get_by_role("main")).to_contain_text("✓")
    found["segment"] = await barriers(page)
    await page.get_by_role("link", name="New segment").click()
    await page.get_by_label("Kind of condition").select_option("segment")
    await page.get_by_label(f"Open {name}").check()
    await expect(page.get_by_role("region", name="Preview")).to_contain_text("1 person")
    found["builder"] = await barriers(page)

    assert found == {"door": [], "segment": [], "builder": []}


async def test_a_link_signs_in_once_and_is_nowhere_afterwards(visit, product):
    link = await asyncio.to_thread(sign_in_link, Client(url=f"{product.origin}/graphql", token=product.token))
    visit.path = link.removeprefix(product.origin)
    page = await visit.open()

    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await expect(page).to_have_url(f"{product.origin}/")
    await page.get_by_role("link", name="Playground").click()
    await expect(page.get_by_role("tab")).to_have_count(7)
    await page.get_by_role("link", name="Console").click()
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    other = await visit.open()  # the same link in another tab
    await expect(other.get_by_role("alert")).to_contain_text("this link was used already")
    await expect(other.get_by_label("API token")).to_be_visible()
    assert [url for url in visit.requests if product.token in url or link.partition("#")[2] in url] == []
    assert [it for it in visit.complaints if "410" not in it] == []


async def test_a_link_waits_until_the_console_is_built(visit, product, tmp_path, monkeypatch):
    link = await asyncio.to_thread(sign_in_link, Client(url=f"{product.origin}/graphql", token=product.token))
    monkeypatch.setattr(serving, "_BUILT", tmp_path)
    request = Request({"type": "http", "path": "/sign-in", "headers": []})
    waiting = serving.send_page(request, serving.CONSOLE)

    async def wait(route):
        await route.fulfill(
            status=waiting.status_code, headers=dict(waiting.headers), body=bytes(waiting.body)
        )

    await visit.context.route("**/sign-in", wait)
    visit.path = link.removeprefix(product.origin)
    page = await visit.open()
    await expect(page.get_by_role("heading")).to_have_text("The console is not built yet")
    await visit.context.unroute_all()

    await expect(page.get_by_text("Live", exact=True)).to_be_visible()


async def test_an_address_can_be_shared_and_the_browser_s_back_button_works(visit, product, api, name):
    segment = await api.segment(f"Shared {name}", f"shared_{name}")
    page = await visit.open()
    await enter(page, product.token)
    await page.goto(f"{product.origin}/segments/{segment}")
    await expect(page.get_by_role("heading", name=f"Shared {name}")).to_be_visible()
    await page.get_by_role("link", name="Automations").click()
    await expect(page).to_have_url(f"{product.origin}/automations")
    await page.get_by_role("link", name="New automation").click()
    await expect(page).to_have_url(f"{product.origin}/automations/new")

    await page.go_back()
    await page.go_back()

    await expect(page.get_by_role("heading", name=f"Shared {name}")).to_be_visible()
    assert visit.complaints == []


async def test_a_token_is_kept_for_the_tab_and_can_be_forgotten(visit, product):
    page = await visit.open()
    await enter(page, product.token)

    await page.reload()
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Forget token").click()
    await page.reload()

    await expect(page.get_by_label("API token")).to_be_visible()


async def test_a_token_that_opens_nothing_is_told(visit):
    page = await visit.open()

    await page.get_by_label("API token").fill("agq_nobody_s")
    await page.get_by_role("button", name="Open").click()

    await expect(page.get_by_role("alert")).to_contain_text("This token opens nothing here.")


async def test_an_api_that_is_away_is_told_and_asked_again_until_it_is_back(visit, product):
    page = await visit.open()
    await page.route("**/graphql", lambda route: route.abort())
    await page.get_by_label("API token").fill(product.token)
    await page.get_by_role("button", name="Open").click()
    trouble = page.get_by_role("navigation").get_by_role("alert")
    await trouble.get_by_role("button", name="Try again").click()
    await expect(trouble).to_contain_text("The API does not answer.")

    await page.unroute_all()

    await expect(trouble).to_have_count(0)  # by itself


# ---- automations


def runs(page: Page) -> Locator:
    return page.get_by_role("table", name="Runs").locator("tbody tr")


async def fill_in(page: Page, *, when: str, group: str, name: str) -> None:
    """Describe an automation that adds people to a group."""
    await page.get_by_role("link", name="Automations").click()
    await page.get_by_role("link", name="New automation").click()
    await page.get_by_label("Segment or group").select_option(when)
    await page.get_by_label("Group", exact=True).select_option(group)
    await page.get_by_label("Name", exact=True).fill(name)


async def test_an_automation_is_created_and_its_run_is_seen_live(visit, product, api, name):
    await api.person(name)
    await api.segment(f"Left {name}", f"quit_{name}")
    await api.group(f"Back {name}")
    page = await visit.open()
    await enter(page, product.token)
    await fill_in(page, when=f"Left {name}", group=f"Back {name}", name=f"Win {name}")
    await page.get_by_role("button", name="Save automation").click()

    await expect(page.get_by_role("heading", name=f"Win {name}")).to_be_focused()
    await expect(page.get_by_role("main")).to_contain_text(
        f'When somebody enters "Left {name}": add them to "Back {name}".'
    )
    await expect(page.get_by_text("No runs yet.")).to_be_visible()
    found = await barriers(page)
    await api.track(name, f"quit_{name}")

    await expect(runs(page)).to_have_count(1)
    await expect(runs(page).first).to_contain_text(f"{name}@console.example entered")
    await expect(runs(page).first).to_contain_text("done")
    await expect(page.get_by_role("list", name="Runs of the last day")).to_have_text("1 done")
    await expect(changes(page).filter(has_text=f"entered Back {name}")).to_have_count(1)
    await page.get_by_role("link", name="Automations").click()
    listed = page.get_by_role("main").get_by_role("listitem").filter(has_text=f"Win {name}")
    await expect(listed.first).to_contain_text("1 done")
    assert found + await barriers(page) == []
    assert visit.complaints == []


@pytest.mark.parametrize("noun", ["automation", "segment"])
async def test_a_preview_that_comes_while_the_button_is_pressed_does_not_move_it_away(
    visit, product, api, name, noun
):
    await api.person(name, "LV")
    await api.segment(f"Left {name}", f"quit_{name}")
    await api.group(f"Back {name}")
    page = await visit.open()
    await enter(page, product.token)
    let_go = await hold_back(page, f"preview{noun.capitalize()}")
    if noun == "automation":
        await fill_in(page, when=f"Left {name}", group=f"Back {name}", name=f"Win {name}")
    else:
        await page.get_by_role("link", name="New segment").click()
        await page.get_by_label("Kind of condition").select_option("country")
        await page.get_by_label("country is").fill("LV")
        await page.get_by_label("Name", exact=True).fill(f"Win {name}")
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.get_by_role("button", name=f"Save {noun}").hover()

    await page.mouse.down()
    let_go.set()
    await expect(page.get_by_role("region", name="Preview").locator(".figure")).to_be_visible()
    await page.mouse.up()

    await expect(page.get_by_role("heading", name=f"Win {name}")).to_be_visible()


async def test_what_an_automation_may_not_be_is_said_where_it_is(visit, product, api, name):
    await api.group(f"One {name}")
    await api.group(f"Two {name}")
    page = await visit.open()
    await enter(page, product.token)
    await fill_in(page, when=f"One {name}", group=f"Two {name}", name=f"First {name}")
    await page.get_by_role("button", name="Save automation").click()
    await expect(page.get_by_role("heading", name=f"First {name}")).to_be_visible()
    save = page.get_by_role("button", name="Save automation")

    await fill_in(page, when=f"Two {name}", group=f"One {name}", name=f"first {name}")
    await page.get_by_label("And stays").fill("91")
    await page.get_by_label("For one person").select_option("only once")
    await save.click()
    await expect(page.get_by_label("And stays")).to_have_accessible_description(
        "a hold lasts at most 90 days"
    )
    await expect(page.get_by_label("And stays")).to_be_focused()
    await page.get_by_label("And stays").fill("")
    await save.click()
    await expect(page.get_by_label("Name", exact=True)).to_have_accessible_description(
        re.compile("^there is an automation called")
    )
    await page.get_by_label("Name", exact=True).fill(f"Second {name}")
    await page.get_by_label("For one person").select_option("every time")
    await save.click()

    await expect(page.get_by_role("list", name="The way round").get_by_role("listitem")).to_have_text(
        [
            f"this automation can change “One {name}”, which starts “First {name}”",
            f"“First {name}” can change “Two {name}”, which starts this automation",
        ]
    )
    assert await barriers(page) == []


async def test_an_automation_is_paused_and_resumed(visit, product, api, name):
    await api.person(name)
    await api.segment(f"Pausing {name}", f"paused_{name}")
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("link", name="Automations").click()
    await page.get_by_role("link", name="New automation").click()
    await page.get_by_label("Segment or group").select_option(f"Pausing {name}")
    await page.get_by_label("Then").select_option("track an event")
    await page.get_by_label("Event").fill(f"seen_{name}")
    await page.get_by_label("Name", exact=True).fill(f"Pausing {name}")
    await page.get_by_role("button", name="Save automation").click()

    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_text("Paused", exact=True)).to_be_visible()
    await api.track(name, f"paused_{name}")
    await expect(changes(page).filter(has_text=f"entered Pausing {name}")).to_have_count(1)
    await expect(runs(page)).to_have_count(0)
    await page.get_by_role("button", name="Resume and catch up").click()

    await expect(runs(page)).to_have_count(1)
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()


def preview(page: Page) -> Locator:
    return page.get_by_role("region", name="Preview")


async def open_automation(page: Page, product, automation_id: str) -> None:
    await enter(page, product.token)
    await page.goto(f"{product.origin}/automations/{automation_id}")
    await expect(page.get_by_role("link", name="Edit")).to_be_visible()


async def test_an_automation_is_previewed_and_edited(visit, product, api, name):
    await api.person(name)
    await api.segment(f"Bought {name}", f"bought_{name}")
    await api.group(f"Thanked {name}")
    await api.track(name, f"bought_{name}")
    page = await visit.open()
    await enter(page, product.token)
    await expect(row(page, f"Bought {name}")).to_contain_text("1")

    await page.get_by_role("link", name="Automations").click()
    await page.get_by_role("link", name="New automation").click()
    await expect(preview(page)).to_contain_text("Choose a list and an action")
    await page.get_by_label("Segment or group").select_option(f"Bought {name}")
    await page.get_by_label("Group", exact=True).select_option(f"Thanked {name}")
    await expect(preview(page)).to_contain_text("1 person is in the list now. It does not act for them.")
    await expect(preview(page)).to_contain_text(f"{name}@console.example")
    await expect(preview(page)).to_contain_text(
        "In the seven days before today (UTC), people entered 0 times a day."
    )
    await page.get_by_label("Also for the people who are in it already").check()
    await expect(preview(page)).to_contain_text("It acts for them, too.")
    await expect(preview(page).get_by_role("status")).to_have_text("At present")
    found = await barriers(page)
    await page.get_by_label("Also for the people who are in it already").uncheck()
    await page.get_by_label("Name", exact=True).fill(f"Thank {name}")
    await page.get_by_role("button", name="Save automation").click()
    await page.get_by_role("link", name="Edit").click()

    await expect(page.get_by_role("heading", name=f"Edit “Thank {name}”")).to_be_focused()
    await expect(page.get_by_label("Segment or group").locator("option:checked")).to_have_text(
        f"Bought {name}"
    )
    await expect(page.get_by_label("Group", exact=True).locator("option:checked")).to_have_text(
        f"Thanked {name}"
    )
    await expect(page.get_by_label("Also for the people")).to_have_count(0)
    await expect(preview(page)).to_contain_text(
        "1 person is in the list now. Saving starts nothing for them."
    )
    await page.get_by_label("When somebody").select_option("enters or leaves")
    await page.get_by_label("And stays").fill("2")
    await page.get_by_label("Unit", exact=True).select_option("hours")
    await page.get_by_label("For one person").select_option("at most once in")
    await page.get_by_label("Length", exact=True).fill("7")
    await page.get_by_label("Then").select_option("track an event")
    await page.get_by_label("Event").fill(f"thanked_{name}")
    await page.get_by_label("Name", exact=True).fill(f"Note {name}")
    await expect(preview(page).get_by_role("status")).to_have_text("At present")
    found += await barriers(page)
    await page.get_by_role("button", name="Save automation").click()

    await expect(page.get_by_role("heading", name=f"Note {name}")).to_be_focused()
    await expect(page.get_by_role("main").locator(".summary").first).to_have_text(SUMMARY.format(name=name))
    await page.get_by_role("link", name="Edit").click()
    await expect(page.get_by_label("And stays")).to_have_value("2")
    await expect(page.get_by_label("Unit", exact=True)).to_have_value("hours")
    await expect(page.get_by_label("Length", exact=True)).to_have_value("7")
    await expect(page.get_by_label("Event")).to_have_value(f"thanked_{name}")
    assert found == []
    assert visit.complaints == []


async def test_an_edit_overwrites_nobody_else_s(visit, product, api, name):
    group = await api.group(f"Met {name}")
    made = await api.automation(f"Greet {name}", trigger={"group": group}, actions=[TRACKED])
    page = await visit.open()
    await open_automation(page, product, made)
    conflict = page.get_by_role("alert", name="Conflict")
    await page.get_by_role("link", name="Edit").click()
    await page.get_by_label("Name", exact=True).fill(f"Mine {name}")
    await api.edit_automation(made, name=f"Theirs {name}", holdFor={"days": 1})

    await page.get_by_role("button", name="Save automation").click()
    await expect(conflict).to_be_focused()
    await expect(conflict).to_contain_text("your changes are not saved")
    await expect(conflict).to_contain_text(f"Theirs {name}")
    await expect(page.get_by_label("Name", exact=True)).to_have_value(f"Mine {name}")
    found = await barriers(page)
    await conflict.get_by_role("button", name="Take theirs").click()
    await expect(page.get_by_label("Name", exact=True)).to_have_value(f"Theirs {name}")
    await expect(page.get_by_label("And stays")).to_have_value("1")
    await page.get_by_label("Name", exact=True).fill(f"Mine {name}")
    await api.edit_automation(made, name=f"Again {name}")
    await page.get_by_role("button", name="Save automation").click()
    await conflict.get_by_role("button", name="Save mine over it").click()

    await expect(page.get_by_role("heading", name=f"Mine {name}")).to_be_focused()
    assert found == []
    assert visit.complaints == []


async def test_an_automation_that_the_form_cannot_show_is_only_read(visit, product, api, name):
    group = await api.group(f"Met {name}")
    made = await api.automation(
        f"Twice {name}",
        trigger={"group": group},
        actions=[TRACKED, {"removeFromGroup": group}],
        onlyIf={"country": {"is": "LT"}},
        reentry={"rule": "ONCE"},
    )
    page = await visit.open()
    await open_automation(page, product, made)

    await page.get_by_role("link", name="Edit").click()

    await expect(page.get_by_role("heading", name=f"Twice {name}")).to_be_focused()
    await expect(page.get_by_role("main")).to_contain_text(
        "This form cannot edit the automation, because it has 2 actions, and it has a condition on the person."
    )
    await expect(page.get_by_role("button", name="Save automation")).to_have_count(0)
    assert await barriers(page) == []


async def test_an_automation_is_deleted_after_a_question(visit, product, api, name):
    group = await api.group(f"Met {name}")
    made = await api.automation(f"Gone {name}", trigger={"group": group}, actions=[TRACKED])
    page = await visit.open()
    await open_automation(page, product, made)

    await page.get_by_role("button", name="Delete…").click()
    question = page.get_by_role("dialog", name=f"Delete the automation “Gone {name}”?")
    await expect(question.get_by_role("button", name="Keep it")).to_be_focused()
    found = await barriers(page)
    await page.keyboard.press("Enter")
    await expect(question).to_have_count(0)
    await page.get_by_role("button", name="Delete…").click()
    await question.get_by_role("button", name="Delete the automation").click()

    await expect(page.get_by_role("heading", name="Automations")).to_be_visible()
    await expect(page.get_by_role("link", name=f"Gone {name}")).to_have_count(0)
    assert found == []
    assert visit.complaints == []


async def test_a_webhook_is_sent_to_an_endpoint(visit, product, api, name):
    await api.group(f"Met {name}")
    await api.endpoint(f"CRM {name}")
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("link", name="Automations").click()
    await page.get_by_role("link", name="New automation").click()
    await page.get_by_label("Segment or group").select_option(f"Met {name}")
    await page.get_by_label("Then").select_option("send a webhook")
    await page.get_by_label("Endpoint").select_option(f"CRM {name}")
    await page.get_by_label("firstName").check()
    await page.get_by_label("Name", exact=True).fill(f"Tell {name}")

    await page.get_by_role("button", name="Save automation").click()
    await expect(page.get_by_role("main")).to_contain_text(f"CRM {name}")
    await page.get_by_role("link", name="Edit").click()

    await expect(page.get_by_label("Endpoint").locator("option:checked")).to_have_text(f"CRM {name}")
    await expect(page.get_by_label("firstName")).to_be_checked()
    await expect(page.get_by_label("lastName")).not_to_be_checked()
    assert await barriers(page) == []
    assert visit.complaints == []


# ---- what every page has


async def test_the_first_page_is_light(visit, product):
    loaded = []

    def note(request):
        loaded.append(request)

    visit.context.on("requestfinished", note)
    page = await visit.open()
    await enter(page, product.token)
    await expect(page.get_by_role("heading", name="No segment is selected")).to_be_visible()
    await page.wait_for_load_state("networkidle")

    scripts = [it for it in loaded if it.resource_type == "script"]
    weight = sum([(await it.sizes())["responseBodySize"] for it in scripts])
    files = [
        urlsplit(it.url).path for it in loaded if it.resource_type in ("document", "script", "stylesheet")
    ]
    assert 50_000 < weight <= 150_000
    assert len(files) <= 8, files


def chart(page: Page) -> Locator:
    return page.get_by_role("region", name="Size over time")


async def test_the_size_of_a_segment_is_drawn_with_what_the_clock_will_make_of_it(visit, product, api, name):
    segment = await api.segment(f"Drawn {name}", f"drew_{name}", within_days=30)
    visit.path = f"/segments/{segment}"
    page = await visit.open()
    await enter(page, product.token)
    await expect(chart(page)).to_contain_text("Nobody was in this segment in this time")

    await api.person(name)
    await api.track(name, f"drew_{name}")
    await expect(page.get_by_role("main").locator("strong")).to_have_text("1")
    await page.reload()

    picture = chart(page).get_by_role("img")
    await expect(picture).to_have_accessible_name(
        re.compile(f"^The size of Drawn {name}: 1 now, 1 expected at the end")
    )
    await chart(page).get_by_role("button", name="Quarter").click()
    await expect(picture).to_have_accessible_name(re.compile("1 now, 0 expected at the end"))
    await chart(page).get_by_text("Show these sizes as a table").click()
    rows = chart(page).get_by_role("row").filter(has=page.get_by_role("rowheader"))
    await expect(rows.first).to_contain_text("0expected")
    await expect(rows.last).to_contain_text("1counted")
    assert visit.complaints == []


async def test_a_forecast_that_fails_leaves_the_past_and_can_be_repeated(visit, product, api, name):
    segment = await api.segment(f"Torn {name}", f"tore_{name}")
    await api.person(name)
    await api.track(name, f"tore_{name}")
    visit.path = f"/segments/{segment}"
    page = await visit.open()

    async def refuse(route):
        if "sizeForecast" in document_of(route.request.post_data):
            await route.fulfill(json={"errors": [{"message": "Too many events.", "extensions": {}}]})
        else:
            await route.continue_()

    await page.route("**/graphql", refuse)
    await enter(page, product.token)
    await expect(chart(page).get_by_role("alert")).to_contain_text("Too many events.")
    await expect(chart(page).get_by_role("img")).to_be_visible()
    await page.unroute_all()

    await chart(page).get_by_role("button", name="Try again").click()

    await expect(chart(page).get_by_role("status")).to_contain_text("Dotted:")


async def test_what_a_page_shows_opens_in_the_playground(visit, product, api, name):
    segment = await api.segment(f"Asked {name}", f"asked_{name}")
    visit.path = f"/segments/{segment}"
    page = await visit.open()
    await enter(page, product.token)
    await expect(chart(page).get_by_role("status")).to_contain_text("Dotted:")

    await page.get_by_role("link", name="Open as GraphQL").click()

    await expect(page.locator(".graphiql-query-editor .view-lines")).to_contain_text(
        "query Segment($id: ID!)"
    )
    await expect(page.locator(".graphiql-editor-tool .view-lines").first).to_contain_text(
        f'"id": "{segment}"'
    )
    await expect(page).to_have_url(f"{product.origin}/graphiql")
    await page.locator('.graphiql-execute-button[aria-haspopup="menu"]').click()
    operations = page.get_by_role("menuitem")
    assert sorted(await operations.all_inner_texts()) == [
        "FlowOfWeek",
        "Forecast",
        "Members",
        "Recent",
        "Segment",
        "Sizes",
    ]
    await operations.filter(has_text="Sizes").click()
    await expect(page.locator(".result-window")).to_contain_text('"sizeHistory": [')
    assert [url for url in visit.requests if product.token in url] == []
    assert visit.complaints == []


async def test_colours_are_those_of_the_system_until_somebody_chooses(visit, product):
    page = await visit.open()
    await page.emulate_media(color_scheme="dark")
    await enter(page, product.token)
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = await page.evaluate(paper)
    await page.get_by_label("Colours").select_option("Light")
    light = await page.evaluate(paper)
    await page.reload()

    await expect(page.get_by_label("Colours")).to_have_value("light")
    assert await page.evaluate(paper) == light != dark
    await page.get_by_label("Colours").select_option("System colours")
    assert await page.evaluate(paper) == dark


async def test_a_narrow_page_does_not_overflow(visit, product, api, name):
    segment = await api.segment(f"Narrow and with a long name {name}", f"narrowed_{name}")
    await api.person(name)
    await api.track(name, f"narrowed_{name}")
    page = await visit.open()
    await page.set_viewport_size({"width": 390, "height": 844})
    widths = {"door": await width(page)}
    await enter(page, product.token)
    for path, shown in {
        "/": "No segment is selected",
        f"/segments/{segment}": "Dotted:",
        f"/segments/{segment}/edit": "1 person",
        f"/segments/{segment}/leaving": "Nobody leaves",
        "/segments/new": "Not finished",
        "/automations": "New automation",
        "/automations/new": "Choose a list and an action",
    }.items():
        await page.goto(f"{product.origin}{path}")
        await expect(page.get_by_role("main").get_by_text(shown).first).to_be_visible()
        widths[path] = await width(page)

    assert set(widths.values()) == {390}, widths


async def test_a_part_that_cannot_be_loaded_is_told(visit, product):
    page = await visit.open()
    await enter(page, product.token)
    await page.route("**/console/Builder-*.js", lambda route: route.abort())

    await page.get_by_role("link", name="New segment").click()

    await expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("could not be loaded")
    await page.get_by_role("link", name="Automations").click()
    await expect(page.get_by_role("heading", name="Automations")).to_be_visible()
