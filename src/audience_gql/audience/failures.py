"""Expected failures that several use cases share. Each becomes a type of the GraphQL schema; none is a bug."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


class Verbatim(str):
    """A part of a path that is spelled as it stands: a key that a caller chose, or a place within a condition."""

    __slots__ = ()


Path: TypeAlias = tuple[str | int, ...]
"""The way to a part of the input: names of the application, positions from 0, and Verbatim. Only the API knows how clients spell it.

Within an item of an upsert, the names are the item's own, which are those of SubscriberInput already.
"""
ProblemCode: TypeAlias = Literal[
    "REQUIRED", "MALFORMED", "OUT_OF_RANGE", "TOO_MANY", "UNKNOWN", "WRONG_TYPE", "CONFLICT", "CONSENT"
]

People: TypeAlias = tuple[tuple[int, int], ...]
"""People by bucket and id. Only the API knows how clients see their ids, so the API puts these into the text."""


class Failure(Exception):
    """An expected failure. `path` leads to the wrong part of the input, for example ("name",)."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One thing wrong with an input."""

    code: ProblemCode
    message: str
    path: Path
    people: People = ()
    """The people whom the message names: {0} stands for the first of them. If there are none, braces are plain text."""


class InvalidInput(Failure):
    """Input that the schema's types allow but the rules do not. It carries every problem found, not only the first."""

    def __init__(self, issues: tuple[Issue, ...]) -> None:
        super().__init__(issues[0].message, issues[0].path)
        self.issues = issues


class NotFound(Failure):
    """Nothing in this workspace has the given id or key."""


class NameTaken(Failure):
    """The name is already in use. Upper and lower case do not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A refused item of a batch. The other items were applied."""

    index: int
    code: ProblemCode
    message: str
    path: Path
    people: People = ()
    """The people whom the message names, as in an Issue."""
