"""The console's people as a visitor meets them, in Chromium against the whole product: the search, a person's page, why they are in a segment or not, edits, and erasure."""

from __future__ import annotations

import json
import re
from itertools import count
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.browser.console import (
    Held,
    barriers,
    changes,
    document_of,
    enter,
    opened,
    part,
    row,
    tab_to,
    width,
)
from tests.patience import PATIENCE_SECONDS, until

pytestmark = pytest.mark.browser

UPSERT = "mutation ($input: UpsertSubscribersInput!) { upsertSubscribers(input: $input) { ... on UpsertSubscribersPayload { rejects { message } subscribers { id } } } }"
TRACK = "mutation ($input: TrackEventsInput!) { trackEvents(input: $input) { ... on TrackEventsPayload { accepted } } }"
CREATE_SEGMENT = (
    "mutation ($input: CreateSegmentInput!) { createSegment(input: $input) { ... on Segment { id } } }"
)
CREATE_GROUP = "mutation ($input: CreateGroupInput!) { createGroup(input: $input) { ... on Group { id } } }"
DEFINE = "mutation ($input: DefineCustomFieldInput!) { defineCustomField(input: $input) { ... on CustomField { id } } }"
PERSON = "query ($key: SubscriberKey!) { subscriber(by: $key) { id email city country field(key: %s) channels { channel status reason } } }"
_numbers = count(1)


