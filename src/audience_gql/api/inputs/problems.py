"""Collects the problems of a request's input with their paths, and turns them into GraphQL errors.

It must not look at values. checking.py does that.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple

from graphql import GraphQLError, Node

from audience_gql.api.paths import WirePath
from audience_gql.audience.failures import ProblemCode

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_PROBLEMS: Final = 5
"""Per response. The first ones are enough to find a mistake, and each problem costs time."""
_LONGEST_NAME: Final = 40
_CLOSE: Final = 0.7
_OFF: Final = 3
"""A suggested name is at most this many characters longer or shorter than the given one."""
_NAMES_LISTED: Final = 12
_SUGGESTION: Final = re.compile(r"; (?:did you mean|ask for it in a fragment) .*", re.DOTALL)
"""The part of a message that names what is in the schema."""


class Enough(Exception):  # not an error: it ends the recursion
    """The number of problems has reached MOST_PROBLEMS."""


class _Problem(NamedTuple):
    code: ProblemCode
    message: str
    path: WirePath
    node: Node | None


class Problems:
    """The problems found so far, up to MOST_PROBLEMS, each with its node in the document."""

    def __init__(self) -> None:
        self._found: list[_Problem] = []

    def add(self, code: ProblemCode, message: str, path: WirePath, node: Node | None = None) -> None:
        """Add a problem. Raises Enough after the last one that a response may hold."""
        self._found.append(_Problem(code, message, path, node))
        if len(self._found) >= MOST_PROBLEMS:
            raise Enough

    def errors(self, code: str) -> list[GraphQLError]:
        """One error per problem, all with this `extensions.code`."""
        return [_error(problem, code) for problem in self._found]


def _error(problem: _Problem, code: str) -> GraphQLError:
    """The GraphQL error for one problem: message, `extensions.code` and `extensions.issues`."""
    message = f"{'.'.join(problem.path)}: {problem.message}"
    issues = [{"code": problem.code, "message": problem.message, "path": list(problem.path)}]
    return GraphQLError(message, problem.node, extensions={"code": code, "issues": issues})


def suggestion(name: str, names: Collection[str]) -> str:
    """The end of a sentence that suggests one or two similar names; empty if none is similar.

    A similar name has the same first letter and about the same length.
    """
    if len(name) > _LONGEST_NAME:
        return ""
    near = [it for it in names if it[:1] == name[:1] and abs(len(it) - len(name)) <= _OFF]
    close = get_close_matches(name, near, n=2, cutoff=_CLOSE)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def without_suggestion(error: GraphQLError) -> GraphQLError:
    """The error without the names of the schema that its message, or one of its issues, suggests."""
    extensions = dict(error.extensions or {})
    if "issues" in extensions:
        extensions["issues"] = [{**it, "message": _plain(it["message"])} for it in extensions["issues"]]
    message = _plain(error.message)
    return GraphQLError(
        message, error.nodes, error.source, error.positions, error.path, extensions=extensions
    )


def _plain(message: str) -> str:
    return _SUGGESTION.sub("", message)


def listed(names: Collection[str]) -> str:
    """The names, separated by commas. After the first twelve, only the number of the others."""
    if len(names) <= _NAMES_LISTED:
        return ", ".join(names)
    return f"{', '.join(list(names)[:_NAMES_LISTED])} and {len(names) - _NAMES_LISTED} more"
