"""Every operation of docs/api.md and then of docs/insights.md, one after the other in one workspace, answers as the pages say."""

from __future__ import annotations

import json
import re

import pytest

from tests.api.conftest import Api
from tests.pages import ROOT

PAGES = ("docs/api.md", "docs/insights.md")
NAMES = re.compile(r'"<([\w ]+)>"')
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
PAIRS = {
    page: re.findall(r"```graphql\n(.*?)```\n```json\n(.*?)```", text, re.DOTALL)
    for page, text in TEXTS.items()
}


@pytest.mark.parametrize("page", PAGES)
def test_every_operation_of_a_page_has_its_answer(page):
    assert len(PAIRS[page]) == TEXTS[page].count("```graphql") > 7


async def test_the_pages_operations_answer_as_shown(api):
    for page in PAGES:
        for document, answer in PAIRS[page]:
            answered = await api.data(await with_ids(api, document))
            assert without_ids(answered) == json.loads(await with_ids(api, answer))
            await api.fill()
            await api.tick()


async def with_ids(api: Api, document: str) -> str:
    """The page has `<Name>` in the place of a segment's id, because ids differ from installation to installation."""
    for name in set(NAMES.findall(document)):
        found = await api.data("query ($name: String!) { segment(by: {name: $name}) { id } }", name=name)
        document = document.replace(f"<{name}>", found["segment"]["id"])
    return document


def without_ids(data: object) -> object:
    """Ids of people are random: the page has dots in their place."""
    return json.loads(re.sub(r"sub_[\w-]+", "sub_…", json.dumps(data)))
