"""The mutation that tells everything that is held about one person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final, TypeAlias

import strawberry
from strawberry.scalars import JSON

from audience_gql.api import ids
from audience_gql.api.context import Info
from audience_gql.api.failures import NotFound
from audience_gql.api.ids import Kind
from audience_gql.api.keys import SubscriberKey, subscriber_key
from audience_gql.api.viewer import Scope
from audience_gql.audience.people.disclosure import Disclosure, disclose_person
from audience_gql.conditions.values import instant_text

_KINDS: Final[Mapping[str, Kind]] = {
    "field_id": Kind.CUSTOM_FIELD,
    "group_id": Kind.GROUP,
    "segment_id": Kind.SEGMENT,
    "automation_id": Kind.AUTOMATION,
    "endpoint_id": Kind.WEBHOOK_ENDPOINT,
    "import_id": Kind.IMPORT,
}


@strawberry.input(description="A person whose data somebody asks for.")
class ExportSubscriberInput:
    subscriber: SubscriberKey = strawberry.field(description="The person.")


@strawberry.type(description="Everything that is held about one person, read at one instant.")
class ExportSubscriberPayload:
    data: JSON = strawberry.field(
        description="An object with the keys `id`, `at` (when it was read), `profile`, `fields`, `channels`, `groups`, `segments`, `events`, "
        "`eventKeys`, `membershipChanges`, `automationRuns`, `webhookChanges` (what was sent about them, where, and in which state), "
        "`importEffects`, `importRejects` and `importsQuoting` (what imports changed, which rows they refused, and which of them quote a key in their failure or file name), and `disclosures` (when this "
        "was asked before, and by whom). All but the first three are lists, the oldest first."
    )


ExportSubscriberResult: TypeAlias = Annotated[
    ExportSubscriberPayload | NotFound,
    strawberry.union(
        "ExportSubscriberResult",
        description="Everything about the person, or NotFound when there is no such person.",
    ),
]


@strawberry.type
class DisclosureMutation:
    @strawberry.mutation(
        description="Tells everything that is held about one person, to answer a person who asks for their data. It changes nothing about them. It is a "
        "mutation because it leaves an entry in the audit trail. It needs the scope ADMIN. A person with more than 100,000 events, or changes of "
        "memberships, is the error COST_LIMIT.",
        graphql_type=ExportSubscriberResult,
        metadata={"scope": Scope.ADMIN},
    )
    @staticmethod
    async def export_subscriber(
        info: Info,
        wanted: Annotated[
            ExportSubscriberInput, strawberry.argument(name="input", description="The person.")
        ],
    ) -> ExportSubscriberPayload:
        found = await disclose_person(
            ports=info.context.ports,
            heavy_ports=info.context.heavy_ports,
            workspace=info.context.workspace,
            subscriber=subscriber_key(wanted.subscriber),
        )
        return ExportSubscriberPayload(data=_shown(found))  # type: ignore[arg-type]  # JSON is a type of any value


def _shown(found: Disclosure) -> dict[str, object]:
    profile = {name: value for name, value in found.profile.items() if name != "id"}
    return {
        "id": ids.subscriber_id((found.owner.bucket_id, found.owner.id)),
        "at": instant_text(found.at),
        "profile": _row(profile),
        **{_name(name): [_row(row) for row in rows] for name, rows in found.sections.items()},
        "importRejects": [
            {
                "importId": ids.encode(Kind.IMPORT, reject.import_id),
                "line": reject.line,
                "message": ids.with_people(reject.message, reject.people),
                "isNotice": reject.is_notice,
            }
            for reject in found.rejects
        ],
    }


def _row(row: Mapping[str, Any]) -> dict[str, object]:  # Any: the columns' own types
    shown: dict[str, object] = {}
    for name, value in row.items():
        match name:
            case "list_id":
                shown["listId"] = ids.encode(
                    Kind.SEGMENT if row["list_kind"] == "SEGMENT" else Kind.GROUP, value
                )
            case "changes":
                shown[name] = _changes(value)
            case "joined_group_ids":
                shown["joinedGroupIds"] = [ids.encode(Kind.GROUP, number) for number in value]
            case _:
                shown[_name(name)] = ids.encode(_KINDS[name], value) if name in _KINDS else _value(value)
    return shown


def _changes(changes: Mapping[str, Any]) -> dict[str, object]:  # Any: what audience.imports.effects writes
    """What an import changed, before and after, with opaque ids."""
    spelled: dict[str, object] = dict(changes)
    if "left" in changes:
        spelled["leftGroupIds"] = [ids.encode(Kind.GROUP, number) for number in changes["left"]]
        del spelled["left"]
    if "fields" in changes:
        spelled["fields"] = {
            ids.encode(Kind.CUSTOM_FIELD, int(key)): both for key, both in changes["fields"].items()
        }
    if "columns" in changes:
        spelled["profile"] = {_name(column): both for column, both in changes["columns"].items()}
        del spelled["columns"]
    return spelled


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return instant_text(value)
    return value.isoformat() if isinstance(value, date) else value


def _name(column: str) -> str:
    """The name of a column in the API."""
    first, *others = column.split("_")
    return first + "".join(map(str.capitalize, others))
