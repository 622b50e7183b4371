"""Answers queries on the replica for clients that prefer it (RFC 7240). Whatever fails there is left to the primary."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from strawberry.types import ExecutionResult

from audience_gql.api.context import Context, Services
from audience_gql.api.schema import Candidate, Schema
from audience_gql.api.transport.exchange import Header
from audience_gql.storage.clock import StoppedClock
from audience_gql.storage.postgres.replica import AsOf, Pools, Replica

_APPLIED: Final[Header] = (b"preference-applied", b"replica")

logger = logging.getLogger(__name__)


def prefers_replica(header: str) -> bool:
    """Whether the request's header `Prefer` names the replica."""
    return any(it.partition(";")[0].strip().lower() == "replica" for it in header.split(","))


async def answer_there(
    replica: Replica, schema: Schema, candidate: Candidate, context: Context
) -> tuple[ExecutionResult, list[Header]] | None:
    """The answer of the replica, with the headers that tell so. None if the primary has to answer.

    An answer with any error is not given: the replica may be the reason, because it is away, has cancelled the statement to go on with
    its recovery, cannot write, or does not know yet what the client asks for.
    """
    as_of, pools = replica.as_of, replica.pools
    if as_of is not None and pools is not None:
        there = Context(_services(context.services, pools, as_of), context.access, is_on_replica=True)
        try:
            with pools.database.models():
                result = await schema.answer(candidate, there)
        except Exception as error:  # noqa: BLE001  # the primary runs the same query, and what is wrong with the query fails there, too
            logger.debug("the replica did not answer: %s", error)
        else:
            if not result.errors:
                replica.answers += 1
                context.executor = there.executor
                return result, [_APPLIED, (b"replica-lag", b"%.3f" % as_of.behind_seconds)]
    replica.handed_back += 1
    return None


def _services(services: Services, pools: Pools, as_of: AsOf) -> Services:
    """The same services with the replica's data. Their present is the instant up to which the replica surely has everything."""
    ports = replace(services.ports, database=pools.database, clock=StoppedClock(as_of.instant))
    return replace(services, ports=ports, heavy_ports=replace(ports, database=pools.heavy))
