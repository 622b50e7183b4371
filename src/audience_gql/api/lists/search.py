"""The search of lists: part of a text, upper and lower case aside."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from audience_gql.api.errors import BadUserInput
from audience_gql.audience.people.profiles import text_problem
from audience_gql.conditions.values import fold

Search: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description="Only those with this text in a name or key, upper and lower case aside."
    ),
]


def folded(search: str | None) -> str | None:
    """The text as it is compared; None for no search. Raises BadUserInput."""
    if not search:
        return None
    if problem := text_problem(search):
        raise BadUserInput(f"`search`: {problem[1]}.", argument="search")
    return fold(search)
