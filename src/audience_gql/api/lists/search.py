"""The search of lists: words, each of which is part of a name or key, upper and lower case aside."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import strawberry

from audience_gql.api.errors import BadUserInput
from audience_gql.audience.people.profiles import text_problem
from audience_gql.conditions.values import fold

MOST_WORDS: Final = 10

Search: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description="Words, separated by spaces: only what has each of them as part of a name, key or value, upper and lower case "
        f"aside. At most {MOST_WORDS} words; blank text is no search."
    ),
]


def words(search: str | None) -> tuple[str, ...]:
    """The words as they are compared, each once; none for no search. Raises BadUserInput."""
    if not search:
        return ()
    if problem := text_problem(search):
        raise BadUserInput(f"`search`: {problem[1]}.", argument="search")
    found = tuple(dict.fromkeys(fold(search).split()))
    if len(found) > MOST_WORDS:
        raise BadUserInput(f"`search`: at most {MOST_WORDS} words, not {len(found)}.", argument="search")
    return found
