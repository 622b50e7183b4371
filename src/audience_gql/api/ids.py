"""Opaque ids: a word for the kind of row, an underscore, and the row's numbers in base64.

Only this module converts between ids of the API and numbers of storage. An id has exactly one spelling; other texts are not ids.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from audience_gql.audience.webhooks.messages import MessageIdKind
from audience_gql.conditions.vocabulary import IdKind
from audience_gql.storage.acting.delivery_pages import DeliveryKey, DeliveryRecord
from audience_gql.storage.acting.models import Automation, WebhookEndpoint
from audience_gql.storage.acting.pages import RunKey, RunRecord
from audience_gql.storage.exports import ExportRecord
from audience_gql.storage.imports.import_messages import RejectKey, RejectRecord
from audience_gql.storage.imports.imports import ImportRecord
from audience_gql.storage.log import LoggedChange
from audience_gql.storage.orm.models import ApiToken, CustomField, Group, Segment, Workspace
from audience_gql.storage.reads.composed.pieces import Id
from audience_gql.storage.reads.records import ChangeKey, EventKey, EventRecord, Owner, SubscriberRecord
from audience_gql.storage.trail import EntryRecord, RevisionRecord
from audience_gql.storage.trusted_documents import DocumentRecord

_LARGEST: Final = 2**63 - 1
_DAWN: Final = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MORE: Final = 0x80
_TWO_MORE: Final = 0x3FFF
_BYTE_PAIRS: Final = [bytes((pair & (_MORE - 1) | _MORE, pair >> 7 | _MORE)) for pair in range(_TWO_MORE + 1)]
"""Two bytes of a number that continues after them, by the 14 bits that they hold."""
_USUAL_LENGTH: Final = 40
"""More characters than an id with one number has."""
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class Kind(StrEnum):
    """The kinds of rows that have ids. The value is the word before the underscore."""

    SUBSCRIBER = "sub"
    GROUP = "grp"
    SEGMENT = "seg"
    CUSTOM_FIELD = "fld"
    EVENT = "evt"
    MEMBERSHIP_CHANGE = "chg"
    WORKSPACE = "wsp"
    IMPORT = "imp"
    IMPORT_ROW = "row"
    EXPORT = "exp"
    AUTOMATION = "aut"
    AUTOMATION_RUN = "run"
    WEBHOOK_ENDPOINT = "hook"
    WEBHOOK_DELIVERY = "dlv"
    AUDIT_ENTRY = "aud"
    SEGMENT_REVISION = "rev"
    TRUSTED_DOCUMENT = "doc"
    API_TOKEN = "tok"  # noqa: S105  # the word for a kind of id


_LENGTHS: Final = {
    Kind.SUBSCRIBER: 2,
    Kind.MEMBERSHIP_CHANGE: 2,
    Kind.IMPORT_ROW: 2,
    Kind.AUTOMATION_RUN: 2,
    Kind.WEBHOOK_DELIVERY: 2,
    Kind.EVENT: 5,
}


def encode(kind: Kind, *numbers: int) -> str:
    return _spelled(kind, numbers)


def decode(kind: Kind, text: str) -> tuple[int, ...] | None:
    """The numbers in an id of this kind; None for any text that `encode` never returns."""
    return _read(kind, _LENGTHS.get(kind, 1), text)


def kind_of(text: str) -> Kind | None:
    """The kind that a text names with its first word; None for any other word. The rest of the text is not checked."""
    word = text.partition("_")[0]
    return Kind(word) if word in list(Kind) else None


def number_of(kind: Kind, text: str) -> int | None:
    """The number in an id of a kind with one number; None if the text is not such an id."""
    if len(text) > _USUAL_LENGTH:  # it is none of ours, and would fill the memory of those that are
        return None
    word, number = _definition_number(text)
    return number if word == kind else None


def ids_of(rows: Sequence[object]) -> list[str]:
    """The id of each of these rows, which are of one type. Raises TypeError for rows without ids."""
    if not rows:
        return []
    of_type = _ID_OF.get(type(rows[0]))
    if of_type is None:
        raise TypeError(f"{type(rows[0]).__name__} has no id")
    return [*map(of_type, rows)]


def id_of(row: object) -> str:
    """The id of a row. Raises TypeError for a row without ids."""
    return ids_of([row])[0]


@lru_cache(maxsize=4096)
def _definition_number(text: str) -> tuple[str, int | None]:
    """The first word of an id, and its only number; None for a text that is no such id. Pages ask for the same definitions again and again."""
    word = text.partition("_")[0]
    numbers = _read(word, 1, text)
    return word, numbers[0] if numbers else None


@lru_cache(maxsize=4096)
def _definition_id(kind: Kind, number: int) -> str:
    """Definitions are few, and lists repeat them."""
    return encode(kind, number)


def _definition(kind: Kind) -> Callable[[Any], str]:  # Any: a row with a number
    return lambda row: _definition_id(kind, row.id)


def _subscriber_id(row: SubscriberRecord) -> str:
    return _spelled("sub", (row["bucket_id"], row["id"]))


def _event_id(row: EventRecord) -> str:
    return event_id(row.key)


_ID_OF: Final[Mapping[type, Callable[[Any], str]]] = {  # Any: a row of the type
    SubscriberRecord: _subscriber_id,
    EventRecord: _event_id,
    LoggedChange: lambda row: encode(Kind.MEMBERSHIP_CHANGE, row.bucket_id, row.sequence),
    RunRecord: lambda row: encode(Kind.AUTOMATION_RUN, row.bucket_id, row.id),
    DeliveryRecord: lambda row: encode(Kind.WEBHOOK_DELIVERY, row.bucket_id, row.id),
    RejectRecord: lambda row: encode(Kind.IMPORT_ROW, row.import_id, row.line),
    ImportRecord: lambda row: encode(Kind.IMPORT, row.id),
    ExportRecord: lambda row: encode(Kind.EXPORT, row.id),
    EntryRecord: lambda row: encode(Kind.AUDIT_ENTRY, row.id),
    RevisionRecord: lambda row: encode(Kind.SEGMENT_REVISION, row.id),
    DocumentRecord: lambda row: encode(Kind.TRUSTED_DOCUMENT, row.id),
    Group: _definition(Kind.GROUP),
    Segment: _definition(Kind.SEGMENT),
    CustomField: _definition(Kind.CUSTOM_FIELD),
    Workspace: _definition(Kind.WORKSPACE),
    Automation: _definition(Kind.AUTOMATION),
    WebhookEndpoint: _definition(Kind.WEBHOOK_ENDPOINT),
    ApiToken: _definition(Kind.API_TOKEN),
}


_COLUMNS: Final = {
    "Subscriber": ("bucket_id", "id"),
    "Group": ("id",),
    "Segment": ("id",),
    "CustomField": ("id",),
}
"""The numbers of the ids of a type, as columns of its rows."""


def written_id(type_name: str) -> Id:
    """How a statement writes the id of a row of this type. Raises KeyError for a type whose rows no statement writes."""
    return Id(Kind[re.sub(r"(?<!^)(?=[A-Z])", "_", type_name).upper()], _COLUMNS[type_name])


@lru_cache(maxsize=4096)
def id_of_mark(mark: str) -> str:
    """The id whose word and numbers a statement has written between marks."""
    word, *numbers = mark.split(",")
    return _spelled(word, map(int, numbers))


def subscriber_id(owner: Owner) -> str:
    """The id of a person, who may be erased."""
    return encode(Kind.SUBSCRIBER, *owner)


def with_people(message: str, people: Iterable[Owner]) -> str:
    """The message, with the ids of these people in place of {0}, {1} and so on."""
    for position, owner in enumerate(people):
        message = message.replace(f"{{{position}}}", subscriber_id(owner))
    return message


def owner_of(text: str) -> Owner | None:
    match decode(Kind.SUBSCRIBER, text):
        case (bucket_id, person_id):
            return bucket_id, person_id
    return None


def event_id(key: EventKey) -> str:
    """The id of an event."""
    bucket_id, subscriber_id, name_id, occurred_at, number = key
    microseconds = (occurred_at - _DAWN) // _MICROSECOND
    return encode(Kind.EVENT, bucket_id, subscriber_id, name_id, microseconds, number)


def event_key_of(text: str) -> EventKey | None:
    match decode(Kind.EVENT, text):
        case (bucket_id, person_id, name_id, microseconds, number):
            try:
                return bucket_id, person_id, name_id, _DAWN + microseconds * _MICROSECOND, number
            except OverflowError:
                return None
    return None


def change_key_of(text: str) -> ChangeKey | None:
    match decode(Kind.MEMBERSHIP_CHANGE, text):
        case (bucket_id, sequence):
            return bucket_id, sequence
    return None


def run_key_of(text: str) -> RunKey | None:
    match decode(Kind.AUTOMATION_RUN, text):
        case (bucket_id, run_id):
            return bucket_id, run_id
    return None


def delivery_key_of(text: str) -> DeliveryKey | None:
    match decode(Kind.WEBHOOK_DELIVERY, text):
        case (bucket_id, delivery_id):
            return bucket_id, delivery_id
    return None


def delivery_of_message(text: str) -> tuple[DeliveryKey, int] | None:
    """The delivery that a message's id names, and the epoch of the log when the message was formed."""
    match _read(_WORD_OF_MESSAGE_ID["message"], _MESSAGE_NUMBERS, text):
        case (bucket_id, delivery_id, epoch):
            return (bucket_id, delivery_id), epoch
    return None


