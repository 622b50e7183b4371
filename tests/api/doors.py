"""The ways by which a value about a person comes in: a literal, a variable, a cell of a file, the key of an event.

All of them accept the same texts and give the same result: what is stored, or why the value is refused.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from audience_gql.api.transport.wire import decode
from audience_gql.audience.imports.lifecycle import receive_file, start_import
from audience_gql.audience.imports.plans import ColumnPlan, ImportPlan
from audience_gql.audience.imports.runner import ImportRunner
from audience_gql.storage.imports import import_messages
from audience_gql.storage.reads.slices import Slice

_ANSWER: Final = "{ ... on UpsertSubscribersPayload { rejects { code message path } } }"
_READ: Final = """{ subscriber(by: {externalId: "1"}) {
  externalId email phone firstName lastName language timezone birthday country region city postalCode fields { key value }
} }"""


@dataclass(frozen=True)
class Refused:
    """A refused value, with the reason."""

    message: str


@dataclass(frozen=True)
class Spelled:
    """A value as JSON and as a CSV cell, for values whose plain text is not enough."""

    json: str
    cell: str


async def by_literal(api: Any, name: str, given: str | Spelled) -> object:
    """The result for a value of the person "1", given as a literal in the document."""
    item = f'{{externalId: "1", {_assigned(name, _json(given))}}}'
    document = f"mutation {{ upsertSubscribers(input: {{subscribers: [{item}]}}) {_ANSWER} }}"
    return await _outcome(api, name, await api.data(document))


async def by_variable(api: Any, name: str, given: str | Spelled) -> object:
    """The result for a value in the request's variables, as they come over the wire."""
    key, value = (name.partition(":")[2], _json(given)) if ":" in name else (name, _json(given))
    item = f'"fields": [{{"key": "{key}", "value": {value}}}]' if ":" in name else f'"{key}": {value}'
    variables: Any = decode(f'{{"input": {{"subscribers": [{{"externalId": "1", {item}}}]}}}}')
    document = f"mutation ($input: UpsertSubscribersInput!) {{ upsertSubscribers(input: $input) {_ANSWER} }}"
    return await _outcome(api, name, await api.data(document, **variables))


async def by_file(api: Any, name: str, given: str | Spelled) -> object:
    """The result for a value in a cell of a file."""
    kind, target = ("field", name.partition(":")[2]) if ":" in name else ("profile", name)
    columns = (
        ColumnPlan(header="id", kind="profile", target="externalId"),
        ColumnPlan(header="it", kind=kind, target=target),  # type: ignore[arg-type]  # one of the kinds
    )
    cell = given.cell if isinstance(given, Spelled) else given
    rejects = await import_rows(api, columns, [["id", "it"], ["1", cell]])
    if rejects:
        return Refused(rejects[0].partition(": ")[2])
    return await _kept(api, name)


DOORS: Final = (by_literal, by_variable, by_file)


async def import_rows(api: Any, columns: tuple[ColumnPlan, ...], rows: list[list[str]]) -> list[str]:
    """Import a file in which empty cells clear values. Returns the messages of the refused rows."""
    ports, workspace = api.services.ports, api.access.workspace
    plan = ImportPlan(columns=columns, empty_clears=True)
    made, secret = await start_import(ports=ports, workspace=workspace, plan=plan, dry_run=False)
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    content = text.getvalue().encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    await receive_file(ports=ports, import_id=made.id, secret=secret, content=pieces())
    await ImportRunner(ports).work_off(made.id)
    found = await import_messages.rejects(
        ports.database, workspace.id, made.id, Slice(100), are_notices=False
    )
    return [node.message for node in found.nodes]


def _json(given: str | Spelled) -> str:
    return given.json if isinstance(given, Spelled) else json.dumps(given)


def _assigned(name: str, literal: str) -> str:
    if ":" not in name:
        return f"{name}: {literal}"
    return f'fields: [{{key: "{name.partition(":")[2]}", value: {literal}}}]'


async def _outcome(api: Any, name: str, answer: Any) -> object:
    rejects = answer["upsertSubscribers"]["rejects"]
    if not rejects:
        return await _kept(api, name)
    where = ["fields", "0", "value"] if ":" in name else [name]
    assert rejects[0]["path"] == ["input", "subscribers", "0", *where]
    return Refused(rejects[0]["message"])


async def _kept(api: Any, name: str) -> object:
    person = (await api.data(_READ))["subscriber"]
    if ":" not in name:
        return person[name]
    return {entry["key"]: entry["value"] for entry in person["fields"]}.get(name.partition(":")[2])
