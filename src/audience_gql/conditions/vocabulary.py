"""What the conditions of one workspace may name, and how they write the ids of groups and segments."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

FieldType: TypeAlias = Literal["TEXT", "NUMBER", "BOOLEAN", "DATE", "DATETIME", "LIST"]
IdKind: TypeAlias = Literal["group", "segment"]

CREATED_DATE: Final = 1
UPDATED_DATE: Final = 2
BIRTHDAY_DATE: Final = 3
"""Under which a person's own dates are kept; custom fields go by their own ids, which are larger."""

CHANNELS: Final = {
    "EMAIL": "Marketing by email.",
    "TRANSACTIONAL_EMAIL": "Email about something that the person did.",
    "SMS": "Marketing by text message.",
    "TRANSACTIONAL_SMS": "Text messages about something that the person did.",
}
CHANNEL_STATUSES: Final = {
    "ACTIVE": "She wants to be reached.",
    "UNCONFIRMED": "She was asked and has not said yet.",
    "UNSUBSCRIBED": "She does not want to be reached.",
    "BOUNCED": "Messages came back.",
    "SPAM_REPORTED": "She called a message spam.",
}
"""What they mean, by name."""

_MAX_ID: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRef:
    """A custom field, as far as conditions care."""

    id: int
    key: str
    type: FieldType


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """A workspace's own words.

    An event name that is not among `event_names` is allowed: nobody has such an event yet.
    """

    fields: Mapping[str, FieldRef]
    group_ids: Container[int]
    segment_ids: Container[int]
    event_names: Mapping[str, int]
    timezone: str
    paused_segment_ids: Container[int] = frozenset()
    """Segments that may not be named anew."""


class IdCodec(Protocol):
    """How ids are written in a condition: opaque towards clients, plain in storage."""

    def encode(self, kind: IdKind, id: int) -> str:  # noqa: A002  # the word for it
        ...

    def decode(self, kind: IdKind, text: str) -> int | None:
        """The id, or None for a text that is none."""
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
"""Numbers as they are: the form of storage."""
