"""Importing people from a file in the console: choosing and mapping, checking, starting, stopping, and what was imported before."""

# ruff: noqa: F811  # the fixtures of test_console are imported, and named again as arguments

from __future__ import annotations

import re

import pytest
from playwright.async_api import FilePayload, Locator, Page, Route, expect

from tests.browser.conftest import Visit
from tests.browser.console import barriers, enter, tab_to, width
from tests.browser.test_console import api, name, visit  # noqa: F401
from tests.product import Product

pytestmark = pytest.mark.browser


def rows(name: str, count: int) -> str:
    lines = [f'{name}-{number};{name}-{number}@file.example;"Ada; {number}"' for number in range(count)]
    return "\n".join(["Customer;E-mail;First name", *lines, f"{name}-bad;no address;Bob", ""])


async def choose(page: Page, text: str) -> None:
    file = FilePayload(name="people.csv", mimeType="text/csv", buffer=text.encode())
    await page.get_by_label("CSV file").set_input_files(files=[file])


async def begin(visit: Visit, product: Product, text: str) -> Page:
    """A page that has just begun to import this text."""
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("link", name="Imports").click()
    await choose(page, text)
    await page.get_by_role("button", name="Start the import").click()
    return page


def status(page: Page) -> Locator:
    return page.locator(".progress").get_by_role("status")


async def test_a_file_is_mapped_checked_and_imported(visit, product, name):
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("link", name="Imports").click()
    await expect(page.get_by_role("main")).to_contain_text("All imports")

    await choose(page, rows(name, 3))
    await expect(page.get_by_label("Customer contains")).to_have_value("profile:EXTERNAL_ID")
    await expect(page.get_by_label("E-mail contains")).to_have_value("profile:EMAIL")
    await expect(page.get_by_label("First name contains")).to_have_value("profile:FIRST_NAME")
    await expect(page.get_by_role("table", name="Columns of the file")).to_contain_text("Ada; 0, Ada; 1")
    await page.get_by_role("button", name="Check the file").click()
    await expect(status(page)).to_have_text(
        "1 row would be refused. 4 rows read, which would give: 3 created, 1 refused."
    )
    refused = page.get_by_role("region", name="Refused lines", exact=True)
    await expect(refused.locator("tbody tr")).to_contain_text("5email: 'no address' is not an email address")
    await page.get_by_role("button", name="Start the import").click()

    await expect(page.get_by_role("heading", name="Import", exact=True)).to_be_focused()
    await expect(page).to_have_url(re.compile(r"/imports/imp_\w+$"))
    await expect(status(page)).to_have_text("Done, but 1 row was refused. 4 rows read: 3 created, 1 refused.")
    await page.get_by_role("link", name="All imports").click()
    past = page.locator("ul.imports > li")
    await expect(past.first).to_contain_text(
        re.compile("^Import of people.csv done4 rows read: 3 created, 1 refused.")
    )
    await expect(past.first).to_contain_text("with the token “")
    await expect(past.nth(1)).to_contain_text(re.compile("^Check of people.csv done"))
    assert visit.complaints == []


async def test_an_import_that_goes_on_is_stopped_in_three_clicks(visit, product, name):
    page = await begin(visit, product, rows(name, 30_000))
    await expect(page.get_by_role("progressbar", name="Rows written")).to_be_visible()
    await page.goto(f"{product.origin}/")

    for wanted in (
        page.get_by_role("link", name="Imports"),
        page.get_by_role("main").get_by_role("link", name=re.compile("^Import of")).first,
        page.get_by_role("button", name="Stop the import"),
    ):
        await wanted.click()

    await expect(status(page)).to_contain_text("The import was stopped.")
    await expect(page.get_by_role("main")).to_contain_text("Rows that were written before stay.")


async def test_an_import_is_undone_in_three_clicks_and_says_what_it_kept(visit, product, api, name):
    page = await begin(visit, product, rows(name, 3))
    await expect(status(page)).to_contain_text("3 created")
    await api.track(f"{name}-0", "opened")
    await page.goto(f"{product.origin}/")

    for wanted in (
        page.get_by_role("link", name="Imports"),
        page.get_by_role("main").get_by_role("link", name="Import of people.csv").first,
        page.get_by_role("button", name="Undo the import…"),
    ):
        await wanted.click()
    await page.set_viewport_size({"width": 390, "height": 844})
    question = page.get_by_role("dialog", name="Undo this import?")
    await expect(question).to_contain_text(
        "3 new people are erased, unless they have events or changes since."
    )
    found = [await barriers(page)]
    await question.get_by_role("button", name="Undo it").click()

    undo = page.get_by_role("region", name="Undo")
    await expect(undo).to_contain_text("The import is undone")
    await expect(undo).to_contain_text("2 people erased.")
    await expect(undo).to_contain_text("1 new person: they have events, or somebody has changed them since")
    await expect(page.get_by_role("button", name="Undo the import…")).to_have_count(0)
    found.append(await barriers(page))
    widths = [await width(page)]
    await page.get_by_role("link", name="All imports").click()
    await expect(page.locator("ul.imports > li").first).to_contain_text("undone")
    found.append(await barriers(page))
    widths.append(await width(page))
    assert found == [[], [], []]
    assert widths == [390, 390]
    assert visit.complaints == []


