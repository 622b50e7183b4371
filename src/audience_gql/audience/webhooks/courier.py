"""Sends the webhooks of this worker's buckets: after an automation has acted, and when a sweep finds a lane that is due.

It decides nothing about messages. A missing wake-up waits for the next sweep, and an unnecessary one costs a millisecond.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextvars import Context
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.audience.tasks import end
from audience_gql.audience.webhooks.carrier import Carrier
from audience_gql.audience.webhooks.lane_turns import LaneTurns
from audience_gql.storage.acting import deliveries, endpoints
from audience_gql.storage.acting.deliveries import Lane
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE
from audience_gql.telemetry.ids import WORK

LANES_AT_A_TIME: Final = 64
LANES_OF_AN_ENDPOINT: Final = 4
"""How many requests one receiver gets at a time from one worker."""
SWEEP_SECONDS: Final = 2.0
_CLEANUP_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class Courier:
    """The sending of one worker process, in the buckets for which `is_own` returns True. It may be lost at any time."""

    def __init__(
        self,
        ports: Ports,
        carrier: Carrier,
        is_own: Callable[[int], bool],
        *,
        sweep_seconds: float = SWEEP_SECONDS,
        lanes: int = LANES_AT_A_TIME,
        lanes_of_an_endpoint: int = LANES_OF_AN_ENDPOINT,
    ) -> None:
        self._ports = ports
        self._carrier = carrier
        self._is_own = is_own
        self._sweep_seconds = sweep_seconds
        self._turns = LaneTurns(lanes, an_endpoint=lanes_of_an_endpoint)
        self._running: set[asyncio.Task[None]] = set()

    def wake(self, bucket_id: int, endpoint_ids: Collection[int]) -> None:
        """Send what was committed to the outbox of a bucket for these endpoints."""
        for endpoint_id in endpoint_ids:
            self._turns.want(Lane(bucket_id, endpoint_id))
        self._start()

    async def run(self) -> None:
        """Sweep every few seconds. Run until cancelled."""
        try:
            while True:
                try:
                    await self.sweep()
                except (*UNREACHABLE, *BUSY) as error:
                    logger.warning("the sweep for webhooks was postponed: %s", error)
                await asyncio.sleep(self._sweep_seconds)
        finally:
            await end(*self._running, again_after=_CLEANUP_SECONDS)

    async def sweep(self) -> None:
        """Find the lanes that are due, and send them."""
        async with self._ports.database.acquire() as connection:
            if not await endpoints.have_been_made(connection):
                return
            now = await self._ports.clock.now(connection)
            due = await deliveries.due_lanes(connection, now)
        for lane in due:
            if self._is_own(lane.bucket_id):
                self._turns.want(lane)
        self._start()

    async def work_off(self) -> None:
        """Sweep, and send until nothing is left that can be sent now."""
        await self.sweep()
        while self._running:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    def _start(self) -> None:
        """Start lanes until all places are in use."""
        while (lane := self._turns.start()) is not None:
            task = asyncio.create_task(
                self._carry(lane),
                name=f"webhooks {lane.bucket_id}/{lane.endpoint_id}",
                context=Context(),  # not that of an automation which has just put something into the outbox
            )
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _carry(self, lane: Lane) -> None:
        WORK.set({"bucket_id": lane.bucket_id, "endpoint_id": lane.endpoint_id})
        is_failing: bool | None = None
        try:
            carried = await self._carrier.carry(lane)
            is_failing = carried.is_failing
            if carried.has_more:
                self._turns.want(lane)
        except (*UNREACHABLE, *BUSY) as error:
            logger.warning("webhooks of bucket %d to endpoint %d wait: %s", *lane, error)
        except Exception:  # the worker's edge: a bug in one lane must not stop the others
            logger.exception("webhooks of bucket %d to endpoint %d failed", *lane)
        finally:
            self._turns.finish(lane, is_failing=is_failing)
        self._start()
