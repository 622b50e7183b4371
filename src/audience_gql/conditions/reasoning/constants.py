"""Leaves that have the same verdict for everybody, because what they ask for cannot be there. Read from the form in which they are stored.

For hints to people only: a leaf that it does not recognise is taken for one whose verdict depends on the person.
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
"""Under these names a leaf holds a list of which one has to be the case."""
_AN_INSTANT: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NOBODY: Final = Facts(id=0, created_at=_AN_INSTANT, updated_at=_AN_INSTANT)
_MOMENT: Final = Moment(now=_AN_INSTANT, timezone="UTC", verdicts={})


def verdict_of(leaf: Leaf) -> bool | None:
    """The leaf's verdict for everybody; None where it depends on the person, or cannot be told."""
    ((_, body),) = leaf.dump(PLAIN_IDS).items()
    if not isinstance(body, dict):
        return None
    if any(body.get(name) == [] for name in _ALTERNATIVES) or _is_followed_by_itself(body):
        return False
    if not _can_be(comparisons_of_where(body)):
        return leaf.evaluate(_NOBODY, _MOMENT)  # nobody has such events
    return None


def _is_followed_by_itself(body: dict[str, Json]) -> bool:
    """Whether an event is to be there without any of its own name at or after it: it is one itself."""
    return body.get("notFollowedBy") == body.get("name") is not None and body.get("at") != {"isSet": False}


def _can_be(comparisons: Sequence[Comparison]) -> bool:
    """Whether one event can be like that; True also where that cannot be told."""
    by_property: dict[str, list[Comparison]] = defaultdict(list)
    for comparison in comparisons:
        by_property[comparison.subject].append(comparison)
    return all(
        can_hold_together([(comparison, True) for comparison in same]) for same in by_property.values()
    ) and not _are_of_several_types(comparisons)


def _are_of_several_types(comparisons: Iterable[Comparison]) -> bool:
    """Whether some property is to be a number and a text, for example."""
    types: dict[str | None, set[str]] = defaultdict(set)
    for comparison in comparisons:
        if not comparison.holds_when_missing:
            types[comparison.name].add(comparison.kind)
    return any(len(kinds) > 1 for kinds in types.values())
