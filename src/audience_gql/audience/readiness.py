"""Checks whether everything that a web process needs is working."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage.engine import sweeps
from audience_gql.storage.postgres.database import UNREACHABLE
from audience_gql.storage.schema import is_migrated

_SILENCE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The parts by name. The value says what is wrong with the part; None means that it works."""

    parts: dict[str, str | None]

    @property
    def is_ready(self) -> bool:
        return all(problem is None for problem in self.parts.values())


async def readiness(*, ports: Ports) -> Readiness:
    """Check that Postgres and Redis answer, the schema is migrated, and a worker has ticked and looked for jobs within 20 seconds."""
    parts: dict[str, str | None] = {
        "redis": None if await ports.signals.is_reachable() else "does not answer"
    }
    try:
        async with ports.database.acquire() as connection:
            now = await ports.clock.now(connection)
        parts["postgres"] = None
        if not await is_migrated(ports.database):
            parts["migrations"] = "run `audience-gql migrate`"
            return Readiness(parts=parts)
        parts["migrations"] = None
        async with ports.database.acquire() as connection:
            last = await sweeps.last_seen(connection)
    except UNREACHABLE:
        parts["postgres"] = "does not answer"
        return Readiness(parts=parts)
    parts["worker"] = _silence(last.seen_at, now, "was seen")
    parts["jobs"] = _silence(last.looked_for_jobs_at, now, "has looked for jobs in Redis")
    return Readiness(parts=parts)


def _silence(last: datetime | None, now: datetime, what: str) -> str | None:
    """A message if something has not happened for too long, or None."""
    if last is not None and (now - last).total_seconds() <= _SILENCE_SECONDS:
        return None
    return f"no worker {what} {'so far' if last is None else f'since {last}'}"
