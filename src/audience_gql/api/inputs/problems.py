"""What is wrong with the input of a request: collected with its path, and told as GraphQL errors.

It must not look at a value; checking.py does.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from graphql import GraphQLError, Node

from audience_gql.audience.failures import Issue, Path, ProblemCode

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_PROBLEMS: Final = 5
"""In one answer. A caller with more than these needs the first ones, and each one costs time to tell."""
_LONGEST_NAME: Final = 40
_CLOSE: Final = 0.7
_OFF: Final = 3
"""Characters by which a name that is looked at may be longer or shorter."""
_NAMES_LISTED: Final = 12


class Enough(Exception):  # not an error, but the way out of the recursion
    """As many problems as an answer holds are found."""


class Problems:
    """What was found so far, up to the limit, and where in the document."""

    def __init__(self) -> None:
        self._found: list[tuple[Issue, Node | None]] = []

    def add(self, code: ProblemCode, message: str, path: Path, node: Node | None = None) -> None:
        """Note a problem. Raises Enough with the last one that an answer holds."""
        self._found.append((Issue(code=code, message=message, path=path), node))
        if len(self._found) >= MOST_PROBLEMS:
            raise Enough

    def errors(self, code: str) -> list[GraphQLError]:
        """One error for each problem, all of them with the same code."""
        return [told(issue, code, node) for issue, node in self._found]


def told(issue: Issue, code: str, node: Node | None = None) -> GraphQLError:
    """A problem as a client is told of it."""
    message = f"{'.'.join(issue.path)}: {issue.message}"
    issues = [{"code": issue.code, "message": issue.message, "path": list(issue.path)}]
    return GraphQLError(message, node, extensions={"code": code, "issues": issues})


def suggestion(name: str, names: Collection[str]) -> str:
    """The one or two names that a misspelt one may stand for, as a sentence's end; empty where none begins alike and is close."""
    if len(name) > _LONGEST_NAME:
        return ""
    near = [it for it in names if it[:1] == name[:1] and abs(len(it) - len(name)) <= _OFF]
    close = get_close_matches(name, near, n=2, cutoff=_CLOSE)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def listed(names: Collection[str]) -> str:
    """Names to choose from, as many as a message should hold."""
    if len(names) <= _NAMES_LISTED:
        return ", ".join(names)
    return f"{', '.join(list(names)[:_NAMES_LISTED])} and {len(names) - _NAMES_LISTED} more"
