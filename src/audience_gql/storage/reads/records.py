"""The rows that reads return: the attributes of a model without the ORM's machinery, and functions that make them from driver rows.

A list can have many people, so a person is the driver's own row, and so are an event and the status of a channel. Definitions (groups, segments, custom fields) are few, so reads return them
as model instances. A read of `columns` returns rows that have only these; None stands for all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, Final, Literal, TypeAlias, TypeVar

import asyncpg

from audience_gql.storage.log import LoggedChange
from audience_gql.storage.orm.models import ApiToken, CustomField, Group, Segment
from audience_gql.storage.people import facts

Definition = TypeVar("Definition", ApiToken, CustomField, Group, Segment)
Owner: TypeAlias = facts.Owner
"""A person: (bucket id, subscriber id)."""
Identity: TypeAlias = facts.Identity
"""A key of a person: (kind, folded value)."""
Columns: TypeAlias = frozenset[str] | None
"""The columns of the rows that a read returns; None for all."""
EventKey: TypeAlias = tuple[int, int, int, datetime, int]
"""An event: (bucket id, subscriber id, name id, instant, event id)."""
ChangeKey: TypeAlias = tuple[int, int]
"""A change in the log: (bucket id, sequence)."""
State: TypeAlias = Literal["COMPUTING", "READY", "FAILED", "PAUSED"]


class SubscriberRecord(asyncpg.Record):
    """A person: the driver's row, whose columns are attributes. To read a column that the statement did not select raises KeyError."""

    __slots__ = ()

    bucket_id: int
    id: int
    email: str | None
    phone: str | None
    external_id: str | None
    first_name: str | None
    last_name: str | None
    language: str | None
    timezone: str | None
    birthday: date | None
    latitude: float | None
    longitude: float | None
    country: str | None
    region: str | None
    city: str | None
    postal_code: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def owner(self) -> Owner:
        return self["bucket_id"], self["id"]

    @property
    def fields(self) -> dict[str, Any]:  # Any: custom field id → JSON value of its type
        decoded: dict[str, Any] = json.loads(self["fields"])
        return decoded


class ChannelRecord(asyncpg.Record):
    """The status of a person's channel: the driver's row, as for a person."""

    __slots__ = ()

    bucket_id: int
    subscriber_id: int
    channel: str
    status: str
    changed_at: datetime
    reason: str | None


class EventRecord(asyncpg.Record):
    """Something that a person did: the driver's row, as for a person."""

    __slots__ = ()

    bucket_id: int
    subscriber_id: int
    name_id: int
    occurred_at: datetime
    id: int
    name: str
    value: Decimal | None

    @property
    def properties(self) -> dict[str, Any]:  # Any: the event's own JSON
        decoded: dict[str, Any] = json.loads(self["properties"])
        return decoded

    @property
    def key(self) -> EventKey:
        return self.bucket_id, self.subscriber_id, self.name_id, self.occurred_at, self.id


