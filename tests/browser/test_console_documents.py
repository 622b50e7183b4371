"""The console sends its documents by hashes: the build has no texts, and the server of the same release knows what each hash stands for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate
from playwright.async_api import expect

from audience_gql.pages import serving
from tests.browser.console import document_of, enter, opened

pytestmark = pytest.mark.browser

CREATE_TOKEN = """mutation ($input: CreateApiTokenInput!) {
  createApiToken(input: $input) { ... on CreateApiTokenPayload { secret } }
}"""
DOCUMENT = re.compile(r"\b(query|mutation|subscription|fragment)\s+\w+\s*(\(\$|\{|on [A-Z])")
UNKNOWN = "sha256:" + "0" * 64


async def limited(ask, *scopes: str, console: bool) -> str:
    return await created(ask, *scopes, onlyTrustedDocuments=True, withConsoleDocuments=console)


async def created(ask, *scopes: str, **limits: bool) -> str:
    given = {"name": "visitor", "scopes": scopes, **limits}
    return (await ask(CREATE_TOKEN, given))["createApiToken"]["secret"]


@pytest.mark.usefixtures("pages")
def test_the_build_has_the_texts_beside_the_scripts_and_all_fit_the_schema():
    schema = build_schema((Path(__file__).parents[2] / "schema.graphql").read_text(encoding="utf-8"))
    folder = serving.built(serving.CONSOLE)
    scripts = {it.name: it.read_text(encoding="utf-8") for it in folder.rglob("*.js")}
    sent = json.loads((folder / "persisted-documents.json").read_bytes())

    assert len(scripts) > 30
    assert {name: found[0] for name, text in scripts.items() if (found := DOCUMENT.search(text))} == {}
    assert {hash_ for hash_ in sent if any(hash_ in text for text in scripts.values())} == set(sent)
    assert {text: wrong for text in sent.values() if (wrong := validate(schema, parse(text)))} == {}
    assert [text for text in sent.values() if "__schema" in text or "__type(" in text] == []
    assert all(DOCUMENT.search(text) for text in sent.values())


async def test_a_limited_token_uses_the_console_by_hashes_within_its_scopes(console, product, ask):
    sent: list[str | bytes | None] = []
    page = await console.context.new_page()

    def note(message: str | bytes | None) -> None:
        sent.append(message)  # Playwright writes into a handler, so `sent.append` cannot be one

    page.on("request", lambda it: note(it.post_data) if it.url.endswith("/graphql") else None)
    page.on("websocket", lambda socket: socket.on("framesent", note))

    await page.goto(f"{product.origin}/groups/new")
    await enter(page, await limited(ask, "READ", "WRITE", console=True))
    await page.get_by_label("Name").fill("By hash")
    await page.get_by_role("button", name="Create the group").click()
    await expect(page.get_by_role("heading", name="By hash")).to_be_visible()
    await page.goto(f"{product.origin}/administration/tokens")
    await expect(page.get_by_role("main")).to_contain_text("ADMIN")

    kinds = {document_of(it).split(" ")[0] for it in sent}
    assert {"query", "mutation", "subscription"} <= kinds
    assert console.complaints == []


async def test_the_editor_of_conditions_works_for_a_token_that_may_not_introspect(console, product, ask):
    schema = {"query": "{ __schema { types { name } } }"}
    own = {"authorization": f"Bearer {await created(ask, 'READ', 'WRITE')}"}
    page = await console.context.new_page()
    refused = await page.request.post(f"{product.origin}/graphql", headers=own, data=schema)
    await page.goto(f"{product.origin}/segments/new")
    await enter(page, await limited(ask, "READ", "WRITE", console=True))

    await page.get_by_label("Name").fill("Not introspected")
    await page.get_by_label("Kind of condition").select_option("event")
    await page.get_by_label("did name").fill("bought")
    await page.get_by_role("button", name="+ within").click()
    await page.get_by_label("did within last: how many").fill("7")
    await page.get_by_role("button", name="+ where").click()
    await page.get_by_role("button", name="+ one").click()
    await page.get_by_label("did where 1: which property").fill("total")
    await page.get_by_label("did where 1 total: comparison").select_option("number")
    await page.get_by_label("did where 1 total number: comparison").select_option("gt")
    await page.get_by_label("did where 1 total number gt").fill("20")
    await page.get_by_role("button", name="Save segment").click()

    await expect(page.get_by_role("heading", name="Not introspected")).to_be_visible()
    await expect(page.get_by_role("main")).to_contain_text("in the last 7 days")
    assert "Introspection is off for this token" in await refused.text()
    assert console.complaints == []


async def test_a_token_that_is_limited_without_the_console_is_told(console, ask):
    page = await console.open()
    await page.get_by_label("API token").fill(await limited(ask, "READ", console=False))
    await page.get_by_role("button", name="Open").click()

    await expect(page.get_by_text("and not those of the console").first).to_be_visible()


async def test_a_page_of_another_release_is_loaded_again_unless_something_would_be_lost(console, product):
    page = await opened(console, product, "/segments/new")
    await page.get_by_label("Name").fill("Unsaved")

    async def as_another_release(route):
        given = json.loads(route.request.post_data)
        await route.continue_(post_data=json.dumps({**given, "documentId": UNKNOWN}))

    await page.route("**/graphql", as_another_release)
    await page.get_by_label("Kind of condition").select_option("country")
    await page.get_by_label("country is").fill("LT")
    main = page.get_by_role("main")
    await expect(main).to_contain_text("The server has another version of this page.")
    await page.clock.install()
    await page.clock.run_for(10_000)
    await expect(page.get_by_label("Name")).to_have_value("Unsaved")

    other = await console.context.new_page()
    await other.goto(f"{product.origin}/groups")
    await enter(other, product.token)
    await other.route("**/graphql", as_another_release)
    async with other.expect_event("load"):
        await other.evaluate(
            "history.pushState(null, '', '/advice'); dispatchEvent(new PopStateEvent('popstate'))"
        )
        await expect(other.get_by_role("main")).to_contain_text(
            "The server has another version of this page."
        )
        await other.unroute_all()

    await expect(other.get_by_role("main")).to_contain_text("Advice")
    await expect(other.get_by_role("main")).not_to_contain_text("another version")
