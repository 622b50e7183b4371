"""The playground as a visitor meets it: in Chromium, with every host but ours cut off, against the whole product."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect
from starlette.requests import Request

from audience_gql.pages import serving

ROOT = Path(__file__).parents[2]

OPERATIONS = {
    re.findall(r"^(?:query|mutation|subscription) (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)[
        0
    ]: file
    for file in sorted((ROOT / "docs/operations").glob("*.graphql"))
}

STORED = """({ title, tabs }) =>
  JSON.parse(localStorage.getItem("graphiql:tabState") ?? '{"tabs": []}').tabs.filter((it) => it.title === title).length === tabs
"""
"""Whether the browser has stored so many tabs with this title: the editor does it a while after the last change."""

pytestmark = pytest.mark.browser


async def enter(page: Page, token: str) -> None:
    await page.get_by_label("API token").fill(token)
    await page.get_by_role("button", name="Open").click()


async def run(page: Page, tab: str) -> None:
    """Choose an example, once the editor is there, and press the button beside it."""
    text = page.locator(".graphiql-query-editor .view-lines")
    await expect(text).to_contain_text("#")
    await page.get_by_role("button", name=tab, exact=True).click()
    await expect(text).to_contain_text(f" {tab} ")
    await page.locator(".graphiql-execute-button").click()


def answer(page: Page):
    return page.locator(".result-window")


async def test_a_change_arrives_after_a_mutation(visit, product):
    page = await visit.open()
    await enter(page, product.token)
    await run(page, "CreateSegment")
    await expect(answer(page)).to_contain_text('"name": "Regulars"')
    await run(page, "Live")
    await expect(answer(page)).to_contain_text('"changes": []')

    other = await visit.open()
    await enter(other, product.token)
    await run(other, "TrackOrders")
    await expect(answer(other)).to_contain_text('"accepted": 2')

    await expect(answer(page)).to_contain_text('"kind": "ENTERED"')
    await expect(answer(page)).to_contain_text('"email": "ada@playground.example"')
    await run(other, "Members")
    await expect(answer(other)).to_contain_text('"memberCount": 1')
    await expect(answer(other)).to_contain_text('"email": "ada@playground.example"')
    await run(other, "Explanation")
    await expect(answer(other)).to_contain_text('"explain": null')  # nobody has the demo's ids here
    assert visit.complaints == []
    assert {urlsplit(url).netloc for url in visit.requests} == {urlsplit(product.origin).netloc}
    assert [url for url in visit.requests if product.token in url] == []
    assert any(url.startswith("ws://") for url in visit.requests)


async def test_an_automation_is_previewed_and_created(visit, product):
    page = await visit.open()
    await enter(page, product.token)
    await write(page, 'mutation Own { createGroup(input: {name: "Thanked"}) { ... on Group { id } } }')
    await page.keyboard.press("Control+Enter")
    await expect(answer(page)).to_contain_text("grp_")
    group = re.findall(r"grp_[\w-]+", await answer(page).inner_text())[0]
    await open_tab(page, "PreviewAutomation")
    await page.get_by_role("button", name="Variables", exact=True).click()
    variables = page.locator(".graphiql-editor-tool")
    await expect(variables).to_contain_text('"segment": ""')

    await write(page, json.dumps({"automation": automation(group)}), ".graphiql-editor-tool")
    await choose(page, "PreviewAutomation")
    await expect(answer(page)).to_contain_text('When somebody enters \\"Thanked\\": track the event thanked.')
    await choose(page, "CreateAutomation")

    await expect(answer(page)).to_contain_text('"state": "ACTIVE"')
    assert visit.complaints == []


async def test_an_endpoint_is_created_and_listed(visit, product):
    page = await visit.open()
    await enter(page, product.token)
    await open_tab(page, "CreateWebhookEndpoint")

    await choose(page, "CreateWebhookEndpoint")
    await expect(answer(page)).to_contain_text('"secret": "whsec_')
    await choose(page, "Deliveries")

    await expect(answer(page)).to_contain_text('"name": "CRM"')
    await expect(answer(page)).to_contain_text('"deliveries": {')
    assert visit.complaints == []


def automation(group: str) -> dict[str, object]:
    actions = [{"trackEvent": {"name": "thanked"}}]
    return {"name": "Thank them", "trigger": {"group": group}, "actions": actions}


async def open_tab(page: Page, name: str) -> None:
    """Open one of the example tabs. While the page starts, it may go back to the first tab once."""
    text = page.locator(".graphiql-query-editor .view-lines")
    for patience in (3_000, 3_000, 30_000):
        await page.get_by_role("button", name=name, exact=True).click()
        try:
            await expect(text).to_contain_text(f"{name}(", timeout=patience)
        except AssertionError:
            if patience == 30_000:
                raise
        else:
            return


async def choose(page: Page, operation: str) -> None:
    """Run one of the operations of a document. The button has a menu once the editor has read the document."""
    await page.locator('.graphiql-execute-button[aria-haspopup="menu"]').click()
    await page.get_by_role("menuitem", name=operation).click()


async def test_a_token_is_asked_for_once_and_can_be_forgotten(visit, product):
    page = await visit.open()
    await enter(page, product.token)
    await expect(page.get_by_role("tab")).to_have_count(7)

    await page.reload()
    await expect(page.get_by_role("tab")).to_have_count(7)
    await page.get_by_role("button", name="Forget token").click()
    await page.reload()

    await expect(page.get_by_label("API token")).to_be_visible()


async def test_a_token_that_opens_nothing_is_told(visit, product):
    page = await visit.open()

    await enter(page, "agq_nobody_s")
    await expect(page.locator(".door [role=alert]")).to_have_text("This token opens nothing here.")
    await enter(page, product.token)

    await expect(page.get_by_role("tab")).to_have_count(7)


async def test_a_token_outlives_an_api_that_is_away(visit, product):
    page = await visit.open()
    await enter(page, product.token)
    await expect(page.get_by_role("tab")).to_have_count(7)

    await page.route("**/graphql", lambda route: route.abort())
    await page.reload()
    await expect(page.locator(".door [role=alert]")).to_contain_text("The API does not answer")
    await page.unroute_all()

    await expect(page.get_by_role("tab")).to_have_count(7)


async def test_a_socket_that_is_closed_is_told(visit, product):
    await visit.context.route_web_socket(
        "**/graphql", lambda socket: socket.close(code=4429, reason="Too many")
    )
    page = await visit.open()
    await enter(page, product.token)

    await run(page, "Live")

    await expect(answer(page)).to_contain_text("The socket was closed (4429): Too many")


async def test_a_refused_socket_leads_back_to_the_door(visit, product):
    await visit.context.route_web_socket("**/graphql", lambda socket: socket.close(code=4403, reason="Gone"))
    page = await visit.open()
    await enter(page, product.token)

    await run(page, "Live")

    await expect(page.locator(".door [role=alert]")).to_have_text("This token is no longer good.")


async def test_the_page_comes_by_itself_once_it_is_built(visit, tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "_BUILT", tmp_path)
    request = Request({"type": "http", "path": "/graphiql", "headers": []})
    waiting = serving.send_page(request, serving.PLAYGROUND)

    async def wait(route):
        await route.fulfill(
            status=waiting.status_code, headers=dict(waiting.headers), body=bytes(waiting.body)
        )

    await visit.context.route("**/graphiql", wait)
    page = await visit.open()
    await expect(page.get_by_role("heading")).to_have_text("The playground is not built yet")
    await visit.context.unroute_all()

    await expect(page.get_by_label("API token")).to_be_visible()
    assert all("503" in complaint for complaint in visit.complaints), visit.complaints


async def test_the_editor_knows_the_schema(visit, product):
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("button", name="Members", exact=True).click()
    editor = page.locator(".graphiql-query-editor .monaco-editor").first
    await editor.click()

    await page.keyboard.press("Control+a")
    await page.keyboard.insert_text("{ nonsense }")

    await expect(editor.locator(".squiggly-error")).to_have_count(1)
    assert visit.complaints == []


async def write(page: Page, text: str, place: str = ".graphiql-query-editor") -> None:
    editor = page.locator(f"{place} .monaco-editor").first
    await editor.click()
    await page.keyboard.press("Control+a")
    await page.keyboard.press("Delete")  # a bracket that is typed over a selection surrounds it
    await page.keyboard.insert_text(text)


async def test_a_syntax_error_is_told_in_the_api_s_words(visit, product):
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_role("button", name="Members", exact=True).click()

    await write(page, "{ segments(first: }")
    await page.keyboard.press("Control+Enter")

    await expect(answer(page)).to_contain_text("The document is not GraphQL")
    await expect(answer(page)).to_contain_text("GRAPHQL_PARSE_FAILED")
    await expect(answer(page)).not_to_contain_text("stack")


@pytest.mark.parametrize(("tab", "said"), [("Members", "Failed to fetch"), ("Live", "The socket was closed")])
async def test_an_api_that_is_away_is_told_without_a_stack(visit, product, tab, said):
    await visit.context.route_web_socket("**/graphql", lambda socket: socket.close(code=1011))
    page = await visit.open()
    await enter(page, product.token)
    await expect(page.get_by_role("tab")).to_have_count(7)
    await page.route("**/graphql", lambda route: route.abort())

    await run(page, tab)

    await expect(answer(page)).to_contain_text(said)
    await expect(answer(page)).not_to_contain_text("stack")


async def test_an_address_opens_a_documented_operation(visit, product):
    visit.path = "/graphiql?operation=Members"
    page = await visit.open()
    await enter(page, product.token)

    text = page.locator(".graphiql-query-editor .view-lines")
    await expect(text).to_contain_text("Members($segment:")
    await expect(page.locator(".graphiql-editor-tool .view-lines").first).to_contain_text('"segment": ""')
    await expect(page).to_have_url(f"{product.origin}/graphiql")
    await expect(page.get_by_role("tab", name="Members")).to_have_count(2)  # and the example of that name
    await page.wait_for_function(STORED, arg={"title": "Members", "tabs": 2})
    await page.reload()

    await expect(page.get_by_role("tab", name="Members")).to_have_count(2)
    assert visit.complaints == []


async def test_the_menu_opens_every_documented_operation(visit, product):
    page = await visit.open()
    await enter(page, product.token)
    await page.get_by_text("Operations").click()
    links = page.locator(".operations a")

    assert await links.all_inner_texts() == list(OPERATIONS)
    for name in OPERATIONS:
        await page.locator(".operations a").get_by_text(name, exact=True).click()
        await expect(page.locator(".graphiql-query-editor .view-lines")).to_contain_text(f"{name}(")
        await page.get_by_text("Operations").click()
    assert visit.complaints == []


async def test_an_operation_that_is_not_documented_is_told(visit, product):
    visit.path = "/graphiql?operation=Nonsense"
    page = await visit.open()
    await enter(page, product.token)

    text = page.locator(".graphiql-query-editor .view-lines")
    await expect(text).to_contain_text('There is no documented operation called "Nonsense"')


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("page", ["console", "playground"])
def test_the_licences_of_what_a_page_bundles_come_along(page):
    wanted = json.loads((ROOT / page / "package.json").read_text(encoding="utf-8"))["dependencies"]
    told = (ROOT / "src/audience_gql/pages/built" / page / "licenses.md").read_text(encoding="utf-8")

    assert [name for name in wanted if f"## {name} - " not in told] == []
