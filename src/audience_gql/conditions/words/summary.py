"""A condition in one plain English sentence."""

from __future__ import annotations

from audience_gql.conditions.base import Condition, Names
from audience_gql.conditions.kinds.combinators import All, AnyOf


def summarize(condition: Condition, names: Names) -> str:
    """For people: long lists and texts are shortened, so two conditions may read alike."""
    match condition:
        case All(conditions=()):
            return "Everyone."
        case AnyOf(conditions=()):
            return "No one."
        case _:
            return f"People {condition.summary(names)}."
