"""Composes the bodies of messages from the present data of the people. Pure: it reads and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol, TypeAlias

import orjson

from audience_gql.storage.acting.deliveries import Lane, OutboxChange, Recipient
from audience_gql.storage.acting.models import WebhookEndpoint
from audience_gql.storage.engine.membership import ListKind

CHANGES_A_MESSAGE: Final = 100
MESSAGE_BYTES: Final = 20_000
"""How long a message is at most when it is formed. A single change is sent even if it is longer."""
CHANGED: Final = "audience.membership.changed"
TEST: Final = "audience.test"

MessageIdKind: TypeAlias = Literal[
    "automation", "run", "segment", "group", "subscriber", "endpoint", "lane", "message"
]
_Json: TypeAlias = dict[str, Any]  # Any: JSON

_PROFILE: Final = {
    "email": "email",
    "phone": "phone",
    "externalId": "external_id",
    "firstName": "first_name",
    "lastName": "last_name",
    "language": "language",
    "timezone": "timezone",
    "country": "country",
    "region": "region",
    "city": "city",
    "postalCode": "postal_code",
    "birthday": "birthday",
    "latitude": "latitude",
    "longitude": "longitude",
}


class MessageIds(Protocol):
    """How messages write ids. In production they are the ids of the API."""

    def encode(self, kind: MessageIdKind, *numbers: int) -> str:
        """The id of a row, by its numbers in storage. Those of a person, a run, a lane and a message begin with the bucket."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the bodies contain besides the changes themselves, as it is now."""

    people: Mapping[int, Recipient]
    """By id. Erased people are missing."""
    list_names: Mapping[tuple[ListKind, int], str]
    """Deleted lists are missing."""
    field_ids: Mapping[str, int]
    """The custom fields by key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What a message contains besides its changes."""

    automation_id: int
    automation_name: str
    lane: Lane
    after: str
    cursor: str
    formed_at: datetime


def message_body(envelope: Envelope, changes: Sequence[bytes], ids: MessageIds) -> bytes:
    """A message with these changes, which `change_body` has encoded."""
    return orjson.dumps(
        {
            "type": CHANGED,
            "timestamp": envelope.formed_at.isoformat(),
            "data": {
                "automation": {
                    "id": ids.encode("automation", envelope.automation_id),
                    "name": envelope.automation_name,
                },
                "lane": ids.encode("lane", *envelope.lane),
                "after": envelope.after,
                "cursor": envelope.cursor,
                "changes": [orjson.Fragment(change) for change in changes],
            },
        }
    )


def fitting(envelope: Envelope, changes: Sequence[bytes], ids: MessageIds) -> int:
    """How many of the changes one message can hold, at least one."""
    length = len(message_body(envelope, (), ids))
    for count, change in enumerate(changes):
        length += len(change) + 1
        if length > MESSAGE_BYTES:
            return max(count, 1)
    return len(changes)


def change_body(change: OutboxChange, bucket_id: int, known: Known, ids: MessageIds) -> bytes:
    is_segment = change.list_kind == "SEGMENT"
    return orjson.dumps(
        {
            "kind": "ENTERED" if change.entered else "LEFT",
            "list": {
                "kind": change.list_kind,
                "id": ids.encode("segment" if is_segment else "group", change.list_id),
                "name": known.list_names.get((change.list_kind, change.list_id)),
            },
            "subscriber": {
                "id": ids.encode("subscriber", bucket_id, change.subscriber_id),
                **_person(change, known),
            },
            "cause": change.cause,
            "occurredAt": change.occurred_at.isoformat(),
            "run": ids.encode("run", bucket_id, change.run_id),
        }
    )


def check_body(endpoint: WebhookEndpoint, now: datetime, ids: MessageIds) -> bytes:
    """A message with which a caller tests an endpoint."""
    tested = {"id": ids.encode("endpoint", endpoint.id), "name": endpoint.name}
    return orjson.dumps({"type": TEST, "timestamp": now.isoformat(), "data": {"endpoint": tested}})


def _person(change: OutboxChange, known: Known) -> _Json:
    person = known.people.get(change.subscriber_id)
    if person is None:
        return {"externalId": None, "email": None, "fields": {}, "isErased": True}
    return {
        "externalId": person.external_id,
        "email": person.email,
        "fields": {name: _value(person, name, known) for name in change.fields},
        "isErased": False,
    }


def _value(person: Recipient, name: str, known: Known) -> Any:  # Any: JSON of the field's type
    """None for a person without a value, and for a custom field that was deleted."""
    if name in _PROFILE:
        return getattr(person, _PROFILE[name])
    return person.fields.get(str(known.field_ids.get(name)))
