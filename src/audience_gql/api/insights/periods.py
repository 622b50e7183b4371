"""The instants and periods of the past that a client can ask about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeAlias

import strawberry

from audience_gql.api.context import Context, Info
from audience_gql.api.errors import BadUserInput
from audience_gql.api.scalars import instant_at

_MICROSECOND: Final = timedelta(microseconds=1)

From: TypeAlias = Annotated[
    datetime,
    strawberry.argument(
        name="from",
        description="The beginning of the period, which belongs to it. The log must be complete from there on; otherwise the error is "
        "LOG_EXPIRED.",
    ),
]
To: TypeAlias = Annotated[
    datetime | None,
    strawberry.argument(
        name="to",
        description="The end of the period, which does not belong to it. It is after `from`. Default, and for an instant in the future: "
        "the period includes everything up to now.",
    ),
]


@dataclass(frozen=True, slots=True)
class Period:
    """The instants from `start` until before `end`."""

    start: datetime
    end: datetime


async def past_instant(context: Context, given: datetime, argument: str) -> datetime:
    """The instant that an argument gives. Raises BadUserInput for one in the future."""
    instant = instant_at(given, argument)
    if instant > await context.loaders.now.load(None):
        raise BadUserInput(f"`{argument}` must not be in the future.", argument=argument)
    return instant


async def past_period(info: Info, start: datetime, end: datetime | None) -> Period:
    """The period that the arguments `from` and `to` give, up to now at most. Raises BadUserInput."""
    begin = await past_instant(info.context, start, "from")
    now = await info.context.loaders.now.load(None)
    until = now + _MICROSECOND  # what happens now belongs to the period
    if end is not None:
        until = min(until, instant_at(end, "to"))
    if begin >= until:
        raise BadUserInput("`from` must be before `to`.", argument="from")
    return Period(begin, until)