def reject_key_of(text: str) -> RejectKey | None:
    match decode(Kind.IMPORT_ROW, text):
        case (import_id, line):
            return import_id, line
    return None


class _OpaqueIds:
    """The ids of groups and segments in conditions that clients send and receive."""

    def encode(self, kind: IdKind, id: int) -> str:  # noqa: A002  # the protocol's name
        return encode(_KIND_OF_CONDITION_ID[kind], id)

    def decode(self, kind: IdKind, text: str) -> int | None:
        return number_of(_KIND_OF_CONDITION_ID[kind], text)


_KIND_OF_CONDITION_ID: Final = {"group": Kind.GROUP, "segment": Kind.SEGMENT}
OPAQUE_IDS: Final = _OpaqueIds()


class _MessageIds:
    """The ids in messages that webhooks send."""

    def encode(self, kind: MessageIdKind, *numbers: int) -> str:
        return _spelled(_WORD_OF_MESSAGE_ID[kind], numbers)


_WORD_OF_MESSAGE_ID: Final[Mapping[MessageIdKind, str]] = {
    "automation": Kind.AUTOMATION,
    "run": Kind.AUTOMATION_RUN,
    "segment": Kind.SEGMENT,
    "group": Kind.GROUP,
    "subscriber": Kind.SUBSCRIBER,
    "endpoint": Kind.WEBHOOK_ENDPOINT,
    "lane": "lane",  # no row of the API
    "message": "msg",  # the same
}
_MESSAGE_NUMBERS: Final = 3
MESSAGE_IDS: Final = _MessageIds()


