"""SQL of calendar days: which day an instant belongs to where a person lives, when a day begins there, and periods of days.

The row `zone` is the clock of the zone where the person lives (see `conditions.clocks`). Postgres' own zones are not used.
"""

from __future__ import annotations

from typing import Final

from audience_gql.conditions.periods import Period
from audience_gql.conditions.sql.questions import Parameters

LOCAL_DAY: Final = "local.day"
"""The local day of the event `e`, where an aggregate asks for it."""


def zone_join(home: str) -> str:
    """The join of a subscriber `s` with the clock of their zone, or with that of the zone `home` if theirs is missing or unknown."""
    known = "(SELECT z.zone FROM zone_clocks z WHERE z.zone = s.timezone)"
    return f"LEFT JOIN zone_clocks zone ON zone.zone = coalesce({known}, {home})"


def local_day_join() -> str:
    """The join of an event `e` and its person's `zone` with the event's local day. OFFSET 0 keeps the arrays of clocks out of later sorts."""
    return f"CROSS JOIN LATERAL (SELECT {_local_day('e.occurred_at')} AS day OFFSET 0) local"


def day_start(day: str) -> str:
    """The instant at which a day begins. `day` is a timestamp without a zone, at midnight."""
    place = f"width_bucket({day}, zone.readings)"
    since = f"{day} - zone.readings[{place}]"
    start = f"((zone.starts[{place}] AT TIME ZONE 'UTC') + ({since})) AT TIME ZONE 'UTC'"
    return f"least({start}, zone.starts[{place} + 1])"


def period_of_event(period: Period, parameters: Parameters) -> str:
    """A value that is the same for all events of a local period."""
    if period == "week":
        return (
            f"{LOCAL_DAY} - (extract(isodow FROM {LOCAL_DAY})::integer + 6 - {parameters.week_start()}) % 7"
        )
    return LOCAL_DAY if period == "day" else f"date_trunc('{period}', {LOCAL_DAY}::timestamp)"


def _local_day(instant: str) -> str:
    place = f"greatest(width_bucket({instant}, zone.starts), 1)"
    return f"(zone.readings[{place}] + ({instant} - zone.starts[{place}]))::date"
