"""Finds out which values pass an operator, as far as the operator's own input shows it.

Only hints for people use it. Any value may pass an operator that it does not recognise. It must not know a particular kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from audience_gql.conditions.values import Json, date_of, decimal_of, instant_of
from audience_gql.conditions.values import fold as fold_text

Domain: TypeAlias = Literal["text", "flag", "number", "count", "day", "month", "instant", "age"]
Point: TypeAlias = str | Fraction | None
"""A text, or a number for anything that has an order. None stands for some value that no operator mentions."""

_MINUTES: Final[Mapping[str, int]] = {"minutes": 1, "hours": 60, "days": 1_440, "weeks": 10_080}
_PARTS_OF_TEXT: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "contains": lambda text, part: part in text,
    "notContains": lambda text, part: part not in text,
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
}
_ONE_OF: Final = frozenset({"is", "in", "eq", "on", "exactly", "month"})
_NONE_OF: Final = frozenset({"isNot", "notIn", "ne"})
_EXACTLY: Final = frozenset({"isExactly", "inExactly"})
_RANGES: Final = frozenset(
    {"lt", "lte", "gt", "gte", "between", "before", "after", "atLeast", "atMost", "inLast", "notInLast"}
)
_OF_LISTS: Final = frozenset({"hasAny", "hasAll", "hasNone"})
_OPAQUE: Final = _OF_LISTS | {"isEmpty", "inNext", "anniversaryInNext", "anniversaryInLast", "near", "within"}
OPERATORS: Final = (
    frozenset({"isSet", "matches"})
    | _EXACTLY
    | _PARTS_OF_TEXT.keys()
    | _ONE_OF
    | _NONE_OF
    | _RANGES
    | _OPAQUE
)
NEGATIVE: Final = _NONE_OF | {"notContains", "hasNone", "notInLast"}
"""Negative operators that require a value."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_STEPPED: Final[frozenset[Domain]] = frozenset({"count", "day", "month", "instant"})
"""The domains of whole steps: there is no value between two neighbours."""
_FLAGS: Final = (Fraction(0), Fraction(1))
_MOST_LOOKS: Final = 200_000
"""The most tests of values. If more are needed, everything counts as possible."""
_MOST_VALUES: Final = 1_000
"""Longer lists are compared by their spelling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """The values that pass. `contains` returns None if that is unknown."""

    key: object
    """Equal for all spellings of the same region."""
    domain: Domain | None
    """None if the domain of the value does not matter."""
    marks: tuple[Point, ...]
    contains: Callable[[Point], bool | None]


def region_of(
    operator: str, value: Json, *, is_count: bool = False, fold: Callable[[str], str] = fold_text
) -> Region:
    """What passes `{operator: value}`. With `is_count`, numbers are counts. `fold` returns the form in which texts are compared."""
    if operator == "isSet" or (operator in _OF_LISTS and value == []):
        is_set = value is True or operator in (
            "hasAll",
            "hasNone",
        )  # if no values are given, every list has all and none of them
        return Region(key=("set", is_set), domain=None, marks=(), contains=lambda _: is_set)
    if operator in _ONE_OF | _NONE_OF:
        values = value if isinstance(value, list) else [value]
        region = _set(operator, values, is_count=is_count, fold=fold)
    elif operator in _EXACTLY:
        region = _exactly(value if isinstance(value, list) else [value], fold)
    elif operator in _PARTS_OF_TEXT and isinstance(value, str):
        region = _part_of_text(operator, fold(value))
    else:
        region = _interval(operator, value, is_count=is_count)
    return region or Region(key=(operator, spelled(value)), domain=None, marks=(), contains=lambda _: None)


def can_overlap(literals: Sequence[tuple[Region, bool]]) -> bool:
    """Whether some value lies in all regions with True and outside all regions with False. True also if that is unknown."""
    for points, domain in _candidates([region for region, _ in literals]):
        if len(points) * len(literals) > _MOST_LOOKS:
            return True
        for point in points:
            if all(_verdict(region, domain, point) in (wanted, None) for region, wanted in literals):
                return True
    return False


def spelled(value: Json) -> str:
    """The same text for values that differ only in the order of list items or in the unit of a duration."""
    match value:
        case dict():
            minutes = _minutes(value)
            if minutes is not None:
                return f"{minutes} minutes"
            parts = (f"{json.dumps(name)}: {spelled(item)}" for name, item in sorted(value.items()))
            return f"{{{', '.join(parts)}}}"
        case list():
            return f"[{', '.join(sorted({spelled(item) for item in value}))}]"
        case _:
            return json.dumps(value)


def _verdict(region: Region, domain: Domain | None, point: Point) -> bool | None:
    return region.contains(point) if region.domain in (domain, None) else None


def _candidates(regions: Sequence[Region]) -> Iterator[tuple[list[Point], Domain | None]]:
    """Values that stand for all values: if two regions differ, they differ at one of these."""
    domains = {region.domain for region in regions} - {None}
    if not domains:
        yield [None], None
    for domain in domains:
        marks = {mark for region in regions if region.domain == domain for mark in region.marks}
        yield _points(domain, marks), domain


def _points(domain: Domain | None, marks: set[Point]) -> list[Point]:
    if domain == "text":
        return [None, *(mark for mark in marks if mark)]  # empty text is stored as missing
    if domain == "flag":
        return [*_FLAGS]
    ordered = sorted(mark for mark in marks if isinstance(mark, Fraction))
    if domain in _STEPPED:
        near = {mark + step for mark in ordered for step in (-1, 0, 1)} | {Fraction(1)}
        return [point for point in near if domain != "count" or point >= 0]
    between = [(low + high) / 2 for low, high in pairwise(ordered)]
    return [*ordered, *between, ordered[0] - 1, ordered[-1] + 1] if ordered else [None]


# ---- the regions


def _set(
    operator: str, values: Sequence[Json], *, is_count: bool, fold: Callable[[str], str]
) -> Region | None:
    if len(values) > _MOST_VALUES:
        return None
    domains: set[Domain] = set()
    marks: set[Point] = set()
    for value in values:
        domain, mark = _member(operator, value, is_count=is_count, fold=fold)
        if domain is None:
            return None
        domains.add(domain)
        marks.add(mark)
    if len(domains) > 1:
        return None
    wanted, held = operator in _ONE_OF, frozenset(marks)
    return Region(
        key=("one of" if wanted else "none of", held),
        domain=domains.pop() if domains else None,
        marks=tuple(held),
        contains=lambda point: (point in held) is wanted,
    )


def _member(
    operator: str, value: Json, *, is_count: bool, fold: Callable[[str], str]
) -> tuple[Domain, Point] | tuple[None, None]:
    match value:
        case bool():
            return "flag", Fraction(value)
        case str() if operator == "on":
            return _end(value, is_count=False)
        case str():
            return "text", fold(value)
        case int() if operator == "month":
            return "month", Fraction(value)
        case _:
            return _end(value, is_count=is_count)


def _exactly(values: Sequence[Json], fold: Callable[[str], str]) -> Region | None:
    """These texts as written. Points are folded texts, so it is unknown whether the text behind one of them passes."""
    texts = frozenset(value for value in values if isinstance(value, str))
    if len(texts) > _MOST_VALUES:
        return None
    folded = frozenset(map(fold, texts))
    return Region(
        key=("exactly", texts),
        domain="text",
        marks=tuple(folded),
        contains=lambda point: None if point in folded else False,
    )


def _part_of_text(operator: str, part: str) -> Region:
    def contains(point: Point) -> bool | None:
        if isinstance(point, str):
            return _PARTS_OF_TEXT[operator](point, part)
        return None if part else operator != "notContains"

    return Region(key=(operator, part), domain="text", marks=(), contains=contains)


def _interval(operator: str, value: Json, *, is_count: bool) -> Region | None:
    low: Json = None
    high: Json = None
    match operator, value:
        case "between", {"from": low, "to": high}:
            pass
        case "gt" | "after" | "gte" | "atLeast" | "notInLast", low:
            pass
        case "lt" | "before" | "lte" | "atMost" | "inLast", high:
            pass
        case _:
            return None
    (low_domain, start), (high_domain, end) = _end(low, is_count=is_count), _end(high, is_count=is_count)
    domain = low_domain or high_domain
    is_of_another_sort = operator in ("inLast", "notInLast") and domain != "age"
    if domain is None or is_of_another_sort or not _agree(domain, (low, low_domain), (high, high_domain)):
        return None
    if operator == "inLast":
        start = Fraction(0)
    is_open_start = operator in ("gt", "after")
    is_open_end = operator in ("lt", "before", "inLast") or (operator == "between" and domain == "instant")

    def contains(point: Point) -> bool | None:
        if not isinstance(point, Fraction):
            return None
        from_start = (
            not isinstance(start, Fraction) or start < point or (start == point and not is_open_start)
        )
        to_end = not isinstance(end, Fraction) or point < end or (point == end and not is_open_end)
        return from_start and to_end

    marks = tuple(mark for mark in (start, end) if mark is not None)
    key = (domain, start, end, is_open_start, is_open_end)
    return Region(key=key, domain=domain, marks=marks, contains=contains)


def _agree(domain: Domain, *ends: tuple[Json, Domain | None]) -> bool:
    """Whether the given ends of an interval have its domain."""
    return all(value is None or found == domain for value, found in ends)


def _end(value: Json, *, is_count: bool) -> tuple[Domain, Point] | tuple[None, None]:
    """The domain of a value that has an order, and the value as a number. A duration becomes the minutes before now."""
    match value:
        case bool() | None | list():
            return None, None
        case int() | float():
            return ("count" if is_count else "number"), Fraction(decimal_of(value))
        case dict():
            minutes = _minutes(value)
            return (None, None) if minutes is None else ("age", Fraction(minutes))
        case str():
            day, instant = date_of(value), instant_of(value)
            if day is not None:
                return "day", Fraction(day.toordinal())
            return (
                (None, None) if instant is None else ("instant", Fraction((instant - _EPOCH) // _MICROSECOND))
            )


def _minutes(value: dict[str, Json]) -> int | None:
    """The minutes of a duration, which is one number of one unit. None for anything else."""
    if len(value) != 1:
        return None
    ((unit, count),) = value.items()
    return count * _MINUTES[unit] if unit in _MINUTES and isinstance(count, int) else None
