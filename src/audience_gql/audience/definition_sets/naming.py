"""Spells the ids of groups, segments and webhook endpoints as names, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from audience_gql.conditions.base import Names
from audience_gql.conditions.values import fold

NamedKind: TypeAlias = Literal["group", "segment", "endpoint"]


def same_name(text: str) -> str:
    """The form in which two names are equal."""
    return fold(text.strip())


class Naming:
    """The names of one workspace. It is an IdCodec for conditions. Upper and lower case do not matter in what it reads."""

    def __init__(self) -> None:
        self._names: dict[NamedKind, dict[int, str]] = {"group": {}, "segment": {}, "endpoint": {}}
        self._ids: dict[NamedKind, dict[str, int]] = {"group": {}, "segment": {}, "endpoint": {}}

    def learn(self, kind: NamedKind, number: int, name: str) -> None:
        """Know this name, and forget the one that the object had before."""
        before = self._names[kind].get(number)
        if before is not None and self._ids[kind].get(same_name(before)) == number:
            del self._ids[kind][same_name(before)]
        self._names[kind][number] = name
        self._ids[kind][same_name(name)] = number

    def encode(self, kind: NamedKind, id: int) -> str:  # noqa: A002  # the protocol's
        return self._names[kind].get(id, str(id))

    def decode(self, kind: NamedKind, text: str) -> int | None:
        return self._ids[kind].get(same_name(text))

    def names(self, kind: NamedKind) -> Mapping[int, str]:
        return self._names[kind]

    def for_words(self) -> Names:
        """The names for summaries and outlines."""
        return Names(groups=self._names["group"], segments=self._names["segment"])
