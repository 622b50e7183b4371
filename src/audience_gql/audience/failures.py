"""Expected failures that several use cases share. Each becomes a type of the GraphQL schema; none is a bug."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Path: TypeAlias = tuple[str, ...]
ProblemCode: TypeAlias = Literal[
    "REQUIRED", "MALFORMED", "OUT_OF_RANGE", "TOO_MANY", "UNKNOWN", "WRONG_TYPE", "CONFLICT", "CONSENT"
]

People: TypeAlias = tuple[tuple[int, int], ...]
"""People by bucket and id. Only the API knows how their ids look to clients, and puts them into the text."""


class Failure(Exception):
    """An expected failure. `path` leads to the input at fault, for example ("input", "name")."""

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
    """Whom the message names: the first stands in it as {0}. Without any, braces are only text."""


class InvalidInput(Failure):
    """Input that the schema's types cannot refuse, but the rules do. Carries every problem found, not just the first."""

    def __init__(self, issues: tuple[Issue, ...]) -> None:
        super().__init__(issues[0].message, issues[0].path)
        self.issues = issues


class NotFound(Failure):
    """Nothing in this workspace has that id."""


class NameTaken(Failure):
    """Another one of the workspace already has this name, upper and lower case aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """An item of a batch that was refused, by its index; the others went through."""

    index: int
    code: ProblemCode
    message: str
    path: Path
    people: People = ()
    """Whom the message names, as in an Issue."""
