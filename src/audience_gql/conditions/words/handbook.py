"""The handbook of conditions, docs/conditions.md: every kind with its meaning, its input, an example, and the example's SQL.

All of it comes from the registry. This module must not know a particular kind.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from audience_gql.conditions.base import Names
from audience_gql.conditions.codec import parse
from audience_gql.conditions.input.shapes import Enumeration, InputField, Reference, Shape
from audience_gql.conditions.registry import Kind, input_types, kinds
from audience_gql.conditions.sql.compiler import Statement, compile_range
from audience_gql.conditions.sql.questions import (
    Ago,
    Bound,
    Constant,
    NearPeriodStart,
    PeriodStart,
    PeriodStartElsewhere,
    Today,
    TodayElsewhere,
)
from audience_gql.conditions.values import Json, number_of
from audience_gql.conditions.vocabulary import PLAIN_IDS, FieldRef, Vocabulary
from audience_gql.conditions.words.semantics import SEMANTICS
from audience_gql.conditions.words.summary import summarize
from audience_gql.conditions.words.wording import counted

_WIDTH: Final = 110
_FILLED_WIDTH: Final = 100
_CLAUSES: Final = (" LEFT JOIN ", " WHERE ", " GROUP BY ", " HAVING ", " AND ", " OR ")
_OPERATORS: Final = (" THEN ", " >= ", " < ", " > ", " - ", " + ")
_CALLERS: Final = 3
"""The number of parameters of a range's statement that the caller binds. The condition's own follow them."""

VOCABULARY: Final = Vocabulary(
    fields={"plan": FieldRef(id=11, key="plan", type="TEXT")},
    group_ids=frozenset({21}),
    segment_ids=frozenset({41}),
    event_names={"email_opened": 31, "order_placed": 32, "page_viewed": 33, "cart_updated": 34},
    timezone="Europe/Vilnius",
)
"""The names that the examples may use."""
_NAMES: Final = Names(groups={21: "VIP"}, segments={41: "Buyers"})
_BUYERS: Final[Json] = {"event": {"name": "order_placed"}}
_INTRODUCTION: Final = (
    "For readability, the examples use numbers as ids; ids of the API are opaque. The field `plan` is a TEXT field, 21 is the group "
    f"“VIP”, and 41 is the segment “Buyers”, with the condition `{json.dumps(_BUYERS)}`. Each kind shows the SQL that fills a "
    "segment: `$1` is the bucket, and the ids of the people are greater than `$2` and at most `$3`. Every value is a bound "
    "parameter. `now` is the instant of the evaluation."
)


def handbook() -> str:
    """The whole text of docs/conditions.md."""
    sections = [
        "<!-- Written by `python3 dev docs` from the code; edit src/audience_gql/conditions instead. -->",
        "# Conditions",
        SEMANTICS.rstrip(),
        "# The kinds",
        _INTRODUCTION,
        *(_kind(kind) for kind in kinds().values()),
        "# What several kinds share",
        *(_declared(declared) for declared in _shared()),
    ]
    return "\n\n".join(sections) + "\n"


def example_of(kind: Kind) -> dict[str, Json]:
    """The whole condition of a kind's example."""
    return {kind.name: kind.example}


def _kind(kind: Kind) -> str:
    example = example_of(kind)
    condition = parse(example, vocabulary=VOCABULARY, ids=PLAIN_IDS)
    buyers = parse(_BUYERS, vocabulary=VOCABULARY, ids=PLAIN_IDS)
    statement = compile_range(condition, inner={41: buyers}, vocabulary=VOCABULARY)
    category = "" if kind.category is None else f" · {kind.category.lower()}"
    parts = (
        f"## {kind.name}",
        f"*{kind.label}{category}* — {kind.description}",
        _input(kind),
        f"```json\n{json.dumps(example, ensure_ascii=False)}\n```",
        f"> {summarize(condition, _NAMES)}",
        f"```sql\n{chr(10).join(_wrapped(statement.sql))}\n```",
        _bound(statement),
    )
    return "\n\n".join(part for part in parts if part)


def _input(kind: Kind) -> str:
    """The table of fields when only this kind has the type, or else a link to it."""
    if isinstance(kind.type, Shape) and kind.type not in _shared():
        return f"`{kind.name}: {kind.type.name}` — {kind.type.description}\n\n{_fields(kind.type.fields)}"
    of_several = f"[{kind.type.name}!]" if kind.many else kind.type.name
    link = f"`{of_several}`" if isinstance(kind.type, Reference) else _link(kind.type, of_several)
    return f"`{kind.name}:` {link}"


def _shared() -> list[Shape | Enumeration]:
    """The input types that more than one kind or type uses, by name. The handbook describes them after the kinds."""
    of_kinds = Counter(kind.type.name for kind in kinds().values())
    told = {name for name, count in of_kinds.items() if count == 1}
    inner = {
        field.type.name
        for declared in input_types()[1:]
        if isinstance(declared, Shape)
        for field in declared.fields
        if not isinstance(field.type, str)
    }
    return sorted(
        (declared for declared in input_types()[1:] if declared.name in inner or declared.name not in told),
        key=lambda declared: declared.name,
    )


