"""What an answer reads of single rows: the row that a key names, and what is computed for a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from audience_gql.storage.orm.models import Group, Segment
from audience_gql.storage.reads.composed.pieces import Computed
from audience_gql.storage.reads.composed.sources import Names, Rows, RowsSource, Table, ValueSource
from audience_gql.storage.reads.records import (
    COLUMNS,
    FROM_SEGMENTS_AND_STATES,
    GROUP_MARKS,
    ID,
    OWNER,
    PERSON,
    SEGMENT_STATE,
    ChannelRecord,
    Columns,
    SubscriberRecord,
    columns_of,
    definition_columns,
    known_columns,
)


def _definition(model: type[Segment | Group], key: str) -> Table:
    def write(columns: Columns) -> str:
        selected = definition_columns(model, "d", columns)
        return f"SELECT {selected} FROM {model.Meta.table} d WHERE d.workspace_id = $1 AND d.{key} = {{}}"

    return Table(known=frozenset(known_columns(model)), write=write)


def _person_by_owner(columns: Columns) -> str:
    return (
        f"SELECT {columns_of(SubscriberRecord, 's', columns)} FROM buckets b JOIN subscribers s ON s.bucket_id = b.id "
        "WHERE b.workspace_id = $1 AND b.id = {} AND s.id = {}"
    )


def _person_by_identity(columns: Columns) -> str:
    return (
        f"SELECT {columns_of(SubscriberRecord, 's', columns)} FROM identities i "
        "JOIN subscribers s ON s.bucket_id = i.bucket_id AND s.id = i.subscriber_id "
        "WHERE i.workspace_id = $1 AND i.kind = {} AND i.value = {}"
    )


SEGMENT_BY_ID: Final = _definition(Segment, "id")
SEGMENT_BY_NAME: Final = _definition(Segment, "name_folded")
GROUP_BY_ID: Final = _definition(Group, "id")
GROUP_BY_NAME: Final = _definition(Group, "name_folded")
PERSON_BY_OWNER: Final = Table(known=PERSON, write=_person_by_owner)
PERSON_BY_IDENTITY: Final = Table(known=PERSON, write=_person_by_identity)


def _channels(columns: Names, person: str) -> str:
    return (
        f"SELECT {columns_of(ChannelRecord, 'c', columns)} FROM channel_states c "
        f"WHERE c.bucket_id = {person}.bucket_id AND c.subscriber_id = {person}.id ORDER BY c.channel"
    )


def _fields(_: Names, person: str) -> str:
    return (
        f"SELECT d.key, {person}.fields -> d.id::text AS value FROM custom_fields d "
        f"WHERE d.workspace_id = $1 AND {person}.fields ? d.id::text ORDER BY d.key"
    )


def _field(person: str, values: Sequence[str]) -> str:
    (key,) = values
    return f"{person}.fields -> (SELECT d.id::text FROM custom_fields d WHERE d.workspace_id = $1 AND d.key = {key})"


CHANNELS: Final = RowsSource(Rows(known=frozenset(COLUMNS[ChannelRecord]), of=OWNER, write=_channels))
FIELDS: Final = RowsSource(Rows(known=frozenset({"key", "value"}), of=frozenset({"fields"}), write=_fields))


def field_with(key: str) -> ValueSource:
    """A person's value in the custom field with this key."""
    return ValueSource(frozenset({"fields"}), _field, (key,))


def _figure(expression: str) -> Computed:
    """A figure of a segment over all buckets."""
    return Computed(
        ID,
        lambda row: (
            f"(SELECT {expression} {FROM_SEGMENTS_AND_STATES} WHERE s.workspace_id = $1 AND s.id = {row}.id GROUP BY s.id)"
        ),
    )


SEGMENT_STATE_NOW: Final = _figure(SEGMENT_STATE)
SEGMENT_MEMBERS_NOW: Final = _figure("coalesce(sum(t.members), 0)::bigint")


def _group_members(row: str) -> str:
    counted = (
        "SELECT sum(t.members) FROM buckets b JOIN group_states t ON t.bucket_id = b.id "
        f"WHERE b.workspace_id = $1 AND t.group_id = {row}.id"
    )
    marked = f"SELECT j.members FROM joined j WHERE j.group_id = {row}.id"
    return f"(coalesce(({counted}), 0) + coalesce(({marked}), 0))::bigint"


GROUP_MEMBERS_NOW: Final = Computed(ID, _group_members, beside=("joined", f"{GROUP_MARKS} GROUP BY d.ref"))
