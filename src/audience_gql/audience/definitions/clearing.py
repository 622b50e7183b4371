"""Clears what deleted groups, custom fields, automations and webhook endpoints leave behind, bucket by bucket. Each slice is one transaction.

It may be interrupted anywhere and called again by any worker: it deletes what it has cleared, so the remaining rows are the remaining work.
"""

from __future__ import annotations

import logging
from typing import Final

from audience_gql.audience.ports import Ports
from audience_gql.storage import buckets, clearing
from audience_gql.storage.acting import automations, deliveries, endpoints
from audience_gql.storage.clearing import Wanted
from audience_gql.storage.engine import membership
from audience_gql.storage.engine.membership import Change
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE

_PEOPLE: Final = 5_000
"""People in one slice: few enough that ticks and writers wait no longer than for another tick."""

logger = logging.getLogger(__name__)


class Clearing:
    """The clearings of one worker process. Their queue is in Postgres."""

    def __init__(self, ports: Ports, pool: TickPool, *, people: int = _PEOPLE) -> None:
        self._ports = ports
        self._pool = pool
        self._people = people
        self._under_way: set[int] = set()

    async def clear(self, workspace_id: int) -> None:
        """Clear everything that this workspace has deleted. If the database is busy or unreachable, the rest stays in the queue."""
        if workspace_id in self._under_way:
            return  # the clearing under way continues until nothing is left
        self._under_way.add(workspace_id)
        try:
            while all_wanted := await self._wanted(workspace_id):
                for wanted in all_wanted:
                    await self._clear(workspace_id, wanted)
        except (*UNREACHABLE, *BUSY) as error:
            logger.warning("could not finish the clearing of workspace %d yet: %s", workspace_id, error)
        finally:
            self._under_way.discard(workspace_id)

    async def sweep(self) -> None:
        """Request every clearing in the queue again, because its job may have been lost."""
        async with self._ports.database.acquire() as connection:
            workspace_ids = await clearing.workspaces(connection)
        for workspace_id in workspace_ids:
            self._ports.jobs.clear(workspace_id)

    async def _wanted(self, workspace_id: int) -> list[Wanted]:
        async with self._ports.database.acquire() as connection:
            return await clearing.wanted(connection, workspace_id)

    async def _clear(self, workspace_id: int, wanted: Wanted) -> None:
        async with self._ports.database.acquire() as connection:
            bucket_ids = await buckets.bucket_ids(connection, workspace_id)
        for bucket_id in bucket_ids:
            if wanted.kind == "group":
                await self._empty_group(bucket_id, wanted.ref)
            elif wanted.kind == "automation":
                await self._drop_runs(bucket_id, wanted.ref)
            elif wanted.kind == "endpoint":
                await self._drop_deliveries(bucket_id, wanted.ref)
            else:
                await self._drop_values(bucket_id, wanted.ref)
        async with self._pool.filling() as connection:
            await clearing.settle(connection, wanted)

    async def _empty_group(self, bucket_id: int, group_id: int) -> None:
        while await self._take_members(bucket_id, group_id):
            pass

    async def _take_members(self, bucket_id: int, group_id: int) -> bool:
        """Remove a slice of a group's members. Returns whether there are more."""
        async with self._pool.filling(bucket_id) as connection:
            bucket = await membership.lock_bucket(connection, bucket_id)
            if bucket is None:
                return False
            end = await clearing.members_end(connection, bucket_id, group_id, self._people)
            left = [
                Change(
                    list_kind="GROUP",
                    list_id=group_id,
                    subscriber_id=person_id,
                    entered=False,
                    cause="MANUAL",
                    revision=None,
                )
                for person_id in await clearing.take_members(connection, bucket_id, group_id, end)
            ]
            if left:
                now = max(await self._ports.clock.now(connection), bucket.last_instant)
                await membership.log_outside_a_tick(connection, bucket, left, now=now)
            if end is None:
                await clearing.forget_group_state(connection, bucket_id, group_id)
        if left:
            self._ports.signals.changed([bucket.workspace_id])
            self._ports.signals.marked([bucket_id])
        return end is not None

    async def _drop_values(self, bucket_id: int, field_id: int) -> None:
        """Delete a field's values. This changes no list, because a field that a segment reads cannot be deleted."""
        after: int | None = -1
        while after is not None:
            async with self._pool.filling(bucket_id) as connection:
                end = await membership.range_end(connection, bucket_id, after, self._people)
                await clearing.forget_values(connection, bucket_id, field_id, after, end)
            after = end

    async def _drop_runs(self, bucket_id: int, automation_id: int) -> None:
        is_done = False
        while not is_done:
            async with self._pool.filling(bucket_id) as connection:
                now = await self._ports.clock.now(connection)
                is_done = await deliveries.drop_automation(
                    connection, bucket_id, automation_id, self._people, now
                )
        is_done = False
        while not is_done:
            async with self._pool.filling(bucket_id) as connection:
                is_done = await automations.forget(connection, bucket_id, automation_id, self._people)

    async def _drop_deliveries(self, bucket_id: int, endpoint_id: int) -> None:
        is_done = False
        while not is_done:
            async with self._pool.filling(bucket_id) as connection:
                is_done = await endpoints.forget(connection, bucket_id, endpoint_id, self._people)
