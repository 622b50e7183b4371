"""Two pages of the console that answer questions about segments: what several have in common and how two compare, and what to tidy up."""

# ruff: noqa: F811  # the fixtures of test_console are imported, and named again as arguments

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.console import barriers, document_of, enter, tab_to, width
from tests.browser.test_console import Api, api, name, visit  # noqa: F401

pytestmark = pytest.mark.browser


async def two_that_overlap(api: Api, name: str) -> tuple[str, str]:
    """Three people in the first segment, two in the second one, and one of them in both."""
    ids = await api.segment(f"Read {name}", f"read_{name}"), await api.segment(f"Paid {name}", f"paid_{name}")
    for number in range(4):
        await api.person(f"{name}-{number}")
    for number in range(3):
        await api.track(f"{name}-{number}", f"read_{name}")
    for number in (2, 3):
        await api.track(f"{name}-{number}", f"paid_{name}")
    return ids


def overlap(page: Page) -> Locator:
    return page.get_by_role("region", name="Whom they have in common")


def experiment(page: Page) -> Locator:
    return page.get_by_role("region", name="What their people did")


async def test_two_segments_are_compared_in_three_clicks_and_the_address_keeps_the_choice(
    visit, product, api, name
):
    ids = await two_that_overlap(api, name)
    page = await visit.open()
    await enter(page, product.token)
    clicked = 0
    for wanted in (
        page.get_by_role("link", name="Compare"),
        page.get_by_role("checkbox", name=re.compile(f"^Read {name}")),
        page.get_by_role("checkbox", name=re.compile(f"^Paid {name}")),
    ):
        await wanted.click()
        clicked += 1

    await expect(overlap(page)).to_contain_text("4 people are in at least one of these segments, 1 in both")
    await expect(experiment(page).get_by_role("status")).to_contain_text(f"“Paid {name}”")
    assert clicked <= 3
    chosen = parse_qs(urlsplit(page.url).query)
    assert chosen["segments"] == [",".join(ids)]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", chosen["from"][0])
    other = await visit.context.new_page()
    await other.goto(page.url)
    await enter(other, product.token)
    await expect(overlap(other)).to_contain_text("4 people are in at least one")
    assert visit.complaints == []


async def test_the_overlap_is_read_with_the_keyboard_and_in_a_table(visit, product, api, name):
    ids = await two_that_overlap(api, name)
    visit.path = f"/compare?segments={','.join(ids)}"
    page = await visit.open()
    await enter(page, product.token)
    columns = overlap(page).get_by_role("img")
    await expect(columns).to_have_count(3)

    await tab_to(page, columns.nth(0))
    await expect(columns.nth(0)).to_have_accessible_name(f"in Read {name}, not in Paid {name}: 2 people")
    await page.keyboard.press("End")

    await expect(columns.nth(2)).to_be_focused()
    last = await columns.nth(2).get_attribute("aria-label")
    await expect(overlap(page).locator(".pointed-at")).to_have_text(last or "")
    await page.keyboard.press("ArrowLeft")
    await expect(columns.nth(1)).to_be_focused()
    await columns.nth(0).hover()
    await expect(overlap(page).locator(".pointed-at")).to_contain_text(f"not in Paid {name}: 2 people")
    await overlap(page).get_by_text("Show these numbers as a table").click()
    table = overlap(page).get_by_role("table")
    assert sorted(await table.locator("tbody tr").all_inner_texts()) == sorted(
        [
            f"Read {name}\tPaid {name}\t2",
            f"Paid {name}\tRead {name}\t1",
            f"Read {name}, Paid {name}\tnone\t1",
        ]
    )


async def test_an_experiment_says_what_was_found_and_whether_to_trust_it(visit, product, api, name):
    ids = await api.segment(f"Old {name}", f"old_{name}"), await api.segment(f"New {name}", f"new_{name}")
    for side in ("old", "new"):
        for number in range(12):
            await api.person(f"{name}-{side}-{number}")
            await api.track(f"{name}-{side}-{number}", f"{side}_{name}")
    for segment in ids:
        await api.until_size(segment, 12)  # what somebody does before they are a member does not count
    for number in range(9):
        await api.track(f"{name}-new-{number}", f"won_{name}")
    visit.path = f"/compare?segments={','.join(ids)}"
    page = await visit.open()
    await enter(page, product.token)

    await experiment(page).get_by_label("Event").select_option(f"won_{name}")

    said = experiment(page).get_by_role("status")
    await expect(said).to_contain_text(
        f"0% of the people of “Old {name}” and 75% of those of “New {name}” had won_{name}. "
        f"That is 75 percentage points more for “New {name}”."
    )
    await expect(said).to_contain_text(
        "includes 0: the difference may be chance. Only if you decided beforehand"
    )
    await expect(experiment(page).get_by_role("img")).to_have_accessible_name(
        re.compile("^The difference of the rates is 75 percentage points")
    )
    await expect(experiment(page).get_by_role("row", name=re.compile(f"New {name}"))).to_contain_text("75%")
    assert parse_qs(urlsplit(page.url).query)["event"] == [f"won_{name}"]
    await experiment(page).get_by_label("Before").fill("2020-01-01")
    await expect(experiment(page)).to_contain_text("The period must end after it begins.")


