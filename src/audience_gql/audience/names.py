"""Checks the names and descriptions of groups, segments, custom fields, tokens and workspaces."""

from __future__ import annotations

from typing import Final

from audience_gql.audience.failures import Failure, Issue, NameTaken, Path
from audience_gql.conditions.given_values import BadValue, given_line, given_text

NAME_LIMIT: Final = 200
DESCRIPTION_LIMIT: Final = 2000


def name_issues(name: str | None) -> list[Issue]:
    """What is wrong with a definition's name."""
    return line_issues(name or "", NAME_LIMIT, "name")


def line_issues(text: str, limit: int, noun: str) -> list[Issue]:
    """What is wrong with a required text of one line, for example a name."""
    path = (noun,)
    try:
        given = given_line(text, limit)
    except BadValue as error:
        return [Issue(code=error.code, message=error.message, path=path)]
    return [] if given else [Issue(code="REQUIRED", message=f"a {noun} is required", path=path)]


def description_issues(description: str | None) -> list[Issue]:
    """What is wrong with a description, which may have several lines."""
    try:
        kept_description(description)
    except BadValue as error:
        return [Issue(code=error.code, message=error.message, path=("description",))]
    return []


def kept_description(description: str | None) -> str | None:
    """A description as it is stored; None if it is null or blank. Raises BadValue."""
    return None if description is None else given_text(description, DESCRIPTION_LIMIT)


def name_taken(noun: str, name: str, path: Path = ("name",)) -> Failure:
    article = "an" if noun[0] in "aeiou" else "a"
    return NameTaken(f"there is {article} {noun} called {name.strip()!r} already", path)