for _record in (SubscriberRecord, ChannelRecord, EventRecord):
    for _column in _record.__annotations__:
        setattr(_record, _column, property(itemgetter(_column)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFigures:
    """A segment's state and number of members over all buckets."""

    state: State
    members: int


FIGURES: Final = frozenset(SegmentFigures.__dataclass_fields__)
"""A read of segments whose columns name one of these reads the figures, too."""


_KEPT: Final = 1_000
"""How many lists of columns are kept. Clients decide which ones there are."""
COLUMNS: Final = {
    SubscriberRecord: (*SubscriberRecord.__annotations__, "fields"),
    ChannelRecord: (*ChannelRecord.__annotations__,),
    EventRecord: (*EventRecord.__annotations__, "properties"),
    LoggedChange: (*LoggedChange.__dataclass_fields__,),
}
"""The columns of each record."""
PERSON: Final = frozenset(COLUMNS[SubscriberRecord])
ID: Final = frozenset({"id"})
OWNER: Final = frozenset({"bucket_id", "id"})
"""The columns that name a person."""


@lru_cache(_KEPT)
def columns_of(
    record: type[SubscriberRecord | ChannelRecord | LoggedChange], alias: str, columns: Columns = None
) -> str:
    """Those of these columns that a record has, for a SELECT from a table with this alias."""
    return _selected(alias, COLUMNS[record], columns)


@cache
def known_columns(model: type[Definition]) -> tuple[str, ...]:
    """The columns of a model."""
    return tuple(model._meta.fields_db_projection.values())  # noqa: SLF001  # the ORM's own


@lru_cache(_KEPT)
def definition_columns(model: type[Definition], alias: str, columns: Columns) -> str:
    """The id, and those of these columns that a model has."""
    return _selected(alias, known_columns(model), None if columns is None else columns | {"id"})


def _selected(alias: str, known: Collection[str], columns: Columns) -> str:
    return (
        ", ".join(f"{alias}.{name}" for name in known if columns is None or name in columns) or f"{alias}.id"
    )


EVENT_COLUMNS: Final = (
    "e.bucket_id, e.subscriber_id, e.name_id, e.occurred_at, e.id, n.name, e.value, e.properties"
)
SEGMENT_STATE: Final = (
    "CASE WHEN s.is_paused THEN 'PAUSED' WHEN s.failure IS NOT NULL THEN 'FAILED' "
    "WHEN bool_and(coalesce(t.generation = s.generation AND (t.filled_to IS NULL OR t.fill_cause = 'REPAIR'), false)) "
    "THEN 'READY' ELSE 'COMPUTING' END"
)
"""The state of a segment `s`, grouped over its states `t` in every bucket. A segment stays READY during a recompute, because its members
stay correct."""

FROM_SEGMENTS_AND_STATES: Final = (
    "FROM segments s LEFT JOIN buckets b ON b.workspace_id = s.workspace_id "
    "LEFT JOIN segment_states t ON t.bucket_id = b.id AND t.segment_id = s.id"
)
GROUP_MARKS: Final = (
    "SELECT d.ref AS group_id, sum(CASE d.kind WHEN 'group_joined' THEN 1 ELSE -1 END) AS members "
    "FROM buckets b JOIN dirty d ON d.bucket_id = b.id WHERE b.workspace_id = $1 AND d.kind IN ('group_joined', 'group_left')"
)
"""How many people joined groups since the last tick; without its GROUP BY."""


def figures_of(row: asyncpg.Record) -> SegmentFigures:
    return SegmentFigures(state=row["state"], members=row["members"])


def change_of(row: asyncpg.Record) -> LoggedChange:
    return LoggedChange(**{name: row[name] for name in LoggedChange.__dataclass_fields__})


def definition_of(model: type[Definition], row: asyncpg.Record) -> Definition:
    """A model instance from a driver row. The row may lack columns of the model, and may have others.

    The ORM's own way takes five times as long for a row without some of the columns.
    """
    made = model.__new__(model)
    attributes, readers = vars(made), _readers(model)
    for column, value in row.items():
        found = readers.get(column)
        if found is not None:
            name, read = found
            attributes[name] = value if value is None or read is None else read(value)
    attributes["_partial"] = len(attributes) < len(readers)
    attributes["_saved_in_db"] = True
    attributes["_custom_generated_pk"] = True  # we give all ids ourselves
    attributes["_await_when_save"] = {}
    return made


@cache
def _readers(
    model: type[Definition],
) -> Mapping[str, tuple[str, Callable[[Any], object] | None]]:  # Any: the driver's own types
    """By column: the model's attribute, and what reads the driver's value; None for a value that stays as it is."""
    meta: Any = model._meta  # noqa: SLF001  # the ORM's own
    return {
        **{column: (name, None) for column, name, _ in meta.db_native_fields},
        **{column: (name, field.field_type) for column, name, field in meta.db_default_fields},
        **{column: (name, field.to_python_value) for column, name, field in meta.db_complex_fields},
    }


def definitions_of(model: type[Definition]) -> Callable[[asyncpg.Record], Definition]:
    """As `definition_of`, for the rows of one statement: the same definition in several rows becomes one instance."""
    made: dict[int, Definition] = {}

    def definition(row: asyncpg.Record) -> Definition:
        found = made.get(row["id"])
        if found is None:
            found = made[row["id"]] = definition_of(model, row)
        return found

    return definition