async def test_an_undo_shows_although_a_query_from_before_it_is_answered_late(visit, product, name):
    page = await begin(visit, product, rows(name, 1))
    await expect(status(page)).to_contain_text("1 created")

    async def answer_as_before(route: Route) -> None:
        response = await route.fetch()
        body = await response.json()
        if ((body.get("data") or {}).get("node") or {}).get("__typename") == "Import":
            body["data"]["node"]["undo"] = None
        await route.fulfill(response=response, json=body)

    await page.route("**/graphql", answer_as_before)
    await page.get_by_role("button", name="Undo the import…").click()
    await page.get_by_role("button", name="Undo it").click()

    await expect(page.get_by_role("region", name="Undo")).to_contain_text("The import is undone")


async def test_what_is_wrong_with_a_choice_is_said_before_anything_is_sent(visit, product):
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("link", name="Imports").click()

    await choose(page, "")
    await expect(page.get_by_role("main").get_by_role("alert")).to_contain_text(
        "is empty, or is not a CSV file"
    )
    await choose(page, "Town,Place\nRiga,Oslo\n")
    await page.get_by_role("button", name="Check the file").click()
    await expect(page.get_by_role("main")).to_contain_text("Say which column has the external id")
    await page.get_by_label("Place contains").select_option("City")
    await page.get_by_role("button", name="Start the import").click()

    await expect(page.get_by_role("main")).to_contain_text("Two columns have the same meaning.")
    assert [url for url in visit.requests if "/imports/" in url] == []


async def test_an_upload_that_fails_can_be_repeated(visit, product, name):
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("link", name="Imports").click()
    await choose(page, rows(name, 2))
    await page.route("**/imports/*/*", lambda route: route.abort())

    await page.get_by_role("button", name="Check the file").click()
    await expect(page.get_by_role("main")).to_contain_text("The file did not arrive. Try again.")
    await page.unroute_all()
    await page.get_by_role("button", name="Check the file").click()

    await expect(status(page)).to_contain_text("1 row would be refused.")


async def test_an_import_of_nobody_is_told(visit, product):
    visit.path = "/imports/imp_nothing"
    page = await visit.open()
    await enter(page, product.token)

    await expect(page.get_by_role("main")).to_contain_text("This import does not exist.")


async def test_a_file_is_dropped_and_checked_without_a_mouse(visit, product, name):
    page = await visit.open()
    await enter(page, product.token)
    await page.goto(f"{product.origin}/imports")
    text = rows(name, 1)
    dropped = await page.evaluate_handle(
        "text => { const data = new DataTransfer(); data.items.add(new File([text], 'dropped.csv')); return data }",
        text,
    )
    await page.locator(".drop").dispatch_event("drop", {"dataTransfer": dropped})
    await expect(page.get_by_role("main")).to_contain_text("“dropped.csv” is chosen.")

    await page.get_by_label("CSV file").focus()
    await tab_to(page, page.get_by_role("button", name="Check the file"))
    await page.keyboard.press("Enter")

    await expect(status(page)).to_contain_text("1 row would be refused.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_import(visit, product, name, scheme):
    page = await visit.open()
    await page.emulate_media(color_scheme=scheme)
    await enter(page, product.token)
    await page.get_by_role("link", name="Imports").click()
    await page.set_viewport_size({"width": 390, "height": 844})
    await choose(page, rows(name, 3))
    await page.get_by_role("button", name="Check the file").click()
    await expect(page.get_by_role("region", name="Refused lines", exact=True)).to_be_visible()
    found, widths = [await barriers(page)], [await width(page)]
    await page.get_by_role("button", name="Start the import").click()
    await expect(status(page)).to_contain_text("Done")
    found.append(await barriers(page))
    widths.append(await width(page))

    assert found == [[], []]
    assert widths == [390, 390]


async def test_the_members_of_a_segment_are_exported_and_downloaded(visit, product, api, name):
    segment = await api.segment(f"Bought {name}", f"bought_{name}")
    await api.person(name)
    await api.track(name, f"bought_{name}")
    visit.path = f"/segments/{segment}"
    page = await visit.open()
    await page.set_viewport_size({"width": 390, "height": 844})
    await enter(page, product.token)
    await page.get_by_role("link", name="Export the members to a file").click()
    await expect(page.get_by_role("main")).to_contain_text("No file yet.")

    await page.get_by_label("id", exact=True).uncheck()
    await page.get_by_label("enteredAt").uncheck()
    await page.get_by_role("button", name="Write the file").click()
    link = page.get_by_role("link", name="Download 1 row")
    await expect(link).to_be_visible()
    found = await barriers(page)
    async with page.expect_download() as download:
        await link.click()
    text = (await (await download.value).path()).read_text(encoding="utf-8")
    await page.get_by_role("button", name="Delete the file").click()

    await expect(page.get_by_role("main")).to_contain_text("No file yet.")
    assert text.splitlines() == ["externalId,email", f"{name},{name}@console.example"]
    assert found == []
    assert await width(page) == 390
