"""Reads the CDNOW log and moves it in time, so that its last day is the day on which the demo first started.

It must not know storage or the application: it yields plain purchases.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Final

LAST_DAY: Final = date(1998, 6, 30)
CUSTOMERS: Final = 23_570
PURCHASES: Final = 69_659
_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One line of the log, as it stands there."""

    line: int
    customer_id: str
    day: date
    quantity: int
    dollars: Decimal


def purchases() -> Iterator[Purchase]:
    """The log, line by line; lines count from 1, after the header."""
    data = files(__package__).joinpath("cdnow.txt.gz").read_bytes()
    for line, text in enumerate(gzip.decompress(data).decode("ascii").splitlines()[1:], 1):
        customer_id, day, quantity, dollars = text.split()
        yield Purchase(
            line=line,
            customer_id=customer_id,
            day=datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date(),
            quantity=int(quantity),
            dollars=Decimal(dollars),
        )


def part_of_day(purchase: Purchase) -> float:
    """At what time of its day a purchase is placed, from 0 to 1: the log has days only, so its line decides."""
    return zlib.crc32(str(purchase.line).encode()) / 2**32


def occurred_at(purchase: Purchase, first_start: datetime) -> datetime:
    """When the purchase happens in the demo: shifted by whole days, at a time of day that its line decides.

    On the last day only the part that was past at the first start is used, so that nothing lies in the future.
    """
    start = first_start.astimezone(UTC)
    day = purchase.day + (start.date() - LAST_DAY)
    midnight = datetime.combine(day, time(), UTC)
    length = (start - midnight).total_seconds() if purchase.day == LAST_DAY else _DAY_SECONDS
    return midnight + timedelta(seconds=int(part_of_day(purchase) * length * 1000) / 1000)
