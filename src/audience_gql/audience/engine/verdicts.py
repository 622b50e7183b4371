"""What ticks, fills and audits share: the plan of a workspace's segments, their evaluation, and what to do when a segment fails.

It caches statements and parsed definitions, and writes nothing about people.
"""

from __future__ import annotations

import logging

from audience_gql.audience.engine.affected import Plan
from audience_gql.audience.engine.plans import Plans
from audience_gql.audience.ports import Ports
from audience_gql.storage import segment_definitions
from audience_gql.storage.engine import membership
from audience_gql.storage.engine.evaluation import Evaluation, EvaluationFailed
from audience_gql.storage.engine.membership import BucketHead
from audience_gql.storage.engine.tick_pool import TickPool
from audience_gql.storage.postgres.database import Connection

logger = logging.getLogger(__name__)


class Verdicts:
    """One per worker process."""

    def __init__(self, ports: Ports, pool: TickPool) -> None:
        self._ports = ports
        self._pool = pool
        self._plans = Plans()
        self.evaluation = Evaluation()

    async def plan(
        self, connection: Connection, bucket: BucketHead, definitions_version: int | None = None
    ) -> Plan:
        """The plan for the segments as this transaction sees them. Pass `definitions_version` when it has already been read."""
        if definitions_version is None:
            definitions_version = await membership.definitions_version(connection, bucket.workspace_id)
        return await self._plans.plan(connection, bucket, definitions_version)

    async def blame(self, bucket_id: int, failed: EvaluationFailed) -> None:
        """Find the segments that cannot be evaluated, by bisection, and set them FAILED, so that the others continue."""
        waiting = [tuple(failed.segment_ids)]
        while waiting:
            suspects = waiting.pop()
            reason = await self._try(bucket_id, failed, suspects)
            if reason is None:
                continue
            if len(suspects) == 1:
                logger.error("segment %d cannot be evaluated; its failure tells why", suspects[0])
                async with self._ports.database.transaction() as transaction:
                    await segment_definitions.fail_segment(transaction.connection, suspects[0], reason)
                continue
            half = len(suspects) // 2
            waiting += [suspects[:half], suspects[half:]]

    async def _try(self, bucket_id: int, failed: EvaluationFailed, suspects: tuple[int, ...]) -> str | None:
        """The reason why these segments cannot be evaluated together; None when they can."""
        try:
            async with self._pool.filling(bucket_id) as connection:
                await self.evaluation.repeat(connection, bucket_id, failed.subject, suspects)
        except EvaluationFailed as again:
            return again.reason
        return None
