"""Shows the portraits of the audit trail with opaque ids, also of what is deleted by now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from audience_gql.api import ids
from audience_gql.api.acting.automations import with_opaque_ids
from audience_gql.api.ids import OPAQUE_IDS, Kind
from audience_gql.conditions.input.respelling import respelled
from audience_gql.storage.trail import EntryRecord

Json = Mapping[str, Any]  # Any: JSON
_KINDS: Final[Mapping[str, Kind]] = {
    "SEGMENT": Kind.SEGMENT,
    "GROUP": Kind.GROUP,
    "CUSTOM_FIELD": Kind.CUSTOM_FIELD,
    "AUTOMATION": Kind.AUTOMATION,
    "WEBHOOK": Kind.WEBHOOK_ENDPOINT,
    "API_TOKEN": Kind.API_TOKEN,
    "TRUSTED_DOCUMENT": Kind.TRUSTED_DOCUMENT,
    "IMPORT": Kind.IMPORT,
    "EXPORT": Kind.EXPORT,
    "SUBSCRIBER": Kind.SUBSCRIBER,
    "WORKSPACE": Kind.WORKSPACE,
}
"""What an entry is about, by the first words of its kind."""


def object_id(entry: EntryRecord) -> str:
    """The id of what the entry is about."""
    kind = next(kind for words, kind in _KINDS.items() if entry.kind.startswith(f"{words}_"))
    if entry.object_bucket is not None:
        return ids.encode(kind, entry.object_bucket, entry.object_id)
    return ids.encode(kind, entry.object_id)


def shown(portrait: Json | None) -> Json | None:
    """A portrait as clients see it."""
    return None if portrait is None else {name: _part(name, part) for name, part in portrait.items()}


def _part(name: str, part: Any) -> object:  # Any: JSON
    match name:
        case "condition" | "onlyIf":
            return respelled(part, OPAQUE_IDS)
        case "actions":
            return [with_opaque_ids(action) for action in part]
        case "trigger" | "list":
            return {key: ids.encode(_list_kind(key), number) for key, number in part.items()}
        case "addToGroupIds":
            return [ids.encode(Kind.GROUP, number) for number in part]
    return part


def _list_kind(key: str) -> Kind:
    return Kind.GROUP if key.startswith("group") else Kind.SEGMENT