async def test_segments_are_searched_and_taken_away(visit, product, api, name):
    await two_that_overlap(api, name)
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("link", name="Compare").click()
    await expect(page.get_by_role("main")).to_contain_text("Choose two segments or more")

    await page.get_by_label("Search segments").fill(f"paid {name}")
    await expect(page.get_by_role("main").get_by_role("checkbox")).to_have_count(1)
    await page.get_by_role("main").get_by_role("checkbox").check()
    await expect(page.get_by_role("main")).to_contain_text("Choose one more segment")
    await page.get_by_label("Search segments").fill("no segment has this name")
    await expect(page.get_by_role("main")).to_contain_text("No segment has this name.")
    await page.get_by_role("button", name=f"Take away Paid {name}").click()

    await expect(page.get_by_role("main")).to_contain_text("Choose two segments or more")
    assert urlsplit(page.url).query == ""


async def test_an_overlap_that_fails_can_be_repeated(visit, product, api, name):
    ids = await two_that_overlap(api, name)
    visit.path = f"/compare?segments={','.join(ids)}"
    page = await visit.open()

    async def refuse(route):
        if "segmentOverlap" in document_of(route.request.post_data):
            await route.fulfill(json={"errors": [{"message": "Too much.", "extensions": {}}]})
        else:
            await route.continue_()

    await page.route("**/graphql", refuse)
    await enter(page, product.token)
    await expect(overlap(page).get_by_role("alert")).to_contain_text("Too much.")
    await page.unroute_all()

    await overlap(page).get_by_role("button", name="Try again").click()

    await expect(overlap(page)).to_contain_text("4 people are in at least one")


async def test_a_deleted_segment_of_a_shared_address_is_told(visit, product, api, name):
    kept = await api.segment(f"Kept {name}", f"kept_{name}")
    visit.path = f"/compare?segments={kept},sg_nothing"
    page = await visit.open()
    await enter(page, product.token)

    await expect(page.get_by_role("list", name="Chosen segments")).to_contain_text("does not exist")
    await page.get_by_role("button", name="Take away segment B").click()
    await expect(page.get_by_role("main")).to_contain_text("Choose one more segment")


async def test_advice_is_listed_and_marked_as_reviewed_with_one_click(visit, product, api, name):
    segment = await api.segment(f"Idle {name}", f"never_{name}")
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("link", name="Advice").click()
    item = page.get_by_role("main").get_by_role("listitem").filter(has_text=f"Idle {name}")
    await expect(item).to_contain_text("Empty")

    await page.get_by_role("button", name=f"Mark as reviewed: Idle {name}").click()

    await expect(page.get_by_role("main").get_by_role("status")).to_have_text(
        f"“Idle {name}” is marked as reviewed."
    )
    await expect(item).to_contain_text(re.compile(r"reviewed \d"))
    await item.get_by_role("link", name=f"Idle {name}").click()
    await expect(page).to_have_url(f"{product.origin}/segments/{segment}")
    assert visit.complaints == []


async def test_there_may_be_nothing_to_advise_or_no_answer(visit, product):
    page = await visit.open()
    answers = [
        {"errors": [{"message": "Too many segments.", "extensions": {}}]},
        {"data": {"segmentAdvice": []}},
    ]

    async def instead(route):
        if "segmentAdvice" in document_of(route.request.post_data):
            await route.fulfill(json=answers.pop(0))
        else:
            await route.continue_()

    await page.route("**/graphql", instead)
    await enter(page, product.token)
    await page.get_by_role("link", name="Advice").click()
    await expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("Too many segments.")

    await page.get_by_role("button", name="Try again").click()

    await expect(page.get_by_role("main")).to_contain_text("Nothing to advise")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_use_these_pages(visit, product, api, name, scheme):
    ids = await two_that_overlap(api, name)
    await api.segment(f"Idle {name}", f"never_{name}")
    page = await visit.open()
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": 390, "height": 844})
    await enter(page, product.token)
    found, widths = {}, set()
    for path, shown in {
        "/compare": "Choose two segments or more",
        f"/compare?segments={','.join(ids)}": "in at least one",
        "/advice": "Mark as reviewed",
    }.items():
        await page.goto(f"{product.origin}{path}")
        await expect(page.get_by_role("main").get_by_text(shown).first).to_be_visible()
        await expect(page.locator("main [aria-busy=true]")).to_have_count(0)
        found[path] = await barriers(page)
        widths.add(await width(page))

    assert list(found.values()) == [[], [], []], found
    assert widths == {390}
