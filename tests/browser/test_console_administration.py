"""Groups, webhooks, tokens and custom fields in the console: what an administrator does there, and what a marketer finds within three clicks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import count

import asyncpg
import pytest
from playwright.async_api import Page, expect

from tests.browser.console import Held, barriers, enter, opened, part, tab_to, width
from tests.patience import until

pytestmark = pytest.mark.browser

UPSERT = "mutation ($input: UpsertSubscribersInput!) { upsertSubscribers(input: $input) { ... on UpsertSubscribersPayload { subscribers { id } } } }"
CREATE_GROUP = "mutation ($input: CreateGroupInput!) { createGroup(input: $input) { ... on Group { id } } }"
CREATE_SEGMENT = (
    "mutation ($input: CreateSegmentInput!) { createSegment(input: $input) { ... on Segment { id } } }"
)
UPDATE_GROUP = "mutation ($input: UpdateGroupInput!) { updateGroup(input: $input) { __typename } }"
UPDATE_ENDPOINT = (
    "mutation ($input: UpdateWebhookEndpointInput!) { updateWebhookEndpoint(input: $input) { __typename } }"
)
CREATE_ENDPOINT = "mutation ($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) { ... on CreateWebhookEndpointPayload { endpoint { id } } } }"
CREATE_AUTOMATION = "mutation ($input: CreateAutomationInput!) { createAutomation(input: $input) { ... on Automation { id } ... on UserError { message } } }"
READ_DELIVERIES = "query ($input: ID!) { webhookEndpoint(by: { id: $input }) { deliveries { edges { node { id attempts(first: 1) { at } } } } } }"
READ_RUNS = "query ($input: ID!) { automation(by: { id: $input }) { runs(first: 100) { edges { node { subscriber { email } } } } } }"
FAIL = """
UPDATE deliveries SET state = 'FAILED', ended_at = now(), next_attempt_at = NULL
WHERE endpoint_id = (SELECT id FROM webhook_endpoints WHERE name = $1)
"""
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


# ---- webhooks


async def test_an_endpoint_is_made_without_a_mouse_and_its_secret_is_shown_once(console, product, name):
    page = await opened(console, product, "/administration/webhooks")
    keyboard = page.keyboard
    await tab_to(page, page.get_by_role("link", name="New endpoint"))
    await keyboard.press("Enter")
    await tab_to(page, page.get_by_label("Name", exact=True))
    await keyboard.type(f"CRM {name}")
    await tab_to(page, page.get_by_label("URL"))
    await keyboard.type("ftp://receiver.invalid/")
    await keyboard.press("Enter")
    await expect(page.get_by_label("URL")).to_be_focused()
    await expect(page.get_by_label("URL")).to_have_attribute("aria-invalid", "true")
    await keyboard.press("Control+a")
    await keyboard.type("https://receiver.invalid/")
    await keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="The endpoint is created")).to_be_focused()
    await expect(part(page, "Secret").locator("code")).to_contain_text("whsec_")
    await tab_to(page, page.get_by_role("link", name="Open the endpoint"))
    await keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=f"CRM {name}")).to_be_focused()
    await expect(page.get_by_role("main")).not_to_contain_text("whsec_")

    await tab_to(page, page.get_by_role("button", name="Disable"))
    await keyboard.press("Enter")
    await tab_to(page, page.get_by_role("button", name="Enable and send what waits"))
    await keyboard.press("Enter")
    await expect(page.get_by_text("enabled", exact=True)).to_be_visible()
    await tab_to(page, page.get_by_role("button", name="Send a test message"))
    await keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_contain_text("It did not arrive: no answer after")
    await page.get_by_role("button", name="New secret…").press("Enter")
    await page.get_by_role("dialog").get_by_role("button", name="Make a new secret").press("Enter")

    await expect(page.get_by_role("heading", name="The new secret")).to_be_focused()
    await expect(page.get_by_role("main")).to_contain_text("the old secret signs, too")
    assert console.complaints == []


@dataclass(frozen=True, slots=True)
class Failed:
    """The ids of what failed."""

    group: str
    """Whoever is added to it is told about."""
    automation: str
    endpoint: str
    delivery: str
    person: str


async def failed_delivery(ask, product, name: str) -> Failed:
    """A message that its endpoint has not got in any attempt."""
    given = {"name": f"Shop {name}", "url": "https://receiver.invalid/"}
    endpoint = (await ask(CREATE_ENDPOINT, given))["createWebhookEndpoint"]["endpoint"]["id"]
    guests = await group(ask, f"Told {name}")
    actions = [{"webhook": {"endpoint": endpoint, "fields": []}}]
    automation = {"name": f"Tell {name}", "trigger": {"group": guests}, "actions": actions}
    automation_id = (await ask(CREATE_AUTOMATION, automation))["createAutomation"]["id"]
    told = await person(ask, name, addToGroupIds=[guests])

    async def attempted() -> list[str]:
        edges = (await ask(READ_DELIVERIES, endpoint))["webhookEndpoint"]["deliveries"]["edges"]
        return [it["node"]["id"] for it in edges if it["node"]["attempts"]]

    delivery = (await until(attempted))[0]
    await fail(product, name)
    return Failed(guests, automation_id, endpoint, delivery, told)


async def until_they_ran(ask, automation: str, wanted: int) -> list[str]:
    """Wait until a worker has run the automation for so many people. Returns their addresses, the latest first."""

    async def ran() -> list[str] | None:
        edges = (await ask(READ_RUNS, automation))["automation"]["runs"]["edges"]
        return [it["node"]["subscriber"]["email"] for it in edges] if len(edges) == wanted else None

    return await until(ran)


async def fail(product, name: str) -> None:
    """End the schedule of what waits for the endpoint, as it ends by itself after 75 hours."""
    connection = await asyncpg.connect(product.database_url)
    await connection.execute(FAIL, f"Shop {name}")
    await connection.close()


async def test_whether_a_webhook_arrived_is_three_clicks_away_and_a_failed_one_is_replayed(
    console, product, ask, name
):
    failed = await failed_delivery(ask, product, name)
    page = await opened(console, product, "/")
    await count_clicks(page)

    await page.get_by_role("link", name="Administration").click()
    await page.get_by_role("link", name=f"Shop {name}").click()
    await part(page, "Deliveries").get_by_role("row").nth(1).get_by_role("link").click()

    await expect(page.get_by_text("failed", exact=True)).to_be_visible()
    await expect(part(page, "Attempts").get_by_role("listitem").first).to_contain_text(
        "could not be resolved"
    )
    assert await page.evaluate("window.clicks") == 3
    await page.get_by_role("button", name="Replay this message").click()
    await expect(page.get_by_text("waiting", exact=True)).to_be_visible()
    await expect(part(page, "Attempts").get_by_role("listitem")).to_have_count(2)
    await part(page, "Runs").get_by_role("link", name=f"{name}@admin.example").click()
    await expect(page).to_have_url(f"{product.origin}/people/{failed.person}")

    await fail(product, name)
    await page.goto(f"{product.origin}/administration/webhooks/{failed.endpoint}?state=FAILED")
    deliveries = part(page, "Deliveries")
    await expect(deliveries.get_by_role("row")).to_have_count(2)
    await deliveries.get_by_role("button", name="Replay all failed…").click()
    await page.get_by_role("dialog").get_by_role("button", name="Replay them").click()
    await expect(deliveries).to_contain_text("1 message waits for an attempt.")
    await expect(deliveries).to_contain_text("No message is failed.")
    await page.get_by_role("button", name="Delete…").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete the endpoint").click()
    await expect(page.get_by_role("dialog").get_by_role("link", name=f"Tell {name}")).to_be_visible()
    assert console.complaints == []


async def test_an_automation_s_runs_lead_to_people_and_to_the_endpoint(console, product, ask, name):
    failed = await failed_delivery(ask, product, name)
    for number in range(21):
        await person(ask, f"{name}-{number:02}", addToGroupIds=[failed.group])
    latest, *_ = await until_they_ran(ask, failed.automation, 22)
    page = await opened(console, product, "/automations")
    await page.get_by_label("Search automations").fill(f"no {name}")
    await expect(page.get_by_text(f"No automation is found for “no {name}”.")).to_be_visible()
    await page.get_by_label("Search automations").fill(f"tell {name}")
    await page.get_by_role("link", name=f"Tell {name}").click()
    runs = part(page, "Runs")
    await expect(runs.locator("tbody tr")).to_have_count(20)
    await expect(runs.locator("tbody tr").first).to_contain_text(f"{latest} entereddone")

    await runs.get_by_role("button", name="Next").click()
    await expect(runs.locator("tbody tr")).to_have_count(2)
    await runs.get_by_label("State of the runs").select_option("failed")
    await expect(runs).to_contain_text("No run is failed.")
    await expect(page).to_have_url(re.compile(r"\?state=FAILED$"))
    await page.reload()
    await expect(runs.get_by_label("State of the runs")).to_have_value("FAILED")
    await runs.get_by_label("State of the runs").select_option("done")
    await expect(runs.locator("tbody tr")).to_have_count(20)
    found = await barriers(page)
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await width(page) == 390
    await runs.get_by_role("link", name=latest).click()
    await expect(page.get_by_role("heading", name=latest)).to_be_visible()
    await page.go_back()
    await part(page, "Webhooks").get_by_role("link", name=f"Shop {name}").click()

    await expect(page).to_have_url(f"{product.origin}/administration/webhooks/{failed.endpoint}")
    assert found == []
    assert console.complaints == []


async def test_runs_that_happen_before_the_page_of_their_automation_listens_are_shown_in_their_order(
    console, product, ask, name
):
    guests = await group(ask, f"Late {name}")
    actions = [{"trackEvent": {"name": "greeted"}}]
    given = {"name": f"Greet {name}", "trigger": {"group": guests}, "actions": actions}
    automation = (await ask(CREATE_AUTOMATION, given))["createAutomation"]["id"]
    held = Held()
    await held.hold(console.context, "subscription Runs")
    page = await opened(console, product, "/automations")
    await page.get_by_role("link", name=f"Greet {name}").click()
    await expect(part(page, "Runs")).to_contain_text("No runs yet.")
    people = [
        {"externalId": f"{name}-{number}", "email": f"{name}-{number}@admin.example"} for number in range(4)
    ]
    await ask(UPSERT, {"subscribers": [{**it, "addToGroupIds": [guests]} for it in people]})  # at one instant
    order = await until_they_ran(ask, automation, 4)

    await held.begin()

    await expect(part(page, "Runs").get_by_role("rowheader")).to_have_text(
        [re.compile(f"^{email}") for email in order]
    )
    await expect(page.get_by_role("list", name="Runs of the last day")).to_have_text("4 done")


async def test_an_edit_of_an_endpoint_overwrites_nobody_else_s(console, product, ask, name):
    given = {"name": f"Ours {name}", "url": "https://receiver.invalid/"}
    endpoint = (await ask(CREATE_ENDPOINT, given))["createWebhookEndpoint"]["endpoint"]["id"]
    page = await opened(console, product, f"/administration/webhooks/{endpoint}/edit")
    await page.get_by_label("Name", exact=True).fill(f"Mine {name}")
    await ask(UPDATE_ENDPOINT, {"id": endpoint, "name": f"Theirs {name}"})

    await page.get_by_role("button", name="Save", exact=True).click()
    conflict = page.get_by_role("alert", name="Conflict")
    await expect(conflict).to_contain_text(
        f"It is now “Theirs {name}” with the URL https://receiver.invalid/."
    )
    found = await barriers(page)
    await conflict.get_by_role("button", name="Take theirs").click()
    await expect(page.get_by_label("Name", exact=True)).to_have_value(f"Theirs {name}")
    await page.get_by_label("Name", exact=True).fill(f"Mine {name}")
    await page.get_by_role("button", name="Save", exact=True).click()

    await expect(page.get_by_role("heading", name=f"Mine {name}")).to_be_focused()
    assert found == []
    assert console.complaints == []


# ---- tokens and custom fields


async def test_a_token_is_made_and_revoked_and_one_without_admin_is_told_what_is_missing(
    console, product, name
):
    page = await opened(console, product, "/administration/tokens")
    await page.get_by_role("link", name="New token").click()
    await page.get_by_role("button", name="Create the token").click()
    await expect(page.get_by_role("main")).to_contain_text("name at least one scope")
    await page.get_by_label("Name", exact=True).fill(f"Shop {name}")
    await page.get_by_label("read everything").check()
    await page.get_by_label("Only from").fill("127.0.0.0/33")
    await page.get_by_role("button", name="Create the token").click()
    await expect(page.get_by_label("Only from")).to_be_focused()
    await page.get_by_label("Only from").fill("127.0.0.0/8")
    await expect(page.get_by_label("any document that its scopes allow")).to_be_checked()
    await page.get_by_label("only trusted documents", exact=True).check()
    await page.get_by_label("trusted documents and those of this console").check()
    form = await barriers(page)
    await page.get_by_role("button", name="Create the token").click()
    token = await part(page, "Secret").locator("code").inner_text()
    other = await console.open()
    await enter(other, token)
    await expect(other.get_by_role("main")).to_contain_text(
        f"You are signed in with “Shop {name}”, which may read"
    )
    await other.get_by_role("link", name="Overview").click()
    await expect(other.get_by_role("main")).to_contain_text("need a token with the scope ADMIN")
    found = await barriers(other)

    await page.get_by_role("link", name="All tokens").click()
    tokens = page.get_by_role("list", name="Tokens").get_by_role("listitem")
    made = tokens.filter(has_text=f"Shop {name}")
    await expect(made).to_contain_text(
        "from 127.0.0.0/8 only, with trusted documents and those of the console only."
    )
    await expect(made).to_contain_text("last used")
    await expect(made).to_contain_text("from 127.0.0.1 by a browser · expires")
    await expect(tokens.filter(has_text="you use it now")).to_have_count(1)
    await page.get_by_role("button", name=f"Revoke… Shop {name}").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke the token").click()

    await expect(made).to_have_count(0)
    await expect(page.get_by_role("heading", name="API tokens")).to_be_focused()
    await expect(other.get_by_role("alert")).to_contain_text(
        "It may belong to another server, or be revoked."
    )
    assert (form, found) == ([], [])
    assert [url for url in console.requests if token in url] == []


async def test_a_custom_field_is_defined_and_not_deleted_while_a_segment_reads_it(
    console, product, ask, name
):
    page = await opened(console, product, "/administration/fields")
    await page.get_by_role("link", name="New field").click()
    await page.get_by_label("Label").fill(f"Café size {name}")
    await expect(page.get_by_label("Key")).to_have_value(f"cafe_size_{name}")
    await page.get_by_label("Values to offer").fill("small, large")
    await page.get_by_role("button", name="Define the field").click()
    fields = page.get_by_role("list", name="Custom fields").get_by_role("listitem").filter(has_text=name)
    await expect(fields).to_contain_text("text · offers small, large")
    condition = {"field": {"key": f"cafe_size_{name}", "text": {"is": "small"}}}
    segment = (await ask(CREATE_SEGMENT, {"name": f"Small {name}", "condition": condition}))["createSegment"][
        "id"
    ]

    await page.get_by_role("button", name=f"Delete… Café size {name}").click()
    question = page.get_by_role("dialog", name=f"Delete the field “Café size {name}”?")
    await question.get_by_role("button", name="Delete the field").click()
    await expect(question.get_by_role("link", name=f"Small {name}")).to_be_visible()
    await ask(
        "mutation ($input: DeleteSegmentInput!) { deleteSegment(input: $input) { __typename } }",
        {"id": segment},
    )
    await question.get_by_role("button", name="Delete the field").click()

    await expect(fields).to_have_count(0)
    assert console.complaints == []


# ---- the audit trail


async def test_who_changed_a_group_is_two_clicks_from_its_page(console, product, ask, name):
    wanted = await group(ask, f"Old {name}")
    await ask(UPDATE_GROUP, {"id": wanted, "name": f"New {name}", "description": "for the fair"})
    page = await opened(console, product, f"/groups/{wanted}")

    await page.get_by_role("link", name="Who changed it").click()
    entries = part(page, "Changes of definitions").get_by_role("listitem")
    await expect(entries).to_have_count(2)
    await expect(entries.first).to_contain_text(f"tests edited the group “New {name}”")
    await entries.first.get_by_role("button", name="What changed").click()
    await expect(entries.first).to_contain_text(f"before: Old {name}")
    await expect(entries.first).to_contain_text(f"after: New {name}")
    await expect(entries.first).to_contain_text("after: for the fair")
    found = await barriers(page)
    await page.get_by_role("button", name="Show the changes of all objects").click()
    await page.get_by_label("What was changed").select_option("Groups")
    await entries.first.get_by_role("link", name=f"New {name}").click()

    await expect(page).to_have_url(f"{product.origin}/groups/{wanted}")
    assert found == []
    assert console.complaints == []


# ---- the header


async def test_the_menu_of_a_narrow_screen_opens_and_closes_with_the_keyboard(console, product, ask, name):
    guests = await group(ask, f"Everybody {'and everybody ' * 8}{name}")
    page = await opened(console, product, f"/groups/{guests}")
    await expect(page.get_by_role("heading", name="Everybody")).to_be_focused()
    await page.set_viewport_size({"width": 390, "height": 844})
    menu = page.get_by_role("button", name="Menu")
    groups = page.get_by_role("navigation", name="Pages").get_by_role("link", name="Groups")
    await expect(groups).to_be_hidden()
    await menu.press("Enter")
    await expect(groups).to_be_visible()
    found = await barriers(page)
    await page.keyboard.press("Escape")
    await expect(groups).to_be_hidden()
    await expect(menu).to_be_focused()

    await menu.press("Enter")
    await groups.press("Enter")
    await expect(page.get_by_label("Search groups")).to_be_focused()
    await expect(groups).to_be_hidden()
    await expect(page.get_by_role("main")).to_contain_text(f"and everybody {name}")
    assert await width(page) == 390
    assert found == []
    assert console.complaints == []
