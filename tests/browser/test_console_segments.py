"""The console's work on segments as a visitor meets it: edits and conflicts, templates, drafts, who leaves soon, and why people leave."""

# ruff: noqa: F811  # the fixtures of test_console_people are imported, and named again as arguments

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.console import barriers, document_of, opened, part, row, width
from tests.browser.test_console_people import Api, api, visit  # noqa: F401

pytestmark = pytest.mark.browser

MINUS = "\N{MINUS SIGN}"
_numbers = count(1)
UPDATE = "mutation ($input: UpdateSegmentInput!) { updateSegment(input: $input) { ... on Segment { revision } ... on UserError { message } } }"
SEGMENT = "query ($id: ID!) { segment(by: { id: $id }) { name description revision state condition } }"


async def edit(api: Api, segment: str, **changed: object) -> None:
    """What somebody else does meanwhile."""
    done = await api._ask(UPDATE, {"input": {"id": segment, **changed}})
    assert done["updateSegment"]["revision"]


async def read(api: Api, segment: str) -> dict[str, object]:
    return (await api._ask(SEGMENT, {"id": segment}))["segment"]


async def count_clicks(page: Page) -> None:
    await page.evaluate(
        "window.clicks = 0; addEventListener('click', (it) => it.isTrusted && it.detail > 0 && clicks++, true)"
    )


def did(event: str, days: int | None = None) -> dict[str, object]:
    within = {} if days is None else {"within": {"last": {"days": days}}}
    return {"event": {"name": event, **within}}


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


@pytest.fixture
def name():
    """One that no other test uses."""
    return f"seg{next(_numbers)}"


def conflict(page: Page) -> Locator:
    return page.get_by_role("alert", name="Conflict")


async def test_an_edit_shows_what_differs_from_somebody_else_s(visit, product, api, name):
    await api.person(name)
    await api.track(name, f"came_{name}")
    segment = await api.segment(f"Base {name}", {"all": [did(f"came_{name}", 30), did(f"paid_{name}")]})
    page = await opened(visit, product, f"/segments/{segment}")
    await page.get_by_role("link", name="Edit", exact=True).click()
    await expect(page.get_by_role("heading", name=f"Edit “Base {name}”")).to_be_focused()
    await page.get_by_label("Name", exact=True).fill(f"Mine {name}")
    await page.get_by_role("button", name="Remove the condition: did").nth(1).click()
    await expect(part(page, "Preview")).to_contain_text("If you save it, 1 person enters and 0 people leave.")
    await edit(
        api, segment, name=f"Theirs {name}", condition={"all": [did(f"came_{name}", 30), did(f"left_{name}")]}
    )

    await page.get_by_role("button", name="Save segment").click()

    await expect(conflict(page)).to_be_focused()
    mine, theirs = part(page, "Mine").get_by_role("listitem"), part(page, "Theirs").get_by_role("listitem")
    await expect(mine).to_have_text(
        [
            f"{MINUS}removed: Name: Base {name}",
            f"+added: Name: Mine {name}",
            "Condition:",
            "All of these:",
            f"who did came_{name} at least once in the last 30 days",
            f"{MINUS}removed: who did paid_{name} at least once",
        ]
    )
    await expect(theirs).to_have_text(
        [
            f"{MINUS}removed: Name: Base {name}",
            f"+added: Name: Theirs {name}",
            "Condition:",
            "All of these:",
            f"who did came_{name} at least once in the last 30 days",
            f"{MINUS}removed: who did paid_{name} at least once",
            f"+added: who did left_{name} at least once",
        ]
    )
    assert await barriers(page) == []
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await width(page) == 390
    await page.set_viewport_size({"width": 1440, "height": 1000})
    await conflict(page).get_by_role("button", name="Take theirs").click()
    await expect(page.get_by_label("Name", exact=True)).to_have_value(f"Theirs {name}")
    await expect(page.get_by_label("did name").nth(1)).to_have_value(f"left_{name}")
    await page.get_by_label("Name", exact=True).fill(f"Mine again {name}")
    await edit(api, segment, description="Told by somebody else")
    await page.get_by_role("button", name="Save segment").click()
    await conflict(page).get_by_role("button", name="Save mine over it").click()

    await expect(page.get_by_role("heading", name=f"Mine again {name}")).to_be_focused()
    saved = await read(api, segment)
    assert (saved["name"], saved["description"], saved["revision"]) == (f"Mine again {name}", None, 4)
    assert saved["condition"] == {"all": [did(f"came_{name}", 30), did(f"left_{name}")]}
    assert visit.complaints == []


