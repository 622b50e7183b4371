"""The canonical forms that storage and conditions share."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, localcontext

import pytest

from audience_gql.conditions.values import (
    date_of,
    decimal_of,
    exact_sum,
    fold,
    instant_of,
    instant_text,
    number_of,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Straße", "STRASSE"), ("ΟΔΟΣ", "οδος"), ("İ", "i\u0307"), ("Café", "CAFE\u0301"), ("\ufb01n", "FIN")],
)
def test_fold_makes_equal(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize("text", ["Straße", "İ", "ΟΔΟΣ", "Cafe\u0301", "\u0390", "\u1e9e", "\u0149"])
def test_fold_is_stable(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("number", "exact"),
    [(0.1, "0.1"), (5, "5"), (1e22, "1E+22"), (Decimal("1.50"), "1.50"), (2**60, "1152921504606846976")],
)
def test_decimal_of(number: float | Decimal, exact: str) -> None:
    assert str(decimal_of(number)) == exact


@pytest.mark.parametrize("number", [float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN")])
def test_decimal_of_what_is_no_number(number: float | Decimal) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        decimal_of(number)


@pytest.mark.parametrize("exact", ["9007199254740993", "0.1000000000000000055", "1E+309", "1E-400"])
def test_number_of_what_no_double_carries(exact: str) -> None:
    with pytest.raises(ValueError, match="more digits"):
        number_of(Decimal(exact))


def test_exact_sum_heeds_no_context() -> None:
    with localcontext(prec=3):
        total = exact_sum([Decimal("1E+300"), Decimal("1E-300"), Decimal("-1E+300")])

    assert total == Decimal("1E-300")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-31T12:00:00Z", datetime(2026, 3, 31, 12, tzinfo=UTC)),
        ("2026-03-31t12:00:00.5z", datetime(2026, 3, 31, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-31T12:00:00.1234567-01:00", datetime(2026, 3, 31, 13, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-03-31T12:00:00", None),
        ("2026-03-31 12:00:00Z", None),
        ("2026-03-31T24:00:00Z", None),
        ("2026-03-31T23:59:60Z", None),
        ("20260331T120000Z", None),
        ("2026-03-31T12:00:00+25:00", None),
        ("٢026-03-31T12:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("", None),
    ],
)
def test_instant_of(text: str, instant: datetime | None) -> None:
    assert instant_of(text) == instant


def test_instant_text_is_read_back() -> None:
    instant = datetime(2026, 3, 31, 12, 0, 0, 1, tzinfo=UTC)

    assert instant_of(instant_text(instant)) == instant


@pytest.mark.parametrize(
    ("text", "day"),
    [("2026-02-28", date(2026, 2, 28)), ("2026-02-29", None), ("20260228", None), ("2026-W09-6", None)],
)
def test_date_of(text: str, day: date | None) -> None:
    assert date_of(text) == day
