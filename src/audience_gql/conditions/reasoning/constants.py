"""Finds leaves that have the same verdict for everybody because their requirements are impossible. It reads the leaves' stored form.

Only hints for people use it. The verdict of a leaf that it does not recognise counts as dependent on the person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from audience_gql.conditions.base import Leaf, Moment
from audience_gql.conditions.facts import Facts
from audience_gql.conditions.reasoning.comparisons import Comparison, can_hold_together, comparisons_of_where
from audience_gql.conditions.values import Json
from audience_gql.conditions.vocabulary import PLAIN_IDS

_ALTERNATIVES: Final = ("anyOf", "status")
"""The names under which a leaf stores a list of alternatives. One of them must be true."""
_AN_INSTANT: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NOBODY: Final = Facts(id=0, created_at=_AN_INSTANT, updated_at=_AN_INSTANT)
_MOMENT: Final = Moment(now=_AN_INSTANT, timezone="UTC", verdicts={})


def verdict_of(leaf: Leaf) -> bool | None:
    """The leaf's verdict for everybody. None if it depends on the person or is unknown."""
    ((_, body),) = leaf.dump(PLAIN_IDS).items()
    if not isinstance(body, dict):
        return None
    if any(body.get(name) == [] for name in _ALTERNATIVES) or _is_followed_by_itself(body):
        return False
    if not all(_can_be(comparisons_of_where(part)) for part in (body, *_steps(body))):
        return leaf.evaluate(_NOBODY, _MOMENT)  # nobody has such events
    return None


def _steps(body: dict[str, Json]) -> list[dict[str, Json]]:
    """The steps of a sequence, each with what it requires of an event; empty for other leaves."""
    steps = body.get("steps")
    return [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []


def _is_followed_by_itself(body: dict[str, Json]) -> bool:
    """Whether the leaf requires an event without such an event at or after it. This is impossible: the event is one itself."""
    follower, followed = body.get("notFollowedBy"), (_steps(body) or [body])[-1]
    if not isinstance(follower, dict) or body.get("at") == {"isSet": False}:
        return False
    return follower["name"] == followed.get("name") and all(
        item in _where(followed) for item in _where(follower)
    )


def _where(body: dict[str, Json]) -> list[Json]:
    where = body.get("where")
    return where if isinstance(where, list) else []


def _can_be(comparisons: Sequence[Comparison]) -> bool:
    """Whether one event can pass all these comparisons. True also if that is unknown."""
    by_property: dict[str, list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        by_property[comparison.subject].append(comparison)
    return all(
        can_hold_together([(comparison, True) for comparison in same]) for same in by_property.values()
    ) and not _are_of_several_types(comparisons)


def _are_of_several_types(comparisons: Iterable[Comparison]) -> bool:
    """Whether a property must have two types at once, for example number and text."""
    types: dict[str | None, set[str]] = defaultdict(set)
    for comparison in comparisons:
        if not comparison.holds_when_missing:
            types[comparison.name].add(comparison.kind)
    return any(len(kinds) > 1 for kinds in types.values())
