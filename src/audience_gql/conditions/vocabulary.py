"""The names that a workspace's conditions may use, and how conditions write the ids of groups and segments."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from audience_gql.conditions.periods import DEFAULT_WEEK_START, WeekStart

FieldType: TypeAlias = Literal["TEXT", "NUMBER", "BOOLEAN", "DATE", "DATETIME", "LIST"]
IdKind: TypeAlias = Literal["group", "segment"]

CREATED_DATE: Final = 1
UPDATED_DATE: Final = 2
BIRTHDAY_DATE: Final = 3
"""The field id of the birthday in subscriber_dates. Ids of custom fields are larger."""

CHANNELS: Final = {
    "EMAIL": "Marketing by email.",
    "TRANSACTIONAL_EMAIL": "Emails about an action of the person, such as a receipt.",
    "SMS": "Marketing by text message.",
    "TRANSACTIONAL_SMS": "Text messages about an action of the person, such as a receipt.",
}
CHANNEL_STATUSES: Final = {
    "ACTIVE": "The person agreed to receive messages.",
    "UNCONFIRMED": "The person was asked and has not answered yet.",
    "UNSUBSCRIBED": "The person does not want messages.",
    "BOUNCED": "Messages could not be delivered.",
    "SPAM_REPORTED": "The person reported a message as spam.",
}
"""The meaning of each status, by name."""

_MAX_ID: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRef:
    """The parts of a custom field that conditions need."""

    id: int
    key: str
    type: FieldType


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRef:
    """The parts of a group or a segment that conditions need."""

    id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What the conditions of one workspace may refer to.

    A condition may use an event name that is not in `event_names`: nobody has such an event yet.
    """

    fields: Mapping[str, FieldRef]
    group_ids: Container[int]
    segment_ids: Container[int]
    event_names: Mapping[str, int]
    timezone: str
    week_start: WeekStart = DEFAULT_WEEK_START
    paused_segment_ids: Container[int] = frozenset()
    """Segments that a new condition may not name."""
    groups_by_name: Mapping[str, ListRef] = field(default_factory=dict)
    """Groups by their folded names, which a new condition may use instead of ids."""
    segments_by_name: Mapping[str, ListRef] = field(default_factory=dict)
    """The same for segments."""
    country_problem: Callable[[str], str | None] | None = None
    """Says what is wrong with a country that a new condition compares with. None for stored conditions, which are not checked again."""


class SegmentAt(NamedTuple):
    """A segment's verdict that a condition reads: the verdict of now, or the one that the clock alone brings about `later`."""

    id: int
    later: timedelta = timedelta()


class IdCodec(Protocol):
    """How conditions write ids: opaque for clients, plain numbers in storage."""

    def encode(self, kind: IdKind, id: int) -> str:  # noqa: A002  # the usual word
        ...

    def decode(self, kind: IdKind, text: str) -> int | None:
        """The id, or None when the text is no id of this kind."""
        ...


class _PlainIds:
    def encode(self, kind: IdKind, id: int) -> str:  # noqa: A002, ARG002  # the protocol's
        return str(id)

    def decode(self, kind: IdKind, text: str) -> int | None:  # noqa: ARG002  # the protocol's
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_ID))):
            return None
        number = int(text)
        return number if number <= _MAX_ID else None


PLAIN_IDS: Final[IdCodec] = _PlainIds()
"""Ids as plain numbers, as storage writes them."""
