"""Draws events: a few people have very many, the recent past has more than the distant past, and nights are quiet."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from random import Random
from typing import Final

from audience_gql.conditions.values import fold
from audience_gql.storage.people.facts import json_text

NAMES: Final = {
    # name: weights for a reader, a shopper, a visitor
    "email_delivered": (40, 25, 20),
    "email_opened": (30, 12, 8),
    "email_clicked": (9, 5, 1),
    "page_visited": (10, 25, 50),
    "product_viewed": (4, 16, 10),
    "app_opened": (4, 3, 6),
    "cart_updated": (1, 6, 1.5),
    "order_placed": (0.6, 4, 0.4),
    "search_made": (0.8, 2.5, 2.5),
    "coupon_used": (0.2, 0.9, 0.1),
    "review_written": (0.1, 0.3, 0.1),
    "support_asked": (0.3, 0.3, 0.4),
}
CATEGORIES: Final = ("Books", "Schuhe", "MÖBEL", "Toys", "garden", "Größen")
PATHS: Final = ("/", "/pricing", "/blog", "/Docs", "/about", "/careers")

_CUMULATED: Final = [list(accumulate(weights)) for weights in zip(*NAMES.values(), strict=True)]
_HOURS: Final = list(
    accumulate((2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 10, 11, 10, 9, 9, 9, 10, 11, 12, 11, 9, 6, 4))
)
_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RECENCY: Final = 1.5
"""1 spreads events evenly over the days. A larger value puts more events on later days."""
_SPREAD: Final = 1.3
"""The spread of the logarithm of events per person: a hundredth of the people has a fifth of all events."""


@dataclass(frozen=True, slots=True)
class Said:
    """The value of an event, and its properties as they are stored."""

    value: Decimal | None = None
    properties: str = "{}"
    properties_folded: str = "{}"


_NOTHING: Final = Said()


def draw_amounts(chance: Random, people: int, events: int) -> list[int]:
    """The number of events of each person; about `events` in total."""
    weights = [chance.lognormvariate(0, _SPREAD) for _ in range(people)]
    scale = events / sum(weights)
    return [int(weight * scale + chance.random()) for weight in weights]


class Behaviour:
    """Draws events that happened within `days` before `now`."""

    def __init__(self, chance: Random, now: datetime, days: int) -> None:
        self._chance = chance
        self._days = days
        self._now = (now - _EPOCH) // timedelta(microseconds=1)
        self._midnight = self._now - self._now % _DAY
        self._said = [_sayings(name, chance) for name in NAMES]

    def events_of_one(self, amount: int) -> Iterator[tuple[int, datetime, Said]]:
        """One person's events as (position of the name in NAMES, time, value and properties), by name and time."""
        rare = self._chance.random
        cumulated = _CUMULATED[int(3 * rare())]
        total = cumulated[-1]
        drawn = [
            (bisect(cumulated, total * rare()), self._instant(rare(), rare(), rare())) for _ in range(amount)
        ]
        drawn.sort()
        for name, instant in drawn:
            said = self._said[name]
            chosen = _NOTHING if said is None else said[int(len(said) * rare())]
            yield name, _EPOCH + timedelta(microseconds=instant), chosen

    def _instant(self, day: float, hour: float, within: float) -> int:
        back = int(self._days * day**_RECENCY) * _DAY
        instant = self._midnight - back + bisect(_HOURS, _HOURS[-1] * hour) * _HOUR + int(_HOUR * within)
        return instant if instant <= self._now else instant - _DAY


def _sayings(name: str, chance: Random) -> Sequence[Said] | None:
    """The possible values and properties of events of this name, all equally likely. None if they have none."""
    match name:
        case "order_placed":
            return [_order(chance) for _ in range(1000)]
        case "product_viewed" | "cart_updated":
            return [_said({"category": category}) for category in CATEGORIES]
        case "page_visited":
            return [*(_said({"path": path}) for path in PATHS), *[_NOTHING] * 12]
    return None


def _order(chance: Random) -> Said:
    value = Decimal(int(100 * min(chance.lognormvariate(3.4, 0.9), 5000))).scaleb(-2)
    return _said({"category": chance.choice(CATEGORIES), "items": 1 + int(5 * chance.random() ** 3)}, value)


def _said(properties: dict[str, str | int], value: Decimal | None = None) -> Said:
    texts = {key: text for key, text in properties.items() if isinstance(text, str)}
    folded = {key: fold(text) for key, text in texts.items() if fold(text) != text}
    return Said(value, json_text(properties), json_text(folded))
