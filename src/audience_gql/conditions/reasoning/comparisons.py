"""Finds out what a leaf compares with what, from the leaf's stored form.

Only hints for people use it. A leaf that it does not recognise counts as comparing nothing, so a new kind or filter needs no change here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from audience_gql.conditions.addresses import fold_address
from audience_gql.conditions.base import Leaf
from audience_gql.conditions.reasoning.regions import OPERATORS, Region, can_overlap, region_of, spelled
from audience_gql.conditions.values import Json, fold
from audience_gql.conditions.vocabulary import PLAIN_IDS

_COUNTS: Final = ("times", "onDays", "inWeeks", "inMonths")
"""The names under which a leaf stores a filter of a count."""
_HELD_AS: Final = (*_COUNTS, "is", "at", "text", "number", "boolean", "date", "time", "list")
"""The names under which a leaf stores its main filter."""
_SELECTION: Final = frozenset({"key", "name", "where", "within", "of", "function", "perProperty"})
"""The names under which a leaf stores what the filter applies to. Any other name may be a further requirement."""
_USUAL: Final[dict[str, dict[str, Json]]] = {"event": {"times": {"atLeast": 1}}}
"""The defaults of what a leaf may leave out."""
_JSON_TYPES: Final = {"text": "text", "number": "number", "boolean": "boolean", "time": "text"}
"""The JSON type of a property's value, by the name of the filter that it passes."""
_NEVER_MISSING: Final = frozenset({"createdAt", "updatedAt"})
_ZERO_OF_NOTHING: Final = frozenset({"SUM", "DISTINCT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One operator on one thing. A missing value passes only `isSet: false`."""

    kind: str
    subject: str
    """Equal for all leaves that compare the same thing."""
    name: str | None
    """The name of the custom field or event, if the leaf is about one."""
    operator: str
    value: Json
    may_be_missing: bool
    holds_when_missing: bool
    region: Region

    @property
    def key(self) -> object:
        """Equal for all spellings of the same comparison."""
        return self.subject, self.region.key

    def affirmed(self) -> tuple[Comparison, bool]:
        """The same comparison without its own negation, and whether it must hold. For example, "never" is "at least once" and False."""
        match self.operator, self.value:
            case "isSet", False:
                return self._saying("isSet", value=True), False
            case "atMost", int() as most:
                return self._saying("atLeast", value=most + 1), False
            case "exactly", 0:
                return self._saying("atLeast", value=1), False
        return self, True

    def _saying(self, operator: str, *, value: bool | int) -> Comparison:
        is_count = operator == "atLeast"
        region = region_of(operator, value, is_count=is_count)
        return replace(self, operator=operator, value=value, holds_when_missing=False, region=region)


def comparison_of(leaf: Leaf) -> Comparison | None:
    """What a leaf compares. None for a leaf that this module does not recognise."""
    ((kind, body),) = leaf.dump(PLAIN_IDS).items()
    if not isinstance(body, dict):
        return None
    if _is_filter(body):
        return _comparison(kind, {}, body, is_count=False)
    if not any(name in body for name in _HELD_AS):
        body = _USUAL.get(kind, {}) | body
    held = [name for name in _HELD_AS if _is_filter(body.get(name))]
    if len(held) != 1:
        return None
    rest = {name: value for name, value in body.items() if name != held[0]}
    if not rest.keys() <= _SELECTION:
        return None
    if held[0] != _COUNTS[0] and held[0] in _COUNTS:
        rest["counted"] = held[0]  # so that days and weeks of the same events are different things
    return _comparison(kind, rest, body[held[0]], is_count=held[0] in _COUNTS)


def comparisons_of_where(body: Json) -> list[Comparison]:
    """What a leaf about events requires of their properties. The `kind` of each is the JSON type that the value must have."""
    where = body.get("where") if isinstance(body, dict) else None
    found: list[Comparison] = []
    for item in where if isinstance(where, list) else ():
        for name, json_type in _JSON_TYPES.items():
            if isinstance(item, dict) and _is_filter(test := item.get(name)):
                rest: dict[str, Json] = {"key": item.get("key"), "as": name}
                comparison = _comparison(json_type, rest, test, is_count=False)
                found += [] if comparison is None else [comparison]
    return found


def can_hold_together(literals: Sequence[tuple[Comparison, bool]]) -> bool:
    """Whether these comparisons of one thing can have these verdicts at the same time. True also if that is unknown."""
    may_be_missing = all(comparison.may_be_missing for comparison, _ in literals)
    if may_be_missing and all(it.holds_when_missing is wanted for it, wanted in literals):
        return True
    return can_overlap([(comparison.region, wanted) for comparison, wanted in literals])


def _is_filter(value: Json) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in OPERATORS


def _comparison(kind: str, rest: dict[str, Json], test: Json, *, is_count: bool) -> Comparison | None:
    if not isinstance(test, dict):
        return None
    ((operator, value),) = test.items()
    name = rest.get("key", rest.get("name"))
    always_there = is_count or kind in _NEVER_MISSING or rest.get("function") in _ZERO_OF_NOTHING
    return Comparison(
        kind=kind,
        subject=spelled({kind: rest}),
        name=name if isinstance(name, str) else None,
        operator=operator,
        value=value,
        may_be_missing=not always_there,
        holds_when_missing=operator == "isSet" and value is False,
        region=region_of(operator, value, is_count=is_count, fold=fold_address if kind == "email" else fold),
    )
