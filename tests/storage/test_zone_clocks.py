"""The clocks in the database are those of the zone data, and a later version of the data replaces them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from audience_gql.conditions.calendar import LocalCalendar, day_start, known_zones
from audience_gql.conditions.sql import days
from audience_gql.storage import zone_clocks

_HOUR = timedelta(hours=1)
_CHANGES = [
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("Asia/Beirut", datetime(2026, 3, 28, 22, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 11, 1, 5, tzinfo=UTC)),
    ("America/St_Johns", datetime(2010, 11, 7, 2, 31, tzinfo=UTC)),
    ("America/Santiago", datetime(2026, 9, 6, 4, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 4, 23, 22, tzinfo=UTC)),
    ("Pacific/Kwajalein", datetime(1969, 9, 30, 13, tzinfo=UTC)),
]


async def test_postgres_computes_the_days_of_the_calendar(database):
    chance = Random(1)
    asked = [(zone, at + hours * _HOUR) for zone, at in _CHANGES for hours in range(-30, 31)]
    asked += [
        (zone, datetime(1900, 1, 1, tzinfo=UTC) + chance.randrange(199 * 365 * 24) * _HOUR)
        for zone in sorted(known_zones())
        for _ in range(3)
    ]

    rows = await database.fetch(
        f"SELECT local.day, {days.day_start('local.day::timestamp')} AS start FROM unnest($1::text[], $2::timestamptz[]) "
        "WITH ORDINALITY AS e (zone, occurred_at, number) "
        f"JOIN zone_clocks zone ON zone.zone = e.zone {days.local_day_join()} ORDER BY e.number",
        [zone for zone, _ in asked],
        [at for _, at in asked],
    )

    expected = [LocalCalendar(zone=zone, week_start="MONDAY").day_of(at) for zone, at in asked]
    assert [row["day"] for row in rows] == expected
    starts = [day_start(day, zone) for day, (zone, _) in zip(expected, asked, strict=True)]
    assert [row["start"] for row in rows] == starts


class _Undone(Exception):
    """Rolls a transaction back."""


@pytest.mark.parametrize(("version", "is_later"), [("1999a.1", False), ("9999a.1", True)])
async def test_only_a_later_version_replaces_the_clocks(database, monkeypatch, version, is_later):
    monkeypatch.setattr(zone_clocks, "_VERSION", version)
    monkeypatch.setattr(zone_clocks, "clocks", lambda: [("UTC", [])])
    before = {row["zone"] for row in await database.fetch("SELECT zone FROM zone_clocks")}

    async def work(transaction):
        written = await zone_clocks.refresh(transaction.connection)
        assert written is is_later
        assert not await zone_clocks.refresh(transaction.connection)
        rows = await transaction.connection.fetch("SELECT zone FROM zone_clocks")
        assert {row["zone"] for row in rows} == ({"UTC"} if is_later else before)
        raise _Undone

    with pytest.raises(_Undone):
        await database.run(work)
    assert before == known_zones()
