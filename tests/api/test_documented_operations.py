"""Every operation of docs/api.md, one after the other in one workspace, answers as the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import audience_gql
from tests.api.conftest import Api

PAGE = (Path(audience_gql.__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
NAMES = re.compile(r'"<(\w+)>"')
PAIRS = re.findall(r"```graphql\n(.*?)```\n```json\n(.*?)```", PAGE, re.DOTALL)


async def test_the_page_s_operations_answer_as_shown(api):
    assert len(PAIRS) == PAGE.count("```graphql") > 7

    for document, answer in PAIRS:
        assert without_ids(await api.data(await with_ids(api, document))) == json.loads(answer)


async def with_ids(api: Api, document: str) -> str:
    """The page has `<Name>` in the place of a segment's id, because ids differ from installation to installation."""
    for name in set(NAMES.findall(document)):
        found = await api.data("query ($name: String!) { segment(by: {name: $name}) { id } }", name=name)
        document = document.replace(f"<{name}>", found["segment"]["id"])
    return document


def without_ids(data: object) -> object:
    """Ids of people are random: the page has dots in their place."""
    return json.loads(re.sub(r"sub_[\w-]+", "sub_…", json.dumps(data)))
