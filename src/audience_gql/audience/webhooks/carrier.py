"""Takes one lane to its receiver: sends its messages one after the other, and records how each attempt ended.

A lane belongs to one carrier for a short time (the lease), which each message extends. No transaction is open during an attempt. If a
process dies between an attempt and its record, the lease ends, and the same message is sent again with the same id.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from audience_gql.audience.log.cursors import CursorCodec
from audience_gql.audience.ports import Attempt, OutgoingMessage, Ports, Sender
from audience_gql.audience.trail import portraits
from audience_gql.audience.trail.entries import Change, record
from audience_gql.audience.webhooks.forming import Forming, Outgoing
from audience_gql.audience.webhooks.messages import MessageIds
from audience_gql.audience.webhooks.schedule import FAILING_LIMIT, next_delay
from audience_gql.storage.acting import deliveries
from audience_gql.storage.acting.deliveries import AttemptRecord, DeliveryState, Lane
from audience_gql.storage.acting.models import WebhookEndpoint
from audience_gql.storage.cluster import row_locks
from audience_gql.storage.people import facts
from audience_gql.storage.postgres.database import BUSY, UNREACHABLE, Connection, Transaction
from audience_gql.telemetry import traces
from audience_gql.telemetry.metrics import ATTEMPT_DURATION

LEASE: Final = timedelta(seconds=30)
"""How long a lane stays taken without a sign of life: longer than an attempt and the transactions before and after it."""
MESSAGES_A_TURN: Final = 20
_RECORD_AGAIN: Final = 10
_AGAIN_SECONDS: Final = 1.0
"""How often, and after which pauses, a record is tried again. The lease is longer, unless every try takes long to fail."""
_LEASES: Final = 2**62
_GONE: Final = 410

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """How a turn of a lane ended."""

    has_more: bool
    """Whether the turn ended although more can be sent."""
    is_failing: bool | None
    """Whether the last attempt failed; None without any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """An attempt that is not recorded yet."""

    outgoing: Outgoing
    attempt: Attempt


class Carrier:
    """One per worker process. It keeps nothing between two turns."""

    def __init__(
        self,
        ports: Ports,
        sender: Sender,
        *,
        cursors: CursorCodec,
        ids: MessageIds,
        chance: Callable[[], float] = lambda: random.uniform(-1, 1),  # noqa: S311  # it only spreads attempts
    ) -> None:
        self._ports = ports
        self._sender = sender
        self._cursors = cursors
        self._ids = ids
        self._chance = chance

    async def carry(self, lane: Lane, messages: int = MESSAGES_A_TURN) -> Carried:
        """Send what is due in a lane, up to so many messages. It does nothing if another carrier has the lane."""
        lease, sent = secrets.randbelow(_LEASES), None
        try:
            for left in range(messages, -1, -1):
                outgoing = await self._persist(lane, lease, sent, is_last=left == 0)
                if outgoing is None:
                    return _carried(sent, has_more=left == 0)
                sent = _Sent(outgoing=outgoing, attempt=await self._send(lane, outgoing))
        except asyncio.CancelledError:
            await self._let_go(lane, lease)
            raise
        raise AssertionError("unreachable")

    async def _send(self, lane: Lane, outgoing: Outgoing) -> Attempt:
        if not outgoing.traces or traces.current is None:
            return await self._measured(outgoing.message)
        ids = {"audience.bucket_id": lane.bucket_id, "audience.endpoint_id": lane.endpoint_id}
        with traces.current.delivering(outgoing.traces, ids) as delivering:
            attempt = await self._measured(replace(outgoing.message, traceparent=delivering.trace))
            delivering.end(attempt.status, is_success=attempt.is_success)
            return attempt

    async def _measured(self, message: OutgoingMessage) -> Attempt:
        begun = time.monotonic()
        attempt = await self._sender.send(message)
        outcome = "no_answer" if attempt.status is None else "accepted" if attempt.is_success else "refused"
        ATTEMPT_DURATION.labels(outcome).observe(time.monotonic() - begun)
        return attempt

    async def _let_go(self, lane: Lane, lease: int) -> None:
        """Let another worker continue at once instead of after the lease."""
        try:
            async with self._ports.database.acquire() as connection:
                await deliveries.let_go(connection, lane, lease)
        except (*UNREACHABLE, *BUSY) as error:
            logger.warning("a lane of webhooks waits for the end of its lease: %s", error)

    async def _persist(self, lane: Lane, lease: int, sent: _Sent | None, *, is_last: bool) -> Outgoing | None:
        """Advance, and try again while Postgres is busy or away, so that an attempt that was made is not made twice."""
        for _ in range(_RECORD_AGAIN if sent is not None else 0):
            try:
                return await self._advance(lane, lease, sent, is_last=is_last)
            except (*UNREACHABLE, *BUSY) as error:
                logger.warning("the record of a webhook to endpoint %d waits: %s", lane.endpoint_id, error)
                await asyncio.sleep(_AGAIN_SECONDS)
        return await self._advance(lane, lease, sent, is_last=is_last)

    async def _advance(self, lane: Lane, lease: int, sent: _Sent | None, *, is_last: bool) -> Outgoing | None:
        """Record the attempt, and find what is to be sent next: None if nothing is, if this is the last call, or if the lane was lost."""

        async def work(transaction: Transaction) -> Outgoing | None:
            connection = transaction.connection
            response = "" if sent is None else await _lasting_response(connection, lane, sent)
            now = await self._ports.clock.now(connection)
            until = now + LEASE
            if sent is None:
                formed_to = await deliveries.claim(connection, lane, lease, now=now, until=until)
            else:
                formed_to = await deliveries.keep(connection, lane, lease, until=until)
            if formed_to is None:
                return None
            endpoint = await WebhookEndpoint.get_or_none(id=lane.endpoint_id)
            if endpoint is None:
                await deliveries.rest(connection, lane, None)
                return None
            if sent is not None:
                await self._record(transaction, lane, endpoint, sent, response, now)
            return await self._next(connection, lane, endpoint, formed_to, now, is_last=is_last)

        return await self._ports.database.run(work)

    async def _next(
        self,
        connection: Connection,
        lane: Lane,
        endpoint: WebhookEndpoint,
        formed_to: int,
        now: datetime,
        *,
        is_last: bool,
    ) -> Outgoing | None:
        if not endpoint.is_enabled or is_last:
            await deliveries.rest(connection, lane, now)
            return None
        forming = Forming(
            ports=self._ports,
            cursors=self._cursors,
            ids=self._ids,
            connection=connection,
            endpoint=endpoint,
            lane=lane,
            now=now,
        )
        while waiting := await deliveries.oldest_waiting(connection, lane):
            if waiting.next_attempt_at > now:
                await deliveries.rest(connection, lane, waiting.next_attempt_at)
                return None
            if outgoing := await forming.again(waiting):
                return outgoing
            await deliveries.drop(connection, lane, waiting.id, now)
        outgoing = await forming.form(formed_to)
        if outgoing is None:
            await deliveries.rest(connection, lane, None)
        return outgoing

    async def _record(
        self,
        transaction: Transaction,
        lane: Lane,
        endpoint: WebhookEndpoint,
        sent: _Sent,
        response: str,
        now: datetime,
    ) -> None:
        connection = transaction.connection
        delivery, attempt = sent.outgoing.delivery, sent.attempt
        number = delivery.attempts + 1
        made = AttemptRecord(
            number=number,
            at=sent.outgoing.message.sent_at,
            status=attempt.status,
            milliseconds=attempt.milliseconds,
            failure=attempt.failure,
            response=response,
        )
        await deliveries.add_attempt(connection, lane, delivery.id, made)
        state, step, next_attempt_at = self._after_attempt(delivery.step, attempt, now)
        await deliveries.end_attempt(
            connection,
            lane,
            delivery.id,
            state=state,
            attempts=number,
            step=step,
            next_attempt_at=next_attempt_at,
            ended_at=None if state == "WAITING" else now,
        )
        await _judge(self._ports, transaction, endpoint, attempt, now)

    def _after_attempt(
        self, step: int, attempt: Attempt, now: datetime
    ) -> tuple[DeliveryState, int, datetime | None]:
        """The message's state, how many attempts of its schedule have failed, and when the next one is due."""
        if attempt.is_success:
            return "DELIVERED", step, None
        if attempt.status == _GONE:
            return "WAITING", step, now
        delay = next_delay(
            step + 1,
            status=attempt.status,
            retry_after_seconds=attempt.retry_after_seconds,
            chance=self._chance(),
        )
        return ("FAILED", step + 1, None) if delay is None else ("WAITING", step + 1, now + delay)