async def test_a_segment_is_renamed_paused_copied_and_deleted(visit, product, api, name):
    await api.person(name)
    segment = await api.segment(f"First {name}", did(f"met_{name}"))
    reader = await api.segment(f"Reader {name}", {"segment": {"anyOf": [segment]}})
    page = await opened(visit, product, f"/segments/{segment}")

    await page.get_by_role("button", name="Rename…").click()
    await edit(api, segment, name=f"Other {name}")
    await page.get_by_label("New name").fill(f"Last {name}")
    await page.get_by_role("button", name="Rename", exact=True).click()
    await expect(page.get_by_role("dialog")).to_contain_text(f"It is called “Other {name}” now.")
    await page.get_by_role("button", name="Rename", exact=True).click()
    await expect(page.get_by_role("heading", name=f"Last {name}", exact=True)).to_be_visible()

    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("main").get_by_role("alert").first).to_contain_text(
        f"the segment “Reader {name}”"
    )
    await page.get_by_role("button", name="Delete…").click()
    await page.get_by_role("button", name="Delete the segment").click()
    await expect(page.get_by_role("dialog")).to_contain_text(f"the segment “Reader {name}”")
    assert await barriers(page) == []
    await page.get_by_role("button", name="Keep it").click()

    await page.goto(f"{product.origin}/segments/{reader}")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("main")).to_contain_text(
        "Paused: it keeps its members until it is resumed."
    )
    assert (await read(api, reader))["state"] == "PAUSED"
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    await page.get_by_role("link", name="Duplicate").click()
    await expect(page.get_by_label("Name", exact=True)).to_have_value(f"Copy of Reader {name}")
    await page.get_by_role("button", name="Save segment").click()
    await expect(page.get_by_role("heading", name=f"Copy of Reader {name}")).to_be_focused()
    await page.get_by_role("button", name="Delete…").click()
    await page.get_by_role("button", name="Delete the segment").click()

    await expect(page).to_have_url(f"{product.origin}/")
    await expect(row(page, f"Copy of Reader {name}")).to_have_count(0)
    await expect(row(page, f"Reader {name}")).to_have_count(1)
    assert visit.complaints == []


async def test_members_are_searched_sorted_and_shown_as_of_an_instant(visit, product, api, name):
    for person in ("ann", "bob"):
        await api.person(f"{name}-{person}", lastName=name)
    await api.track(f"{name}-ann", f"read_{name}")
    segment = await api.segment(f"Readers {name}", did(f"read_{name}"))
    await api.segment(f"Twice {name}", {"all": [{"segment": {"anyOf": [segment]}}]})
    page = await opened(visit, product, f"/segments/{segment}")
    members = part(page, "Members")
    await expect(members.locator("tbody tr")).to_have_count(1)
    await api.track(f"{name}-bob", f"read_{name}")  # enters after ann
    await expect(members.locator("tbody tr")).to_have_count(2)

    await members.get_by_label("Search the members").fill(f"{name}-bob")
    await expect(members.locator("tbody tr")).to_have_count(1)
    await members.get_by_role("button", name="Why is").click()
    await expect(members).to_contain_text("They match the condition.")
    await members.get_by_label("Search the members").fill("nobody")
    await expect(members).to_contain_text("No member is found for “nobody”.")
    await members.get_by_label("Search the members").fill("")
    await expect(members.locator("tbody tr").first).to_contain_text(f"{name}-bob")  # the last to enter
    await members.get_by_label("Order of the members").select_option("By email")
    await expect(members.locator("tbody tr").first).to_contain_text(f"{name}-ann")
    await members.get_by_label("Order of the members").select_option("The latest to be added first")
    await expect(members.locator("tbody tr").first).to_contain_text(f"{name}-bob")
    await members.get_by_label("Order of the members").select_option("The latest to enter first")
    await members.get_by_label("as of").fill("2099-01-01T00:00")
    await expect(members).to_contain_text("This instant is in the future.")
    await expect(members.get_by_role("button", name="Why is")).to_have_count(2)
    await members.get_by_label("as of").fill("2020-01-01T00:00")
    await expect(members).to_contain_text(
        re.compile("This segment had no members then|The log does not reach back")
    )
    await members.get_by_role("button", name="Now").click()
    await expect(members.get_by_role("button", name="Why is")).to_have_count(2)

    related = part(page, "Related segments")
    await related.get_by_role("button", name="Show").click()
    await expect(related.get_by_role("listitem")).to_have_text(
        [
            f"The condition of Twice {name} names it.",
            re.compile(f"2 members are also in Twice {name}: 100% of all"),
        ]
    )
    performance = part(page, "What the members did")
    await performance.get_by_role("button", name="Show").click()
    await expect(performance).to_contain_text("2 people were members at some time of the last 30 days.")
    await expect(performance.get_by_role("row", name=re.compile(f"^read_{name}"))).to_be_visible()
    assert await barriers(page) == []
    await related.get_by_role("link", name="Compare").click()
    await expect(part(page, "Whom they have in common")).to_contain_text("2 people are in at least one")
    assert visit.complaints == []


