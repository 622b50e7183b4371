"""Reads the CDNOW log and shifts it in time, so that its last day is the day of the demo's first start.

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
    """One line of the log, unchanged."""

    line: int
    customer_id: str
    day: date
    quantity: int
    dollars: Decimal


def purchases() -> Iterator[Purchase]:
    """The log, line by line. Lines are numbered from 1, without the header."""
    data = files(__package__).joinpath("cdnow.txt.gz").read_bytes()
    for line, text in enumerate(gzip.decompress(data).decode("ascii").splitlines()[1:], 1):
        customer_id, day, quantity, dollars = text.split()
        yield Purchase(
            line=line,
            customer_id=customer_id,
            day=date.fromisoformat(day),
            quantity=int(quantity),
            dollars=Decimal(dollars),
        )


def part_of_day(purchase: Purchase) -> float:
    """The time of day of a purchase, from 0 to 1. The log has only days, so the line's number decides the time."""
    return zlib.crc32(str(purchase.line).encode()) / 2**32


def occurred_at(purchase: Purchase, first_start: datetime) -> datetime:
    """When the purchase happens in the demo: shifted by whole days, at the time of `part_of_day`.

    On the last day, all purchases are before the first start, so that none is in the future.
    """
    start = first_start.astimezone(UTC)
    day = purchase.day + (start.date() - LAST_DAY)
    midnight = datetime.combine(day, time(), UTC)
    length = (start - midnight).total_seconds() if purchase.day == LAST_DAY else _DAY_SECONDS
    return midnight + timedelta(seconds=int(part_of_day(purchase) * length * 1000) / 1000)
