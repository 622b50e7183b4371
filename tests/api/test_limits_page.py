"""docs/limits.md is what the code says, and an error beyond a limit has the code and the number of the page."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from audience_gql.commands.limits_page import limits_page
from audience_gql.config import Settings
from tests.api.conftest import TRACK, UPSERT, Api
from tests.pages import ROOT

PAGE = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
OPERATE = (ROOT / "docs" / "howto" / "operate.md").read_text(encoding="utf-8")
ROWS = {
    cells[0]: cells[1:]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| what ")
    for cells in [[cell.strip() for cell in line[1:-1].split("|")]]
}
ISSUES = "... on InvalidInput { issues { code message } }"
SEGMENT = (
    f'mutation ($c: ConditionInput!) {{ createSegment(input: {{name: "S", condition: $c}}) {{ {ISSUES} }} }}'
)
GROUP = f"mutation ($n: String!, $d: String) {{ createGroup(input: {{name: $n, description: $d}}) {{ {ISSUES} }} }}"
ENDPOINT = f'mutation ($u: String!) {{ createWebhookEndpoint(input: {{name: "E", url: $u}}) {{ {ISSUES} }} }}'
START = f'mutation ($f: String) {{ startImport(input: {{fileName: $f, columns: [{{header: "id", to: {{profile: EXTERNAL_ID}}}}]}}) {{ {ISSUES} }} }}'
COUNTRY = {"country": {"is": "LT"}}
EVENT = {"name": "opened", "subscriber": {"externalId": "ada"}}
PAGE_OF_PAGES = (
    "{ subscribers(first: 100) { edges { node { groups(first: 100) { edges { node { id } } } } } } }"
)


def deep(levels: int) -> dict[str, Any]:
    return COUNTRY if levels == 1 else {"not": deep(levels - 1)}


def nested(levels: int) -> object:
    return 1 if levels == 0 else {"a": nested(levels - 1)}


BEYOND: list[tuple[str, str, dict[str, Any]]] = [
    ("characters of a document", "{ __typename }" + "#" * 1_000_000, {}),
    ("tokens of a document", "{ viewer { " + "name " * 3_000 + "} }", {}),
    ("aliases", "{ " + " ".join(f"a{n}: __typename" for n in range(31)) + " }", {}),
    ("levels of fields", "{ segments { edges { node " + "{ usedBy " * 11 + "{ id }" + " }" * 14, {}),
    ("objects that the response can hold", PAGE_OF_PAGES, {}),
    ("entries of a page: `first`", "{ subscribers(first: 101) { edges { cursor } } }", {}),
    ("ids in `nodes`", "query ($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": ["x"] * 101}),
    ("different words in `search`", "query ($s: String) { subscribers(search: $s) { edges { cursor } } }", {"s": "a b c d e f g h i j k"}),
    ("segments in `memberOf`", "query ($i: [ID!]!) { subscribers { edges { node { memberOf(segmentIds: $i) } } } }", {"i": ["x"] * 101}),
    ("people in `upsertSubscribers`", UPSERT.replace("rejects", f"rejects {{ code }} }} {ISSUES} #"), {"input": {"subscribers": [{}] * 1_001}}),
    ("events in `trackEvents`", TRACK.replace("rejects", f"}} {ISSUES} #"), {"input": {"events": [EVENT] * 1_001}}),
    ("characters of a text of a person, and of most other texts", UPSERT, {"input": {"subscribers": [{"externalId": "ada", "city": "x" * 1_001}]}}),
    ("characters of an event's name", TRACK, {"input": {"events": [{**EVENT, "name": "x" * 101}]}}),
    ("properties of an event", TRACK, {"input": {"events": [{**EVENT, "properties": {f"p{n}": 1 for n in range(257)}}]}}),
    ("levels of an event's properties", TRACK, {"input": {"events": [{**EVENT, "properties": nested(9)}]}}),
    ("characters of a name", GROUP, {"n": "x" * 201}),
    ("characters of a description", GROUP, {"n": "G", "d": "x" * 2_001}),
    ("levels of a condition", SEGMENT, {"c": deep(17)}),
    ("leaves of a condition", SEGMENT, {"c": {"any": [COUNTRY] * 201}}),
    ("values or ids in one list", SEGMENT, {"c": {"city": {"in": [f"c{n}" for n in range(10_001)]}}}),
    ("characters of a text", SEGMENT, {"c": {"city": {"is": "x" * 1_001}}}),
    ("days of a window", SEGMENT, {"c": {"event": {"name": "x", "within": {"last": {"days": 3_654}}}}}),
    ("people in the `sample` of a preview", f"{{ previewSegment(condition: {{all: []}}, sample: 101) {{ {ISSUES} }} }}", {}),
    ("segments in `segmentOverlap`", "query ($i: [ID!]!) { segmentOverlap(segmentIds: $i) { members } }", {"i": [f"seg_{n}" for n in range(9)]}),
    ("characters of a file's name", START, {"f": "x" * 256}),
    ("characters of an endpoint's URL", ENDPOINT, {"u": "https://example.com/" + "x" * 2_000}),
]  # fmt: skip


def test_the_checked_in_page_is_the_code_s():
    assert limits_page() == PAGE


def test_every_setting_of_the_page_is_explained_to_operators():
    named = {cells[1].strip("`") for cells in ROWS.values() if cells[1]}

    assert len(named) >= 10
    assert {name for name in named if f"`{name}`" not in OPERATE} == set()
    assert {it for it in named if it.removeprefix("AUDIENCE_").lower() not in fields_of_settings()} == set()


def fields_of_settings() -> set[str]:
    return {it.name for it in dataclasses.fields(Settings)}


@pytest.mark.parametrize(("row", "document", "variables"), BEYOND, ids=[row for row, _, _ in BEYOND])
async def test_a_refusal_has_the_code_and_the_number_of_the_page(
    api: Api, row: str, document: str, variables: dict[str, Any]
):
    most, _, beyond = ROWS[row]
    await api.upsert({"externalId": "ada"})

    result = await api.execute(document, variables)

    told = json.dumps([result.data, [error.formatted for error in result.errors or ()]])
    code = re.findall("`([A-Z_]+)`", beyond)[0]
    assert f'"code": "{code}"' in told
    assert most in told or most.replace(",", "") in told