async def test_a_segment_is_made_from_a_template_in_three_clicks(visit, product):
    page = await opened(visit, product, "/")
    await count_clicks(page)

    await page.get_by_role("link", name="New segment").click()
    await page.get_by_role("button", name="At risk").click()
    await page.get_by_role("button", name="Save segment").click()

    await expect(page.get_by_role("heading", name="At risk")).to_be_focused()
    assert await page.evaluate("window.clicks") == 3
    await page.get_by_role("link", name="Edit", exact=True).click()  # each template can be shown again
    await expect(page.get_by_label("did name")).to_have_count(4)
    await expect(page.get_by_label("Bracket at level 2: how many must hold")).to_have_value("none")
    assert visit.complaints == []


async def test_who_leaves_this_week_is_found_in_three_clicks(visit, product, api, name):
    for person, days in {"soon": 26, "later": 10, "sooner": 29.5}.items():
        await api.person(f"{name}-{person}")
        await api.track(f"{name}-{person}", f"used_{name}", days_ago(days))
    await api.segment(f"Users {name}", did(f"used_{name}", 30))
    page = await opened(visit, product, "/")
    await expect(row(page, f"Users {name}").locator("strong")).to_have_text("3")
    await count_clicks(page)

    await row(page, f"Users {name}").click()
    await page.get_by_role("link", name="Who leaves this week?").click()

    leavers = page.get_by_role("region", name="Who leaves").locator("tbody tr")
    await expect(leavers).to_have_text(
        [
            re.compile(
                f"{name}-sooner@people.example.*no longer true: who did used_{name} at least once in the last 30 days"
            ),
            re.compile(f"{name}-soon@people.example"),
        ]
    )
    assert await page.evaluate("window.clicks") == 2
    assert await barriers(page) == []
    await page.get_by_role("button", name="Within a month").click()
    await expect(leavers).to_have_count(3)
    await page.get_by_role("button", name="Within a day").click()
    await expect(leavers).to_have_count(1)
    await page.reload()  # as somebody with whom the address is shared
    await expect(leavers).to_have_count(1)
    await page.get_by_role("button", name="Entering").click()
    await expect(page.get_by_role("main")).to_contain_text("Nobody enters in the next 24 hours")
    assert visit.complaints == []


async def test_a_draft_is_in_the_address_and_is_not_lost_without_asking(visit, product, api, name):
    await api.person(name)
    await api.track(name, f"kept_{name}")
    segment = await api.segment(f"Kept {name}", did(f"kept_{name}"))
    page = await opened(visit, product, f"/segments/{segment}")
    asked: list[str] = []
    agrees = False

    async def answer(dialog):
        asked.append(dialog.type)
        await (dialog.accept() if agrees else dialog.dismiss())

    page.on("dialog", answer)
    await page.get_by_role("link", name="Edit", exact=True).click()
    await page.get_by_role("button", name="+ Condition").click()
    await page.get_by_label("Kind of condition").nth(1).select_option("country")
    await page.get_by_label("Name", exact=True).fill(f"Draft {name}")
    await expect(page).to_have_url(re.compile(r"/edit#draft=.*Draft"))
    await page.get_by_label("Description").fill("ü" * 2000)
    await expect(page.get_by_role("main")).to_contain_text("This draft is too long for the address")
    await expect(page).to_have_url(re.compile("/edit$"))
    await page.get_by_label("Description").fill("")
    await expect(page).to_have_url(re.compile(r"/edit#draft=.*Draft"))
    await page.get_by_role("link", name="People", exact=True).click()
    await page.go_back()
    await page.get_by_role("button", name="Forget token").click()
    assert asked == ["confirm"] * 3
    await expect(page.get_by_label("Name", exact=True)).to_have_value(f"Draft {name}")

    other = await visit.context.new_page()  # somebody with whom the address is shared, and who finishes it
    await other.goto(page.url)
    await other.get_by_label("API token").fill(product.token)
    await other.get_by_role("button", name="Open").click()
    await expect(other.get_by_label("Name", exact=True)).to_have_value(f"Draft {name}")
    await expect(other.get_by_label("country: comparison")).to_have_value("is")
    await other.get_by_label("country is").fill("LT")
    await other.get_by_role("button", name="Save segment").click()
    await expect(other.get_by_role("heading", name=f"Draft {name}")).to_be_focused()
    assert (await read(api, segment))["condition"] == {
        "all": [did(f"kept_{name}"), {"country": {"is": "LT"}}]
    }

    agrees = True
    await page.reload()
    assert asked[3:] == ["beforeunload"]
    await expect(page.get_by_label("Name", exact=True)).to_have_value(f"Draft {name}")
    await page.get_by_role("link", name="People", exact=True).click()
    await expect(page.get_by_label("Search people")).to_be_visible()
    assert asked[4:] == ["confirm"]
    assert visit.complaints == []


