"""Exports in tests: requests them, has them written, and reads their files."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from audience_gql.api import ids
from audience_gql.api.ids import MESSAGE_IDS, Kind
from audience_gql.audience.exports.runner import ExportRunner

EXPORT = """
mutation ($input: ExportListInput!) {
  exportList(input: $input) {
    __typename
    ... on ExportListPayload { downloadUrl export { id state total rows bytes failure } }
    ... on UserError { message path }
    ... on InvalidInput { issues { code path } }
  }
}
"""
FIELD = """mutation ($key: String!, $type: CustomFieldType!) {
  defineCustomField(input: {key: $key, label: "x", type: $type}) { ... on CustomField { id } } }"""
STATE = "query ($id: ID!) { export(id: $id) { state total rows bytes failure } }"

ADA: dict[str, Any] = {
    "externalId": "ada", "email": "Ada@Example.com", "phone": "+37060000001", "firstName": "Ada", "lastName": 'O"Neil; Jr.',
    "language": "pt-BR", "timezone": "Europe/Vilnius", "birthday": "1990-03-01", "latitude": 54.6872, "longitude": -25.2797,
    "country": "LT", "region": "a\tb", "city": "São, Paulo", "postalCode": "=1+1",
    "channels": [{"channel": "EMAIL", "status": "ACTIVE"}, {"channel": "SMS", "status": "UNSUBSCRIBED"}],
    "fields": [
        {"key": "note", "value": 'first line\r\nsecond, "line"\rthird'},
        {"key": "score", "value": -12.5}, {"key": "is_vip", "value": True}, {"key": "since", "value": "2020-02-29"},
        {"key": "at", "value": "2026-01-02T03:04:05.678Z"}, {"key": "tags", "value": ["a", "b c"]}, {"key": "city", "value": "other"},
    ],
}  # fmt: skip
TYPES = {
    "note": "TEXT", "score": "NUMBER", "is_vip": "BOOLEAN", "since": "DATE", "at": "DATETIME", "tags": "LIST", "city": "TEXT",
}  # fmt: skip
ALL = [
    "id", "externalId", "email", "phone", "firstName", "lastName", "language", "timezone", "country", "region", "city", "postalCode",
    "birthday", "latitude", "longitude", "note", "score", "is_vip", "since", "at", "tags", "field:city", "EMAIL", "SMS",
    "TRANSACTIONAL_SMS", "createdAt", "updatedAt", "enteredAt",
]  # fmt: skip


def runner(api: Any, **given: Any) -> ExportRunner:
    return ExportRunner(api.services.ports, MESSAGE_IDS, **given)


def number(export_id: str) -> int:
    found = ids.number_of(Kind.EXPORT, export_id)
    assert found is not None
    return found


def of(list_id: str) -> dict[str, str]:
    return {"segmentId" if list_id.startswith("seg_") else "groupId": list_id}


async def export(api: Any, list_id: str, **given: Any) -> Any:
    """Request an export. Returns the payload."""
    wanted = {"list": of(list_id), "format": "CSV", **given}
    found = (await api.data(EXPORT, input=wanted))["exportList"]
    assert found["__typename"] == "ExportListPayload", found
    return found


async def stored(api: Any, export_id: str) -> bytes:
    """All pieces of the file of the newest attempt, in their order."""
    rows = await api.services.ports.database.fetch(
        "SELECT c.content FROM export_chunks c JOIN exports e ON e.id = c.export_id AND e.attempt = c.attempt "
        "WHERE e.id = $1 ORDER BY c.position",
        number(export_id),
    )
    return b"".join(row["content"] for row in rows)


async def written(api: Any, list_id: str, **given: Any) -> bytes:
    """Export a list. Returns the file."""
    made = (await export(api, list_id, **given))["export"]
    await runner(api).work_off(number(made["id"]))
    state = (await api.data(STATE, id=made["id"]))["export"]
    assert (state["state"], state["failure"]) == ("DONE", None)
    content = await stored(api, made["id"])
    assert state["bytes"] == len(content)
    assert state["rows"] == state["total"]
    return content


def rows_of(content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def lines_of(content: bytes) -> list[Any]:
    """The lines of an NDJSON file."""
    return [json.loads(line) for line in content.decode().split("\n")[:-1]]


async def define_fields(api: Any) -> None:
    """Define the custom fields of TYPES."""
    for key, type_ in TYPES.items():
        await api.data(FIELD, key=key, type=type_)