class Api:
    """What other clients do meanwhile."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def person(self, name: str, **profile: object) -> str:
        given = {"externalId": name, "email": f"{name}@people.example"} | profile
        done = await self._ask(UPSERT, {"input": {"subscribers": [given]}})
        assert done["upsertSubscribers"]["rejects"] == []
        return done["upsertSubscribers"]["subscribers"][0]["id"]

    async def track(self, person: str, event: str, at: str | None = None) -> None:
        given = {"subscriber": {"externalId": person}, "name": event} | ({"occurredAt": at} if at else {})
        done = await self._ask(TRACK, {"input": {"events": [given]}})
        assert done == {"trackEvents": {"accepted": 1}}

    async def segment(self, name: str, condition: object) -> str:
        made = await self._ask(CREATE_SEGMENT, {"input": {"name": name, "condition": condition}})
        return made["createSegment"]["id"]

    async def until_ready(self, segment: str) -> None:
        """Wait until the fill of a new segment is done."""
        await self._until(segment, {"state": "READY"})

    async def until_size(self, segment: str, people: int) -> None:
        """Wait until the segment has so many members."""
        await self._until(segment, {"state": "READY", "memberCount": people})

    async def _until(self, segment: str, wanted: dict[str, object]) -> None:
        async def is_so() -> bool:
            document = "query ($id: ID!) { segment(by: { id: $id }) { state memberCount } }"
            found = (await self._ask(document, {"id": segment}))["segment"]
            return found.items() >= wanted.items()

        await until(is_so)

    async def group(self, name: str) -> str:
        return (await self._ask(CREATE_GROUP, {"input": {"name": name}}))["createGroup"]["id"]

    async def field(self, key: str, label: str, type_: str) -> None:
        made = await self._ask(DEFINE, {"input": {"key": key, "label": label, "type": type_}})
        assert made["defineCustomField"]["id"]

    async def read(self, key: str, *, field: str = "none") -> Any:  # Any: JSON
        given = {"key": {"email": f"{key}@people.example"}}
        return (await self._ask(PERSON % json.dumps(field), given))["subscriber"]

    async def _ask(self, query: str, variables: object) -> Any:  # Any: JSON
        answer = await self._client.post("/graphql", json={"query": query, "variables": variables})
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
    return f"folk{next(_numbers)}"


def people(page: Page) -> Locator:
    return page.get_by_role("region", name="Table of people").locator("tbody tr")


# ---- the list


async def test_people_are_searched_sorted_and_turned_page_by_page(visit, product, api, name):
    for number in range(22):
        await api.person(f"{name}-{number:02}", lastName=name, city="Kaunas", country="LT")
    page = await opened(visit, product, "/people")
    await expect(page.get_by_label("Search people")).to_be_focused()

    await page.keyboard.type(name)
    await expect(page).to_have_url(f"{product.origin}/people?search={name}")
    await expect(people(page)).to_have_count(20)
    await expect(people(page).first).to_contain_text(f"{name}-21@people.example")
    await page.get_by_label("Order").select_option("By email")
    await expect(people(page).first).to_contain_text(f"{name}-00@people.example{name}Kaunas, LT")
    await page.get_by_role("button", name="Next").click()
    await expect(people(page)).to_have_count(2)
    await expect(page.get_by_role("button", name="Next")).to_be_disabled()
    await page.reload()  # as somebody with whom the address is shared

    await expect(page).to_have_url(f"{product.origin}/people?search={name}&order=EMAIL_ASC")
    await expect(page.get_by_label("Search people")).to_have_value(name)
    await expect(people(page).first).to_contain_text(f"{name}-00@people.example")
    await people(page).nth(1).click(position={"x": 300, "y": 10})
    await expect(page.get_by_role("heading", name=name, exact=True)).to_be_focused()
    await page.go_back()
    await expect(page.get_by_label("Search people")).to_have_value(name)
    assert visit.complaints == []


async def test_a_search_that_finds_nobody_or_is_refused_is_told(visit, product, name):
    page = await opened(visit, product, "/people")

    await page.get_by_label("Search people").fill(f"nobody {name}")
    await expect(page.get_by_text(f"Nobody is found for “nobody {name}”.")).to_be_visible()
    await page.get_by_label("Search people").fill("a b c d e f g h i j k")

    await expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("10 words")


async def test_an_api_that_is_away_is_told_and_asked_again_until_it_is_back(visit, product, api, name):
    await api.person(name)
    page = await opened(visit, product, "/")
    await page.route("**/graphql", lambda route: route.abort())
    await page.get_by_role("link", name="People").click()
    trouble = page.get_by_role("main").get_by_role("alert")
    await expect(trouble).to_contain_text("The API does not answer.")

    await page.unroute_all()

    await expect(people(page).filter(has_text=name)).to_have_count(1)


# ---- a person


async def test_why_somebody_is_not_in_a_segment_is_three_clicks_away(visit, product, api, name):
    await api.person(name)
    await api.person(f"{name}-other")
    await api.track(name, f"saw_{name}", "2020-02-03T04:05:06Z")
    await api.segment(
        f"Keen {name}",
        {"all": [{"event": {"name": f"saw_{name}"}}, {"event": {"name": f"bought_{name}"}}]},
    )
    page = await opened(visit, product, "/")
    await page.evaluate(
        "window.clicks = 0; addEventListener('click', (it) => it.isTrusted && it.detail > 0 && clicks++, true)"
    )

    await page.get_by_label("Find people").click()
    await page.keyboard.type(f"{name}@people")
    await page.keyboard.press("Enter")
    await people(page).get_by_role("link", name=f"{name}@people.example", exact=True).click()
    await page.get_by_role("button", name=f"Why not? Keen {name}").click()

    found = part(page, "Not in these segments")
    await expect(found).to_contain_text("They do not match the condition. What decides is in bold.")
    decisive = found.locator(".decisive > .finding")
    await expect(decisive.nth(1)).to_have_text(f"✗No:  who did bought_{name} at least once")
    await expect(found).to_contain_text("Feb 3, 2020")
    await expect(found).to_contain_text("No such event.")
    await expect(found).to_contain_text("Without new facts, they stay out for good.")
    assert await page.evaluate("window.clicks") == 3
    assert visit.complaints == []


async def test_a_person_s_page_shows_what_is_known_and_follows_what_changes(visit, product, api, name):
    group = await api.group(f"Guests {name}")
    await api.field(f"plan_{name}", f"Plan {name}", "TEXT")
    channels = [{"channel": "EMAIL", "status": "ACTIVE", "reason": "asked at the fair"}]
    fields = [{"key": f"plan_{name}", "value": "gold"}]
    person = await api.person(
        name, firstName="Rasa", city="Vilnius", fields=fields, channels=channels, addToGroupIds=[group]
    )
    segment = await api.segment(
        f"Recent {name}", {"event": {"name": f"came_{name}", "within": {"last": {"days": 30}}}}
    )
    page = await opened(visit, product, f"/people/{person}")
    await expect(page.get_by_role("heading", name="Rasa", exact=True)).to_be_focused()
    await expect(part(page, "Profile")).to_contain_text("Vilnius")
    await expect(part(page, "Custom fields")).to_contain_text(f"Plan {name}gold")
    await expect(part(page, "Consent")).to_contain_text("asked at the fair")
    await expect(part(page, "In these groups")).to_contain_text(f"Guests {name}")
    await expect(part(page, "In these segments")).to_contain_text("They are in no segment at present.")
    await expect(part(page, "Not in these segments")).to_contain_text(f"Recent {name}")

    await api.track(name, f"came_{name}")

    await expect(part(page, "Not in these segments")).to_contain_text("entered meanwhile")
    timeline = part(page, "Timeline").get_by_role("listitem")
    await expect(timeline.nth(0)).to_contain_text(f"entered Recent {name} an event")
    await expect(timeline.nth(1)).to_contain_text(f"came_{name}")
    why = part(page, "In these segments")
    await why.get_by_role("button", name=f"Why? Recent {name}").click()
    await expect(why).to_contain_text("They match the condition.")
    await expect(why).to_contain_text("1 event:")
    await expect(why).to_contain_text("decides the next change")
    await expect(why).to_contain_text("This changes first:")
    await expect(why).to_contain_text("Without new facts, they do not leave before")
    await why.get_by_role("link", name=f"Recent {name}").click()
    await expect(page).to_have_url(f"{product.origin}/segments/{segment}")
    await page.get_by_role("region", name="Members").get_by_role("link", name="Rasa").click()
    await expect(page).to_have_url(f"{product.origin}/people/{person}")
    assert visit.complaints == []


@pytest.mark.parametrize("is_console_open", [False, True], ids=["by address", "in the console"])
async def test_what_happens_before_a_person_s_page_listens_is_shown(
    visit, product, api, name, is_console_open
):
    person = await api.person(name)
    await api.segment(f"Early {name}", {"event": {"name": f"came_{name}"}})
    held = Held()
    await held.hold(visit.context, "subscription PersonChanges")
    page = await opened(visit, product, f"/people?search={name}" if is_console_open else f"/people/{person}")
    if is_console_open:
        await people(page).get_by_role("link").click()
    await expect(part(page, "Not in these segments")).to_contain_text(f"Early {name}")
    await expect(part(page, "In these segments")).to_contain_text("They are in no segment at present.")
    await expect(part(page, "Timeline")).to_contain_text("Nothing has happened yet.")
    await api.track(name, f"came_{name}")
    await expect(changes(page).first).to_contain_text(f"entered Early {name}")

    await held.begin()

    await expect(part(page, "Not in these segments")).to_contain_text("entered meanwhile")
    await expect(part(page, "In these segments")).to_contain_text(f"Early {name}")
    await expect(part(page, "Timeline").get_by_role("listitem")).to_have_count(2)


async def test_news_move_nothing_under_the_pointer(visit, product, api, name):
    person = await api.person(name)
    await api.segment(f"News {name}", {"event": {"name": f"rang_{name}"}})
    for number in range(45):
        await api.track(name, f"did_{name}_{number}")
    page = await opened(visit, product, f"/people/{person}")
    timeline = part(page, "Timeline").get_by_role("listitem")
    await expect(timeline).to_have_count(20)
    await part(page, "Timeline").get_by_role("button", name="Earlier").click()
    await expect(timeline).to_have_count(40)
    watched = timeline.filter(has_text=re.compile(f"did_{name}_30$"))
    await watched.scroll_into_view_if_needed()
    await watched.hover()
    before = await watched.bounding_box()

    await api.track(name, f"rang_{name}")
    await expect(timeline.first).to_contain_text(f"entered News {name}")
    await expect(part(page, "In these segments")).to_contain_text(f"News {name}")

    after = await watched.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) < 1
    await part(page, "Timeline").get_by_role("button", name="Earlier").click()
    await expect(timeline).to_have_count(47)
    await expect(part(page, "Timeline").get_by_role("button", name="Earlier")).to_have_count(0)


async def test_consent_is_set_and_a_refusal_needs_a_reason(visit, product, api, name):
    person = await api.person(name, channels=[{"channel": "EMAIL", "status": "UNSUBSCRIBED"}])
    page = await opened(visit, product, f"/people/{person}")
    consent = part(page, "Consent")

    await consent.get_by_role("button", name="Change the status of Email", exact=True).click()
    await consent.get_by_label("Status", exact=True).select_option("active")
    await consent.get_by_role("button", name="Set the status").click()
    await expect(consent.get_by_label("Reason")).to_be_focused()
    await expect(consent.get_by_label("Reason")).to_have_attribute("aria-invalid", "true")
    assert (await api.read(name))["channels"][0]["status"] == "UNSUBSCRIBED"
    await consent.get_by_label("Reason").fill("they asked by phone")
    await consent.get_by_role("button", name="Set the status").click()

    await expect(consent).to_contain_text("they asked by phone")
    await expect(consent.get_by_role("button", name="Change the status of Email", exact=True)).to_be_focused()
    assert (await api.read(name))["channels"] == [
        {"channel": "EMAIL", "status": "ACTIVE", "reason": "they asked by phone"}
    ]
    assert visit.complaints == []


async def test_somebody_is_added_and_edited_without_a_mouse(visit, product, api, name):
    await api.field(f"size_{name}", f"Size {name}", "NUMBER")
    page = await opened(visit, product, "/people")
    keyboard = page.keyboard
    await page.get_by_label("Search people").press("Shift+Tab")
    await expect(page.get_by_role("link", name="Add a person")).to_be_focused()
    await keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Add a person")).to_be_focused()

    await tab_to(page, page.get_by_label("Email"))
    await keyboard.type("no address")
    await keyboard.press("Enter")
    await expect(page.get_by_label("Email")).to_be_focused()
    await expect(page.get_by_label("Email")).to_have_attribute("aria-invalid", "true")
    await keyboard.press("Control+a")
    await keyboard.type(f"{name}@people.example")
    await tab_to(page, page.get_by_label(f"Size {name}"))
    await keyboard.type("42.5")
    await keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=f"{name}@people.example")).to_be_focused()
    assert (await api.read(name, field=f"size_{name}"))["field"] == 42.5
    await tab_to(page, page.get_by_role("link", name="Edit"))
    await keyboard.press("Enter")
    await api.person(name, city="Riga")  # somebody else's edit of something else
    await tab_to(page, page.get_by_label("Country"))
    await keyboard.type("LV")
    await tab_to(page, page.get_by_label(f"Size {name}"))
    await keyboard.press("Control+a")
    await keyboard.press("Delete")
    await keyboard.press("Enter")

    await expect(part(page, "Profile")).to_contain_text("Riga, LV")
    found = await api.read(name, field=f"size_{name}")
    assert (found["city"], found["country"], found["field"]) == ("Riga", "LV", None)
    assert visit.complaints == []


async def test_a_key_of_somebody_else_is_told_and_changes_nobody(visit, product, api, name):
    owner = await api.person(f"{name}-owner", city="Oslo")
    person = await api.person(name)
    page = await opened(visit, product, "/people/new")
    conflict = page.get_by_role("alert", name="Conflict")

    await page.get_by_label("Email").fill(f"{name}-OWNER@people.example")
    await page.get_by_label("City").fill("Bergen")
    await page.get_by_role("button", name="Add them").click()
    await expect(conflict).to_contain_text("Nothing is saved")
    await expect(page.get_by_label("Email")).to_be_focused()
    found = await barriers(page)
    await page.goto(f"{product.origin}/people/{person}/edit")
    await page.get_by_label("External id").fill(f"{name}-owner")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text(f"it belongs to {name}-owner@people.example")).to_be_visible()
    await conflict.get_by_role("link", name=f"{name}-owner@people.example").click()

    await expect(page).to_have_url(f"{product.origin}/people/{owner}")
    assert (await api.read(f"{name}-owner"))["city"] == "Oslo"
    assert found == []
    assert visit.complaints == []


async def test_somebody_is_erased_after_their_address_is_typed(visit, product, api, name):
    person = await api.person(name)
    page = await opened(visit, product, f"/people?search={name}")
    await people(page).get_by_role("link").click()
    await page.get_by_role("button", name="Erase…").click()
    question = page.get_by_role("dialog", name=f"Erase {name}@people.example for good?")

    await question.get_by_label("to confirm").fill("somebody@people.example")
    await question.get_by_label("to confirm").press("Enter")
    await expect(question.get_by_role("alert")).to_contain_text(f"This is not {name}@people.example.")
    found = await barriers(page)
    assert (await api.read(name))["id"] == person
    await question.get_by_label("to confirm").fill(f"{name}@people.example")
    await question.get_by_role("button", name="Erase this person").click()

    await expect(page.get_by_label("Search people")).to_be_focused()
    await page.get_by_label("Search people").fill(name)
    await expect(page.get_by_text(f"Nobody is found for “{name}”.")).to_be_visible()
    assert await api.read(name) is None
    await page.goto(f"{product.origin}/people/{person}")
    await expect(page.get_by_text("This person does not exist, or no longer exists.")).to_be_visible()
    assert found == []
    assert visit.complaints == []


async def test_what_fails_on_a_person_s_page_can_be_repeated(visit, product, api, name):
    person = await api.person(name)
    await api.track(name, f"did_{name}")
    visit.path = f"/people/{person}"
    page = await visit.open()

    async def refuse(route):
        if "query Timeline" in document_of(route.request.post_data):
            await route.fulfill(json={"errors": [{"message": "Not now.", "extensions": {}}]})
        else:
            await route.continue_()

    await page.route("**/graphql", refuse)
    await enter(page, product.token)
    await expect(part(page, "Timeline").get_by_role("alert")).to_contain_text("Not now.")
    await expect(part(page, "Profile")).to_contain_text(name)
    await page.unroute_all()

    await part(page, "Timeline").get_by_role("button", name="Try again").click()

    await expect(part(page, "Timeline").get_by_role("listitem")).to_have_count(1)


# ---- everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_use_it(visit, product, api, name, scheme):
    person = await api.person(name, firstName="Ona", channels=[{"channel": "SMS", "status": "BOUNCED"}])
    event = {"event": {"name": f"used_{name}", "within": {"last": {"days": 3}}}}
    await api.segment(f"Used {name}", event)
    await api.segment(f"Unused {name}", {"all": [{"not": event}, {"country": {"is": "LT"}}]})
    await api.track(name, f"used_{name}")
    page = await opened(visit, product, f"/people?search={name}")
    await page.emulate_media(color_scheme=scheme)
    await expect(people(page)).to_have_count(1)
    found = {"list": await barriers(page)}
    await page.goto(f"{product.origin}/people/{person}")
    await page.get_by_role("button", name=f"Why? Used {name}").click()
    await page.get_by_role("button", name=f"Why not? Unused {name}").click()
    await expect(part(page, "Not in these segments")).to_contain_text("There is no such fact.")
    await expect(part(page, "In these segments")).to_contain_text("This changes first:")
    await page.get_by_role("button", name="Change the status of SMS").click()
    found["person"] = await barriers(page)
    await page.get_by_role("link", name="Edit").click()
    await expect(page.get_by_role("button", name="Save")).to_be_visible()
    found["form"] = await barriers(page)

    assert found == {"list": [], "person": [], "form": []}
    assert visit.complaints == []


async def test_a_narrow_page_does_not_overflow(visit, product, api, name):
    person = await api.person(name, firstName="Long" * 12, city="Llanfairpwllgwyngyll")
    await api.segment(f"Narrow {'and long' * 6} {name}", {"event": {"name": f"narrowed_{name}"}})
    await api.track(name, f"narrowed_{name}")
    page = await opened(visit, product, "/")
    await page.set_viewport_size({"width": 390, "height": 844})
    widths = {}
    for path, shown in {
        f"/people?search={name}": f"{name}@people.example",
        f"/people/{person}": f"narrowed_{name}",
        f"/people/{person}/edit": "Save",
        "/people/new": "Add them",
    }.items():
        await page.goto(f"{product.origin}{path}")
        await expect(page.get_by_role("main").get_by_text(shown).first).to_be_visible()
        for why in await page.get_by_role("button", name=re.compile("^Why")).all():
            await why.click()
            await expect(page.get_by_text("Without new facts").first).to_be_visible()
        widths[path] = await width(page)

    assert set(widths.values()) == {390}, widths


async def test_a_change_leads_to_the_person(visit, product, api, name):
    person = await api.person(name)
    await api.segment(f"Led {name}", {"event": {"name": f"led_{name}"}})
    page = await opened(visit, product, "/")
    await expect(row(page, f"Led {name}")).to_be_visible()
    await expect(page.get_by_text("No changes yet.")).to_be_visible()
    await api.track(name, f"led_{name}")

    await changes(page).first.get_by_role("link", name=f"{name}@people.example").click()

    await expect(page).to_have_url(f"{product.origin}/people/{person}")
