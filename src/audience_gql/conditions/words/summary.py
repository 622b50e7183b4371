"""Says a condition in one English sentence."""

from __future__ import annotations

from audience_gql.conditions.base import Condition, Names
from audience_gql.conditions.kinds.combinators import All, AnyOf


def summarize(condition: Condition, names: Names) -> str:
    """The sentence. It shortens long lists and texts, so two different conditions may have the same summary."""
    match condition:
        case All(conditions=()):
            return "Everyone."
        case AnyOf(conditions=()):
            return "No one."
        case _:
            return f"People {condition.summary(names)}."