def _read(word: str, length: int, text: str) -> tuple[int, ...] | None:
    """The numbers of a text that `_spelled` returns for this word and so many numbers; None for any other text."""
    start, _, body = text.partition("_")
    if start != word:
        return None
    try:
        numbers = _unpacked(base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    is_ours = len(numbers) == length and max(numbers) <= _LARGEST and _spelled(word, numbers) == text
    return numbers if is_ours else None


def _spelled(word: str, numbers: Iterable[int]) -> str:
    spelled = binascii.b2a_base64(_packed(numbers), newline=False).translate(_URL_SAFE, b"=")
    return f"{word}_{spelled.decode()}"


def _packed(numbers: Iterable[int]) -> bytes:
    """Encodes numbers as varints: seven bits per byte, the lowest first; a set high bit means that the number continues."""
    packed = bytearray()
    for number in numbers:
        rest = number
        while rest > _TWO_MORE:
            packed += _BYTE_PAIRS[rest & _TWO_MORE]
            rest >>= 14
        if rest >= _MORE:
            packed.append(rest & (_MORE - 1) | _MORE)
            rest >>= 7
        packed.append(rest)
    return bytes(packed)


def _unpacked(packed: bytes) -> tuple[int, ...]:
    """Raises ValueError when the last number is cut off."""
    numbers, number, shift = [], 0, 0
    for byte in packed:
        number |= (byte & (_MORE - 1)) << shift
        shift += 7
        if byte < _MORE:
            numbers.append(number)
            number, shift = 0, 0
    if shift or not numbers:
        raise ValueError("the last number is cut off")
    return tuple(numbers)