async def _lasting_response(connection: Connection, lane: Lane, sent: _Sent) -> str:
    """What to keep of the answer: nothing if a person in the message was erased in the meantime, because the answer may repeat the message.

    The people are locked before the lane, as automations do when they act. An erasure that begins later finds the record.
    """
    if not sent.attempt.response or not sent.outgoing.people:
        return sent.attempt.response
    there = await facts.hold_people(connection, lane.bucket_id, sent.outgoing.people)
    return sent.attempt.response if there == sent.outgoing.people else ""


async def _judge(
    ports: Ports, transaction: Transaction, endpoint: WebhookEndpoint, attempt: Attempt, now: datetime
) -> None:
    """Note since when the endpoint fails, and disable it if it is gone, or has failed for too long."""
    rows = WebhookEndpoint.filter(id=endpoint.id)
    if attempt.is_success:
        if endpoint.failing_since is not None:
            await row_locks.take(transaction.connection, [endpoint.id])
            await rows.update(failing_since=None)
        return
    await row_locks.take(transaction.connection, [endpoint.id])
    reason = None
    if attempt.status == _GONE:
        reason = attempt.failure
    elif endpoint.failing_since is None:
        await rows.filter(failing_since__isnull=True).update(failing_since=now)
    elif now - endpoint.failing_since >= FAILING_LIMIT:
        reason = f"Every attempt has failed for {FAILING_LIMIT.days} days. The last one: {attempt.failure}"
    if reason is not None and endpoint.is_enabled:
        before = portraits.of_endpoint(endpoint)
        endpoint.is_enabled, endpoint.disabled_reason = False, reason
        if await rows.filter(is_enabled=True).update(is_enabled=False, disabled_reason=reason):
            change = Change(
                kind="WEBHOOK_ENDPOINT_DISABLED",
                object_id=endpoint.id,
                object_name=endpoint.name,
                before=before,
                after=portraits.of_endpoint(endpoint),
            )
            await record(ports, transaction, endpoint.workspace_id, now, change)


def _carried(sent: _Sent | None, *, has_more: bool) -> Carried:
    is_failing = None if sent is None else not sent.attempt.is_success
    return Carried(has_more=has_more, is_failing=is_failing)