async def test_why_people_leave_is_seen_in_one_click(visit, product, api, name):
    for number in range(3):
        await api.person(f"{name}-{number}")
    segment = await api.segment(f"Once {name}", {"event": {"name": f"saw_{name}", "times": {"exactly": 1}}})
    await api.until_ready(segment)  # or else the fill, too, finds people whom the events concern
    for number in range(3):
        await api.track(f"{name}-{number}", f"saw_{name}")
    await api.until_size(segment, 3)  # who enters and leaves within one tick has done neither
    for number in range(2):
        await api.track(f"{name}-{number}", f"saw_{name}")
    page = await opened(visit, product, "/")
    await expect(row(page, f"Once {name}").locator("strong")).to_have_text("1")
    await count_clicks(page)

    await row(page, f"Once {name}").click()

    flow = part(page, "Entering and leaving, by cause")
    await expect(flow).to_contain_text("In the last 7 days, 3 people entered, and 2 people left.")
    await expect(flow).to_contain_text("The main reason for leaving: an event (every time).")
    assert await page.evaluate("window.clicks") == 1
    bars = flow.locator(".flow-bar.EVENT")
    await expect(bars).to_have_count(2)
    heights = [float(await bars.nth(index).get_attribute("height") or 0) for index in range(2)]
    assert heights[0] / heights[1] == pytest.approx(3 / 2)
    await flow.get_by_text("Show these numbers as a table").click()
    await expect(flow.get_by_role("row").nth(1)).to_contain_text(re.compile(r"an event\s*3\s*2"))
    assert await barriers(page) == []
    await flow.get_by_role("button", name="an event: 3 entered, 2 left").click()
    await expect(bars).to_have_count(0)
    await flow.get_by_role("button", name="24 hours").click()
    await expect(flow).to_contain_text("In the last 24 hours, 3 people entered")
    await expect(part(page, "Latest changes").get_by_role("listitem")).to_have_count(5)
    await page.route("**/graphql", refuse_flow)
    await flow.get_by_role("button", name="30 days").click()
    await expect(flow).to_contain_text("The log does not reach back so far. Choose a shorter period.")
    assert visit.complaints == []
    assert segment in page.url


async def refuse_flow(route):
    error = {"message": "gone", "extensions": {"code": "LOG_EXPIRED"}, "path": ["segment", "whole"]}
    if "FlowOfMonth" in document_of(route.request.post_data):
        await route.fulfill(json={"data": {"segment": None}, "errors": [error]})
    else:
        await route.continue_()


async def test_each_part_of_a_condition_shows_whom_it_lets_through(visit, product, api, name):
    for person, events in {"both": ["a", "b"], "first": ["a"], "other": ["a"], "none": []}.items():
        await api.person(f"{name}-{person}", lastName=name)
        for event in events:
            await api.track(f"{name}-{person}", f"{event}_{name}")
    condition = {"all": [did(f"a_{name}"), {"not": did(f"b_{name}")}]}
    segment = await api.segment(f"Parts {name}", condition)
    page = await opened(visit, product, f"/segments/{segment}/edit")

    parts = part(page, "People by part of the condition")
    await expect(parts.locator(".part-of-all")).to_have_text(
        [
            "The whole condition2",
            f"who did a_{name} at least once3",
            re.compile("None of these:"),
            f"who did b_{name} at least once1",
        ]
    )
    await parts.get_by_role("button", name="1 fails only because of this").click()
    await expect(parts.get_by_role("link")).to_have_text([f"{name}-both@people.example"])
    assert await barriers(page) == []
    await page.get_by_role("button", name="+ Condition").first.click()
    wanting = page.locator(".leaf.wanting")
    await expect(wanting).to_have_text(re.compile("Choose what this is about."))
    await page.get_by_label("Kind of condition").nth(2).select_option("country")
    await expect(wanting).to_have_text(re.compile("A value is missing."))
    await page.get_by_label("country is").fill("LT")
    await expect(wanting).to_have_count(0)
    assert visit.complaints == []
