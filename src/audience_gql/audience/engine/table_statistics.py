"""Keeps the planner's statistics good after big loads, beside a worker's fills."""

from __future__ import annotations

import logging
import time
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage.engine import table_statistics
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE

_PAUSE_SECONDS: Final = 600.0
"""After a failure, autovacuum has this long to do it instead."""

logger = logging.getLogger(__name__)


class TableStatistics:
    """The statistics that one worker process gathers."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._not_before = 0.0

    async def gather(self) -> None:
        """Gather the statistics of tables that have grown much. This is quick if none has, and it raises nothing if Postgres is away."""
        if time.monotonic() < self._not_before:
            return
        try:
            async with self._ports.database.acquire() as connection:
                await table_statistics.gather(connection)
        except (*UNREACHABLE, *BUSY) as error:
            self._not_before = time.monotonic() + _PAUSE_SECONDS
            logger.warning("statistics were not gathered: %s", error)
