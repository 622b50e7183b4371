"""The ways from a condition to the conditions inside it, as the input spells them."""

from __future__ import annotations

from collections.abc import Iterator

from audience_gql.conditions.base import Condition, Path
from audience_gql.conditions.kinds.combinators import All, AnyOf, Not
from audience_gql.conditions.kinds.later import Later


def steps(condition: Condition) -> Iterator[tuple[Path, Condition]]:
    """The conditions directly inside a condition, each with its path from there."""
    match condition:
        case Not(condition=child):
            yield ("not",), child
        case Later(condition=child):
            yield ("later", "condition"), child
        case All(conditions=children) | AnyOf(conditions=children):
            name = "all" if isinstance(condition, All) else "any"
            for position, child in enumerate(children):
                yield (name, str(position)), child
