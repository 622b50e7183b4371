"""How callers name a person, and how they leave something out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias

KeyKind: TypeAlias = Literal["id", "email", "phone", "externalId"]


class Unset(Enum):
    """The type of UNSET: an input that was not given, which is not the same as null."""

    UNSET = "UNSET"


UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True, order=True)
class SubscriberRef:
    """Where a person is stored. The bucket is part of the address."""

    bucket_id: int
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberKey:
    """A person named by id, email, phone or external id. `value` is None for a malformed id."""

    kind: KeyKind
    value: str | SubscriberRef | None
