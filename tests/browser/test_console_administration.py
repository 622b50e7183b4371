"""Groups, webhooks, tokens and custom fields in the console: what an administrator does there, and what a marketer finds within three clicks."""

from __future__ import annotations

from itertools import count

import pytest
from playwright.async_api import Page, expect

from tests.browser.console import barriers, opened, part, tab_to

pytestmark = pytest.mark.browser

UPSERT = "mutation ($input: UpsertSubscribersInput!) { upsertSubscribers(input: $input) { ... on UpsertSubscribersPayload { subscribers { id } } } }"
CREATE_GROUP = "mutation ($input: CreateGroupInput!) { createGroup(input: $input) { ... on Group { id } } }"
CREATE_SEGMENT = (
    "mutation ($input: CreateSegmentInput!) { createSegment(input: $input) { ... on Segment { id } } }"
)
expect.set_options(timeout=30_000)
_numbers = count(1)


@pytest.fixture
def name():
    """One that no other test uses."""
    return f"crew{next(_numbers)}"


async def person(ask, name: str, **profile: object) -> str:
    given = {"externalId": name, "email": f"{name}@admin.example"} | profile
    done = await ask(UPSERT, {"subscribers": [given]})
    return done["upsertSubscribers"]["subscribers"][0]["id"]


async def group(ask, name: str) -> str:
    return (await ask(CREATE_GROUP, {"name": name}))["createGroup"]["id"]


async def count_clicks(page: Page) -> None:
    await page.evaluate(
        "window.clicks = 0; addEventListener('click', (it) => it.isTrusted && it.detail > 0 && clicks++, true)"
    )


# ---- groups


async def test_a_group_is_made_and_filled_without_a_mouse(console, product, ask, name):
    await person(ask, name)
    page = await opened(console, product, "/groups")
    keyboard = page.keyboard
    await expect(page.get_by_label("Search groups")).to_be_focused()
    await keyboard.press("Shift+Tab")
    await keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="New group")).to_be_focused()
    await tab_to(page, page.get_by_role("button", name="Create the group"))
    await keyboard.press("Enter")
    await expect(page.get_by_label("Name", exact=True)).to_be_focused()
    await expect(page.get_by_role("main")).to_contain_text("a name is required")

    await keyboard.type(f"Guests {name}")
    await keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=f"Guests {name}")).to_be_focused()
    await tab_to(page, page.get_by_label("Find people to add"))
    await keyboard.type(f"{name}@admin")
    await tab_to(page, page.get_by_role("button", name=f"Add {name}@admin.example to the group"))
    await keyboard.press("Enter")
    members = part(page, "Members")
    await expect(members.get_by_role("link", name=f"{name}@admin.example")).to_be_visible()
    await expect(part(page, "Add people")).to_contain_text("is in the group now")
    await expect(page.locator(".figure strong")).to_have_text("1")
    await tab_to(page, members.get_by_role("button", name=f"Remove {name}@admin.example from the group"))
    await keyboard.press("Enter")

    await expect(members).to_contain_text("Nobody is in this group.")
    await expect(page.locator(".figure strong")).to_have_text("0")
    assert console.complaints == []


async def test_who_is_in_a_group_is_two_clicks_away(console, product, ask, name):
    wanted = await group(ask, f"Fair {name}")
    for number in range(21):
        await person(ask, f"{name}-{number:02}", addToGroupIds=[wanted])
    page = await opened(console, product, "/")
    await count_clicks(page)

    await page.get_by_role("link", name="Groups").click()
    await page.get_by_role("link", name=f"Fair {name}").click()

    members = part(page, "Members")
    await expect(members.get_by_role("link")).to_have_count(20)
    await expect(page.locator(".figure strong")).to_have_text("21")
    assert await page.evaluate("window.clicks") == 2
    await members.get_by_role("button", name="Next").click()
    await expect(members.get_by_role("link")).to_have_count(1)
    await person(ask, f"{name}-late", addToGroupIds=[wanted])
    await expect(page.locator(".figure strong")).to_have_text("22")
    await members.get_by_role("button", name="Previous").click()
    await expect(members.get_by_role("link").first).to_have_text(f"{name}-late@admin.example")
    assert console.complaints == []


async def test_a_group_that_a_segment_reads_is_not_deleted_and_the_page_says_why(console, product, ask, name):
    wanted = await group(ask, f"Read {name}")
    condition = {"group": {"anyOf": [wanted]}}
    segment = (await ask(CREATE_SEGMENT, {"name": f"Reader {name}", "condition": condition}))["createSegment"]
    page = await opened(console, product, f"/groups/{wanted}")
    await page.get_by_role("button", name="Delete…").click()
    question = page.get_by_role("dialog", name=f"Delete the group “Read {name}”?")
    await question.get_by_role("button", name="Delete the group").click()

    await expect(question.get_by_role("alert")).to_contain_text("1 other segment reads this")
    found = await barriers(page)
    await question.get_by_role("link", name=f"Reader {name}").click()

    await expect(page).to_have_url(f"{product.origin}/segments/{segment['id']}")
    spare = await group(ask, f"Spare {name}")
    await page.goto(f"{product.origin}/groups/{spare}")
    await page.get_by_role("button", name="Delete…").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete the group").click()
    await expect(page).to_have_url(f"{product.origin}/groups")
    await expect(page.get_by_role("link", name=f"Read {name}")).to_be_visible()
    await expect(page.get_by_role("link", name=f"Spare {name}")).to_have_count(0)
    assert found == []
    assert console.complaints == []