def _declared(declared: Shape | Enumeration) -> str:
    heading = f"## {_heading(declared)}\n\n{declared.description}"
    if isinstance(declared, Enumeration):
        values = [f"| `{value.name}` | {value.description} |" for value in declared.values]
        return "\n".join((heading, "", "| value | meaning |", "|---|---|", *values))
    only_one = " Exactly one of these." if declared.one_of else ""
    return f"{heading}{only_one}\n\n{_fields(declared.fields)}"


def _fields(fields: Iterable[InputField]) -> str:
    rows = [f"| `{field.name}` | {_type(field)} | {field.description} |" for field in fields]
    return "\n".join(("| field | type | meaning |", "|---|---|---|", *rows))


def _type(field: InputField) -> str:
    whole = field.spelling
    default = "" if field.default is None else f" = {json.dumps(field.default)}"
    if isinstance(field.type, Shape | Enumeration):
        return _link(field.type, whole) + default
    return f"`{whole}`{default}"


def _heading(declared: Shape | Enumeration) -> str:
    """A heading that differs from every kind's: a type's name may differ from a kind's only in case."""
    return f"{'enum' if isinstance(declared, Enumeration) else 'input'} {declared.name}"


def _link(declared: Shape | Enumeration, text: str) -> str:
    return f"[`{text}`](#{_heading(declared).casefold().replace(' ', '-')})"


def _bound(statement: Statement) -> str:
    values = enumerate(map(_value, statement.parameters), _CALLERS + 1)
    return "; ".join(f"`${number}` {value}" for number, value in values)


def _value(bound: Bound) -> str:
    match bound:
        case Constant(value=value):
            return f"`{json.dumps(value, ensure_ascii=False, default=_plain)}`"
        case Ago(length=length):
            return _instant(length)
        case Today(zone=zone, later=later):
            return f"the date in {zone}{_then(later)}"
        case TodayElsewhere(later=later):
            return f"the zones with another date{_then(later)}, each with its date"
        case _:
            return _value_of_period(bound)


def _value_of_period(bound: Bound) -> str:
    match bound:
        case PeriodStart(zone=zone):
            return f"the first midnight of the {_period(bound)} in {zone}"
        case PeriodStartElsewhere():
            return "the zones where that is on another day, each with its day"
        case NearPeriodStart(is_latest=is_latest):
            side = "after" if is_latest else "before"
            return f"an instant shortly {side} the beginning of the {_period(bound)} in all zones"
    raise TypeError(f"no words for {bound!r}")


def _period(bound: PeriodStart | NearPeriodStart) -> str:
    if not bound.moved:
        return f"present {bound.period}{_then(bound.later)}"
    side = "before" if bound.moved < 0 else "after"
    return f"{bound.period} that is {counted(abs(bound.moved), bound.period)} {side} the present one{_then(bound.later)}"


def _plain(value: object) -> object:
    return number_of(value) if isinstance(value, Decimal) else str(value)


def _instant(ago: timedelta) -> str:
    days, seconds = abs(ago).days, abs(ago).seconds
    parts = [counted(days, "day")] * bool(days) + [counted(seconds, "second")] * bool(seconds)
    return f"{' and '.join(parts)} {'before' if ago > timedelta() else 'after'} `now`" if parts else "`now`"


def _then(later: timedelta) -> str:
    return f" at the instant {_instant(-later)}" if later else ""


def _wrapped(sql: str) -> Iterator[str]:
    """The SQL broken into lines before clauses, or else before operators, outermost first."""
    for line in sql.split("\n"):
        yield from _broken(line, indent=0)


def _broken(line: str, *, indent: int) -> Iterator[str]:
    breaks = _breaks(line, _CLAUSES) or _breaks(line, _OPERATORS)
    if indent + len(line) <= _WIDTH or not breaks:
        yield " " * indent + line
        return
    places = [place for place, depth in breaks.items() if depth == min(breaks.values())]
    first, *others = _filled([line[start:end].strip() for start, end in pairwise([0, *places, len(line)])])
    yield from _broken(first, indent=indent)
    for other in others:
        yield from _broken(other, indent=indent + 2)


def _filled(parts: Iterable[str]) -> list[str]:
    """Joins operands into lines that are as full as possible."""
    lines: list[str] = []
    for part in parts:
        if lines and part.startswith(("AND ", "OR ")) and len(lines[-1]) + len(part) < _FILLED_WIDTH:
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return lines


def _breaks(line: str, before: tuple[str, ...]) -> dict[int, int]:
    """By position at which one of these begins, the number of open parentheses there."""
    depth, found = 0, {}
    for place, character in enumerate(line):
        depth += (character == "(") - (character == ")")
        if character == " " and line.startswith(before, place):
            found[place] = depth
    return found
